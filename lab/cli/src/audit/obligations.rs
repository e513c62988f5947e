// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Reads which tests show which obligation: the table and the list of tests in docs/reference/obligations.md.

use std::path::Path;

use drydock_base::error::{Context, Error, Kind, Result};

use super::Shown;
use super::tests_by_name::{Tests, alternatives};

/// The page with a table of the obligations and, below it, a list of the tests that show each.
const PAGE: &str = "docs/reference/obligations.md";
/// A page whose paragraphs name tests behind [`TRIED_BY`].
const HOLES: &str = "docs/reference/holes.md";
const TRIED_BY: &str = "Tried by: ";
/// The beginning of a command.
const COMMAND: &str = "./drydock ";
/// The number of obligations: L1 to L28, and those of mode setting that are built.
const COUNT: usize = 28 + 38;

/// An obligation with its item of the list, `- L1: tests`.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    name: String,
    /// Patterns of test names.
    tests: Vec<String>,
    /// The command that shows it if no test does.
    command: Option<String>,
}

/// The list of tests by obligation, and what else the pages say is a test.
#[derive(Debug)]
pub(super) struct Obligations {
    rows: Vec<Row>,
    /// Patterns in [`HOLES`].
    tried: Vec<String>,
}

impl Obligations {
    /// Reads the pages. Fails unless the table and the list have the same obligations, each once.
    pub(super) fn read(repo: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(repo.join(PAGE)).with_context(|| format!("failed to read `{PAGE}`"))?;
        let rows = items(&text);
        let listed: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
        let table = table(&text);
        if table.len() != COUNT || listed != table {
            let (table, list) = (table.len(), listed.len());
            let message = format!("`{PAGE}`: the table has {table} obligations and the list of tests {list}");
            return Err(Error::new(Kind::Check, message)
                .hint(format!("both name the same {COUNT} in order: `| L1 | …` and `- L1: …`")));
        }
        let holes = std::fs::read_to_string(repo.join(HOLES)).with_context(|| format!("failed to read `{HOLES}`"))?;
        Ok(Self { rows, tried: tried_by(&holes) })
    }

    #[cfg(test)]
    pub(super) fn of(list: &str) -> Self {
        Self { rows: items(list), tried: Vec::new() }
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

/// The names in the table's rows, `| L1 | what must hold | held by |`.
fn table(page: &str) -> Vec<&str> {
    let names = page.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" |"));
    names.map(|(name, _)| name).filter(|name| is_name(name)).collect()
}

/// The items of the list, `- L1: tests`. An item goes on in lines that begin with two spaces.
fn items(page: &str) -> Vec<Row> {
    let mut items: Vec<(&str, String)> = Vec::new();
    let mut open = false;
    for line in page.lines() {
        let begun = line.strip_prefix("- ").and_then(|item| item.split_once(": ")).filter(|(name, _)| is_name(name));
        if let Some((name, tests)) = begun {
            items.push((name, tests.to_owned()));
        } else if let (true, Some(more), Some((_, tests))) = (open, line.strip_prefix("  "), items.last_mut()) {
            tests.push(' ');
            tests.push_str(more);
        }
        open = begun.is_some() || (open && line.starts_with("  "));
    }
    items.into_iter().map(|(name, tests)| Row::new(name, &tests)).collect()
}

/// Whether a word is an obligation's name: `L1`, or `K1` for one of mode setting.
pub(super) fn is_name(word: &str) -> bool {
    word.strip_prefix(['L', 'K']).is_some_and(|number| number.parse::<u8>().is_ok())
}

impl Row {
    fn new(name: &str, shown: &str) -> Self {
        Self {
            name: name.to_owned(),
            tests: quoted(shown).filter(is_pattern).map(str::to_owned).collect(),
            command: quoted(shown).find(|word| word.starts_with(COMMAND)).map(str::to_owned),
        }
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

    const ITEM: &str = "- L5: `life::l5_*`;\n  tidy: `a` occurs once\n";

    #[test]
    fn an_item_names_tests_or_a_command() {
        let rows = items(&format!("{ITEM}- L17: `./drydock bench`: it is C's\n\n  `other::text`\n- `L6`: `x::y`\n"));
        let [first, second] = &rows[..] else { panic!("{rows:?}") };
        assert_eq!((first.name.as_str(), &first.tests[..]), ("L5", &["life::l5_*".to_owned()][..]));
        assert_eq!((second.tests.len(), second.command.as_deref()), (0, Some("./drydock bench")));
    }

    #[test]
    fn a_long_item_goes_on_in_indented_lines() {
        let rows = items("- L1: `a::b`,\n  `c::d`\n\nText\n");
        assert_eq!(rows[0].tests, ["a::b", "c::d"]);
    }

    #[test]
    fn table_has_the_names_of_its_rows() {
        let page = "| | what must hold | held by |\n|---|---|---|\n| L1 | One. | `a.rs` |\n| L28 | Two. | `b.rs` |\n";
        assert_eq!(table(page), ["L1", "L28"]);
    }

    #[test]
    fn a_paragraph_names_what_tries_it() {
        let page = "*Ours.* `drm::x` is.\n\nTried by: `life::a`, `compile-fail::gem::{b,c}`,\n`life::d`.\n\n## 2\n";
        assert_eq!(tried_by(page), ["life::a", "compile-fail::gem::{b,c}", "life::d"]);
    }

    #[test]
    fn a_name_that_means_no_test_is_noticed() {
        let list = Obligations::of(ITEM);
        assert_eq!(list.complaints(&Tests::of(&["life::l5_unplug"])), [""; 0]);
        assert_eq!(
            list.complaints(&Tests::of(&["life::l6"])),
            ["docs/reference/obligations.md: L5: no test is called `life::l5_*`"]
        );
        let several = Obligations::of("- L5: `life::{l5_unplug,gone}`");
        assert_eq!(
            several.complaints(&Tests::of(&["life::l5_unplug"])),
            ["docs/reference/obligations.md: L5: no test is called `life::gone`"]
        );
    }
}
