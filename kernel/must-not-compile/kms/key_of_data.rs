// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver names an object by the type of its own data.
//!
//! The object is the CRTC, of which the driver's data is a part.

include!("../driver.rs");
include!("../display.rs");

struct Objects {
    screen: Key<Screen>, //~ WRONG
    //= screen: Key<Crtc<Screen>>,
}
