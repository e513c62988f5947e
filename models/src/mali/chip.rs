// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The microcontroller's view of the GPU: memory through address space 0, interrupts, power.

use csf_iface::Handshake;
use mali_regs::irq::{gpu, job};
use zerocopy::{FromBytes, IntoBytes};

use super::irq::Irq;
use super::mmu::{Mmu, Stop};
use super::power::Power;
use crate::bus::Bus;

/// The address space of the firmware.
pub(super) const SPACE: usize = 0;

/// The GPU around its microcontroller.
pub(super) struct Chip<'a> {
    pub(super) bus: &'a mut Bus,
    pub(super) mmu: &'a mut Mmu,
    pub(super) job: &'a mut Irq,
    pub(super) gpu: &'a mut Irq,
    pub(super) power: &'a mut Power,
}

impl Chip<'_> {
    /// Reads the firmware's memory.
    pub(super) fn read(&mut self, va: u64, data: &mut [u8]) -> Result<(), Stop> {
        self.mmu.read(self.bus, SPACE, va, data)
    }

    /// Writes the firmware's memory.
    pub(super) fn write(&mut self, va: u64, data: &[u8]) -> Result<(), Stop> {
        self.mmu.write(self.bus, SPACE, va, data)
    }

    /// Reads a structure of plain bytes.
    pub(super) fn block<T: FromBytes + IntoBytes>(&mut self, va: u32) -> Result<T, Stop> {
        let mut block = T::new_zeroed();
        self.read(va.into(), block.as_mut_bytes())?;
        Ok(block)
    }

    /// Reads a word.
    pub(super) fn word(&mut self, va: u32) -> Result<u32, Stop> {
        self.block(va)
    }

    /// Writes a word at an offset from `va`.
    pub(super) fn set_word(&mut self, va: u32, offset: usize, value: u32) -> Result<(), Stop> {
        self.write(u64::from(va) + offset as u64, &value.to_le_bytes())
    }

    /// Returns the request word at `request` and the acknowledge word at `acknowledge`.
    pub(super) fn handshake(&mut self, request: u32, acknowledge: u32) -> Result<Handshake, Stop> {
        Ok(Handshake { request: self.word(request)?, acknowledge: self.word(acknowledge)? })
    }

    /// Interrupts for the global interface.
    pub(super) fn interrupt_global(&mut self) {
        self.job.raise(self.bus, job::GLOBAL);
    }

    /// Interrupts for a group's interface.
    pub(super) fn interrupt_group(&mut self, slot: u32) {
        self.job.raise(self.bus, job::group(slot));
    }

    /// Interrupts for a change of `MCU_STATUS`.
    pub(super) fn interrupt_status(&mut self) {
        self.gpu.raise(self.bus, gpu::MCU_STATUS_CHANGED);
    }
}

/// Returns the names of the bits of `bits`, for people.
pub(super) fn names(bits: u32, names: &[(u32, &str)]) -> String {
    let known = names.iter().filter(|(mask, _)| bits & mask != 0).map(|(_, name)| (*name).to_owned());
    let rest = names.iter().fold(bits, |rest, (mask, _)| rest & !mask);
    known.chain((rest != 0).then(|| format!("{rest:#x}"))).collect::<Vec<_>>().join(" | ")
}
