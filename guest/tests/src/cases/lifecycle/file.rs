// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The driver's data of an open file, from open to close (L14).
//!
//! Source: docs/reference/obligations.md for the obligations, whose numbers begin the names.

use uapi::PAGE;

use crate::harness::check::Outcome;
use crate::subjects::device;
use crate::subjects::guest::Guest;
use crate::subjects::lifecycle::{GUARDED, KEPT, Step, Test, unbind};
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "lifecycle":
    l14_file_lives_from_open_to_close, l14_file_outlives_the_unplug, l14_failed_open_leaves_nothing,
    l14_handles_go_before_the_file, l14_refused_handle_leaves_nothing, fdinfo_has_the_drivers_keys,
    fdinfo_takes_long_strings,
}

/// Without an unplug, the file's data is dropped with the file and not with the device.
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

/// An unplug does not drop the file's data. The device's data is dropped after it.
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

/// A failed open drops only the initialised parts, calls no close, and leaves no reference.
fn l14_failed_open_leaves_nothing(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let observer = test.open(1)?;
    works!(observer.fail_next(Step::Open));
    test.trace.clear();
    let node = crate::subjects::lifecycle::node("lifecycle.0", "card").expect("it is bound");
    refuses!(device::DrmFile::open(&node), IO);
    test.trace.in_order(&["0: file open", "0: first part of the file dropped"])?;
    same!((test.trace.count("0: file dropped"), test.trace.count("0: file close")), (0, 0));
    same!(test.users()?, 1);
    works!(test.open(0)?.call(&GUARDED, 0, 0, 0));
    works!(unbind(0));
    test.trace.wait_for("0: data dropped")?;
    drop(observer);
    test.unload()
}

/// A file's handles are closed before its data is dropped, so an object's `close` can use the data.
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

/// An object whose `open` fails gets no handle and is dropped; its `close` is not called.
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

/// fdinfo has the driver's own line, and memory according to `status`.
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
    // Whether an object is active depends on its fences; whether it could be, on `status`.
    for key in ["drm-resident-memory:\t8 KiB\n", "drm-active-memory:\t0\n"] {
        holds!(text.contains(key), "{key:?} is in {text:?}");
    }
    // An unknown request fails with EINVAL.
    refuses!(client.call(&KEPT, 99, 0, 0), INVAL);
    drop((client, other));
    test.unload()
}

/// fdinfo cuts a long string: `printf` in the kernel warns about a string of more than 32767 bytes with a precision.
fn fdinfo_takes_long_strings(guest: &Guest) -> Outcome {
    const BYTES: usize = 40_000;
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    works!(client.long_fdinfo(BYTES as u64));
    let text = client.0.fdinfo()?;
    let value = text.lines().find_map(|line| line.strip_prefix("lifecycle-long:\t"));
    same!(value.map(str::len), Some(BYTES));
    holds!(text.ends_with("x\n"), "the line has an end");
    drop(client);
    test.unload()
}
