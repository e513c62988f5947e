// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A probe whose every step fails in turn, among those that the driver takes itself (L3).
//!
//! Source: docs/reference/obligations.md for the obligations, whose numbers begin the names.

use crate::harness::check::Outcome;
use crate::subjects::guest::Guest;
use crate::subjects::lifecycle::{GUARDED, Step, Test, bind, left_of, unbind};
use crate::{refuses, same, works};

crate::cases::cases! {
    "lifecycle":
    l3_data_that_fails_leaves_nothing, l3_object_that_fails_leaves_the_device, l3_registration_data_that_fails,
    l3_error_after_ready,
}

/// The log lines when device 0 is freed without ever being registered.
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

/// Checks that the next bind after a failure works like the first.
fn binds_again(test: &mut Test<'_>) -> Outcome {
    works!(bind(0));
    same!(works!(test.open(0)?.call(&GUARDED, 0, 0, 0)).what, 0);
    test.unload()
}

/// Device data whose init fails: only the initialised parts are dropped, and no action and no object is made.
fn l3_data_that_fails_leaves_nothing(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    bind_with(&mut test, Step::Data)?;
    test.trace.in_order(&["0: probe", "0: first part of the data dropped"])?;
    same!(test.trace.count("0: data dropped"), 0);
    same!(test.trace.count("managed action"), 0);
    binds_again(&mut test)
}

/// An object whose init fails is not dropped; the device is freed as a whole.
fn l3_object_that_fails_leaves_the_device(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    bind_with(&mut test, Step::Object)?;
    test.trace.in_order(NEVER_REGISTERED)?;
    same!(test.trace.count("object dropped"), 0);
    same!(test.trace.count("unplugged"), 0);
    binds_again(&mut test)
}

/// The registration data fails: the object made for it is dropped, and the device after it.
fn l3_registration_data_that_fails(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    bind_with(&mut test, Step::Registration)?;
    test.trace.in_order(&["0: object dropped", "0: managed action 3"])?;
    test.trace.in_order(NEVER_REGISTERED)?;
    same!(test.trace.count("registration data"), 0);
    binds_again(&mut test)
}

/// An error after the device was ready drops the registration data, then the device.
fn l3_error_after_ready(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    bind_with(&mut test, Step::Probe)?;
    test.trace.in_order(&["0: registration data dropped", "0: object dropped", "0: managed action 3"])?;
    test.trace.in_order(NEVER_REGISTERED)?;
    same!(test.trace.count("unplugged"), 0);
    binds_again(&mut test)
}
