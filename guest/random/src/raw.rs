// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! System calls with any numbers and addresses as arguments.
//!
//! A program's calls may be refused but must not harm this process. Any address passed to the kernel is in an arena
//! (`arena.rs`), in a mapping that the program itself made, or where nothing of this process can be.
//!
//! Source: syscall(2) and the manual page of each call.

use std::os::fd::{AsRawFd, RawFd};

use rustix::io::Errno;
use sys::Answer;

fn answer(value: i64) -> Answer<u64> {
    let last = || Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO);
    u64::try_from(value).map_err(|_| last())
}

/// ioctl(2).
pub(crate) fn ioctl(fd: RawFd, number: u32, argument: usize) -> Answer<u64> {
    // SAFETY: see above; the kernel writes only into an arena, to whose bytes there are no references.
    answer(unsafe { libc::ioctl(fd, number.into(), argument) }.into())
}

/// close(2).
pub(crate) fn close(fd: RawFd) -> Answer<u64> {
    // SAFETY: the callers close descriptors that a program has opened, by number.
    answer(unsafe { libc::close(fd) }.into())
}

/// Closes all descriptors from `first` on.
pub(crate) fn close_from(first: RawFd) -> Answer<u64> {
    // SAFETY: from `first` on no descriptor is this program's own.
    answer(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) })
}

/// dup2(2): makes `to` another number of `fd`.
pub(crate) fn duplicate(fd: &impl AsRawFd, to: RawFd) -> Answer<u64> {
    // SAFETY: a caller passes a number in use only if it knows whose it is.
    answer(unsafe { libc::dup2(fd.as_raw_fd(), to) }.into())
}

/// mmap(2) at an address of the kernel's choice.
pub(crate) fn mmap(fd: RawFd, length: usize, protection: i32, flags: i32, offset: i64) -> Answer<usize> {
    // SAFETY: without `MAP_FIXED` no mapping is replaced.
    let start = unsafe { libc::mmap(std::ptr::null_mut(), length, protection, flags, fd, offset) };
    match start == libc::MAP_FAILED {
        true => answer(-1).map(|_| 0),
        false => Ok(start as usize),
    }
}

/// munmap(2).
pub(crate) fn munmap(address: usize, length: usize) -> Answer<u64> {
    // SAFETY: the callers unmap only mappings that `mmap` returned.
    answer(unsafe { libc::munmap(address as *mut libc::c_void, length) }.into())
}

/// mprotect(2).
pub(crate) fn mprotect(address: usize, length: usize, protection: i32) -> Answer<u64> {
    // SAFETY: as for `munmap`.
    answer(unsafe { libc::mprotect(address as *mut libc::c_void, length, protection) }.into())
}

/// read(2) to an address, which may be a bad one.
pub(crate) fn read_to(fd: RawFd, address: usize, length: usize) -> Answer<u64> {
    // SAFETY: see above.
    answer(unsafe { libc::read(fd, address as *mut libc::c_void, length) } as i64)
}

/// write(2) from an address, which may be a bad one.
pub(crate) fn write_from(fd: RawFd, address: usize, length: usize) -> Answer<u64> {
    // SAFETY: the kernel reads at most the bytes that are mapped.
    answer(unsafe { libc::write(fd, address as *const libc::c_void, length) } as i64)
}

/// poll(2) of one file. Returns the events.
pub(crate) fn poll(fd: RawFd, events: i16, milliseconds: i32) -> Answer<i16> {
    let mut one = libc::pollfd { fd, events, revents: 0 };
    // SAFETY: the array is one structure, and its length is 1.
    answer(unsafe { libc::poll(&mut one, 1, milliseconds) }.into())?;
    Ok(one.revents)
}

/// eventfd(2).
pub(crate) fn eventfd(flags: i32) -> Answer<u64> {
    // SAFETY: the call takes no address.
    answer(unsafe { libc::eventfd(0, flags) }.into())
}

/// Sends `SIGALRM` every `milliseconds`, or never with 0: a call that sleeps then ends with `EINTR`.
pub(crate) fn tick(milliseconds: i64) {
    let interval = libc::timeval { tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000 };
    let timer = libc::itimerval { it_interval: interval, it_value: interval };
    // SAFETY: the structure is complete, and the old timer is not requested.
    unsafe { libc::setitimer(libc::ITIMER_REAL, &timer, std::ptr::null_mut()) };
}
