// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Imports of buffers that other parts of the kernel made: a memfd's pages and the system heap (L12).
//!
//! Source: `drm_gem_prime_import_dev` in `drivers/gpu/drm/drm_prime.c`, `drm_gem_shmem_mmap` in
//! `drm_gem_shmem_helper.c`, `drivers/dma-buf/udmabuf.c`, `heaps/system_heap.c` (Linux 7.3).

use std::os::fd::OwnedFd;

use rustix::event::PollFlags;
use sys::{Answer, Mapping};
use uapi::{CLOEXEC, FENCE_WRITE, PAGE, RDWR};

use crate::harness::check::{Outcome, lacks};
use crate::subjects::device::{self, DrmFile};
use crate::subjects::guest::Guest;
use crate::{refuses, same, works};

super::cases! {
    "foreign":
    import_memory, import_heap, is_not_mapped_as_dumb, imported_twice_is_one_handle, exported_is_the_original,
    imported_by_two_files, gem_open_returns_the_size_of_an_import, mapped_through_the_node,
    heap_mapped_through_the_node, mapped_beyond_the_end, fence_reaches_the_exporter, outlives_the_descriptor,
    many_imports, wrong_descriptors_leave_nothing,
}

/// Creates a dma-buf of a memfd. Also returns a mapping of its memory.
fn memory_buffer(pages: usize) -> Outcome<(OwnedFd, Mapping)> {
    let memory = works!(sys::memory_file(pages * PAGE));
    let mapping = works!(Mapping::shared(&memory, 0, pages * PAGE));
    match device::udmabuf(&memory, pages * PAGE) {
        Ok(buffer) => Ok((buffer, mapping)),
        Err(rustix::io::Errno::NOENT) => lacks("this kernel has no /dev/udmabuf"),
        Err(errno) => crate::harness::check::fail(format!("udmabuf: {errno}")),
    }
}

fn heap_buffer(pages: usize) -> Outcome<OwnedFd> {
    match device::heap_buffer(pages * PAGE) {
        Ok(buffer) => Ok(buffer),
        Err(rustix::io::Errno::NOENT) => lacks("this kernel has no system heap"),
        Err(errno) => crate::harness::check::fail(format!("system heap: {errno}")),
    }
}

fn inode(fd: &OwnedFd) -> Answer<u64> {
    Ok(rustix::fs::fstat(fd)?.st_ino)
}

/// Pages of a memfd can be imported as a buffer of the device, on either node.
fn import_memory(guest: &Guest) -> Outcome {
    let (buffer, _memory) = memory_buffer(3)?;
    for file in [guest.open()?, guest.open_render()?] {
        let handle = works!(file.import(&buffer));
        works!(file.gem_close(handle));
        refuses!(file.gem_close(handle), INVAL);
    }
    Ok(())
}

/// A buffer of the system heap can be imported, on either node.
fn import_heap(guest: &Guest) -> Outcome {
    let buffer = heap_buffer(5)?;
    for file in [guest.open()?, guest.open_render()?] {
        works!(file.gem_close(works!(file.import(&buffer))));
    }
    Ok(())
}

/// `MODE_MAP_DUMB` of an import fails with `EINVAL`: it is mapped through its own descriptor.
fn is_not_mapped_as_dumb(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let (buffer, _memory) = memory_buffer(1)?;
    refuses!(file.map_offset(works!(file.import(&buffer))), INVAL);
    refuses!(file.map_offset(works!(file.import(&heap_buffer(1)?))), INVAL);
    works!(file.map_offset(works!(file.pages(1))));
    Ok(())
}

/// Importing a buffer again returns the handle that the file already has.
fn imported_twice_is_one_handle(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let (buffer, _memory) = memory_buffer(1)?;
    let handle = works!(file.import(&buffer));
    same!(works!(file.import(&buffer)), handle);
    works!(file.gem_close(handle));
    same!(works!(file.import(&buffer)), handle);
    Ok(())
}

/// Exporting an import returns the exporter's dma-buf, not one around it.
fn exported_is_the_original(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    for buffer in [memory_buffer(1)?.0, heap_buffer(1)?] {
        let again = works!(file.export(works!(file.import(&buffer)), CLOEXEC | RDWR));
        same!(works!(inode(&again)), works!(inode(&buffer)));
    }
    Ok(())
}

/// Two files that import a buffer each have an object of their own around the same memory, as PRIME does it.
fn imported_by_two_files(guest: &Guest) -> Outcome {
    let (file, other) = (guest.open()?, guest.open()?);
    let (buffer, _memory) = memory_buffer(1)?;
    let (mine, theirs) = (works!(file.import(&buffer)), works!(other.import(&buffer)));
    same!(works!(file.flink(mine)) == works!(other.flink(theirs)), false);
    works!(file.gem_close(mine));
    works!(other.export(theirs, CLOEXEC));
    Ok(())
}

/// An import has a global name and a size like any object.
fn gem_open_returns_the_size_of_an_import(guest: &Guest) -> Outcome {
    let (file, other) = (guest.open()?, guest.open()?);
    let (buffer, _memory) = memory_buffer(7)?;
    let name = works!(file.flink(works!(file.import(&buffer))));
    same!(works!(other.gem_open(name)).size, 7 * PAGE as u64);
    Ok(())
}

/// Imports a one-page buffer into the offset that a freed one-page buffer leaves.
///
/// An import has an offset too, which no ioctl returns. A client can guess it, so mapping there must be safe.
fn import_at_known_offset(file: &DrmFile, buffer: &OwnedFd) -> Outcome<u64> {
    let handles = [works!(file.pages(1)), works!(file.pages(1)), works!(file.pages(1))];
    let offset = works!(file.map_offset(handles[1]));
    works!(file.gem_close(handles[1]));
    works!(file.import(buffer));
    Ok(offset)
}

/// A mapping of an import through the node shows the exporter's pages, both ways.
fn mapped_through_the_node(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let (buffer, memory) = memory_buffer(1)?;
    memory.write(12, 0xaffe);
    let offset = import_at_known_offset(&file, &buffer)?;
    let mapping = works!(Mapping::shared(&file, offset, PAGE));
    same!(mapping.read(12), 0xaffe);
    mapping.write(16, 0xface);
    same!(memory.read(16), 0xface);
    drop((file, buffer));
    same!(mapping.read(12), 0xaffe);
    Ok(())
}

/// The same holds for a buffer whose pages are mapped at once instead of by faults.
fn heap_mapped_through_the_node(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let buffer = heap_buffer(1)?;
    let direct = works!(Mapping::shared(&buffer, 0, PAGE));
    let offset = import_at_known_offset(&file, &buffer)?;
    let mapping = works!(Mapping::shared(&file, offset, PAGE));
    direct.write(0, 0x1dea);
    same!(mapping.read(0), 0x1dea);
    mapping.write(4, 2);
    same!(direct.read(4), 2);
    Ok(())
}

/// Wrong mappings of an import fail with `EINVAL` and `EACCES`, as for the file's own buffers.
fn mapped_beyond_the_end(guest: &Guest) -> Outcome {
    let (file, other) = (guest.open()?, guest.open()?);
    let (buffer, _memory) = memory_buffer(1)?;
    let offset = import_at_known_offset(&file, &buffer)?;
    refuses!(Mapping::shared(&file, offset, 2 * PAGE), INVAL);
    refuses!(Mapping::shared(&other, offset, PAGE), ACCESS);
    works!(Mapping::shared(&file, offset, PAGE));
    Ok(())
}

/// An import shares the exporter's reservation object, so a fence on it blocks the foreign buffer.
fn fence_reaches_the_exporter(guest: &Guest) -> Outcome {
    let file = guest.open_render()?;
    for buffer in [memory_buffer(1)?.0, heap_buffer(1)?] {
        let fence = works!(file.attach(works!(file.import(&buffer)), FENCE_WRITE));
        same!(works!(device::readable_now(&buffer)), false);
        same!(works!(device::writable_now(&buffer)), false);
        works!(file.signal(fence));
        let both = PollFlags::IN | PollFlags::OUT;
        same!(works!(sys::poll(&buffer, both, 0)), both);
    }
    Ok(())
}

/// The import keeps the foreign buffer when its descriptor is closed.
fn outlives_the_descriptor(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let (buffer, memory) = memory_buffer(2)?;
    memory.write(PAGE, 0x600d);
    let handle = works!(file.import(&buffer));
    drop(buffer);
    let again = works!(file.export(handle, RDWR));
    same!(works!(Mapping::shared(&again, 0, 2 * PAGE)).read(PAGE), 0x600d);
    Ok(())
}

/// Many imports succeed: attaching and detaching leaves nothing behind that would make a later one fail.
fn many_imports(guest: &Guest) -> Outcome {
    let file = guest.open_render()?;
    for round in 1..=100 {
        let buffer = if round % 2 == 0 { heap_buffer(2)? } else { memory_buffer(2)?.0 };
        let handle = works!(file.import(&buffer));
        drop(buffer);
        works!(file.gem_close(handle));
    }
    same!(works!(file.import(&heap_buffer(1)?)), 1);
    Ok(())
}

/// A refused import takes no handle.
fn wrong_descriptors_leave_nothing(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    refuses!(file.import(&works!(sys::memory_file(PAGE))), INVAL);
    refuses!(file.import_number(-1), BADF);
    same!(works!(file.pages(1)), 1);
    Ok(())
}
