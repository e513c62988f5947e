// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Tests of DRM devices by system calls, run as root inside a booted guest.
//!
//! ```text
//! args, runner    → the command line, and each case in a process of its own
//!   cases         → the cases by area
//!     storm       → random calls while the device is unbound and starved
//!     sweeps      → each call of a kernel function fails in turn
//!       subjects  → a driver or device as a case sees it
//!         harness → checks, failing calls, modules, the log
//! ```
//!
//! Each folder imports only folders that are indented further; a test in `lab/cli/tests/tidy.rs` checks that.
//!
//! Source: the obligations L1 to L28 of the life cycle, `Documentation/gpu/drm-uapi.rst`, and the
//! DRM core of Linux 7.3, named at each case.

mod args;
mod cases;
mod harness;
mod runner;
mod storm;
mod subjects;
mod sweeps;

use std::process::ExitCode;

use clap::Parser;
use sys::pace;

fn main() -> ExitCode {
    let args = args::Args::parse();
    pace::set(args.patience);
    harness::check::set_complete(args.complete);
    if args.list {
        let wanted = cases::all().filter(|case| args.driver.is_none_or(|driver| case.is_for(driver)));
        wanted.filter(|case| args.selects(case.name)).for_each(|case| println!("{}", case.name));
        return ExitCode::SUCCESS;
    }
    match (&args.case, &args.worker) {
        (Some(name), _) => runner::run_here(&args, name),
        (None, Some(part)) => match part.strip_prefix(storm::PROCESS) {
            Some(which) => runner::run_storm_process(&args, which),
            None => runner::run_worker(&args, part),
        },
        (None, None) => match args.storm {
            Some(seconds) => runner::run_storm(&args, seconds),
            None => runner::run_all(&args),
        },
    }
}
