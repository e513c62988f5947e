// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Runs each case in a process of its own with a time limit and prints its one line, or runs a storm.
//!
//! Source: pidfd_open(2), proc(5).

use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::process::{Pid, PidfdFlags, Signal};
use sys::klog::KernelLog;

use crate::args::Args;
use crate::cases::{self, Case};
use crate::harness::check::Stop;
use crate::harness::modules;
use crate::storm;
use crate::subjects::differences;
use crate::subjects::pci;

/// Seconds that a killed case may need to leave the kernel.
const LEAVE_SECONDS: u64 = 10;

/// Exit code if the tests could not be run.
const CANNOT_RUN: u8 = 2;
/// Exit code if a process of a storm hangs, and the kernel with it.
const HANGS: u8 = 3;

/// The end of a case.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Ok,
    Fail(String),
    Skip(String),
}

impl Verdict {
    /// Formats the line that a reader and the lab's parser read.
    fn line(&self, name: &str) -> String {
        match self {
            Self::Ok => format!("ok {name}"),
            Self::Fail(why) => format!("FAIL {name}: {why}"),
            Self::Skip(why) => format!("skip {name}: {why}"),
        }
    }

    /// Parses the words that the case's own process printed on its stdout.
    fn from_words(words: &str) -> Option<Self> {
        match words.split_once(' ').unwrap_or((words, "")) {
            ("ok", _) => Some(Self::Ok),
            ("fail", why) => Some(Self::Fail(why.to_owned())),
            ("skip", why) => Some(Self::Skip(why.to_owned())),
            _ => None,
        }
    }
}

/// Runs all selected cases.
pub(crate) fn run_all(args: &Args) -> ExitCode {
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..));
    if let Err(error) = args.guest("", seed) {
        eprintln!("error: the modules cannot be found: {error}");
        return ExitCode::from(CANNOT_RUN);
    }
    unload_other(args);
    let mut log = KernelLog::from_now();
    let time_left = TimeLeft::of(args);
    let mut counts = [0_usize; 3];
    for case in cases::all().filter(|case| case.is_for(args.driver()) && args.selects(case.name)) {
        let verdict = match time_left.fits(case, args.patience) {
            true => verdict_of(args, case, seed, &mut log),
            false => Verdict::Skip("no time left (`--within`)".to_owned()),
        };
        println!("{}", verdict.line(case.name));
        counts[match verdict {
            Verdict::Ok => 0,
            Verdict::Fail(_) => 1,
            Verdict::Skip(_) => 2,
        }] += 1;
    }
    let [passed, failed, skipped] = counts;
    eprintln!("{passed} passed, {failed} failed, {skipped} skipped (seed {seed})");
    if passed + failed + skipped == 0 {
        eprintln!("error: no case is named like `{}`", args.filter.as_deref().unwrap_or(""));
        eprintln!("(hint: `--list` prints the names)");
        return ExitCode::from(CANNOT_RUN);
    }
    ExitCode::from(u8::from(failed > 0))
}

/// The time left for all cases together.
struct TimeLeft(Option<Instant>);

impl TimeLeft {
    fn of(args: &Args) -> Self {
        Self(args.within.map(|seconds| Instant::now() + Duration::from_secs(seconds)))
    }

    /// Whether a case ends in time even if it uses its whole time limit.
    fn fits(&self, case: &Case, patience: u32) -> bool {
        let needed = Duration::from_secs(case.seconds) * patience;
        self.0.is_none_or(|end| Instant::now() + needed <= end)
    }
}

/// Unloads the other driver of this kind: the devices of both are called `vgem`, and debugfs complains about the second
/// one.
fn unload_other(args: &Args) {
    if let (Some(_), Some(other)) = (&args.modules, args.driver().other()) {
        // The module may not be loaded. If it is in use, the cases work all the same.
        let _ = modules::remove(other.module());
    }
}

fn verdict_of(args: &Args, case: &'static Case, seed: u64, log: &mut KernelLog) -> Verdict {
    let impossible = differences::impossible(case.name, args.driver()).filter(|_| !args.impossible);
    if let Some(why) = impossible {
        return Verdict::Skip(why.to_owned());
    }
    if args.leaves_out(case.name) {
        return Verdict::Skip("left out of this run (`--without`)".to_owned());
    }
    if args.short && case.is_long() {
        return Verdict::Skip("a long case, left out of a short run".to_owned());
    }
    let misuse = || args.driver().gpu().and_then(pci::violations).unwrap_or_default();
    let before = misuse();
    let verdict = match in_own_process(args, case, seed) {
        Ok(verdict) => verdict,
        Err(error) => Verdict::Fail(format!("the case cannot be run or waited for: {error}")),
    };
    let report = log.report().map(|report| format!("kernel log: {report}"));
    let misused = misuse().saturating_sub(before);
    let misused = (misused > 0).then(|| format!("{misused} violations, which the model printed on its own output"));
    report.into_iter().chain(misused).fold(verdict, also)
}

/// Adds another failure to a verdict, whatever the case itself reported.
fn also(verdict: Verdict, wrong: String) -> Verdict {
    match verdict {
        Verdict::Fail(why) => Verdict::Fail(format!("{why}; {wrong}")),
        Verdict::Ok | Verdict::Skip(_) => Verdict::Fail(wrong),
    }
}

fn in_own_process(args: &Args, case: &Case, seed: u64) -> std::io::Result<Verdict> {
    let mut command = Command::new("/proc/self/exe");
    command.args(["--driver", args.driver().name(), "--case", case.name]);
    command.args(["--seed", &seed.to_string(), "--patience", &args.patience.to_string()]);
    if args.complete {
        command.arg("--complete");
    }
    if let Some(folder) = &args.modules {
        command.arg("--modules").arg(folder);
    }
    if !args.load.is_empty() {
        command.args(["--load", &args.load.join(",")]);
    }
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0).spawn()?;
    let patience = u64::from(args.patience);
    watch(child, case.seconds * patience, LEAVE_SECONDS * patience)
}

/// Waits for a case. A case that takes too long is killed with the processes it started.
fn watch(mut child: Child, seconds: u64, leave_seconds: u64) -> std::io::Result<Verdict> {
    let pid = Pid::from_child(&child);
    let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
    if ended_within(&pidfd, seconds)? {
        let status = child.wait()?;
        // Processes that the case left behind must not disturb the next one.
        let _ = rustix::process::kill_process_group(pid, Signal::KILL);
        return Ok(verdict_from(&mut child, status));
    }
    let place = place_in_kernel(pid);
    // An error means that the case has just ended, which the next line notices.
    let _ = rustix::process::kill_process_group(pid, Signal::KILL);
    if ended_within(&pidfd, leave_seconds)? {
        child.wait()?;
        return Ok(Verdict::Fail(format!("took longer than {seconds} s{place}")));
    }
    Ok(Verdict::Fail(format!("hangs in the kernel{place}")))
}

fn ended_within(pidfd: impl AsFd, seconds: u64) -> std::io::Result<bool> {
    Ok(sys::poll(pidfd, PollFlags::IN, 1000 * seconds)?.contains(PollFlags::IN))
}

/// Returns the functions on a process's kernel stack, nearest first.
fn place_in_kernel(pid: Pid) -> String {
    let path = format!("/proc/{}/stack", pid.as_raw_nonzero());
    let stack = std::fs::read_to_string(path).unwrap_or_default();
    let calls = stack.lines().filter_map(|line| line.split_whitespace().nth(1));
    let calls: Vec<_> = calls.take(6).collect();
    if calls.is_empty() { String::new() } else { format!(", in {}", calls.join(" < ")) }
}

fn verdict_from(child: &mut Child, status: std::process::ExitStatus) -> Verdict {
    if let Some(signal) = status.signal() {
        return Verdict::Fail(format!("ended by signal {signal}"));
    }
    let mut words = [0; 4096];
    let stdout = child.stdout.as_mut().expect("stdout is piped");
    let len = stdout.read(&mut words).unwrap_or(0);
    let words = String::from_utf8_lossy(&words[..len]);
    Verdict::from_words(words.trim_end()).unwrap_or_else(|| Verdict::Fail(format!("ended without a word, {status}")))
}

/// Runs one case in this process and prints its verdict.
pub(crate) fn run_here(args: &Args, name: &str) -> ExitCode {
    let Some(case) = cases::all().find(|case| case.name == name) else {
        eprintln!("error: no case is named `{name}`");
        return ExitCode::from(CANNOT_RUN);
    };
    let guest = args.guest(case.name, args.seed.unwrap_or(0)).map_err(Stop::from);
    let outcome = guest.and_then(|guest| guest.restore().and_then(|()| (case.run)(&guest)));
    match outcome {
        Ok(()) => println!("ok"),
        Err(Stop::Fail(why)) => println!("fail {}", one_line(&why)),
        Err(Stop::Skip(why)) => println!("skip {}", one_line(&why)),
    }
    ExitCode::SUCCESS
}

/// Runs a part of a case in this process, and prints an unexpected answer to stdout.
pub(crate) fn run_worker(args: &Args, part: &str) -> ExitCode {
    let Some((name, run)) = cases::workers().find(|(name, _)| *name == part) else {
        eprintln!("error: no worker is named `{part}`");
        return ExitCode::from(CANNOT_RUN);
    };
    let guest = args.guest(name, args.seed.unwrap_or(0)).map_err(Stop::from);
    match guest.and_then(|guest| run(&guest)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Stop::Fail(why) | Stop::Skip(why)) => {
            println!("{}", one_line(&why));
            ExitCode::FAILURE
        }
    }
}

/// Runs `--storm`.
pub(crate) fn run_storm(args: &Args, seconds: u64) -> ExitCode {
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..));
    let plan = storm::Plan {
        time: Duration::from_secs(seconds),
        unplugs: args.unplugs,
        processes: args.processes,
        tell: |line| println!("{line}"),
        hangs: |why| {
            println!("wrong: {why}");
            std::process::exit(HANGS.into())
        },
    };
    let length = plan.unplugs.map_or(format!("{seconds} s"), |unplugs| format!("{unplugs} unplugs"));
    println!("a storm of {length} over {}, by {} processes, seed {seed}", args.driver().name(), plan.processes);
    let guest = args.guest("storm", seed).map_err(Stop::from);
    match guest.and_then(|guest| storm::run(&guest, &plan)) {
        Ok(figures) => {
            print!("{figures}");
            ExitCode::SUCCESS
        }
        Err(Stop::Fail(why) | Stop::Skip(why)) => {
            println!("wrong: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a process of a storm: `NUMBER/PROCESSES`.
pub(crate) fn run_storm_process(args: &Args, which: &str) -> ExitCode {
    let numbers = which.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
    let Some((number, processes)) = numbers else {
        eprintln!("error: `{which}` does not name a process of a storm");
        return ExitCode::FAILURE;
    };
    match storm::process(args.driver(), number, processes, args.seed.unwrap_or(0)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Stop::Fail(why) | Stop::Skip(why)) => {
            println!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdout(Stdio::piped()).process_group(0);
        command.spawn().unwrap()
    }

    #[test]
    fn the_words_of_a_case_become_its_line() {
        let verdict = watch(shell("echo fail no such handle"), 120, 1).unwrap();
        assert_eq!(verdict.line("gem::close"), "FAIL gem::close: no such handle");
    }

    #[test]
    fn a_case_that_is_killed_by_a_signal_fails() {
        let verdict = watch(shell("kill -BUS $$"), 120, 1).unwrap();
        assert_eq!(verdict, Verdict::Fail("ended by signal 7".to_owned()));
    }

    #[test]
    fn a_case_that_says_nothing_fails() {
        let verdict = watch(shell("exit 3"), 120, 1).unwrap();
        assert_eq!(verdict, Verdict::Fail("ended without a word, exit status: 3".to_owned()));
    }

    #[test]
    fn a_case_that_takes_too_long_is_ended() {
        let verdict = watch(shell("exec sleep 600"), 0, 120).unwrap();
        let Verdict::Fail(why) = verdict else { panic!("{verdict:?}") };
        assert!(why.starts_with("took longer than 0 s"), "{why}");
    }

    #[test]
    fn a_case_is_begun_only_if_it_ends_in_time() {
        let case = cases::all().next().unwrap();
        let in_seconds = |seconds| TimeLeft(Some(Instant::now() + Duration::from_secs(seconds)));
        assert!(TimeLeft(None).fits(case, 100));
        assert!(in_seconds(case.seconds * 2 + 60).fits(case, 2));
        assert!(!in_seconds(case.seconds * 2 - 1).fits(case, 2));
    }

    #[test]
    fn what_else_is_wrong_is_told_too() {
        let wrong = || "kernel log: BUG".to_owned();
        assert_eq!(also(Verdict::Ok, wrong()), Verdict::Fail("kernel log: BUG".to_owned()));
        assert_eq!(also(Verdict::Fail("EIO".to_owned()), wrong()), Verdict::Fail("EIO; kernel log: BUG".to_owned()));
    }

    #[test]
    fn several_lines_become_one() {
        assert_eq!(one_line("expected\n  EINVAL,\n  got ok"), "expected EINVAL, got ok");
    }
}
