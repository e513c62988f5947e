// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! How long something may take on this host: as on an idle one, times a factor that is measured when a machine boots.
//!
//! A boot does the same work each time, before anything of a driver's runs, so what it takes beyond the usual is what the host does
//! not give. Every limit on a guest or a model is written down as for an idle host and goes through [`patient`]; the programs in the
//! guest get the factor on their command lines.
//!
//! The lab runs one machine at a time, so the factor is one of the process.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A boot takes less than this on an idle host with two processors, where every instruction is translated.
const BOOT: Duration = Duration::from_secs(6);

/// The factor's limit: a guest's programs take no higher one.
const MOST: u32 = 100;

static PATIENCE: AtomicU32 = AtomicU32::new(1);

/// Begins with what the kernel and the way of execution alone make slower: `usual` times. Nothing else is known before the boot.
pub(crate) fn expect(usual: u32) {
    PATIENCE.store(usual.clamp(1, MOST), Ordering::Relaxed);
}

/// Sets the factor by a boot that took so long, where it takes `usual` times as long as the stock kernel's.
pub(crate) fn measure(boot: Duration, usual: u32) {
    PATIENCE.store(factor(boot, usual), Ordering::Relaxed);
}

/// How many times as long as on an idle host with the stock kernel something may take.
pub(crate) fn patience() -> u32 {
    PATIENCE.load(Ordering::Relaxed)
}

/// The limit of something that may take `usual` on an idle host with the stock kernel.
pub(crate) fn patient(usual: Duration) -> Duration {
    usual.saturating_mul(patience())
}

fn factor(boot: Duration, usual: u32) -> u32 {
    let slower = boot.as_secs_f64() / (BOOT * usual).as_secs_f64();
    // A float that does not fit becomes the greatest number.
    usual.saturating_mul(slower.ceil().max(1.0) as u32).clamp(1, MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_host_changes_nothing() {
        assert_eq!(factor(BOOT / 10, 1), 1);
        assert_eq!(factor(BOOT, 1), 1);
        assert_eq!(factor(BOOT * 8, 8), 8);
    }

    #[test]
    fn a_boot_that_takes_longer_makes_all_limits_longer() {
        assert_eq!(factor(BOOT * 3, 1), 3);
        assert_eq!(factor(BOOT * 5 / 2, 1), 3);
        assert_eq!(factor(BOOT * 16, 8), 16);
    }

    #[test]
    fn there_is_a_greatest_factor() {
        assert_eq!(factor(Duration::from_secs(1 << 40), 8), MOST);
        assert_eq!(factor(Duration::MAX, 1), MOST);
    }
}
