// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Steps shared by the demos of GPUs: a PCI function is unbound, pulled out and plugged in again while clients hold its
//! device.
//!
//! Source: Documentation/ABI/testing/sysfs-bus-pci (`remove`, `rescan`).

use drydock_models::command::Command as Order;
use serde_json::{Value, json};

use crate::report::{State, Thing};
use drydock_machine::error::Error as VmError;
use drydock_machine::guest::Process;
use drydock_machine::scenario::{LIMIT, Scene};

use super::recorder::Recorder;
use super::{goes_on, holds, unexpected};

/// A PCI function in a demo.
pub(super) struct Function {
    /// Its driver in sysfs.
    pub(super) driver: &'static str,
    /// The subject that is unbound and bound in the titles of steps.
    pub(super) subject: &'static str,
    /// The things that exist while it is bound.
    pub(super) things: &'static [Thing],
    /// Checks what must exist while it is bound, or must not while it is unbound, and returns what it found.
    pub(super) look: fn(&Scene<'_>, bool) -> Result<Vec<String>, VmError>,
}

impl Function {
    /// Marks it as bound from the next step on.
    pub(super) fn attach(&self, recorder: &mut Recorder<'_, '_>) {
        self.things.iter().for_each(|thing| recorder.exists(*thing));
    }

    /// Marks it as unbound from the next step on.
    pub(super) fn detach(&self, recorder: &mut Recorder<'_, '_>) {
        self.things.iter().for_each(|thing| recorder.vanishes(*thing));
    }

    /// Unbinds its driver while a client holds the device, and returns the function's address.
    pub(super) fn unbound(&self, recorder: &mut Recorder<'_, '_>) -> Result<String, VmError> {
        let names = recorder.guest().list(self.driver)?;
        let Some(address) = names.into_iter().find(|name| name.contains(':')) else {
            return Err(unexpected(self.driver, "no PCI function is bound to it"));
        };
        self.detach(recorder);
        recorder.step(&format!("{} is unbound while it is held", self.subject), State::Unplugged, |scene| {
            scene.guest().write(&format!("{}/unbind", self.driver), &address)?;
            (self.look)(scene, false)
        })?;
        Ok(address)
    }

    /// Binds its driver again.
    pub(super) fn bound(&self, recorder: &mut Recorder<'_, '_>, address: &str, after: &str) -> Result<(), VmError> {
        self.attach(recorder);
        recorder.step(&format!("{} is bound again{after}", self.subject), State::Registered, |scene| {
            scene.guest().write(&format!("{}/bind", self.driver), address)?;
            (self.look)(scene, true)
        })
    }

    /// Removes the GPU first, and then has the kernel remove the function.
    pub(super) fn pulled_out(&self, recorder: &mut Recorder<'_, '_>, address: &str) -> Result<(), VmError> {
        recorder.vanishes(Thing::Gpu);
        recorder.step("the GPU is pulled out while it is held", State::Registered, |scene| {
            let fault = json!({ "kind": "removal" });
            order(scene, &Order::Fault(fault.as_object().cloned().unwrap_or_default()))?;
            let config = scene
                .guest()
                .check(&["hexdump", "-C", "-n", "16", &format!("/sys/bus/pci/devices/{address}/config")], LIMIT)?;
            Ok(config.out.lines().take(1).map(|line| format!("config space reads {line}")).collect())
        })?;
        self.detach(recorder);
        recorder.step("the kernel learns that the function is gone", State::Unplugged, |scene| {
            scene.guest().write(&format!("/sys/bus/pci/devices/{address}/remove"), "1")?;
            (self.look)(scene, false)
        })
    }

    /// Plugs the GPU in again, as new.
    pub(super) fn plugged_in(&self, recorder: &mut Recorder<'_, '_>) -> Result<(), VmError> {
        recorder.exists(Thing::Gpu);
        self.attach(recorder);
        recorder.step("it is plugged in again, and found", State::Registered, |scene| {
            order(scene, &Order::Repair)?;
            scene.guest().write("/sys/bus/pci/rescan", "1")?;
            (self.look)(scene, true)
        })
    }
}

/// Starts a client that holds a file, and records the step `title`.
pub(super) fn held<'s>(recorder: &mut Recorder<'_, 's>, title: &str) -> Result<Process<'s>, VmError> {
    recorder.exists(Thing::File);
    holds(recorder, title)
}

/// Lets the client notice that its device was removed, and close.
pub(super) fn let_go(recorder: &mut Recorder<'_, '_>, client: Process<'_>) -> Result<(), VmError> {
    recorder.vanishes(Thing::File);
    goes_on(recorder, client)
}

/// Sends an order to the emulated GPU.
pub(super) fn order(scene: &Scene<'_>, order: &Order) -> Result<Value, VmError> {
    scene.gpu().expect("the demo of a GPU boots with one").order(order)
}

/// Lists the nodes of /dev/dri, and checks that there are `count`.
pub(super) fn nodes(scene: &Scene<'_>, count: usize) -> Result<Vec<String>, VmError> {
    let found = scene.guest().list("/dev/dri").unwrap_or_default();
    let nodes: Vec<_> =
        found.into_iter().filter(|name| name.starts_with("card") || name.starts_with("render")).collect();
    let shown = if nodes.is_empty() { "nothing".to_owned() } else { nodes.join(", ") };
    match nodes.len() == count {
        true => Ok(vec![format!("/dev/dri holds {shown}")]),
        false => Err(unexpected("/dev/dri", &format!("it holds {shown}"))),
    }
}
