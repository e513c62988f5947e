// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A closure for the screen requires one that lives forever.
//!
//! The locks are held during the call only (K13).

include!("../driver.rs");
include!("../display.rs");

fn picture(call: &ioctl::Unguarded<'_, Display>, key: Key<Crtc<Screen>>) -> Result<bool> {
    call.with_screen(key, |screen: &kms::screen::Screen<'static, Display>| screen.state().is_active()) //~ WRONG
    //= call.with_screen(key, |screen: &kms::screen::Screen<'_, Display>| screen.state().is_active())
}
