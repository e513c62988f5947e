// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The exit codes of `drydock`, which are an interface. Numbers above 64 follow sysexits.h where one fits.
//!
//! `drydock run` exits with the client's own code if the client ran, unless it ran a session. One of the codes below reports everything that
//! kept it from running, or that happened around it.

use crate::error::Kind;

/// Success.
pub const OK: u8 = 0;
/// A check failed: tests or commands of a session failed, or `doctor` found something missing.
pub const CHECK: u8 = 1;
/// The command line cannot be understood (clap's own code).
pub const USAGE: u8 = 2;
/// The code under test does not compile (EX_DATAERR).
pub const BUILD: u8 = 65;
/// Our machinery failed; this says nothing about driver or client (EX_UNAVAILABLE).
pub const MACHINERY: u8 = 69;
/// The kernel in the guest warned, oopsed, hung or leaked a module, or a driver misused its hardware (EX_SOFTWARE).
pub const KERNEL: u8 = 70;
/// The emulated GPU or QEMU does not answer: it was stopped, or waits for something itself (EX_OSERR).
pub const SILENT: u8 = 71;
/// The kernel in the guest reported something that involves no driver: the host starved the guest (EX_TEMPFAIL).
pub const STARVED: u8 = 75;
/// The machine lacks something that the user must supply (EX_CONFIG).
pub const HOST: u8 = 78;
/// The client ran longer than `--limit` and was killed; the same code as timeout(1).
pub const LIMIT: u8 = 124;
/// Ended by Ctrl-C, SIGTERM or SIGHUP.
pub const INTERRUPTED: u8 = 130;
/// The reader of our output has closed it; the code a shell shows for a program killed by SIGPIPE.
pub const PIPE: u8 = 141;

/// The table in `drydock --help`.
pub const HELP: &str = "\
Exit codes:
    0  success; `run` exits with the client's own code instead
    1  a check failed: tests or commands of a session failed, or `doctor` found something missing
    2  the command line is invalid, or names something that does not exist
   65  the code under test does not compile
   69  a part of drydock failed; this says nothing about the driver or the client
   70  the kernel in the guest warned, oopsed, hung or leaked a module, or a driver misused its hardware
   71  the emulated GPU or QEMU does not answer: it was stopped, or is itself waiting for something
   75  the host starved the guest, so the run proves nothing: try again
   78  the machine lacks something that you have to supply
  124  the client ran longer than `--limit` and was killed
  130  ended by Ctrl-C, SIGTERM or SIGHUP
  141  the reader of the output closed the pipe (`| head`)";

/// Returns the exit code of an error.
pub fn code(kind: Kind) -> u8 {
    match kind {
        Kind::Usage => USAGE,
        Kind::Host => HOST,
        Kind::Machinery => MACHINERY,
        Kind::Build => BUILD,
        Kind::Check => CHECK,
        Kind::Kernel => KERNEL,
        Kind::Silent => SILENT,
        Kind::Limit => LIMIT,
        Kind::Starved => STARVED,
        Kind::Interrupted => INTERRUPTED,
        Kind::Pipe => PIPE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_and_reference_name_every_code() {
        for code in [OK, CHECK, USAGE, BUILD, MACHINERY, KERNEL, SILENT, STARVED, HOST, LIMIT, INTERRUPTED, PIPE] {
            let line = format!("{code:5}  ");
            assert!(HELP.lines().any(|l| l.starts_with(&line)), "`{code}` is not in the table");
            let row = format!("| {code} |");
            let page = include_str!("../../../docs/reference/exit-codes.md");
            assert!(page.lines().any(|line| line.starts_with(&row)), "`{code}` is not in the reference");
        }
    }
}
