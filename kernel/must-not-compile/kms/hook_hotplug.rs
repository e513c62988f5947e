// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A hook reports a hotplug.
//!
//! Reporting is for interrupts and ioctls, which have a `Plugged`. A hook returns what it found (K35).

include!("../driver.rs");
include!("../display.rs");

classes!(Show, ShowClient, ShowBuffer, ShowLayer, ShowScreen, ShowMonitor);
layer!(ShowLayer, Show);
screen!(ShowScreen, Show);

struct ShowMonitor {
    key: SetOnce<Key<Connector<Self>>>,
}

#[vtable]
impl DriverConnector for ShowMonitor {
    type Driver = Show;

    fn detect(connector: &Connector<Self>, hw: &Hw<'_, Show>) -> Status {
        let _ = connector.key.as_ref().map(|&key| hw.hotplug(key)); //~ WRONG
        Status::Connected
    }

    fn modes(_: &Connector<Self>, modes: &mut Modes<'_>, _: &Hw<'_, Show>) -> Result {
        modes.common((1024, 768), (1024, 768))
    }
}
