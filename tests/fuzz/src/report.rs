// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Reports to the lab: lines of JSON on stdout, and before each execution the program itself, on a channel of its own.
//!
//! The channel is the machine's second console, a virtio port. Text written to it is with the host when the call
//! returns, whatever happens to the kernel afterwards.
//!
//! Source: `drivers/char/virtio_console.c` (Linux 7.3); the reader is `lab/cli/src/fuzz/guest.rs`.

use std::collections::BTreeMap;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use serde::Serialize;

use crate::sys;

/// A line of the report.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Line {
    /// The progress of the search.
    Progress { executions: u64, corpus: usize, places: usize },
    /// A program of the final corpus.
    Kept(String),
    /// The errnos of a replayed program.
    Replayed { program: usize, errnos: Vec<(String, i32)> },
    /// The places that were reached, by module and section: offsets in the section.
    Coverage(BTreeMap<String, BTreeMap<String, Vec<u64>>>),
    /// The reason for an early end. The program is the one recorded last.
    Found(String),
}

/// Prints a line.
pub(crate) fn say(line: &Line) {
    println!("{}", serde_json::to_string(line).expect("lines have string keys"));
}

/// Records each program before its execution.
#[derive(Debug)]
pub(crate) struct Recorder(Option<OwnedFd>);

impl Recorder {
    /// Opens the console, if the machine has it.
    pub(crate) fn new() -> Self {
        Self(sys::open(Path::new("/dev/hvc0"), libc::O_WRONLY | libc::O_NOCTTY).ok())
    }

    /// Records a program's text. It is written in pieces, since the console gives up on long ones.
    pub(crate) fn tell(&self, text: &str) {
        let Some(console) = &self.0 else { return };
        for piece in text.as_bytes().chunks(1024).chain([&b"\n"[..]]) {
            // A console that is gone is no reason to stop.
            let _ = sys::write_all(console.as_raw_fd(), piece);
        }
    }
}
