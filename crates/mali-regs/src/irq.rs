// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The three interrupts: GPU, JOB and MMU, each with four registers of one shape.
//!
//! Source: `panthor_device.h` (`INT_RAWSTAT` and its neighbours), `panthor_gpu_regs.h`, `panthor_fw_regs.h`,
//! `panthor_mmu_regs.h`.

use crate::Register;

registers! {
    /// Events that happened, masked or not.
    GPU_IRQ_RAWSTAT @ 0x020, W32, ReadWrite;
    /// Written ones clear events.
    GPU_IRQ_CLEAR @ 0x024, W32, Write;
    /// Events that interrupt.
    GPU_IRQ_MASK @ 0x028, W32, ReadWrite;
    /// Events that happened and interrupt.
    GPU_IRQ_STATUS @ 0x02c, W32, Read;

    /// Events that happened, masked or not.
    JOB_IRQ_RAWSTAT @ 0x1000, W32, ReadWrite;
    /// Written ones clear events.
    JOB_IRQ_CLEAR @ 0x1004, W32, Write;
    /// Events that interrupt.
    JOB_IRQ_MASK @ 0x1008, W32, ReadWrite;
    /// Events that happened and interrupt.
    JOB_IRQ_STATUS @ 0x100c, W32, Read;

    /// Events that happened, masked or not.
    MMU_IRQ_RAWSTAT @ 0x2000, W32, ReadWrite;
    /// Written ones clear events.
    MMU_IRQ_CLEAR @ 0x2004, W32, Write;
    /// Events that interrupt.
    MMU_IRQ_MASK @ 0x2008, W32, ReadWrite;
    /// Events that happened and interrupt.
    MMU_IRQ_STATUS @ 0x200c, W32, Read;
}

/// The registers of one interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Events that happened; writing a one makes an event happen.
    pub rawstat: Register,
    /// Written ones clear events.
    pub clear: Register,
    /// Events that interrupt.
    pub mask: Register,
    /// Events that happened and interrupt.
    pub status: Register,
}

/// The GPU's interrupt: [`gpu`].
pub const GPU: Block =
    Block { rawstat: GPU_IRQ_RAWSTAT, clear: GPU_IRQ_CLEAR, mask: GPU_IRQ_MASK, status: GPU_IRQ_STATUS };

/// The firmware's interrupt: [`job`].
pub const JOB: Block =
    Block { rawstat: JOB_IRQ_RAWSTAT, clear: JOB_IRQ_CLEAR, mask: JOB_IRQ_MASK, status: JOB_IRQ_STATUS };

/// The MMU's interrupt: [`mmu`].
pub const MMU: Block =
    Block { rawstat: MMU_IRQ_RAWSTAT, clear: MMU_IRQ_CLEAR, mask: MMU_IRQ_MASK, status: MMU_IRQ_STATUS };

/// Events of the GPU's interrupt.
pub mod gpu {
    /// `GPU_FAULTSTATUS` has a fault.
    pub const FAULT: u32 = 1 << 0;
    /// A fault in protected mode; the GPU must be reset.
    pub const PROTECTED_FAULT: u32 = 1 << 1;
    /// A reset has ended.
    pub const RESET_COMPLETED: u32 = 1 << 8;
    /// A core changed its power state.
    pub const POWER_CHANGED: u32 = 1 << 9;
    /// No core changes its power state any more.
    pub const POWER_CHANGED_ALL: u32 = 1 << 10;
    /// A flush of caches has ended.
    pub const CLEAN_CACHES_COMPLETED: u32 = 1 << 17;
    /// A doorbell was rung.
    pub const DOORBELL_MIRROR: u32 = 1 << 18;
    /// `MCU_STATUS` changed.
    pub const MCU_STATUS_CHANGED: u32 = 1 << 19;
    /// All events.
    pub const ALL: u32 = FAULT
        | PROTECTED_FAULT
        | RESET_COMPLETED
        | POWER_CHANGED
        | POWER_CHANGED_ALL
        | CLEAN_CACHES_COMPLETED
        | DOORBELL_MIRROR
        | MCU_STATUS_CHANGED;
}

/// Events of the firmware's interrupt.
pub mod job {
    /// The global interface has an event to report.
    pub const GLOBAL: u32 = 1 << 31;

    /// Group slot `slot`, of at most 31, has an event to report.
    pub const fn group(slot: u32) -> u32 {
        1 << slot
    }
}

/// Events of the MMU's interrupt.
pub mod mmu {
    /// A fault in an address space, of at most 16.
    pub const fn fault(address_space: u32) -> u32 {
        1 << address_space
    }

    /// A command of an address space, of at most 16, has ended.
    pub const fn completed(address_space: u32) -> u32 {
        1 << (address_space + 16)
    }
}
