// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A framebuffer that is shown is kept beyond the locks.
//!
//! The next commit may free it. A mapping keeps it (K13, K23).

include!("../driver.rs");
include!("../display.rs");

fn picture(call: &ioctl::Unguarded<'_, Display>, key: Key<Crtc<Screen>>) -> Result {
    let mut kept = None;
    call.with_screen(key, |screen| {
        screen.each_plane(|_, state| {
            kept = state.framebuffer(); //~ WRONG
            //= kept = state.framebuffer().map(|framebuffer| framebuffer.map());
        });
    })
}
