// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Buffers that are used beyond their bounds, after their address space or device, or with another device.
//!
//! Source: drm_gem.c, drm_gem_shmem_helper.c, drm_gpuvm.c (Linux 7.3).

use uapi::{CLOEXEC, PAGE, RDWR};

use crate::harness::check::Outcome;
use crate::harness::modules;
use crate::subjects::attacks::{Test, What, unbind};
use crate::subjects::guest::Guest;
use crate::{refuses, same, works};

crate::cases::cases! {
    "attacks":
    object_is_mapped_beyond_its_end within 60, object_is_synced_beyond_its_end within 60,
    object_is_too_large_to_be_mapped within 60, object_of_another_device within 60,
    object_outlives_its_address_space within 60, file_data_with_every_resource_outlives_unbind within 60,
    device_data_uses_every_resource_after_unbind within 60,
}

/// Offsets that overflow are refused. Without the check, the copies of `VMap` would read and write the kernel's memory.
fn object_is_mapped_beyond_its_end(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    for pages in [1, 3] {
        works!(client.run(What::VmapBounds, works!(client.make(pages * PAGE)), 0));
    }
    drop(client);
    test.unload()
}

/// Ranges that overflow, end before they begin, or belong to another device's object are refused. Without the check,
/// memory beyond the object would be flushed.
fn object_is_synced_beyond_its_end(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    works!(client.plugged(What::SyncBounds, works!(client.make(3 * PAGE)), 0));
    works!(unbind(0));
    refuses!(client.plugged(What::SyncBounds, 1, 0), NODEV);
    drop(client);
    test.unload()
}

/// A size that a file can have but no machine's memory is refused. The list of its pages would be larger than a single
/// allocation, and the kernel would warn (a panic with `panic_on_warn`).
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

/// Objects, address spaces and files of two devices of one driver are kept apart. If they were mixed, one device's
/// teardown would free what the other uses.
fn object_of_another_device(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    works!(client.plugged(What::Sibling, 0, 0));
    works!(unbind(0));
    drop(client);
    test.unload()
}

/// An object that shares an address space's reservation object outlives it. If the reservation object were freed with
/// the address space, each lock of the object would use freed memory.
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

/// The device's data keeps an event, a fence and its callback, a mapping, an address space, a request, an object and
/// work of the device. They are used after the file is closed and the device unplugged.
fn device_data_uses_every_resource_after_unbind(guest: &Guest) -> Outcome {
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

/// The file's data keeps a resource of each kind. It is dropped in the order of its fields when the file is closed,
/// after the unbind.
fn file_data_with_every_resource_outlives_unbind(guest: &Guest) -> Outcome {
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
