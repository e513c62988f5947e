// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The calls that are older than atomic commits, and become one in the kernel.
//!
//! Source: `drm_mode_setcrtc` in drm_crtc.c, `drm_mode_cursor_universal` and `drm_mode_page_flip_ioctl` in drm_plane.c,
//! drm_color_mgmt.c (Linux 7.3).

use sys::Answer;
use uapi::mode::*;

use super::Screen;
use crate::harness::check::Outcome;
use crate::subjects::display::Display;
use crate::subjects::guest::Guest;
use crate::sweeps::operation::Operation;
use crate::{same, works};

pub(super) fn table(guest: &Guest) -> Outcome<Vec<Operation<Screen>>> {
    let mut rows = vec![
        page_flip("PAGE_FLIP", 0),
        page_flip("PAGE_FLIP with an event", PAGE_FLIP_EVENT),
        set_crtc("SETCRTC of another framebuffer", |screen| on(screen, screen.other.fb, screen.output().mode())),
        set_crtc("SETCRTC of another mode", |screen| on(screen, screen.frame.fb, screen.other_mode.1)),
        set_crtc("SETCRTC that switches off", |screen| {
            screen.display.file.set_crtc(screen.output().crtc.id, 0, (0, 0), &[], None)
        }),
        set_crtc_on(),
        set_plane(),
        set_crtc("OBJ_SETPROPERTY of a plane", |screen| {
            let plane = &screen.output().primary;
            let property = plane.property("FB_ID");
            screen.display.file.set_property((plane.id, OBJECT_PLANE), property, screen.other.fb.into())
        }),
        set_crtc("OBJ_SETPROPERTY of DPMS", |screen| {
            let connector = &screen.output().connector;
            screen.display.file.set_property((connector.id, OBJECT_CONNECTOR), connector.property("DPMS"), 3)
        }),
        new_cursor(),
        moved_cursor(),
        hidden_cursor(),
    ];
    let display = Display::open(guest)?;
    if works!(display.file.crtc(display.output().crtc.id)).gamma_size > 0 {
        rows.push(gamma());
    }
    Ok(rows)
}

/// Switches the output on by `SETCRTC`.
fn on(screen: &Screen, fb: u32, mode: ModeInfo) -> Answer {
    let output = screen.output();
    screen.display.file.set_crtc(output.crtc.id, fb, (0, 0), &[output.connector.id], Some(mode))
}

/// Describes a call that changes what is shown. If it fails, everything is as before.
fn set_crtc(name: &'static str, call: fn(&Screen) -> Answer) -> Operation<Screen> {
    Operation::new(
        name,
        |screen: &Screen| screen.display.snapshot(),
        move |screen, _| call(screen),
        |screen, before, done| {
            same!(screen.display.snapshot()? == before, !done);
            screen.is_quiet()?;
            dpms_on(screen)?;
            screen.restore()
        },
    )
}

/// Undoes what `DPMS` has switched off: a commit does not change the property.
fn dpms_on(screen: &Screen) -> Outcome {
    let connector = &screen.output().connector;
    works!(screen.display.file.set_property((connector.id, OBJECT_CONNECTOR), connector.property("DPMS"), 0));
    Ok(())
}

fn set_crtc_on() -> Operation<Screen> {
    Operation::new(
        "SETCRTC that switches on",
        |screen: &Screen| screen.display.darken(screen.output()),
        |screen, ()| on(screen, screen.frame.fb, screen.output().mode()),
        |screen, (), done| {
            same!(screen.display.is_on(screen.output())?, done);
            screen.restore()
        },
    )
}

fn page_flip(name: &'static str, flags: u32) -> Operation<Screen> {
    Operation::new(
        name,
        |_| Ok(()),
        move |screen: &Screen, ()| {
            let (crtc_id, fb_id) = (screen.output().crtc.id, screen.other.fb);
            let flip = PageFlip { crtc_id, fb_id, flags, user_data: 7, ..Default::default() };
            screen.display.file.ioctl(&PAGE_FLIP, flip).map(drop)
        },
        move |screen, (), done| {
            if done && flags != 0 {
                same!(screen.display.flipped()?.user_data, 7);
            }
            screen.is_quiet()?;
            same!(screen.shown()?, if done { screen.other.fb } else { screen.frame.fb });
            screen.restore()
        },
    )
}

fn set_plane() -> Operation<Screen> {
    set_crtc("SETPLANE", |screen| {
        let output = screen.output();
        let plane_id = output.cursor.as_ref().expect("the output has a cursor plane").id;
        let wanted = SetPlane {
            plane_id,
            crtc_id: output.crtc.id,
            fb_id: screen.cursor.fb,
            crtc_w: 64,
            crtc_h: 64,
            src_w: 64 << 16,
            src_h: 64 << 16,
            ..Default::default()
        };
        screen.display.file.ioctl(&SETPLANE, wanted).map(drop)
    })
}

/// `CURSOR`
fn call(screen: &Screen, flags: u32, handle: u32, at: i32) -> Answer {
    let crtc_id = screen.output().crtc.id;
    let (width, height) = if handle == 0 { (0, 0) } else { (64, 64) };
    screen.display.file.ioctl(&CURSOR, Cursor { flags, crtc_id, x: at, y: at, width, height, handle }).map(drop)
}

/// Describes a call about the cursor, which is shown before or not.
fn cursor(name: &'static str, is_shown: bool, run: fn(&Screen) -> Answer) -> Operation<Screen> {
    Operation::new(
        name,
        move |screen: &Screen| {
            // The kernel remembers the place.
            works!(call(screen, CURSOR_MOVE, 0, 5));
            if is_shown {
                works!(call(screen, CURSOR_BO, screen.cursor.handle, 5));
            }
            screen.display.snapshot()
        },
        move |screen, _| run(screen),
        |screen, before, done| {
            same!(screen.display.snapshot()? == before, !done);
            works!(call(screen, CURSOR_BO, 0, 0));
            works!(call(screen, CURSOR_MOVE, 0, 0));
            screen.restore()
        },
    )
}

fn new_cursor() -> Operation<Screen> {
    cursor("CURSOR with a buffer", false, |screen| call(screen, CURSOR_BO, screen.cursor.handle, 5))
}

fn moved_cursor() -> Operation<Screen> {
    cursor("CURSOR that moves", true, |screen| call(screen, CURSOR_MOVE, 0, 50))
}

fn hidden_cursor() -> Operation<Screen> {
    cursor("CURSOR that hides", true, |screen| call(screen, CURSOR_BO, 0, 0))
}

/// Sets the gamma table. C copies the new one to where `GETGAMMA` reads before it does anything that can fail
/// (docs/reference/c-core-faults.md), so after a failure only the table in force is looked at.
fn gamma() -> Operation<Screen> {
    Operation::new(
        "SETGAMMA",
        |screen: &Screen| {
            let crtc = screen.output().crtc.id;
            let size = works!(screen.display.file.crtc(crtc)).gamma_size;
            let before = works!(screen.display.file.gamma(crtc, size));
            let after = before.each_ref().map(|table| table.iter().map(|value| value ^ 0x55).collect::<Vec<_>>());
            Ok((crtc, before, after, screen.display.snapshot()?))
        },
        |screen, (crtc, _, after, _)| screen.display.file.set_gamma(*crtc, after),
        |screen, (crtc, before, after, shown), done| {
            same!(screen.display.snapshot()? == shown, !done);
            if done {
                let size = before[0].len() as u32;
                same!(works!(screen.display.file.gamma(crtc, size)), after);
            }
            works!(screen.display.file.set_gamma(crtc, &before));
            screen.restore()
        },
    )
}
