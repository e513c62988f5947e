// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! VM_BIND through the VM's queue: waits, signals, their order, and the effects of a failure.
//!
//! Source: `enum drm_panthor_sync_op_flags`, `enum drm_panthor_vm_bind_flags` in `include/uapi/drm/panthor_drm.h`;
//! `panthor_submit_ctx_*` in `drivers/gpu/drm/panthor/panthor_drv.c` (Linux 7.3).

use std::time::Duration;

use sys::pace::{patient, patient_ms};
use sys::{Answer, BadAddress};
use uapi::PAGE;
use uapi::sync::{AS_SYNC_FILE, CREATE_SIGNALED, END_SIGNAL, SYNCOBJ_SIGNAL, WAIT_FOR_SUBMIT};
use uapi::tyr::*;

use crate::cases::sync;
use crate::harness::check::Outcome;
use crate::subjects::device::DrmFile;
use crate::subjects::guest::Guest;
use crate::subjects::tyr::view::Vm;
use crate::subjects::tyr::{Gpu, Op, TyrFile, point, signal, wait};
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "tyr_queue" for Tyr:
    empty_op_array_is_accepted, async_bind_signals_its_syncobj, waits_for_a_fence, waits_for_a_point,
    points_of_a_timeline, signalled_points_are_not_waited_for, order_within_a_call, order_between_calls,
    later_operation_of_the_same_call, queues_do_not_wait_for_each_other, bind_waits_for_another_vms_bind,
    sync_only_is_a_point_in_the_queue, sync_only_op_with_other_fields_is_refused, sync_only_op_without_syncs_is_refused,
    sync_bind_overtakes_queued_binds, sync_objects_that_do_not_exist, objects_without_a_fence, flags_of_sync_operations,
    value_without_a_timeline, addresses_of_sync_operations, strides_of_sync_operations, refused_call_queues_no_op,
    refused_call_signals_nothing, several_waits_and_several_signals, syncobj_of_two_ops_gets_the_later_fence,
    vm_destroy_ends_queued_binds, file_close_ends_queued_binds, waits_for_a_sync_file, end_as_a_sync_file,
    thousand_in_the_queue within 60,
}

const P: u64 = PAGE as u64;
const VA: u64 = 0x4000_0000;
/// Returns a limit that is long enough for everything that waits for nothing.
fn soon() -> Duration {
    patient(Duration::from_secs(5))
}

/// A limit that shows that nothing has happened yet.
const NOW: Duration = Duration::ZERO;

/// A fence of another driver in a sync object of a file. The case decides when it is signalled.
pub(super) struct Gate {
    driver: DrmFile,
    id: u32,
    /// The sync object's handle in the file.
    pub(super) handle: u32,
}

impl Gate {
    /// Creates an unsignalled fence.
    pub(super) fn new(guest: &Guest, file: &TyrFile) -> Outcome<Self> {
        let driver = sync::open(guest)?;
        let issued = works!(driver.issue_new(0, 0));
        let shared = works!(driver.syncobj_export(issued.syncobj, 0));
        let handle = works!(file.0.syncobj_import(0, 0, &shared));
        Ok(Self { driver, id: issued.id, handle })
    }

    /// Signals the fence.
    pub(super) fn open(&self) -> Answer {
        self.driver.end(self.id, END_SIGNAL, 0)
    }
}

/// Waits until a sync object's fence is signalled.
pub(in crate::cases) fn ended(file: &TyrFile, handle: u32) -> Answer {
    file.0.syncobj_wait(handle, 0, soon(), WAIT_FOR_SUBMIT)
}

/// Whether a sync object's fence is not signalled yet.
pub(super) fn pending(file: &TyrFile, handle: u32) -> bool {
    file.0.syncobj_wait(handle, 0, NOW, 0) == Err(rustix::io::Errno::TIME)
}

fn syncobj(file: &TyrFile) -> Outcome<u32> {
    Ok(works!(file.0.syncobj_create(0)))
}

/// Opens a file with a VM and an object of four pages.
fn ready(guest: &Guest) -> Outcome<(TyrFile, u32, u32)> {
    let file = Gpu::ready(guest)?.open()?;
    let (vm, bo) = (works!(file.vm_create()), works!(file.bo(4 * P)));
    Ok((file, vm, bo))
}

/// An empty call is accepted.
fn empty_op_array_is_accepted(guest: &Guest) -> Outcome {
    let (file, vm, _) = ready(guest)?;
    works!(file.bind_async(vm, &[]));
    works!(file.bind_at(vm, BIND_ASYNC, 0, BadAddress::Kernel));
    Ok(())
}

/// A sync object without a fence gets one, which is signalled when the GPU sees the mapping.
fn async_bind_signals_its_syncobj(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let file = gpu.open()?;
    let vm = Vm::new(&gpu, &file)?;
    let (bo, out) = (file.numbered_bo(4, 0x100)?, syncobj(&file)?);
    works!(vm.bind_async(&[Op::map(bo, 0, VA, 4 * P).after(&[signal(out)])]));
    works!(ended(&file, out));
    vm.shows(VA, 16 * P, &[(VA, 0x100, 4)])?;
    works!(vm.bind_async(&[Op::unmap(VA + P, 2 * P).after(&[signal(out)])]));
    works!(ended(&file, out));
    vm.shows(VA, 16 * P, &[(VA, 0x100, 1), (VA + 3 * P, 0x103, 1)])
}

/// A binding is executed only after the fence that it waits for is signalled.
fn waits_for_a_fence(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let file = gpu.open()?;
    let vm = Vm::new(&gpu, &file)?;
    let (bo, out, gate) = (file.numbered_bo(4, 0x100)?, syncobj(&file)?, Gate::new(guest, &file)?);
    works!(vm.bind_async(&[Op::map(bo, 0, VA, 4 * P).after(&[wait(gate.handle), signal(out)])]));
    holds!(pending(&file, out), "the binding waits");
    vm.shows(VA, 16 * P, &[])?;
    works!(gate.open());
    works!(ended(&file, out));
    vm.shows(VA, 16 * P, &[(VA, 0x100, 4)])
}

/// The gate's fence becomes a point, and the binding waits for the point.
fn waits_for_a_point(guest: &Guest) -> Outcome {
    let (file, vm, bo) = ready(guest)?;
    let (line, out, gate) = (syncobj(&file)?, syncobj(&file)?, Gate::new(guest, &file)?);
    works!(file.0.syncobj_transfer((gate.handle, 0), (line, 7)));
    works!(file.bind_async(vm, &[Op::map(bo, 0, VA, P).after(&[point(wait(line), 7), signal(out)])]));
    holds!(pending(&file, out), "the binding waits");
    works!(gate.open());
    works!(ended(&file, out));
    Ok(())
}

/// Each operation signals a point of its own.
fn points_of_a_timeline(guest: &Guest) -> Outcome {
    let (file, vm, bo) = ready(guest)?;
    let (line, gate) = (syncobj(&file)?, Gate::new(guest, &file)?);
    let op = |at: u64| Op::map(bo, 0, VA + at * 16 * P, P).after(&[point(signal(line), at)]);
    works!(file.bind_async(vm, &[op(1), op(2), op(5).after(&[wait(gate.handle)]), op(9)]));
    works!(file.0.syncobj_wait(line, 2, soon(), WAIT_FOR_SUBMIT));
    same!(works!(file.0.syncobj_query(line)), 2);
    works!(gate.open());
    works!(file.0.syncobj_wait(line, 9, soon(), WAIT_FOR_SUBMIT));
    same!(works!(file.0.syncobj_query(line)), 9);
    Ok(())
}

/// Points that a client has signalled itself, and points long past, cause no wait.
fn signalled_points_are_not_waited_for(guest: &Guest) -> Outcome {
    let (file, vm, bo) = ready(guest)?;
    let (line, out) = (works!(file.0.syncobj_create(0)), syncobj(&file)?);
    let done = works!(file.0.syncobj_create(CREATE_SIGNALED));
    works!(file.0.syncobj_signal_point(line, 10));
    let waits = [wait(done), point(wait(line), 3), point(wait(line), 10)];
    works!(file.bind_async(vm, &[Op::map(bo, 0, VA, P).after(&waits).after(&[signal(out)])]));
    works!(ended(&file, out));
    Ok(())
}

/// The last operation on an address decides.
fn order_within_a_call(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let file = gpu.open()?;
    let vm = Vm::new(&gpu, &file)?;
    let (bo, out) = (file.numbered_bo(8, 0x100)?, syncobj(&file)?);
    let maps = (0..8).map(|at| Op::map(bo, at * P, VA, P));
    let mut ops: Vec<Op> = maps.flat_map(|map| [map, Op::unmap(VA + P, P), Op::map(bo, 0, VA + 2 * P, P)]).collect();
    ops.push(Op::unmap(VA + 2 * P, P).after(&[signal(out)]));
    works!(vm.bind_async(&ops));
    works!(ended(&file, out));
    vm.shows(VA, 16 * P, &[(VA, 0x107, 1)])
}

/// A call that waits for nothing itself still waits for an earlier call of the queue.
fn order_between_calls(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let file = gpu.open()?;
    let vm = Vm::new(&gpu, &file)?;
    let (bo, gate) = (file.numbered_bo(8, 0x100)?, Gate::new(guest, &file)?);
    let (first, last) = (syncobj(&file)?, syncobj(&file)?);
    works!(vm.bind_async(&[Op::map(bo, 0, VA, P).after(&[wait(gate.handle), signal(first)])]));
    works!(vm.bind_async(&[Op::map(bo, P, VA, P)]));
    works!(vm.bind_async(&[Op::map(bo, 2 * P, VA, P).after(&[signal(last)])]));
    holds!(pending(&file, first) && pending(&file, last), "all three wait");
    vm.shows(VA, P, &[])?;
    works!(gate.open());
    works!(ended(&file, last));
    holds!(!pending(&file, first), "the first was before the last");
    vm.shows(VA, P, &[(VA, 0x102, 1)])
}

/// An operation may wait for a fence that an earlier one of the same call signals.
fn later_operation_of_the_same_call(guest: &Guest) -> Outcome {
    let (file, vm, bo) = ready(guest)?;
    let (between, out) = (syncobj(&file)?, syncobj(&file)?);
    let ops = [
        Op::map(bo, 0, VA, P).after(&[signal(between)]),
        Op::map(bo, 0, VA + P, P).after(&[wait(between), signal(out)]),
    ];
    works!(file.bind_async(vm, &ops));
    works!(ended(&file, out));
    Ok(())
}

/// A wait in one VM does not delay another VM.
fn queues_do_not_wait_for_each_other(guest: &Guest) -> Outcome {
    let (file, one, bo) = ready(guest)?;
    let two = works!(file.vm_create());
    let (gate, waits, goes) = (Gate::new(guest, &file)?, syncobj(&file)?, syncobj(&file)?);
    works!(file.bind_async(one, &[Op::map(bo, 0, VA, P).after(&[wait(gate.handle), signal(waits)])]));
    works!(file.bind_async(two, &[Op::map(bo, 0, VA, P).after(&[signal(goes)])]));
    works!(ended(&file, goes));
    holds!(pending(&file, waits), "the first VM still waits");
    works!(gate.open());
    works!(ended(&file, waits));
    Ok(())
}

/// A VM can wait for another by a sync object between them.
fn bind_waits_for_another_vms_bind(guest: &Guest) -> Outcome {
    let (file, one, bo) = ready(guest)?;
    let two = works!(file.vm_create());
    let (gate, between, out) = (Gate::new(guest, &file)?, syncobj(&file)?, syncobj(&file)?);
    works!(file.bind_async(one, &[Op::map(bo, 0, VA, P).after(&[wait(gate.handle), signal(between)])]));
    works!(file.bind_async(two, &[Op::map(bo, 0, VA, P).after(&[wait(between), signal(out)])]));
    holds!(pending(&file, between) && pending(&file, out), "both wait");
    works!(gate.open());
    works!(ended(&file, out));
    Ok(())
}

/// A sync-only operation is signalled when all before it are done, and delays those behind it.
fn sync_only_is_a_point_in_the_queue(guest: &Guest) -> Outcome {
    let (file, vm, bo) = ready(guest)?;
    let (gate, reached, behind) = (Gate::new(guest, &file)?, syncobj(&file)?, syncobj(&file)?);
    works!(file.bind_async(vm, &[Op::map(bo, 0, VA, P)]));
    works!(file.bind_async(vm, &[Op::sync_only(&[wait(gate.handle), signal(reached)])]));
    works!(file.bind_async(vm, &[Op::unmap(VA, P).after(&[signal(behind)])]));
    holds!(pending(&file, reached) && pending(&file, behind), "both wait");
    works!(gate.open());
    works!(ended(&file, behind));
    works!(ended(&file, reached));
    Ok(())
}

/// A sync-only operation with an object, offset, address, size or flags fails with EINVAL.
fn sync_only_op_with_other_fields_is_refused(guest: &Guest) -> Outcome {
    let (file, vm, bo) = ready(guest)?;
    let out = syncobj(&file)?;
    let op = || Op::sync_only(&[signal(out)]);
    refuses!(file.bind_async(vm, &[Op { bo, ..op() }]), INVAL);
    refuses!(file.bind_async(vm, &[Op { offset: P, ..op() }]), INVAL);
    refuses!(file.bind_async(vm, &[Op { va: VA, ..op() }]), INVAL);
    refuses!(file.bind_async(vm, &[Op { size: P, ..op() }]), INVAL);
    for flags in [MAP_READONLY, MAP_NOEXEC, MAP_UNCACHED, MAP_SPARSE, 1 << 27] {
        refuses!(file.bind_async(vm, &[op().with(flags)]), INVAL, " of {flags:#x}");
    }
    works!(file.bind_async(vm, &[op()]));
    works!(ended(&file, out));
    Ok(())
}

/// A sync-only operation without sync operations fails with EINVAL.
fn sync_only_op_without_syncs_is_refused(guest: &Guest) -> Outcome {
    let (file, vm, _) = ready(guest)?;
    refuses!(file.bind_async(vm, &[Op::sync_only(&[])]), INVAL);
    works!(file.bind_async(vm, &[Op::sync_only(&[signal(syncobj(&file)?)])]));
    Ok(())
}

/// A synchronous VM_BIND does not wait for operations in the VM's queue.
fn sync_bind_overtakes_queued_binds(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let file = gpu.open()?;
    let vm = Vm::new(&gpu, &file)?;
    let (bo, gate, out) = (file.numbered_bo(8, 0x100)?, Gate::new(guest, &file)?, syncobj(&file)?);
    works!(vm.bind_async(&[Op::map(bo, 0, VA, P).after(&[wait(gate.handle), signal(out)])]));
    works!(vm.bind(&[Op::map(bo, 4 * P, VA + P, P)]));
    vm.shows(VA, 4 * P, &[(VA + P, 0x104, 1)])?;
    works!(gate.open());
    works!(ended(&file, out));
    vm.shows(VA, 4 * P, &[(VA, 0x100, 1), (VA + P, 0x104, 1)])
}

/// An unknown sync object fails with ENOENT in a wait and with EINVAL in a signal, and nothing is bound.
fn sync_objects_that_do_not_exist(guest: &Guest) -> Outcome {
    let (file, vm, bo) = ready(guest)?;
    for handle in [0, 99, u32::MAX] {
        refuses!(file.bind_async(vm, &[Op::map(bo, 0, VA, P).after(&[wait(handle)])]), NOENT, " of {handle}");
        refuses!(file.bind_async(vm, &[Op::map(bo, 0, VA, P).after(&[signal(handle)])]), INVAL, " of {handle}");
    }
    let handle = works!(file.0.syncobj_create(CREATE_SIGNALED));
    works!(file.bind_async(vm, &[Op::map(bo, 0, VA, P).after(&[wait(handle), signal(handle)])]));
    Ok(())
}

/// Waiting for a sync object without a fence fails with EINVAL.
fn objects_without_a_fence(guest: &Guest) -> Outcome {
    let (file, vm, bo) = ready(guest)?;
    let (empty, line) = (syncobj(&file)?, syncobj(&file)?);
    refuses!(file.bind_async(vm, &[Op::map(bo, 0, VA, P).after(&[wait(empty)])]), INVAL);
    works!(file.0.syncobj_signal_point(line, 4));
    refuses!(file.bind_async(vm, &[Op::map(bo, 0, VA, P).after(&[point(wait(line), 5)])]), INVAL);
    works!(file.bind_async(vm, &[Op::map(bo, 0, VA, P).after(&[point(wait(line), 4)])]));
    Ok(())
}

/// Unknown kinds and flags fail with EINVAL, in waits and in signals.
fn flags_of_sync_operations(guest: &Guest) -> Outcome {
    let (file, vm, bo) = ready(guest)?;
    let handle = works!(file.0.syncobj_create(CREATE_SIGNALED));
    for wrong in [2, 3, 0xff, 0x100, 1 << 30] {
        for flags in [wrong, wrong | SYNC_SIGNAL] {
            let sync = SyncOp { flags, handle, timeline_value: 0 };
            refuses!(file.bind_async(vm, &[Op::map(bo, 0, VA, P).after(&[sync])]), INVAL, " of {flags:#x}");
        }
    }
    for flags in [0, SYNC_SIGNAL] {
        let sync = SyncOp { flags, handle, timeline_value: 0 };
        works!(file.bind_async(vm, &[Op::map(bo, 0, VA, P).after(&[sync])]));
    }
    Ok(())
}

/// A timeline value without a timeline fails with EINVAL.
fn value_without_a_timeline(guest: &Guest) -> Outcome {
    let (file, vm, bo) = ready(guest)?;
    let handle = works!(file.0.syncobj_create(CREATE_SIGNALED));
    for sync in [wait(handle), signal(handle)] {
        let sync_at = |timeline_value| Op::map(bo, 0, VA, P).after(&[SyncOp { timeline_value, ..sync }]);
        refuses!(file.bind_async(vm, &[sync_at(1)]), INVAL);
        works!(file.bind_async(vm, &[sync_at(0)]));
    }
    Ok(())
}

/// Sync operations at an invalid address fail with EFAULT.
fn addresses_of_sync_operations(guest: &Guest) -> Outcome {
    let (file, vm, bo) = ready(guest)?;
    for address in BadAddress::ALL {
        refuses!(file.bind_syncs_at(vm, &Op::map(bo, 0, VA, P), 16, 1, address), FAULT, " at {address:?}");
        works!(file.bind_syncs_at(vm, &Op::map(bo, 0, VA, P), 16, 0, address));
    }
    Ok(())
}

/// A stride shorter than the oldest structure fails with EINVAL.
fn strides_of_sync_operations(guest: &Guest) -> Outcome {
    let (file, vm, bo) = ready(guest)?;
    for stride in [0, 1, 8, 15] {
        let answer = file.bind_syncs_at(vm, &Op::map(bo, 0, VA, P), stride, 1, BadAddress::Kernel);
        refuses!(answer, INVAL, " with a stride of {stride}");
    }
    // With the oldest structure's length, the address is checked.
    refuses!(file.bind_syncs_at(vm, &Op::map(bo, 0, VA, P), 16, 1, BadAddress::Kernel), FAULT);
    Ok(())
}

/// If one operation is refused, no operation of the call is queued.
fn refused_call_queues_no_op(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let file = gpu.open()?;
    let vm = Vm::new(&gpu, &file)?;
    let (bo, out) = (file.numbered_bo(4, 0x100)?, syncobj(&file)?);
    let good = Op::map(bo, 0, VA, 4 * P);
    for wrong in [Op::map(99, 0, VA, P), Op::unmap(VA, 1), Op::sync_only(&[]), good.clone().after(&[wait(99)])] {
        refuses!(vm.bind_async(&[good.clone(), wrong]).map_err(known_refusal), INVAL);
    }
    works!(vm.bind_async(&[Op::sync_only(&[signal(out)])]));
    works!(ended(&file, out));
    vm.shows(VA, 16 * P, &[])?;
    same!(works!(file.vm_state(vm.id)), USABLE);
    Ok(())
}

/// Maps the two errors for something that does not exist to one.
fn known_refusal(errno: rustix::io::Errno) -> rustix::io::Errno {
    if errno == rustix::io::Errno::NOENT { rustix::io::Errno::INVAL } else { errno }
}

/// A refused call leaves its sync object unchanged.
fn refused_call_signals_nothing(guest: &Guest) -> Outcome {
    let (file, vm, bo) = ready(guest)?;
    let (out, line) = (syncobj(&file)?, syncobj(&file)?);
    let ops = [Op::map(bo, 0, VA, P).after(&[signal(out), point(signal(line), 3)]), Op::map(99, 0, VA, P)];
    refuses!(file.bind_async(vm, &ops), INVAL);
    refuses!(file.0.syncobj_wait(out, 0, NOW, 0), INVAL);
    same!(works!(file.0.syncobj_query(line)), 0);
    Ok(())
}

/// An operation waits for all of its fences, and signals all of its sync objects.
fn several_waits_and_several_signals(guest: &Guest) -> Outcome {
    let (file, vm, bo) = ready(guest)?;
    let gates = [Gate::new(guest, &file)?, Gate::new(guest, &file)?, Gate::new(guest, &file)?];
    let (one, two, line) = (syncobj(&file)?, syncobj(&file)?, syncobj(&file)?);
    let waits = gates.each_ref().map(|gate| wait(gate.handle));
    let signals = [signal(one), signal(two), point(signal(line), 1), point(signal(line), 2)];
    works!(file.bind_async(vm, &[Op::map(bo, 0, VA, P).after(&waits).after(&signals)]));
    for at in [1, 0, 2] {
        holds!(pending(&file, one) && pending(&file, two), "it waits for all three");
        works!(gates[at].open());
    }
    works!(ended(&file, one));
    works!(ended(&file, two));
    works!(file.0.syncobj_wait(line, 2, soon(), WAIT_FOR_SUBMIT));
    Ok(())
}

/// A sync object in two operations of a call gets the later one's fence.
fn syncobj_of_two_ops_gets_the_later_fence(guest: &Guest) -> Outcome {
    let (file, vm, bo) = ready(guest)?;
    let (out, gate) = (syncobj(&file)?, Gate::new(guest, &file)?);
    let ops = [
        Op::map(bo, 0, VA, P).after(&[signal(out)]),
        Op::map(bo, 0, VA + P, P).after(&[wait(gate.handle), signal(out)]),
    ];
    works!(file.bind_async(vm, &ops));
    holds!(pending(&file, out), "the second operation's end is what the object holds");
    works!(gate.open());
    works!(ended(&file, out));
    Ok(())
}

/// After a VM is destroyed, fences of its queue are signalled, now or when the gate opens.
fn vm_destroy_ends_queued_binds(guest: &Guest) -> Outcome {
    let (file, vm, bo) = ready(guest)?;
    let (out, gate) = (syncobj(&file)?, Gate::new(guest, &file)?);
    works!(file.bind_async(vm, &[Op::map(bo, 0, VA, P).after(&[wait(gate.handle), signal(out)])]));
    works!(file.vm_destroy(vm));
    refuses!(file.vm_state(vm), INVAL);
    works!(gate.open());
    works!(ended(&file, out));
    Ok(())
}

/// After a file is closed, a sync object that another file has is still signalled.
fn file_close_ends_queued_binds(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let (file, other) = (gpu.open()?, gpu.open()?);
    let (vm, bo) = (works!(file.vm_create()), works!(file.bo(P)));
    let (out, gate) = (syncobj(&file)?, Gate::new(guest, &file)?);
    let theirs = works!(other.0.syncobj_import(0, 0, &works!(file.0.syncobj_export(out, 0))));
    works!(file.bind_async(vm, &[Op::map(bo, 0, VA, P).after(&[wait(gate.handle), signal(out)])]));
    drop(file);
    works!(gate.open());
    works!(ended(&other, theirs));
    Ok(())
}

/// A binding can wait for a fence that was imported as a sync file.
fn waits_for_a_sync_file(guest: &Guest) -> Outcome {
    let (file, vm, bo) = ready(guest)?;
    let (into, out, gate) = (syncobj(&file)?, syncobj(&file)?, Gate::new(guest, &file)?);
    let sync_file = works!(file.0.syncobj_export(gate.handle, AS_SYNC_FILE));
    works!(file.0.syncobj_import(into, AS_SYNC_FILE, &sync_file));
    works!(file.bind_async(vm, &[Op::map(bo, 0, VA, P).after(&[wait(into), signal(out)])]));
    holds!(pending(&file, out), "the binding waits");
    works!(gate.open());
    works!(ended(&file, out));
    Ok(())
}

/// The fence of a binding can be exported as a sync file, which outlives sync object, VM and file.
fn end_as_a_sync_file(guest: &Guest) -> Outcome {
    let (file, vm, bo) = ready(guest)?;
    let (out, gate) = (syncobj(&file)?, Gate::new(guest, &file)?);
    works!(file.bind_async(vm, &[Op::map(bo, 0, VA, P).after(&[wait(gate.handle), signal(out)])]));
    let sync_file = works!(file.0.syncobj_export(out, AS_SYNC_FILE));
    same!(works!(sync::is_signalled(&sync_file)), false);
    same!(works!(sync::status_of(&sync_file)), 0);
    drop(file);
    works!(gate.open());
    let events = works!(sys::poll(&sync_file, rustix::event::PollFlags::IN, patient_ms(5000).into()));
    holds!(events.contains(rustix::event::PollFlags::IN), "the sync file is signalled");
    Ok(())
}

/// A thousand operations wait for one gate; the last is signalled when all are done.
fn thousand_in_the_queue(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let file = gpu.open()?;
    let vm = Vm::new(&gpu, &file)?;
    let (bo, gate, out) = (file.numbered_bo(64, 0x100)?, Gate::new(guest, &file)?, syncobj(&file)?);
    works!(vm.bind_async(&[Op::sync_only(&[wait(gate.handle)])]));
    for at in 0..1000 {
        works!(vm.bind_async(&[Op::map(bo, at % 64 * P, VA + at % 128 * P, P)]));
    }
    works!(vm.bind_async(&[Op::unmap(VA + 64 * P, 64 * P).after(&[signal(out)])]));
    vm.shows(VA, 256 * P, &[])?;
    works!(gate.open());
    works!(file.0.syncobj_wait(out, 0, patient(Duration::from_secs(40)), 0));
    vm.shows(VA, 256 * P, &[(VA, 0x100, 64)])?;
    works!(file.0.syncobj_set(&SYNCOBJ_SIGNAL, out));
    Ok(())
}
