// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Each driver and device as a case sees it: its nodes, its ioctls, and how it is bound, unbound and loaded.
//!
//! Source: each file names its own.

pub(crate) mod attacks;
pub(crate) mod bus;
pub(crate) mod device;
pub(crate) mod differences;
pub(crate) mod display;
pub(crate) mod driver;
pub(crate) mod guest;
pub(crate) mod lifecycle;
pub(crate) mod nova;
pub(crate) mod pci;
pub(crate) mod tyr;
