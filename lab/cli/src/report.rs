// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The life of a device as observed: steps with the device's state and the guest's clock.
//!
//! The demo fills one structure. The table in the terminal, the JSON document and the page with the picture only read
//! it.

mod document;
mod html;
mod picture;
mod table;

use std::path::{Path, PathBuf};

use serde::Serialize;

use drydock_base::cache::write_atomically;
use drydock_base::error::Result;

pub(crate) use document::{document, image};
pub(crate) use html::page;
pub(crate) use table::table;

/// A device's state in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// Its module is not loaded, or its memory is free again.
    Absent,
    /// Allocated but not registered: only its driver can use it.
    Unregistered,
    /// Its mode-setting objects exist, and only its driver can use it.
    Init,
    /// Registered with userspace: its nodes are there.
    Registered,
    /// Its hardware is gone, but a client still holds it.
    Unplugged,
}

impl State {
    /// All states, in the order of a life.
    pub(crate) const ALL: [State; 5] =
        [State::Absent, State::Unregistered, State::Init, State::Registered, State::Unplugged];

    /// Returns a word for a table.
    pub(crate) fn word(self) -> &'static str {
        match self {
            State::Absent => "absent",
            State::Unregistered => "unregistered",
            State::Init => "init",
            State::Registered => "registered",
            State::Unplugged => "unplugged",
        }
    }

    /// Returns the type in `kernel/drm` that proves this state.
    pub(crate) fn proof(self) -> &'static str {
        match self {
            State::Absent => "no value of its types exists",
            State::Unregistered => "UnregisteredDevice<T>",
            State::Init => "Device<T, Init>",
            State::Registered => "Device<T, Registered>, Plugged<'_, T>",
            State::Unplugged => "Device<T, Registered>, enter() says None",
        }
    }
}

/// Something that exists for part of the time and is drawn as a bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Thing {
    /// The library's module.
    Library,
    /// The driver's module.
    Module,
    /// The parent driver's module.
    ParentModule,
    /// The module of a driver that binds to a parent's child.
    ChildModule,
    /// The PCI function is bound to the parent driver.
    ParentBound,
    /// The parent's child device.
    Child,
    /// The bus device is bound to the driver.
    Bound,
    /// The nodes under /dev/dri.
    Nodes,
    /// A GEM object made by the driver.
    DriverObject,
    /// The planes, CRTCs, encoders and connectors of a display.
    ModeObjects,
    /// A file that a client holds.
    File,
    /// A mapping that a client holds.
    Mapping,
    /// The GPU is plugged in.
    Gpu,
    /// The GPU's own processor runs its firmware.
    Firmware,
    /// A mapping that a client has made for the GPU.
    GpuMapping,
}

impl Thing {
    /// All things, in the order of drawing from top to bottom.
    pub(crate) const ALL: [Thing; 15] = [
        Thing::Gpu,
        Thing::Library,
        Thing::ParentModule,
        Thing::ParentBound,
        Thing::Child,
        Thing::ChildModule,
        Thing::Module,
        Thing::Bound,
        Thing::DriverObject,
        Thing::ModeObjects,
        Thing::Firmware,
        Thing::Nodes,
        Thing::File,
        Thing::Mapping,
        Thing::GpuMapping,
    ];

    /// Returns its label in the picture.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Thing::Library => "module drm_rust",
            Thing::Module => "driver's module",
            Thing::ParentModule => "module nova_core",
            Thing::ChildModule => "module nova_drm",
            Thing::ParentBound => "PCI function bound",
            Thing::Child => "auxiliary device",
            Thing::Gpu => "GPU plugged in",
            Thing::Bound => "device bound",
            Thing::DriverObject => "driver's GEM objects",
            Thing::ModeObjects => "mode-setting objects",
            Thing::Firmware => "firmware runs",
            Thing::GpuMapping => "mapped for the GPU",
            Thing::Nodes => "/dev/dri nodes",
            Thing::File => "client's file",
            Thing::Mapping => "client's mapping",
        }
    }
}

/// One step of the life.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Step {
    /// The event, as a short sentence without its full stop.
    pub(crate) title: String,
    /// The device's state after the event.
    pub(crate) state: State,
    /// The guest's clock after the event, in seconds since its boot.
    pub(crate) time: f64,
    /// The things that exist after the event.
    pub(crate) things: Vec<Thing>,
    /// The evidence: a program's output, a file's content.
    pub(crate) seen: Vec<String>,
    /// The lines that the kernel logged meanwhile.
    pub(crate) log: Vec<String>,
    /// A picture of the screen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) picture: Option<Picture>,
}

/// A picture of the screen, which is on the page and in a file of its own.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Picture {
    /// Its file.
    pub(crate) file: PathBuf,
    /// The content of the file.
    #[serde(skip)]
    pub(crate) png: Vec<u8>,
}

impl Timeline {
    /// Writes the pictures of the screen to files beside the page `html`.
    pub(crate) fn keep_pictures(&mut self, html: &Path) -> Result<()> {
        let page = html.file_stem().unwrap_or_default().to_string_lossy();
        for picture in self.steps.iter_mut().filter_map(|step| step.picture.as_mut()) {
            picture.file = html.with_file_name(format!("{page}-{}", picture.file.display()));
            write_atomically(&picture.file, &picture.png)?;
        }
        Ok(())
    }

    /// Returns the things that exist at any time, in the order of drawing.
    fn things(&self) -> Vec<Thing> {
        Thing::ALL.into_iter().filter(|thing| self.steps.iter().any(|step| step.things.contains(thing))).collect()
    }
}

/// A whole life.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Timeline {
    pub(crate) driver: String,
    /// The kernel's release.
    pub(crate) kernel: String,
    /// How QEMU executed the guest's instructions.
    pub(crate) execution: String,
    pub(crate) steps: Vec<Step>,
    /// The time from the start of QEMU to its end, in seconds.
    pub(crate) seconds: f64,
    /// Whether the steps' logs also contain the trace of an emulated GPU.
    pub(crate) merged: bool,
    /// The number of lines that the kernel logged. None of them is a warning.
    pub(crate) log_lines: usize,
}

/// Escapes text for HTML and SVG.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
pub(crate) mod example {
    //! A short life for the readers' tests.

    use super::*;

    /// Returns three steps and a quotation that must be escaped in HTML.
    pub(crate) fn timeline() -> Timeline {
        let step = |title: &str, state, time, things: &[Thing], seen: &[&str]| Step {
            title: title.into(),
            state,
            time,
            things: things.to_vec(),
            seen: seen.iter().map(|line| (*line).into()).collect(),
            log: vec![format!("[{time:>12.6}] vgem: <{title}>")],
            picture: None,
        };
        let picture = Some(Picture { file: "screen.png".into(), png: b"png".to_vec() });
        let held = step("a client holds", State::Registered, 3.5, &[Thing::Module, Thing::File], &["a < b & \"c\""]);
        Timeline {
            driver: "vgem".into(),
            kernel: "7.3.4+deb13-amd64".into(),
            execution: "translated (TCG), 2 processors".into(),
            steps: vec![
                step(
                    "the driver is loaded",
                    State::Registered,
                    3.25,
                    &[Thing::Library, Thing::Module, Thing::Nodes],
                    &[],
                ),
                Step { picture, ..held },
                step("unplugged", State::Unplugged, 4.0, &[Thing::Module, Thing::File], &["No such device"]),
            ],
            merged: false,
            seconds: 8.5,
            log_lines: 42,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_kept_beside_the_page() {
        let directory = tempfile::tempdir().unwrap();
        let mut timeline = example::timeline();
        timeline.keep_pictures(&directory.path().join("demo-kms.html")).unwrap();
        let file = directory.path().join("demo-kms-screen.png");
        assert_eq!(std::fs::read(&file).unwrap(), b"png");
        assert!(table(&timeline).contains(&format!("the screen: {}", file.display())));
    }
}
