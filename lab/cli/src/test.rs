// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `drydock test`: runs all suites, lists each case by name, and prints a plain line of counts at the end.
//!
//! A suite is one file under `test/`. Its cases are named `SUITE::NAME`, and the filter is compared with that name.

mod beside;
mod clients;
mod compile_fail;
mod demo;
mod displays;
mod docs;
mod drivers;
mod estimate;
mod examples;
mod extras;
mod fuzz;
mod gdb;
pub(crate) mod guest;
mod host;
mod ladder;
mod lints;
mod names;
mod packages;
mod programs;
mod rotation;
mod stress;
mod suite;
mod summary;
mod verdicts;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use clap::Args;

use crate::results::{ResultOptions, Results, Row};
use drydock_base::error::{Error, Kind, Result};
use drydock_base::events::Events;
use drydock_base::{exit, repo};
use drydock_machine::pace;
use drydock_machine::scenario::{Content, Plan};
use drydock_toolchain::firmware::Choice;
use drydock_toolchain::kernels::STOCK;
use drydock_toolchain::{debug_kernel, setup};

use estimate::{Estimate, about};
use suite::{Case, Context, Deadline, Filter, NO_TIME, Need, Ready, Suite, TO_BEGIN, Verdict};
use summary::{Ran, SLOW, Summary, Taken};

/// Run the tests, or those whose name contains FILTER
///
/// On the host: runs the workspace's tests, the cases that must not compile, and the documentation's examples.
///
/// In a guest: runs the tests of each driver and of the stock vgem, each driver's own check, and the fuzzer's corpus.
/// Copies each example to a new driver and checks that. Compares the logs in the documentation with new ones. Tests how
/// `drydock run` passes a client's streams on, and which cause it names when a run fails.
///
/// On the debug kernel also fuzzes each driver for a minute, and checks that the kernel reports the mistake of `drydock
/// demo oops`.
///
/// Long cases are left out: failure sweeps, races, storms, clients of Debian packages. `--all` runs them too, and the lints,
/// and repeats demos and tests while other programs keep the processors busy.
#[derive(Debug, Args)]
pub struct Options {
    /// Run only cases whose `SUITE::NAME` contains this. A suite's name selects that suite, and the name of a driver
    /// with a `check.sh` selects that check
    filter: Option<String>,
    /// Kernels to build for and boot, one after the other: `stock`, a release or a series; the debug kernels `debug`
    /// and `kcsan` run only the suites that need a guest
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', default_value = STOCK)]
    kernel: Vec<String>,
    /// Start nothing new after this time, and skip the rest. Each commit starts with another kernel and suite
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u64).range(1..=1440))]
    within: Option<u64>,
    /// Firmware for a GPU's driver instead of the published file: one built here, or your own file
    #[arg(long, value_name = "real|built|PATH", value_parser = Choice::parse)]
    firmware: Option<Choice>,
    /// Accept the compiler's current messages for the cases that must not compile
    #[arg(long)]
    bless: bool,
    /// Also run the long cases, which otherwise run only if the filter names them
    #[arg(long)]
    all: bool,
    /// Print the names of the suites and exit
    #[arg(long)]
    suites: bool,
    #[command(flatten)]
    results: ResultOptions,
}

/// Check the formatting and run clippy, with the toolchain root's tools
///
/// Checks the workspace and kernel code. The suite `lints` of `drydock test --all` does the same.
#[derive(Debug, Args)]
pub struct LintOptions {}

/// The least time left for starting the build of a missing debug kernel, which takes about half of it.
const TO_BUILD: Duration = Duration::from_secs(25 * 60);
/// The suite of a result about the whole command.
const WHOLE: &str = "test";

/// Returns all suites. Quick ones come first, then the longest, so that nothing long remains at the end.
fn suites() -> Vec<Box<dyn Suite>> {
    vec![
        Box::new(host::Host),
        Box::new(lints::Lints),
        Box::new(compile_fail::CompileFail),
        Box::new(examples::Examples),
        Box::new(drivers::Drivers),
        Box::new(ladder::Ladder),
        Box::new(demo::Demo),
        Box::new(docs::Docs),
        Box::new(clients::Clients),
        Box::new(programs::Programs),
        Box::new(extras::Extras),
        Box::new(gdb::Gdb),
        Box::new(packages::Packages),
        Box::new(displays::Displays::vkms()),
        Box::new(displays::Displays::c_vkms()),
        Box::new(displays::Displays::bochs()),
        Box::new(verdicts::Verdicts),
        Box::new(fuzz::Fuzz::corpus()),
        Box::new(fuzz::Fuzz::search()),
        Box::new(guest::Guest::rust()),
        Box::new(guest::Guest::tyr_built()),
        Box::new(guest::Guest::nova()),
        Box::new(guest::Guest::tyr()),
        Box::new(guest::Guest::c()),
        Box::new(guest::Guest::vkms()),
        Box::new(guest::Guest::c_vkms()),
        Box::new(guest::Guest::attacks()),
        Box::new(stress::Stress),
    ]
}

/// Returns the names of all suites.
pub(crate) fn suite_names() -> Vec<&'static str> {
    suites().iter().map(|suite| suite.name()).collect()
}

/// Runs `drydock test`.
pub fn main(options: Options, events: &Events) -> Result<u8> {
    let suites = suites();
    let names: Vec<&str> = suites.iter().map(|suite| suite.name()).collect();
    if options.suites {
        events.print(&names.join("\n"));
        return Ok(exit::OK);
    }
    let repo = repo::root()?;
    let filter = Filter::new(options.filter.as_deref(), &names, &crate::drivers::checked(&repo));
    options.kernel.iter().try_for_each(|name| debug_kernel::check_name(name))?;
    let known = known(&suites, &repo)?;
    let wanted: BTreeSet<_> = known.iter().filter(|name| filter.selects(name)).collect();
    if let Some(text) = options.filter.as_deref().filter(|text| wanted.is_empty() && !is_in_documentation(text)) {
        return Err(names::no_match(text, &names, &known));
    }
    let results = Results::open(&options.results, WHOLE, events)?;
    let run = Run {
        repo: &repo,
        suites: wanted_suites(&suites, &wanted, &filter, &options),
        known: &known,
        filter: &filter,
        deadline: Deadline::within(options.within.map(|minutes| Duration::from_secs(60 * minutes))),
        options: &options,
        results: &results,
        events,
    };
    let code = run.all(&names);
    code.as_ref().err().into_iter().for_each(|error| results.add_failure(error));
    results.write_after(code, events)
}

/// Runs `drydock lint`.
pub fn lint(LintOptions {}: LintOptions, events: &Events) -> Result<u8> {
    let options = Options {
        filter: Some(lints::NAME.to_owned()),
        kernel: vec![STOCK.to_owned()],
        within: None,
        firmware: None,
        bless: false,
        all: false,
        suites: false,
        results: ResultOptions::default(),
    };
    main(options, events)
}

/// Returns the suites with cases that match. The host suite knows only part of the names of the documentation's
/// examples.
fn wanted_suites<'s>(
    suites: &'s [Box<dyn Suite>],
    wanted: &BTreeSet<&String>,
    filter: &Filter,
    options: &Options,
) -> Vec<&'s dyn Suite> {
    let has_wanted = |suite: &dyn Suite| {
        let beginning = format!("{}::", suite.name());
        wanted.iter().any(|name| name.starts_with(&beginning))
            || (suite.name() == host::NAME && options.filter.as_deref().is_some_and(is_in_documentation))
    };
    let suites = suites.iter().map(Box::as_ref);
    suites.filter(|suite| is_wanted(*suite, filter, options.all) && has_wanted(*suite)).collect()
}

/// Returns whether a suite can have cases that match. Some suites must be named, or `all` set.
fn is_wanted(suite: &dyn Suite, filter: &Filter, all: bool) -> bool {
    filter.selects_suite(suite.name()) && (all || !suite.is_extra() || filter.names(suite.name()))
}

/// The inputs that are the same for each kernel.
struct Run<'r> {
    repo: &'r Path,
    /// The suites that can have cases that match.
    suites: Vec<&'r dyn Suite>,
    /// The names of all cases.
    known: &'r BTreeSet<String>,
    filter: &'r Filter,
    deadline: Deadline,
    options: &'r Options,
    results: &'r Results,
    events: &'r Events,
}

impl Run<'_> {
    /// Runs the suites on each kernel, tells the result and returns the exit code. `suites` are the names of all suites.
    fn all(&self, suites: &[&str]) -> Result<u8> {
        let mut kernels: Vec<&str> = self.options.kernel.iter().map(String::as_str).collect();
        if self.options.within.is_some() {
            rotation::rotate(&mut kernels, self.repo);
        }
        let mut durations = Estimate::read()?;
        self.announce(&kernels, &durations);
        let mut summary = Summary::default();
        for kernel in kernels {
            let mut ran = self.on(kernel)?;
            self.note_durations(kernel, &ran, &mut durations);
            if self.has_several_kernels() {
                ran.name_kernel(kernel);
            }
            summary.add(ran);
        }
        if let Err(error) = durations.keep() {
            self.events.warn(format!("the next run cannot say how long it takes: {}", error.chain()));
        }
        if summary.cases.is_empty() {
            return Err(no_case(self.options.filter.as_deref(), suites));
        }
        summary.tell(self.events);
        Ok(summary.code())
    }

    fn has_several_kernels(&self) -> bool {
        self.options.kernel.len() > 1
    }

    /// Adds cases to the results for other programs, each with its duration.
    fn add_results<'c>(&self, kernel: &str, cases: impl IntoIterator<Item = &'c Case>, time: Duration) {
        for case in cases {
            let (suite, name) = case.name.split_once("::").unwrap_or((WHOLE, &case.name));
            let suite = if self.has_several_kernels() { format!("{suite} ({kernel})") } else { suite.to_owned() };
            let row = Row::new(&suite, name, case.verdict.clone());
            self.results.add(Row { seconds: time.as_secs_f64(), ..row });
        }
    }

    /// Says how long whole suites take. What is built before is not included.
    fn announce(&self, kernels: &[&str], durations: &Estimate) {
        if !self.suites.iter().all(|suite| self.filter.within(suite.name()).is_empty()) {
            return;
        }
        let of = |kernel: &&str| {
            let (alone, beside): (Vec<&dyn Suite>, Vec<_>) =
                self.suites_on(kernel).into_iter().partition(|suite| suite.is_alone());
            let time = |suites: &[&dyn Suite], width| {
                let names: Vec<_> = suites.iter().map(|suite| suite.name()).collect();
                durations.of(kernel, self.options.all, &names, width)
            };
            time(&beside, beside::width()) + time(&alone, 1)
        };
        let whole = kernels.iter().map(of).sum::<Duration>().min(self.deadline.left().unwrap_or(Duration::MAX));
        let extra = match (self.options.all, &self.options.filter) {
            (false, None) => "; `--all` also runs the long cases, and `./drydock lint` the lints",
            _ => "",
        };
        self.events.note(format!("this takes {} once everything is built{extra}", about(whole)));
    }

    /// Notes the durations of suites of which everything ran: a suite that fails may end early.
    fn note_durations(&self, kernel: &str, ran: &Ran, durations: &mut Estimate) {
        for taken in ran.suites.iter().filter(|taken| self.filter.within(&taken.name).is_empty()) {
            let beginning = format!("{}::", taken.name);
            let is_cut = |case: &Case| match &case.verdict {
                Verdict::Passed => false,
                Verdict::Skipped { why } => why.starts_with(NO_TIME),
                Verdict::Failed { .. } | Verdict::Undecided { .. } => true,
            };
            if !ran.cases.iter().any(|case| case.name.starts_with(&beginning) && is_cut(case)) {
                durations.note(kernel, self.options.all, &taken.name, taken.seconds);
            }
        }
    }

    /// Returns the suites that run on a kernel, in their order.
    fn suites_on(&self, kernel: &str) -> Vec<&dyn Suite> {
        let built_here = debug_kernel::named(kernel).is_some();
        let mut suites: Vec<_> =
            self.suites.iter().copied().filter(|suite| !built_here || suite.tests_the_kernel()).collect();
        if self.deadline.left().is_some() {
            rotation::rotate(&mut suites, self.repo);
        }
        suites
    }

    /// Runs the suites on one kernel.
    fn on(&self, kernel: &str) -> Result<Ran> {
        let suites = self.suites_on(kernel);
        let too_late = match debug_kernel::named(kernel) {
            _ if self.deadline.is_nearer_than(TO_BEGIN) => Some(NO_TIME),
            Some(variant) if self.deadline.is_nearer_than(TO_BUILD) && !setup::has_debug_kernel(variant)? => {
                Some("no time left to build the debug kernel")
            }
            _ => None,
        };
        let mut all = Ran::default();
        if let Some(why) = too_late {
            all.cases.extend(suites.iter().map(|suite| unbegun(suite.name(), why)));
            self.add_results(kernel, &all.cases, Duration::ZERO);
        } else {
            self.prepared(kernel, suites, &mut all)?;
        }
        Ok(all)
    }

    /// Prepares what the suites need and runs them: side by side, and then those that run alone.
    fn prepared(&self, kernel: &str, suites: Vec<&dyn Suite>, all: &mut Ran) -> Result<()> {
        let need = suites.iter().map(|suite| suite.need()).max().unwrap_or(Need::Checkout);
        let contents = suites.iter().map(|suite| suite.content(self.repo, self.filter));
        let content = contents.collect::<Result<Vec<_>>>()?.into_iter().fold(Content::library(), Content::and);
        let ready = Ready::prepare(need, &Plan { kernel: Some(kernel.to_owned()), content }, self.events)?;
        let context = self.context(&ready);
        let (alone, beside): (Vec<&dyn Suite>, Vec<_>) = suites.into_iter().partition(|suite| suite.is_alone());
        for (suites, width) in [(beside, beside::width()), (alone, 1)] {
            // One machine per processor, but no more than there are suites.
            let width = width.min(suites.len());
            pace::share_among(u32::try_from(width).unwrap_or(u32::MAX));
            let ran = beside::beside(&suites, width, |suite| {
                let begun = Instant::now();
                let ran = run(*suite, &context, &|case, time| self.add_results(kernel, [case], time))?;
                Ok(Ran { suites: vec![Taken::new(suite.name(), begun.elapsed())], ..ran })
            })?;
            for (suite, ran) in suites.iter().zip(ran) {
                let unlisted = unlisted(suite.name(), &ran.cases, self.known);
                self.add_results(kernel, &unlisted, Duration::ZERO);
                all.cases.extend(unlisted);
                all.add(ran);
            }
        }
        Ok(())
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
            all: self.options.all,
        }
    }
}

/// Returns the names of all cases of all suites.
fn known(suites: &[Box<dyn Suite>], repo: &Path) -> Result<BTreeSet<String>> {
    let mut known = BTreeSet::new();
    for suite in suites {
        known.extend(suite.names(repo)?);
    }
    Ok(known)
}

/// Returns whether a filter is part of `FILE - ITEM (line N)`. Before the examples are compiled, only the file is
/// known.
fn is_in_documentation(filter: &str) -> bool {
    filter.contains(" - ") || filter.contains("(line ")
}

/// Returns the error for a filter that matches nothing. Otherwise a mistyped filter would look like passing tests.
fn no_case(filter: Option<&str>, suites: &[&str]) -> Error {
    let Some(filter) = filter else { return Error::new(Kind::Check, "there are no cases") };
    Error::new(Kind::Usage, format!("no test matches `{filter}` (suites: {})", suites.join(", ")))
        .hint("`--suites` lists the suites; a debug kernel runs only those that need a guest")
}

/// Returns a failed case if a case ran that the suite's list lacks: a filter would not have found it.
fn unlisted(suite: &str, ran: &[Case], known: &BTreeSet<String>) -> Option<Case> {
    // A skipped case may represent the whole suite, and errors outside the cases have such a name too.
    let by_name =
        |case: &&Case| !matches!(case.verdict, Verdict::Skipped { .. }) && case.name != format!("{suite}::run");
    let case = ran.iter().filter(by_name).find(|case| !names::lists(known, &case.name))?;
    let why = format!("no filter finds `{}`: it is not among the names in the sources", case.name);
    Some(Case { name: format!("{suite}::names"), verdict: Verdict::Failed { why, details: Vec::new() } })
}

/// Returns the case of a suite that is skipped.
fn unbegun(suite: &str, why: &str) -> Case {
    Case { name: format!("{suite}::all"), verdict: Verdict::Skipped { why: why.to_owned() } }
}

/// Runs one suite and passes each case with its duration to `add`. An error that ends it early counts as one more failed
/// case.
fn run(suite: &dyn Suite, context: &Context<'_>, add: &dyn Fn(&Case, Duration)) -> Result<Ran> {
    let mut ran = Ran::default();
    if context.deadline.is_nearer_than(TO_BEGIN) {
        let case = unbegun(suite.name(), NO_TIME);
        add(&case, Duration::ZERO);
        ran.cases.push(case);
        return Ok(ran);
    }
    let mut begun = Instant::now();
    let ended = suite.run(context, &mut |case| {
        if context.filter.selects(&case.name) {
            let time = std::mem::replace(&mut begun, Instant::now()).elapsed();
            ran.slow_cases.extend((time >= SLOW).then(|| Taken::new(&case.name, time)));
            show(&case, context.events);
            add(&case, time);
            ran.cases.push(case);
        }
    });
    if let Err(error) = ended {
        let case = Case { name: format!("{}::run", suite.name()), verdict: Verdict::of_error(error)? };
        show(&case, context.events);
        add(&case, begun.elapsed());
        ran.cases.push(case);
    }
    Ok(ran)
}

/// Shows a failed case at once, with all its output. Only counts a passed one.
fn show(case: &Case, events: &Events) {
    let (word, why, details) = match &case.verdict {
        Verdict::Failed { why, details } => ("FAIL", why, details),
        Verdict::Undecided { why, details } => ("undecided", why, details),
        Verdict::Passed | Verdict::Skipped { .. } => return,
    };
    let below: String = details.iter().map(|line| format!("\n    {line}")).collect();
    events.note(format!("{word} {}: {why}{below}", case.name));
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
        assert_eq!(error.to_string(), "no test matches `typo` (suites: host, guest-vgem)");
        assert_eq!(no_case(None, &["host"]).kind(), Kind::Check);
    }

    #[test]
    fn every_suite_knows_its_cases_and_no_case_twice() {
        let repo = repo::root().unwrap();
        for suite in suites() {
            let names = suite.names(&repo).unwrap();
            assert!(!names.is_empty(), "{}", suite.name());
            let beginning = format!("{}::", suite.name());
            assert!(names.iter().all(|name| name.starts_with(&beginning)), "{}: {names:?}", suite.name());
        }
    }

    #[test]
    fn case_that_no_filter_would_find_is_a_failure() {
        let known = BTreeSet::from(["host::a".to_owned()]);
        assert!(unlisted("host", &[case("host::a", Verdict::Passed)], &known).is_none());
        let unknown = unlisted("host", &[case("host::b", Verdict::Passed)], &known).unwrap();
        assert_eq!(unknown.name, "host::names");
        let skipped = case("host::all", Verdict::Skipped { why: "no time left".into() });
        assert!(unlisted("host", &[skipped], &known).is_none());
    }

    #[test]
    fn an_extra_suite_runs_if_it_is_named_or_all_do() {
        let filter = |text: Option<&str>| Filter::new(text, &["stress", "host"], &[]);
        let wanted = |text, all| is_wanted(&stress::Stress, &filter(text), all);
        assert!(!wanted(None, false) && !wanted(Some("demo"), false) && !wanted(Some("host"), true));
        assert!(wanted(None, true) && wanted(Some("stress"), false) && wanted(Some("stress::demo_tyr"), false));
        assert!(is_wanted(&host::Host, &filter(None), false));
    }
}
