// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Shares buffers as file descriptors, and imports a device's own buffers (L12).
//!
//! Source: `drivers/gpu/drm/drm_prime.c` (Linux 7.3).

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::fs::OFlags;
use rustix::io::FdFlags;
use rustix::mm::{MapFlags, ProtFlags};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sys::{Answer, Mapping};
use uapi::{CLOEXEC, PAGE, RDWR};

use crate::harness::check::Outcome;
use crate::subjects::device::DrmFile;
use crate::subjects::guest::Guest;
use crate::{refuses, same, works};

super::cases! {
    "prime":
    wrong_flags, unknown_handles, closed_handle, close_on_exec, reading_and_writing,
    first_export_decides, no_descriptor_left, exported_twice_is_one_buffer, import_of_no_descriptor,
    import_of_other_files, own_buffer_gives_own_handle, imported_twice_is_one_handle,
    import_into_another_file, import_after_close, imported_is_exported_as_the_same,
    import_on_the_render_node, name_of_an_imported_object, outlives_handle_and_file,
    handle_closed_while_exported, many_round_trips,
}

/// Returns an identity that is equal for descriptors of the same open object.
fn inode(fd: impl AsFd) -> Answer<(u64, u64)> {
    let stat = rustix::fs::fstat(fd)?;
    Ok((stat.st_dev, stat.st_ino))
}

/// Flags other than `DRM_CLOEXEC` and `DRM_RDWR` fail with `EINVAL`, before the handle is checked.
fn wrong_flags(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(1));
    for flags in [1, 3, 4, 0o4000, 0x8000_0000, u32::MAX, CLOEXEC | RDWR | 1] {
        refuses!(file.export(handle, flags), INVAL);
        refuses!(file.export(0, flags), INVAL);
    }
    for flags in [0, CLOEXEC, RDWR, CLOEXEC | RDWR] {
        works!(file.export(handle, flags));
    }
    Ok(())
}

/// Exporting zero or a handle that was never given fails with `ENOENT`.
fn unknown_handles(guest: &Guest) -> Outcome {
    for file in [guest.open()?, guest.open_render()?] {
        for unknown in [0, 1, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
            refuses!(file.export(unknown, CLOEXEC), NOENT);
        }
    }
    let file = guest.open()?;
    works!(file.export(works!(file.pages(1)), CLOEXEC));
    Ok(())
}

/// Exporting a closed handle fails with `ENOENT`, whether it was exported before or not.
fn closed_handle(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let (first, second) = (works!(file.pages(1)), works!(file.pages(1)));
    let _buffer = works!(file.export(first, CLOEXEC));
    for handle in [first, second] {
        works!(file.gem_close(handle));
        refuses!(file.export(handle, CLOEXEC), NOENT);
    }
    Ok(())
}

/// `DRM_CLOEXEC` is a property of the descriptor, so each export decides.
fn close_on_exec(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(1));
    let (kept, closed) = (works!(file.export(handle, 0)), works!(file.export(handle, CLOEXEC)));
    same!(works!(rustix::io::fcntl_getfd(kept)), FdFlags::empty());
    same!(works!(rustix::io::fcntl_getfd(closed)), FdFlags::CLOEXEC);
    Ok(())
}

/// Without `DRM_RDWR` a writable mapping of the buffer fails with `EACCES`.
fn reading_and_writing(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let readable = works!(file.export(works!(file.pages(1)), 0));
    refuses!(Mapping::shared(&readable, 0, PAGE), ACCESS);
    let mapping = Mapping::new(&readable, 0, PAGE, ProtFlags::READ, MapFlags::SHARED);
    same!(works!(mapping).read(0), 0);
    let writable = works!(file.export(works!(file.pages(1)), RDWR));
    works!(Mapping::shared(&writable, 0, PAGE)).write(0, 1);
    Ok(())
}

/// A buffer has one dma-buf: a later export with other access returns the first one.
fn first_export_decides(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(1));
    let _readable = works!(file.export(handle, 0));
    let again = works!(file.export(handle, RDWR));
    same!(works!(rustix::fs::fcntl_getfl(&again)) & OFlags::ACCMODE, OFlags::RDONLY);
    refuses!(Mapping::shared(&again, 0, PAGE), ACCESS);
    Ok(())
}

/// Without a free descriptor an export fails with `EMFILE`; afterwards it works.
fn no_descriptor_left(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(1));
    let before = getrlimit(Resource::Nofile);
    let first_free = works!(rustix::io::dup(&file)).as_raw_fd();
    let full = Rlimit { current: Some(first_free as u64), maximum: before.maximum };
    works!(setrlimit(Resource::Nofile, full));
    refuses!(file.export(handle, CLOEXEC), MFILE);
    works!(setrlimit(Resource::Nofile, before));
    works!(file.export(handle, CLOEXEC));
    Ok(())
}

/// Two exports of a handle return two descriptors of one buffer.
fn exported_twice_is_one_buffer(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let (handle, other) = (works!(file.pages(1)), works!(file.pages(1)));
    let first = works!(inode(works!(file.export(handle, CLOEXEC))));
    same!(works!(inode(works!(file.export(handle, CLOEXEC)))), first);
    same!(works!(inode(works!(file.export(other, CLOEXEC)))) == first, false);
    Ok(())
}

/// Importing a number that is not open fails with `EBADF`.
fn import_of_no_descriptor(guest: &Guest) -> Outcome {
    for file in [guest.open()?, guest.open_render()?] {
        for number in [-1, i32::MIN, i32::MAX, 1000] {
            refuses!(file.import_number(number), BADF);
        }
    }
    let file = guest.open()?;
    works!(guest.open_render()?.import(&works!(file.export(works!(file.pages(1)), CLOEXEC))));
    Ok(())
}

/// Importing a descriptor that is no dma-buf fails with `EINVAL`.
fn import_of_other_files(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    refuses!(file.import(&works!(sys::memory_file(PAGE))), INVAL);
    refuses!(file.import(&works!(sys::open("/dev/null", OFlags::RDWR))), INVAL);
    refuses!(file.import(&works!(rustix::pipe::pipe()).0), INVAL);
    refuses!(file.import_number(file.as_fd().as_raw_fd()), INVAL);
    refuses!(file.import(&works!(sys::open("/", OFlags::PATH))), BADF);
    works!(file.import(&works!(file.export(works!(file.pages(1)), CLOEXEC))));
    Ok(())
}

/// Importing a file's own export returns the handle that was exported.
fn own_buffer_gives_own_handle(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handles = [works!(file.pages(1)), works!(file.pages(1))];
    for handle in handles {
        let buffer = works!(file.export(handle, CLOEXEC));
        same!(works!(file.import(&buffer)), handle);
        same!(works!(file.import(&buffer)), handle);
    }
    works!(file.gem_close(handles[0]));
    refuses!(file.gem_close(handles[0]), INVAL);
    Ok(())
}

/// Importing a buffer repeatedly returns the same handle, and one close frees it.
fn imported_twice_is_one_handle(guest: &Guest) -> Outcome {
    let (file, other) = (guest.open()?, guest.open()?);
    let buffer = works!(file.export(works!(file.pages(1)), CLOEXEC));
    let handle = works!(other.import(&buffer));
    same!(works!(other.import(&buffer)), handle);
    works!(other.gem_close(handle));
    refuses!(other.gem_close(handle), INVAL);
    Ok(())
}

/// Another file of the device gets a handle of its own to the same memory.
fn import_into_another_file(guest: &Guest) -> Outcome {
    let (file, other) = (guest.open()?, guest.open()?);
    works!(other.pages(1));
    let handle = works!(file.pages(1));
    let theirs = works!(other.import(&works!(file.export(handle, CLOEXEC))));
    same!((handle, theirs), (1, 2));
    works!(file.map(handle, PAGE)).write(16, 0xbeef);
    same!(works!(other.map(theirs, PAGE)).read(16), 0xbeef);
    Ok(())
}

/// The dma-buf keeps the memory when all handles are closed.
fn import_after_close(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(1));
    works!(file.map(handle, PAGE)).write(16, 0xbeef);
    let buffer = works!(file.export(handle, CLOEXEC));
    works!(file.gem_close(handle));
    let again = works!(file.import(&buffer));
    same!(works!(file.map(again, PAGE)).read(16), 0xbeef);
    Ok(())
}

/// Exporting an imported buffer returns the buffer that was imported.
fn imported_is_exported_as_the_same(guest: &Guest) -> Outcome {
    let (file, other) = (guest.open()?, guest.open()?);
    let buffer = works!(file.export(works!(file.pages(1)), CLOEXEC));
    let theirs = works!(other.import(&buffer));
    same!(works!(inode(works!(other.export(theirs, CLOEXEC)))), works!(inode(&buffer)));
    Ok(())
}

/// Export and import work on the render node.
fn import_on_the_render_node(guest: &Guest) -> Outcome {
    let (file, render) = (guest.open()?, guest.open_render()?);
    let handle = works!(file.pages(1));
    let buffer = works!(file.export(handle, RDWR));
    let theirs = works!(render.import(&buffer));
    let back = works!(render.export(theirs, RDWR));
    same!(works!(file.import(&back)), handle);
    Ok(())
}

/// A global name leads to the object itself, not to a second one around the same memory.
fn name_of_an_imported_object(guest: &Guest) -> Outcome {
    let (file, other) = (guest.open()?, guest.open()?);
    let handle = works!(file.pages(1));
    let theirs = works!(other.import(&works!(file.export(handle, CLOEXEC))));
    same!(works!(other.flink(theirs)), works!(file.flink(handle)));
    Ok(())
}

/// L11: the dma-buf holds references to the object and the device when everything else is closed.
fn outlives_handle_and_file(guest: &Guest) -> Outcome {
    let buffer = exported_with(&guest.open()?, 0x5eed)?;
    let mapping = works!(Mapping::shared(&buffer, 0, PAGE));
    same!(mapping.read(0), 0x5eed);
    drop(buffer);
    mapping.write(4, 1);
    same!((mapping.read(0), mapping.read(4)), (0x5eed, 1));
    Ok(())
}

fn exported_with(file: &DrmFile, value: u32) -> Outcome<OwnedFd> {
    let handle = works!(file.pages(1));
    works!(file.map(handle, PAGE)).write(0, value);
    Ok(works!(file.export(handle, RDWR)))
}

/// Closing the handle drops the cached dma-buf: a later export is a different one.
fn handle_closed_while_exported(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let first = exported_with(&file, 1)?;
    works!(file.gem_close(1));
    let second = exported_with(&file, 2)?;
    same!(works!(inode(&first)) == works!(inode(&second)), false);
    same!(works!(Mapping::shared(&first, 0, PAGE)).read(0), 1);
    same!(works!(Mapping::shared(&second, 0, PAGE)).read(0), 2);
    Ok(())
}

/// Many round trips of export, import and close succeed: nothing accumulates that would fail.
fn many_round_trips(guest: &Guest) -> Outcome {
    let (file, other) = (guest.open()?, guest.open_render()?);
    for _ in 0..300 {
        let handle = works!(file.pages(1));
        let buffer = works!(file.export(handle, uapi::CLOEXEC));
        let theirs = works!(other.import(&buffer));
        works!(file.gem_close(handle));
        works!(other.gem_close(theirs));
    }
    same!(works!(file.pages(1)), 1);
    Ok(())
}
