// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `drydock audit`: lists every `unsafe` of `kernel/`, the obligations that its comment cites, and the tests of those
//! obligations.
//!
//! The audit finds a comment that is missing or cites no tested obligation. It cannot find a comment that is wrong: a person
//! must read each one against the C source.
//!
//! The table is generated from the sources on each run and stored nowhere. `scan.rs` finds each `unsafe` and its
//! comment, `obligations.rs` reads which tests show which obligation (docs/reference/obligations.md), and this file combines both.
//!
//! Source: docs/reference/obligations.md for L1 to L28; the Rust reference, "The `unsafe` keyword".

mod obligations;
mod scan;
mod table;
mod tests_by_name;

use std::collections::BTreeSet;
use std::path::Path;

use clap::Args;
use serde::Serialize;

use drydock_base::error::{Error, Kind, Result};
use drydock_base::events::Events;
use drydock_base::repo::rust_files;
use drydock_base::{exit, repo};

use obligations::Obligations;
use scan::{Found, Role};
use tests_by_name::Tests;

/// List every `unsafe` in kernel code, with the obligations that it cites
///
/// For each `unsafe` in `kernel/`, lists the start of its comment, the obligations that the comment cites, and how many
/// tests those have. Lists the tests below, by obligation. Fails if an `unsafe` has no comment, cites no obligation or
/// one without tests, or is in a driver. Does not judge whether a comment is true.
#[derive(Debug, Args)]
pub struct Options {
    /// Show only files whose path contains this
    filter: Option<String>,
    /// Show only the counts
    #[arg(long)]
    summary: bool,
}

/// The directory of the sources to audit, in the checkout.
const SOURCES: &str = "kernel";
/// The directories that must not contain `unsafe`.
const DRIVERS: [&str; 2] = ["kernel/drivers/", "kernel/examples/"];

/// One `unsafe`.
#[derive(Clone, Debug, Serialize)]
struct Row {
    /// The file, from the checkout's root.
    file: String,
    line: usize,
    role: Role,
    /// The first words of its comment, or of the safety requirements for its callers.
    reason: Option<String>,
    /// Obligations that the comment names.
    cited: Vec<String>,
    /// The tests that show those obligations.
    tests: Vec<String>,
}

/// The counts of one file.
#[derive(Clone, Debug, Serialize)]
struct FileCount {
    file: String,
    blocks: usize,
    impls: usize,
    functions: usize,
}

/// The result of an audit.
#[derive(Debug, Serialize)]
struct Audit {
    rows: Vec<Row>,
    files: Vec<FileCount>,
    /// Every obligation with its tests.
    obligations: Vec<Shown>,
    /// Violations, each of which fails the audit.
    complaints: Vec<String>,
}

/// An obligation with its tests or its command.
#[derive(Clone, Debug, Serialize)]
struct Shown {
    obligation: String,
    /// Test-name patterns, as docs/reference/obligations.md writes them.
    patterns: Vec<String>,
    /// The command that shows it if no test does.
    command: Option<String>,
    tests: Vec<String>,
}

/// Runs `drydock audit`.
pub fn main(options: Options, events: &Events) -> Result<u8> {
    let repo = repo::root()?;
    let mut audit = audit(&repo)?;
    if let Some(part) = &options.filter {
        audit.narrow(part);
    }
    events.result(&audit, |audit| table::text(audit, options.summary));
    Ok(if audit.complaints.is_empty() { exit::OK } else { exit::CHECK })
}

fn audit(repo: &Path) -> Result<Audit> {
    let tests = Tests::read(repo)?;
    let obligations = Obligations::read(repo)?;
    let mut complaints = obligations.complaints(&tests);
    let (mut rows, mut files) = (Vec::new(), Vec::new());
    for (file, text) in rust_files(repo, SOURCES)? {
        let found = scan::scan(&text).map_err(|error| Error::new(Kind::Check, format!("`{file}`: {error}")))?;
        complaints.extend(found.iter().filter_map(|found| complaint(&file, found)));
        files.extend(FileCount::of(&file, &found));
        rows.extend(found.into_iter().map(|found| Row::new(&file, found, &obligations, &tests)));
    }
    complaints.extend(rows.iter().filter_map(|row| row.complaint(&obligations, &tests)));
    Ok(Audit { rows, files, obligations: obligations.shown(&tests), complaints })
}

pub(crate) use tests_by_name::guest_cases;

fn complaint(file: &str, found: &Found) -> Option<String> {
    let place = format!("{file}:{}", found.line);
    if DRIVERS.iter().any(|directory| file.starts_with(directory)) {
        return Some(format!("{place}: `unsafe` in a driver"));
    }
    let missing = match found.role {
        Role::Block | Role::Impl | Role::Attribute | Role::Method => "no `SAFETY:` comment",
        Role::Function | Role::Trait => "no `# Safety` section states the caller's obligations",
    };
    found.reason.is_none().then(|| format!("{place}: {missing}"))
}

impl Row {
    fn new(file: &str, found: Found, table: &Obligations, tests: &Tests) -> Self {
        let Found { line, role, reason, obligations: cited } = found;
        let shown: BTreeSet<_> = cited.iter().flat_map(|name| table.tests_of(name, tests)).collect();
        let tests = shown.into_iter().map(str::to_owned).collect();
        Self { file: file.to_owned(), line, role, reason, cited, tests }
    }

    /// Returns what is missing besides a reason: a cited obligation, or a test of one.
    fn complaint(&self, table: &Obligations, tests: &Tests) -> Option<String> {
        self.reason.as_ref()?;
        let place = format!("{}:{}", self.file, self.line);
        if self.cited.is_empty() {
            return Some(format!("{place}: the comment cites no obligation of docs/reference/obligations.md"));
        }
        let untested = self.cited.iter().find(|name| table.tests_of(name, tests).is_empty())?;
        Some(format!("{place}: no test shows {untested}"))
    }
}

impl Audit {
    /// Keeps only files whose path contains `part` and the obligations they cite. Complaints stay.
    fn narrow(&mut self, part: &str) {
        self.rows.retain(|row| row.file.contains(part));
        self.files.retain(|count| count.file.contains(part));
        let named: BTreeSet<&String> = self.rows.iter().flat_map(|row| &row.cited).collect();
        self.obligations.retain(|shown| named.contains(&shown.obligation));
    }
}

impl FileCount {
    /// Counts the findings in `file`; `None` if there are none.
    fn of(file: &str, found: &[Found]) -> Option<Self> {
        let count = |roles: &[Role]| found.iter().filter(|found| roles.contains(&found.role)).count();
        let (blocks, impls) = (count(&[Role::Block, Role::Attribute]), count(&[Role::Impl]));
        let functions = count(&[Role::Function, Role::Method, Role::Trait]);
        (!found.is_empty()).then(|| Self { file: file.to_owned(), blocks, impls, functions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> Audit {
        audit(&repo::root().unwrap()).unwrap()
    }

    #[test]
    fn every_unsafe_has_its_reason_and_a_tested_obligation_and_none_is_in_a_driver() {
        let audit = here();
        assert!(audit.complaints.is_empty(), "\n{}\n", audit.complaints.join("\n"));
    }

    #[test]
    fn the_library_is_looked_at() {
        let audit = here();
        let device = audit.files.iter().find(|count| count.file == "kernel/drm/device.rs").unwrap();
        assert!(device.blocks > 10 && device.functions > 2, "{device:?}");
        let blocks: usize = audit.files.iter().map(|count| count.blocks).sum();
        assert!(blocks > 200, "{blocks}");
    }

    #[test]
    fn a_row_has_the_tests_of_what_its_comment_names() {
        let audit = here();
        let row = audit.rows.iter().find(|row| row.cited == ["L21", "L23"]).unwrap();
        for test in ["event::read_in_order", "syncobj::signalled_from_the_start"] {
            assert!(row.tests.iter().any(|name| name == test), "{row:?}");
        }
    }

    #[test]
    fn a_row_without_an_obligation_or_with_one_that_no_test_shows_is_a_complaint() {
        let table = Obligations::of("- L1: `c::*`\n- L2: `./drydock bench`\n");
        let tests = Tests::of(&["c::one"]);
        let complaint = |comment: &str| {
            let found = scan::scan(&format!("{comment}\nconst A: () = unsafe {{ b() }};\n")).unwrap().remove(0);
            Row::new("kernel/drm/b/e.rs", found, &table, &tests).complaint(&table, &tests)
        };
        assert_eq!(complaint("// SAFETY: Yes (L1)."), None);
        assert_eq!(complaint("// It is complained of already, as one without a reason."), None);
        let complaint = |comment| complaint(comment).unwrap();
        let place = "kernel/drm/b/e.rs:2";
        assert_eq!(
            complaint("// SAFETY: Yes."),
            format!("{place}: the comment cites no obligation of docs/reference/obligations.md")
        );
        assert_eq!(complaint("// SAFETY: Yes (L2)."), format!("{place}: no test shows L2"));
        assert_eq!(complaint("// SAFETY: Yes (L1, L99)."), format!("{place}: no test shows L99"));
    }

    #[test]
    fn a_part_is_shown_with_what_it_argues_from() {
        let mut audit = here();
        audit.narrow("kernel/drm/time.rs");
        let names: Vec<_> = audit.obligations.iter().map(|shown| shown.obligation.as_str()).collect();
        assert_eq!((audit.files.len(), names), (1, vec!["L28"]));
    }

    #[test]
    fn no_row_argues_from_everything_at_once() {
        let audit = here();
        let many: Vec<_> = audit.rows.iter().filter(|row| row.cited.len() > 3).collect();
        assert!(many.is_empty(), "{many:#?}");
    }
}
