// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Child processes: they die with us, their output goes to a step, and a failure shows the end of their output.
//!
//! Source: prctl(2), `PR_SET_PDEATHSIG`.

use std::collections::{BTreeSet, VecDeque};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal};

use crate::error::{Context, Error, Kind, Result};
use crate::events::Step;
use crate::interrupt;

/// The number of lines of a failed tool's output in an error.
const TAIL: usize = 15;
/// The number of lines of compiler messages in an error.
const MESSAGES: usize = 300;
/// The number of lines of a running tool's output that are kept.
const REMEMBERED: usize = 5_000;

static CHILDREN: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// Makes the process die when the thread that started it ends, for whatever reason.
pub fn die_with_us(command: &mut Command) -> &mut Command {
    let die = || Ok(rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?);
    // SAFETY: Between fork and exec, the closure only makes a system call. It allocates nothing and takes no lock.
    unsafe { command.pre_exec(die) }
}

/// Runs a tool to its end and passes each line it prints to `step`. An error carries the last lines.
pub fn run(command: &mut Command, step: &Step) -> Result<()> {
    watch(command, step, |_| false).map(drop)
}

/// Like [`run`], but hides lines of stdout that `consume` takes. Returns the rest of stdout.
pub fn watch(command: &mut Command, step: &Step, mut consume: impl FnMut(&str) -> bool) -> Result<Vec<String>> {
    let name = name(command);
    let mut child = spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let stderr = child.0.stderr.take().expect("stderr is piped");
    let stdout = child.0.stdout.take().expect("stdout is piped");
    // The streams are kept separately: the order of lines from two pipes is unknown, and errors are on stderr.
    let (said, complaints) = (Mutex::new(VecDeque::new()), Mutex::new(VecDeque::new()));
    let mut kept = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| each_line(stderr, |line| remember(&complaints, step, line)));
        each_line(stdout, |line| {
            if !consume(line) {
                remember(&said, step, line);
                kept.push(line.to_owned());
            }
        });
    });
    let lines = [said, complaints].into_iter().flat_map(|lines| lines.into_inner().expect("readers do not panic"));
    let status = child.wait()?;
    match status.success() {
        true => Ok(kept),
        false => Err(failure(&name, status).details(worth_showing(lines.collect()))),
    }
}

/// Returns the lines of a failed tool's output that explain the failure: compiler messages from the first error on, or
/// lines that look like an error, and the end. A parallel `make` fails long before it ends.
fn worth_showing(lines: VecDeque<String>) -> Vec<String> {
    let lines: Vec<String> = lines.into_iter().filter(|line| !is_progress(line)).collect();
    let first = lines.iter().position(|line| line.starts_with("error") || line.contains(" error: "));
    match first {
        Some(first) if lines.len() - first <= MESSAGES => lines[first..].to_vec(),
        _ => {
            let end = lines.len().saturating_sub(TAIL);
            let early = lines[..end].iter().filter(|line| tells(line)).take(TAIL);
            early.chain(&lines[end..]).cloned().collect()
        }
    }
}

fn tells(line: &str) -> bool {
    const SIGNS: [&str; 8] =
        ["error", "Error", "***", "No rule", "No such file", "not found", "cannot ", "undefined reference"];
    SIGNS.iter().any(|sign| line.contains(sign))
}

/// Returns whether `line` is Kbuild's progress output: two spaces and a word in capitals.
fn is_progress(line: &str) -> bool {
    let word = line.strip_prefix("  ").and_then(|rest| rest.split(' ').next()).unwrap_or_default();
    word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase())
}

/// Runs a short tool and returns its stdout.
pub fn output(command: &mut Command) -> Result<String> {
    fed(command, Stdio::null())
}

/// Like [`output`], for a tool that reads from `stdin`.
pub fn fed(command: &mut Command, stdin: impl Into<Stdio>) -> Result<String> {
    let name = name(command);
    let mut child = spawn(command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let mut stderr = child.0.stderr.take().expect("stderr is piped");
    let said = std::thread::spawn(move || text(&mut stderr));
    let out = text(child.0.stdout.as_mut().expect("stdout is piped"));
    let status = child.wait()?;
    let said = said.join().expect("reading does not panic");
    match status.success() {
        true => Ok(out),
        false => Err(failure(&name, status).details(said.lines())),
    }
}

/// Runs a program on the user's terminal and returns its exit status.
pub fn interactive(command: &mut Command) -> Result<ExitStatus> {
    spawn(command)?.wait()
}

/// Waits until one of our processes has ended. Returns `None` if that takes longer than `limit`.
pub fn wait_within(child: &mut Child, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
    // A reaped child has no process id any more.
    if let Some(status) = child.try_wait()? {
        return Ok(Some(status));
    }
    let pid = Pid::from_child(child);
    let ended = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
    let deadline = Instant::now() + limit;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let time = Timespec { tv_sec: left.as_secs() as _, tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::new(&ended, PollFlags::IN)], Some(&time)) {
            Ok(0) if left.is_zero() => return Ok(None),
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return child.wait().map(Some),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Kills every process started here, for use during exit.
pub fn kill_all() {
    for pid in CHILDREN.lock().expect("no panic under this lock").iter().filter_map(|pid| Pid::from_raw(*pid)) {
        // The process may already have ended, which is fine.
        let _ = rustix::process::kill_process(pid, Signal::KILL);
    }
}

/// A child that [`kill_all`] knows until it is reaped.
struct Tracked(Child);

impl Tracked {
    fn wait(&mut self) -> Result<ExitStatus> {
        let status = self.0.wait().context("failed to wait for a child process")?;
        if interrupt::happened() {
            return Err(Error::new(Kind::Interrupted, "interrupted"));
        }
        Ok(status)
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
        CHILDREN.lock().expect("no panic under this lock").remove(&(self.0.id() as i32));
    }
}

fn spawn(command: &mut Command) -> Result<Tracked> {
    let name = name(command);
    let mut children = CHILDREN.lock().expect("no panic under this lock");
    let child = die_with_us(command).spawn().with_context(|| format!("failed to start `{name}`"))?;
    children.insert(child.id() as i32);
    Ok(Tracked(child))
}

fn name(command: &Command) -> String {
    let program = command.get_program().to_string_lossy().into_owned();
    // The lab starts programs in the root through itself (`root.rs`), so the program's own name is more useful.
    let mut after = command.get_args().skip_while(|arg| *arg != "--").skip(1);
    match after.next() {
        Some(inner) if program.contains("/proc/self/exe") => inner.to_string_lossy().into_owned(),
        _ => program,
    }
}

fn failure(name: &str, status: ExitStatus) -> Error {
    let how = status.to_string();
    Error::new(Kind::Machinery, format!("`{name}` ended with {}", how.replace("exit status: ", "exit code ")))
}

fn remember(tail: &Mutex<VecDeque<String>>, step: &Step, line: &str) {
    step.line(line);
    let mut tail = tail.lock().expect("readers do not panic");
    tail.push_back(line.to_owned());
    if tail.len() > REMEMBERED {
        tail.pop_front();
    }
}

/// Calls `f` for each line. A carriage return ends a line too, since tools that draw bars use it.
fn each_line(from: impl Read, mut f: impl FnMut(&str)) {
    let mut from = BufReader::new(from);
    let mut bytes = Vec::new();
    while matches!(from.read_until(b'\n', &mut bytes), Ok(1..)) {
        let line = String::from_utf8_lossy(&bytes);
        let last = line.trim_end().rsplit('\r').next().unwrap_or_default();
        if !last.is_empty() {
            f(last);
        }
        bytes.clear();
    }
}

fn text(from: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    // Bytes read before an error are still the tool's output.
    let _ = from.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Events;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_failure_carries_the_last_lines() {
        let step = Events::silent().step("failing");
        let error = run(&mut sh("seq 100; echo why >&2; exit 3"), &step).unwrap_err();
        assert_eq!(error.to_string(), "`sh` ended with exit code 3");
        assert_eq!(error.detail_lines().len(), TAIL);
        assert!(error.detail_lines().iter().any(|line| line == "why"));
    }

    #[test]
    fn a_compilers_message_is_whole_and_without_makes_progress() {
        let said = [
            "  RUSTC [M] a.o",
            "error[E0308]: mismatched types",
            "  --> a.rs:1:1",
            "   |",
            "  CC [M]  b.o",
            "make: ***",
        ];
        let shown = worth_showing(said.map(str::to_owned).into());
        assert_eq!(shown, ["error[E0308]: mismatched types", "  --> a.rs:1:1", "   |", "make: ***"]);
    }

    #[test]
    fn consumed_lines_are_not_kept() {
        let step = Events::silent().step("watching");
        let kept = watch(&mut sh("echo a; echo b"), &step, |line| line == "a").unwrap();
        assert_eq!(kept, ["b"]);
    }

    #[test]
    fn a_process_that_is_stopped_is_not_waited_for_beyond_the_limit() {
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        rustix::process::kill_process(Pid::from_child(&child), Signal::STOP).unwrap();
        assert_eq!(wait_within(&mut child, Duration::from_millis(20)).unwrap(), None);
        child.kill().unwrap();
        let status = wait_within(&mut child, Duration::from_secs(30)).unwrap().unwrap();
        assert_eq!(wait_within(&mut child, Duration::ZERO).unwrap(), Some(status));
    }

    #[test]
    fn a_missing_tool_is_named() {
        let error = output(&mut Command::new("no-such-tool-of-drydock")).unwrap_err();
        assert!(
            error.chain().starts_with("failed to start `no-such-tool-of-drydock`: No such file"),
            "{}",
            error.chain()
        );
    }
}
