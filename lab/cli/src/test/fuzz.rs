// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The fuzzer's cases, one for each driver: its corpus executed once (`corpus::NAME`), and a minute of search
//! (`fuzz::NAME`). The search needs the debug kernel, which alone reports what a call reaches.

use std::collections::BTreeSet;
use std::path::Path;

use crate::fuzz::{Options, Replay, Subject, boot, corpus_text, one};
use drydock_base::error::Result;
use drydock_machine::scenario::{Content, Program};

use super::suite::{Case, Context, Filter, Need, Suite, Verdict};

/// A test uses the same seed each time. `drydock fuzz` searches with others.
const SEED: u64 = 1;

/// The cases of one kind.
pub(super) struct Fuzz {
    name: &'static str,
    verdict_of: fn(Subject, &Context<'_>) -> Result<Verdict>,
}

impl Fuzz {
    /// Returns the suite of the sequences in `guest/random/corpus`. They need no KCOV, so they run on the stock kernel
    /// too.
    pub(super) fn corpus() -> Self {
        Self { name: "corpus", verdict_of: replay }
    }

    /// Returns the suite that does the same as `drydock fuzz --minutes 1 --seed 1`.
    pub(super) fn search() -> Self {
        Self { name: "fuzz", verdict_of: search }
    }

    fn case_name(&self, subject: Subject) -> String {
        format!("{}::{}", self.name, subject.name())
    }
}

impl Suite for Fuzz {
    fn name(&self) -> &'static str {
        self.name
    }

    fn need(&self) -> Need {
        Need::Guest
    }

    fn content(&self, _repo: &Path, _filter: &Filter) -> Result<Content> {
        Ok(Content::all_modules().with(Program::FUZZ))
    }

    fn names(&self, _repo: &Path) -> Result<BTreeSet<String>> {
        Ok(Subject::ALL.into_iter().map(|subject| self.case_name(subject)).collect())
    }

    fn run(&self, context: &Context<'_>, tell: &mut dyn FnMut(Case)) -> Result<()> {
        for subject in Subject::ALL {
            let name = self.case_name(subject);
            if context.filter.selects(&name) {
                let verdict = (self.verdict_of)(subject, context)?;
                tell(Case { name, verdict });
            }
        }
        Ok(())
    }
}

fn replay(subject: Subject, context: &Context<'_>) -> Result<Verdict> {
    let failed = |why: String| Ok(Verdict::Failed { why, details: Vec::new() });
    let programs = corpus_text(context.repo, subject)?;
    let count = programs.lines().count();
    if count == 0 {
        return failed("the corpus has no sequences for it".into());
    }
    let boot = boot(subject, context.firmware, context.events)?;
    let session = Replay::of(subject, context.stage(), boot, programs)?;
    let title = format!("{count} sequences of calls on {}", subject.name());
    match session.run(&title, context.events) {
        Ok(output) if output.replayed.len() == count => Ok(Verdict::Passed),
        Ok(output) => failed(format!("{} of {count} sequences were executed", output.replayed.len())),
        Err(stopped) => Verdict::of_error(stopped.error),
    }
}

fn search(subject: Subject, context: &Context<'_>) -> Result<Verdict> {
    let skipped = |why: &str| Ok(Verdict::Skipped { why: why.into() });
    if !context.stage().is_built_with("CONFIG_KCOV=y") {
        return skipped("this kernel has no KCOV; the debug kernel has (`--kernel debug`)");
    }
    let options = Options::of_minutes(1, SEED, context.firmware.cloned());
    if context.deadline.is_nearer_than(options.time() * 3) {
        return skipped(super::NO_TIME);
    }
    one(subject, &options, context.stage(), context.events).map_or_else(Verdict::of_error, |()| Ok(Verdict::Passed))
}
