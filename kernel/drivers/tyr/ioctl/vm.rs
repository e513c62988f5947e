// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The ioctls on address spaces: `VM_*`.
//!
//! uapi: `include/uapi/drm/panthor_drm.h`; errno: drivers/gpu/drm/panthor/panthor_drv.c

use crate::{
    client::Client,
    driver::Tyr,
    hw::Hardware,
    uapi, uobj,
    vm::{
        self,
        OpContext, //
    },
};
use drm::{
    Device,
    File,
    Plugged,
    Registered, //
};
use kernel::prelude::*;

const ASYNC: u32 = uapi::drm_panthor_vm_bind_flags_DRM_PANTHOR_VM_BIND_ASYNC;

/// Implements `DRM_IOCTL_PANTHOR_VM_CREATE`.
pub(crate) fn create(
    plugged: &Plugged<'_, Tyr>,
    hw: &Hardware<'_>,
    args: &mut uapi::drm_panthor_vm_create,
    file: &File<Client>,
) -> Result {
    if args.flags != 0 {
        return Err(EINVAL);
    }
    let user_end = vm::user_end(args.user_va_range, hw.mmu.geometry().va_end())?;
    args.id = file.vms.create(plugged, hw, user_end)?;
    args.user_va_range = user_end;
    Ok(())
}

/// Implements `DRM_IOCTL_PANTHOR_VM_DESTROY`.
pub(crate) fn destroy(
    _dev: &Device<Tyr, Registered>,
    args: &mut uapi::drm_panthor_vm_destroy,
    file: &File<Client>,
) -> Result {
    if args.pad != 0 {
        return Err(EINVAL);
    }
    file.vms.destroy(args.id)
}

/// Implements `DRM_IOCTL_PANTHOR_VM_BIND`.
pub(crate) fn bind(
    plugged: &Plugged<'_, Tyr>,
    hw: &Hardware<'_>,
    args: &mut uapi::drm_panthor_vm_bind,
    file: &File<Client>,
) -> Result {
    if args.flags & !ASYNC != 0 {
        return Err(EINVAL);
    }
    let vm = file.vms.get(args.vm_id)?;
    let cx = OpContext {
        plugged,
        hw,
        vm: &vm,
    };
    match bind_ops(cx, args, file) {
        // Another thread of the client has ended the address space in the meantime, so its number
        // is no longer valid.
        Err(error) if error == ECANCELED => Err(EINVAL),
        result => result,
    }
}

fn bind_ops(
    cx: OpContext<'_, '_, '_>,
    args: &mut uapi::drm_panthor_vm_bind,
    file: &File<Client>,
) -> Result {
    let ops: KVVec<uapi::drm_panthor_vm_bind_op> =
        uobj::get_array(&args.ops, size_of::<uapi::drm_panthor_vm_bind_op>())?;
    if args.flags & ASYNC != 0 {
        return vm::submit(cx, file, &ops);
    }
    for (done, op) in ops.iter().enumerate() {
        cx.exec_sync(file, op).inspect_err(|&error| {
            // Completed operations stay, and the client gets their number. After a signal it does
            // not, because its library repeats the call with the same arguments, which must still
            // list all operations. The completed ones are done again, with the same outcome.
            if error != EINTR {
                args.ops.count = done as u32;
            }
        })?;
    }
    Ok(())
}

/// Implements `DRM_IOCTL_PANTHOR_VM_GET_STATE`.
pub(crate) fn get_state(
    _dev: &Device<Tyr, Registered>,
    args: &mut uapi::drm_panthor_vm_get_state,
    file: &File<Client>,
) -> Result {
    args.state = if file.vms.get(args.vm_id)?.is_unusable() {
        uapi::drm_panthor_vm_state_DRM_PANTHOR_VM_STATE_UNUSABLE
    } else {
        uapi::drm_panthor_vm_state_DRM_PANTHOR_VM_STATE_USABLE
    };
    Ok(())
}
