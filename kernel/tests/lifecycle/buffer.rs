// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The objects: numbered memory.

use crate::{
    client::Client,
    driver::Lifecycle,
    shared::{
        self,
        LogDrop, //
    },
    uapi, //
};
use drm::{
    gem,
    Device,
    File,
    Plugged,
    Registered, //
};
use kernel::prelude::*;

pub(crate) type Object = gem::shmem::Object<Buffer>;

pub(crate) struct Buffer {
    /// The number of the device that created the object.
    pub(crate) device: u32,
    pub(crate) serial: u32,
    _log_drop: LogDrop,
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if shared::SLOW_DROP.take() {
            pr_info!("{}: object's drop waits\n", self.device);
            // Ignore the time limit: it is long enough for tests, which read the log.
            let _ = shared::pass_gate();
        }
    }
}

#[vtable]
impl gem::DriverObject for Buffer {
    type Driver = Lifecycle;
    type Args = u32;

    fn new(dev: &Device<Lifecycle>, _size: gem::Size, serial: u32) -> impl PinInit<Self, Error> {
        // The device's data exists in any state of the device.
        let device = dev.id;
        shared::may_fail(uapi::LIFECYCLE_FAIL_OBJECT).map(|()| Self {
            device,
            serial,
            _log_drop: LogDrop(device, c"object"),
        })
    }

    fn dumb(_dev: &Device<Lifecycle, Registered>, _size: gem::Size) -> Result<u32> {
        Ok(shared::serial())
    }

    fn import(_dev: &Plugged<'_, Lifecycle>, _size: gem::Size) -> Result<u32> {
        Ok(shared::serial())
    }

    fn open(obj: &Object, _file: &File<Client>) -> Result {
        shared::may_fail(uapi::LIFECYCLE_FAIL_HANDLE)?;
        pr_info!("{}: handle opened\n", obj.device);
        Ok(())
    }

    fn close(obj: &Object, file: Pin<&Client>) {
        // The file's data still exists.
        pr_info!("{}: handle closed by file of {}\n", obj.device, file.id);
    }

    fn status(_obj: &Object) -> gem::Status {
        gem::Status::RESIDENT.and(gem::Status::ACTIVE)
    }
}
