// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Events of a model, with their times: the trace. Files, the control socket and the lab's timeline are readers of it.
//!
//! An event is one line of JSON. Its time is that of the host's `CLOCK_MONOTONIC`, which other programs of the machine
//! can read too, so that traces can be merged.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Seconds of the host's monotonic clock.
    pub time: f64,
    /// The kind of event.
    #[serde(flatten)]
    pub what: What,
}

/// The kinds of events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum What {
    /// A register was read. A read with the same value as before, with only reads since, is no event.
    Read(Register),
    /// A register was written.
    Write(Register),
    /// The function interrupted.
    Interrupt {
        /// The vector's number.
        vector: u32,
        /// Whether it arrived. The vector may be disabled, or a fault may have swallowed the interrupt.
        delivered: bool,
    },
    /// The function was reset.
    Reset,
    /// The GPU's state changed.
    State {
        /// A description of the change.
        text: String,
    },
    /// A planned fault began.
    Fault {
        /// A description of the fault.
        text: String,
    },
    /// A planned fault never began, since its condition was not fulfilled.
    FaultUnused {
        /// A description of the fault.
        text: String,
    },
    /// All faults ended.
    Repaired,
    /// The driver did something that hardware does not allow.
    Violation {
        /// A description of the error.
        text: String,
        /// The access, if it was one.
        access: Option<Register>,
        /// Whether the access was a write.
        write: bool,
    },
}

/// An access, as an event shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Register {
    /// The BAR.
    pub bar: u8,
    /// Bytes from its start.
    pub offset: u64,
    /// The number of bytes.
    pub width: u8,
    /// The value that was read or written.
    pub value: u64,
    /// The register's name in the manual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl fmt::Display for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => f.write_str(name),
            None => write!(f, "BAR{} {:#x}", self.bar, self.offset),
        }
    }
}

impl Register {
    /// Formats the value with as many digits as the access is wide.
    fn hex(&self) -> String {
        format!("{:#0width$x}", self.value, width = 2 + 2 * usize::from(self.width))
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Read(register) => write!(f, "read {register}: {}", register.hex()),
            What::Write(register) => write!(f, "write {register}: {}", register.hex()),
            What::Interrupt { vector, delivered: true } => write!(f, "interrupt {vector}"),
            What::Interrupt { vector, delivered: false } => write!(f, "interrupt {vector}, which does not arrive"),
            What::Reset => f.write_str("reset"),
            What::State { text } => f.write_str(text),
            What::Fault { text } => write!(f, "fault: {text}"),
            What::FaultUnused { text } => write!(f, "fault that never began: {text}"),
            What::Repaired => f.write_str("repaired"),
            What::Violation { text, access: None, .. } => write!(f, "violation: {text}"),
            What::Violation { text, access: Some(register), write } => {
                let how = if *write { format!("write of {} to", register.hex()) } else { "read of".to_owned() };
                write!(f, "violation: {text} ({how} {register}, {} bytes)", register.width)
            }
        }
    }
}

/// Returns the host's monotonic clock in seconds.
#[must_use]
pub fn monotonic() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// A receiver of events. One that returns an error receives no more.
pub type Sink = Box<dyn FnMut(&Event) -> std::io::Result<()> + Send>;

/// Returns a sink that writes a line of JSON for each event, in one piece.
pub fn json_lines(mut to: impl std::io::Write + Send + 'static) -> Sink {
    Box::new(move |event| {
        let mut line = serde_json::to_vec(event).expect("an event has string keys");
        line.push(b'\n');
        to.write_all(&line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register() -> Register {
        Register { bar: 0, offset: 0xa00, width: 4, value: 0x172a_1000, name: Some("NV_PMC_BOOT_42".into()) }
    }

    #[test]
    fn event_survives_json() {
        let nameless = Register { name: None, value: u64::MAX, ..register() };
        let all = [
            What::Read(register()),
            What::Write(nameless.clone()),
            What::Interrupt { vector: 3, delivered: true },
            What::Reset,
            What::Violation { text: "no such register".into(), access: Some(nameless), write: true },
        ];
        for what in all {
            let event = Event { time: 12.5, what };
            let line = serde_json::to_string(&event).unwrap();
            assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event, "{line}");
        }
    }

    #[test]
    fn text_of_an_event_has_register_and_value() {
        assert_eq!(What::Read(register()).to_string(), "read NV_PMC_BOOT_42: 0x172a1000");
        let access = Some(Register { name: None, value: 1, ..register() });
        let violation = What::Violation { text: "read-only".into(), access, write: true };
        assert_eq!(violation.to_string(), "violation: read-only (write of 0x00000001 to BAR0 0xa00, 4 bytes)");
    }
}
