// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The driver's table.

use crate::{
    buffer::Object,
    client::Client,
    hardware::Hardware,
    uapi,
    vm, //
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
    type File = Client;
    type Object = Object;
    type Kms = drm::NoKms;

    /// Name and version are those of the C driver: clients look for them.
    const INFO: drm::DriverInfo = drm::DriverInfo {
        minor: 9,
        ..drm::DriverInfo::new(c"panthor", c"Panthor DRM driver")
    };
    const FEATURES: drm::Features = drm::Features::GEM.render().syncobj_timeline();

    drm::ioctls! {
        _;
        uapi::DRM_IOCTL_PANTHOR_VM_CREATE: uapi::drm_panthor_vm_create, RENDER_ALLOW => vm::ioctl::create;
        uapi::DRM_IOCTL_PANTHOR_VM_DESTROY: uapi::drm_panthor_vm_destroy, RENDER_ALLOW => vm::ioctl::destroy;
        uapi::DRM_IOCTL_PANTHOR_VM_BIND: uapi::drm_panthor_vm_bind, RENDER_ALLOW => vm::ioctl::bind;
        uapi::DRM_IOCTL_PANTHOR_VM_GET_STATE: uapi::drm_panthor_vm_get_state, RENDER_ALLOW => vm::ioctl::get_state;
    }

    fn unplugged(_dev: &Device<Self, Registered>, hardware: &Hardware<'_>) {
        hardware.binds.close(ENODEV);
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
