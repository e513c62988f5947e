// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The words of the command line, what they mean to a newcomer, and which file does the work.

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::error::Result;
use crate::events::{Events, Form};
use crate::{
    audit, bench, clean, demo, doc, doctor, exit, fuzz, host_fuzz, ide, interrupt, model, new, root, run, setup, storm,
    test,
};

/// Rust DRM drivers on a stock kernel, from an edited line to a real client's answer in seconds.
///
/// Start with `drydock demo`: it prepares whatever is missing, builds the modules, boots a stock Debian kernel in QEMU and
/// shows the life of a DRM device.
#[derive(Debug, Parser)]
#[command(name = "drydock", version, after_help = exit::HELP, infer_subcommands = false)]
struct Cli {
    /// Say what happens as JSON: events one per line on stderr, the result as one document on stdout
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the life cycle of a DRM device, from probe to unload, with real clients
    Demo(demo::Options),
    /// Boot a driver and run a client program on it, or a shell
    Run(run::Options),
    /// Run all tests, or those whose name contains FILTER
    Test(test::Options),
    /// Count instructions per operation, for the Rust driver and the C one side by side
    Bench(bench::Options),
    /// Look for calls that bring the kernel down, guided by which lines of ours they reach
    Fuzz(fuzz::Options),
    /// Make random calls while the device comes and goes, on the debug kernel
    Storm(storm::Options),
    /// List every `unsafe` of what is loaded into a kernel, with its reason and its tests
    Audit(audit::Options),
    /// Feed models and lab with bytes of a hostile guest or file, and look for faults
    FuzzHost(host_fuzz::Options),
    /// Say what is there, what is missing, and what to do about it
    Doctor(doctor::Options),
    /// Prepare everything the other commands need, and nothing else
    Setup(setup::Options),
    /// Start a driver of your own from a template that builds, loads and passes a test
    New(new::Options),
    /// Write `rust-project.json`, with which rust-analyzer understands the modules too
    Ide(ide::Options),
    /// Build the documentation of the `drm` crate
    Doc(doc::Options),
    /// Be an emulated GPU, for a virtual machine of your own
    Model(model::Options),
    /// Remove what the other commands have made outside this directory
    Clean(clean::Options),
    /// Run a program inside the toolchain root (a shell if none is named)
    Enter(EnterOptions),
    /// The process that becomes a program inside the root; see `root.rs`
    #[command(name = root::ENTER_WORD, hide = true)]
    EnterRoot(root::EnterSpec),
}

/// Options of `drydock enter`.
#[derive(Debug, Args)]
pub struct EnterOptions {
    /// The program and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    program: Vec<String>,
}

/// Parses the command line, carries it out, and turns what comes of it into an exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Command::EnterRoot(spec) = cli.command {
        return root::enter(spec);
    }
    let events = Events::new(Form::choose(cli.json));
    interrupt::install(&events);
    match dispatch(cli.command, &events) {
        Ok(code) => ExitCode::from(code),
        Err(_) if interrupt::happened() => interrupt::wait_for_the_end(),
        Err(error) => {
            events.error(&error);
            ExitCode::from(exit::code(error.kind()))
        }
    }
}

fn dispatch(command: Command, events: &Events) -> Result<u8> {
    match command {
        Command::Demo(options) => demo::main(options, events),
        Command::Run(options) => run::main(options, events),
        Command::Test(options) => test::main(options, events),
        Command::Bench(options) => bench::main(options, events),
        Command::Fuzz(options) => fuzz::main(options, events),
        Command::Storm(options) => storm::main(options, events),
        Command::Audit(options) => audit::main(options, events),
        Command::FuzzHost(options) => host_fuzz::main(options, events),
        Command::Doctor(options) => doctor::main(options, events),
        Command::Setup(options) => setup::main(options, events),
        Command::New(options) => new::main(options, events),
        Command::Ide(options) => ide::main(options, events),
        Command::Doc(options) => doc::main(options, events),
        Command::Model(options) => model::main(options, events),
        Command::Clean(options) => clean::main(options, events),
        Command::Enter(options) => root::main(options.program, events),
        Command::EnterRoot(_) => unreachable!("handled before anything is set up"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once("drydock").chain(line.split_whitespace()))
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_unknown_word_is_an_error_that_suggests() {
        let message = parse("dmo").unwrap_err().to_string();
        assert!(message.contains("unrecognized subcommand 'dmo'"), "{message}");
        assert!(message.contains("'demo'"), "{message}");
    }

    #[test]
    fn the_client_keeps_its_own_options() {
        let cli = parse("run vgem --cpus 2 -- drmdevice --verbose").unwrap();
        assert!(format!("{:?}", cli.command).contains("\"drmdevice\", \"--verbose\""));
    }

    #[test]
    fn json_goes_before_or_after_the_word() {
        assert!(parse("--json doctor").unwrap().json);
        assert!(parse("doctor --json").unwrap().json);
    }

    #[test]
    fn help_for_newcomers() {
        insta::assert_snapshot!(Cli::command().term_width(100).render_help().to_string());
    }
}
