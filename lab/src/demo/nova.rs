// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The life of a nova device across its two drivers: the parent finds its GPU and makes a child, the child's driver registers
//! a DRM device; the parent is unbound while a client holds it; the GPU is pulled out while another does, and plugged in again.
//!
//! Source: Documentation/driver-api/auxiliary_bus.rst; Documentation/ABI/testing/sysfs-bus-pci (`remove`, `rescan`).

use drydock_models::command::Command as Order;
use serde_json::json;

use crate::report::{State, Thing};
use crate::scenario::{LIMIT, Program, Scene};
use crate::vm::error::Error as VmError;
use crate::vm::guest::Process;

use super::recorder::Recorder;
use super::{contains, goes_on, unexpected};

/// Where the parent's driver is bound and unbound.
const PARENT_DIR: &str = "/sys/bus/pci/drivers/nova-core";
/// Where the child is seen.
const CHILDREN: &str = "/sys/bus/auxiliary/devices";

/// The life of the device, from the first module to the last.
pub(super) fn story(recorder: &mut Recorder<'_, '_>) -> Result<(), VmError> {
    recorder.exists(Thing::Gpu);
    birth(recorder)?;
    used(recorder)?;
    let client = held(recorder)?;
    let address = unbound(recorder)?;
    let_go(recorder, client)?;
    bound(recorder, &address)?;
    let client = held(recorder)?;
    pulled_out(recorder, &address)?;
    let_go(recorder, client)?;
    plugged_in(recorder)?;
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
        nodes(scene, true)
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

fn held<'s>(recorder: &mut Recorder<'_, 's>) -> Result<Process<'s>, VmError> {
    recorder.exists(Thing::File);
    let mut client = recorder.guest().spawn(&[Program::CLIENT.name, "--hold"])?;
    recorder.step("a client holds a file and a buffer", State::Registered, |_| {
        client.wait_for_line("holding", LIMIT)?;
        Ok(client.out().lines().filter(|line| *line != "holding").map(str::to_owned).collect())
    })?;
    Ok(client)
}

/// The parent's driver lets go of the function; gives the function's address.
fn unbound(recorder: &mut Recorder<'_, '_>) -> Result<String, VmError> {
    let names = recorder.guest().list(PARENT_DIR)?;
    let Some(address) = names.into_iter().find(|name| name.contains(':')) else {
        return Err(unexpected(PARENT_DIR, "no PCI function is bound to it"));
    };
    detached(recorder);
    recorder.step("the parent is unbound while it is held", State::Unplugged, |scene| {
        scene.guest().write(&format!("{PARENT_DIR}/unbind"), &address)?;
        Ok([children(scene, 0)?, nodes(scene, false)?].concat())
    })?;
    Ok(address)
}

fn bound(recorder: &mut Recorder<'_, '_>, address: &str) -> Result<(), VmError> {
    attached(recorder);
    recorder.step("the parent is bound again, and the child is back", State::Registered, |scene| {
        scene.guest().write(&format!("{PARENT_DIR}/bind"), address)?;
        nodes(scene, true)
    })
}

/// The GPU goes first; the kernel hears of it afterwards.
fn pulled_out(recorder: &mut Recorder<'_, '_>, address: &str) -> Result<(), VmError> {
    recorder.vanishes(Thing::Gpu);
    recorder.step("the GPU is pulled out while it is held", State::Registered, |scene| {
        let fault = json!({ "kind": "removal" });
        order(scene, &Order::Fault(fault.as_object().cloned().unwrap_or_default()))?;
        let config = scene
            .guest()
            .check(&["hexdump", "-C", "-n", "16", &format!("/sys/bus/pci/devices/{address}/config")], LIMIT)?;
        Ok(config.out.lines().take(1).map(|line| format!("config space reads {line}")).collect())
    })?;
    detached(recorder);
    recorder.step("the kernel hears that the function is gone", State::Unplugged, |scene| {
        scene.guest().write(&format!("/sys/bus/pci/devices/{address}/remove"), "1")?;
        Ok([children(scene, 0)?, nodes(scene, false)?].concat())
    })
}

fn plugged_in(recorder: &mut Recorder<'_, '_>) -> Result<(), VmError> {
    recorder.exists(Thing::Gpu);
    attached(recorder);
    recorder.step("it is plugged in again, and found", State::Registered, |scene| {
        order(scene, &Order::Repair)?;
        scene.guest().write("/sys/bus/pci/rescan", "1")?;
        nodes(scene, true)
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

fn let_go(recorder: &mut Recorder<'_, '_>, client: Process<'_>) -> Result<(), VmError> {
    recorder.vanishes(Thing::File);
    goes_on(recorder, client)
}

fn attached(recorder: &mut Recorder<'_, '_>) {
    [Thing::ParentBound, Thing::Child, Thing::Nodes].into_iter().for_each(|thing| recorder.exists(thing));
}

fn detached(recorder: &mut Recorder<'_, '_>) {
    [Thing::ParentBound, Thing::Child, Thing::Nodes].into_iter().for_each(|thing| recorder.vanishes(thing));
}

fn order(scene: &Scene<'_>, order: &Order) -> Result<(), VmError> {
    let gpu = scene.gpu().expect("the demo of a GPU boots with one");
    gpu.order(order).map(drop)
}

/// The auxiliary devices, of which there must be so many.
fn children(scene: &Scene<'_>, count: usize) -> Result<Vec<String>, VmError> {
    let there = scene.guest().list(CHILDREN).unwrap_or_default();
    let shown = if there.is_empty() { "nothing".to_owned() } else { there.join(", ") };
    match there.len() == count {
        true => Ok(vec![format!("{CHILDREN} holds {shown}")]),
        false => Err(unexpected(CHILDREN, &format!("it holds {shown}"))),
    }
}

/// The nodes, which must be there or not.
fn nodes(scene: &Scene<'_>, there: bool) -> Result<Vec<String>, VmError> {
    let found = scene.guest().list("/dev/dri").unwrap_or_default();
    let cards: Vec<_> = found.into_iter().filter(|name| name.starts_with("card")).collect();
    match (there, cards.as_slice()) {
        (true, [card]) => Ok(vec![format!("/dev/dri holds {card}")]),
        (false, []) => Ok(vec!["/dev/dri holds nothing".into()]),
        _ => Err(unexpected("/dev/dri", &format!("it holds {}", cards.join(", ")))),
    }
}
