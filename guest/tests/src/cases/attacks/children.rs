// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Children on the auxiliary bus: names and ids that are invalid or taken, probes that fail, parents that are unbound.
//!
//! Source: drivers/base/auxiliary.c, lib/kobject_uevent.c (Linux 7.3).

use std::path::PathBuf;
use std::thread;

use rustix::io::Errno;
use rustix::process::Signal;

use crate::harness::check::{Outcome, fail};
use crate::subjects::attacks::{Client, Test, What, bind, render_node_in, unbind};
use crate::subjects::guest::Guest;
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "attacks":
    children_without_a_name within 60, children_of_all_numbers within 60, child_fails_in_its_probe within 60,
    child_probe_is_deferred within 60, parent_unbind_waits_for_the_childs_client within 60,
}

/// The children that the next probe makes.
#[derive(Clone, Copy)]
enum Children {
    One = 1,
    Names = 2,
    Ids = 3,
}

/// Returns the folder of a child of the first platform device.
fn child(id: i32) -> PathBuf {
    PathBuf::from(format!("/sys/devices/platform/lifecycle.0/attacks.part.{id}"))
}

/// Binds the first device again, with children.
fn probe_with(test: &mut Test<'_>, children: Children, fails: Option<u64>) -> Outcome {
    let observer = test.open(1)?;
    works!(observer.run(What::Children, 0, children as u64));
    if let Some(errno) = fails {
        works!(observer.run(What::ChildFails, 0, errno));
    }
    works!(unbind(0));
    test.trace.clear();
    works!(bind(0));
    Ok(())
}

/// Invalid names are refused: empty ones, paths, and ones longer than a uevent can hold, about which the kernel would
/// warn.
fn children_without_a_name(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    probe_with(&mut test, Children::Names, None)?;
    test.trace.in_order(&[
        "0: child 0 of 0 letters: -22",
        "0: child 0 of 7 letters: -22",
        "0: child 0 of 300 letters: -22",
        "0: child 0 of 4000 letters: -22",
    ])?;
    test.unload()
}

/// All ids up to the last work, although C has signed ones.
fn children_of_all_numbers(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    probe_with(&mut test, Children::Ids, None)?;
    for id in [0, i32::MAX, -1] {
        same!(test.trace.count(&format!("0: child {id} of 4 letters: 0")), 1);
        works!(Client::open(&render_node_in(&child(id)).expect("the child has a node"))?.run(What::Late, 0, 0));
    }
    test.unload()
}

/// When a child's probe fails, its parent continues without it, and everything that the child's probe made is dropped.
fn child_fails_in_its_probe(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    probe_with(&mut test, Children::One, Some(5))?;
    test.trace.in_order(&["20: data dropped", "0: child 0 of 4 letters: 0"])?;
    holds!(child(0).exists() && !child(0).join("drm").exists(), "the child is there, without a driver");
    works!(test.open(0)?.run(What::Late, 0, 0));
    works!(sys::write("/sys/bus/auxiliary/drivers/attacks.attacks/bind", "attacks.part.0"));
    works!(Client::open(&render_node_in(&child(0)).expect("the child has a node"))?.run(What::Late, 0, 0));
    test.unload()
}

/// A child's probe returns `EPROBE_DEFER`: C keeps the device on a list, and tries again when another device is bound.
fn child_probe_is_deferred(guest: &Guest) -> Outcome {
    const EPROBE_DEFER: u64 = 517;
    let mut test = Test::new(guest)?;
    probe_with(&mut test, Children::One, Some(EPROBE_DEFER))?;
    works!(unbind(0));
    holds!(!child(0).exists(), "the child went with its parent, on the list or not");
    works!(bind(0));
    test.unload()
}

/// A parent is unbound while a client is in a section of its child. The unbind waits for the client, which is then
/// killed.
fn parent_unbind_waits_for_the_childs_client(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    probe_with(&mut test, Children::One, None)?;
    let node = render_node_in(&child(0)).expect("the child has a node");
    let observer = Client::open(&node)?;
    let killed = works!(sys::fork(|| {
        Client::open(&node).is_ok_and(|client| client.plugged(What::Wait, 0, 1_000_000).is_ok())
    }));
    test.trace.wait_for("20: waits")?;
    thread::scope(|scope| -> Outcome {
        let unbound = scope.spawn(|| unbind(0));
        loop {
            match observer.plugged(What::Sibling, 0, 0) {
                Ok(_) => thread::yield_now(),
                Err(Errno::NODEV) => break,
                Err(errno) => return fail(format!("the child answers {errno}")),
            }
        }
        // The parent is whole as long as its child exists.
        works!(test.open(0)?.plugged(What::Sibling, 0, 0));
        same!(test.trace.count("20: unplugged") + test.trace.count("0: unplugged"), 0);
        works!(rustix::process::kill_process(killed, Signal::KILL));
        works!(unbound.join().expect("no panic"));
        Ok(())
    })?;
    works!(rustix::process::waitpid(Some(killed), rustix::process::WaitOptions::empty()));
    refuses!(observer.plugged(What::Sibling, 0, 0), NODEV);
    drop(observer);
    test.trace.wait_for("20: data dropped")?;
    test.trace.in_order(&["20: waits", "20: waited", "20: unplugged", "20: data dropped"])?;
    test.unload()
}
