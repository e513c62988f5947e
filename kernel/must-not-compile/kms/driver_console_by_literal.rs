// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver makes its console of a function of its own.
//!
//! C calls the function with its own structures, and looks into the buffer (L20).

include!("../driver.rs");
include!("../display.rs");

const CONSOLE: kms::Console<Display> = kms::Console { probe: None, _driver: core::marker::PhantomData }; //~ WRONG
//= const CONSOLE: kms::Console<Display> = kms::Console::NONE;
