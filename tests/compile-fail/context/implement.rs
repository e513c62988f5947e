// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver makes up a context.
//!
//! Contexts are sealed: what they say must be true, and only the crate knows (L1).

include!("../driver.rs");

enum Resumed {}
impl DeviceContext for Resumed {} //~ WRONG
