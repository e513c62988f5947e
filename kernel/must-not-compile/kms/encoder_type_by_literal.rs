// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver makes up a type of encoder.
//!
//! C takes the type for an index of its table of names, and looks beyond that (K1).

include!("../driver.rs");
include!("../display.rs");

fn set_up(setup: &Setup<'_, Display>, screen: Key<Crtc<Screen>>) -> Result {
    setup.encoder(EncoderType(0xffff), screen, &[]).map(drop) //~ WRONG
    //= setup.encoder(EncoderType::TMDS, screen, &[]).map(drop)
}
