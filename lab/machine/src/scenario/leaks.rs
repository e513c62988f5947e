// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Finds leaked memory at the end of a run, where the kernel can report it: kmemleak of the debug kernel.
//!
//! A block counts once two scans found it unreferenced and unchanged, and it is at least five seconds old. So two scans
//! follow the scenario's end, with that time between them. A third follows the unloading of the modules and finds
//! blocks that only the modules' own data referred to.
//!
//! Source: Documentation/dev-tools/kmemleak.rst, mm/kmemleak.c (`kmemleak_scan`, `unreferenced_object`).

use std::time::Duration;

use crate::error::Error as VmError;
use crate::guest::Guest;

const FILE: &str = "/sys/kernel/debug/kmemleak";

/// The kernel's own minimum of five seconds, plus one for the guest's clock.
const AGE: &str = "6";

/// A scan reads all of memory, on a machine where every instruction is translated and checked.
const LIMIT: Duration = Duration::from_secs(300);

/// Finds what the scenario has leaked, while the modules are still loaded and their symbols have names.
pub(super) fn after_story(guest: &Guest) -> Result<Vec<String>, VmError> {
    scan(guest, &format!("echo scan > {FILE} && sleep {AGE} && echo scan > {FILE} && cat {FILE}"))
}

/// Finds what is leaked after the modules are unloaded.
pub(super) fn after_leaving(guest: &Guest) -> Result<Vec<String>, VmError> {
    scan(guest, &format!("echo scan > {FILE} && cat {FILE}"))
}

fn scan(guest: &Guest, script: &str) -> Result<Vec<String>, VmError> {
    let output = guest.check(&["sh", "-c", script], LIMIT)?;
    Ok(output.out.lines().map(str::to_owned).collect())
}

/// Blocks that C itself leaks (docs/reference/c-core-faults.md).
const LOST_BY_C: &[&str] = &["device_set_deferred_probe_reason+"];

/// Merges the reports of two scans. A block in both is listed once, as in the first report, which knew more names.
/// Blocks with the same call path are listed as one, with their number.
pub fn together(first: Vec<String>, second: Vec<String>) -> Vec<String> {
    let mut all = first;
    for block in blocks(&second) {
        if !all.contains(&block[0]) {
            all.extend_from_slice(block);
        }
    }
    by_way(&all)
}

fn by_way(lines: &[String]) -> Vec<String> {
    let mut ways: Vec<(&[String], usize)> = Vec::new();
    for block in blocks(lines).filter(|block| !is_lost_by_c(block)) {
        match ways.iter_mut().find(|(known, _)| way(known).eq(way(block))) {
            Some((_, count)) => *count += 1,
            None => ways.push((block, 1)),
        }
    }
    let told = ways.iter().flat_map(|(block, count)| {
        let others = (*count > 1).then(|| format!("  … and {} more with the same call path", count - 1));
        block.iter().cloned().chain(others)
    });
    told.collect()
}

fn is_lost_by_c(block: &[String]) -> bool {
    block.iter().any(|line| LOST_BY_C.iter().any(|function| line.contains(function)))
}

/// Returns the lines of a block's call trace.
fn way(block: &[String]) -> impl Iterator<Item = &String> {
    block.iter().skip_while(|line| !line.trim_start().starts_with("backtrace")).skip(1)
}

/// Returns the blocks of a report: each begins with a line that is not indented.
fn blocks(lines: &[String]) -> impl Iterator<Item = &[String]> {
    lines.chunk_by(|_, next| next.starts_with(' ')).filter(|block| !block[0].starts_with(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    fn block(address: u32, made_by: &str) -> Vec<String> {
        let about = format!("  comm \"exe\", pid {address}, jiffies 1\n  backtrace (crc {address}):");
        lines(&format!("unreferenced object {address:#x} (size 8):\n{about}\n    {made_by}"))
    }

    #[test]
    fn a_block_is_told_once_and_with_names_if_they_are_known() {
        let first = block(1, "make+0x1/0x2 [m]");
        let second = [block(1, "0xffffffffc0001000"), block(2, "kmalloc+0x1/0x2")].concat();
        let told = together(first.clone(), second.clone());
        assert_eq!(told, [&first[..], &second[4..]].concat());
        assert!(together(Vec::new(), Vec::new()).is_empty());
    }

    #[test]
    fn blocks_that_were_made_by_the_same_way_are_counted() {
        let three = [block(1, "make+0x1/0x2"), block(2, "other+0x1/0x2"), block(3, "make+0x1/0x2")].concat();
        let told = together(three, Vec::new());
        let more = lines("  … and 1 more with the same call path");
        assert_eq!(told, [block(1, "make+0x1/0x2"), more, block(2, "other+0x1/0x2")].concat());
    }

    #[test]
    fn what_c_loses_is_left_out() {
        assert!(together(block(1, "device_set_deferred_probe_reason+0x8d/0x130"), Vec::new()).is_empty());
    }
}
