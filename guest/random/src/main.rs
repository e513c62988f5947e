// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Executes sequences of typed calls on a DRM device, as root inside a booted guest.
//!
//! `replay` executes given sequences. `search` looks for new ones by the coverage of a kernel with KCOV, and is built
//! only with the feature `search`. docs/how-to/fuzz-a-driver.md explains the purpose.

#![cfg_attr(not(feature = "search"), allow(dead_code, reason = "what only a search needs is compiled with the rest"))]

mod arena;
mod device;
mod judge;
mod kcov;
mod minimise;
mod raw;
mod replay;
mod report;
mod run;
#[cfg(feature = "search")]
mod search;
mod worker;

use std::io::BufRead;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use random::program::Program;
use random::spec::Driver;
use random::text;

use crate::judge::{Judge, Stop};
use crate::report::{Line, say};

/// Exit code if something was found.
const FOUND: u8 = 1;
/// Exit code if nothing could be executed.
const CANNOT: u8 = 2;

/// Executes sequences of calls on a DRM device, and reports the results as lines of JSON.
///
/// Programs are read from stdin, one a line.
#[derive(Debug, Parser)]
#[command(name = "drydock-random", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Execute the programs once, in their order
    Replay(What),
    /// Search for programs that reach new places of the kernel, beginning with those on stdin
    #[cfg(feature = "search")]
    Search(search::Options),
}

#[derive(Debug, Args)]
struct What {
    /// The driver whose device is used
    #[arg(long, value_enum)]
    driver: Driver,
    /// Time limit of an execution in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    limit: u64,
}

impl What {
    fn limit(&self) -> Duration {
        Duration::from_secs(self.limit)
    }
}

fn main() -> ExitCode {
    let ended = programs().map_err(Stop::Cannot).and_then(|programs| match Cli::parse().command {
        Command::Replay(what) => {
            let mut judge = Judge::new(what.driver, None, what.limit()).map_err(Stop::Cannot)?;
            replay::all(&programs, &mut judge)
        }
        #[cfg(feature = "search")]
        Command::Search(options) => search::main(&options, programs),
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(Stop::Found(why)) => {
            say(&Line::Found(why));
            ExitCode::from(FOUND)
        }
        Err(Stop::Cannot(why)) => {
            eprintln!("error: {why}");
            ExitCode::from(CANNOT)
        }
    }
}

/// Reads the programs on stdin.
fn programs() -> Result<Vec<Program>, String> {
    let mut programs = Vec::new();
    for (number, line) in std::io::stdin().lock().lines().enumerate() {
        let line = line.map_err(|error| error.to_string())?;
        if !line.trim().is_empty() {
            programs.push(text::read(&line).map_err(|why| format!("line {}: {why}", number + 1))?);
        }
    }
    Ok(programs)
}
