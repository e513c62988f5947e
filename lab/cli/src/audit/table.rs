// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Formats the audit for a terminal.

use super::{Audit, FileCount, Row, Shown};

/// The number of characters shown of a reason.
const REASON: usize = 76;
/// The width of lines that list tests.
const WIDTH: usize = 116;

/// Returns rows by file, counts, obligations and complaints. Leaves out the rows for a `summary`.
pub(super) fn text(audit: &Audit, summary: bool) -> String {
    let mut lines = Vec::new();
    for count in &audit.files {
        lines.push(head(count));
        let rows = audit.rows.iter().filter(|row| row.file == count.file && !summary);
        lines.extend(rows.map(line));
    }
    lines.push(String::new());
    lines.push(
        "obligations (docs/reference/obligations.md), with the number of their tests and their names:".to_owned(),
    );
    lines.extend(audit.obligations.iter().map(|obligation| shown(obligation, summary)));
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
    let (role, tests) = (row.role.word(), row.tests.len());
    format!("{:>7}  {role:9}  {cited:18}  {tests:>3} tests  {}", row.line, shortened(reason)).trim_end().to_owned()
}

/// Returns the tests: for a `summary` as docs/reference/obligations.md names them, or else one by one.
fn shown(shown: &Shown, summary: bool) -> String {
    let (count, by) = match (shown.tests.len(), &shown.command) {
        (0, Some(command)) => ("-".to_owned(), format!("no test, but `{command}`")),
        (count, _) if summary => (count.to_string(), shown.patterns.join(", ")),
        (count, _) => (count.to_string(), by_area(&shown.tests)),
    };
    wrapped(format!("    {:4}  {count:>3}  ", shown.obligation), &by).trim_end().to_owned()
}

/// Returns names in order, grouped by area: `life::{a, b}, race::c`.
fn by_area(names: &[String]) -> String {
    let mut areas: Vec<(&str, Vec<&str>)> = Vec::new();
    for (area, name) in names.iter().filter_map(|name| name.rsplit_once("::")) {
        match areas.last_mut() {
            Some((last, names)) if *last == area => names.push(name),
            _ => areas.push((area, vec![name])),
        }
    }
    let one = |(area, names): &(&str, Vec<&str>)| match names.as_slice() {
        [name] => format!("{area}::{name}"),
        _ => format!("{area}::{{{}}}", names.join(", ")),
    };
    areas.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Wraps words after `head` in lines of [`WIDTH`], indented to its end.
fn wrapped(head: String, words: &str) -> String {
    let indent = head.len();
    let (mut text, mut at) = (head, indent);
    for word in words.split(' ') {
        if at > indent && at + word.len() >= WIDTH {
            text.push('\n');
            text.push_str(&" ".repeat(indent));
            at = indent;
        }
        if at > indent {
            text.push(' ');
            at += 1;
        }
        text.push_str(word);
        at += word.len();
    }
    text
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
        0 => "each has a comment that cites a tested obligation, and no driver contains any; the audit does not judge whether a comment is true".to_owned(),
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

    fn audit() -> Audit {
        let row = |line, cited: &[&str]| Row {
            file: "kernel/drm/a.rs".into(),
            line,
            role: Role::Block,
            reason: Some("It is alive.".into()),
            cited: cited.iter().map(|&name| name.into()).collect(),
            tests: vec!["life::a".into(); 3 * cited.len()],
        };
        let names = |area: &str, count| (0..count).map(|number| format!("{area}::name_{number}")).collect();
        let shown = |name: &str, patterns: &[&str], tests| Shown {
            obligation: name.into(),
            patterns: patterns.iter().map(|&pattern| pattern.into()).collect(),
            command: patterns.is_empty().then(|| "./drydock bench".into()),
            tests,
        };
        Audit {
            rows: vec![row(7, &["L6"]), row(120, &["L5", "L6"]), row(130, &[])],
            files: vec![FileCount { file: "kernel/drm/a.rs".into(), blocks: 3, impls: 0, functions: 1 }],
            obligations: vec![
                shown("L5", &["life::name_*", "race"], [names("life", 12), names("race", 1)].concat()),
                shown("L6", &["gate::*"], names("compile-fail::gate", 2)),
                shown("L17", &[], Vec::new()),
            ],
            complaints: Vec::new(),
        }
    }

    #[test]
    fn a_file_is_a_head_and_its_rows_and_tests_are_listed_below() {
        insta::assert_snapshot!(text(&audit(), false), @r"
        kernel/drm/a.rs: 3 blocks, 1 declaration
              7  block      L6                    3 tests  It is alive.
            120  block      L5 L6                 6 tests  It is alive.
            130  block      NONE                  0 tests  It is alive.

        obligations (docs/reference/obligations.md), with the number of their tests and their names:
            L5     13  life::{name_0, name_1, name_2, name_3, name_4, name_5, name_6, name_7, name_8, name_9, name_10,
                       name_11}, race::name_0
            L6      2  compile-fail::gate::{name_0, name_1}
            L17     -  no test, but `./drydock bench`

        3 unsafe blocks, 0 impls and 1 declarations in 1 files: each has a comment that cites a tested obligation, and no driver contains any; the audit does not judge whether a comment is true
        ");
    }

    #[test]
    fn a_summary_has_the_tests_as_the_page_names_them() {
        insta::assert_snapshot!(text(&audit(), true), @r"
        kernel/drm/a.rs: 3 blocks, 1 declaration

        obligations (docs/reference/obligations.md), with the number of their tests and their names:
            L5     13  life::name_*, race
            L6      2  gate::*
            L17     -  no test, but `./drydock bench`

        3 unsafe blocks, 0 impls and 1 declarations in 1 files: each has a comment that cites a tested obligation, and no driver contains any; the audit does not judge whether a comment is true
        ");
    }
}
