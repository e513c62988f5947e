// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The register block, on any bus.
//!
//! A GPU that is gone reads as all ones. Nothing here waits for it: each polling loop calls
//! [`Registers::is_gone`] when time is over, or recognises the ones.
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

/// The mapped registers of a GPU.
pub(crate) enum Registers<'bound> {
    /// BAR0 of a PCI function.
    Pci(Bar<'bound, SIZE>),
    /// Memory of a SoC.
    Soc(IoMem<'bound, SIZE>),
}

impl Registers<'_> {
    fn mmio(&self) -> Mmio<'_, Region<SIZE>> {
        match self {
            Self::Pci(bar) => bar.as_view(),
            Self::Soc(memory) => memory.as_view(),
        }
    }

    /// Reads a register, or the lower half of a 64-bit register.
    pub(crate) fn read(&self, register: Register) -> u32 {
        self.read_at(register, 0)
    }

    /// Reads register `index` of an array. A register that does not exist reads as ones, as on the
    /// bus.
    pub(crate) fn read_at(&self, register: Register, index: usize) -> u32 {
        self.mmio()
            .try_read32(register.at(index))
            .unwrap_or(u32::MAX)
    }

    /// Reads a 64-bit register.
    pub(crate) fn read64(&self, register: Register) -> u64 {
        self.read64_at(register, 0)
    }

    /// Reads register `index` of an array of 64-bit registers.
    pub(crate) fn read64_at(&self, register: Register, index: usize) -> u64 {
        let at = register.at(index);
        let half = |at| u64::from(self.mmio().try_read32(at).unwrap_or(u32::MAX));
        half(at) | half(at + 4) << 32
    }

    /// Reads a 64-bit counter, whose lower half may overflow between the reads of the halves.
    pub(crate) fn read_counter(&self, register: Register) -> u64 {
        let upper = |whole: u64| whole >> 32;
        let mut before = self.read64(register);
        // Overflows are 2^32 steps apart, so two attempts are enough.
        for _ in 0..2 {
            let now = self.read64(register);
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

    /// Writes register `index` of an array. Writes to a register that does not exist are ignored,
    /// as on the bus.
    pub(crate) fn write_at(&self, register: Register, index: usize, value: u32) {
        let _ = self.mmio().try_write32(value, register.at(index));
    }

    /// Writes register `index` of an array of 64-bit registers, the low half first.
    pub(crate) fn write64_at(&self, register: Register, index: usize, value: u64) {
        let at = register.at(index);
        let _ = self.mmio().try_write32(value as u32, at);
        let _ = self.mmio().try_write32((value >> 32) as u32, at + 4);
    }

    /// Writes a 64-bit register.
    pub(crate) fn write64(&self, register: Register, value: u64) {
        self.write64_at(register, 0, value);
    }

    /// Returns whether the GPU no longer responds: it reads as all ones, which is not a valid id.
    pub(crate) fn is_gone(&self) -> bool {
        self.read(gpu::GPU_ID) == u32::MAX
    }

    /// Calls `read` until `done` accepts the value, and sleeps for `interval` in between.
    ///
    /// # Errors
    ///
    /// Fails with `ENODEV` if the GPU does not respond. Fails with `ETIMEDOUT` when `timeout` is
    /// over, with the last value in `last`.
    ///
    /// Context: process context, sleeps.
    pub(crate) fn poll(
        &self,
        mut read: impl FnMut(&Self) -> u64,
        done: impl Fn(u64) -> bool,
        interval: Delta,
        timeout: Delta,
    ) -> Result<u64, Timeout> {
        let mut last = 0;
        let polled = read_poll_timeout(
            || {
                last = read(self);
                // A lower half of all ones may mean that the GPU is gone.
                if last as u32 == u32::MAX && self.is_gone() {
                    return Err(ENODEV);
                }
                Ok(last)
            },
            |value| done(*value),
            interval,
            timeout,
        );
        polled.map_err(|error| Timeout { error, last })
    }
}

/// A register that did not reach the expected value.
#[derive(Clone, Copy)]
pub(crate) struct Timeout {
    /// `ENODEV` or `ETIMEDOUT`.
    pub(crate) error: Error,
    /// The last value read.
    pub(crate) last: u64,
}

impl From<Timeout> for Error {
    fn from(timeout: Timeout) -> Self {
        timeout.error
    }
}
