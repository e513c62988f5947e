// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Attacks on mode setting: by a driver's hooks, its objects and states, its keys and mappings.
//!
//! The driver counts the values that it gives to the layer, and looks into each that it gets. Source:
//! `kernel/tests/display_attacks`; drm_atomic_helper.c, drm_mode_config.c, drm_vblank.c (Linux 7.3).

mod lit;

use std::thread;

use rustix::io::Errno;
use uapi::mode::*;
use uapi::{
    DISPLAY_ATTACK_BORDERS, DISPLAY_ATTACK_CHECK_FAILS, DISPLAY_ATTACK_EDID, DISPLAY_ATTACK_HOTPLUGS,
    DISPLAY_ATTACK_KEEP, DISPLAY_ATTACK_MAP_AGAIN, DISPLAY_ATTACK_NO_STATES, DISPLAY_ATTACK_PREPARE_FAILS,
    DISPLAY_ATTACK_SCREEN, DISPLAY_ATTACK_TRAP, DISPLAY_ATTACK_WAIT_IN_FLUSH, DISPLAY_ATTACK_WRONG_SETUPS,
};

use lit::{Lit, NAME, attack, bind, open, unbind, unload};

use crate::cases::bus::edu::tested;
use crate::harness::check::{Outcome, fail};
use crate::harness::trace::Trace;
use crate::subjects::device::DrmFile;
use crate::subjects::display::request::{Place, Request};
use crate::subjects::guest::Guest;
use crate::subjects::lifecycle::node;
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "attacks":
    display_hook_mode_valid within 60, display_hook_plane_check within 60, display_hook_crtc_check within 60,
    display_hook_prepare within 60, display_hook_update within 60, display_hook_plane_disable within 60,
    display_hook_enable within 60, display_hook_disable within 60, display_hook_flush within 60,
    display_hook_detect within 60, display_hook_modes within 60, display_hook_vblank_on within 60,
    display_hook_vblank_off within 60, display_hook_suspend within 60, display_hook_resume within 60,
    display_hook_unplugged within 60, display_hook_file_close_after_unplug within 60,
    display_screen_and_foreign_keys within 60, display_setups_with_mistakes within 60,
    display_pixels_at_the_borders within 60, display_mapping_outlives_the_device within 60,
    display_failed_commits_leave_nothing within 60, display_states_cannot_be_copied_at_unbind within 60,
    display_flush_waits_during_unbind within 60, display_hotplugs_during_unbind within 60,
    display_that_needs_its_primary_plane, display_random_edids within 90, display_reader_maps_during_unbind within 60,
    display_whose_planes_come_last,
}

/// A hook, by its number and its name in the log.
type Hook = (u32, &'static str);

/// The answers in a hook of a device that is plugged.
const PLUGGED: &str = "enter 0, own 0, foreign -22, foreign-vblank -22, ";
/// Further answers in a hook that may sleep.
const SLEEPING: &str = "vblank 0, hotplug 0, foreign-hotplug -22, work 0, object 0, ";
/// The answers in a hook of an unplugged device.
const UNPLUGGED: &str = "enter -19, own 0, foreign -22, foreign-vblank -19, vblank -19, hotplug -19, \
     foreign-hotplug -19, work 0, object 0, ";

/// Runs a case in which one action makes C call the hook.
fn hook(guest: &Guest, (number, name): Hook, answers: &[&str], act: impl FnOnce(&Lit) -> Outcome) -> Outcome {
    let mut lit = Lit::new(guest)?;
    works!(lit.attack(DISPLAY_ATTACK_TRAP, number));
    act(&lit)?;
    answered(&mut lit.trace, name, answers)?;
    lit.end()
}

fn answered(trace: &mut Trace, name: &str, answers: &[&str]) -> Outcome {
    let start = format!("{name}: ");
    trace.wait_for(&start)?;
    let lines: Vec<_> = trace.lines().iter().filter(|line| line.starts_with(&start)).cloned().collect();
    same!(lines, [format!("{start}{}end", answers.concat())]);
    Ok(())
}

/// Any context may ask C whether a mode fits, without the hardware. Keys of a device that is gone name nothing.
fn display_hook_mode_valid(guest: &Guest) -> Outcome {
    hook(guest, (1, "mode-valid"), &[PLUGGED, SLEEPING], Lit::all)
}

/// A check holds locks of mode setting, which a hotplug takes.
fn display_hook_plane_check(guest: &Guest) -> Outcome {
    hook(guest, (2, "plane-check"), &[PLUGGED, SLEEPING], Lit::all)
}

/// Like `display_hook_plane_check`.
fn display_hook_crtc_check(guest: &Guest) -> Outcome {
    hook(guest, (3, "crtc-check"), &[PLUGGED, SLEEPING], Lit::all)
}

/// The framebuffer is mapped twice at a time, with the locks of the commit.
fn display_hook_prepare(guest: &Guest) -> Outcome {
    hook(guest, (4, "prepare"), &[PLUGGED, SLEEPING, "map 0, "], Lit::all)
}

/// The device is in a section already, and is entered again.
fn display_hook_update(guest: &Guest) -> Outcome {
    hook(guest, (5, "update"), &[PLUGGED, SLEEPING, "map 0, "], Lit::all)
}

/// Like `display_hook_update`.
fn display_hook_plane_disable(guest: &Guest) -> Outcome {
    hook(guest, (6, "plane-disable"), &[PLUGGED, SLEEPING], Lit::all)
}

/// A frame ends while the CRTC is switched on, before vblanks begin.
fn display_hook_enable(guest: &Guest) -> Outcome {
    hook(guest, (7, "enable"), &[PLUGGED, SLEEPING], Lit::all)
}

/// A frame ends while the CRTC is switched off, after the vblanks.
fn display_hook_disable(guest: &Guest) -> Outcome {
    hook(guest, (8, "disable"), &[PLUGGED, SLEEPING], Lit::all)
}

/// A frame ends before the event of this commit waits for one.
fn display_hook_flush(guest: &Guest) -> Outcome {
    hook(guest, (9, "flush"), &[PLUGGED, SLEEPING], Lit::all)
}

/// A hotplug that `detect` reports makes C call `detect` again.
fn display_hook_detect(guest: &Guest) -> Outcome {
    hook(guest, (10, "detect"), &[PLUGGED, SLEEPING], Lit::all)
}

/// Like `display_hook_detect`, with the lock of the lists of modes.
fn display_hook_modes(guest: &Guest) -> Outcome {
    hook(guest, (11, "modes"), &[PLUGGED, SLEEPING], Lit::all)
}

/// Interrupts are off, and mappings are dropped.
fn display_hook_vblank_on(guest: &Guest) -> Outcome {
    hook(guest, (12, "vblank-on"), &[PLUGGED], Lit::all)
}

/// Like `display_hook_vblank_on`.
fn display_hook_vblank_off(guest: &Guest) -> Outcome {
    hook(guest, (13, "vblank-off"), &[PLUGGED], Lit::all)
}

fn sleeps(lit: &Lit) -> Outcome {
    works!(tested("devices", "freeze"));
    lit.flip()
}

/// Displays are off, and remembered.
fn display_hook_suspend(guest: &Guest) -> Outcome {
    hook(guest, (14, "suspend"), &[PLUGGED, SLEEPING], sleeps)
}

/// Displays are still off.
fn display_hook_resume(guest: &Guest) -> Outcome {
    hook(guest, (15, "resume"), &[PLUGGED, SLEEPING], sleeps)
}

/// Objects can be named after the unplug, but no hardware reached.
fn display_hook_unplugged(guest: &Guest) -> Outcome {
    hook(guest, (16, "unplugged"), &[UNPLUGGED], |_| {
        works!(unbind());
        Ok(())
    })
}

/// The last user of an unplugged device closes its file.
fn display_hook_file_close_after_unplug(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    works!(lit.attack(DISPLAY_ATTACK_TRAP, 17));
    works!(unbind());
    let Lit { mut trace, display, .. } = lit;
    same!(trace.count("left: "), 0);
    drop(display);
    answered(&mut trace, "file-close", &[UNPLUGGED])?;
    unload(trace)
}

/// With all locks of mode setting, the driver does everything. A key of another device would use its CRTC, which was
/// freed (K3).
fn display_screen_and_foreign_keys(guest: &Guest) -> Outcome {
    let mut lit = Lit::new(guest)?;
    lit.commit(&lit.cursor()?)?;
    lit.finish()?;
    works!(lit.attack(DISPLAY_ATTACK_TRAP, 18));
    works!(lit.attack(DISPLAY_ATTACK_SCREEN, 0));
    answered(&mut lit.trace, "screen", &[PLUGGED, SLEEPING])?;
    same!(lit.trace.count("a plane is shown, prepared and read: Some(true)"), 2);
    lit.off()?;
    works!(lit.attack(DISPLAY_ATTACK_SCREEN, 0));
    same!(lit.trace.count("a plane is shown"), 2);
    lit.end()
}

/// A set-up goes on after an error, or drops what must be used. It fails then, or leaves a display that works, and
/// never one that C warns about (K1, K4).
fn display_setups_with_mistakes(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    works!(lit.attack(DISPLAY_ATTACK_WRONG_SETUPS, 0));
    let Lit { mut trace, display, .. } = lit;
    drop(display);
    works!(unbind());
    works!(bind());
    trace.wait_for("wrong set-ups end")?;
    let wanted = [
        ("none", 0),
        ("dropped-primary", -22),
        ("dropped-cursor", -22),
        ("crtc-fails", -22),
        ("planes", -22),
        ("formats", 0),
        ("foreign-crtc", 0),
        ("foreign-encoder", 0),
        ("nested", 0),
        ("work", -28),
    ];
    let wanted: Vec<_> = wanted.iter().map(|(name, errno)| format!("set-up {name}: {errno}")).collect();
    let ended: Vec<_> = trace.lines().iter().filter(|line| line.starts_with("set-up ")).cloned().collect();
    same!(ended, wanted);
    drop(open()?);
    unload(trace)
}

/// Rows at each border, for formats with pixels of different sizes and with two planes of memory, and for sizes that
/// are odd. A row beyond a border would be read from what lies behind the buffer (K24).
fn display_pixels_at_the_borders(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let file = &lit.display.file;
    let nv12 = u32::from_le_bytes(*b"NV12");
    let rgb565 = u32::from_le_bytes(*b"RG16");
    for ((width, height), format, bytes) in [
        ((640, 480), XRGB8888, 4),
        ((33, 17), ARGB8888, 4),
        ((1, 1), rgb565, 2),
        ((1023, 3), rgb565, 2),
        ((64, 48), nv12, 1),
        ((2, 2), nv12, 1),
    ] {
        let pitch = width * bytes;
        // The last plane ends with the buffer.
        let made = works!(file.create_dumb(pitch, height * 2, 8));
        let size = u32::try_from(made.size).expect("buffers are small");
        let (chroma, lines) = if format == nv12 { (pitch * height / 2, height + height / 2) } else { (0, height) };
        let end = size - pitch * (lines - height) - pitch * height;
        let second = size - chroma;
        let mut command = FbCmd2 { width, height, pixel_format: format, ..Default::default() };
        (command.handles[0], command.pitches[0], command.offsets[0]) = (made.handle, pitch, end);
        if format == nv12 {
            (command.handles[1], command.pitches[1], command.offsets[1]) = (made.handle, pitch, second);
        }
        let fb = works!(file.add_fb2(command));
        let output = lit.display.output();
        let place = Place::at((0, 0), (width, height));
        lit.commit(&Request::new().show(&output.primary, output, fb, place))?;
        lit.finish()?;
        holds!(works!(lit.attack(DISPLAY_ATTACK_BORDERS, 0)) > 20, "rows inside are read");
    }
    lit.end()
}

/// A client's data keeps a mapping of a framebuffer beyond the framebuffer's number, its handle, the display and the
/// binding. It cannot be read any more when it is dropped, with the file (K23, K30, K41).
fn display_mapping_outlives_the_device(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    lit.display.pixels(&lit.frame)?.write(0, 0x0012_3456_u32);
    // The client that keeps it is another one. It needs no handle.
    let Some(node) = node(NAME, "card") else { return fail("the device has no primary node") };
    let other = works!(DrmFile::open(node));
    works!(attack(&other, DISPLAY_ATTACK_KEEP, 0));
    let Lit { mut trace, display, .. } = lit;
    drop(display);
    works!(unbind());
    same!(trace.count("left: "), 0);
    drop(other);
    trace.wait_for("kept pixel: -19")?;
    unload(trace)
}

/// A reader maps its framebuffer again and again. The end of the registration waits for the reader, and lets no lock of its
/// own wait with it (K41).
fn display_reader_maps_during_unbind(guest: &Guest) -> Outcome {
    let Lit { mut trace, display, .. } = {
        let lit = Lit::new(guest)?;
        works!(lit.attack(DISPLAY_ATTACK_KEEP, 0));
        lit
    };
    let answer = thread::scope(|scope| -> Outcome<_> {
        let reader = scope.spawn(|| attack(&display.file, DISPLAY_ATTACK_MAP_AGAIN, 0));
        trace.wait_for("reading")?;
        works!(unbind());
        Ok(reader.join().expect("the reader does not panic"))
    })?;
    refuses!(answer, NODEV);
    drop(display);
    unload(trace)
}

/// Commits fail at each step: the check, the second plane's `prepare`, a copy of a state, another commit that is not
/// done, and a test. Each state and what was prepared for it is dropped once, and the display goes on (K7, K9, K12).
fn display_failed_commits_leave_nothing(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let (display, output) = (&lit.display, lit.display.output());
    let flip = Request::new().set(&output.primary, "FB_ID", lit.frame.fb.into());
    let both = lit.cursor()?.and(flip.clone());
    // C would try again for ever after the first of these errors, if it came from a hook.
    for errno in [Errno::DEADLK, Errno::NOSPC, Errno::NOMEM, Errno::IO] {
        let wanted = if errno == Errno::DEADLK { Errno::INVAL } else { errno };
        for what in [DISPLAY_ATTACK_CHECK_FAILS, DISPLAY_ATTACK_PREPARE_FAILS] {
            works!(lit.attack(what, errno.raw_os_error().unsigned_abs()));
            for flags in [0, ATOMIC_NONBLOCK] {
                let answer = display.commit(&both, flags, 0);
                same!(answer.err(), Some(wanted));
            }
            if what == DISPLAY_ATTACK_PREPARE_FAILS {
                works!(display.commit(&both, ATOMIC_TEST_ONLY, 0));
            }
            works!(lit.attack(what, 0));
        }
    }
    works!(lit.attack(DISPLAY_ATTACK_NO_STATES, 5));
    refuses!(display.commit(&both, 0, 0), NOMEM);
    works!(lit.attack(DISPLAY_ATTACK_NO_STATES, 0));
    // A commit waits in its flush; the next must wait, and does not.
    works!(lit.attack(DISPLAY_ATTACK_WAIT_IN_FLUSH, 1));
    works!(display.flip(output, lit.frame.fb, 1));
    refuses!(display.flip(output, lit.frame.fb, 2), BUSY);
    works!(lit.attack(DISPLAY_ATTACK_WAIT_IN_FLUSH, 0));
    lit.finish()?;
    lit.all()?;
    lit.end()
}

/// A CRTC that cannot be on without its primary plane goes off when the framebuffer is removed. A commit that would leave it
/// on fails (K10).
fn display_that_needs_its_primary_plane(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let (display, output) = (&lit.display, lit.display.output());
    let mode = display.mode_blob(&output.mode())?;
    let place = Place::at((0, 0), output.size());
    let show = Request::new().show(&output.primary, output, lit.frame.fb, place);
    let refused = |request: &Request| -> Outcome {
        refuses!(display.commit(request, ATOMIC_ALLOW_MODESET, 0), INVAL);
        Ok(())
    };
    refused(&Request::new().hide(&output.primary))?;
    lit.flip()?;
    lit.off()?;
    refused(&Request::new().on(output, mode))?;
    refused(&show)?;
    lit.on()?;
    works!(display.file.remove_fb(lit.frame.fb));
    holds!(!display.is_on(output)?, "the CRTC is off");
    lit.end()
}

/// A driver whose planes come last never updates one whose CRTC is off, not even when a CRTC is switched on (K15).
fn display_whose_planes_come_last(guest: &Guest) -> Outcome {
    let mut lit = Lit::new(guest)?;
    lit.all()?;
    works!(unbind());
    lit.trace.wait_for("unplugged, enabled 2 times, disabled 2 times, 0 updates while off")?;
    lit.end()
}

/// No state can be copied when the device is unbound: everything goes off without a commit, by the driver's hooks.
/// Otherwise the framebuffer that is shown would keep the device for ever (K21).
fn display_states_cannot_be_copied_at_unbind(guest: &Guest) -> Outcome {
    let mut lit = Lit::new(guest)?;
    lit.commit(&lit.cursor()?)?;
    lit.finish()?;
    works!(lit.attack(DISPLAY_ATTACK_NO_STATES, 12));
    works!(unbind());
    lit.trace.wait_for("unplugged, enabled 1 times, disabled 1 times")?;
    lit.end()
}

/// A flush waits on the queue of commits while the device is unbound and its module unloaded. Both wait for it; else it
/// would go on in text that is freed (K16).
fn display_flush_waits_during_unbind(guest: &Guest) -> Outcome {
    let mut lit = Lit::new(guest)?;
    works!(lit.attack(DISPLAY_ATTACK_WAIT_IN_FLUSH, 1));
    works!(lit.display.flip(lit.display.output(), lit.frame.fb, 1));
    lit.trace.wait_for("flush waits")?;
    thread::scope(|scope| -> Outcome {
        let unbinds = scope.spawn(unbind);
        // The device stays plugged meanwhile, however far the unbind has come.
        for _ in 0..20 {
            works!(lit.attack(DISPLAY_ATTACK_TRAP, 0));
            thread::yield_now();
        }
        works!(lit.attack(DISPLAY_ATTACK_WAIT_IN_FLUSH, 0));
        match unbinds.join() {
            Ok(answer) => {
                works!(answer);
                Ok(())
            }
            Err(_) => fail("the thread that unbinds panicked"),
        }
    })?;
    lit.trace.in_order(&["flush waits", "flush goes on", "unplugged"])?;
    lit.display.flipped()?;
    lit.end()
}

/// Hundreds of hotplugs of a display that is attached and taken away are still to be looked at when the device is
/// unbound. One that came later would use objects that are freed (K35).
fn display_hotplugs_during_unbind(guest: &Guest) -> Outcome {
    for round in 0..5 {
        let lit = Lit::new(guest)?;
        works!(lit.attack(DISPLAY_ATTACK_HOTPLUGS, 100 + round));
        if round % 2 == 0 {
            works!(unbind());
        }
        lit.end()?;
    }
    Ok(())
}

/// EDIDs whose sums are right, with random extensions and lengths that lie. C reads no byte behind them (K25).
fn display_random_edids(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let connector = lit.display.output().connector.id;
    for seed in [1, 0xdead, 0x7fff_ffff] {
        works!(lit.attack(DISPLAY_ATTACK_EDID, seed));
        for _ in 0..60 {
            works!(lit.display.file.connector(connector));
        }
    }
    works!(lit.attack(DISPLAY_ATTACK_EDID, 0));
    lit.end()
}
