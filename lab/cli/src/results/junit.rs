// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Verdicts as JUnit XML.
//!
//! Source: the crate `quick-junit`, whose output GitHub, GitLab and Jenkins read; XML 1.0, production 2 (`Char`).

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite, XmlString};

use super::{Row, by_suite};
use crate::verdict::Verdict;
use drydock_base::error::{Context, Result};

/// Returns the document.
pub(super) fn text(rows: &[Row]) -> Result<String> {
    let mut report = Report::new("drydock");
    for (name, rows) in by_suite(rows) {
        let mut suite = TestSuite::new(valid(name));
        suite.set_time(rows.iter().map(|row| time(row)).sum());
        suite.add_test_cases(rows.into_iter().map(case));
        report.add_test_suite(suite);
    }
    report.to_string().context("failed to make the JUnit document")
}

fn case(row: &Row) -> TestCase {
    let mut case = TestCase::new(valid(&row.name), status(&row.verdict));
    case.set_classname(valid(&row.suite)).set_time(time(row));
    if !row.out.is_empty() {
        case.set_system_out(valid(&row.out));
    }
    if !row.err.is_empty() {
        case.set_system_err(valid(&row.err));
    }
    case
}

fn status(verdict: &Verdict) -> TestCaseStatus {
    let mut status = match verdict {
        Verdict::Passed => return TestCaseStatus::success(),
        Verdict::Failed { .. } => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Verdict::Undecided { .. } => TestCaseStatus::non_success(NonSuccessKind::Error),
        Verdict::Skipped { .. } => TestCaseStatus::skipped(),
    };
    status.set_message(valid(verdict.why().unwrap_or_default()));
    if !verdict.details().is_empty() {
        status.set_description(valid(&verdict.details().join("\n")));
    }
    status
}

/// Returns text that XML can hold. `XmlString` removes control characters and escape sequences of terminals, but not the
/// two other characters that XML forbids.
fn valid(text: &str) -> XmlString {
    XmlString::new(text.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}"))
}

fn time(row: &Row) -> Duration {
    Duration::try_from_secs_f64(row.seconds).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::tests::rows;
    use super::*;

    #[test]
    fn each_verdict_is_a_case_of_its_suite() {
        insta::assert_snapshot!(text(&rows()).unwrap());
    }

    #[test]
    fn every_character_of_a_name_or_an_output_leaves_the_document_valid() {
        let every: String =
            (0..=0x11_0000).filter_map(char::from_u32).filter(|c| *c < '\u{3000}' || *c > '\u{fff0}').collect();
        let row = Row {
            out: every.clone(),
            ..Row::new("vgem", &every, Verdict::Failed { why: every.clone(), details: vec![every.clone()] })
        };
        let document = text(&[row]).unwrap();
        let is_char = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
        assert_eq!(document.chars().find(|c| !is_char(*c)), None);
        Report::deserialize_from_str(&document).unwrap();
    }
}
