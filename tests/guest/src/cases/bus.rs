// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The buses beside the platform's: one test driver for each (`kernel/tests/bus`).
//!
//! Source: `Documentation/driver-api/driver-model/binding.rst`, the layout of `/sys/bus`.

pub(crate) mod auxiliary;
pub(crate) mod edu;
pub(crate) mod faux;

use std::fs;
use std::path::PathBuf;

use rustix::io::Errno;

use crate::check::{Outcome, fail};
use crate::device::DrmFile;
use crate::driver::driver_name;
use crate::guest::Guest;
use crate::modules;
use crate::sys::Answer;
use crate::works;

/// Loads a test module, unless it is.
pub(crate) fn load(guest: &Guest, module: &str) -> Outcome {
    works!(guest.modules()?.of(module)?.load());
    Ok(())
}

/// delete_module(2), if the module is loaded.
fn unload(module: &str) -> Answer {
    match modules::remove(module) {
        Err(Errno::NOENT) => Ok(()),
        answer => answer,
    }
}

/// The primary nodes of the devices of a driver, by number.
pub(crate) fn nodes(driver: &str) -> Vec<PathBuf> {
    let listed = fs::read_dir("/dev/dri").into_iter().flatten().flatten();
    let cards = listed.map(|entry| entry.path()).filter(|path| path.to_string_lossy().contains("/card"));
    let mut nodes: Vec<_> = cards.filter(|card| driver_name(card).is_ok_and(|name| name == driver)).collect();
    nodes.sort();
    nodes
}

/// A new file of the driver's only device.
fn open(driver: &str) -> Outcome<DrmFile> {
    match nodes(driver).as_slice() {
        [node] => Ok(works!(DrmFile::open(node))),
        nodes => fail(format!("driver `{driver}` has {} devices", nodes.len())),
    }
}

/// Lets the `nth` call of a kernel function fail while `action` runs; also says whether there was one.
fn failing<T>(guest: &Guest, func: &str, nth: u32, ret: i32, action: impl FnOnce() -> T) -> Outcome<(T, bool)> {
    use std::io::{Read, Write};
    load(guest, "failnth")?;
    let mut fault = fs::File::options().read(true).write(true).open("/dev/failnth")?;
    fault.write_all(format!("func={func} nth={nth} ret={ret}").as_bytes())?;
    let done = action();
    let mut text = [0; 100];
    let len = fault.read(&mut text)?;
    Ok((done, String::from_utf8_lossy(&text[..len]).contains("hits=1")))
}

/// Writes to a file of sysfs.
pub(crate) fn write(path: &str, text: &str) -> Answer {
    fs::write(path, text).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
}
