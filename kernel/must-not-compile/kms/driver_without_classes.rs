// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver declares mode setting without the classes of its objects.
//!
//! `type Kms = Kms` says that `kms::Driver` is implemented, which names the classes.

include!("../driver.rs");
include!("../display.rs");

driver!(Show, (), ShowClient, ShowBuffer, kms::Kms, ioctl::Table::empty()); //~ WRONG
//= driver!(Show, (), ShowClient, ShowBuffer, drm::NoKms, ioctl::Table::empty());
