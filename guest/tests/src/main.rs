// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Tests of DRM devices by system calls, run as root inside a booted guest.
//!
//! Source: the obligations L1 to L28 of the life cycle, `Documentation/gpu/drm-uapi.rst`, and the
//! DRM core of Linux 7.3, named at each case.

mod args;
mod attacks;
mod cases;
mod check;
mod compat;
mod device;
mod differences;
mod driver;
mod failnth;
mod guest;
mod inject;
mod lifecycle;
mod modules;
mod nova;
mod pci;
mod runner;
mod slabs;
mod storm;
mod sweep;
mod trace;
mod tyr;

use std::process::ExitCode;

use clap::Parser;
use sys::pace;

fn main() -> ExitCode {
    let args = args::Args::parse();
    pace::set(args.patience);
    check::set_complete(args.complete);
    if args.list {
        let wanted = cases::all().filter(|case| args.driver.is_none_or(|driver| case.is_for(driver)));
        wanted.filter(|case| args.selects(case.name)).for_each(|case| println!("{}", case.name));
        return ExitCode::SUCCESS;
    }
    match (&args.case, &args.worker) {
        (Some(name), _) => runner::run_here(&args, name),
        (None, Some(part)) => match part.strip_prefix(storm::PROCESS) {
            Some(which) => storm::process(&args, which),
            None => runner::run_worker(&args, part),
        },
        (None, None) => match args.storm {
            Some(seconds) => storm::main(&args, seconds),
            None => runner::run_all(&args),
        },
    }
}
