// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Sections of the firmware: buffers that are mapped for the microcontroller and for the kernel.

use crate::{
    buffer::{
        Args,
        Object, //
    },
    driver::Tyr,
    hw::{
        gpu::Gpu,
        mmu::{
            AddressSpaces,
            Table, //
        },
    },
};
use csf_fw::{
    CacheMode,
    Flags, //
};
use drm::gem::{
    self,
    Class,
    VMap, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    sync::Arc, //
};
use mali_mmu::{
    memory,
    Attributes, //
};

/// A loaded section.
pub(super) struct Section {
    map: VMap<Object>,
    start: u32,
    flags: Flags,
}

impl Section {
    /// Creates a buffer for `source`, fills it and maps it at the section's addresses.
    pub(super) fn load(
        dev: &drm::UnregisteredDevice<'_, Tyr>,
        gpu: &Gpu<'_>,
        mmu: &AddressSpaces<'_>,
        table: &Arc<Table>,
        source: &csf_fw::Section<'_>,
    ) -> Result<Self> {
        let start = source.addresses().start;
        let log_error = |error: &Error| {
            dev_err!(
                gpu.dev,
                "the firmware's section at {:#x} ({} bytes) cannot be loaded: {:?}\n",
                start,
                source.size(),
                error
            );
        };
        Self::try_load(dev, gpu, mmu, table, source).inspect_err(log_error)
    }

    fn try_load(
        dev: &drm::UnregisteredDevice<'_, Tyr>,
        gpu: &Gpu<'_>,
        mmu: &AddressSpaces<'_>,
        table: &Arc<Table>,
        source: &csf_fw::Section<'_>,
    ) -> Result<Self> {
        let size = gem::Size::exact(source.size().into())?;
        let object = Object::new(dev, size, Args::own(gpu.coherent))?;
        let section = Self {
            map: object.vmap()?,
            start: source.addresses().start,
            flags: source.flags(),
        };
        section.fill(source)?;

        let va = u64::from(section.start);
        let bytes = size.bytes() as u64;
        let pages = object.sg_table_in_probe(dev)?;
        let attributes = section.attributes();
        let reserve = mmu.reserve(table, mmu.tables_for_pages(va, pages, 0, bytes))?;
        mmu.change_inactive(table, reserve, |change| {
            change.map_pages(va, pages, 0, bytes, attributes)
        })?;
        dev_dbg!(
            gpu.dev,
            "firmware: {} bytes at {:#x}, flags {:#x}, {} of them from the file\n",
            bytes,
            va,
            section.flags.0,
            source.data().len()
        );
        Ok(section)
    }

    /// Loads the section again, if the firmware may have written to it.
    pub(super) fn reload(&self, source: &csf_fw::Section<'_>) -> Result {
        if self.flags.has(Flags::WRITE) {
            self.fill(source)?;
        }
        Ok(())
    }

    /// Writes the section's data from the file, and zeroes behind it if the section requires that.
    fn fill(&self, source: &csf_fw::Section<'_>) -> Result {
        const ZEROES: [u8; PAGE_SIZE] = [0; PAGE_SIZE];
        self.map.write(0, source.data())?;
        let mut at = source.data().len();
        while self.flags.has(Flags::ZERO) && at < source.size() as usize {
            let count = (source.size() as usize - at).min(PAGE_SIZE);
            self.map.write(at, &ZEROES[..count])?;
            at += count;
        }
        Ok(())
    }

    fn attributes(&self) -> Attributes {
        Attributes {
            read_only: !self.flags.has(Flags::WRITE),
            no_execute: !self.flags.has(Flags::EXECUTE),
            memory: match self.flags.cache_mode() {
                CacheMode::Cached => memory::CACHED,
                _ => memory::UNCACHED,
            },
        }
    }

    /// Returns whether driver and firmware communicate through the section.
    pub(super) fn is_shared(&self) -> bool {
        self.start == csf_fw::SHARED_START
    }

    pub(super) fn map(&self) -> &VMap<Object> {
        &self.map
    }

    pub(super) fn size(&self) -> u32 {
        self.map.object().size().bytes() as u32
    }
}
