// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Scales time limits to this host: the limit for an idle host, times a factor that is measured when a machine boots.
//!
//! A boot does the same work each time, before any driver's code runs. So a boot that takes longer than usual shows how
//! much processor time the host does not give. Every limit on a guest or a model is written for an idle host and passed
//! through [`patient`]. Programs in the guest get the factor on their command lines. Machines that run at the same time
//! use the factor of the slowest.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

/// A boot takes less than this on an idle host with two processors, where every instruction is translated.
const BOOT: Duration = Duration::from_secs(6);

/// The largest factor. The guest's programs accept no larger one.
const MOST: u32 = 100;

/// The factors of the running machines, each by its number.
static FACTORS: Mutex<BTreeMap<u64, u32>> = Mutex::new(BTreeMap::new());

/// The number of machines that share the host at a time.
static BESIDE: AtomicU32 = AtomicU32::new(1);

/// Sets how many machines share the host from now on. A machine that boots alone cannot measure that.
pub fn share_among(machines: u32) {
    BESIDE.store(machines.max(1), Ordering::Relaxed);
}

/// The factor of a machine while this value lives.
#[derive(Debug)]
pub(crate) struct Pace {
    number: u64,
    /// How much slower kernel and way of execution make everything.
    slowness: u32,
    /// How much slower they make everything on a host that other machines share.
    usual: u32,
}

impl Pace {
    /// Starts with what is known before the boot: kernel and way of execution make everything `slowness` times slower,
    /// and the host is shared.
    pub(crate) fn expect(slowness: u32) -> Self {
        let usual = slowness.saturating_mul(BESIDE.load(Ordering::Relaxed)).clamp(1, MOST);
        let mut factors = factors();
        let number = factors.last_key_value().map_or(0, |(last, _)| last + 1);
        factors.insert(number, usual);
        Self { number, slowness, usual }
    }

    /// Sets the factor from the duration of a boot.
    pub(crate) fn measure(&self, boot: Duration) {
        factors().insert(self.number, factor(boot, self.usual));
    }

    /// Returns the time limit of a boot, given the limit with the stock kernel on any host, shared or not.
    pub(crate) fn of_boot(&self, limit: Duration) -> Duration {
        limit.saturating_mul(self.slowness)
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

/// Returns the factor by which operations may take longer than on an idle host with the stock kernel.
pub fn patience() -> u32 {
    factors().values().copied().max().unwrap_or(1)
}

/// A time limit that no operation reaches.
pub const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// Whether a debugger may stop the guest at any time.
static IS_DEBUGGED: AtomicBool = AtomicBool::new(false);

/// Ends all time limits from now on, because a debugger may stop the guest.
pub fn without_limits() {
    IS_DEBUGGED.store(true, Ordering::Relaxed);
}

/// Returns the time limit of an operation that may take `usual` on an idle host with the stock kernel.
pub fn patient(usual: Duration) -> Duration {
    if IS_DEBUGGED.load(Ordering::Relaxed) { FOREVER } else { usual.saturating_mul(patience()) }
}

fn factor(boot: Duration, usual: u32) -> u32 {
    let slower = boot.as_secs_f64() / (BOOT * usual).as_secs_f64();
    // The conversion saturates: a float that does not fit becomes the largest number.
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
    fn sharing_the_host_does_not_make_the_limit_of_a_boot_longer() {
        let limit = Duration::from_secs(300);
        let shared = Pace { number: u64::MAX, slowness: 8, usual: 48 };
        assert_eq!(shared.of_boot(limit), limit * 8);
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
