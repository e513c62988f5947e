// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The command line: its commands and their help, and the file that implements each.

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{audit, bench, clean, demo, doc, doctor, enter, fuzz, host_fuzz, ide, model, new, run, setup, storm, test};
use drydock_base::error::{Kind, Result};
use drydock_base::events::{Events, Form, of_output};
use drydock_base::{exit, interrupt, process};
use drydock_toolchain::root;

/// Run and test Rust DRM drivers on a stock Debian kernel in QEMU, with real clients and emulated GPUs.
///
/// Start with `drydock demo`: it prepares whatever is missing, builds the modules, boots a stock Debian kernel in QEMU and
/// shows the life of a DRM device.
#[derive(Debug, Parser)]
#[command(name = "drydock", version, after_help = exit::HELP, infer_subcommands = false)]
struct Cli {
    /// Report as JSON: events on stderr, one per line; the result on stdout as a document
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

/// The commands. Their help texts are those of their `Options`.
#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Options),
    Run(Box<run::Options>),
    Test(test::Options),
    Lint(test::LintOptions),
    Bench(bench::Options),
    Fuzz(fuzz::Options),
    Storm(storm::Options),
    Audit(audit::Options),
    FuzzHost(host_fuzz::Options),
    Doctor(doctor::Options),
    Setup(setup::Options),
    New(new::Options),
    Ide(ide::Options),
    Doc(doc::Options),
    Model(model::Options),
    Clean(clean::Options),
    Enter(enter::Options),
    /// The process that becomes a program inside the root; see `root.rs`
    #[command(name = root::ENTER_WORD, hide = true)]
    EnterRoot(enter::RootOptions),
}

/// Parses the command line, runs the command, and returns its exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(said) => return tell(&said),
    };
    if let Command::EnterRoot(options) = cli.command {
        return root::enter(options.into());
    }
    let events = Events::new(Form::choose(cli.json));
    interrupt::install(&events, process::kill_all);
    match dispatch(cli.command, &events) {
        Ok(code) => ExitCode::from(finish(code, &events)),
        Err(_) if interrupt::happened() => interrupt::wait_for_the_end(),
        Err(error) => {
            // If the reader of our output has closed its pipe, print nothing, like any other program.
            if error.kind() != Kind::Pipe {
                events.error(&error);
            }
            ExitCode::from(exit::code(error.kind()))
        }
    }
}

/// Returns the exit code of a command that succeeded, or an error's if output was lost.
fn finish(code: u8, events: &Events) -> u8 {
    let Some(lost) = events.lost().filter(|_| code == exit::OK) else { return code };
    if lost.kind() != Kind::Pipe {
        events.error(&lost);
    }
    exit::code(lost.kind())
}

/// Prints clap's message: help and version on stdout, errors in the command line on stderr.
fn tell(said: &clap::Error) -> ExitCode {
    let code = u8::try_from(said.exit_code()).unwrap_or(exit::USAGE);
    match said.print().and_then(|()| std::io::stdout().flush()) {
        Err(error) if code == exit::OK => {
            let lost = of_output("stdout", error);
            Events::new(Form::Plain).error(&lost);
            ExitCode::from(exit::code(lost.kind()))
        }
        _ => ExitCode::from(code),
    }
}

fn dispatch(command: Command, events: &Events) -> Result<u8> {
    match command {
        Command::Demo(options) => demo::main(options, events),
        Command::Run(options) => run::main(*options, events),
        Command::Test(options) => test::main(options, events),
        Command::Lint(options) => test::lint(options, events),
        Command::Bench(options) => bench::main(options, events),
        Command::Fuzz(options) => fuzz::main(options, events),
        Command::Storm(options) => storm::main(options, events),
        Command::Audit(options) => audit::main(options, events),
        Command::FuzzHost(options) => host_fuzz::main(options, events),
        Command::Doctor(options) => doctor::main(options, events),
        Command::Setup(options) => setup::main(options, events),
        Command::New(options) => new::main(options, &test::suite_names(), events),
        Command::Ide(options) => ide::main(options, events),
        Command::Doc(options) => doc::main(options, events),
        Command::Model(options) => model::main(options, events),
        Command::Clean(options) => clean::main(options, events),
        Command::Enter(options) => enter::main(options, events),
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

    /// Returns the commands in a page, from blocks and from the text.
    fn commands(page: &str) -> Vec<&str> {
        let lines = page.lines().filter_map(|line| line.trim().strip_prefix("./drydock "));
        let spans =
            page.split('`').filter_map(|span| span.strip_prefix("./drydock ").filter(|span| !span.contains('\n')));
        let words = lines.chain(spans).map(|line| line.split(['#', '&', '`']).next().unwrap_or_default().trim());
        words.filter(|command| !command.is_empty()).collect()
    }

    /// Returns all pages below `folder`.
    fn pages(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
        let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let below = paths.flat_map(|path| if path.is_dir() { pages(&path) } else { vec![path] });
        below.filter(|path| path.extension().is_some_and(|end| end == "md")).collect()
    }

    #[test]
    fn commands_in_the_documentation_are_accepted() {
        let repo = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
        let mut count = 0;
        for page in
            pages(&repo.join("docs")).into_iter().chain(["README.md", "CONTRIBUTING.md"].map(|page| repo.join(page)))
        {
            let text = std::fs::read_to_string(&page).unwrap();
            for command in commands(&text) {
                // A word in brackets is optional.
                let words: Vec<_> = command.split_whitespace().filter(|word| !word.starts_with('[')).collect();
                let parsed = parse(&words.join(" "));
                assert!(parsed.is_ok(), "{}: `{command}`: {}", page.display(), parsed.unwrap_err());
                count += 1;
            }
        }
        assert!(count > 40, "the documentation shows {count} commands");
    }

    #[test]
    fn every_command_is_in_the_reference() {
        let page = include_str!("../../../docs/reference/commands.md");
        for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
            let row = format!("| `{}` |", command.get_name());
            assert!(page.lines().any(|line| line.starts_with(&row)), "`{}` has no row", command.get_name());
        }
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
