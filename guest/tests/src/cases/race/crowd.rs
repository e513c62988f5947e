// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Several processes that run the same part of a case, and their communication with the case.
//!
//! Source: none.

use std::io::Read;
use std::os::fd::AsFd;
use std::process::Child;

use rustix::event::PollFlags;
use sys::Answer;

use crate::harness::check::{Outcome, fail};
use crate::subjects::guest::Guest;

/// The workers of one part, which exit when their stdin is closed.
pub(crate) struct Crowd {
    pub(crate) workers: Vec<Child>,
}

impl Crowd {
    /// Starts `count` workers and waits until each of them is at work.
    pub(crate) fn start(guest: &Guest, part: &str, count: u64) -> Outcome<Self> {
        let mut workers = Vec::new();
        for at in 0..count {
            workers.push(guest.worker(part, guest.seed ^ at)?);
        }
        for worker in &mut workers {
            let stdout = worker.stdout.as_mut().expect("stdout is piped");
            let mut word = [0; READY.len()];
            // A worker that fails before this reports its failure at the end.
            let _ = stdout.read_exact(&mut word);
        }
        Ok(Self { workers })
    }

    /// Ends the workers. A failure that any of them found is the failure of the case.
    pub(crate) fn finish(mut self, seed: u64) -> Outcome {
        self.workers.iter_mut().for_each(|worker| drop(worker.stdin.take()));
        let mut wrong = None;
        for worker in &mut self.workers {
            let status = worker.wait()?;
            let mut words = String::new();
            worker.stdout.take().expect("stdout is piped").read_to_string(&mut words)?;
            if !status.success() {
                wrong = Some(format!("a worker ended with {status}: {words} (seed {seed})"));
            }
        }
        wrong.map_or(Ok(()), fail)
    }

    pub(crate) fn all_live(&mut self) -> std::io::Result<bool> {
        for worker in &mut self.workers {
            if worker.try_wait()?.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The line by which a worker reports that it is at work.
const READY: &str = "ready\n";

/// Reports to the case that this worker is at work.
pub(crate) fn announce() {
    print!("{READY}");
}

/// Whether the case wants this worker to continue.
pub(crate) fn wanted() -> Answer<bool> {
    let stdin = std::io::stdin();
    let events = sys::poll(stdin.as_fd(), PollFlags::IN, 0)?;
    Ok(!events.intersects(PollFlags::HUP | PollFlags::IN))
}
