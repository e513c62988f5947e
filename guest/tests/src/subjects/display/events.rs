// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Reads the events of a display, one at a time.
//!
//! Source: `drm_read` in `drivers/gpu/drm/drm_file.c` (Linux 7.3).

use std::os::fd::AsFd;

use rustix::event::PollFlags;
use sys::pace::patient_ms;
use uapi::mode::*;
use uapi::of_bytes;

use crate::harness::check::{Outcome, fail};
use crate::works;

/// Time limit of an awaited event on an idle host, in milliseconds.
const LIMIT_MS: u32 = 10_000;

/// An event of the DRM core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A commit or a page flip is complete.
    Flip(EventVblank),
    /// A vblank that `WAIT_VBLANK` requested.
    Vblank(EventVblank),
    /// A vblank that `CRTC_QUEUE_SEQUENCE` requested.
    Sequence(EventCrtcSequence),
}

impl Event {
    /// Parses the bytes of one event.
    fn of(bytes: &[u8]) -> Option<Self> {
        let header: EventHeader = of_bytes(bytes.get(..size_of::<EventHeader>())?);
        if header.length as usize != bytes.len() || bytes.len() != size_of::<EventVblank>() {
            return None;
        }
        match header.kind {
            EVENT_FLIP_COMPLETE => Some(Self::Flip(of_bytes(bytes))),
            EVENT_VBLANK => Some(Self::Vblank(of_bytes(bytes))),
            EVENT_CRTC_SEQUENCE => Some(Self::Sequence(of_bytes(bytes))),
            _ => None,
        }
    }

    /// Returns the number that the caller has given the event.
    pub(crate) fn user_data(&self) -> u64 {
        match self {
            Self::Flip(event) | Self::Vblank(event) => event.user_data,
            Self::Sequence(event) => event.user_data,
        }
    }
}

/// Waits for the next event of a file and reads it.
pub(crate) fn next(file: &impl AsFd) -> Outcome<Event> {
    if !works!(sys::poll(file, PollFlags::IN, patient_ms(LIMIT_MS).into())).contains(PollFlags::IN) {
        return fail("no event comes");
    }
    // The kernel returns whole events only, and there is room for one.
    let mut bytes = [0; size_of::<EventVblank>()];
    let len = works!(rustix::io::read(file, &mut bytes));
    match Event::of(&bytes[..len]) {
        Some(event) => Ok(event),
        None => fail(format!("the {len} bytes {bytes:?} are no known event")),
    }
}

/// Waits for the completion of a flip, which must be the next event.
pub(crate) fn flip(file: &impl AsFd) -> Outcome<EventVblank> {
    match next(file)? {
        Event::Flip(event) => Ok(event),
        other => fail(format!("expected the completion of a flip, got {other:?}")),
    }
}

/// Whether an event can be read now.
pub(crate) fn is_there(file: &impl AsFd) -> Outcome<bool> {
    Ok(works!(sys::poll(file, PollFlags::IN, 0)).contains(PollFlags::IN))
}

#[cfg(test)]
mod tests {
    use uapi::bytes_of;

    use super::*;

    #[test]
    fn an_event_is_told_by_its_header() {
        let base = EventHeader { kind: EVENT_FLIP_COMPLETE, length: 32 };
        let event = EventVblank { base, user_data: 7, ..Default::default() };
        assert_eq!(Event::of(bytes_of(&event)), Some(Event::Flip(event)));
        assert_eq!(Event::of(&bytes_of(&event)[..31]), None);
    }
}
