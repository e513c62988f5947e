// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver defines a kind of mode setting that needs no `init_kms`.

include!("../driver.rs");

enum Lazy {}
impl kms::Kind<Mini> for Lazy {} //~ WRONG
