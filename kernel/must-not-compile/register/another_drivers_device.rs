// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A probe returns another driver's device.

include!("../driver.rs");

driver!(Third, (), ThirdClient, ThirdBuffer, drm::NoKms, ioctl::Table::empty());

impl platform::Driver for Third {
    type IdInfo = ();

    fn probe<'bound>(
        cx: &platform::Probe<'bound>,
        _id: Option<&'bound ()>,
    ) -> Result<Ready<'bound, Self>> {
        UnregisteredDevice::<Other>::new(cx, Ok(()))?.ready(Ok::<_, Error>(())) //~ WRONG
        //= UnregisteredDevice::<Third>::new(cx, Ok(()))?.ready(Ok::<_, Error>(()))
    }
}
