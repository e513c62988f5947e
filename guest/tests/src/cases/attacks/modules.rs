// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Modules whose init fails and leaves something behind, and a module value that is made again during the exit.
//!
//! Source: kernel/module/main.c (Linux 7.3).

use rustix::io::Errno;

use crate::harness::check::{Outcome, skip};
use crate::harness::slabs::finds_leaks;
use crate::subjects::attacks::{Test, What, bind, unbind};
use crate::subjects::driver::module_users;
use crate::subjects::guest::Guest;
use crate::{same, works};

crate::cases::cases! {
    "attacks":
    init_leaves_nothing within 60, init_leaves_work within 60, init_leaves_a_fence within 60,
    init_leaves_a_callback within 60, module_init_during_its_exit_is_refused within 60,
    driver_is_registered_by_hand within 60,
}

/// Loads the module whose init fails.
fn load(guest: &Guest, leaves: u32) -> Outcome {
    let parameters = std::ffi::CString::new(format!("leaves={leaves}")).expect("no zero byte");
    // C's faux bus does not report the error of the probe.
    same!(guest.modules()?.of("attacks_init")?.load_with(&parameters), Err(Errno::NODEV));
    same!(module_users("attacks_init")?, None);
    Ok(())
}

/// The module can be loaded again after its failed init.
fn init_leaves_nothing(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    for _ in 0..3 {
        load(guest, 0)?;
    }
    test.unload()
}

/// A failed init leaves work that still runs. The work is in the module's text, which C frees after the failure.
fn init_leaves_work(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    test.trace.clear();
    load(guest, 3)?;
    same!(test.trace.count("what was left runs, entered: false"), 1);
    test.unload()
}

/// S5: a failed init leaves a forgotten fence, whose class, names and module are freed before it expires.
fn init_leaves_a_fence(guest: &Guest) -> Outcome {
    if finds_leaks() {
        return skip("this kernel would report what this leaks");
    }
    let mut test = Test::new(guest)?;
    load(guest, 1)?;
    // Another module has the memory by now, and the time passes in which the fence would expire.
    works!(test.open(0)?.run(What::Wait, 0, 2000));
    test.unload()
}

/// S5: a failed init leaves a forgotten fence with a callback; the callback must not be called.
fn init_leaves_a_callback(guest: &Guest) -> Outcome {
    if finds_leaks() {
        return skip("this kernel would report what this leaks");
    }
    let mut test = Test::new(guest)?;
    test.trace.clear();
    load(guest, 2)?;
    same!(test.trace.count("what was left is called"), 1);
    test.unload()
}

/// S8: work that the module's exit drains runs the module's init again, which fails with `EBUSY`. Otherwise the drivers
/// would stay registered after their text is freed.
fn module_init_during_its_exit_is_refused(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    works!(test.open(0)?.run(What::Again, 0, 0));
    works!(unbind(0));
    works!(bind(0));
    test.trace.clear();
    test.unload()?;
    same!(test.trace.count("0: the module once more: -16"), 1);
    test.load("attacks")?;
    works!(test.open(0)?.run(What::Late, 0, 0));
    test.unload()
}

/// A registration made without the macro could be forgotten, and the driver would stay registered after its text is
/// freed.
fn driver_is_registered_by_hand(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    works!(test.open(0)?.run(What::Register, 0, 0));
    test.unload()
}
