// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `drydock test`: all suites, each case by name, and a plain line of counts at the end.
//!
//! A suite is one file under `test/`. Its cases are called `SUITE::NAME`, and the filter is compared with that.

pub(crate) mod compile_fail;
mod demo;
mod drivers;
mod examples;
mod fuzz;
mod guest;
mod host;
mod lints;
mod suite;

use std::path::Path;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::error::{Error, Kind, Result};
use crate::events::Events;
use crate::exit;
use crate::firmware::Choice;
use crate::kernels::STOCK;
use crate::repo;
use crate::scenario::Plan;
use crate::{debug_kernel, setup};

use suite::{Case, Context, Deadline, Filter, Need, Ready, Suite, Verdict};

/// Run all tests, or those whose name contains FILTER
///
/// Runs the host's tests, the formatting and lint checks, the cases that must not compile, the documentation's examples, the
/// drivers' own checks, the fuzzer's corpus, and the tests inside a guest for each driver and for the stock vgem; on the debug
/// kernel each driver is fuzzed for a minute as well, and the mistake of `drydock demo oops` has to be reported.
#[derive(Debug, Args)]
pub struct Options {
    /// Run only cases whose `SUITE::NAME` contains this; a suite's name alone selects the suite, and that of a driver with
    /// a `check.sh` its check
    filter: Option<String>,
    /// The kernels to build for and to boot, one after the other: `stock`, a release or a series; `debug` and `kcsan` are the debug
    /// kernels, on which only what runs in a guest is tested
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', default_value = STOCK)]
    kernel: Vec<String>,
    /// After so many minutes begin nothing more, and skip what is left
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u64).range(1..=1440))]
    within: Option<u64>,
    /// What stands in for the published firmware where a driver loads one
    #[arg(long, value_name = "real|built|PATH")]
    firmware: Option<Choice>,
    /// Accept the compiler's messages as they are now, for the cases that must not compile
    #[arg(long)]
    bless: bool,
    /// Print the names of the suites and do nothing
    #[arg(long)]
    suites: bool,
}

/// A debug kernel that is not there is not begun if there is less time than this; it takes about half of it.
const TO_BUILD: Duration = Duration::from_secs(25 * 60);
/// The same for a suite, which may have to boot.
const TO_BEGIN: Duration = Duration::from_secs(60);
/// Why something was not begun.
const NO_TIME: &str = "no time left";

/// What came of all suites.
#[derive(Debug, Default, Serialize)]
struct Summary {
    passed: usize,
    failed: usize,
    skipped: usize,
    cases: Vec<Case>,
}

/// All suites, quickest to tell first.
fn suites() -> Vec<Box<dyn Suite>> {
    vec![
        Box::new(host::Host),
        Box::new(lints::Lints),
        Box::new(compile_fail::CompileFail),
        Box::new(examples::Examples),
        Box::new(drivers::Drivers),
        Box::new(demo::Demo),
        Box::new(fuzz::Fuzz::corpus()),
        Box::new(fuzz::Fuzz::search()),
        Box::new(guest::Guest::rust()),
        Box::new(guest::Guest::c()),
        Box::new(guest::Guest::attacks()),
        Box::new(guest::Guest::nova()),
        Box::new(guest::Guest::tyr()),
        Box::new(guest::Guest::tyr_built()),
    ]
}

/// Carries out `drydock test`.
pub fn main(options: Options, events: &Events) -> Result<u8> {
    let suites = suites();
    let names: Vec<&str> = suites.iter().map(|suite| suite.name()).collect();
    if options.suites {
        events.print(&names.join("\n"));
        return Ok(exit::OK);
    }
    let repo = repo::root()?;
    let filter = Filter::new(options.filter.as_deref(), &names, &crate::drivers::checked(&repo));
    let run = Run {
        repo: &repo,
        suites: suites.iter().map(Box::as_ref).filter(|suite| filter.selects_suite(suite.name())).collect(),
        filter: &filter,
        deadline: Deadline::within(options.within.map(|minutes| Duration::from_secs(60 * minutes))),
        options: &options,
        events,
    };
    let mut summary = Summary::default();
    for kernel in &options.kernel {
        summary.add(run.on(kernel)?);
    }
    if summary.cases.is_empty() {
        return Err(no_case(options.filter.as_deref(), &names));
    }
    summary.tell(events);
    Ok(if summary.failed == 0 { exit::OK } else { exit::CHECK })
}

/// What is the same on each kernel.
struct Run<'r> {
    repo: &'r Path,
    /// Those that can have wanted cases.
    suites: Vec<&'r dyn Suite>,
    filter: &'r Filter,
    deadline: Deadline,
    options: &'r Options,
    events: &'r Events,
}

impl Run<'_> {
    /// Runs the suites on one kernel. If there are several, its cases' names say which.
    fn on(&self, kernel: &str) -> Result<Vec<Case>> {
        let built_here = debug_kernel::named(kernel);
        let wanted = |suite: &&&dyn Suite| built_here.is_none() || suite.need() == Need::Guest;
        let suites: Vec<_> = self.suites.iter().filter(wanted).collect();
        let mut cases = Vec::new();
        let too_late = match built_here {
            Some(variant) if self.deadline.is_nearer_than(TO_BUILD) => !setup::has_debug_kernel(variant)?,
            _ => false,
        };
        if too_late {
            cases.extend(suites.iter().map(|suite| unbegun(suite.name(), "no time left to build the debug kernel")));
        } else {
            let need = suites.iter().map(|suite| suite.need()).max().unwrap_or(Need::Checkout);
            let ready = Ready::prepare(need, &Plan { kernel: Some(kernel.to_owned()) }, self.events)?;
            let context = self.context(&ready);
            for suite in suites {
                cases.extend(run(*suite, &context)?);
            }
        }
        if self.options.kernel.len() > 1 {
            cases.iter_mut().for_each(|case| case.name = format!("{} ({kernel})", case.name));
        }
        Ok(cases)
    }

    fn context<'c>(&'c self, ready: &'c Ready) -> Context<'c> {
        Context {
            repo: self.repo,
            ready,
            events: self.events,
            filter: self.filter,
            deadline: self.deadline,
            firmware: self.options.firmware.as_ref(),
            bless: self.options.bless,
        }
    }
}

/// Nothing ran, and nothing was skipped: a word that names no case must not look like tests that pass.
fn no_case(filter: Option<&str>, suites: &[&str]) -> Error {
    let Some(filter) = filter else { return Error::new(Kind::Check, "there are no cases") };
    Error::new(Kind::Usage, format!("no case is named like `{filter}` (suites: {})", suites.join(", ")))
        .hint("`--suites` prints the suites; on a debug kernel only those run that need a guest")
}

/// A suite that is skipped.
fn unbegun(suite: &str, why: &str) -> Case {
    Case { name: format!("{suite}::all"), verdict: Verdict::Skipped { why: why.to_owned() } }
}

/// Runs one suite. What keeps it from running to its end is one more failed case of it.
fn run(suite: &dyn Suite, context: &Context<'_>) -> Result<Vec<Case>> {
    if context.deadline.is_nearer_than(TO_BEGIN) {
        return Ok(vec![unbegun(suite.name(), NO_TIME)]);
    }
    let mut cases = Vec::new();
    let ran = suite.run(context, &mut |case| {
        if context.filter.selects(&case.name) {
            show(&case, context.events);
            cases.push(case);
        }
    });
    match ran {
        Ok(()) => Ok(cases),
        Err(error) => {
            let case = Case { name: format!("{}::run", suite.name()), verdict: Verdict::of_error(error)? };
            show(&case, context.events);
            cases.push(case);
            Ok(cases)
        }
    }
}

/// A failed case is shown at once with all it says; a passed one only counts.
fn show(case: &Case, events: &Events) {
    if let Verdict::Failed { why, details } = &case.verdict {
        let below: String = details.iter().map(|line| format!("\n    {line}")).collect();
        events.note(format!("FAIL {}: {why}{below}", case.name));
    }
}

impl Summary {
    fn add(&mut self, cases: Vec<Case>) {
        for case in cases {
            match case.verdict {
                Verdict::Passed => self.passed += 1,
                Verdict::Failed { .. } => self.failed += 1,
                Verdict::Skipped { .. } => self.skipped += 1,
            }
            self.cases.push(case);
        }
    }

    fn tell(&self, events: &Events) {
        events.result(self, Self::text);
    }

    fn text(&self) -> String {
        let mut lines = Vec::new();
        for case in &self.cases {
            match &case.verdict {
                Verdict::Passed => {}
                Verdict::Failed { why, .. } => lines.push(format!("FAIL {}: {why}", case.name)),
                Verdict::Skipped { why } => lines.push(format!("skip {}: {why}", case.name)),
            }
        }
        let mut counts = format!("{} passed, {} failed", self.passed, self.failed);
        if self.skipped > 0 {
            counts.push_str(&format!(", {} skipped", self.skipped));
        }
        lines.push(counts);
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(name: &str, verdict: Verdict) -> Case {
        Case { name: name.into(), verdict }
    }

    #[test]
    fn a_filter_that_no_case_fits_is_a_wrong_command_line() {
        let error = no_case(Some("typo"), &["host", "guest-vgem"]);
        assert_eq!(error.kind(), Kind::Usage);
        assert_eq!(error.to_string(), "no case is named like `typo` (suites: host, guest-vgem)");
        assert_eq!(no_case(None, &["host"]).kind(), Kind::Check);
    }

    #[test]
    fn the_last_line_counts_and_the_reasons_stand_above_it() {
        let mut summary = Summary::default();
        summary.add(vec![
            case("host::a", Verdict::Passed),
            case("guest-vgem::b", Verdict::Failed { why: "EBUSY".into(), details: Vec::new() }),
        ]);
        assert_eq!(summary.text(), "FAIL guest-vgem::b: EBUSY\n1 passed, 1 failed");
        summary.add(vec![case("guest-c-vgem::b", Verdict::Skipped { why: "a faux device cannot be unbound".into() })]);
        let text = summary.text();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[1], "skip guest-c-vgem::b: a faux device cannot be unbound");
        assert_eq!(lines[2], "1 passed, 1 failed, 1 skipped");
    }
}
