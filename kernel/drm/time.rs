// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Clocks as userspace reads them.
//!
//! C headers: `include/linux/timekeeping.h`, `include/linux/time_namespace.h`

use kernel::{
    bindings,
    time::{
        ClockSource,
        Monotonic, //
    },
};

/// The monotonic clock without frequency adjustment: `CLOCK_MONOTONIC_RAW`.
pub enum MonotonicRaw {}

// SAFETY: `ktime_get_raw()` counts from boot, so it is neither negative nor more than `KTIME_MAX`
// (L28).
unsafe impl ClockSource for MonotonicRaw {
    const ID: bindings::clockid_t = bindings::CLOCK_MONOTONIC_RAW as bindings::clockid_t;

    fn ktime_get() -> bindings::ktime_t {
        // SAFETY: It may be called in any context but NMI (L28).
        unsafe { bindings::ktime_get_raw() }
    }
}

/// A clock that a time namespace shifts like the monotonic one. Sealed.
pub trait Shifted: ClockSource + private::Sealed {
    /// Returns what the calling process would read when the clock is at `nanoseconds`, shifted by
    /// its time namespace.
    ///
    /// A process that exits has left its namespaces when its files are closed. The value is not
    /// shifted then. In an interrupt, the calling process is the interrupted one.
    ///
    /// Context: any, but only in an ioctl is the caller certainly the client.
    fn for_caller(nanoseconds: i64) -> i64 {
        // SAFETY: There are no preconditions. The helper checks whether the current task still has
        // namespaces. The task keeps them until it drops them itself (L28).
        unsafe { crate::raw::drm_rust_in_time_namespace(nanoseconds) }
    }
}

mod private {
    pub trait Sealed {}
}

impl private::Sealed for Monotonic {}
impl private::Sealed for MonotonicRaw {}
impl Shifted for Monotonic {}
impl Shifted for MonotonicRaw {}
