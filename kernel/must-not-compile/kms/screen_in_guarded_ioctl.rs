// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A guarded ioctl asks what a CRTC shows.
//!
//! It would wait for locks in a section that every unplug waits for (K36).

include!("../driver.rs");
include!("../display.rs");

fn picture(
    call: &Plugged<'_, Display>, //~ WRONG
    //= call: &ioctl::Unguarded<'_, Display>,
    key: Key<Crtc<Screen>>,
) -> Result<bool> {
    call.with_screen(key, |screen| screen.state().is_active())
}
