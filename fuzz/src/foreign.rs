// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Known panics that are not our fault: the crate `vfio_user` panics on some malformed messages, and the server takes
//! that for the end of the connection (`models/src/server.rs`).

use std::panic::{self, PanicHookInfo};

/// Silences such panics; others are reported as before.
pub fn ignore_known() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if !is_known(panic) {
            before(panic);
        }
    }));
}

fn is_known(panic: &PanicHookInfo<'_>) -> bool {
    panic.location().is_some_and(|location| location.file().contains("/vfio_user-"))
}
