// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The register block, on whichever bus it lies.
//!
//! A GPU that is no longer there reads as ones. Nothing here waits for it: each loop that polls asks
//! [`Registers::is_gone`] when time is over, or sees ones for what they are.
//!
//! Source: `crates/mali-regs`.

use kernel::{
    io::{
        mem::IoMem,
        poll::read_poll_timeout,
        Io,
        IoBase,
        Mmio,
        Region, //
    },
    pci::Bar,
    prelude::*,
    time::Delta, //
};
use mali_regs::{
    gpu,
    Register,
    SIZE, //
};

/// The registers of a GPU, mapped.
pub(crate) enum Registers<'bound> {
    /// BAR0 of a PCI function.
    Pci(Bar<'bound, SIZE>),
    /// Memory of a SoC.
    Soc(IoMem<'bound, SIZE>),
}

impl Registers<'_> {
    fn block(&self) -> Mmio<'_, Region<SIZE>> {
        match self {
            Self::Pci(bar) => bar.as_view(),
            Self::Soc(memory) => memory.as_view(),
        }
    }

    /// The value of a register, or the lower half of one of 64 bits.
    pub(crate) fn read(&self, register: Register) -> u32 {
        self.read_at(register, 0)
    }

    /// The value of register `index` of an array. One that is not there reads as ones, as for the bus.
    pub(crate) fn read_at(&self, register: Register, index: usize) -> u32 {
        self.block()
            .try_read32(register.at(index))
            .unwrap_or(u32::MAX)
    }

    /// The value of a register of 64 bits.
    pub(crate) fn read_wide(&self, register: Register) -> u64 {
        self.read_wide_at(register, 0)
    }

    /// The value of register `index` of an array of such of 64 bits.
    pub(crate) fn read_wide_at(&self, register: Register, index: usize) -> u64 {
        let at = register.at(index);
        let half = |at| u64::from(self.block().try_read32(at).unwrap_or(u32::MAX));
        half(at) | half(at + 4) << 32
    }

    /// The value of a counter of 64 bits, whose lower half may overflow between the reads of the halves.
    pub(crate) fn read_counter(&self, register: Register) -> u64 {
        let upper = |whole: u64| whole >> 32;
        let mut before = self.read_wide(register);
        // Overflows are 2^32 steps apart: twice is enough.
        for _ in 0..2 {
            let now = self.read_wide(register);
            if upper(now) == upper(before) {
                return now;
            }
            before = now;
        }
        before
    }

    /// Writes a register.
    pub(crate) fn write(&self, register: Register, value: u32) {
        self.write_at(register, 0, value);
    }

    /// Writes register `index` of an array; one that is not there takes it, as for the bus.
    pub(crate) fn write_at(&self, register: Register, index: usize, value: u32) {
        let _ = self.block().try_write32(value, register.at(index));
    }

    /// Writes register `index` of an array of such of 64 bits: low half first.
    pub(crate) fn write_wide_at(&self, register: Register, index: usize, value: u64) {
        let at = register.at(index);
        let _ = self.block().try_write32(value as u32, at);
        let _ = self.block().try_write32((value >> 32) as u32, at + 4);
    }

    /// Writes a register of 64 bits.
    pub(crate) fn write_wide(&self, register: Register, value: u64) {
        self.write_wide_at(register, 0, value);
    }

    /// Whether the GPU does not answer any more: it reads as ones, which is no GPU's id.
    pub(crate) fn is_gone(&self) -> bool {
        self.read(gpu::GPU_ID) == u32::MAX
    }

    /// Reads by `read` until `done` says so; looks again after `pause`.
    ///
    /// # Errors
    ///
    /// `ENODEV` if the GPU is gone, `ETIMEDOUT` with the last value in `last` if `patience` is over.
    ///
    /// Context: process context, sleeps.
    pub(crate) fn poll(
        &self,
        mut read: impl FnMut(&Self) -> u64,
        done: impl Fn(u64) -> bool,
        pause: Delta,
        patience: Delta,
    ) -> Result<u64, Timeout> {
        let mut last = 0;
        let polled = read_poll_timeout(
            || {
                last = read(self);
                // Half a word of ones is one that may be gone.
                if last as u32 == u32::MAX && self.is_gone() {
                    return Err(ENODEV);
                }
                Ok(last)
            },
            |value| done(*value),
            pause,
            patience,
        );
        polled.map_err(|error| Timeout { error, last })
    }
}

/// A register that did not become what was waited for.
#[derive(Clone, Copy)]
pub(crate) struct Timeout {
    /// `ENODEV` or `ETIMEDOUT`.
    pub(crate) error: Error,
    /// What it was at last.
    pub(crate) last: u64,
}

impl From<Timeout> for Error {
    fn from(timeout: Timeout) -> Self {
        timeout.error
    }
}
