// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! What the adapter keeps for a bound device is taken away from it.
//!
//! It owns the registration, which ends in the bus's remove step and nowhere else (L4, L5).

include!("../driver.rs");

fn take(_binding: drm::bus::binding::Binding<'_, Mini, drm::bus::Drm>) {} //~ WRONG
//= fn take(_data: &Hardware<'_>) {}
