// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver defines a source of vblanks.
//!
//! The trait is sealed: its callbacks run in interrupts and must not outlive the CRTC (K18).

include!("../driver.rs");
include!("../display.rs");

enum Never {}

impl<C: DriverCrtc> vblank::Source<C> for Never {} //~ WRONG
