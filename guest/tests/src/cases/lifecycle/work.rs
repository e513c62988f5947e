// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Work that the driver queues ends in time (L15).
//!
//! Source: docs/reference/obligations.md for the obligations, whose numbers begin the names.

use sys::Answer;

use crate::harness::check::Outcome;
use crate::subjects::guest::Guest;
use crate::subjects::lifecycle::{Test, WORK, unbind};
use crate::{same, works};

crate::cases::cases! {
    "lifecycle":
    l15_work_runs, l15_work_ends_before_registration_data_drop, l15_late_work_ends_before_the_module,
    l15_work_that_queues_itself_ends_with_the_module,
}

/// Work finds its device plugged as long as it is.
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

/// Work that was queued before the unplug ends before the registration data is dropped.
fn l15_work_ends_before_registration_data_drop(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let (client, observer) = (test.open(0)?, test.open(1)?);
    works!(observer.gate(false));
    works!(client.call(&WORK, 1, 0, 0));
    test.trace.wait_for("0: work begins")?;
    let unbound: Answer = std::thread::scope(|scope| -> Outcome<_> {
        let unbound = scope.spawn(|| unbind(0));
        // This line is logged when the teardown reaches the flush.
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

/// Work that the drop of the registration data queues, after the flush, ends before the module's exit.
fn l15_late_work_ends_before_the_module(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    works!(unbind(1));
    works!(test.open(0)?.late_work());
    test.trace.clear();
    test.unload()?;
    // The work held the last reference to the device.
    test.trace.in_order(&["0: registration data dropped", "0: late work ends, entered: false", "0: data dropped"])
}

/// Work that queues itself again and again does not keep the module from being unloaded.
fn l15_work_that_queues_itself_ends_with_the_module(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    works!(test.open(0)?.call(&WORK, 2, 0, 0));
    works!(unbind(0));
    test.trace.clear();
    test.unload()?;
    test.trace.in_order(&["0: work cannot be queued again", "0: data dropped"])
}
