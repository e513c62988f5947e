// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A bus's callbacks are implemented for a type that is no driver.

include!("../driver.rs");

struct Third;
//= implement!(Third, (), ThirdClient, ThirdBuffer, drm::NoKms, ioctl::Table::empty());
#[derive(Default)]
struct ThirdClient;
#[derive(Default)]
struct ThirdBuffer;

impl platform::Driver for Third { //~ WRONG
//= impl platform::Driver for Third {
    type IdInfo = ();

    fn probe<'bound>(
        _cx: &platform::Probe<'bound>,
        _id: Option<&'bound ()>,
    ) -> Result<Ready<'bound, Self>> {
        Err(ENODEV)
    }
}
