// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver defines a kind of mode setting that needs no `init_kms`.

include!("../driver.rs");

enum Lazy {}
impl kms::Kind for Lazy { //~ WRONG
//= impl Lazy {
    const FEATURES: u32 = 2;
}
