// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A device's data borrows for as long as the device is bound.
//!
//! `Data` lives as long as the last reference to the device, long after unbind; `RegistrationData` may borrow (L9).

include!("../driver.rs");

struct Third<'bound>(&'bound Parent);

#[derive(Default)]
struct ThirdClient;

impl<'bound> drm::Driver for Third<'bound> {} //~ WRONG
//= impl<'bound> Third<'bound> {}
