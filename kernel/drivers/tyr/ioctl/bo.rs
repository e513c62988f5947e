// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The ioctls on buffers: `BO_*`.
//!
//! uapi: `include/uapi/drm/panthor_drm.h`; errno: drivers/gpu/drm/panthor/panthor_drv.c

use crate::{
    buffer::{
        Args,
        Object,
        NO_MMAP,
        WB_MMAP, //
    },
    client::Client,
    driver::Tyr,
    hw::Hardware,
    uapi::{
        self,
        drm_panthor_bo_create,
        drm_panthor_bo_mmap_offset,
        drm_panthor_bo_query_info,
        drm_panthor_bo_set_label,
        drm_panthor_bo_sync,
        drm_panthor_bo_sync_op, //
    },
    uobj, //
};
use drm::{
    gem::{
        self,
        Class, //
    },
    Device,
    File,
    Plugged,
    Registered, //
};
use kernel::{
    prelude::*,
    str::CString,
    uaccess::{
        UserPtr,
        UserSlice, //
    },
};

/// The longest label, with its NUL.
const LABEL_MAX: usize = 4096;

/// Creates a buffer, with the size rounded up to whole pages. Fails with `EINVAL` for a size of
/// zero, for unknown flags or both at once, for a nonzero `pad`, and for an exclusive VM that
/// does not exist.
pub(crate) fn create(
    dev: &Plugged<'_, Tyr>,
    hardware: &Hardware<'_>,
    arg: &mut drm_panthor_bo_create,
    file: &File<Client>,
) -> Result {
    if arg.pad != 0 || arg.flags & !(NO_MMAP | WB_MMAP) != 0 || arg.flags == NO_MMAP | WB_MMAP {
        return Err(EINVAL);
    }
    let size = gem::Size::round_up(arg.size)?;
    let args = Args {
        flags: arg.flags,
        coherent: hardware.gpu.coherent,
    };
    let object = match arg.exclusive_vm_id {
        0 => Object::new(dev, size, args)?,
        id => {
            let vm = file.vms.get(id)?;
            Object::new_exclusive(dev, size, args, &vm)?
        }
    };
    arg.handle = object.create_handle(file)?;
    arg.size = object.size().bytes() as u64;
    Ok(())
}

/// Returns the mmap offset of a buffer. Fails with `EPERM` if the buffer must not be mapped,
/// and with `ENOENT` if this file does not have the handle.
pub(crate) fn mmap_offset(
    _dev: &Device<Tyr, Registered>,
    arg: &mut drm_panthor_bo_mmap_offset,
    file: &File<Client>,
) -> Result {
    if arg.pad != 0 {
        return Err(EINVAL);
    }
    let object = Object::lookup(file, arg.handle)?;
    if object.flags & NO_MMAP != 0 {
        return Err(EPERM);
    }
    arg.offset = object.mmap_offset()?;
    Ok(())
}

/// Sets or removes the label of a buffer. Fails with `E2BIG` if the label is too long.
pub(crate) fn set_label(
    _dev: &Device<Tyr, Registered>,
    arg: &mut drm_panthor_bo_set_label,
    file: &File<Client>,
) -> Result {
    if arg.pad != 0 {
        return Err(EINVAL);
    }
    let object = Object::lookup(file, arg.handle)?;
    let label = match arg.label {
        0 => None,
        address => Some(read_label(address)?),
    };
    // The old label is dropped after the lock is released.
    let _before = core::mem::replace(&mut *object.label.lock(), label);
    Ok(())
}

/// Syncs ranges of buffers. Fails with `EINVAL` for an unknown type, for a range outside the
/// buffer, and for an imported buffer, which only its exporter can sync. Operations before the
/// failing one are done.
pub(crate) fn sync(
    dev: &Plugged<'_, Tyr>,
    _hardware: &Hardware<'_>,
    arg: &mut drm_panthor_bo_sync,
    file: &File<Client>,
) -> Result {
    let ops: KVVec<drm_panthor_bo_sync_op> =
        uobj::get_array(&arg.ops, size_of::<drm_panthor_bo_sync_op>())?;
    ops.iter().try_for_each(|op| sync_one(dev, op, file))
}

/// Returns flags of a buffer. Fails with `ENOENT` if this file does not have the handle.
pub(crate) fn query_info(
    _dev: &Device<Tyr, Registered>,
    arg: &mut drm_panthor_bo_query_info,
    file: &File<Client>,
) -> Result {
    let object = Object::lookup(file, arg.handle)?;
    arg.create_flags = object.flags;
    arg.extra_flags = if object.is_imported() {
        uapi::drm_panthor_bo_extra_flags_DRM_PANTHOR_BO_IS_IMPORTED
    } else {
        0
    };
    arg.pad = 0;
    Ok(())
}

/// Reads the label at a client's address.
fn read_label(address: u64) -> Result<CString> {
    let address = usize::try_from(address).map_err(|_| EFAULT)?;
    // Reads one byte more than fits, to detect a label that is too long.
    let mut bytes = KVec::from_elem(0u8, LABEL_MAX + 1, GFP_KERNEL)?;
    let text = UserSlice::new(UserPtr::from_addr(address), LABEL_MAX + 1)
        .reader()
        .strcpy_into_buf(&mut bytes)?;
    if text.count_bytes() >= LABEL_MAX {
        return Err(E2BIG);
    }
    CString::try_from(text).map_err(|_| ENOMEM)
}

/// Syncs one range.
fn sync_one(dev: &Plugged<'_, Tyr>, op: &drm_panthor_bo_sync_op, file: &File<Client>) -> Result {
    let object = Object::lookup(file, op.handle)?;
    let end = op.offset.checked_add(op.size).ok_or(EINVAL)?;
    if end > object.size().bytes() as u64 || object.is_imported() {
        return Err(EINVAL);
    }
    let both = match op.type_ {
        uapi::drm_panthor_bo_sync_op_type_DRM_PANTHOR_BO_SYNC_CPU_CACHE_FLUSH => false,
        uapi::drm_panthor_bo_sync_op_type_DRM_PANTHOR_BO_SYNC_CPU_CACHE_FLUSH_AND_INVALIDATE => {
            true
        }
        _ => return Err(EINVAL),
    };
    // Uncached memory is visible immediately.
    if gem::DriverObject::write_combine(&**object) {
        return Ok(());
    }
    object.sync(dev, op.offset..end, both)
}
