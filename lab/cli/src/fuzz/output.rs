// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The output of the guest's fuzzer, read line by line.
//!
//! Source: `guest/random/src/report.rs`.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};

use super::coverage::Places;

/// The whole output.
#[derive(Debug, Default)]
pub(crate) struct Output {
    pub(crate) executions: u64,
    pub(super) corpus: usize,
    pub(super) places: usize,
    pub(super) kept: Vec<String>,
    pub(super) coverage: Places,
    pub(crate) replayed: Vec<Replayed>,
    pub(super) found: Option<String>,
}

/// The errnos of a sequence.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Replayed {
    program: usize,
    /// Each call's name, with 0 or its errno.
    #[serde(deserialize_with = "errnos")]
    pub(super) errnos: Vec<(String, i32)>,
}

/// Refuses numbers that no system call returns, because an errno is shown by its Linux name.
fn errnos<'d, D: Deserializer<'d>>(from: D) -> Result<Vec<(String, i32)>, D::Error> {
    let errnos = Vec::<(String, i32)>::deserialize(from)?;
    match errnos.iter().find(|(_, errno)| !(0..4096).contains(errno)) {
        None => Ok(errnos),
        Some((call, errno)) => Err(D::Error::custom(format!("`{call}` returned {errno}, which is not an errno"))),
    }
}

/// A line of output.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    Progress { executions: u64, corpus: usize, places: usize },
    Kept(String),
    Replayed(Replayed),
    Coverage(BTreeMap<String, BTreeMap<String, BTreeSet<u64>>>),
    Found(String),
}

impl Output {
    pub(super) fn take(&mut self, line: &str, wrong: &mut String) {
        match serde_json::from_str(line) {
            Ok(Line::Progress { executions, corpus, places }) => {
                (self.executions, self.corpus, self.places) = (executions, corpus, places);
            }
            Ok(Line::Kept(program)) => self.kept.push(program),
            Ok(Line::Replayed(replayed)) => {
                // The guest may have reported any number before.
                self.executions = self.executions.saturating_add(1);
                self.replayed.push(replayed);
            }
            Ok(Line::Coverage(places)) => self.coverage = places,
            Ok(Line::Found(why)) => self.found = Some(why),
            Err(error) => wrong.push_str(&format!("{line}: {error}\n")),
        }
    }

    /// Returns whether nothing was executed or no line of ours was reached. Such a run says nothing about the driver.
    pub(super) fn is_in_vain(&self) -> bool {
        self.executions == 0 || self.places == 0
    }

    pub(super) fn in_words(&self) -> String {
        match self.corpus {
            0 => format!("{} executions", self.executions),
            corpus => format!("{} executions, {corpus} sequences that reach {} places", self.executions, self.places),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::table;
    use super::*;

    #[test]
    fn lines_become_figures() {
        let (mut output, mut wrong) = (Output::default(), String::new());
        for line in [
            r#"{"progress":{"executions":7,"corpus":2,"places":30}}"#,
            r#"{"kept":"[]"}"#,
            r#"{"coverage":{"drm_rust":{".text":[5,9]}}}"#,
            r#"{"found":"BUG: x"}"#,
        ] {
            output.take(line, &mut wrong);
        }
        assert_eq!((output.executions, output.corpus, output.kept.len()), (7, 2, 1));
        assert!(!output.is_in_vain());
        assert_eq!(output.coverage["drm_rust"][".text"].len(), 2);
        assert_eq!(output.found.as_deref(), Some("BUG: x"));
        assert_eq!(output.in_words(), "7 executions, 2 sequences that reach 30 places");
        output.take("panicked", &mut wrong);
        assert!(wrong.starts_with("panicked: "), "{wrong}");
    }

    fn output_of(lines: &[&str]) -> (Output, String) {
        let (mut output, mut wrong) = (Output::default(), String::new());
        lines.iter().for_each(|line| output.take(line, &mut wrong));
        (output, wrong)
    }

    #[test]
    fn more_executions_than_there_are_numbers_are_no_fault() {
        let progress = format!(r#"{{"progress":{{"executions":{},"corpus":0,"places":0}}}}"#, u64::MAX);
        let (output, wrong) = output_of(&[&progress, r#"{"replayed":{"program":0,"errnos":[["open",0]]}}"#]);
        assert_eq!((output.executions, output.replayed.len(), wrong.as_str()), (u64::MAX, 1, ""));
    }

    #[test]
    fn a_number_that_is_no_errno_is_refused() {
        for errno in [-1, 4096, i32::MIN, i32::MAX] {
            let (output, wrong) =
                output_of(&[&format!(r#"{{"replayed":{{"program":0,"errnos":[["open",{errno}]]}}}}"#)]);
            assert!(output.replayed.is_empty() && wrong.contains("is not an errno"), "{wrong}");
        }
        let (output, wrong) =
            output_of(&[r#"{"replayed":{"program":0,"errnos":[["open",0],["read",4095],["mmap",22]]}}"#]);
        assert_eq!(wrong, "");
        let shown = table::replayed(&output.replayed);
        assert!(shown.contains("mmap (Invalid argument"), "{shown}");
    }

    #[test]
    fn a_run_that_reaches_nothing_is_in_vain() {
        let of = |executions, places| Output { executions, places, ..Output::default() };
        assert!(of(0, 0).is_in_vain() && of(7, 0).is_in_vain() && of(0, 30).is_in_vain());
        assert!(!of(7, 30).is_in_vain());
    }
}
