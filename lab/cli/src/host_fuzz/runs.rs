// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Runs the built targets: searches for faults, replays an input, and selects the inputs worth keeping.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use drydock_base::error::{Context, Error, Kind, Result};
use drydock_base::events::{Events, Step};
use drydock_base::{cache, process};
use drydock_toolchain::root::Binds;
use drydock_toolchain::setup::Toolchain;

use super::Target;
use super::build;
use super::figures::{Ear, Figures, Row};

/// The number of seconds from which an input counts as too slow.
const TIMEOUT: u32 = 10;
/// The memory limit of a whole fuzzer in megabytes. A single input may take less (`fuzz/src/main.rs`).
const MEMORY: u32 = 2048;

/// The built targets, and the directories of their inputs.
pub(super) struct Fuzzer {
    toolchain: Toolchain,
    /// The directory in the cache.
    dir: PathBuf,
}

/// The directories of one target.
struct Places {
    /// Inputs stored with the sources.
    corpus: PathBuf,
    /// Inputs found by fuzzing.
    grown: PathBuf,
    /// Inputs that reveal a fault.
    faults: PathBuf,
    /// Inputs that remain after removing those that add nothing.
    minimal: PathBuf,
}

impl Fuzzer {
    /// Builds the targets.
    pub(super) fn new(toolchain: Toolchain, events: &Events) -> Result<Self> {
        let dir = toolchain.work().join("fuzz-host");
        build::build(&toolchain, &dir.join("target"), events)?;
        Ok(Self { toolchain, dir })
    }

    fn places(&self, target: &Target) -> Result<Places> {
        let dir = self.dir.join(target.name);
        let places = Places {
            corpus: self.toolchain.repo.join("fuzz/corpus").join(target.name),
            grown: dir.join("inputs"),
            faults: dir.join("faults"),
            minimal: dir.join("minimal"),
        };
        for path in [&places.corpus, &places.grown, &places.faults, &places.minimal] {
            fs::create_dir_all(path).with_context(|| format!("failed to create `{}`", path.display()))?;
        }
        Ok(places)
    }

    /// Returns the command that runs the program for `target`, with stdout and stderr in one stream.
    fn command(&self, target: &Target, places: &Places, binds: Binds) -> Command {
        let binds = Binds::none()
            .read(self.dir.join("target"), "/target")
            .read(&places.corpus, "/corpus")
            .write(&places.grown, "/inputs")
            .write(&places.faults, "/faults")
            .and(&binds);
        let mut command = self.toolchain.command("sh", &binds);
        command.args(["-c", "exec \"$0\" \"$@\" 2>&1"]).arg(build::program(Path::new("/target")));
        command.env("DRYDOCK_FUZZ_TARGET", target.name).env("RUST_BACKTRACE", "1");
        command.args([format!("-timeout={TIMEOUT}"), format!("-rss_limit_mb={MEMORY}")]);
        command.arg("-artifact_prefix=/faults/");
        command
    }

    /// Runs all targets for a time, several at once. The rows are in the order of `targets`.
    pub(super) fn run_all(
        &self,
        targets: &[&'static Target],
        each: Duration,
        seed: u32,
        workers: usize,
        events: &Events,
    ) -> Result<Vec<Row>> {
        let (next, rows) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let work = || -> Result<()> {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(target) = targets.get(number) else { return Ok(()) };
                let row = self.run(target, each, seed, events)?;
                rows.lock().expect("a worker does not panic").push((number, row));
            }
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
            threads.into_iter().try_for_each(|thread| thread.join().expect("a worker does not panic"))
        })?;
        let mut rows = rows.into_inner().expect("a worker does not panic");
        rows.sort_by_key(|(number, _)| *number);
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }

    fn run(&self, target: &'static Target, time: Duration, seed: u32, events: &Events) -> Result<Row> {
        let places = self.places(target)?;
        let mut command = self.command(target, &places, Binds::none());
        command.args([longest(target), format!("-max_total_time={}", time.as_secs()), format!("-seed={seed}")]);
        let dictionary = format!("fuzz/dictionaries/{}.dict", target.name);
        if self.toolchain.repo.join(&dictionary).exists() {
            command.arg(format!("-dict=/src/{dictionary}"));
        }
        // libFuzzer adds inputs to the first directory.
        command.args(["/inputs", "/corpus"]);
        let step = events.step(format!("fuzzing {} for {} s", target.name, time.as_secs()));
        let (started, mut figures, mut ear) = (Instant::now(), Figures::default(), Ear::default());
        let ended = process::watch(&mut command, &step, |line| {
            ear.hear(line);
            if let Some(now) = Figures::parse(line) {
                figures = now;
                step.line(figures.text());
            }
            true
        });
        let fault = match ended {
            Ok(_) => None,
            Err(error) if error.kind() == Kind::Interrupted => return Err(error),
            // Without an execution nothing was tested, so it is not a fault of the target.
            Err(error) if figures == Figures::default() => return Err(error.details([ear.fault(|path| path).why])),
            Err(_) => Some(ear.fault(|path| places.faults.join(path.file_name().unwrap_or_default()))),
        };
        finish(step, &figures, fault.is_some());
        Ok(Row { target: target.name, figures, seconds: started.elapsed().as_secs_f64(), fault })
    }

    /// Gives a target one input, and shows on the terminal what it means and what happens. Returns whether there is no
    /// fault.
    pub(super) fn replay(&self, target: &Target, input: &Path) -> Result<bool> {
        let places = self.places(target)?;
        let directory = input.parent().ok_or_else(|| Error::new(Kind::Usage, "the input is not a file"))?;
        let mut command = self.command(target, &places, Binds::none().read(directory, "/input"));
        // No maximal length is set: libFuzzer would silently truncate the input.
        command.arg(Path::new("/input").join(input.file_name().unwrap_or_default())).env("DRYDOCK_FUZZ_SHOW", "1");
        is_right(process::interactive(&mut command)?)
    }

    /// Replaces the inputs in `fuzz/corpus` by a minimal set with the same coverage. Inputs with a name of their own,
    /// which are examples and past faults, stay.
    pub(super) fn keep(&self, target: &Target, events: &Events) -> Result<()> {
        let step = events.step(format!("choosing inputs of {}", target.name));
        let places = self.places(target)?;
        cache::remove_tree(&places.minimal)?;
        let places = Places { ..self.places(target)? };
        let mut command = self.command(target, &places, Binds::none().write(&places.minimal, "/minimal"));
        command.arg(longest(target)).args(["-set_cover_merge=1", "/minimal", "/corpus", "/inputs"]);
        process::run(&mut command, &step)?;
        let chosen = files(&places.minimal)?;
        if chosen.is_empty() {
            return Err(Error::new(Kind::Machinery, "no input is left"));
        }
        for path in files(&places.corpus)?.into_iter().filter(|path| is_numbered(path)) {
            fs::remove_file(&path).with_context(|| format!("failed to remove `{}`", path.display()))?;
        }
        for path in &chosen {
            let to = places.corpus.join(path.file_name().unwrap_or_default());
            fs::copy(path, &to).with_context(|| format!("failed to write `{}`", to.display()))?;
        }
        step.done_with(format!("{} inputs", chosen.len()));
        Ok(())
    }
}

fn longest(target: &Target) -> String {
    format!("-max_len={}", target.longest)
}

fn finish(step: Step, figures: &Figures, faulty: bool) {
    match faulty {
        // A dropped step is reported as failed.
        true => step.line("a fault"),
        false => step.done_with(figures.text()),
    }
}

fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory).with_context(|| format!("failed to list `{}`", directory.display()))?;
    Ok(entries.collect::<Result<Vec<_>, _>>()?.into_iter().map(|entry| entry.path()).collect())
}

/// Returns whether an input has a name that the fuzzer gave it: a hash.
fn is_numbered(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.len() == 40 && name.chars().all(|c| c.is_ascii_hexdigit())
}

/// Interprets the exit status for one input. libFuzzer exits with a code of its own if the input is too slow, takes too
/// much memory or crashes, and a signal appears as a shell's code. With any other code, nothing was tested.
fn is_right(ended: ExitStatus) -> Result<bool> {
    match ended.code() {
        Some(0) => Ok(true),
        Some(70 | 71 | 77 | 128..) | None => Ok(false),
        Some(_) => Err(Error::new(Kind::Machinery, format!("the target did not run the input: {ended}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_with_a_name_is_kept() {
        assert!(is_numbered(Path::new("/x/0123456789abcdef0123456789abcdef01234567")));
        assert!(!is_numbered(Path::new("/x/runs-without-end")));
    }

    #[test]
    fn an_input_that_was_not_tried_is_not_a_wrong_one() {
        use std::os::unix::process::ExitStatusExt;
        let exited = |code: i32| is_right(ExitStatus::from_raw(code << 8));
        assert!(exited(0).unwrap());
        assert!([70, 71, 77, 139].into_iter().all(|code| !exited(code).unwrap()));
        assert!(!is_right(ExitStatus::from_raw(9)).unwrap());
        assert_eq!(exited(1).unwrap_err().kind(), Kind::Machinery);
    }
}
