// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver takes what the adapter keeps for a bound device.
//!
//! The adapter owns the registration, which ends in the bus's remove step and nowhere else (L4, L5).

include!("../driver.rs");

fn take(_binding: drm::bus::binding::Binding<'_, Mini, drm::bus::Drm>) {} //~ WRONG
//= fn take(_data: &Hardware<'_>) {}
