// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Objects of another device, of another file, and of wrong sizes (L12, L13).
//!
//! Source: docs/reference/obligations.md for the obligations, whose numbers begin the names.

use std::os::fd::OwnedFd;

use uapi::{CLOEXEC, PAGE, RDWR};

use crate::harness::check::Outcome;
use crate::subjects::guest::Guest;
use crate::subjects::lifecycle::{DMA, EARLY, Kept, Test, VMAP, bind, unbind};
use crate::{refuses, same, works};

crate::cases::cases! {
    "lifecycle":
    l12_object_of_another_device_gets_no_handle, l12_object_of_another_device_is_not_mapped,
    l12_object_of_another_device_is_in_no_address_space,
    l12_handles_belong_to_their_file, l12_dma_buf_of_another_device_is_foreign,
    l12_older_dma_buf_of_the_same_object, l12_file_without_sync_objects, l13_sizes,
}

/// An object of the same class on another device gets no handle: EINVAL.
fn l12_object_of_another_device_gets_no_handle(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let (client, other) = (test.open(0)?, test.open(1)?);
    works!(client.keep_object(works!(client.object(PAGE as u64))));
    refuses!(other.kept(Kept::Handle, 0), INVAL);
    let again = works!(client.kept(Kept::Handle, 0)).handle;
    same!(works!(client.device_of(again)), 0);
    // A second file of the same device is not another device.
    let second = test.open(0)?;
    same!(works!(second.device_of(works!(second.kept(Kept::Handle, 0)).handle)), 0);
    works!(client.let_go());
    drop((client, other, second));
    test.unload()
}

/// An object of another device is not mapped for DMA (EINVAL): the proof that one device is plugged does not cover the
/// other.
fn l12_object_of_another_device_is_not_mapped(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let (client, other) = (test.open(0)?, test.open(1)?);
    works!(client.keep_object(works!(client.object(PAGE as u64))));
    refuses!(other.kept(Kept::Dma, 0), INVAL);
    works!(client.kept(Kept::Dma, 0));
    works!(unbind(0));
    refuses!(other.kept(Kept::Dma, 0), INVAL);
    works!(bind(0));
    // The new device 0 is not the object's device either.
    refuses!(test.open(0)?.kept(Kept::Dma, 0), INVAL);
    works!(other.let_go());
    drop((client, other));
    test.unload()
}

/// An address space maps only objects of its own device (EINVAL), since its steps rely on the device.
fn l12_object_of_another_device_is_in_no_address_space(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let (client, other) = (test.open(0)?, test.open(1)?);
    works!(client.keep_object(works!(client.object(8 * PAGE as u64))));
    refuses!(other.kept(Kept::Vm, 0), INVAL);
    // The first and the last page are left.
    same!(works!(client.kept(Kept::Vm, 0)).value, 2);
    works!(client.let_go());
    drop((client, other));
    test.unload()
}

/// A handle of another file fails with ENOENT, on the same device or not.
fn l12_handles_belong_to_their_file(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let clients = [test.open(0)?, test.open(0)?, test.open(1)?];
    let handle = works!(clients[0].object(PAGE as u64));
    for other in &clients[1..] {
        refuses!(other.device_of(handle), NOENT);
        refuses!(other.call(&VMAP, 0, handle, 0), NOENT);
        refuses!(other.call(&DMA, 0, handle, 0), NOENT);
    }
    for unknown in [0, handle + 1, u32::MAX] {
        refuses!(clients[0].device_of(unknown), NOENT);
    }
    drop(clients);
    test.unload()
}

/// The same device imports its own object again; another device makes a new object around the dma-buf.
fn l12_dma_buf_of_another_device_is_foreign(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let (client, other) = (test.open(0)?, test.open(1)?);
    let handle = works!(client.object(PAGE as u64));
    let buffer: OwnedFd = works!(client.0.export(handle, RDWR | CLOEXEC));
    same!(works!(client.0.import(&buffer)), handle);
    let foreign = works!(other.0.import(&buffer));
    same!(works!(other.device_of(foreign)), 1);
    works!(client.call(&VMAP, 8, handle, 0xcafe));
    same!(works!(other.call(&VMAP, 8, foreign, 0)).value, 0xcafe);
    same!(works!(other.call(&DMA, 0, foreign, 0)).value, PAGE as u64);
    works!(unbind(0));
    // The importer's object works without the exporter's device.
    same!(works!(other.call(&VMAP, 8, foreign, 1)).value, 0);
    drop((client, buffer, other));
    test.trace.wait_for("0: data dropped")?;
    test.unload()
}

/// Sizes must be whole pages, not zero, and must not overflow.
fn l13_sizes(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    for (bytes, made) in [(1, PAGE), (PAGE, PAGE), (PAGE + 1, 2 * PAGE)] {
        let handle = works!(client.object(bytes as u64));
        same!(works!(client.call(&DMA, 0, handle, 0)).value, made as u64);
    }
    for bytes in [0, u64::MAX, u64::MAX - 4095, 1 << 63, (1 << 63) - 4095] {
        refuses!(client.object(bytes), INVAL, " of {bytes} bytes");
    }
    drop(client);
    test.unload()
}

/// An object whose handles were all closed gets a new dma-buf when it is exported again; both dma-bufs are that object.
fn l12_older_dma_buf_of_the_same_object(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    let export = || -> Outcome<(u32, OwnedFd)> {
        let handle = works!(client.call(&EARLY, 0, 0, 0)).handle;
        Ok((handle, works!(client.0.export(handle, RDWR | CLOEXEC))))
    };
    let (handle, older) = export()?;
    works!(client.0.gem_close(handle));
    let (handle, newer) = export()?;
    works!(client.call(&VMAP, 0, handle, 0x01de));
    let file = test.open(0)?;
    for buffer in [&older, &newer, &older] {
        let imported = works!(file.0.import(buffer));
        same!(works!(file.call(&VMAP, 0, imported, 0x01de)).value, 0x01de);
        let exported = works!(file.0.export(imported, RDWR | CLOEXEC));
        same!(works!(file.0.import(&exported)), imported);
    }
    drop((client, file, older, newer));
    test.unload()
}

/// A driver without the feature has no table of sync objects in C, so it gets EOPNOTSUPP, as clients do from the core's
/// ioctls.
fn l12_file_without_sync_objects(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    for way in 0..3 {
        refuses!(client.syncobj(way), OPNOTSUPP);
    }
    drop(client);
    test.unload()
}
