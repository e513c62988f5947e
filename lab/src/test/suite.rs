// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What a suite is, and which of its cases are wanted.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::error::{Error, Kind, Result};
use crate::events::Events;
use crate::firmware::Choice;
use crate::modules::{self, BuiltModules};
use crate::scenario::{Content, Plan, Stage};
use crate::setup::{self, Toolchain};

use super::drivers;

/// One case and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Case {
    /// `SUITE::NAME`.
    pub(super) name: String,
    /// How it ended.
    pub(super) verdict: Verdict,
}

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Verdict {
    /// As it should.
    Passed,
    /// Otherwise.
    Failed {
        /// In one line.
        why: String,
        /// What else it said.
        details: Vec<String>,
    },
    /// The host starved the guest, so that it says nothing.
    Undecided {
        /// In one line.
        why: String,
        /// What else it said.
        details: Vec<String>,
    },
    /// It cannot be run here.
    Skipped {
        /// In one line.
        why: String,
    },
}

/// When nothing more is to be begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline(Option<Instant>);

impl Deadline {
    /// So long from now; without a time, never.
    pub(super) fn within(time: Option<Duration>) -> Self {
        Self(time.map(|time| Instant::now() + time))
    }

    /// The time until then, if there is an end.
    pub(super) fn left(self) -> Option<Duration> {
        self.0.map(|end| end.saturating_duration_since(Instant::now()))
    }

    /// Whether there is less time left than this.
    pub(super) fn is_nearer_than(self, time: Duration) -> bool {
        self.left().is_some_and(|left| left < time)
    }
}

impl Verdict {
    /// What kept a case from passing, with all that it says. An interruption is nobody's failure, and goes on.
    pub(super) fn of_error(error: Error) -> Result<Self> {
        if error.kind() == Kind::Interrupted {
            return Err(error);
        }
        let details = error.all_details().into_iter().map(str::to_owned).collect();
        Ok(match error.kind() {
            Kind::Starved => Self::Undecided { why: error.chain(), details },
            _ => Self::Failed { why: error.chain(), details },
        })
    }
}

/// What has to be there before a suite can run; each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    /// The checkout as it is.
    Checkout,
    /// The toolchain root and a kernel's metadata.
    Toolchain,
    /// The modules, built.
    Modules,
    /// A guest to boot.
    Guest,
}

/// As much as the suites of a run need.
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
        let content = &plan.content;
        let modules = modules::build(&toolchain, &toolchain.repo.join("kernel"), content.modules.as_ref(), events)?;
        match need {
            Need::Guest => {
                Ok(Self::Guest(Box::new(Stage::with_modules(toolchain, modules, &content.programs, events)?)))
            }
            _ => Ok(Self::Modules(toolchain, modules)),
        }
    }
}

/// What a suite works with.
#[derive(Clone, Copy)]
pub(super) struct Context<'c> {
    /// The checkout.
    pub(super) repo: &'c Path,
    /// What is prepared: at least what each suite of the run needs.
    pub(super) ready: &'c Ready,
    /// Where steps are shown.
    pub(super) events: &'c Events,
    /// Which cases are wanted.
    pub(super) filter: &'c Filter,
    /// When no further case is to be begun.
    pub(super) deadline: Deadline,
    /// What stands in for the published firmware of a GPU.
    pub(super) firmware: Option<&'c Choice>,
    /// Keep what is said now as what is expected, where a suite compares messages.
    pub(super) bless: bool,
}

impl Context<'_> {
    /// For suites that need it.
    pub(super) fn toolchain(&self) -> &Toolchain {
        match self.ready {
            Ready::Toolchain(toolchain) | Ready::Modules(toolchain, _) => toolchain,
            Ready::Guest(stage) => stage.toolchain(),
            Ready::Checkout => unreachable!("the suite said that it needs no toolchain"),
        }
    }

    /// For suites that need them.
    pub(super) fn modules(&self) -> &BuiltModules {
        match self.ready {
            Ready::Modules(_, modules) => modules,
            Ready::Guest(stage) => stage.modules(),
            _ => unreachable!("the suite said that it needs no modules"),
        }
    }

    /// For suites that need a guest.
    pub(super) fn stage(&self) -> &Stage {
        match self.ready {
            Ready::Guest(stage) => stage,
            _ => unreachable!("the suite said that it needs no guest"),
        }
    }
}

/// A group of cases that are run by the same means.
pub(super) trait Suite: Sync {
    /// Its name, the first part of its cases' names.
    fn name(&self) -> &'static str;

    /// What has to be there before it runs.
    fn need(&self) -> Need;

    /// What the guest has for the cases that the filter wants, of suites that need modules or a guest.
    fn content(&self, _repo: &Path, _filter: &Filter) -> Result<Content> {
        Ok(Content::all_modules())
    }

    /// Whether what is loaded into a kernel is tested, and not the lab itself: on a debug kernel nothing else is run.
    fn tests_the_kernel(&self) -> bool {
        self.need() == Need::Guest
    }

    /// The names of all its cases, as the checkout has them: what can be known before anything is compiled.
    fn names(&self, repo: &Path) -> Result<BTreeSet<String>>;

    /// Whether it takes so long that it runs only if it is named, or all are asked for.
    fn is_long(&self) -> bool {
        false
    }

    /// Whether it would spoil what runs beside it.
    fn is_alone(&self) -> bool {
        false
    }

    /// Runs the cases that the filter wants and tells each as it ends. An error means that the suite itself could not go
    /// on; it may tell more cases than are wanted.
    fn run(&self, context: &Context<'_>, tell: &mut dyn FnMut(Case)) -> Result<()>;
}

/// Which cases are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filter {
    /// Only this suite, if one is named.
    suite: Option<String>,
    /// Only cases whose name contains this.
    part: String,
}

impl Filter {
    /// Takes a filter's text apart: `SUITE`, `SUITE::PART`, one of `drivers` (which stands for its own check) or any part
    /// of a name.
    pub(super) fn new(text: Option<&str>, suites: &[&str], drivers: &[String]) -> Self {
        let text = text.unwrap_or_default();
        if drivers.iter().any(|driver| *driver == text.replace('-', "_")) {
            return Self { suite: Some(drivers::NAME.to_owned()), part: text.replace('-', "_") };
        }
        let (first, rest) = text.split_once("::").unwrap_or((text, ""));
        match suites.contains(&first) {
            true => Self { suite: Some(first.to_owned()), part: rest.to_owned() },
            false => Self { suite: None, part: text.to_owned() },
        }
    }

    /// Whether cases of this suite can be wanted.
    pub(super) fn selects_suite(&self, suite: &str) -> bool {
        self.suite.as_deref().is_none_or(|wanted| wanted == suite)
    }

    /// Whether it is this suite that was named.
    pub(super) fn names(&self, suite: &str) -> bool {
        self.suite.as_deref() == Some(suite)
    }

    /// Whether the case `SUITE::NAME` is wanted.
    pub(super) fn selects(&self, case: &str) -> bool {
        let (suite, name) = case.split_once("::").unwrap_or(("", case));
        match &self.suite {
            Some(wanted) => wanted == suite && name.contains(&self.part),
            None => case.contains(&self.part),
        }
    }

    /// What a name within this suite has to contain, for a program that filters by itself; empty for all.
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
    fn what_the_host_spoils_is_no_failure() {
        let verdict = |kind| Verdict::of_error(Error::new(kind, "x")).unwrap();
        assert!(matches!(verdict(Kind::Starved), Verdict::Undecided { .. }));
        assert!(matches!(verdict(Kind::Kernel), Verdict::Failed { .. }));
        assert!(Verdict::of_error(Error::new(Kind::Interrupted, "x")).is_err());
    }

    #[test]
    fn no_filter_selects_everything() {
        assert!(Filter::new(None, SUITES, &[]).selects("lints::rustfmt"));
    }
}
