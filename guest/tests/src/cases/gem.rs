// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Handles and global names of buffers (L11, L12).
//!
//! Source: `drm_gem_close_ioctl`, `drm_gem_flink_ioctl`, `drm_gem_open_ioctl`,
//! `drm_gem_handle_create_tail` in `drivers/gpu/drm/drm_gem.c` (Linux 7.3).

use uapi::PAGE;

use crate::harness::check::Outcome;
use crate::subjects::guest::Guest;
use crate::{holds, refuses, same, works};

super::cases! {
    "gem":
    close_unknown, close_twice, gem_close_ignores_its_padding, lowest_free_handle_is_used, many_handles,
    name_is_constant, name_of_unknown_handle, open_unknown_name, gem_open_returns_the_size,
    open_makes_a_new_handle_each_time, named_object_is_shared, name_dies_with_the_last_handle,
    names_do_not_outlive_the_file, object_outlives_its_handle,
}

/// Closing an unknown handle fails with `EINVAL`: zero, numbers never given, numbers beyond what can be given.
fn close_unknown(guest: &Guest) -> Outcome {
    for file in [guest.open()?, guest.open_render()?] {
        for unknown in [0, 1, 77, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
            refuses!(file.gem_close(unknown), INVAL);
        }
    }
    let file = guest.open()?;
    works!(file.gem_close(works!(file.pages(1))));
    Ok(())
}

/// Closing a handle twice fails with `EINVAL`.
fn close_twice(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(1));
    works!(file.gem_close(handle));
    refuses!(file.gem_close(handle), INVAL);
    Ok(())
}

/// Any `pad` is accepted. It was never checked, and cannot be now.
fn gem_close_ignores_its_padding(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(1));
    works!(file.ioctl(&uapi::GEM_CLOSE, uapi::GemClose { handle, pad: u32::MAX }));
    Ok(())
}

/// Handles count from 1 and are reused.
fn lowest_free_handle_is_used(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handles: Vec<u32> = works!((0..5).map(|_| file.pages(1)).collect());
    same!(handles, [1, 2, 3, 4, 5]);
    works!(file.gem_close(2));
    works!(file.gem_close(4));
    same!(works!(file.pages(1)), 2);
    Ok(())
}

/// A file can have a thousand buffers, closed in another order than they were made.
fn many_handles(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let mut handles: Vec<u32> = works!((0..1000).map(|_| file.pages(1)).collect());
    fastrand::Rng::with_seed(guest.seed).shuffle(&mut handles);
    for handle in handles {
        works!(file.gem_close(handle));
    }
    refuses!(file.gem_close(1), INVAL);
    Ok(())
}

/// `GEM_FLINK` returns the same name each time. Names are not zero.
fn name_is_constant(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let (first, second) = (works!(file.pages(1)), works!(file.pages(1)));
    let name = works!(file.flink(first));
    same!(works!(file.flink(first)), name);
    holds!(name != 0 && name != works!(file.flink(second)), "each object has a name of its own");
    Ok(())
}

/// `GEM_FLINK` fails with `ENOENT` for a handle that this file does not have.
fn name_of_unknown_handle(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    for unknown in [0, 1, 0x7fff_ffff, u32::MAX] {
        refuses!(file.flink(unknown), NOENT);
    }
    works!(file.flink(works!(file.pages(1))));
    Ok(())
}

/// Opening an unknown name fails with `ENOENT`: zero, names never given, names that are negative as an `int`.
fn open_unknown_name(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    for unknown in [0, 0x0fff_ffff, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
        refuses!(file.gem_open(unknown), NOENT);
    }
    works!(file.gem_open(works!(file.flink(works!(file.pages(1))))));
    Ok(())
}

/// `GEM_OPEN` returns the size in bytes with the handle.
fn gem_open_returns_the_size(guest: &Guest) -> Outcome {
    let (file, other) = (guest.open()?, guest.open()?);
    let name = works!(file.flink(works!(file.pages(3))));
    let got = works!(other.gem_open(name));
    same!((got.handle, got.size), (1, 3 * PAGE as u64));
    Ok(())
}

/// Opening a name twice returns two handles, each to be closed, unlike PRIME.
fn open_makes_a_new_handle_each_time(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let name = works!(file.flink(works!(file.pages(1))));
    let (second, third) = (works!(file.gem_open(name)).handle, works!(file.gem_open(name)).handle);
    same!((second, third), (2, 3));
    for handle in [1, 2, 3] {
        works!(file.gem_close(handle));
    }
    refuses!(file.gem_open(name), NOENT);
    Ok(())
}

/// Two files that share an object by name see each other's writes.
fn named_object_is_shared(guest: &Guest) -> Outcome {
    let (file, other) = (guest.open()?, guest.open()?);
    let handle = works!(file.pages(1));
    let theirs = works!(other.gem_open(works!(file.flink(handle)))).handle;
    works!(file.map(handle, PAGE)).write(40, 0xcafe);
    same!(works!(other.map(theirs, PAGE)).read(40), 0xcafe);
    Ok(())
}

/// The name is freed with the last handle. A mapping keeps the object, but not its name.
fn name_dies_with_the_last_handle(guest: &Guest) -> Outcome {
    let (file, other) = (guest.open()?, guest.open()?);
    let handle = works!(file.pages(1));
    let name = works!(file.flink(handle));
    let mapping = works!(file.map(handle, PAGE));
    works!(file.gem_close(handle));
    refuses!(other.gem_open(name), NOENT);
    mapping.write(0, 5);
    same!(mapping.read(0), 5);
    Ok(())
}

/// The name of a closed file's object is unknown, unless another file opened it.
fn names_do_not_outlive_the_file(guest: &Guest) -> Outcome {
    let (file, other) = (guest.open()?, guest.open()?);
    let name = works!(file.flink(works!(file.pages(1))));
    let theirs = works!(other.gem_open(name)).handle;
    drop(file);
    same!(works!(other.flink(theirs)), name);
    works!(other.gem_close(theirs));
    refuses!(other.gem_open(name), NOENT);
    Ok(())
}

/// L11: mappings, dma-bufs and other files each hold a reference to the object.
fn object_outlives_its_handle(guest: &Guest) -> Outcome {
    let (file, other) = (guest.open()?, guest.open()?);
    let handle = works!(file.pages(1));
    works!(file.map(handle, PAGE)).write(0, 0xabcd);
    let buffer = works!(file.export(handle, uapi::RDWR));
    works!(file.gem_close(handle));
    drop(file);
    let again = works!(other.import(&buffer));
    drop(buffer);
    same!(works!(other.map(again, PAGE)).read(0), 0xabcd);
    Ok(())
}
