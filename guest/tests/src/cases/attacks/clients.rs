// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Clients that are killed, come in crowds, or come during an unload.
//!
//! Source: kernel/exit.c, drm_file.c, drm_syncobj.c (Linux 7.3).

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions};

use crate::harness::check::{Outcome, fail};
use crate::harness::modules;
use crate::subjects::attacks::{Client, Test, What, bind, render_node, unbind};
use crate::subjects::guest::Guest;
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "attacks":
    client_is_killed_in_a_wait within 60, client_is_killed_in_a_wait_after_unplug within 60,
    killed_client_drops_every_kind_of_resource within 60, client_is_killed_with_many_handles within 60,
    unload_races_with_opens_and_ioctls within 60, fdinfo_is_read_while_objects_go within 60,
}

/// Starts a client in a process of its own, which acts and then waits to be killed.
fn start(act: impl FnOnce(&Client) -> Outcome) -> Outcome<Pid> {
    let child = sys::fork(|| {
        let Some(client) = render_node(0).and_then(|node| Client::open(&node).ok()) else { return false };
        if act(&client).is_err() {
            return false;
        }
        loop {
            thread::park();
        }
    });
    Ok(works!(child))
}

/// Waits for a fence that is never signalled.
fn waits(client: &Client) -> Outcome {
    works!(client.run(What::Wait, 0, 1_000_000));
    Ok(())
}

fn kill(child: Pid) -> Outcome {
    works!(rustix::process::kill_process(child, Signal::KILL));
    let status = works!(rustix::process::waitpid(Some(child), WaitOptions::empty())).map(|(_, status)| status);
    holds!(status.is_some_and(|status| status.terminating_signal() == Some(9)), "the client was killed");
    Ok(())
}

/// A killed client gives up its wait, and drops what is on its stack: the signaler of the fence that it waited for.
fn client_is_killed_in_a_wait(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let child = start(waits)?;
    test.trace.wait_for("0: waits")?;
    refuses!(modules::remove("attacks"), AGAIN);
    kill(child)?;
    test.trace.wait_for("0: file closed")?;
    test.trace.in_order(&["0: waits", "0: waited", "0: file closed"])?;
    test.unload()
}

/// The same happens on a device that is unplugged.
fn client_is_killed_in_a_wait_after_unplug(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let child = start(waits)?;
    test.trace.wait_for("0: waits")?;
    works!(unbind(0));
    test.trace.wait_for("0: unplugged")?;
    same!(test.trace.count("0: data dropped"), 0);
    kill(child)?;
    test.trace.wait_for("0: data dropped")?;
    test.trace.in_order(&["0: unplugged", "0: waited", "0: file closed", "0: data dropped"])?;
    test.unload()
}

/// A process without memory, files or namespaces drops everything that a driver can own.
fn killed_client_drops_every_kind_of_resource(guest: &Guest) -> Outcome {
    for unplugged in [false, true] {
        let mut test = Test::new(guest)?;
        let child = start(|client| {
            for _ in 0..5 {
                works!(client.run(What::Hoard, 0, 0));
            }
            waits(client)
        })?;
        test.trace.wait_for("0: waits")?;
        if unplugged {
            works!(unbind(0));
        }
        kill(child)?;
        test.trace.wait_for("0: file closed")?;
        if unplugged {
            test.trace.wait_for("0: data dropped")?;
        }
        test.unload()?;
    }
    Ok(())
}

/// The kernel closes thousands of handles of buffers and sync objects that the client did not close.
fn client_is_killed_with_many_handles(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let child = start(|client| {
        works!(client.run(What::Handles, 0, 2000));
        waits(client)
    })?;
    test.trace.wait_for("0: waits")?;
    kill(child)?;
    test.trace.wait_for("0: file closed")?;
    test.unload()
}

/// Clients open the node and make calls while the device is bound and unbound and the module unloaded. Each client may
/// keep the module.
fn unload_races_with_opens_and_ioctls(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let (done, answered) = (AtomicBool::new(false), AtomicU32::new(0));
    thread::scope(|scope| -> Outcome {
        let come = || -> Outcome {
            while !done.load(Ordering::Relaxed) {
                let Some(client) = render_node(0).and_then(|node| Client::open(&node).ok()) else {
                    thread::yield_now();
                    continue;
                };
                match client.run(What::Late, 0, 0).and_then(|_| client.plugged(What::Sibling, 0, 0)) {
                    Ok(_) => drop(answered.fetch_add(1, Ordering::Relaxed)),
                    Err(Errno::NODEV) => {}
                    Err(errno) => {
                        done.store(true, Ordering::Relaxed);
                        return fail(format!("the device answers {errno}"));
                    }
                }
            }
            Ok(())
        };
        let clients = [scope.spawn(come), scope.spawn(come)];
        let reloads = (|| {
            for round in 0..20 {
                // A client got an answer from the device that is removed now.
                let before = answered.load(Ordering::Relaxed);
                while answered.load(Ordering::Relaxed) == before && !done.load(Ordering::Relaxed) {
                    thread::yield_now();
                }
                works!(unbind(0));
                if round % 2 == 0 {
                    // No client can open the device now, and open files are closed soon.
                    while let Err(errno) = modules::remove("attacks") {
                        holds!(errno == Errno::AGAIN, "the module is in use at most");
                        thread::yield_now();
                    }
                    // The device is bound when the module is loaded.
                    test.load("attacks")?;
                } else {
                    works!(bind(0));
                }
            }
            Ok(())
        })();
        done.store(true, Ordering::Relaxed);
        clients.into_iter().try_for_each(|client| client.join().expect("a client does not panic"))?;
        reloads
    })?;
    test.unload()
}

/// fdinfo iterates over a file's objects while another thread closes and makes them.
fn fdinfo_is_read_while_objects_go(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    let done = AtomicBool::new(false);
    thread::scope(|scope| -> Outcome {
        let reader = scope.spawn(|| -> Outcome<u32> {
            let mut reads = 0;
            while !done.load(Ordering::Relaxed) {
                holds!(client.0.fdinfo()?.contains("drm-total"), "the statistics are there");
                reads += 1;
            }
            Ok(reads)
        });
        let churn = (|| {
            for _ in 0..2000 {
                works!(client.0.gem_close(works!(client.make(uapi::PAGE))));
            }
            Ok(())
        })();
        done.store(true, Ordering::Relaxed);
        let reads = reader.join().expect("a reader does not panic")?;
        holds!(reads > 0, "the statistics were read");
        churn
    })?;
    drop(client);
    test.unload()
}
