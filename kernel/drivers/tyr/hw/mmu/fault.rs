// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Faults of the GPU in address spaces, and the interrupt that reports them.
//!
//! Source: `crates/mali-regs` (`exception.rs`, `mmu.rs`).

use super::AddressSpaces;
use crate::hw::{
    gpu::Gpu,
    irq::{
        HandleEvents,
        Line, //
    },
};
use kernel::{
    prelude::*,
    sync::Arc, //
};
use mali_regs::{
    exception, irq,
    mmu::{
        self,
        AccessType,
        FaultStatus,
        MAX_ADDRESS_SPACES, //
    },
};

/// The reason why a table is no longer used: the first error.
#[derive(Clone, Copy)]
pub(crate) struct Fault {
    /// `AS_FAULTSTATUS`, or all ones if the MMU did not answer.
    pub(crate) status: u32,
    /// The virtual address.
    pub(crate) address: u64,
}

impl Fault {
    /// The fault of a table for which the MMU did not answer.
    pub(crate) const LOST: Self = Self {
        status: u32::MAX,
        address: 0,
    };

    /// Returns whether this is [`LOST`](Self::LOST).
    pub(super) fn is_lost(&self) -> bool {
        self.status == Self::LOST.status
    }
}

/// The handler of the MMU's line.
pub(crate) struct IrqHandler<'bound>(pub(crate) Arc<AddressSpaces<'bound>>);

impl HandleEvents for IrqHandler<'_> {
    fn line<'a>(&self, gpu: &'a Gpu<'_>) -> &'a Line {
        &gpu.mmu_line
    }

    fn handle_events(&self, _gpu: &Gpu<'_>, events: u32) {
        for slot in 0..MAX_ADDRESS_SPACES {
            let fault = irq::mmu::fault(slot as u32);
            if events & fault != 0 {
                self.0.handle_fault(slot);
            }
        }
    }
}

impl AddressSpaces<'_> {
    /// Ends the use of a table after an access through its slot faulted. No code handles such
    /// faults.
    fn handle_fault(&self, slot: usize) {
        let regs = &self.gpu.regs;
        let fault = irq::mmu::fault(slot as u32);
        let mut slots = self.slots.lock();
        // While this waited for the lock, the slot may have been assigned to another table. That
        // clears the fault of the last one.
        let rawstat = regs.read(self.gpu.mmu_line.block.rawstat);
        if rawstat & fault == 0 || rawstat == u32::MAX {
            return;
        }
        let status = FaultStatus(regs.read_at(mmu::AS_FAULTSTATUS, slot));
        let address = regs.read64_at(mmu::AS_FAULTADDRESS, slot);
        dev_err!(
            self.gpu.dev,
            "unhandled page fault in AS{} at {:#x}: {} by {}, source {:#x} (AS_FAULTSTATUS = {:#x})\n",
            slot,
            address,
            exception::name(status.exception()).unwrap_or("unknown"),
            AccessType::from_bits(status.access()).name(),
            status.source(),
            status.0
        );
        if let Some(table) = &slots.slots[slot].table {
            table.fail(Fault {
                status: status.0,
                address,
            });
        }
        // A failure is logged. The MMU may then still see the table, and the table keeps its slot.
        let _ = self.free_slot(&mut slots, slot);
        self.gpu.clear(&self.gpu.mmu_line, fault);
    }
}
