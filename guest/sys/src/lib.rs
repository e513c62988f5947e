// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The code that the guest's programs share: system calls, the search for a driver's device, buffers of other exporters, time
//! limits, and the kernel's log.
//!
//! Source: each module names its own.

mod calls;
pub mod display;
pub mod foreign;
pub mod klog;
pub mod nodes;
pub mod pace;

pub use calls::*;
