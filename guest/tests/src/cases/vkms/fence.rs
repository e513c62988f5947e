// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Fences of commits: those that a commit waits for, and those that it makes (K16, K17, K31, K33).
//!
//! Source: `prepare_signaling` in `drivers/gpu/drm/drm_atomic_uapi.c`, `drm_atomic_helper_wait_for_fences` in
//! `drm_atomic_helper.c`, `drm_gem_plane_helper_prepare_fb` in `drm_gem_atomic_helper.c` (Linux 7.3).

use std::os::fd::OwnedFd;

use rustix::event::PollFlags;
use sys::pace::patient_ms;
use uapi::mode::*;
use uapi::sync::{AS_SYNC_FILE, END_SIGNAL};
use uapi::{CLOEXEC, FENCE_WRITE, RDWR};

use crate::cases::fence::waiting::woken;
use crate::cases::sync;
use crate::harness::check::{Outcome, fail};
use crate::subjects::bus::load;
use crate::subjects::device::{self, DrmFile};
use crate::subjects::display::request::Request;
use crate::subjects::display::{Display, Frame, Output};
use crate::subjects::driver::Driver;
use crate::subjects::guest::Guest;
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "vkms_fence" for Vkms:
    out_fence_is_signalled_by_the_flip, out_fence_of_a_blocking_commit_is_signalled, check_makes_no_out_fence,
    out_fence_of_an_output_that_goes_off_is_signalled, out_fence_outlives_its_file, out_fence_can_be_inspected_later,
    out_fence_on_an_inactive_output_is_refused, out_fence_of_one_flip_is_the_in_fence_of_the_next,
    nonblocking_commit_waits_for_its_in_fence, blocking_commit_waits_for_its_in_fence,
    waiting_commit_is_busy, signalled_in_fence_does_not_delay, failed_in_fence_does_not_stop_the_flip,
    check_does_not_wait_for_an_in_fence, flip_waits_for_the_writer_of_an_import,
    file_closed_while_its_commit_waits, framebuffer_removed_while_its_commit_waits,
}

/// A fence that a case signals.
pub(crate) struct Pending {
    driver: DrmFile,
    id: u32,
    /// The fence as a commit takes it.
    pub(crate) file: OwnedFd,
}

impl Pending {
    /// Makes a fence without a time limit.
    pub(crate) fn new(guest: &Guest) -> Outcome<Self> {
        let driver = sync::open(guest)?;
        let fence = works!(driver.issue_new(0, 0));
        let file = works!(driver.syncobj_export(fence.syncobj, AS_SYNC_FILE));
        Ok(Self { driver, id: fence.id, file })
    }

    /// Signals the fence, with an error unless it is 0.
    pub(crate) fn signal(&self, error: u32) -> Outcome {
        works!(self.driver.end(self.id, END_SIGNAL, error));
        Ok(())
    }

    /// Whether the fence is signalled.
    pub(crate) fn is_signalled(&self) -> Outcome<bool> {
        Ok(works!(sync::is_signalled(&self.file)))
    }
}

/// Waits for a fence that is to be signalled.
fn wait(fence: &OwnedFd) -> Outcome {
    match works!(sys::poll(fence, PollFlags::IN, patient_ms(10_000).into())).contains(PollFlags::IN) {
        true => Ok(()),
        false => fail("the fence is not signalled"),
    }
}

/// Lets three vblanks pass, in which a commit that does not wait would be complete.
pub(super) fn three_vblanks(display: &Display, output: &Output) -> Outcome {
    works!(display.file.wait_vblank(VBLANK_RELATIVE, output.pipe, 3, 0));
    Ok(())
}

/// Flips with an out-fence, and returns the fence.
fn flip_with_fence(display: &Display, fb: u32, flags: u32) -> Outcome<OwnedFd> {
    let output = display.output();
    let request = Request::new().set(&output.primary, "FB_ID", fb.into()).out_fence(output);
    match works!(display.commit_with_fences(&request, flags, 3)).pop() {
        Some(fence) => Ok(fence),
        None => fail("the commit makes no fence"),
    }
}

/// Opens an output with two framebuffers.
fn lit(guest: &Guest) -> Outcome<(Display, [Frame; 2])> {
    let display = Display::open(guest)?;
    let frames = [display.light(display.output())?, display.frame(display.output().size())?];
    Ok((display, frames))
}

/// The fence is pending until the flip, and signalled without an error when the event comes. It stays signalled.
fn out_fence_is_signalled_by_the_flip(guest: &Guest) -> Outcome {
    let (display, frames) = lit(guest)?;
    for turn in 0..10 {
        let fence = flip_with_fence(&display, frames[turn % 2].fb, ATOMIC_NONBLOCK | PAGE_FLIP_EVENT)?;
        wait(&fence)?;
        same!(display.flipped()?.user_data, 3);
        let info = works!(device::fence_of(&fence));
        same!(info.status, 1);
        holds!(info.timestamp_ns > 0, "the fence has a time");
        wait(&fence)?;
        same!(works!(device::fence_of(&fence)), info);
    }
    holds!(!display.has_event()?, "each flip has sent one event");
    Ok(())
}

fn out_fence_of_a_blocking_commit_is_signalled(guest: &Guest) -> Outcome {
    let (display, frames) = lit(guest)?;
    let fence = flip_with_fence(&display, frames[1].fb, 0)?;
    same!(works!(sync::status_of(&fence)), 1);
    Ok(())
}

/// A check returns no descriptor: the kernel writes -1 in its place.
fn check_makes_no_out_fence(guest: &Guest) -> Outcome {
    let (display, frames) = lit(guest)?;
    let output = display.output();
    let request = Request::new().set(&output.primary, "FB_ID", frames[1].fb.into()).out_fence(output);
    let before = std::fs::read_dir("/proc/self/fd")?.count();
    same!(works!(display.commit_with_fences(&request, ATOMIC_TEST_ONLY, 0)).len(), 0);
    same!(std::fs::read_dir("/proc/self/fd")?.count(), before);
    Ok(())
}

/// K17: the fence of a commit that switches its output off is signalled.
fn out_fence_of_an_output_that_goes_off_is_signalled(guest: &Guest) -> Outcome {
    let (display, frames) = lit(guest)?;
    let output = display.output();
    for flags in [ATOMIC_NONBLOCK, 0] {
        let request = Request::new().off(output).out_fence(output);
        let fences = works!(display.commit_with_fences(&request, flags | ATOMIC_ALLOW_MODESET, 0));
        same!(fences.len(), 1);
        wait(&fences[0])?;
        same!(works!(sync::status_of(&fences[0])), 1);
        display.show(output, &frames[0])?;
    }
    Ok(())
}

/// The fence is signalled although the file of its commit is closed at once.
fn out_fence_outlives_its_file(guest: &Guest) -> Outcome {
    let (display, frames) = lit(guest)?;
    let fence = flip_with_fence(&display, frames[1].fb, ATOMIC_NONBLOCK)?;
    drop(display);
    wait(&fence)?;
    same!(works!(sync::status_of(&fence)), 1);
    Ok(())
}

/// K31: a fence that was signalled long ago can be inspected, polled and merged.
fn out_fence_can_be_inspected_later(guest: &Guest) -> Outcome {
    let (display, frames) = lit(guest)?;
    let old: Vec<OwnedFd> =
        (0..8).map(|turn| flip_with_fence(&display, frames[turn % 2].fb, 0)).collect::<Outcome<_>>()?;
    drop(display);
    let merged = works!(device::merge(&old[0], &old[7]));
    for fence in old.iter().chain([&merged]) {
        wait(fence)?;
        same!(works!(sync::status_of(fence)), 1);
    }
    let mut names = Vec::new();
    for fence in &old {
        names.push(works!(device::fence_of(fence)).obj_name);
    }
    holds!(names.windows(2).all(|pair| pair[0] == pair[1]), "all fences are on the CRTC's timeline");
    Ok(())
}

fn out_fence_on_an_inactive_output_is_refused(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    let request = Request::new().set(&output.crtc, "ACTIVE", 0).out_fence(output);
    refuses!(display.commit(&request, 0, 0), INVAL);
    refuses!(display.commit(&request, ATOMIC_NONBLOCK, 0), INVAL);
    Ok(())
}

/// A chain of flips, each of which waits for the one before by its fence.
fn out_fence_of_one_flip_is_the_in_fence_of_the_next(guest: &Guest) -> Outcome {
    let (display, frames) = lit(guest)?;
    let output = display.output();
    let mut before = flip_with_fence(&display, frames[1].fb, ATOMIC_NONBLOCK | PAGE_FLIP_EVENT)?;
    for turn in 0..10 {
        // The next flip is refused until the one before is complete.
        same!(display.flipped()?.user_data, 3);
        let flip = Request::new().set(&output.primary, "FB_ID", frames[turn % 2].fb.into());
        let request = flip.in_fence(&output.primary, &before).out_fence(output);
        let flags = ATOMIC_NONBLOCK | PAGE_FLIP_EVENT;
        before = works!(display.commit_with_fences(&request, flags, 3)).pop().expect("the request asks for a fence");
    }
    wait(&before)
}

/// The framebuffer is not shown, and no event comes, before the fence is signalled.
fn nonblocking_commit_waits_for_its_in_fence(guest: &Guest) -> Outcome {
    let (display, frames) = lit(guest)?;
    let output = display.output();
    let pending = Pending::new(guest)?;
    let flip =
        Request::new().set(&output.primary, "FB_ID", frames[1].fb.into()).in_fence(&output.primary, &pending.file);
    let fences = works!(display.commit_with_fences(&flip.out_fence(output), ATOMIC_NONBLOCK | PAGE_FLIP_EVENT, 8));
    three_vblanks(&display, output)?;
    holds!(!display.has_event()?, "no event comes before the fence");
    same!(works!(sync::status_of(&fences[0])), 0);
    pending.signal(0)?;
    same!(display.flipped()?.user_data, 8);
    wait(&fences[0])?;
    same!(display.shown(&output.primary)?, frames[1].fb);
    Ok(())
}

/// A blocking commit returns after the fence is signalled.
fn blocking_commit_waits_for_its_in_fence(guest: &Guest) -> Outcome {
    let (display, frames) = lit(guest)?;
    let output = display.output();
    let pending = Pending::new(guest)?;
    let flip =
        Request::new().set(&output.primary, "FB_ID", frames[1].fb.into()).in_fence(&output.primary, &pending.file);
    let wait = || {
        let answer = display.commit(&flip, PAGE_FLIP_EVENT, 4);
        answer.map(|()| pending.is_signalled())
    };
    let was_signalled = works!(woken(wait, || pending.signal(0))?)?;
    holds!(was_signalled, "the commit returns after its fence");
    same!(display.flipped()?.user_data, 4);
    Ok(())
}

/// A commit that waits for its fence is pending: a second one that does not block fails with `EBUSY`.
fn waiting_commit_is_busy(guest: &Guest) -> Outcome {
    let (display, frames) = lit(guest)?;
    let output = display.output();
    let pending = Pending::new(guest)?;
    let flip =
        Request::new().set(&output.primary, "FB_ID", frames[1].fb.into()).in_fence(&output.primary, &pending.file);
    works!(display.commit(&flip, ATOMIC_NONBLOCK | PAGE_FLIP_EVENT, 1));
    for _ in 0..3 {
        refuses!(display.flip(output, frames[0].fb, 2), BUSY);
        three_vblanks(&display, output)?;
    }
    pending.signal(0)?;
    same!(display.flipped()?.user_data, 1);
    works!(display.flip(output, frames[0].fb, 3));
    same!(display.flipped()?.user_data, 3);
    Ok(())
}

fn signalled_in_fence_does_not_delay(guest: &Guest) -> Outcome {
    let (display, frames) = lit(guest)?;
    let output = display.output();
    let pending = Pending::new(guest)?;
    pending.signal(0)?;
    for flags in [0, ATOMIC_NONBLOCK] {
        let flip = Request::new().set(&output.primary, "FB_ID", frames[1].fb.into());
        let flip = flip.in_fence(&output.primary, &pending.file);
        works!(display.commit(&flip, flags | PAGE_FLIP_EVENT, 6));
        same!(display.flipped()?.user_data, 6);
    }
    Ok(())
}

/// A fence that ends with an error is signalled like another.
fn failed_in_fence_does_not_stop_the_flip(guest: &Guest) -> Outcome {
    let (display, frames) = lit(guest)?;
    let output = display.output();
    let pending = Pending::new(guest)?;
    let flip =
        Request::new().set(&output.primary, "FB_ID", frames[1].fb.into()).in_fence(&output.primary, &pending.file);
    works!(display.commit(&flip, ATOMIC_NONBLOCK | PAGE_FLIP_EVENT, 2));
    pending.signal(5)?;
    same!(display.flipped()?.user_data, 2);
    same!(display.shown(&output.primary)?, frames[1].fb);
    Ok(())
}

fn check_does_not_wait_for_an_in_fence(guest: &Guest) -> Outcome {
    let (display, frames) = lit(guest)?;
    let output = display.output();
    let pending = Pending::new(guest)?;
    let flip =
        Request::new().set(&output.primary, "FB_ID", frames[1].fb.into()).in_fence(&output.primary, &pending.file);
    works!(display.commit(&flip, ATOMIC_TEST_ONLY, 0));
    holds!(!pending.is_signalled()?, "the fence is pending");
    // The fence is not kept: the next flip waits for none.
    works!(display.flip(output, frames[1].fb, 1));
    same!(display.flipped()?.user_data, 1);
    Ok(())
}

/// Returns a framebuffer of a buffer of vgem, as large as the first output, and the buffer.
pub(super) fn imported(guest: &Guest, display: &Display) -> Outcome<(Frame, OwnedFd)> {
    load(guest, Driver::Rust.module())?;
    let Some(nodes) = Driver::Rust.find() else { return fail("vgem has no device") };
    let vgem = works!(DrmFile::open(&nodes.primary));
    let (width, height) = display.output().size();
    let made = works!(vgem.create_dumb(width, height, 32));
    let buffer = works!(vgem.export(made.handle, CLOEXEC | RDWR));
    let handle = works!(display.file.import(&buffer));
    let mut frame = Frame { fb: 0, handle, pitch: made.pitch, bytes: made.size, size: (width, height) };
    frame.fb = works!(display.file.add_fb2(frame.command(XRGB8888)));
    Ok((frame, buffer))
}

/// K12: a framebuffer of a buffer of vgem is shown when vgem's write fence is signalled, without an in-fence.
fn flip_waits_for_the_writer_of_an_import(guest: &Guest) -> Outcome {
    let (display, _frames) = lit(guest)?;
    let output = display.output();
    let (frame, buffer) = imported(guest, &display)?;
    let Some(nodes) = Driver::Rust.find() else { return fail("vgem has no device") };
    let vgem = works!(DrmFile::open(&nodes.primary));
    let fence = works!(vgem.attach(works!(vgem.import(&buffer)), FENCE_WRITE));
    works!(display.flip(output, frame.fb, 12));
    three_vblanks(&display, output)?;
    holds!(!display.has_event()?, "no event comes before the fence");
    works!(vgem.signal(fence));
    same!(display.flipped()?.user_data, 12);
    same!(display.shown(&output.primary)?, frame.fb);
    Ok(())
}

/// The close of the file waits for the commit if it must, and the commit is complete once its fence is signalled.
fn file_closed_while_its_commit_waits(guest: &Guest) -> Outcome {
    let (display, frames) = lit(guest)?;
    let output = display.output();
    let pending = Pending::new(guest)?;
    let flip =
        Request::new().set(&output.primary, "FB_ID", frames[1].fb.into()).in_fence(&output.primary, &pending.file);
    works!(display.commit(&flip, ATOMIC_NONBLOCK | PAGE_FLIP_EVENT, 1));
    let fd = display.file;
    woken(|| drop(fd), || pending.signal(0))?;
    let display = Display::open(guest)?;
    let frame = display.light(display.output())?;
    works!(display.flip(display.output(), frame.fb, 2));
    same!(display.flipped()?.user_data, 2);
    Ok(())
}

/// `RMFB` of the framebuffer of a waiting commit takes effect after the commit.
fn framebuffer_removed_while_its_commit_waits(guest: &Guest) -> Outcome {
    let (display, frames) = lit(guest)?;
    let output = display.output();
    let pending = Pending::new(guest)?;
    let flip =
        Request::new().set(&output.primary, "FB_ID", frames[1].fb.into()).in_fence(&output.primary, &pending.file);
    works!(display.commit(&flip, ATOMIC_NONBLOCK | PAGE_FLIP_EVENT, 1));
    works!(woken(|| display.file.remove_fb(frames[1].fb), || pending.signal(0))?);
    same!(display.flipped()?.user_data, 1);
    same!(display.shown(&output.primary)?, 0);
    refuses!(display.file.get_fb2(frames[1].fb), NOENT);
    Ok(())
}
