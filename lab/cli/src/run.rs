// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `drydock run`: boots one driver, runs one client or the commands of a session file, and passes their output through as if
//! they had run here.

mod client;
mod fetch;
mod files;
pub(crate) mod gdb;
mod job;
mod judge;
mod libdrm;
mod parameters;
mod play;
mod program;
mod screenshot;
mod session;
mod setting;
mod tee;
pub(crate) mod terminal;
mod user_module;
mod visitors;

use std::path::PathBuf;

use clap::Args;

use crate::model::GpuOptions;
use crate::results;
use drydock_base::error::{Context, Error, Kind, Result};
use drydock_base::events::Events;
use drydock_base::{exit, repo};
use drydock_machine::model::Choices;
use drydock_machine::pace::FOREVER;
use drydock_machine::scenario::StockDevice;
use drydock_toolchain::firmware::Choice;

use files::Files;
use job::{Command, Job};
use parameters::Parameter;
use screenshot::Screenshot;
use user_module::UserModule;

/// The options that a session file has instead of the command line.
const OF_A_SESSION: [&str; 24] = [
    "driver",
    "kernel",
    "cpus",
    "memory",
    "limit",
    "fault",
    "trace",
    "vram",
    "gdb",
    "param",
    "device",
    "module",
    "firmware",
    "firmware_unchecked",
    "root",
    "packages",
    "with",
    "write",
    "get",
    "screenshot",
    "at",
    "env",
    "user",
    "client",
];

/// The end of its help.
const EXAMPLES: &str = "\
Examples:\n\
\x20   drydock run vgem -- drmdevice\n\
\x20   drydock run c-vgem -- lsgpu\n\
\x20   drydock run vgem -- ./my-test --flag\n\
\x20   drydock run tyr --write out --env MY_LEVEL=2 -- python3 my-script.py\n\
\x20   drydock run vgem --packages vulkan-tools -- vulkaninfo --summary\n\
\x20   drydock run --session session.toml --junit junit.xml\n\
\x20   drydock run vgem";

/// Boot a driver and run a client program on it, or a shell
///
/// Builds the modules, boots the stock kernel, loads DRIVER and runs the client in the guest. The client's output goes
/// to stdout and its exit code becomes ours; everything else goes to stderr. Without a client you get a shell in the
/// guest.
///
/// If our standard streams are all terminals, the client has a terminal, too. Otherwise it reads our standard input, unless
/// that is a terminal, and its input and output behave like pipes: a write blocks while nobody reads, and fails when the
/// reader has closed its end. The client gets the first Ctrl-C, SIGTERM or SIGHUP; a second one ends the guest. Processes
/// that the client leaves behind are killed.
///
/// The guest has busybox, lsgpu, drmdevice and the driver's own client. Any other program is one of this machine: the
/// client then sees all files of this machine and starts in the current directory. It cannot change them: what it
/// writes is lost at its end, except in directories of `--write`. With `--packages`, the client sees the files of Debian
/// packages instead, and the current directory. docs/how-to/run-your-program.md has examples.
///
/// With `--session`, a file names the driver and several commands. Each gets a verdict, and the later ones still run if one
/// fails. The exit code is 0 if all passed, and 1 otherwise.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Options {
    /// Driver to load, such as `vgem`, `nova`, `tyr`, `vkms` or `bochs`; `c-vgem` is the stock kernel's own vgem, and `c-vkms` is C's vkms,
    /// which stock kernels lack
    #[arg(required_unless_present = "session")]
    driver: Option<String>,
    /// Run the commands of this TOML file in one boot, each with a verdict; docs/reference/session-file.md has its keys
    #[arg(long, value_name = "FILE", conflicts_with_all = OF_A_SESSION)]
    session: Option<PathBuf>,
    /// The kernel to boot, by its release or series; `debug` and `kcsan` are the debug kernels
    #[arg(long, value_name = "NAME")]
    kernel: Option<String>,
    /// Number of processors of the guest
    #[arg(long, value_name = "N", default_value_t = job::DEFAULT_CPUS, value_parser = clap::value_parser!(u32).range(job::CPUS))]
    cpus: u32,
    /// Memory of the guest in MiB [default: 1024, or 2048 with the root of this machine]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(job::MEMORY))]
    memory: Option<u32>,
    /// Seconds until the client is killed, including the time to read its output; the exit code is then 124 [default: 300, or
    /// none on a terminal]
    #[arg(long, visible_alias = "timeout", value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Wait for gdb when the driver is loaded, before it probes its devices; there is no time limit then
    #[arg(long, conflicts_with_all = ["limit", "dry_run"])]
    gdb: bool,
    /// Show the kernel's log on stderr as it is printed
    #[arg(long)]
    log: bool,
    #[command(flatten)]
    gpu: GpuOptions,
    /// Set a parameter of the driver's module, such as `outputs=3` of `vkms`
    #[arg(long, value_name = "NAME=VALUE", value_parser = Parameter::parse)]
    param: Vec<Parameter>,
    /// Add a GPU of QEMU and load the kernel's own driver for it, after DRIVER: `bochs`, `cirrus` or `virtio-gpu`
    #[arg(long, value_name = "NAME", value_parser = StockDevice::parse)]
    device: Vec<&'static StockDevice>,
    /// Load a module that you have built for the guest's kernel, after those of DRIVER and `--device`
    #[arg(long, value_name = "FILE.ko[,PARAM=VALUE…]", value_parser = UserModule::parse)]
    module: Vec<UserModule>,
    /// Firmware for a GPU's driver: the published file, one built here, or your own file [default: the published one if
    /// it is available]
    #[arg(long, value_name = "real|built|PATH", value_parser = Choice::parse)]
    firmware: Option<Choice>,
    /// Let the GPU's driver load this file as its firmware, whatever it contains: to test the driver with a broken file
    #[arg(long, value_name = "FILE", conflicts_with = "firmware")]
    firmware_unchecked: Option<PathBuf>,
    /// The files that the client sees: the guest's own few, those of this machine, which it cannot change, or those of Debian
    /// packages [default: this machine's if only this machine has the program]
    #[arg(long, value_name = "ROOT", requires = "client")]
    root: Option<Files>,
    /// Debian packages whose files the client sees, with all that they depend on, instead of those of this machine
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', requires = "client")]
    packages: Vec<String>,
    /// Let the client read a directory of this machine, at the same path or at PLACE
    #[arg(long, value_name = "DIR[:PLACE]")]
    with: Vec<String>,
    /// Let the client read and write a directory of this machine, at the same path or at PLACE
    #[arg(long, value_name = "DIR[:PLACE]")]
    write: Vec<String>,
    /// Copy a file or directory of the guest to this machine when the client has ended, also if it failed
    #[arg(long, value_name = "GUEST[:HOST]", value_parser = fetch::get, requires = "client")]
    get: Vec<fetch::Get>,
    /// Write what the screens show to a PNG file when the client's time is up, when it gets our signal, or when it has ended; several
    /// screens are side by side, and `--html` has the picture, too
    #[arg(long, value_name = "FILE.png", requires = "client")]
    screenshot: Option<PathBuf>,
    /// Take the picture of `--screenshot` this long after the client's start instead
    #[arg(long, value_name = "SECONDS", requires = "screenshot")]
    at: Option<u64>,
    /// Set a variable in the client's environment, or pass on ours
    #[arg(long, value_name = "NAME[=VALUE]", value_parser = setting::variable, requires = "client")]
    env: Vec<(String, String)>,
    /// Run the client as the guest's ordinary user, a member of the groups `video` and `render`
    #[arg(long, requires = "client")]
    user: bool,
    #[command(flatten)]
    results: results::ResultOptions,
    /// Print the command that boots this guest with a shell on its console, and exit
    #[arg(long)]
    dry_run: bool,
    /// Client program and its arguments [default: a shell]
    #[arg(last = true)]
    client: Vec<String>,
}

/// Runs `drydock run`.
pub fn main(options: Options, events: &Events) -> Result<u8> {
    let repo = repo::root()?;
    let output = play::Output { show_log: options.log, dry_run: options.dry_run, results: options.results.clone() };
    let job = match &options.session {
        Some(path) => session::read(path)?,
        None => options.job()?,
    };
    if job.commands.is_empty() && output.results.any() {
        let message = "`--junit`, `--ktap` and `--html` have no effect on a shell, which gets no verdict";
        return Err(Error::new(Kind::Usage, message).hint("name a client after `--`"));
    }
    play::run(&job, &output, &repo, events)
}

impl Options {
    /// Returns the description of a run without a session file.
    fn job(self) -> Result<Job> {
        let directory = std::env::current_dir().context("failed to find the current directory")?;
        let shares = setting::shares(&directory, &self.with, &self.write)?;
        // Results have what the client writes to each of its outputs, and a terminal has only one.
        let on_terminal = self.client.is_empty() || (terminal::is_ours() && !self.results.any());
        let command = (!self.client.is_empty()).then(|| Command {
            name: Command::name_of(&self.client),
            argv: self.client,
            limit: match self.limit {
                Some(limit) => job::limit(limit),
                // A person at a debugger or a terminal needs as long as it takes.
                None if self.gdb || on_terminal => FOREVER,
                None => job::limit(job::DEFAULT_LIMIT),
            },
            exit_codes: vec![exit::OK],
            gets: self.get,
            screenshot: self.screenshot.map(|to| Screenshot::new(to, self.at)),
        });
        Ok(Job {
            driver: self.driver.expect("clap requires it without a session"),
            kernel: self.kernel,
            cpus: self.cpus,
            memory: self.memory,
            gpu: Choices::from(&self.gpu),
            firmware: self.firmware_unchecked.map(Choice::Unchecked).or(self.firmware),
            parameters: self.param,
            devices: self.device,
            modules: self.module,
            waits_for_gdb: self.gdb,
            root: self.root,
            packages: self.packages,
            shares,
            environment: self.env,
            is_user: self.user,
            directory,
            commands: command.into_iter().collect(),
            on_terminal,
            is_session: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    /// Options about what `run` prints and writes, which a session file does not have.
    const OUTPUT: &[&str] = &["session", "log", "junit", "ktap", "html", "dry_run", "help"];

    #[test]
    fn session_has_every_option_that_is_not_about_output() {
        let line = Line::command();
        let names = line.get_arguments().map(|argument| argument.get_id().as_str());
        let others: Vec<&str> = names.filter(|name| !OUTPUT.contains(name)).collect();
        let missing: Vec<_> = others.iter().filter(|name| !OF_A_SESSION.contains(name)).collect();
        assert_eq!(missing, Vec::<&&str>::new(), "`--session` must conflict with them");
    }

    #[test]
    fn session_stands_alone() {
        let parse = |line: &str| Line::try_parse_from(line.split(' ')).map(|line| line.options);
        assert!(parse("run --session a.toml --junit a.xml --ktap - --html a.html --log --dry-run").is_ok());
        for more in ["vgem", "--cpus 2", "--limit 300", "--user", "-- lsgpu", "--vram 16"] {
            assert!(parse(&format!("run --session a.toml {more}")).is_err(), "{more}");
        }
        assert!(parse("run").is_err());
        assert_eq!(parse("run vgem").unwrap().driver.as_deref(), Some("vgem"));
    }
}
