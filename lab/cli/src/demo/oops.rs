// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Reproduces the oops that started Drydock: on the debug kernel through C's own functions, and beside it through the
//! library, where it does not compile.
//!
//! Source: kernel/tests/oops; tests/compile-fail/register for the attempts; Documentation/dev-tools/kasan.rst.

mod expected;
mod explain;
mod page;

use std::time::Instant;

use serde::Serialize;

use crate::compile_fail::{self, Demonstration};
use drydock_base::cache::write_atomically;
use drydock_base::error::{Error, Kind, Result};
use drydock_base::events::Events;
use drydock_base::exit;
use drydock_machine::kasan::Report;
use drydock_machine::scenario::{Boot, Content, Plan, Stage};
use drydock_toolchain::debug_kernel;

use super::Options;

/// The module that makes the mistake.
const MODULE: &str = "oops";
/// The first report ends the machine: after the write, nothing that the kernel does is meaningful.
const AT_THE_FIRST: &str = "kasan.fault=panic";
/// The same mistake with a driver's means: through the library's function, and through C's.
const ATTEMPTS: [&str; 2] = ["register/wrong_size", "register/wrong_size_in_c"];

/// Both halves of the demo.
#[derive(Debug, Serialize)]
struct Told {
    kernel: String,
    execution: String,
    /// The time from the start of QEMU to its end, in seconds.
    seconds: f64,
    /// The report in parts, each with its explanation.
    report: Vec<Explained>,
    /// The attempts through the library.
    attempts: Vec<Demonstration>,
}

/// Lines of the kernel, and their meaning.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Explained {
    lines: Vec<String>,
    meaning: String,
}

/// Runs `drydock demo oops`.
pub(super) fn main(options: Options, events: &Events) -> Result<u8> {
    let kernel = options.kernel.unwrap_or_else(|| debug_kernel::NAME.to_owned());
    if kernel != debug_kernel::NAME {
        let message = "only the debug kernel reports what `demo oops` does to it";
        return Err(Error::new(Kind::Usage, message).hint("leave `--kernel` out"));
    }
    let stage = Stage::prepare(&Plan { kernel: Some(kernel), content: Content::all_modules() }, events)?;
    let boot = Boot { show_log: options.log, ..Boot::default() };
    let cpus = boot.cpus;
    let started = Instant::now();
    let report = provoke(&stage, boot, events)?;
    let seconds = started.elapsed().as_secs_f64();
    let told = Told {
        kernel: stage.toolchain().kernel.release.clone(),
        execution: super::execution(stage.accel(), cpus),
        seconds,
        report: explain::explain(&report, &stage.symbolizer()),
        attempts: compile_fail::demonstrate(stage.toolchain(), stage.modules(), &ATTEMPTS, events)?,
    };
    let html = options.html.unwrap_or_else(|| stage.toolchain().repo.join("target/demo-oops.html"));
    write_atomically(&html, page::page(&told))?;
    events.result(&told, text);
    events.note(format!("the same side by side: {}", html.display()));
    Ok(exit::OK)
}

/// Makes the mistake in a guest and returns the kernel's report of it. A report of any other fault is an error.
pub(crate) fn provoke(stage: &Stage, boot: Boot, events: &Events) -> Result<Report> {
    let boot = Boot { words: vec![AT_THE_FIRST.into()], ..boot };
    expected::find(&stage.provoke(&boot, events, |scene| scene.insmod(MODULE))?)
}

/// Returns both halves, one below the other.
fn text(told: &Told) -> String {
    let mut lines = vec![format!("1. Through C's functions, on {}, {}", told.kernel, told.execution), String::new()];
    for part in &told.report {
        lines.extend(part.lines.iter().map(|line| format!("    | {line}")));
        lines.extend(wrapped(&part.meaning, 100).into_iter().map(|line| format!("      {line}")));
        lines.push(String::new());
    }
    lines.push("2. Through the library".to_owned());
    for attempt in &told.attempts {
        lines.push(String::new());
        lines.extend(wrapped(&format!("{} {}", attempt.title, attempt.reason.replace('\n', " ")), 106));
        lines.push(String::new());
        lines.extend(attempt.difference.lines().map(|line| format!("    {line}")));
        lines.push(String::new());
        lines.extend(attempt.message.lines().map(|line| format!("    | {line}")));
    }
    lines.push(String::new());
    lines.push(format!(
        "The machine ran for {:.1} s until its first report; the driver did not get that far.",
        told.seconds
    ));
    lines.join("\n")
}

/// Wraps a text in lines of at most `width` characters.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().expect("there is one from the beginning");
        match last.is_empty() || last.chars().count() + 1 + word.chars().count() <= width {
            true if last.is_empty() => last.push_str(word),
            true => *last = format!("{last} {word}"),
            false => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("", 7), [""]);
    }
}
