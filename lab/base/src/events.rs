// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Everything that happens in the lab is an [`Event`]. Terminal, plain lines and JSON are readers of events.
//!
//! Results meant for another program go to stdout ([`Events::result`]). Events go to stderr in every form.

mod json;
mod lost;
mod plain;
mod terminal;

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use serde::Serialize;

pub use lost::of_output;
use lost::{Lost, Noting};

use crate::holders;

/// Identifies a step in the events about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct StepId(u64);

/// The unit of a step's progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Bytes of a download or an unpacked archive.
    Bytes,
    /// Countable things: packages, files, tests.
    Items,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The step did what its title says.
    Done,
    /// The step failed, or an error ended it early.
    Failed,
}

/// A command of `run`, and its place among all of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Position {
    /// The name of the command.
    pub command: String,
    /// Its number, from 1.
    pub number: usize,
    /// The number of commands.
    pub of: usize,
}

/// Something that happened.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A step begins. It is visible until it finishes.
    StepStarted {
        /// The step that it is about.
        step: StepId,
        /// The step's action, as a lower-case phrase: `unpacking the toolchain`.
        title: String,
    },
    /// A step reports its progress.
    StepProgress {
        /// The step that it is about.
        step: StepId,
        /// The amount done.
        done: u64,
        /// The total amount.
        total: u64,
        /// The unit of both amounts.
        unit: Unit,
    },
    /// A tool that works for a step printed a line.
    StepLine {
        /// The step that it is about.
        step: StepId,
        /// The line as the tool wrote it.
        line: String,
    },
    /// A step ended.
    StepFinished {
        /// The step that it is about.
        step: StepId,
        /// Its title again, so that a reader needs no state.
        title: String,
        /// How it ended.
        outcome: Outcome,
        /// The result in a few words, if it is worth showing.
        result: Option<String>,
        /// The duration.
        seconds: f64,
    },
    /// A guest booted: its agent answers, and no driver is loaded yet.
    Booted {
        /// The release of its kernel.
        kernel: String,
        /// The duration.
        seconds: f64,
    },
    /// A command of `run` begins.
    CommandStarted {
        /// The command that it is about.
        #[serde(flatten)]
        position: Position,
    },
    /// A command of `run` ended.
    CommandEnded {
        /// The command that it is about.
        #[serde(flatten)]
        position: Position,
        /// The exit code that a shell would show; none if it was killed at its limit.
        exit_code: Option<i32>,
        /// The duration.
        seconds: f64,
    },
    /// A command of `run` has a verdict.
    Verdict {
        /// The command that it is about.
        #[serde(flatten)]
        position: Position,
        /// `passed`, `failed`, `undecided` or `skipped`.
        verdict: &'static str,
        /// The reason in one line, unless it passed.
        why: Option<String>,
    },
    /// A remark to the user.
    Note {
        /// The remark, in one or more lines.
        text: String,
    },
    /// A problem that is not an error but that the user should know.
    Warning {
        /// The problem, in one or more lines.
        text: String,
    },
    /// The command failed.
    Error {
        /// The message with its causes.
        text: String,
        /// Lines that belong to it, such as the end of a tool's output.
        details: Vec<String>,
        /// Advice for the user.
        hint: Option<String>,
    },
}

/// Shows events in one form.
pub trait Reporter: Send + Sync {
    /// Shows one event. Events arrive from several threads; those of one step arrive in order.
    fn report(&self, event: &Event);
    /// Runs `f` while the reporter keeps still on the screen.
    fn suspend(&self, f: &mut dyn FnMut()) {
        f();
    }
}

/// How events are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Bars and spinners.
    Terminal,
    /// One line per event that matters.
    Plain,
    /// One JSON object per line.
    Json,
}

impl Form {
    /// Chooses JSON if `json` is set, bars on a terminal that can move its cursor, and plain lines otherwise.
    pub fn choose(json: bool) -> Self {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        match (json, std::io::stderr().is_terminal() && !dumb) {
            (true, _) => Self::Json,
            (false, true) => Self::Terminal,
            (false, false) => Self::Plain,
        }
    }
}

/// The handle through which all code in the lab reports events. Cheap to clone, usable from any thread.
#[derive(Clone)]
pub struct Events {
    reporter: Arc<dyn Reporter>,
    json: bool,
    lost: Lost,
}

static NEXT_STEP: AtomicU64 = AtomicU64::new(1);

impl Events {
    /// Makes a handle that shows events in `form` on stderr.
    pub fn new(form: Form) -> Self {
        let lost = Lost::default();
        let stderr = lost.noting("stderr", std::io::stderr());
        let reporter: Arc<dyn Reporter> = match form {
            Form::Terminal => Arc::new(terminal::Terminal::new(stderr)),
            Form::Plain => Arc::new(plain::Plain::new(stderr)),
            Form::Json => Arc::new(json::Json::new(stderr)),
        };
        Self { reporter, json: form == Form::Json, lost }
    }

    /// Makes a handle for tests: `reporter` sees every event.
    pub fn with(reporter: Arc<dyn Reporter>) -> Self {
        Self { reporter, json: false, lost: Lost::default() }
    }

    /// Makes a handle for tests that shows nothing.
    pub fn silent() -> Self {
        struct Silent;
        impl Reporter for Silent {
            fn report(&self, _: &Event) {}
        }
        Self::with(Arc::new(Silent))
    }

    /// Begins a step. `title` is a lower-case phrase that says what it does.
    pub fn step(&self, title: impl Into<String>) -> Step {
        let id = StepId(NEXT_STEP.fetch_add(1, Ordering::Relaxed));
        let title = title.into();
        self.report(&Event::StepStarted { step: id, title: title.clone() });
        Step { events: self.clone(), id, title, started: Instant::now(), finished: false }
    }

    /// Reports a remark to the user.
    pub fn note(&self, text: impl Into<String>) {
        self.report(&Event::Note { text: text.into() });
    }

    /// Reports a problem that is not an error but that the user should know.
    pub fn warn(&self, text: impl Into<String>) {
        self.report(&Event::Warning { text: text.into() });
    }

    /// Reports the command's failure. It must be the last event.
    pub fn error(&self, error: &crate::error::Error) {
        self.report(&Event::Error {
            text: error.chain(),
            details: error.all_details().into_iter().map(str::to_owned).collect(),
            hint: error.hint_text().map(str::to_owned),
        });
    }

    /// Prints the command's result on stdout: `value` as one JSON document with `--json`, the text otherwise.
    pub fn result<T: Serialize>(&self, value: &T, text: impl FnOnce(&T) -> String) {
        let shown = match self.json {
            true => serde_json::to_string_pretty(value).expect("results have string keys"),
            false => text(value),
        };
        self.print(&shown);
    }

    /// Prints a line on stdout without tearing the bars on stderr.
    pub fn print(&self, text: &str) {
        self.suspend(|| write_line(self.lost.noting("stdout", std::io::stdout()), text));
    }

    /// Prints a line on stderr unchanged, in every form.
    pub fn line(&self, text: &str) {
        self.suspend(|| write_line(self.lost.noting("stderr", std::io::stderr()), text));
    }

    /// Returns an error if some output could not be written. Call it at the end.
    pub fn lost(&self) -> Option<crate::error::Error> {
        self.lost.error()
    }

    /// Runs `f` while no bar moves on the screen, for code that writes to the terminal itself.
    pub fn suspend<R>(&self, f: impl FnOnce() -> R) -> R {
        let (mut f, mut out) = (Some(f), None);
        self.reporter.suspend(&mut || out = f.take().map(|f| f()));
        out.expect("a reporter calls the function exactly once")
    }

    /// Shows an event.
    pub fn report(&self, event: &Event) {
        self.reporter.report(event);
    }
}

fn write_line<W: Write>(mut to: Noting<W>, text: &str) {
    // A failed write is remembered and reported at the end.
    let _ = writeln!(to, "{text}").and_then(|()| to.flush());
}

/// A step in progress. Dropping it without [`Step::done`] reports it as failed.
pub struct Step {
    events: Events,
    id: StepId,
    title: String,
    started: Instant,
    finished: bool,
}

impl Step {
    /// Reports the step's progress.
    pub fn progress(&self, done: u64, total: u64, unit: Unit) {
        self.events.report(&Event::StepProgress { step: self.id, done, total, unit });
    }

    /// Reports a line that a tool printed while it worked for this step.
    pub fn line(&self, line: impl Into<String>) {
        let line = line.into();
        // Cargo prints this once, and then nothing for as long as it waits.
        if line.trim_start().starts_with("Blocking waiting for file lock") {
            self.events.note(format!("{}: cargo says: {}{}", self.title, line.trim(), holders::of_cargo_locks()));
        }
        self.events.report(&Event::StepLine { step: self.id, line });
    }

    /// Reports that the step succeeded.
    pub fn done(mut self) {
        self.finish(Outcome::Done, None);
    }

    /// Reports that the step succeeded, with a few words about the result.
    pub fn done_with(mut self, result: impl Into<String>) {
        self.finish(Outcome::Done, Some(result.into()));
    }

    fn finish(&mut self, outcome: Outcome, result: Option<String>) {
        self.finished = true;
        let seconds = self.started.elapsed().as_secs_f64();
        self.events.report(&Event::StepFinished { step: self.id, title: self.title.clone(), outcome, result, seconds });
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if !self.finished {
            self.finish(Outcome::Failed, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[derive(Default)]
    struct Recorder(Mutex<Vec<Event>>);

    impl Reporter for Recorder {
        fn report(&self, event: &Event) {
            self.0.lock().unwrap().push(event.clone());
        }
    }

    #[test]
    fn a_step_left_by_an_error_is_reported_as_failed() {
        let recorder = Arc::new(Recorder::default());
        drop(Events::with(recorder.clone()).step("building"));
        let seen = recorder.0.lock().unwrap();
        assert!(matches!(seen[1], Event::StepFinished { outcome: Outcome::Failed, .. }));
    }

    #[test]
    fn a_step_that_is_done_is_reported_once() {
        let recorder = Arc::new(Recorder::default());
        Events::with(recorder.clone()).step("building").done_with("4 modules");
        assert_eq!(recorder.0.lock().unwrap().len(), 2);
    }

    #[test]
    fn waiting_for_a_lock_of_cargo_is_told_at_once() {
        let recorder = Arc::new(Recorder::default());
        Events::with(recorder.clone()).step("testing").line("    Blocking waiting for file lock on package cache");
        let seen = recorder.0.lock().unwrap();
        let told = |event: &Event| matches!(event, Event::Note { text } if text.contains("file lock on package cache"));
        assert!(seen.iter().any(told), "{seen:?}");
    }

    #[test]
    fn suspend_gives_the_value_back() {
        assert_eq!(Events::silent().suspend(|| 7), 7);
    }
}
