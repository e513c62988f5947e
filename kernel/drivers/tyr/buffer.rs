// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Buffers of clients, and buffers of the driver itself, which no client sees.
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

/// The arguments that a buffer is made from.
pub(crate) struct Args {
    flags: u32,
    /// Whether the GPU snoops the processors' caches.
    coherent: bool,
}

impl Args {
    /// Returns the arguments for a buffer of the driver itself, which no client maps. `coherent`
    /// says whether the GPU snoops the processors' caches.
    pub(crate) fn own(coherent: bool) -> Self {
        Self {
            flags: NO_MMAP,
            coherent,
        }
    }
}

#[pin_data]
pub(crate) struct Buffer {
    /// Flags passed to `BO_CREATE`.
    flags: u32,
    coherent: bool,
    /// The client's label for the buffer.
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

    /// Returns `true` for a GPU that does not snoop the processors' caches, unless the client
    /// flushes these itself.
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
    /// Creates a buffer, with the size rounded up to whole pages. Fails with `EINVAL` for a size of
    /// zero, for unknown flags or both at once, for a nonzero `pad`, and for an exclusive VM that
    /// does not exist.
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

    /// Returns the mmap offset of a buffer. Fails with `EPERM` if the buffer must not be mapped,
    /// and with `ENOENT` if this file does not have the handle.
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

    /// Sets or removes the label of a buffer. Fails with `E2BIG` if the label is too long.
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
        // The old label is dropped after the lock is released.
        let _before = core::mem::replace(&mut *object.label.lock(), label);
        Ok(())
    }

    /// Syncs ranges of buffers. Fails with `EINVAL` for an unknown type, for a range outside the
    /// buffer, and for an imported buffer, which only its exporter can sync. Operations before the
    /// failing one are done.
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

    /// Returns flags of a buffer. Fails with `ENOENT` if this file does not have the handle.
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

/// Reads the label at a client's address.
fn label(address: u64) -> Result<CString> {
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
    // Uncached memory is visible immediately.
    if gem::DriverObject::write_combine(&**object) {
        return Ok(());
    }
    object.sync(dev, op.offset..end, both)
}
