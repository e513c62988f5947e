// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The clients, and the driver's ioctls.

use crate::{
    buffer::Object,
    driver::{
        Hardware,
        Lifecycle, //
    },
    shared::{
        self,
        LogDrop, //
    },
    uapi::{
        self,
        drm_lifecycle, //
    },
    vm, //
};
use drm::{
    file::FdInfo,
    gem::{
        self,
        Class, //
    },
    syncobj::{
        find_fence,
        Syncobj,
        WaitForSubmit, //
    },
    Device,
    File,
    Plugged,
    Registered, //
};
use kernel::{
    fmt::Write,
    prelude::*,
    sync::atomic::Relaxed,
    time::{
        delay::fsleep,
        Delta, //
    }, //
};

/// The device type that all callbacks of files get.
type Dev = Device<Lifecycle, Registered>;

#[pin_data]
pub(crate) struct Client {
    pub(crate) id: u32,
    _first: LogDrop,
    _file: LogDrop,
}

#[vtable]
impl drm::DriverFile for Client {
    type Driver = Lifecycle;

    fn open(dev: &Dev) -> impl PinInit<Self, Error> {
        let id = dev.id;
        pr_info!(
            "{id}: file open, entered: {}\n",
            dev.enter(|_| ()).is_some()
        );
        try_pin_init!(Self {
            id,
            _first: LogDrop(*id, c"first part of the file"),
            _file: {
                shared::may_fail(uapi::LIFECYCLE_FAIL_OPEN)?;
                LogDrop(*id, c"file")
            },
        })
    }

    fn close(self: Pin<&Self>, dev: &Dev) {
        pr_info!(
            "{}: file close, entered: {}\n",
            self.id,
            dev.enter(|_| ()).is_some()
        );
    }

    fn fdinfo(&self, dev: &Dev, out: &mut FdInfo<'_>) {
        // A failure has no effect, because it could not be reported to the reader.
        let _ = writeln!(out, "lifecycle-device:\t{}", dev.id);
        if let long @ 1.. = shared::LONG_FDINFO.load(Relaxed) {
            let _ = write_long(out, long as usize);
        }
    }
}

impl Client {
    pub(crate) fn control(_dev: &Dev, arg: &mut drm_lifecycle, _file: &File<Self>) -> Result {
        match arg.what {
            uapi::LIFECYCLE_FAIL => shared::set_failure(arg.value as u32),
            uapi::LIFECYCLE_KEEP_NEXT => shared::KEEP_NEXT.set(),
            uapi::LIFECYCLE_LATE_WORK => shared::LATE_WORK.set(),
            uapi::LIFECYCLE_SLOW_DROP => shared::SLOW_DROP.set(),
            uapi::LIFECYCLE_GATE => shared::set_gate(arg.value != 0)?,
            uapi::LIFECYCLE_HUGE_TWICE => shared::HUGE_TWICE.set(),
            uapi::LIFECYCLE_LONG_FDINFO => shared::LONG_FDINFO.store(arg.value as u32, Relaxed),
            _ => return Err(EINVAL),
        }
        Ok(())
    }

    pub(crate) fn enter(dev: &Dev, arg: &mut drm_lifecycle, file: &File<Self>) -> Result {
        arg.what = file.id;
        arg.value = dev.enter(|_| ()).is_some().into();
        Ok(())
    }

    pub(crate) fn guarded(
        _dev: &Plugged<'_, Lifecycle>,
        data: &Hardware<'_>,
        arg: &mut drm_lifecycle,
        _file: &File<Self>,
    ) -> Result {
        arg.what = data.id;
        arg.value = data.serial.into();
        Ok(())
    }

    pub(crate) fn block(
        dev: &Plugged<'_, Lifecycle>,
        data: &Hardware<'_>,
        arg: &mut drm_lifecycle,
        _file: &File<Self>,
    ) -> Result {
        pr_info!("{}: guarded ioctl waits\n", data.id);
        shared::pass_gate()?;
        // Whatever has happened in the meantime, the data exists until this section ends.
        pr_info!("{}: guarded ioctl goes on\n", data.id);
        arg.value = dev.enter(|_| ()).is_some().into();
        Ok(())
    }

    pub(crate) fn block_unguarded(
        dev: &Dev,
        arg: &mut drm_lifecycle,
        _file: &File<Self>,
    ) -> Result {
        pr_info!("{}: unguarded ioctl waits\n", dev.id);
        shared::pass_gate()?;
        pr_info!("{}: unguarded ioctl goes on\n", dev.id);
        arg.value = dev.enter(|_| ()).is_some().into();
        Ok(())
    }

    pub(crate) fn object(dev: &Dev, arg: &mut drm_lifecycle, file: &File<Self>) -> Result {
        let object = Object::new(dev, gem::Size::round_up(arg.value)?, shared::serial())?;
        arg.handle = object.create_handle(file)?;
        Ok(())
    }

    pub(crate) fn info(_dev: &Dev, arg: &mut drm_lifecycle, file: &File<Self>) -> Result {
        let object = Object::lookup(file, arg.handle)?;
        arg.what = object.device;
        arg.value = object.serial.into();
        Ok(())
    }

    pub(crate) fn early(
        _dev: &Plugged<'_, Lifecycle>,
        data: &Hardware<'_>,
        arg: &mut drm_lifecycle,
        file: &File<Self>,
    ) -> Result {
        arg.handle = data.early.create_handle(file)?;
        Ok(())
    }

    pub(crate) fn keep(dev: &Dev, arg: &mut drm_lifecycle, file: &File<Self>) -> Result {
        match arg.what {
            uapi::LIFECYCLE_KEEP_NOTHING => {
                shared::keep_object(None);
                shared::keep_device(None);
                shared::keep_vm(None);
            }
            uapi::LIFECYCLE_KEEP_OBJECT => {
                shared::keep_object(Some(Object::lookup(file, arg.handle)?));
            }
            uapi::LIFECYCLE_KEEP_DEVICE => shared::keep_device(Some(dev.into())),
            _ => return Err(EINVAL),
        }
        Ok(())
    }

    pub(crate) fn kept(dev: &Dev, arg: &mut drm_lifecycle, file: &File<Self>) -> Result {
        match arg.what {
            uapi::LIFECYCLE_KEPT_HANDLE => {
                arg.handle = shared::kept_object()?.create_handle(file)?
            }
            uapi::LIFECYCLE_KEPT_DMA => {
                let object = shared::kept_object()?;
                // The device that may map the object is also the one that may sync it.
                dev.enter(|plugged| {
                    let mapped = object.sg_table(&plugged).map(|_| ());
                    let synced = object.sync(&plugged, 0..1, false);
                    if mapped == synced {
                        mapped
                    } else {
                        Err(EIO)
                    }
                })
                .ok_or(ENODEV)??;
            }
            uapi::LIFECYCLE_KEPT_VMAP => exchange(&*shared::kept_object()?, 0, &mut arg.value)?,
            uapi::LIFECYCLE_KEPT_ENTER => {
                arg.value = shared::kept_device()?.enter(|_| ()).is_some().into();
            }
            uapi::LIFECYCLE_KEPT_WORK => {
                let device = shared::kept_device()?;
                shared::keep_device(None);
                queue_work(&device, true)?;
            }
            uapi::LIFECYCLE_KEPT_OBJECT => {
                let device = shared::kept_device()?;
                let object = Object::new(&device, gem::Size::PAGE, shared::serial())?;
                shared::keep_object(Some(object));
            }
            uapi::LIFECYCLE_KEPT_VM => {
                let (vm, pages) = vm::map(dev, &*shared::kept_object()?)?;
                arg.value = pages;
                shared::keep_vm(Some(vm));
            }
            _ => return Err(EINVAL),
        }
        Ok(())
    }

    pub(crate) fn vmap(_dev: &Dev, arg: &mut drm_lifecycle, file: &File<Self>) -> Result {
        let object = Object::lookup(file, arg.handle)?;
        exchange(&object, arg.what as usize, &mut arg.value)
    }

    pub(crate) fn dma(
        dev: &Plugged<'_, Lifecycle>,
        _data: &Hardware<'_>,
        arg: &mut drm_lifecycle,
        file: &File<Self>,
    ) -> Result {
        let object = Object::lookup(file, arg.handle)?;
        let table = object.sg_table(dev)?;
        sync(dev, &object)?;
        arg.what = table.iter().count() as u32;
        arg.value = table.iter().map(|entry| entry.dma_len()).sum();
        Ok(())
    }

    pub(crate) fn work(dev: &Dev, arg: &mut drm_lifecycle, _file: &File<Self>) -> Result {
        match arg.what {
            2 => queue_again(dev),
            what => queue_work(dev, what != 0),
        }
    }

    pub(crate) fn syncobj(_dev: &Dev, arg: &mut drm_lifecycle, file: &File<Self>) -> Result {
        match arg.what {
            0 => arg.handle = Syncobj::new(None)?.create_handle(file)?,
            1 => drop(find_fence(file, arg.handle, 0, WaitForSubmit::No)?),
            _ => drop(Syncobj::find(file, arg.handle)?),
        }
        Ok(())
    }
}

/// Writes a value of `bytes` bytes as one string.
fn write_long(out: &mut FdInfo<'_>, bytes: usize) -> Result {
    let text = KVVec::from_elem(b'x', bytes, GFP_KERNEL)?;
    let text = core::str::from_utf8(&text).map_err(|_| EINVAL)?;
    Ok(writeln!(out, "lifecycle-long:\t{text}")?)
}

/// Syncs the whole object, unless it is imported, which only its exporter can sync.
///
/// # Errors
///
/// Fails with `EIO` if an answer is not as it must be. Ranges beyond the object and backwards are
/// not synced.
fn sync(dev: &Plugged<'_, Lifecycle>, object: &Object) -> Result {
    let size = object.size().bytes() as u64;
    for range in [0..size + 1, size..size - 1, u64::MAX..u64::MAX] {
        if object.sync(dev, range, true) != Err(EINVAL) {
            return Err(EIO);
        }
    }
    match object.sync(dev, 0..size, true) {
        Ok(()) if !object.is_imported() => Ok(()),
        Err(error) if object.is_imported() && error == EINVAL => Ok(()),
        _ => Err(EIO),
    }
}

/// Writes `value` at a byte of the object, and returns the previous content.
fn exchange(object: &Object, at: usize, value: &mut u64) -> Result {
    let map = object.vmap()?;
    let mut old = [0; 8];
    map.read(at, &mut old)?;
    map.write(at, &value.to_ne_bytes())?;
    *value = u64::from_ne_bytes(old);
    Ok(())
}

/// Queues work that logs whether it found the device plugged.
fn queue_work(dev: &Device<Lifecycle>, waits: bool) -> Result {
    dev.queue_work(move |dev| {
        pr_info!("{}: work begins\n", dev.id);
        if waits {
            // Ignore the time limit: it is long enough for tests, which read the log.
            let _ = shared::pass_gate();
        }
        pr_info!(
            "{}: work ends, entered: {}\n",
            dev.id,
            dev.enter(|_| ()).is_some()
        );
    })
}

/// Queues work that queues itself again until that fails.
fn queue_again(dev: &Device<Lifecycle>) -> Result {
    dev.queue_work(|dev| {
        fsleep(Delta::from_millis(1));
        if queue_again(dev).is_err() {
            pr_info!("{}: work cannot be queued again\n", dev.id);
        }
    })
}
