// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The buses other than the platform bus, with one test driver for each (`kernel/tests/bus`).
//!
//! Source: `Documentation/driver-api/driver-model/binding.rst`, the layout of `/sys/bus`.

pub(crate) mod auxiliary;
pub(crate) mod edu;
pub(crate) mod faux;
pub(crate) mod twins;

use std::fs;
use std::path::PathBuf;

use rustix::io::Errno;
use sys::nodes::driver_name;
use sys::{Answer, write};

use crate::check::{Outcome, fail};
use crate::device::DrmFile;
use crate::failnth::{Call, Fault};
use crate::guest::Guest;
use crate::modules;
use crate::works;

/// Loads a test module, unless it is loaded.
pub(crate) fn load(guest: &Guest, module: &str) -> Outcome {
    works!(guest.modules()?.of(module)?.load());
    Ok(())
}

/// Calls delete_module(2), if the module is loaded.
fn unload(module: &str) -> Answer {
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
fn open(driver: &str) -> Outcome<DrmFile> {
    match nodes(driver).as_slice() {
        [node] => Ok(works!(DrmFile::open(node))),
        nodes => fail(format!("driver `{driver}` has {} devices", nodes.len())),
    }
}

/// Makes the `nth` call of a kernel function by any process fail while `action` runs. Also returns whether there was
/// such a call.
fn failing<T>(guest: &Guest, call: Call, nth: u32, action: impl FnOnce() -> T) -> Outcome<(T, bool)> {
    load(guest, "failnth")?;
    let fault = Fault::nth_of_any(call, nth)?;
    let done = action();
    Ok((done, fault.count()?.hits == 1))
}
