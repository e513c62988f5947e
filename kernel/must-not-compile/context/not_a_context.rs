// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A type that is not a context is used as one.

include!("../driver.rs");

fn name(dev: &Device<Mini, Client>) {} //~ WRONG
//= fn name(dev: &Device<Mini, Registered>) {}
