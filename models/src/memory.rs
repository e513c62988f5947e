// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The guest's memory as the device sees it: ranges that the client maps and unmaps, accessed by bus address.
//!
//! Source: vfio-user specification, `VFIO_USER_DMA_MAP` and `VFIO_USER_DMA_UNMAP`.

use std::fs::File;

use rustix::io::Errno;
use vm_memory::mmap::MmapRegionBuilder;
use vm_memory::{Bytes, FileOffset, GuestAddress, GuestMemoryMmap, GuestRegionMmap};
use vm_memory::{GuestMemoryBackend, GuestMemoryRegion};

/// The reason why an access to memory failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DmaError {
    /// The range is not mapped, or not for its whole length.
    #[error("no memory of the guest at {address:#x}, {length:#x} bytes")]
    Unmapped {
        /// The first address.
        address: u64,
        /// The number of bytes.
        length: usize,
    },
    /// The range is read-only.
    #[error("the memory at {address:#x} is read-only")]
    ReadOnly {
        /// The first address.
        address: u64,
    },
    /// The function is not allowed to be a bus master (PCI command register).
    #[error("the function is not allowed to be a bus master")]
    NotMaster,
    /// A planned fault refuses the access.
    #[error("the access is refused")]
    Refused,
}

/// The device's rights to a range that a client maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    /// The device may read.
    pub read: bool,
    /// The device may write.
    pub write: bool,
}

/// All mapped ranges.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    ranges: GuestMemoryMmap,
    /// Read-only ranges, as first and last address.
    read_only: Vec<(u64, u64)>,
}

impl Memory {
    /// Maps `size` bytes of `file` from `offset` on at `address`.
    ///
    /// # Errors
    /// `EINVAL` if the range is empty, overlaps another, wraps around or is beyond the file; any error of `mmap`.
    pub fn map(&mut self, file: File, offset: u64, address: u64, size: u64, rights: Rights) -> Result<(), Errno> {
        let length = usize::try_from(size).ok().filter(|length| *length > 0).ok_or(Errno::INVAL)?;
        let last = address.checked_add(size - 1).ok_or(Errno::INVAL)?;
        let file_end = file.metadata().map_err(|_| Errno::BADF)?.len();
        if !rights.read || offset.checked_add(size).is_none_or(|end| end > file_end) {
            return Err(Errno::INVAL);
        }
        let prot = libc::PROT_READ | if rights.write { libc::PROT_WRITE } else { 0 };
        let region = MmapRegionBuilder::new(length)
            .with_mmap_prot(prot)
            .with_mmap_flags(libc::MAP_SHARED | libc::MAP_NORESERVE)
            .with_file_offset(FileOffset::new(file, offset))
            .build()
            .map_err(|_| Errno::INVAL)?;
        let region = GuestRegionMmap::new(region, GuestAddress(address)).ok_or(Errno::INVAL)?;
        self.ranges = self.ranges.insert_region(region.into()).map_err(|_| Errno::INVAL)?;
        if !rights.write {
            self.read_only.push((address, last));
        }
        Ok(())
    }

    /// Unmaps every range that is within `size` bytes from `address` on, each as a whole.
    ///
    /// # Errors
    /// `EINVAL` if no range is within these bytes, or if a range is only partly in them.
    pub fn unmap(&mut self, address: u64, size: u64) -> Result<(), Errno> {
        let last = address.checked_add(size.checked_sub(1).ok_or(Errno::INVAL)?).ok_or(Errno::INVAL)?;
        let touched: Vec<(u64, u64)> = self.bounds().filter(|(from, to)| *from <= last && *to >= address).collect();
        if touched.is_empty() || touched.iter().any(|(from, to)| *from < address || *to > last) {
            return Err(Errno::INVAL);
        }
        for (from, to) in touched {
            let removed = self.ranges.remove_region(GuestAddress(from), to - from + 1);
            self.ranges = removed.map_err(|_| Errno::INVAL)?.0;
            self.read_only.retain(|(first, _)| *first != from);
        }
        Ok(())
    }

    /// Unmaps all ranges.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Returns first and last address of each range, in order.
    pub fn bounds(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.ranges.iter().map(|range| (range.start_addr().0, range.last_addr().0))
    }

    /// Reads all of `data`, which may span adjacent ranges.
    ///
    /// # Errors
    /// [`DmaError::Unmapped`]; `data` is then undefined.
    pub fn read(&self, address: u64, data: &mut [u8]) -> Result<(), DmaError> {
        let unmapped = DmaError::Unmapped { address, length: data.len() };
        self.ranges.read_slice(data, GuestAddress(address)).map_err(|_| unmapped)
    }

    /// Writes all of `data`.
    ///
    /// # Errors
    /// [`DmaError::ReadOnly`] without writing anything; [`DmaError::Unmapped`] after writing the part before the gap.
    pub fn write(&self, address: u64, data: &[u8]) -> Result<(), DmaError> {
        let unmapped = DmaError::Unmapped { address, length: data.len() };
        let Some(more) = data.len().checked_sub(1) else { return Ok(()) };
        let last = address.checked_add(more as u64).ok_or(unmapped)?;
        if self.read_only.iter().any(|(from, to)| *from <= last && *to >= address) {
            return Err(DmaError::ReadOnly { address });
        }
        self.ranges.write_slice(data, GuestAddress(address)).map_err(|_| unmapped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PAGE: u64 = 4096;
    const BOTH: Rights = Rights { read: true, write: true };

    fn file(pages: u64) -> File {
        let file = tempfile::tempfile().unwrap();
        file.set_len(pages * PAGE).unwrap();
        file
    }

    #[test]
    fn access_crosses_adjacent_ranges() {
        let mut memory = Memory::default();
        memory.map(file(1), 0, 0x10000, PAGE, BOTH).unwrap();
        memory.map(file(2), PAGE, 0x11000, PAGE, BOTH).unwrap();
        memory.write(0x10ffe, &[1, 2, 3, 4]).unwrap();
        let mut data = [0; 4];
        memory.read(0x10ffe, &mut data).unwrap();
        assert_eq!(data, [1, 2, 3, 4]);
        assert_eq!(memory.read(0x11ffe, &mut data), Err(DmaError::Unmapped { address: 0x11ffe, length: 4 }));
    }

    #[test]
    fn a_file_that_is_too_short_is_refused() {
        let mut memory = Memory::default();
        assert_eq!(memory.map(file(1), 0, 0, 2 * PAGE, BOTH), Err(Errno::INVAL));
        assert_eq!(memory.map(file(1), PAGE, 0, PAGE, BOTH), Err(Errno::INVAL));
        assert_eq!(memory.map(file(1), u64::MAX, 0, PAGE, BOTH), Err(Errno::INVAL));
        assert_eq!(memory.map(file(1), 0, u64::MAX - 1, PAGE, BOTH), Err(Errno::INVAL));
    }

    #[test]
    fn read_only_memory_is_not_written() {
        let mut memory = Memory::default();
        memory.map(file(1), 0, PAGE, PAGE, Rights { read: true, write: false }).unwrap();
        assert_eq!(memory.write(PAGE + 8, &[1]), Err(DmaError::ReadOnly { address: PAGE + 8 }));
        memory.unmap(PAGE, PAGE).unwrap();
        memory.map(file(1), 0, PAGE, PAGE, BOTH).unwrap();
        memory.write(PAGE + 8, &[1]).unwrap();
    }

    #[test]
    fn unmap_of_part_of_a_range_is_refused() {
        let mut memory = Memory::default();
        memory.map(file(2), 0, 0, 2 * PAGE, BOTH).unwrap();
        assert_eq!(memory.unmap(0, PAGE), Err(Errno::INVAL));
        assert_eq!(memory.unmap(0, 0), Err(Errno::INVAL));
        memory.unmap(0, 16 * PAGE).unwrap();
        assert_eq!(memory.unmap(0, 16 * PAGE), Err(Errno::INVAL));
    }

    proptest! {
        /// After any sequence of maps and unmaps, exactly the mapped pages can be read, with their bytes.
        #[test]
        fn as_a_table_of_pages(steps in prop::collection::vec((any::<bool>(), 0u64..8, 1u64..4), 1..40)) {
            let mut memory = Memory::default();
            let mut model: std::collections::BTreeMap<u64, u64> = Default::default();
            for (map, page, count) in steps {
                if map {
                    let free = model.iter().all(|(from, pages)| page + count <= *from || from + pages <= page);
                    let done = memory.map(file(count), 0, page * PAGE, count * PAGE, BOTH).is_ok();
                    prop_assert_eq!(done, free);
                    if done {
                        model.insert(page, count);
                    }
                } else {
                    let done = memory.unmap(page * PAGE, count * PAGE).is_ok();
                    let touched: Vec<_> = model.iter().filter(|(from, pages)| **from < page + count && *from + **pages > page)
                        .map(|(from, pages)| (*from, *pages)).collect();
                    let whole = !touched.is_empty() && touched.iter().all(|(from, pages)| *from >= page && from + pages <= page + count);
                    prop_assert_eq!(done, whole);
                    if done {
                        touched.iter().for_each(|(from, _)| { model.remove(from); });
                    }
                }
                for page in 0..12 {
                    let there = model.iter().any(|(from, pages)| *from <= page && page < from + pages);
                    prop_assert_eq!(memory.read(page * PAGE + 8, &mut [0; 8]).is_ok(), there);
                }
            }
        }

        #[test]
        fn no_address_or_size_panics(offset: u64, address: u64, size: u64, at: u64, length in 0usize..64) {
            let mut memory = Memory::default();
            let _ = memory.map(file(2), offset, address, size, BOTH);
            let _ = memory.read(at, &mut vec![0; length]);
            let _ = memory.write(at, &vec![0; length]);
            let _ = memory.unmap(address, size);
        }
    }
}
