// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The macro for a module gets fields of its own.
//!
//! The macro guarantees that everything it declares is dropped with the module (L4).

include!("../driver.rs");

mod another {
    use super::*;

    drm::__module! { [] [platform] [_driver: ()] name: "another", license: "GPL", } //~ WRONG
    //= use drm::platform as _;
}
