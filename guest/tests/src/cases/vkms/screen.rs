// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Pictures that our vkms takes of its outputs.
//!
//! Source: `kernel/drivers/vkms/{vkms_drm.h,capture.rs}`.

use sys::{Answer, Mapping};
use uapi::mode::ARGB8888;
use uapi::{SYNC_WRITE, VKMS_SCREEN, VkmsScreen};

use super::fence::{Pending, imported};
use crate::harness::check::{Outcome, skip};
use crate::subjects::device::import_sync_file;
use crate::subjects::display::request::{Place, Request};
use crate::subjects::display::{Display, Frame};
use crate::subjects::driver::Driver;
use crate::subjects::guest::Guest;
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "vkms_screen" for Vkms:
    picture_has_what_the_primary_plane_shows, picture_has_the_cursor_blended, picture_follows_a_flip,
    picture_has_a_plane_partly_beyond_the_edge, output_that_is_off_has_no_picture, wrong_pictures_are_refused,
    framebuffer_without_a_file_is_in_the_picture, picture_does_not_wait_for_the_writer_of_an_import,
}

const RED: u32 = 0x00ff_0000;
const BLUE: u32 = 0x0000_00ff;

/// A lit display, and a buffer for pictures of it.
struct Lit {
    display: Display,
    frame: Frame,
    picture: Frame,
}

impl Lit {
    fn new(guest: &Guest) -> Outcome<Self> {
        if guest.driver != Driver::Vkms {
            return skip("the kernel's vkms takes no pictures");
        }
        let display = Display::open(guest)?;
        let frame = display.light(display.output())?;
        fill(&display, &frame, RED)?;
        let picture = display.frame(frame.size)?;
        Ok(Self { display, frame, picture })
    }

    fn screen(&self, change: impl FnOnce(&mut VkmsScreen)) -> Answer<VkmsScreen> {
        let (handle, pitch) = (self.picture.handle, self.picture.pitch);
        let mut call = VkmsScreen { handle, pitch, ..Default::default() };
        change(&mut call);
        self.display.file.ioctl(&VKMS_SCREEN, call)
    }

    /// Takes a picture and returns its pixels.
    fn taken(&self) -> Outcome<Mapping> {
        let found = works!(self.screen(|_| ()));
        same!((found.width, found.height), self.frame.size);
        self.display.pixels(&self.picture)
    }

    fn at(&self, pixels: &Mapping, x: u32, y: u32) -> u32 {
        pixels.read((y * self.picture.pitch + 4 * x) as usize) & 0x00ff_ffff
    }
}

/// Fills a framebuffer with one color.
fn fill(display: &Display, frame: &Frame, color: u32) -> Outcome {
    let pixels = display.pixels(frame)?;
    for y in 0..frame.size.1 {
        for x in 0..frame.size.0 {
            pixels.write((y * frame.pitch + 4 * x) as usize, color);
        }
    }
    Ok(())
}

/// K24: each pixel of the picture is that of the framebuffer.
fn picture_has_what_the_primary_plane_shows(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let (width, height) = lit.frame.size;
    let drawn = lit.display.pixels(&lit.frame)?;
    drawn.write((7 * lit.frame.pitch + 4 * 5) as usize, 0x0012_3456);
    let pixels = lit.taken()?;
    same!(lit.at(&pixels, 5, 7), 0x0012_3456);
    for (x, y) in [(0, 0), (width - 1, 0), (0, height - 1), (width - 1, height - 1), (6, 7)] {
        same!(lit.at(&pixels, x, y), RED);
    }
    Ok(())
}

/// The cursor's premultiplied pixels lie on those of the primary plane.
fn picture_has_the_cursor_blended(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let output = lit.display.output();
    let Some(plane) = &output.cursor else { return skip("the device has no cursor plane") };
    let cursor = lit.display.frame_of((64, 64), ARGB8888)?;
    // Half of blue.
    fill(&lit.display, &cursor, 0x8000_0080)?;
    let request = Request::new().show(plane, output, cursor.fb, Place::at((100, 50), (64, 64)));
    works!(lit.display.commit(&request, 0, 0));
    let pixels = lit.taken()?;
    same!(lit.at(&pixels, 100, 50), 0x007f_0080);
    same!(lit.at(&pixels, 163, 113), 0x007f_0080);
    for (x, y) in [(99, 50), (100, 49), (164, 113), (163, 114)] {
        same!(lit.at(&pixels, x, y), RED);
    }
    Ok(())
}

/// After the event of a flip, a picture has the new framebuffer.
fn picture_follows_a_flip(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let second = lit.display.frame(lit.frame.size)?;
    fill(&lit.display, &second, BLUE)?;
    works!(lit.display.flip(lit.display.output(), second.fb, 1));
    lit.display.flipped()?;
    let pixels = lit.taken()?;
    same!(lit.at(&pixels, 0, 0), BLUE);
    Ok(())
}

/// K38: of a plane partly beyond the edge, the picture has the part within.
fn picture_has_a_plane_partly_beyond_the_edge(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let output = lit.display.output();
    let Some(plane) = &output.cursor else { return skip("the device has no cursor plane") };
    let (width, height) = lit.frame.size;
    let cursor = lit.display.frame_of((64, 64), ARGB8888)?;
    fill(&lit.display, &cursor, 0xff00_00ff)?;
    lit.display.pixels(&cursor)?.write((32 * cursor.pitch + 4 * 32) as usize, 0xff00_ff00);
    for (at, inside) in [((-32, -32), (0, 0)), ((width as i32 - 33, height as i32 - 33), (width - 1, height - 1))] {
        let request = Request::new().show(plane, output, cursor.fb, Place::at(at, (64, 64)));
        works!(lit.display.commit(&request, 0, 0));
        let pixels = lit.taken()?;
        same!(lit.at(&pixels, inside.0, inside.1), 0x0000_ff00);
    }
    Ok(())
}

/// An output that is off has a picture of no size.
fn output_that_is_off_has_no_picture(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    lit.display.darken(lit.display.output())?;
    let found = works!(lit.screen(|_| ()));
    same!((found.width, found.height), (0, 0));
    Ok(())
}

/// A wrong output, handle, pitch or size is refused, and nothing is written.
fn wrong_pictures_are_refused(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let size = works!(lit.screen(|call| call.handle = 0));
    same!((size.width, size.height), lit.frame.size);
    let small = lit.display.frame((lit.frame.size.0, lit.frame.size.1 - 1))?;
    refuses!(lit.screen(|call| call.output = 100), NOENT);
    refuses!(lit.screen(|call| call.handle = 0x7fff_ffff), NOENT);
    refuses!(lit.screen(|call| call.pitch -= 4), NOSPC);
    refuses!(lit.screen(|call| call.pitch = u32::MAX), NOSPC);
    refuses!(lit.screen(|call| call.handle = small.handle), NOSPC);
    refuses!(lit.screen(|call| call.pad = 1), INVAL);
    let pixels = lit.display.pixels(&lit.picture)?;
    holds!(lit.at(&pixels, 0, 0) == 0, "nothing was written");
    Ok(())
}

/// A framebuffer that no file has any more is in the picture as long as it is shown.
fn framebuffer_without_a_file_is_in_the_picture(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    works!(lit.display.file.close_fb(lit.frame.fb));
    works!(lit.display.file.destroy_dumb(lit.frame.handle));
    let pixels = lit.taken()?;
    same!(lit.at(&pixels, 3, 3), RED);
    Ok(())
}

/// K33: a fence on a shared buffer that comes after the commit is not waited for. A client can add that of the commit itself.
fn picture_does_not_wait_for_the_writer_of_an_import(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let (frame, buffer) = imported(guest, &lit.display)?;
    works!(lit.display.flip(lit.display.output(), frame.fb, 1));
    lit.display.flipped()?;
    let pending = Pending::new(guest)?;
    works!(import_sync_file(&buffer, SYNC_WRITE, &pending.file));
    lit.taken()?;
    holds!(!pending.is_signalled()?, "the fence is pending");
    Ok(())
}
