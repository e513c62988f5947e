// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Sends commands to the emulated GPU itself, whatever driver is bound to it: to plan faults, and to end them.
//!
//! The model has a vendor-specific capability in its configuration space. A command is written to it word by word, and
//! it answers even when the rest of the GPU is gone.
//!
//! Source: `models/src/command.rs`, `models/src/config.rs`.

use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::harness::check::{Outcome, fail, lacks};

use super::{Function, Kind};

/// Offset of the capability, which is vendor-specific and 12 bytes long.
const MAILBOX: u64 = 0xe0;
/// Offset of the register with four bytes of the command or of the answer.
const DATA: u64 = MAILBOX + 4;
/// Offset of the register that executes the command, and then holds the number of bytes left of the answer.
const DOORBELL: u64 = MAILBOX + 8;

impl Function {
    /// Plans a fault, a JSON object as in a fault plan. Without `after` it begins at once.
    pub(crate) fn fault(&self, fault: &str) -> Outcome {
        self.ask(&format!(r#"{{"fault": {fault}}}"#)).map(drop)
    }

    /// Sends the model a command and returns its answer.
    pub(crate) fn ask(&self, command: &str) -> Outcome<String> {
        let config = File::options().read(true).write(true).open(self.path("config"))?;
        if !is_emulated(word(&config, MAILBOX)?) {
            return lacks("the GPU takes no commands: it is not the emulated one");
        }
        for four in command.as_bytes().chunks(4) {
            let mut word = [0; 4];
            word[..four.len()].copy_from_slice(four);
            config.write_all_at(&word, DATA)?;
        }
        config.write_all_at(&[1, 0, 0, 0], DOORBELL)?;
        let answer = read(&config)?;
        if answer.starts_with(r#"{"ok""#) {
            Ok(answer)
        } else {
            fail(format!("the model refuses `{command}`: {answer}"))
        }
    }
}

/// Returns how often an emulated GPU has been misused so far, or `None` if there is no emulated GPU.
pub(crate) fn violations(kind: Kind) -> Option<u64> {
    let function = Function::find(kind)?;
    number_after(&function.ask(r#""status""#).ok()?, r#""violations":"#)
}

/// Returns the number behind a key of an answer.
fn number_after(answer: &str, key: &str) -> Option<u64> {
    let (_, rest) = answer.split_once(key)?;
    let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

fn word(config: &File, at: u64) -> std::io::Result<[u8; 4]> {
    let mut word = [0; 4];
    config.read_exact_at(&mut word, at)?;
    Ok(word)
}

/// Whether the head of the capability is the model's. A GPU that is gone reads as all ones.
fn is_emulated([id, _, length, letter]: [u8; 4]) -> bool {
    [id, length, letter] == [9, 12, b'D'] || [id, length, letter] == [0xff; 3]
}

fn read(config: &File) -> std::io::Result<String> {
    let mut left = u32::from_le_bytes(word(config, DOORBELL)?) as usize;
    let mut answer = Vec::new();
    while left > 0 {
        let word = word(config, DATA)?;
        answer.extend_from_slice(&word[..left.min(4)]);
        left = left.saturating_sub(4);
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_by_its_key() {
        let answer = r#"{"ok":{"accesses":120,"removed":false,"violations":7}}"#;
        assert_eq!(number_after(answer, r#""violations":"#), Some(7));
        assert_eq!(number_after(answer, r#""accesses":"#), Some(120));
        assert_eq!(number_after(answer, r#""removed":"#), None);
    }
}
