// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Address spaces: registers, commands, and accesses through the driver's page tables.
//!
//! Source: `drivers/gpu/drm/panthor/panthor_mmu.c` of Linux 7.3.

use std::time::{Duration, Instant};

use mali_mmu::{Access, FaultKind, Geometry, PAGE_SIZE, Translation, WalkError, walk};
use mali_regs::mmu::{self, Command, FaultStatus, LockRegion, TransCfg, memattr, mode};
use mali_regs::{Found, exception};

use super::identity;
use crate::bus::Bus;

/// How long a command takes.
const TAKES: Duration = Duration::from_micros(20);

/// An address space.
#[derive(Clone, Debug, Default)]
pub(super) struct AddressSpace {
    /// What was written, and is not in force before an update.
    written: Setup,
    /// What is in force.
    setup: Setup,
    lock_address: u64,
    locked: Option<LockRegion>,
    fault: FaultStatus,
    fault_address: u64,
    command: Option<(Command, Instant)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Setup {
    table: u64,
    attributes: u64,
    config: TransCfg,
}

/// Why an access did not get through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) exception: u32,
    pub(super) address: u64,
    pub(super) access: Access,
}

impl AddressSpace {
    /// The value of the half of a register.
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

    /// Writes the half of a register, if it is one that keeps its value.
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

    /// A command is written.
    pub(super) fn command(&mut self, bus: &mut Bus, value: u32) {
        let Some(command) = Command::from_bits(value) else {
            return bus.violation("there is no such command of the MMU");
        };
        if self.command.is_some() {
            return bus.violation("a command is given while another is at work");
        }
        self.command = Some((command, bus.after(TAKES)));
    }

    /// When its command ends.
    pub(super) fn due(&self) -> Option<Instant> {
        self.command.map(|(_, done)| done)
    }

    /// Ends its command if it is due. Whether it did.
    pub(super) fn tick(&mut self, bus: &mut Bus) -> bool {
        let Some((command, _)) = self.command.take_if(|(_, done)| *done <= bus.now()) else { return false };
        match command {
            Command::Nop => {}
            Command::Update => self.update(bus),
            Command::Lock => match LockRegion::from_bits(self.lock_address) {
                Some(region) => self.locked = Some(region),
                None => bus.violation(format!("a lock of `{:#x}` is too small", self.lock_address)),
            },
            Command::Unlock | Command::FlushTables | Command::FlushMemory => {
                if self.locked.take().is_none() && command == Command::Unlock {
                    bus.violation("nothing is locked");
                }
            }
        }
        true
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
        match wrong {
            Some(text) => bus.violation(text),
            None => self.setup = setup,
        }
    }

    /// Where an access leads, by tables that are read now.
    pub(super) fn translate(&self, bus: &mut Bus, va: u64, access: Access) -> Result<Translation, Fault> {
        let fault = |exception| Fault { exception, address: va, access };
        let geometry = match self.setup.config.mode() {
            mode::AARCH64_4K => self.setup.config.va_bits().and_then(|bits| Geometry::new(bits, identity::PA_BITS)),
            mode::IDENTITY => return Ok(identical(va)),
            _ => None,
        };
        let geometry = geometry.ok_or(fault(exception::TRANSLATION_FAULT_4))?;
        let read = |at| {
            let mut entry = [0; 8];
            bus.read_memory(at, &mut entry).map(|()| u64::from_le_bytes(entry))
        };
        let translation = walk(geometry, self.setup.table, va, access, read).map_err(|error| match error {
            WalkError::Read(_) => fault(exception::GPU_BUS_FAULT),
            WalkError::Fault(found) => fault(match found.kind {
                FaultKind::InputSize => exception::ADDR_SIZE_FAULT_IN,
                FaultKind::OutputSize => exception::ADDR_SIZE_FAULT_OUT0 + found.level,
                FaultKind::Translation => exception::TRANSLATION_FAULT_0 + found.level,
                FaultKind::AccessFlag => exception::ACCESS_FLAG_1 - 1 + found.level,
                FaultKind::Permission => exception::PERM_FAULT_0 + found.level,
            }),
        })?;
        if memattr::faults(self.setup.attributes, translation.attributes.memory.into()) {
            return Err(fault(exception::MEM_ATTR_FAULT_0 + translation.level));
        }
        Ok(translation)
    }

    /// Reads memory, or fetches it to execute.
    pub(super) fn load(&self, bus: &mut Bus, va: u64, data: &mut [u8], access: Access) -> Result<(), Fault> {
        let mut at = 0;
        while at < data.len() {
            let address = va + at as u64;
            let to = self.translate(bus, address, access)?;
            let end = data.len().min(at.saturating_add(usize::try_from(to.length).unwrap_or(usize::MAX)));
            let part = &mut data[at..end];
            bus.read_memory(to.address, part).map_err(|_| Fault {
                exception: exception::GPU_BUS_FAULT,
                address,
                access,
            })?;
            at = end;
        }
        Ok(())
    }
}

fn identical(va: u64) -> Translation {
    let attributes = mali_mmu::Attributes { read_only: false, no_execute: false, memory: 0 };
    Translation { address: va, length: PAGE_SIZE - va % PAGE_SIZE, level: 3, attributes }
}
