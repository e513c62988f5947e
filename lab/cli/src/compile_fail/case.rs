// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A case: one file that contains a mistake and its correction.
//!
//! A line that ends in `//~ WRONG` is the mistake. The lines after it that begin with `//=` replace it in the twin.
//! Without such lines, the twin leaves the wrong line out. Lines have the same numbers on both sides. The file's `//!`
//! comment says in one sentence what the mistake is, and then why it is one.

use std::path::{Path, PathBuf};

use drydock_base::error::{Context, Error, Kind, Result};

/// The directory of the cases, in the checkout.
pub(crate) const DIRECTORY: &str = "kernel/must-not-compile";

/// The path of the cases inside the root, where they are compiled.
pub(super) const INSIDE: &str = "/compile-fail";

/// The files that cases include: every case a driver, those of mode setting also displays.
pub(super) const SHARED: [&str; 2] = ["driver.rs", "display.rs"];

/// The mark at the end of a wrong line.
const WRONG: &str = "//~ WRONG";
/// The mark at the beginning of a line of the twin.
const RIGHT: &str = "//=";

/// A side of a case: the mistake, or the code that is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// With the mistake.
    Wrong,
    /// The twin.
    Right,
}

impl Side {
    /// Returns the name of its directory while it is compiled.
    pub(super) fn directory(self) -> &'static str {
        match self {
            Self::Wrong => "wrong",
            Self::Right => "right",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Case {
    /// `AREA/MISTAKE`.
    pub(crate) name: String,
    /// The file that stores the compiler's message.
    pub(crate) message_path: PathBuf,
    lines: Vec<Line>,
}

/// A line of the file, without its mark.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Both(String),
    Wrong(String),
    Right(String),
}

/// Returns all cases of a checkout, sorted by name.
pub(crate) fn all(repo: &Path) -> Result<Vec<Case>> {
    let directory = repo.join(DIRECTORY);
    let mut cases = Vec::new();
    for area in list(&directory)?.iter().filter(|path| path.is_dir()) {
        for path in list(area)?.iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs")) {
            let name = path.with_extension("").strip_prefix(&directory).expect("it was listed there").to_owned();
            cases.push(Case::read(name.to_string_lossy().into_owned(), path)?);
        }
    }
    Ok(cases)
}

fn list(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(directory).with_context(|| format!("failed to list `{}`", directory.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

impl Case {
    fn read(name: String, path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("failed to read `{}`", path.display()))?;
        Self::parse(name, path.with_extension("stderr"), &text)
    }

    fn parse(name: String, message_path: PathBuf, text: &str) -> Result<Self> {
        let lines: Vec<_> = text.lines().map(Line::parse).collect();
        let case = Self { name, message_path, lines };
        let problem = match () {
            () if !case.lines.iter().any(|line| matches!(line, Line::Wrong(_))) => "no line ends in `//~ WRONG`",
            () if case.comment().next().is_none_or(str::is_empty) => "no `//!` comment says what the mistake is",
            () => return Ok(case),
        };
        Err(Error::new(Kind::Machinery, format!("`{DIRECTORY}/{}.rs` is not a case: {problem}", case.name)))
    }

    /// Returns the source for one side.
    pub(crate) fn source(&self, side: Side) -> String {
        let mut source = String::new();
        for line in &self.lines {
            match (line, side) {
                (Line::Both(text), _) | (Line::Wrong(text), Side::Wrong) | (Line::Right(text), Side::Right) => {
                    source.push_str(text);
                }
                _ => {}
            }
            source.push('\n');
        }
        source
    }

    /// Returns the mistake in one sentence.
    pub(crate) fn title(&self) -> &str {
        self.comment().next().unwrap_or_default()
    }

    /// Returns why it is a mistake.
    pub(crate) fn reason(&self) -> String {
        let lines: Vec<_> = self.comment().skip(1).skip_while(|line| line.is_empty()).collect();
        lines.join("\n")
    }

    fn comment(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().filter_map(|line| match line {
            Line::Both(text) if text.starts_with("//!") => Some(text[3..].trim()),
            _ => None,
        })
    }

    /// Returns the wrong lines and those of the twin, as a diff.
    pub(crate) fn difference(&self) -> String {
        let changed: Vec<_> = self.lines.iter().filter(|line| !matches!(line, Line::Both(_))).collect();
        let indent = |line: &&Line| line.text().len() - line.text().trim_start().len();
        let common = changed.iter().filter(|line| !line.text().is_empty()).map(indent).min().unwrap_or(0);
        let shown = changed.iter().filter_map(|line| match line {
            // A mistake can be that a line is missing.
            Line::Wrong(text) if !text.is_empty() => Some(format!("- {}\n", &text[common..])),
            Line::Right(text) if !text.is_empty() => Some(format!("+ {}\n", &text[common..])),
            _ => None,
        });
        shown.collect()
    }

    /// Returns the message stored beside the case.
    pub(crate) fn kept_message(&self) -> Option<String> {
        std::fs::read_to_string(&self.message_path).ok()
    }
}

impl Line {
    fn parse(line: &str) -> Self {
        if let Some(text) = line.strip_suffix(WRONG) {
            return Self::Wrong(text.trim_end().to_owned());
        }
        let indent = line.len() - line.trim_start().len();
        match line.trim_start().strip_prefix(RIGHT) {
            Some(text) => Self::Right(format!("{}{}", &line[..indent], text.strip_prefix(' ').unwrap_or(text))),
            None => Self::Both(line.to_owned()),
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Both(text) | Self::Wrong(text) | Self::Right(text) => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "//! A mistake.\n//!\n//! A reason.\nfn f() {\n    wrong(); //~ WRONG\n    //= right();\n}\n";

    fn parse(text: &str) -> Result<Case> {
        Case::parse("area/mistake".into(), "mistake.stderr".into(), text)
    }

    #[test]
    fn one_file_holds_both_sides_line_by_line() {
        let case = parse(TEXT).unwrap();
        let head = "//! A mistake.\n//!\n//! A reason.\nfn f() {\n";
        assert_eq!(case.source(Side::Wrong), format!("{head}    wrong();\n\n}}\n"));
        assert_eq!(case.source(Side::Right), format!("{head}\n    right();\n}}\n"));
        assert_eq!((case.title(), case.reason().as_str()), ("A mistake.", "A reason."));
        assert_eq!(case.difference(), "- wrong();\n+ right();\n");
    }

    #[test]
    fn a_file_without_a_mistake_or_a_comment_is_not_a_case() {
        assert!(parse("//! A mistake.\nfn f() {}\n").unwrap_err().to_string().contains("`//~ WRONG`"));
        assert!(parse("wrong(); //~ WRONG\n").unwrap_err().to_string().contains("comment"));
    }
}
