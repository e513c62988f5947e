// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The cursor, by the legacy calls and by its plane (K13).
//!
//! Source: `drm_mode_cursor_universal` in `drivers/gpu/drm/drm_plane.c`, `drm_atomic_helper_update_plane` (Linux 7.3).

use uapi::mode::*;

use crate::harness::check::{Outcome, skip};
use crate::subjects::display::{Display, Object, Output};
use crate::subjects::guest::Guest;
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "vkms_cursor" for Vkms:
    set_moved_and_off, moves_do_not_wait_for_vblanks, moves_between_flips within 60, set_and_moved_in_one_call,
    buffer_closed_while_it_is_shown, buffer_of_each_shape, hot_spot_is_accepted, wrong_calls_are_refused,
    cursor_stays_while_the_output_is_off, framebuffer_of_the_cursor_is_no_files, cursor_goes_with_its_file,
}

/// A lit output with a cursor plane.
struct Lit {
    display: Display,
    fb: u32,
}

impl Lit {
    fn new(guest: &Guest) -> Outcome<Self> {
        let display = Display::open(guest)?;
        if display.output().cursor.is_none() {
            return skip("the device has no cursor plane");
        }
        let fb = display.light(display.output())?.fb;
        Ok(Self { display, fb })
    }

    fn output(&self) -> &Output {
        self.display.output()
    }

    fn plane(&self) -> &Object {
        self.output().cursor.as_ref().expect("the output has a cursor plane")
    }

    /// `CURSOR`
    fn call(&self, flags: u32, (width, height): (u32, u32), handle: u32, (x, y): (i32, i32)) -> sys::Answer {
        let crtc_id = self.output().crtc.id;
        self.display.file.ioctl(&CURSOR, Cursor { flags, crtc_id, x, y, width, height, handle }).map(drop)
    }

    /// Shows a new buffer of 64 by 64 pixels.
    fn set(&self) -> Outcome<u32> {
        let handle = works!(self.display.file.create_dumb(64, 64, 32)).handle;
        works!(self.call(CURSOR_BO, (64, 64), handle, (0, 0)));
        Ok(handle)
    }

    fn position(&self) -> Outcome<(i64, i64)> {
        let of = |name| self.display.value(self.plane(), name).map(|value| value as i64);
        Ok((of("CRTC_X")?, of("CRTC_Y")?))
    }

    fn flips(&self, number: u64) -> Outcome {
        works!(self.display.flip(self.output(), self.fb, number));
        same!(self.display.flipped()?.user_data, number);
        Ok(())
    }
}

/// `CURSOR` shows a buffer of ARGB8888 on the cursor plane, moves it, and takes it away.
fn set_moved_and_off(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    lit.set()?;
    let fb = lit.display.shown(lit.plane())?;
    holds!(fb != 0, "the plane shows the cursor");
    let found = works!(lit.display.file.get_fb2(fb));
    same!((found.width, found.height, found.pixel_format), (64, 64, ARGB8888));
    for at in [(10, 20), (-64, -64), (5000, 5000), (0, 0)] {
        works!(lit.call(CURSOR_MOVE, (0, 0), 0, at));
        same!(lit.position()?, (at.0.into(), at.1.into()));
        same!(lit.display.shown(lit.plane())?, fb);
    }
    works!(lit.call(CURSOR_BO, (0, 0), 0, (0, 0)));
    same!(lit.display.shown(lit.plane())?, 0);
    lit.flips(1)
}

/// A hundred moves are made at once: the core does not let a cursor wait for its vblank.
fn moves_do_not_wait_for_vblanks(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    lit.set()?;
    let crtc = lit.output().crtc.id;
    let mut least = u64::MAX;
    for _ in 0..5 {
        let before = works!(lit.display.file.sequence(crtc)).sequence;
        for at in 0..100 {
            works!(lit.call(CURSOR_MOVE, (0, 0), 0, (at, at)));
        }
        least = least.min(works!(lit.display.file.sequence(crtc)).sequence - before);
    }
    holds!(least < 100, "a hundred moves took {least} vblanks");
    lit.flips(1)
}

/// Moves while a flip is pending do not disturb it.
fn moves_between_flips(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    lit.set()?;
    for turn in 0..50 {
        works!(lit.display.flip(lit.output(), lit.fb, turn));
        for at in 0..10 {
            works!(lit.call(CURSOR_MOVE, (0, 0), 0, (at, turn as i32)));
        }
        same!(lit.display.flipped()?.user_data, turn);
    }
    same!(lit.position()?, (9, 49));
    holds!(!lit.display.has_event()?, "moves send no event");
    Ok(())
}

fn set_and_moved_in_one_call(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let handle = works!(lit.display.file.create_dumb(64, 64, 32)).handle;
    works!(lit.call(CURSOR_BO | CURSOR_MOVE, (64, 64), handle, (33, 44)));
    same!(lit.position()?, (33, 44));
    holds!(lit.display.shown(lit.plane())? != 0, "the plane shows the cursor");
    Ok(())
}

/// The plane keeps the buffer, whose handle may be closed.
fn buffer_closed_while_it_is_shown(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let handle = lit.set()?;
    works!(lit.display.file.gem_close(handle));
    works!(lit.call(CURSOR_MOVE, (0, 0), 0, (1, 2)));
    lit.flips(1)?;
    works!(lit.call(CURSOR_BO, (0, 0), 0, (0, 0)));
    lit.flips(2)
}

/// Each size up to the announced one can be shown.
fn buffer_of_each_shape(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let most = works!(lit.display.file.capability(CAP_CURSOR_WIDTH)) as u32;
    for (width, height) in [(64, 64), (24, 24), (most, most), (64, 32), (32, most)] {
        let handle = works!(lit.display.file.create_dumb(width, height, 32)).handle;
        works!(lit.call(CURSOR_BO, (width, height), handle, (0, 0)));
        same!(lit.display.value(lit.plane(), "CRTC_W")?, u64::from(width));
    }
    lit.flips(1)
}

fn hot_spot_is_accepted(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let handle = works!(lit.display.file.create_dumb(64, 64, 32)).handle;
    let crtc_id = lit.output().crtc.id;
    let (flags, width, height) = (CURSOR_BO | CURSOR_MOVE, 64, 64);
    let wanted = Cursor2 { flags, crtc_id, x: 5, y: 6, width, height, handle, hot_x: 31, hot_y: 1 };
    works!(lit.display.file.ioctl(&CURSOR2, wanted));
    same!(lit.position()?, (5, 6));
    Ok(())
}

fn wrong_calls_are_refused(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let handle = lit.set()?;
    let before = lit.display.snapshot()?;
    for flags in [0, 4, 7, u32::MAX] {
        refuses!(lit.call(flags, (64, 64), handle, (0, 0)), INVAL, " with flags {flags:#x}");
    }
    refuses!(lit.call(CURSOR_BO, (64, 64), handle + 1, (0, 0)), NOENT);
    refuses!(lit.call(CURSOR_BO, (64, 65), handle, (0, 0)), INVAL);
    refuses!(lit.call(CURSOR_BO, (0, 64), handle, (0, 0)), INVAL);
    refuses!(lit.call(CURSOR_BO, (100_000, 64), handle, (0, 0)), INVAL);
    let wrong = Cursor { flags: CURSOR_MOVE, crtc_id: 0x7fff_ffff, ..Default::default() };
    refuses!(lit.display.file.ioctl(&CURSOR, wrong), NOENT);
    same!(lit.display.snapshot()?, before);
    lit.flips(1)
}

/// A cursor on an output that is inactive is there when the picture comes back.
fn cursor_stays_while_the_output_is_off(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    lit.set()?;
    let fb = lit.display.shown(lit.plane())?;
    let dpms = lit.output().connector.property("DPMS");
    let connector = (lit.output().connector.id, OBJECT_CONNECTOR);
    works!(lit.display.file.set_property(connector, dpms, DPMS_OFF));
    works!(lit.call(CURSOR_MOVE, (0, 0), 0, (3, 4)));
    works!(lit.display.file.set_property(connector, dpms, DPMS_ON));
    same!((lit.position()?, lit.display.shown(lit.plane())?), ((3, 4), fb));
    lit.flips(1)
}

/// The framebuffer that the core makes for a cursor belongs to no file, and goes with its plane.
fn framebuffer_of_the_cursor_is_no_files(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    lit.set()?;
    let fb = lit.display.shown(lit.plane())?;
    holds!(!works!(lit.display.file.resources()).fbs.contains(&fb), "the file does not list it");
    refuses!(lit.display.file.remove_fb(fb), NOENT);
    works!(lit.call(CURSOR_BO, (0, 0), 0, (0, 0)));
    lit.flips(1)?;
    lit.flips(2)?;
    refuses!(lit.display.file.get_fb2(fb), NOENT);
    Ok(())
}

/// The next client begins without the cursor of the last one.
fn cursor_goes_with_its_file(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    lit.set()?;
    drop(lit);
    let lit = Lit::new(guest)?;
    same!(lit.display.shown(lit.plane())?, 0);
    lit.flips(1)
}
