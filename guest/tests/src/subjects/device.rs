// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! An open DRM file with one method per ioctl, and the dma-buf calls.
//!
//! Source: `include/uapi/drm/drm.h`, `vgem_drm.h`, `linux/dma-buf.h`.

mod syncobj;

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::event::PollFlags;
use uapi::{Plain, Request};

pub(crate) use sys::foreign::{fdinfo, heap_buffer, udmabuf};
use sys::{Answer, BadAddress, Mapping};

/// An open file of a DRM node.
#[derive(Debug)]
pub(crate) struct DrmFile {
    fd: OwnedFd,
}

impl AsFd for DrmFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl From<OwnedFd> for DrmFile {
    fn from(fd: OwnedFd) -> Self {
        Self { fd }
    }
}

impl DrmFile {
    /// Opens a node to read and write.
    pub(crate) fn open(path: impl rustix::path::Arg) -> Answer<Self> {
        Ok(Self { fd: sys::open(path, rustix::fs::OFlags::RDWR)? })
    }

    /// Makes any ioctl whose structure holds no addresses.
    pub(crate) fn ioctl<T: Plain>(&self, request: &Request<T>, mut argument: T) -> Answer<T> {
        sys::ioctl(self, request, &mut argument)?;
        Ok(argument)
    }

    /// `VERSION` with room for `name`. The whole structure is returned, with stale addresses.
    pub(crate) fn version(&self, name: &mut [u8]) -> Answer<uapi::Version> {
        let mut version =
            uapi::Version { name_len: name.len() as u64, name: name.as_mut_ptr() as u64, ..Default::default() };
        let address = std::ptr::from_mut(&mut version) as usize;
        // SAFETY: the structure is complete, and the only buffer in it is `name` with its length.
        unsafe { sys::ioctl_raw(self.as_fd(), uapi::VERSION.number, address) }?;
        Ok(version)
    }

    /// Returns the driver's name and description, as `VERSION` reports them.
    pub(crate) fn names(&self) -> Answer<(String, String)> {
        let [mut name, mut desc] = [[0_u8; 64]; 2];
        let mut version = uapi::Version {
            name_len: name.len() as u64,
            name: name.as_mut_ptr() as u64,
            desc_len: desc.len() as u64,
            desc: desc.as_mut_ptr() as u64,
            ..Default::default()
        };
        let address = std::ptr::from_mut(&mut version) as usize;
        // SAFETY: the structure is complete, and the two buffers in it have the lengths it says.
        unsafe { sys::ioctl_raw(self.as_fd(), uapi::VERSION.number, address) }?;
        let text =
            |bytes: &[u8], len: u64| String::from_utf8_lossy(&bytes[..bytes.len().min(len as usize)]).into_owned();
        Ok((text(&name, version.name_len), text(&desc, version.desc_len)))
    }

    /// `GET_UNIQUE` or `SET_CLIENT_NAME` with a length and a buffer. Returns the length.
    pub(crate) fn text(&self, request: &Request<uapi::Text>, buffer: &mut [u8]) -> Answer<u64> {
        let mut text = uapi::Text { len: buffer.len() as u64, address: buffer.as_mut_ptr() as u64 };
        let address = std::ptr::from_mut(&mut text) as usize;
        // SAFETY: the structure is complete, and the buffer in it has the length it says.
        unsafe { sys::ioctl_raw(self.as_fd(), request.number, address) }?;
        Ok(text.len)
    }

    /// Like `text`, with an invalid address.
    pub(crate) fn text_at(&self, request: &Request<uapi::Text>, len: u64, address: BadAddress) -> Answer<u64> {
        let mut text = uapi::Text { len, address: address.get() as u64 };
        let argument = std::ptr::from_mut(&mut text) as usize;
        // SAFETY: nothing of this process is mapped at the buffer's address.
        unsafe { sys::ioctl_raw(self.as_fd(), request.number, argument) }?;
        Ok(text.len)
    }

    /// `VERSION` with a name buffer at an invalid address.
    pub(crate) fn version_at(&self, name_len: u64, name: BadAddress) -> Answer<uapi::Version> {
        let name = name.get() as u64;
        let mut version = uapi::Version { name_len, name, ..Default::default() };
        let address = std::ptr::from_mut(&mut version) as usize;
        // SAFETY: nothing of this process is mapped at the buffer's address.
        unsafe { sys::ioctl_raw(self.as_fd(), uapi::VERSION.number, address) }?;
        Ok(version)
    }

    /// `GET_CAP`
    pub(crate) fn capability(&self, capability: u64) -> Answer<u64> {
        Ok(self.ioctl(&uapi::GET_CAP, uapi::Cap { capability, value: 0 })?.value)
    }

    /// `MODE_GETRESOURCES` without arrays: returns the counts and the limits of framebuffers.
    pub(crate) fn resource_counts(&self) -> Answer<uapi::mode::CardRes> {
        let mut counts = uapi::mode::CardRes::default();
        // SAFETY: the structure announces arrays of no element, so the kernel uses none of its addresses.
        unsafe { sys::ioctl_pointing(self, &uapi::mode::GETRESOURCES, &mut counts) }?;
        Ok(counts)
    }

    /// `MODE_CREATE_DUMB`. A size of 32 by 32 at 32 bits makes one page.
    pub(crate) fn create_dumb(&self, width: u32, height: u32, bpp: u32) -> Answer<uapi::CreateDumb> {
        let wanted = uapi::CreateDumb { width, height, bpp, ..Default::default() };
        self.ioctl(&uapi::MODE_CREATE_DUMB, wanted)
    }

    /// Creates a dumb buffer of this many pages and returns its handle.
    pub(crate) fn pages(&self, count: u32) -> Answer<u32> {
        Ok(self.create_dumb(32, 32 * count, 32)?.handle)
    }

    /// `MODE_MAP_DUMB`. Returns the offset to pass to mmap(2).
    pub(crate) fn map_offset(&self, handle: u32) -> Answer<u64> {
        let wanted = uapi::MapDumb { handle, ..Default::default() };
        Ok(self.ioctl(&uapi::MODE_MAP_DUMB, wanted)?.offset)
    }

    /// `MODE_MAP_DUMB` and mmap(2), shared, to read and write.
    pub(crate) fn map(&self, handle: u32, len: usize) -> Answer<Mapping> {
        Mapping::shared(self, self.map_offset(handle)?, len)
    }

    /// `MODE_DESTROY_DUMB`
    pub(crate) fn destroy_dumb(&self, handle: u32) -> Answer {
        self.ioctl(&uapi::MODE_DESTROY_DUMB, uapi::DestroyDumb { handle }).map(drop)
    }

    /// `GEM_CLOSE`
    pub(crate) fn gem_close(&self, handle: u32) -> Answer {
        self.ioctl(&uapi::GEM_CLOSE, uapi::GemClose { handle, pad: 0 }).map(drop)
    }

    /// `GEM_FLINK`. Returns the global name of a handle.
    pub(crate) fn flink(&self, handle: u32) -> Answer<u32> {
        Ok(self.ioctl(&uapi::GEM_FLINK, uapi::GemFlink { handle, name: 0 })?.name)
    }

    /// `GEM_OPEN`. Returns the handle and the size of a global name.
    pub(crate) fn gem_open(&self, name: u32) -> Answer<uapi::GemOpen> {
        self.ioctl(&uapi::GEM_OPEN, uapi::GemOpen { name, ..Default::default() })
    }

    /// `PRIME_HANDLE_TO_FD`
    pub(crate) fn export(&self, handle: u32, flags: u32) -> Answer<OwnedFd> {
        let wanted = uapi::Prime { handle, flags, fd: -1 };
        let made = self.ioctl(&uapi::PRIME_HANDLE_TO_FD, wanted)?;
        // SAFETY: on success the kernel installed a new descriptor that nothing else owns.
        Ok(unsafe { OwnedFd::from_raw_fd(made.fd) })
    }

    /// `PRIME_FD_TO_HANDLE`
    pub(crate) fn import(&self, fd: &impl AsRawFd) -> Answer<u32> {
        self.import_number(fd.as_raw_fd())
    }

    /// `PRIME_FD_TO_HANDLE` with any number as the descriptor.
    pub(crate) fn import_number(&self, fd: RawFd) -> Answer<u32> {
        let wanted = uapi::Prime { handle: 0, flags: 0, fd };
        Ok(self.ioctl(&uapi::PRIME_FD_TO_HANDLE, wanted)?.handle)
    }

    /// `VGEM_FENCE_ATTACH`. Returns the number of the new fence.
    pub(crate) fn attach(&self, handle: u32, flags: u32) -> Answer<u32> {
        let wanted = uapi::FenceAttach { handle, flags, ..Default::default() };
        Ok(self.ioctl(&uapi::VGEM_FENCE_ATTACH, wanted)?.out_fence)
    }

    /// `VGEM_FENCE_SIGNAL`
    pub(crate) fn signal(&self, fence: u32) -> Answer {
        self.ioctl(&uapi::VGEM_FENCE_SIGNAL, uapi::FenceSignal { fence, flags: 0 }).map(drop)
    }

    /// `SET_MASTER` or `DROP_MASTER`.
    pub(crate) fn master(&self, request: &Request<()>) -> Answer {
        self.ioctl(request, ())
    }

    /// `GET_MAGIC`
    pub(crate) fn magic(&self) -> Answer<u32> {
        Ok(self.ioctl(&uapi::GET_MAGIC, uapi::Auth::default())?.magic)
    }

    /// Returns the file's text in `/proc/self/fdinfo`.
    pub(crate) fn fdinfo(&self) -> std::io::Result<String> {
        fdinfo(self)
    }
}

/// `DMA_BUF_IOCTL_SYNC`
pub(crate) fn dma_buf_sync(buffer: impl AsFd, flags: u32) -> Answer {
    let mut sync = uapi::DmaBufSync { flags: flags.into() };
    sys::ioctl(buffer, &uapi::DMA_BUF_SYNC, &mut sync).map(drop)
}

/// `DMA_BUF_IOCTL_EXPORT_SYNC_FILE`
pub(crate) fn export_sync_file(buffer: impl AsFd, flags: u32) -> Answer<OwnedFd> {
    let mut wanted = uapi::DmaBufSyncFile { flags, fd: -1 };
    sys::ioctl(buffer, &uapi::DMA_BUF_EXPORT_SYNC_FILE, &mut wanted)?;
    // SAFETY: on success the kernel installed a new descriptor that nothing else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(wanted.fd) })
}

/// `DMA_BUF_IOCTL_IMPORT_SYNC_FILE`
pub(crate) fn import_sync_file(buffer: impl AsFd, flags: u32, file: &OwnedFd) -> Answer {
    let mut wanted = uapi::DmaBufSyncFile { flags, fd: file.as_raw_fd() };
    sys::ioctl(buffer, &uapi::DMA_BUF_IMPORT_SYNC_FILE, &mut wanted).map(drop)
}

/// `SYNC_IOC_SET_DEADLINE`. The deadline is in nanoseconds of `CLOCK_MONOTONIC`.
pub(crate) fn set_deadline(file: &OwnedFd, deadline_ns: u64) -> Answer {
    let mut wanted = uapi::SyncDeadline { deadline_ns, pad: 0 };
    sys::ioctl(file, &uapi::SYNC_SET_DEADLINE, &mut wanted).map(drop)
}

/// `DMA_BUF_SET_NAME_A`. fdinfo shows the name.
pub(crate) fn dma_buf_name(buffer: impl AsFd, name: &CStr) -> Answer {
    // SAFETY: the kernel reads a text up to its terminator.
    unsafe { sys::ioctl_raw(buffer.as_fd(), uapi::DMA_BUF_SET_NAME_A.number, name.as_ptr() as usize) }.map(drop)
}

/// `SYNC_IOC_MERGE`. Returns a sync file with the fences of both files.
pub(crate) fn merge(file: &OwnedFd, other: &OwnedFd) -> Answer<OwnedFd> {
    let mut wanted = uapi::SyncMerge { fd2: other.as_raw_fd(), ..Default::default() };
    sys::ioctl(file, &uapi::SYNC_MERGE, &mut wanted)?;
    // SAFETY: on success the kernel installed a new descriptor that nothing else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(wanted.fence) })
}

/// `SYNC_IOC_FILE_INFO` of a sync file that holds exactly one fence.
pub(crate) fn fence_of(file: &OwnedFd) -> Answer<uapi::SyncFenceInfo> {
    let mut fence = uapi::SyncFenceInfo::default();
    let mut info = uapi::SyncFileInfo {
        num_fences: 1,
        sync_fence_info: std::ptr::from_mut(&mut fence) as u64,
        ..Default::default()
    };
    let address = std::ptr::from_mut(&mut info) as usize;
    // SAFETY: the structure is complete and points to room for the one fence that it announces.
    unsafe { sys::ioctl_raw(file.as_fd(), uapi::SYNC_FILE_INFO.number, address) }?;
    Ok(fence)
}

/// Whether the buffer can be read now (no unsignalled write fence).
pub(crate) fn readable_now(buffer: impl AsFd) -> Answer<bool> {
    Ok(sys::poll(buffer, PollFlags::IN, 0)?.contains(PollFlags::IN))
}

/// Whether the buffer can be written now (no unsignalled fence at all).
pub(crate) fn writable_now(buffer: impl AsFd) -> Answer<bool> {
    Ok(sys::poll(buffer, PollFlags::OUT, 0)?.contains(PollFlags::OUT))
}
