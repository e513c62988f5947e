// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The order of suites that may not all run in the given time: runs of later commits start with other suites, so that
//! every suite runs in some of them.

use std::path::Path;
use std::process::Command;

/// The seconds between two commits after which the order moves on by one suite: CI runs less often.
const TURN: u64 = 3 * 60 * 60;

/// Moves suites from the beginning to the end, more for a later commit. The same commit always gives the same order.
pub(super) fn rotate<T>(suites: &mut [T], repo: &Path) {
    if !suites.is_empty() {
        let by = turns(committed(repo).unwrap_or(0), suites.len());
        suites.rotate_left(by);
    }
}

fn turns(seconds: u64, suites: usize) -> usize {
    // CAST: The rest is smaller than `suites`.
    (seconds / TURN % suites as u64) as usize
}

/// Returns when the checked-out commit was made, in seconds of Unix time. Returns `None` without git or a commit.
fn committed(repo: &Path) -> Option<u64> {
    let output = Command::new("git").arg("-C").arg(repo).args(["log", "-1", "--format=%ct"]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_is_first_in_turn() {
        let first: Vec<_> = (0..5).map(|turn| turns(1_700_000_000 + turn * TURN, 5)).collect();
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, [0, 1, 2, 3, 4]);
        assert_eq!(turns(0, 5), turns(TURN - 1, 5));
    }

    #[test]
    fn without_a_commit_the_order_stays() {
        let mut suites = [1, 2, 3];
        rotate(&mut suites, Path::new("/nonexistent"));
        assert_eq!(suites, [1, 2, 3]);
    }
}
