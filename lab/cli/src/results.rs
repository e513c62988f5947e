// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Verdicts in files: JUnit XML for CI systems, KTAP, the kernel's format for test results, and a page for people.
//!
//! The files are written when the command ends, also if it fails or is interrupted.

mod html;
mod junit;
mod ktap;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use clap::Args;

use crate::verdict::Verdict;
use drydock_base::error::{Error, Kind, Result};
use drydock_base::events::Events;
use drydock_base::interrupt::{self, OnInterrupt};

/// The files that a command's verdicts are written to.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ResultOptions {
    /// Write the verdicts to FILE as JUnit XML, which CI systems can show
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write the verdicts to FILE as KTAP, the kernel's format for test results; `-` is stdout
    #[arg(long, value_name = "FILE")]
    ktap: Option<PathBuf>,
    /// Write the verdicts to FILE as an HTML page, with the output of commands and the pictures of their screens
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl ResultOptions {
    /// Returns the files with their formats.
    fn named(&self) -> impl Iterator<Item = (Format, &PathBuf)> {
        let all = [(Format::Junit, &self.junit), (Format::Ktap, &self.ktap), (Format::Html, &self.html)];
        all.into_iter().filter_map(|(format, path)| Some((format, path.as_ref()?)))
    }

    /// Refuses two formats in one file.
    fn check(&self) -> Result<()> {
        for (at, (format, path)) in self.named().enumerate() {
            if let Some((other, _)) = self.named().take(at).find(|(_, earlier)| *earlier == path) {
                let message = format!("`{}` and `{}` name the same file", other.option(), format.option());
                return Err(Error::new(Kind::Usage, message).hint("name two files"));
            }
        }
        Ok(())
    }

    /// Returns whether any file is wanted.
    pub(crate) fn any(&self) -> bool {
        self.named().next().is_some()
    }
}

/// The verdict on a test or a command, with its time and its output.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// The suite of a test, or the driver of a command.
    pub(crate) suite: String,
    /// The name within the suite.
    pub(crate) name: String,
    pub(crate) verdict: Verdict,
    pub(crate) seconds: f64,
    /// The end of its standard output, if that was kept.
    pub(crate) out: String,
    /// The end of its standard error, if that was kept.
    pub(crate) err: String,
    /// A picture of the screens, as a PNG file.
    pub(crate) picture: Option<Vec<u8>>,
}

impl Row {
    /// Returns a row without time and output.
    pub(crate) fn new(suite: &str, name: &str, verdict: Verdict) -> Self {
        let (suite, name) = (suite.to_owned(), name.to_owned());
        Self { suite, name, verdict, seconds: 0.0, out: String::new(), err: String::new(), picture: None }
    }
}

/// The format of a file.
#[derive(Clone, Copy, Debug)]
enum Format {
    Junit,
    Ktap,
    Html,
}

impl Format {
    fn option(self) -> &'static str {
        match self {
            Self::Junit => "--junit",
            Self::Ktap => "--ktap",
            Self::Html => "--html",
        }
    }

    fn text(self, rows: &[Row]) -> Result<String> {
        match self {
            Self::Junit => junit::text(rows),
            Self::Ktap => Ok(ktap::text(rows)),
            Self::Html => Ok(html::text(rows)),
        }
    }
}

/// The verdicts so far, and the files to write them to.
struct State {
    files: Vec<(Format, PathBuf)>,
    rows: Vec<Row>,
    /// Names that have no verdict yet, with their suites.
    planned: Vec<(String, String)>,
    written: bool,
    events: Events,
}

/// Collects verdicts and writes them to files.
pub(crate) struct Results {
    state: Arc<Mutex<State>>,
    /// The suite of a row about the whole command.
    suite: String,
    _on_interrupt: Option<OnInterrupt>,
}

/// The name of a row about the whole command.
const WHOLE: &str = "(run)";

impl Results {
    /// Refuses a file that cannot be created, and empties the files, so that no old verdict is taken for a new one.
    /// A row about the whole command is named `SUITE::(run)`.
    pub(crate) fn open(options: &ResultOptions, suite: &str, events: &Events) -> Result<Self> {
        options.check()?;
        let files: Vec<_> = options.named().map(|(format, path)| (format, path.clone())).collect();
        files.iter().try_for_each(|(format, path)| create(*format, path))?;
        let is_any = !files.is_empty();
        let state = State { files, rows: Vec::new(), planned: Vec::new(), written: false, events: events.clone() };
        let state = Arc::new(Mutex::new(state));
        let (shared, of_whole) = (Arc::clone(&state), suite.to_owned());
        let on_interrupt = is_any.then(|| interrupt::on_interrupt(move || interrupted(&shared, &of_whole)));
        Ok(Self { state, suite: suite.to_owned(), _on_interrupt: on_interrupt })
    }

    /// Sets the names that will get a verdict. Those that get none are reported as not run.
    pub(crate) fn plan<'n>(&self, names: impl Iterator<Item = &'n str>) {
        lock(&self.state).planned = names.map(|name| (self.suite.clone(), name.to_owned())).collect();
    }

    /// Adds a verdict. During an interrupt, failures are its consequences.
    pub(crate) fn add(&self, row: Row) {
        if !interrupt::happened() {
            lock(&self.state).add(row);
        }
    }

    /// Adds the failure of the whole command.
    pub(crate) fn add_failure(&self, error: &Error) {
        self.add(Row::new(&self.suite, WHOLE, Verdict::on_command(error)));
    }

    /// Writes the files at the end of a command, whose result it returns. During an interrupt, leaves the files to it.
    pub(crate) fn write_after<T>(self, result: Result<T>, events: &Events) -> Result<T> {
        if interrupt::happened() {
            return result;
        }
        match (result, lock(&self.state).write("not run")) {
            (Ok(_), Err(error)) => Err(error),
            (Err(first), Err(second)) => {
                events.warn(second.chain());
                Err(first)
            }
            (result, Ok(())) => result,
        }
    }
}

/// Refuses a file that cannot be created.
fn create(format: Format, path: &Path) -> Result<()> {
    match format {
        Format::Ktap if is_stdout(path) => return Ok(()),
        // A client's output before it would make the document invalid.
        Format::Junit | Format::Html if is_stdout(path) => {
            let message = format!("`{} -`: only KTAP can go to stdout", format.option());
            return Err(Error::new(Kind::Usage, message).hint("name a file"));
        }
        _ => {}
    }
    fs::write(path, "").map_err(|error| {
        let message = format!("cannot create `{}` for `{}`: {error}", path.display(), format.option());
        Error::new(Kind::Usage, message).hint("name a file in an existing directory that you can write to")
    })
}

fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

/// Writes what is known when the command is interrupted.
fn interrupted(state: &Mutex<State>, suite: &str) {
    let mut state = lock(state);
    let why = "interrupted".to_owned();
    state.add(Row::new(suite, WHOLE, Verdict::Undecided { why, details: Vec::new() }));
    if let Err(error) = state.write("no verdict: interrupted") {
        state.events.warn(error.chain());
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().expect("no holder of the lock panics")
}

impl State {
    fn add(&mut self, row: Row) {
        self.planned.retain(|(suite, name)| (suite, name) != (&row.suite, &row.name));
        self.rows.push(row);
    }

    /// Writes all files once. `why` is the reason for names without a verdict.
    fn write(&mut self, why: &str) -> Result<()> {
        if std::mem::replace(&mut self.written, true) {
            return Ok(());
        }
        let skipped = || Verdict::Skipped { why: why.to_owned() };
        let rest = std::mem::take(&mut self.planned);
        self.rows.extend(rest.into_iter().map(|(suite, name)| Row::new(&suite, &name, skipped())));
        for (format, path) in &self.files {
            let text = format.text(&self.rows)?;
            if is_stdout(path) {
                // The last line of a client's output may lack its end.
                self.events.print(&format!("\n{}", text.trim_end()));
                continue;
            }
            fs::write(path, text).map_err(|error| {
                Error::new(Kind::Machinery, format!("failed to write `{}`: {error}", path.display()))
            })?;
        }
        Ok(())
    }
}

/// Returns the rows of each suite, in the order in which the suites appear first.
fn by_suite(rows: &[Row]) -> Vec<(&str, Vec<&Row>)> {
    let mut suites: Vec<(&str, Vec<&Row>)> = Vec::new();
    for row in rows {
        match suites.iter_mut().find(|(suite, _)| *suite == row.suite) {
            Some((_, rows)) => rows.push(row),
            None => suites.push((&row.suite, vec![row])),
        }
    }
    suites
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a row of each kind, with output that no format may copy as it is.
    pub(super) fn rows() -> Vec<Row> {
        let hostile = "a\0b \x1b[31mred\x1b[0m <&>\"' ]]> \u{fffe}\u{7f}\r\nKTAP version 1\nnot ok 1 # SKIP x\n";
        let details = vec!["at   drm_open+0x1".to_owned()];
        let row = |name: &str, verdict| Row { seconds: 1.5, ..Row::new("vgem", name, verdict) };
        vec![
            row("lsgpu", Verdict::Passed),
            Row {
                out: hostile.to_owned(),
                err: "what\n".to_owned(),
                ..row("sh -c 'x # SKIP <y>'\n", Verdict::Failed { why: "exit code 3".into(), details: details.clone() })
            },
            row("later", Verdict::Skipped { why: "not run".into() }),
            Row::new("tyr", "run", Verdict::Undecided { why: "the host # starved it".into(), details }),
        ]
    }

    fn options(junit: PathBuf) -> ResultOptions {
        ResultOptions { junit: Some(junit), ..ResultOptions::default() }
    }

    #[test]
    fn file_that_cannot_be_created_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("none/junit.xml");
        let error = Results::open(&options(path.clone()), "vgem", &Events::silent()).err().unwrap();
        assert_eq!(error.kind(), Kind::Usage);
        let message = error.to_string();
        assert!(message.starts_with(&format!("cannot create `{}` for `--junit`: ", path.display())), "{message}");
    }

    #[test]
    fn old_verdicts_are_gone_before_new_ones_exist() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "old").unwrap();
        let _results = Results::open(&options(file.path().to_owned()), "vgem", &Events::silent()).unwrap();
        assert_eq!(fs::read_to_string(file.path()).unwrap(), "");
    }

    #[test]
    fn interrupted_command_leaves_the_verdicts_so_far() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let options = ResultOptions { ktap: Some(file.path().to_owned()), ..ResultOptions::default() };
        let results = Results::open(&options, "vgem", &Events::silent()).unwrap();
        results.plan(["a", "b"].into_iter());
        results.add(Row::new("vgem", "a", Verdict::Passed));
        interrupted(&results.state, "vgem");
        let expected = "KTAP version 1\n1..3\nok 1 vgem::a\nnot ok 2 vgem::(run) # ERROR interrupted\n\
                        ok 3 vgem::b # SKIP no verdict: interrupted\n";
        assert_eq!(fs::read_to_string(file.path()).unwrap(), expected);
        results.add(Row::new("vgem", "b", Verdict::Passed));
        results.write_after(Ok(()), &Events::silent()).unwrap();
        assert_eq!(fs::read_to_string(file.path()).unwrap(), expected, "it is written once");
    }

    #[test]
    fn only_ktap_can_go_to_stdout() {
        let html = ResultOptions { html: Some("-".into()), ..ResultOptions::default() };
        for (options, option) in [(options("-".into()), "--junit"), (html, "--html")] {
            let error = Results::open(&options, "vgem", &Events::silent()).err().unwrap();
            assert_eq!(error.to_string(), format!("`{option} -`: only KTAP can go to stdout"));
        }
    }

    #[test]
    fn one_file_for_two_formats_is_refused() {
        let file = |name: &str| Some(PathBuf::from(name));
        let same = ResultOptions { junit: file("a"), ktap: file("b"), html: file("b") };
        assert_eq!(same.check().unwrap_err().to_string(), "`--ktap` and `--html` name the same file");
        let other = ResultOptions { html: file("c"), ..same };
        assert!(other.check().is_ok());
    }

    #[test]
    fn planned_name_without_a_verdict_is_reported_as_not_run() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let options = ResultOptions { ktap: Some(file.path().to_owned()), ..ResultOptions::default() };
        let results = Results::open(&options, "vgem", &Events::silent()).unwrap();
        results.plan(["a", "b"].into_iter());
        results.add(Row::new("vgem", "a", Verdict::Passed));
        results.write_after(Ok(()), &Events::silent()).unwrap();
        let text = fs::read_to_string(file.path()).unwrap();
        assert_eq!(text, "KTAP version 1\n1..2\nok 1 vgem::a\nok 2 vgem::b # SKIP not run\n");
    }
}
