// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A call, a probe or an unload is in progress when one of the two drivers is unbound (L5, L6).
//!
//! A kernel function is stopped at a known place, and the test checks what happens meanwhile. Source:
//! `drivers/base/dd.c`, `drivers/base/auxiliary.c` (Linux 7.3).

use rustix::io::Errno;
use sys::Answer;
use uapi::PAGE;

use crate::cases::fence::waiting::until_asleep;
use crate::harness::check::Outcome;
use crate::harness::failnth::{Call, Fault, enomem};
use crate::harness::modules;
use crate::subjects::guest::Guest;
use crate::subjects::nova::{CORE, DRM, Gpu};
use crate::{holds, same, works};

use super::life::{client, is_dead};

crate::cases::cases! {
    "nova_flight" for Nova:
    parent_unbind_does_not_wait_for_a_gem_create, child_unbind_does_not_wait_for_a_gem_create,
    pci_remove_does_not_wait_for_a_gem_create, parent_unbind_waits_for_the_childs_probe,
    pci_remove_waits_for_the_childs_probe, parent_unbind_waits_for_the_parents_probe,
    child_module_goes_while_the_parent_is_probed, file_is_open_when_the_next_probe_fails,
}

const PROBE: &str = "really_probe";

/// Returns the function, with the module loaded that makes calls wait.
fn gpu(guest: &Guest) -> Outcome<Gpu> {
    let gpu = Gpu::ready(guest)?;
    works!(guest.modules()?.of("failnth")?.load());
    Ok(gpu)
}

/// An object is being made while the device is removed. That needs memory only, so the removal does not wait, and the
/// call ends on a device that is gone.
fn while_an_object_is_made(guest: &Guest, goes: impl FnOnce(&Gpu) -> Answer) -> Outcome {
    let gpu = gpu(guest)?;
    let file = client(&gpu)?;
    let fault = Fault::nth_waits(enomem("drm_gem_handle_create"), 1, "drm_ioctl")?;
    let made = std::thread::scope(|scope| -> Outcome<_> {
        let made = scope.spawn(|| file.create(PAGE as u64));
        fault.wait()?;
        works!(goes(&gpu));
        is_dead(&file)?;
        works!(fault.release());
        Ok(made.join().expect("no panic"))
    })?;
    drop(fault);
    same!(made, Err(Errno::NOMEM));
    is_dead(&file)?;
    drop(file);
    let gpu = Gpu::ready(guest)?;
    client(&gpu).map(drop)
}

fn parent_unbind_does_not_wait_for_a_gem_create(guest: &Guest) -> Outcome {
    while_an_object_is_made(guest, |gpu| gpu.unbind())
}

fn child_unbind_does_not_wait_for_a_gem_create(guest: &Guest) -> Outcome {
    while_an_object_is_made(guest, |gpu| gpu.child().expect("it is bound").unbind())
}

fn pci_remove_does_not_wait_for_a_gem_create(guest: &Guest) -> Outcome {
    while_an_object_is_made(guest, |gpu| gpu.remove())
}

/// Stops `first` at a call that then fails. `second` begins meanwhile and must wait for it.
fn one_waits_for_the_other<A: Send, B: Send>(
    call: Call,
    first: impl FnOnce() -> A + Send,
    second: impl FnOnce() -> B + Send,
) -> Outcome<(A, B)> {
    let fault = Fault::nth_waits(call, 1, PROBE)?;
    std::thread::scope(|scope| {
        let first = scope.spawn(first);
        fault.wait()?;
        let (sender, receiver) = std::sync::mpsc::channel();
        let second = scope.spawn(move || {
            sender.send(rustix::thread::gettid()).expect("the receiver outlives the thread");
            second()
        });
        until_asleep(receiver.recv().expect("the thread sends before it waits"))?;
        holds!(!second.is_finished(), "the second waits");
        works!(fault.release());
        Ok((first.join().expect("no panic"), second.join().expect("no panic")))
    })
}

/// The child's probe is in its registration with userspace; whatever unbinds the parent waits for it.
fn while_the_child_is_probed(guest: &Guest, goes: impl FnOnce(&Gpu) -> Answer + Send) -> Outcome {
    let gpu = gpu(guest)?;
    let child = gpu.child().expect("it is bound");
    works!(child.unbind());
    let (bound, gone) = one_waits_for_the_other(enomem("drm_dev_register"), || child.bind(), || goes(&gpu))?;
    same!(bound, Err(Errno::NOMEM));
    same!(gone, Ok(()));
    holds!(!child.path("").exists(), "`{}` is gone", child.name());
    let gpu = Gpu::ready(guest)?;
    client(&gpu).map(drop)
}

fn parent_unbind_waits_for_the_childs_probe(guest: &Guest) -> Outcome {
    while_the_child_is_probed(guest, |gpu| gpu.unbind())
}

fn pci_remove_waits_for_the_childs_probe(guest: &Guest) -> Outcome {
    while_the_child_is_probed(guest, |gpu| gpu.remove())
}

/// The unbind of a parent waits for its failing probe. Then there is nothing to unbind, and it may return ENODEV.
fn parent_unbind_waits_for_the_parents_probe(guest: &Guest) -> Outcome {
    let gpu = gpu(guest)?;
    works!(gpu.unbind());
    let call = enomem("__auxiliary_device_add");
    let (bound, unbound) = one_waits_for_the_other(call, || gpu.bind(), || gpu.unbind())?;
    same!(bound, Err(Errno::NOMEM));
    // C checks whether a driver is bound before it waits for the lock, and again afterwards.
    holds!([Ok(()), Err(Errno::NODEV)].contains(&unbound), "the unbind answers {unbound:?}");
    same!(gpu.switched()?, [false; 3]);
    gpu.settle()?;
    client(&gpu).map(drop)
}

/// The parent's probe is about to make its child when the child's driver is unloaded; the probe continues without it.
fn child_module_goes_while_the_parent_is_probed(guest: &Guest) -> Outcome {
    let gpu = gpu(guest)?;
    works!(gpu.unbind());
    let fault = Fault::nth_waits(enomem("__auxiliary_device_add"), 1, PROBE)?;
    let bound = std::thread::scope(|scope| -> Outcome<_> {
        let bound = scope.spawn(|| gpu.bind());
        fault.wait()?;
        works!(modules::remove(DRM));
        works!(fault.release());
        Ok(bound.join().expect("no panic"))
    })?;
    drop(fault);
    same!(bound, Err(Errno::NOMEM));
    works!(gpu.bind());
    works!(modules::remove(CORE));
    gpu.load(guest)?;
    gpu.settle()?;
    client(&gpu).map(drop)
}

/// A client of an earlier device is not affected by a later probe that fails.
fn file_is_open_when_the_next_probe_fails(guest: &Guest) -> Outcome {
    let gpu = gpu(guest)?;
    let file = client(&gpu)?;
    works!(gpu.unbind());
    for call in [enomem("pci_enable_device_mem"), enomem("__auxiliary_device_add")] {
        let fault = Fault::nth(call, 1, PROBE)?;
        same!(gpu.bind(), Err(Errno::NOMEM));
        same!(fault.count()?.hits, 1);
        drop(fault);
        is_dead(&file)?;
        same!(gpu.switched()?, [false; 3]);
    }
    gpu.settle()?;
    is_dead(&file)?;
    drop(file);
    client(&gpu).map(drop)
}
