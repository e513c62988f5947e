// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The seal of the contexts is implemented.

include!("../driver.rs");

enum Resumed {}
impl drm::context::private::Sealed for Resumed {} //~ WRONG
