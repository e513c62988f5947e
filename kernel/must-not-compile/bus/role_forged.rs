// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver defines for itself what an adapter does with its devices.
//!
//! The adapter keeps a registration from being forgotten (L4).

include!("../driver.rs");

struct Card;
impl drm::bus::role::Role<drm::bus::Drm> for Card {} //~ WRONG
//= impl Card {}
