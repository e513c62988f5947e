// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Events as plain lines, for logs and CI: a step when it takes long enough to matter, its end, and a sign of life in
//! between.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::{Event, Outcome, Position, Reporter, StepId};

/// A step without output for this long gets a line that shows it is alive.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// Writes one line for each event that matters to a reader of a log.
pub struct Plain<W>(Mutex<State<W>>);

struct State<W> {
    out: W,
    running: HashMap<StepId, Running>,
}

struct Running {
    title: String,
    started: Instant,
    last_line: Instant,
}

impl<W: Write> Plain<W> {
    /// Returns a reporter that writes to `out`.
    pub fn new(out: W) -> Self {
        Self(Mutex::new(State { out, running: HashMap::new() }))
    }
}

impl<W: Write + Send> Reporter for Plain<W> {
    fn report(&self, event: &Event) {
        let mut state = self.0.lock().expect("no reporter panics while it writes");
        if let Some(text) = state.text(event) {
            // A failed output is no reason to stop the work. Its writer remembers the failure.
            let _ = writeln!(state.out, "{text}");
        }
    }
}

impl<W> State<W> {
    fn text(&mut self, event: &Event) -> Option<String> {
        match event {
            Event::StepStarted { step, title } => {
                let now = Instant::now();
                self.running.insert(*step, Running { title: title.clone(), started: now, last_line: now });
                Some(format!("... {title}"))
            }
            Event::StepProgress { step, done, total, .. } => {
                let percent = (100 * done).checked_div(*total).unwrap_or(0);
                self.alive(*step, || format!("{percent} %"))
            }
            Event::StepLine { step, line } => self.alive(*step, || line.trim().to_owned()),
            Event::StepFinished { step, title, outcome, result, seconds } => {
                self.running.remove(step);
                Some(finished(title, *outcome, result.as_deref(), *seconds))
            }
            Event::Booted { .. } | Event::CommandEnded { .. } => None,
            Event::CommandStarted { position } => begun(position),
            Event::Verdict { position, verdict, why } => judged(position, verdict, why.as_deref()),
            Event::Note { text } => Some(text.clone()),
            Event::Warning { text } => Some(format!("warning: {text}")),
            Event::Error { text, details, hint } => Some(failure(text, details, hint.as_deref())),
        }
    }

    fn alive(&mut self, step: StepId, what: impl FnOnce() -> String) -> Option<String> {
        let running = self.running.get_mut(&step)?;
        if running.last_line.elapsed() < SIGN_OF_LIFE {
            return None;
        }
        running.last_line = Instant::now();
        Some(format!("    {}: {} ({} s)", running.title, what(), running.started.elapsed().as_secs()))
    }
}

/// Returns the line that ends a step.
pub fn finished(title: &str, outcome: Outcome, result: Option<&str>, seconds: f64) -> String {
    let word = match outcome {
        Outcome::Done => "ok ",
        Outcome::Failed => "FAILED",
    };
    let result = result.map(|r| format!(": {r}")).unwrap_or_default();
    format!("{word} {title}{result} ({seconds:.1} s)")
}

/// Returns the line above a command's output. The only command of a run needs none: all output is its own.
pub fn begun(Position { command, number, of }: &Position) -> Option<String> {
    (*of > 1).then(|| format!("[{number}/{of}] {command}"))
}

/// Returns the line below a command's output.
pub fn judged(Position { command, number, of }: &Position, verdict: &str, why: Option<&str>) -> Option<String> {
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    (*of > 1).then(|| format!("[{number}/{of}] {verdict}: {command}{why}"))
}

/// Returns an error with its details and its hint.
pub fn failure(text: &str, details: &[String], hint: Option<&str>) -> String {
    let mut shown = format!("error: {text}");
    for line in details {
        shown.push_str("\n  | ");
        shown.push_str(line);
    }
    if let Some(hint) = hint {
        shown.push_str("\nhint: ");
        shown.push_str(&hint.replace('\n', "\n      "));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Unit;

    fn lines(events: &[Event]) -> String {
        let plain = Plain::new(Vec::new());
        events.iter().for_each(|event| plain.report(event));
        String::from_utf8(plain.0.into_inner().unwrap().out).unwrap()
    }

    #[test]
    fn a_step_is_two_lines_however_much_its_tool_says() {
        let step = StepId(1);
        let title = "compiling".to_owned();
        let shown = lines(&[
            Event::StepStarted { step, title: title.clone() },
            Event::StepLine { step, line: "CC a.o".into() },
            Event::StepProgress { step, done: 1, total: 2, unit: Unit::Items },
            Event::StepFinished { step, title, outcome: Outcome::Done, result: Some("2 files".into()), seconds: 1.25 },
        ]);
        insta::assert_snapshot!(shown, @r"
        ... compiling
        ok  compiling: 2 files (1.2 s)
        ");
    }

    #[test]
    fn only_commands_of_a_list_are_shown() {
        let shown = |of| {
            let position = Position { command: "lsgpu".into(), number: 1, of };
            lines(&[
                Event::CommandStarted { position: position.clone() },
                Event::CommandEnded { position: position.clone(), exit_code: Some(3), seconds: 0.1 },
                Event::Verdict { position, verdict: "failed", why: Some("exit code 3".into()) },
            ])
        };
        assert_eq!(shown(1), "");
        assert_eq!(shown(2), "[1/2] lsgpu\n[1/2] failed: lsgpu: exit code 3\n");
    }

    #[test]
    fn an_error_ends_with_its_hint() {
        let shown = lines(&[Event::Error {
            text: "failed to build: `make` ended with 2".into(),
            details: vec!["error[E0308]".into()],
            hint: Some("look\nthere".into()),
        }]);
        insta::assert_snapshot!(shown, @r"
        error: failed to build: `make` ended with 2
          | error[E0308]
        hint: look
              there
        ");
    }
}
