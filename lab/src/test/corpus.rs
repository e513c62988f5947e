// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The fuzzer's corpus, executed once on each driver: `corpus::NAME`. It needs no KCOV, so it runs on the stock kernel, too.

use crate::error::{Kind, Result};
use crate::fuzz::{Replay, Subject, boot, corpus_text};

use super::suite::{Case, Context, Need, Suite, Verdict};

/// The sequences of `tests/fuzz/corpus`.
pub(super) struct Corpus;

impl Suite for Corpus {
    fn name(&self) -> &'static str {
        "corpus"
    }

    fn need(&self) -> Need {
        Need::Guest
    }

    fn run(&self, context: &Context<'_>, tell: &mut dyn FnMut(Case)) -> Result<()> {
        for subject in Subject::ALL {
            let name = format!("{}::{}", self.name(), subject.name());
            if context.filter.selects(&name) {
                let verdict = verdict_of(subject, context)?;
                tell(Case { name, verdict });
            }
        }
        Ok(())
    }
}

fn verdict_of(subject: Subject, context: &Context<'_>) -> Result<Verdict> {
    let programs = corpus_text(context.repo, subject)?;
    let count = programs.lines().count();
    if count == 0 {
        return Ok(Verdict::Failed { why: "there are no sequences for it".into(), details: Vec::new() });
    }
    let boot = boot(subject, context.firmware, context.events)?;
    let session = Replay::of(subject, context.stage(), boot, programs)?;
    let title = format!("{count} sequences of calls on {}", subject.name());
    Ok(match session.run(&title, context.events) {
        Ok(told) if told.replayed.len() == count => Verdict::Passed,
        Ok(told) => {
            let why = format!("{} of {count} sequences were executed", told.replayed.len());
            Verdict::Failed { why, details: Vec::new() }
        }
        Err(stopped) if stopped.error.kind() == Kind::Interrupted => return Err(stopped.error),
        Err(stopped) => {
            let details = stopped.error.all_details().into_iter().map(str::to_owned).collect();
            Verdict::Failed { why: stopped.error.chain(), details }
        }
    })
}
