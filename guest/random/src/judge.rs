// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Executes one program: reports it before it begins and judges it when it has ended.
//!
//! Source: none.

use std::time::Duration;

use random::program::Program;
use random::spec::Driver;
use random::text;
use sys::klog::KernelLog;

use crate::kcov::Kcov;
use crate::report::Recorder;
use crate::worker::{Ended, Workers};

/// Executes programs one by one.
pub(crate) struct Judge<'k> {
    workers: Workers<'k>,
    log: KernelLog,
    recorder: Recorder,
    /// The number of executed programs.
    pub(crate) executions: u64,
}

/// The reason to stop.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The program did something to the kernel.
    Found(String),
    /// The program cannot be executed at all.
    Cannot(String),
}

impl<'k> Judge<'k> {
    pub(crate) fn new(driver: Driver, kcov: Option<&'k Kcov>, limit: Duration) -> Result<Self, String> {
        let (workers, log) = (Workers::new(driver, kcov, limit), KernelLog::from_now());
        if !log.is_readable() {
            return Err("`/dev/kmsg` cannot be read".to_owned());
        }
        Ok(Self { workers, log, recorder: Recorder::new(), executions: 0 })
    }

    /// Executes a program. Returns `None` if the program ended its process, which is no fault of the kernel.
    pub(crate) fn run(&mut self, program: &Program) -> Result<Option<Vec<i32>>, Stop> {
        let text = text::write(program);
        self.recorder.tell(&text);
        self.executions += 1;
        let ended = self.workers.run(&text).map_err(Stop::Cannot)?;
        let report = self.log.any_report().map(|report| Err(Stop::Found(report)));
        report.unwrap_or(match ended {
            Ended::Done(errnos) => Ok(Some(errnos)),
            Ended::Died(Some(_)) => Ok(None),
            Ended::Died(None) => Err(Stop::Cannot("the process that executes programs has ended".to_owned())),
            Ended::TooLong(why) => Err(Stop::Found(format!("an execution {why}"))),
            Ended::Broken(errno) => Err(Stop::Found(format!("the device cannot be opened any more: errno {errno}"))),
        })
    }
}
