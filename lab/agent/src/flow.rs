// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! One output stream of a process: read only as far as the lab has room for it.
//!
//! Source: our own protocol, `WINDOW`.

use std::{
    io::Read,
    sync::{Condvar, Mutex, MutexGuard},
};

use drydock_agent::protocol::{Event, Stream, WINDOW};

use crate::server::Outbox;

/// Bytes of one message.
const PIECE: usize = 32 << 10;

/// What may still be sent of a stream.
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
    /// A stream of which nothing was sent.
    pub(crate) fn new() -> Self {
        Self { state: Mutex::new(State { room: WINDOW, closed: false }), changed: Condvar::new() }
    }

    /// Adds room for `count` bytes.
    pub(crate) fn grant(&self, count: u32) {
        let mut state = self.lock();
        state.room = state.room.saturating_add(count);
        self.changed.notify_all();
    }

    /// Ends the stream at its next read, as a reader that goes away.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Sends what `from` has until its end, or until the lab closes it.
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

    /// Uses room for `count` bytes; `false` if nobody wants them any more.
    fn take(&self, count: usize) -> bool {
        let mut state = self.lock();
        // What was read is no more than there was room for, and only this thread uses it up.
        state.room -= count as u32;
        !state.closed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of the lock panics")
    }
}
