// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Memory that nobody refers to any more at the end of a run, where the kernel can tell: kmemleak of the debug kernel.
//!
//! A block counts once it was found unreferenced twice, unchanged, and is five seconds old. So the story's end is followed by
//! two scans with that time between them, and leaving, which unloads the modules, by a third: what only their own data
//! referred to is found then.
//!
//! Source: Documentation/dev-tools/kmemleak.rst, mm/kmemleak.c (`kmemleak_scan`, `unreferenced_object`).

use std::time::Duration;

use crate::vm::error::Error as VmError;
use crate::vm::guest::Guest;

const FILE: &str = "/sys/kernel/debug/kmemleak";

/// The kernel's own minimum of five seconds, and one for the guest's clock.
const AGE: &str = "6";

/// All of memory is read, where every instruction is translated and checked.
const LIMIT: Duration = Duration::from_secs(300);

/// Finds what the story has left behind, while the modules are there to give it names.
pub(super) fn after_story(guest: &Guest) -> Result<Vec<String>, VmError> {
    scan(guest, &format!("echo scan > {FILE} && sleep {AGE} && echo scan > {FILE} && cat {FILE}"))
}

/// Finds what is left when the modules are gone.
pub(super) fn after_leaving(guest: &Guest) -> Result<Vec<String>, VmError> {
    scan(guest, &format!("echo scan > {FILE} && cat {FILE}"))
}

fn scan(guest: &Guest, script: &str) -> Result<Vec<String>, VmError> {
    let output = guest.check(&["sh", "-c", script], LIMIT)?;
    Ok(output.out.lines().map(str::to_owned).collect())
}

/// What two scans found, each block once: as the first told it, which knew more names.
pub(crate) fn together(first: Vec<String>, second: Vec<String>) -> Vec<String> {
    let mut all = first;
    for block in blocks(&second) {
        if !all.contains(&block[0]) {
            all.extend_from_slice(block);
        }
    }
    all
}

/// The blocks of a report: each begins with a line that is not indented.
fn blocks(lines: &[String]) -> impl Iterator<Item = &[String]> {
    lines.chunk_by(|_, next| next.starts_with(' ')).filter(|block| !block[0].starts_with(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_block_is_told_once_and_with_names_if_they_are_known() {
        let first = lines("unreferenced object 0x1 (size 8):\n  make+0x1/0x2 [m]");
        let second = lines(
            "unreferenced object 0x1 (size 8):\n  0xffffffffc0001000\nunreferenced object 0x2 (size 8):\n  kmalloc+0x1/0x2",
        );
        let told = together(first.clone(), second.clone());
        assert_eq!(told, [&first[..], &second[2..]].concat());
        assert!(together(Vec::new(), Vec::new()).is_empty());
    }
}
