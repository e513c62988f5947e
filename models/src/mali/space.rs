// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! An address space: registers, commands, and accesses through the driver's page tables.
//!
//! Source: `drivers/gpu/drm/panthor/panthor_mmu.c` of Linux 7.3.

use std::fmt;
use std::time::{Duration, Instant};

use mali_mmu::{Access, FaultKind, Geometry, PAGE_SIZE, Translation, WalkError, walk};
use mali_regs::mmu::{self, AccessType, Command, FaultStatus, LockRegion, TransCfg, memattr, mode};
use mali_regs::{Found, exception};

use super::identity;
use super::mmu::Stall;
use super::tlb::Tlb;
use crate::bus::Bus;
use crate::memory::DmaError;

/// The duration of a command.
const TAKES: Duration = Duration::from_micros(20);

/// An address space.
#[derive(Clone, Debug, Default)]
pub(super) struct AddressSpace {
    /// The written values, which take effect at an update.
    written: Setup,
    /// The values in effect.
    setup: Setup,
    lock_address: u64,
    locked: Option<LockRegion>,
    fault: FaultStatus,
    fault_address: u64,
    /// Accesses wait for the driver to handle the fault.
    stuck: bool,
    command: Option<(Command, Instant)>,
    tlb: Tlb,
}

#[derive(Clone, Copy, Debug, Default)]
struct Setup {
    table: u64,
    attributes: u64,
    config: TransCfg,
}

/// The reason why an access failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) exception: u32,
    pub(super) address: u64,
    pub(super) access: Access,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = exception::name(self.exception).unwrap_or("a fault");
        write!(f, "{name} at {:#x} ({})", self.address, kind(self.access).name())
    }
}

fn kind(access: Access) -> AccessType {
    match access {
        Access::Read => AccessType::Read,
        Access::Write => AccessType::Write,
        Access::Execute => AccessType::Execute,
    }
}

/// The configuration in effect.
#[derive(Clone, Copy, Debug)]
pub(super) struct InForce {
    pub(super) table: u64,
    pub(super) attributes: u64,
    pub(super) config: TransCfg,
    /// The shape of the tables, if there are any.
    pub(super) geometry: Option<Geometry>,
}

impl AddressSpace {
    /// Returns the value of the half of a register.
    pub(super) fn read(&self, found: Found) -> Option<u32> {
        let whole = match found.register {
            register if *register == mmu::AS_TRANSTAB => self.written.table,
            register if *register == mmu::AS_MEMATTR => self.written.attributes,
            register if *register == mmu::AS_TRANSCFG => self.written.config.0,
            register if *register == mmu::AS_LOCKADDR => self.lock_address,
            register if *register == mmu::AS_FAULTSTATUS => self.fault.0.into(),
            register if *register == mmu::AS_FAULTADDRESS => self.fault_address,
            register if *register == mmu::AS_FAULTEXTRA => 0,
            register if *register == mmu::AS_STATUS => self.command.map_or(0, |_| mmu::status::ACTIVE.into()),
            _ => return None,
        };
        Some(if found.upper { (whole >> 32) as u32 } else { whole as u32 })
    }

    /// Writes the half of a register. Returns whether it is one that keeps its value.
    pub(super) fn write(&mut self, found: Found, value: u32) -> bool {
        let whole = match found.register {
            register if *register == mmu::AS_TRANSTAB => &mut self.written.table,
            register if *register == mmu::AS_MEMATTR => &mut self.written.attributes,
            register if *register == mmu::AS_TRANSCFG => &mut self.written.config.0,
            register if *register == mmu::AS_LOCKADDR => &mut self.lock_address,
            _ => return false,
        };
        let shift = if found.upper { 32 } else { 0 };
        *whole = (*whole & !(0xffff_ffff << shift)) | u64::from(value) << shift;
        true
    }

    /// Handles a written command.
    pub(super) fn command(&mut self, bus: &mut Bus, value: u32) {
        let Some(command) = Command::from_bits(value) else {
            return bus.violation("there is no such command of the MMU");
        };
        if self.command.is_some() {
            return bus.violation("a command is given while another is at work");
        }
        self.command = Some((command, bus.after(TAKES)));
    }

    /// Returns when the command ends.
    pub(super) fn due(&self) -> Option<Instant> {
        self.command.map(|(_, done)| done)
    }

    /// Ends the command if it is due, and returns whether it did. `pending` says that a fault's event has not been cleared
    /// yet.
    pub(super) fn tick(&mut self, bus: &mut Bus, pending: bool) -> bool {
        let Some((command, _)) = self.command.take_if(|(_, done)| *done <= bus.now()) else { return false };
        match command {
            Command::Nop => {}
            Command::Update => self.update(bus),
            Command::Lock => self.lock(bus),
            Command::Unlock | Command::FlushTables | Command::FlushMemory => self.unlock(bus, command, pending),
        }
        true
    }

    fn lock(&mut self, bus: &mut Bus) {
        match LockRegion::from_bits(self.lock_address) {
            Some(region) => {
                self.tlb.invalidate(region);
                self.locked = Some(region);
            }
            None => bus.violation(format!("a lock of `{:#x}` is too small", self.lock_address)),
        }
    }

    /// Ends a lock. Every command that unlocks a region has flushed it before.
    fn unlock(&mut self, bus: &mut Bus, command: Command, pending: bool) {
        match self.locked.take() {
            Some(region) => self.tlb.invalidate(region),
            None => bus.violation(format!("{command:?}: nothing is locked")),
        }
        self.stuck &= pending;
    }

    fn update(&mut self, bus: &mut Bus) {
        let setup = self.written;
        let wrong = match setup.config.mode() {
            mode::UNMAPPED | mode::IDENTITY => None,
            mode::AARCH64_4K if setup.config.va_bits().is_none() => Some("the width of virtual addresses is none"),
            mode::AARCH64_4K if setup.table % PAGE_SIZE != 0 => Some("the root table is not aligned to a page"),
            mode::AARCH64_4K if setup.table >> identity::PA_BITS != 0 => Some("the root table is out of reach"),
            mode::AARCH64_4K => None,
            _ => Some("there is no such format of tables"),
        };
        if let Some(text) = wrong {
            return bus.violation(text);
        }
        self.setup = setup;
        // Waiting accesses are retried with the new tables.
        self.stuck = false;
        self.tlb.clear();
    }

    /// Returns the configuration in effect, or `None` before the first update.
    pub(super) fn in_force(&self) -> Option<InForce> {
        let Setup { table, attributes, config } = self.setup;
        let geometry = match config.mode() {
            mode::AARCH64_4K => config.va_bits().and_then(|bits| Geometry::new(bits, identity::PA_BITS)),
            _ => None,
        };
        let used = !matches!(config.mode(), 0 | mode::UNMAPPED);
        used.then_some(InForce { table, attributes, config, geometry })
    }

    /// Returns the locked region.
    pub(super) fn locked(&self) -> Option<LockRegion> {
        self.locked
    }

    /// Returns how many translations are cached.
    pub(super) fn remembered(&self) -> usize {
        self.tlb.len()
    }

    /// Returns why accesses to `va` wait.
    pub(super) fn stall(&self, va: u64) -> Option<Stall> {
        match self.locked {
            _ if self.stuck => Some(Stall::Fault),
            Some(region) if region.contains(va) => Some(Stall::Lock),
            _ => None,
        }
    }

    /// Whether accesses wait because a fault was not handled.
    pub(super) fn is_stuck(&self) -> bool {
        self.stuck
    }

    /// Stores a fault for the driver, and makes all accesses wait until the driver has handled it.
    pub(super) fn fault(&mut self, fault: Fault) {
        self.fault = FaultStatus(0).with_exception(fault.exception).with_access(kind(fault.access).bits());
        self.fault_address = fault.address;
        self.stuck = true;
    }

    /// Translates an access: by the cached translation, or by tables that are read now.
    pub(super) fn translate(&mut self, bus: &mut Bus, va: u64, access: Access) -> Result<Translation, Fault> {
        let fault = |exception| Fault { exception, address: va, access };
        let Some(InForce { table, attributes, config, geometry }) = self.in_force() else {
            return Err(fault(exception::TRANSLATION_FAULT_4));
        };
        if config.mode() == mode::IDENTITY {
            return Ok(identical(va));
        }
        let geometry = geometry.ok_or(fault(exception::TRANSLATION_FAULT_4))?;
        let now = walk(geometry, table, va, Access::Read, |at| entry(bus, at));
        let translation = match (self.tlb.find(va), now) {
            // If the tables cannot be read, the access itself will report it.
            (Some(remembered), Err(WalkError::Read(_))) => remembered,
            (Some(remembered), now) => {
                if now != Ok(remembered) {
                    bus.violation(stale(va, remembered, now.ok()));
                }
                remembered
            }
            (None, Ok(translation)) => {
                self.tlb.insert(va, translation);
                translation
            }
            (None, Err(error)) => return Err(fault(exception_of(&error))),
        };
        if memattr::faults(attributes, translation.attributes.memory.into()) {
            return Err(fault(exception::MEM_ATTR_FAULT_0 + translation.level));
        }
        match translation.allows(access) {
            true => Ok(translation),
            false => Err(fault(exception::PERM_FAULT_0 + translation.level)),
        }
    }

    /// Returns the first address behind the unmapped `va` that may be mapped.
    pub(super) fn next_after(&self, bus: &mut Bus, va: u64) -> u64 {
        let page = (va | (PAGE_SIZE - 1)).saturating_add(1);
        let Some(InForce { table, geometry: Some(geometry), .. }) = self.in_force() else { return page };
        let next = match walk(geometry, table, va, Access::Read, |at| entry(bus, at)) {
            // The entry that is not mapped spans this much.
            Err(WalkError::Fault(mali_mmu::Fault { kind: FaultKind::Translation, level })) => {
                (va | ((1 << (12 + 9 * (3 - level))) - 1)).saturating_add(1)
            }
            Err(WalkError::Fault(mali_mmu::Fault { kind: FaultKind::InputSize, .. })) => u64::MAX,
            _ => page,
        };
        self.tlb.next_after(va).map_or(next, |remembered| next.min(remembered))
    }

    /// Returns how many bytes of an access of `length` bytes one table entry maps.
    pub(super) fn part(
        &mut self,
        bus: &mut Bus,
        va: u64,
        length: usize,
        access: Access,
        each: impl FnOnce(&mut Bus, u64, usize) -> Result<(), DmaError>,
    ) -> Result<usize, Fault> {
        let to = self.translate(bus, va, access)?;
        let size = length.min(usize::try_from(to.length).unwrap_or(usize::MAX));
        let done = each(bus, to.address, size);
        done.map_err(|_| Fault { exception: exception::GPU_BUS_FAULT, address: va, access })?;
        Ok(size)
    }

    /// Reads memory for a test. Faults are returned and not reported to the driver.
    pub(super) fn load(&mut self, bus: &mut Bus, va: u64, data: &mut [u8]) -> Result<(), Fault> {
        let mut at = 0;
        while at < data.len() {
            let address = va.wrapping_add(at as u64);
            let rest = &mut data[at..];
            let length = rest.len();
            at +=
                self.part(bus, address, length, Access::Read, |bus, to, size| bus.read_memory(to, &mut rest[..size]))?;
        }
        Ok(())
    }
}

/// Returns the eight bytes of a table's entry.
pub(super) fn entry(bus: &mut Bus, at: u64) -> Result<u64, DmaError> {
    let mut entry = [0; 8];
    bus.read_memory(at, &mut entry).map(|()| u64::from_le_bytes(entry))
}

/// Returns the exception code of a walk's error.
pub(super) fn exception_of(error: &WalkError<DmaError>) -> u32 {
    let WalkError::Fault(fault) = error else { return exception::GPU_BUS_FAULT };
    match fault.kind {
        FaultKind::InputSize => exception::ADDR_SIZE_FAULT_IN,
        FaultKind::OutputSize => exception::ADDR_SIZE_FAULT_OUT0 + fault.level,
        FaultKind::Translation => exception::TRANSLATION_FAULT_0 + fault.level,
        FaultKind::AccessFlag => exception::ACCESS_FLAG_1 - 1 + fault.level,
        FaultKind::Permission => exception::PERM_FAULT_0 + fault.level,
    }
}

fn stale(va: u64, remembered: Translation, now: Option<Translation>) -> String {
    let now = match now {
        None => "map nothing there".to_owned(),
        Some(now) if now.address != remembered.address => format!("have {:#x}", now.address),
        Some(_) => "map it differently".to_owned(),
    };
    format!("{va:#x} still leads to {:#x}, but the tables {now}: they were changed without a flush", remembered.address)
}

fn identical(va: u64) -> Translation {
    let attributes = mali_mmu::Attributes { read_only: false, no_execute: false, memory: 0 };
    Translation { address: va, length: PAGE_SIZE - va % PAGE_SIZE, level: 3, attributes }
}
