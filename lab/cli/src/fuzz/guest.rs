// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! One boot in which the guest's fuzzer runs: its input, its output, and what it was executing when it ended.
//!
//! The fuzzer prints each sequence on the machine's second console before it executes it, so that the lab knows it
//! whatever the kernel does then.

use std::collections::VecDeque;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use drydock_agent::protocol::{Status, Stream};

use drydock_base::error::{Error, Result};
use drydock_base::events::{Events, Step, Unit};
use drydock_machine::error::Error as VmError;
use drydock_machine::lines::Lines;
use drydock_machine::pace::patient;
use drydock_machine::scenario::{Boot, Program, Scene, Stage, driver_modules};

use super::Subject;
use super::output::Output;

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

/// A run that did not end well.
pub(crate) struct Stopped {
    pub(super) output: Output,
    pub(crate) error: Error,
    /// The sequences that were executed last.
    pub(super) last: Vec<String>,
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
    pub(crate) fn run(&self, title: &str, events: &Events) -> Result<Output, Box<Stopped>> {
        let mut output = Output::default();
        let last = Arc::new(Mutex::new(VecDeque::new()));
        let played = self.stage.play(&self.boot, events, |scene| {
            listen(scene.terminal(), Arc::clone(&last));
            if let Some((last, needed)) = self.modules.split_last() {
                needed.iter().try_for_each(|module| scene.insmod(module))?;
                scene.insmod_with(last, self.subject.parameters())?;
            }
            let step = events.step(title);
            self.story(scene, &mut output, &step)?;
            step.done_with(output.in_words());
            Ok(())
        });
        match played {
            Ok(_) => Ok(output),
            Err(error) => {
                let last = last.lock().expect("the listener does not panic").iter().cloned().collect();
                Err(Box::new(Stopped { output, error, last }))
            }
        }
    }

    fn story(&self, scene: &mut Scene<'_>, output: &mut Output, step: &Step) -> Result<(), VmError> {
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
                    output.take(line, &mut wrong);
                    self.show(step, output, began.elapsed());
                }),
            }
            Ok(())
        })?;
        match (status, output.found.clone()) {
            (Status::Code(0), None) if wrong.is_empty() => Ok(()),
            (_, Some(found)) => Err(VmError::Unexpected { program: "the fuzzer".into(), said: found }),
            (status, None) => Err(VmError::Program { program: self.argv.join(" "), status, said: wrong }),
        }
    }

    fn show(&self, step: &Step, output: &Output, gone: Duration) {
        let (done, total) = match self.time.as_secs() {
            0 => (output.replayed.len() as u64, self.programs.lines().count() as u64),
            time => (gone.as_secs().min(time), time),
        };
        step.progress(done, total, Unit::Items);
        step.line(output.in_words());
    }
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
