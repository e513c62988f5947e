// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! QEMU's monitor, for a guest that does not answer: checks that QEMU itself answers, and interrupts the processors. Also
//! tells when a debugger stops the guest and lets it run, and takes pictures of the screens that QEMU shows.
//!
//! Source: QEMU, docs/interop/qmp-spec.rst; `inject-nmi`, `query-pci` and `screendump` of its QMP reference.

use std::{
    io::{self, BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use serde_json::{Value, json};

use super::pace::patient;

/// The time limit for an answer on an idle host. QEMU's main loop answers at once unless it is blocked.
const PATIENCE: Duration = Duration::from_secs(10);

/// Our end of QEMU's monitor. QEMU has sent its greeting long before the monitor is needed.
pub(crate) struct Monitor {
    port: BufReader<UnixStream>,
    is_ready: bool,
    /// The number of requests so far. An answer has the number of its request.
    asked: u64,
}

/// A monitor that several parts of the lab use.
pub(crate) type Shared = Arc<Mutex<Monitor>>;

/// Waits until nobody else uses the monitor.
pub(crate) fn lock(monitor: &Shared) -> MutexGuard<'_, Monitor> {
    monitor.lock().expect("no holder of the lock panics")
}

/// The names of the events in which QEMU says that the guest is stopped, and that it runs.
const STOPPED: &str = "STOP";
const RUNS: &str = "RESUME";

impl Monitor {
    /// Returns a monitor that has sent no command yet.
    pub(crate) fn new(port: UnixStream) -> Self {
        Self { port: BufReader::new(port), is_ready: false, asked: 0 }
    }

    /// Returns whether QEMU answers.
    pub(crate) fn answers(&mut self) -> bool {
        self.execute("query-status", patient(PATIENCE)).is_ok()
    }

    /// Sends the guest an NMI. It arrives at the first processor.
    pub(crate) fn inject_nmi(&mut self) -> io::Result<()> {
        self.execute("inject-nmi", patient(PATIENCE))
    }

    /// Asks QEMU for events. It sends none before its first command.
    pub(crate) fn ask_for_events(&mut self) -> io::Result<()> {
        self.execute("query-status", patient(PATIENCE))
    }

    /// Waits until a debugger has stopped the guest, however long that takes.
    pub(crate) fn wait_until_stopped(&mut self) -> io::Result<()> {
        self.wait_for(STOPPED)
    }

    /// Waits until the debugger lets the guest run.
    pub(crate) fn wait_until_running(&mut self) -> io::Result<()> {
        self.wait_for(RUNS)
    }

    /// Returns what QEMU knows of the devices on its PCI buses.
    pub(crate) fn pci_devices(&mut self) -> io::Result<Value> {
        self.request("query-pci", &json!({}), patient(PATIENCE))
    }

    /// Writes what a device shows to `file`, a path as QEMU sees it, as PNG.
    pub(crate) fn dump_screen(&mut self, device: &str, file: &str) -> io::Result<()> {
        let arguments = json!({ "device": device, "filename": file, "format": "png" });
        self.request("screendump", &arguments, patient(PATIENCE)).map(drop)
    }

    fn wait_for(&mut self, event: &str) -> io::Result<()> {
        self.port.get_ref().set_read_timeout(None)?;
        while self.message()?.get("event").is_none_or(|found| found != event) {}
        Ok(())
    }

    fn execute(&mut self, command: &str, limit: Duration) -> io::Result<()> {
        self.request(command, &json!({}), limit).map(drop)
    }

    fn request(&mut self, command: &str, arguments: &Value, limit: Duration) -> io::Result<Value> {
        self.port.get_ref().set_read_timeout(Some(limit))?;
        self.port.get_ref().set_write_timeout(Some(limit))?;
        if !self.is_ready {
            self.ask("qmp_capabilities", &json!({}))?;
            self.is_ready = true;
        }
        self.ask(command, arguments)
    }

    /// Sends a command and waits for its answer. Skips the greeting, events, and answers that came too late for their request.
    fn ask(&mut self, command: &str, arguments: &Value) -> io::Result<Value> {
        self.asked += 1;
        let request = json!({ "execute": command, "arguments": arguments, "id": self.asked });
        self.port.get_ref().write_all(format!("{request}\n").as_bytes())?;
        loop {
            let mut message = self.message()?;
            if message.get("id").is_some_and(|id| *id != self.asked) {
                continue;
            }
            if let Some(answer) = message.get_mut("return") {
                return Ok(answer.take());
            }
            if let Some(error) = message.get("error") {
                return Err(io::Error::other(error.to_string()));
            }
        }
    }

    /// Returns the next message: a greeting, an answer or an event.
    fn message(&mut self) -> io::Result<Value> {
        let mut line = String::new();
        match self.port.read_line(&mut line)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(serde_json::from_str(&line)?),
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
    fn answer_to_an_earlier_request_is_skipped() {
        const LATE: &str = "{\"return\": \"late\", \"id\": 1}\n{\"return\": \"now\", \"id\": 2}";
        let mut monitor = monitor(&[r#"{"return": {}, "id": 1}"#, LATE]);
        assert_eq!(monitor.pci_devices().unwrap(), "now");
    }

    #[test]
    fn debugger_stops_the_guest_and_lets_it_run() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut monitor = Monitor::new(ours);
        for event in [RUNS, "NICE", STOPPED, RUNS] {
            writeln!(&theirs, r#"{{"event": "{event}"}}"#).unwrap();
        }
        monitor.wait_until_stopped().unwrap();
        monitor.wait_until_running().unwrap();
        drop(theirs);
        assert_eq!(monitor.wait_until_stopped().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_qemu_that_is_stopped_does_not_answer() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let error = Monitor::new(ours).execute("query-status", Duration::from_millis(20)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }
}
