// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Estimates how long a run takes, from the durations of earlier runs that the cache keeps.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use drydock_base::cache::{self, CacheLayout};
use drydock_base::error::Result;

/// Seconds by the kernel, the tier and the suite.
type Durations = BTreeMap<String, f64>;

/// The durations of suites on this machine, as far as they have run here.
pub(super) struct Estimate {
    file: PathBuf,
    known: Durations,
}

/// Seconds of each suite on the stock kernel on an idle machine with two processors and no KVM: in a short run, which
/// was measured, and with `--all`, which is a guess. `USUAL_ON_DEBUG` is the factor for a debug kernel, also a guess.
const USUAL: &[(&str, f64, f64)] = &[
    ("host", 220.0, 220.0),
    ("lints", 75.0, 75.0),
    ("compile-fail", 104.0, 104.0),
    ("doc-examples", 13.0, 13.0),
    ("drivers", 15.0, 15.0),
    ("examples", 60.0, 60.0),
    ("demo", 1.0, 1.0),
    ("docs", 10.0, 10.0),
    ("clients", 55.0, 55.0),
    ("programs", 65.0, 130.0),
    ("extras", 30.0, 30.0),
    ("gdb", 30.0, 30.0),
    ("packages", 150.0, 150.0),
    ("displays-vkms", 350.0, 350.0),
    ("displays-c-vkms", 150.0, 150.0),
    ("displays-bochs", 350.0, 350.0),
    ("verdicts", 23.0, 23.0),
    ("corpus", 20.0, 20.0),
    ("fuzz", 1.0, 1.0),
    ("guest-vgem", 90.0, 300.0),
    ("guest-tyr-built", 95.0, 600.0),
    ("guest-nova", 30.0, 300.0),
    ("guest-tyr", 62.0, 120.0),
    ("guest-c-vgem", 31.0, 200.0),
    ("guest-vkms", 60.0, 700.0),
    ("guest-c-vkms", 60.0, 500.0),
    ("attacks", 41.0, 41.0),
    ("stress", 1300.0, 1300.0),
];
const USUAL_ON_DEBUG: f64 = 4.0;

impl Estimate {
    /// Reads what earlier runs have left. A file that cannot be read counts as none.
    pub(super) fn read() -> Result<Self> {
        let file = CacheLayout::of_user()?.base().join("durations.json");
        let known = std::fs::read(&file).ok().and_then(|text| serde_json::from_slice(&text).ok());
        Ok(Self { file, known: known.unwrap_or_default() })
    }

    /// Notes the duration of a suite that ran whole.
    pub(super) fn note(&mut self, kernel: &str, all: bool, suite: &str, seconds: f64) {
        self.known.insert(key(kernel, all, suite), seconds);
    }

    /// Keeps what was noted for the next run.
    pub(super) fn keep(&self) -> Result<()> {
        let text = serde_json::to_vec_pretty(&self.known).expect("the keys are strings");
        cache::write_atomically(&self.file, text)
    }

    /// Returns the duration of suites that start in this order, `width` at a time.
    pub(super) fn of(&self, kernel: &str, all: bool, suites: &[&str], width: usize) -> Duration {
        let mut ends = vec![0.0_f64; width.max(1)];
        for suite in suites {
            let first = ends.iter_mut().min_by(|one, other| one.total_cmp(other)).expect("there is at least one");
            *first += self.seconds(kernel, all, suite);
        }
        Duration::from_secs_f64(ends.into_iter().fold(0.0, f64::max))
    }

    fn seconds(&self, kernel: &str, all: bool, suite: &str) -> f64 {
        let usual = || {
            let (_, short, whole) = USUAL.iter().find(|(name, ..)| *name == suite).unwrap_or(&("", 0.0, 0.0));
            let seconds = if all { *whole } else { *short };
            seconds * if drydock_toolchain::debug_kernel::named(kernel).is_some() { USUAL_ON_DEBUG } else { 1.0 }
        };
        // A file that somebody has edited may hold any number.
        let kept = self.known.get(&key(kernel, all, suite)).copied();
        kept.filter(|seconds| (0.0..1e6).contains(seconds)).unwrap_or_else(usual)
    }
}

fn key(kernel: &str, all: bool, suite: &str) -> String {
    format!("{kernel} {} {suite}", if all { "all" } else { "short" })
}

/// Formats a duration for a reader: nobody waits by the second.
pub(super) fn about(time: Duration) -> String {
    match time.as_secs().div_ceil(60) {
        0 | 1 => "about a minute".to_owned(),
        minutes => format!("about {minutes} minutes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(known: &[(&str, f64)]) -> Estimate {
        let known = known.iter().map(|(key, seconds)| ((*key).to_owned(), *seconds)).collect();
        Estimate { file: PathBuf::new(), known }
    }

    #[test]
    fn suites_that_run_at_the_same_time_share_it() {
        let known = estimate(&[("stock short a", 60.0), ("stock short b", 30.0), ("stock short c", 20.0)]);
        let of = |width| known.of("stock", false, &["a", "b", "c"], width).as_secs();
        assert_eq!((of(1), of(2), of(3)), (110, 60, 60));
    }

    #[test]
    fn suite_that_has_not_run_here_takes_what_is_usual() {
        let (name, short, whole) = USUAL[0];
        let known = estimate(&[(&format!("stock all {name}"), -1.0)]);
        assert_eq!(known.seconds("stock", false, name), short);
        assert_eq!(known.seconds("stock", true, name), whole, "a number that makes no sense is not used");
        assert_eq!(known.seconds("debug", false, name), short * USUAL_ON_DEBUG);
        assert_eq!(known.seconds("stock", false, "new"), 0.0);
    }

    #[test]
    fn every_suite_has_a_usual_duration() {
        let names = super::super::suite_names();
        assert!(names.iter().all(|suite| USUAL.iter().any(|(name, ..)| name == suite)), "{names:?}");
        assert_eq!(USUAL.len(), names.len());
    }

    #[test]
    fn durations_are_told_in_minutes() {
        assert_eq!(about(Duration::from_secs(20)), "about a minute");
        assert_eq!(about(Duration::from_secs(500)), "about 9 minutes");
    }
}
