// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Buffer objects: BO_CREATE, BO_MMAP_OFFSET and mmap(2), BO_SET_LABEL, BO_SYNC, BO_QUERY_INFO.
//!
//! Source: `enum drm_panthor_bo_flags` and the structures that follow it in `include/uapi/drm/panthor_drm.h`;
//! `drivers/gpu/drm/panthor/panthor_gem.c` (Linux 7.3).

use std::ffi::CString;

use rustix::mm::{MapFlags, ProtFlags};
use sys::{BadAddress, Mapping};
use uapi::PAGE;
use uapi::tyr::*;

use crate::harness::check::Outcome;
use crate::subjects::guest::Guest;
use crate::subjects::tyr::{Gpu, TyrFile};
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "tyr_bo" for Tyr:
    size_is_rounded_up, size_zero_is_refused, overflowing_size_is_refused, unknown_or_conflicting_flags_are_refused,
    nonzero_padding_is_refused, output_fields_are_ignored_on_input, unknown_exclusive_vm_is_refused,
    mmap_offset_is_constant_per_object, unknown_handles, mmap_offset_of_a_no_mmap_object_is_refused, new_memory_is_zero,
    contents_stay, two_mappings_of_one_object, mapped_beyond_the_end, private_mapping_is_refused,
    mapped_by_another_file, mapped_when_closed, label_is_set_and_removed, labels_that_are_refused, sync_of_ranges,
    sync_that_is_refused, bo_sync_stops_at_the_first_refused_op, query_info_returns_the_create_flags,
    thousand_objects within 60, large_objects within 60,
}

const P: u64 = PAGE as u64;

fn file(guest: &Guest) -> Outcome<TyrFile> {
    Gpu::ready(guest)?.open()
}

/// The size is rounded up to whole pages and returned.
fn size_is_rounded_up(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    for (size, pages) in [(1, 1), (P - 1, 1), (P, 1), (P + 1, 2), (10 * P - 7, 10)] {
        let made = works!(file.0.ioctl(&BO_CREATE, BoCreate { size, ..Default::default() }));
        same!(made.size, pages * P);
        holds!(made.handle != 0, "handles are not zero");
    }
    Ok(())
}

/// A size of zero fails with EINVAL.
fn size_zero_is_refused(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    refuses!(file.bo(0), INVAL);
    same!(works!(file.bo(1)), 1);
    Ok(())
}

/// A size that wraps around when rounded up, or that no file can have, fails with EINVAL and returns no handle.
fn overflowing_size_is_refused(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    for size in [u64::MAX, u64::MAX - P + 1, u64::MAX - P + 2, 1 << 63, (1 << 63) - 1] {
        refuses!(file.bo(size), INVAL, " of {size:#x}");
    }
    same!(works!(file.bo(P)), 1);
    Ok(())
}

/// Unknown flags, and the two that exclude each other, fail with EINVAL.
fn unknown_or_conflicting_flags_are_refused(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    for flags in [1 << 2, 1 << 3, 1 << 31, u32::MAX, BO_NO_MMAP | BO_WB_MMAP] {
        refuses!(file.bo_of(P, flags, 0), INVAL, " of {flags:#x}");
    }
    for flags in [0, BO_NO_MMAP, BO_WB_MMAP] {
        works!(file.bo_of(P, flags, 0));
    }
    Ok(())
}

/// Padding that is not zero fails with EINVAL, in each call that has some.
fn nonzero_padding_is_refused(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    refuses!(file.0.ioctl(&BO_CREATE, BoCreate { size: P, pad: 1, ..Default::default() }), INVAL);
    let handle = works!(file.bo(P));
    refuses!(file.0.ioctl(&BO_MMAP_OFFSET, BoMmapOffset { handle, pad: 1, offset: 0 }), INVAL);
    refuses!(file.bo_label_at(handle, 1, BadAddress::Null), INVAL);
    works!(file.0.ioctl(&BO_MMAP_OFFSET, BoMmapOffset { handle, pad: 0, offset: 0 }));
    works!(file.bo_label_at(handle, 0, BadAddress::Null));
    Ok(())
}

/// The handle given to `BO_CREATE` and the offset given to `BO_MMAP_OFFSET` are ignored.
fn output_fields_are_ignored_on_input(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    let made = works!(file.0.ioctl(&BO_CREATE, BoCreate { size: P, handle: 77, ..Default::default() }));
    same!(made.handle, 1);
    let told = works!(file.0.ioctl(&BO_MMAP_OFFSET, BoMmapOffset { handle: 1, pad: 0, offset: 99 }));
    holds!(told.offset % P == 0 && told.offset != 0, "{:#x} is an offset", told.offset);
    Ok(())
}

/// `BO_CREATE` fails with EINVAL if no VM has the number in `exclusive_vm_id`.
fn unknown_exclusive_vm_is_refused(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    refuses!(file.bo_of(P, 0, 1), INVAL);
    let vm = works!(file.vm_create());
    for flags in [0, BO_NO_MMAP, BO_WB_MMAP] {
        works!(file.bo_of(P, flags, vm));
    }
    works!(file.vm_destroy(vm));
    refuses!(file.bo_of(P, 0, vm), INVAL);
    Ok(())
}

/// The offset is constant for an object, and different objects have different offsets.
fn mmap_offset_is_constant_per_object(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    let (one, two) = (works!(file.bo(P)), works!(file.bo(P)));
    let offset = works!(file.bo_offset(one));
    same!(works!(file.bo_offset(one)), offset);
    holds!(works!(file.bo_offset(two)) != offset, "objects have offsets of their own");
    holds!(offset < MMIO_OFFSET_32, "{offset:#x} is below the registers' offsets");
    Ok(())
}

/// An unknown handle fails with ENOENT, in each call.
fn unknown_handles(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let (file, other) = (gpu.open()?, gpu.open()?);
    for _ in 0..5 {
        works!(other.bo(P));
    }
    works!(file.bo(P));
    for handle in [0, 2, 5, u32::MAX] {
        refuses!(file.bo_offset(handle), NOENT, " of {handle}");
        refuses!(file.bo_label(handle, None), NOENT, " of {handle}");
        refuses!(file.bo_info(handle), NOENT, " of {handle}");
        refuses!(file.bo_sync(&[BoSyncOp { handle, size: P, ..Default::default() }]), NOENT, " of {handle}");
    }
    works!(file.bo_offset(1));
    works!(file.bo_label(1, None));
    works!(file.bo_info(1));
    works!(file.bo_sync(&[BoSyncOp { handle: 1, size: P, ..Default::default() }]));
    Ok(())
}

/// `BO_MMAP_OFFSET` fails with EPERM for an object that was created with `NO_MMAP`.
fn mmap_offset_of_a_no_mmap_object_is_refused(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    let handle = works!(file.bo_of(P, BO_NO_MMAP, 0));
    refuses!(file.bo_offset(handle), PERM);
    works!(file.bo_offset(works!(file.bo(P))));
    Ok(())
}

/// New memory is zero, so no client sees another's data.
fn new_memory_is_zero(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    for flags in [0, BO_WB_MMAP] {
        let mapping = works!(file.bo_map(works!(file.bo_of(64 * P, flags, 0)), 64 * PAGE));
        for at in (0..64 * PAGE).step_by(512) {
            same!(mapping.read(at), 0);
            mapping.write(at, 0xdead);
        }
    }
    Ok(())
}

/// Contents outlive the mapping by which they were written.
fn contents_stay(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    let handle = file.numbered_bo(16, 0x500)?;
    let mapping = works!(file.bo_map(handle, 16 * PAGE));
    for page in 0..16 {
        same!(mapping.read(page * PAGE), 0x500 + page as u32);
    }
    Ok(())
}

fn two_mappings_of_one_object(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    let handle = works!(file.bo(2 * P));
    let (one, two) = (works!(file.bo_map(handle, 2 * PAGE)), works!(file.bo_map(handle, 2 * PAGE)));
    one.write(PAGE, 11);
    same!(two.read(PAGE), 11);
    two.write(PAGE + 4, 12);
    same!(one.read(PAGE + 4), 12);
    Ok(())
}

/// A mapping longer than the object, or not from its beginning, fails with EINVAL.
fn mapped_beyond_the_end(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    let handle = works!(file.bo(2 * P));
    let offset = works!(file.bo_offset(handle));
    refuses!(Mapping::shared(&file.0, offset, 3 * PAGE), INVAL);
    refuses!(Mapping::shared(&file.0, offset + 2 * P, PAGE), INVAL);
    refuses!(Mapping::shared(&file.0, offset + P, PAGE), INVAL);
    works!(Mapping::shared(&file.0, offset, PAGE));
    Ok(())
}

/// A private mapping fails with EINVAL: a copy on write of memory that the GPU writes makes no sense.
fn private_mapping_is_refused(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    let offset = works!(file.bo_offset(works!(file.bo(P))));
    let both = ProtFlags::READ | ProtFlags::WRITE;
    refuses!(Mapping::new(&file.0, offset, PAGE, both, MapFlags::PRIVATE), INVAL);
    works!(Mapping::new(&file.0, offset, PAGE, both, MapFlags::SHARED));
    Ok(())
}

/// Mapping the offset of an object for which the file has no handle fails with EACCES.
fn mapped_by_another_file(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let (file, other) = (gpu.open()?, gpu.open()?);
    let offset = works!(file.bo_offset(works!(file.bo(P))));
    refuses!(Mapping::shared(&other.0, offset, PAGE), ACCESS);
    works!(Mapping::shared(&file.0, offset, PAGE));
    Ok(())
}

/// A mapping outlives its handle and file.
fn mapped_when_closed(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    let handle = file.numbered_bo(4, 0x40)?;
    let mapping = works!(file.bo_map(handle, 4 * PAGE));
    works!(file.0.gem_close(handle));
    same!(mapping.read(3 * PAGE), 0x43);
    refuses!(file.bo_offset(handle), NOENT);
    drop(file);
    same!(mapping.read(2 * PAGE), 0x42);
    mapping.write(0, 1);
    Ok(())
}

/// A label can be set, replaced, emptied and removed.
fn label_is_set_and_removed(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    let handle = works!(file.bo(P));
    let longest = CString::new(vec![b'x'; 4095]).expect("it has no zero");
    for label in [c"a tree", c"another tree", c"", &longest, c"\xff\xfe not a text"] {
        works!(file.bo_label(handle, Some(label)));
    }
    works!(file.bo_label(handle, None));
    works!(file.bo_label(handle, None));
    works!(file.bo_label(handle, Some(&longest)));
    works!(file.0.gem_close(handle));
    Ok(())
}

/// A label of 4096 bytes or more fails with E2BIG; one at an invalid address with EFAULT.
fn labels_that_are_refused(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    let handle = works!(file.bo(P));
    for length in [4096, 4097, 100_000] {
        let label = CString::new(vec![b'x'; length]).expect("it has no zero");
        refuses!(file.bo_label(handle, Some(&label)), TOOBIG, " of {length} bytes");
    }
    for address in [BadAddress::Unmapped, BadAddress::Kernel, BadAddress::NonCanonical] {
        refuses!(file.bo_label_at(handle, 0, address), FAULT, " at {address:?}");
    }
    // The handle is checked first.
    refuses!(file.bo_label_at(99, 0, BadAddress::Kernel), NOENT);
    works!(file.bo_label(handle, Some(&CString::new(vec![b'x'; 4095]).expect("it has no zero"))));
    Ok(())
}

/// `BO_SYNC` works on any bytes of the object, on no bytes, and on an object that was never touched.
fn sync_of_ranges(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    for flags in [0, BO_WB_MMAP, BO_NO_MMAP] {
        let handle = works!(file.bo_of(4 * P, flags, 0));
        for kind in [BO_FLUSH, BO_FLUSH_AND_INVALIDATE] {
            for (offset, size) in [(0, 4 * P), (0, 0), (1, 1), (63, 2), (4 * P - 1, 1), (4 * P, 0), (P, 2 * P)] {
                works!(file.bo_sync(&[BoSyncOp { handle, kind, offset, size }]));
            }
        }
    }
    works!(file.bo_sync(&[]));
    Ok(())
}

/// `BO_SYNC` fails with EINVAL for ranges beyond the object or that wrap around, unknown kinds and structures that are
/// too short, and with EFAULT for invalid addresses.
fn sync_that_is_refused(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    let handle = works!(file.bo(4 * P));
    for (offset, size) in [(0, 4 * P + 1), (4 * P, 1), (4 * P + 1, 0), (u64::MAX, 1), (1, u64::MAX), (P, 1 << 63)] {
        refuses!(file.bo_sync(&[BoSyncOp { handle, kind: 0, offset, size }]), INVAL, " of {size:#x} from {offset:#x}");
    }
    for kind in [2, 3, u32::MAX] {
        refuses!(file.bo_sync(&[BoSyncOp { handle, kind, offset: 0, size: P }]), INVAL, " of {kind}");
    }
    for stride in [0, 8, 23] {
        refuses!(file.bo_sync_at(stride, 1, BadAddress::Kernel), INVAL, " with a stride of {stride}");
    }
    for address in BadAddress::ALL {
        refuses!(file.bo_sync_at(24, 1, address), FAULT, " at {address:?}");
        works!(file.bo_sync_at(24, 0, address));
    }
    Ok(())
}

/// The operations of a `BO_SYNC` are executed in order, until one is refused.
fn bo_sync_stops_at_the_first_refused_op(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    let handle = works!(file.bo_of(P, BO_WB_MMAP, 0));
    let good = BoSyncOp { handle, kind: BO_FLUSH, offset: 0, size: P };
    works!(file.bo_sync(&[good; 100]));
    refuses!(file.bo_sync(&[good, BoSyncOp { handle: 99, ..good }, BoSyncOp { kind: 9, ..good }]), NOENT);
    refuses!(file.bo_sync(&[good, BoSyncOp { kind: 9, ..good }, BoSyncOp { handle: 99, ..good }]), INVAL);
    Ok(())
}

/// `BO_QUERY_INFO` returns the flags that the object was created with, and writes all of the answer.
fn query_info_returns_the_create_flags(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    let vm = works!(file.vm_create());
    for (flags, vm) in [(0, 0), (BO_NO_MMAP, 0), (BO_WB_MMAP, 0), (BO_NO_MMAP, vm), (0, vm)] {
        let handle = works!(file.bo_of(P, flags, vm));
        let wanted = BoQueryInfo { handle, extra_flags: 0, create_flags: flags, pad: 0 };
        same!(works!(file.bo_info(handle)), wanted);
    }
    Ok(())
}

/// A file can have a thousand objects and as many handles.
fn thousand_objects(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    for wanted in 1..=1000 {
        same!(works!(file.bo(P)), wanted);
    }
    for handle in 1..=1000 {
        works!(file.0.gem_close(handle));
    }
    same!(works!(file.bo(P)), 1);
    Ok(())
}

/// Objects of sixty-four megabytes work, with only some pages touched.
fn large_objects(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    let size = 64 << 20;
    let handle = works!(file.bo(size));
    let mapping = works!(file.bo_map(handle, size as usize));
    for at in (0..size as usize).step_by(1 << 20) {
        mapping.write(at, at as u32);
    }
    for at in (0..size as usize).step_by(1 << 20) {
        same!(mapping.read(at), at as u32);
    }
    Ok(())
}
