// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The MMU's address spaces: the addresses and configuration of their tables, and the commands that apply changes.
//!
//! Source: `panthor_mmu_regs.h`, `panthor_mmu.c` (`pack_region_range`, `mair_to_memattr`), `tyr/regs.rs`.

/// The number of address spaces that have registers. `AS_PRESENT` shows those that exist.
pub const MAX_ADDRESS_SPACES: usize = 16;

const STRIDE: usize = 0x40;

registers! {
    /// Physical address of the root table.
    AS_TRANSTAB[MAX_ADDRESS_SPACES; STRIDE] @ 0x2400, W64, ReadWrite;
    /// The eight kinds of memory to which an entry can refer: [`memattr`].
    AS_MEMATTR[MAX_ADDRESS_SPACES; STRIDE] @ 0x2408, W64, ReadWrite;
    /// The region of the next [`Command::Lock`]: [`LockRegion`].
    AS_LOCKADDR[MAX_ADDRESS_SPACES; STRIDE] @ 0x2410, W64, ReadWrite;
    /// The command to execute: [`Command`].
    AS_COMMAND[MAX_ADDRESS_SPACES; STRIDE] @ 0x2418, W32, Write;
    /// The cause of the last fault: [`FaultStatus`].
    AS_FAULTSTATUS[MAX_ADDRESS_SPACES; STRIDE] @ 0x241c, W32, Read;
    /// The virtual address of the last fault.
    AS_FAULTADDRESS[MAX_ADDRESS_SPACES; STRIDE] @ 0x2420, W64, Read;
    /// Whether a command is in progress: [`status`].
    AS_STATUS[MAX_ADDRESS_SPACES; STRIDE] @ 0x2428, W32, Read;
    /// How tables are read: [`TransCfg`].
    AS_TRANSCFG[MAX_ADDRESS_SPACES; STRIDE] @ 0x2430, W64, ReadWrite;
    /// More on the last fault.
    AS_FAULTEXTRA[MAX_ADDRESS_SPACES; STRIDE] @ 0x2438, W64, Read;
}

/// Bits of `AS_STATUS`.
pub mod status {
    /// A command is in progress; no other may be written.
    pub const ACTIVE: u32 = 1 << 0;
    /// The MMU itself is executing the command.
    pub const ACTIVE_INTERNAL: u32 = 1 << 1;
}

/// The commands for `AS_COMMAND`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Does nothing.
    Nop,
    /// Applies `AS_TRANSTAB`, `AS_MEMATTR` and `AS_TRANSCFG`.
    Update,
    /// Stops accesses to the region in `AS_LOCKADDR` and drops its translations.
    Lock,
    /// Lets accesses to the region continue.
    Unlock,
    /// Cleans the caches of the tables, and unlocks.
    FlushTables,
    /// Cleans all caches, and unlocks.
    FlushMemory,
}

impl Command {
    /// Returns the value to write.
    pub const fn bits(self) -> u32 {
        match self {
            Self::Nop => 0,
            Self::Update => 1,
            Self::Lock => 2,
            Self::Unlock => 3,
            Self::FlushTables => 4,
            Self::FlushMemory => 5,
        }
    }

    /// Returns the command of a written value.
    pub const fn from_bits(bits: u32) -> Option<Self> {
        match bits {
            0 => Some(Self::Nop),
            1 => Some(Self::Update),
            2 => Some(Self::Lock),
            3 => Some(Self::Unlock),
            4 => Some(Self::FlushTables),
            5 => Some(Self::FlushMemory),
            _ => None,
        }
    }
}

fields! {
    /// `AS_TRANSCFG`.
    TransCfg(u64) {
        /// Format of the tables: [`mode`].
        mode, with_mode: 0..4;
        /// 55 less the bits of a virtual address.
        ina_bits, with_ina_bits: 6..11;
        /// 55 less the bits of a physical address; 0 means all bits of the GPU.
        outa_bits, with_outa_bits: 14..19;
        /// Whether root tables are concatenated.
        sl_concat, with_sl_concat: 22..23;
        /// How tables are cached: 1 not, 2 write-back.
        ptw_memattr, with_ptw_memattr: 24..26;
        /// Shareability of tables: 0 none, 2 outer, 3 inner.
        ptw_shareability, with_ptw_shareability: 28..30;
        /// Whether reading a table allocates a cache line.
        ptw_read_allocate, with_ptw_read_allocate: 30..31;
        /// Permissions in table entries are ignored.
        disable_hier_ap, with_disable_hier_ap: 33..34;
        /// An entry without its access flag does not fault.
        disable_af_fault, with_disable_af_fault: 34..35;
        /// Memory that can be written cannot be executed.
        wxn, with_wxn: 35..36;
        /// Memory that can be executed can be read.
        xreadable, with_xreadable: 36..37;
    }
}

/// Values of [`TransCfg::mode`].
pub mod mode {
    /// Every access faults.
    pub const UNMAPPED: u64 = 1;
    /// Addresses are physical.
    pub const IDENTITY: u64 = 2;
    /// AARCH64 stage 1 tables with granules of 4 KiB.
    pub const AARCH64_4K: u64 = 6;
    /// AARCH64 stage 1 tables with granules of 64 KiB.
    pub const AARCH64_64K: u64 = 8;
}

impl TransCfg {
    /// A configuration in which every access faults.
    pub const UNMAPPED: Self = Self(mode::UNMAPPED);

    /// Returns the configuration for tables with granules of 4 KiB for addresses of `va_bits` (25 to 48) bits, cached
    /// when they are read. With `coherent` the GPU snoops the processors' caches.
    pub const fn aarch64_4k(va_bits: u32, coherent: bool) -> Self {
        let outer_shareable = if coherent { 2 } else { 0 };
        Self(mode::AARCH64_4K)
            .with_ina_bits(55u64.saturating_sub(va_bits as u64))
            .with_ptw_memattr(2)
            .with_ptw_read_allocate(1)
            .with_ptw_shareability(outer_shareable)
    }

    /// Returns the bits of a virtual address, if the value means a valid width.
    pub const fn va_bits(self) -> Option<u32> {
        match self.ina_bits() {
            bits @ 7..=30 => Some(55 - bits as u32),
            _ => None,
        }
    }
}

/// Kinds of memory: each a byte of `AS_MEMATTR`, to which a page-table entry refers by its index.
pub mod memattr {
    /// Not cached.
    pub const UNCACHED: u8 = 1 << 6 | 3 << 2;
    /// Cached, write-back, allocated on reads and writes; coherent inside the GPU.
    pub const WRITE_BACK: u8 = 2 << 6 | 3 << 2 | 3;
    /// Like `WRITE_BACK`, and coherent with the processors.
    pub const WRITE_BACK_COHERENT: u8 = WRITE_BACK | 1 << 4;
    /// Every access faults.
    pub const FAULT: u8 = 3 << 6;

    /// Returns the register's value in which kind of memory `index` is `kinds[index]`.
    pub const fn pack(kinds: [u8; 8]) -> u64 {
        u64::from_le_bytes(kinds)
    }

    /// Whether accesses through kind `index`, of at most 8, fault.
    pub const fn faults(register: u64, index: u32) -> bool {
        (register >> (index * 8 + 6)) & 3 == 3
    }
}

/// The region of a lock: its size is a power of two, to which it is aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockRegion {
    start: u64,
    /// Logarithm of the region's bytes.
    order: u32,
}

impl LockRegion {
    /// Logarithm of the smallest region.
    pub const MIN_ORDER: u32 = 15;

    /// Returns the smallest region that contains `size` bytes from `start`, or `None` for no bytes, or for a range that
    /// wraps around.
    pub const fn covering(start: u64, size: u64) -> Option<Self> {
        if size == 0 {
            return None;
        }
        let Some(last) = start.checked_add(size - 1) else { return None };
        // The region extends to the highest bit in which its first and last byte differ.
        let differ = u64::BITS - (start ^ last).leading_zeros();
        let order = if differ < Self::MIN_ORDER { Self::MIN_ORDER } else { differ };
        Some(Self { start: start & !Self::mask(order), order })
    }

    const fn mask(order: u32) -> u64 {
        match order {
            64.. => u64::MAX,
            order => (1 << order) - 1,
        }
    }

    /// Returns the value for `AS_LOCKADDR`.
    pub const fn bits(self) -> u64 {
        self.start | (self.order as u64 - 1)
    }

    /// Returns the region in the register. The hardware ignores bits of the address below the region; a size that is
    /// too small is no region.
    pub const fn from_bits(bits: u64) -> Option<Self> {
        let order = (bits & 0x3f) as u32 + 1;
        if order < Self::MIN_ORDER {
            return None;
        }
        Some(Self { start: bits & !Self::mask(order), order })
    }

    /// Returns the first address.
    pub const fn start(self) -> u64 {
        self.start
    }

    /// Returns the last address.
    pub const fn last(self) -> u64 {
        self.start | Self::mask(self.order)
    }

    /// Whether `address` is in the region.
    pub const fn contains(self, address: u64) -> bool {
        self.start <= address && address <= self.last()
    }
}

/// The kind of access that caused a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessType {
    /// An atomic operation.
    Atomic,
    /// Execution.
    Execute,
    /// A read.
    Read,
    /// A write.
    Write,
}

impl AccessType {
    /// Returns the field's value.
    pub const fn bits(self) -> u32 {
        match self {
            Self::Atomic => 0,
            Self::Execute => 1,
            Self::Read => 2,
            Self::Write => 3,
        }
    }

    /// Returns the meaning of the field's value.
    pub const fn from_bits(bits: u32) -> Self {
        match bits & 3 {
            0 => Self::Atomic,
            1 => Self::Execute,
            2 => Self::Read,
            _ => Self::Write,
        }
    }

    /// Returns the name for messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Atomic => "ATOMIC",
            Self::Execute => "EXECUTE",
            Self::Read => "READ",
            Self::Write => "WRITE",
        }
    }
}

fields! {
    /// `AS_FAULTSTATUS`.
    FaultStatus(u32) {
        /// The fault's code: [`crate::exception`].
        exception, with_exception: 0..8;
        /// The kind of access: [`AccessType`].
        access, with_access: 8..10;
        /// The source of the access.
        source, with_source: 16..32;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn configurations_have_the_values_of_the_c_driver() {
        // PTW_MEMATTR_WB | PTW_RA | ADRMODE_AARCH64_4K | INA_BITS(55 - 48), and PTW_SH_OS.
        assert_eq!(TransCfg::aarch64_4k(48, false).0, 2 << 24 | 1 << 30 | 6 | 7 << 6);
        assert_eq!(TransCfg::aarch64_4k(48, true).0, 2 << 24 | 1 << 30 | 6 | 7 << 6 | 2 << 28);
        assert_eq!(TransCfg::aarch64_4k(48, true).va_bits(), Some(48));
        assert_eq!(TransCfg::UNMAPPED.va_bits(), None);
    }

    #[test]
    fn kinds_of_memory_have_the_values_of_the_c_driver() {
        assert_eq!((memattr::UNCACHED, memattr::WRITE_BACK, memattr::WRITE_BACK_COHERENT), (0x4c, 0x8f, 0x9f));
        let register = memattr::pack([memattr::UNCACHED, memattr::WRITE_BACK, 0, 0, 0, 0, 0, memattr::FAULT]);
        assert_eq!((0..8).map(|index| memattr::faults(register, index)).filter(|faults| *faults).count(), 1);
        assert!(memattr::faults(register, 7));
    }

    #[test]
    fn a_lock_is_packed_as_the_c_driver_packs_it() {
        let bits = |start, size| LockRegion::covering(start, size).map(LockRegion::bits);
        // A page has the smallest region, as its logarithm less one.
        assert_eq!(bits(0x40_0000, 0x1000), Some(0x40_000e));
        // A range across a boundary of 2 MiB needs the naturally aligned block with both sides.
        assert_eq!(bits(0x1f_f000, 0x2000), Some(21));
        assert_eq!(bits(0, u64::MAX), Some(63));
        assert_eq!(bits(0x1000, 0), None);
        assert_eq!(bits(u64::MAX, 2), None);
    }

    proptest! {
        #[test]
        fn a_lock_covers_its_range(start: u64, size in 1u64.., shift in 0u32..64) {
            let (start, size) = (start >> shift, (size >> shift).max(1));
            if let Some(region) = LockRegion::covering(start, size) {
                prop_assert!(region.contains(start) && region.contains(start + (size - 1)));
                prop_assert_eq!(LockRegion::from_bits(region.bits()), Some(region));
                // No region of half the size would do.
                let half = region.start() + (region.last() - region.start()) / 2;
                let needed = start <= half && half < start + (size - 1);
                prop_assert!(needed || region.last() - region.start() == 0x7fff);
            } else {
                prop_assert!(start.checked_add(size - 1).is_none());
            }
        }

        #[test]
        fn no_register_value_is_a_wrong_region(bits: u64) {
            if let Some(region) = LockRegion::from_bits(bits) {
                prop_assert!(region.start() < region.last());
            }
        }
    }

    #[test]
    fn commands_and_accesses_keep_their_values() {
        assert!((0..6).all(|bits| Command::from_bits(bits).map(Command::bits) == Some(bits)));
        assert_eq!(Command::from_bits(6), None);
        assert!((0..4).all(|bits| AccessType::from_bits(bits).bits() == bits));
    }
}
