// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The unregistered device is kept beyond its probe.
//!
//! `'bound` is the time from this probe to its unbind, which can be made neither longer nor shorter (L4).

include!("../driver.rs");

fn keep<'bound>(
    dev: UnregisteredDevice<'bound, Mini>,
) -> UnregisteredDevice<'static, Mini> { //~ WRONG
//= ) -> UnregisteredDevice<'bound, Mini> {
    dev
}
