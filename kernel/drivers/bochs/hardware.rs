// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The device's registers and memory.
//!
//! Source: docs/specs/standard-vga.rst of QEMU

use drm::pci::Probe;
use kernel::{
    io::Io,
    pci::Bar,
    prelude::*, //
};

/// The size of the BAR of the registers.
const REGISTERS: usize = 4096;

/// The start of the display interface's registers of 16 bits each.
const DISPI: usize = 0x500;

/// The indices of registers in the display interface.
mod index {
    pub(super) const ID: usize = 0;
    pub(super) const XRES: usize = 1;
    pub(super) const YRES: usize = 2;
    pub(super) const BPP: usize = 3;
    pub(super) const ENABLE: usize = 4;
    pub(super) const BANK: usize = 5;
    pub(super) const VIRT_WIDTH: usize = 6;
    pub(super) const VIRT_HEIGHT: usize = 7;
    pub(super) const X_OFFSET: usize = 8;
    pub(super) const Y_OFFSET: usize = 9;
    pub(super) const VIDEO_MEMORY_64K: usize = 10;
}

/// The bits of the register `ENABLE`.
mod enable {
    pub(super) const ENABLED: u16 = 1 << 0;
    pub(super) const LINEAR: u16 = 1 << 6;
    pub(super) const KEEP_MEMORY: u16 = 1 << 7;
}

/// The register `ID` without its lowest digit, which is a version.
const ID: u16 = 0xb0c0;

/// The size of the EDID, which is at the start of the registers.
pub(crate) const EDID_SIZE: usize = 0x400;

/// The bytes of a pixel. The device shows XRGB8888.
pub(crate) const PIXEL: usize = 4;

/// The device, while it is bound.
pub(crate) struct Hardware<'bound> {
    registers: Bar<'bound, REGISTERS>,
    memory: Bar<'bound>,
    /// The part of the memory that the device shows, in bytes.
    size: usize,
}

impl<'bound> Hardware<'bound> {
    /// Maps the device and checks that it is one.
    ///
    /// Fails with `ENODEV` if the registers say otherwise.
    pub(crate) fn new(cx: &Probe<'bound>) -> Result<Self> {
        let memory = cx.device().iomap_region(0, c"bochs/memory")?;
        let registers = cx
            .device()
            .iomap_region_sized::<REGISTERS>(2, c"bochs/registers")?;
        let mut this = Self {
            registers,
            memory,
            size: 0,
        };
        if this.read(index::ID) & 0xfff0 != ID {
            dev_err!(cx, "register ID is {:#x}\n", this.read(index::ID));
            return Err(ENODEV);
        }
        let size = usize::from(this.read(index::VIDEO_MEMORY_64K)) * 0x1_0000;
        this.size = size.min(this.memory.size());
        Ok(this)
    }

    /// Returns the size of the memory, in bytes.
    pub(crate) fn memory(&self) -> usize {
        self.size
    }

    fn read(&self, index: usize) -> u16 {
        self.registers.try_read16(DISPI + 2 * index).unwrap_or(0)
    }

    fn write(&self, index: usize, value: u16) {
        // The BAR has all registers of `index`.
        let _ = self.registers.try_write16(value, DISPI + 2 * index);
    }

    /// Shows a picture of the size from the start of the memory.
    pub(crate) fn switch_on(&self, width: u16, height: u16) {
        self.write(index::ENABLE, 0);
        self.write(index::BPP, 8 * PIXEL as u16);
        self.write(index::XRES, width);
        self.write(index::YRES, height);
        self.write(index::BANK, 0);
        self.write(index::VIRT_WIDTH, width);
        self.write(index::VIRT_HEIGHT, height);
        self.write(index::X_OFFSET, 0);
        self.write(index::Y_OFFSET, 0);
        self.write(
            index::ENABLE,
            enable::ENABLED | enable::LINEAR | enable::KEEP_MEMORY,
        );
    }

    /// Shows nothing.
    pub(crate) fn switch_off(&self) {
        self.write(index::ENABLE, 0);
    }

    /// Copies whole pixels to `offset` in the memory. Leaves out pixels beyond its end.
    pub(crate) fn copy(&self, offset: usize, pixels: &[u8]) {
        for (at, pixel) in pixels.chunks_exact(PIXEL).enumerate() {
            let pixel = u32::from_le_bytes([pixel[0], pixel[1], pixel[2], pixel[3]]);
            let _ = self.memory.try_write32(pixel, offset + PIXEL * at);
        }
    }

    /// Reads the EDID of the monitor, which QEMU makes up. If QEMU gives none, all bytes are zero.
    pub(crate) fn edid(&self, edid: &mut [u8; EDID_SIZE]) {
        for (at, byte) in edid.iter_mut().enumerate() {
            *byte = self.registers.try_read8(at).unwrap_or(0);
        }
    }
}
