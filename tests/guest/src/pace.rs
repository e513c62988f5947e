// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Scales time limits: a limit is the one for an idle host with the stock kernel, times the factor that the lab
//! measured at boot.
//!
//! Every limit of a case is scaled here. A limit that a driver keeps by itself, such as the ten seconds of vgem's
//! fences, is not.
//!
//! Source: none; `--patience` is the lab's (`lab/machine/src/pace.rs`).

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

static PATIENCE: AtomicU32 = AtomicU32::new(1);

/// Sets the factor of this process, from its command line.
pub(crate) fn set(patience: u32) {
    PATIENCE.store(patience, Ordering::Relaxed);
}

/// Returns the factor on all time limits.
pub(crate) fn patience() -> u32 {
    PATIENCE.load(Ordering::Relaxed)
}

/// Returns the limit of something that may take `usual` on an idle host.
pub(crate) fn patient(usual: Duration) -> Duration {
    usual * patience()
}

/// Like `patient`, in milliseconds for poll(2) and some ioctls.
pub(crate) fn patient_ms(usual: u32) -> u32 {
    usual.saturating_mul(patience())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_grow_with_the_patience() {
        assert_eq!((patient(Duration::from_secs(2)), patient_ms(5)), (Duration::from_secs(2), 5));
        set(3);
        assert_eq!((patient(Duration::from_secs(2)), patient_ms(5)), (Duration::from_secs(6), 15));
        set(1);
    }
}
