// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The GPU control block: identity, commands, status.
//!
//! Source: `panthor_gpu_regs.h`, `tyr/regs.rs`.

registers! {
    /// The GPU's identity: [`crate::GpuId`].
    GPU_ID @ 0x000, W32, Read;
    /// The level 2 cache: [`crate::id::L2Features`].
    L2_FEATURES @ 0x004, W32, Read;
    /// Variant of the shader cores.
    CORE_FEATURES @ 0x008, W32, Read;
    /// The tiler: [`crate::id::TilerFeatures`].
    TILER_FEATURES @ 0x00c, W32, Read;
    /// Memory system: [`crate::id::MemFeatures`].
    MEM_FEATURES @ 0x010, W32, Read;
    /// Widths of addresses: [`crate::id::MmuFeatures`].
    MMU_FEATURES @ 0x014, W32, Read;
    /// A bit for each address space.
    AS_PRESENT @ 0x018, W32, Read;
    /// Versions of the command stream frontend: [`crate::id::CsfId`].
    CSF_ID @ 0x01c, W32, Read;
    /// The command to execute: [`Command`].
    GPU_COMMAND @ 0x030, W32, Write;
    /// The GPU's activity: [`status`].
    GPU_STATUS @ 0x034, W32, Read;
    /// The cause of the last fault: [`FaultStatus`].
    GPU_FAULTSTATUS @ 0x03c, W32, Read;
    /// The address of the last fault.
    GPU_FAULTADDRESS @ 0x040, W64, Read;
    /// Configuration of the level 2 cache; takes effect when it is powered on.
    L2_CONFIG @ 0x048, W32, ReadWrite;
    /// Opens the power overrides when [`PWR_KEY_UNLOCK`] is written.
    PWR_KEY @ 0x050, W32, Write;
    /// Overrides of the power control.
    PWR_OVERRIDE0 @ 0x054, W32, ReadWrite;
    /// Overrides of the power control.
    PWR_OVERRIDE1 @ 0x058, W32, ReadWrite;
    /// Features that came with architecture 11; zero before.
    GPU_FEATURES @ 0x060, W64, Read;
    /// Added to the system's time to make `TIMESTAMP`.
    TIMESTAMP_OFFSET @ 0x088, W64, ReadWrite;
    /// Cycles of the GPU's clock while it is on.
    CYCLE_COUNT @ 0x090, W64, Read;
    /// The system's time.
    TIMESTAMP @ 0x098, W64, Read;
    /// Threads of a core.
    THREAD_MAX_THREADS @ 0x0a0, W32, Read;
    /// Threads of a workgroup.
    THREAD_MAX_WORKGROUP_SIZE @ 0x0a4, W32, Read;
    /// Threads that can wait for a barrier.
    THREAD_MAX_BARRIER_SIZE @ 0x0a8, W32, Read;
    /// The resources of a core for its threads: [`crate::id::ThreadFeatures`].
    THREAD_FEATURES @ 0x0ac, W32, Read;
    /// A bit for each format of textures.
    TEXTURE_FEATURES[4; 4] @ 0x0b0, W32, Read;
    /// Revision beyond `GPU_ID`.
    REVIDR @ 0x280, W32, Read;
    /// A bit for each coherency protocol of [`coherency`] that the GPU supports.
    COHERENCY_FEATURES @ 0x300, W32, Read;
    /// The protocol in use; takes effect when the level 2 cache is powered on.
    COHERENCY_ENABLE @ 0x304, W32, ReadWrite;
}

/// The value that opens the power overrides.
pub const PWR_KEY_UNLOCK: u32 = 0x2968_a819;

/// The kind of a cache flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// The cache is not flushed.
    None,
    /// Dirty lines are written to memory.
    Clean,
    /// The contents are dropped.
    Invalidate,
    /// Dirty lines are written to memory, then the contents are dropped.
    CleanInvalidate,
}

impl Flush {
    const fn bits(self) -> u32 {
        match self {
            Self::None => 0,
            Self::Clean => 1,
            Self::Invalidate => 2,
            Self::CleanInvalidate => 3,
        }
    }

    const fn from_bits(bits: u32) -> Option<Self> {
        match bits & 0xf {
            0 => Some(Self::None),
            1 => Some(Self::Clean),
            2 => Some(Self::Invalidate),
            3 => Some(Self::CleanInvalidate),
            _ => None,
        }
    }
}

/// The commands for `GPU_COMMAND`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Does nothing.
    Nop,
    /// Resets the GPU once its bus transfers have ended; `RESET_COMPLETED` reports the end.
    SoftReset,
    /// Resets the GPU at once.
    HardReset,
    /// Flushes caches; `CLEAN_CACHES_COMPLETED` reports the end.
    FlushCaches {
        /// The level 2 cache.
        l2: Flush,
        /// The load and store caches of the shader cores.
        load_store: Flush,
        /// All other caches.
        other: Flush,
    },
    /// Clears `GPU_FAULTSTATUS` and `GPU_FAULTADDRESS`.
    ClearFault,
}

impl Command {
    /// Returns the value to write.
    pub const fn bits(self) -> u32 {
        match self {
            Self::Nop => 0,
            Self::SoftReset => 1 | 1 << 8,
            Self::HardReset => 1 | 2 << 8,
            Self::FlushCaches { l2, load_store, other } => {
                4 | l2.bits() << 8 | load_store.bits() << 12 | other.bits() << 16
            }
            Self::ClearFault => 7,
        }
    }

    /// Returns the command of a written value, or `None` if it is no command.
    pub const fn from_bits(bits: u32) -> Option<Self> {
        let flushes = (Flush::from_bits(bits >> 8), Flush::from_bits(bits >> 12), Flush::from_bits(bits >> 16));
        let command = match (bits & 0xff, flushes) {
            (0, _) => Self::Nop,
            (1, _) if bits >> 8 == 1 => Self::SoftReset,
            (1, _) if bits >> 8 == 2 => Self::HardReset,
            (4, (Some(l2), Some(load_store), Some(other))) => Self::FlushCaches { l2, load_store, other },
            (7, _) => Self::ClearFault,
            _ => return None,
        };
        // Bits outside of the command's fields are a mistake.
        if command.bits() == bits { Some(command) } else { None }
    }
}

/// Bits of `GPU_STATUS`.
pub mod status {
    /// The GPU is active.
    pub const ACTIVE: u32 = 1 << 0;
    /// A power domain is changing.
    pub const POWER_ACTIVE: u32 = 1 << 1;
    /// A page fault is pending.
    pub const PAGE_FAULT: u32 = 1 << 4;
    /// The GPU is in protected mode.
    pub const PROTECTED_MODE_ACTIVE: u32 = 1 << 7;
    /// Debugging is allowed.
    pub const DEBUG_ENABLED: u32 = 1 << 8;
}

/// Coherency protocols: the bit in `COHERENCY_FEATURES` and the value of `COHERENCY_ENABLE`.
pub mod coherency {
    /// The GPU snoops the processors.
    pub const ACE_LITE: u32 = 0;
    /// GPU and processors snoop each other.
    pub const ACE: u32 = 1;
    /// There is no snooping.
    pub const NONE: u32 = 31;
}

fields! {
    /// `GPU_FAULTSTATUS`.
    FaultStatus(u32) {
        /// The fault's code: [`crate::exception`].
        exception, with_exception: 0..8;
        /// The kind of access: [`crate::mmu::AccessType`].
        access, with_access: 8..10;
        /// Whether `GPU_FAULTADDRESS` is valid.
        address_valid, with_address_valid: 10..11;
        /// Whether the next field is valid.
        address_space_valid, with_address_space_valid: 11..12;
        /// The address space.
        address_space, with_address_space: 12..16;
        /// The source of the access.
        source, with_source: 16..32;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn commands_have_the_values_of_the_hardware() {
        assert_eq!(Command::SoftReset.bits(), 0x101);
        assert_eq!(Command::HardReset.bits(), 0x201);
        let (l2, load_store) = (Flush::CleanInvalidate, Flush::CleanInvalidate);
        assert_eq!(Command::FlushCaches { l2, load_store, other: Flush::Invalidate }.bits(), 0x2_3304);
    }

    proptest! {
        #[test]
        fn a_value_is_one_command_or_none(bits in prop_oneof![any::<u32>(), 0u32..0x10_0000]) {
            if let Some(command) = Command::from_bits(bits) {
                prop_assert_eq!(command.bits(), bits);
            }
        }
    }

    #[test]
    fn every_command_is_understood() {
        let flushes = [Flush::None, Flush::Clean, Flush::Invalidate, Flush::CleanInvalidate];
        let flush = |l2| Command::FlushCaches { l2, load_store: Flush::Clean, other: Flush::None };
        let commands = [Command::Nop, Command::SoftReset, Command::HardReset, Command::ClearFault];
        for command in commands.into_iter().chain(flushes.map(flush)) {
            assert_eq!(Command::from_bits(command.bits()), Some(command));
        }
        for wrong in [0x1, 0x301, 0x2, 0x1_0000, 0x404, 0x10_0004] {
            assert_eq!(Command::from_bits(wrong), None, "{wrong:#x}");
        }
    }
}
