// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver defines its own bus.
//!
//! An adapter owns the registration and ends it in the bus's remove step; a driver must not decide that (L5).

include!("../driver.rs");

enum Mine {}
impl drm::bus::Bus for Mine {} //~ WRONG
//= impl Mine {}
