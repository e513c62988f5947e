// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! VM_BIND executed at once: accepted and refused operations, and how far a call got.
//!
//! Source: `struct drm_panthor_vm_bind` and `enum drm_panthor_vm_bind_op_flags` in `include/uapi/drm/panthor_drm.h`;
//! `panthor_vm_bind_prepare_op_ctx` in `drivers/gpu/drm/panthor/panthor_mmu.c` (Linux 7.3).

use sys::BadAddress;
use uapi::PAGE;
use uapi::tyr::*;

use crate::harness::check::Outcome;
use crate::subjects::driver::module_users;
use crate::subjects::guest::Guest;
use crate::subjects::tyr::reference::rights;
use crate::subjects::tyr::view::Vm;
use crate::subjects::tyr::{Gpu, MODULE, Op, TyrFile, signal, wait};
use crate::{holds, refuses, same, works};

use super::queue::ended;

crate::cases::cases! {
    "tyr_bind" for Tyr:
    empty_op_array_is_accepted, unknown_call_flags_are_refused, unknown_map_flags_are_refused,
    map_flags_on_an_unmap_are_refused, unknown_op_types_are_refused, not_whole_pages, beyond_the_object,
    beyond_the_range, wrapping_va_range_is_refused, unknown_objects, object_of_another_file, object_of_another_vm,
    object_of_its_own_vm, unmap_with_an_object_is_refused, nothing_mapped_is_unmapped, op_of_size_zero_does_nothing,
    sparse_map_with_an_object_is_refused, sparse_map_without_noexec_is_refused, sync_bind_with_syncs_is_refused,
    sync_bind_with_a_sync_only_op_is_refused, failed_call_returns_the_executed_op_count, addresses_of_operations,
    operations_of_an_older_client, operations_of_a_newer_client, very_many_operations, huge_op_count_is_refused,
    map_flags_decide_the_access_rights, same_object_many_times, mapped_after_its_handle_is_closed,
}

const P: u64 = PAGE as u64;
/// The address of most mappings.
const VA: u64 = 0x4000_0000;

/// Opens a file with a VM and an object of four pages.
fn ready(guest: &Guest) -> Outcome<(TyrFile, u32, u32)> {
    let file = Gpu::ready(guest)?.open()?;
    let (vm, bo) = (works!(file.vm_create()), works!(file.bo(4 * P)));
    Ok((file, vm, bo))
}

/// Runs a case on a VM whose view by the GPU can be checked, with an object of four pages that are numbered from 0x100
/// on.
fn seen(guest: &Guest, story: impl FnOnce(&TyrFile, &Vm<'_>, u32) -> Outcome) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let file = gpu.open()?;
    let (vm, bo) = (Vm::new(&gpu, &file)?, file.numbered_bo(4, 0x100)?);
    story(&file, &vm, bo)
}

/// An empty array is accepted at any address.
fn empty_op_array_is_accepted(guest: &Guest) -> Outcome {
    let (file, vm, _) = ready(guest)?;
    works!(file.bind(vm, &[]));
    for address in BadAddress::ALL {
        works!(file.bind_at(vm, 0, 0, address));
    }
    Ok(())
}

/// Unknown flags of the call fail with EINVAL, whether there are operations or not.
fn unknown_call_flags_are_refused(guest: &Guest) -> Outcome {
    let (file, vm, bo) = ready(guest)?;
    for flags in [2, 4, 1 << 31, 2 | BIND_ASYNC] {
        refuses!(file.bind_counted(vm, flags, &[Op::map(bo, 0, VA, P)]).0, INVAL, " of {flags:#x}");
    }
    works!(file.bind_counted(vm, 0, &[Op::map(bo, 0, VA, P)]).0);
    Ok(())
}

/// Unknown flags of a map fail with EINVAL.
fn unknown_map_flags_are_refused(guest: &Guest) -> Outcome {
    let (file, vm, bo) = ready(guest)?;
    for flags in [1 << 4, 1 << 5, 1 << 15, 1 << 27, 0x0fff_fff0] {
        refuses!(file.bind(vm, &[Op::map(bo, 0, VA, P).with(flags)]), INVAL, " of {flags:#x}");
    }
    works!(file.bind(vm, &[Op::map(bo, 0, VA, P)]));
    Ok(())
}

/// Flags of a map fail with EINVAL on an unmap.
fn map_flags_on_an_unmap_are_refused(guest: &Guest) -> Outcome {
    let (file, vm, bo) = ready(guest)?;
    works!(file.bind(vm, &[Op::map(bo, 0, VA, P)]));
    for flags in [MAP_READONLY, MAP_NOEXEC, MAP_UNCACHED, MAP_SPARSE, 1 << 4, 1 << 27] {
        refuses!(file.bind(vm, &[Op::unmap(VA, P).with(flags)]), INVAL, " of {flags:#x}");
    }
    works!(file.bind(vm, &[Op::unmap(VA, P)]));
    Ok(())
}

fn unknown_op_types_are_refused(guest: &Guest) -> Outcome {
    let (file, vm, bo) = ready(guest)?;
    for kind in 3..16 {
        refuses!(file.bind(vm, &[Op::map(bo, 0, VA, P).with(kind << 28)]), INVAL, " of {kind}");
    }
    works!(file.bind(vm, &[Op::map(bo, 0, VA, P).with(OP_MAP)]));
    Ok(())
}

/// An address, size or offset that is not a multiple of the page size fails with EINVAL.
fn not_whole_pages(guest: &Guest) -> Outcome {
    let (file, vm, bo) = ready(guest)?;
    for odd in [1, 8, 0x800, P - 1] {
        refuses!(file.bind(vm, &[Op::map(bo, 0, VA + odd, P)]), INVAL, " of {odd:#x}");
        refuses!(file.bind(vm, &[Op::map(bo, 0, VA, P + odd)]), INVAL, " of {odd:#x}");
        refuses!(file.bind(vm, &[Op::map(bo, 0, VA, odd)]), INVAL, " of {odd:#x}");
        refuses!(file.bind(vm, &[Op::map(bo, odd, VA, P)]), INVAL, " of {odd:#x}");
        refuses!(file.bind(vm, &[Op::unmap(VA + odd, P)]), INVAL, " of {odd:#x}");
        refuses!(file.bind(vm, &[Op::unmap(VA, odd)]), INVAL, " of {odd:#x}");
    }
    works!(file.bind(vm, &[Op::map(bo, P, VA + P, P), Op::unmap(VA + P, P)]));
    Ok(())
}

/// A range beyond the object's end fails with EINVAL.
fn beyond_the_object(guest: &Guest) -> Outcome {
    let (file, vm, bo) = ready(guest)?;
    for (offset, size) in [(0, 5), (1, 4), (4, 1), (5, 1), (1 << 40, 1), (3, 2)] {
        refuses!(file.bind(vm, &[Op::map(bo, offset * P, VA, size * P)]), INVAL, " of {size} from {offset}");
    }
    for (offset, size) in [(P.wrapping_neg(), 2 * P), (1 << 63, P), (0, 1 << 46)] {
        refuses!(file.bind(vm, &[Op::map(bo, offset, VA, size)]), INVAL, " of {size:#x} from {offset:#x}");
    }
    for (offset, size) in [(0, 4), (3, 1), (2, 2)] {
        works!(file.bind(vm, &[Op::map(bo, offset * P, VA, size * P)]));
    }
    Ok(())
}

/// Addresses that are the kernel's, or beyond the GPU's, fail with EINVAL.
fn beyond_the_range(guest: &Guest) -> Outcome {
    let file = Gpu::ready(guest)?.open()?;
    let bo = works!(file.bo(4 * P));
    let VmCreate { id: vm, user_va_range: end, .. } = works!(file.vm_create_of(1 << 32));
    for va in [end - P, end, end + P, 1 << 48, 1 << 52, 1 << 63] {
        refuses!(file.bind(vm, &[Op::map(bo, 0, va, 2 * P)]), INVAL, " at {va:#x}");
        refuses!(file.bind(vm, &[Op::unmap(va, 2 * P)]), INVAL, " at {va:#x}");
        refuses!(file.bind(vm, &[Op::sparse(va, 2 * P)]), INVAL, " at {va:#x}");
    }
    works!(file.bind(vm, &[Op::map(bo, 0, end - 4 * P, 4 * P), Op::unmap(0, end)]));
    Ok(())
}

/// A range that wraps around at the end of all addresses fails with EINVAL.
fn wrapping_va_range_is_refused(guest: &Guest) -> Outcome {
    let (file, vm, bo) = ready(guest)?;
    for (va, size) in [(P.wrapping_neg(), P), (P.wrapping_neg(), 2 * P), (P, P.wrapping_neg()), (VA, VA.wrapping_neg())]
    {
        refuses!(file.bind(vm, &[Op::unmap(va, size)]), INVAL, " of {size:#x} at {va:#x}");
        refuses!(file.bind(vm, &[Op::map(bo, 0, va, size)]), INVAL, " of {size:#x} at {va:#x}");
        refuses!(file.bind(vm, &[Op::sparse(va, size)]), INVAL, " of {size:#x} at {va:#x}");
    }
    works!(file.bind(vm, &[Op::map(bo, 0, VA, P), Op::sparse(2 * VA, P), Op::unmap(0, 1 << 46)]));
    Ok(())
}

/// An unknown object fails with EINVAL, and not ENOENT.
fn unknown_objects(guest: &Guest) -> Outcome {
    let (file, vm, bo) = ready(guest)?;
    works!(file.bind(vm, &[Op::map(bo, 0, VA, P)]));
    works!(file.0.gem_close(bo));
    for handle in [0, bo, 99, u32::MAX] {
        refuses!(file.bind(vm, &[Op::map(handle, 0, VA, P)]), INVAL, " of {handle}");
    }
    Ok(())
}

/// A handle of another file fails with EINVAL.
fn object_of_another_file(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let (one, two) = (gpu.open()?, gpu.open()?);
    let vm = works!(two.vm_create());
    let bo = works!(one.bo(P));
    refuses!(two.bind(vm, &[Op::map(bo, 0, VA, P)]), INVAL);
    works!(one.bind(works!(one.vm_create()), &[Op::map(bo, 0, VA, P)]));
    Ok(())
}

/// An object that belongs to another VM fails with EINVAL.
fn object_of_another_vm(guest: &Guest) -> Outcome {
    let (file, one, _) = ready(guest)?;
    let two = works!(file.vm_create());
    let bo = works!(file.bo_of(P, 0, one));
    refuses!(file.bind(two, &[Op::map(bo, 0, VA, P)]), INVAL);
    refuses!(file.bind_async(two, &[Op::map(bo, 0, VA, P)]), INVAL);
    works!(file.bind(one, &[Op::map(bo, 0, VA, P)]));
    Ok(())
}

/// An object can be mapped in its own VM many times, at once and by the queue.
fn object_of_its_own_vm(guest: &Guest) -> Outcome {
    seen(guest, |file, vm, _| {
        let bo = works!(file.bo_of(2 * P, 0, vm.id));
        let mapping = works!(file.bo_map(bo, 2 * PAGE));
        (0..2).for_each(|page| mapping.write(page * PAGE, 0x200 + page as u32));
        works!(vm.bind(&[Op::map(bo, 0, VA, 2 * P), Op::map(bo, P, VA + 4 * P, P)]));
        vm.shows(VA, 16 * P, &[(VA, 0x200, 2), (VA + 4 * P, 0x201, 1)])?;
        let out = works!(file.0.syncobj_create(0));
        works!(vm.bind_async(&[Op::map(bo, 0, 2 * VA, 2 * P), Op::unmap(VA, 2 * P).after(&[signal(out)])]));
        works!(ended(file, out));
        vm.shows(VA, 16 * P, &[(VA + 4 * P, 0x201, 1)])?;
        vm.shows(2 * VA, 16 * P, &[(2 * VA, 0x200, 2)])
    })
}

/// An unmap with an object or an offset fails with EINVAL.
fn unmap_with_an_object_is_refused(guest: &Guest) -> Outcome {
    let (file, vm, bo) = ready(guest)?;
    works!(file.bind(vm, &[Op::map(bo, 0, VA, P)]));
    refuses!(file.bind(vm, &[Op { bo, ..Op::unmap(VA, P) }]), INVAL);
    refuses!(file.bind(vm, &[Op { offset: P, ..Op::unmap(VA, P) }]), INVAL);
    works!(file.bind(vm, &[Op::unmap(VA, P)]));
    Ok(())
}

/// Unmapping where nothing is mapped succeeds, in a new VM, around mappings, and twice.
fn nothing_mapped_is_unmapped(guest: &Guest) -> Outcome {
    seen(guest, |_, vm, bo| {
        works!(vm.bind(&[Op::unmap(VA, P)]));
        works!(vm.bind(&[Op::map(bo, 0, VA, 4 * P)]));
        works!(vm.bind(&[Op::unmap(VA - 8 * P, 8 * P), Op::unmap(VA + 4 * P, 8 * P)]));
        vm.shows(VA - 16 * P, 64 * P, &[(VA, 0x100, 4)])?;
        works!(vm.bind(&[Op::unmap(VA - 8 * P, 20 * P)]));
        vm.shows(VA - 16 * P, 64 * P, &[])?;
        works!(vm.bind(&[Op::unmap(VA - 8 * P, 20 * P), Op::unmap(0, VA), Op::unmap(0, 1 << 46)]));
        vm.shows(VA - 16 * P, 64 * P, &[])
    })
}

/// An operation of size zero does nothing, whatever its other fields except sync operations.
fn op_of_size_zero_does_nothing(guest: &Guest) -> Outcome {
    seen(guest, |file, vm, bo| {
        works!(vm.bind(&[Op::map(bo, 0, VA, 4 * P)]));
        works!(vm.bind(&[Op::map(bo, 0, VA + P, 0), Op::unmap(VA, 0), Op::sparse(VA, 0)]));
        vm.shows(VA, 16 * P, &[(VA, 0x100, 4)])?;
        let syncobj = works!(file.0.syncobj_create(1));
        refuses!(vm.bind(&[Op::map(bo, 0, VA, 0).after(&[wait(syncobj)])]), INVAL);
        Ok(())
    })
}

/// A sparse mapping with an object or an offset fails with EINVAL.
fn sparse_map_with_an_object_is_refused(guest: &Guest) -> Outcome {
    let (file, vm, bo) = ready(guest)?;
    refuses!(file.bind(vm, &[Op { bo, ..Op::sparse(VA, P) }]), INVAL);
    refuses!(file.bind(vm, &[Op { offset: P, ..Op::sparse(VA, P) }]), INVAL);
    refuses!(file.bind(vm, &[Op { bo: 99, ..Op::sparse(VA, P) }]), INVAL);
    works!(file.bind(vm, &[Op::sparse(VA, P)]));
    works!(file.bind(vm, &[Op::sparse(VA, 1 << 30)]));
    Ok(())
}

/// A sparse mapping without `NOEXEC` fails with EINVAL; the other flags are allowed.
fn sparse_map_without_noexec_is_refused(guest: &Guest) -> Outcome {
    let (file, vm, _) = ready(guest)?;
    for flags in [0, MAP_READONLY, MAP_UNCACHED, MAP_READONLY | MAP_UNCACHED] {
        let op = Op { flags: MAP_SPARSE | flags, va: VA, size: P, ..Op::default() };
        refuses!(file.bind(vm, &[op]), INVAL, " of {flags}");
        works!(file.bind(vm, &[Op::sparse(VA, P).with(flags)]));
    }
    Ok(())
}

/// A synchronous VM_BIND with sync operations fails with EINVAL: they are for asynchronous calls.
fn sync_bind_with_syncs_is_refused(guest: &Guest) -> Outcome {
    let (file, vm, bo) = ready(guest)?;
    let syncobj = works!(file.0.syncobj_create(1));
    for sync in [wait(syncobj), signal(syncobj), wait(99)] {
        refuses!(file.bind(vm, &[Op::map(bo, 0, VA, P).after(&[sync])]), INVAL);
        refuses!(file.bind(vm, &[Op::unmap(VA, P).after(&[sync])]), INVAL);
    }
    works!(file.bind(vm, &[Op::map(bo, 0, VA, P), Op::unmap(VA, P)]));
    works!(file.bind_async(vm, &[Op::map(bo, 0, VA, P).after(&[wait(syncobj), signal(syncobj)])]));
    Ok(())
}

/// A sync-only operation with sync operations fails with EINVAL in a synchronous VM_BIND.
fn sync_bind_with_a_sync_only_op_is_refused(guest: &Guest) -> Outcome {
    let (file, vm, _) = ready(guest)?;
    let syncobj = works!(file.0.syncobj_create(1));
    refuses!(file.bind(vm, &[Op::sync_only(&[signal(syncobj)])]), INVAL);
    works!(file.bind_async(vm, &[Op::sync_only(&[signal(syncobj)])]));
    Ok(())
}

/// A call that fails returns the number of operations that were executed before the refused one.
fn failed_call_returns_the_executed_op_count(guest: &Guest) -> Outcome {
    seen(guest, |file, vm, bo| {
        let good = |at: u64| Op::map(bo, 0, VA + at * 16 * P, 4 * P);
        for wrong in 0..4_u64 {
            let ops: Vec<Op> = (0..4).map(|at| if at == wrong { Op::map(99, 0, VA, P) } else { good(at) }).collect();
            let (answer, count) = file.bind_counted(vm.id, 0, &ops);
            refuses!(answer, INVAL);
            same!(count, wrong as u32);
            let wanted: Vec<_> = (0..wrong).map(|at| (VA + at * 16 * P, 0x100, 4)).collect();
            vm.shows(VA, 64 * P, &wanted)?;
            works!(vm.bind(&[Op::unmap(VA, 64 * P)]));
        }
        let (answer, count) = file.bind_counted(vm.id, 0, &[good(0), good(1), Op::unmap(VA, P)]);
        works!(answer);
        same!(count, 3);
        vm.shows(VA, 64 * P, &[(VA + P, 0x101, 3), (VA + 16 * P, 0x100, 4)])
    })
}

/// Operations at an invalid address fail with EFAULT.
fn addresses_of_operations(guest: &Guest) -> Outcome {
    let (file, vm, _) = ready(guest)?;
    for flags in [0, BIND_ASYNC] {
        for address in BadAddress::ALL {
            refuses!(file.bind_at(vm, flags, 1, address), FAULT, " at {address:?}");
        }
    }
    for flags in [0, BIND_ASYNC] {
        works!(file.bind_bytes(vm, flags, 48, 1, &unmap_bytes(VA)).0);
    }
    Ok(())
}

/// Returns the bytes of an unmap of a page at `VA`.
fn unmap_bytes(va: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(OP_UNMAP.to_ne_bytes());
    bytes.extend([0; 12]);
    bytes.extend(va.to_ne_bytes());
    bytes.extend(P.to_ne_bytes());
    bytes.extend([0; 16]);
    bytes
}

/// A stride below the structure's size fails with EINVAL: all of today's fields were there from the beginning.
fn operations_of_an_older_client(guest: &Guest) -> Outcome {
    let (file, vm, _) = ready(guest)?;
    let bytes = unmap_bytes(VA);
    same!(bytes.len(), 48);
    for flags in [0, BIND_ASYNC] {
        for stride in [0, 1, 32, 47] {
            refuses!(file.bind_bytes(vm, flags, stride, 1, &bytes).0, INVAL, " with a stride of {stride}");
        }
        works!(file.bind_bytes(vm, flags, 48, 1, &bytes).0);
    }
    Ok(())
}

/// Fields that the kernel does not know must be zero, else E2BIG, in each of the operations.
fn operations_of_a_newer_client(guest: &Guest) -> Outcome {
    let (file, vm, _) = ready(guest)?;
    let mut bytes = Vec::new();
    for at in 0..3 {
        bytes.extend(unmap_bytes(VA + at * P));
        bytes.extend([0; 16]);
    }
    for flags in [0, BIND_ASYNC] {
        works!(file.bind_bytes(vm, flags, 64, 3, &bytes).0);
        for at in [48, 63, 64 + 48, 128 + 63] {
            let mut wrong = bytes.clone();
            wrong[at] = 1;
            refuses!(file.bind_bytes(vm, flags, 64, 3, &wrong).0, TOOBIG, " with a one at {at}");
        }
    }
    Ok(())
}

/// A thousand operations in one call work.
fn very_many_operations(guest: &Guest) -> Outcome {
    seen(guest, |_, vm, bo| {
        let maps: Vec<Op> = (0..500).map(|at| Op::map(bo, 0, VA + at * 4 * P, 4 * P)).collect();
        works!(vm.bind(&maps));
        let wanted: Vec<_> = (0..500).map(|at| (VA + at * 4 * P, 0x100, 4)).collect();
        vm.shows(VA, 2048 * P, &wanted)?;
        let unmaps: Vec<Op> = (0..500).map(|at| Op::unmap(VA + at * 4 * P, 4 * P)).collect();
        works!(vm.bind(&unmaps));
        vm.shows(VA, 2048 * P, &[])
    })
}

/// A number of operations for which there is no memory fails with ENOMEM and does no harm to the machine.
fn huge_op_count_is_refused(guest: &Guest) -> Outcome {
    let (file, vm, _) = ready(guest)?;
    for flags in [0, BIND_ASYNC] {
        for count in [u32::MAX, 1 << 31, 1 << 26] {
            refuses!(file.bind_at(vm, flags, count, BadAddress::Unmapped), NOMEM);
        }
    }
    works!(file.bind(vm, &[Op::unmap(VA, P)]));
    Ok(())
}

/// All eight combinations of a map's flags give the rights that they describe.
fn map_flags_decide_the_access_rights(guest: &Guest) -> Outcome {
    seen(guest, |_, vm, bo| {
        for flags in 0..8 {
            works!(vm.bind(&[Op::map(bo, 0, VA, 4 * P).with(flags)]));
            vm.shows(VA, 16 * P, &[(VA, 0x100, 4)])?;
            holds!(vm.runs(VA, 4 * P)?.iter().all(|run| run.rights == rights(flags)), "flags {flags} are the rights");
        }
        Ok(())
    })
}

/// One object can be mapped at a hundred places, each of its pages at several.
fn same_object_many_times(guest: &Guest) -> Outcome {
    seen(guest, |_, vm, bo| {
        for at in 0..100 {
            works!(vm.bind(&[Op::map(bo, at % 4 * P, VA + at * P, P)]));
        }
        let wanted: Vec<_> = (0..25).map(|at| (VA + at * 4 * P, 0x100, 4)).collect();
        vm.shows(VA, 128 * P, &wanted)?;
        works!(vm.bind(&[Op::unmap(VA, 100 * P)]));
        vm.shows(VA, 128 * P, &[])
    })
}

/// A mapping holds a reference to its object: the memory is freed when both are gone.
fn mapped_after_its_handle_is_closed(guest: &Guest) -> Outcome {
    let users = module_users(MODULE)?;
    seen(guest, |file, vm, bo| {
        works!(vm.bind(&[Op::map(bo, 0, VA, 4 * P)]));
        works!(file.0.gem_close(bo));
        vm.shows(VA, 16 * P, &[(VA, 0x100, 4)])?;
        works!(vm.bind(&[Op::unmap(VA + P, P)]));
        vm.shows(VA, 16 * P, &[(VA, 0x100, 1), (VA + 2 * P, 0x102, 2)])?;
        works!(vm.bind(&[Op::unmap(VA, 4 * P)]));
        vm.shows(VA, 16 * P, &[])
    })?;
    same!(module_users(MODULE)?, users);
    Ok(())
}
