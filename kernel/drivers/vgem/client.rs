// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Clients with fences by number, as vgem's ioctls have them.
//!
//! Another driver with these ioctls includes this file as a module of its own, and names its type
//! `ThisDriver` in its root.

use crate::{
    uapi,
    ThisDriver, //
};
use drm::{
    fence::{
        self,
        Signaler, //
    },
    gem::Class,
    resv::Usage,
    Device,
    File,
    Registered, //
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::Mutex, //
};

type Object = <ThisDriver as drm::Driver>::Object;

/// The class of the clients' fences. If a client exits or forgets to signal, its fences end without
/// an error.
static FENCES: fence::Class =
    fence::Class::new::<crate::LocalModule>(<ThisDriver as drm::Driver>::INFO.name, c"unbound")
        .success_when_dropped();

/// The time after which a fence expires, so that a client cannot block others forever.
const TIMEOUT: fence::Timeout = fence::Timeout::from_secs(10);

#[pin_data]
pub(crate) struct Client {
    /// The fence with number `n` is at `n - 1` until it is signalled. Numbers are not reused, so a
    /// client determines the length. The memory need not be contiguous.
    #[pin]
    fences: Mutex<KVVec<Option<Signaler>>>,
}

#[vtable]
impl drm::DriverFile for Client {
    type Driver = ThisDriver;

    fn open(_dev: &Device<ThisDriver, Registered>) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            fences <- new_mutex!(KVVec::new()),
        })
    }
}

impl Client {
    /// Attaches a new fence to a buffer, as a reader or the writer, and returns its number.
    ///
    /// Fails with `EBUSY` if there is a conflicting unsignalled fence: for a reader that of a
    /// writer, for a writer any.
    pub(crate) fn fence_attach(
        _dev: &Device<ThisDriver, Registered>,
        arg: &mut uapi::drm_vgem_fence_attach,
        file: &File<Self>,
    ) -> Result {
        if arg.flags & !uapi::VGEM_FENCE_WRITE != 0 || arg.pad != 0 {
            return Err(EINVAL);
        }
        let write = arg.flags & uapi::VGEM_FENCE_WRITE != 0;
        let usage = if write { Usage::Write } else { Usage::Read };
        let buffer = Object::lookup(file, arg.handle)?;
        let signaler = FENCES.issue(Some(TIMEOUT))?;

        if !buffer.resv().is_signaled(Usage::for_access(write)) {
            return Err(EBUSY);
        }
        buffer.resv().attach(&signaler, usage)?;

        let mut fences = file.fences.lock();
        fences.push(Some(signaler), GFP_KERNEL | __GFP_NOWARN)?;
        arg.out_fence = fences.len() as u32;
        Ok(())
    }

    /// Signals the fence of a number, once. Fails with `ETIMEDOUT` if the fence has already
    /// expired.
    pub(crate) fn fence_signal(
        _dev: &Device<ThisDriver, Registered>,
        arg: &uapi::drm_vgem_fence_signal,
        file: &File<Self>,
    ) -> Result {
        if arg.flags != 0 {
            return Err(EINVAL);
        }
        let index = (arg.fence as usize).checked_sub(1).ok_or(ENOENT)?;
        let signaler = file
            .fences
            .lock()
            .get_mut(index)
            .and_then(Option::take)
            .ok_or(ENOENT)?;

        if signaler.signal() {
            Ok(())
        } else {
            Err(ETIMEDOUT)
        }
    }
}
