// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Sequences after which C's vkms fails, which ours must survive.
//!
//! `--impossible` runs them on C's vkms, one in a guest, since most of them bring it down. What was seen there is in
//! `docs/reference/c-core-faults.md`.
//!
//! Source: `drivers/gpu/drm/vkms`, `drm_debugfs_crc.c`, `drm_atomic_helper.c`, `drm_vblank.c` (Linux 7.3).

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::fs::OFlags;
use rustix::io::Errno;
use sys::pace::{patient, patient_ms};
use uapi::mode::*;
use uapi::{VKMS_SCREEN, VkmsScreen};

use crate::cases::sync;
use crate::harness::check::{Outcome, fail, name, skip};
use crate::harness::modules;
use crate::subjects::device;
use crate::subjects::display::request::{Place, Request};
use crate::subjects::display::{Card, Display, Frame};
use crate::subjects::guest::Guest;
use crate::{holds, same, works};

crate::cases::cases! {
    "vkms_faults" for Vkms:
    framebuffer_behind_an_offset_is_read, mode_with_a_frame_time_of_zero, vblanks_go_off_and_on_at_once within 100,
    unload_right_after_a_flip within 100, out_fence_is_inspected_after_the_unload, crcs_are_closed_after_the_unload,
}

/// Unloads the driver. Workers may still be releasing its device.
pub(super) fn unload(guest: &Guest) -> Outcome {
    let start = Instant::now();
    loop {
        match modules::remove(guest.driver.module()) {
            Ok(()) => return Ok(()),
            Err(Errno::AGAIN) if start.elapsed() < patient(Duration::from_secs(10)) => std::thread::yield_now(),
            Err(errno) => return fail(format!("the driver cannot be unloaded: {}", name(errno))),
        }
    }
}

/// Checks that the display flips, after a load of the driver if it is not loaded.
pub(super) fn works_again(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let frame = display.light(display.output())?;
    works!(display.flip(display.output(), frame.fb, 1));
    same!(display.flipped()?.user_data, 1);
    Ok(())
}

/// Returns the folder of the first CRTC's checksums in debugfs, if the driver makes any.
pub(super) fn checksums(guest: &Guest) -> Outcome<Option<PathBuf>> {
    let card = Card::first(guest)?.primary;
    let name = card.file_name().expect("a node has a name").to_string_lossy().into_owned();
    let folder = PathBuf::from(format!("/sys/kernel/debug/dri/{}/crtc-0/crc", name.trim_start_matches("card")));
    Ok(folder.is_dir().then_some(folder))
}

/// K24: pixels that begin behind an offset are read from there, and nothing behind the buffer is. Our driver reads them
/// for a picture, C's for a checksum.
fn framebuffer_behind_an_offset_is_read(guest: &Guest) -> Outcome {
    const BEFORE: u32 = 0x00ff_0000;
    const SHOWN: u32 = 0x0000_00ff;
    let display = Display::open(guest)?;
    let output = display.output();
    let size = output.size();
    let made = works!(display.file.create_dumb(size.0, 2 * size.1, 32));
    let whole = Frame { fb: 0, handle: made.handle, pitch: made.pitch, bytes: made.size, size };
    let half = size.1 * made.pitch;
    let pixels = display.pixels(&whole)?;
    for offset in (0..2 * half).step_by(4) {
        pixels.write(offset as usize, if offset < half { BEFORE } else { SHOWN });
    }
    let command = FbCmd2 { offsets: [half, 0, 0, 0], ..whole.command(XRGB8888) };
    let frame = Frame { fb: works!(display.file.add_fb2(command)), ..whole };
    if let Some(folder) = checksums(guest)? {
        fs::write(folder.join("control"), "auto")?;
        display.light(output)?;
        // An output that is off makes none, and its file cannot be opened.
        let data = fs::File::open(folder.join("data"))?;
        display.show(output, &frame)?;
        let mut line = [0; 256];
        let len = works!(rustix::io::read(&data, &mut line));
        holds!(len > 0, "the display makes checksums");
        return Ok(());
    }
    display.show(output, &frame)?;
    let picture = display.frame(size)?;
    let call = VkmsScreen { handle: picture.handle, pitch: picture.pitch, ..Default::default() };
    works!(display.file.ioctl(&VKMS_SCREEN, call));
    let taken = display.pixels(&picture)?;
    for (x, y) in [(0, 0), (size.0 - 1, 0), (0, size.1 - 1), (size.0 - 1, size.1 - 1)] {
        same!(taken.read((y * picture.pitch + 4 * x) as usize) & 0x00ff_ffff, SHOWN);
    }
    Ok(())
}

/// K19: no timer ends a frame that takes no time. Such a mode is refused, and the display goes on.
fn mode_with_a_frame_time_of_zero(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    // 40 x 40 pixels at 2.1 THz take less than a nanosecond.
    let mode = ModeInfo {
        clock: i32::MAX as u32,
        hdisplay: 32,
        hsync_start: 34,
        hsync_end: 36,
        htotal: 40,
        vdisplay: 32,
        vsync_start: 34,
        vsync_end: 36,
        vtotal: 40,
        ..output.mode()
    };
    let frame = display.frame((32, 32))?;
    let blob = display.mode_blob(&mode)?;
    let place = Place::at((0, 0), (32, 32));
    let request = Request::new().on(output, blob).show(&output.primary, output, frame.fb, place);
    match display.commit(&request, ATOMIC_ALLOW_MODESET, 0) {
        Err(Errno::INVAL) => {}
        Err(errno) => return fail(format!("expected EINVAL, got {}", name(errno))),
        Ok(()) => {
            let start = Instant::now();
            let other = Request::new().set(&output.primary, "FB_ID", frame.fb.into());
            works!(display.commit(&other, PAGE_FLIP_EVENT, 1));
            return fail(format!("the mode is accepted, and a flip takes {} ms", start.elapsed().as_millis()));
        }
    }
    drop(display);
    works_again(guest)
}

/// K32: vblanks go off and on again while the timer's callback may be starting on another processor.
fn vblanks_go_off_and_on_at_once(guest: &Guest) -> Outcome {
    const TURNS: u64 = 300;
    let display = Display::open(guest)?;
    let output = display.output();
    let frame = display.light(output)?;
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                // The wait ends with EINVAL while the output is off.
                match display.file.wait_vblank(VBLANK_RELATIVE, output.pipe, 1, 0) {
                    Ok(_) | Err(Errno::INVAL) => {}
                    Err(errno) => return fail(format!("a wait for a vblank: {}", name(errno))),
                }
            }
            Ok(())
        });
        let mut answers = Ok(());
        for turn in 0..2 * TURNS {
            let active = Request::new().set(&output.crtc, "ACTIVE", turn % 2);
            answers = answers.and(display.commit(&active, ATOMIC_ALLOW_MODESET, 0));
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        works!(answers);
        waiter.join().expect("the thread does not panic")
    })?;
    works!(display.flip(output, frame.fb, 1));
    same!(display.flipped()?.user_data, 1);
    Ok(())
}

/// K16: the rest of a commit that does not block runs in a worker, while the driver is unloaded.
fn unload_right_after_a_flip(guest: &Guest) -> Outcome {
    for turn in 0..8 {
        let display = Display::open(guest)?;
        let output = display.output();
        let frames = [display.light(output)?, display.frame(output.size())?];
        works!(display.flip(output, frames[1].fb, turn));
        drop(display);
        unload(guest)?;
    }
    works_again(guest)
}

/// K31: a client may ask for the state of an out-fence whenever it wants, and close it after a poll.
fn out_fence_is_inspected_after_the_unload(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    let frame = display.light(output)?;
    let flip = || Request::new().set(&output.primary, "FB_ID", frame.fb.into()).out_fence(output);
    let mut fences = works!(display.commit_with_fences(&flip(), 0, 0));
    fences.extend(works!(display.commit_with_fences(&flip(), 0, 0)));
    drop(display);
    unload(guest)?;
    for fence in &fences {
        let events = works!(sys::poll(fence, PollFlags::IN, patient_ms(10_000).into()));
        holds!(events.contains(PollFlags::IN), "the fence is signalled");
        same!(works!(sync::status_of(fence)), 1);
    }
    works!(device::merge(&fences[0], &fences[1]));
    drop(fences);
    works_again(guest)
}

/// K28: a reader of checksums closes its file after the driver is gone.
fn crcs_are_closed_after_the_unload(guest: &Guest) -> Outcome {
    let Some(folder) = checksums(guest)? else { return skip("the driver makes no checksums") };
    let display = Display::open(guest)?;
    display.light(display.output())?;
    fs::write(folder.join("control"), "auto")?;
    let data = works!(sys::open(folder.join("data"), OFlags::RDONLY));
    drop(display);
    unload(guest)?;
    drop(data);
    works_again(guest)
}
