// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! VM_CREATE, VM_DESTROY and VM_GET_STATE.
//!
//! Source: `struct drm_panthor_vm_create` in `include/uapi/drm/panthor_drm.h`; `panthor_vm_create_check_args` in
//! `drivers/gpu/drm/panthor/panthor_mmu.c` (Linux 7.3).

use rustix::io::Errno;
use sys::Answer;
use uapi::PAGE;
use uapi::tyr::*;

use crate::harness::check::{Outcome, fail};
use crate::harness::failnth::{Fault, null};
use crate::subjects::driver::module_users;
use crate::subjects::guest::Guest;
use crate::subjects::tyr::{Gpu, MODULE, Op, TyrFile};
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "tyr_vm" for Tyr:
    numbers_count_from_one, vm_ids_are_reused, file_has_at_most_32_vms, flags_are_refused,
    user_va_range_zero_lets_the_kernel_choose, user_va_range_is_at_least_the_requested,
    user_va_range_beyond_the_gpu_is_refused, unknown_vm_ids_are_refused, vm_destroy_with_nonzero_padding_is_refused,
    vm_ids_are_per_file, is_usable, file_close_frees_its_vms, destroyed_with_mappings, exclusive_object_outlives_its_vm,
    vm_destroy_during_a_sync_bind, vm_destroy_during_an_async_bind, repeated_create_and_destroy within 60,
}

/// The size of the GPU's address space: 48 bits.
const ALL: u64 = 1 << 48;
/// The least that the kernel keeps for itself.
const LEAST_OF_THE_KERNEL: u64 = 256 << 20;

fn file(guest: &Guest) -> Outcome<TyrFile> {
    Gpu::ready(guest)?.open()
}

/// VMs are numbered from one: an object's `exclusive_vm_id` of zero means "none".
fn numbers_count_from_one(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    for wanted in 1..=4 {
        same!(works!(file.vm_create()), wanted);
    }
    Ok(())
}

/// A new VM gets the lowest free number.
fn vm_ids_are_reused(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    for _ in 0..3 {
        works!(file.vm_create());
    }
    works!(file.vm_destroy(2));
    same!(works!(file.vm_create()), 2);
    Ok(())
}

/// A file can have 32 VMs, whatever other files have.
fn file_has_at_most_32_vms(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let (file, other) = (gpu.open()?, gpu.open()?);
    for wanted in 1..=32 {
        same!(works!(file.vm_create()), wanted);
    }
    refuses!(file.vm_create(), BUSY);
    works!(other.vm_create());
    works!(file.vm_destroy(17));
    same!(works!(file.vm_create()), 17);
    refuses!(file.vm_create(), BUSY);
    Ok(())
}

/// Any flags fail with EINVAL, since there are none yet.
fn flags_are_refused(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    for flags in [1, 2, 1 << 31, u32::MAX] {
        refuses!(file.0.ioctl(&VM_CREATE, VmCreate { flags, ..Default::default() }), INVAL, " of {flags:#x}");
    }
    same!(works!(file.vm_create()), 1);
    Ok(())
}

/// A size of zero lets the kernel choose: a client can use its own addresses, and the kernel has some.
fn user_va_range_zero_lets_the_kernel_choose(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    let range = works!(file.vm_create_of(0)).user_va_range;
    holds!(range >= (1 << 47) - PAGE as u64, "{range:#x} has all addresses of a process");
    holds!(range <= ALL - LEAST_OF_THE_KERNEL, "{range:#x} leaves some to the kernel");
    Ok(())
}

/// The returned range is at least the requested one, and can be used up to its end but not beyond.
fn user_va_range_is_at_least_the_requested(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    let bo = works!(file.bo(PAGE as u64));
    for wanted in [PAGE as u64, 1 << 20, 1 << 32, 1 << 40, ALL - LEAST_OF_THE_KERNEL] {
        let made = works!(file.vm_create_of(wanted));
        holds!(made.user_va_range >= wanted, "{:#x} is at least {wanted:#x}", made.user_va_range);
        holds!(made.user_va_range <= ALL - LEAST_OF_THE_KERNEL, "{:#x} leaves some", made.user_va_range);
        let last = made.user_va_range - PAGE as u64;
        works!(file.bind(made.id, &[Op::map(bo, 0, last, PAGE as u64)]));
        refuses!(file.bind(made.id, &[Op::map(bo, 0, last + PAGE as u64, PAGE as u64)]), INVAL);
    }
    Ok(())
}

/// A range that leaves nothing for the kernel fails with EINVAL.
fn user_va_range_beyond_the_gpu_is_refused(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    for range in [ALL - LEAST_OF_THE_KERNEL + 1, ALL - 1, ALL, ALL + 1, 1 << 63, u64::MAX] {
        refuses!(file.vm_create_of(range), INVAL, " of {range:#x}");
    }
    works!(file.vm_create_of(ALL - LEAST_OF_THE_KERNEL));
    Ok(())
}

/// An unknown number fails with EINVAL, in each call.
fn unknown_vm_ids_are_refused(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    works!(file.vm_create());
    for id in [0, 2, 33, 1 << 16, u32::MAX] {
        refuses!(file.vm_destroy(id), INVAL, " of {id}");
        refuses!(file.vm_state(id), INVAL, " of {id}");
        refuses!(file.bind(id, &[Op::unmap(0, PAGE as u64)]), INVAL, " of {id}");
        refuses!(file.bind_async(id, &[Op::unmap(0, PAGE as u64)]), INVAL, " of {id}");
    }
    works!(file.vm_destroy(1));
    refuses!(file.vm_destroy(1), INVAL);
    refuses!(file.vm_state(1), INVAL);
    Ok(())
}

/// Padding that is not zero fails with EINVAL, and the VM stays.
fn vm_destroy_with_nonzero_padding_is_refused(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    let id = works!(file.vm_create());
    refuses!(file.0.ioctl(&VM_DESTROY, VmDestroy { id, pad: 1 }), INVAL);
    same!(works!(file.vm_state(id)), USABLE);
    Ok(())
}

/// The number of another file's VM fails with EINVAL.
fn vm_ids_are_per_file(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let (file, other) = (gpu.open()?, gpu.open()?);
    let id = works!(file.vm_create());
    refuses!(other.vm_state(id), INVAL);
    refuses!(other.vm_destroy(id), INVAL);
    refuses!(other.bo_of(PAGE as u64, 0, id), INVAL);
    works!(file.vm_destroy(id));
    Ok(())
}

/// A new VM is usable, also after bindings that were refused at once.
fn is_usable(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    let id = works!(file.vm_create());
    same!(works!(file.vm_state(id)), USABLE);
    refuses!(file.bind(id, &[Op::map(99, 0, 0, PAGE as u64)]), INVAL);
    refuses!(file.bind_async(id, &[Op::map(99, 0, 0, PAGE as u64)]), INVAL);
    same!(works!(file.vm_state(id)), USABLE);
    Ok(())
}

/// VMs and their mappings are freed with their file: they hold no reference to the module after that.
fn file_close_frees_its_vms(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let users = module_users(MODULE)?;
    let file = gpu.open()?;
    let bo = works!(file.bo(16 * PAGE as u64));
    for _ in 0..4 {
        let id = works!(file.vm_create());
        works!(file.bind(id, &[Op::map(bo, 0, 0x10_0000, 16 * PAGE as u64)]));
    }
    drop(file);
    same!(module_users(MODULE)?, users);
    Ok(())
}

/// An object outlives a destroyed VM that mapped it, and can be mapped in another.
fn destroyed_with_mappings(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    let (one, two) = (works!(file.vm_create()), works!(file.vm_create()));
    let bo = file.numbered_bo(4, 0x100)?;
    works!(file.bind(one, &[Op::map(bo, 0, 0, 4 * PAGE as u64), Op::map(bo, 0, 0x4000_0000, 4 * PAGE as u64)]));
    works!(file.bind(two, &[Op::map(bo, 0, 0, 4 * PAGE as u64)]));
    works!(file.vm_destroy(one));
    works!(file.bind(two, &[Op::map(bo, 0, 0x8000_0000, 4 * PAGE as u64)]));
    same!(works!(file.bo_map(bo, 4 * PAGE)).read(3 * PAGE), 0x103);
    works!(file.vm_destroy(two));
    works!(file.0.gem_close(bo));
    Ok(())
}

/// After its VM is destroyed the CPU can use an object as before, but no other VM can, not even one with the same
/// number.
fn exclusive_object_outlives_its_vm(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    let id = works!(file.vm_create());
    let bo = works!(file.bo_of(PAGE as u64, 0, id));
    works!(file.bind(id, &[Op::map(bo, 0, 0, PAGE as u64)]));
    works!(file.vm_destroy(id));
    works!(file.bo_map(bo, PAGE)).write(0, 7);
    same!(works!(file.vm_create()), id);
    refuses!(file.bind(id, &[Op::map(bo, 0, 0, PAGE as u64)]), INVAL);
    same!(works!(file.bo_map(bo, PAGE)).read(0), 7);
    Ok(())
}

/// A VM that is destroyed during a call makes the call fail with EINVAL, as for an unknown number. `bind` is stopped
/// where it takes over its array of operations, when the VM is known already; the allocator is called for the array
/// again (`kvrealloc`).
fn ended_meanwhile(guest: &Guest, bind: impl Fn(&TyrFile, u32, u32) -> Answer + Sync) -> Outcome {
    let file = file(guest)?;
    works!(guest.modules()?.of("failnth")?.load());
    let (vm, bo) = (works!(file.vm_create()), works!(file.bo(PAGE as u64)));
    let fault = Fault::nth_waits(null("__kmalloc_node_track_caller_noprof"), 1, "drm_ioctl")?;
    let answer = std::thread::scope(|scope| -> Outcome<_> {
        let bound = scope.spawn(|| bind(&file, vm, bo));
        fault.wait()?;
        works!(file.vm_destroy(vm));
        works!(fault.release());
        Ok(bound.join().expect("no panic"))
    })?;
    same!(answer, Err(Errno::INVAL));
    same!(works!(file.vm_create()), vm);
    Ok(())
}

fn vm_destroy_during_a_sync_bind(guest: &Guest) -> Outcome {
    ended_meanwhile(guest, |file, vm, bo| file.bind(vm, &[Op::map(bo, 0, 0, PAGE as u64)]))
}

fn vm_destroy_during_an_async_bind(guest: &Guest) -> Outcome {
    ended_meanwhile(guest, |file, vm, bo| file.bind_async(vm, &[Op::map(bo, 0, 0, PAGE as u64)]))
}

/// More VMs than the GPU has address spaces can be made and destroyed in any order.
fn repeated_create_and_destroy(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    let mut random = fastrand::Rng::with_seed(guest.seed);
    let bo = works!(file.bo(8 * PAGE as u64));
    let mut live: Vec<u32> = Vec::new();
    for _ in 0..200 {
        if live.len() < 12 && (live.is_empty() || random.bool()) {
            let id = works!(file.vm_create());
            works!(file.bind(id, &[Op::map(bo, 0, 0x20_0000, 8 * PAGE as u64)]));
            live.push(id);
        } else {
            let id = live.swap_remove(random.usize(..live.len()));
            match file.vm_destroy(id) {
                Ok(()) => {}
                Err(errno) => return fail(format!("VM {id} of {live:?} is not destroyed: {errno}")),
            }
            same!(file.vm_state(id), Err(Errno::INVAL));
        }
    }
    Ok(())
}
