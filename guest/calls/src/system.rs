// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The C library's functions, and their errors.
//!
//! Source: ioctl(2), mmap(2), poll(2); the constants are those of x86-64.

use std::ffi::{c_int, c_long, c_short, c_ulong, c_void};
use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;
use std::time::Duration;

use uapi::{Plain, Request};

/// `struct pollfd`
#[repr(C)]
struct PollFd {
    fd: c_int,
    events: c_short,
    revents: c_short,
}

unsafe extern "C" {
    #[link_name = "ioctl"]
    fn c_ioctl(fd: c_int, request: c_ulong, ...) -> c_int;
    #[link_name = "mmap"]
    fn c_mmap(addr: *mut c_void, len: usize, prot: c_int, flags: c_int, fd: c_int, offset: c_long) -> *mut c_void;
    #[link_name = "munmap"]
    fn c_munmap(addr: *mut c_void, len: usize) -> c_int;
    #[link_name = "poll"]
    fn c_poll(fds: *mut PollFd, count: c_ulong, timeout: c_int) -> c_int;
}

/// `PROT_READ | PROT_WRITE`
const READ_WRITE: c_int = 1 | 2;
/// `MAP_SHARED`
const SHARED: c_int = 1;
/// `POLLIN`
const READABLE: c_short = 1;

/// An error number of the kernel.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Errno(i32);

impl Errno {
    /// No such handle, or no fence.
    pub const ENOENT: Self = Self(2);
    /// A bad address.
    pub const EFAULT: Self = Self(14);
    /// The device is busy.
    pub const EBUSY: Self = Self(16);
    /// The device is gone.
    pub const ENODEV: Self = Self(19);
    /// An invalid argument.
    pub const EINVAL: Self = Self(22);

    fn last() -> Self {
        Self(io::Error::last_os_error().raw_os_error().unwrap_or_default())
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", io::Error::from_raw_os_error(self.0))
    }
}

/// Makes the ioctl `request` with `argument`, which the kernel may change.
pub(crate) fn ioctl<A: Plain>(file: BorrowedFd<'_>, request: &Request<A>, argument: &mut A) -> Result<(), Errno> {
    let argument: *mut A = argument;
    // SAFETY: The kernel reads and writes as many bytes as the number says, which is the size of `A`. Any bytes are a
    // value of a `Plain` type, and none of its fields is an address.
    match unsafe { c_ioctl(file.as_raw_fd(), request.number.into(), argument) } {
        -1 => Err(Errno::last()),
        _ => Ok(()),
    }
}

/// Takes over a file descriptor that an ioctl has returned.
pub(crate) fn owned(fd: c_int) -> OwnedFd {
    assert!(fd >= 0, "the kernel returned no file descriptor");
    // SAFETY: The kernel has just made the descriptor for this call, so nobody else owns it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Maps `bytes` of `file` from `offset`, shared, to read and write. The result is aligned to a page.
pub(crate) fn mmap(file: BorrowedFd<'_>, offset: u64, bytes: usize) -> NonNull<c_void> {
    let offset = c_long::try_from(offset).expect("offsets of nodes are small");
    // SAFETY: The kernel chooses the address, so the call changes no memory in use.
    let start = unsafe { c_mmap(std::ptr::null_mut(), bytes, READ_WRITE, SHARED, file.as_raw_fd(), offset) };
    // `MAP_FAILED` is -1.
    assert!(start.addr() != usize::MAX, "failed to map {bytes} bytes at {offset:#x}: {:?}", Errno::last());
    NonNull::new(start).expect("the kernel maps nothing at address 0")
}

/// Unmaps memory.
///
/// # Safety
///
/// `mmap` returned `start` for `bytes`, and nothing uses the memory any more.
pub(crate) unsafe fn munmap(start: NonNull<c_void>, bytes: usize) {
    // SAFETY: By the requirement.
    let failed = unsafe { c_munmap(start.as_ptr(), bytes) };
    debug_assert_eq!(failed, 0, "a mapping can be unmapped");
}

/// Waits until `file` is readable. Returns `false` if that takes longer than `limit`.
pub(crate) fn poll(file: BorrowedFd<'_>, limit: Duration) -> bool {
    let mut fds = [PollFd { fd: file.as_raw_fd(), events: READABLE, revents: 0 }];
    let limit = c_int::try_from(limit.as_millis()).unwrap_or(c_int::MAX);
    // SAFETY: The array has one entry, and no other code uses it.
    match unsafe { c_poll(fds.as_mut_ptr(), 1, limit) } {
        0 => false,
        1 => fds[0].revents & READABLE != 0,
        _ => panic!("failed to poll: {:?}", Errno::last()),
    }
}
