// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A registration that fails after a node was opened, or that never takes place (L7).
//!
//! Source: `drm_dev_register` in drivers/gpu/drm/drm_drv.c (Linux 7.3).

use rustix::io::Errno;
use uapi::{CLOEXEC, PAGE, RDWR};

use crate::harness::check::Outcome;
use crate::harness::failnth::{Call, Fault, enomem};
use crate::harness::modules;
use crate::subjects::device;
use crate::subjects::guest::Guest;
use crate::subjects::lifecycle::{BLOCK, Client, DMA, ENTER, GUARDED, Kept, Test, VMAP, bind, left_of, node, unbind};
use crate::sweeps::calls::PROBE;
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "probe":
    l7_registration_fails_after_a_node_was_opened, l7_registration_fails_under_a_guarded_ioctl,
    l7_never_registered_device_cannot_be_entered,
}

/// Calls for the second node, the primary one: the render node exists already when they fail.
const SECOND_NODE: [Call; 2] = [enomem("device_add"), enomem("drm_minor_register")];

/// The file works until the failure and gets ENODEV from then on. It keeps the device and the module, and can be
/// closed.
fn l7_registration_fails_after_a_node_was_opened(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    for call in SECOND_NODE {
        works!(unbind(0));
        test.trace.clear();
        let fault = Fault::nth_waits(call, 2, PROBE.scope)?;
        let (client, mapping) = std::thread::scope(|scope| -> Outcome<_> {
            let bound = scope.spawn(|| bind(0));
            fault.wait()?;
            holds!(node("lifecycle.0", "card").is_none(), "the primary node is not there yet");
            let node = node("lifecycle.0", "renderD").expect("the render node is there");
            let client = Client(works!(device::DrmFile::open(&node)));
            same!(works!(client.call(&GUARDED, 0, 0, 0)).what, 0);
            same!(works!(client.call(&ENTER, 0, 0, 0)).value, 1);
            let handle = works!(client.object(PAGE as u64));
            works!(client.call(&DMA, 0, handle, 0));
            works!(client.call(&VMAP, 0, handle, 0x7));
            let buffer = works!(client.0.export(handle, RDWR | CLOEXEC));
            let mapping = works!(sys::Mapping::shared(&buffer, 0, PAGE));
            works!(fault.release());
            same!(bound.join().expect("no panic"), Err(Errno::NOMEM));
            Ok((client, mapping))
        })?;
        drop(fault);
        same!(left_of("lifecycle.0"), None);
        refuses!(client.call(&GUARDED, 0, 0, 0), NODEV);
        refuses!(client.call(&ENTER, 0, 0, 0), NODEV);
        refuses!(client.object(PAGE as u64), NODEV);
        same!(mapping.read(0), 7);
        refuses!(modules::remove("lifecycle"), AGAIN);
        test.trace.in_order(&[
            "0: file open, entered: true",
            "0: unplugged, entered: false",
            "0: registration data dropped",
        ])?;
        same!(test.trace.count("0: data dropped"), 0);
        drop((client, mapping));
        test.trace.wait_for("0: data dropped")?;
        test.trace.in_order(&[
            "0: file close, entered: false",
            "0: file dropped",
            "0: managed action 3",
            "0: data dropped",
        ])?;
        works!(bind(0));
    }
    works!(test.open(0)?.call(&GUARDED, 0, 0, 0));
    test.unload()
}

/// A handler is in its section when the registration fails: the registration data is kept until it leaves.
fn l7_registration_fails_under_a_guarded_ioctl(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let observer = test.open(1)?;
    for call in SECOND_NODE {
        works!(unbind(0));
        works!(observer.gate(false));
        test.trace.clear();
        let fault = Fault::nth_waits(call, 2, PROBE.scope)?;
        let (client, blocked) = std::thread::scope(|scope| -> Outcome<_> {
            let bound = scope.spawn(|| bind(0));
            fault.wait()?;
            let node = node("lifecycle.0", "renderD").expect("the render node is there");
            let client = std::sync::Arc::new(Client(works!(device::DrmFile::open(&node))));
            let copy = client.clone();
            let blocked = scope.spawn(move || copy.call(&BLOCK, 0, 0, 7));
            test.trace.wait_for("0: guarded ioctl waits")?;
            works!(fault.release());
            while client.call(&ENTER, 0, 0, 0) != Err(Errno::NODEV) {
                std::thread::yield_now();
            }
            same!(test.trace.count("0: unplugged"), 0);
            works!(observer.gate(true));
            same!(bound.join().expect("no panic"), Err(Errno::NOMEM));
            Ok((client, blocked.join().expect("no panic")))
        })?;
        drop(fault);
        same!(works!(blocked).value, 0);
        test.trace.in_order(&["0: guarded ioctl goes on", "0: unplugged", "0: registration data dropped"])?;
        drop(client);
        test.trace.wait_for("0: data dropped")?;
        works!(bind(0));
    }
    drop(observer);
    test.unload()
}

/// A reference from before a failed registration enters no section, then or later. Its memory can be used.
fn l7_never_registered_device_cannot_be_entered(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let observer = test.open(1)?;
    for call in [enomem("drm_dev_register"), enomem("drm_minor_register")] {
        works!(unbind(0));
        works!(observer.keep_next());
        test.trace.clear();
        let fault = Fault::nth(call, 1, PROBE.scope)?;
        refuses!(bind(0), NOMEM);
        drop(fault);
        same!(works!(observer.kept(Kept::Enter, 7)).value, 0);
        works!(observer.kept(Kept::Vmap, 3));
        same!(works!(observer.kept(Kept::Vmap, 4)).value, 3);
        refuses!(observer.kept(Kept::Dma, 0), INVAL);
        works!(bind(0));
        same!(works!(observer.kept(Kept::Enter, 7)).value, 0);
        works!(observer.kept(Kept::Object, 0));
        same!(test.trace.count("0: data dropped"), 0);
        works!(observer.let_go());
        test.trace.in_order(&["0: registration data dropped", "0: data dropped"])?;
    }
    drop(observer);
    test.unload()
}
