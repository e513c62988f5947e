// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Gives cases the test drivers of the buses other than the platform bus, one for each, and QEMU's `edu` device.
//!
//! Source: `kernel/tests/bus`; `Documentation/driver-api/driver-model/binding.rst`, the layout of `/sys/bus`.

use std::fs;
use std::path::PathBuf;

use rustix::io::Errno;
use sys::Answer;
use sys::nodes::driver_name;

use crate::harness::check::{Outcome, fail};
use crate::harness::failnth::{Call, Fault};
use crate::harness::modules;
use crate::subjects::device::DrmFile;
use crate::subjects::guest::Guest;
use crate::works;

/// Loads a test module, unless it is loaded.
pub(crate) fn load(guest: &Guest, module: &str) -> Outcome {
    works!(guest.modules()?.of(module)?.load());
    Ok(())
}

/// Calls delete_module(2), if the module is loaded.
pub(crate) fn unload(module: &str) -> Answer {
    match modules::remove(module) {
        Err(Errno::NOENT) => Ok(()),
        answer => answer,
    }
}

/// Returns the primary nodes of a driver's devices, by number.
pub(crate) fn nodes(driver: &str) -> Vec<PathBuf> {
    let listed = fs::read_dir("/dev/dri").into_iter().flatten().flatten();
    let cards = listed.map(|entry| entry.path()).filter(|path| path.to_string_lossy().contains("/card"));
    let mut nodes: Vec<_> = cards.filter(|card| driver_name(card).is_ok_and(|name| name == driver)).collect();
    nodes.sort();
    nodes
}

/// Opens the driver's only device.
pub(crate) fn open(driver: &str) -> Outcome<DrmFile> {
    match nodes(driver).as_slice() {
        [node] => Ok(works!(DrmFile::open(node))),
        nodes => fail(format!("driver `{driver}` has {} devices", nodes.len())),
    }
}

/// Makes the `nth` call of a kernel function by any process fail while `action` runs. Also returns whether there was
/// such a call.
pub(crate) fn failing<T>(guest: &Guest, call: Call, nth: u32, action: impl FnOnce() -> T) -> Outcome<(T, bool)> {
    load(guest, "failnth")?;
    let fault = Fault::nth_of_any(call, nth)?;
    let done = action();
    Ok((done, fault.count()?.hits == 1))
}

/// Returns the address of QEMU's `edu` on the PCI bus, whatever driver is bound to it.
pub(crate) fn edu_address() -> Option<String> {
    let listed = fs::read_dir("/sys/bus/pci/devices").ok()?.flatten();
    let is = |path: &std::path::Path, file: &str, id: &str| {
        fs::read_to_string(path.join(file)).is_ok_and(|text| text.trim() == id)
    };
    let mut found =
        listed.filter(|entry| is(&entry.path(), "vendor", "0x1234") && is(&entry.path(), "device", "0x11e8"));
    Some(found.next()?.file_name().to_string_lossy().into_owned())
}
