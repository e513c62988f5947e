// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver implements the trait of the buffer classes.
//!
//! The class decides what a C object is taken for; the crate's two are all there are (L12).

include!("../driver.rs");

struct Mine;
impl gem::Class for Mine {} //~ WRONG
//= impl Mine {}
