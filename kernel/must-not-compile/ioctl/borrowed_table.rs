// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver uses another driver's table.

include!("../driver.rs");

driver!(
    Third, (), ThirdClient, ThirdBuffer, drm::NoKms,
    <Other as drm::Driver>::IOCTLS //~ WRONG
    //= ioctl::Table::empty()
);
