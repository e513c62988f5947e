// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Sync objects, as instructions of command streams access them. Until those are executed, only tests read them.
//!
//! Source: `drivers/gpu/drm/panthor/panthor_sched.c` of Linux 7.3.

use csf_iface::sync::{Sync32, Sync64};
use mali_mmu::Access;
use zerocopy::{FromZeros, IntoBytes};

use super::mmu::Mmu;
use super::space::Fault;
use crate::bus::Bus;

/// The reason why something is no sync object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// The address is not aligned to the size.
    Unaligned,
    /// The GPU could not write it.
    Fault(Fault),
}

/// Returns value and status of the sync object at an address. An error is not reported to the driver.
pub(super) fn read(mmu: &mut Mmu, bus: &mut Bus, space: usize, va: u64, wide: bool) -> Result<(u64, u32), Wrong> {
    let size = if wide { size_of::<Sync64>() } else { size_of::<Sync32>() };
    if va % size as u64 != 0 {
        return Err(Wrong::Unaligned);
    }
    mmu.check(bus, space, va, size, Access::Write).map_err(Wrong::Fault)?;
    let (mut small, mut large) = (Sync32::new_zeroed(), Sync64::new_zeroed());
    let data = if wide { large.as_mut_bytes() } else { small.as_mut_bytes() };
    let space = mmu.space_mut(space).expect("it was found before");
    space.load(bus, va, data).map_err(Wrong::Fault)?;
    Ok(if wide { (large.value, large.status) } else { (small.value.into(), small.status) })
}
