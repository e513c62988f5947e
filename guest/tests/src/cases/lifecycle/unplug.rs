// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Calls that run when the device is unplugged, and sections before and after the registration (L6, L7).
//!
//! Source: docs/reference/obligations.md for the obligations, whose numbers begin the names.

use rustix::io::Errno;
use uapi::PAGE;

use crate::harness::check::{Outcome, fail};
use crate::harness::modules;
use crate::subjects::guest::Guest;
use crate::subjects::lifecycle::{BLOCK, BLOCK_UNGUARDED, Client, DMA, ENTER, GUARDED, Kept, Test, bind, unbind};
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "lifecycle":
    l6_unplug_waits_for_a_guarded_ioctl, l6_unplug_does_not_wait_for_an_unguarded_ioctl, l6_other_device_is_untouched,
    l6_device_is_removed_while_in_use, l7_no_entry_before_registration, l7_no_entry_after_unplug,
    l7_data_is_of_the_newest_probe,
}

/// The unplug waits for a handler in its section, which keeps the registration data; other calls are refused meanwhile.
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
    // The handler, still in its section, finds that it could not enter again.
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

/// Polls until the device is marked as unplugged.
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

/// The unplug does not wait for a handler outside of a section, which cannot enter any more.
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

/// Unplugging one device does not affect another of the same driver.
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

/// The device itself is removed, as from a real bus, instead of unbinding its driver.
fn l6_device_is_removed_while_in_use(guest: &Guest) -> Outcome {
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

/// A section cannot be entered before registration. C does not consider such a device unplugged, but the library
/// refuses.
fn l7_no_entry_before_registration(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    for number in 0..2 {
        let line = format!("{number}: before registration, entered: false");
        test.trace.in_order(&[&format!("{number}: probe"), &line])?;
    }
    test.unload()
}

/// A section cannot be entered after an unplug, by any reference; the file's close notices it too.
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

/// A guarded ioctl gets the data of the probe that made its device.
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
