// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `drydock fuzz-host`: fuzzes the code that runs on the host, the models and the lab. libFuzzer makes inputs from
//! those that reached something new.
//!
//! The targets are in `fuzz/`. They are built with the root's compiler, instrumented as cargo-fuzz does it, and run in
//! the root, one process each. The cache keeps inputs that reach something new. With `--keep`, a minimal set of inputs
//! that reaches the same goes to `fuzz/corpus`, which ordinary tests run too.
//!
//! Source: LLVM, docs/LibFuzzer.rst and docs/SanitizerCoverage.rst.

mod build;
mod figures;
mod runs;

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;

use drydock_base::error::{Context, Error, Kind, Result};
use drydock_base::events::Events;
use drydock_base::exit;
use drydock_toolchain::setup;

use figures::Report;
use runs::Fuzzer;

/// A target in `fuzz/` that takes bytes.
#[derive(Debug)]
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// The code that it tests, in a few words.
    pub about: &'static str,
    /// The longest input in bytes.
    pub longest: usize,
}

/// All targets, sorted by how much there is to find.
pub const TARGETS: &[Target] = &[
    target("mali", "the model of a Mali: accesses, page tables, the firmware's interface, commands, time", 1 << 10),
    target("vfio-user", "the models' server: messages of its client", 2 << 10),
    target("nova", "the model of an NVIDIA GPU: accesses, commands, time", 1 << 10),
    target("fault-plan", "fault plans in TOML, read and played", 1 << 10),
    target("csf-fw", "the container of a Mali's firmware", 2 << 10),
    target("page-tables", "tables of a Mali's MMU: walking hostile ones, and making them", 1 << 10),
    target("console", "the kernel's log and a GPU's trace, as the lab reads them", 12 << 10),
    target("agent", "messages of the guest's agent to the lab", 1 << 10),
    target("programs", "output of programs in a guest, and the routing of its agent's messages", 4 << 10),
    target("binary", "modules, programs and kernels, as the lab parses them", 16 << 10),
    target("lists", "output of apt and of the kernel's build", 2 << 10),
];

const fn target(name: &'static str, about: &'static str, longest: usize) -> Target {
    Target { name, about, longest }
}

/// The end of its help.
const EXAMPLES: &str = "\
Examples:\n\
\x20   drydock fuzz-host                          all targets, ten minutes together\n\
\x20   drydock fuzz-host mali --minutes 60        one of them\n\
\x20   drydock fuzz-host mali --replay FILE       one input, with what it means";

/// Feed the models and the lab with hostile input, and search for faults
///
/// Gives the models and the lab bytes that a hostile guest, file or client could have written. Searches for a panic, an
/// input that takes ten seconds, or one that takes a gigabyte. The first run builds the targets, which takes some
/// minutes. `--replay` shows what an input does.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Options {
    /// The targets [default: all]
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// Minutes to search, for all targets together
    #[arg(long, value_name = "N", default_value_t = 10.0)]
    minutes: f64,
    /// Seed of the fuzzer's choices, to repeat them
    #[arg(long, value_name = "S")]
    seed: Option<u32>,
    /// Write a minimal set of inputs with the same coverage to `fuzz/corpus`
    #[arg(long)]
    keep: bool,
    /// Give the target this input instead, and show what it means
    #[arg(long, value_name = "FILE", conflicts_with_all = ["keep", "seed"])]
    replay: Option<PathBuf>,
    /// List the targets and do nothing
    #[arg(long)]
    list: bool,
}

/// Runs `drydock fuzz-host`.
pub fn main(options: Options, events: &Events) -> Result<u8> {
    if options.list {
        let line = |target: &Target| format!("{:<12} {}", target.name, target.about);
        events.print(&TARGETS.iter().map(line).collect::<Vec<_>>().join("\n"));
        return Ok(exit::OK);
    }
    let targets = chosen(&options.targets)?;
    match &options.replay {
        Some(input) => replay(&targets, input, events),
        None => look(&targets, &options, events),
    }
}

fn chosen(names: &[String]) -> Result<Vec<&'static Target>> {
    let find = |name: &String| {
        TARGETS.iter().find(|target| target.name == name).ok_or_else(|| {
            let known: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
            Error::new(Kind::Usage, format!("target `{name}` not found")).hint(format!("targets: {}", known.join(", ")))
        })
    };
    match names {
        [] => Ok(TARGETS.iter().collect()),
        names => names.iter().map(find).collect(),
    }
}

fn replay(targets: &[&Target], input: &Path, events: &Events) -> Result<u8> {
    let [target] = targets else {
        return Err(Error::new(Kind::Usage, "`--replay` needs exactly one target")
            .hint("name the target: `fuzz-host TARGET --replay FILE`"));
    };
    let input = file(input)?;
    let fuzzer = Fuzzer::new(setup::ensure(events)?, events)?;
    match fuzzer.replay(target, &input)? {
        true => {
            events.note("the input shows no fault");
            Ok(exit::OK)
        }
        false => Ok(exit::CHECK),
    }
}

/// Returns the absolute path of an input file. Refuses a directory, which libFuzzer would take as a corpus and fuzz
/// forever.
fn file(input: &Path) -> Result<PathBuf> {
    let cannot = || Error::new(Kind::Usage, format!("cannot read `{}`", input.display()));
    let path = input.canonicalize().map_err(|error| cannot().caused_by(error))?;
    match path.is_file() {
        true => Ok(path),
        false => Err(cannot().hint("`--replay` takes one input, which must be a file")),
    }
}

fn look(targets: &[&'static Target], options: &Options, events: &Events) -> Result<u8> {
    if !(options.minutes.is_finite() && options.minutes > 0.0) {
        return Err(Error::new(Kind::Usage, format!("`--minutes` must be positive, not `{}`", options.minutes)));
    }
    let fuzzer = Fuzzer::new(setup::ensure(events)?, events)?;
    // libFuzzer takes 0 for "choose one".
    let seed = options.seed.unwrap_or_else(any_seed).max(1);
    events.note(format!("the seed is {seed}"));
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(targets.len());
    let each = Duration::from_secs_f64(options.minutes * 60.0 * workers as f64 / targets.len() as f64);
    let rows = fuzzer.run_all(targets, each.max(Duration::from_secs(1)), seed, workers, events)?;
    if options.keep {
        for target in targets {
            fuzzer.keep(target, events).with_context(|| format!("failed to keep the inputs of `{}`", target.name))?;
        }
    }
    let report = Report { seed, rows };
    events.result(&report, Report::text);
    Ok(if report.is_clean() { exit::OK } else { exit::CHECK })
}

fn any_seed() -> u32 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.subsec_nanos() ^ since.as_secs() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_target_is_told_the_known_ones() {
        assert_eq!(chosen(&[]).unwrap().len(), TARGETS.len());
        let error = chosen(&["malli".to_owned()]).unwrap_err();
        assert!(error.hint_text().unwrap().contains("mali, vfio-user"), "{error}");
    }

    #[test]
    fn what_is_replayed_is_a_file() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/fault-plan");
        assert!(file(&corpus.join("mali")).unwrap().is_absolute());
        assert!(file(&corpus).unwrap_err().hint_text().is_some());
        assert!(file(&corpus.join("none")).is_err());
    }

    #[test]
    fn each_target_has_inputs_and_some_a_dictionary() {
        let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
        let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        for target in &names {
            assert!(fuzz.join("corpus").join(target).is_dir(), "{target}");
        }
        for entry in std::fs::read_dir(fuzz.join("dictionaries")).unwrap() {
            let name = entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned();
            assert!(names.contains(&name.as_str()), "the dictionary `{name}` is no target's");
        }
    }
}
