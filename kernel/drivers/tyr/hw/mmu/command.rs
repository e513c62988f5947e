// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The MMU's commands: setting the table of a slot, and making a change visible.
//!
//! Source: `crates/mali-regs` (`mmu.rs`); drivers/gpu/drm/panthor/panthor_mmu.c. Like that driver,
//! this one flushes with a command of the GPU rather than of the MMU.

use crate::hw::gpu::Gpu;
use core::ops::Range;
use kernel::{
    prelude::*,
    time::Delta, //
};
use mali_regs::{
    irq,
    mmu::{
        self,
        status,
        Command,
        LockRegion,
        TransCfg, //
    },
};

const POLL_INTERVAL: Delta = Delta::from_micros(10);
/// The time that a command may take. It is much longer than needed, because an emulated GPU on a
/// busy machine may not be scheduled for a while.
const TIMEOUT: Delta = Delta::from_secs(1);

/// The configuration of a slot for a table.
#[derive(Clone, Copy)]
pub(super) struct Setup {
    /// The physical address of the root table.
    pub(super) root: u64,
    /// The kinds of memory.
    pub(super) attributes: u64,
    /// The format of the tables.
    pub(super) config: TransCfg,
}

/// Waits until the slot accepts a command.
fn wait_until_ready(gpu: &Gpu<'_>, slot: usize) -> Result {
    gpu.regs
        .poll(
            |regs| regs.read_at(mmu::AS_STATUS, slot).into(),
            |value| value as u32 & (status::ACTIVE | status::ACTIVE_INTERNAL) == 0,
            POLL_INTERVAL,
            TIMEOUT,
        )
        .map(drop)
        .map_err(|timeout| {
            gpu.log_error(
                timeout.error,
                format_args!(
                    "address space {slot}: the MMU does not answer: AS_STATUS = {:#x}",
                    timeout.last
                ),
            )
        })
}

/// Issues a command and waits until it is done.
fn run(gpu: &Gpu<'_>, slot: usize, command: Command) -> Result {
    wait_until_ready(gpu, slot)?;
    gpu.regs.write_at(mmu::AS_COMMAND, slot, command.bits());
    wait_until_ready(gpu, slot)
}

/// Makes the slot use a table. Its earlier accesses have ended.
pub(super) fn enable(gpu: &Gpu<'_>, slot: usize, setup: Setup) -> Result {
    // A fault that is still pending belongs to the slot's last table.
    gpu.clear(&gpu.mmu_line, irq::mmu::fault(slot as u32));
    write_setup(gpu, slot, setup);
    run(gpu, slot, Command::Update)?;
    gpu.change_mask(&gpu.mmu_line, irq::mmu::fault(slot as u32), 0);
    Ok(())
}

/// Makes every access through the slot fault. The caches are flushed first, so that no write
/// arrives late.
pub(super) fn disable(gpu: &Gpu<'_>, slot: usize) -> Result {
    gpu.change_mask(&gpu.mmu_line, 0, irq::mmu::fault(slot as u32));
    if gpu.is_reset() {
        return Ok(());
    }
    if gpu.reset_pending() {
        return Err(ETIMEDOUT);
    }
    gpu.flush_caches()?;
    let nothing = Setup {
        root: 0,
        attributes: 0,
        config: TransCfg::UNMAPPED,
    };
    write_setup(gpu, slot, nothing);
    run(gpu, slot, Command::Update)
}

fn write_setup(gpu: &Gpu<'_>, slot: usize, setup: Setup) {
    gpu.regs.write64_at(mmu::AS_TRANSTAB, slot, setup.root);
    gpu.regs.write64_at(mmu::AS_MEMATTR, slot, setup.attributes);
    gpu.regs.write64_at(mmu::AS_TRANSCFG, slot, setup.config.0);
}

/// Blocks accesses to a region, until [`flush_and_unlock`].
pub(super) fn lock(gpu: &Gpu<'_>, slot: usize, region: Range<u64>) -> Result {
    let region = LockRegion::covering(region.start, region.end.saturating_sub(region.start))
        .ok_or(EINVAL)?;
    wait_until_ready(gpu, slot)?;
    gpu.regs.write64_at(mmu::AS_LOCKADDR, slot, region.bits());
    run(gpu, slot, Command::Lock)
}

/// Makes the GPU drop its cached data of the region, and allows accesses again.
pub(super) fn flush_and_unlock(gpu: &Gpu<'_>, slot: usize) -> Result {
    gpu.flush_caches()?;
    run(gpu, slot, Command::Unlock)
}
