// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The page of `LATEST_FLUSH_ID`, the only register that a client may read itself.
//!
//! Source: "MMIO regions exposed to userspace" in `include/uapi/drm/panthor_drm.h`; `panthor_device_mmap_io` in
//! `drivers/gpu/drm/panthor/panthor_device.c` (Linux 7.3).

use rustix::fs::MemfdFlags;
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags};
use sys::{Answer, Mapping};
use uapi::PAGE;
use uapi::tyr::*;

use crate::harness::check::Outcome;
use crate::subjects::guest::Guest;
use crate::subjects::tyr::{Gpu, Op, TyrFile};
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "tyr_flush_id" for Tyr:
    page_shows_a_nonzero_id, loads_of_any_width_work, kernel_reads_it_for_a_client, writable_mapping_is_refused,
    mapping_of_several_pages_is_refused, private_mapping_is_refused, mapping_of_other_registers_is_refused,
    page_moves_to_the_32_bit_mmio_offset, unknown_mmio_offsets_are_refused, mmio_offset_is_per_file,
    mapping_is_not_inherited_by_fork, unplug_replaces_the_page_with_memory, mapping_outlives_its_file,
}

const P: u64 = PAGE as u64;
const VA: u64 = 0x4000_0000;

fn file(guest: &Guest) -> Outcome<TyrFile> {
    Gpu::ready(guest)?.open()
}

fn map(file: &TyrFile, offset: u64, pages: usize, protection: ProtFlags) -> Answer<Mapping> {
    Mapping::new(&file.0, offset, pages * PAGE, protection, MapFlags::SHARED)
}

/// Checks that the page shows the GPU's own register: the number grows when the driver flushes the GPU's caches.
pub(super) fn counts(file: &TyrFile, page: &Mapping) -> Outcome {
    let (vm, bo) = (works!(file.vm_create()), works!(file.bo(P)));
    let before = page.read(0);
    works!(file.bind(vm, &[Op::map(bo, 0, VA, P)]));
    works!(file.bind(vm, &[Op::unmap(VA, P)]));
    let after = page.read(0);
    holds!(after > before, "the GPU counts its flushes: {before}, and then {after}");
    works!(file.vm_destroy(vm));
    works!(file.0.gem_close(bo));
    Ok(())
}

/// The number is not zero, which means "flush always", and the page is not memory.
fn page_shows_a_nonzero_id(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    let page = works!(file.flush_id());
    let id = page.read(0);
    holds!(id != 0 && id != u32::MAX, "{id:#x} is a flush's number");
    counts(&file, &page)
}

/// Loads of any width return the register's bytes, and zeros behind it. None of them misuses the hardware: the runner
/// counts the violations of a case.
fn loads_of_any_width_work(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    let page = works!(file.flush_id());
    let id = u128::from(page.read(0));
    for width in [1, 2, 4, 8] {
        for offset in (0..16).chain(PAGE - 16..=PAGE - width) {
            // The register has the first four bytes, and there is nothing behind it.
            let expected = id.checked_shr(8 * offset as u32).unwrap_or(0) & ((1 << (8 * width)) - 1);
            let (got, place) = (page.load(offset, width), format!("{width} bytes at {offset:#x}"));
            holds!(u128::from(got) == expected, "{place} are {got:#x}, not {expected:#x}");
        }
    }
    Ok(())
}

/// The kernel may read the page for a client, and it copies in any way.
fn kernel_reads_it_for_a_client(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    let page = works!(file.flush_id());
    let to = works!(rustix::fs::memfd_create("flush-id", MemfdFlags::CLOEXEC));
    for (offset, length) in [(0, PAGE), (0, 1), (1, 2), (3, 13), (PAGE - 7, 7)] {
        same!(works!(page.give_from(offset, &to, length)), length);
        let mut copy = vec![0xa5; length];
        same!(works!(rustix::io::pread(&to, &mut copy, 0)), length);
        let id = page.read(0).to_le_bytes();
        let expected: Vec<u8> = (offset..offset + length).map(|at| id.get(at).copied().unwrap_or(0)).collect();
        holds!(copy == expected, "{length} bytes at {offset:#x} are the register's, and zeros behind it");
    }
    Ok(())
}

/// A writable mapping fails with EINVAL, and mprotect(2) later with EACCES.
fn writable_mapping_is_refused(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    for protection in [ProtFlags::READ | ProtFlags::WRITE, ProtFlags::WRITE, ProtFlags::READ | ProtFlags::EXEC] {
        refuses!(map(&file, MMIO_OFFSET_64, 1, protection), INVAL, " for {protection:?}");
    }
    let page = works!(file.flush_id());
    refuses!(page.protect_as(MprotectFlags::READ | MprotectFlags::WRITE), ACCESS);
    holds!(page.read(0) != 0, "it can still be read");
    Ok(())
}

/// A mapping of more than one page fails with EINVAL.
fn mapping_of_several_pages_is_refused(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    for pages in [2, 3, 512] {
        refuses!(map(&file, MMIO_OFFSET_64, pages, ProtFlags::READ), INVAL, " for {pages} pages");
    }
    works!(map(&file, MMIO_OFFSET_64, 1, ProtFlags::READ));
    Ok(())
}

/// A private mapping fails with EINVAL, since a private copy would not change.
fn private_mapping_is_refused(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    refuses!(Mapping::new(&file.0, MMIO_OFFSET_64, PAGE, ProtFlags::READ, MapFlags::PRIVATE), INVAL);
    works!(map(&file, MMIO_OFFSET_64, 1, ProtFlags::READ));
    Ok(())
}

/// Any other offset fails with EINVAL: no other register is for clients.
fn mapping_of_other_registers_is_refused(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    for offset in [P, 2 * P, 0x1_0000, 1 << 21, 1 << 40] {
        refuses!(map(&file, MMIO_OFFSET_64 + offset, 1, ProtFlags::READ), INVAL, " at {offset:#x}");
    }
    works!(map(&file, MMIO_OFFSET_64, 1, ProtFlags::READ));
    Ok(())
}

/// A 32-bit client, or an emulator of one, requests the smaller offset. The page is at that offset then, and no longer
/// at the other.
fn page_moves_to_the_32_bit_mmio_offset(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    holds!(map(&file, MMIO_OFFSET_32, 1, ProtFlags::READ).is_err(), "nothing is there before");
    works!(file.set_mmio_offset(MMIO_OFFSET_32));
    let page = works!(map(&file, MMIO_OFFSET_32, 1, ProtFlags::READ));
    counts(&file, &page)?;
    refuses!(map(&file, MMIO_OFFSET_64, 1, ProtFlags::READ), INVAL);
    refuses!(map(&file, MMIO_OFFSET_32 + P, 1, ProtFlags::READ), INVAL);
    works!(file.set_mmio_offset(MMIO_OFFSET_64));
    works!(file.flush_id());
    Ok(())
}

/// Offsets other than the two fail with EINVAL.
fn unknown_mmio_offsets_are_refused(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    for offset in [0, 1, P, 1 << 42, 1 << 44, 1 << 55, 1 << 57, MMIO_OFFSET_64 + P, MMIO_OFFSET_32 | 1, u64::MAX] {
        refuses!(file.set_mmio_offset(offset), INVAL, " of {offset:#x}");
    }
    works!(file.flush_id());
    Ok(())
}

/// The offset that one file sets does not affect another, and objects are mapped as before.
fn mmio_offset_is_per_file(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let (one, two) = (gpu.open()?, gpu.open()?);
    works!(one.set_mmio_offset(MMIO_OFFSET_32));
    works!(two.flush_id());
    let handle = one.numbered_bo(2, 0x90)?;
    same!(works!(one.bo_map(handle, 2 * PAGE)).read(PAGE), 0x91);
    Ok(())
}

/// A forked copy of the process does not inherit the mapping.
fn mapping_is_not_inherited_by_fork(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    let page = works!(file.flush_id());
    page.read(0);
    let status = works!(sys::in_forked_copy(|| page.read(0) != 0));
    same!(sys::ended_by(status), Some(libc::SIGSEGV));
    Ok(())
}

/// After an unplug a page of memory replaces the register, with a number that requests no flush. A new device does not
/// change that.
fn unplug_replaces_the_page_with_memory(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let file = gpu.open()?;
    let page = works!(file.flush_id());
    page.read(0);
    works!(gpu.unbind());
    same!(page.read(0), 1);
    refuses!(file.flush_id(), NODEV);
    works!(gpu.bind());
    same!(page.read(0), 1);
    let new = gpu.open()?;
    counts(&new, &works!(new.flush_id()))?;
    same!(page.read(0), 1);
    Ok(())
}

/// The mapping holds the file open.
fn mapping_outlives_its_file(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    let page = works!(file.flush_id());
    drop(file);
    holds!(page.read(0) != 0, "the number is read");
    Ok(())
}
