// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The audit for a reader at a terminal.

use super::{Audit, FileCount, Row, Shown};

/// How much of a reason is shown.
const REASON: usize = 76;

/// Rows by file, counts, obligations, complaints; without the rows if only counts are wanted.
pub(super) fn text(audit: &Audit, summary: bool) -> String {
    let mut lines = Vec::new();
    for count in &audit.files {
        lines.push(head(count));
        let rows = audit.rows.iter().filter(|row| row.file == count.file && !summary);
        lines.extend(rows.map(line));
    }
    lines.push(String::new());
    lines.push("the obligations (docs/life-cycle.md), how many tests show each, and which:".to_owned());
    lines.extend(audit.obligations.iter().map(shown));
    lines.push(String::new());
    lines.extend(audit.complaints.iter().cloned());
    lines.push(total(audit));
    lines.join("\n")
}

fn head(count: &FileCount) -> String {
    let part = |number: usize, name: &str| match number {
        0 => None,
        1 => Some(format!("1 {name}")),
        _ => Some(format!("{number} {name}s")),
    };
    let parts = [part(count.blocks, "block"), part(count.impls, "impl"), part(count.functions, "declaration")];
    format!("{}: {}", count.file, parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

fn line(row: &Row) -> String {
    let cited = if row.cited.is_empty() { "NONE".to_owned() } else { row.cited.join(" ") };
    let reason = row.reason.as_deref().unwrap_or("NO REASON");
    format!("{:>7}  {:9}  {cited:18}  {:>3} tests  {}", row.line, row.role.word(), row.tests, shortened(reason))
        .trim_end()
        .to_owned()
}

fn shown(shown: &Shown) -> String {
    let (count, by) = match (shown.tests.len(), &shown.command) {
        (0, Some(command)) => ("-".to_owned(), format!("no test, but `{command}`")),
        (count, _) => (count.to_string(), shown.patterns.join(", ")),
    };
    format!("    {:4}  {count:>3}  {by}", shown.obligation).trim_end().to_owned()
}

fn shortened(reason: &str) -> String {
    match reason.char_indices().nth(REASON) {
        Some((end, _)) => format!("{}…", reason[..end].trim_end()),
        None => reason.to_owned(),
    }
}

fn total(audit: &Audit) -> String {
    let sum = |count: fn(&FileCount) -> usize| audit.files.iter().map(count).sum::<usize>();
    let (blocks, impls, functions) = (sum(|c| c.blocks), sum(|c| c.impls), sum(|c| c.functions));
    let verdict = match audit.complaints.len() {
        0 => "all with a reason and a tested obligation, none in a driver".to_owned(),
        1 => "1 complaint".to_owned(),
        count => format!("{count} complaints"),
    };
    let files = audit.files.len();
    format!("{blocks} unsafe blocks, {impls} impls and {functions} declarations in {files} files: {verdict}")
}

#[cfg(test)]
mod tests {
    use super::super::scan::Role;
    use super::*;

    /// An obligation that tests show, or a command.
    fn by(name: &str, pattern: &str, command: Option<&str>) -> Shown {
        let names = |name: &str| if command.is_some() { Vec::new() } else { vec![name.to_owned()] };
        let (patterns, tests) = (names(pattern), names("life::a"));
        Shown { obligation: name.into(), patterns, command: command.map(str::to_owned), tests }
    }

    #[test]
    fn a_file_is_a_head_and_its_rows() {
        let row = |line, cited: &[&str]| Row {
            file: "kernel/drm/a.rs".into(),
            line,
            role: Role::Block,
            reason: Some("It is alive.".into()),
            cited: cited.iter().map(|&name| name.into()).collect(),
            tests: 3,
        };
        let audit = Audit {
            rows: vec![row(7, &["L6"]), row(120, &[])],
            files: vec![FileCount { file: "kernel/drm/a.rs".into(), blocks: 2, impls: 0, functions: 1 }],
            obligations: vec![by("L6", "life::*", None), by("L17", "", Some("./drydock bench"))],
            complaints: Vec::new(),
        };
        insta::assert_snapshot!(text(&audit, false), @r"
        kernel/drm/a.rs: 2 blocks, 1 declaration
              7  block      L6                    3 tests  It is alive.
            120  block      NONE                  3 tests  It is alive.

        the obligations (docs/life-cycle.md), how many tests show each, and which:
            L6      1  life::*
            L17     -  no test, but `./drydock bench`

        2 unsafe blocks, 0 impls and 1 declarations in 1 files: all with a reason and a tested obligation, none in a driver
        ");
    }
}
