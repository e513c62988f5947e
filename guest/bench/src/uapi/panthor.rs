// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The ioctls of `panthor_drm.h` that are measured.
//!
//! Source: `include/uapi/drm/panthor_drm.h` (Linux 7.3).

use std::marker::PhantomData;

use super::{Ioctl, iowr};

/// `DRM_PANTHOR_VM_BIND_OP_TYPE_UNMAP`
const UNMAP: u32 = 1 << 28;

ioctls! {
    /// `DRM_IOCTL_PANTHOR_VM_CREATE`
    VmCreate = iowr::<VmCreate>(0x41), { flags: u32, id: u32, user_va_range: u64 }
    /// `DRM_IOCTL_PANTHOR_VM_DESTROY`
    VmDestroy = iowr::<VmDestroy>(0x42), { id: u32, pad: u32 }
    /// `DRM_IOCTL_PANTHOR_BO_CREATE`
    BoCreate = iowr::<BoCreate>(0x45), { size: u64, flags: u32, exclusive_vm_id: u32, handle: u32, pad: u32 }
}

/// `struct drm_panthor_gpu_info`, whose fields do not matter here.
#[repr(C)]
#[derive(Default)]
pub(crate) struct GpuInfo([u64; 14]);

/// `DRM_IOCTL_PANTHOR_DEV_QUERY`, for `DRM_PANTHOR_DEV_QUERY_GPU_INFO`.
#[repr(C)]
pub(crate) struct DevQuery<'a> {
    kind: u32,
    size: u32,
    pointer: u64,
    answer: PhantomData<&'a mut GpuInfo>,
}

impl<'a> DevQuery<'a> {
    /// Queries the size of an answer.
    pub(crate) fn size() -> Self {
        Self { kind: 0, size: 0, pointer: 0, answer: PhantomData }
    }

    /// Queries an answer.
    pub(crate) fn gpu_info(into: &'a mut GpuInfo) -> Self {
        let size = size_of::<GpuInfo>() as u32;
        Self { kind: 0, size, pointer: std::ptr::from_mut(into) as u64, answer: PhantomData }
    }
}

// SAFETY: the fields add up to the structure's size. The address is null, or that of `size` bytes, which are borrowed
// for as long as this lives.
unsafe impl Ioctl for DevQuery<'_> {
    const NUMBER: u32 = iowr::<DevQuery<'static>>(0x40);
}

/// `struct drm_panthor_obj_array`
#[repr(C)]
struct Array {
    stride: u32,
    count: u32,
    array: u64,
}

/// `struct drm_panthor_vm_bind_op`
#[repr(C)]
pub(crate) struct Op {
    flags: u32,
    bo_handle: u32,
    bo_offset: u64,
    va: u64,
    size: u64,
    syncs: Array,
}

impl Op {
    /// Maps the beginning of a buffer.
    pub(crate) fn map(bo_handle: u32, va: u64, size: u64) -> Self {
        Self { flags: 0, bo_handle, bo_offset: 0, va, size, syncs: Array { stride: 0, count: 0, array: 0 } }
    }

    /// Unmaps a range.
    pub(crate) fn unmap(va: u64, size: u64) -> Self {
        Self { flags: UNMAP, ..Self::map(0, va, size) }
    }
}

/// `DRM_IOCTL_PANTHOR_VM_BIND`, executed before it returns.
#[repr(C)]
pub(crate) struct VmBind<'a> {
    vm_id: u32,
    flags: u32,
    ops: Array,
    borrowed: PhantomData<&'a [Op]>,
}

impl<'a> VmBind<'a> {
    /// Executes `ops` in order.
    pub(crate) fn new(vm_id: u32, ops: &'a [Op]) -> Self {
        let ops = Array { stride: size_of::<Op>() as u32, count: ops.len() as u32, array: ops.as_ptr() as u64 };
        Self { vm_id, flags: 0, ops, borrowed: PhantomData }
    }
}

// SAFETY: the fields add up to the structure's size. The address is that of the counted operations, which are borrowed
// for as long as this lives and hold no addresses.
unsafe impl Ioctl for VmBind<'_> {
    const NUMBER: u32 = iowr::<VmBind<'static>>(0x43);
}

const _: () = {
    assert!(size_of::<GpuInfo>() == 112 && size_of::<DevQuery<'_>>() == 16);
    assert!(size_of::<Op>() == 48 && size_of::<VmBind<'_>>() == 24);
};
