// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The system suspends and resumes: clients keep their state, and the GPU sees it again.
//!
//! Source: Documentation/power/basic-pm-debugging.rst; `panthor_device_suspend` in
//! `drivers/gpu/drm/panthor/panthor_device.c` (Linux 7.3).

use sys::{Answer, write};
use uapi::PAGE;
use uapi::tyr::*;

use crate::harness::check::Outcome;
use crate::subjects::guest::Guest;
use crate::subjects::tyr::view::Vm;
use crate::subjects::tyr::{Gpu, Op, signal, wait};
use crate::{holds, same, works};

use super::client::a_round;
use super::queue::{Gate, ended, pending};

crate::cases::cases! {
    "tyr_sleep" for Tyr:
    devices_sleep within 60, suspend_up_to_the_core_and_resume within 60, machine_sleeps within 60,
    sleeps_unbound within 60, sleeps_while_a_queue_waits within 60, sleeps_with_a_vm_in_fault within 60,
    repeated_suspend_and_resume within 120,
}

const P: u64 = PAGE as u64;
const VA: u64 = 0x4000_0000;

/// Runs the kernel's own test of suspension up to a level. The machine wakes a second later.
fn tested(level: &str, state: &str) -> Answer {
    write("/sys/module/suspend/parameters/pm_test_delay", "1")?;
    write("/sys/power/pm_test", level)?;
    let slept = write("/sys/power/state", state);
    write("/sys/power/pm_test", "none")?;
    slept
}

/// Suspends up to the devices' first phase.
pub(super) fn nap() -> Answer {
    tested("devices", "freeze")
}

/// Suspends to memory until the clock wakes the machine: all devices lose their state.
fn sleep() -> Answer {
    let alarm = "/sys/class/rtc/rtc0/wakealarm";
    write(alarm, "0")?;
    write(alarm, "+2")?;
    write("/sys/power/mem_sleep", "deep")?;
    write("/sys/power/state", "mem")
}

/// Checks that the GPU sees the old bindings after a suspend, and that all calls work as before.
fn asleep_and_awake(guest: &Guest, sleep: impl Fn() -> Answer) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let (file, other) = (gpu.open()?, gpu.open()?);
    let vms = [Vm::new(&gpu, &file)?, Vm::new(&gpu, &other)?];
    for (vm, first) in vms.iter().zip([0x100, 0x200]) {
        let bo = vm.file.numbered_bo(8, first)?;
        works!(vm.bind(&[Op::map(bo, 0, VA, 8 * P), Op::unmap(VA + 2 * P, P)]));
    }
    let (flush_id, info): (_, GpuInfo) = (works!(file.flush_id()), works!(file.info(QUERY_GPU, GpuInfo::default())));
    holds!(flush_id.read(0) != 0, "the flush's number is read");
    works!(sleep());
    for (vm, first) in vms.iter().zip([0x100, 0x200]) {
        same!(works!(vm.file.vm_state(vm.id)), USABLE);
        vm.shows(VA, 16 * P, &[(VA, first, 2), (VA + 3 * P, first + 3, 5)])?;
        works!(vm.bind(&[Op::unmap(VA, 4 * P)]));
        vm.shows(VA, 16 * P, &[(VA + 4 * P, first + 4, 4)])?;
    }
    // The page shows the registers again, and not the page that replaces them while the GPU is suspended.
    super::flush::counts(&file, &flush_id)?;
    same!(works!(file.info(QUERY_GPU, GpuInfo::default())), info);
    a_round(&file)?;
    a_round(&gpu.open()?)
}

fn devices_sleep(guest: &Guest) -> Outcome {
    asleep_and_awake(guest, nap)
}

/// A suspend up to the `core` level of `pm_test` works: interrupts are off, PCI has saved the device's state.
fn suspend_up_to_the_core_and_resume(guest: &Guest) -> Outcome {
    asleep_and_awake(guest, || tested("core", "mem"))
}

fn machine_sleeps(guest: &Guest) -> Outcome {
    asleep_and_awake(guest, sleep)
}

/// The system suspends without calling a driver for a device that is not bound.
fn sleeps_unbound(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    works!(gpu.unbind());
    works!(nap());
    works!(gpu.bind());
    asleep_and_awake(guest, nap)
}

/// A queued binding still waits after a suspend, and is executed later.
fn sleeps_while_a_queue_waits(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let file = gpu.open()?;
    let vm = Vm::new(&gpu, &file)?;
    let bo = file.numbered_bo(4, 0x100)?;
    let (gate, out) = (Gate::new(guest, &file)?, works!(file.0.syncobj_create(0)));
    works!(vm.bind_async(&[Op::map(bo, 0, VA, 4 * P).after(&[wait(gate.handle), signal(out)])]));
    works!(nap());
    holds!(pending(&file, out), "the binding still waits");
    works!(gate.open());
    works!(ended(&file, out));
    vm.shows(VA, 16 * P, &[(VA, 0x100, 4)])
}

/// A VM in fault stays so after a suspend, and others are not affected.
fn sleeps_with_a_vm_in_fault(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let file = gpu.open()?;
    let vm = Vm::new(&gpu, &file)?;
    super::page_faults::broken(&vm)?;
    works!(nap());
    same!(works!(file.vm_state(vm.id)), UNUSABLE);
    a_round(&file)?;
    works!(file.vm_destroy(vm.id));
    Ok(())
}

fn repeated_suspend_and_resume(guest: &Guest) -> Outcome {
    for _ in 0..5 {
        asleep_and_awake(guest, nap)?;
    }
    Ok(())
}
