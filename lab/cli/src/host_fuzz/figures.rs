// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Parses libFuzzer's output while it runs, and holds the results shown at the end.
//!
//! Source: LLVM, docs/LibFuzzer.rst ("Output"); compiler-rt, lib/fuzzer/FuzzerLoop.cpp for the wording.

use std::path::PathBuf;

use serde::Serialize;

use drydock_toolchain::metadata::thousands;

/// The progress of a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Figures {
    /// How often it was given an input.
    pub(super) executions: u64,
    /// The number of edges between basic blocks that were covered.
    pub(super) edges: u64,
    /// Edges distinguished by how often they were covered, and comparisons by how near they came.
    pub(super) features: u64,
    /// The number of inputs that are kept.
    pub(super) inputs: u64,
}

impl Figures {
    /// Parses a line such as `#2048 pulse  cov: 120 ft: 340 corp: 22/1024b lim: 21 exec/s: 1024 rss: 40Mb`.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix('#')?.split_whitespace();
        let executions = words.next()?.parse().ok()?;
        let words: Vec<_> = words.collect();
        let after = |key: &str| {
            let at = words.iter().position(|word| *word == key)?;
            words.get(at + 1)?.split('/').next()?.parse().ok()
        };
        Some(Self { executions, edges: after("cov:")?, features: after("ft:")?, inputs: after("corp:").unwrap_or(0) })
    }

    pub(super) fn text(&self) -> String {
        let [executions, edges, inputs] = [self.executions, self.edges, self.inputs].map(|n| thousands(n as usize));
        format!("{executions} executions, {edges} edges, {inputs} inputs")
    }
}

/// An input that reveals a fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Fault {
    /// The fault in one line.
    pub(super) why: String,
    /// The path of the input.
    pub(super) input: Option<PathBuf>,
}

/// Looks for faults in a fuzzer's output.
#[derive(Debug, Default)]
pub(super) struct Ear {
    /// The location of the last panic, until its message arrives.
    panic: Option<String>,
    why: Option<String>,
    input: Option<PathBuf>,
}

impl Ear {
    /// Takes a line.
    pub(super) fn hear(&mut self, line: &str) {
        if let Some(place) = self.panic.take() {
            self.why = Some(format!("{} ({place})", line.trim()));
        } else if let Some((_, place)) = line.split_once("' panicked at ").filter(|_| line.starts_with("thread '")) {
            self.panic = Some(place.trim_end_matches(':').to_owned());
        } else if let Some(why) = line.strip_prefix("memory allocation of ") {
            self.why = Some(format!("memory allocation of {why}"));
        } else if let Some((_, why)) = line.split_once("ERROR: libFuzzer: ") {
            // The signal itself explains less than the reason.
            self.why.get_or_insert_with(|| why.to_owned());
        } else if let Some((_, path)) = line.split_once("Test unit written to ") {
            self.input = Some(path.trim().into());
        }
    }

    /// Returns the fault of a fuzzer that has failed. `place` maps inputs to their paths on the host.
    pub(super) fn fault(self, place: impl FnOnce(PathBuf) -> PathBuf) -> Fault {
        let why = self.why.unwrap_or_else(|| "it ended without a message".into());
        Fault { why, input: self.input.map(place) }
    }
}

/// The result of one target.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) target: &'static str,
    #[serde(flatten)]
    pub(super) figures: Figures,
    pub(super) seconds: f64,
    pub(super) fault: Option<Fault>,
}

/// The results of all targets.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) seed: u32,
    pub(super) rows: Vec<Row>,
}

impl Report {
    pub(super) fn is_clean(&self) -> bool {
        self.rows.iter().all(|row| row.fault.is_none())
    }

    pub(super) fn text(&self) -> String {
        let mut lines = vec![format!(
            "{:<12} {:>14} {:>10} {:>8} {:>9} {:>7}",
            "target", "executions", "a second", "edges", "features", "inputs"
        )];
        for Row { target, figures, seconds, .. } in &self.rows {
            let rate = (figures.executions as f64 / seconds.max(0.001)) as u64;
            let [executions, rate, edges, features, inputs] =
                [figures.executions, rate, figures.edges, figures.features, figures.inputs]
                    .map(|number| thousands(number as usize));
            lines.push(format!("{target:<12} {executions:>14} {rate:>10} {edges:>8} {features:>9} {inputs:>7}"));
        }
        for row in &self.rows {
            let Some(fault) = &row.fault else { continue };
            lines.push(format!("\nFAULT in {}: {}", row.target, fault.why));
            if let Some(input) = &fault.input {
                let input = input.display();
                lines.push(format!("  input:  {input}\n  replay: ./drydock fuzz-host {} --replay {input}", row.target));
            }
        }
        let executions: u64 = self.rows.iter().map(|row| row.figures.executions).sum();
        let faults = self.rows.iter().filter(|row| row.fault.is_some()).count();
        let executions = thousands(executions as usize);
        lines.push(format!("\nseed {}: {executions} executions, {faults} faults", self.seed));
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_fuzzer_has_its_figures() {
        let line =
            "#65536\tNEW    cov: 120 ft: 340 corp: 22/1024b lim: 21 exec/s: 1024 rss: 40Mb L: 3/9 MS: 1 EraseBytes-";
        assert_eq!(Figures::parse(line), Some(Figures { executions: 65536, edges: 120, features: 340, inputs: 22 }));
        assert_eq!(Figures::parse("#0\tREAD units: 3"), None);
        assert_eq!(Figures::parse("INFO: Seed: 1"), None);
    }

    fn heard(lines: &[&str]) -> Fault {
        let mut ear = Ear::default();
        lines.iter().for_each(|line| ear.hear(line));
        ear.fault(|path| PathBuf::from("/host").join(path.file_name().unwrap()))
    }

    #[test]
    fn a_panic_is_told_with_its_place_and_its_input() {
        let fault = heard(&[
            "thread '<unnamed>' panicked at models/src/mali.rs:3:5:",
            "attempt to add with overflow",
            "==1== ERROR: libFuzzer: deadly signal",
            "artifact_prefix='/crashes/'; Test unit written to /crashes/crash-00ff",
        ]);
        assert_eq!(fault.why, "attempt to add with overflow (models/src/mali.rs:3:5)");
        assert_eq!(fault.input, Some("/host/crash-00ff".into()));
    }

    #[test]
    fn what_takes_too_long_is_told() {
        assert_eq!(heard(&["==1== ERROR: libFuzzer: timeout after 11 seconds"]).why, "timeout after 11 seconds");
    }

    #[test]
    fn a_fault_says_how_to_see_it_again() {
        let fault = Fault { why: "it panics".into(), input: Some("/cache/crash-00ff".into()) };
        let figures = Figures { executions: 1_234_567, edges: 89, features: 144, inputs: 12 };
        let row = |fault| Row { target: "mali", figures, seconds: 60.0, fault };
        let report = Report { seed: 7, rows: vec![row(None), row(Some(fault))] };
        assert!(!report.is_clean());
        insta::assert_snapshot!(report.text());
    }

    #[test]
    fn the_page_shows_a_fault_as_it_is_reported() {
        let why = "attempt to add with overflow (models/src/mali/query.rs:12:5)".into();
        let fault = Fault { why, input: Some("…/fuzz-host/mali/faults/crash-00ff…".into()) };
        let figures = Figures { executions: 1, edges: 1, features: 1, inputs: 1 };
        let report = Report { seed: 1, rows: vec![Row { target: "mali", figures, seconds: 1.0, fault: Some(fault) }] };
        let page = include_str!("../../../../docs/how-to/fuzz-the-host.md");
        let shown = page.split("```").find(|block| block.starts_with("\nFAULT in")).expect("the page shows a fault");
        assert!(report.text().contains(shown.trim()), "{shown} is not in {}", report.text());
    }
}
