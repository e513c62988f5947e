// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The way to the lab for the agent's events.
//!
//! Source: our own protocol, `protocol.rs`.

use std::{
    fs::File,
    sync::{Arc, Mutex},
};

use drydock_agent::{frame, protocol::Event};

/// The connection to the lab. Clones share one port and never interleave messages.
#[derive(Clone)]
pub(crate) struct Outbox(Arc<Mutex<File>>);

impl Outbox {
    /// Creates the connection to the lab behind `port`.
    pub(crate) fn new(port: File) -> Self {
        Self(Arc::new(Mutex::new(port)))
    }

    /// Sends one event. A lab that is gone takes the machine with it, so an error has no reader.
    pub(crate) fn send(&self, event: &Event) {
        let mut port = self.0.lock().expect("no holder of the lock panics");
        let _ = frame::write(&mut *port, event);
    }
}
