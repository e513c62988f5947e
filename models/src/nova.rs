// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! An NVIDIA GPU, as far as a driver needs it that identifies the chip and waits for the GPU's own firmware (GFW).
//!
//! After a reset the firmware starts by itself. At first its progress is protected; then it lowers the protection of
//! the progress register; then it finishes. A driver must check these in that order. The memory behind VRAM's BAR is
//! not modelled, nor is anything else that is not in `nova-regs`: an access is a violation.
//!
//! Source: Linux 7.3, `drivers/gpu/nova-core` (`gpu/hal/tu102.rs` waits up to 4 s) and
//! Documentation/gpu/nova/core/devinit.rst; registers and chips are those of the crate `nova-regs`.

mod boot;

use std::borrow::Cow;
use std::time::Instant;

use nova_regs::regs::{self, GfwBoot, GfwBootPrivLevelMask, PmcBoot0, PmcBoot42, Register, Revision};
use nova_regs::{Chip, pci};
use serde::Deserialize;

use crate::bus::Bus;
use crate::gpu::{Access, Bar, Function, Gpu, Interrupts, Width};
use boot::Boot;

/// The default size of VRAM's BAR in MiB.
pub const DEFAULT_VRAM: u32 = 256;

/// The GPU's answer where it has no register: a value that upstream's driver recognises, with the reason in the low
/// bits.
const BAD_READ: u64 = 0xbadf_5040;

const REVISION: Revision = Revision::new(0xa, 1);

/// A GA102 on a board.
#[derive(Debug)]
pub struct Nova {
    vram: u64,
    boot0: PmcBoot0,
    boot42: PmcBoot42,
    boot: Boot,
}

/// Faults of this GPU.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fault {
    /// The firmware stops before it has finished.
    StuckBoot {
        /// The progress at which it stops, 0 to 254.
        #[serde(default)]
        progress: u8,
    },
    /// The GPU restarts, and its firmware takes this long.
    SlowBoot {
        /// The time until it has finished.
        seconds: f64,
    },
    /// The chip is an unknown one.
    UnknownChip {},
    /// The chip is another one.
    OtherChip {
        /// The chip's name, such as `TU102`.
        name: ChipName,
    },
}

/// The name of a chip that `nova-regs` knows.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct ChipName(Chip);

impl TryFrom<String> for ChipName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let known = || Chip::ALL.iter().map(|chip| chip.name()).collect::<Vec<_>>().join(", ");
        let found = Chip::ALL.iter().find(|chip| chip.name() == name);
        found.map(|chip| Self(*chip)).ok_or_else(|| format!("chip `{name}` not found (known chips: {})", known()))
    }
}

impl Nova {
    /// Creates a GPU that was just plugged in, whose BAR for VRAM has `vram` MiB.
    ///
    /// # Errors
    /// If `vram` is no power of two, or the BAR is beyond 64 GiB.
    pub fn new(vram: u32, now: Instant) -> Result<Self, String> {
        if !vram.is_power_of_two() || vram > 64 << 10 {
            return Err(format!("a BAR cannot have {vram} MiB (a power of two, at most 65536)"));
        }
        let (boot0, boot42) = (Chip::GA102.boot0(REVISION), Chip::GA102.boot42(REVISION));
        Ok(Self { vram: u64::from(vram) << 20, boot0, boot42, boot: Boot::begin(now) })
    }

    /// Makes the GPU answer as another chip.
    fn become_chip(&mut self, architecture: u8, implementation: u8) {
        self.boot0 = PmcBoot0::new(architecture, implementation, REVISION);
        self.boot42 = PmcBoot42::new(architecture, implementation, REVISION);
    }
}

impl Gpu for Nova {
    type Fault = Fault;
    const FAULTS: &'static [&'static str] = &["stuck-boot", "slow-boot", "unknown-chip", "other-chip"];

    fn function(&self) -> Function {
        let size = pci::REGISTERS_SIZE as u64;
        Function {
            vendor: pci::VENDOR,
            device: pci::DEVICE_RTX_3090,
            revision: pci::REVISION_A1,
            class: pci::CLASS_VGA,
            subsystem: (pci::VENDOR, 0x1454),
            bars: vec![
                Bar { index: pci::REGISTERS as u8, size, wide: false, prefetchable: false },
                Bar { index: pci::VRAM as u8, size: self.vram, wide: true, prefetchable: true },
            ],
            interrupts: Interrupts::Msi { vectors: 1 },
            client_page: None,
        }
    }

    fn register(&self, bar: u8, offset: u64) -> Option<Cow<'static, str>> {
        if u32::from(bar) != pci::REGISTERS {
            return None;
        }
        let found = regs::ALL.iter().find(|(at, _)| *at as u64 == offset);
        found.map(|(_, name)| Cow::Borrowed(*name))
    }

    fn read(&mut self, bus: &mut Bus, access: Access) -> u64 {
        if u32::from(access.bar) != pci::REGISTERS {
            bus.violation("VRAM is read before anything has set it up");
            return BAD_READ;
        }
        if access.width != Width::Four {
            bus.violation("registers are 4 bytes wide");
            return BAD_READ;
        }
        match access.offset as usize {
            PmcBoot0::OFFSET => u32::from(self.boot0).into(),
            PmcBoot42::OFFSET => u32::from(self.boot42).into(),
            GfwBootPrivLevelMask::OFFSET => u32::from(self.boot.mask()).into(),
            GfwBoot::OFFSET if !self.boot.mask().is_readable() => {
                bus.violation("the firmware's progress is read before its protection is lowered");
                BAD_READ
            }
            GfwBoot::OFFSET => u32::from(self.boot.progress()).into(),
            _ => {
                bus.violation("there is no such register");
                BAD_READ
            }
        }
    }

    fn write(&mut self, bus: &mut Bus, access: Access, _value: u64) {
        let what = match self.register(access.bar, access.offset) {
            Some(_) => "the register can only be read",
            None if u32::from(access.bar) == pci::REGISTERS => "there is no such register",
            None => "VRAM is written before anything has set it up",
        };
        bus.violation(what);
    }

    fn reset(&mut self, bus: &mut Bus) {
        self.boot.restart(bus);
    }

    fn fault(&mut self, bus: &mut Bus, fault: &Fault) {
        match fault {
            Fault::StuckBoot { progress } => self.boot.stick(bus, *progress),
            Fault::SlowBoot { seconds } => self.boot.slow(bus, *seconds),
            // No chip of Ampere has this number.
            Fault::UnknownChip {} => self.become_chip(nova_regs::Architecture::Ampere as u8, 0xf),
            Fault::OtherChip { name } => self.become_chip(name.0.architecture() as u8, name.0.implementation()),
        }
    }

    fn repair(&mut self, bus: &mut Bus) {
        self.become_chip(Chip::GA102.architecture() as u8, Chip::GA102.implementation());
        self.boot.repair(bus);
    }

    fn due(&self) -> Option<Instant> {
        self.boot.due()
    }

    fn tick(&mut self, bus: &mut Bus) {
        self.boot.tick(bus);
    }
}

#[cfg(test)]
mod tests;
