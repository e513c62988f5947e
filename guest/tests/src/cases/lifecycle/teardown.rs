// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The order in which a device's parts are dropped, and the end of its mappings for the hardware at unbind (L3, L5).
//!
//! Source: docs/reference/obligations.md for the obligations, whose numbers begin the names.

use uapi::PAGE;

use crate::harness::check::Outcome;
use crate::harness::failnth::Fault;
use crate::subjects::device;
use crate::subjects::guest::Guest;
use crate::subjects::lifecycle::{DMA, Test, bind, unbind};
use crate::{refuses, same, works};

crate::cases::cases! {
    "lifecycle":
    l3_device_data_is_dropped_last_and_once, l5_order_of_teardown, l5_mapping_is_undone_at_unbind,
    l5_mapping_of_a_freed_object_is_undone_once, l5_mapping_of_an_import_is_undone_at_unbind,
    l5_mapping_of_an_object_that_is_being_freed,
    l5_new_mapping_after_a_new_bind,
}

/// The log lines of device 0's teardown without clients, in the order that L5 and L3 require.
const TEARDOWN: &[&str] = &[
    "0: unplugged, entered: false",
    "0: last work, entered: false",
    "0: registration data dropped, of lifecycle.0",
    "0: object dropped",
    "0: managed action 3",
    "0: managed action 2",
    "0: managed action 1",
    "0: first part of the data dropped",
    "0: data dropped",
];

/// Managed actions run in reverse order, all before the data, which is dropped once.
fn l3_device_data_is_dropped_last_and_once(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    test.trace.clear();
    works!(unbind(0));
    test.trace.in_order(TEARDOWN)?;
    same!(test.trace.lines().len(), TEARDOWN.len());
    test.unload()
}

/// The order is unplug, stop of the hardware, work, mappings, registration data; the device is freed last, after its
/// client's close.
fn l5_order_of_teardown(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    works!(client.call(&DMA, 0, works!(client.object(PAGE as u64)), 0));
    let faults = [Fault::watch("drm_dev_unplug")?, Fault::watch("dma_unmap_sg_attrs")?];
    test.trace.clear();
    works!(unbind(0));
    test.trace.in_order(&[
        "failnth: drm_dev_unplug",
        "0: unplugged, entered: false",
        "0: last work, entered: false",
        "failnth: dma_unmap_sg_attrs",
        "0: registration data dropped",
    ])?;
    same!(test.trace.count("managed action"), 0);
    drop(client);
    test.trace.in_order(&[
        "0: registration data dropped",
        "0: file close",
        "0: managed action 3",
        "0: data dropped",
    ])?;
    drop(faults);
    test.unload()
}

/// An object's mapping is undone at unbind although the object lives on; the close has nothing left to undo.
fn l5_mapping_is_undone_at_unbind(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    let handles = [works!(client.object(4 * PAGE as u64)), works!(client.object(PAGE as u64))];
    for (handle, pages) in [(handles[0], 4), (handles[1], 1)] {
        let mapped = works!(client.call(&DMA, 0, handle, 0));
        same!(mapped.value, pages * PAGE as u64);
        // A second call returns the same mapping.
        same!(works!(client.call(&DMA, 0, handle, 0)), mapped);
    }
    let mapping = works!(client.0.map(handles[0], 4 * PAGE));
    mapping.write(PAGE, 0xd);
    let fault = Fault::watch("dma_unmap_sg_attrs")?;
    works!(unbind(0));
    same!(fault.count()?.calls, 2);
    same!(mapping.read(PAGE), 0xd);
    drop((mapping, client));
    same!(fault.count()?.calls, 2);
    test.trace.wait_for("0: data dropped")?;
    drop(fault);
    test.unload()
}

/// An object that is freed while the device is bound is unmapped at once, and the unbind has nothing to do.
fn l5_mapping_of_a_freed_object_is_undone_once(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    let fault = Fault::watch("dma_unmap_sg_attrs")?;
    // The object in the middle is freed first, so that the device's list is changed in the middle.
    let handles =
        [works!(client.object(PAGE as u64)), works!(client.object(PAGE as u64)), works!(client.object(PAGE as u64))];
    for handle in handles {
        works!(client.call(&DMA, 0, handle, 0));
    }
    for (count, handle) in [(1, handles[1]), (2, handles[0])] {
        works!(client.0.gem_close(handle));
        same!(fault.count()?.calls, count);
    }
    works!(unbind(0));
    same!(fault.count()?.calls, 3);
    drop(client);
    same!(fault.count()?.calls, 3);
    drop(fault);
    test.unload()
}

/// An import is unmapped from its exporter, but stays attached until the object is freed.
fn l5_mapping_of_an_import_is_undone_at_unbind(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    let memory = works!(sys::memory_file(2 * PAGE));
    let handle = works!(client.0.import(&works!(device::udmabuf(&memory, 2 * PAGE))));
    same!(works!(client.call(&DMA, 0, handle, 0)).value, 2 * PAGE as u64);
    let faults = [Fault::watch("dma_buf_unmap_attachment")?, Fault::watch("dma_buf_detach")?];
    works!(unbind(0));
    same!((faults[0].count()?.calls, faults[1].count()?.calls), (1, 0));
    drop(client);
    same!((faults[0].count()?.calls, faults[1].count()?.calls), (1, 1));
    drop(faults);
    test.unload()
}

/// The old device's mapping does not appear in the new one.
fn l5_new_mapping_after_a_new_bind(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let old = test.open(0)?;
    let handle = works!(old.object(PAGE as u64));
    works!(old.call(&DMA, 0, handle, 0));
    works!(unbind(0));
    works!(bind(0));
    let new = test.open(0)?;
    works!(new.call(&DMA, 0, works!(new.object(PAGE as u64)), 0));
    refuses!(old.call(&DMA, 0, handle, 0), NODEV);
    drop((old, new));
    test.unload()
}

/// An object whose last reference is being dropped is unmapped, although its device is unbound meanwhile.
fn l5_mapping_of_an_object_that_is_being_freed(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let (client, observer) = (test.open(0)?, test.open(1)?);
    let handle = works!(client.object(PAGE as u64));
    works!(client.call(&DMA, 0, handle, 0));
    works!(observer.gate(false));
    works!(observer.slow_drop());
    let fault = Fault::watch("dma_unmap_sg_attrs")?;
    std::thread::scope(|scope| -> Outcome {
        let closed = scope.spawn(|| client.0.gem_close(handle));
        test.trace.wait_for("0: object's drop waits")?;
        let unbound = unbind(0);
        let unmapped = fault.count()?.calls;
        works!(observer.gate(true));
        works!(closed.join().expect("no panic"));
        works!(unbound);
        same!(unmapped, 1);
        Ok(())
    })?;
    same!(fault.count()?.calls, 1);
    drop((client, observer, fault));
    test.unload()
}
