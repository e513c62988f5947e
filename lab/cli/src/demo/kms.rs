// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The life of a display: its mode-setting objects are built before anyone sees it, a compositor draws on it, it is
//! unplugged while the compositor draws, and plugged in again.
//!
//! Source: the manual page of drm_info.

mod compositor;

use serde_json::Value;

use crate::report::{State, Thing};
use drydock_machine::error::Error as VmError;
use drydock_machine::scenario::{LIMIT, Scene};
use drydock_machine::timeline::Entry;

use super::plug::nodes;
use super::recorder::Recorder;
use super::{last_line, unexpected};

pub(super) use compositor::PACKAGES;
use compositor::{Compositor, client};

/// The sysfs directory in which the driver's bus device is bound and unbound.
const DRIVER_DIR: &str = "/sys/bus/platform/drivers/vkms";

/// The name of the bus device.
const DEVICE: &str = "vkms";

/// The end of the driver's line about the objects that it has built.
const BUILT: &str = ", before registration";

/// The things that exist while the display is plugged in. Its objects are those of its device, which open files keep.
const PLUGGED_IN: [Thing; 2] = [Thing::Bound, Thing::Nodes];

/// Records the life of the display, from the first module to the last.
pub(super) fn story(recorder: &mut Recorder<'_, '_>) -> Result<(), VmError> {
    let built = birth(recorder)?;
    listed(recorder, &built)?;
    let mut compositor = Compositor::drawn(recorder, "Weston draws on it, with a terminal", "weston.png")?;
    unplugged(recorder)?;
    compositor.gets_its_error(recorder)?;
    unloading_is_refused(recorder)?;
    recorder.vanishes(Thing::ModeObjects);
    compositor.ended(recorder, "Weston ends: the last file is closed", State::Absent)?;
    plugged_in(recorder, &built)?;
    let compositor = Compositor::drawn(recorder, "Weston draws on it again", "weston-again.png")?;
    compositor.ended(recorder, "Weston ends", State::Registered)?;
    gone(recorder)
}

/// Returns what the driver says that it has built.
fn birth(recorder: &mut Recorder<'_, '_>) -> Result<String, VmError> {
    recorder.exists(Thing::Library);
    recorder.step("the library is loaded", State::Absent, |scene| scene.insmod("drm_rust").map(|()| Vec::new()))?;
    recorder.exists(Thing::Module);
    let titles = ["probed: its mode objects are built", "registered with userspace"];
    probed(recorder, "loading the driver", titles, |scene| scene.insmod("vkms_rust"))
}

/// Probes the display by `act`, and records both halves of that. Returns what the driver says that it has built.
fn probed<'s>(
    recorder: &mut Recorder<'_, 's>,
    title: &str,
    [init, registered]: [&str; 2],
    act: impl FnOnce(&mut Scene<'s>) -> Result<(), VmError>,
) -> Result<String, VmError> {
    recorder.exists(Thing::Bound);
    let mut tale = recorder.tale(title, act)?;
    recorder.exists(Thing::ModeObjects);
    let mut line = String::new();
    let is_built = |entry: &Entry| entry.is_line_with(BUILT);
    recorder.chapter(&mut tale, init, State::Init, is_built, |part| {
        let last = last_line(part);
        line = last.concat();
        last
    })?;
    recorder.exists(Thing::Nodes);
    let is_registered = |entry: &Entry| entry.is_line_with("Initialized vkms");
    recorder.chapter(&mut tale, registered, State::Registered, is_registered, last_line)?;
    built(&line).map(str::to_owned).ok_or_else(|| unexpected("the driver's log", &line))
}

/// Returns the part of the driver's line that counts the objects.
fn built(line: &str) -> Option<&str> {
    line.trim_end().split_once("vkms: ")?.1.strip_suffix(BUILT)
}

/// Checks that clients find the objects that were built before registration, and a monitor that is connected.
fn listed(recorder: &mut Recorder<'_, '_>, built: &str) -> Result<(), VmError> {
    recorder.step("drm_info lists what was built", State::Registered, |scene| {
        let node = nodes(scene, 1)?;
        let out = scene.guest().check(&client("exec drm_info -j"), LIMIT)?.out;
        let lines = facts(&out, built).map_err(|why| unexpected("drm_info", &format!("{why}:\n{out}")))?;
        Ok([node, lines].concat())
    })
}

/// Returns what a client finds out about the only device, in the JSON of drm_info.
fn facts(json: &str, built: &str) -> Result<Vec<String>, String> {
    let all: Value = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let device = all.as_object().and_then(|all| all.values().next()).ok_or("it lists no device")?;
    let list = |name: &str| device[name].as_array().map(Vec::as_slice).unwrap_or_default();
    let driver = device["driver"]["name"].as_str().unwrap_or_default();
    let found = format!("CRTCs: {}, planes: {}", list("crtcs").len(), list("planes").len());
    let connectors = list("connectors");
    let modes: usize = connectors.iter().filter_map(|connector| connector["modes"].as_array()).map(Vec::len).sum();
    if (driver, found.as_str()) != (DEVICE, built) {
        return Err(format!("it lists `{found}` of driver `{driver}`, and `{built}` were built"));
    }
    if modes == 0 {
        return Err("no monitor offers modes".to_owned());
    }
    Ok(vec![format!("driver: {driver}, {found}, monitors: {}, modes: {modes}", connectors.len())])
}

fn unplugged(recorder: &mut Recorder<'_, '_>) -> Result<(), VmError> {
    PLUGGED_IN.iter().for_each(|thing| recorder.vanishes(*thing));
    recorder.step("unplugged while Weston draws", State::Unplugged, |scene| {
        scene.guest().write(&format!("{DRIVER_DIR}/unbind"), DEVICE)?;
        nodes(scene, 0)
    })
}

fn unloading_is_refused(recorder: &mut Recorder<'_, '_>) -> Result<(), VmError> {
    recorder.step("unloading is refused: a file is open", State::Unplugged, |scene| {
        match scene.guest().rmmod("vkms_rust") {
            Err(VmError::Refused { failure, .. }) => Ok(vec![failure.message]),
            Err(other) => Err(other),
            Ok(()) => Err(unexpected("rmmod vkms_rust", "the module was unloaded although a client holds its device")),
        }
    })
}

fn plugged_in(recorder: &mut Recorder<'_, '_>, before: &str) -> Result<(), VmError> {
    let titles = ["plugged in again, and probed", "registered again"];
    let built = probed(recorder, "plugging the display in again", titles, |scene| {
        scene.guest().write(&format!("{DRIVER_DIR}/bind"), DEVICE)?;
        nodes(scene, 1).map(drop)
    })?;
    match built == before {
        true => Ok(()),
        false => Err(unexpected("the driver", &format!("it has built `{built}`, and `{before}` before"))),
    }
}

fn gone(recorder: &mut Recorder<'_, '_>) -> Result<(), VmError> {
    [Thing::Module, Thing::ModeObjects].iter().chain(&PLUGGED_IN).for_each(|thing| recorder.vanishes(*thing));
    recorder.step("the driver is unloaded", State::Absent, |scene| {
        scene.rmmod("vkms_rust")?;
        nodes(scene, 0)
    })?;
    recorder.vanishes(Thing::Library);
    recorder.step("the library is unloaded", State::Absent, |scene| scene.rmmod("drm_rust").map(|()| Vec::new()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_must_find_what_the_driver_has_built() {
        let line = "[    3.250000] vkms vkms: CRTCs: 1, planes: 2, before registration";
        let built = built(line).unwrap();
        assert_eq!(built, "CRTCs: 1, planes: 2");
        let device = |driver: &str, planes: &str, modes: &str| {
            format!(
                r#"{{"/dev/dri/card0": {{"driver": {{"name": "{driver}"}}, "crtcs": [{{}}], "planes": [{planes}],
                    "connectors": [{{"modes": [{modes}]}}]}}}}"#
            )
        };
        let lines = facts(&device("vkms", "{}, {}", "{}"), built).unwrap();
        assert_eq!(lines, ["driver: vkms, CRTCs: 1, planes: 2, monitors: 1, modes: 1"]);
        for wrong in
            [device("vgem", "{}, {}", "{}"), device("vkms", "{}", "{}"), device("vkms", "{}, {}", ""), "{}".into()]
        {
            assert!(facts(&wrong, built).is_err(), "{wrong}");
        }
    }
}
