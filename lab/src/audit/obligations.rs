// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Reads which tests show which obligation, from the table in docs/life-cycle.md.

use std::path::Path;

use crate::error::{Context, Error, Kind, Result};

use super::Shown;
use super::tests_by_name::{Tests, alternatives};

/// The page with the table.
const PAGE: &str = "docs/life-cycle.md";
/// A page whose paragraphs name tests after [`TRIED_BY`].
const HOLES: &str = "docs/holes.md";
const TRIED_BY: &str = "Tried by: ";
/// The beginning of a command.
const COMMAND: &str = "./drydock ";
/// The number of obligations.
const COUNT: usize = 28;

/// A row of the table.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    name: String,
    /// Patterns of test names.
    tests: Vec<String>,
    /// The command that shows it if no test does.
    command: Option<String>,
}

/// The table, and the tests that the other page names.
#[derive(Debug)]
pub(super) struct Obligations {
    rows: Vec<Row>,
    /// Patterns in [`HOLES`].
    tried: Vec<String>,
}

impl Obligations {
    /// Reads the table.
    pub(super) fn read(repo: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(repo.join(PAGE)).with_context(|| format!("failed to read `{PAGE}`"))?;
        let rows: Vec<Row> = text.lines().filter_map(Row::parse).collect();
        if rows.len() != COUNT {
            let message = format!("`{PAGE}` has {} rows of obligations, expected {COUNT}", rows.len());
            return Err(Error::new(Kind::Check, message));
        }
        let holes = std::fs::read_to_string(repo.join(HOLES)).with_context(|| format!("failed to read `{HOLES}`"))?;
        Ok(Self { rows, tried: tried_by(&holes) })
    }

    #[cfg(test)]
    pub(super) fn of(lines: &[&str]) -> Self {
        Self { rows: lines.iter().filter_map(|line| Row::parse(line)).collect(), tried: Vec::new() }
    }

    /// Returns the tests that show an obligation.
    pub(super) fn tests_of<'t>(&self, obligation: &str, tests: &'t Tests) -> Vec<&'t str> {
        let rows = self.rows.iter().filter(|row| row.name == obligation);
        let mut found: Vec<_> = rows.flat_map(|row| &row.tests).flat_map(|pattern| tests.matching(pattern)).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Returns all obligations with their tests.
    pub(super) fn shown(&self, tests: &Tests) -> Vec<Shown> {
        let shown = |row: &Row| {
            let tests = self.tests_of(&row.name, tests).into_iter().map(str::to_owned).collect();
            let (patterns, command) = (row.tests.clone(), row.command.clone());
            Shown { obligation: row.name.clone(), patterns, command, tests }
        };
        self.rows.iter().map(shown).collect()
    }

    /// Returns names in the table that match no test.
    pub(super) fn complaints(&self, tests: &Tests) -> Vec<String> {
        let dead = |patterns: &[String]| -> Vec<String> {
            let each = patterns.iter().flat_map(|pattern| alternatives(pattern));
            each.filter(|pattern| tests.matching(pattern).is_empty()).collect()
        };
        let of_row = |row: &Row| {
            let dead = dead(&row.tests).into_iter();
            dead.map(|pattern| format!("{PAGE}: {}: no test is called `{pattern}`", row.name)).collect::<Vec<_>>()
        };
        let tried = dead(&self.tried).into_iter().map(|pattern| format!("{HOLES}: no test is called `{pattern}`"));
        self.rows.iter().flat_map(of_row).chain(tried).collect()
    }
}

impl Row {
    /// Parses `| L1 | what must hold | held by | shown by |`.
    fn parse(line: &str) -> Option<Self> {
        let cells: Vec<&str> = line.trim().trim_matches('|').split(" | ").map(str::trim).collect();
        let &[name, _, _, shown] = cells.as_slice() else { return None };
        let number = name.strip_prefix('L')?;
        number.parse::<u8>().ok()?;
        Some(Self {
            name: name.to_owned(),
            tests: quoted(shown).filter(is_pattern).map(str::to_owned).collect(),
            command: quoted(shown).find(|word| word.starts_with(COMMAND)).map(str::to_owned),
        })
    }
}

/// Returns the patterns in the paragraphs that begin with [`TRIED_BY`].
fn tried_by(page: &str) -> Vec<String> {
    let paragraphs = page.split("\n\n").filter_map(|paragraph| paragraph.trim().strip_prefix(TRIED_BY));
    paragraphs.flat_map(quoted).map(|word| word.replace(['\n', ' '], "")).collect()
}

/// Returns whether a word is a pattern of test names, as in `Tests::matching`.
fn is_pattern(word: &&str) -> bool {
    word.contains("::") && word.chars().all(|c| c.is_alphanumeric() || "_-:*{,}".contains(c))
}

/// Returns the texts between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str =
        "| L5 | Teardown, in order. | `registration.rs` (`Drop`), `fence/` | `life::l5_*`; tidy: `a` occurs once |";

    #[test]
    fn a_row_names_tests_or_a_command() {
        let row = Row::parse(LINE).unwrap();
        assert_eq!((row.name.as_str(), row.tests), ("L5", vec!["life::l5_*".to_owned()]));
        let bench = Row::parse("| L17 | No cost. | `ioctl.rs` | `./drydock bench`: it is C's |").unwrap();
        assert_eq!((bench.tests.len(), bench.command.as_deref()), (0, Some("./drydock bench")));
        assert_eq!(Row::parse("|---|---|---|---|"), None);
        assert_eq!(Row::parse("| | what must hold | held by | shown by |"), None);
    }

    #[test]
    fn a_paragraph_names_what_tries_it() {
        let page = "*Ours.* `drm::x` is.\n\nTried by: `life::a`, `compile-fail::gem::{b,c}`,\n`life::d`.\n\n## 2\n";
        assert_eq!(tried_by(page), ["life::a", "compile-fail::gem::{b,c}", "life::d"]);
    }

    #[test]
    fn a_name_that_means_no_test_is_noticed() {
        let table = Obligations::of(&[LINE]);
        assert_eq!(table.complaints(&Tests::of(&["life::l5_unplug"])), [""; 0]);
        assert_eq!(
            table.complaints(&Tests::of(&["life::l6"])),
            ["docs/life-cycle.md: L5: no test is called `life::l5_*`"]
        );
        let several = Obligations::of(&["| L5 | a | `b.rs` | `life::{l5_unplug,gone}` |"]);
        assert_eq!(
            several.complaints(&Tests::of(&["life::l5_unplug"])),
            ["docs/life-cycle.md: L5: no test is called `life::gone`"]
        );
    }
}
