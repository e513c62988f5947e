// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Passes the requests of a vfio-user client to the device.
//!
//! Source: vfio-user specification; Linux, include/uapi/linux/vfio.h for regions, interrupts and flags.

use std::fs::File;
use std::io;
use std::sync::Arc;

use vfio_bindings::bindings::vfio::{
    VFIO_IRQ_INFO_EVENTFD, VFIO_IRQ_INFO_NORESIZE, VFIO_IRQ_SET_ACTION_TRIGGER, VFIO_IRQ_SET_DATA_EVENTFD,
    VFIO_IRQ_SET_DATA_NONE, VFIO_PCI_CONFIG_REGION_INDEX, VFIO_PCI_MSI_IRQ_INDEX, VFIO_PCI_MSIX_IRQ_INDEX,
    VFIO_PCI_NUM_IRQS, VFIO_PCI_NUM_REGIONS, VFIO_REGION_INFO_FLAG_READ, VFIO_REGION_INFO_FLAG_WRITE, vfio_region_info,
};
use vfio_user::{DmaMapFlags, DmaUnmapFlags, IrqInfo, ServerBackend, ServerRegion};

use super::Shared;
use crate::config;
use crate::device::CONFIG_REGION;
use crate::gpu::{Function, Gpu, Interrupts};
use crate::memory::Rights;

const _: () = assert!(CONFIG_REGION == VFIO_PCI_CONFIG_REGION_INDEX);

/// Returns the description of the vectors for a client.
pub(super) fn interrupts(function: &Function) -> Vec<IrqInfo> {
    let (own, count) = (index(function), function.interrupts.vectors());
    let info = |index| match index == own {
        true => IrqInfo { index, flags: VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE, count },
        false => IrqInfo { index, flags: 0, count: 0 },
    };
    (0..VFIO_PCI_NUM_IRQS).map(info).collect()
}

/// Returns the description of the regions for a client. None can be mapped, since every access must be seen.
pub(super) fn regions(function: &Function) -> Vec<ServerRegion> {
    let region = |index| {
        let bar = function.bars.iter().find(|bar| u32::from(bar.index) == index);
        let size = if index == CONFIG_REGION { config::SIZE as u64 } else { bar.map_or(0, |bar| bar.size) };
        let flags = if size > 0 { VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE } else { 0 };
        let argsz = size_of::<vfio_region_info>() as u32;
        let region_info = vfio_region_info { argsz, index, flags, size, ..Default::default() };
        ServerRegion { region_info, sparse_areas: Vec::new(), mmap_fd: None }
    };
    (0..VFIO_PCI_NUM_REGIONS).map(region).collect()
}

/// Returns the index of the function's kind of interrupts.
fn index(function: &Function) -> u32 {
    match function.interrupts {
        Interrupts::Msi { .. } => VFIO_PCI_MSI_IRQ_INDEX,
        Interrupts::MsiX { .. } => VFIO_PCI_MSIX_IRQ_INDEX,
    }
}

/// The device as the crate `vfio_user` sees it.
pub(super) struct Backend<'s, G: Gpu> {
    shared: &'s Arc<Shared<G>>,
    /// The index of the only kind of interrupts.
    index: u32,
}

impl<'s, G: Gpu> Backend<'s, G> {
    pub(super) fn new(shared: &'s Arc<Shared<G>>) -> Self {
        Self { shared, index: index(shared.lock().function()) }
    }

    /// Reports a client's request that failed; the client gets no error, see [`super`].
    fn refuse(&self, what: std::fmt::Arguments<'_>) {
        self.shared.with(|device, _| device.bus().state(format!("refused: {what}")));
    }
}

impl<G: Gpu> ServerBackend for Backend<'_, G> {
    fn region_read(&mut self, region: u32, offset: u64, data: &mut [u8]) -> io::Result<()> {
        self.shared.with(|device, now| device.read(region, offset, data, now));
        Ok(())
    }

    fn region_write(&mut self, region: u32, offset: u64, data: &[u8]) -> io::Result<()> {
        self.shared.with(|device, now| device.write(region, offset, data, now));
        Ok(())
    }

    fn dma_map(
        &mut self,
        flags: DmaMapFlags,
        offset: u64,
        address: u64,
        size: u64,
        fd: Option<File>,
    ) -> io::Result<()> {
        // A range without a file can only be accessed by messages. Memory that a driver shares with the device always
        // has a file.
        let Some(file) = fd else { return Ok(()) };
        let rights = Rights { read: flags.contains(DmaMapFlags::READ), write: flags.contains(DmaMapFlags::WRITE) };
        let mapped = self.shared.with(|device, _| device.bus().memory.map(file, offset, address, size, rights));
        if let Err(error) = mapped {
            self.refuse(format_args!("mapping {size:#x} bytes of memory at {address:#x}: {error}"));
        }
        Ok(())
    }

    fn dma_unmap(&mut self, flags: DmaUnmapFlags, address: u64, size: u64) -> io::Result<()> {
        self.shared.with(|device, _| {
            let memory = &mut device.bus().memory;
            match flags.contains(DmaUnmapFlags::UNMAP_ALL) {
                true => memory.clear(),
                // A range without a file was never mapped here.
                false => drop(memory.unmap(address, size)),
            }
        });
        Ok(())
    }

    fn reset(&mut self) -> io::Result<()> {
        self.shared.with(|device, now| device.reset(now));
        Ok(())
    }

    fn set_irqs(&mut self, index: u32, flags: u32, start: u32, count: u32, fds: Vec<File>) -> io::Result<()> {
        let done = self.shared.with(|device, _| {
            let vectors = &mut device.bus().vectors;
            if index != self.index || flags & VFIO_IRQ_SET_ACTION_TRIGGER == 0 {
                // The function does not have this kind of interrupts, or it is a mask, which is the client's.
                return Ok(());
            }
            if flags & VFIO_IRQ_SET_DATA_EVENTFD != 0 {
                vectors.set(start, count, fds)
            } else if flags & VFIO_IRQ_SET_DATA_NONE != 0 && count == 0 {
                vectors.clear();
                Ok(())
            } else {
                vectors.raise_all(start, count)
            }
        });
        if let Err(error) = done {
            self.refuse(format_args!("interrupt vectors {start} to {}: {error}", start.saturating_add(count)));
        }
        Ok(())
    }
}
