// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What the demos of GPUs share: a PCI function that is unbound, pulled out and plugged in again while clients hold its device.
//!
//! Source: Documentation/ABI/testing/sysfs-bus-pci (`remove`, `rescan`).

use drydock_models::command::Command as Order;
use serde_json::{Value, json};

use crate::report::{State, Thing};
use crate::scenario::{LIMIT, Scene};
use crate::vm::error::Error as VmError;
use crate::vm::guest::Process;

use super::recorder::Recorder;
use super::{goes_on, holds, unexpected};

/// A PCI function as its story sees it.
pub(super) struct Function {
    /// Its driver in sysfs.
    pub(super) driver: &'static str,
    /// What is called unbound and bound in the titles of steps.
    pub(super) subject: &'static str,
    /// What exists while it is bound.
    pub(super) things: &'static [Thing],
    /// What is there while it is bound, or is not: told, and an error if it is otherwise.
    pub(super) look: fn(&Scene<'_>, bool) -> Result<Vec<String>, VmError>,
}

impl Function {
    /// From the next step on it is bound.
    pub(super) fn attach(&self, recorder: &mut Recorder<'_, '_>) {
        self.things.iter().for_each(|thing| recorder.exists(*thing));
    }

    /// From the next step on it is not.
    pub(super) fn detach(&self, recorder: &mut Recorder<'_, '_>) {
        self.things.iter().for_each(|thing| recorder.vanishes(*thing));
    }

    /// Its driver lets go of it while a client holds the device; gives its address.
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

    /// Its driver gets hold of it again.
    pub(super) fn bound(&self, recorder: &mut Recorder<'_, '_>, address: &str, after: &str) -> Result<(), VmError> {
        self.attach(recorder);
        recorder.step(&format!("{} is bound again{after}", self.subject), State::Registered, |scene| {
            scene.guest().write(&format!("{}/bind", self.driver), address)?;
            (self.look)(scene, true)
        })
    }

    /// The GPU goes first; the kernel hears of it afterwards.
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
        recorder.step("the kernel hears that the function is gone", State::Unplugged, |scene| {
            scene.guest().write(&format!("/sys/bus/pci/devices/{address}/remove"), "1")?;
            (self.look)(scene, false)
        })
    }

    /// The GPU is there again, as new.
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

/// A client that holds a file, and what else `title` says.
pub(super) fn held<'s>(recorder: &mut Recorder<'_, 's>, title: &str) -> Result<Process<'s>, VmError> {
    recorder.exists(Thing::File);
    holds(recorder, title)
}

/// The client gets to know that its device has gone, and closes.
pub(super) fn let_go(recorder: &mut Recorder<'_, '_>, client: Process<'_>) -> Result<(), VmError> {
    recorder.vanishes(Thing::File);
    goes_on(recorder, client)
}

/// Asks the emulated GPU for something.
pub(super) fn order(scene: &Scene<'_>, order: &Order) -> Result<Value, VmError> {
    scene.gpu().expect("the demo of a GPU boots with one").order(order)
}

/// The nodes of /dev/dri, of which there must be so many.
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
