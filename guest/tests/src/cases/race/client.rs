// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A client's steps, and the answers that it accepts.
//!
//! Source: `Documentation/gpu/drm-uapi.rst`, "Device Hot-Unplug" (Linux 7.3).

use std::os::fd::OwnedFd;

use fastrand::Rng;
use rustix::event::PollFlags;
use rustix::io::Errno;
use sys::{Answer, Mapping};
use uapi::{CLOEXEC, FENCE_WRITE, PAGE, RDWR};

use crate::harness::check::{Outcome, fail, name};
use crate::subjects::device::{self, DrmFile};
use crate::{same, works};

/// The answers that a worker accepts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// The device may be unplugged at any moment, so `ENODEV` is accepted.
    Unplugged,
    /// The device stays, so no failure is accepted.
    Stays,
}

impl Mood {
    /// Returns the value, `None` if the device was unplugged, or a failure that describes the wrong answer.
    pub(crate) fn allows<T>(self, what: &str, answer: Answer<T>) -> Outcome<Option<T>> {
        match answer {
            Ok(value) => Ok(Some(value)),
            Err(Errno::NODEV) if self == Self::Unplugged => Ok(None),
            Err(errno) => fail(format!("{what}: {}", name(errno))),
        }
    }
}

/// Unwraps the value, or ends the round because the device was unplugged.
macro_rules! present {
    ($mood:expr, $call:expr) => {
        match $mood.allows(stringify!($call), $call)? {
            Some(value) => value,
            None => return Ok(()),
        }
    };
}

/// Uses a buffer as a client does: create, map, fault, export, import, fence, wait, close.
pub(crate) fn use_a_buffer(file: &DrmFile, other: &DrmFile, random: &mut Rng, mood: Mood) -> Outcome {
    let pages = random.u32(1..8);
    let len = pages as usize * PAGE;
    let handle = present!(mood, file.pages(pages));
    let mapping = if random.bool() { Some(present!(mood, file.map(handle, len))) } else { None };
    let value = random.u32(..);
    if let Some(mapping) = &mapping {
        touch(mapping, len, value)?;
    }
    let buffer = present!(mood, file.export(handle, CLOEXEC | RDWR));
    if random.bool() {
        let shared = works!(Mapping::shared(&buffer, 0, len));
        touch(&shared, len, value)?;
    }
    let theirs = present!(mood, other.import(&buffer));
    use_a_fence(file, handle, &buffer, random, mood)?;
    if random.bool() {
        present!(mood, other.gem_close(theirs));
        present!(mood, file.gem_close(handle));
    }
    if let Some(mapping) = &mapping {
        touch(mapping, len, value)?;
    }
    Ok(())
}

/// Writes the value to each page, whatever the device's state, and reads it back.
pub(crate) fn touch(mapping: &Mapping, len: usize, value: u32) -> Outcome {
    for at in (0..len).step_by(PAGE) {
        mapping.write(at, value);
        same!(mapping.read(at), value);
    }
    Ok(())
}

fn use_a_fence(file: &DrmFile, handle: u32, buffer: &OwnedFd, random: &mut Rng, mood: Mood) -> Outcome {
    let flags = if random.bool() { FENCE_WRITE } else { 0 };
    let fence = present!(mood, file.attach(handle, flags));
    // Only this process signals, so this only registers and removes a waiter.
    works!(sys::poll(buffer, PollFlags::IN | PollFlags::OUT, 0));
    if random.bool() {
        present!(mood, file.signal(fence));
        works!(device::dma_buf_sync(buffer, 3));
    }
    Ok(())
}
