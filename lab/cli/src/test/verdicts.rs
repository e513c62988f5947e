// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Tests which cause a run's verdict names, with fake reports: a guest may write into its kernel's log.

use std::collections::BTreeSet;
use std::path::Path;

use drydock_base::error::{Kind, Result};
use drydock_machine::scenario::{Boot, Stage};

use super::suite::{Case, Context, Need, Suite, Verdict};

pub(super) struct Verdicts;

const NAME: &str = "verdicts";

fn case_name(case: &str) -> String {
    format!("{NAME}::{case}")
}

/// The report of each case, and the kind of error that the run must return.
const CASES: [(&str, Report, Kind); 4] = [
    ("report_in_both_boots_is_no_drivers_fault", Report::AtBoot, Kind::Starved),
    (
        "late_timer_is_the_hosts_fault",
        Report::InRun(include_str!("../../../machine/src/testdata/starved-hrtimer.log")),
        Kind::Starved,
    ),
    (
        "stall_without_a_module_is_the_hosts_fault",
        Report::InRun(include_str!("../../../machine/src/testdata/starved-lockup.log")),
        Kind::Starved,
    ),
    (
        "warning_of_a_module_is_the_kernels_fault",
        Report::InRun(include_str!("../../../machine/src/testdata/c-warning.log")),
        Kind::Kernel,
    ),
];

/// The time of a report.
#[derive(Clone, Copy)]
enum Report {
    AtBoot,
    InRun(&'static str),
}

/// Words for a kernel's command line that make it print a line that looks like a report: it quotes them, with the
/// newline.
const REPORTING: [&str; 2] = ["loglevel=7", "\"drydock.report=\nWARNING: provoked while it boots\""];

impl Suite for Verdicts {
    fn name(&self) -> &'static str {
        NAME
    }

    fn need(&self) -> Need {
        Need::Guest
    }

    fn tests_the_kernel(&self) -> bool {
        false
    }

    fn names(&self, _repo: &Path) -> Result<BTreeSet<String>> {
        Ok(CASES.iter().map(|(name, ..)| case_name(name)).collect())
    }

    fn run(&self, context: &Context<'_>, tell: &mut dyn FnMut(Case)) -> Result<()> {
        for (name, report, wanted) in CASES {
            let name = case_name(name);
            if context.filter.selects(&name) {
                let verdict = verdict(play(context, report), wanted)?;
                tell(Case { name, verdict });
            }
        }
        Ok(())
    }
}

/// Runs a guest in which the report is made.
fn play(context: &Context<'_>, report: Report) -> Result<()> {
    let stage: &Stage = context.stage();
    let (words, lines) = match report {
        Report::AtBoot => (REPORTING.map(str::to_owned).to_vec(), ""),
        Report::InRun(lines) => (Vec::new(), lines),
    };
    let boot = Boot { words, ..Boot::default() };
    let played = stage.play(&boot, context.events, |scene| {
        // The kernel stamps a line that is written to its log.
        let texts = lines.lines().filter_map(|line| Some(line.split_once("] ")?.1));
        texts.into_iter().try_for_each(|text| scene.guest().write("/dev/kmsg", &format!("{text}\n")))
    });
    played.map(drop)
}

fn verdict(played: Result<()>, wanted: Kind) -> Result<Verdict> {
    let (why, details) = match played {
        Err(error) if error.kind() == Kind::Interrupted => return Err(error),
        Err(error) if error.kind() == wanted => return Ok(Verdict::Passed),
        Err(error) => {
            let details = error.all_details().into_iter().map(str::to_owned).collect();
            (format!("expected {wanted:?}, got {:?}: {}", error.kind(), error.chain()), details)
        }
        Ok(()) => (format!("expected {wanted:?}, and the run ended well"), Vec::new()),
    };
    Ok(Verdict::Failed { why, details })
}

#[cfg(test)]
mod tests {
    use super::*;
    use drydock_base::error::Error;

    #[test]
    fn only_the_wanted_fault_passes() {
        let failed = |kind| Err(Error::new(kind, "x"));
        assert_eq!(verdict(failed(Kind::Starved), Kind::Starved).unwrap(), Verdict::Passed);
        assert!(matches!(verdict(failed(Kind::Kernel), Kind::Starved).unwrap(), Verdict::Failed { .. }));
        assert!(matches!(verdict(Ok(()), Kind::Starved).unwrap(), Verdict::Failed { .. }));
        assert!(verdict(failed(Kind::Interrupted), Kind::Starved).is_err());
    }
}
