// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! One boot in which the guest's fuzzer runs: its input, its output, and what it was executing when it ended.
//!
//! The fuzzer prints each sequence on the machine's second console before it executes it, so that the lab knows it
//! whatever the kernel does then. Source: `tests/fuzz/src/report.rs` for the lines.

use std::collections::{BTreeMap, VecDeque};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use drydock_agent::protocol::{Status, Stream};
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};

use drydock_base::error::{Error, Result};
use drydock_base::events::{Events, Step, Unit};
use drydock_machine::error::Error as VmError;
use drydock_machine::lines::Lines;
use drydock_machine::pace::patient;
use drydock_machine::scenario::{Boot, Program, Scene, Stage, driver_modules};

use super::coverage::Places;
use super::{Subject, coverage, table};

/// Additional time for executing the corpus before the search and shortening it afterwards.
const AROUND: Duration = Duration::from_secs(30 * 60);

/// The number of sequences that are remembered: the effect of one may show only in a later one.
const REMEMBERED: usize = 16;

/// The number of bytes sent at once.
const PIECE: usize = 16 << 10;

/// A run of the guest's fuzzer.
pub(crate) struct Session<'s> {
    pub(super) subject: Subject,
    pub(super) stage: &'s Stage,
    pub(super) boot: Boot,
    pub(super) modules: Vec<String>,
    pub(super) argv: Vec<String>,
    /// The programs, one per line.
    pub(super) programs: String,
    /// The time of the search.
    pub(super) time: Duration,
}

/// The fuzzer's whole output.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) executions: u64,
    pub(super) corpus: usize,
    pub(super) places: usize,
    pub(super) kept: Vec<String>,
    pub(super) coverage: Places,
    pub(crate) replayed: Vec<Replayed>,
    found: Option<String>,
}

/// The errnos of a sequence.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Replayed {
    program: usize,
    /// Each call's name, with 0 or its errno.
    #[serde(deserialize_with = "errnos")]
    pub(super) errnos: Vec<(String, i32)>,
}

/// Refuses numbers that no system call returns, because an errno is shown by its Linux name.
fn errnos<'d, D: Deserializer<'d>>(from: D) -> Result<Vec<(String, i32)>, D::Error> {
    let errnos = Vec::<(String, i32)>::deserialize(from)?;
    match errnos.iter().find(|(_, errno)| !(0..4096).contains(errno)) {
        None => Ok(errnos),
        Some((call, errno)) => Err(D::Error::custom(format!("`{call}` returned {errno}, which is not an errno"))),
    }
}

/// A run that did not end well.
pub(crate) struct Stopped {
    pub(super) told: Told,
    pub(crate) error: Error,
    /// The sequences that were executed last.
    pub(super) last: Vec<String>,
}

/// One line of output.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    Progress { executions: u64, corpus: usize, places: usize },
    Kept(String),
    Replayed(Replayed),
    Coverage(BTreeMap<String, BTreeMap<String, std::collections::BTreeSet<u64>>>),
    Found(String),
}

impl<'s> Session<'s> {
    /// Returns a run that executes `programs` once.
    pub(crate) fn of(subject: Subject, stage: &'s Stage, boot: Boot, programs: String) -> Result<Self> {
        let argv = [Program::FUZZ.name, "replay", "--driver", subject.name()].map(str::to_owned);
        let modules = driver_modules(subject.name(), stage.image())?;
        Ok(Self { subject, stage, boot, modules, argv: argv.to_vec(), programs, time: Duration::ZERO })
    }

    /// Returns the modules whose coverage counts.
    pub(super) fn modules_with_library(&self) -> Vec<String> {
        std::iter::once("drm_rust".to_owned()).chain(self.modules.iter().cloned()).collect()
    }

    /// Boots, runs the fuzzer, and judges the boot.
    pub(crate) fn run(&self, title: &str, events: &Events) -> Result<Told, Box<Stopped>> {
        let mut told = Told::default();
        let last = Arc::new(Mutex::new(VecDeque::new()));
        let played = self.stage.play(&self.boot, events, |scene| {
            listen(scene.terminal(), Arc::clone(&last));
            self.modules.iter().try_for_each(|module| scene.insmod(module))?;
            let step = events.step(title);
            self.story(scene, &mut told, &step)?;
            step.done_with(told.in_words());
            Ok(())
        });
        match played {
            Ok(_) => Ok(told),
            Err(error) => {
                let last = last.lock().expect("the listener does not panic").iter().cloned().collect();
                Err(Box::new(Stopped { told, error, last }))
            }
        }
    }

    fn story(&self, scene: &mut Scene<'_>, told: &mut Told, step: &Step) -> Result<(), VmError> {
        let limit = patient(self.subject.limit()).as_secs().to_string();
        let argv = [self.argv.as_slice(), &["--limit".to_owned(), limit]].concat();
        let mut process = scene.guest().spawn(&argv)?;
        for piece in self.programs.as_bytes().chunks(PIECE) {
            process.input(piece)?;
        }
        process.close_input()?;
        let began = Instant::now();
        let (mut lines, mut wrong) = (Lines::default(), String::new());
        let status = process.forward(Some(self.time + patient(AROUND)), |stream, bytes| {
            match stream {
                Stream::Err => wrong.push_str(&String::from_utf8_lossy(bytes)),
                Stream::Out => lines.take(bytes, &mut |line| {
                    told.take(line, &mut wrong);
                    self.show(step, told, began.elapsed());
                }),
            }
            Ok(())
        })?;
        match (status, told.found.clone()) {
            (Status::Code(0), None) if wrong.is_empty() => Ok(()),
            (_, Some(found)) => Err(VmError::Unexpected { program: "the fuzzer".into(), said: found }),
            (status, None) => Err(VmError::Program { program: self.argv.join(" "), status, said: wrong }),
        }
    }

    fn show(&self, step: &Step, told: &Told, gone: Duration) {
        let (done, total) = match self.time.as_secs() {
            0 => (told.replayed.len() as u64, self.programs.lines().count() as u64),
            time => (gone.as_secs().min(time), time),
        };
        step.progress(done, total, Unit::Items);
        step.line(told.in_words());
    }
}

impl Told {
    fn take(&mut self, line: &str, wrong: &mut String) {
        match serde_json::from_str(line) {
            Ok(Line::Progress { executions, corpus, places }) => {
                (self.executions, self.corpus, self.places) = (executions, corpus, places);
            }
            Ok(Line::Kept(program)) => self.kept.push(program),
            Ok(Line::Replayed(replayed)) => {
                // The guest may have reported any number before.
                self.executions = self.executions.saturating_add(1);
                self.replayed.push(replayed);
            }
            Ok(Line::Coverage(places)) => self.coverage = places,
            Ok(Line::Found(why)) => self.found = Some(why),
            Err(error) => wrong.push_str(&format!("{line}: {error}\n")),
        }
    }

    /// Returns whether nothing was executed or no line of ours was reached. Such a run says nothing about the driver.
    pub(super) fn is_in_vain(&self) -> bool {
        self.executions == 0 || self.places == 0
    }

    fn in_words(&self) -> String {
        match self.corpus {
            0 => format!("{} executions", self.executions),
            corpus => format!("{} executions, {corpus} sequences that reach {} places", self.executions, self.places),
        }
    }
}

/// Parses any bytes as lines of the guest's fuzzer, for fuzzing.
pub(crate) fn hear(said: &[u8]) {
    let (mut told, mut wrong) = (Told::default(), String::new());
    Lines::default().take(said, &mut |line| told.take(line, &mut wrong));
    told.in_words();
    table::replayed(&told.replayed);
    serde_json::to_string(&told.replayed).expect("it was just read");
    coverage::hear(&told.coverage);
}

/// Remembers the last lines from the console until it ends.
fn listen(console: UnixStream, last: Arc<Mutex<VecDeque<String>>>) {
    std::thread::spawn(move || {
        let mut remember = |line: &str| {
            let mut last = last.lock().expect("nobody panics with the lock");
            if last.len() == REMEMBERED {
                last.pop_front();
            }
            last.push_back(line.to_owned());
        };
        // A console that fails has ended.
        let _ = Lines::default().take_all(console, &mut remember);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_figures() {
        let (mut told, mut wrong) = (Told::default(), String::new());
        for line in [
            r#"{"progress":{"executions":7,"corpus":2,"places":30}}"#,
            r#"{"kept":"[]"}"#,
            r#"{"coverage":{"drm_rust":{".text":[5,9]}}}"#,
            r#"{"found":"BUG: x"}"#,
        ] {
            told.take(line, &mut wrong);
        }
        assert_eq!((told.executions, told.corpus, told.kept.len()), (7, 2, 1));
        assert!(!told.is_in_vain());
        assert_eq!(told.coverage["drm_rust"][".text"].len(), 2);
        assert_eq!(told.found.as_deref(), Some("BUG: x"));
        assert_eq!(told.in_words(), "7 executions, 2 sequences that reach 30 places");
        told.take("panicked", &mut wrong);
        assert!(wrong.starts_with("panicked: "), "{wrong}");
    }

    fn told(lines: &[&str]) -> (Told, String) {
        let (mut told, mut wrong) = (Told::default(), String::new());
        lines.iter().for_each(|line| told.take(line, &mut wrong));
        (told, wrong)
    }

    #[test]
    fn more_executions_than_there_are_numbers_are_no_fault() {
        let progress = format!(r#"{{"progress":{{"executions":{},"corpus":0,"places":0}}}}"#, u64::MAX);
        let (told, wrong) = told(&[&progress, r#"{"replayed":{"program":0,"errnos":[["open",0]]}}"#]);
        assert_eq!((told.executions, told.replayed.len(), wrong.as_str()), (u64::MAX, 1, ""));
    }

    #[test]
    fn a_number_that_is_no_errno_is_refused() {
        for errno in [-1, 4096, i32::MIN, i32::MAX] {
            let (told, wrong) = told(&[&format!(r#"{{"replayed":{{"program":0,"errnos":[["open",{errno}]]}}}}"#)]);
            assert!(told.replayed.is_empty() && wrong.contains("is not an errno"), "{wrong}");
        }
        let (told, wrong) = told(&[r#"{"replayed":{"program":0,"errnos":[["open",0],["read",4095],["mmap",22]]}}"#]);
        assert_eq!(wrong, "");
        let shown = table::replayed(&told.replayed);
        assert!(shown.contains("mmap (Invalid argument"), "{shown}");
    }

    #[test]
    fn a_run_that_reaches_nothing_is_in_vain() {
        let of = |executions, places| Told { executions, places, ..Told::default() };
        assert!(of(0, 0).is_in_vain() && of(7, 0).is_in_vain() && of(0, 30).is_in_vain());
        assert!(!of(7, 30).is_in_vain());
    }

    #[test]
    fn the_last_sequences_are_remembered() {
        let (mut console, theirs) = UnixStream::pair().unwrap();
        let last = Arc::new(Mutex::new(VecDeque::new()));
        listen(theirs, Arc::clone(&last));
        for number in 0..40 {
            std::io::Write::write_all(&mut console, format!("[{number}]\r\n").as_bytes()).unwrap();
        }
        drop(console);
        while Arc::strong_count(&last) > 1 {
            std::thread::yield_now();
        }
        let last = last.lock().unwrap();
        assert_eq!((last.len(), last.back().unwrap().as_str()), (REMEMBERED, "[39]"));
    }
}
