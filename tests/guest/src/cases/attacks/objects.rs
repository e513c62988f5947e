// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Buffers: beyond their bounds, beyond what is left of their address space or device, of another device.
//!
//! Source: drm_gem.c, drm_gem_shmem_helper.c, drm_gpuvm.c (Linux 7.3).

use crate::attacks::{Test, What, unbind};
use crate::check::Outcome;
use crate::guest::Guest;
use crate::modules;
use crate::uapi::{CLOEXEC, PAGE, RDWR};
use crate::{refuses, same, works};

crate::cases::cases! {
    "attacks":
    object_is_mapped_beyond_its_end within 60, object_is_synced_beyond_its_end within 60,
    object_is_too_large_to_be_mapped within 60, object_of_another_device within 60,
    object_outlives_its_address_space within 60, one_of_everything_outlives_the_device within 60,
    one_of_everything_is_used_late within 60,
}

/// Offsets that overflow. Unchecked, the copies of `VMap` read and write the kernel's memory.
fn object_is_mapped_beyond_its_end(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    for pages in [1, 3] {
        works!(client.run(What::VmapBounds, works!(client.make(pages * PAGE)), 0));
    }
    drop(client);
    test.unload()
}

/// Ranges that overflow, end before they begin, or are of another device's object. Unchecked, memory is flushed that is not
/// the object's.
fn object_is_synced_beyond_its_end(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    works!(client.plugged(What::SyncBounds, works!(client.make(3 * PAGE)), 0));
    works!(unbind(0));
    refuses!(client.plugged(What::SyncBounds, 1, 0), NODEV);
    drop(client);
    test.unload()
}

/// Memory that a file can have and no machine: the list of its pages is larger than what the kernel allocates at once, of
/// which it warns (a panic, where warnings are).
fn object_is_too_large_to_be_mapped(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    for bytes in [1 << 40, 1 << 42, (1 << 62), u64::MAX] {
        let answer = client.run(What::VmapHuge, 0, bytes);
        same!((bytes, answer.is_err()), (bytes, true));
    }
    drop(client);
    test.unload()
}

/// Objects, address spaces and files of two devices of one driver. Mixed, one device's teardown frees what the other uses.
fn object_of_another_device(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    works!(client.plugged(What::Sibling, 0, 0));
    works!(unbind(0));
    drop(client);
    test.unload()
}

/// An object that shares the reservation object of an address space that is gone: freed with it, each lock of the object would
/// be one of freed memory.
fn object_outlives_its_address_space(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    let handle = works!(client.run(What::Exclusive, 0, 0)).handle;
    refuses!(client.0.export(handle, RDWR | CLOEXEC), INVAL);
    let mapping = works!(client.map(handle, PAGE));
    mapping.write(0, 7);
    same!(mapping.read(0), 7);
    works!(client.run(What::VmapBounds, handle, 0));
    works!(unbind(0));
    drop(client);
    same!(mapping.read(0), 7);
    drop(mapping);
    test.unload()
}

/// The device's data keeps an event, a fence and its callback, a mapping, an address space, a request, an object and work of the
/// device; they are used after the file is closed and the device unplugged.
fn one_of_everything_is_used_late(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    for _ in 0..3 {
        works!(client.run(What::Keep, 0, 0));
    }
    works!(client.at_close(What::LetGo, 0));
    works!(unbind(0));
    refuses!(modules::remove("attacks"), AGAIN);
    drop(client);
    test.trace.wait_for("0: data dropped")?;
    same!(test.trace.count("0: kept work runs"), 3);
    same!(test.trace.count("a kept callback runs"), 3);
    same!(test.trace.count("0: at close: 0"), 1);
    test.unload()
}

/// The same in the file's data, which is dropped in the order of its fields when the file is closed, after the unplug.
fn one_of_everything_outlives_the_device(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    for _ in 0..3 {
        works!(client.run(What::Hoard, 0, 0));
    }
    works!(unbind(0));
    same!(test.trace.count("0: data dropped"), 0);
    drop(client);
    test.trace.wait_for("0: data dropped")?;
    same!(test.trace.count("a kept callback runs"), 0);
    test.unload()
}
