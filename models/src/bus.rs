// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The machine around a model, beyond its registers: interrupts, the guest's memory, the time, and reports.
//!
//! Source: none but our own; the conditions are those of [`crate::fault::Common`].

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::event::{Event, Register, Sink, What, monotonic};
use crate::gpu::Access;
use crate::interrupts::Vectors;
use crate::memory::{DmaError, Memory};

/// The faults between the device and its machine.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Conditions {
    /// The device is gone: it does not answer.
    pub(crate) removed: bool,
    /// The number of next interrupts that do not arrive.
    pub(crate) lost_interrupts: u64,
    /// The factor on all durations; 0 and 1 are as usual.
    pub(crate) slowness: u32,
    /// Memory accesses fail.
    pub(crate) dma_refused: bool,
}

/// The machine around a model.
pub struct Bus {
    pub(crate) memory: Memory,
    pub(crate) vectors: Vectors,
    pub(crate) conditions: Conditions,
    pub(crate) master: bool,
    pub(crate) now: Instant,
    /// The access in progress, and whether it is a write.
    pub(crate) access: Option<(Register, bool)>,
    /// The values read since the last event of another kind, by BAR, offset and width.
    read: BTreeMap<(u8, u64, u8), u64>,
    sinks: Vec<Sink>,
    violations: u64,
}

impl Bus {
    pub(crate) fn new(vectors: u32, now: Instant) -> Self {
        Self {
            memory: Memory::default(),
            vectors: Vectors::new(vectors),
            conditions: Conditions::default(),
            master: false,
            now,
            access: None,
            read: BTreeMap::new(),
            sinks: Vec::new(),
            violations: 0,
        }
    }

    /// Returns the time, which does not advance within a call.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Returns when something that takes `time` is done if it begins now, including the fault `slow`.
    #[must_use]
    pub fn after(&self, time: Duration) -> Instant {
        self.now + time.saturating_mul(self.conditions.slowness.max(1))
    }

    /// Returns the guest's memory, for code that acts as the client that maps it.
    pub fn memory(&mut self) -> &mut Memory {
        &mut self.memory
    }

    /// Interrupts the processor.
    pub fn interrupt(&mut self, vector: u32) {
        let lost = self.conditions.lost_interrupts > 0;
        self.conditions.lost_interrupts -= u64::from(lost);
        let delivered = !lost && !self.conditions.removed && self.vectors.raise(vector);
        self.emit(What::Interrupt { vector, delivered });
    }

    /// Reads the guest's memory.
    ///
    /// # Errors
    /// The errors of [`DmaError`]. An access without bus mastering is a violation too: the driver has forgotten to
    /// enable it.
    pub fn read_memory(&mut self, address: u64, data: &mut [u8]) -> Result<(), DmaError> {
        self.may_access()?;
        self.memory.read(address, data)
    }

    /// Writes the guest's memory.
    ///
    /// # Errors
    /// As [`Bus::read_memory`].
    pub fn write_memory(&mut self, address: u64, data: &[u8]) -> Result<(), DmaError> {
        self.may_access()?;
        self.memory.write(address, data)
    }

    /// Reports that the driver does something that hardware does not allow. `text` says what is wrong; the access in
    /// progress is added.
    pub fn violation(&mut self, text: impl Into<String>) {
        let (access, write) = match self.access.clone() {
            Some((access, write)) => (Some(access), write),
            None => (None, false),
        };
        self.violations += 1;
        self.emit(What::Violation { text: text.into(), access, write });
    }

    /// Returns how often [`Bus::violation`] was called.
    #[must_use]
    pub fn violations(&self) -> u64 {
        self.violations
    }

    /// Reports a change of the GPU's state.
    pub fn state(&mut self, text: impl Into<String>) {
        self.emit(What::State { text: text.into() });
    }

    /// Sends all further events to `sink`.
    pub fn listen(&mut self, sink: Sink) {
        self.sinks.push(sink);
    }

    pub(crate) fn emit(&mut self, what: What) {
        let event = Event { time: monotonic(), what };
        if !matches!(event.what, What::Read(_)) {
            self.read.clear();
        }
        self.sinks.retain_mut(|sink| sink(&event).is_ok());
    }

    /// Reports a read, unless the last report had the same value and nothing else has happened since: a driver that
    /// polls would fill every screen.
    pub(crate) fn emit_read(&mut self, register: Register) {
        let key = (register.bar, register.offset, register.width);
        if self.read.insert(key, register.value) != Some(register.value) {
            self.emit(What::Read(register));
        }
    }

    /// Describes the access for an event.
    pub(crate) fn shown(access: Access, value: u64, name: Option<String>) -> Register {
        Register { bar: access.bar, offset: access.offset, width: access.width as u8, value, name }
    }

    fn may_access(&mut self) -> Result<(), DmaError> {
        if self.conditions.removed || self.conditions.dma_refused {
            return Err(DmaError::Refused);
        }
        if !self.master {
            self.violation("memory is accessed while bus mastering is off");
            return Err(DmaError::NotMaster);
        }
        Ok(())
    }
}
