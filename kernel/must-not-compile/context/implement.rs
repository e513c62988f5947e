// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver defines its own context.
//!
//! Contexts are sealed: their claims must be true, and only the crate knows (L1).

include!("../driver.rs");

enum Resumed {}
impl DeviceContext for Resumed {} //~ WRONG
