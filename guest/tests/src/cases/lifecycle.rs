// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The run-time side of the obligations L3, L5, L7, L11, L12, L14, L15 and L16, on the life-cycle test driver.
//!
//! The driver logs each object that it makes and drops; a case does something and checks the order. Source:
//! docs/reference/obligations.md for the obligations, whose numbers begin the names.

pub(crate) mod belonging;
pub(crate) mod failure;
pub(crate) mod file;
pub(crate) mod lifetime;
pub(crate) mod memory;
pub(crate) mod teardown;
pub(crate) mod unplug;
pub(crate) mod work;
