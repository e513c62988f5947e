// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Feature flags are given as a number.
//!
//! A flag may require more from a driver, as mode setting does, so each has a function.

include!("../driver.rs");

const FEATURES: drm::Features = drm::Features(3); //~ WRONG
//= const FEATURES: drm::Features = drm::Features::GEM.render();
