// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Atomic commits of each kind.
//!
//! Source: `drm_mode_atomic_ioctl` in drivers/gpu/drm/drm_atomic_uapi.c (Linux 7.3).

use uapi::mode::*;

use super::Screen;
use crate::harness::check::Outcome;
use crate::subjects::display::request::{Place, Request};
use crate::sweeps::operation::Operation;
use crate::{same, works};

const NONBLOCK: u32 = ATOMIC_NONBLOCK | PAGE_FLIP_EVENT;
const MODESET: u32 = ATOMIC_ALLOW_MODESET;

pub(super) fn table() -> Vec<Operation<Screen>> {
    vec![
        flip("blocking commit", 0, flip_of),
        flip("blocking commit with an event", PAGE_FLIP_EVENT, flip_of),
        flip("nonblocking commit", ATOMIC_NONBLOCK, flip_of),
        flip("nonblocking commit with an event", NONBLOCK, flip_of),
        flip("commit with an out-fence", NONBLOCK, |screen| Ok(flip_of(screen)?.out_fence(screen.output()))),
        in_fence(),
        flip("check of a commit", ATOMIC_TEST_ONLY, flip_of),
        mode("check of a mode set", MODESET | ATOMIC_TEST_ONLY, smaller),
        mode("mode set", MODESET, smaller),
        mode("nonblocking mode set", MODESET | NONBLOCK, smaller),
        mode("commit that switches off", MODESET, |screen| Ok(Request::new().off(screen.output()))),
        mode("nonblocking commit that switches off", MODESET | NONBLOCK, |screen| {
            Ok(Request::new().off(screen.output()))
        }),
        switch_on("commit that switches on", MODESET),
        switch_on("nonblocking commit that switches on", MODESET | NONBLOCK),
        mode("commit that shows a cursor", 0, cursor),
        mode("nonblocking commit that shows a cursor", NONBLOCK, cursor),
        hide_cursor(),
    ]
}

fn flip_of(screen: &Screen) -> Outcome<Request> {
    Ok(Request::new().set(&screen.output().primary, "FB_ID", screen.other.fb.into()))
}

/// Sets a smaller mode, and shows a part of the framebuffer.
fn smaller(screen: &Screen) -> Outcome<Request> {
    let (blob, mode) = screen.other_mode;
    let (output, place) = (screen.output(), Place::at((0, 0), (mode.hdisplay.into(), mode.vdisplay.into())));
    Ok(Request::new().on(output, blob).show(&output.primary, output, screen.frame.fb, place))
}

fn cursor(screen: &Screen) -> Outcome<Request> {
    let output = screen.output();
    let plane = output.cursor.as_ref().expect("the output has a cursor plane");
    Ok(Request::new().show(plane, output, screen.cursor.fb, Place::at((5, 5), (64, 64))))
}

/// Waits for the event of a commit that was carried out with `flags`.
fn complete(screen: &Screen, flags: u32, done: bool) -> Outcome {
    if done && flags & PAGE_FLIP_EVENT != 0 {
        same!(screen.display.flipped()?.user_data, 7);
    }
    screen.is_quiet()
}

/// Describes a commit that shows the second framebuffer, unless it is only checked.
fn flip(name: &'static str, flags: u32, request: fn(&Screen) -> Outcome<Request>) -> Operation<Screen> {
    Operation::new(
        name,
        request,
        move |screen: &Screen, request| screen.display.commit_with_fences(request, flags, 7).map(drop),
        move |screen, _, done| {
            complete(screen, flags, done)?;
            let changes = done && flags & ATOMIC_TEST_ONLY == 0;
            same!(screen.shown()?, if changes { screen.other.fb } else { screen.frame.fb });
            screen.restore()
        },
    )
}

/// Describes a commit that changes other properties. The state of everything is as before unless it is done.
fn mode(name: &'static str, flags: u32, request: fn(&Screen) -> Outcome<Request>) -> Operation<Screen> {
    Operation::new(
        name,
        move |screen: &Screen| Ok((request(screen)?, screen.display.snapshot()?)),
        move |screen, (request, _)| screen.display.commit(request, flags, 7),
        move |screen, (_, before), done| {
            complete(screen, flags, done)?;
            let changes = done && flags & ATOMIC_TEST_ONLY == 0;
            same!(screen.display.snapshot()? == before, !changes);
            screen.restore()
        },
    )
}

/// Describes a commit that switches the output on.
fn switch_on(name: &'static str, flags: u32) -> Operation<Screen> {
    Operation::new(
        name,
        |screen: &Screen| screen.display.darken(screen.output()),
        move |screen, ()| screen.display.commit(&screen.lit(&screen.frame), flags, 7),
        move |screen, (), done| {
            complete(screen, flags, done)?;
            same!(screen.display.is_on(screen.output())?, done);
            screen.restore()
        },
    )
}

fn hide_cursor() -> Operation<Screen> {
    Operation::new(
        "commit that hides a cursor",
        |screen: &Screen| {
            works!(screen.display.commit(&cursor(screen)?, 0, 0));
            Ok(())
        },
        |screen, ()| {
            let plane = screen.output().cursor.as_ref().expect("the output has a cursor plane");
            screen.display.commit(&Request::new().hide(plane), 0, 0)
        },
        |screen, (), done| {
            let plane = screen.output().cursor.as_ref().expect("the output has a cursor plane");
            same!(screen.display.shown(plane)? == 0, done);
            screen.restore()
        },
    )
}

/// The fence is that of an earlier flip, and so is signalled before long.
fn in_fence() -> Operation<Screen> {
    Operation::new(
        "commit with an in-fence",
        |screen: &Screen| {
            let earlier = Request::new().set(&screen.output().primary, "FB_ID", screen.frame.fb.into());
            let earlier = earlier.out_fence(screen.output());
            let fences = works!(screen.display.commit_with_fences(&earlier, 0, 0));
            Ok(fences.into_iter().next().expect("the request asks for a fence"))
        },
        |screen, fence| {
            let flip = flip_of(screen).map_err(|_| rustix::io::Errno::IO)?;
            screen.display.commit(&flip.in_fence(&screen.output().primary, fence), NONBLOCK, 7)
        },
        |screen, _, done| {
            complete(screen, NONBLOCK, done)?;
            same!(screen.shown()?, if done { screen.other.fb } else { screen.frame.fb });
            screen.restore()
        },
    )
}
