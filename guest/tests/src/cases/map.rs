// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Mappings of buffers through the node, and accesses to them (L6, L11).
//!
//! Source: `drm_gem_mmap`, `drm_gem_object_lookup_at_offset` in `drivers/gpu/drm/drm_gem.c`, `drm_gem_shmem_mmap` in
//! `drm_gem_shmem_helper.c` (Linux 7.3), mmap(2).

use rustix::fs::OFlags;
use rustix::mm::{MapFlags, ProtFlags};
use sys::Mapping;
use uapi::PAGE;

use crate::harness::check::{Outcome, fail};
use crate::subjects::guest::Guest;
use crate::{holds, refuses, same, works};

super::cases! {
    "map":
    fresh_buffer_is_zero, every_page_is_its_own, large_buffer, offset_of_nothing,
    unaligned_offset, zero_length, beyond_the_end, part_of_a_buffer, middle_of_a_buffer,
    other_files_buffer, render_file_with_a_handle, closed_handle, private_mapping,
    read_only_mapping, read_only_file, growing, unmapping_a_part, unmapping_the_front_moves_the_pages, keeps_the_buffer, keeps_the_file,
    inherited_by_a_forked_copy, kernel_copies_into_it, mapped_twice, memory_is_given_back within 60,
}

/// A fresh buffer is zero: it shows no data of other processes.
fn fresh_buffer_is_zero(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    for _ in 0..8 {
        let handle = works!(file.pages(4));
        let mapping = works!(file.map(handle, 4 * PAGE));
        for at in (0..4 * PAGE).step_by(4) {
            same!(mapping.read(at), 0);
            mapping.write(at, u32::MAX);
        }
        drop(mapping);
        works!(file.gem_close(handle));
    }
    Ok(())
}

/// Faults in any order give each address its own page.
fn every_page_is_its_own(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(64));
    let mapping = works!(file.map(handle, 64 * PAGE));
    let mut order: Vec<usize> = (0..64).collect();
    fastrand::Rng::with_seed(guest.seed).shuffle(&mut order);
    for page in &order {
        mapping.write(page * PAGE + 4 * page, *page as u32 + 1);
    }
    for page in 0..64 {
        same!(mapping.read(page * PAGE + 4 * page), page as u32 + 1);
    }
    Ok(())
}

/// A buffer of 8 MiB works, touched at both ends of each MiB.
fn large_buffer(guest: &Guest) -> Outcome {
    const MIB: usize = 1 << 20;
    let file = guest.open()?;
    let handle = works!(file.pages(2048));
    let mapping = works!(file.map(handle, 8 * MIB));
    for at in (0..8).flat_map(|mib| [mib * MIB, (mib + 1) * MIB - 4]) {
        mapping.write(at, at as u32 | 1);
    }
    for at in (0..8).flat_map(|mib| [mib * MIB, (mib + 1) * MIB - 4]) {
        same!(mapping.read(at), at as u32 | 1);
    }
    Ok(())
}

/// An offset without a buffer, such as 0, fails with `EINVAL`.
fn offset_of_nothing(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let end = works!(file.map_offset(works!(file.pages(1)))) + PAGE as u64;
    for offset in [0, PAGE as u64, end, 1 << 43] {
        refuses!(Mapping::shared(&file, offset, PAGE), INVAL);
    }
    works!(Mapping::shared(&file, end - PAGE as u64, PAGE));
    Ok(())
}

/// An offset that is not a multiple of the page size fails with `EINVAL`, by mmap(2) itself.
fn unaligned_offset(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let offset = works!(file.map_offset(works!(file.pages(2))));
    for more in [1, 4, 512, 4095] {
        refuses!(Mapping::shared(&file, offset + more, PAGE), INVAL);
    }
    works!(Mapping::shared(&file, offset, PAGE));
    Ok(())
}

/// An empty mapping fails with `EINVAL`.
fn zero_length(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let offset = works!(file.map_offset(works!(file.pages(1))));
    refuses!(Mapping::shared(&file, offset, 0), INVAL);
    works!(Mapping::shared(&file, offset, PAGE));
    Ok(())
}

/// A mapping beyond the end of its buffer fails with `EINVAL`, even if another buffer follows.
fn beyond_the_end(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let (first, second) = (works!(file.pages(1)), works!(file.pages(1)));
    for handle in [first, second] {
        let offset = works!(file.map_offset(handle));
        refuses!(Mapping::shared(&file, offset, PAGE + 1), INVAL);
        refuses!(Mapping::shared(&file, offset, 2 * PAGE), INVAL);
        works!(Mapping::shared(&file, offset, PAGE));
    }
    Ok(())
}

/// The beginning of a buffer can be mapped alone.
fn part_of_a_buffer(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(4));
    let offset = works!(file.map_offset(handle));
    works!(Mapping::shared(&file, offset, PAGE)).write(0, 1);
    works!(Mapping::shared(&file, offset, 3 * PAGE)).write(2 * PAGE, 3);
    let whole = works!(file.map(handle, 4 * PAGE));
    same!((whole.read(0), whole.read(2 * PAGE)), (1, 3));
    Ok(())
}

/// An offset within a buffer fails with `EINVAL`: an offset identifies a buffer, not a place in it.
fn middle_of_a_buffer(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let offset = works!(file.map_offset(works!(file.pages(4))));
    refuses!(Mapping::shared(&file, offset + PAGE as u64, PAGE), INVAL);
    refuses!(Mapping::shared(&file, offset + 3 * PAGE as u64, PAGE), INVAL);
    works!(Mapping::shared(&file, offset, PAGE));
    Ok(())
}

/// The offset of a buffer for which this file has no handle fails with `EACCES`.
fn other_files_buffer(guest: &Guest) -> Outcome {
    let (file, other, render) = (guest.open()?, guest.open()?, guest.open_render()?);
    let offset = works!(file.map_offset(works!(file.pages(1))));
    refuses!(Mapping::shared(&other, offset, PAGE), ACCESS);
    refuses!(Mapping::shared(&render, offset, PAGE), ACCESS);
    works!(Mapping::shared(&file, offset, PAGE));
    Ok(())
}

/// A file of the render node can map a buffer for which it has a handle.
fn render_file_with_a_handle(guest: &Guest) -> Outcome {
    let (file, render) = (guest.open()?, guest.open_render()?);
    let handle = works!(file.pages(1));
    let offset = works!(file.map_offset(handle));
    let theirs = works!(render.import(&works!(file.export(handle, 0))));
    works!(Mapping::shared(&render, offset, PAGE)).write(0, 9);
    same!(works!(Mapping::shared(&file, offset, PAGE)).read(0), 9);
    works!(render.gem_close(theirs));
    refuses!(Mapping::shared(&render, offset, PAGE), ACCESS);
    Ok(())
}

/// The offset of a closed handle fails with `EINVAL` once the buffer is freed, and with `EACCES` while something else
/// keeps it.
fn closed_handle(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(1));
    let offset = works!(file.map_offset(handle));
    let mapping = works!(Mapping::shared(&file, offset, PAGE));
    works!(file.gem_close(handle));
    refuses!(Mapping::shared(&file, offset, PAGE), ACCESS);
    drop(mapping);
    refuses!(Mapping::shared(&file, offset, PAGE), INVAL);
    Ok(())
}

/// A private mapping fails with `EINVAL`, since device memory cannot be copied on write.
fn private_mapping(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let offset = works!(file.map_offset(works!(file.pages(1))));
    for protection in [ProtFlags::READ, ProtFlags::READ | ProtFlags::WRITE] {
        refuses!(Mapping::new(&file, offset, PAGE, protection, MapFlags::PRIVATE), INVAL);
        works!(Mapping::new(&file, offset, PAGE, protection, MapFlags::SHARED));
    }
    Ok(())
}

/// A write to a read-only mapping causes SIGSEGV; a read works.
fn read_only_mapping(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let offset = works!(file.map_offset(works!(file.pages(1))));
    let mapping = works!(Mapping::new(&file, offset, PAGE, ProtFlags::READ, MapFlags::SHARED));
    same!(mapping.read(0), 0);
    let status = works!(sys::in_forked_copy(|| {
        mapping.write(0, 1);
        true
    }));
    same!(sys::ended_by(status), Some(libc::SIGSEGV));
    same!(mapping.read(0), 0);
    Ok(())
}

/// A writable mapping through a file that was opened for reading fails with `EACCES`.
fn read_only_file(guest: &Guest) -> Outcome {
    let fd = works!(sys::open(guest.nodes()?.primary, OFlags::RDONLY));
    let file = crate::subjects::device::DrmFile::from(fd);
    let offset = works!(file.map_offset(works!(file.pages(1))));
    refuses!(Mapping::shared(&file, offset, PAGE), ACCESS);
    let mapping = works!(Mapping::new(&file, offset, PAGE, ProtFlags::READ, MapFlags::SHARED));
    same!(mapping.read(PAGE - 4), 0);
    Ok(())
}

/// Growing a mapping fails with `EFAULT`.
fn growing(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(2));
    let mut mapping = works!(file.map(handle, PAGE));
    refuses!(mapping.grow(2 * PAGE), FAULT);
    mapping.write(0, 1);
    Ok(())
}

/// After unmapping the end, the rest can be used, touched before or not.
fn unmapping_a_part(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(4));
    let mut mapping = works!(file.map(handle, 4 * PAGE));
    mapping.write(PAGE, 2);
    mapping.write(3 * PAGE, 4);
    works!(mapping.shrink(2 * PAGE));
    mapping.write(0, 1);
    let whole = works!(file.map(handle, 4 * PAGE));
    same!((whole.read(0), whole.read(PAGE), whole.read(3 * PAGE)), (1, 2, 4));
    Ok(())
}

/// After unmapping the front, the rest shows the first pages: the shmem helper counts pages from the start of the
/// mapping. (2, 3) would be right. This is a kernel bug that does no harm beyond the client's own buffer.
fn unmapping_the_front_moves_the_pages(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(3));
    let whole = works!(file.map(handle, 3 * PAGE));
    (0..3).for_each(|page| whole.write(page * PAGE, page as u32 + 1));
    let mut mapping = works!(file.map(handle, 3 * PAGE));
    works!(mapping.cut_front(PAGE));
    same!((mapping.read(0), mapping.read(PAGE)), (1, 2));
    Ok(())
}

/// L11: a mapping outlives its handle, faults included.
fn keeps_the_buffer(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(2));
    let mapping = works!(file.map(handle, 2 * PAGE));
    mapping.write(0, 1);
    works!(file.gem_close(handle));
    mapping.write(PAGE, 2);
    same!((mapping.read(0), mapping.read(PAGE)), (1, 2));
    Ok(())
}

/// A mapping outlives its file, faults included.
fn keeps_the_file(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(2));
    let mapping = works!(file.map(handle, 2 * PAGE));
    mapping.write(0, 1);
    drop(file);
    mapping.write(PAGE, 2);
    same!((mapping.read(0), mapping.read(PAGE)), (1, 2));
    Ok(())
}

/// A forked copy shares the pages, and can unmap its mapping without effect on the original.
fn inherited_by_a_forked_copy(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(2));
    let mapping = works!(file.map(handle, 2 * PAGE));
    mapping.write(0, 1);
    let status = works!(sys::in_forked_copy(|| {
        mapping.write(PAGE, mapping.read(0) + 1);
        true
    }));
    same!(status, 0);
    same!((mapping.read(0), mapping.read(PAGE)), (1, 2));
    Ok(())
}

/// read(2) works into a page that was not touched before.
fn kernel_copies_into_it(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(1));
    let mapping = works!(file.map(handle, PAGE));
    let (reader, writer) = works!(rustix::pipe::pipe());
    works!(rustix::io::write(&writer, &[7; 64]));
    same!(works!(mapping.fill_from(&reader, 64)), 64);
    same!((mapping.read(60), mapping.read(64)), (0x0707_0707, 0));
    Ok(())
}

/// Two mappings of one buffer show the same memory.
fn mapped_twice(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(1));
    let (first, second) = (works!(file.map(handle, PAGE)), works!(file.map(handle, PAGE)));
    first.write(8, 0x1234);
    drop(first);
    same!(second.read(8), 0x1234);
    same!(works!(file.export(handle, uapi::RDWR).and_then(|buffer| Mapping::shared(buffer, 0, PAGE))).read(8), 0x1234);
    Ok(())
}

/// Returns the kernel's count of shared memory, in KiB. It may lag by some hundred pages per processor.
fn shared_memory() -> Outcome<u64> {
    let text = std::fs::read_to_string("/proc/meminfo")?;
    let row = text.lines().find_map(|line| line.strip_prefix("Shmem:"));
    match row.and_then(|row| row.trim().strip_suffix(" kB")?.parse().ok()) {
        Some(count) => Ok(count),
        None => fail(format!("no `Shmem` in {text:?}")),
    }
}

/// A mapping allocates the buffer's 64 MiB all at once, and they are freed with the last reference.
fn memory_is_given_back(guest: &Guest) -> Outcome {
    const LEN: usize = 64 << 20;
    const MOST: u64 = (LEN as u64 >> 10) / 8 * 7;
    let (file, other) = (guest.open()?, guest.open()?);
    let before = shared_memory()?;
    let handle = works!(file.pages((LEN / PAGE) as u32));
    let theirs = works!(other.import(&works!(file.export(handle, 0))));
    works!(file.map(handle, LEN)).write(LEN - 4, 1);
    holds!(shared_memory()? >= before + MOST, "the pages of the buffer are counted");
    works!(file.gem_close(handle));
    holds!(shared_memory()? >= before + MOST, "the other file's handle keeps them");
    works!(other.gem_close(theirs));
    holds!(shared_memory()? < before + MOST / 7, "all pages are free again");
    Ok(())
}
