// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The file of a trace. A slow reader of a pipe must not stop the emulated GPU, and a failed write is reported as an
//! error at the end.
//!
//! Source: open(2), `O_NONBLOCK` of a FIFO; poll(2).

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use drydock_models::event::{self, Sink};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// How long a pipe may be without a reader, and the interval of polling for one: no event announces it.
const READER: Duration = Duration::from_secs(8);
const LOOK: Duration = Duration::from_millis(50);

/// How long a reader may leave a pipe full.
const PATIENCE: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };

/// A trace that is being written.
pub(super) struct Trace(Arc<Mutex<Option<io::Error>>>);

impl Trace {
    /// Opens the file at `path`, and returns the sink of its events.
    pub(super) fn create(path: &Path) -> io::Result<(Self, Sink)> {
        let failed = Arc::new(Mutex::new(None));
        let mut lines = event::json_lines(Patient(open(path)?));
        let note = Arc::clone(&failed);
        let sink = move |event: &_| {
            lines(event).inspect_err(|error| {
                *note.lock().expect("no holder of the lock panics") = Some(copy(error));
            })
        };
        Ok((Self(failed), Box::new(sink)))
    }

    /// Returns the error that ended the trace early.
    pub(super) fn finish(self) -> io::Result<()> {
        self.0.lock().expect("no holder of the lock panics").take().map_or(Ok(()), Err)
    }
}

fn copy(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| io::Error::new(error.kind(), error.to_string()), io::Error::from_raw_os_error)
}

/// Opens for writing without waiting forever for a reader.
fn open(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let start = Instant::now();
    loop {
        match File::options().write(true).create(true).truncate(true).custom_flags(flags).open(path) {
            Err(error) if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => {
                if start.elapsed() > READER {
                    return Err(io::Error::new(ErrorKind::TimedOut, "it is a pipe without a reader"));
                }
                std::thread::sleep(LOOK);
            }
            other => return other,
        }
    }
}

/// A file that does not block, and waits a limited time for space.
struct Patient(File);

impl Write for Patient {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.0.write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.wait()?,
                other => return other,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Patient {
    fn wait(&self) -> io::Result<()> {
        match poll(&mut [PollFd::new(&self.0, PollFlags::OUT)], Some(&PATIENCE)) {
            Ok(0) => Err(io::Error::new(ErrorKind::TimedOut, "its reader does not read")),
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use drydock_models::{Event, What};

    use super::*;

    fn trace_to(path: &Path, events: usize) -> io::Result<()> {
        let (trace, mut sink) = Trace::create(path)?;
        let event = Event { time: 1.0, what: What::State { text: "x".repeat(1000) } };
        // The error is reported at the end, since the model does not learn of it.
        (0..events).any(|_| sink(&event).is_err());
        trace.finish()
    }

    fn fifo(directory: &Path) -> std::path::PathBuf {
        let path = directory.join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
    }

    #[test]
    fn a_trace_that_cannot_be_written_is_an_error_at_the_end() {
        let error = trace_to(Path::new("/dev/full"), 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        let directory = tempfile::tempdir().unwrap();
        assert!(trace_to(&directory.path().join("trace"), 100).is_ok());
        assert!(trace_to(directory.path(), 1).is_err());
    }

    #[test]
    fn a_pipe_that_nobody_reads_ends_the_trace() {
        let directory = tempfile::tempdir().unwrap();
        let path = fifo(directory.path());
        assert_eq!(trace_to(&path, 1).unwrap_err().to_string(), "it is a pipe without a reader");

        // The reader comes last, because it cannot leave at a known moment: a program that another test starts has a
        // copy of it until it executes.
        let _reader = File::options().read(true).write(true).open(&path).unwrap();
        assert_eq!(trace_to(&path, 10_000).unwrap_err().to_string(), "its reader does not read");
    }
}
