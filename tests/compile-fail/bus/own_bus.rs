// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver makes up a bus.
//!
//! An adapter owns the registration and ends it in the bus's remove step; that is not for a driver to say (L5).

include!("../driver.rs");

enum Mine {}
impl drm::bus::Bus for Mine {} //~ WRONG
//= impl Mine {}
