// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! What a CRTC shows is kept beyond the locks.
//!
//! The next commit changes it, and frees the states (K13).

include!("../driver.rs");
include!("../display.rs");

fn picture(call: &ioctl::Unguarded<'_, Display>, key: Key<Crtc<Screen>>) -> Result {
    let mut kept = None;
    call.with_screen(key, |screen| {
        kept = Some(screen.state()); //~ WRONG
        //= kept = Some(screen.state().is_active());
    })
}
