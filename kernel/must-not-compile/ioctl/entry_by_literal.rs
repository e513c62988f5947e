// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A table entry is built by hand.
//!
//! C would call the entry's callback with whatever the driver claims (L10).

include!("../driver.rs");

const ENTRY: ioctl::Entry<Mini> = ioctl::Entry { desc: pin_init::zeroed() }; //~ WRONG
//= const ENTRY: ioctl::Entry<Mini> = ioctl::Entry::RESERVED;
