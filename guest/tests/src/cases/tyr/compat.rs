// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The interface for a 32-bit program: structures have one layout for both, addresses in them are below 4 GiB, and
//! mmap2(2) reaches the registers at the smaller offset alone.
//!
//! Source: `include/uapi/drm/panthor_drm.h` (Linux 7.3).

use rustix::io::Errno;
use rustix::mm::ProtFlags;
use sys::Answer;
use uapi::sync::WAIT_FOR_SUBMIT;
use uapi::tyr::*;
use uapi::{PAGE, bytes_of, of_bytes};

use crate::cases::compat::ioctl;
use crate::harness::check::Outcome;
use crate::harness::compat::{self, Pointed};
use crate::subjects::guest::Guest;
use crate::subjects::tyr::view::Vm;
use crate::subjects::tyr::{Gpu, TyrFile};
use crate::{refuses, same, works};

crate::cases::cases! {
    "tyr_compat" for Tyr:
    questions_are_answered, memory_is_bound, bindings_are_queued, object_is_mapped, label_is_given,
    flush_id_page_is_at_the_32_bit_offset, invalid_ioctls_are_refused, calls_after_unplug_fail_with_enodev,
}

const P: u64 = PAGE as u64;
const VA: u64 = 0x4000_0000;
/// Offsets of an array's address: in `VM_BIND`, and in an operation of it.
const OPS: usize = 16;
const SYNCS: usize = 40;

fn file(guest: &Guest) -> Outcome<TyrFile> {
    Gpu::ready(guest)?.open()
}

/// Returns the bytes of words and of 64-bit numbers, one after the other.
fn fields(words: [u32; 2], numbers: &[u64]) -> Vec<u8> {
    words
        .iter()
        .flat_map(|word| word.to_ne_bytes())
        .chain(numbers.iter().flat_map(|number| number.to_ne_bytes()))
        .collect()
}

/// Returns an operation with room for the given number of sync operations.
fn op(flags: u32, bo: u32, va: u64, size: u64, syncs: u32) -> Vec<u8> {
    let count = u64::from(syncs) << 32 | size_of::<SyncOp>() as u64;
    fields([flags, bo], &[0, va, size, count, 0])
}

/// `VM_BIND` of one operation with its sync operations.
fn bind(file: &TyrFile, vm: u32, flags: u32, op: Vec<u8>, syncs: &[SyncOp]) -> Answer {
    let mut argument = fields([vm, flags], &[1 << 32 | op.len() as u64, 0]);
    let mut pointed = vec![Pointed { holder: 0, at: OPS, bytes: op }];
    if !syncs.is_empty() {
        let bytes = syncs.iter().flat_map(|sync| bytes_of(sync).to_vec()).collect();
        pointed.push(Pointed { holder: 1, at: SYNCS, bytes });
    }
    compat::ioctl(&file.0, VM_BIND.number, &mut argument, &mut pointed).map(drop)
}

/// `DEV_QUERY` returns sizes and values.
fn questions_are_answered(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    for (kind, size) in QUERIES {
        let mut query = fields([kind, 0], &[0]);
        works!(compat::ioctl(&file.0, DEV_QUERY.number, &mut query, &mut []));
        same!(query[4..8], (size as u32).to_ne_bytes());
    }
    let mut query = fields([QUERY_GPU, size_of::<GpuInfo>() as u32], &[0]);
    let mut room = [Pointed { holder: 0, at: 8, bytes: vec![0xee; size_of::<GpuInfo>()] }];
    works!(compat::ioctl(&file.0, DEV_QUERY.number, &mut query, &mut room));
    let info: GpuInfo = of_bytes(&room[0].bytes);
    same!(info, works!(file.info(QUERY_GPU, GpuInfo::default())));
    Ok(())
}

/// VM, object and binding are made by 32-bit calls, and the GPU sees what a 64-bit call would have bound.
fn memory_is_bound(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let file = gpu.open()?;
    let id = works!(ioctl(&file.0, &VM_CREATE, VmCreate::default())).id;
    let vm = Vm::of(&gpu, &file, id)?;
    let bo = file.numbered_bo(8, 0x100)?;
    works!(bind(&file, id, 0, op(OP_MAP, bo, VA, 8 * P, 0), &[]));
    vm.shows(VA, 16 * P, &[(VA, 0x100, 8)])?;
    works!(bind(&file, id, 0, op(OP_UNMAP, 0, VA + P, P, 0), &[]));
    vm.shows(VA, 16 * P, &[(VA, 0x100, 1), (VA + 2 * P, 0x102, 6)])?;
    same!(works!(ioctl(&file.0, &VM_GET_STATE, VmGetState { vm_id: id, state: 9 })).state, USABLE);
    works!(ioctl(&file.0, &VM_DESTROY, VmDestroy { id, pad: 0 }));
    refuses!(file.vm_state(id), INVAL);
    Ok(())
}

/// A queued binding works, whose sync operations are at an address in the operation, itself found by an address.
fn bindings_are_queued(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let file = gpu.open()?;
    let vm = Vm::new(&gpu, &file)?;
    let (bo, out) = (file.numbered_bo(4, 0x100)?, works!(file.0.syncobj_create(0)));
    let signal = SyncOp { flags: SYNC_SIGNAL, handle: out, timeline_value: 0 };
    works!(bind(&file, vm.id, BIND_ASYNC, op(OP_MAP, bo, VA, 4 * P, 1), &[signal]));
    works!(file.0.syncobj_wait(out, 0, std::time::Duration::from_secs(5), WAIT_FOR_SUBMIT));
    vm.shows(VA, 16 * P, &[(VA, 0x100, 4)])?;
    let unknown = SyncOp { handle: 99, ..signal };
    refuses!(bind(&file, vm.id, BIND_ASYNC, op(OP_UNMAP, 0, VA, P, 1), &[unknown]), INVAL);
    vm.shows(VA, 16 * P, &[(VA, 0x100, 4)])
}

/// An object can be created, mapped by mmap2(2), and queried.
fn object_is_mapped(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    let wanted = BoCreate { size: P + 1, flags: BO_WB_MMAP, ..Default::default() };
    let made = works!(ioctl(&file.0, &BO_CREATE, wanted));
    same!((made.handle, made.size), (1, 2 * P));
    let wanted = BoMmapOffset { handle: made.handle, pad: 0, offset: 0 };
    let offset = works!(ioctl(&file.0, &BO_MMAP_OFFSET, wanted)).offset;
    let mapping = works!(compat::map(&file.0, offset, 2 * PAGE, ProtFlags::READ | ProtFlags::WRITE));
    mapping.write(PAGE, 0x3232);
    same!(works!(file.bo_map(made.handle, 2 * PAGE)).read(PAGE), 0x3232);
    let info = works!(ioctl(&file.0, &BO_QUERY_INFO, BoQueryInfo { handle: made.handle, ..Default::default() }));
    same!(info.create_flags, BO_WB_MMAP);
    Ok(())
}

/// A label can be set from a text at an address.
fn label_is_given(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    let handle = works!(file.bo(P));
    let give = |length: usize| {
        let mut text = vec![b'x'; length];
        text.push(0);
        let mut label = [Pointed { holder: 0, at: 8, bytes: text }];
        compat::ioctl(&file.0, BO_SET_LABEL.number, &mut fields([handle, 0], &[0]), &mut label)
    };
    works!(give(4095));
    refuses!(give(4096), TOOBIG);
    Ok(())
}

/// mmap2(2) cannot express the larger offset. The smaller one works once the client has requested it.
fn flush_id_page_is_at_the_32_bit_offset(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    same!(compat::map(&file.0, MMIO_OFFSET_64, PAGE, ProtFlags::READ).err(), Some(Errno::OVERFLOW));
    refuses!(compat::map(&file.0, MMIO_OFFSET_32, PAGE, ProtFlags::READ), INVAL);
    works!(ioctl(&file.0, &SET_USER_MMIO_OFFSET, SetUserMmioOffset { offset: MMIO_OFFSET_32 }));
    let page = works!(compat::map(&file.0, MMIO_OFFSET_32, PAGE, ProtFlags::READ));
    super::flush::counts(&file, &page)
}

/// Each ioctl fails with EFAULT at an invalid address; unknown ioctls fail with ENOTTY and EINVAL.
fn invalid_ioctls_are_refused(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    for number in NUMBERS {
        refuses!(compat::ioctl_bad(&file.0, number), FAULT, " of {number:#x}");
    }
    let beyond = uapi::ioc(uapi::DIR_WRITE, uapi::DRM, 0x51, 16);
    refuses!(compat::ioctl(&file.0, beyond, &mut [0; 16], &mut []), INVAL);
    let vm = works!(file.vm_create());
    let mut argument = fields([vm, 0], &[1 << 32 | 48, 0x1000]);
    refuses!(compat::ioctl(&file.0, VM_BIND.number, &mut argument, &mut []), FAULT);
    Ok(())
}

/// After an unplug calls fail with ENODEV, and the registers read like those of a GPU that is suspended.
fn calls_after_unplug_fail_with_enodev(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let file = gpu.open()?;
    works!(file.set_mmio_offset(MMIO_OFFSET_32));
    let page = works!(compat::map(&file.0, MMIO_OFFSET_32, PAGE, ProtFlags::READ));
    works!(gpu.unbind());
    for number in NUMBERS {
        refuses!(compat::ioctl(&file.0, number, &mut [0; 64], &mut []), NODEV, " of {number:#x}");
    }
    refuses!(compat::map(&file.0, MMIO_OFFSET_32, PAGE, ProtFlags::READ), NODEV);
    same!(page.read(0), 1);
    works!(gpu.bind());
    Ok(())
}
