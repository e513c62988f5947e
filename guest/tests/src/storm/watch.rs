// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Watches for hangs: a process or a disruption that makes no progress within a time limit ends the storm, with its
//! place in the kernel. Meanwhile it interrupts calls.
//!
//! Source: proc(5), `stack` and `stat`.

use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;
use rustix::process::{Pid, Signal, kill_process};

use super::board::{Block, Board};
use super::table::Row;

/// Time limit of a call.
const CALL: Duration = Duration::from_secs(20);
/// Time limit of a disruption.
const HAPPENING: Duration = Duration::from_secs(60);
/// How often a running process is sampled.
const LOOKS: u32 = 400;
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);
/// The interval of signals, each to one of the processes.
const BEAT: Duration = Duration::from_millis(20);

/// The current action on the device, and its start time.
#[derive(Debug)]
pub(super) struct Doing(Mutex<(String, Instant)>);

impl Doing {
    pub(super) fn new() -> Self {
        Self(Mutex::new(("begins".into(), Instant::now())))
    }

    /// Sets the current action.
    pub(super) fn set(&self, what: impl Into<String>) {
        *self.0.lock().expect("no holder of the lock panics") = (what.into(), Instant::now());
    }

    fn get(&self) -> (String, Instant) {
        self.0.lock().expect("no holder of the lock panics").clone()
    }
}

/// The objects to watch.
pub(super) struct Watch<'s> {
    pub(super) board: &'s Board,
    pub(super) rows: &'s [Row],
    pub(super) doing: &'s Doing,
    pub(super) processes: usize,
    /// Factor on all time limits.
    pub(super) patience: u32,
    /// Set when the storm is over.
    pub(super) over: &'s AtomicBool,
}

impl Watch<'_> {
    /// Watches until the storm is over, or returns why if a process hangs.
    pub(super) fn run(&self, seed: u64) -> Result<(), String> {
        let mut random = Rng::with_seed(seed);
        let mut seen: Vec<_> = Block::all(self.processes).map(|block| (block, 0, 0, Instant::now())).collect();
        while !self.over.load(Ordering::SeqCst) {
            std::thread::sleep(BEAT);
            self.interrupt(random.usize(..2 * self.processes));
            for (block, pid, calls, since) in &mut seen {
                let now = (self.board.pid(*block), self.board.progress(*block).0);
                // A process that stays idle was ordered to.
                if now.0 == 0 || now != (*pid, *calls) || self.board.is_away(*block) {
                    (*pid, *calls, *since) = (now.0, now.1, Instant::now());
                } else if since.elapsed() > CALL * self.patience {
                    return Err(self.stuck(*block, *pid));
                }
            }
            let (what, since) = self.doing.get();
            if since.elapsed() > HAPPENING * self.patience {
                let limit = HAPPENING * self.patience;
                let own = std::process::id();
                return Err(format!("{what} takes longer than {} s{}{}", limit.as_secs(), place(own), of_all(own)));
            }
        }
        Ok(())
    }

    /// Interrupts the call that a process, or a copy of one, is in.
    fn interrupt(&self, chosen: usize) {
        let block = Block::all(self.processes).nth(chosen);
        let pid = block.and_then(|block| Pid::from_raw(self.board.pid(block) as i32));
        // The process may have exited. A process that has its number since is another one of the storm, or ignores the
        // signal.
        let _ = pid.map(|pid| kill_process(pid, Signal::USR1));
    }

    fn stuck(&self, block: Block, pid: u32) -> String {
        let (number, is_copy) = block.number();
        let who = if is_copy { "the copy of process" } else { "process" };
        let row = self.rows[self.board.progress(block).1].name;
        let seconds = (CALL * self.patience).as_secs();
        format!("{who} {number} ({pid}) is in `{row}` for longer than {seconds} s{}{}", place(pid), of_all(pid))
    }
}

/// Returns the functions on a process's kernel stack, nearest first. A running process shows no stack, so it is sampled
/// until it was preempted.
fn place(pid: u32) -> String {
    let mut looks = (0..LOOKS).map(|look| {
        std::thread::sleep(if look == 0 { Duration::ZERO } else { BETWEEN_LOOKS });
        stack(pid)
    });
    let state = stat(pid).map_or(String::new(), |stat| format!(" (state {}, of {})", stat.state, stat.parent));
    match looks.find(|calls| !calls.is_empty()) {
        Some(calls) => format!("{state}, in {}", calls.join(" < ")),
        None => format!("{state}, not seen in the kernel"),
    }
}

fn stack(pid: u32) -> Vec<String> {
    let stack = fs::read_to_string(format!("/proc/{pid}/stack")).unwrap_or_default();
    stack.lines().filter_map(|line| line.split_whitespace().nth(1)).take(16).map(str::to_owned).collect()
}

/// The parent of the kernel's own threads.
const KTHREADD: u32 = 2;

/// Returns the places of all other processes, also of one that is exiting: the process that hangs may only wait for
/// them.
fn of_all(but: u32) -> String {
    let listed = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = listed.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let others = numbers.filter(|number| {
        ![but, KTHREADD].contains(number) && stat(*number).is_some_and(|stat| stat.parent != KTHREADD)
    });
    others.map(|number| format!("; {number}{}", place(number))).collect()
}

/// The fields of a process's `stat`.
#[derive(Debug)]
struct Stat {
    /// `R` for a process that runs or could, `S` and `D` for one that waits, `Z` for one that has exited.
    state: String,
    parent: u32,
}

fn stat(pid: u32) -> Option<Stat> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before these fields is in brackets, and may itself contain spaces and brackets.
    let mut words = stat.rsplit_once(')')?.1.split_whitespace();
    Some(Stat { state: words.next()?.to_owned(), parent: words.next()?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_found_by_its_number() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let found = stat(child.id()).unwrap();
        assert_eq!(found.parent, std::process::id());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(stat(child.id()).is_none());
    }
}
