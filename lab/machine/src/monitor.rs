// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! QEMU's monitor, for a guest that does not answer: checks that QEMU itself answers, and interrupts the processors.
//!
//! Source: QEMU, docs/interop/qmp-spec.rst; `inject-nmi` of its QMP reference.

use std::{
    io::{self, BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    time::Duration,
};

use serde_json::Value;

use super::pace::patient;

/// The time limit for an answer on an idle host. QEMU's main loop answers at once unless it is blocked.
const PATIENCE: Duration = Duration::from_secs(10);

/// Our end of QEMU's monitor. QEMU has sent its greeting long before the monitor is needed.
pub(crate) struct Monitor {
    port: UnixStream,
    is_ready: bool,
}

impl Monitor {
    /// Returns a monitor that has sent no command yet.
    pub(crate) fn new(port: UnixStream) -> Self {
        Self { port, is_ready: false }
    }

    /// Returns whether QEMU answers.
    pub(crate) fn answers(&mut self) -> bool {
        self.execute("query-status", patient(PATIENCE)).is_ok()
    }

    /// Sends the guest an NMI. It arrives at the first processor.
    pub(crate) fn inject_nmi(&mut self) -> io::Result<()> {
        self.execute("inject-nmi", patient(PATIENCE))
    }

    fn execute(&mut self, command: &str, limit: Duration) -> io::Result<()> {
        self.port.set_read_timeout(Some(limit))?;
        self.port.set_write_timeout(Some(limit))?;
        if !self.is_ready {
            self.ask("qmp_capabilities")?;
            self.is_ready = true;
        }
        self.ask(command)
    }

    /// Sends a command and waits for its answer. Skips the greeting and events before it.
    fn ask(&mut self, command: &str) -> io::Result<()> {
        writeln!(&self.port, "{}", serde_json::json!({ "execute": command }))?;
        // Only one line of an answer arrives at a time, so dropping the buffer loses nothing.
        let mut lines = BufReader::new(&self.port).lines();
        loop {
            let line = lines.next().ok_or(io::ErrorKind::UnexpectedEof)??;
            let message: Value = serde_json::from_str(&line)?;
            if message.get("return").is_some() {
                return Ok(());
            }
            if let Some(error) = message.get("error") {
                return Err(io::Error::other(error.to_string()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays a QEMU that sends its greeting, then one of `answers` for each line it receives.
    fn monitor(answers: &'static [&'static str]) -> Monitor {
        let (ours, theirs) = UnixStream::pair().unwrap();
        std::thread::spawn(move || {
            writeln!(&theirs, r#"{{"QMP": {{"version": {{}}}}}}"#).unwrap();
            let asked = BufReader::new(&theirs).lines();
            for (_, answer) in asked.zip(answers) {
                writeln!(&theirs, "{answer}").unwrap();
            }
        });
        Monitor::new(ours)
    }

    #[test]
    fn an_answer_is_found_behind_greeting_and_events() {
        let mut monitor =
            monitor(&[r#"{"return": {}}"#, "{\"event\": \"NICE\"}\n{\"return\": {}}", r#"{"error": {}}"#]);
        assert!(monitor.answers());
        assert!(monitor.inject_nmi().is_err());
    }

    #[test]
    fn a_qemu_that_is_stopped_does_not_answer() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let error = Monitor::new(ours).execute("query-status", Duration::from_millis(20)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }
}
