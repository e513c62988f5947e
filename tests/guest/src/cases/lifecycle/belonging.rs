// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Objects of another device, of another file, of other sizes (L12, L13).
//!
//! Source: docs/reference/obligations.md for the obligations, whose numbers begin the names.

use std::os::fd::OwnedFd;

use crate::check::Outcome;
use crate::guest::Guest;
use crate::lifecycle::{DMA, EARLY, Kept, Test, VMAP, bind, unbind};
use crate::uapi::{CLOEXEC, PAGE, RDWR};
use crate::{refuses, same, works};

crate::cases::cases! {
    "lifecycle":
    l12_object_of_another_device_gets_no_handle, l12_object_of_another_device_is_not_mapped,
    l12_object_of_another_device_is_in_no_address_space,
    l12_handles_belong_to_their_file, l12_dma_buf_of_another_device_is_foreign,
    l12_older_dma_buf_of_the_same_object, l12_file_without_sync_objects, l13_sizes,
}

/// EINVAL: the class is the same, the device is another.
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

/// EINVAL: the proof that one device is plugged says nothing of the other.
fn l12_object_of_another_device_is_not_mapped(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let (client, other) = (test.open(0)?, test.open(1)?);
    works!(client.keep_object(works!(client.object(PAGE as u64))));
    refuses!(other.kept(Kept::Dma, 0), INVAL);
    works!(client.kept(Kept::Dma, 0));
    works!(unbind(0));
    refuses!(other.kept(Kept::Dma, 0), INVAL);
    works!(bind(0));
    // The new device 0 is not the one of the object either.
    refuses!(test.open(0)?.kept(Kept::Dma, 0), INVAL);
    works!(other.let_go());
    drop((client, other));
    test.unload()
}

/// EINVAL: an address space maps what belongs to its own device, whose steps know what it is.
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

/// ENOENT: a number of another file, of the same device or not.
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

/// The same device gives the object back, the other one makes one of its own around the dma-buf.
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
    // The importer's side goes on without the exporter's device.
    same!(works!(other.call(&VMAP, 8, foreign, 1)).value, 0);
    drop((client, buffer, other));
    test.trace.wait_for("0: data dropped")?;
    test.unload()
}

/// Whole pages, not zero, no overflow.
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

/// An object whose handles were all closed is exported anew; both dma-bufs are that object.
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

/// EOPNOTSUPP, as from the core's ioctls: C makes the table of sync objects only for a driver with the feature.
fn l12_file_without_sync_objects(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    for way in 0..3 {
        refuses!(client.syncobj(way), OPNOTSUPP);
    }
    drop(client);
    test.unload()
}
