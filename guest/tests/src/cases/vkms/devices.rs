// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Two devices of one driver: what belongs to one cannot be used on the other, and what may be shared can (K3).
//!
//! Source: `drivers/gpu/drm/drm_mode_object.c`, `drm_prime.c` (Linux 7.3).

use uapi::mode::*;
use uapi::{CLOEXEC, RDWR};

use super::teardown::{comes_back, is_gone};
use crate::cases::sync;
use crate::harness::check::{Outcome, skip};
use crate::subjects::display::request::Request;
use crate::subjects::display::setup::Setup;
use crate::subjects::display::{Display, Frame};
use crate::subjects::guest::Guest;
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "vkms_devices" for Vkms:
    numbers_of_one_device_are_unknown_to_the_other, both_devices_flip_at_once, buffer_of_one_is_shown_on_both,
    framebuffers_of_one_are_refused_by_the_other, out_fence_of_one_is_waited_for_by_the_other,
    device_goes_while_the_other_shows, both_devices_go_under_one_client within 60,
}

/// Framebuffers, blobs and handles are a device's own.
fn numbers_of_one_device_are_unknown_to_the_other(guest: &Guest) -> Outcome {
    let (_setup, cards) = Setup::second(guest)?;
    let [one, two] = [Display::open_card(&cards[0])?, Display::open_card(&cards[1])?];
    two.light(two.output())?;
    // The last of many numbers is used on one device only.
    let mut frame = one.frame((64, 64))?;
    for _ in 0..50 {
        frame = one.frame((64, 64))?;
        works!(one.file.create_blob(b"blob"));
    }
    let blob = works!(one.file.create_blob(b"blob"));
    let before = two.snapshot()?;
    refuses!(two.file.get_fb2(frame.fb), NOENT);
    refuses!(two.file.remove_fb(frame.fb), NOENT);
    refuses!(two.file.blob(blob), NOENT);
    refuses!(two.file.destroy_blob(blob), NOENT);
    refuses!(two.file.add_fb2(frame.command(XRGB8888)), NOENT);
    refuses!(two.flip(two.output(), frame.fb, 1), INVAL);
    let mode = Request::new().set(&two.output().crtc, "MODE_ID", blob.into());
    refuses!(two.commit(&mode, ATOMIC_ALLOW_MODESET, 0), INVAL);
    same!(two.snapshot()?, before);
    Ok(())
}

/// No call of one device takes a framebuffer, a buffer or a blob that only the other device has.
fn framebuffers_of_one_are_refused_by_the_other(guest: &Guest) -> Outcome {
    let (_setup, cards) = Setup::second(guest)?;
    let [one, two] = [Display::open_card(&cards[0])?, Display::open_card(&cards[1])?];
    let output = two.output();
    let shown = two.light(output)?;
    let mut frame = one.light(one.output())?;
    for _ in 0..50 {
        frame = one.frame(output.size())?;
    }
    let (crtc, connector, mode) = (output.crtc.id, output.connector.id, output.mode());
    let before = two.snapshot()?;
    refuses!(two.file.set_crtc(crtc, frame.fb, (0, 0), &[connector], Some(mode)), NOENT);
    let flip = PageFlip { crtc_id: crtc, fb_id: frame.fb, ..Default::default() };
    refuses!(two.file.ioctl(&PAGE_FLIP, flip), NOENT);
    let (width, height) = frame.size;
    let plane = SetPlane {
        plane_id: output.primary.id,
        crtc_id: crtc,
        fb_id: frame.fb,
        crtc_w: width,
        crtc_h: height,
        src_w: width << 16,
        src_h: height << 16,
        ..Default::default()
    };
    refuses!(two.file.ioctl(&SETPLANE, plane), NOENT);
    let property = output.primary.property("FB_ID");
    refuses!(two.file.set_property((output.primary.id, OBJECT_PLANE), property, frame.fb.into()), INVAL);
    refuses!(two.file.close_fb(frame.fb), NOENT);
    refuses!(two.file.dirty_fb(frame.fb, &[]), NOENT);
    let cursor =
        Cursor { flags: CURSOR_BO, crtc_id: crtc, width: 64, height: 64, handle: frame.handle, ..Default::default() };
    refuses!(two.file.ioctl(&CURSOR, cursor), NOENT);
    refuses!(two.file.map_offset(frame.handle), NOENT);
    refuses!(two.file.export(frame.handle, CLOEXEC | RDWR), NOENT);
    same!(two.snapshot()?, before);
    works!(two.flip(output, shown.fb, 1));
    same!(two.flipped()?.user_data, 1);
    Ok(())
}

/// A process shows a picture on both devices, which are unbound at once. A commit of the second waits for a fence of the first.
fn both_devices_go_under_one_client(guest: &Guest) -> Outcome {
    if guest.driver.bus() != "platform" {
        return skip("the driver's devices cannot be unbound");
    }
    for _ in 0..3 {
        let (setup, cards) = Setup::second(guest)?;
        let displays = [Display::open_card(&cards[0])?, Display::open_card(&cards[1])?];
        let [one, two] = &displays;
        let frames = [one.light(one.output())?, two.light(two.output())?];
        let flip = Request::new().set(&one.output().primary, "FB_ID", frames[0].fb.into()).out_fence(one.output());
        let fences = works!(one.commit_with_fences(&flip, ATOMIC_NONBLOCK | PAGE_FLIP_EVENT, 1));
        let plane = &two.output().primary;
        let flip = Request::new().set(plane, "FB_ID", frames[1].fb.into()).in_fence(plane, &fences[0]);
        works!(two.commit(&flip, ATOMIC_NONBLOCK | PAGE_FLIP_EVENT, 2));
        std::thread::scope(|scope| -> Outcome {
            let unbound = cards.each_ref().map(|card| scope.spawn(|| card.unbind()));
            for thread in unbound {
                thread.join().expect("no panic")?;
            }
            Ok(())
        })?;
        same!((one.flipped()?.user_data, two.flipped()?.user_data), (1, 2));
        same!(works!(sync::status_of(&fences[0])), 1);
        for display in &displays {
            is_gone(display)?;
        }
        drop((displays, fences));
        comes_back(guest)?;
        drop(setup);
    }
    Ok(())
}

fn both_devices_flip_at_once(guest: &Guest) -> Outcome {
    let (_setup, cards) = Setup::second(guest)?;
    let displays = [Display::open_card(&cards[0])?, Display::open_card(&cards[1])?];
    let frames = [displays[0].light(displays[0].output())?, displays[1].light(displays[1].output())?];
    for turn in 0..10 {
        for (display, frame) in displays.iter().zip(&frames) {
            works!(display.flip(display.output(), frame.fb, turn));
        }
        for display in &displays {
            same!(display.flipped()?.user_data, turn);
        }
    }
    displays[0].darken(displays[0].output())?;
    works!(displays[1].flip(displays[1].output(), frames[1].fb, 99));
    same!(displays[1].flipped()?.user_data, 99);
    Ok(())
}

/// A buffer that both devices show outlives the one that made it being closed.
fn buffer_of_one_is_shown_on_both(guest: &Guest) -> Outcome {
    let (_setup, cards) = Setup::second(guest)?;
    let [one, two] = [Display::open_card(&cards[0])?, Display::open_card(&cards[1])?];
    let theirs = one.light(one.output())?;
    let buffer = works!(one.file.export(theirs.handle, CLOEXEC | RDWR));
    let handle = works!(two.file.import(&buffer));
    let fb = works!(two.file.add_fb2(Frame { handle, ..theirs }.command(XRGB8888)));
    same!(theirs.size, two.output().size());
    two.show(two.output(), &Frame { fb, handle, ..theirs })?;
    one.pixels(&theirs)?.write(0, 0x0012_3456);
    drop((one, buffer));
    works!(two.flip(two.output(), fb, 1));
    same!(two.flipped()?.user_data, 1);
    let found = works!(two.file.get_fb2(fb));
    let shown = works!(two.file.export(found.handles[0], CLOEXEC | RDWR));
    same!(works!(sys::Mapping::shared(&shown, 0, 4096)).read(0), 0x0012_3456);
    Ok(())
}

fn out_fence_of_one_is_waited_for_by_the_other(guest: &Guest) -> Outcome {
    let (_setup, cards) = Setup::second(guest)?;
    let [one, two] = [Display::open_card(&cards[0])?, Display::open_card(&cards[1])?];
    let [first, second] = [one.light(one.output())?, two.light(two.output())?];
    for turn in 0..5 {
        let output = one.output();
        let flip = Request::new().set(&output.primary, "FB_ID", first.fb.into()).out_fence(output);
        let fences = works!(one.commit_with_fences(&flip, ATOMIC_NONBLOCK | PAGE_FLIP_EVENT, turn));
        let output = two.output();
        let flip = Request::new().set(&output.primary, "FB_ID", second.fb.into());
        let flip = flip.in_fence(&output.primary, &fences[0]);
        works!(two.commit(&flip, ATOMIC_NONBLOCK | PAGE_FLIP_EVENT, turn));
        same!((one.flipped()?.user_data, two.flipped()?.user_data), (turn, turn));
    }
    Ok(())
}

/// A device is removed while another one shows a picture in a buffer of the first.
fn device_goes_while_the_other_shows(guest: &Guest) -> Outcome {
    let (setup, cards) = Setup::second(guest)?;
    let [one, two] = [Display::open_card(&cards[0])?, Display::open_card(&cards[1])?];
    let theirs = two.light(two.output())?;
    let buffer = works!(two.file.export(theirs.handle, CLOEXEC | RDWR));
    let handle = works!(one.file.import(&buffer));
    let fb = works!(one.file.add_fb2(Frame { handle, ..theirs }.command(XRGB8888)));
    one.show(one.output(), &Frame { fb, handle, ..theirs })?;
    if guest.driver.bus() == "platform" {
        let gone = cards[1].unbind()?;
        refuses!(two.file.resources(), NODEV);
        works!(one.flip(one.output(), fb, 1));
        same!(one.flipped()?.user_data, 1);
        works!(gone.bind());
    }
    drop((two, buffer));
    works!(one.flip(one.output(), fb, 2));
    same!(one.flipped()?.user_data, 2);
    holds!(one.is_on(one.output())?, "the output is on");
    works!(one.file.remove_fb(fb));
    works!(one.file.gem_close(handle));
    drop(one);
    drop(setup);
    Ok(())
}
