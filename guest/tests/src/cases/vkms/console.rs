// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The kernel's console on the display: text on it while the device goes (K20, K34).
//!
//! Source: drivers/video/fbdev/core/fbcon.c, drivers/tty/vt/vt.c, drm_fb_helper.c (Linux 7.3).

use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use rustix::fs::OFlags;

use super::teardown::{comes_back, is_gone, works_again};
use crate::harness::check::{Outcome, skip};
use crate::subjects::device::DrmFile;
use crate::subjects::display::{Card, Display};
use crate::subjects::guest::Guest;
use crate::{holds, same, works};

crate::cases::cases! {
    "vkms_console" for Vkms:
    unbind_with_text_on_the_console, unbind_under_a_writer_of_text within 60, unbind_while_a_client_hides_the_text,
}

/// Opens the terminal in front, and writes a line. The console takes the display then, if it has not done so already.
fn terminal(guest: &Guest) -> Outcome<OwnedFd> {
    Card::first(guest)?;
    let Ok(terminal) = sys::open("/dev/tty0", OFlags::WRONLY | OFlags::NOCTTY) else {
        return skip("the kernel has no terminals");
    };
    line(&terminal)?;
    Ok(terminal)
}

fn line(terminal: &OwnedFd) -> Outcome {
    works!(rustix::io::write(terminal, b"text on the console\r\n"));
    Ok(())
}

/// Whether text is drawn in a framebuffer: the console's driver has the terminals.
fn is_drawn() -> Outcome<bool> {
    for console in fs::read_dir("/sys/class/vtconsole")?.flatten() {
        let read = |name: &str| fs::read_to_string(console.path().join(name));
        if read("name")?.contains("frame buffer") {
            return Ok(read("bind")?.trim() == "1");
        }
    }
    Ok(false)
}

/// Checks that the console shows its text on the display of the first device, which no client uses.
fn is_shown(guest: &Guest) -> Outcome {
    holds!(is_drawn()?, "the console draws text");
    let witness = Display::adopt(works!(DrmFile::open(&Card::first(guest)?.primary)))?;
    holds!(witness.shown(&witness.output().primary)? != 0, "the console shows a framebuffer");
    Ok(())
}

fn unbind_with_text_on_the_console(guest: &Guest) -> Outcome {
    let terminal = terminal(guest)?;
    for _ in 0..3 {
        is_shown(guest)?;
        let unbound = Card::first(guest)?.unbind()?;
        holds!(!Path::new("/dev/fb0").exists(), "the console's file is gone");
        line(&terminal)?;
        works!(unbound.bind());
        line(&terminal)?;
    }
    is_shown(guest)?;
    comes_back(guest)
}

/// The text does not stop while the device goes and comes.
fn unbind_under_a_writer_of_text(guest: &Guest) -> Outcome {
    let terminal = terminal(guest)?;
    is_shown(guest)?;
    let (written, ended) = (AtomicU32::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| -> Outcome {
        let writer = scope.spawn(|| -> Outcome {
            while !ended.load(Ordering::Relaxed) {
                line(&terminal)?;
                written.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        });
        let more = || {
            let before = written.load(Ordering::Relaxed);
            while written.load(Ordering::Relaxed) < before + 3 && !writer.is_finished() {
                std::thread::yield_now();
            }
        };
        let all = (0..5).try_for_each(|_| -> Outcome {
            more();
            let unbound = Card::first(guest)?.unbind()?;
            more();
            works!(unbound.bind());
            Ok(())
        });
        ended.store(true, Ordering::Relaxed);
        writer.join().expect("the writer does not panic")?;
        all
    })?;
    is_shown(guest)?;
    works_again(guest)?;
    comes_back(guest)
}

/// A client shows its picture instead of the text, and has it when the device goes.
fn unbind_while_a_client_hides_the_text(guest: &Guest) -> Outcome {
    let terminal = terminal(guest)?;
    let display = Display::open(guest)?;
    let frame = display.light(display.output())?;
    line(&terminal)?;
    same!(display.shown(&display.output().primary)?, frame.fb);
    let unbound = Card::first(guest)?.unbind()?;
    line(&terminal)?;
    is_gone(&display)?;
    drop(display);
    works!(unbound.bind());
    is_shown(guest)?;
    comes_back(guest)
}
