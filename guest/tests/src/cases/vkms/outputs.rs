// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A device with several outputs: they are set together and flip each for itself (K16).
//!
//! Source: `drivers/gpu/drm/drm_atomic_helper.c`, `drm_vblank.c`, `drm_lease.c` (Linux 7.3).

use std::collections::BTreeSet;

use uapi::CLOEXEC;
use uapi::mode::*;

use super::fence::Pending;
use crate::harness::check::Outcome;
use crate::subjects::display::Display;
use crate::subjects::display::request::Request;
use crate::subjects::display::setup::Setup;
use crate::subjects::guest::Guest;
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "vkms_outputs" for Vkms:
    each_output_has_objects_of_its_own, one_commit_lights_all, each_output_sends_its_event,
    waiting_output_does_not_hold_up_another, one_output_goes_off_and_the_others_stay,
    plane_of_another_output_is_refused, framebuffer_is_shown_on_all_outputs, leases_of_outputs_are_apart,
    fifteen_outputs_can_be_lit within 90,
}

/// Lights all outputs by one commit. Returns a framebuffer for each.
fn light_all(display: &Display) -> Outcome<Vec<u32>> {
    let (mut request, mut fbs) = (Request::new(), Vec::new());
    for output in &display.outputs {
        let frame = display.frame(output.size())?;
        request = request.and(display.lit(output, &frame)?);
        fbs.push(frame.fb);
    }
    works!(display.commit(&request, ATOMIC_ALLOW_MODESET, 0));
    Ok(fbs)
}

fn each_output_has_objects_of_its_own(guest: &Guest) -> Outcome {
    let (_setup, card) = Setup::outputs(guest, 3)?;
    let display = Display::open_card(&card)?;
    same!(display.outputs.len(), 3);
    let of = |output: &crate::subjects::display::Output| [output.crtc.id, output.primary.id, output.connector.id];
    let ids: BTreeSet<u32> = display.outputs.iter().flat_map(of).collect();
    same!(ids.len(), 9);
    same!(display.outputs.iter().map(|output| output.pipe).collect::<Vec<_>>(), [0, 1, 2]);
    Ok(())
}

fn one_commit_lights_all(guest: &Guest) -> Outcome {
    let (_setup, card) = Setup::outputs(guest, 3)?;
    let display = Display::open_card(&card)?;
    let fbs = light_all(&display)?;
    for (output, fb) in display.outputs.iter().zip(fbs) {
        same!((display.is_on(output)?, display.shown(&output.primary)?), (true, fb));
    }
    display.all_off()?;
    for output in &display.outputs {
        same!(display.is_on(output)?, false);
    }
    Ok(())
}

/// A commit for all outputs sends an event for each of them, and commits for single outputs send theirs.
fn each_output_sends_its_event(guest: &Guest) -> Outcome {
    let (_setup, card) = Setup::outputs(guest, 3)?;
    let display = Display::open_card(&card)?;
    let fbs = light_all(&display)?;
    let wanted: BTreeSet<u32> = display.outputs.iter().map(|output| output.crtc.id).collect();
    for turn in 0..10 {
        if turn % 2 == 0 {
            let flip = |request: Request, (output, fb): (&crate::subjects::display::Output, &u32)| {
                request.set(&output.primary, "FB_ID", (*fb).into())
            };
            let all = display.outputs.iter().zip(&fbs).fold(Request::new(), flip);
            works!(display.commit(&all, ATOMIC_NONBLOCK | PAGE_FLIP_EVENT, turn));
        } else {
            for (output, fb) in display.outputs.iter().zip(&fbs) {
                works!(display.flip(output, *fb, turn));
            }
        }
        let mut seen = BTreeSet::new();
        for _ in &display.outputs {
            let event = display.flipped()?;
            same!(event.user_data, turn);
            seen.insert(event.crtc_id);
        }
        same!(seen, wanted);
    }
    holds!(!display.has_event()?, "no further event comes");
    Ok(())
}

/// K16: while one output waits for a fence, another flips on.
fn waiting_output_does_not_hold_up_another(guest: &Guest) -> Outcome {
    let (_setup, card) = Setup::outputs(guest, 2)?;
    let display = Display::open_card(&card)?;
    let fbs = light_all(&display)?;
    let pending = Pending::new(guest)?;
    let waiting = &display.outputs[0];
    let flip = Request::new().set(&waiting.primary, "FB_ID", fbs[0].into()).in_fence(&waiting.primary, &pending.file);
    works!(display.commit(&flip, ATOMIC_NONBLOCK | PAGE_FLIP_EVENT, 100));
    for turn in 0..10 {
        works!(display.flip(&display.outputs[1], fbs[1], turn));
        same!(display.flipped()?.user_data, turn);
    }
    pending.signal(0)?;
    same!(display.flipped()?.user_data, 100);
    Ok(())
}

fn one_output_goes_off_and_the_others_stay(guest: &Guest) -> Outcome {
    let (_setup, card) = Setup::outputs(guest, 2)?;
    let display = Display::open_card(&card)?;
    let fbs = light_all(&display)?;
    for _ in 0..3 {
        works!(display.flip(&display.outputs[1], fbs[1], 1));
        display.darken(&display.outputs[0])?;
        same!(display.flipped()?.user_data, 1);
        same!((display.is_on(&display.outputs[0])?, display.is_on(&display.outputs[1])?), (false, true));
        refuses!(display.file.wait_vblank(VBLANK_RELATIVE, 0, 1, 0), INVAL);
        works!(display.file.wait_vblank(VBLANK_RELATIVE, 1, 1, 0));
        display.light(&display.outputs[0])?;
    }
    Ok(())
}

/// A plane, or a connector, is shown on the CRTCs that it names alone.
fn plane_of_another_output_is_refused(guest: &Guest) -> Outcome {
    let (_setup, card) = Setup::outputs(guest, 2)?;
    let display = Display::open_card(&card)?;
    let fbs = light_all(&display)?;
    let before = display.snapshot()?;
    let [first, second] = [&display.outputs[0], &display.outputs[1]];
    let plane = Request::new().set(&first.primary, "CRTC_ID", second.crtc.id.into());
    refuses!(display.commit(&plane, ATOMIC_ALLOW_MODESET, 0), INVAL);
    let connector = Request::new().set(&first.connector, "CRTC_ID", second.crtc.id.into());
    refuses!(display.commit(&connector, ATOMIC_ALLOW_MODESET, 0), INVAL);
    same!(display.snapshot()?, before);
    works!(display.flip(first, fbs[0], 1));
    same!(display.flipped()?.user_data, 1);
    Ok(())
}

/// A framebuffer may be on several outputs, and `RMFB` takes it from all of them.
fn framebuffer_is_shown_on_all_outputs(guest: &Guest) -> Outcome {
    let (_setup, card) = Setup::outputs(guest, 2)?;
    let display = Display::open_card(&card)?;
    let frame = display.frame(display.output().size())?;
    for output in &display.outputs {
        display.show(output, &frame)?;
    }
    for output in &display.outputs {
        same!(display.shown(&output.primary)?, frame.fb);
    }
    works!(display.file.remove_fb(frame.fb));
    for output in &display.outputs {
        same!(display.shown(&output.primary)?, 0);
    }
    Ok(())
}

/// Two lessees have an output each. One that is revoked does not disturb the other.
fn leases_of_outputs_are_apart(guest: &Guest) -> Outcome {
    let (_setup, card) = Setup::outputs(guest, 2)?;
    let display = Display::open_card(&card)?;
    let mut lessees = Vec::new();
    for output in &display.outputs {
        let wanted = [output.crtc.id, output.connector.id, output.primary.id];
        let (id, file) = works!(display.file.create_lease(&wanted, CLOEXEC));
        lessees.push((id, Display::adopt(file)?));
    }
    let [(first, one), (_, two)] = [&lessees[0], &lessees[1]];
    let (one_fb, two_fb) = (one.light(one.output())?.fb, two.light(two.output())?.fb);
    works!(one.flip(one.output(), one_fb, 1));
    works!(two.flip(two.output(), two_fb, 2));
    same!((one.flipped()?.user_data, two.flipped()?.user_data), (1, 2));
    // The index of a lease's CRTC is counted within the lease.
    works!(two.file.wait_vblank(VBLANK_RELATIVE, 0, 1, 0));
    works!(display.file.revoke_lease(*first));
    refuses!(one.flip(one.output(), one_fb, 3), NOENT);
    works!(two.flip(two.output(), two_fb, 4));
    same!(two.flipped()?.user_data, 4);
    Ok(())
}

/// With a cursor each, these have almost as many planes as a device can have.
fn fifteen_outputs_can_be_lit(guest: &Guest) -> Outcome {
    let (_setup, card) = Setup::outputs(guest, 15)?;
    let display = Display::open_card(&card)?;
    same!(display.outputs.len(), 15);
    let frame = display.frame(display.output().size())?;
    for output in &display.outputs {
        display.show(output, &frame)?;
    }
    for (number, output) in (0..).zip(&display.outputs) {
        works!(display.flip(output, frame.fb, number));
    }
    let mut numbers = BTreeSet::new();
    for _ in &display.outputs {
        numbers.insert(display.flipped()?.user_data);
    }
    same!(numbers.len(), 15);
    display.all_off()
}
