// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The calls from before atomic commits: `SETCRTC`, `PAGE_FLIP`, `SETPLANE`, properties, gamma.
//!
//! Source: `drm_mode_setcrtc` in `drivers/gpu/drm/drm_crtc.c`, `drm_mode_page_flip_ioctl` and `drm_mode_setplane` in
//! `drm_plane.c`, `drm_color_mgmt.c`, `drm_atomic_uapi.c` (Linux 7.3).

use rustix::io::Errno;
use uapi::mode::*;

use crate::harness::check::{Outcome, skip};
use crate::subjects::display::{Display, Frame, Output};
use crate::subjects::guest::Guest;
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "vkms_legacy" for Vkms:
    setcrtc_switches_an_output_on_and_off, setcrtc_can_keep_the_framebuffer, setcrtc_shows_a_part,
    setcrtc_every_mode within 60, wrong_setcrtc_is_refused, wrong_setcrtc_has_no_effect,
    page_flip_sends_its_event, page_flip_without_event_sends_none, second_page_flip_fails_with_ebusy,
    wrong_page_flip_is_refused, page_flip_on_an_output_that_is_off_fails_with_ebusy,
    setplane_shows_and_hides_a_plane, wrong_setplane_is_refused, dpms_switches_the_picture_off_and_on,
    properties_of_commits_cannot_be_set_alone, wrong_properties_are_refused, gamma_table_is_kept,
    wrong_gamma_tables_are_refused, gamma_property_takes_a_blob,
}

/// Switches an output on by `SETCRTC`.
fn lit(display: &Display) -> Outcome<(&Output, Frame)> {
    let output = display.output();
    let frame = display.frame(output.size())?;
    works!(display.file.set_crtc(output.crtc.id, frame.fb, (0, 0), &[output.connector.id], Some(output.mode())));
    Ok((output, frame))
}

/// `PAGE_FLIP`
pub(super) fn page_flip(display: &Display, fb_id: u32, flags: u32, user_data: u64) -> sys::Answer {
    let crtc_id = display.output().crtc.id;
    display.file.ioctl(&PAGE_FLIP, PageFlip { crtc_id, fb_id, flags, sequence: 0, user_data }).map(drop)
}

fn setcrtc_switches_an_output_on_and_off(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    for _ in 0..3 {
        let (output, frame) = lit(&display)?;
        same!(display.mode_of(output)?, Some(output.mode()));
        same!((display.is_on(output)?, display.shown(&output.primary)?), (true, frame.fb));
        works!(display.file.set_crtc(output.crtc.id, 0, (0, 0), &[], None));
        same!((display.is_on(output)?, display.shown(&output.primary)?), (false, 0));
        same!(display.value(&output.connector, "CRTC_ID")?, 0);
    }
    Ok(())
}

/// -1 means the framebuffer that is shown.
fn setcrtc_can_keep_the_framebuffer(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let (output, frame) = lit(&display)?;
    let set = || display.file.set_crtc(output.crtc.id, u32::MAX, (0, 0), &[output.connector.id], Some(output.mode()));
    works!(set());
    same!(display.shown(&output.primary)?, frame.fb);
    works!(display.file.set_crtc(output.crtc.id, 0, (0, 0), &[], None));
    refuses!(set(), INVAL);
    Ok(())
}

/// The offset is that of the picture in a larger framebuffer.
fn setcrtc_shows_a_part(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    let (width, height) = output.size();
    let frame = display.frame((width + 100, height + 50))?;
    let connectors = [output.connector.id];
    for at in [(0, 0), (100, 50), (17, 3)] {
        works!(display.file.set_crtc(output.crtc.id, frame.fb, at, &connectors, Some(output.mode())));
        let crtc = works!(display.file.crtc(output.crtc.id));
        same!((crtc.x, crtc.y), at);
        same!(display.value(&output.primary, "SRC_X")?, u64::from(at.0) << 16);
    }
    for at in [(101, 0), (0, 51), (u32::from(u16::MAX), 0)] {
        let answer = display.file.set_crtc(output.crtc.id, frame.fb, at, &connectors, Some(output.mode()));
        refuses!(answer, NOSPC, " at {at:?}");
    }
    Ok(())
}

fn setcrtc_every_mode(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    for mode in &output.modes {
        let frame = display.frame((mode.hdisplay.into(), mode.vdisplay.into()))?;
        works!(display.file.set_crtc(output.crtc.id, frame.fb, (0, 0), &[output.connector.id], Some(*mode)));
        same!(display.mode_of(output)?, Some(*mode));
        works!(page_flip(&display, frame.fb, PAGE_FLIP_EVENT, 1));
        same!(display.flipped()?.user_data, 1);
        works!(display.file.set_crtc(output.crtc.id, 0, (0, 0), &[], None));
        works!(display.file.remove_fb(frame.fb));
        works!(display.file.destroy_dumb(frame.handle));
    }
    Ok(())
}

fn wrong_setcrtc_is_refused(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let (output, frame) = lit(&display)?;
    let (crtc, connector, mode) = (output.crtc.id, output.connector.id, output.mode());
    let set = |crtc, fb, at, connectors: &[u32], mode| display.file.set_crtc(crtc, fb, at, connectors, mode);
    refuses!(set(connector, frame.fb, (0, 0), &[connector], Some(mode)), NOENT);
    refuses!(set(0x7fff_ffff, frame.fb, (0, 0), &[connector], Some(mode)), NOENT);
    refuses!(set(crtc, 0x7fff_ffff, (0, 0), &[connector], Some(mode)), NOENT);
    refuses!(set(crtc, frame.fb, (0, 0), &[0x7fff_ffff], Some(mode)), NOENT);
    refuses!(set(crtc, frame.fb, (0, 0), &[crtc], Some(mode)), NOENT);
    refuses!(set(crtc, frame.fb, (0, 0), &[], Some(mode)), INVAL);
    refuses!(set(crtc, frame.fb, (0, 0), &[connector; 40], Some(mode)), INVAL);
    refuses!(set(crtc, 0, (0, 0), &[connector], None), INVAL);
    refuses!(set(crtc, frame.fb, (0x1_0000, 0), &[connector], Some(mode)), RANGE);
    refuses!(set(crtc, frame.fb, (0, 0xffff_ffff), &[connector], Some(mode)), RANGE);
    refuses!(set(crtc, frame.fb, (0, 0), &[connector], Some(ModeInfo { hdisplay: 0, ..mode })), INVAL);
    refuses!(set(crtc, frame.fb, (0, 0), &[connector], Some(ModeInfo { clock: u32::MAX, ..mode })), RANGE);
    let small = display.frame((64, 64))?;
    refuses!(set(crtc, small.fb, (0, 0), &[connector], Some(mode)), NOSPC);
    Ok(())
}

fn wrong_setcrtc_has_no_effect(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let (output, frame) = lit(&display)?;
    let (crtc, connector, mode) = (output.crtc.id, output.connector.id, output.mode());
    let before = display.snapshot()?;
    let small = display.frame((64, 64))?;
    refuses!(display.file.set_crtc(crtc, small.fb, (0, 0), &[connector], Some(mode)), NOSPC);
    refuses!(display.file.set_crtc(crtc, frame.fb, (0, 0), &[0x7fff_ffff], Some(mode)), NOENT);
    same!(display.snapshot()?, before);
    works!(page_flip(&display, frame.fb, PAGE_FLIP_EVENT, 1));
    same!(display.flipped()?.user_data, 1);
    Ok(())
}

fn page_flip_sends_its_event(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let (output, frame) = lit(&display)?;
    let frames = [frame, display.frame(output.size())?];
    let mut last = 0;
    for turn in 0..20 {
        let fb = frames[turn % 2].fb;
        works!(page_flip(&display, fb, PAGE_FLIP_EVENT, turn as u64));
        let event = display.flipped()?;
        same!((event.user_data, event.crtc_id), (turn as u64, output.crtc.id));
        same!(display.shown(&output.primary)?, fb);
        holds!(turn == 0 || event.sequence.wrapping_sub(last).wrapping_sub(1) < 1 << 31, "the vblank is a later one");
        last = event.sequence;
    }
    Ok(())
}

fn page_flip_without_event_sends_none(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let (output, frame) = lit(&display)?;
    let other = display.frame(output.size())?;
    works!(page_flip(&display, other.fb, 0, 7));
    // A blocking call waits for the flip.
    let set = display.file.set_crtc(output.crtc.id, frame.fb, (0, 0), &[output.connector.id], Some(output.mode()));
    works!(set);
    holds!(!display.has_event()?, "no event comes");
    same!(display.shown(&output.primary)?, frame.fb);
    Ok(())
}

fn second_page_flip_fails_with_ebusy(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let (_, frame) = lit(&display)?;
    let mut refused = 0;
    for turn in 0..20 {
        works!(page_flip(&display, frame.fb, PAGE_FLIP_EVENT, turn));
        // The flip may be complete before the second call on a machine that is slow enough.
        match page_flip(&display, frame.fb, PAGE_FLIP_EVENT, 1000) {
            Err(Errno::BUSY) => refused += 1,
            other => {
                works!(other);
                same!(display.flipped()?.user_data, turn);
                same!(display.flipped()?.user_data, 1000);
                continue;
            }
        }
        same!(display.flipped()?.user_data, turn);
    }
    holds!(refused > 0, "of twenty flips at once one was refused");
    holds!(!display.has_event()?, "the refused flips send no event");
    Ok(())
}

fn wrong_page_flip_is_refused(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let (output, frame) = lit(&display)?;
    refuses!(page_flip(&display, 0x7fff_ffff, PAGE_FLIP_EVENT, 0), NOENT);
    refuses!(page_flip(&display, output.crtc.id, PAGE_FLIP_EVENT, 0), NOENT);
    for flags in [0x10, 0x80, PAGE_FLIP_ASYNC, PAGE_FLIP_TARGET_ABSOLUTE, PAGE_FLIP_TARGET_RELATIVE, 0xc, 0x100] {
        refuses!(page_flip(&display, frame.fb, flags, 0), INVAL, " with flags {flags:#x}");
    }
    let flip = PageFlip { crtc_id: output.crtc.id, fb_id: frame.fb, flags: PAGE_FLIP_EVENT, sequence: 0, user_data: 0 };
    refuses!(display.file.ioctl(&PAGE_FLIP, PageFlip { sequence: 1, ..flip }), INVAL);
    refuses!(display.file.ioctl(&PAGE_FLIP, PageFlip { crtc_id: output.primary.id, ..flip }), NOENT);
    let small = display.frame((output.size().0 - 1, output.size().1))?;
    refuses!(page_flip(&display, small.fb, PAGE_FLIP_EVENT, 0), NOSPC);
    let other = display.frame_of(output.size(), ARGB8888)?;
    refuses!(page_flip(&display, other.fb, PAGE_FLIP_EVENT, 0), INVAL);
    holds!(!display.has_event()?, "no event comes");
    works!(page_flip(&display, frame.fb, PAGE_FLIP_EVENT, 5));
    same!(display.flipped()?.user_data, 5);
    Ok(())
}

fn page_flip_on_an_output_that_is_off_fails_with_ebusy(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let frame = display.frame(display.output().size())?;
    refuses!(page_flip(&display, frame.fb, PAGE_FLIP_EVENT, 0), BUSY);
    holds!(!display.has_event()?, "no event comes");
    Ok(())
}

/// Returns the argument that shows a framebuffer of 64 by 64 pixels.
fn of_64(plane_id: u32, crtc_id: u32, fb_id: u32, (crtc_x, crtc_y): (i32, i32)) -> SetPlane {
    let (crtc_w, crtc_h, src_w, src_h) = (64, 64, 64 << 16, 64 << 16);
    SetPlane { plane_id, crtc_id, fb_id, crtc_x, crtc_y, crtc_w, crtc_h, src_w, src_h, ..Default::default() }
}

fn setplane_shows_and_hides_a_plane(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let (output, _) = lit(&display)?;
    let small = display.frame_of((64, 64), ARGB8888)?;
    let others: Vec<_> = output.overlays.iter().chain(&output.cursor).collect();
    if others.is_empty() {
        return skip("the device has a primary plane only");
    }
    for plane in others {
        for at in [(0, 0), (-10, 20), (1000, 5)] {
            works!(display.file.ioctl(&SETPLANE, of_64(plane.id, output.crtc.id, small.fb, at)));
            same!(display.shown(plane)?, small.fb);
            same!(display.value(plane, "CRTC_X")? as i64, i64::from(at.0));
        }
        works!(display.file.ioctl(&SETPLANE, SetPlane { plane_id: plane.id, ..Default::default() }));
        same!((display.shown(plane)?, display.value(plane, "CRTC_ID")?), (0, 0));
    }
    Ok(())
}

fn wrong_setplane_is_refused(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let (output, _) = lit(&display)?;
    let small = display.frame_of((64, 64), ARGB8888)?;
    let Some(plane) = output.overlays.iter().chain(&output.cursor).next() else {
        return skip("the device has a primary plane only");
    };
    let good = of_64(plane.id, output.crtc.id, small.fb, (0, 0));
    let set = |wanted| display.file.ioctl(&SETPLANE, wanted);
    refuses!(set(SetPlane { plane_id: output.crtc.id, ..good }), NOENT);
    refuses!(set(SetPlane { crtc_id: 0x7fff_ffff, ..good }), NOENT);
    refuses!(set(SetPlane { fb_id: 0x7fff_ffff, ..good }), NOENT);
    refuses!(set(SetPlane { crtc_w: 0x8000_0000, ..good }), RANGE);
    refuses!(set(SetPlane { crtc_x: i32::MAX, ..good }), RANGE);
    refuses!(set(SetPlane { src_x: 1, ..good }), NOSPC);
    refuses!(set(SetPlane { src_w: 65 << 16, ..good }), NOSPC);
    refuses!(set(SetPlane { crtc_w: 32, ..good }), RANGE);
    same!(display.shown(plane)?, 0);
    works!(set(good));
    Ok(())
}

/// The connector's property `DPMS` switches the picture off and on. The mode stays.
fn dpms_switches_the_picture_off_and_on(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let (output, frame) = lit(&display)?;
    let connector = (output.connector.id, OBJECT_CONNECTOR);
    let dpms = output.connector.property("DPMS");
    for (value, active) in [(DPMS_OFF, 0), (DPMS_ON, 1), (DPMS_OFF, 0), (1, 0), (DPMS_ON, 1)] {
        works!(display.file.set_property(connector, dpms, value));
        same!(display.value(&output.crtc, "ACTIVE")?, active);
        same!(display.mode_of(output)?, Some(output.mode()));
    }
    let wanted = ConnectorSetProperty { value: DPMS_OFF, prop_id: dpms, connector_id: output.connector.id };
    works!(display.file.ioctl(&SETPROPERTY, wanted));
    same!(display.value(&output.crtc, "ACTIVE")?, 0);
    works!(display.file.ioctl(&SETPROPERTY, ConnectorSetProperty { value: DPMS_ON, ..wanted }));
    works!(page_flip(&display, frame.fb, PAGE_FLIP_EVENT, 4));
    same!(display.flipped()?.user_data, 4);
    // The core takes every value but that for "on" as "off".
    works!(display.file.set_property(connector, dpms, 99));
    same!(display.value(&output.crtc, "ACTIVE")?, 0);
    Ok(())
}

/// A legacy call sets one property. One that needs others with it fails as a commit of it alone does.
fn properties_of_commits_cannot_be_set_alone(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let (output, frame) = lit(&display)?;
    let plane = (output.primary.id, OBJECT_PLANE);
    refuses!(display.file.set_property(plane, output.primary.property("FB_ID"), 0), INVAL);
    refuses!(display.file.set_property(plane, output.primary.property("SRC_X"), 1 << 16), NOSPC);
    let other = display.frame(output.size())?;
    works!(display.file.set_property(plane, output.primary.property("FB_ID"), other.fb.into()));
    same!(display.shown(&output.primary)?, other.fb);
    works!(display.file.set_property(plane, output.primary.property("FB_ID"), frame.fb.into()));
    Ok(())
}

fn wrong_properties_are_refused(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let (output, _) = lit(&display)?;
    let crtc = (output.crtc.id, OBJECT_CRTC);
    let active = output.crtc.property("ACTIVE");
    refuses!(display.file.set_property((0x7fff_ffff, OBJECT_ANY), active, 0), NOENT);
    refuses!(display.file.set_property((output.crtc.id, OBJECT_PLANE), active, 0), NOENT);
    refuses!(display.file.set_property(crtc, 0x7fff_ffff, 0), INVAL);
    refuses!(display.file.set_property(crtc, output.primary.property("FB_ID"), 0), INVAL);
    refuses!(display.file.set_property(crtc, active, 2), INVAL);
    let wanted = ConnectorSetProperty { value: 0, prop_id: active, connector_id: output.crtc.id };
    refuses!(display.file.ioctl(&SETPROPERTY, wanted), NOENT);
    same!(display.is_on(output)?, true);
    Ok(())
}

/// Returns the number of entries of the CRTC's gamma table, if it has one.
fn gamma_size(display: &Display) -> Outcome<u32> {
    match works!(display.file.crtc(display.output().crtc.id)).gamma_size {
        0 => skip("the CRTC has no gamma table"),
        size => Ok(size),
    }
}

/// The table that was set is read back, whether the output is on or off.
fn gamma_table_is_kept(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let size = gamma_size(&display)?;
    let crtc = display.output().crtc.id;
    lit(&display)?;
    for step in [3_u16, 257, 5] {
        let table = |of: u16| (0..size).map(|at| (at as u16).wrapping_mul(step).wrapping_add(of)).collect();
        let tables: [Vec<u16>; 3] = [table(0), table(1), table(2)];
        works!(display.file.set_gamma(crtc, &tables));
        same!(works!(display.file.gamma(crtc, size)), tables);
    }
    Ok(())
}

fn wrong_gamma_tables_are_refused(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let size = gamma_size(&display)?;
    let crtc = display.output().crtc.id;
    lit(&display)?;
    let of = |size: u32| -> [Vec<u16>; 3] { std::array::from_fn(|_| vec![9; size as usize]) };
    refuses!(display.file.set_gamma(crtc, &of(size + 1)), INVAL);
    refuses!(display.file.set_gamma(crtc, &of(size - 1)), INVAL);
    refuses!(display.file.gamma(crtc, size - 1), INVAL);
    refuses!(display.file.set_gamma(0x7fff_ffff, &of(size)), NOENT);
    Ok(())
}

/// `GAMMA_LUT` takes a blob of whole entries.
fn gamma_property_takes_a_blob(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let size = gamma_size(&display)? as usize;
    let (output, _) = lit(&display)?;
    if !output.crtc.has("GAMMA_LUT") {
        return skip("the CRTC has no property `GAMMA_LUT`");
    }
    let crtc = (output.crtc.id, OBJECT_CRTC);
    let gamma = output.crtc.property("GAMMA_LUT");
    let blob = works!(display.file.create_blob(&vec![0x55; 8 * size]));
    works!(display.file.set_property(crtc, gamma, blob.into()));
    same!(display.value(&output.crtc, "GAMMA_LUT")?, u64::from(blob));
    let odd = works!(display.file.create_blob(&[0; 12]));
    refuses!(display.file.set_property(crtc, gamma, odd.into()), INVAL);
    same!(display.value(&output.crtc, "GAMMA_LUT")?, u64::from(blob));
    works!(display.file.set_property(crtc, gamma, 0));
    same!(display.value(&output.crtc, "GAMMA_LUT")?, 0);
    Ok(())
}
