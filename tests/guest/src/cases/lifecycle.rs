// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The run-time side of the obligations L3, L5, L7, L11, L12, L14, L15 and L16, on the life-cycle test driver.
//!
//! The driver says in the kernel log what comes and goes; a case does something and compares the order.
//! Source: docs/life-cycle.md for the obligations, whose numbers begin the names.

use std::os::fd::OwnedFd;

use rustix::io::Errno;

use crate::check::{Outcome, fail};
use crate::device;
use crate::failnth::Fault;
use crate::guest::Guest;
use crate::lifecycle::{
    BLOCK, BLOCK_UNGUARDED, Client, DMA, EARLY, ENTER, GUARDED, KEPT, Kept, Step, Test, VMAP, WORK, bind, left_of,
    unbind,
};
use crate::modules;
use crate::sys::{self, Answer, Mapping};
use crate::uapi::{CLOEXEC, PAGE, RDWR};
use crate::{holds, refuses, same, works};

super::cases! {
    "lifecycle":
    l3_data_that_fails_leaves_nothing, l3_object_that_fails_leaves_the_device,
    l3_registration_data_that_fails, l3_error_after_ready, l3_data_goes_last_and_once,
    l5_order_of_teardown, l5_mapping_is_undone_at_unbind, l5_mapping_of_a_freed_object_is_undone_once,
    l5_mapping_of_an_import_is_undone_at_unbind, l5_new_mapping_after_a_new_bind,
    l6_unplug_waits_for_a_guarded_ioctl, l6_unplug_does_not_wait_for_an_unguarded_ioctl,
    l6_other_device_is_untouched, l6_hardware_goes_while_in_use,
    l7_no_entry_before_registration, l7_no_entry_after_unplug, l7_data_is_of_the_newest_probe,
    l11_object_outlives_file_and_binding, l11_dma_buf_outlives_file_and_binding,
    l11_mapping_outlives_file_and_binding, l11_object_made_after_unplug, l11_leaked_device_is_reported,
    l12_object_of_another_device_gets_no_handle, l12_object_of_another_device_is_not_mapped,
    l12_handles_belong_to_their_file, l12_dma_buf_of_another_device_is_foreign,
    l13_sizes, l14_file_lives_from_open_to_close, l14_file_outlives_the_unplug, l14_failed_open_leaves_nothing,
    l14_handles_go_before_the_file, l14_refused_handle_leaves_nothing,
    l15_work_runs, l15_work_ends_before_the_data_goes, l15_late_work_ends_before_the_module,
    l16_object_from_before_registration, vmap_reads_and_writes, fdinfo_has_the_drivers_keys,
}

/// The lines of the end of device 0 without clients, in the order that L5 and L3 ask for.
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

/// The lines of the end of device 0 when it was never registered.
const NEVER_REGISTERED: &[&str] = &[
    "0: managed action 3",
    "0: managed action 2",
    "0: managed action 1",
    "0: first part of the data dropped",
    "0: data dropped",
];

/// Binds device 0 with one failure that the driver makes itself.
fn bind_with(test: &mut Test<'_>, step: Step) -> Outcome {
    let observer = test.open(1)?;
    works!(unbind(0));
    works!(observer.fail_next(step));
    test.trace.clear();
    refuses!(bind(0), IO);
    same!(left_of("lifecycle.0"), None);
    same!(test.users()?, 1);
    Ok(())
}

/// After a failure the next bind is as the first.
fn binds_again(test: &mut Test<'_>) -> Outcome {
    works!(bind(0));
    same!(works!(test.open(0)?.call(&GUARDED, 0, 0, 0)).what, 0);
    test.unload()
}

/// Only what was initialised is dropped; no action and no object came to be.
fn l3_data_that_fails_leaves_nothing(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    bind_with(&mut test, Step::Data)?;
    test.trace.in_order(&["0: probe", "0: first part of the data dropped"])?;
    same!(test.trace.count("0: data dropped"), 0);
    same!(test.trace.count("managed action"), 0);
    binds_again(&mut test)
}

/// The device goes as a whole, the object that failed not at all.
fn l3_object_that_fails_leaves_the_device(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    bind_with(&mut test, Step::Object)?;
    test.trace.in_order(NEVER_REGISTERED)?;
    same!(test.trace.count("object dropped"), 0);
    same!(test.trace.count("unplugged"), 0);
    binds_again(&mut test)
}

/// The object that was made for the registration data goes, and the device after it.
fn l3_registration_data_that_fails(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    bind_with(&mut test, Step::Registration)?;
    test.trace.in_order(&["0: object dropped", "0: managed action 3"])?;
    test.trace.in_order(NEVER_REGISTERED)?;
    same!(test.trace.count("registration data"), 0);
    binds_again(&mut test)
}

/// What was ready and is not returned goes: the registration data, then the device.
fn l3_error_after_ready(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    bind_with(&mut test, Step::Probe)?;
    test.trace.in_order(&["0: registration data dropped", "0: object dropped", "0: managed action 3"])?;
    test.trace.in_order(NEVER_REGISTERED)?;
    same!(test.trace.count("unplugged"), 0);
    binds_again(&mut test)
}

/// Managed actions run in reverse, all before the data, which goes once.
fn l3_data_goes_last_and_once(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    test.trace.clear();
    works!(unbind(0));
    test.trace.in_order(TEARDOWN)?;
    same!(test.trace.lines().len(), TEARDOWN.len());
    test.unload()
}

/// Unplug, rest, work, mappings, registration data; the device last, when its client is gone.
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

/// While the object lives on, its mapping does not; the close finds nothing left to undo.
fn l5_mapping_is_undone_at_unbind(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    let handles = [works!(client.object(4 * PAGE as u64)), works!(client.object(PAGE as u64))];
    for (handle, pages) in [(handles[0], 4), (handles[1], 1)] {
        let mapped = works!(client.call(&DMA, 0, handle, 0));
        same!(mapped.value, pages * PAGE as u64);
        // A second call gives the same mapping.
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

/// An object that is freed while the device is bound is unmapped there and then; the unbind has nothing to do.
fn l5_mapping_of_a_freed_object_is_undone_once(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    let fault = Fault::watch("dma_unmap_sg_attrs")?;
    // The one in the middle goes first, so that the device's list is changed in the middle.
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

/// An import is unmapped from its exporter, and stays attached until the object goes.
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

/// The old device's mapping has no part in the new one's.
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

/// The registration data stays until the handler is done, other calls are refused meanwhile.
fn l6_unplug_waits_for_a_guarded_ioctl(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let (client, observer) = (test.open(0)?, test.open(1)?);
    works!(observer.gate(false));
    test.trace.clear();
    let (blocked, unbound) = std::thread::scope(|scope| -> Outcome<_> {
        let blocked = scope.spawn(|| client.call(&BLOCK, 0, 0, 7));
        test.trace.wait_for("0: guarded ioctl waits")?;
        let unbound = scope.spawn(|| unbind(0));
        until_refused(&client)?;
        refuses!(client.call(&GUARDED, 0, 0, 0), NODEV);
        same!(test.trace.count("unplugged"), 0);
        works!(observer.gate(true));
        Ok((blocked.join().expect("no panic"), unbound.join().expect("no panic")))
    })?;
    works!(unbound);
    // Within its section it finds that it could not enter again.
    same!(works!(blocked).value, 0);
    test.trace.in_order(&[
        "0: guarded ioctl waits",
        "0: guarded ioctl goes on",
        "0: unplugged",
        "0: registration data dropped",
    ])?;
    drop((client, observer));
    test.unload()
}

/// Waits, by asking, until the device is marked as unplugged.
fn until_refused(client: &Client) -> Outcome {
    for _ in 0..100_000 {
        match client.call(&ENTER, 0, 0, 0) {
            Ok(_) => std::thread::yield_now(),
            Err(Errno::NODEV) => return Ok(()),
            Err(errno) => return fail(format!("the device answers {errno}")),
        }
    }
    fail("the device is not unplugged")
}

/// A handler that waits for long outside of the section delays nobody and cannot enter any more.
fn l6_unplug_does_not_wait_for_an_unguarded_ioctl(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let (client, observer) = (test.open(0)?, test.open(1)?);
    works!(observer.gate(false));
    test.trace.clear();
    let blocked = std::thread::scope(|scope| -> Outcome<_> {
        let blocked = scope.spawn(|| client.call(&BLOCK_UNGUARDED, 0, 0, 7));
        test.trace.wait_for("0: unguarded ioctl waits")?;
        works!(unbind(0));
        works!(observer.gate(true));
        Ok(blocked.join().expect("no panic"))
    })?;
    same!(works!(blocked).value, 0);
    test.trace.in_order(&["0: unguarded ioctl waits", "0: registration data dropped", "0: unguarded ioctl goes on"])?;
    drop((client, observer));
    test.unload()
}

/// Two devices of one driver do not know of each other.
fn l6_other_device_is_untouched(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let clients = [test.open(0)?, test.open(1)?];
    for (client, number) in clients.iter().zip(0..) {
        same!(works!(client.call(&GUARDED, 0, 0, 0)).what, number);
    }
    works!(unbind(0));
    refuses!(clients[0].call(&GUARDED, 0, 0, 0), NODEV);
    refuses!(clients[0].call(&ENTER, 0, 0, 0), NODEV);
    same!(works!(clients[1].call(&GUARDED, 0, 0, 0)).what, 1);
    same!(works!(clients[1].call(&ENTER, 0, 0, 0)).value, 1);
    same!(test.trace.count("1: unplugged"), 0);
    drop(clients);
    test.unload()
}

/// Not the driver is taken from the device but the device itself goes, as from a real bus.
fn l6_hardware_goes_while_in_use(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    let handle = works!(client.object(PAGE as u64));
    works!(client.call(&DMA, 0, handle, 0));
    let mapping = works!(client.0.map(handle, PAGE));
    works!(modules::remove("lifecycle_devices"));
    refuses!(client.call(&GUARDED, 0, 0, 0), NODEV);
    mapping.write(0, 1);
    same!(mapping.read(0), 1);
    same!(test.trace.count("0: data dropped"), 0);
    // The other device has no clients.
    test.trace.in_order(&["1: unplugged", "1: registration data dropped", "1: data dropped"])?;
    drop((client, mapping));
    test.trace.in_order(&["0: unplugged", "0: registration data dropped", "0: file close", "0: data dropped"])?;
    test.unload()
}

/// For C a device that was never registered is not unplugged; ours says no all the same.
fn l7_no_entry_before_registration(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    for number in 0..2 {
        let line = format!("{number}: before registration, entered: false");
        test.trace.in_order(&[&format!("{number}: probe"), &line])?;
    }
    test.unload()
}

/// By reference, whoever holds it; and the file's close sees it as well.
fn l7_no_entry_after_unplug(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let (client, observer) = (test.open(0)?, test.open(1)?);
    works!(client.keep_device());
    same!(works!(observer.kept(Kept::Enter, 7)).value, 1);
    works!(unbind(0));
    same!(works!(observer.kept(Kept::Enter, 7)).value, 0);
    works!(bind(0));
    // The new device is another one.
    same!(works!(observer.kept(Kept::Enter, 7)).value, 0);
    drop(client);
    test.trace.in_order(&["0: file open, entered: true", "0: file close, entered: false"])?;
    same!(test.trace.count("0: data dropped"), 0);
    works!(observer.let_go());
    same!(test.trace.count("0: data dropped"), 1);
    drop(observer);
    test.unload()
}

/// What a guarded ioctl is given was made by the probe that its device came from.
fn l7_data_is_of_the_newest_probe(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let mut last = 0;
    for _ in 0..5 {
        let client = test.open(0)?;
        let serial = works!(client.call(&GUARDED, 0, 0, 0)).value;
        holds!(serial > last, "probe {serial} came after {last}");
        last = serial;
        works!(unbind(0));
        refuses!(client.call(&GUARDED, 0, 0, 0), NODEV);
        works!(bind(0));
        refuses!(client.call(&GUARDED, 0, 0, 0), NODEV);
    }
    test.unload()
}

/// An object that only the driver's code still refers to works, and holds its device up to the last act.
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

/// A dma-buf holds the object, the device and the module.
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
    settle(&mut test, "0: data dropped")?;
    test.trace.in_order(&["0: object dropped", "0: managed action 3", "0: data dropped"])?;
    test.unload()
}

/// The last reference to a file may go a little after its close.
fn settle(test: &mut Test<'_>, line: &str) -> Outcome {
    test.trace.wait_for(line)
}

/// A mapping through the node does, too.
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
    settle(&mut test, "0: data dropped")?;
    test.trace.in_order(&["0: object dropped", "0: data dropped"])?;
    test.unload()
}

/// A reference to the device is enough to make objects, which are memory.
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

/// Memory that is never given back is lost, and said so; nothing worse comes of it.
fn l11_leaked_device_is_reported(guest: &Guest) -> Outcome {
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
    settle(&mut test, "0: data dropped")?;
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

/// Opened and closed without an unplug: the data goes with the file and not with the device.
fn l14_file_lives_from_open_to_close(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    test.trace.clear();
    let client = test.open(0)?;
    test.trace.in_order(&["0: file open, entered: true"])?;
    same!(test.users()?, 1);
    drop(client);
    test.trace.in_order(&[
        "0: file open",
        "0: file close, entered: true",
        "0: first part of the file dropped",
        "0: file dropped",
    ])?;
    same!(test.users()?, 0);
    test.unload()
}

/// The unplug leaves the file's data alone; the device's data goes after it.
fn l14_file_outlives_the_unplug(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    works!(unbind(0));
    same!(test.trace.count("0: file dropped"), 0);
    drop(client);
    test.trace.in_order(&[
        "0: registration data dropped",
        "0: file close, entered: false",
        "0: file dropped",
        "0: managed action 3",
        "0: data dropped",
    ])?;
    test.unload()
}

/// Only what was initialised is dropped, there is no close, and no reference stays.
fn l14_failed_open_leaves_nothing(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let observer = test.open(1)?;
    works!(observer.fail_next(Step::Open));
    test.trace.clear();
    let node = crate::lifecycle::node("lifecycle.0", "card").expect("it is bound");
    refuses!(device::DrmFile::open(&node), IO);
    test.trace.in_order(&["0: file open", "0: first part of the file dropped"])?;
    same!((test.trace.count("0: file dropped"), test.trace.count("0: file close")), (0, 0));
    same!(test.users()?, 1);
    works!(test.open(0)?.call(&GUARDED, 0, 0, 0));
    works!(unbind(0));
    settle(&mut test, "0: data dropped")?;
    drop(observer);
    test.unload()
}

/// When an object's `close` sees the file, its data is there.
fn l14_handles_go_before_the_file(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    works!(client.object(PAGE as u64));
    test.trace.clear();
    drop(client);
    test.trace.in_order(&["0: handle closed by file of 0", "0: file close", "0: file dropped"])?;
    same!(test.trace.count("0: object dropped"), 1);
    test.unload()
}

/// An object whose `open` says no has no handle and goes; nobody closes it.
fn l14_refused_handle_leaves_nothing(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    works!(client.fail_next(Step::Handle));
    test.trace.clear();
    refuses!(client.object(PAGE as u64), IO);
    same!(test.trace.count("0: object dropped"), 1);
    same!((test.trace.count("handle opened"), test.trace.count("handle closed")), (0, 0));
    refuses!(client.device_of(1), NOENT);
    works!(client.fail_next(Step::Object));
    refuses!(client.object(PAGE as u64), IO);
    same!(test.trace.count("0: object dropped"), 1);
    works!(client.object(PAGE as u64));
    drop(client);
    test.unload()
}

/// Work finds the device plugged while it is.
fn l15_work_runs(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    test.trace.clear();
    works!(client.call(&WORK, 0, 0, 0));
    test.trace.wait_for("0: work ends")?;
    test.trace.in_order(&["0: work begins", "0: work ends, entered: true"])?;
    drop(client);
    test.unload()
}

/// Work that was queued before the unplug ends before the registration data goes.
fn l15_work_ends_before_the_data_goes(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let (client, observer) = (test.open(0)?, test.open(1)?);
    works!(observer.gate(false));
    works!(client.call(&WORK, 1, 0, 0));
    test.trace.wait_for("0: work begins")?;
    let unbound: Answer = std::thread::scope(|scope| -> Outcome<_> {
        let unbound = scope.spawn(|| unbind(0));
        // Said when the teardown has come as far as to the flush.
        test.trace.wait_for("0: unplugged")?;
        test.trace.wait_for("0: last work")?;
        same!(test.trace.count("registration data dropped"), 0);
        works!(observer.gate(true));
        Ok(unbound.join().expect("no panic"))
    })?;
    works!(unbound);
    test.trace.in_order(&["0: unplugged", "0: work ends, entered: false", "0: registration data dropped"])?;
    drop((client, observer));
    test.unload()
}

/// Work that is queued after the flush, by the drop of the registration data, ends before the module's exit.
fn l15_late_work_ends_before_the_module(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    works!(unbind(1));
    works!(test.open(0)?.late_work());
    test.trace.clear();
    test.unload()?;
    // The work held the last reference to the device.
    test.trace.in_order(&["0: registration data dropped", "0: late work ends, entered: false", "0: data dropped"])
}

/// What the driver wrote before registration is there after it, by kernel mapping, by mmap and by DMA.
fn l16_object_from_before_registration(guest: &Guest) -> Outcome {
    const WRITTEN: u64 = 0x0ea2_17b1_2d00;
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    let handle = works!(client.call(&EARLY, 0, 0, 0)).handle;
    same!(works!(client.device_of(handle)), 0);
    same!(works!(client.call(&VMAP, 0, handle, WRITTEN)).value, WRITTEN);
    let mapping = works!(client.0.map(handle, PAGE));
    same!(u64::from(mapping.read(0)) | u64::from(mapping.read(4)) << 32, WRITTEN);
    same!(works!(client.call(&DMA, 0, handle, 0)).value, PAGE as u64);
    let buffer = works!(client.0.export(handle, RDWR | CLOEXEC));
    works!(unbind(0));
    mapping.write(0, 1);
    same!(works!(Mapping::shared(&buffer, 0, PAGE)).read(0), 1);
    drop((client, mapping, buffer));
    settle(&mut test, "0: data dropped")?;
    test.unload()
}

/// At any byte, not beyond the end; the client sees what the kernel wrote and the other way round.
fn vmap_reads_and_writes(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    let handle = works!(client.object(2 * PAGE as u64));
    let mapping = works!(client.0.map(handle, 2 * PAGE));
    let end = 2 * PAGE as u32;
    for at in [0, 8, PAGE as u32 - 4, end - 8] {
        mapping.write(at as usize, at + 1);
        same!(works!(client.call(&VMAP, at, handle, 0x55)).value as u32, at + 1);
        same!(mapping.read(at as usize), 0x55);
    }
    for at in [end - 7, end, u32::MAX] {
        refuses!(client.call(&VMAP, at, handle, 0), INVAL, " at byte {at}");
    }
    drop((client, mapping));
    test.unload()
}

/// The driver's own line, and memory by what `status` says.
fn fdinfo_has_the_drivers_keys(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let (client, other) = (test.open(0)?, test.open(1)?);
    works!(client.object(2 * PAGE as u64));
    for (file, number) in [(&client, 0), (&other, 1)] {
        let text = file.0.fdinfo()?;
        let line = format!("lifecycle-device:\t{number}\n");
        holds!(text.contains(&line) && text.contains("drm-driver:\tlifecycle\n"), "fdinfo is {text:?}");
    }
    let text = client.0.fdinfo()?;
    // That something is active is said by its fences; that it could be, by `status`.
    for key in ["drm-resident-memory:\t8 KiB\n", "drm-active-memory:\t0\n"] {
        holds!(text.contains(key), "{key:?} is in {text:?}");
    }
    // EINVAL for a request that nobody knows.
    refuses!(client.call(&KEPT, 99, 0, 0), INVAL);
    drop((client, other));
    test.unload()
}
