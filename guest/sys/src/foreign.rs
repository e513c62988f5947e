// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Dma-bufs of exporters other than DRM drivers.
//!
//! Source: `include/uapi/linux/udmabuf.h`, `linux/dma-heap.h`; Documentation/userspace-api/dma-buf-heaps.rst.

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

use rustix::fs::OFlags;
use uapi::{CLOEXEC, DMA_HEAP_ALLOC, HeapAlloc, RDWR, UDMABUF_CLOEXEC, UDMABUF_CREATE, UdmabufCreate};

use crate::{Answer, ioctl, open};

/// Creates a dma-buf from pages of a sealed memfd.
pub fn udmabuf(memory: &OwnedFd, size: usize) -> Answer<OwnedFd> {
    let device = open("/dev/udmabuf", OFlags::RDWR)?;
    let memfd = memory.as_raw_fd() as u32;
    let mut wanted = UdmabufCreate { memfd, flags: UDMABUF_CLOEXEC, offset: 0, size: size as u64 };
    let fd = ioctl(device, &UDMABUF_CREATE, &mut wanted)?;
    // SAFETY: this ioctl returns the new descriptor, which nothing else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Creates a dma-buf in the system heap.
pub fn heap_buffer(size: usize) -> Answer<OwnedFd> {
    let heap = open("/dev/dma_heap/system", OFlags::RDWR)?;
    let mut wanted = HeapAlloc { len: size as u64, fd_flags: CLOEXEC | RDWR, ..Default::default() };
    ioctl(heap, &DMA_HEAP_ALLOC, &mut wanted)?;
    // SAFETY: on success the kernel installed a new descriptor that nothing else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(wanted.fd as RawFd) })
}

/// Returns a descriptor's text in `/proc/self/fdinfo`.
pub fn fdinfo(fd: &impl AsFd) -> std::io::Result<String> {
    std::fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_fd().as_raw_fd()))
}

/// Whether a text of fdinfo is that of a udmabuf. Its `DMA_BUF_IOCTL_SYNC` is wrong in Linux 7.3: it syncs in another
/// direction than it has mapped (docs/reference/c-core-faults.md). So random calls leave it out.
pub fn is_udmabuf(fdinfo: &str) -> bool {
    fdinfo.contains("exp_name:\tudmabuf\n")
}
