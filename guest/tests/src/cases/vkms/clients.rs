// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Several clients of one display: who may set modes, and what the next one finds.
//!
//! Source: `drivers/gpu/drm/drm_auth.c`, `drm_file.c`, `drm_ioctl_permit` in `drm_ioctl.c` (Linux 7.3).

use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
use uapi::mode::*;
use uapi::{DROP_MASTER, SET_MASTER};

use crate::harness::check::Outcome;
use crate::subjects::device::DrmFile;
use crate::subjects::display::request::Request;
use crate::subjects::display::{Card, Display};
use crate::subjects::guest::Guest;
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "vkms_clients" for Vkms:
    only_the_master_sets_modes, dropped_master_can_look_but_not_set, second_client_takes_over,
    picture_stays_while_nobody_is_master, client_that_is_no_master_may_prepare, second_master_is_refused,
    blobs_belong_to_their_file, events_go_to_the_file_that_asked, pending_flip_survives_a_drop_of_the_master,
    closed_client_leaves_a_working_display, hundred_files_at_once, client_caps_are_of_one_file,
}

/// A second client of the same device, which is no master.
fn other(guest: &Guest) -> Outcome<Display> {
    Display::adopt(works!(DrmFile::open(&Card::first(guest)?.primary)))
}

/// Checks that every call that changes what is shown fails with `EACCES`.
fn may_not_set(display: &Display, fb: u32) -> Outcome {
    let (file, output) = (&display.file, display.output());
    let crtc_id = output.crtc.id;
    refuses!(display.commit(&Request::new(), ATOMIC_TEST_ONLY, 0), ACCESS);
    refuses!(file.set_crtc(crtc_id, fb, (0, 0), &[output.connector.id], Some(output.mode())), ACCESS);
    refuses!(file.ioctl(&PAGE_FLIP, PageFlip { crtc_id, fb_id: fb, ..Default::default() }), ACCESS);
    refuses!(file.ioctl(&CURSOR, Cursor { flags: CURSOR_MOVE, crtc_id, ..Default::default() }), ACCESS);
    refuses!(file.ioctl(&CURSOR2, Cursor2 { flags: CURSOR_MOVE, crtc_id, ..Default::default() }), ACCESS);
    refuses!(file.ioctl(&SETPLANE, SetPlane { plane_id: output.primary.id, ..Default::default() }), ACCESS);
    refuses!(file.set_property((crtc_id, OBJECT_CRTC), output.crtc.property("ACTIVE"), 0), ACCESS);
    refuses!(file.dirty_fb(fb, &[]), ACCESS);
    refuses!(file.create_lease(&[crtc_id], 0), ACCESS);
    refuses!(file.lessees(), ACCESS);
    Ok(())
}

fn only_the_master_sets_modes(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let frame = display.light(display.output())?;
    let second = other(guest)?;
    let before = display.snapshot()?;
    may_not_set(&second, frame.fb)?;
    same!(display.snapshot()?, before);
    same!(second.snapshot()?, before);
    Ok(())
}

fn dropped_master_can_look_but_not_set(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let frame = display.light(display.output())?;
    works!(display.file.master(&DROP_MASTER));
    refuses!(display.file.master(&DROP_MASTER), INVAL);
    may_not_set(&display, frame.fb)?;
    same!(display.shown(&display.output().primary)?, frame.fb);
    works!(display.file.master(&SET_MASTER));
    works!(display.file.master(&SET_MASTER));
    works!(display.flip(display.output(), frame.fb, 3));
    same!(display.flipped()?.user_data, 3);
    Ok(())
}

/// The second client shows its own framebuffer in place of the first one's, which can come back.
fn second_client_takes_over(guest: &Guest) -> Outcome {
    let (first, second) = (Display::open(guest)?, other(guest)?);
    let output = first.output();
    let theirs = first.light(output)?;
    for turn in 0..3 {
        works!(first.file.master(&DROP_MASTER));
        works!(second.file.master(&SET_MASTER));
        let ours = second.frame(output.size())?;
        works!(second.flip(second.output(), ours.fb, turn));
        same!(second.flipped()?.user_data, turn);
        same!(first.shown(&output.primary)?, ours.fb);
        works!(second.file.master(&DROP_MASTER));
        works!(first.file.master(&SET_MASTER));
        works!(first.flip(output, theirs.fb, 10 + turn));
        same!(first.flipped()?.user_data, 10 + turn);
    }
    holds!(!first.has_event()? && !second.has_event()?, "no further event comes");
    Ok(())
}

fn picture_stays_while_nobody_is_master(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    let frame = display.light(output)?;
    works!(display.file.master(&DROP_MASTER));
    let before = display.snapshot()?;
    works!(display.file.wait_vblank(VBLANK_RELATIVE, output.pipe, 3, 0));
    let second = other(guest)?;
    drop(second);
    same!(display.snapshot()?, before);
    same!(display.shown(&output.primary)?, frame.fb);
    Ok(())
}

/// Buffers, framebuffers, blobs and vblanks need no master.
fn client_that_is_no_master_may_prepare(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    display.light(display.output())?;
    let second = other(guest)?;
    let output = second.output();
    let frame = second.frame(output.size())?;
    let blob = second.mode_blob(&output.mode())?;
    works!(second.file.destroy_blob(blob));
    works!(second.file.wait_vblank(VBLANK_RELATIVE, output.pipe, 1, 0));
    works!(second.file.queue_sequence(output.crtc.id, SEQUENCE_RELATIVE, 1, 5));
    same!(second.next_event()?.user_data(), 5);
    works!(second.file.remove_fb(frame.fb));
    // The master may show a framebuffer that another file has made.
    let frame = second.frame(output.size())?;
    works!(display.flip(output, frame.fb, 6));
    same!(display.flipped()?.user_data, 6);
    drop(second);
    same!(display.shown(&display.output().primary)?, 0);
    Ok(())
}

/// While one client is master, another cannot become it, and without `CAP_SYS_ADMIN` it may not even ask.
fn second_master_is_refused(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let second = other(guest)?;
    refuses!(second.file.master(&SET_MASTER), BUSY);
    refuses!(second.file.master(&DROP_MASTER), INVAL);
    let mut sets = works!(capabilities(None));
    sets.effective.remove(CapabilitySet::SYS_ADMIN);
    works!(set_capabilities(None, sets));
    let third = other(guest)?;
    refuses!(third.file.master(&SET_MASTER), ACCESS);
    works!(display.file.master(&DROP_MASTER));
    refuses!(third.file.master(&SET_MASTER), ACCESS);
    works!(display.file.master(&SET_MASTER));
    Ok(())
}

/// A blob can be read by everyone, and destroyed by the file that made it. It goes with that file.
fn blobs_belong_to_their_file(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let second = other(guest)?;
    let blob = works!(second.file.create_blob(b"twelve bytes"));
    same!(works!(display.file.blob(blob)), b"twelve bytes");
    refuses!(display.file.destroy_blob(blob), PERM);
    let mode = second.mode_blob(&second.output().mode())?;
    let frame = display.frame(display.output().size())?;
    let lit = display.lit(display.output(), &frame)?.set(&display.output().crtc, "MODE_ID", mode.into());
    works!(display.commit(&lit, ATOMIC_ALLOW_MODESET, 0));
    drop(second);
    refuses!(display.file.blob(blob), NOENT);
    same!(display.mode_of(display.output())?, Some(display.output().mode()));
    Ok(())
}

fn events_go_to_the_file_that_asked(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let frame = display.light(display.output())?;
    let second = other(guest)?;
    let crtc = display.output().crtc.id;
    works!(second.file.queue_sequence(crtc, SEQUENCE_RELATIVE, 1, 20));
    works!(display.flip(display.output(), frame.fb, 10));
    same!(display.flipped()?.user_data, 10);
    same!(second.next_event()?.user_data(), 20);
    holds!(!display.has_event()? && !second.has_event()?, "each file gets its own event");
    Ok(())
}

/// The event of a flip comes also if its client is no longer the master.
fn pending_flip_survives_a_drop_of_the_master(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let second = other(guest)?;
    let frame = display.light(display.output())?;
    works!(display.flip(display.output(), frame.fb, 1));
    works!(display.file.master(&DROP_MASTER));
    works!(second.file.master(&SET_MASTER));
    second.all_off()?;
    same!(display.flipped()?.user_data, 1);
    same!(display.is_on(display.output())?, false);
    Ok(())
}

/// However a client leaves, the next one finds a display that can be set.
fn closed_client_leaves_a_working_display(guest: &Guest) -> Outcome {
    for step in 0..6 {
        let display = Display::open(guest)?;
        let output = display.output();
        let frame = display.light(output)?;
        match step {
            0 => display.darken(output)?,
            1 => works!(display.flip(output, frame.fb, 1)),
            2 => works!(display.file.close_fb(frame.fb)),
            3 => works!(display.file.destroy_dumb(frame.handle)),
            4 => works!(display.commit(&Request::new().set(&output.crtc, "ACTIVE", 0), ATOMIC_ALLOW_MODESET, 0)),
            _ => works!(display.file.master(&DROP_MASTER)),
        }
    }
    let display = Display::open(guest)?;
    let frame = display.light(display.output())?;
    works!(display.flip(display.output(), frame.fb, 2));
    same!(display.flipped()?.user_data, 2);
    Ok(())
}

fn hundred_files_at_once(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    display.light(display.output())?;
    let card = Card::first(guest)?.primary;
    let crtc = display.output().crtc.id;
    let files: Vec<DrmFile> = works!((0..100).map(|_| DrmFile::open(&card)).collect());
    for (number, file) in (0..).zip(&files) {
        works!(file.queue_sequence(crtc, SEQUENCE_RELATIVE, 1 + number % 3, number));
    }
    for (number, file) in (0..).zip(&files) {
        same!(crate::subjects::display::events::next(file)?.user_data(), number);
    }
    Ok(())
}

/// The capabilities that one file has set do not change what another sees.
fn client_caps_are_of_one_file(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let legacy = works!(DrmFile::open(&Card::first(guest)?.primary));
    let seen = works!(legacy.planes()).len();
    holds!(seen < works!(display.file.planes()).len(), "the legacy client sees fewer planes");
    refuses!(legacy.client_cap(CLIENT_CAP_WRITEBACK_CONNECTORS, 1), INVAL);
    refuses!(legacy.client_cap(CLIENT_CAP_UNIVERSAL_PLANES, 2), INVAL);
    refuses!(legacy.client_cap(99, 1), INVAL);
    works!(legacy.client_cap(CLIENT_CAP_UNIVERSAL_PLANES, 1));
    works!(legacy.client_cap(CLIENT_CAP_UNIVERSAL_PLANES, 0));
    same!(works!(legacy.planes()).len(), seen);
    Ok(())
}
