// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Repeats demos and tests beside busy loops and each other: what passes on an idle host must pass on an overloaded
//! one.
//!
//! The loops are child processes. They end with the suite, and with this process however it ends.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::demo::{self, Story};
use drydock_base::error::{Context as _, Result};
use drydock_base::process::die_with_us;
use drydock_machine::pace;
use drydock_machine::scenario::{Content, Program};

use super::NO_TIME;
use super::beside::beside;
use super::guest::Guest;
use super::suite::{Case, Context, Filter, Need, Suite, Verdict};

/// The number of busy loops.
const LOOPS: usize = 12;
/// The number of repetitions.
const TIMES: usize = 10;

/// A suite of tests in the guest, and a part of the names of its cases.
type Tests = (fn() -> Guest, &'static str);

/// Tests in the guest that wait for other processes, for timers and for an emulated GPU.
const TESTS: [Tests; 3] =
    [(Guest::rust, "sync_fence::"), (Guest::nova, "nova_fault::"), (Guest::tyr_built, "tyr_queue::")];

/// The number of machines that run at a time, beside the loops: all of a repetition.
const MACHINES: u8 = 7;

/// The duration of a repetition on a host with two processors.
const REPETITION: Duration = Duration::from_secs(150);

pub(super) struct Stress;

const NAME: &str = "stress";

/// Returns all work of one repetition.
fn works() -> impl Iterator<Item = Work> {
    Story::LIVES.map(Work::Demo).into_iter().chain(TESTS.map(|(suite, part)| Work::Tests(suite(), part)))
}

fn case_name(work: &Work, number: usize) -> String {
    format!("{NAME}::{}_{number}", work.name())
}

impl Suite for Stress {
    fn name(&self) -> &'static str {
        NAME
    }

    fn need(&self) -> Need {
        Need::Guest
    }

    fn is_extra(&self) -> bool {
        true
    }

    /// The suite tests the lab's verdicts, not the kernel.
    fn tests_the_kernel(&self) -> bool {
        false
    }

    fn content(&self, repo: &Path, _filter: &Filter) -> Result<Content> {
        let content = Content::all_modules().with(Program::TESTS);
        Story::LIVES.iter().try_fold(content, |content, story| Ok(content.and(story.content(repo)?)))
    }

    fn is_alone(&self) -> bool {
        true
    }

    fn names(&self, _repo: &Path) -> Result<BTreeSet<String>> {
        Ok((1..=TIMES).flat_map(|number| works().map(move |work| case_name(&work, number))).collect())
    }

    fn run(&self, context: &Context<'_>, tell: &mut dyn FnMut(Case)) -> Result<()> {
        pace::share_among(MACHINES.into());
        for number in 1..=TIMES {
            let named = works().map(|work| (case_name(&work, number), work));
            let wanted: Vec<_> = named.filter(|(name, _)| context.filter.selects(name)).collect();
            if wanted.is_empty() {
                continue;
            }
            if context.deadline.is_nearer_than(REPETITION) {
                let skipped = || Verdict::Skipped { why: NO_TIME.to_owned() };
                wanted.into_iter().for_each(|(name, _)| tell(Case { name, verdict: skipped() }));
                continue;
            }
            let _loops = Loops::start(LOOPS)?;
            let verdicts = beside(&wanted, MACHINES.into(), |(_, work)| work.verdict(context))?;
            for ((name, _), verdict) in wanted.into_iter().zip(verdicts) {
                tell(Case { name, verdict });
            }
        }
        Ok(())
    }
}

/// Work that is done beside the loops.
enum Work {
    Demo(Story),
    Tests(Guest, &'static str),
}

impl Work {
    fn name(&self) -> String {
        match self {
            Self::Demo(story) => format!("demo_{}", story.name()),
            Self::Tests(suite, part) => format!("{}_{}", suite.name(), part.trim_end_matches("::")),
        }
    }

    fn verdict(&self, context: &Context<'_>) -> Result<Verdict> {
        match self {
            Self::Demo(story) => demo::live(*story, context.stage(), context.firmware, false, context.events)
                .map_or_else(Verdict::of_error, |_| Ok(Verdict::Passed)),
            Self::Tests(suite, part) => tests(suite, part, context),
        }
    }
}

/// Runs all tests of a suite whose names contain `part`, as one verdict.
fn tests(suite: &Guest, part: &str, context: &Context<'_>) -> Result<Verdict> {
    let filter = Filter::new(Some(&format!("{}::{part}", suite.name())), &[suite.name()], &[]);
    let mut cases = Vec::new();
    let ran = suite.run(&Context { filter: &filter, ..*context }, &mut |case| cases.push(case));
    match ran {
        Ok(()) => Ok(together(cases)),
        Err(error) => Verdict::of_error(error),
    }
}

/// Combines the verdicts of several cases: none may fail, and at least one must pass. If the time was over before the last of
/// them, the whole counts as skipped.
fn together(cases: Vec<Case>) -> Verdict {
    let passed = cases.iter().filter(|case| case.verdict == Verdict::Passed).count();
    let failed: Vec<String> = cases
        .iter()
        .filter_map(|case| match &case.verdict {
            Verdict::Failed { why, .. } => Some(format!("{}: {why}", case.name)),
            _ => None,
        })
        .collect();
    let is_late = |case: &Case| matches!(&case.verdict, Verdict::Skipped { why } if why.starts_with(NO_TIME));
    match failed.len() {
        0 if cases.iter().any(is_late) => Verdict::Skipped { why: NO_TIME.to_owned() },
        0 if passed > 0 => Verdict::Passed,
        0 => Verdict::Failed { why: format!("none of {} tests has passed", cases.len()), details: Vec::new() },
        count => Verdict::Failed { why: format!("{count} of {} tests failed", cases.len()), details: failed },
    }
}

/// Processes that use as much processor time as they can get, until this is dropped.
struct Loops(Vec<Child>);

impl Loops {
    fn start(count: usize) -> Result<Self> {
        let mut loops = Self(Vec::new());
        for _ in 0..count {
            let mut command = Command::new("sh");
            command.args(["-c", "while :; do :; done"]).stdin(Stdio::null()).stdout(Stdio::null());
            loops.0.push(die_with_us(&mut command).spawn().context("failed to start a busy loop")?);
        }
        Ok(loops)
    }
}

impl Drop for Loops {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // Both calls fail only if it has ended and was reaped, which is fine.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(verdict: Verdict) -> Case {
        Case { name: "guest-vgem::a".into(), verdict }
    }

    #[test]
    fn one_failure_fails_and_skips_alone_do_not_pass() {
        let failed = Verdict::Failed { why: "EIO".into(), details: Vec::new() };
        let skipped = Verdict::Skipped { why: "not here".into() };
        assert_eq!(together(vec![case(Verdict::Passed), case(skipped.clone())]), Verdict::Passed);
        assert!(matches!(together(vec![case(skipped)]), Verdict::Failed { .. }));
        assert!(matches!(together(Vec::new()), Verdict::Failed { .. }));
        let Verdict::Failed { why, details } = together(vec![case(Verdict::Passed), case(failed)]) else {
            panic!("it passed")
        };
        assert_eq!((why.as_str(), details.as_slice()), ("1 of 2 tests failed", &["guest-vgem::a: EIO".to_owned()][..]));
    }

    #[test]
    fn time_that_is_over_fails_nothing() {
        let late = || Verdict::Skipped { why: "no time left (`--within`)".into() };
        let skipped = Verdict::Skipped { why: NO_TIME.into() };
        assert_eq!(together(vec![case(late()), case(late())]), skipped);
        assert_eq!(together(vec![case(Verdict::Passed), case(late())]), skipped);
        let failed = Verdict::Failed { why: "EIO".into(), details: Vec::new() };
        assert!(matches!(together(vec![case(failed), case(late())]), Verdict::Failed { .. }));
    }

    #[test]
    fn loops_end_when_they_are_dropped() {
        let loops = Loops::start(2).unwrap();
        let pids: Vec<u32> = loops.0.iter().map(Child::id).collect();
        assert!(pids.iter().all(|pid| std::path::Path::new(&format!("/proc/{pid}")).exists()));
        drop(loops);
        assert!(!pids.iter().any(|pid| std::path::Path::new(&format!("/proc/{pid}")).exists()));
    }
}
