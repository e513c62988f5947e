// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What a case asks of the emulated GPU itself, whatever is bound to it: faults, and to be whole again.
//!
//! The model has a vendor's capability in its configuration space, in which a command is written word by word, and which
//! answers even when the rest of the GPU is gone.
//!
//! Source: `models/src/command.rs`, `models/src/config.rs`.

use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::check::{Outcome, fail, skip};

use super::Gpu;

/// The capability: a vendor's own, 12 bytes long.
const MAILBOX: u64 = 0xe0;
/// Four bytes of the command or of the answer.
const DATA: u64 = MAILBOX + 4;
/// Carries the command out, and says how many bytes of the answer are left.
const DOORBELL: u64 = MAILBOX + 8;

impl Gpu {
    /// Plans a fault, a JSON object as in a fault plan; without `after` it begins at once.
    pub(crate) fn fault(&self, fault: &str) -> Outcome {
        self.ask(&format!(r#"{{"fault": {fault}}}"#)).map(drop)
    }

    /// Gives the model a command and returns its answer.
    pub(crate) fn ask(&self, command: &str) -> Outcome<String> {
        let config = File::options().read(true).write(true).open(self.path("config"))?;
        if !is_emulated(word(&config, MAILBOX)?) {
            return skip("the GPU takes no commands: it is not the emulated one");
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

fn word(config: &File, at: u64) -> std::io::Result<[u8; 4]> {
    let mut word = [0; 4];
    config.read_exact_at(&mut word, at)?;
    Ok(word)
}

/// Whether the head of the capability is the model's; of a GPU that is gone all bits are ones.
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
