// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! One of the three interrupts: events, a mask, and a vector that interrupts when the first unmasked event happens.
//!
//! Source: `drivers/gpu/drm/panthor/panthor_device.h` of Linux 7.3.

use mali_regs::irq::Block;

use crate::bus::Bus;

/// An interrupt.
#[derive(Debug)]
pub(super) struct Irq {
    block: Block,
    vector: u32,
    raw: u32,
    mask: u32,
}

impl Irq {
    pub(super) fn new(block: Block, vector: u32) -> Self {
        Self { block, vector, raw: 0, mask: 0 }
    }

    /// Clears all events.
    pub(super) fn clear(&mut self) {
        self.raw = 0;
    }

    /// Clears all events, and masks all.
    pub(super) fn reset(&mut self) {
        (self.raw, self.mask) = (0, 0);
    }

    /// Makes events happen.
    pub(super) fn raise(&mut self, bus: &mut Bus, events: u32) {
        self.change(bus, self.raw | events, self.mask);
    }

    /// Returns the events that were not cleared.
    pub(super) fn raised(&self) -> u32 {
        self.raw
    }

    /// Returns the value of a register of this interrupt. Returns `None` for any other offset and for a register
    /// without a value.
    pub(super) fn read(&self, offset: usize) -> Option<u32> {
        match offset {
            at if at == self.block.rawstat.offset => Some(self.raw),
            at if at == self.block.mask.offset => Some(self.mask),
            at if at == self.block.status.offset => Some(self.raw & self.mask),
            _ => None,
        }
    }

    /// Writes a register of this interrupt. Returns whether `offset` is one that can be written.
    pub(super) fn write(&mut self, bus: &mut Bus, offset: usize, value: u32) -> bool {
        let (raw, mask) = match offset {
            at if at == self.block.rawstat.offset => (self.raw | value, self.mask),
            at if at == self.block.clear.offset => (self.raw & !value, self.mask),
            at if at == self.block.mask.offset => (self.raw, value),
            _ => return false,
        };
        self.change(bus, raw, mask);
        true
    }

    /// Interrupts on the change from nothing to something: the hardware has a level, the bus has messages.
    fn change(&mut self, bus: &mut Bus, raw: u32, mask: u32) {
        let before = self.raw & self.mask;
        (self.raw, self.mask) = (raw, mask);
        if before == 0 && raw & mask != 0 {
            bus.interrupt(self.vector);
        }
    }
}
