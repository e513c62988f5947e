// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Reads from the registers which GPU this is, and whether it is ready.
//!
//! Source: Documentation/gpu/nova/core/devinit.rst; `crates/nova-regs` for the registers.

use kernel::{
    device::{
        Bound,
        Device, //
    },
    io::{
        poll::read_poll_timeout,
        Io, //
    },
    pci,
    prelude::*,
    time::Delta, //
};
use nova_regs::{
    regs::{
        GfwBoot,
        GfwBootPrivLevelMask,
        PmcBoot0,
        PmcBoot42,
        Register,
        Revision, //
    },
    Chip,
    Readiness, //
};

/// The mapped registers.
pub(crate) type Bar<'bound> = pci::Bar<'bound, { nova_regs::pci::REGISTERS_SIZE }>;

/// The time that a GPU may take to boot. It starts to boot when it comes out of reset, long before
/// a driver probes it.
const BOOT_TIMEOUT: Delta = Delta::from_secs(4);

/// Reads a register. Inlined, so that the offset is a constant when it is compared with the size of
/// the BAR.
#[inline(always)]
fn read<R: Register>(bar: &Bar<'_>) -> R {
    bar.read32(R::OFFSET).into()
}

/// Identifies the GPU if this driver supports it. Logs the GPU, or why it is not supported.
///
/// Fails with `ENODEV` if the GPU does not respond or is not known. Fails with `EOPNOTSUPP` if it
/// is known but boots in another way.
pub(crate) fn identify(dev: &Device<Bound>, bar: &Bar<'_>) -> Result<(Chip, Revision)> {
    let boot0: PmcBoot0 = read(bar);
    if boot0.is_absent() {
        dev_err!(dev, "the GPU does not answer: its registers read as ones\n");
        return Err(ENODEV);
    }
    if boot0.is_older_than_fermi() {
        dev_err!(
            dev,
            "Unsupported chipset: boot0 = {:#010x} (older than Fermi)\n",
            u32::from(boot0)
        );
        return Err(ENODEV);
    }
    let boot42: PmcBoot42 = read(bar);
    let Some(chip) = Chip::identify(boot42) else {
        dev_err!(
            dev,
            "Unsupported chipset: boot42 = {:#010x} (architecture {:#x}, implementation {:#x})\n",
            u32::from(boot42),
            boot42.architecture(),
            boot42.implementation()
        );
        return Err(ENODEV);
    };
    let (architecture, revision) = (chip.architecture(), boot42.revision());
    dev_info!(
        dev,
        "NVIDIA (Chipset: {}, Architecture: {:?}, Revision: {:x}.{:x})\n",
        chip.name(),
        architecture,
        revision.major(),
        revision.minor()
    );
    match architecture.readiness() {
        Readiness::Gfw => Ok((chip, revision)),
        Readiness::Fsp => {
            dev_err!(
                dev,
                "Unsupported chipset: {} boots by its FSP, which this driver does not know\n",
                chip.name()
            );
            Err(EOPNOTSUPP)
        }
    }
}

/// Returns the boot progress of the GPU's own firmware, if the firmware allows reading it yet.
fn progress(bar: &Bar<'_>) -> Option<GfwBoot> {
    let mask: GfwBootPrivLevelMask = read(bar);
    mask.is_readable().then(|| read(bar))
}

/// Waits until the GPU's own firmware has set it up. Fails with `ETIMEDOUT` if that takes too long,
/// and with `ENODEV` if the GPU disappears.
///
/// Context: process context, sleeps.
pub(crate) fn wait_until_ready(dev: &Device<Bound>, bar: &Bar<'_>) -> Result {
    let waited = read_poll_timeout(
        || Ok(progress(bar)),
        |progress| progress.is_some_and(GfwBoot::is_completed),
        Delta::from_millis(1),
        BOOT_TIMEOUT,
    );
    // All ones also look like completed progress.
    if read::<PmcBoot0>(bar).is_absent() {
        dev_err!(dev, "the GPU is gone while it boots\n");
        return Err(ENODEV);
    }
    waited.map(drop).inspect_err(|_| match progress(bar) {
        Some(at) => dev_err!(
            dev,
            "GFW boot did not complete: it is at {:#x}\n",
            at.progress()
        ),
        None => dev_err!(dev, "GFW boot did not complete: it cannot be read yet\n"),
    })
}
