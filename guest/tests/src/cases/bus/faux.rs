// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The faux bus: a device that belongs to its module (L4, L5).
//!
//! Source: `drivers/base/faux.c` (Linux 7.3); `kernel/tests/bus/faux`.

use std::fs;

use uapi::{CLOEXEC, PAGE, RDWR};

use crate::harness::check::Outcome;
use crate::harness::modules;
use crate::subjects::bus::{load, nodes, open, unload};
use crate::subjects::device;
use crate::subjects::guest::Guest;
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "faux":
    has_a_device, takes_foreign_buffers, cannot_be_unbound, module_unload_removes_the_device,
    repeated_load_and_unload within 60,
}

const DRIVER: &str = "faux_rust";

/// Loading the module makes a device on the faux bus, which has buffers.
fn has_a_device(guest: &Guest) -> Outcome {
    load(guest, DRIVER)?;
    let file = open(DRIVER)?;
    let handle = works!(file.pages(1));
    let map = works!(file.map(handle, PAGE));
    map.write(0, 0xfa);
    same!(map.read(0), 0xfa);
    holds!(fs::exists("/sys/bus/faux/devices/faux_rust")?, "the device is on the faux bus");
    Ok(())
}

/// Foreign buffers can be imported, since the device's DMA mask covers all memory.
fn takes_foreign_buffers(guest: &Guest) -> Outcome {
    load(guest, DRIVER)?;
    let file = open(DRIVER)?;
    let foreign = works!(device::heap_buffer(PAGE));
    let handle = works!(file.import(&foreign));
    works!(file.export(handle, CLOEXEC | RDWR));
    Ok(())
}

/// The device cannot be unbound: the bus has no files for that.
fn cannot_be_unbound(guest: &Guest) -> Outcome {
    load(guest, DRIVER)?;
    holds!(fs::exists("/sys/bus/faux/drivers/faux_driver")?, "the bus has its driver");
    holds!(!fs::exists("/sys/bus/faux/drivers/faux_driver/unbind")?, "it has no file to unbind a device");
    Ok(())
}

/// Unloading fails with EAGAIN while a file is open; after the close, module and device are removed together.
fn module_unload_removes_the_device(guest: &Guest) -> Outcome {
    load(guest, DRIVER)?;
    let file = open(DRIVER)?;
    refuses!(modules::remove(DRIVER), AGAIN);
    works!(file.pages(1));
    drop(file);
    works!(unload(DRIVER));
    same!(nodes(DRIVER).len(), 0);
    holds!(!fs::exists("/sys/bus/faux/devices/faux_rust")?, "the device is gone");
    load(guest, DRIVER)?;
    works!(open(DRIVER)?.pages(1));
    Ok(())
}

/// Many rounds of loading and unloading work.
fn repeated_load_and_unload(guest: &Guest) -> Outcome {
    for _ in 0..20 {
        load(guest, DRIVER)?;
        works!(open(DRIVER)?.pages(1));
        works!(unload(DRIVER));
    }
    load(guest, DRIVER)
}
