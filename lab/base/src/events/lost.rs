// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Remembers that one of our outputs could not be written. The work continues, and the command ends with an error.

use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Mutex};

use crate::error::{Error, Kind};

/// The first failure of an output. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Lost(Arc<Mutex<Option<(&'static str, io::Error)>>>);

impl Lost {
    /// Returns a writer to `out` that remembers failures. `name` is the output's name for the user.
    pub(super) fn noting<W: Write>(&self, name: &'static str, out: W) -> Noting<W> {
        Noting { name, out, lost: self.clone() }
    }

    /// Returns the error for a failed output.
    pub(super) fn error(&self) -> Option<Error> {
        let lost = self.0.lock().expect("no holder of the lock panics").take();
        lost.map(|(name, error)| of_output(name, error))
    }
}

/// Returns the error of one of our own outputs. A closed pipe appears only in the exit code, as with any program in a
/// pipe.
pub fn of_output(name: &str, error: io::Error) -> Error {
    let kind = if error.kind() == ErrorKind::BrokenPipe { Kind::Pipe } else { Kind::Machinery };
    Error::new(kind, format!("failed to write to {name}, so output is lost")).caused_by(error)
}

/// A writer that remembers its failures.
pub(super) struct Noting<W> {
    name: &'static str,
    out: W,
    lost: Lost,
}

impl<W> Noting<W> {
    fn note<T>(&self, result: io::Result<T>) -> io::Result<T> {
        result.inspect_err(|error| {
            let mut lost = self.lost.0.lock().expect("no holder of the lock panics");
            lost.get_or_insert_with(|| (self.name, io::Error::new(error.kind(), error.to_string())));
        })
    }
}

impl<W: Write> Write for Noting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.out.write(bytes);
        self.note(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.out.flush();
        self.note(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit;

    fn written_to(mut out: impl Write) -> Option<Error> {
        let lost = Lost::default();
        // The error is remembered.
        let _ = writeln!(lost.noting("stdout", &mut out), "hi");
        lost.error()
    }

    #[test]
    fn a_full_disk_is_an_error_with_a_sentence() {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let error = written_to(full).unwrap();
        assert_eq!(exit::code(error.kind()), 69);
        assert!(error.chain().starts_with("failed to write to stdout, so output is lost: No space left"), "{error:?}");
    }

    #[test]
    fn a_reader_that_has_gone_is_the_code_of_sigpipe() {
        let (reader, writer) = std::os::unix::net::UnixStream::pair().unwrap();
        // A drop may take effect later: a program that another test starts has a copy until it executes.
        reader.shutdown(std::net::Shutdown::Both).unwrap();
        assert_eq!(exit::code(written_to(writer).unwrap().kind()), 141);
        assert!(written_to(Vec::new()).is_none());
    }
}
