// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A section to load: a range of the microcontroller's addresses, and the bytes with which it begins.

use core::ops::Range;

use crate::error::Reason;
use crate::{PAGE_SIZE, SHARED_START, read};

/// How the microcontroller may cache a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheMode {
    /// The microcontroller must not cache the section.
    None,
    /// The microcontroller may cache the section.
    Cached,
    /// The microcontroller must not cache the section; accesses are coherent with the processors.
    UncachedCoherent,
    /// The microcontroller may cache the section; accesses are coherent with the processors.
    CachedCoherent,
}

/// A section's flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(pub u32);

impl Flags {
    /// The microcontroller may read it.
    pub const READ: u32 = 1 << 0;
    /// The microcontroller may write it.
    pub const WRITE: u32 = 1 << 1;
    /// The microcontroller may execute it.
    pub const EXECUTE: u32 = 1 << 2;
    /// The [`CacheMode`], two bits.
    pub const CACHE_MODE: u32 = 3 << 3;
    /// The section is for protected mode only.
    pub const PROTECTED: u32 = 1 << 5;
    /// The section is shared by driver and firmware.
    pub const SHARED: u32 = 1 << 30;
    /// The rest behind the data is zero.
    pub const ZERO: u32 = 1 << 31;

    const KNOWN: u32 =
        Self::READ | Self::WRITE | Self::EXECUTE | Self::CACHE_MODE | Self::PROTECTED | Self::SHARED | Self::ZERO;

    /// Whether all bits of `mask` are set.
    pub const fn has(self, mask: u32) -> bool {
        self.0 & mask == mask
    }

    /// Returns how the section may be cached.
    pub const fn cache_mode(self) -> CacheMode {
        match (self.0 & Self::CACHE_MODE) >> 3 {
            0 => CacheMode::None,
            1 => CacheMode::Cached,
            2 => CacheMode::UncachedCoherent,
            _ => CacheMode::CachedCoherent,
        }
    }
}

/// A section of the firmware.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Section<'a> {
    flags: Flags,
    start: u32,
    end: u32,
    data: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Section<'a> {
    /// Parses a section from the words of its entry.
    pub(crate) fn parse(file: &'a [u8], body: &'a [u8]) -> Result<Self, Reason> {
        let word = |index: usize| read::word(body, index * 4).ok_or(Reason::Truncated);
        let (flags, start, end) = (word(0)?, word(1)?, word(2)?);
        let (data_start, data_end) = (word(3)?, word(4)?);
        if flags & !Flags::KNOWN != 0 {
            return Err(Reason::SectionFlags(flags));
        }
        if start > end || start % PAGE_SIZE != 0 || end % PAGE_SIZE != 0 {
            return Err(Reason::SectionAddresses { start, end });
        }
        let data =
            read::range(file, data_start, data_end).ok_or(Reason::SectionData { start: data_start, end: data_end })?;
        if data.len() > (end - start) as usize {
            return Err(Reason::SectionTooSmall);
        }
        let section = Self { flags: Flags(flags), start, end, data, rest: body.get(20..).unwrap_or_default() };
        if start == SHARED_START && section.is_loaded() && !section.flags.has(Flags::SHARED) {
            return Err(Reason::NotShared);
        }
        Ok(section)
    }

    /// Returns the section's flags.
    pub fn flags(&self) -> Flags {
        self.flags
    }

    /// Returns the section's range of the microcontroller's addresses, in whole pages.
    pub fn addresses(&self) -> Range<u32> {
        self.start..self.end
    }

    /// Returns the section's size in bytes.
    pub fn size(&self) -> u32 {
        self.end - self.start
    }

    /// Returns the bytes with which the section begins, at most its size.
    pub fn data(&self) -> &'a [u8] {
        self.data
    }

    /// Whether a driver without protected mode loads the section: it is not for that mode, and not empty.
    pub fn is_loaded(&self) -> bool {
        !self.flags.has(Flags::PROTECTED) && self.start != self.end
    }

    /// Whether this is the section that driver and firmware share as their interface.
    pub fn is_shared_interface(&self) -> bool {
        self.start == SHARED_START && self.is_loaded()
    }

    /// Returns the section's name, if it has one. The published firmware has none: it has a number in its place.
    pub fn name(&self) -> Option<&'a str> {
        read::text(self.rest).filter(|name| !name.is_empty())
    }
}

impl core::fmt::Debug for Section<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let addresses = self.addresses();
        write!(f, "Section({:#x}..{:#x}, ", addresses.start, addresses.end)?;
        write!(f, "flags {:#x}, {} bytes of data)", self.flags.0, self.data.len())
    }
}
