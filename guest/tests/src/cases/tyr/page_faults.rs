// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A VM in which the GPU causes a page fault, and the effect on others.
//!
//! Source: `enum drm_panthor_vm_state` in `include/uapi/drm/panthor_drm.h` (Linux 7.3).

use rustix::io::Errno;
use sys::klog::KernelLog;
use sys::pace::patient;
use uapi::PAGE;
use uapi::tyr::*;

use std::time::{Duration, Instant};

use crate::harness::check::{Outcome, fail};
use crate::subjects::guest::Guest;
use crate::subjects::tyr::view::{Met, Vm};
use crate::subjects::tyr::{Gpu, Op, TyrFile, signal, wait};
use crate::{holds, refuses, same, works};

use super::queue::{Gate, ended};
use super::view::with_vm;

crate::cases::cases! {
    "tyr_page_fault" for Tyr:
    fault_marks_the_vm, each_kind_of_fault_marks_the_vm, fault_is_logged, fault_leaves_other_vms_usable,
    unmap_in_an_unusable_vm_succeeds, map_in_an_unusable_vm_is_refused, unusable_vm_is_destroyed,
    queued_binds_end_in_an_unusable_vm, repeated_faults_in_new_vms within 60,
}

const P: u64 = PAGE as u64;
const VA: u64 = 0x4000_0000;

/// Waits until the driver has recorded a fault, since its interrupt takes some time.
fn until_unusable(file: &TyrFile, vm: u32) -> Outcome {
    let start = Instant::now();
    while works!(file.vm_state(vm)) == USABLE {
        holds!(start.elapsed() < patient(Duration::from_secs(5)), "VM {vm} becomes unusable");
        std::thread::yield_now();
    }
    Ok(())
}

/// Makes the GPU access an unmapped address, and waits until the driver has noticed.
pub(super) fn broken(vm: &Vm<'_>) -> Outcome {
    holds!(vm.access(VA + (7 << 30), "read")? != Met::Memory, "the GPU meets a fault");
    until_unusable(vm.file, vm.id)
}

fn fault_marks_the_vm(guest: &Guest) -> Outcome {
    with_vm(guest, |file, vm| {
        same!(works!(file.vm_state(vm.id)), USABLE);
        broken(vm)?;
        same!(works!(file.vm_state(vm.id)), UNUSABLE);
        Ok(())
    })
}

/// Every kind of fault marks the VM: nothing mapped, not writable, not executable, unmapped again, on each level of the
/// tables.
fn each_kind_of_fault_marks_the_vm(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let file = gpu.open()?;
    let bo = file.numbered_bo(4, 0x100)?;
    let (nothing, read_only, no_execute) = (VA + 16 * P, VA + P, VA + 2 * P);
    for (va, kind, fault) in [
        (nothing, "read", "TRANSLATION_FAULT"),
        (nothing, "write", "TRANSLATION_FAULT"),
        (nothing, "execute", "TRANSLATION_FAULT"),
        (VA + (4 << 20), "read", "TRANSLATION_FAULT"),
        (VA + (2 << 30), "read", "TRANSLATION_FAULT"),
        (600 << 30, "read", "TRANSLATION_FAULT"),
        (read_only, "write", "PERM_FAULT"),
        (no_execute, "execute", "PERM_FAULT"),
    ] {
        let vm = Vm::new(&gpu, &file)?;
        let map = |at: u64, flags| Op::map(bo, at * P, VA + at * P, P).with(flags);
        works!(vm.bind(&[map(0, 0), map(1, MAP_READONLY), map(2, MAP_NOEXEC)]));
        match vm.access(va, kind)? {
            Met::Fault(name) if name.starts_with(fault) => {}
            met => return fail(format!("to {kind} at {va:#x} meets {met:?} and not {fault}")),
        }
        until_unusable(&file, vm.id)?;
        works!(file.vm_destroy(vm.id));
    }
    Ok(())
}

/// The log shows the address space, the address and the kind of the fault.
fn fault_is_logged(guest: &Guest) -> Outcome {
    with_vm(guest, |_, vm| {
        let space = vm.space()?;
        let mut log = KernelLog::from_now();
        broken(vm)?;
        let lines = log.lines();
        let wanted = [format!("AS{space} "), format!("{:#x}", VA + (7 << 30)), "TRANSLATION_FAULT".to_owned()];
        let told = |line: &&String| line.contains("tyr") && wanted.iter().all(|word| line.contains(word.as_str()));
        holds!(lines.iter().any(|line| told(&line)), "the log has {wanted:?}: {lines:?}");
        Ok(())
    })
}

/// Other VMs, also of the same file, work as before.
fn fault_leaves_other_vms_usable(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let (file, other) = (gpu.open()?, gpu.open()?);
    let vms = [Vm::new(&gpu, &file)?, Vm::new(&gpu, &file)?, Vm::new(&gpu, &other)?];
    for vm in &vms {
        let bo = vm.file.numbered_bo(4, 0x100)?;
        works!(vm.bind(&[Op::map(bo, 0, VA, 4 * P)]));
    }
    broken(&vms[0])?;
    for vm in &vms[1..] {
        same!(works!(vm.file.vm_state(vm.id)), USABLE);
        works!(vm.bind(&[Op::unmap(VA, P)]));
        vm.shows(VA, 16 * P, &[(VA + P, 0x101, 3)])?;
    }
    Vm::new(&gpu, &file).map(drop)
}

/// Unmaps succeed: "UNMAP operations are still accepted."
fn unmap_in_an_unusable_vm_succeeds(guest: &Guest) -> Outcome {
    with_vm(guest, |file, vm| {
        let bo = file.numbered_bo(8, 0x100)?;
        works!(vm.bind(&[Op::map(bo, 0, VA, 8 * P)]));
        broken(vm)?;
        works!(vm.bind(&[Op::unmap(VA, P), Op::unmap(VA + 4 * P, P)]));
        works!(vm.bind(&[Op::unmap(0, 1 << 40)]));
        works!(file.0.gem_close(bo));
        Ok(())
    })
}

/// Synchronous and asynchronous maps fail with EINVAL: "all new MAP operations will be rejected". Operations before
/// them in a call stay counted.
fn map_in_an_unusable_vm_is_refused(guest: &Guest) -> Outcome {
    with_vm(guest, |file, vm| {
        let bo = file.numbered_bo(8, 0x100)?;
        broken(vm)?;
        refuses!(vm.bind(&[Op::map(bo, 0, VA, P)]), INVAL);
        refuses!(vm.bind(&[Op::sparse(VA, P)]), INVAL);
        refuses!(vm.bind_async(&[Op::map(bo, 0, VA, P)]), INVAL);
        let (answer, count) = file.bind_counted(vm.id, 0, &[Op::unmap(VA, P), Op::map(bo, 0, VA, P)]);
        same!((answer, count), (Err(Errno::INVAL), 1));
        same!(works!(file.vm_state(vm.id)), UNUSABLE);
        Ok(())
    })
}

/// A VM in fault can be destroyed. Its number then belongs to a good one.
fn unusable_vm_is_destroyed(guest: &Guest) -> Outcome {
    with_vm(guest, |file, vm| {
        broken(vm)?;
        works!(file.vm_destroy(vm.id));
        same!(works!(file.vm_create()), vm.id);
        same!(works!(file.vm_state(vm.id)), USABLE);
        let bo = works!(file.bo(P));
        works!(file.bind(vm.id, &[Op::map(bo, 0, VA, P)]));
        Ok(())
    })
}

/// Operations that are queued already end, and their fences are signalled.
fn queued_binds_end_in_an_unusable_vm(guest: &Guest) -> Outcome {
    with_vm(guest, |file, vm| {
        let bo = file.numbered_bo(8, 0x100)?;
        let (gate, map, unmap) =
            (Gate::new(guest, file)?, works!(file.0.syncobj_create(0)), works!(file.0.syncobj_create(0)));
        works!(vm.bind_async(&[Op::map(bo, 0, VA, P).after(&[wait(gate.handle), signal(map)])]));
        works!(vm.bind_async(&[Op::unmap(VA, P).after(&[signal(unmap)])]));
        broken(vm)?;
        works!(gate.open());
        works!(ended(file, map));
        works!(ended(file, unmap));
        same!(works!(file.vm_state(vm.id)), UNUSABLE);
        Ok(())
    })
}

/// Thirty VMs each have a fault. Some are destroyed, and some are left to the end of the file.
fn repeated_faults_in_new_vms(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    for _ in 0..3 {
        let file = gpu.open()?;
        for round in 0..10 {
            let vm = Vm::new(&gpu, &file)?;
            broken(&vm)?;
            if round % 2 == 0 {
                works!(file.vm_destroy(vm.id));
            }
        }
    }
    let file = gpu.open()?;
    super::client::a_round(&file)
}
