// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver defines a class of buffers that the crate does not know.
//!
//! The class decides what a C object is taken for; the crate's two are the only ones (L12).

include!("../driver.rs");

struct Mine;
impl gem::private::Sealed for Mine {} //~ WRONG
//= impl Mine {}
