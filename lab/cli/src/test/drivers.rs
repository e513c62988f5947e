// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The drivers' own checks: `drivers::DRIVERS` loads the driver, runs its `check.sh`, unloads it, and judges the log. The
//! examples are drivers too.
//!
//! All share a boot. If a driver takes the machine down, only it fails, and the drivers after it get another boot.

use std::collections::BTreeSet;
use std::path::Path;

use crate::drivers::Checked;
use drydock_base::error::{Error, Kind, Result};
use drydock_base::events::Events;
use drydock_machine::error::Error as VmError;
use drydock_machine::guest::Output;
use drydock_machine::scenario::{Boot, Content, Scene, Stage, driver_module};

use super::suite::{Case, Context, DRIVERS, Filter, Need, Suite, Verdict};

/// The checks of `kernel/drivers` and `kernel/examples`.
pub(super) struct Drivers;

impl Suite for Drivers {
    fn name(&self) -> &'static str {
        DRIVERS
    }

    fn need(&self) -> Need {
        Need::Guest
    }

    fn content(&self, repo: &Path, filter: &Filter) -> Result<Content> {
        let checked = crate::drivers::checked(repo);
        let wanted = checked.iter().filter(|name| filter.selects(&case_name(name)));
        let contents = wanted.map(|name| Content::of_driver(repo, name)).collect::<Result<Vec<_>>>()?;
        Ok(contents.into_iter().fold(Content::library(), Content::and))
    }

    fn names(&self, repo: &Path) -> Result<BTreeSet<String>> {
        Ok(crate::drivers::checked(repo).iter().map(|name| case_name(name)).collect())
    }

    fn run(&self, context: &Context<'_>, tell: &mut dyn FnMut(Case)) -> Result<()> {
        let mut left = Vec::new();
        for name in crate::drivers::checked(context.repo).iter().filter(|name| context.filter.selects(&case_name(name)))
        {
            let module = driver_module(name, context.stage().image())?;
            left.push((Checked::read(context.repo, name)?, module));
        }
        let count = left.len();
        if count == 0 {
            return Ok(());
        }
        let step = context.events.step("the drivers' own checks");
        let machine = Boot { devices: devices(context.repo, &left), ..Boot::default() };
        let mut tell = |name: &str, verdict| tell(Case { name: case_name(name), verdict });
        check_all(context.stage(), &machine, left, context.events, &mut tell)?;
        step.done_with(format!("{count} drivers"));
        Ok(())
    }
}

fn case_name(driver: &str) -> String {
    format!("{DRIVERS}::{driver}")
}

/// Returns the devices that the drivers need. A device that several need is there once.
pub(super) fn devices(repo: &Path, drivers: &[(Checked, String)]) -> Vec<String> {
    let all = drivers.iter().flat_map(|(driver, _)| crate::drivers::devices(repo, &driver.name));
    all.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Checks drivers with their modules, one after the other, and tells each driver's name and verdict. If one ends the
/// boot, the next ones get another.
pub(super) fn check_all(
    stage: &Stage,
    machine: &Boot,
    mut left: Vec<(Checked, String)>,
    events: &Events,
    tell: &mut dyn FnMut(&str, Verdict),
) -> Result<()> {
    while !left.is_empty() {
        let mut current = None;
        let played = stage.play(machine, events, |scene: &mut Scene<'_>| -> Result<(), VmError> {
            while !left.is_empty() {
                let (driver, module) = left.remove(0);
                current = Some(driver.name.clone());
                let output = driver.check(scene, &module)?;
                current = None;
                tell(&driver.name, verdict(&output));
            }
            Ok(())
        });
        match (played, current) {
            (Ok(_), _) => {}
            (Err(error), Some(driver)) if error.kind() != Kind::Interrupted => tell(&driver, ended(&error)),
            (Err(error), _) => return Err(error),
        }
    }
    Ok(())
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
