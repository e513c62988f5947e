// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Gives cases the life-cycle test driver with its two devices.
//!
//! Source: `kernel/tests/lifecycle/lifecycle_drm.h`.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use sys::Answer;
pub(crate) use uapi::{
    LIFECYCLE_BLOCK as BLOCK, LIFECYCLE_BLOCK_UNGUARDED as BLOCK_UNGUARDED, LIFECYCLE_CONTROL as CONTROL,
    LIFECYCLE_DMA as DMA, LIFECYCLE_EARLY as EARLY, LIFECYCLE_ENTER as ENTER, LIFECYCLE_GUARDED as GUARDED,
    LIFECYCLE_INFO as INFO, LIFECYCLE_KEEP as KEEP, LIFECYCLE_KEPT as KEPT, LIFECYCLE_OBJECT as OBJECT,
    LIFECYCLE_SYNCOBJ as SYNCOBJ, LIFECYCLE_VMAP as VMAP, LIFECYCLE_WORK as WORK,
};
use uapi::{Lifecycle, Request};

use crate::harness::check::{Outcome, fail};
use crate::harness::modules;
use crate::harness::trace::Trace;
use crate::subjects::device::DrmFile;
use crate::subjects::driver::module_users;
use crate::subjects::guest::Guest;

const FOLDER: &str = "/sys/bus/platform/drivers/lifecycle";

/// A step that the driver fails on request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Data = 1,
    Object = 2,
    Registration = 3,
    Probe = 4,
    Open = 5,
    Handle = 6,
}

/// An operation on the object or device that was put away.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kept {
    Handle = 0,
    Dma = 1,
    Vmap = 2,
    Enter = 3,
    Object = 5,
    Vm = 6,
}

/// The driver, freshly loaded, and everything that its modules log from then on.
#[derive(Debug)]
pub(crate) struct Test<'a> {
    guest: &'a Guest,
    pub(crate) trace: Trace,
}

impl<'a> Test<'a> {
    /// Loads the test modules again. A case is skipped if their files were not named.
    pub(crate) fn new(guest: &'a Guest) -> Outcome<Self> {
        for module in ["lifecycle", "lifecycle_devices"] {
            match modules::remove(module) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => return fail(format!("`{module}` is still loaded from an earlier case: {errno}")),
            }
        }
        let test = Self { guest, trace: Trace::from_now()? };
        for module in ["failnth", "lifecycle_devices", "lifecycle"] {
            test.load(module)?;
        }
        Ok(test)
    }

    /// Loads a module of the folder, and the modules that it needs.
    pub(crate) fn load(&self, module: &str) -> Outcome {
        match self.guest.modules()?.of(module)?.load() {
            Ok(()) => Ok(()),
            Err(errno) => fail(format!("`{module}` cannot be loaded: {errno}")),
        }
    }

    /// Opens the primary node of a device.
    pub(crate) fn open(&self, device: u32) -> Outcome<Client> {
        let Some(node) = node(&format!("lifecycle.{device}"), "card") else {
            return fail(format!("`lifecycle.{device}` has no node"));
        };
        match DrmFile::open(&node) {
            Ok(file) => Ok(Client(file)),
            Err(errno) => fail(format!("`{}` cannot be opened: {errno}", node.display())),
        }
    }

    /// Returns how many users the driver's module has.
    pub(crate) fn users(&self) -> Outcome<u32> {
        match module_users("lifecycle")? {
            Some(users) => Ok(users),
            None => fail("the module is not loaded"),
        }
    }

    /// Unloads the driver, and checks that nothing of it is left and that the library did not miss a device.
    pub(crate) fn unload(&mut self) -> Outcome {
        if let Err(errno) = modules::remove("lifecycle") {
            return fail(format!("`lifecycle` cannot be unloaded: {errno}; {}", self.trace.told()));
        }
        match self.trace.count("never released") {
            0 => Ok(()),
            _ => fail(format!("a device is left: {}", self.trace.told())),
        }
    }
}

/// Binds a device to the driver.
pub(crate) fn bind(device: u32) -> Answer {
    sys::write(&format!("{FOLDER}/bind"), &format!("lifecycle.{device}"))
}

/// Unbinds a device from the driver.
pub(crate) fn unbind(device: u32) -> Answer {
    sys::write(&format!("{FOLDER}/unbind"), &format!("lifecycle.{device}"))
}

/// Returns the node of a platform device, by the beginning of its name (`card`, `renderD`, `accel`).
pub(crate) fn node(device: &str, kind: &str) -> Option<PathBuf> {
    let folder = format!("/sys/devices/platform/{device}/{}", if kind == "accel" { "accel" } else { "drm" });
    let entries = fs::read_dir(folder).ok()?.flatten();
    let entry = entries
        .map(|entry| entry.path())
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(kind)))?;
    let uevent = fs::read_to_string(entry.join("uevent")).ok()?;
    let name = uevent.lines().find_map(|line| line.strip_prefix("DEVNAME="))?;
    Some(Path::new("/dev").join(name))
}

/// Returns what is left of a platform device's last binding, or `None` if it is as if it had never been bound.
pub(crate) fn left_of(device: &str) -> Option<String> {
    let left = ["driver", "drm", "accel"].map(|name| format!("/sys/devices/platform/{device}/{name}"));
    left.into_iter().find(|path| Path::new(path).exists())
}

/// An open file of the driver.
#[derive(Debug)]
pub(crate) struct Client(pub(crate) DrmFile);

impl Client {
    /// Makes one of the driver's ioctls.
    pub(crate) fn call(&self, request: &Request<Lifecycle>, what: u32, handle: u32, value: u64) -> Answer<Lifecycle> {
        self.0.ioctl(request, Lifecycle { what, handle, value })
    }

    /// Makes the step fail with EIO the next time it is taken.
    pub(crate) fn fail_next(&self, step: Step) -> Answer {
        self.call(&CONTROL, 1, 0, step as u64).map(drop)
    }

    /// Makes the next probe put its device and its first object away.
    pub(crate) fn keep_next(&self) -> Answer {
        self.call(&CONTROL, 2, 0, 0).map(drop)
    }

    /// Opens or closes the gate at which `BLOCK` waits.
    pub(crate) fn gate(&self, open: bool) -> Answer {
        self.call(&CONTROL, 3, 0, open.into()).map(drop)
    }

    /// Makes the next registration data queue work when it is dropped.
    pub(crate) fn late_work(&self) -> Answer {
        self.call(&CONTROL, 4, 0, 0).map(drop)
    }

    /// Makes the next payload wait at the gate when it is dropped.
    pub(crate) fn slow_drop(&self) -> Answer {
        self.call(&CONTROL, 5, 0, 0).map(drop)
    }

    /// Makes the next probe request huge pages twice.
    pub(crate) fn huge_twice(&self) -> Answer {
        self.call(&CONTROL, 7, 0, 0).map(drop)
    }

    /// Gives fdinfo a value of `bytes` bytes from now on.
    pub(crate) fn long_fdinfo(&self, bytes: u64) -> Answer {
        self.call(&CONTROL, 6, 0, bytes).map(drop)
    }

    /// Creates an object and returns its handle.
    pub(crate) fn object(&self, bytes: u64) -> Answer<u32> {
        Ok(self.call(&OBJECT, 0, 0, bytes)?.handle)
    }

    /// Makes or looks up a sync object, depending on `way`: see `DRM_IOCTL_LIFECYCLE_SYNCOBJ`.
    pub(crate) fn syncobj(&self, way: u32) -> Answer {
        self.call(&SYNCOBJ, way, 1, 0).map(drop)
    }

    /// Returns the number of the device on which an object was made.
    pub(crate) fn device_of(&self, handle: u32) -> Answer<u32> {
        Ok(self.call(&INFO, 0, handle, 0)?.what)
    }

    /// Puts an object away.
    pub(crate) fn keep_object(&self, handle: u32) -> Answer {
        self.call(&KEEP, 1, handle, 0).map(drop)
    }

    /// Puts the device of this file away.
    pub(crate) fn keep_device(&self) -> Answer {
        self.call(&KEEP, 2, 0, 0).map(drop)
    }

    /// Drops everything that was put away.
    pub(crate) fn let_go(&self) -> Answer {
        self.call(&KEEP, 0, 0, 0).map(drop)
    }

    /// Performs an operation on the object or device that was put away.
    pub(crate) fn kept(&self, kept: Kept, value: u64) -> Answer<Lifecycle> {
        self.call(&KEPT, kept as u32, 0, value)
    }
}
