// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The driver's table.

use crate::{
    buffer::Object,
    hardware::Hardware, //
};
use drm::{
    Device,
    Plugged,
    Registered, //
};
use kernel::prelude::*;

pub(crate) struct Tyr;

#[vtable]
impl drm::Driver for Tyr {
    type Data = ();
    type RegistrationData<'bound> = Hardware<'bound>;
    type File = drm::Plain<Self>;
    type Object = Object;
    type Kms = drm::NoKms;

    /// Name and version are those of the C driver: clients look for them.
    const INFO: drm::DriverInfo = drm::DriverInfo {
        minor: 9,
        ..drm::DriverInfo::new(c"panthor", c"Panthor DRM driver")
    };
    const FEATURES: drm::Features = drm::Features::GEM.render().syncobj_timeline();

    drm::ioctls! {}

    fn unplugged(_dev: &Device<Self, Registered>, hardware: &Hardware<'_>) {
        hardware.rest();
    }

    fn suspend(_dev: &Plugged<'_, Self>, hardware: &Hardware<'_>) -> Result {
        hardware.rest();
        Ok(())
    }

    fn resume(_dev: &Plugged<'_, Self>, hardware: &Hardware<'_>) -> Result {
        hardware.wake_up()
    }
}
