// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A buffer's device is taken for a registered one.
//!
//! A buffer may be older than the registration and does not gain the stronger context silently (L16).

include!("../driver.rs");

fn registered(obj: &Object) -> &Device<Mini, Registered> { //~ WRONG
//= fn registered(obj: &Object) -> &Device<Mini> {
    obj.device()
}
