// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A callback of a fence that sends an event and tries to end a frame. C may run it with the event
//! lock held.

use crate::Show;
use drm::{
    event::{
        self,
        Event, //
    },
    fence::{
        Callback,
        Fence, //
    },
    syncobj::{
        self,
        WaitForSubmit, //
    },
    Device,
    File, //
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::Relaxed,
        Mutex, //
    }, //
};

#[derive(IntoBytes)]
#[repr(C)]
struct Signalled(u64);

impl event::Payload for Signalled {
    const TYPE: u32 = event::FIRST_DRIVER_TYPE;
}

/// A callback of any function.
trait Held: Send {}

impl<F: FnOnce(&Fence) + Send + 'static> Held for Callback<F> {}

/// The callbacks that clients have asked for.
#[pin_data]
pub(crate) struct Callbacks {
    #[pin]
    held: Mutex<KVec<KBox<dyn Held>>>,
}

impl Callbacks {
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            held <- new_mutex!(KVec::new()),
        })
    }

    /// Sends an event and tries to end a frame when a fence is signalled.
    pub(crate) fn add(&self, file: &File<drm::Plain<Show>>, handle: u32) -> Result {
        let fence = syncobj::find_fence(file, handle, 0, WaitForSubmit::No)?;
        let event = Event::reserve(file, Signalled(u64::from(handle)))?;
        let dev: ARef<Device<Show>> = file.device().into();
        let callback = fence.on_signal::<crate::LocalModule, _>(move |_: &Fence| {
            let ended = dev.enter(|plugged| plugged.handle_vblank(plugged.objects().screen));
            if ended == Some(Err(EBUSY)) {
                dev.refused.add(1, Relaxed);
            }
            event.send();
        })?;
        let callback: KBox<dyn Held> = KBox::new(callback, GFP_KERNEL)?;
        self.held.lock().push(callback, GFP_KERNEL)?;
        Ok(())
    }
}
