// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A registration or a module's init that fails when clients exist already, and devices that are never released.
//!
//! Source: `drm_dev_register` in drivers/gpu/drm/drm_drv.c, drm_debugfs.c, kernel/module/main.c (Linux 7.3).

use std::path::{Path, PathBuf};
use std::thread;

use rustix::io::Errno;
use sys::Mapping;
use uapi::{CLOEXEC, PAGE, RDWR};

use crate::harness::check::{Outcome, lacks, skip};
use crate::harness::failnth::{Fault, enomem};
use crate::harness::modules;
use crate::harness::slabs::finds_leaks;
use crate::subjects::attacks::{Callback, Client, Test, What, bind, edu, render_node, render_node_in, unbind};
use crate::subjects::guest::Guest;
use crate::sweeps::calls::PROBE;
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "attacks":
    registration_fails_with_everything_kept within 60, failed_device_that_leaks_is_not_in_debugfs within 60,
    leaked_device_is_not_in_debugfs within 60, init_fails_with_a_client within 60,
}

/// Returns the directory of a platform device in debugfs.
fn debugfs(device: u32) -> PathBuf {
    Path::new("/sys/kernel/debug/dri").join(format!("lifecycle.{device}"))
}

/// A client opens the render node, then the registration of the primary one fails. The client keeps one of everything,
/// on the file and on the device, and uses and drops it at the end.
fn registration_fails_with_everything_kept(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    works!(unbind(0));
    test.trace.clear();
    let fault = Fault::nth_waits(enomem("drm_minor_register"), 2, PROBE.scope)?;
    let (client, buffer) = thread::scope(|scope| -> Outcome<_> {
        let bound = scope.spawn(|| bind(0));
        fault.wait()?;
        let client = Client::open(&render_node(0).expect("the render node is there"))?;
        works!(client.run(What::Keep, 0, 0));
        works!(client.run(What::Hoard, 0, 0));
        works!(client.plugged(What::Sibling, 0, 0));
        works!(client.plugged(What::Pending, 0, 0));
        works!(client.trap(Callback::HardwareDrop));
        works!(client.at_close(What::LetGo, 0));
        let buffer = works!(client.0.export(works!(client.make(PAGE)), RDWR | CLOEXEC));
        works!(fault.release());
        same!(bound.join().expect("no panic"), Err(Errno::NOMEM));
        Ok((client, buffer))
    })?;
    drop(fault);
    same!(
        test.answers(0, Callback::HardwareDrop)?.iter().find(|(name, _)| name == "enter").map(|(_, answer)| *answer),
        Some(0)
    );
    refuses!(client.run(What::Late, 0, 0), NODEV);
    let mapping = works!(Mapping::shared(&buffer, 0, PAGE));
    mapping.write(0, 7);
    drop(buffer);
    refuses!(modules::remove("attacks"), AGAIN);
    drop((client, mapping));
    test.trace.wait_for("0: data dropped")?;
    test.trace.in_order(&["0: unplugged", "0: at close: 0", "0: data dropped"])?;
    works!(bind(0));
    works!(test.open(0)?.run(What::Late, 0, 0));
    test.unload()
}

/// A driver leaks a device whose registration has failed, and its module is unloaded. C leaves the device's files in
/// debugfs until its release, which never comes: reading them would return the name that was in the module.
fn failed_device_that_leaks_is_not_in_debugfs(guest: &Guest) -> Outcome {
    if finds_leaks() {
        return skip("this kernel would report what this leaks");
    }
    let mut test = Test::new(guest)?;
    works!(unbind(0));
    let fault = Fault::nth_waits(enomem("drm_minor_register"), 2, PROBE.scope)?;
    thread::scope(|scope| -> Outcome {
        let bound = scope.spawn(|| bind(0));
        fault.wait()?;
        holds!(debugfs(0).join("name").exists(), "the file is there while the device is registered");
        works!(Client::open(&render_node(0).expect("the render node is there"))?.run(What::Leak, 0, 0));
        works!(fault.release());
        same!(bound.join().expect("no panic"), Err(Errno::NOMEM));
        Ok(())
    })?;
    drop(fault);
    works!(modules::remove("attacks"));
    same!(test.trace.count("attacks: 1 device(s) never released"), 1);
    let name = std::fs::read_to_string(debugfs(0).join("name"));
    holds!(name.is_err(), "nothing of the device can be read: {name:?}");
    test.trace.clear();
    test.load("attacks")?;
    works!(test.open(0)?.run(What::Late, 0, 0));
    test.unload()
}

/// A driver leaks a device that was registered and is unplugged: its files must not stay in debugfs either.
fn leaked_device_is_not_in_debugfs(guest: &Guest) -> Outcome {
    if finds_leaks() {
        return skip("this kernel would report what this leaks");
    }
    let mut test = Test::new(guest)?;
    works!(test.open(0)?.run(What::Leak, 0, 0));
    works!(unbind(0));
    works!(modules::remove("attacks"));
    same!(test.trace.count("attacks: 1 device(s) never released"), 1);
    holds!(!debugfs(0).exists(), "the device's folder is gone");
    test.trace.clear();
    test.load("attacks")?;
    works!(test.open(0)?.run(What::Late, 0, 0));
    test.unload()
}

/// A module registers its driver with two buses. A client opens the device of the first bus before the second
/// registration fails, and with it the module's init. The loader frees such a module whatever references it has, and
/// the client's file calls into it.
fn init_fails_with_a_client(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    if edu().is_none() {
        return lacks("the machine has no `edu` device (`-device edu,dma_mask=0xffffffff`)");
    }
    works!(modules::remove("attacks"));
    let fault = Fault::nth_of_any_waits(enomem("__platform_driver_register"), 1)?;
    thread::scope(|scope| -> Outcome {
        let loaded = scope.spawn(|| test.load("attacks").is_ok());
        fault.wait()?;
        let folder = edu().expect("the driver serves the device on its first bus");
        let client = Client::open(&render_node_in(&folder).expect("the render node is there"))?;
        works!(client.run(What::Hoard, 0, 0));
        let handle = works!(client.make(PAGE));
        let mapping = works!(client.map(handle, PAGE));
        works!(fault.release());
        test_until_refused(&client)?;
        mapping.write(0, 7);
        same!(mapping.read(0), 7);
        drop((client, mapping));
        holds!(!loaded.join().expect("no panic"), "the init fails");
        Ok(())
    })?;
    drop(fault);
    refuses!(modules::remove("attacks"), NOENT);
    test.trace.clear();
    test.load("attacks")?;
    works!(test.open(0)?.run(What::Late, 0, 0));
    test.unload()
}

/// Polls until the client's device is unplugged.
fn test_until_refused(client: &Client) -> Outcome {
    loop {
        match client.plugged(What::Sibling, 0, 0) {
            Ok(_) => thread::yield_now(),
            Err(Errno::NODEV) => return Ok(()),
            Err(errno) => return crate::harness::check::fail(format!("the device answers {errno}")),
        }
    }
}
