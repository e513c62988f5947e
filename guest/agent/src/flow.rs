// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! One output stream of a process, read only as far as the lab has room for it.
//!
//! Source: our own protocol, `WINDOW`.

use std::{
    io::Read,
    sync::{Condvar, Mutex, MutexGuard},
};

use drydock_agent::protocol::{Event, Stream, WINDOW};

use crate::outbox::Outbox;

/// The size of a message's bytes.
const PIECE: usize = 32 << 10;

/// The state that decides how much of a stream may be sent.
pub(crate) struct Flow {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// Bytes that the lab has room for.
    room: u32,
    /// Whether the lab has closed the stream.
    closed: bool,
}

impl Flow {
    /// Creates the flow of a stream of which nothing was sent.
    pub(crate) fn new() -> Self {
        Self { state: Mutex::new(State { room: WINDOW, closed: false }), changed: Condvar::new() }
    }

    /// Adds room for `count` bytes.
    pub(crate) fn grant(&self, count: u32) {
        let mut state = self.lock();
        state.room = state.room.saturating_add(count);
        self.changed.notify_all();
    }

    /// Ends the stream at its next read, as when a reader closes a pipe.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Sends the bytes of `from` until their end, or until the lab closes the stream.
    pub(crate) fn pump(&self, process: u32, stream: Stream, mut from: impl Read, outbox: &Outbox) {
        let mut buffer = vec![0; PIECE];
        while let Some(room) = self.wait_for_room() {
            let Ok(count @ 1..) = from.read(&mut buffer[..room]) else { break };
            if !self.take(count) {
                break;
            }
            outbox.send(&Event::Output { process, stream, bytes: buffer[..count].to_vec() });
        }
        drop(from);
        outbox.send(&Event::Closed { process, stream });
    }

    /// Waits until there is room, and returns how many bytes may be read at once; `None` for a closed stream.
    fn wait_for_room(&self) -> Option<usize> {
        let blocked = |state: &mut State| state.room == 0 && !state.closed;
        let state = self.changed.wait_while(self.lock(), blocked).expect("no holder of the lock panics");
        (!state.closed).then(|| PIECE.min(state.room as usize))
    }

    /// Uses room for `count` bytes. Returns `false` if the lab has closed the stream.
    fn take(&self, count: usize) -> bool {
        let mut state = self.lock();
        // At most as many bytes were read as there was room for, and only this thread uses the room.
        state.room -= count as u32;
        !state.closed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of the lock panics")
    }
}
