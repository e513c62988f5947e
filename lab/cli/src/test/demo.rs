// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The mistake of `drydock demo oops`, as a case: the debug kernel must report it, and must report nothing before it.

use std::collections::BTreeSet;
use std::path::Path;

use crate::demo::oops;
use drydock_base::error::Result;
use drydock_machine::scenario::Boot;

use super::suite::{Case, Context, Need, Suite, Verdict};

/// The parts of demos that no other suite covers.
pub(super) struct Demo;

/// The only case. The suites in the guest cover the other demos.
const OOPS: &str = "demo::oops";

impl Suite for Demo {
    fn name(&self) -> &'static str {
        "demo"
    }

    fn need(&self) -> Need {
        Need::Guest
    }

    fn names(&self, _repo: &Path) -> Result<BTreeSet<String>> {
        Ok(BTreeSet::from([OOPS.to_owned()]))
    }

    fn run(&self, context: &Context<'_>, tell: &mut dyn FnMut(Case)) -> Result<()> {
        if context.filter.selects(OOPS) {
            tell(Case { name: OOPS.to_owned(), verdict: verdict(context)? });
        }
        Ok(())
    }
}

fn verdict(context: &Context<'_>) -> Result<Verdict> {
    if !context.stage().is_built_with("CONFIG_KASAN=y") {
        return Ok(Verdict::Skipped {
            why: "this kernel has no KASAN; the debug kernel has (`--kernel debug`)".into(),
        });
    }
    oops::provoke(context.stage(), Boot::default(), context.events)
        .map_or_else(Verdict::of_error, |_| Ok(Verdict::Passed))
}
