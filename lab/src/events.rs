// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Everything that happens in the lab is an [`Event`]; terminal, plain lines and JSON only read them.
//!
//! Results that another program would read go to stdout ([`Events::result`]); events go to stderr in every form.

mod json;
mod lost;
mod plain;
mod terminal;

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use serde::Serialize;

pub(crate) use lost::of_output;
use lost::{Lost, Noting};

/// Identifies a step in the events about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct StepId(u64);

/// What a step's progress counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Bytes of a download or an unpacked archive.
    Bytes,
    /// Packages, files, tests: things to be counted.
    Items,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It did what its title says.
    Done,
    /// It failed or was left by an error.
    Failed,
}

/// Something that happened.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A step begins; it is visible until it finishes.
    StepStarted {
        /// Which step.
        step: StepId,
        /// What it does, as a lower-case phrase: `unpacking the toolchain`.
        title: String,
    },
    /// A step knows how far it is.
    StepProgress {
        /// Which step.
        step: StepId,
        /// How much is done.
        done: u64,
        /// Of how much.
        total: u64,
        /// What is counted.
        unit: Unit,
    },
    /// A tool that works for a step said something.
    StepLine {
        /// Which step.
        step: StepId,
        /// The line as the tool wrote it.
        line: String,
    },
    /// A step ended.
    StepFinished {
        /// Which step.
        step: StepId,
        /// Its title again, so that a reader needs no memory.
        title: String,
        /// How it ended.
        outcome: Outcome,
        /// What came of it, if that is worth a few words.
        result: Option<String>,
        /// How long it took.
        seconds: f64,
    },
    /// A remark to the user.
    Note {
        /// The remark.
        text: String,
    },
    /// Something that is not an error but should be known.
    Warning {
        /// The warning.
        text: String,
    },
    /// The command failed.
    Error {
        /// The message with its causes.
        text: String,
        /// Lines that belong to it, such as the end of a tool's output.
        details: Vec<String>,
        /// What to do.
        hint: Option<String>,
    },
}

/// Shows events in one form.
pub trait Reporter: Send + Sync {
    /// Shows one event. Events arrive from several threads, each step's in order.
    fn report(&self, event: &Event);
    /// Runs `f` while nothing of the reporter moves on the screen.
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
    /// JSON if asked for, bars on a terminal that can move its cursor, else plain lines.
    pub fn choose(json: bool) -> Self {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        match (json, std::io::stderr().is_terminal() && !dumb) {
            (true, _) => Self::Json,
            (false, true) => Self::Terminal,
            (false, false) => Self::Plain,
        }
    }
}

/// The handle through which everything in the lab says what happens. Cheap to clone, usable from any thread.
#[derive(Clone)]
pub struct Events {
    reporter: Arc<dyn Reporter>,
    json: bool,
    lost: Lost,
}

static NEXT_STEP: AtomicU64 = AtomicU64::new(1);

impl Events {
    /// A handle that shows events in `form` on stderr.
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

    /// A handle for tests: `reporter` sees every event.
    #[cfg(test)]
    pub fn with(reporter: Arc<dyn Reporter>) -> Self {
        Self { reporter, json: false, lost: Lost::default() }
    }

    /// A handle that shows nothing.
    #[cfg(test)]
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

    /// A remark to the user.
    pub fn note(&self, text: impl Into<String>) {
        self.report(&Event::Note { text: text.into() });
    }

    /// Something that is not an error but should be known.
    pub fn warn(&self, text: impl Into<String>) {
        self.report(&Event::Warning { text: text.into() });
    }

    /// The command's failure, as the last thing that is said.
    pub fn error(&self, error: &crate::error::Error) {
        self.report(&Event::Error {
            text: error.chain(),
            details: error.all_details().into_iter().map(str::to_owned).collect(),
            hint: error.hint_text().map(str::to_owned),
        });
    }

    /// The command's result on stdout: `value` as one JSON document with `--json`, else the text.
    pub fn result<T: Serialize>(&self, value: &T, text: impl FnOnce(&T) -> String) {
        let shown = match self.json {
            true => serde_json::to_string_pretty(value).expect("results have string keys"),
            false => text(value),
        };
        self.print(&shown);
    }

    /// A line on stdout that does not tear the bars on stderr.
    pub fn print(&self, text: &str) {
        self.suspend(|| write_line(self.lost.noting("stdout", std::io::stdout()), text));
    }

    /// A line on stderr as it is, in every form.
    pub fn line(&self, text: &str) {
        self.suspend(|| write_line(self.lost.noting("stderr", std::io::stderr()), text));
    }

    /// The error, if something that was to be written could not be. To be asked at the end.
    pub fn lost(&self) -> Option<crate::error::Error> {
        self.lost.error()
    }

    /// Runs `f` while no bar moves on the screen, for what writes to the terminal itself.
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
    // What fails is noted, and told at the end.
    let _ = writeln!(to, "{text}").and_then(|()| to.flush());
}

/// A step that is under way. Dropping it without [`Step::done`] reports it as failed.
pub struct Step {
    events: Events,
    id: StepId,
    title: String,
    started: Instant,
    finished: bool,
}

impl Step {
    /// How far the step is.
    pub fn progress(&self, done: u64, total: u64, unit: Unit) {
        self.events.report(&Event::StepProgress { step: self.id, done, total, unit });
    }

    /// Something a tool said while working for this step.
    pub fn line(&self, line: impl Into<String>) {
        let line = line.into();
        // Cargo says so once and then nothing more, for as long as it takes.
        if line.trim_start().starts_with("Blocking waiting for file lock") {
            self.events.note(format!(
                "{}: cargo says: {}{}",
                self.title,
                line.trim(),
                crate::cache::cargo_lock_held_by()
            ));
        }
        self.events.report(&Event::StepLine { step: self.id, line });
    }

    /// The step did what its title says.
    pub fn done(mut self) {
        self.finish(Outcome::Done, None);
    }

    /// The same, with a few words about what came of it.
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
