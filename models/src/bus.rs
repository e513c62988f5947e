// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What a model may do beyond its registers: interrupt, reach the guest's memory, know the time, and report.
//!
//! Source: none but our own; the conditions are those of [`crate::fault::Common`].

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::event::{Event, Register, Sink, What, monotonic};
use crate::gpu::Access;
use crate::interrupts::Vectors;
use crate::memory::{DmaError, Memory};

/// What stands between the device and its machine, and may go wrong.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Conditions {
    /// The device is gone: nobody answers.
    pub(crate) removed: bool,
    /// So many interrupts do not arrive.
    pub(crate) lost_interrupts: u64,
    /// What takes time takes so many times longer; 0 and 1 are as usual.
    pub(crate) slowness: u32,
    /// Memory refuses.
    pub(crate) dma_refused: bool,
}

/// The machine around a model.
pub struct Bus {
    pub(crate) memory: Memory,
    pub(crate) vectors: Vectors,
    pub(crate) conditions: Conditions,
    pub(crate) master: bool,
    pub(crate) now: Instant,
    /// The access that is being carried out, and whether it is a write.
    pub(crate) access: Option<(Register, bool)>,
    /// What was read since the last event of another kind: value by BAR, offset and width.
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

    /// The time. It stands still within a call.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// When something that takes `time` is done if it begins now, the fault `slow` considered.
    #[must_use]
    pub fn after(&self, time: Duration) -> Instant {
        self.now + time.saturating_mul(self.conditions.slowness.max(1))
    }

    /// The guest's memory, for who plays the client that maps it.
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
    /// What [`DmaError`] lists. Not being a bus master is a violation too: a driver has forgotten something.
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

    /// Reports that the driver does what hardware does not allow: `text` says what is wrong, the access that is being
    /// carried out is added.
    pub fn violation(&mut self, text: impl Into<String>) {
        let (access, write) = match self.access.clone() {
            Some((access, write)) => (Some(access), write),
            None => (None, false),
        };
        self.violations += 1;
        self.emit(What::Violation { text: text.into(), access, write });
    }

    /// How often [`Bus::violation`] was called.
    #[must_use]
    pub fn violations(&self) -> u64 {
        self.violations
    }

    /// Tells of something that became of the GPU.
    pub fn state(&mut self, text: impl Into<String>) {
        self.emit(What::State { text: text.into() });
    }

    /// Sends what happens to `sink` from now on.
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

    /// Tells of a read, unless it gave the same when it was told last and nothing else has happened since: a driver that
    /// polls would fill every screen.
    pub(crate) fn emit_read(&mut self, register: Register) {
        let key = (register.bar, register.offset, register.width);
        if self.read.insert(key, register.value) != Some(register.value) {
            self.emit(What::Read(register));
        }
    }

    /// The access as it is shown.
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
