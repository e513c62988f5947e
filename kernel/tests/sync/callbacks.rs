// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Callbacks of fences, removed at about the time when the fence expires.

use crate::{
    client::Client,
    driver::{
        SyncTest,
        FENCES, //
    },
    uapi, //
};
use drm::{
    fence::{
        Fence,
        Timeout, //
    },
    Device,
    File,
    Registered, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// A value for functions to own.
struct Alive;

/// Lets `rounds` fences expire while their callbacks are removed, and counts how each ended.
pub(crate) fn race(
    _dev: &Device<SyncTest, Registered>,
    arg: &mut uapi::drm_sync_test_callbacks,
    _file: &File<Client>,
) -> Result {
    if arg.rounds > 10_000 {
        return Err(EINVAL);
    }
    (arg.ran, arg.taken_back, arg.leaked) = (0, 0, 0);
    for round in 0..arg.rounds {
        let alive = Arc::new(Alive, GFP_KERNEL)?;
        round_of(round, &alive, arg)?;
        // Each function owned a reference, and must have dropped it, whether it ran or not.
        if Arc::into_unique_or_drop(alive).is_none() {
            arg.leaked += 1;
        }
    }
    Ok(())
}

fn round_of(round: u32, alive: &Arc<Alive>, arg: &mut uapi::drm_sync_test_callbacks) -> Result {
    let fence = FENCES.issue(Some(Timeout::from_jiffies(1)))?;
    let mut callbacks = KVec::new();
    for _ in 0..4 {
        let alive = alive.clone();
        let function = move |_: &Fence| drop(alive);
        let callback = fence.on_signal::<crate::LocalModule, _>(function)?;
        callbacks.push(callback, GFP_KERNEL)?;
    }

    // Approaches the tick without sleeping past it.
    for _ in 0..(round % 64) * 2000 {
        core::hint::spin_loop();
    }
    while round % 3 == 0 && !fence.is_signaled() {
        core::hint::spin_loop();
    }
    for callback in callbacks {
        let ran = callback.has_run();
        drop(callback);
        arg.ran += u32::from(ran);
        arg.taken_back += u32::from(!ran);
    }
    Ok(())
}
