// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The display that is attacked: its driver is freshly loaded, and a client has switched it on.

use std::thread;

use rustix::io::Errno;
use sys::{Answer, write};
use uapi::mode::*;
use uapi::{DISPLAY_ATTACK, DISPLAY_ATTACK_TICK, DisplayAttack};

use crate::harness::check::{Outcome, fail};
use crate::harness::modules;
use crate::harness::trace::Trace;
use crate::subjects::device::DrmFile;
use crate::subjects::display::request::{Place, Request};
use crate::subjects::display::{Display, Frame};
use crate::subjects::guest::Guest;
use crate::subjects::lifecycle::node;
use crate::{holds, same, works};

/// The name of the driver and of its device.
pub(super) const NAME: &str = "display_attacks";
/// The line that the driver logs when its device is released and everything was dropped once.
const NOTHING_LEFT: &str = "left: 0 states, 0 prepared, 0 objects, 0 wrong";

/// The driver, freshly loaded, and a client that has switched its display on.
pub(super) struct Lit {
    pub(super) trace: Trace,
    pub(super) display: Display,
    pub(super) frame: Frame,
}

impl Lit {
    pub(super) fn new(guest: &Guest) -> Outcome<Self> {
        match modules::remove(NAME) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return fail(format!("`{NAME}` is still loaded from an earlier case: {errno}")),
        }
        let trace = Trace::from_now()?;
        if let Err(errno) = guest.modules()?.of(NAME)?.load() {
            return fail(format!("`{NAME}` cannot be loaded: {errno}"));
        }
        let display = open()?;
        let frame = display.frame(display.output().size())?;
        let lit = Self { trace, display, frame };
        lit.on()?;
        Ok(lit)
    }

    pub(super) fn attack(&self, what: u32, value: u32) -> Answer<u32> {
        attack(&self.display.file, what, value)
    }

    pub(super) fn commit(&self, request: &Request) -> Outcome {
        works!(self.display.commit(request, ATOMIC_ALLOW_MODESET | ATOMIC_NONBLOCK | PAGE_FLIP_EVENT, 0));
        Ok(())
    }

    /// Ends frames until the event of a commit comes. The commit may not have come to its hardware yet.
    pub(super) fn finish(&self) -> Outcome {
        while !self.display.has_event()? {
            works!(self.attack(DISPLAY_ATTACK_TICK, 0));
            thread::yield_now();
        }
        self.display.flipped()?;
        Ok(())
    }

    pub(super) fn on(&self) -> Outcome {
        let request = self.display.lit(self.display.output(), &self.frame)?;
        self.commit(&request)?;
        self.finish()
    }

    pub(super) fn off(&self) -> Outcome {
        self.commit(&Request::new().off(self.display.output()))?;
        self.display.flipped()?;
        Ok(())
    }

    pub(super) fn flip(&self) -> Outcome {
        works!(self.display.flip(self.display.output(), self.frame.fb, 1));
        self.finish()
    }

    /// Returns the request that shows a new framebuffer on the cursor plane.
    pub(super) fn cursor(&self) -> Outcome<Request> {
        let output = self.display.output();
        let plane = output.cursor.as_ref().expect("the display has a cursor plane");
        let frame = self.display.frame_of((64, 64), ARGB8888)?;
        Ok(Request::new().show(plane, output, frame.fb, Place::at((10, 10), (64, 64))))
    }

    pub(super) fn hide_cursor(&self) -> Outcome {
        let plane = self.display.output().cursor.as_ref().expect("the display has a cursor plane");
        self.commit(&Request::new().hide(plane))?;
        self.finish()
    }

    /// Does everything for which there is a hook.
    pub(super) fn all(&self) -> Outcome {
        self.off()?;
        self.on()?;
        self.flip()?;
        self.commit(&self.cursor()?)?;
        self.finish()?;
        self.hide_cursor()?;
        works!(self.display.file.connector(self.display.output().connector.id));
        Ok(())
    }

    /// Switches the display off, closes the client's file and removes the driver. Nothing is left then.
    ///
    /// If the file's end switched it off, C would wait ten seconds for a frame, since nobody ends one any more.
    pub(super) fn end(self) -> Outcome {
        let Self { trace, display, .. } = self;
        match display.commit(&Request::new().off(display.output()), ATOMIC_ALLOW_MODESET, 0) {
            // A device that is gone was switched off before.
            Ok(()) | Err(Errno::NODEV) => {}
            Err(errno) => return fail(format!("the display cannot be switched off: {errno}")),
        }
        drop(display);
        unload(trace)
    }
}

pub(super) fn open() -> Outcome<Display> {
    let Some(node) = node(NAME, "card") else {
        return fail("the device has no primary node");
    };
    Display::adopt(works!(DrmFile::open(node)))
}

pub(super) fn attack(file: &DrmFile, what: u32, value: u32) -> Answer<u32> {
    file.ioctl(&DISPLAY_ATTACK, DisplayAttack { what, value }).map(|answer| answer.value)
}

pub(super) fn unbind() -> Answer {
    write(&format!("/sys/bus/platform/drivers/{NAME}/unbind"), NAME)
}

pub(super) fn bind() -> Answer {
    write(&format!("/sys/bus/platform/drivers/{NAME}/bind"), NAME)
}

/// Removes the driver, and checks that all that it gave to the layer was dropped once.
pub(super) fn unload(mut trace: Trace) -> Outcome {
    works!(modules::remove(NAME));
    trace.wait_for("left: ")?;
    let left = trace.lines().iter().filter(|line| line.starts_with("left: ")).cloned().collect::<Vec<_>>();
    holds!(left.iter().all(|line| line == NOTHING_LEFT), "{left:?}");
    same!(trace.count("never released"), 0);
    Ok(())
}
