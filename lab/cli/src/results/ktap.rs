// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Verdicts as KTAP.
//!
//! Source: the kernel's Documentation/dev-tools/ktap.rst, version 1.

use super::{Row, by_suite};
use crate::verdict::Verdict;

/// The number of lines of each output that are shown of a case that failed.
const SHOWN: usize = 20;

/// Returns the results: a version line, a plan, and a line for each verdict. The tests are not nested, because many readers
/// of TAP lose nested ones.
pub(super) fn text(rows: &[Row]) -> String {
    let rows: Vec<&Row> = by_suite(rows).into_iter().flat_map(|(_, rows)| rows).collect();
    let mut lines = vec!["KTAP version 1".to_owned(), format!("1..{}", rows.len())];
    for (index, row) in rows.iter().enumerate() {
        lines.extend(diagnostics(row).iter().map(|line| format!("# {}", printable(line)).trim_end().to_owned()));
        lines.push(result(index + 1, row));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn result(number: usize, row: &Row) -> String {
    // `#` begins a directive, and a name cannot have one.
    let name = printable(&format!("{}::{}", row.suite, row.name)).replace('#', "_");
    let why = printable(row.verdict.why().unwrap_or_default());
    match &row.verdict {
        Verdict::Passed => format!("ok {number} {name}"),
        // The reason is above it. Here a reader might take its first word for a directive.
        Verdict::Failed { .. } => format!("not ok {number} {name}"),
        Verdict::Undecided { .. } => format!("not ok {number} {name} # ERROR {why}"),
        Verdict::Skipped { .. } => format!("ok {number} {name} # SKIP {why}"),
    }
}

/// Returns the lines above a result that is not good: the reason, its details, and the ends of both outputs.
fn diagnostics(row: &Row) -> Vec<String> {
    let mut lines = match &row.verdict {
        Verdict::Passed | Verdict::Skipped { .. } => return Vec::new(),
        Verdict::Failed { why, .. } => vec![why.clone()],
        Verdict::Undecided { .. } => Vec::new(),
    };
    lines.extend(row.verdict.details().iter().cloned());
    lines.extend(end(&row.out).map(|line| format!("stdout: {line}")));
    lines.extend(end(&row.err).map(|line| format!("stderr: {line}")));
    lines
}

fn end(text: &str) -> impl Iterator<Item = &str> {
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.len().saturating_sub(SHOWN);
    lines.into_iter().skip(first)
}

/// Returns text without the escape sequences of terminals, and with a space for each other control character.
fn printable(text: &str) -> String {
    let plain = console::strip_ansi_codes(text);
    plain.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::tests::rows;
    use super::*;

    #[test]
    fn each_verdict_is_a_line_below_what_explains_it() {
        insta::assert_snapshot!(text(&rows()));
    }

    #[test]
    fn output_cannot_look_like_a_result() {
        let results =
            text(&rows()).lines().filter(|line| line.starts_with("ok ") || line.starts_with("not ok ")).count();
        assert_eq!(results, rows().len());
    }

    #[test]
    fn long_output_is_shown_by_its_end() {
        let out: String = (0..100).map(|number| format!("line {number}\n")).collect();
        let row = Row { out, ..Row::new("vgem", "a", Verdict::Failed { why: "x".into(), details: Vec::new() }) };
        let text = text(&[row]);
        assert!(text.contains("# stdout: line 80\n") && !text.contains("line 79\n"), "{text}");
    }
}
