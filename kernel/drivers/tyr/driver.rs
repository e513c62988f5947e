// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The driver's type.

use crate::{
    buffer::Object,
    client::Client,
    hw::Hardware,
    ioctl,
    uapi::*, //
};
use drm::{
    registers::RegisterPage,
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

    /// Name and version are those of the C driver, because clients look for them.
    const INFO: drm::DriverInfo = drm::DriverInfo {
        minor: 9,
        ..drm::DriverInfo::new(c"panthor", c"Panthor DRM driver")
    };
    const FEATURES: drm::Features = drm::Features::GEM.render().syncobj_timeline();

    const BUS_NAME: &'static CStr = c"tyr";

    drm::ioctls! {
        DRM_IOCTL_PANTHOR_DEV_QUERY: drm_panthor_dev_query, RENDER_ALLOW => ioctl::query::dev_query;
        DRM_IOCTL_PANTHOR_VM_CREATE: drm_panthor_vm_create, RENDER_ALLOW => ioctl::vm::create;
        DRM_IOCTL_PANTHOR_VM_DESTROY: drm_panthor_vm_destroy, RENDER_ALLOW => ioctl::vm::destroy;
        DRM_IOCTL_PANTHOR_VM_BIND: drm_panthor_vm_bind, RENDER_ALLOW => ioctl::vm::bind;
        DRM_IOCTL_PANTHOR_VM_GET_STATE: drm_panthor_vm_get_state, RENDER_ALLOW => ioctl::vm::get_state;
        DRM_IOCTL_PANTHOR_BO_CREATE: drm_panthor_bo_create, RENDER_ALLOW => ioctl::bo::create;
        DRM_IOCTL_PANTHOR_BO_MMAP_OFFSET: drm_panthor_bo_mmap_offset, RENDER_ALLOW => ioctl::bo::mmap_offset;
        DRM_IOCTL_PANTHOR_GROUP_CREATE: drm_panthor_group_create, RENDER_ALLOW => ioctl::group::unsupported;
        DRM_IOCTL_PANTHOR_GROUP_DESTROY: drm_panthor_group_destroy, RENDER_ALLOW => ioctl::group::unsupported;
        DRM_IOCTL_PANTHOR_GROUP_SUBMIT: drm_panthor_group_submit, RENDER_ALLOW => ioctl::group::unsupported;
        DRM_IOCTL_PANTHOR_GROUP_GET_STATE: drm_panthor_group_get_state, RENDER_ALLOW => ioctl::group::unsupported;
        DRM_IOCTL_PANTHOR_TILER_HEAP_CREATE: drm_panthor_tiler_heap_create, RENDER_ALLOW => ioctl::group::unsupported;
        DRM_IOCTL_PANTHOR_TILER_HEAP_DESTROY: drm_panthor_tiler_heap_destroy, RENDER_ALLOW => ioctl::group::unsupported;
        DRM_IOCTL_PANTHOR_BO_SET_LABEL: drm_panthor_bo_set_label, RENDER_ALLOW => ioctl::bo::set_label;
        DRM_IOCTL_PANTHOR_SET_USER_MMIO_OFFSET: drm_panthor_set_user_mmio_offset, RENDER_ALLOW
            => ioctl::mmio::set_offset;
        DRM_IOCTL_PANTHOR_BO_SYNC: drm_panthor_bo_sync, RENDER_ALLOW => ioctl::bo::sync;
        DRM_IOCTL_PANTHOR_BO_QUERY_INFO: drm_panthor_bo_query_info, RENDER_ALLOW => ioctl::bo::query_info;
    }

    /// Returns the page with the count of cache flushes, the only one that clients map.
    fn register_page<'a, 'bound: 'a>(
        hardware: &'a Hardware<'bound>,
        index: u32,
    ) -> Option<&'a RegisterPage<'bound>> {
        (index == 0).then_some(&hardware.flush_id)
    }

    fn unplugged(_dev: &Device<Self, Registered>, hardware: &Hardware<'_>) {
        hardware.suspend();
        // Close only now: waiters for these fences may assume that the GPU no longer uses anything.
        hardware.bind_fences.close(ENODEV);
    }

    fn suspend(dev: &Plugged<'_, Self>, hardware: &Hardware<'_>) -> Result {
        // Hide the registers before they lose their power.
        dev.show_registers(false);
        hardware.suspend();
        Ok(())
    }

    fn resume(dev: &Plugged<'_, Self>, hardware: &Hardware<'_>) -> Result {
        hardware.resume()?;
        dev.show_registers(true);
        Ok(())
    }
}
