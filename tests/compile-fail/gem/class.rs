// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver makes up a class of buffers behind the crate's back.
//!
//! The class decides what a C object is taken for; the crate's two are all there are (L12).

include!("../driver.rs");

struct Mine;
impl gem::private::Sealed for Mine {} //~ WRONG
//= impl Mine {}
