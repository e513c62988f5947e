// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `drydock fuzz`: runs sequences of calls on our drivers' devices, on the kernel that checks memory and locks, guided
//! by which of our lines they reach.
//!
//! The fuzzer itself is `guest/random`, which runs in the guest. This module supplies its corpus, keeps its findings,
//! judges the run like any other, and turns the reached places into lines.
//!
//! Source: Documentation/dev-tools/kcov.rst (Linux 7.3); docs/how-to/fuzz-a-driver.md.

mod corpus;
mod coverage;
pub(crate) mod guest;
mod output;
mod table;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Serialize;

use drydock_base::error::{Context, Error, Kind, Result};
use drydock_base::events::Events;
use drydock_base::exit;
use drydock_machine::lines::Lines;
use drydock_machine::model::Choices;
use drydock_machine::scenario::{Boot, Content, Plan, Program, Stage, driver_modules, gpu_of};
use drydock_toolchain::firmware::Choice;
use drydock_toolchain::{debug_kernel, guestbin};

use coverage::Coverage;
use guest::{Session, Stopped};
use output::Output;

pub(crate) use corpus::text as corpus_text;
pub(crate) use guest::Session as Replay;

/// The directory whose lines count as reached: the layer's and the drivers'. `crates/` is fuzzed on the host as well.
const KERNEL: &str = "kernel/";

/// The default directory for failures.
const FOUND: &str = "fuzz-found";

/// The end of its help.
const EXAMPLES: &str = "\
Examples:\n\
\x20   drydock fuzz --minutes 10\n\
\x20   drydock fuzz vgem --seed 7\n\
\x20   drydock fuzz tyr --replay fuzz-found/tyr-7.jsonl";

/// Search for calls that bring the kernel down, guided by the lines that they reach
///
/// Boots the debug kernel for each DRIVER and executes sequences of calls on its device: those of `guest/random/corpus`
/// first, then mutations of sequences that reached something new. Ends when the time is over, or when the kernel
/// reports something, an execution hangs, memory is leaked, or the driver misuses its hardware. In these cases it keeps
/// the last calls for --replay. Shows which lines of the layer and the drivers were reached.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Options {
    /// The drivers, searched one after the other [default: all]
    #[arg(value_enum, value_name = "DRIVER")]
    drivers: Vec<Subject>,
    /// Minutes to search, for each driver
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=1440))]
    minutes: u64,
    /// Seed of the random choices [default: a new one, which is shown]
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Write the sequences that reach most lines, shortened, back to `guest/random/corpus`
    #[arg(long, conflicts_with = "replay")]
    keep: bool,
    /// Only execute the sequences in FILE, one per line, and show each call's errno
    #[arg(long, value_name = "FILE", conflicts_with_all = ["minutes", "seed"])]
    replay: Option<PathBuf>,
    /// Directory for the calls that led to a failure
    #[arg(long, value_name = "DIR", default_value = FOUND)]
    found: PathBuf,
    /// The kernel for --replay, by its release or series [default: debug]
    #[arg(long, value_name = "NAME", requires = "replay")]
    kernel: Option<String>,
    /// Firmware for a GPU's driver: the published file, one built here, or your own file [default: built here]
    #[arg(long, value_name = "real|built|PATH", value_parser = Choice::parse)]
    firmware: Option<Choice>,
}

impl Options {
    /// Returns a search of `minutes` minutes.
    pub(crate) fn of_minutes(minutes: u64, seed: u64, firmware: Option<Choice>) -> Self {
        let found = FOUND.into();
        Self {
            drivers: Vec::new(),
            minutes,
            seed: Some(seed),
            keep: false,
            replay: None,
            found,
            kernel: None,
            firmware,
        }
    }

    /// Returns how long to search.
    pub(crate) fn time(&self) -> Duration {
        Duration::from_secs(60 * self.minutes)
    }
}

/// A driver that the fuzzer knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Subject {
    /// Buffers without a GPU
    Vgem,
    /// An NVIDIA GPU
    Nova,
    /// An Arm Mali GPU
    Tyr,
    /// A virtual display
    Vkms,
}

impl Subject {
    pub(crate) const ALL: [Self; 4] = [Self::Vgem, Self::Nova, Self::Tyr, Self::Vkms];

    /// Returns its name on command lines.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Vgem => "vgem",
            Self::Nova => "nova",
            Self::Tyr => "tyr",
            Self::Vkms => "vkms",
        }
    }

    /// Returns the parameters of its last module.
    pub(crate) fn parameters(self) -> &'static str {
        match self {
            Self::Vgem | Self::Nova | Self::Tyr => "",
            Self::Vkms => "outputs=2 enable_overlay=1",
        }
    }

    /// Returns how long one execution may take. A probe of a GPU waits for another process.
    pub(crate) fn limit(self) -> Duration {
        match self {
            Self::Vgem => Duration::from_secs(10),
            // A wait for a frame that never comes ends after three seconds, and a program may have several.
            Self::Nova | Self::Tyr | Self::Vkms => Duration::from_secs(20),
        }
    }
}

/// The result for one driver.
#[derive(Debug, Serialize)]
struct Outcome {
    driver: Subject,
    seed: u64,
    executions: u64,
    /// Programs that each reached something new.
    corpus: usize,
    /// Instrumented places that were reached.
    places: usize,
    /// Why the search ended early.
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<String>,
}

/// The results for all drivers.
#[derive(Debug, Serialize)]
struct Figures {
    outcomes: Vec<Outcome>,
    coverage: Coverage,
}

/// Runs `drydock fuzz`.
pub fn main(options: Options, events: &Events) -> Result<u8> {
    if let Some(file) = &options.replay {
        return replay(&options, file, events);
    }
    let mut subjects = options.drivers.clone();
    if subjects.is_empty() {
        subjects = Subject::ALL.to_vec();
    }
    let stage =
        Stage::prepare(&Plan { kernel: Some(debug_kernel::NAME.to_owned()), content: Content::all_modules() }, events)?;
    let fuzzer = fuzzer(&stage, events)?;
    let mut figures = Figures { outcomes: Vec::new(), coverage: Coverage::default() };
    let mut failure = None;
    for subject in subjects {
        match search(subject, &options, &stage, &fuzzer, &mut figures, events) {
            Ok(()) => {}
            Err(error) if error.kind() == Kind::Interrupted => return Err(error),
            Err(error) => {
                failure = Some(error);
                break;
            }
        }
    }
    events.result(&figures, table::text);
    failure.map_or(Ok(exit::OK), Err)
}

/// Searches for new sequences on one driver and prints the result in one line. A search that reaches no line is an
/// error: it cannot have found anything.
pub(crate) fn one(subject: Subject, options: &Options, stage: &Stage, events: &Events) -> Result<()> {
    let mut figures = Figures { outcomes: Vec::new(), coverage: Coverage::default() };
    let searched = search(subject, options, stage, &fuzzer(stage, events)?, &mut figures, events);
    if !figures.outcomes.is_empty() {
        events.note(table::short(&figures));
    }
    searched?;
    match figures.coverage.below(KERNEL) {
        (0, all) => Err(Error::new(Kind::Check, format!("none of {all} lines of `{KERNEL}` was reached"))),
        _ => Ok(()),
    }
}

/// Returns the program that searches for new sequences, and its path in the guest.
fn fuzzer(stage: &Stage, events: &Events) -> Result<(String, PathBuf)> {
    let program = guestbin::build_with(stage.toolchain(), Program::FUZZ.name, &["search"], events)?;
    Ok((format!("/usr/bin/{}-search", Program::FUZZ.name), program))
}

/// Returns how to boot the machine for a driver. Randomisation is off: KCOV reports addresses without its offset, and
/// so do we.
pub(crate) fn boot(subject: Subject, firmware: Option<&Choice>, events: &Events) -> Result<Boot> {
    let gpu = gpu_of(subject.name(), &Choices::default(), Some(firmware.unwrap_or(&Choice::Built)), events)?;
    Ok(Boot { gpu, words: vec!["nokaslr".to_owned()], ..Boot::default() })
}

fn search(
    subject: Subject,
    options: &Options,
    stage: &Stage,
    fuzzer: &(String, PathBuf),
    figures: &mut Figures,
    events: &Events,
) -> Result<()> {
    let repo = &stage.toolchain().repo;
    let seed = options.seed.unwrap_or_else(new_seed);
    let boot = Boot { programs: vec![fuzzer.clone()], ..boot(subject, options.firmware.as_ref(), events)? };
    let modules = driver_modules(subject.name(), stage.image())?;
    let time = options.time();
    let mut argv = vec![fuzzer.0.clone(), "search".into(), "--driver".into(), subject.name().into()];
    argv.extend(["--seed".into(), seed.to_string(), "--seconds".into(), time.as_secs().to_string()]);
    argv.extend(options.keep.then(|| "--minimise".to_owned()));
    let programs = corpus::text(repo, subject)?;
    let session = Session { subject, stage, boot, modules, argv, programs, time };
    let title = format!("fuzzing {} for {} min (seed {seed})", subject.name(), options.minutes);
    let ended = session.run(&title, events);
    let (output, failure) = match ended {
        Ok(output) if output.is_in_vain() => {
            let message =
                format!("the fuzzer did not work: {} executions, {} places reached", output.executions, output.places);
            (output, Some(Error::new(Kind::Check, message)))
        }
        Ok(output) => (output, None),
        Err(stopped) => {
            let Stopped { output, error, last } = *stopped;
            (output, Some(keep_last(subject, seed, options, error, &last)?))
        }
    };
    figures.coverage.add(stage, &session.modules_with_library(), &output.coverage)?;
    figures.outcomes.push(Outcome {
        driver: subject,
        seed,
        executions: output.executions,
        corpus: output.corpus,
        places: output.places,
        failed: failure.as_ref().map(Error::chain),
    });
    match failure {
        Some(error) => Err(error),
        None if options.keep => corpus::keep(repo, subject, &output.kept, events),
        None => Ok(()),
    }
}

/// Writes the last executed programs to a file, the one that ended the run last, and names the file in the error.
fn keep_last(subject: Subject, seed: u64, options: &Options, error: Error, last: &[String]) -> Result<Error> {
    if error.kind() == Kind::Interrupted || last.is_empty() {
        return Ok(error);
    }
    let directory = &options.found;
    std::fs::create_dir_all(directory).with_context(|| format!("failed to create `{}`", directory.display()))?;
    let file = directory.join(format!("{}-{seed}.jsonl", subject.name()));
    drydock_base::cache::write_atomically(&file, last.join("\n") + "\n")?;
    let again = format!("to reproduce: `drydock fuzz {} --replay {}`", subject.name(), file.display());
    let said = format!(
        "the last {} sequences are in `{}`; the last line is the one that ended the run",
        last.len(),
        file.display()
    );
    Ok(error.details([said]).hint(again))
}

fn replay(options: &Options, file: &Path, events: &Events) -> Result<u8> {
    let [subject] = options.drivers[..] else {
        return Err(Error::new(
            Kind::Usage,
            "`--replay` needs exactly one driver: `drydock fuzz DRIVER --replay FILE`",
        ));
    };
    let programs = std::fs::read_to_string(file).with_context(|| format!("failed to read `{}`", file.display()));
    let programs = programs.map_err(|error| Error::new(Kind::Usage, error.chain()))?;
    let kernel = options.kernel.clone().unwrap_or_else(|| debug_kernel::NAME.to_owned());
    let stage =
        Stage::prepare(&Plan { kernel: Some(kernel), content: Content::all_modules().with(Program::FUZZ) }, events)?;
    let boot = boot(subject, options.firmware.as_ref(), events)?;
    let session = Replay::of(subject, &stage, boot, programs)?;
    let output = session.run(&format!("replaying on {}", subject.name()), events).map_err(|stopped| stopped.error)?;
    events.result(&output.replayed, |replayed| table::replayed(replayed));
    Ok(exit::OK)
}

/// Returns a number that differs between runs, which need not be reproducible.
fn new_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::from(now.subsec_nanos()) << 8 ^ now.as_secs()
}

/// Parses any bytes as lines of the guest's fuzzer, for fuzzing.
pub(crate) fn parse_any(bytes: &[u8]) {
    let (mut output, mut wrong) = (Output::default(), String::new());
    Lines::default().take(bytes, &mut |line| output.take(line, &mut wrong));
    output.in_words();
    table::replayed(&output.replayed);
    serde_json::to_string(&output.replayed).expect("it was just read");
    coverage::parse_any(&output.coverage);
}
