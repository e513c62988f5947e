// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Something that is not a context stands in a context's place.

include!("../driver.rs");

fn name(dev: &Device<Mini, Client>) {} //~ WRONG
//= fn name(dev: &Device<Mini, Registered>) {}
