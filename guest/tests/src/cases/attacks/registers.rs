// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Registers and interrupts of a device that is hidden, unplugged, or whose registration has failed (QEMU's `edu`).
//!
//! Source: Documentation/gpu/drm-uapi.rst, "Device Hot-Unplug"; docs/specs/edu.rst of QEMU.

use std::path::{Path, PathBuf};
use std::thread;

use rustix::io::Errno;
use sys::{Answer, Mapping};
use uapi::PAGE;

use crate::harness::check::{Outcome, fail, lacks};
use crate::harness::failnth::{Fault, enomem};
use crate::harness::modules;
use crate::subjects::attacks::{Callback, Client, Test, What, edu, render_node_in};
use crate::subjects::guest::Guest;
use crate::sweeps::calls::PROBE;
use crate::{holds, refuses, same, works};
use rustix::mm::{MapFlags, ProtFlags};

crate::cases::cases! {
    "attacks":
    registers_are_idle_when_hidden within 60, registers_are_idle_after_unplug within 60,
    registers_are_idle_after_a_failed_registration within 60, registers_are_hidden_by_their_own_fault within 60,
    callback_driver_page within 60, registers_cannot_be_written within 60, interrupt_after_unplug within 60,
}

/// The value of `edu`'s identification register; the low 16 bits are `00ed`.
const IDENTIFICATION: u32 = 0x0100_00ed;
/// The value that clients read while the registers are hidden.
const IDLE: u32 = 0x1d1e;
/// The offset at which clients map registers.
const REGISTERS: u64 = 1 << 48;

/// Loads the driver and returns its device.
fn device(guest: &Guest) -> Outcome<(Test<'_>, PathBuf)> {
    let test = Test::new(guest)?;
    match edu() {
        Some(folder) => Ok((test, folder)),
        None => lacks("the machine has no `edu` device (`-device edu,dma_mask=0xffffffff`)"),
    }
}

fn open(folder: &Path) -> Outcome<Client> {
    match render_node_in(folder) {
        Some(node) => Client::open(&node),
        None => fail("the driver has not bound `edu`"),
    }
}

fn map(client: &Client) -> Answer<Mapping> {
    Mapping::new(&client.0, REGISTERS, PAGE, ProtFlags::READ, MapFlags::SHARED)
}

fn write(folder: &Path, file: &str) -> Answer {
    let address = folder.file_name().expect("a device has a name").to_string_lossy().into_owned();
    sys::write(&format!("/sys/bus/pci/drivers/attacks/{file}"), &address)
}

/// Hidden registers read as idle, in a mapping that exists and in one that is made later. When shown again, both show
/// the device's.
fn registers_are_idle_when_hidden(guest: &Guest) -> Outcome {
    let (mut test, folder) = device(guest)?;
    let client = open(&folder)?;
    let before = works!(map(&client));
    same!(before.read(0), IDENTIFICATION);
    for _ in 0..3 {
        works!(client.plugged(What::Hide, 0, 0));
        let after = works!(map(&client));
        same!((before.read(0), after.read(0), after.read(4)), (IDLE, IDLE, 0));
        works!(client.plugged(What::Hide, 0, 1));
        same!((before.read(0), after.read(0)), (IDENTIFICATION, IDENTIFICATION));
    }
    drop((client, before));
    test.unload()
}

/// After an unplug clients do not see the registers: the device may belong to another driver by now, or to none.
fn registers_are_idle_after_unplug(guest: &Guest) -> Outcome {
    let (mut test, folder) = device(guest)?;
    let client = open(&folder)?;
    let mapping = works!(map(&client));
    same!(mapping.read(0), IDENTIFICATION);
    works!(write(&folder, "unbind"));
    same!(mapping.read(0), IDLE);
    refuses!(map(&client), NODEV);
    works!(write(&folder, "bind"));
    same!(mapping.read(0), IDLE);
    drop((client, mapping));
    test.unload()
}

/// S3: a client opens the render node, then the registration of the primary one fails. C zaps no mapping then, so the
/// client could continue to read the registers of a device without a driver, and the reads have effects.
fn registers_are_idle_after_a_failed_registration(guest: &Guest) -> Outcome {
    let (mut test, folder) = device(guest)?;
    works!(write(&folder, "unbind"));
    let fault = Fault::nth_waits(enomem("drm_minor_register"), 2, PROBE.scope)?;
    let (client, mapping) = thread::scope(|scope| -> Outcome<_> {
        let bound = scope.spawn(|| write(&folder, "bind"));
        fault.wait()?;
        let client = open(&folder)?;
        let mapping = works!(map(&client));
        same!(mapping.read(0), IDENTIFICATION);
        works!(fault.release());
        same!(bound.join().expect("no panic"), Err(Errno::NOMEM));
        Ok((client, mapping))
    })?;
    drop(fault);
    same!(mapping.read(0), IDLE);
    refuses!(map(&client), NODEV);
    works!(write(&folder, "bind"));
    same!(mapping.read(0), IDLE);
    drop((client, mapping));
    test.unload()
}

/// The driver hides its registers during a fault on their page. The fault holds the lock that hiding takes, so it would
/// wait for itself, with the locks of the address space and in the section of every unplug.
fn registers_are_hidden_by_their_own_fault(guest: &Guest) -> Outcome {
    let (mut test, folder) = device(guest)?;
    let client = open(&folder)?;
    let mapping = works!(map(&client));
    works!(client.run(What::ShowInPage, 0, 0));
    same!(mapping.read(0), IDLE);
    works!(client.plugged(What::Hide, 0, 1));
    same!(mapping.read(0), IDENTIFICATION);
    drop((client, mapping));
    test.unload()
}

/// During a page fault the locks of an address space are held, and the device is entered.
fn callback_driver_page(guest: &Guest) -> Outcome {
    let (mut test, folder) = device(guest)?;
    let client = open(&folder)?;
    let mapping = works!(map(&client));
    works!(client.trap(Callback::DriverPage));
    same!(mapping.read(0), IDENTIFICATION);
    let answers = test.answers(9, Callback::DriverPage)?;
    let refused: Vec<_> = answers.iter().filter(|(_, answer)| *answer < 0).collect();
    holds!(answers.len() == 11 && refused.is_empty(), "everything works: {answers:?}");
    drop((client, mapping));
    test.unload()
}

/// Registers cannot be mapped for writing: not at first, not by mprotect(2), and not beyond the page.
fn registers_cannot_be_written(guest: &Guest) -> Outcome {
    let (mut test, folder) = device(guest)?;
    let client = open(&folder)?;
    refuses!(Mapping::shared(&client.0, REGISTERS, PAGE), INVAL);
    refuses!(Mapping::new(&client.0, REGISTERS + PAGE as u64, PAGE, ProtFlags::READ, MapFlags::SHARED), INVAL);
    let mapping = works!(map(&client));
    refuses!(mapping.protect_as(rustix::mm::MprotectFlags::READ | rustix::mm::MprotectFlags::WRITE), ACCESS);
    same!(mapping.read(0), IDENTIFICATION);
    drop((client, mapping));
    test.unload()
}

/// The device interrupts when it is unplugged. The handler stays until the driver has stopped the hardware, finds that
/// it cannot enter, and its work is done before the registration data is dropped.
fn interrupt_after_unplug(guest: &Guest) -> Outcome {
    let (mut test, folder) = device(guest)?;
    let client = open(&folder)?;
    works!(client.run(What::Interrupt, 0, 0));
    works!(write(&folder, "unbind"));
    test.trace.in_order(&[
        "9: interrupt, entered: false, work: true",
        "9: interrupted when unplugged: true",
        "9: unplugged",
    ])?;
    works!(write(&folder, "bind"));
    drop(client);
    works!(modules::remove("attacks"));
    test.load("attacks")?;
    test.unload()
}
