// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Buffers: those of clients, and those of the driver itself, which no client sees.
//!
//! Source: `panthor_drm.h`; behaviour: drivers/gpu/drm/panthor/panthor_gem.c

use crate::{
    client::Client,
    driver::Tyr,
    hardware::Hardware,
    uapi::{
        self,
        drm_panthor_bo_create,
        drm_panthor_bo_mmap_offset,
        drm_panthor_bo_query_info,
        drm_panthor_bo_set_label,
        drm_panthor_bo_sync,
        drm_panthor_bo_sync_op, //
    },
    uobject::take_array,
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
    new_mutex,
    prelude::*,
    str::CString,
    sync::Mutex,
    uaccess::{
        UserPtr,
        UserSlice, //
    },
};

pub(crate) type Object = gem::shmem::Object<Buffer>;

const NO_MMAP: u32 = uapi::drm_panthor_bo_flags_DRM_PANTHOR_BO_NO_MMAP;
const WB_MMAP: u32 = uapi::drm_panthor_bo_flags_DRM_PANTHOR_BO_WB_MMAP;

/// The longest label, with its NUL.
const LABEL_MAX: usize = 4096;

/// What a buffer is made from.
pub(crate) struct Args {
    flags: u32,
    /// Whether the GPU sees the processors' caches.
    coherent: bool,
}

impl Args {
    /// A buffer of the driver's own, which no client maps. `coherent` says whether the GPU sees the processors' caches.
    pub(crate) fn own(coherent: bool) -> Self {
        Self {
            flags: NO_MMAP,
            coherent,
        }
    }
}

#[pin_data]
pub(crate) struct Buffer {
    /// Those that it was created with.
    flags: u32,
    coherent: bool,
    /// What a client calls it.
    #[pin]
    label: Mutex<Option<CString>>,
}

#[vtable]
impl gem::DriverObject for Buffer {
    type Driver = Tyr;
    type Args = Args;

    fn new(_dev: &Device<Tyr>, _size: gem::Size, args: Args) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            flags: args.flags,
            coherent: args.coherent,
            label <- new_mutex!(None, "tyr::Buffer::label"),
        }? Error)
    }

    /// For a GPU that does not see the processors' caches, unless the client will flush these by itself.
    fn write_combine(&self) -> bool {
        !self.coherent && self.flags & WB_MMAP == 0
    }

    fn import(dev: &Plugged<'_, Tyr>, _size: gem::Size) -> Result<Args> {
        Ok(Args {
            flags: 0,
            coherent: dev.registration(|hardware| hardware.gpu.coherent),
        })
    }
}

impl Client {
    /// The size is rounded up to whole pages. `EINVAL` for none, for unknown flags or both at once, for a `pad`, and
    /// for an exclusive VM that is not there.
    pub(crate) fn bo_create(
        dev: &Plugged<'_, Tyr>,
        hardware: &Hardware<'_>,
        arg: &mut drm_panthor_bo_create,
        file: &File<Self>,
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

    /// `EPERM` for a buffer that shall not be mapped, `ENOENT` for a handle that is not this file's.
    pub(crate) fn bo_mmap_offset(
        _dev: &Device<Tyr, Registered>,
        arg: &mut drm_panthor_bo_mmap_offset,
        file: &File<Self>,
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

    /// `E2BIG` for a label that is too long; without one, the buffer has none any more.
    pub(crate) fn bo_set_label(
        _dev: &Device<Tyr, Registered>,
        arg: &mut drm_panthor_bo_set_label,
        file: &File<Self>,
    ) -> Result {
        if arg.pad != 0 {
            return Err(EINVAL);
        }
        let object = Object::lookup(file, arg.handle)?;
        let label = match arg.label {
            0 => None,
            address => Some(label(address)?),
        };
        // What was there is dropped when the lock is free again.
        let _before = core::mem::replace(&mut *object.label.lock(), label);
        Ok(())
    }

    /// `EINVAL` for an unknown type, a range that is not in the buffer, or an imported buffer: its exporter's business.
    /// Operations before the wrong one are done.
    pub(crate) fn bo_sync(
        dev: &Plugged<'_, Tyr>,
        _hardware: &Hardware<'_>,
        arg: &mut drm_panthor_bo_sync,
        file: &File<Self>,
    ) -> Result {
        let ops: KVVec<drm_panthor_bo_sync_op> =
            take_array(&arg.ops, size_of::<drm_panthor_bo_sync_op>())?;
        ops.iter().try_for_each(|op| sync(dev, op, file))
    }

    /// `ENOENT` for a handle that is not this file's.
    pub(crate) fn bo_query_info(
        _dev: &Device<Tyr, Registered>,
        arg: &mut drm_panthor_bo_query_info,
        file: &File<Self>,
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
}

/// The label at a client's address.
fn label(address: u64) -> Result<CString> {
    let address = usize::try_from(address).map_err(|_| EFAULT)?;
    // One more than fits, to know what is too long.
    let mut bytes = KVec::from_elem(0u8, LABEL_MAX + 1, GFP_KERNEL)?;
    let text = UserSlice::new(UserPtr::from_addr(address), LABEL_MAX + 1)
        .reader()
        .strcpy_into_buf(&mut bytes)?;
    if text.count_bytes() >= LABEL_MAX {
        return Err(E2BIG);
    }
    CString::try_from(text).map_err(|_| ENOMEM)
}

fn sync(dev: &Plugged<'_, Tyr>, op: &drm_panthor_bo_sync_op, file: &File<Client>) -> Result {
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
    // What is not cached is seen at once.
    if gem::DriverObject::write_combine(&**object) {
        return Ok(());
    }
    object.sync(dev, op.offset..end, both)
}
