// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Numbers and structures of the user interface that the cases use.
//!
//! Source: `include/uapi/drm/drm.h`, `drm_mode.h`, `vgem_drm.h`, `linux/dma-buf.h`, `linux/dma-heap.h`,
//! `linux/udmabuf.h`, `linux/sync_file.h`, `asm-generic/ioctl.h` (Linux 7.3).

use std::marker::PhantomData;

/// No data is copied either way.
pub(crate) const DIR_NONE: u32 = 0;
/// Userspace writes, the kernel reads.
pub(crate) const DIR_WRITE: u32 = 1;
/// Userspace reads, the kernel writes.
pub(crate) const DIR_READ: u32 = 2;

/// Returns the number that `_IOC()` makes of direction, type, number and size.
pub(crate) const fn ioc(dir: u32, kind: u8, nr: u8, size: usize) -> u32 {
    assert!(size < 1 << 14, "the size field has 14 bits");
    dir << 30 | (size as u32) << 16 | (kind as u32) << 8 | nr as u32
}

/// Returns the size field of an ioctl number.
pub(crate) const fn ioc_size(number: u32) -> usize {
    (number >> 16 & 0x3fff) as usize
}

/// An ioctl number with the type of the structure that it carries.
pub(crate) struct Request<T> {
    /// The number to pass in the system call.
    pub(crate) number: u32,
    argument: PhantomData<fn(T)>,
}

impl<T> Request<T> {
    pub(crate) const fn new(dir: u32, kind: u8, nr: u8) -> Self {
        let number = ioc(dir, kind, nr, size_of::<T>());
        Self { number, argument: PhantomData }
    }
}

/// Plain integers, without pointers: whatever the kernel copies in or out is a valid value.
///
/// # Safety
///
/// The type is `repr(C)`, has no padding, and none of its fields is an address that the kernel
/// would read or write through.
pub(crate) unsafe trait Plain: Copy + Default {}

// SAFETY: nothing is copied.
unsafe impl Plain for () {}

/// Returns the bytes of a value.
pub(crate) fn bytes_of<T: Plain>(value: &T) -> &[u8] {
    // SAFETY: a `Plain` type has no padding, so all of its bytes are initialised.
    unsafe { std::slice::from_raw_parts(std::ptr::from_ref(value).cast(), size_of::<T>()) }
}

/// Returns the value that has these bytes.
pub(crate) fn of_bytes<T: Plain>(bytes: &[u8]) -> T {
    assert_eq!(bytes.len(), size_of::<T>(), "a value has all of its bytes");
    // SAFETY: the slice has as many bytes as the type, and any bytes are a value of a `Plain` type.
    unsafe { std::ptr::read_unaligned(bytes.as_ptr().cast()) }
}

macro_rules! plain {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty),* $(,)? })*) => { $(
        $(#[$doc])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub(crate) struct $name { $(pub(crate) $field: $type),* }

        // Padding would leak stack bytes into the comparison of what the kernel wrote.
        const _: () = assert!(size_of::<$name>() == 0 $(+ size_of::<$type>())*);

        // SAFETY: `repr(C)`, the line above excludes padding, and no field is an address.
        unsafe impl Plain for $name {}
    )* };
}

plain! {
    /// `struct sync_set_deadline`
    SyncDeadline { deadline_ns: u64, pad: u64 }
    /// `struct drm_auth`
    Auth { magic: u32 }
    /// `struct drm_client`
    Client { idx: i32, auth: i32, pid: u64, uid: u64, magic: u64, iocs: u64 }
    /// `struct drm_stats`
    Stats { count: u64, data: [[u64; 2]; 15] }
    /// `struct drm_set_version`
    SetVersion { di_major: i32, di_minor: i32, dd_major: i32, dd_minor: i32 }
    /// `struct drm_gem_close`
    GemClose { handle: u32, pad: u32 }
    /// `struct drm_gem_flink`
    GemFlink { handle: u32, name: u32 }
    /// `struct drm_gem_open`
    GemOpen { name: u32, handle: u32, size: u64 }
    /// `struct drm_gem_change_handle`
    GemChangeHandle { handle: u32, new_handle: u32 }
    /// `struct drm_get_cap` and `struct drm_set_client_cap`
    Cap { capability: u64, value: u64 }
    /// `struct drm_prime_handle`
    Prime { handle: u32, flags: u32, fd: i32 }
    /// `struct drm_mode_create_dumb`
    CreateDumb { height: u32, width: u32, bpp: u32, flags: u32, handle: u32, pitch: u32, size: u64 }
    /// `struct drm_mode_map_dumb`
    MapDumb { handle: u32, pad: u32, offset: u64 }
    /// `struct drm_mode_destroy_dumb`
    DestroyDumb { handle: u32 }
    /// `struct drm_vgem_fence_attach`
    FenceAttach { handle: u32, flags: u32, out_fence: u32, pad: u32 }
    /// `struct drm_vgem_fence_signal`
    FenceSignal { fence: u32, flags: u32 }
    /// `struct dma_buf_sync`
    DmaBufSync { flags: u64 }
    /// `struct dma_buf_export_sync_file` and `struct dma_buf_import_sync_file`
    DmaBufSyncFile { flags: u32, fd: i32 }
    /// `struct sync_merge_data`
    SyncMerge { name: [u8; 32], fd2: i32, fence: i32, flags: u32, pad: u32 }
    /// `struct udmabuf_create`
    UdmabufCreate { memfd: u32, flags: u32, offset: u64, size: u64 }
    /// `struct dma_heap_allocation_data`
    HeapAlloc { len: u64, fd: u32, fd_flags: u32, heap_flags: u64 }
    /// `struct edu_drm_info` (`kernel/tests/bus/edu/edu_drm.h`)
    EduInfo { identification: u32, message_irq: u32, interrupts: u32, resumed: u32 }
    /// `struct edu_drm_factorial`
    EduFactorial { n: u32, result: u32 }
    /// `struct edu_drm_dma`
    EduDma { handle: u32, to_device: u32, offset: u64, length: u32, no_wait: u32 }
    /// `struct aux_drm_info` (`kernel/tests/bus/auxiliary/aux_drm.h`)
    AuxInfo { id: u32, calls: u32, resumed: u32, pad: u32 }
    /// `struct drm_mode_card_res`; its addresses stay null, so that only numbers come back
    CardRes {
        addresses: [u64; 4], fbs: u32, crtcs: u32, connectors: u32, encoders: u32,
        min_width: u32, max_width: u32, min_height: u32, max_height: u32,
    }
    /// `struct drm_lifecycle` of the life-cycle test driver
    Lifecycle { what: u32, handle: u32, value: u64 }
    /// `struct drm_attack` (`kernel/tests/attacks/attacks_drm.h`)
    Attack { what: u32, handle: u32, value: u64 }
}

/// `struct drm_version`. `DrmFile::version` fills in its three addresses.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Version {
    pub(crate) major: i32,
    pub(crate) minor: i32,
    pub(crate) patchlevel: i32,
    pub(crate) hole: u32,
    pub(crate) name_len: u64,
    pub(crate) name: u64,
    pub(crate) date_len: u64,
    pub(crate) date: u64,
    pub(crate) desc_len: u64,
    pub(crate) desc: u64,
}

/// `struct drm_unique` and `struct drm_set_client_name`: a length and an address.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Text {
    pub(crate) len: u64,
    pub(crate) address: u64,
}

/// `DMA_BUF_SET_NAME_A`, whose argument is the text itself.
pub(crate) const DMA_BUF_SET_NAME: u32 = ioc(DIR_WRITE, b'b', 1, 4);

/// `struct sync_file_info`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SyncFileInfo {
    pub(crate) name: [u8; 32],
    pub(crate) status: i32,
    pub(crate) flags: u32,
    pub(crate) num_fences: u32,
    pub(crate) pad: u32,
    pub(crate) sync_fence_info: u64,
}

/// `struct sync_fence_info`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SyncFenceInfo {
    pub(crate) obj_name: [u8; 32],
    pub(crate) driver_name: [u8; 32],
    pub(crate) status: i32,
    pub(crate) flags: u32,
    pub(crate) timestamp_ns: u64,
}

/// The ioctl type of DRM.
pub(crate) const DRM: u8 = b'd';
/// The first number of a driver's own ioctls.
pub(crate) const COMMAND_BASE: u8 = 0x40;
const RW: u32 = DIR_READ | DIR_WRITE;

macro_rules! requests {
    ($($name:ident: $type:ty = $dir:expr, $kind:expr, $nr:expr;)*) => { $(
        #[doc = concat!("Carries [`", stringify!($type), "`].")]
        pub(crate) const $name: Request<$type> = Request::new($dir, $kind, $nr);
    )* };
}

requests! {
    VERSION: Version = RW, DRM, 0x00;
    GET_UNIQUE: Text = RW, DRM, 0x01;
    GET_MAGIC: Auth = DIR_READ, DRM, 0x02;
    GET_CLIENT: Client = RW, DRM, 0x05;
    GET_STATS: Stats = DIR_READ, DRM, 0x06;
    SET_VERSION: SetVersion = RW, DRM, 0x07;
    GEM_CLOSE: GemClose = DIR_WRITE, DRM, 0x09;
    GEM_FLINK: GemFlink = RW, DRM, 0x0a;
    GEM_OPEN: GemOpen = RW, DRM, 0x0b;
    GET_CAP: Cap = RW, DRM, 0x0c;
    SET_CLIENT_CAP: Cap = DIR_WRITE, DRM, 0x0d;
    AUTH_MAGIC: Auth = DIR_WRITE, DRM, 0x11;
    SET_MASTER: () = DIR_NONE, DRM, 0x1e;
    DROP_MASTER: () = DIR_NONE, DRM, 0x1f;
    PRIME_HANDLE_TO_FD: Prime = RW, DRM, 0x2d;
    PRIME_FD_TO_HANDLE: Prime = RW, DRM, 0x2e;
    MODE_GETRESOURCES: CardRes = RW, DRM, 0xa0;
    MODE_CREATE_DUMB: CreateDumb = RW, DRM, 0xb2;
    MODE_MAP_DUMB: MapDumb = RW, DRM, 0xb3;
    MODE_DESTROY_DUMB: DestroyDumb = RW, DRM, 0xb4;
    SET_CLIENT_NAME: Text = RW, DRM, 0xd1;
    GEM_CHANGE_HANDLE: GemChangeHandle = RW, DRM, 0xd2;
    VGEM_FENCE_ATTACH: FenceAttach = RW, DRM, COMMAND_BASE + 1;
    VGEM_FENCE_SIGNAL: FenceSignal = DIR_WRITE, DRM, COMMAND_BASE + 2;
    DMA_BUF_SYNC: DmaBufSync = DIR_WRITE, b'b', 0;
    DMA_BUF_EXPORT_SYNC_FILE: DmaBufSyncFile = RW, b'b', 2;
    DMA_BUF_IMPORT_SYNC_FILE: DmaBufSyncFile = DIR_WRITE, b'b', 3;
    SYNC_MERGE: SyncMerge = RW, b'>', 3;
    SYNC_FILE_INFO: SyncFileInfo = RW, b'>', 4;
    SYNC_SET_DEADLINE: SyncDeadline = DIR_WRITE, b'>', 5;
    UDMABUF_CREATE: UdmabufCreate = DIR_WRITE, b'u', 0x42;
    DMA_HEAP_ALLOC: HeapAlloc = RW, b'H', 0;
    EDU_INFO: EduInfo = DIR_READ, DRM, COMMAND_BASE;
    EDU_FACTORIAL: EduFactorial = RW, DRM, COMMAND_BASE + 1;
    EDU_DMA: EduDma = DIR_WRITE, DRM, COMMAND_BASE + 2;
    AUX_INFO: AuxInfo = DIR_READ, DRM, COMMAND_BASE;
}

pub(crate) mod nova;
pub(crate) mod sync;
pub(crate) mod tyr;

/// The size of a page on x86-64, and of a buffer of 32 by 32 pixels of 32 bits.
pub(crate) const PAGE: usize = 4096;
/// `VGEM_FENCE_WRITE`
pub(crate) const FENCE_WRITE: u32 = 1;
/// `DRM_CLOEXEC`
pub(crate) const CLOEXEC: u32 = 0o2000000;
/// `DRM_RDWR`
pub(crate) const RDWR: u32 = 2;
/// `DMA_BUF_SYNC_READ`
pub(crate) const SYNC_READ: u32 = 1;
/// `DMA_BUF_SYNC_WRITE`
pub(crate) const SYNC_WRITE: u32 = 2;
/// `DMA_BUF_SYNC_END`
pub(crate) const SYNC_END: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_that_a_c_compiler_makes_of_the_headers() {
        assert_eq!(VERSION.number, 0xc040_6400);
        assert_eq!(GET_STATS.number, 0x80f8_6406);
        assert_eq!(GEM_CLOSE.number, 0x4008_6409);
        assert_eq!(SET_MASTER.number, 0x641e);
        assert_eq!(PRIME_HANDLE_TO_FD.number, 0xc00c_642d);
        assert_eq!(MODE_CREATE_DUMB.number, 0xc020_64b2);
        assert_eq!(SET_CLIENT_NAME.number, 0xc010_64d1);
        assert_eq!(VGEM_FENCE_ATTACH.number, 0xc010_6441);
        assert_eq!(VGEM_FENCE_SIGNAL.number, 0x4008_6442);
        assert_eq!(SYNC_MERGE.number, 0xc030_3e03);
        assert_eq!(SYNC_FILE_INFO.number, 0xc038_3e04);
        assert_eq!(SYNC_SET_DEADLINE.number, 0x4010_3e05);
        assert_eq!(UDMABUF_CREATE.number, 0x4018_7542);
        assert_eq!(DMA_HEAP_ALLOC.number, 0xc018_4800);
    }

    #[test]
    fn the_size_can_be_read_back() {
        assert_eq!(ioc_size(VERSION.number), size_of::<Version>());
        assert_eq!(ioc_size(DROP_MASTER.number), 0);
    }
}
