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

/// The monotonic clock before it is adjusted to run as others do: `CLOCK_MONOTONIC_RAW`.
pub enum MonotonicRaw {}

// SAFETY: `ktime_get_raw()` counts from the boot on, so it is neither negative nor more
// than `KTIME_MAX` (L28).
unsafe impl ClockSource for MonotonicRaw {
    const ID: bindings::clockid_t = bindings::CLOCK_MONOTONIC_RAW as bindings::clockid_t;

    fn ktime_get() -> bindings::ktime_t {
        // SAFETY: May be called in any context but NMI (L28).
        unsafe { bindings::ktime_get_raw() }
    }
}

/// A clock that a time namespace shifts as it does the monotonic one. Sealed.
pub trait Shifted: ClockSource + private::Sealed {
    /// Returns what the calling process would read for `nanoseconds` of the clock: shifted as its time namespace says.
    ///
    /// A process that exits has left its namespaces when its files are closed; then nothing is shifted. In an
    /// interrupt, the calling process is the interrupted one.
    ///
    /// Context: any, though only in an ioctl is the caller the client for sure.
    fn for_caller(nanoseconds: i64) -> i64 {
        // SAFETY: No preconditions: the helper looks whether the current task still has namespaces, which it keeps
        // until it drops them itself (L28).
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
