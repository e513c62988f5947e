// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The calls of a client that shows pictures: commits, the legacy calls, framebuffers, blobs, leases, connectors (K4, K11,
//! K12, K17, K23, K25).
//!
//! A failure leaves everything shown as before, and the next commit works. The rows are in the files of the folder.
//!
//! Source: `include/uapi/drm/drm_mode.h` (Linux 7.3).

mod commits;
mod legacy;
mod objects;
mod queries;

use sys::Answer;
use uapi::bytes_of;
use uapi::mode::*;

use crate::cases::vkms::teardown::comes_back;
use crate::harness::check::Outcome;
use crate::subjects::device::DrmFile;
use crate::subjects::display::request::{Place, Request};
use crate::subjects::display::{Display, Frame, Output};
use crate::subjects::driver::Driver;
use crate::subjects::guest::Guest;
use crate::sweeps::operation::{Client, Operation};
use crate::sweeps::run::{sweep, unused};
use crate::sweeps::{common, sharing};
use crate::{holds, same, works};

crate::cases::cases! {
    "vkms_sweep" for Vkms:
    commits within 900, legacy_calls within 900, framebuffers_and_blobs within 600, leases_and_events within 600,
    queries within 600, files within 600, buffers within 600,
}

fn commits(guest: &Guest) -> Outcome {
    of_vkms(guest, commits::table())
}

fn legacy_calls(guest: &Guest) -> Outcome {
    of_vkms(guest, legacy::table(guest)?)
}

fn framebuffers_and_blobs(guest: &Guest) -> Outcome {
    of_vkms(guest, objects::table())
}

fn leases_and_events(guest: &Guest) -> Outcome {
    of_vkms(guest, objects::leases_and_events())
}

fn queries(guest: &Guest) -> Outcome {
    of_vkms(guest, queries::table(guest))
}

fn files(guest: &Guest) -> Outcome {
    // vgem refuses each capability: it shows nothing. C's vkms has no fdinfo, so nobody sees a client's name.
    let left_out: &[&str] = match guest.driver {
        Driver::CVkms => &["SET_CLIENT_CAP", "SET_CLIENT_NAME"],
        _ => &["SET_CLIENT_CAP"],
    };
    let files = common::files().into_iter().filter(|row| !left_out.contains(&row.name));
    of_vkms(guest, files.chain(common::handles(common::NOT_ON_PCI)).collect())
}

fn buffers(guest: &Guest) -> Outcome {
    of_vkms(guest, sharing::own())
}

fn of_vkms(guest: &Guest, table: Vec<Operation<Screen>>) -> Outcome {
    sweep(guest, &table, || Screen::open(guest), || unused(guest.driver.module()), || comes_back(guest))
}

/// The properties that are a plane's place.
const PLACE: [&str; 8] = ["SRC_X", "SRC_Y", "SRC_W", "SRC_H", "CRTC_X", "CRTC_Y", "CRTC_W", "CRTC_H"];

/// The property for the gamma table of a CRTC, which `SETGAMMA` sets.
const GAMMA: &str = "GAMMA_LUT";

/// A client whose output is on and shows a picture, with all that its commits need.
struct Screen {
    display: Display,
    /// The framebuffer that is shown.
    frame: Frame,
    other: Frame,
    cursor: Frame,
    /// The blob of the mode that is set, and of another one.
    mode: u32,
    other_mode: (u32, ModeInfo),
}

impl Screen {
    fn open(guest: &Guest) -> Outcome<Self> {
        let display = Display::open(guest)?;
        let output = display.output();
        let (mode, size) = (output.mode(), output.size());
        let fits = |other: &&ModeInfo| other.hdisplay < mode.hdisplay && other.vdisplay < mode.vdisplay;
        let smaller = *output.modes.iter().find(fits).expect("the output has several modes");
        let this = Self {
            frame: display.frame(size)?,
            other: display.frame(size)?,
            cursor: display.frame_of((64, 64), ARGB8888)?,
            mode: works!(display.file.create_blob(bytes_of(&mode))),
            other_mode: (works!(display.file.create_blob(bytes_of(&smaller))), smaller),
            display,
        };
        this.restore()?;
        Ok(this)
    }

    fn output(&self) -> &Output {
        self.display.output()
    }

    /// Returns the request that shows a framebuffer, with the mode set.
    fn lit(&self, frame: &Frame) -> Request {
        let (output, place) = (self.output(), Place::at((0, 0), self.frame.size));
        Request::new().on(output, self.mode).show(&output.primary, output, frame.fb, place)
    }

    /// Shows the first framebuffer alone, whatever is shown, by a commit that must work.
    fn restore(&self) -> Outcome {
        let Output { crtc, cursor, .. } = self.output();
        let mut request = cursor.iter().fold(self.lit(&self.frame), |request, plane| {
            // A plane that shows nothing keeps its place.
            PLACE.iter().fold(request.hide(plane), |request, property| request.set(plane, property, 0))
        });
        if crtc.has(GAMMA) {
            request = request.set(crtc, GAMMA, 0);
        }
        works!(self.display.commit(&request, ATOMIC_ALLOW_MODESET, 0));
        same!(self.shown()?, self.frame.fb);
        Ok(())
    }

    /// Returns the framebuffer that the primary plane shows.
    fn shown(&self) -> Outcome<u32> {
        self.display.shown(&self.output().primary)
    }

    /// Checks that no event can be read, after those of `done` were.
    fn is_quiet(&self) -> Outcome {
        holds!(!self.display.has_event()?, "no further event comes");
        Ok(())
    }
}

impl Client for Screen {
    fn file(&self) -> &DrmFile {
        &self.display.file
    }

    /// The result has no objects: only a file that was opened with `open` makes commits.
    fn like(&self, file: DrmFile) -> Self {
        Self { display: Display::unknown(file), ..*self }
    }

    fn object(&self) -> Answer<u32> {
        self.display.file.pages(1)
    }

    fn works(&self) -> Outcome<String> {
        let file = &self.display.file;
        let frame = self.display.frame((64, 64))?;
        let blob = works!(file.create_blob(b"blob"));
        works!(file.destroy_blob(blob));
        works!(file.remove_fb(frame.fb));
        works!(file.gem_close(frame.handle));
        works!(self.display.commit(&self.lit(&self.frame), 0, 0));
        self.is_quiet()?;
        // The numbers of framebuffers and blobs depend on those of the EDID, which changes at each probe.
        let fbs = works!(file.resources()).fbs.len();
        let numbers = [self.frame.fb, self.mode].map(u64::from);
        let shown: Vec<_> =
            self.display.snapshot()?.into_iter().filter(|(.., value)| !numbers.contains(value)).collect();
        same!(self.shown()?, self.frame.fb);
        Ok(format!("{fbs} framebuffers, buffer {}, {shown:?}", frame.handle))
    }
}
