// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Keeps compiler warnings for each object until it is compiled again: the user of a driver sees its warnings each
//! time, not only when `make` has compiled it.
//!
//! Source: the text of rustc's and gcc's diagnostics; Kbuild's `.NAME.o.cmd` files, which list the sources of an
//! object.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use drydock_base::cache;
use drydock_base::error::{Context, Result};

/// The file beside the objects that stores the warnings.
const KEPT: &str = ".warnings.json";

/// The warnings of all objects in a directory, by object.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Warnings(BTreeMap<String, Vec<String>>);

impl Warnings {
    /// Reads the warnings stored in `out` and updates them from the output of `make`, whether the build succeeded or
    /// not.
    pub(super) fn update(out: &Path, said: &[String]) -> Result<Self> {
        let path = out.join(KEPT);
        let mut kept: Self =
            fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        let sources = |object: &str| fs::read_to_string(out.join(command_of(object))).unwrap_or_default();
        let compiled: BTreeMap<_, _> =
            compiled(said).into_iter().map(|object| (object.clone(), sources(&object))).collect();
        kept.0.retain(|object, _| !compiled.contains_key(object) && out.join(command_of(object)).exists());
        for warning in parse(said) {
            let of = compiled.iter().find(|(_, sources)| sources.contains(&warning.file));
            if let Some((object, _)) = of {
                kept.0.entry(object.clone()).or_default().push(warning.text);
            }
        }
        cache::write_atomically(&path, serde_json::to_vec_pretty(&kept).expect("names are strings"))
            .context("failed to keep the compilers' warnings")?;
        Ok(kept)
    }

    /// Returns each warning once: a crate may be part of several modules.
    pub(super) fn texts(&self) -> BTreeSet<&str> {
        self.0.values().flatten().map(String::as_str).collect()
    }
}

/// Returns the command file of an object: `a/.b.o.cmd` for `a/b.o`.
fn command_of(object: &str) -> String {
    match object.rsplit_once('/') {
        Some((directory, name)) => format!("{directory}/.{name}.cmd"),
        None => format!(".{object}.cmd"),
    }
}

/// Returns the objects that Kbuild reports as compiled: `  RUSTC [M] a/b.o`.
fn compiled(said: &[String]) -> BTreeSet<String> {
    let object = |line: &String| {
        let mut words = line.strip_prefix("  ")?.split_whitespace();
        let compiles = matches!(words.next()?, "RUSTC" | "CC" | "CLIPPY");
        words.last().filter(|word| compiles && word.ends_with(".o")).map(str::to_owned)
    };
    said.iter().filter_map(object).collect()
}

/// One warning of a compiler.
#[derive(Debug, PartialEq, Eq)]
struct Warning {
    /// The file that it is about, as passed to the compiler.
    file: String,
    /// All its lines.
    text: String,
}

/// Returns the warnings among the lines of a build. Empty lines were already removed, so nothing separates warnings.
fn parse(said: &[String]) -> Vec<Warning> {
    let mut found = Vec::new();
    let mut lines = said.iter().map(String::as_str).peekable();
    while let Some(line) = lines.next() {
        if !begins(line) {
            continue;
        }
        let mut text = vec![line];
        while let Some(next) = lines.next_if(|next| continues(next)) {
            text.push(next);
        }
        if let Some(file) = of_gcc(line).or_else(|| text.iter().find_map(|line| place(line))) {
            found.push(Warning { file: file.to_owned(), text: text.join("\n") });
        }
    }
    found
}

fn begins(line: &str) -> bool {
    line.starts_with("warning: ") || line.starts_with("warning[") || of_gcc(line).is_some()
}

/// Returns the file of `FILE:LINE:COLUMN: warning: …`.
fn of_gcc(line: &str) -> Option<&str> {
    let (place, _) = line.split_once(": warning: ")?;
    Some(place.split(':').next().unwrap_or(place)).filter(|file| file.starts_with('/'))
}

/// Returns the file of rustc's `  --> FILE:LINE:COLUMN`.
fn place(line: &str) -> Option<&str> {
    line.trim_start().strip_prefix("--> ")?.split(':').next()
}

/// Returns whether a line belongs to the warning before it: numbered source, remarks, help. Kbuild's next step does
/// not.
fn continues(line: &str) -> bool {
    let is_step = line.strip_prefix("  ").and_then(|rest| rest.split(' ').next());
    let is_step = is_step.is_some_and(|word| word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase()));
    let remark = ["note:", "help:", "..."].iter().any(|word| line.starts_with(word));
    !is_step && (remark || line.starts_with(|c: char| c == ' ' || c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUST: &str = "  RUSTC [M] drivers/a/a.o\nwarning: unused variable: `x`\n  --> /kernel-src/drivers/a/part.rs:3:9\n   |\n\
                        3  |     let x = 1;\n   |         ^ help: try `_x`\n   = note: on by default\n\
                        warning: 1 warning emitted\n";
    const C: &str = "  CC [M]  tests/b.o\n/kernel-src/tests/b.c: In function 'f':\n\
                     /kernel-src/tests/b.c:3:5: warning: unused variable 'y' [-Wunused-variable]\n    3 | int y;\n\
                     make[1]: leaving\n";

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn warnings_of_both_compilers_are_read_whole() {
        let found = parse(&lines(&[RUST, C].concat()));
        let files: Vec<_> = found.iter().map(|warning| warning.file.as_str()).collect();
        assert_eq!(files, ["/kernel-src/drivers/a/part.rs", "/kernel-src/tests/b.c"]);
        assert!(found[0].text.ends_with("= note: on by default"), "{}", found[0].text);
        assert!(found[1].text.ends_with("3 | int y;"), "{}", found[1].text);
    }

    #[test]
    fn warning_stays_until_its_object_is_compiled_again() {
        let dir = tempfile::tempdir().unwrap();
        let note = |object: &str, source: &str| {
            cache::write_atomically(&dir.path().join(command_of(object)), format!("source := {source}\n")).unwrap();
        };
        note("drivers/a/a.o", "/kernel-src/drivers/a/a.rs /kernel-src/drivers/a/part.rs");
        note("tests/b.o", "/kernel-src/tests/b.c");
        let update = |said: &str| Warnings::update(dir.path(), &lines(said)).unwrap();
        assert_eq!(update(&[RUST, C].concat()).texts().len(), 2);
        assert_eq!(update("make: nothing to do\n").texts().len(), 2);
        let left = update("  RUSTC [M] drivers/a/a.o\n");
        assert!(left.texts().iter().all(|text| text.contains("unused variable 'y'")) && left.texts().len() == 1);
        // Removing a driver removes its warnings.
        fs::remove_file(dir.path().join(command_of("tests/b.o"))).unwrap();
        assert!(update("").texts().is_empty());
    }
}
