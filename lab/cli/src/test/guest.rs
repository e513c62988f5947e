// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The tests inside a guest: one boot per driver, one process per case, one line per case.
//!
//! Source: `guest/tests/src/runner.rs` for the lines, `ok NAME`, `FAIL NAME: why`, `skip NAME: why`, and for the exit
//! codes.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use drydock_agent::protocol::{MODULE_DIR, Status, Stream};

use drydock_base::error::{Error, Kind, Result};
use drydock_machine::gpu::Wanted;
use drydock_machine::lines::Lines;
use drydock_machine::model::Choices;
use drydock_machine::pace;
use drydock_machine::scenario::{Boot, Content, Program, gpu_of};
use drydock_toolchain::firmware::Choice;

use super::names;
use super::suite::{Case, Context, Filter, Need, Suite, Verdict};

/// The program's exit code when it has tested nothing, for whatever reason.
const CANNOT_RUN: i32 = 2;

/// The program's message when no case matches the filter, which may be meant for other suites.
const NO_CASE: &str = "error: no case is named like ";

/// The number of lines of other output in an error.
const SHOWN: usize = 15;

/// The time limit for all cases of one driver together. Each case has its own limit.
const LIMIT: Duration = Duration::from_secs(40 * 60);

/// Areas of cases that do not depend on the firmware. Only one of the suites that differ in firmware runs them.
const ONCE: &str = "tyr_sequence,tyr_probe,tyr_race,tyr_sweep";

/// Further areas of this kind, which a short run leaves out.
const ONCE_IN_SHORT: &str = "tyr_bind,tyr_bo,tyr_client,tyr_compat,tyr_ioctl,tyr_prime,tyr_queue,tyr_view,tyr_vm";

/// QEMU's educational device, which the test driver of the PCI bus drives. It may reach more memory than the 28 bits of
/// its default.
const EDU: &str = "edu,dma_mask=0xffffffff";

/// The cases for one driver.
pub(super) struct Guest {
    name: &'static str,
    driver: &'static str,
    /// The firmware that the driver loads, if it loads one.
    firmware: Option<Choice>,
    /// The only area to run, for an area with a boot of its own.
    area: Option<&'static str>,
}

impl Guest {
    /// Returns the suite of our vgem.
    pub(super) fn rust() -> Self {
        Self { name: "guest-vgem", driver: "vgem", firmware: None, area: None }
    }

    /// Returns the suite of the stock kernel's vgem, which must behave the same.
    pub(super) fn c() -> Self {
        Self { name: "guest-c-vgem", driver: "c-vgem", firmware: None, area: None }
    }

    /// Returns the suite of our virtual display.
    pub(super) fn vkms() -> Self {
        Self { name: "guest-vkms", driver: "vkms", firmware: None, area: None }
    }

    /// Returns the suite of the virtual display of the kernel's source, which must behave the same.
    pub(super) fn c_vkms() -> Self {
        Self { name: "guest-c-vkms", driver: "c-vkms", firmware: None, area: None }
    }

    /// Returns the suite of attacks on the library by safe drivers, beside our vgem.
    pub(super) fn attacks() -> Self {
        Self { name: "attacks", driver: "vgem", firmware: None, area: Some("attacks") }
    }

    /// Returns the suite of our two drivers for an NVIDIA GPU, on an emulated one.
    pub(super) fn nova() -> Self {
        Self { name: "guest-nova", driver: "nova", firmware: None, area: None }
    }

    /// Returns the suite of our driver for an Arm Mali, on an emulated one with the published firmware.
    pub(super) fn tyr() -> Self {
        Self { name: "guest-tyr", driver: "tyr", firmware: Some(Choice::Real), area: None }
    }

    /// Returns the same suite with a firmware that is built here.
    pub(super) fn tyr_built() -> Self {
        Self { name: "guest-tyr-built", driver: "tyr", firmware: Some(Choice::Built), area: None }
    }

    /// Returns the emulated GPU, or the reason to skip this suite.
    fn gpu(&self, context: &Context<'_>) -> Result<Result<Option<Wanted>, String>> {
        let named = context.firmware.filter(|_| self.firmware == Some(Choice::Real));
        let choice = named.or(self.firmware.as_ref());
        match gpu_of(self.driver, &Choices::default(), choice, context.events) {
            Err(error) if named.is_none() && error.kind() != Kind::Interrupted => Ok(Err(error.chain())),
            other => other.map(Ok),
        }
    }
}

impl Suite for Guest {
    fn name(&self) -> &'static str {
        self.name
    }

    fn need(&self) -> Need {
        Need::Guest
    }

    fn content(&self, repo: &Path, _filter: &Filter) -> Result<Content> {
        Ok(Content::all_modules().with(Program::TESTS).and(Content::of_driver(repo, self.driver)?))
    }

    fn names(&self, repo: &Path) -> Result<BTreeSet<String>> {
        let cases = names::of_guest(repo)?.into_iter();
        // An area with a suite of its own, which has the same name, is in no other suite.
        let attacks = |case: &String| case.starts_with("attacks::");
        if self.area.is_some() {
            return Ok(cases.filter(attacks).collect());
        }
        let of_this = |case: &String| match (case.split_once('_').map(|(gpu, _)| gpu), self.driver) {
            (Some(gpu @ ("nova" | "tyr")), driver) => gpu == driver,
            (Some("vkms"), driver) => driver.ends_with("vkms"),
            (_, driver) => driver.ends_with("vgem"),
        };
        let cases = cases.filter(|case| !attacks(case)).filter(of_this);
        Ok(cases.map(|case| format!("{}::{case}", self.name)).collect())
    }

    /// The checkers of a debug kernel find faults of the kernel's vkms, which is not ours to mend.
    fn tests_the_kernel(&self) -> bool {
        self.driver != "c-vkms"
    }

    fn run(&self, context: &Context<'_>, tell: &mut dyn FnMut(Case)) -> Result<()> {
        let part = context.filter.within(self.name);
        let gpu = match self.gpu(context)? {
            Ok(gpu) => gpu,
            Err(why) => {
                let all = if part.is_empty() { "all" } else { part };
                tell(Case { name: format!("{}::{all}", self.name), verdict: Verdict::Skipped { why } });
                return Ok(());
            }
        };
        let mut argv = vec![Program::TESTS.name, "--driver", self.driver, "--modules", MODULE_DIR];
        // This suite provides everything that a case needs, so a case that lacks something must fail.
        argv.push("--complete");
        let left = context.deadline.left().map(|left| left.as_secs().to_string());
        argv.extend(left.iter().flat_map(|left| ["--within", left]));
        argv.extend(self.area.iter().flat_map(|area| ["--only", area]));
        let once = if context.all { ONCE.to_owned() } else { format!("{ONCE},{ONCE_IN_SHORT}") };
        match (part, &self.firmware) {
            ("", Some(Choice::Real)) => argv.extend(["--without", &once]),
            ("", _) => {}
            (part, _) => argv.push(part),
        }
        argv.extend((part.is_empty() && !context.all).then_some("--short"));
        let step = context.events.step(format!("{}: the tests in the guest", self.name));
        let (mut lines, mut words) = (Lines::default(), Lines::default());
        let (mut count, mut said) = (0_u64, Vec::new());
        let mut take = |line: &str| match parse(self.name, line) {
            Some(case) => {
                count += 1;
                step.line(format!("{count} cases, last {}", case.name));
                tell(case);
            }
            None => step.line(line),
        };
        let boot = Boot { devices: vec![EDU.to_owned()], sleeps: true, gpu, ..Boot::default() };
        let (status, _) = context.stage().play(&boot, context.events, |scene| {
            let patience = pace::patience().to_string();
            let argv = [argv.as_slice(), &["--patience", &patience]].concat();
            let mut process = scene.guest().spawn(&argv)?;
            process.close_input()?;
            process.forward(Some(pace::patient(LIMIT)), |stream, bytes| {
                match stream {
                    Stream::Out => lines.take(bytes, &mut take),
                    Stream::Err => words.take(bytes, &mut |line| {
                        step.line(line);
                        said.push(line.to_owned());
                    }),
                }
                Ok(())
            })
        })?;
        step.done_with(format!("{count} cases"));
        ended(status, count, part, &said)
    }
}

/// Interprets the program's exit code. 1 means that a case failed, which was already reported. Running no case is fine
/// only if a `part` of their names was given.
fn ended(status: Status, count: u64, part: &str, said: &[String]) -> Result<()> {
    let none_wanted = !part.is_empty() && said.iter().any(|line| line.starts_with(NO_CASE));
    match status {
        Status::Code(0 | 1) if count > 0 => Ok(()),
        Status::Code(CANNOT_RUN) if count == 0 && none_wanted => Ok(()),
        other => {
            let message = format!("the guest's test program ended with {other} after {count} cases");
            let end = said.len().saturating_sub(SHOWN);
            Err(Error::new(Kind::Check, message).details(&said[end..]))
        }
    }
}

/// Parses a line. Does not repeat an area that has the suite's own name.
fn parse(suite: &str, line: &str) -> Option<Case> {
    let (word, rest) = line.split_once(' ')?;
    let rest = rest.strip_prefix(suite).and_then(|rest| rest.strip_prefix("::")).unwrap_or(rest);
    let (name, why) = rest.split_once(": ").unwrap_or((rest, ""));
    let verdict = match word {
        "ok" => return Some(Case { name: format!("{suite}::{rest}"), verdict: Verdict::Passed }),
        "FAIL" => Verdict::Failed { why: why.to_owned(), details: Vec::new() },
        "skip" => Verdict::Skipped { why: why.to_owned() },
        _ => return None,
    };
    Some(Case { name: format!("{suite}::{name}"), verdict })
}

/// Parses any bytes as lines of the tests in the guest, for fuzzing.
pub(crate) fn parse_any(bytes: &[u8]) {
    Lines::default().take(bytes, &mut |line| {
        let case = parse("guest-vgem", line);
        assert!(case.is_none_or(|case| case.name.starts_with("guest-vgem::")), "a case is one of its suite");
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_case() {
        let case = |line| parse("guest-vgem", line).unwrap();
        assert_eq!(case("ok mmap::beyond_the_end").name, "guest-vgem::mmap::beyond_the_end");
        assert_eq!(case("ok mmap::beyond_the_end").verdict, Verdict::Passed);
        let failed = case("FAIL ioctl::null: expected EFAULT: got EINVAL");
        assert_eq!(failed.name, "guest-vgem::ioctl::null");
        assert_eq!(failed.verdict, Verdict::Failed { why: "expected EFAULT: got EINVAL".into(), details: vec![] });
        assert_eq!(parse("guest-vgem", "panicked"), None);
        assert_eq!(parse("attacks", "ok attacks::late").unwrap().name, "attacks::late");
    }

    #[test]
    fn a_run_without_a_case_is_right_only_if_a_filter_asked_for_none() {
        let unmatched = ["0 passed, 0 failed".to_owned(), format!("{NO_CASE}`fence`")];
        let ended = |code, count, part, said: &[String]| ended(Status::Code(code), count, part, said);
        assert!(ended(0, 7, "", &[]).is_ok() && ended(1, 7, "fence", &[]).is_ok());
        assert!(ended(2, 0, "fence", &unmatched).is_ok());
        assert!(ended(2, 0, "", &unmatched).is_err());
        assert!(ended(2, 0, "fence", &["error: the modules cannot be found: ENOENT".to_owned()]).is_err());
        assert!(ended(2, 7, "fence", &unmatched).is_err());
        assert!(ended(0, 0, "", &[]).is_err());
    }

    #[test]
    fn a_program_that_could_not_do_its_work_says_why() {
        let said: Vec<_> = (1..=20).map(|number| format!("line {number}")).collect();
        let error = ended(Status::Code(CANNOT_RUN), 0, "", &said).unwrap_err();
        assert_eq!(error.to_string(), "the guest's test program ended with exit code 2 after 0 cases");
        assert_eq!((error.detail_lines().len(), error.detail_lines()[14].as_str()), (SHOWN, "line 20"));
    }
}
