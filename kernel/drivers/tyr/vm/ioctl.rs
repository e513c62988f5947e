// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The ioctls on address spaces.
//!
//! uapi: `include/uapi/drm/panthor_drm.h`; errno: drivers/gpu/drm/panthor/panthor_drv.c

use super::{
    bind::Binding,
    pool,
    submit, //
};
use crate::{
    client::Client,
    driver::Tyr,
    hardware::Hardware,
    uapi,
    uobject::take_array, //
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
    let user_end = pool::user_end(args.user_va_range, hw.mmu.geometry().va_end())?;
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
    let binding = Binding {
        plugged,
        hw,
        vm: &vm,
    };
    match bind_in(binding, args, file) {
        // Another thread of the client has ended the address space in the meantime, so its number
        // is no longer valid.
        Err(error) if error == ECANCELED => Err(EINVAL),
        result => result,
    }
}

fn bind_in(
    binding: Binding<'_, '_, '_>,
    args: &mut uapi::drm_panthor_vm_bind,
    file: &File<Client>,
) -> Result {
    let ops: KVVec<uapi::drm_panthor_vm_bind_op> =
        take_array(&args.ops, size_of::<uapi::drm_panthor_vm_bind_op>())?;
    if args.flags & ASYNC != 0 {
        return submit::submit(binding, file, &ops);
    }
    for (done, op) in ops.iter().enumerate() {
        at_once(binding, file, op).inspect_err(|&error| {
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

/// Carries out an operation that waits for nothing, while the client waits for it.
fn at_once(
    binding: Binding<'_, '_, '_>,
    file: &File<Client>,
    op: &uapi::drm_panthor_vm_bind_op,
) -> Result {
    if op.syncs.count != 0 {
        return Err(EINVAL);
    }
    // The C driver ignores the other fields in this case, too.
    if op.size == 0 {
        return Ok(());
    }
    let operation = binding.prepare(file, op)?;
    binding.carry_out(operation).result
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
