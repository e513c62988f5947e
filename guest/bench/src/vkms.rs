// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The rows of vkms: the cost of showing pictures.
//!
//! Many of these calls sleep until a frame ends, or leave work to a thread of the kernel. So a row counts the
//! instructions of the calling thread, or those of that thread and the kernel's workers together. Sleep does not count.
//! An interrupt counts where it interrupts one of them; the median leaves such calls out.

use std::io::Result;

use uapi::mode::*;

use crate::display::{Commit, Display};
use crate::measure::{Cost, Event, Repeat, awake, awake_with_workers, interruption, median, report};
use crate::node::ioctl;

/// The driver's DRM name, which is also C's.
pub(crate) const DRIVER: &str = "vkms";

/// The modes between which a mode set changes. Each driver has both.
const SIZES: [(u16, u16); 2] = [(1024, 768), (800, 600)];

/// The size of the cursor.
const CURSOR_SIZE: (u16, u16) = (64, 64);

/// Measures and reports all rows.
pub(crate) fn all() -> Result<()> {
    let display = Display::open(DRIVER)?;
    let screen = Screen::light(&display)?;
    let row = |name: &str, number: f64| report(name, DRIVER, number);

    row("TEST_ONLY commit", screen.test_only()?)?;
    row("cursor move", screen.cursor_move()?)?;
    row("AddFB2 + RmFB", screen.framebuffer()?)?;

    let flip = screen.page_flip()?;
    row("page flip, the call", flip.call)?;
    row("page flip, with its worker", flip.all)?;
    let flip = screen.nonblocking()?;
    row("nonblocking commit, the call", flip.call)?;
    row("nonblocking commit, with its worker", flip.all)?;
    row("blocking commit", screen.blocking()?)?;
    row("plane update", screen.plane_update()?)?;
    row("vblank event, arming", screen.arming()?)?;
    row("vblank event, delivery", interruption(&display)?)?;
    row("blocking mode set", screen.mode_set()?)
}

/// A display that is on, with a cursor.
struct Screen<'a> {
    display: &'a Display,
    /// For each of two modes, a commit that sets it.
    sets: [Commit; 2],
    /// Two framebuffers of the first mode's size, and a commit for each that changes only the framebuffer.
    framebuffers: [u32; 2],
    flips: [Commit; 2],
}

impl<'a> Screen<'a> {
    fn light(display: &'a Display) -> Result<Self> {
        let framebuffer = |size| display.add(&display.buffer(size)?);
        let framebuffers = [framebuffer(SIZES[0])?, framebuffer(SIZES[0])?];
        let set = |size, framebuffer| {
            Commit::default()
                .with(&display.connector, &[("CRTC_ID", display.crtc.id.into())])?
                .with(&display.crtc, &[("MODE_ID", display.mode(size)?.into()), ("ACTIVE", 1)])?
                .shows(&display.primary, &display.crtc, framebuffer, size)
        };
        let flip = |framebuffer: u32| Commit::default().with(&display.primary, &[("FB_ID", framebuffer.into())]);
        let sets = [set(SIZES[0], framebuffers[0])?, set(SIZES[1], framebuffer(SIZES[1])?)?];
        let flips = [flip(framebuffers[0])?, flip(framebuffers[1])?];
        let screen = Self { display, sets, framebuffers, flips };
        display.commit(&screen.sets[0], ATOMIC_ALLOW_MODESET)?;
        screen.show_cursor()?;
        Ok(screen)
    }

    fn show_cursor(&self) -> Result<()> {
        let handle = self.display.buffer(CURSOR_SIZE)?.handle;
        let (width, height) = (CURSOR_SIZE.0.into(), CURSOR_SIZE.1.into());
        self.cursor(&mut Cursor { flags: CURSOR_BO, width, height, handle, ..Cursor::default() })
    }

    fn cursor(&self, cursor: &mut Cursor) -> Result<()> {
        cursor.crtc_id = self.display.crtc.id;
        ioctl(&self.display.card, &CURSOR, cursor)
    }

    fn test_only(&self) -> Result<f64> {
        let mut turn = Turn::default();
        median(Repeat::HEAVY, || self.display.commit(&self.flips[turn.other()], ATOMIC_TEST_ONLY))
    }

    fn cursor_move(&self) -> Result<f64> {
        let mut turn = Turn::default();
        median(Repeat::HEAVY, || {
            let x = turn.other() as i32;
            self.cursor(&mut Cursor { flags: CURSOR_MOVE, x, ..Cursor::default() })
        })
    }

    fn framebuffer(&self) -> Result<f64> {
        let buffer = self.display.buffer(SIZES[0])?;
        median(Repeat::HEAVY, || self.display.remove(self.display.add(&buffer)?))
    }

    fn page_flip(&self) -> Result<Cost> {
        let mut turn = Turn::default();
        let flip = || {
            let (crtc_id, fb_id) = (self.display.crtc.id, self.framebuffers[turn.other()]);
            let mut flip = PageFlip { crtc_id, fb_id, flags: PAGE_FLIP_EVENT, ..PageFlip::default() };
            ioctl(&self.display.card, &PAGE_FLIP, &mut flip)
        };
        awake_with_workers(flip, || self.settle_event())
    }

    fn nonblocking(&self) -> Result<Cost> {
        let mut turn = Turn::default();
        let flags = ATOMIC_NONBLOCK | PAGE_FLIP_EVENT;
        awake_with_workers(|| self.display.commit(&self.flips[turn.other()], flags), || self.settle_event())
    }

    fn blocking(&self) -> Result<f64> {
        let mut turn = Turn::default();
        awake(|| self.display.commit(&self.flips[turn.other()], PAGE_FLIP_EVENT), || self.settle_event())
    }

    fn plane_update(&self) -> Result<f64> {
        let mut turn = Turn::default();
        let (plane_id, crtc_id) = (self.display.primary.id, self.display.crtc.id);
        let (width, height) = (u32::from(SIZES[0].0), u32::from(SIZES[0].1));
        let update = || {
            let fb_id = self.framebuffers[turn.other()];
            let (crtc_w, crtc_h, src_w, src_h) = (width, height, width << 16, height << 16);
            let mut plane = SetPlane { plane_id, crtc_id, fb_id, crtc_w, crtc_h, src_w, src_h, ..SetPlane::default() };
            ioctl(&self.display.card, &SETPLANE, &mut plane)
        };
        awake(update, || self.display.vblank())
    }

    fn arming(&self) -> Result<f64> {
        awake(|| self.display.arm(), || self.settle_event())
    }

    fn mode_set(&self) -> Result<f64> {
        let mut turn = Turn::default();
        let set = || self.display.commit(&self.sets[turn.other()], ATOMIC_ALLOW_MODESET);
        awake(set, || self.display.vblank())
    }

    /// Reads the event, and sleeps until the next frame. The machine has one processor, so the kernel's workers have
    /// done everything by then.
    fn settle_event(&self) -> Result<()> {
        self.display.event()?;
        self.display.vblank()
    }
}

/// A vblank event.
impl Event for Display {
    fn begin(&self) -> Result<()> {
        self.vblank()
    }

    fn arm(&self) -> Result<()> {
        Display::arm(self)
    }

    fn is_there(&self) -> Result<bool> {
        self.has_event()
    }

    fn take(&self) -> Result<()> {
        self.event()
    }
}

/// Alternates between two things, beginning with the second: the first is shown already.
#[derive(Default)]
struct Turn(usize);

impl Turn {
    fn other(&mut self) -> usize {
        self.0 ^= 1;
        self.0
    }
}
