// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! How long something may take on this host: as on an idle one, times a factor that is measured when a machine boots.
//!
//! A boot does the same work each time, before anything of a driver's runs, so what it takes beyond the usual is what the host does
//! not give. Every limit on a guest or a model is written down as for an idle host and goes through [`patient`]; the programs in the
//! guest get the factor on their command lines.
//!
//! Machines that run beside each other get the factor of the slowest.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

/// A boot takes less than this on an idle host with two processors, where every instruction is translated.
const BOOT: Duration = Duration::from_secs(6);

/// The factor's limit: a guest's programs take no higher one.
const MOST: u32 = 100;

/// The factors of the machines that run, each by its number.
static FACTORS: Mutex<BTreeMap<u64, u32>> = Mutex::new(BTreeMap::new());

/// How many machines share the host at a time.
static BESIDE: AtomicU32 = AtomicU32::new(1);

/// Says how many machines share the host from now on. One that boots while there is no other does not find out.
pub(crate) fn share_among(machines: u32) {
    BESIDE.store(machines.max(1), Ordering::Relaxed);
}

/// The factor of a machine, as long as this lives.
#[derive(Debug)]
pub(crate) struct Pace {
    number: u64,
    usual: u32,
}

impl Pace {
    /// Begins with what is known before the boot: the kernel and the way of execution alone make everything `usual` times
    /// slower, and the host is shared.
    pub(crate) fn expect(usual: u32) -> Self {
        let usual = usual.saturating_mul(BESIDE.load(Ordering::Relaxed)).clamp(1, MOST);
        let mut factors = factors();
        let number = factors.last_key_value().map_or(0, |(last, _)| last + 1);
        factors.insert(number, usual);
        Self { number, usual }
    }

    /// Sets the factor by a boot that took so long.
    pub(crate) fn measure(&self, boot: Duration) {
        factors().insert(self.number, factor(boot, self.usual));
    }

    /// The limit of a boot that may take `usual` on an idle host with the stock kernel.
    pub(crate) fn of_boot(&self, usual: Duration) -> Duration {
        usual.saturating_mul(self.usual)
    }
}

impl Drop for Pace {
    fn drop(&mut self) {
        factors().remove(&self.number);
    }
}

fn factors() -> MutexGuard<'static, BTreeMap<u64, u32>> {
    FACTORS.lock().expect("no holder of the lock panics")
}

/// How many times as long as on an idle host with the stock kernel something may take.
pub(crate) fn patience() -> u32 {
    factors().values().copied().max().unwrap_or(1)
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

    #[test]
    fn the_slowest_machine_that_runs_counts() {
        let (slow, quick) = (Pace::expect(4), Pace::expect(1));
        slow.measure(BOOT * 4 * 9);
        quick.measure(BOOT);
        assert_eq!(patience(), 36);
        drop(slow);
        assert_eq!(patience(), 1);
        drop(quick);
        assert_eq!(patience(), 1);
    }
}
