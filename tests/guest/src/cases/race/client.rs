// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What a client does, step by step, and which answers it takes for right.
//!
//! Source: `Documentation/gpu/drm-uapi.rst`, "Device Hot-Unplug" (Linux 7.3).

use std::os::fd::OwnedFd;

use fastrand::Rng;
use rustix::event::PollFlags;
use rustix::io::Errno;

use crate::check::{Outcome, fail, name};
use crate::device::{self, DrmFile};
use crate::sys::{self, Answer, Mapping};
use crate::uapi::{CLOEXEC, FENCE_WRITE, PAGE, RDWR};
use crate::{same, works};

/// Which answers a worker takes for right.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// The device may go at any moment: `ENODEV` is right.
    Unplugged,
    /// The device stays: nothing may fail.
    Stays,
}

impl Mood {
    /// The value, `None` if the device went away, or what was wrong with the answer.
    pub(crate) fn allows<T>(self, what: &str, answer: Answer<T>) -> Outcome<Option<T>> {
        match answer {
            Ok(value) => Ok(Some(value)),
            Err(Errno::NODEV) if self == Self::Unplugged => Ok(None),
            Err(errno) => fail(format!("{what}: {}", name(errno))),
        }
    }
}

/// Takes the value out, or ends the round because the device went away.
macro_rules! present {
    ($mood:expr, $call:expr) => {
        match $mood.allows(stringify!($call), $call)? {
            Some(value) => value,
            None => return Ok(()),
        }
    };
}

/// What a client does with a buffer: create, map, fault, export, import, fence, wait, close.
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

/// Writes the value to each page, in whatever state the device is, and reads it back.
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
    // Nobody signals but this process, so this only registers and removes a waiter.
    works!(sys::poll(buffer, PollFlags::IN | PollFlags::OUT, 0));
    if random.bool() {
        present!(mood, file.signal(fence));
        works!(device::dma_buf_sync(buffer, 3));
    }
    Ok(())
}
