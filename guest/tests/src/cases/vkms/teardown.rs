// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The display is unbound while its clients use it: they get `ENODEV`, nothing is left, and it can be bound again (K16,
//! K17, K20 to K23, K31, K33, K34).
//!
//! Source: `Documentation/gpu/drm-uapi.rst`, "Device Hot-Unplug"; the obligations K of the life cycle.

mod under;

use std::fs;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::fs::OFlags;
use rustix::io::Errno;
use sys::Mapping;
use sys::pace::{patient, patient_ms};
use uapi::mode::*;
use uapi::{CLOEXEC, PAGE, RDWR, SET_MASTER};

use under::{
    unbind_under_a_client_of_legacy_flips, unbind_under_a_client_that_sets_modes, unbind_under_a_flipping_client,
    unbind_under_a_moving_cursor,
};

use super::fence::Pending;
use crate::cases::fence::waiting::woken;
use crate::cases::sync;
use crate::harness::check::{Outcome, fail, name, skip};
use crate::harness::modules;
use crate::subjects::device::{self, DrmFile};
use crate::subjects::display::request::Request;
use crate::subjects::display::setup::Setup;
use crate::subjects::display::{Card, Display, Frame};
use crate::subjects::guest::Guest;
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "vkms_teardown" for Vkms:
    unbind_and_bind, every_call_fails_with_enodev, unbind_while_a_flip_is_pending, unbind_while_a_mode_set_is_pending,
    unbind_while_a_commit_waits_for_a_late_fence, unbind_while_a_commit_waits_for_a_fence_that_never_comes,
    unbind_while_a_blocking_commit_waits, unbind_with_the_master_held, unbind_with_a_closed_framebuffer_shown,
    unbind_with_a_cursor_shown, unbind_with_an_inactive_output, unbind_with_several_outputs_lit,
    unbind_with_the_console_open, unbind_with_the_console_mapped,
    unbind_with_the_consoles_buffer_exported, unbind_with_a_lease_in_use,
    unbind_with_an_import_shown, unbind_with_a_shown_buffer_exported, unbind_ends_waits_for_vblanks,
    unbind_under_a_flipping_client within 60, unbind_under_a_client_of_legacy_flips within 60,
    unbind_under_a_client_that_sets_modes within 60, unbind_under_a_moving_cursor within 60, out_fence_outlives_the_device, old_file_stays_dead_after_a_bind,
    module_is_refused_while_a_file_is_open, unload_switches_a_closed_display_off, forty_times within 60,
    unbind_by_a_process_with_a_signal,
}

/// Checks that calls of each kind fail with `ENODEV`.
pub(super) fn is_gone(display: &Display) -> Outcome {
    let (file, output) = (&display.file, display.output());
    let (crtc_id, fb_id) = (output.crtc.id, 1);
    refuses!(file.resources(), NODEV);
    refuses!(file.planes(), NODEV);
    refuses!(file.crtc(crtc_id), NODEV);
    refuses!(file.connector(output.connector.id), NODEV);
    refuses!(file.properties(crtc_id, OBJECT_CRTC), NODEV);
    refuses!(file.create_blob(b"blob"), NODEV);
    refuses!(file.create_dumb(64, 64, 32), NODEV);
    refuses!(file.get_fb2(fb_id), NODEV);
    refuses!(file.remove_fb(fb_id), NODEV);
    refuses!(display.commit(&Request::new(), 0, 0), NODEV);
    refuses!(display.commit(&Request::new().off(output), ATOMIC_ALLOW_MODESET, 0), NODEV);
    refuses!(display.flip(output, fb_id, 0), NODEV);
    refuses!(file.set_crtc(crtc_id, 0, (0, 0), &[], None), NODEV);
    refuses!(file.ioctl(&PAGE_FLIP, PageFlip { crtc_id, fb_id, ..Default::default() }), NODEV);
    refuses!(file.ioctl(&CURSOR, Cursor { flags: CURSOR_MOVE, crtc_id, ..Default::default() }), NODEV);
    refuses!(file.wait_vblank(VBLANK_RELATIVE, output.pipe, 1, 0), NODEV);
    refuses!(file.sequence(crtc_id), NODEV);
    refuses!(file.master(&SET_MASTER), NODEV);
    Ok(())
}

/// Unloads the driver, which no process uses any more, and checks that the next load makes a display that works. Workers
/// may still be releasing the old device.
pub(crate) fn comes_back(guest: &Guest) -> Outcome {
    let start = Instant::now();
    loop {
        match modules::remove(guest.driver.module()) {
            Ok(()) => break,
            Err(Errno::AGAIN) if start.elapsed() < patient(Duration::from_secs(10)) => std::thread::yield_now(),
            Err(errno) => {
                return fail(format!("the driver cannot be unloaded: {}, {} users", name(errno), guest.users()?));
            }
        }
    }
    works_again(guest)
}

/// Checks that the display, newly bound, works.
pub(crate) fn works_again(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let frame = display.light(display.output())?;
    works!(display.flip(display.output(), frame.fb, 1));
    same!(display.flipped()?.user_data, 1);
    Ok(())
}

/// Unbinds the device of a client, checks that the client gets `ENODEV`, closes it, binds the device again and unloads the
/// driver.
fn ends(guest: &Guest, display: Display) -> Outcome {
    let unbound = Card::first(guest)?.unbind()?;
    is_gone(&display)?;
    drop(display);
    works!(unbound.bind());
    works_again(guest)?;
    comes_back(guest)
}

fn unbind_and_bind(guest: &Guest) -> Outcome {
    works_again(guest)?;
    for _ in 0..3 {
        let unbound = Card::first(guest)?.unbind()?;
        same!(Card::all(guest.driver).len(), 0);
        works!(unbound.bind());
        works_again(guest)?;
    }
    comes_back(guest)
}

fn every_call_fails_with_enodev(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    display.light(display.output())?;
    ends(guest, display)
}

/// K17: the event of the flip comes, at the latest when the device goes.
fn unbind_while_a_flip_is_pending(guest: &Guest) -> Outcome {
    for _ in 0..5 {
        let display = Display::open(guest)?;
        let frame = display.light(display.output())?;
        works!(display.flip(display.output(), frame.fb, 5));
        let unbound = Card::first(guest)?.unbind()?;
        same!(display.flipped()?.user_data, 5);
        is_gone(&display)?;
        drop(display);
        works!(unbound.bind());
    }
    comes_back(guest)
}

fn unbind_while_a_mode_set_is_pending(guest: &Guest) -> Outcome {
    for _ in 0..5 {
        let display = Display::open(guest)?;
        let frame = display.frame(display.output().size())?;
        let request = display.lit(display.output(), &frame)?;
        works!(display.commit(&request, ATOMIC_ALLOW_MODESET | ATOMIC_NONBLOCK | PAGE_FLIP_EVENT, 6));
        let unbound = Card::first(guest)?.unbind()?;
        same!(display.flipped()?.user_data, 6);
        drop(display);
        works!(unbound.bind());
    }
    comes_back(guest)
}

/// A flip that waits for a fence. Returns it with its out-fence.
fn waiting_flip(guest: &Guest, display: &Display) -> Outcome<(Pending, OwnedFd)> {
    let output = display.output();
    let frame = display.light(output)?;
    let pending = Pending::new(guest)?;
    let flip = Request::new().set(&output.primary, "FB_ID", frame.fb.into()).in_fence(&output.primary, &pending.file);
    let fences = works!(display.commit_with_fences(&flip.out_fence(output), ATOMIC_NONBLOCK | PAGE_FLIP_EVENT, 7));
    let fence = fences.into_iter().next().expect("the request asks for a fence");
    Ok((pending, fence))
}

/// Waits for a fence that is to be signalled.
fn wait(fence: &OwnedFd) -> Outcome {
    let events = works!(sys::poll(fence, PollFlags::IN, patient_ms(10_000).into()));
    holds!(events.contains(PollFlags::IN), "the fence is signalled");
    Ok(())
}

/// K33: the unbind does not wait for the fence. The commit ends with the device, and so do its event and its fence.
fn unbind_while_a_commit_waits_for_a_late_fence(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let (pending, fence) = waiting_flip(guest, &display)?;
    let unbound = Card::first(guest)?.unbind()?;
    holds!(!pending.is_signalled()?, "the unbind returns before the fence is signalled");
    same!(display.flipped()?.user_data, 7);
    wait(&fence)?;
    pending.signal(0)?;
    is_gone(&display)?;
    drop((display, fence));
    works!(unbound.bind());
    works_again(guest)?;
    comes_back(guest)
}

/// An unbind does not wait for a fence that never comes. The fence's driver drops it after everything else is gone.
fn unbind_while_a_commit_waits_for_a_fence_that_never_comes(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let (pending, fence) = waiting_flip(guest, &display)?;
    Card::first(guest)?.unbind()?;
    drop((display, fence));
    comes_back(guest)?;
    holds!(!pending.is_signalled()?, "the fence is still pending");
    drop(pending);
    works_again(guest)
}

/// K33: a call that waits for a fence returns with `ENODEV`.
fn unbind_while_a_blocking_commit_waits(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    let frame = display.light(output)?;
    let pending = Pending::new(guest)?;
    let flip = Request::new().set(&output.primary, "FB_ID", frame.fb.into()).in_fence(&output.primary, &pending.file);
    let card = Card::first(guest)?;
    let mut unbound = None;
    let answer = woken(
        || display.commit(&flip, 0, 0),
        || {
            unbound = Some(card.unbind()?);
            Ok(())
        },
    )?;
    refuses!(answer, NODEV);
    holds!(!pending.is_signalled()?, "nothing waits for the fence");
    drop(display);
    works!(unbound.expect("the device was unbound").bind());
    comes_back(guest)
}

/// The new device has a master of its own, although the old one's file is open.
fn unbind_with_the_master_held(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    display.light(display.output())?;
    let unbound = Card::first(guest)?.unbind()?;
    refuses!(display.file.master(&uapi::DROP_MASTER), NODEV);
    works!(unbound.bind());
    works_again(guest)?;
    is_gone(&display)?;
    drop(display);
    comes_back(guest)
}

/// K21: a framebuffer that only its plane holds is freed, and with it the device.
fn unbind_with_a_closed_framebuffer_shown(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let frame = display.light(display.output())?;
    works!(display.file.destroy_dumb(frame.handle));
    works!(display.file.close_fb(frame.fb));
    ends(guest, display)?;
    // Without any file, too.
    let display = Display::open(guest)?;
    let frame = display.light(display.output())?;
    let watcher = works!(DrmFile::open(&Card::first(guest)?.primary));
    works!(display.file.close_fb(frame.fb));
    drop(display);
    let unbound = Card::first(guest)?.unbind()?;
    drop(watcher);
    works!(unbound.bind());
    comes_back(guest)
}

fn unbind_with_a_cursor_shown(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    display.light(output)?;
    let handle = works!(display.file.create_dumb(64, 64, 32)).handle;
    let (crtc_id, width, height) = (output.crtc.id, 64, 64);
    let cursor = Cursor { flags: CURSOR_BO | CURSOR_MOVE, crtc_id, x: 5, y: 5, width, height, handle };
    works!(display.file.ioctl(&CURSOR, cursor));
    works!(display.file.gem_close(handle));
    ends(guest, display)
}

/// K22: a CRTC with a mode that is not active, and a plane on it, are taken apart, too.
fn unbind_with_an_inactive_output(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    display.light(display.output())?;
    works!(display.commit(&Request::new().set(&display.output().crtc, "ACTIVE", 0), ATOMIC_ALLOW_MODESET, 0));
    ends(guest, display)
}

fn unbind_with_several_outputs_lit(guest: &Guest) -> Outcome {
    let (setup, card) = Setup::outputs(guest, 3)?;
    let display = Display::open_card(&card)?;
    for (number, output) in (0..).zip(&display.outputs) {
        let frame = display.light(output)?;
        works!(display.flip(output, frame.fb, number));
    }
    let unbound = card.unbind()?;
    let mut numbers = Vec::new();
    for _ in &display.outputs {
        numbers.push(display.flipped()?.user_data);
    }
    numbers.sort_unstable();
    same!(numbers, [0, 1, 2]);
    is_gone(&display)?;
    drop(display);
    works!(unbound.bind());
    comes_back(guest)?;
    drop(setup);
    Ok(())
}

/// Returns the console's device file of the first device.
fn console(guest: &Guest) -> Outcome<PathBuf> {
    let folder = Card::first(guest)?.parent.join("graphics");
    match fs::read_dir(folder).into_iter().flatten().flatten().next() {
        Some(entry) => Ok(PathBuf::from("/dev").join(entry.file_name())),
        None => skip("the driver has no console (`/dev/fbN`)"),
    }
}

/// K34: the console's file keeps the module until it is closed.
fn unbind_with_the_console_open(guest: &Guest) -> Outcome {
    let file = works!(sys::open(console(guest)?, OFlags::RDWR));
    works!(rustix::io::pwrite(&file, &[0xff; 64], 0));
    let unbound = Card::first(guest)?.unbind()?;
    refuses!(modules::remove(guest.driver.module()), AGAIN);
    holds!(rustix::io::pwrite(&file, &[0xff; 64], 0).is_err(), "the old console cannot be written");
    works!(unbound.bind());
    works_again(guest)?;
    drop(file);
    comes_back(guest)
}

fn unbind_with_the_console_mapped(guest: &Guest) -> Outcome {
    let file = works!(sys::open(console(guest)?, OFlags::RDWR));
    let mapping = works!(Mapping::shared(&file, 0, PAGE));
    mapping.write(0, 0x00ff_00ff);
    let unbound = Card::first(guest)?.unbind()?;
    works!(unbound.bind());
    works_again(guest)?;
    drop((mapping, file));
    comes_back(guest)
}

/// The console's buffer has a handle for as long as the console, and each handle of an exported buffer keeps the module. An
/// unbind ends the console, and so the module can be unloaded.
fn unbind_with_the_consoles_buffer_exported(guest: &Guest) -> Outcome {
    let witness = Display::adopt(works!(DrmFile::open(&Card::first(guest)?.primary)))?;
    let fb = witness.shown(&witness.output().primary)?;
    if fb == 0 {
        return skip("the driver has no console that shows a picture");
    }
    let found = works!(witness.file.get_fb2(fb));
    drop(works!(witness.file.export(found.handles[0], CLOEXEC | RDWR)));
    drop(witness);
    let unbound = Card::first(guest)?.unbind()?;
    works!(unbound.bind());
    works_again(guest)?;
    comes_back(guest)
}

fn unbind_with_a_lease_in_use(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    let planes = output.planes().map(|plane| plane.id);
    let objects: Vec<u32> = [output.crtc.id, output.connector.id].into_iter().chain(planes).collect();
    let (_, lessee) = works!(display.file.create_lease(&objects, CLOEXEC));
    let lessee = Display::adopt(lessee)?;
    let frame = lessee.light(lessee.output())?;
    works!(lessee.flip(lessee.output(), frame.fb, 3));
    let unbound = Card::first(guest)?.unbind()?;
    same!(lessee.flipped()?.user_data, 3);
    is_gone(&lessee)?;
    is_gone(&display)?;
    drop(display);
    drop(lessee);
    works!(unbound.bind());
    comes_back(guest)
}

/// A memfd's pages are shown, and the memfd outlives the device.
fn unbind_with_an_import_shown(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    let (width, height) = output.size();
    let bytes = (4 * width as usize * height as usize).next_multiple_of(PAGE);
    let memory = works!(sys::memory_file(bytes));
    let buffer = works!(device::udmabuf(&memory, bytes));
    let handle = works!(display.file.import(&buffer));
    let frame = Frame { fb: 0, handle, pitch: 4 * width, bytes: bytes as u64, size: (width, height) };
    let fb = works!(display.file.add_fb2(frame.command(XRGB8888)));
    display.show(output, &Frame { fb, ..frame })?;
    drop(buffer);
    ends(guest, display)?;
    same!(works!(Mapping::shared(&memory, 0, PAGE)).read(0), 0);
    Ok(())
}

/// L11: a dma-buf of a shown buffer keeps its memory and the module, until it is closed.
fn unbind_with_a_shown_buffer_exported(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let frame = display.light(display.output())?;
    let buffer = works!(display.file.export(frame.handle, CLOEXEC | RDWR));
    let unbound = Card::first(guest)?.unbind()?;
    drop(display);
    refuses!(modules::remove(guest.driver.module()), AGAIN);
    let mapping = works!(Mapping::shared(&buffer, 0, PAGE));
    mapping.write(0, 0x1234);
    same!(mapping.read(0), 0x1234);
    drop((mapping, buffer));
    works!(unbound.bind());
    comes_back(guest)
}

/// K18: a sleeping call returns, and queued events are sent or dropped.
fn unbind_ends_waits_for_vblanks(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    display.light(output)?;
    works!(display.file.queue_sequence(output.crtc.id, SEQUENCE_RELATIVE, 1_000_000, 7));
    let card = Card::first(guest)?;
    let mut unbound = None;
    let answer = woken(
        || display.file.wait_vblank(VBLANK_RELATIVE, output.pipe, 1_000_000, 0),
        || {
            unbound = Some(card.unbind()?);
            Ok(())
        },
    )?;
    holds!(matches!(answer, Ok(_) | Err(Errno::NODEV)), "the wait has ended: {answer:?}");
    is_gone(&display)?;
    drop(display);
    works!(unbound.expect("the device was unbound").bind());
    comes_back(guest)
}

/// K31: a fence of a commit can be inspected after its device is gone. Its module goes after the fence.
fn out_fence_outlives_the_device(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    let frame = display.light(output)?;
    let mut fences = Vec::new();
    for _ in 0..3 {
        let flip = Request::new().set(&output.primary, "FB_ID", frame.fb.into()).out_fence(output);
        fences.extend(works!(display.commit_with_fences(&flip, 0, 0)));
    }
    let unbound = Card::first(guest)?.unbind()?;
    drop(display);
    for fence in &fences {
        wait(fence)?;
        same!(works!(sync::status_of(fence)), 1);
    }
    works!(device::merge(&fences[0], &fences[2]));
    works!(unbound.bind());
    works_again(guest)?;
    drop(fences);
    comes_back(guest)
}

fn old_file_stays_dead_after_a_bind(guest: &Guest) -> Outcome {
    let old = Display::open(guest)?;
    let frame = old.light(old.output())?;
    let pixels = old.pixels(&frame)?;
    let unbound = Card::first(guest)?.unbind()?;
    works!(unbound.bind());
    let new = Display::open(guest)?;
    let shown = new.light(new.output())?;
    is_gone(&old)?;
    works!(new.flip(new.output(), shown.fb, 1));
    same!(new.flipped()?.user_data, 1);
    drop(pixels);
    drop(old);
    works!(new.flip(new.output(), shown.fb, 2));
    same!(new.flipped()?.user_data, 2);
    drop(new);
    comes_back(guest)
}

fn module_is_refused_while_a_file_is_open(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    refuses!(modules::remove(guest.driver.module()), AGAIN);
    display.light(display.output())?;
    drop(display);
    comes_back(guest)
}

/// The module goes at once while the picture is one that no file has.
fn unload_switches_a_closed_display_off(guest: &Guest) -> Outcome {
    for _ in 0..3 {
        let display = Display::open(guest)?;
        let output = display.output();
        let frame = display.light(output)?;
        works!(display.file.close_fb(frame.fb));
        drop(display);
        comes_back(guest)?;
    }
    Ok(())
}

/// Nothing adds up: the display is bound, lit and unbound forty times.
fn forty_times(guest: &Guest) -> Outcome {
    for turn in 0..40 {
        let display = Display::open(guest)?;
        let frame = display.light(display.output())?;
        if turn % 2 == 0 {
            works!(display.flip(display.output(), frame.fb, 1));
        }
        let unbound = Card::first(guest)?.unbind()?;
        drop(display);
        works!(unbound.bind());
    }
    comes_back(guest)
}

/// K21: a signal that is pending in the process that unbinds does not stop the display from going off.
fn unbind_by_a_process_with_a_signal(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let (pending, fence) = waiting_flip(guest, &display)?;
    let card = Card::first(guest)?;
    let mut unbound = None;
    works!(sys::dispose(libc::SIGUSR1, sys::Disposition::Interrupts));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| -> Outcome {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                // The kernel prefers the main thread, which is the one that unbinds.
                let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::USR1);
                std::thread::yield_now();
            }
        });
        let answer = card.unbind();
        done.store(true, Ordering::Relaxed);
        unbound = Some(answer?);
        Ok(())
    })?;
    holds!(!pending.is_signalled()?, "the unbind returns before the fence is signalled");
    same!(display.flipped()?.user_data, 7);
    is_gone(&display)?;
    drop((display, fence));
    works!(unbound.expect("the device was unbound").bind());
    comes_back(guest)
}
