// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The life of a nova device across its two drivers. The parent finds its GPU and makes a child; the child's driver
//! registers a DRM device. The parent is unbound while a client holds the device. The GPU is pulled out while another
//! client holds it, and plugged in again.
//!
//! Source: Documentation/driver-api/auxiliary_bus.rst.

use crate::report::{State, Thing};
use drydock_machine::error::Error as VmError;
use drydock_machine::scenario::{LIMIT, Program, Scene};

use super::plug::{Function, held, let_go, nodes};
use super::recorder::Recorder;
use super::{contains, unexpected};

/// The parent's PCI function.
const FUNCTION: Function = Function {
    driver: "/sys/bus/pci/drivers/nova-core",
    subject: "the parent",
    things: &[Thing::ParentBound, Thing::Child, Thing::Nodes],
    look,
};

/// The sysfs directory of the child.
const CHILDREN: &str = "/sys/bus/auxiliary/devices";

/// The title for a client that holds the device.
const HELD: &str = "a client holds a file and a buffer";

/// Records the life of the device, from the first module to the last.
pub(super) fn story(recorder: &mut Recorder<'_, '_>) -> Result<(), VmError> {
    recorder.exists(Thing::Gpu);
    birth(recorder)?;
    used(recorder)?;
    let client = held(recorder, HELD)?;
    let address = FUNCTION.unbound(recorder)?;
    let_go(recorder, client)?;
    FUNCTION.bound(recorder, &address, ", and the child is back")?;
    let client = held(recorder, HELD)?;
    FUNCTION.pulled_out(recorder, &address)?;
    let_go(recorder, client)?;
    FUNCTION.plugged_in(recorder)?;
    gone(recorder)
}

fn birth(recorder: &mut Recorder<'_, '_>) -> Result<(), VmError> {
    recorder.exists(Thing::Library);
    recorder.step("the library is loaded", State::Absent, |scene| scene.insmod("drm_rust").map(|()| Vec::new()))?;
    for thing in [Thing::ParentModule, Thing::ParentBound, Thing::Child] {
        recorder.exists(thing);
    }
    recorder.step("the parent finds its GPU", State::Absent, |scene| {
        scene.insmod("nova_core")?;
        children(scene, 1)
    })?;
    recorder.exists(Thing::ChildModule);
    recorder.exists(Thing::Nodes);
    recorder.step("the child is registered with userspace", State::Registered, |scene| {
        scene.insmod("nova_drm")?;
        nodes(scene, 1)
    })
}

fn used(recorder: &mut Recorder<'_, '_>) -> Result<(), VmError> {
    recorder.step("lsgpu lists it", State::Registered, |scene| {
        let out = scene.guest().check(&["lsgpu"], LIMIT)?.out;
        contains(&out, "lsgpu", "card0")?;
        Ok(out.lines().map(str::to_owned).collect())
    })?;
    recorder.step("a client on the crate `drm` uses it", State::Registered, |scene| {
        let out = scene.guest().check(&[Program::CLIENT.name], LIMIT)?.out;
        Ok(out.lines().map(str::to_owned).collect())
    })
}

fn gone(recorder: &mut Recorder<'_, '_>) -> Result<(), VmError> {
    recorder.vanishes(Thing::ChildModule);
    recorder.vanishes(Thing::Nodes);
    recorder.step("the child's driver is unloaded", State::Absent, |scene| {
        scene.rmmod("nova_drm")?;
        children(scene, 1)
    })?;
    for thing in [Thing::Child, Thing::ParentBound, Thing::ParentModule] {
        recorder.vanishes(thing);
    }
    recorder.step("the parent's driver is unloaded", State::Absent, |scene| {
        scene.rmmod("nova_core")?;
        children(scene, 0)
    })?;
    recorder.vanishes(Thing::Library);
    recorder.step("the library is unloaded", State::Absent, |scene| scene.rmmod("drm_rust").map(|()| Vec::new()))
}

/// Checks the child and the node, which exist while the parent is bound.
fn look(scene: &Scene<'_>, bound: bool) -> Result<Vec<String>, VmError> {
    let count = usize::from(bound);
    Ok([children(scene, count)?, nodes(scene, count)?].concat())
}

/// Lists the auxiliary devices, and checks that there are `count`.
fn children(scene: &Scene<'_>, count: usize) -> Result<Vec<String>, VmError> {
    let there = scene.guest().list(CHILDREN).unwrap_or_default();
    let shown = if there.is_empty() { "nothing".to_owned() } else { there.join(", ") };
    match there.len() == count {
        true => Ok(vec![format!("{CHILDREN} holds {shown}")]),
        false => Err(unexpected(CHILDREN, &format!("it holds {shown}"))),
    }
}
