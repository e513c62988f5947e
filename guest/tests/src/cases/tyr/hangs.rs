// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Hangs of the GPU's parts during work, which the driver finds when it uses or stops them.
//!
//! Source: the faults of `models/src/mali.rs`; `drivers/gpu/drm/panthor/panthor_mmu.c` (Linux 7.3).

use std::time::{Duration, Instant};

use sys::klog::KernelLog;
use sys::pace::patient;
use uapi::PAGE;
use uapi::tyr::UNUSABLE;

use crate::harness::check::Outcome;
use crate::subjects::guest::Guest;
use crate::subjects::tyr::view::{Met, Vm};
use crate::subjects::tyr::{Gpu, Op};
use crate::{holds, refuses, same, works};

use super::client::a_round;
use super::faults::works_again;
use super::life::client;

crate::cases::cases! {
    "tyr_hang" for Tyr:
    hung_mmu_fails_the_bind_with_etimedout within 60, hung_mmu_is_reset_at_suspend within 60,
    hung_mcu_is_reset_at_unbind within 60, unbind_ends_although_the_reset_hangs within 60,
    faulted_firmware_recovers_at_suspend_or_bind within 60,
}

const P: u64 = PAGE as u64;
const VA: u64 = 0x4000_0000;

/// Checks that a log line contains `wanted`; otherwise the failure shows all lines.
fn says(log: &mut KernelLog, wanted: &str) -> Outcome {
    let lines = log.lines();
    holds!(lines.iter().any(|line| line.contains(wanted)), "`{wanted}` is not in {lines:?}");
    Ok(())
}

const RESET_FOR_THE_MMU: &str = "the GPU was reset to have it forget an address space";

/// A hanging MMU makes the call fail with ETIMEDOUT, and the address space is lost. A reset at the unbind repairs
/// everything.
fn hung_mmu_fails_the_bind_with_etimedout(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let file = gpu.open()?;
    let vm = Vm::new(&gpu, &file)?;
    let bo = file.numbered_bo(8, 0x100)?;
    works!(vm.bind(&[Op::map(bo, 0, VA, 4 * P)]));
    gpu.fault(r#"{"kind": "stuck-mmu"}"#)?;
    refuses!(vm.bind(&[Op::map(bo, 0, VA + 8 * P, 4 * P)]), TIMEDOUT);
    same!(works!(file.vm_state(vm.id)), UNUSABLE);
    refuses!(vm.bind(&[Op::map(bo, 0, VA + 8 * P, 4 * P)]), INVAL);
    let mut log = KernelLog::from_now();
    works!(gpu.unbind());
    says(&mut log, RESET_FOR_THE_MMU)?;
    drop(file);
    works!(gpu.bind());
    client(&gpu)?;
    works_again(&gpu)
}

/// A suspend resets a GPU whose MMU hangs. Only the VM that hung becomes unusable.
fn hung_mmu_is_reset_at_suspend(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let file = gpu.open()?;
    let vm = Vm::new(&gpu, &file)?;
    let bo = file.numbered_bo(8, 0x100)?;
    works!(vm.bind(&[Op::map(bo, 0, VA, 4 * P)]));
    gpu.fault(r#"{"kind": "stuck-mmu"}"#)?;
    let mut log = KernelLog::from_now();
    works!(super::sleep::nap());
    says(&mut log, RESET_FOR_THE_MMU)?;
    same!(works!(file.vm_state(vm.id)), UNUSABLE);
    a_round(&file)?;
    works!(file.vm_destroy(vm.id));
    drop(file);
    works_again(&gpu)
}

/// An unbind resets a GPU whose microcontroller does not stop, and frees the memory after that.
fn hung_mcu_is_reset_at_unbind(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    gpu.fault(r#"{"kind": "stuck-mcu"}"#)?;
    let mut log = KernelLog::from_now();
    works!(gpu.unbind());
    says(&mut log, "the GPU was reset to stop the microcontroller")?;
    works!(gpu.bind());
    client(&gpu)?;
    works_again(&gpu)
}

/// A GPU whose reset fails gets no more commands, and is unbound in time. It can be used again when a reset ends.
fn unbind_ends_although_the_reset_hangs(guest: &Guest) -> Outcome {
    for kind in ["stuck-mmu", "stuck-mcu"] {
        let gpu = Gpu::ready(guest)?;
        client(&gpu)?;
        gpu.fault(&format!(r#"{{"kind": "{kind}"}}"#))?;
        gpu.fault(r#"{"kind": "stuck-reset"}"#)?;
        let mut log = KernelLog::from_now();
        let start = Instant::now();
        works!(gpu.unbind());
        holds!(
            start.elapsed() < patient(Duration::from_secs(30)),
            "unbinding takes {:?} with `{kind}`",
            start.elapsed()
        );
        says(&mut log, "the soft reset does not end")?;
        works_again(&gpu)?;
    }
    Ok(())
}

/// Firmware that causes a fault is lost, and calls that do not need it work. It works again after a suspend, and after
/// the next bind.
fn faulted_firmware_recovers_at_suspend_or_bind(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    for by_sleep in [true, false] {
        let file = gpu.open()?;
        let mut log = KernelLog::from_now();
        holds!(gpu.access(0, 0x7000_0000, "read")? != Met::Memory, "the firmware has nothing there");
        holds!(log.comes("unhandled page fault in AS0"), "the driver reports the fault");
        a_round(&file)?;
        if by_sleep {
            works!(super::sleep::nap());
            a_round(&file)?;
        } else {
            drop(file);
            works!(gpu.unbind());
            works!(gpu.bind());
        }
        client(&gpu)?;
    }
    Ok(())
}
