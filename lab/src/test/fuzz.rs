// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Each driver fuzzed for a minute: `fuzz::NAME`. Only the debug kernel tells what a call reaches.

use crate::error::{Kind, Result};
use crate::fuzz::{Options, Subject, one};
use crate::kernels::Flavour;

use super::suite::{Case, Context, Need, Suite, Verdict};

/// A test begins alike each time; to look elsewhere is what `drydock fuzz` is for.
const SEED: u64 = 1;

/// `drydock fuzz --minutes 1 --seed 1`, a case for each driver.
pub(super) struct Fuzz;

impl Suite for Fuzz {
    fn name(&self) -> &'static str {
        "fuzz"
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
    let skipped = |why: &str| Ok(Verdict::Skipped { why: why.into() });
    if context.stage().flavour() != Flavour::Debug {
        return skipped("this kernel has no KCOV; the debug kernel has (`--kernel debug`)");
    }
    let options = Options::of_minutes(1, SEED, context.firmware.cloned());
    if context.deadline.is_nearer_than(options.time() * 3) {
        return skipped(super::NO_TIME);
    }
    match one(subject, &options, context.stage(), context.events) {
        Ok(()) => Ok(Verdict::Passed),
        Err(error) if error.kind() == Kind::Interrupted => Err(error),
        Err(error) => {
            let details = error.all_details().into_iter().map(str::to_owned).collect();
            Ok(Verdict::Failed { why: error.chain(), details })
        }
    }
}
