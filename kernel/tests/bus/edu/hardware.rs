// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The registers, and the interrupt's handler.
//!
//! Source: docs/specs/edu.rst of QEMU

use crate::driver::Edu;
use drm::Device;
use kernel::{
    io::{
        poll::read_poll_timeout,
        Io, //
    },
    irq::{
        IrqReturn,
        ThreadedHandler,
        ThreadedIrqReturn, //
    },
    pci,
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    },
    time::Delta, //
};

pub(crate) type Bar<'bound> = pci::Bar<'bound, 0x100>;

const IDENTIFICATION: usize = 0x00;
const FACTORIAL: usize = 0x08;
const STATUS: usize = 0x20;
const INTERRUPT_STATUS: usize = 0x24;
const INTERRUPT_ACKNOWLEDGE: usize = 0x64;
const DMA_SOURCE: usize = 0x80;
const DMA_DESTINATION: usize = 0x88;
const DMA_COUNT: usize = 0x90;
const DMA_COMMAND: usize = 0x98;

const STATUS_COMPUTING: u32 = 0x01;
const STATUS_INTERRUPT: u32 = 0x80;

const DMA_RUN: u32 = 0x01;
const DMA_FROM_DEVICE: u32 = 0x02;
const DMA_INTERRUPT: u32 = 0x04;

/// The address and the size in bytes of the device's own memory, for its DMA engine.
const BUFFER: u32 = 0x40000;
pub(crate) const BUFFER_SIZE: u32 = 4096;

/// The jobs of the device, each with its interrupt reason.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Job {
    Factorial = 0x001,
    Dma = 0x100,
}

/// The device's registers, shared by the driver and the interrupt's handler.
pub(crate) struct Hardware<'bound> {
    pub(crate) bar: Arc<Bar<'bound>>,
    pub(crate) message_irq: bool,
}

impl Hardware<'_> {
    /// Reads the identification. The low 16 bits are `00ed`, and the high ones the version.
    pub(crate) fn identification(bar: &Bar<'_>) -> u32 {
        bar.read32(IDENTIFICATION)
    }

    /// Waits until the device has finished commands from before this driver was bound. Otherwise it
    /// would write to memory that has been reused.
    pub(crate) fn wait_until_idle(bar: &Bar<'_>) -> Result {
        let busy =
            || {
                Ok(bar.read32(DMA_COMMAND) & DMA_RUN != 0
                    || bar.read32(STATUS) & STATUS_COMPUTING != 0)
            };
        read_poll_timeout(
            busy,
            |busy| !busy,
            Delta::from_millis(1),
            Delta::from_secs(10),
        )
        .map(drop)
    }

    pub(crate) fn set_interrupt(&self, on: bool) {
        self.bar
            .write32(if on { STATUS_INTERRUPT } else { 0 }, STATUS);
    }

    pub(crate) fn start_factorial(&self, n: u32) -> Result {
        if self.bar.read32(STATUS) & STATUS_COMPUTING != 0 {
            return Err(EBUSY);
        }
        self.bar.write32(n, FACTORIAL);
        Ok(())
    }

    pub(crate) fn factorial(&self) -> u32 {
        self.bar.read32(FACTORIAL)
    }

    /// Starts to copy `length` bytes between the device's memory and the bus address `address`. The
    /// device's mask keeps that below 4 GiB.
    pub(crate) fn start_dma(&self, address: u32, length: u32, to_device: bool) -> Result {
        if self.bar.read32(DMA_COMMAND) & DMA_RUN != 0 {
            return Err(EBUSY);
        }
        let (source, destination, direction) = if to_device {
            (address, BUFFER, 0)
        } else {
            (BUFFER, address, DMA_FROM_DEVICE)
        };
        self.bar.write32(source, DMA_SOURCE);
        self.bar.write32(destination, DMA_DESTINATION);
        self.bar.write32(length, DMA_COUNT);
        self.bar
            .write32(DMA_RUN | DMA_INTERRUPT | direction, DMA_COMMAND);
        Ok(())
    }
}

/// Acknowledges interrupts, and wakes the waiters for a job.
pub(crate) struct Interrupt<'bound> {
    pub(crate) bar: Arc<Bar<'bound>>,
    /// A counted reference, because the handler may run as long as the adapter allows.
    pub(crate) dev: ARef<Device<Edu>>,
}

impl ThreadedHandler for Interrupt<'_> {
    fn handle(&self) -> ThreadedIrqReturn {
        let reasons = self.bar.read32(INTERRUPT_STATUS);
        // All ones: the device is gone.
        if reasons == 0 || reasons == u32::MAX {
            return ThreadedIrqReturn::None;
        }
        self.bar.write32(reasons, INTERRUPT_ACKNOWLEDGE);
        self.dev.interrupted(reasons);
        ThreadedIrqReturn::WakeThread
    }

    fn handle_threaded(&self) -> IrqReturn {
        self.dev.wake();
        IrqReturn::Handled
    }
}
