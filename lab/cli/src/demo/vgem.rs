// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The life of a vgem device: probed, with a GEM object before registration, registered, listed, used, unplugged while
//! a client holds it, unloaded.

use crate::report::{State, Thing};
use drydock_machine::error::Error as VmError;
use drydock_machine::guest::Process;
use drydock_machine::scenario::{LIMIT, Program};
use drydock_machine::timeline::Entry;

use super::recorder::Recorder;
use super::{contains, goes_on, holds, last_line, lines_with, unexpected};

/// The sysfs directory in which the driver's bus device is bound and unbound.
const DRIVER_DIR: &str = "/sys/bus/platform/drivers/vgem";

/// Records the life of the device, from the first module to the last.
pub(super) fn story(recorder: &mut Recorder<'_, '_>) -> Result<(), VmError> {
    birth(recorder)?;
    listed(recorder)?;
    used(recorder)?;
    let client = held(recorder)?;
    unplugged(recorder)?;
    released(recorder, client)?;
    gone(recorder)
}

fn birth(recorder: &mut Recorder<'_, '_>) -> Result<(), VmError> {
    recorder.exists(Thing::Library);
    recorder.step("the library is loaded", State::Absent, |scene| scene.insmod("drm_rust").map(|()| Vec::new()))?;
    recorder.exists(Thing::Module);
    recorder.exists(Thing::Bound);
    let mut tale = recorder.tale("loading the driver", |scene| scene.insmod("vgem_rust"))?;
    recorder.exists(Thing::DriverObject);
    let probed = |entry: &Entry| entry.is_line_with("before registration");
    let title = "probed: a GEM object before registration";
    recorder.chapter(&mut tale, title, State::Unregistered, probed, last_line)?;
    recorder.exists(Thing::Nodes);
    let registered = |entry: &Entry| entry.is_line_with("Initialized vgem");
    recorder.chapter(&mut tale, "registered with userspace", State::Registered, registered, last_line)
}

fn listed(recorder: &mut Recorder<'_, '_>) -> Result<(), VmError> {
    recorder.step("drmdevice lists it", State::Registered, |scene| {
        let out = scene.guest().check(&["drmdevice"], LIMIT)?.out;
        contains(&out, "drmdevice", "/dev/dri/card0")?;
        Ok(lines_with(&out, &["Devices reported", "/dev/dri/", "fullname"], 4))
    })?;
    recorder.step("lsgpu lists it", State::Registered, |scene| {
        let out = scene.guest().check(&["lsgpu"], LIMIT)?.out;
        contains(&out, "lsgpu", "card0")?;
        Ok(out.lines().map(str::to_owned).collect())
    })
}

fn used(recorder: &mut Recorder<'_, '_>) -> Result<(), VmError> {
    recorder.step("a client on the crate `drm` uses it", State::Registered, |scene| {
        let out = scene.guest().check(&[Program::CLIENT.name], LIMIT)?.out;
        Ok(out.lines().map(str::to_owned).collect())
    })
}

/// Starts a client that holds a file and a mapping, and shows that the module cannot be unloaded meanwhile.
fn held<'s>(recorder: &mut Recorder<'_, 's>) -> Result<Process<'s>, VmError> {
    recorder.exists(Thing::File);
    recorder.exists(Thing::Mapping);
    holds(recorder, "a client holds a file and a mapping")
}

fn unplugged(recorder: &mut Recorder<'_, '_>) -> Result<(), VmError> {
    recorder.vanishes(Thing::Bound);
    recorder.vanishes(Thing::Nodes);
    recorder.vanishes(Thing::DriverObject);
    recorder.step("unplugged while it is held", State::Unplugged, |scene| {
        scene.guest().write(&format!("{DRIVER_DIR}/unbind"), "vgem")?;
        let nodes = scene.guest().list("/dev/dri").unwrap_or_default();
        let nodes = if nodes.is_empty() { "nothing".to_owned() } else { nodes.join(", ") };
        Ok(vec![format!("/dev/dri holds {nodes}")])
    })?;
    recorder.step("unloading is refused", State::Unplugged, |scene| match scene.guest().rmmod("vgem_rust") {
        Err(VmError::Refused { failure, .. }) => Ok(vec![failure.message]),
        Err(other) => Err(other),
        Ok(()) => Err(unexpected("rmmod vgem_rust", "the module was unloaded although a client holds its device")),
    })
}

fn released(recorder: &mut Recorder<'_, '_>, client: Process<'_>) -> Result<(), VmError> {
    recorder.vanishes(Thing::File);
    recorder.vanishes(Thing::Mapping);
    goes_on(recorder, client)
}

fn gone(recorder: &mut Recorder<'_, '_>) -> Result<(), VmError> {
    recorder.vanishes(Thing::Module);
    recorder.step("the driver is unloaded", State::Absent, |scene| scene.rmmod("vgem_rust").map(|()| Vec::new()))?;
    recorder.vanishes(Thing::Library);
    recorder.step("the library is unloaded", State::Absent, |scene| scene.rmmod("drm_rust").map(|()| Vec::new()))
}
