// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The ioctls that are measured.
//!
//! Source: `include/uapi/drm/drm.h`, `drm_mode.h`, `vgem_drm.h` (Linux 7.3); kernel/tests/noop/noop_drm.h.

/// A plain structure that an ioctl takes.
///
/// # Safety
///
/// `repr(C)`, as large as `NUMBER` says, without padding and without addresses that the kernel would
/// use, except where the type's constructors guarantee that they are valid and its fields are private.
pub(crate) unsafe trait Ioctl {
    /// The ioctl's number.
    const NUMBER: u32;
}

const fn iowr<T>(nr: u32) -> u32 {
    ioc::<T>(3, nr)
}

const fn iow<T>(nr: u32) -> u32 {
    ioc::<T>(1, nr)
}

const fn ioc<T>(dir: u32, nr: u32) -> u32 {
    dir << 30 | (size_of::<T>() as u32) << 16 | (b'd' as u32) << 8 | nr
}

macro_rules! ioctls {
    ($($(#[$doc:meta])* $name:ident = $number:expr, { $($field:ident: $type:ty),* })*) => { $(
        $(#[$doc])*
        #[repr(C)]
        #[derive(Default, Clone, Copy)]
        pub(crate) struct $name { $(pub(crate) $field: $type),* }

        const _: () = assert!(size_of::<$name>() == 0 $(+ size_of::<$type>())*);

        // SAFETY: the fields add up to the structure's size, and none is an address.
        unsafe impl Ioctl for $name {
            const NUMBER: u32 = $number;
        }
    )* };
}

// This comes after the macro, which it uses.
pub(crate) mod panthor;

ioctls! {
    /// `DRM_IOCTL_GET_CAP`
    GetCap = iowr::<GetCap>(0x0c), { capability: u64, value: u64 }
    /// `DRM_IOCTL_GEM_CLOSE`
    GemClose = iow::<GemClose>(0x09), { handle: u32, pad: u32 }
    /// `DRM_IOCTL_GEM_FLINK`
    GemFlink = iowr::<GemFlink>(0x0a), { handle: u32, name: u32 }
    /// `DRM_IOCTL_GEM_OPEN`
    GemOpen = iowr::<GemOpen>(0x0b), { name: u32, handle: u32, size: u64 }
    /// `DRM_IOCTL_PRIME_HANDLE_TO_FD`
    HandleToFd = iowr::<HandleToFd>(0x2d), { handle: u32, flags: u32, fd: i32 }
    /// `DRM_IOCTL_PRIME_FD_TO_HANDLE`
    FdToHandle = iowr::<FdToHandle>(0x2e), { handle: u32, flags: u32, fd: i32 }
    /// `DRM_IOCTL_MODE_CREATE_DUMB`
    CreateDumb = iowr::<CreateDumb>(0xb2), { height: u32, width: u32, bpp: u32, flags: u32, handle: u32, pitch: u32, size: u64 }
    /// `DRM_IOCTL_MODE_MAP_DUMB`
    MapDumb = iowr::<MapDumb>(0xb3), { handle: u32, pad: u32, offset: u64 }
    /// `DRM_IOCTL_MODE_DESTROY_DUMB`
    DestroyDumb = iowr::<DestroyDumb>(0xb4), { handle: u32 }
    /// `DRM_IOCTL_VGEM_FENCE_ATTACH`
    FenceAttach = iowr::<FenceAttach>(0x41), { handle: u32, flags: u32, out_fence: u32, pad: u32 }
    /// `DRM_IOCTL_VGEM_FENCE_SIGNAL`
    FenceSignal = iow::<FenceSignal>(0x42), { fence: u32, flags: u32 }
    /// `DRM_IOCTL_NOOP_UNGUARDED`
    Unguarded = iow::<Unguarded>(0x40), { value: u64 }
    /// `DRM_IOCTL_NOOP_GUARDED`
    Guarded = iow::<Guarded>(0x41), { value: u64 }
}
