// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Events on a terminal: each running step is an animated line, with a bar if its length is known.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Mutex;
use std::time::Duration;

use console::style;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::{Event, Outcome, Reporter, StepId, Unit, plain};

/// The interval at which a step's line is redrawn.
const TICK: Duration = Duration::from_millis(120);
/// The duration below which a step without a result leaves no line behind.
const WORTH_A_LINE: f64 = 0.5;

/// Bars and spinners on stderr.
pub struct Terminal<W> {
    bars: MultiProgress,
    running: Mutex<HashMap<StepId, ProgressBar>>,
    lines: Mutex<W>,
}

impl<W: Write + Send> Terminal<W> {
    /// Returns a reporter that draws on stderr and writes lines to `lines`, which is the same stream.
    pub fn new(lines: W) -> Self {
        Self { bars: MultiProgress::new(), running: Mutex::new(HashMap::new()), lines: Mutex::new(lines) }
    }

    fn start(&self, step: StepId, title: &str) {
        let bar = self.bars.add(ProgressBar::new_spinner().with_style(spinner()).with_prefix(title.to_owned()));
        bar.enable_steady_tick(TICK);
        self.running().insert(step, bar);
    }

    fn progress(&self, step: StepId, done: u64, total: u64, unit: Unit) {
        if let Some(bar) = self.running().get(&step) {
            if bar.length() != Some(total) {
                bar.set_style(counted(unit));
                bar.set_length(total);
            }
            bar.set_position(done);
        }
    }

    fn say(&self, step: StepId, line: &str) {
        if let Some(bar) = self.running().get(&step) {
            let plain = console::strip_ansi_codes(line.trim()).replace('\t', " ");
            bar.set_message(plain);
        }
    }

    fn finish(&self, step: StepId) {
        if let Some(bar) = self.running().remove(&step) {
            bar.finish_and_clear();
        }
    }

    fn print(&self, text: &str) {
        // `bars.println` prints nothing if indicatif finds no terminal to draw on.
        let mut lines = self.lines.lock().expect("no reporter panics while it writes");
        // The writer remembers failures.
        self.bars.suspend(|| drop(writeln!(lines, "{text}")));
    }

    fn print_some(&self, text: Option<String>) {
        if let Some(text) = text {
            self.print(&style(text).for_stderr().bold().to_string());
        }
    }

    fn running(&self) -> std::sync::MutexGuard<'_, HashMap<StepId, ProgressBar>> {
        self.running.lock().expect("no reporter panics while it draws")
    }
}

impl<W: Write + Send> Reporter for Terminal<W> {
    fn report(&self, event: &Event) {
        match event {
            Event::StepStarted { step, title } => self.start(*step, title),
            Event::StepProgress { step, done, total, unit } => self.progress(*step, *done, *total, *unit),
            Event::StepLine { step, line } => self.say(*step, line),
            Event::StepFinished { step, title, outcome, result, seconds } => {
                self.finish(*step);
                if *outcome == Outcome::Failed || result.is_some() || *seconds >= WORTH_A_LINE {
                    self.print(&finished(title, *outcome, result.as_deref(), *seconds));
                }
            }
            Event::Booted { .. } | Event::CommandEnded { .. } => {}
            Event::CommandStarted { position } => self.print_some(plain::begun(position)),
            Event::Verdict { position, verdict, why } => {
                self.print_some(plain::judged(position, verdict, why.as_deref()));
            }
            Event::Note { text } => self.print(text),
            Event::Warning { text } => {
                self.print(&format!("{} {text}", style("warning:").for_stderr().yellow().bold()))
            }
            Event::Error { text, details, hint } => {
                let shown = plain::failure(text, details, hint.as_deref());
                let rest = shown.strip_prefix("error:").unwrap_or(&shown);
                self.print(&format!("{}{rest}", style("error:").for_stderr().red().bold()));
            }
        }
    }

    fn suspend(&self, f: &mut dyn FnMut()) {
        self.bars.suspend(f);
    }
}

fn finished(title: &str, outcome: Outcome, result: Option<&str>, seconds: f64) -> String {
    let mark = match outcome {
        Outcome::Done => style("✓").for_stderr().green(),
        Outcome::Failed => style("✗").for_stderr().red(),
    };
    let result = result.map(|r| format!(": {r}")).unwrap_or_default();
    let time = style(format!("{seconds:.1} s")).for_stderr().dim();
    format!("{mark} {title}{result} {time}")
}

fn spinner() -> ProgressStyle {
    template("{spinner:.cyan} {prefix} {elapsed:.dim} {wide_msg:.dim}")
}

fn counted(unit: Unit) -> ProgressStyle {
    let template_of = match unit {
        Unit::Bytes => {
            "{spinner:.cyan} {prefix} {bar:24.cyan/dim} {bytes}/{total_bytes} {elapsed:.dim} {wide_msg:.dim}"
        }
        Unit::Items => "{spinner:.cyan} {prefix} {bar:24.cyan/dim} {pos}/{len} {elapsed:.dim} {wide_msg:.dim}",
    };
    template(template_of).progress_chars("━╸─")
}

fn template(text: &str) -> ProgressStyle {
    ProgressStyle::with_template(text).expect("the template is a constant that indicatif accepts")
}
