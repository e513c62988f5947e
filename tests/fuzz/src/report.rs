// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What the lab is told: lines of JSON on stdout, and before each execution the program itself, on a channel of its own.
//!
//! That channel is the machine's second console, a virtio port: what is written there is with the host when the call returns,
//! whatever becomes of the kernel afterwards.
//!
//! Source: `drivers/char/virtio_console.c` (Linux 7.3); the reader is `lab/src/fuzz/guest.rs`.

use std::collections::BTreeMap;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use serde::Serialize;

use crate::sys;

/// One line.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Line {
    /// How far it is.
    Progress { executions: u64, corpus: usize, places: usize },
    /// A program of the corpus, in the end.
    Kept(String),
    /// A program of a replay is done: its errnos.
    Replayed { program: usize, errnos: Vec<(String, i32)> },
    /// Which places were met, by module and section: offsets in it.
    Coverage(BTreeMap<String, BTreeMap<String, Vec<u64>>>),
    /// Why it ended early; the program is the one that was told last.
    Found(String),
}

/// Says it.
pub(crate) fn say(line: &Line) {
    println!("{}", serde_json::to_string(line).expect("lines have string keys"));
}

/// Where programs are told before they are executed.
#[derive(Debug)]
pub(crate) struct Recorder(Option<OwnedFd>);

impl Recorder {
    /// The console, if the machine has it.
    pub(crate) fn new() -> Self {
        Self(sys::open(Path::new("/dev/hvc0"), libc::O_WRONLY | libc::O_NOCTTY).ok())
    }

    /// Tells a program's text. It goes in pieces, since a console gives up on those that are too long.
    pub(crate) fn tell(&self, text: &str) {
        let Some(console) = &self.0 else { return };
        for piece in text.as_bytes().chunks(1024).chain([&b"\n"[..]]) {
            // A console that is gone is no reason to stop.
            let _ = sys::write_all(console.as_raw_fd(), piece);
        }
    }
}
