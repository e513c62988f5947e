// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Commands to a running model: by a line of JSON on the control socket, or from within the guest.
//!
//! | line | does |
//! |---|---|
//! | `{"fault": {"kind": "removal", "after": {"accesses": 3}}}` | plans a fault, as a table of a fault plan does |
//! | `"repair"` | ends all faults and drops planned ones: the GPU is as if just plugged in |
//! | `"status"` | returns the number of accesses and of violations, and whether the device is removed |
//! | `{"query": …}` | sends a query to the GPU's model |
//!
//! Each is answered by a line `{"ok": …}` or `{"error": "…"}`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::config;

/// A command to a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// Plans a fault.
    Fault(Map<String, Value>),
    /// Ends all faults.
    Repair,
    /// Returns the state of the device.
    Status,
    /// Sends a query to the GPU's own model.
    Query(Value),
}

/// The answer of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// The command succeeded, with this result.
    Ok(Value),
    /// The command failed, for this reason.
    Error(String),
}

/// The longest command or answer of the mailbox.
const MAX_BYTES: usize = 64 << 10;

/// A command from within the guest, through a vendor's capability of the configuration space at [`config::MAILBOX`],
/// whatever the driver does: so a test can plan a fault at any point.
///
/// | at | write | read |
/// |---|---|---|
/// | +4 | four bytes of the command; zeros are left out | four bytes of the answer; zeros behind its end |
/// | +8 | executes the command | the number of bytes of the answer that are left to read |
///
/// Only whole, aligned words count.
#[derive(Debug, Default)]
pub struct Mailbox {
    command: Vec<u8>,
    answer: Vec<u8>,
    read: usize,
}

/// The offset of the data register, from the capability's start.
pub const MAILBOX_DATA: usize = 4;
/// The offset of the register that executes the command.
pub const MAILBOX_DOORBELL: usize = 8;

impl Mailbox {
    /// Returns the offset in the mailbox, if the access is to the mailbox.
    #[must_use]
    pub fn at(offset: u64, length: usize) -> Option<usize> {
        let at = usize::try_from(offset).ok()?.checked_sub(config::MAILBOX)?;
        (length == 4 && (at == MAILBOX_DATA || at == MAILBOX_DOORBELL)).then_some(at)
    }

    /// Reads a word.
    pub fn read(&mut self, at: usize) -> [u8; 4] {
        let left = &self.answer[self.read..];
        if at == MAILBOX_DOORBELL {
            return (left.len() as u32).to_le_bytes();
        }
        let mut word = [0; 4];
        let count = left.len().min(4);
        word[..count].copy_from_slice(&left[..count]);
        self.read += count;
        word
    }

    /// Writes a word. Returns the command if it is to be executed; [`Mailbox::answer`] takes its answer.
    pub fn write(&mut self, at: usize, word: [u8; 4]) -> Option<Vec<u8>> {
        if at == MAILBOX_DOORBELL {
            return Some(std::mem::take(&mut self.command));
        }
        let room = MAX_BYTES.saturating_sub(self.command.len());
        self.command.extend(word.into_iter().filter(|byte| *byte != 0).take(room));
        None
    }

    /// Stores an answer to be read. An answer that is too long is replaced by an error.
    pub fn answer(&mut self, answer: Vec<u8>) {
        self.answer = match answer.len() {
            ..=MAX_BYTES => answer,
            _ => br#"{"error":"the answer is too long for the mailbox"}"#.to_vec(),
        };
        self.read = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_beyond_the_limit_is_not_returned() {
        let mut mailbox = Mailbox::default();
        for (length, whole) in [(MAX_BYTES, true), (MAX_BYTES + 1, false)] {
            mailbox.answer(vec![b' '; length]);
            assert_eq!(u32::from_le_bytes(mailbox.read(MAILBOX_DOORBELL)) as usize == length, whole);
            assert_eq!(mailbox.read(MAILBOX_DATA) == *b"    ", whole);
        }
    }
}
