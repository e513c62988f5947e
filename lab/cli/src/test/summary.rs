// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The result of the suites: the cases, how long what took, and the text at the end.

use std::time::Duration;

use serde::Serialize;

use drydock_base::events::Events;
use drydock_base::exit;

use super::suite::{Case, Verdict};

/// The result of all suites.
#[derive(Debug, Default, Serialize)]
pub(super) struct Summary {
    passed: usize,
    failed: usize,
    skipped: usize,
    undecided: usize,
    pub(super) cases: Vec<Case>,
    /// The duration of each suite.
    suites: Vec<Taken>,
    /// Cases that took [`SLOW`] or longer.
    slow_cases: Vec<Taken>,
}

/// The duration of a suite or a case.
#[derive(Debug, Serialize)]
pub(super) struct Taken {
    pub(super) name: String,
    pub(super) seconds: f64,
}

impl Taken {
    pub(super) fn new(name: &str, time: Duration) -> Self {
        Self { name: name.to_owned(), seconds: time.as_secs_f64() }
    }
}

/// The duration from which a case is listed in the machine-readable result.
pub(super) const SLOW: Duration = Duration::from_secs(5);

/// The result of some suites.
#[derive(Default)]
pub(super) struct Ran {
    pub(super) cases: Vec<Case>,
    pub(super) suites: Vec<Taken>,
    pub(super) slow_cases: Vec<Taken>,
}

/// How many of the slowest suites are listed.
const SLOWEST: usize = 5;

impl Ran {
    /// Adds the kernel to all names, for a run on several kernels.
    pub(super) fn name_kernel(&mut self, kernel: &str) {
        let with_kernel = |name: &mut String| *name = format!("{name} ({kernel})");
        self.cases.iter_mut().map(|case| &mut case.name).for_each(with_kernel);
        self.suites.iter_mut().chain(&mut self.slow_cases).map(|taken| &mut taken.name).for_each(with_kernel);
    }

    pub(super) fn add(&mut self, other: Self) {
        self.cases.extend(other.cases);
        self.suites.extend(other.suites);
        self.slow_cases.extend(other.slow_cases);
    }
}

impl Summary {
    pub(super) fn add(&mut self, ran: Ran) {
        self.suites.extend(ran.suites);
        self.slow_cases.extend(ran.slow_cases);
        for case in ran.cases {
            match case.verdict {
                Verdict::Passed => self.passed += 1,
                Verdict::Failed { .. } => self.failed += 1,
                Verdict::Skipped { .. } => self.skipped += 1,
                Verdict::Undecided { .. } => self.undecided += 1,
            }
            self.cases.push(case);
        }
    }

    /// Returns the exit code. Problems that the host caused only count if nothing has failed.
    pub(super) fn code(&self) -> u8 {
        match (self.failed, self.undecided) {
            (0, 0) => exit::OK,
            (0, _) => exit::STARVED,
            _ => exit::CHECK,
        }
    }

    pub(super) fn tell(&self, events: &Events) {
        events.result(self, Self::text);
    }

    /// Returns the slowest suites, if there were several. Some of them ran at the same time.
    fn slowest(&self) -> Option<String> {
        let mut suites: Vec<_> = self.suites.iter().collect();
        suites.sort_by(|one, other| other.seconds.total_cmp(&one.seconds));
        let told: Vec<_> =
            suites.iter().take(SLOWEST).map(|taken| format!("{} {:.0} s", taken.name, taken.seconds)).collect();
        (suites.len() > 1).then(|| format!("took longest: {}", told.join(", ")))
    }

    /// Lists the skipped cases by suite and reason, one line for each.
    fn skipped(&self) -> Vec<String> {
        let mut groups: Vec<(&str, &str, Vec<&str>)> = Vec::new();
        for case in &self.cases {
            let Verdict::Skipped { why } = &case.verdict else { continue };
            let (suite, name) = case.name.split_once("::").unwrap_or(("", &case.name));
            match groups.iter_mut().find(|group| (group.0, group.1) == (suite, why.as_str())) {
                Some((_, _, names)) => names.push(name),
                None => groups.push((suite, why, vec![name])),
            }
        }
        groups.iter().map(|(suite, why, names)| format!("skip {suite}: {why}: {}", names.join(", "))).collect()
    }

    /// Lists the skipped cases, the slowest suites, the undecided and the failed cases, and the counts. The counts come
    /// last so that a truncated log keeps them.
    fn text(&self) -> String {
        let (mut undecided, mut failed) = (Vec::new(), Vec::new());
        for case in &self.cases {
            match &case.verdict {
                Verdict::Passed | Verdict::Skipped { .. } => {}
                Verdict::Undecided { why, .. } => undecided.push(format!("undecided {}: {why}", case.name)),
                Verdict::Failed { why, .. } => failed.push(format!("FAIL {}: {why}", case.name)),
            }
        }
        let mut lines = [self.skipped(), self.slowest().into_iter().collect(), undecided, failed].concat();
        let mut counts = format!("{} passed, {} failed", self.passed, self.failed);
        if self.skipped > 0 {
            counts.push_str(&format!(", {} skipped", self.skipped));
        }
        if self.undecided > 0 {
            counts.push_str(&format!(", {} undecided: the host starved the guest", self.undecided));
        }
        lines.push(counts);
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(name: &str, verdict: Verdict) -> Case {
        Case { name: name.into(), verdict }
    }

    fn cases(cases: Vec<Case>) -> Ran {
        Ran { cases, ..Ran::default() }
    }

    #[test]
    fn the_last_line_counts_and_the_reasons_stand_above_it() {
        let mut summary = Summary::default();
        summary.add(cases(vec![
            case("host::a", Verdict::Passed),
            case("guest-vgem::b", Verdict::Failed { why: "EBUSY".into(), details: Vec::new() }),
        ]));
        assert_eq!(summary.text(), "FAIL guest-vgem::b: EBUSY\n1 passed, 1 failed");
        summary.add(cases(vec![case(
            "guest-c-vgem::b",
            Verdict::Skipped { why: "a faux device cannot be unbound".into() },
        )]));
        let text = summary.text();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "skip guest-c-vgem: a faux device cannot be unbound: b");
        assert_eq!(lines[1], "FAIL guest-vgem::b: EBUSY");
        assert_eq!(lines[2], "1 passed, 1 failed, 1 skipped");
    }

    #[test]
    fn skipped_cases_of_a_suite_with_the_same_reason_share_a_line() {
        let skipped = |name: &str, why: &str| case(name, Verdict::Skipped { why: why.into() });
        let mut summary = Summary::default();
        let reasons = [("vgem::a::x", "long"), ("nova::b::y", "long"), ("vgem::c::z", "long"), ("vgem::d::w", "late")];
        summary.add(cases(reasons.map(|(name, why)| skipped(name, why)).into()));
        let lines = ["skip vgem: long: a::x, c::z", "skip nova: long: b::y", "skip vgem: late: d::w"];
        assert_eq!(summary.skipped(), lines);
    }

    #[test]
    fn the_suites_that_took_longest_are_told() {
        let taken = |name: &str, seconds| Taken { name: name.into(), seconds };
        let mut summary = Summary { suites: vec![taken("host", 61.2)], ..Summary::default() };
        assert_eq!(summary.text(), "0 passed, 0 failed");
        summary.suites.push(taken("guest-vgem (debug)", 600.0));
        assert_eq!(summary.text(), "took longest: guest-vgem (debug) 600 s, host 61 s\n0 passed, 0 failed");
    }

    #[test]
    fn what_the_host_spoils_has_a_code_of_its_own() {
        let spoiled = || case("guest-tyr::run", Verdict::Undecided { why: "the host".into(), details: Vec::new() });
        let mut summary = Summary::default();
        summary.add(cases(vec![case("host::a", Verdict::Passed)]));
        assert_eq!(summary.code(), exit::OK);
        summary.add(cases(vec![spoiled()]));
        assert_eq!(summary.code(), exit::STARVED);
        assert!(summary.text().ends_with("1 passed, 0 failed, 1 undecided: the host starved the guest"));
        summary.add(cases(vec![case("host::b", Verdict::Failed { why: "EIO".into(), details: Vec::new() })]));
        assert_eq!(summary.code(), exit::CHECK);
    }
}
