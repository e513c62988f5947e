// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The driver's type and its probe.

use crate::{
    buffer::Object,
    client::Client,
    uapi, //
};
use kernel::{
    auxiliary::DeviceId,
    prelude::*,
    types::CovariantForLt, //
};
use nova_regs::{
    Gpu,
    Words, //
};

pub(crate) struct Nova;

kernel::auxiliary_device_table!(
    DEVICES,
    <Nova as drm::auxiliary::Driver>::IdInfo,
    [(DeviceId::new(c"nova-core", c"nova-drm"), ())]
);

impl drm::auxiliary::Driver for Nova {
    type IdInfo = ();

    const ID_TABLE: drm::auxiliary::IdTable<()> = drm::auxiliary::IdTable::new(&DEVICES);

    fn probe<'bound>(
        cx: &drm::auxiliary::Probe<'bound>,
        _id: Option<&'bound ()>,
    ) -> Result<drm::Ready<'bound, Self>> {
        let gpu = Gpu::from_words(*cx.parent_data::<CovariantForLt!(Words)>()?).ok_or(EINVAL)?;
        drm::UnregisteredDevice::<Self>::new(cx, Ok(()))?.ready(Ok(gpu))
    }
}

#[vtable]
impl drm::Driver for Nova {
    type Data = ();
    /// The GPU as the parent has identified it.
    type RegistrationData<'bound> = Gpu;
    type File = Client;
    type Object = Object;
    type Kms = drm::NoKms;

    const INFO: drm::DriverInfo = drm::DriverInfo {
        major: 0,
        ..drm::DriverInfo::new(c"nova-drm", c"NVIDIA Graphics and Compute")
    };
    /// Omits a render node, like upstream.
    const FEATURES: drm::Features = drm::Features::GEM;

    drm::ioctls! {
        uapi::DRM_IOCTL_NOVA_GETPARAM: uapi::drm_nova_getparam, RENDER_ALLOW => Nova::get_param;
        uapi::DRM_IOCTL_NOVA_GEM_CREATE: uapi::drm_nova_gem_create, AUTH | RENDER_ALLOW => Nova::gem_create;
        uapi::DRM_IOCTL_NOVA_GEM_INFO: uapi::drm_nova_gem_info, AUTH | RENDER_ALLOW => Nova::gem_info;
    }
}
