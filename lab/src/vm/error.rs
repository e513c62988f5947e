// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What can go wrong between the lab and a machine, told apart by who is to blame.
//!
//! Source: none but our own parts; the messages are lower-case fragments that chain.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use drydock_agent::protocol::{Failure, Status};

use super::place::Place;

/// An error of the machine, of its image or of what was asked of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A file or stream of the host failed.
    #[error("{what} `{}`", path.display())]
    Io {
        /// What was attempted.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A file that should be a program or module is none.
    #[error("`{}` is not a readable ELF file: {error}", path.display())]
    NotElf {
        /// The file.
        path: PathBuf,
        /// What its reader says.
        error: object::Error,
    },
    /// A library of a guest program is missing from the toolchain root.
    #[error("library `{library}`, needed by `{program}`, is not in the toolchain root")]
    NoLibrary {
        /// Who needs it.
        program: String,
        /// Its name.
        library: String,
    },
    /// A module's dependency exists nowhere.
    #[error("kernel module `{name}`, needed by `{by}`, is neither built nor in the stock kernel")]
    NoModule {
        /// Its name.
        name: String,
        /// Who needs it.
        by: String,
    },
    /// QEMU could not be started at all.
    #[error("cannot start QEMU")]
    Start(#[source] io::Error),
    /// The emulated GPU could not be started at all.
    #[error("cannot start the emulated GPU")]
    StartGpu(#[source] io::Error),
    /// The emulated GPU ended by itself.
    #[error("{}", gpu_ended(status, said))]
    GpuEnded {
        /// How.
        status: String,
        /// What it wrote on its standard error.
        said: String,
    },
    /// The emulated GPU does not answer.
    #[error("the emulated GPU does not answer{}", report(met, &[]))]
    GpuSilent {
        /// What was met meanwhile, or what it was told to do.
        met: String,
    },
    /// The emulated GPU does not do what it is told.
    #[error("the emulated GPU refuses `{order}`: {why}")]
    GpuRefused {
        /// What it was told to do.
        order: String,
        /// Why not.
        why: String,
    },
    /// QEMU ended when it should not.
    #[error("the machine ended unexpectedly ({status}){}", report(said, console))]
    Ended {
        /// How QEMU ended.
        status: String,
        /// What QEMU wrote on its standard error.
        said: String,
        /// The last lines of the console.
        console: Vec<String>,
    },
    /// The guest did not do something in time; the machine was ended.
    #[error("the guest hangs: {waiting} took longer than {} s{}", limit.as_secs(), hang(place, console))]
    Hung {
        /// What was waited for.
        waiting: String,
        /// How long.
        limit: Duration,
        /// The last lines of the console.
        console: Vec<String>,
        /// Where in the kernel it is.
        place: Place,
    },
    /// A program in the guest did not end in time, but could be killed.
    #[error("`{program}` ran longer than {} s and was killed{}", limit.as_secs(), place_lines(place))]
    TooLong {
        /// Its command line.
        program: String,
        /// How long it may run.
        limit: Duration,
        /// Where it was.
        place: Place,
    },
    /// QEMU does not answer.
    #[error("QEMU does not answer; it may be stopped, or the host too busy{}", report(met, &[]))]
    QemuSilent {
        /// What was met meanwhile.
        met: String,
    },
    /// A program of a story left processes behind that hold a driver.
    #[error("processes that were left behind held the driver and were ended:{}", report(&holders.join("\n"), &[]))]
    LeftBehind {
        /// Their names, and what they hold.
        holders: Vec<String>,
    },
    /// What a program wrote could not be written by us.
    #[error("failed to write a program's output")]
    Output {
        /// Why not.
        source: io::Error,
    },
    /// The guest's kernel or agent refused a request.
    #[error("{}{}", failure.message, report("", console))]
    Refused {
        /// What the agent says.
        failure: Failure,
        /// What the kernel logged meanwhile.
        console: Vec<String>,
    },
    /// A module does not go although its story has ended.
    #[error("{}{}", failure.message, report("", console))]
    Leaked {
        /// What the agent says.
        failure: Failure,
        /// What the kernel logged meanwhile.
        console: Vec<String>,
    },
    /// A program in the guest did not succeed where a scenario relies on it.
    #[error("`{program}` failed with {status}{}", report(said, &[]))]
    Program {
        /// Its command line.
        program: String,
        /// How it ended.
        status: Status,
        /// What it wrote.
        said: String,
    },
    /// A process hangs in the kernel, as the program says that watches it.
    #[error("{program}: somebody hangs in the kernel{}", report(said, &[]))]
    Stuck {
        /// What was under way.
        program: String,
        /// Who hangs, and where.
        said: String,
    },
    /// A program or the kernel's log shows something else than it must.
    #[error("{program} does not show what it must{}", report(said, &[]))]
    Unexpected {
        /// Who.
        program: String,
        /// What it showed, and what was looked for.
        said: String,
    },
    /// The answer to a request is of another kind than the request.
    #[error("the agent answered `{0}` with something else; the image and the lab do not fit together")]
    Confused(&'static str),
}

/// The first line of a model's own error is ours.
fn gpu_ended(status: &str, said: &str) -> String {
    match said.trim_start().strip_prefix("error: ").map(|said| said.split_once('\n').unwrap_or((said, ""))) {
        Some((first, rest)) => format!("the emulated GPU has stopped: {first}{}", report(rest, &[])),
        None => format!("the emulated GPU ended unexpectedly ({status}){}", report(said, &[])),
    }
}

/// Where a guest hangs, and the end of its log.
fn hang(place: &Place, console: &[String]) -> String {
    format!("{}{}", place_lines(place), report("", console))
}

fn place_lines(place: &Place) -> String {
    place.lines().iter().map(|line| format!("\n  {line}")).collect()
}

/// Text and console lines below an error's first line, indented.
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

/// Adds what was attempted, and on which file, to an I/O error.
pub(crate) trait IoContext<T> {
    /// `what` is a fragment such as "cannot read".
    fn context(self, what: &'static str, path: impl AsRef<Path>) -> Result<T, Error>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn context(self, what: &'static str, path: impl AsRef<Path>) -> Result<T, Error> {
        self.map_err(|source| Error::Io { what, path: path.as_ref().to_owned(), source })
    }
}
