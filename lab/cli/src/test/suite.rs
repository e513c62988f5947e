// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Suites, their cases, and the filter that selects cases.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

pub(super) use crate::verdict::Verdict;
use drydock_base::error::Result;
use drydock_base::events::{Events, Step, Unit};
use drydock_machine::scenario::{Content, Plan, Stage};
use drydock_toolchain::firmware::Choice;
use drydock_toolchain::modules::{self, BuiltModules};
use drydock_toolchain::setup::{self, Toolchain};

/// The least time left for starting a suite or a case, which may have to boot.
pub(super) const TO_BEGIN: Duration = Duration::from_secs(60);

/// The reason for skipping for lack of time.
pub(super) const NO_TIME: &str = "no time left";

/// One case and its verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Case {
    /// `SUITE::NAME`.
    pub(super) name: String,
    pub(super) verdict: Verdict,
}

/// The time after which nothing more is begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline(Option<Instant>);

impl Deadline {
    /// Returns a deadline `time` from now; `None` means never.
    pub(super) fn within(time: Option<Duration>) -> Self {
        Self(time.map(|time| Instant::now() + time))
    }

    /// Returns the time left, if there is a deadline.
    pub(super) fn left(self) -> Option<Duration> {
        self.0.map(|end| end.saturating_duration_since(Instant::now()))
    }

    /// Returns whether less than `time` is left.
    pub(super) fn is_nearer_than(self, time: Duration) -> bool {
        self.left().is_some_and(|left| left < time)
    }
}

/// A requirement that must be prepared before a suite can run. Each includes the earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    /// The checkout alone.
    Checkout,
    /// The toolchain root and a kernel's metadata.
    Toolchain,
    /// The built modules.
    Modules,
    /// A guest to boot.
    Guest,
}

/// The prepared parts that the suites of a run need.
pub(super) enum Ready {
    /// For [`Need::Checkout`].
    Checkout,
    /// For [`Need::Toolchain`].
    Toolchain(Toolchain),
    /// For [`Need::Modules`].
    Modules(Toolchain, BuiltModules),
    /// For [`Need::Guest`].
    Guest(Box<Stage>),
}

impl Ready {
    /// Prepares what is missing.
    pub(super) fn prepare(need: Need, plan: &Plan, events: &Events) -> Result<Self> {
        if need == Need::Checkout {
            return Ok(Self::Checkout);
        }
        let toolchain = setup::ensure_kernel(plan.kernel.as_deref(), events)?;
        if need == Need::Toolchain {
            return Ok(Self::Toolchain(toolchain));
        }
        let (kernel, content) = (toolchain.repo.join("kernel"), &plan.content);
        if need == Need::Guest {
            return Ok(Self::Guest(Box::new(Stage::build(toolchain, &kernel, content, events)?)));
        }
        let modules = modules::build(&toolchain, &kernel, content.modules.as_ref(), events)?;
        Ok(Self::Modules(toolchain, modules))
    }
}

/// The inputs of a suite.
#[derive(Clone, Copy)]
pub(super) struct Context<'c> {
    pub(super) repo: &'c Path,
    /// The prepared parts: at least those that each suite of the run needs.
    pub(super) ready: &'c Ready,
    /// The handle that shows steps.
    pub(super) events: &'c Events,
    /// The filter of cases.
    pub(super) filter: &'c Filter,
    /// The time after which no case is begun.
    pub(super) deadline: Deadline,
    /// The replacement for a GPU's published firmware.
    pub(super) firmware: Option<&'c Choice>,
    /// Whether to accept current messages as expected, where a suite compares messages.
    pub(super) bless: bool,
    /// Whether to run long cases too, even if the filter does not ask for them.
    pub(super) all: bool,
}

impl Context<'_> {
    /// Begins a case if there is time left for it.
    pub(super) fn in_time<E>(&self, case: impl FnOnce() -> Result<Verdict, E>) -> Result<Verdict, E> {
        match self.deadline.is_nearer_than(TO_BEGIN) {
            true => Ok(Verdict::Skipped { why: NO_TIME.to_owned() }),
            false => case(),
        }
    }

    /// Returns the toolchain, for suites that need it.
    pub(super) fn toolchain(&self) -> &Toolchain {
        match self.ready {
            Ready::Toolchain(toolchain) | Ready::Modules(toolchain, _) => toolchain,
            Ready::Guest(stage) => stage.toolchain(),
            Ready::Checkout => unreachable!("the suite said that it needs no toolchain"),
        }
    }

    /// Returns the modules, for suites that need them.
    pub(super) fn modules(&self) -> &BuiltModules {
        match self.ready {
            Ready::Modules(_, modules) => modules,
            Ready::Guest(stage) => stage.modules(),
            _ => unreachable!("the suite said that it needs no modules"),
        }
    }

    /// Returns the stage, for suites that need a guest.
    pub(super) fn stage(&self) -> &Stage {
        match self.ready {
            Ready::Guest(stage) => stage,
            _ => unreachable!("the suite said that it needs no guest"),
        }
    }
}

/// A step that shows how many cases of a suite have ended.
pub(super) struct Progress<'t> {
    step: Step,
    ended: usize,
    of: usize,
    tell: &'t mut dyn FnMut(Case),
}

impl<'t> Progress<'t> {
    /// Begins the step for `of` cases.
    pub(super) fn begin(
        context: &Context<'_>,
        title: impl Into<String>,
        of: usize,
        tell: &'t mut dyn FnMut(Case),
    ) -> Self {
        Self { step: context.events.step(title), ended: 0, of, tell }
    }

    /// Passes on the verdict of a case that has ended.
    pub(super) fn tell(&mut self, name: String, verdict: Verdict) {
        self.ended += 1;
        self.step.line(format!("{} of {} cases, last {name}", self.ended, self.of));
        self.step.progress(self.ended as u64, self.of as u64, Unit::Items);
        (self.tell)(Case { name, verdict });
    }

    /// Ends the step.
    pub(super) fn done(self) {
        self.step.done_with(format!("{} cases", self.ended));
    }
}

/// A group of cases that run in the same way.
pub(super) trait Suite: Sync {
    /// Returns its name, the first part of its cases' names.
    fn name(&self) -> &'static str;

    /// Returns what must be prepared before it runs.
    fn need(&self) -> Need;

    /// Returns the guest's content for the cases that match the filter. Called for suites that need modules or a guest.
    fn content(&self, _repo: &Path, _filter: &Filter) -> Result<Content> {
        Ok(Content::all_modules())
    }

    /// Returns whether it tests code that is loaded into a kernel, and not the lab itself. Only such suites run on a
    /// debug kernel.
    fn tests_the_kernel(&self) -> bool {
        self.need() == Need::Guest
    }

    /// Returns the names of all its cases in the checkout, as far as they are known before anything is compiled.
    fn names(&self, repo: &Path) -> Result<BTreeSet<String>>;

    /// Returns whether it runs only if it is named or `--all` is set.
    fn is_extra(&self) -> bool {
        false
    }

    /// Returns whether it would disturb suites that run at the same time.
    fn is_alone(&self) -> bool {
        false
    }

    /// Runs the cases that match the filter and passes each to `tell` as it ends. An error means that the suite itself
    /// could not continue. It may report more cases than match.
    fn run(&self, context: &Context<'_>, tell: &mut dyn FnMut(Case)) -> Result<()>;
}

/// The suite of the drivers' own checks, one case a driver. A driver's name alone selects its case.
pub(super) const DRIVERS: &str = "drivers";

/// Selects cases by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filter {
    /// The only suite to run, if one is named.
    suite: Option<String>,
    /// A part that the names of cases must contain.
    part: String,
}

impl Filter {
    /// Parses a filter: `SUITE`, `SUITE::PART`, one of `drivers` (which selects its own check) or any part of a name.
    pub(super) fn new(text: Option<&str>, suites: &[&str], drivers: &[String]) -> Self {
        let text = text.unwrap_or_default();
        if drivers.iter().any(|driver| *driver == text.replace('-', "_")) {
            return Self { suite: Some(DRIVERS.to_owned()), part: text.replace('-', "_") };
        }
        let (first, rest) = text.split_once("::").unwrap_or((text, ""));
        match suites.contains(&first) {
            true => Self { suite: Some(first.to_owned()), part: rest.to_owned() },
            false => Self { suite: None, part: text.to_owned() },
        }
    }

    /// Returns whether cases of this suite can match.
    pub(super) fn selects_suite(&self, suite: &str) -> bool {
        self.suite.as_deref().is_none_or(|wanted| wanted == suite)
    }

    /// Returns whether the filter names this suite.
    pub(super) fn names(&self, suite: &str) -> bool {
        self.suite.as_deref() == Some(suite)
    }

    /// Returns whether the case `SUITE::NAME` matches.
    pub(super) fn selects(&self, case: &str) -> bool {
        let (suite, name) = case.split_once("::").unwrap_or(("", case));
        match &self.suite {
            Some(wanted) => wanted == suite && name.contains(&self.part),
            None => case.contains(&self.part),
        }
    }

    /// Returns the part that a name within this suite must contain, for a program that filters by itself; empty for
    /// all.
    pub(super) fn within(&self, suite: &str) -> &str {
        let whole = self.suite.is_none() && suite.contains(&self.part);
        if whole { "" } else { &self.part }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUITES: &[&str] = &["host", "guest-vgem"];

    #[test]
    fn a_suites_name_selects_it_whole() {
        let filter = Filter::new(Some("host"), SUITES, &[]);
        assert!(filter.selects_suite("host") && !filter.selects_suite("guest-vgem"));
        assert!(filter.selects("host::anything"));
        assert!(filter.names("host") && !filter.names("guest-vgem"));
        assert!(!Filter::new(None, SUITES, &[]).names("host"));
    }

    #[test]
    fn a_part_is_looked_for_in_all_suites_or_in_the_named_one() {
        let everywhere = Filter::new(Some("fence"), SUITES, &[]);
        assert!(everywhere.selects("guest-vgem::fence::attach") && everywhere.selects("host::fence"));
        let one = Filter::new(Some("guest-vgem::fence"), SUITES, &[]);
        assert!(one.selects("guest-vgem::fence::attach") && !one.selects("host::fence"));
        assert_eq!(one.within("guest-vgem"), "fence");
    }

    #[test]
    fn a_part_of_a_suites_name_means_all_of_it() {
        let filter = Filter::new(Some("vgem"), SUITES, &[]);
        assert_eq!((filter.within("guest-vgem"), filter.within("guest-nova")), ("", "vgem"));
        assert_eq!(Filter::new(Some("guest-vgem::vgem"), SUITES, &[]).within("guest-vgem"), "vgem");
    }

    #[test]
    fn a_drivers_name_is_its_check() {
        let filter = Filter::new(Some("my-gpu"), SUITES, &["my_gpu".to_owned()]);
        assert!(filter.selects("drivers::my_gpu") && !filter.selects_suite("host"));
    }

    #[test]
    fn needs_include_those_before_them() {
        assert!(Need::Checkout < Need::Toolchain && Need::Toolchain < Need::Modules && Need::Modules < Need::Guest);
    }

    #[test]
    fn without_a_time_there_is_no_end() {
        assert!(!Deadline::within(None).is_nearer_than(Duration::MAX));
        let hour = Duration::from_secs(3600);
        assert!(Deadline::within(Some(hour)).is_nearer_than(hour + hour));
        assert!(!Deadline::within(Some(hour)).is_nearer_than(hour / 2));
    }

    #[test]
    fn no_filter_selects_everything() {
        assert!(Filter::new(None, SUITES, &[]).selects("lints::rustfmt"));
    }
}
