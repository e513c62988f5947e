// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! PCI: registers, a message interrupt, DMA, unplug, removal, and system sleep, on QEMU's `edu` device
//! (L5, L6, L18).
//!
//! Source: docs/specs/edu.rst of QEMU; Documentation/PCI/pci.rst; Documentation/power/basic-pm-debugging.rst;
//! `kernel/tests/bus/edu`.

use std::fs;
use std::thread;

use rustix::io::Errno;
use sys::{Answer, write};
use uapi::{EDU_DMA, EDU_FACTORIAL, EDU_INFO, EduDma, EduFactorial, EduInfo, PAGE};

use crate::cases::fence::waiting::woken;
use crate::harness::check::{Outcome, lacks};
use crate::harness::failnth::{Call, enomem, null};
use crate::harness::modules;
use crate::subjects::bus::{edu_address, failing, load, nodes, open, unload};
use crate::subjects::device::DrmFile;
use crate::subjects::guest::Guest;
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "edu":
    registers_are_read, register_page_outside_a_memory_bar_is_refused, factorial_comes_by_interrupt,
    several_clients_take_turns, dma_goes_round, dma_is_checked, unbind_and_bind, unbind_wakes_a_waiting_client,
    dma_ends_with_the_binding, removed_from_the_bus, device_is_off_when_unbound, failed_probe_leaves_nothing within 120,
    module_is_held_by_a_file, devices_sleep within 60, suspend_up_to_the_core_and_resume within 60,
    sleeps_unbound within 60, sleeps_and_wakes within 60,
}

const DRIVER: &str = "edu_rust";
const BUS: &str = "/sys/bus/pci";

/// An argument whose factorial takes a few hundred milliseconds of multiplications, so that much can happen meanwhile.
const LONG: u32 = 0x1000_0000;

/// Returns the device's address on the bus, with the driver bound to it.
fn device(guest: &Guest) -> Outcome<String> {
    load(guest, DRIVER)?;
    let Some(address) = edu_address() else {
        return lacks("the machine has no `edu` device (`-device edu,dma_mask=0xffffffff`)");
    };
    if nodes(DRIVER).is_empty() {
        works!(bind(&address));
    }
    Ok(address)
}

fn bind(address: &str) -> Answer {
    write(&format!("{BUS}/drivers/{DRIVER}/bind"), address)
}

fn unbind(address: &str) -> Answer {
    write(&format!("{BUS}/drivers/{DRIVER}/unbind"), address)
}

fn info(file: &DrmFile) -> Answer<EduInfo> {
    file.ioctl(&EDU_INFO, EduInfo::default())
}

fn factorial(file: &DrmFile, n: u32) -> Answer<u32> {
    Ok(file.ioctl(&EDU_FACTORIAL, EduFactorial { n, result: 0 })?.result)
}

fn transfer(file: &DrmFile, handle: u32, to_device: bool, offset: usize, length: usize) -> Answer {
    let (offset, length) = (offset as u64, length as u32);
    file.ioctl(&EDU_DMA, EduDma { handle, to_device: to_device.into(), offset, length, no_wait: 0 }).map(drop)
}

/// Register pages of the device's memory BAR work, and those of other BARs fail with EINVAL; the driver's probe tries
/// both, and fails with EIO otherwise. The others have ports, or memory for which there was no room; with the latter C
/// refuses to enable the device.
fn register_page_outside_a_memory_bar_is_refused(guest: &Guest) -> Outcome {
    let address = device(guest)?;
    let bars = guest.modules()?.of("edu_bars")?;
    for (parameters, bound) in [(c"", Ok(())), (c"unset=1", Err(Errno::INVAL)), (c"", Ok(()))] {
        if !nodes(DRIVER).is_empty() {
            works!(unbind(&address));
        }
        works!(bars.load_with(parameters));
        same!(bind(&address), bound);
        if bound.is_ok() {
            works!(unbind(&address));
        }
        works!(modules::remove("edu_bars"));
    }
    works!(bind(&address));
    same!(nodes(DRIVER).len(), 1);
    Ok(())
}

/// The identification register reads as `0xRRrr00ed`.
fn registers_are_read(guest: &Guest) -> Outcome {
    device(guest)?;
    let info = works!(info(&open(DRIVER)?));
    same!(info.identification & 0xffff, 0xed);
    same!(info.message_irq, 1);
    Ok(())
}

/// Each factorial is answered by one interrupt.
fn factorial_comes_by_interrupt(guest: &Guest) -> Outcome {
    device(guest)?;
    let file = open(DRIVER)?;
    let before = works!(info(&file)).interrupts;
    let mut product = 1_u32;
    for n in 1..=12 {
        product *= n;
        same!(works!(factorial(&file, n)), product);
    }
    same!(works!(info(&file)).interrupts, before + 12);
    Ok(())
}

/// Several clients that use the device at once each get their own answer.
fn several_clients_take_turns(guest: &Guest) -> Outcome {
    device(guest)?;
    let client = |n: u32, product: u32| -> Outcome {
        let file = open(DRIVER)?;
        for _ in 0..20 {
            same!(works!(factorial(&file, n)), product);
        }
        Ok(())
    };
    let wanted = [(3, 6), (4, 24), (5, 120), (6, 720)];
    thread::scope(|scope| {
        let clients: Vec<_> = wanted.iter().map(|&(n, product)| scope.spawn(move || client(n, product))).collect();
        clients.into_iter().try_for_each(|client| client.join().expect("a client does not panic"))
    })
}

/// DMA copies from a buffer into the device and from there into another page of the buffer.
fn dma_goes_round(guest: &Guest) -> Outcome {
    device(guest)?;
    let file = open(DRIVER)?;
    let handle = works!(file.pages(2));
    let map = works!(file.map(handle, 2 * PAGE));
    (0..PAGE).step_by(4).for_each(|at| map.write(at, 0xed00_0000 + at as u32));
    works!(transfer(&file, handle, true, 0, PAGE));
    works!(transfer(&file, handle, false, PAGE, PAGE));
    for at in (0..PAGE).step_by(4) {
        same!(map.read(PAGE + at), 0xed00_0000 + at as u32);
    }
    Ok(())
}

/// DMA of nothing, too much, or beyond the end fails with EINVAL; of an unknown buffer with ENOENT.
fn dma_is_checked(guest: &Guest) -> Outcome {
    device(guest)?;
    let file = open(DRIVER)?;
    let handle = works!(file.pages(1));
    refuses!(transfer(&file, handle, true, 0, 0), INVAL);
    refuses!(transfer(&file, handle, true, 0, PAGE + 1), INVAL);
    refuses!(transfer(&file, handle, true, 4, PAGE), INVAL);
    refuses!(transfer(&file, handle, true, PAGE, 4), INVAL);
    refuses!(transfer(&file, handle + 1, true, 0, 4), NOENT);
    works!(transfer(&file, handle, true, PAGE - 4, 4));
    Ok(())
}

/// L6: calls on a file opened before the unbind fail with ENODEV forever; the new device works.
fn unbind_and_bind(guest: &Guest) -> Outcome {
    let address = device(guest)?;
    let old = open(DRIVER)?;
    works!(unbind(&address));
    same!(nodes(DRIVER).len(), 0);
    works!(bind(&address));
    refuses!(info(&old), NODEV);
    refuses!(factorial(&old, 3), NODEV);
    same!(works!(factorial(&open(DRIVER)?, 3)), 6);
    Ok(())
}

/// L6: a client that waits for the hardware does not delay the unbind, and its call fails with ENODEV.
fn unbind_wakes_a_waiting_client(guest: &Guest) -> Outcome {
    let address = device(guest)?;
    let file = open(DRIVER)?;
    let unplug = || {
        works!(unbind(&address));
        Ok(())
    };
    let told = woken(|| factorial(&file, LONG), unplug)?;
    refuses!(told, NODEV);
    works!(bind(&address));
    Ok(())
}

/// L5: after the unbind the device no longer changes a buffer, although DMA was started.
fn dma_ends_with_the_binding(guest: &Guest) -> Outcome {
    let address = device(guest)?;
    for round in 0..3_u32 {
        let file = open(DRIVER)?;
        let handle = works!(file.pages(1));
        let map = works!(file.map(handle, PAGE));
        map.write(0, round);
        let order = EduDma { handle, to_device: 0, offset: 0, length: PAGE as u32, no_wait: 1 };
        works!(file.ioctl(&EDU_DMA, order));
        works!(unbind(&address));
        let words = |map: &sys::Mapping| (0..PAGE).step_by(4).map(|at| map.read(at)).collect::<Vec<_>>();
        let then = words(&map);
        // The driver's probe waits until the device is idle, so the DMA has been attempted after this.
        works!(bind(&address));
        holds!(words(&map) == then, "round {round}: the buffer is as it was when the driver was unbound");
    }
    Ok(())
}

/// The device is removed by sysfs while a file is open; a rescan brings the device back.
fn removed_from_the_bus(guest: &Guest) -> Outcome {
    let address = device(guest)?;
    let old = open(DRIVER)?;
    works!(write(&format!("{BUS}/devices/{address}/remove"), "1"));
    same!(nodes(DRIVER).len(), 0);
    refuses!(info(&old), NODEV);
    works!(write(&format!("{BUS}/rescan"), "1"));
    same!(works!(factorial(&open(DRIVER)?, 5)), 120);
    Ok(())
}

/// After an unbind, everything that the probe switched on is off: interrupt, device, bus mastering.
fn device_is_off_when_unbound(guest: &Guest) -> Outcome {
    let address = device(guest)?;
    same!(switched(&address)?, [true; 4]);
    works!(unbind(&address));
    same!(switched(&address)?, [false; 4]);
    works!(bind(&address));
    same!(switched(&address)?, [true; 4]);
    Ok(())
}

/// Returns whether the driver has an interrupt, the device has vectors, is enabled, and may access memory.
fn switched(address: &str) -> std::io::Result<[bool; 4]> {
    let here = format!("{BUS}/devices/{address}");
    let irq = fs::read_to_string("/proc/interrupts")?.contains(DRIVER);
    let vectors = fs::read_dir(format!("{here}/msi_irqs")).is_ok_and(|mut vectors| vectors.next().is_some());
    let enabled = fs::read_to_string(format!("{here}/enable"))?.trim() != "0";
    let command = fs::read(format!("{here}/config"))?[4];
    Ok([irq, vectors, enabled, command & 4 != 0])
}

/// Whatever step of the probe fails, the error arrives, everything is off, and the next probe works.
fn failed_probe_leaves_nothing(guest: &Guest) -> Outcome {
    let address = device(guest)?;
    let steps = [
        enomem("pci_enable_device_mem"),
        Call { function: "dma_set_mask", returns: -5 },
        null("pci_iomap"),
        enomem("__drm_dev_alloc"),
        Call { function: "pci_alloc_irq_vectors", returns: -28 },
        Call { function: "request_threaded_irq", returns: -16 },
        enomem("drm_dev_register"),
        enomem("drm_minor_register"),
    ];
    for step in steps {
        works!(unbind(&address));
        let (bound, hit) = failing(guest, step, 1, || bind(&address))?;
        holds!(hit, "the probe calls {}", step.function);
        holds!(bound.is_err(), "{} fails, and the probe with it", step.function);
        same!(nodes(DRIVER).len(), 0);
        same!(switched(&address)?, [false; 4]);
        works!(bind(&address));
        same!(works!(factorial(&open(DRIVER)?, 3)), 6);
    }
    Ok(())
}

/// Unloading fails with EAGAIN while a file is open, although the device is gone; it works after the close.
fn module_is_held_by_a_file(guest: &Guest) -> Outcome {
    let address = device(guest)?;
    let file = open(DRIVER)?;
    works!(unbind(&address));
    refuses!(modules::remove(DRIVER), AGAIN);
    drop(file);
    works!(unload(DRIVER));
    device(guest)?;
    same!(works!(factorial(&open(DRIVER)?, 4)), 24);
    Ok(())
}

/// Checks that the device works after the system slept, and that the driver's suspend was called once.
fn asleep_and_awake(sleep: impl FnOnce() -> Answer) -> Outcome {
    let file = open(DRIVER)?;
    let before = works!(info(&file)).resumed;
    works!(sleep());
    same!(works!(info(&file)).resumed, before + 1);
    same!(works!(factorial(&file, 7)), 5040);
    let handle = works!(file.pages(1));
    works!(transfer(&file, handle, true, 0, PAGE));
    Ok(())
}

/// Suspend to memory until the clock wakes the machine: all devices lose their state, and work afterwards.
fn sleeps_and_wakes(guest: &Guest) -> Outcome {
    device(guest)?;
    let alarm = "/sys/class/rtc/rtc0/wakealarm";
    asleep_and_awake(|| {
        write(alarm, "0")?;
        write(alarm, "+2")?;
        write("/sys/power/mem_sleep", "deep")?;
        write("/sys/power/state", "mem")
    })
}

/// Runs the kernel's own test of suspension up to a level. The machine wakes a second later.
pub(in crate::cases) fn tested(level: &str, state: &str) -> Answer {
    write("/sys/module/suspend/parameters/pm_test_delay", "1")?;
    write("/sys/power/pm_test", level)?;
    let slept = write("/sys/power/state", state);
    write("/sys/power/pm_test", "none")?;
    slept
}

/// Suspension up to the devices' first phase works.
fn devices_sleep(guest: &Guest) -> Outcome {
    device(guest)?;
    asleep_and_awake(|| tested("devices", "freeze"))
}

/// A suspend up to the `core` level of `pm_test` works: interrupts are off, PCI has saved the device's state.
fn suspend_up_to_the_core_and_resume(guest: &Guest) -> Outcome {
    device(guest)?;
    asleep_and_awake(|| tested("core", "mem"))
}

/// The system suspends without calling the driver for a device that is not bound, or was unbound.
fn sleeps_unbound(guest: &Guest) -> Outcome {
    let address = device(guest)?;
    works!(unbind(&address));
    works!(tested("devices", "freeze"));
    works!(bind(&address));
    asleep_and_awake(|| tested("devices", "freeze"))
}
