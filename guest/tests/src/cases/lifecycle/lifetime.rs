// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Objects that outlive their file and their binding (L11).
//!
//! Source: docs/reference/obligations.md for the obligations, whose numbers begin the names.

use sys::Mapping;
use uapi::{CLOEXEC, PAGE, RDWR};

use crate::harness::check::{Outcome, skip};
use crate::harness::modules;
use crate::subjects::guest::Guest;
use crate::subjects::lifecycle::{GUARDED, Kept, Test, VMAP, unbind};
use crate::{refuses, same, works};

crate::cases::cases! {
    "lifecycle":
    l11_object_outlives_file_and_binding, l11_dma_buf_outlives_file_and_binding,
    l11_mapping_outlives_file_and_binding, l11_address_space_outlives_file_and_binding,
    l11_object_made_after_unplug, l11_leaked_device_is_reported,
}

/// An object that only the driver's code still refers to works, and holds a reference to its device until its drop.
fn l11_object_outlives_file_and_binding(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let (client, observer) = (test.open(0)?, test.open(1)?);
    let handle = works!(client.object(PAGE as u64));
    works!(client.call(&VMAP, 0, handle, 0x11fe));
    works!(client.keep_object(handle));
    drop(client);
    works!(unbind(0));
    test.trace.clear();
    same!(works!(observer.kept(Kept::Vmap, 5)).value, 0x11fe);
    same!(works!(observer.kept(Kept::Vmap, 6)).value, 5);
    same!(test.trace.lines().len(), 0);
    works!(observer.let_go());
    test.trace.in_order(&["0: object dropped", "0: managed action 3", "0: data dropped"])?;
    drop(observer);
    test.unload()
}

/// A dma-buf holds references to the object, the device and the module.
fn l11_dma_buf_outlives_file_and_binding(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    let handle = works!(client.object(PAGE as u64));
    works!(client.call(&VMAP, 0, handle, 0xb0f));
    let buffer = works!(client.0.export(handle, RDWR | CLOEXEC));
    works!(unbind(0));
    drop(client);
    test.trace.clear();
    let mapping = works!(Mapping::shared(&buffer, 0, PAGE));
    same!(mapping.read(0), 0xb0f);
    refuses!(modules::remove("lifecycle"), AGAIN);
    same!(test.trace.count("0: object dropped"), 0);
    drop((mapping, buffer));
    test.trace.wait_for("0: data dropped")?;
    test.trace.in_order(&["0: object dropped", "0: managed action 3", "0: data dropped"])?;
    test.unload()
}

/// A mapping through the node holds references to the object, the device and the module.
fn l11_mapping_outlives_file_and_binding(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    let mapping = works!(client.0.map(works!(client.object(PAGE as u64)), PAGE));
    mapping.write(0, 0x3a9);
    works!(unbind(0));
    drop(client);
    test.trace.clear();
    same!(mapping.read(0), 0x3a9);
    same!(test.trace.count("0: object dropped"), 0);
    drop(mapping);
    test.trace.wait_for("0: data dropped")?;
    test.trace.in_order(&["0: object dropped", "0: data dropped"])?;
    test.unload()
}

/// An address space holds references to the objects mapped in it and to its device; when it is freed, it drops the
/// objects first.
fn l11_address_space_outlives_file_and_binding(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let (client, observer) = (test.open(0)?, test.open(1)?);
    works!(client.keep_object(works!(client.object(8 * PAGE as u64))));
    works!(client.kept(Kept::Vm, 0));
    works!(observer.keep_object(works!(observer.object(PAGE as u64))));
    drop(client);
    works!(unbind(0));
    same!(test.trace.count("0: object dropped"), 1); // the one that was made before registration
    test.trace.clear();
    works!(observer.let_go());
    test.trace.in_order(&[
        "0: address space ends with 2 pages",
        "0: object dropped",
        "0: address space dropped",
        "0: data dropped",
    ])?;
    drop(observer);
    test.unload()
}

/// A reference to the device is enough to make objects, which are only memory.
fn l11_object_made_after_unplug(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let (client, observer) = (test.open(0)?, test.open(1)?);
    works!(client.keep_device());
    works!(unbind(0));
    drop(client);
    works!(observer.kept(Kept::Object, 0));
    works!(observer.kept(Kept::Vmap, 9));
    same!(works!(observer.kept(Kept::Vmap, 0)).value, 9);
    refuses!(observer.kept(Kept::Dma, 0), INVAL);
    test.trace.clear();
    works!(observer.let_go());
    test.trace.in_order(&["0: object dropped", "0: data dropped"])?;
    drop(observer);
    test.unload()
}

/// A device that is never released is leaked and reported, and nothing worse happens.
fn l11_leaked_device_is_reported(guest: &Guest) -> Outcome {
    if crate::harness::slabs::finds_leaks() {
        return skip("this kernel would report what this leaks");
    }
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    works!(client.keep_object(works!(client.object(PAGE as u64))));
    drop(client);
    works!(modules::remove("lifecycle"));
    same!(test.trace.count("lifecycle: 1 device(s) never released"), 1);
    same!((test.trace.count("0: data dropped"), test.trace.count("1: data dropped")), (0, 1));
    test.trace.clear();
    test.load("lifecycle")?;
    works!(test.open(0)?.call(&GUARDED, 0, 0, 0));
    test.unload()
}
