// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The drivers' own checks: `drivers::NAME` loads the driver, runs its `check.sh`, unloads it, and judges the log.
//!
//! All share a boot. If a driver takes the machine down, only it fails, and the drivers after it get another boot.

use std::collections::BTreeSet;
use std::path::Path;

use crate::drivers::Checked;
use drydock_base::error::{Error, Kind, Result};
use drydock_machine::error::Error as VmError;
use drydock_machine::guest::Output;
use drydock_machine::scenario::{Boot, Content, Scene, Stage, driver_module};

use super::suite::{Case, Context, Filter, Need, Suite, Verdict};

/// The checks of `kernel/drivers`.
pub(super) struct Drivers;

/// The suite's name, also used by the short cut of [`super::suite::Filter`].
pub(super) const NAME: &str = "drivers";

impl Suite for Drivers {
    fn name(&self) -> &'static str {
        NAME
    }

    fn need(&self) -> Need {
        Need::Guest
    }

    fn content(&self, repo: &Path, filter: &Filter) -> Result<Content> {
        let checked = crate::drivers::checked(repo);
        let wanted = checked.iter().filter(|name| filter.selects(&told_name(name)));
        let contents = wanted.map(|name| Content::of_driver(repo, name)).collect::<Result<Vec<_>>>()?;
        Ok(contents.into_iter().fold(Content::library(), Content::and))
    }

    fn names(&self, repo: &Path) -> Result<BTreeSet<String>> {
        Ok(crate::drivers::checked(repo).iter().map(|name| told_name(name)).collect())
    }

    fn run(&self, context: &Context<'_>, tell: &mut dyn FnMut(Case)) -> Result<()> {
        let mut left = Vec::new();
        for name in crate::drivers::checked(context.repo).iter().filter(|name| context.filter.selects(&told_name(name)))
        {
            let module = driver_module(name, context.stage().image())?;
            left.push((Checked::read(context.repo, name)?, module));
        }
        let count = left.len();
        if count == 0 {
            return Ok(());
        }
        let step = context.events.step("the drivers' own checks");
        while !left.is_empty() {
            boot(context, &mut left, tell)?;
        }
        step.done_with(format!("{count} drivers"));
        Ok(())
    }
}

fn told_name(driver: &str) -> String {
    format!("{NAME}::{driver}")
}

/// Takes drivers from `left` until all are checked or one of them ends the boot.
fn boot(context: &Context<'_>, left: &mut Vec<(Checked, String)>, tell: &mut dyn FnMut(Case)) -> Result<()> {
    let stage: &Stage = context.stage();
    let mut current = None;
    let played = stage.play(&Boot::default(), context.events, |scene: &mut Scene<'_>| -> Result<(), VmError> {
        while !left.is_empty() {
            let (driver, module) = left.remove(0);
            current = Some(driver.name.clone());
            let output = driver.check(scene, &module)?;
            current = None;
            tell(Case { name: told_name(&driver.name), verdict: verdict(&output) });
        }
        Ok(())
    });
    match (played, current) {
        (Ok(_), _) => Ok(()),
        (Err(error), Some(driver)) if error.kind() != Kind::Interrupted => {
            tell(Case { name: told_name(&driver), verdict: ended(&error) });
            Ok(())
        }
        (Err(error), _) => Err(error),
    }
}

fn verdict(output: &Output) -> Verdict {
    if output.status.success() {
        return Verdict::Passed;
    }
    let said = output.out.lines().chain(output.err.lines()).map(str::to_owned).collect();
    Verdict::Failed { why: format!("its check ended with {}", output.status), details: said }
}

fn ended(error: &Error) -> Verdict {
    Verdict::Failed { why: error.chain(), details: error.all_details().into_iter().map(str::to_owned).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use drydock_agent::protocol::Status;

    #[test]
    fn a_check_that_fails_tells_what_it_said() {
        let output = |code| Output { status: Status::Code(code), out: "opens\n".into(), err: "no node\n".into() };
        assert_eq!(verdict(&output(0)), Verdict::Passed);
        let Verdict::Failed { why, details } = verdict(&output(1)) else { panic!("it passed") };
        assert_eq!(why, "its check ended with exit code 1");
        assert_eq!(details, ["opens", "no node"]);
    }
}
