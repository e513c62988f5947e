// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Errors between the lab and a machine, distinguished by their cause.
//!
//! Source: our own parts. The messages are lower-case fragments that chain.

use std::{io, time::Duration};

use drydock_agent::protocol::{Failure, Status};

use super::place::Place;

/// An error of the machine or of a request to it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// QEMU could not be started at all.
    #[error("cannot start QEMU")]
    Start(#[source] io::Error),
    /// The emulated GPU could not be started at all.
    #[error("cannot start the emulated GPU")]
    StartGpu(#[source] io::Error),
    /// The emulated GPU ended by itself.
    #[error("{}", gpu_ended(status, said))]
    GpuEnded {
        /// The status with which it ended.
        status: String,
        /// Its standard error.
        said: String,
    },
    /// The emulated GPU does not answer.
    #[error("the emulated GPU does not answer{}", report(met, &[]))]
    GpuSilent {
        /// The problem that led to the check, or the order that got no answer.
        met: String,
    },
    /// The emulated GPU refused an order.
    #[error("the emulated GPU refuses `{order}`: {why}")]
    GpuRefused {
        /// The order, as it was sent.
        order: String,
        /// The reason.
        why: String,
    },
    /// QEMU ended unexpectedly.
    #[error("the machine ended unexpectedly ({status}){}", report(said, console))]
    Ended {
        /// The status with which it ended.
        status: String,
        /// QEMU's standard error.
        said: String,
        /// The last lines of the console.
        console: Vec<String>,
    },
    /// The guest did not do something in time, so the machine was ended.
    #[error("the guest hangs: {waiting} took longer than {} s{}", limit.as_secs(), hang(place, console))]
    Hung {
        /// The event that the lab waited for.
        waiting: String,
        /// The time limit.
        limit: Duration,
        /// The last lines of the console.
        console: Vec<String>,
        /// The place in the kernel where the guest hangs.
        place: Place,
    },
    /// A program in the guest did not end in time, but could be killed.
    #[error("`{program}` ran longer than {} s and was killed{}", limit.as_secs(), place_lines(place))]
    TooLong {
        /// Its command line.
        program: String,
        /// Its time limit.
        limit: Duration,
        /// The place where the program was.
        place: Place,
    },
    /// QEMU does not answer.
    #[error("QEMU does not answer; it may be stopped, or the host too busy{}", report(met, &[]))]
    QemuSilent {
        /// The problem that led to the check.
        met: String,
    },
    /// A program of a scenario left processes behind that hold a driver.
    #[error("leftover processes held the driver and were killed:{}", report(&holders.join("\n"), &[]))]
    LeftBehind {
        /// The processes, with the devices that they hold.
        holders: Vec<String>,
    },
    /// The lab could not write a program's output.
    #[error("failed to write a program's output")]
    Output {
        /// The error of the output.
        source: io::Error,
    },
    /// The guest's kernel or agent refused a request.
    #[error("{}{}", failure.message, report("", console))]
    Refused {
        /// The agent's error.
        failure: Failure,
        /// The lines that the kernel logged meanwhile.
        console: Vec<String>,
    },
    /// A module cannot be unloaded although its scenario has ended.
    #[error("{}{}", failure.message, report("", console))]
    Leaked {
        /// The agent's error.
        failure: Failure,
        /// The lines that the kernel logged meanwhile.
        console: Vec<String>,
    },
    /// A program in the guest failed, and the scenario relies on it.
    #[error("`{program}` failed with {status}{}", report(said, &[]))]
    Program {
        /// Its command line.
        program: String,
        /// The status with which it ended.
        status: Status,
        /// Its output.
        said: String,
    },
    /// A process is stuck in the kernel, according to the program that watches it.
    #[error("{program}: a process is stuck in the kernel{}", report(said, &[]))]
    Stuck {
        /// The activity at the time.
        program: String,
        /// The stuck process and its place in the kernel.
        said: String,
    },
    /// A program or the kernel's log shows something unexpected.
    #[error("{program} shows something unexpected{}", report(said, &[]))]
    Unexpected {
        /// The program or log.
        program: String,
        /// The actual output, and the expected one.
        said: String,
    },
    /// The answer does not fit the request.
    #[error("the agent sent an unexpected answer to `{0}`; the guest image and the lab do not match")]
    Confused(&'static str),
}

/// Describes how the GPU ended. If the model printed an error, its first line is ours.
fn gpu_ended(status: &str, said: &str) -> String {
    match said.trim_start().strip_prefix("error: ").map(|said| said.split_once('\n').unwrap_or((said, ""))) {
        Some((first, rest)) => format!("the emulated GPU has stopped: {first}{}", report(rest, &[])),
        None => format!("the emulated GPU ended unexpectedly ({status}){}", report(said, &[])),
    }
}

/// Returns the place where a guest hangs, and the end of its log.
fn hang(place: &Place, console: &[String]) -> String {
    format!("{}{}", place_lines(place), report("", console))
}

fn place_lines(place: &Place) -> String {
    place.lines().iter().map(|line| format!("\n  {line}")).collect()
}

/// Returns text and console lines, indented, for the lines below an error's first line.
fn report(said: &str, console: &[String]) -> String {
    let mut out = String::new();
    for line in said.lines().filter(|line| !line.trim().is_empty()) {
        out.push_str("\n  ");
        out.push_str(line);
    }
    if !console.is_empty() {
        out.push_str("\nlast lines of the console:");
        for line in console {
            out.push_str("\n  ");
            out.push_str(line);
        }
    }
    out
}
