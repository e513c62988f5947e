// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The MMU as a whole: its address spaces, its interrupt, and the accesses that the rest of the GPU makes through it.

use std::ops::Range;
use std::time::Instant;

use mali_mmu::{Access, Translation};
use mali_regs::irq::{MMU, mmu as events};
use mali_regs::mmu::MAX_ADDRESS_SPACES;

use super::irq::Irq;
use super::space::{AddressSpace, Fault};
use crate::bus::Bus;
use crate::memory::DmaError;

/// The MMU.
#[derive(Debug)]
pub(super) struct Mmu {
    pub(super) irq: Irq,
    spaces: [AddressSpace; MAX_ADDRESS_SPACES],
    /// A fault: commands do not end before the next reset.
    pub(super) stuck: bool,
}

/// The reason why an access fails or waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The access faults, and the interrupt has reported it.
    Fault(Fault),
    /// The access waits for the driver.
    Stalled(Stall),
}

/// The condition for which an access waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stall {
    /// The driver has not handled the last fault of the address space.
    Fault,
    /// The driver has locked the region.
    Lock,
}

impl Stall {
    /// Returns a description for people.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Fault => "an earlier fault of the address space has not been handled",
            Self::Lock => "the region is locked",
        }
    }
}

impl Mmu {
    pub(super) fn new() -> Self {
        Self { irq: Irq::new(MMU, 2), spaces: Default::default(), stuck: false }
    }

    pub(super) fn reset(&mut self) {
        self.spaces = Default::default();
        self.irq.reset();
        self.stuck = false;
    }

    pub(super) fn space(&self, index: usize) -> Option<&AddressSpace> {
        self.spaces.get(index)
    }

    pub(super) fn space_mut(&mut self, index: usize) -> Option<&mut AddressSpace> {
        self.spaces.get_mut(index)
    }

    /// Whether the driver must handle a fault.
    pub(super) fn is_stuck(&self) -> bool {
        self.spaces.iter().any(AddressSpace::is_stuck)
    }

    /// Returns when a command ends.
    pub(super) fn due(&self) -> Option<Instant> {
        self.spaces.iter().filter_map(AddressSpace::due).min().filter(|_| !self.stuck)
    }

    /// Ends the commands that are due. Returns whether there were any.
    pub(super) fn tick(&mut self, bus: &mut Bus) -> bool {
        let mut any = false;
        if self.stuck {
            return any;
        }
        for (index, space) in (0u32..).zip(&mut self.spaces) {
            let pending = self.irq.raised() & events::fault(index) != 0;
            if space.tick(bus, pending) {
                self.irq.raise(bus, events::completed(index));
                any = true;
            }
        }
        any
    }

    /// Reads memory as the GPU does.
    pub(super) fn read(&mut self, bus: &mut Bus, space: usize, va: u64, data: &mut [u8]) -> Result<(), Stop> {
        let length = data.len();
        self.access(bus, space, va, length, Access::Read, |bus, at, part| bus.read_memory(at, &mut data[part]))
    }

    /// Writes memory as the GPU does.
    pub(super) fn write(&mut self, bus: &mut Bus, space: usize, va: u64, data: &[u8]) -> Result<(), Stop> {
        self.access(bus, space, va, data.len(), Access::Write, |bus, at, part| bus.write_memory(at, &data[part]))
    }

    /// Tries an access without making it. It faults as the access would.
    pub(super) fn probe(
        &mut self,
        bus: &mut Bus,
        space: usize,
        va: u64,
        length: usize,
        access: Access,
    ) -> Result<(), Stop> {
        self.access(bus, space, va, length, access, |_, _, _| Ok(()))
    }

    /// Whether an access would succeed. A failure is not reported.
    pub(super) fn check(
        &mut self,
        bus: &mut Bus,
        space: usize,
        va: u64,
        length: usize,
        access: Access,
    ) -> Result<(), Fault> {
        let space = self.spaces.get_mut(space).expect("who accesses knows the number to be one");
        let mut at = 0;
        while at < length {
            at += space.part(bus, va.wrapping_add(at as u64), length - at, access, |_, _, _| Ok(()))?;
        }
        Ok(())
    }

    /// Returns the physical address for an access, which faults if it is not allowed.
    pub(super) fn translate(
        &mut self,
        bus: &mut Bus,
        space: usize,
        va: u64,
        access: Access,
    ) -> Result<Translation, Stop> {
        let found = self.enter(space, va)?.translate(bus, va, access);
        found.map_err(|fault| self.fault(bus, space, fault))
    }

    /// Makes an access of `length` bytes, in as many parts as the tables require. `each` gets a physical address and
    /// the part of the bytes for it.
    fn access(
        &mut self,
        bus: &mut Bus,
        space: usize,
        va: u64,
        length: usize,
        access: Access,
        mut each: impl FnMut(&mut Bus, u64, Range<usize>) -> Result<(), DmaError>,
    ) -> Result<(), Stop> {
        let mut at = 0;
        while at < length {
            let address = va.wrapping_add(at as u64);
            let space_now = self.enter(space, address)?;
            let done = space_now.part(bus, address, length - at, access, |bus, to, size| each(bus, to, at..at + size));
            at += done.map_err(|fault| self.fault(bus, space, fault))?;
        }
        Ok(())
    }

    /// Returns the address space, if accesses to `va` may continue.
    fn enter(&mut self, space: usize, va: u64) -> Result<&mut AddressSpace, Stop> {
        let space = self.spaces.get_mut(space).expect("who accesses knows the number to be one");
        match space.stall(va) {
            Some(stall) => Err(Stop::Stalled(stall)),
            None => Ok(space),
        }
    }

    /// Reports a fault to the driver.
    fn fault(&mut self, bus: &mut Bus, space: usize, fault: Fault) -> Stop {
        self.spaces[space].fault(fault);
        bus.state(format!("address space {space}: {fault}"));
        self.irq.raise(bus, events::fault(space as u32));
        Stop::Fault(fault)
    }
}
