// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Objects that are shared with other drivers by dma-bufs, and foreign objects that the GPU uses.
//!
//! Source: `panthor_gem_prime_export`, `panthor_gem_prime_import` in `drivers/gpu/drm/panthor/panthor_gem.c`, `enum
//! drm_panthor_bo_extra_flags` in `include/uapi/drm/panthor_drm.h` (Linux 7.3).

use std::os::fd::OwnedFd;

use sys::Mapping;
use uapi::tyr::*;
use uapi::{CLOEXEC, PAGE, RDWR, SYNC_END, SYNC_READ, SYNC_WRITE};

use crate::harness::check::Outcome;
use crate::subjects::device::{DrmFile, dma_buf_sync, heap_buffer, udmabuf};
use crate::subjects::driver::{Driver, module_users};
use crate::subjects::guest::Guest;
use crate::subjects::tyr::view::Vm;
use crate::subjects::tyr::{Gpu, MODULE, Op, TyrFile};
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "tyr_prime" for Tyr:
    import_into_the_same_file_returns_its_handle, import_into_another_file_shares_the_memory, mapped_as_a_dma_buf,
    own_buffers_are_not_imported, object_of_a_vm_is_not_exported, flags_that_are_refused, gpu_sees_memory_of_a_memfd,
    gpu_sees_memory_of_a_heap, gpu_sees_memory_of_vgem, vgem_sees_memory_of_the_gpu, imported_objects_are_not_synced,
    imported_info, imported_object_is_mapped_by_the_cpu, bound_in_two_files, exported_object_outlives_everything,
    imported_buffer_is_released_with_its_mapping, import_of_other_descriptors_is_refused,
}

const P: u64 = PAGE as u64;
const VA: u64 = 0x4000_0000;
const BOTH: u32 = CLOEXEC | RDWR;

/// Opens two files of the GPU.
fn files(guest: &Guest) -> Outcome<(TyrFile, TyrFile)> {
    let gpu = Gpu::ready(guest)?;
    Ok((gpu.open()?, gpu.open()?))
}

/// An import into the same file returns the same handle.
fn import_into_the_same_file_returns_its_handle(guest: &Guest) -> Outcome {
    let (file, _) = files(guest)?;
    let handle = works!(file.bo(P));
    let buffer = works!(file.0.export(handle, BOTH));
    same!(works!(file.0.import(&buffer)), handle);
    Ok(())
}

/// An import into another file returns another handle to the same memory.
fn import_into_another_file_shares_the_memory(guest: &Guest) -> Outcome {
    let (file, other) = files(guest)?;
    let handle = file.numbered_bo(4, 0x70)?;
    works!(other.bo(P));
    let theirs = works!(other.0.import(&works!(file.0.export(handle, BOTH))));
    let mapping = works!(other.bo_map(theirs, 4 * PAGE));
    same!(mapping.read(3 * PAGE), 0x73);
    mapping.write(4, 0x99);
    same!(works!(file.bo_map(handle, PAGE)).read(4), 0x99);
    Ok(())
}

/// The dma-buf can be mapped by mmap(2), between the calls that begin and end the access.
fn mapped_as_a_dma_buf(guest: &Guest) -> Outcome {
    let (file, _) = files(guest)?;
    let handle = file.numbered_bo(4, 0x70)?;
    let buffer = works!(file.0.export(handle, BOTH));
    works!(dma_buf_sync(&buffer, SYNC_READ | SYNC_WRITE));
    let mapping = works!(Mapping::shared(&buffer, 0, 4 * PAGE));
    same!(mapping.read(2 * PAGE), 0x72);
    mapping.write(2 * PAGE, 0x33);
    works!(dma_buf_sync(&buffer, SYNC_READ | SYNC_WRITE | SYNC_END));
    same!(works!(file.bo_map(handle, 4 * PAGE)).read(2 * PAGE), 0x33);
    Ok(())
}

/// An import of this driver's own buffer is not flagged as imported, and keeps its creation flags.
fn own_buffers_are_not_imported(guest: &Guest) -> Outcome {
    let (file, other) = files(guest)?;
    let handle = works!(file.bo_of(P, BO_WB_MMAP, 0));
    let theirs = works!(other.0.import(&works!(file.0.export(handle, BOTH))));
    let info = works!(other.bo_info(theirs));
    same!((info.extra_flags, info.create_flags), (0, BO_WB_MMAP));
    Ok(())
}

/// Exporting an object that belongs to a VM fails with EINVAL.
fn object_of_a_vm_is_not_exported(guest: &Guest) -> Outcome {
    let (file, _) = files(guest)?;
    let vm = works!(file.vm_create());
    let handle = works!(file.bo_of(P, 0, vm));
    refuses!(file.0.export(handle, BOTH), INVAL);
    works!(file.0.export(works!(file.bo(P)), BOTH));
    works!(file.vm_destroy(vm));
    refuses!(file.0.export(handle, BOTH), INVAL);
    Ok(())
}

/// Wrong flags fail with EINVAL, and wrong handles with ENOENT, by the core.
fn flags_that_are_refused(guest: &Guest) -> Outcome {
    let (file, _) = files(guest)?;
    let handle = works!(file.bo(P));
    refuses!(file.0.export(handle, 1 << 3), INVAL);
    refuses!(file.0.export(99, BOTH), NOENT);
    works!(file.0.export(handle, BOTH));
    Ok(())
}

/// Checks that the GPU sees the words of another driver's buffer where it is bound.
fn gpu_sees(guest: &Guest, buffer: &OwnedFd, pages: u64) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let file = gpu.open()?;
    let vm = Vm::new(&gpu, &file)?;
    let handle = works!(file.0.import(buffer));
    same!(works!(file.bo_info(handle)).extra_flags, BO_IS_IMPORTED);
    works!(vm.bind(&[Op::map(handle, 0, VA, pages * P)]));
    vm.shows(VA, 2 * pages * P, &[(VA, 0x300, pages)])?;
    works!(vm.bind(&[Op::map(handle, P, VA + 64 * P, P), Op::unmap(VA, P)]));
    vm.shows(VA, 128 * P, &[(VA + P, 0x301, pages - 1), (VA + 64 * P, 0x301, 1)])
}

fn number(mapping: &Mapping, pages: usize) {
    (0..pages).for_each(|page| mapping.write(page * PAGE, 0x300 + page as u32));
}

fn gpu_sees_memory_of_a_memfd(guest: &Guest) -> Outcome {
    Gpu::ready(guest)?;
    let memory = works!(sys::memory_file(8 * PAGE));
    number(&works!(Mapping::shared(&memory, 0, 8 * PAGE)), 8);
    gpu_sees(guest, &works!(udmabuf(&memory, 8 * PAGE)), 8)
}

fn gpu_sees_memory_of_a_heap(guest: &Guest) -> Outcome {
    Gpu::ready(guest)?;
    let buffer = works!(heap_buffer(8 * PAGE));
    number(&works!(Mapping::shared(&buffer, 0, 8 * PAGE)), 8);
    gpu_sees(guest, &buffer, 8)
}

/// Opens vgem, to use its memory.
fn vgem(guest: &Guest) -> Outcome<DrmFile> {
    works!(guest.modules()?.of(Driver::Rust.module()).map_err(|_| rustix::io::Errno::NOENT).and_then(|one| one.load()));
    match Driver::Rust.find() {
        Some(nodes) => Ok(works!(DrmFile::open(nodes.primary))),
        None => crate::harness::check::fail("vgem has no node"),
    }
}

fn gpu_sees_memory_of_vgem(guest: &Guest) -> Outcome {
    let vgem = vgem(guest)?;
    let handle = works!(vgem.pages(8));
    number(&works!(vgem.map(handle, 8 * PAGE)), 8);
    gpu_sees(guest, &works!(vgem.export(handle, BOTH)), 8)
}

/// vgem can import a buffer of the GPU.
fn vgem_sees_memory_of_the_gpu(guest: &Guest) -> Outcome {
    let vgem = vgem(guest)?;
    let (file, _) = files(guest)?;
    let handle = file.numbered_bo(8, 0x60)?;
    let buffer = works!(file.0.export(handle, BOTH));
    let theirs = works!(vgem.import(&buffer));
    drop(buffer);
    works!(file.0.gem_close(handle));
    // vgem exports the buffer that it imported.
    let again = works!(vgem.export(theirs, BOTH));
    same!(works!(Mapping::shared(&again, 0, 8 * PAGE)).read(7 * PAGE), 0x67);
    Ok(())
}

/// `BO_SYNC` of an imported object fails with EINVAL: only its exporter can do that.
fn imported_objects_are_not_synced(guest: &Guest) -> Outcome {
    let (file, _) = files(guest)?;
    let (handle, own) = (works!(file.0.import(&works!(heap_buffer(4 * PAGE)))), works!(file.bo(4 * P)));
    for kind in [BO_FLUSH, BO_FLUSH_AND_INVALIDATE] {
        refuses!(file.bo_sync(&[BoSyncOp { handle, kind, offset: 0, size: P }]), INVAL);
        works!(file.bo_sync(&[BoSyncOp { handle: own, kind, offset: 0, size: P }]));
    }
    Ok(())
}

/// `BO_QUERY_INFO` reports an imported object as imported, with no creation flags.
fn imported_info(guest: &Guest) -> Outcome {
    let (file, _) = files(guest)?;
    let handle = works!(file.0.import(&works!(heap_buffer(4 * PAGE))));
    let wanted = BoQueryInfo { handle, extra_flags: BO_IS_IMPORTED, create_flags: 0, pad: 0 };
    same!(works!(file.bo_info(handle)), wanted);
    Ok(())
}

/// A mapping through the GPU's file shows the CPU the exporter's memory.
fn imported_object_is_mapped_by_the_cpu(guest: &Guest) -> Outcome {
    let (file, _) = files(guest)?;
    let buffer = works!(heap_buffer(8 * PAGE));
    number(&works!(Mapping::shared(&buffer, 0, 8 * PAGE)), 8);
    let handle = works!(file.0.import(&buffer));
    same!(works!(file.bo_map(handle, 8 * PAGE)).read(5 * PAGE), 0x305);
    Ok(())
}

/// One object in VMs of two files has separate mappings in each.
fn bound_in_two_files(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let (file, other) = (gpu.open()?, gpu.open()?);
    let (one, two) = (Vm::new(&gpu, &file)?, Vm::new(&gpu, &other)?);
    let handle = file.numbered_bo(8, 0x300)?;
    let theirs = works!(other.0.import(&works!(file.0.export(handle, BOTH))));
    works!(one.bind(&[Op::map(handle, 0, VA, 8 * P)]));
    works!(two.bind(&[Op::map(theirs, 4 * P, VA, 4 * P)]));
    works!(one.bind(&[Op::unmap(VA, 4 * P)]));
    one.shows(VA, 16 * P, &[(VA + 4 * P, 0x304, 4)])?;
    two.shows(VA, 16 * P, &[(VA, 0x304, 4)])
}

/// The buffer holds memory and module, whatever else is closed and unbound (L11).
fn exported_object_outlives_everything(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let users = module_users(MODULE)?;
    let file = gpu.open()?;
    let handle = file.numbered_bo(4, 0x70)?;
    let buffer = works!(file.0.export(handle, BOTH));
    drop(file);
    works!(gpu.unbind());
    same!(works!(Mapping::shared(&buffer, 0, 4 * PAGE)).read(PAGE), 0x71);
    refuses!(crate::harness::modules::remove(MODULE), AGAIN);
    works!(gpu.bind());
    let second = gpu.open()?;
    // For the new device it is a foreign buffer.
    let theirs = works!(second.0.import(&buffer));
    same!(works!(second.bo_info(theirs)).extra_flags, BO_IS_IMPORTED);
    drop((second, buffer));
    same!(module_users(MODULE)?, users);
    Ok(())
}

/// An import's mapping and handle hold references to a foreign buffer, and drop them while the VM stays.
fn imported_buffer_is_released_with_its_mapping(guest: &Guest) -> Outcome {
    let vgem = vgem(guest)?;
    let users = module_users(Driver::Rust.module())?;
    let (file, _) = files(guest)?;
    let vm = works!(file.vm_create());
    for _ in 0..20 {
        let theirs = works!(vgem.pages(4));
        let buffer = works!(vgem.export(theirs, BOTH));
        let handle = works!(file.0.import(&buffer));
        works!(vgem.gem_close(theirs));
        works!(file.bind(vm, &[Op::map(handle, 0, VA, 4 * P), Op::map(handle, P, VA + 8 * P, P)]));
        works!(file.0.gem_close(handle));
        drop(buffer);
        works!(file.bind(vm, &[Op::unmap(VA, 16 * P)]));
        same!(module_users(Driver::Rust.module())?, users);
    }
    works!(file.vm_destroy(vm));
    drop(file);
    same!(module_users(Driver::Rust.module())?, users);
    Ok(())
}

/// Importing a file that is no dma-buf fails with EINVAL, and a closed number with EBADF.
fn import_of_other_descriptors_is_refused(guest: &Guest) -> Outcome {
    let (file, _) = files(guest)?;
    refuses!(file.0.import(&works!(sys::memory_file(PAGE))), INVAL);
    refuses!(file.0.import_number(-1), BADF);
    holds!(file.bo_info(1).is_err(), "no handle was made");
    same!(works!(file.0.import(&works!(heap_buffer(PAGE)))), 1);
    Ok(())
}
