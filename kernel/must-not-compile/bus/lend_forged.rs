// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver declares that its type can be lent.
//!
//! That is a promise about code of other modules, which only the layer can make (L15).

include!("../driver.rs");

struct Anything(KBox<dyn FnOnce() + Send>);

impl drm::bus::Lend for Anything {} //~ WRONG
//= impl Anything {}
