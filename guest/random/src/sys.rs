// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! System calls with any arguments, which return an errno instead of a negative number.
//!
//! A program's calls may be refused but must not harm this process. Any address passed to the kernel is in an arena
//! (`arena.rs`), in a mapping that the program itself made, or where nothing of this process can be.
//!
//! Source: syscall(2) and the manual page of each call.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;

/// An error number.
pub(crate) type Errno = i32;

/// The result of a call.
pub(crate) type Answer<T = u64> = Result<T, Errno>;

/// `EINTR`, to compare with.
pub(crate) const EINTR: Errno = libc::EINTR;

fn answer(value: i64) -> Answer {
    u64::try_from(value).map_err(|_| std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO))
}

/// ioctl(2).
pub(crate) fn ioctl(fd: RawFd, number: u32, argument: usize) -> Answer {
    // SAFETY: see above; the kernel writes only into an arena, to whose bytes there are no references.
    answer(unsafe { libc::ioctl(fd, number.into(), argument) }.into())
}

/// open(2) of an existing file.
pub(crate) fn open(path: &Path, flags: i32) -> Answer<OwnedFd> {
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::CString::new(path.as_os_str().as_bytes()).map_err(|_| libc::EINVAL)?;
    // SAFETY: the string ends with a zero byte.
    let fd = answer(unsafe { libc::open(path.as_ptr(), flags | libc::O_CLOEXEC) }.into())?;
    // SAFETY: nothing else owns the new descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// close(2).
pub(crate) fn close(fd: RawFd) -> Answer {
    // SAFETY: the callers close descriptors that a program has opened, by number.
    answer(unsafe { libc::close(fd) }.into())
}

/// Closes all descriptors from `first` on.
pub(crate) fn close_from(first: RawFd) -> Answer {
    // SAFETY: from `first` on no descriptor is this program's own.
    answer(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) })
}

/// dup2(2): makes `to` another number of `fd`.
pub(crate) fn duplicate(fd: &impl AsRawFd, to: RawFd) -> Answer {
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
pub(crate) fn munmap(address: usize, length: usize) -> Answer {
    // SAFETY: the callers unmap only mappings that `mmap` returned.
    answer(unsafe { libc::munmap(address as *mut libc::c_void, length) }.into())
}

/// mprotect(2).
pub(crate) fn mprotect(address: usize, length: usize, protection: i32) -> Answer {
    // SAFETY: as for `munmap`.
    answer(unsafe { libc::mprotect(address as *mut libc::c_void, length, protection) }.into())
}

/// read(2) to an address, which may be a bad one.
pub(crate) fn read_to(fd: RawFd, address: usize, length: usize) -> Answer {
    // SAFETY: see above.
    answer(unsafe { libc::read(fd, address as *mut libc::c_void, length) } as i64)
}

/// write(2) from an address, which may be a bad one.
pub(crate) fn write_from(fd: RawFd, address: usize, length: usize) -> Answer {
    // SAFETY: the kernel reads at most the bytes that are mapped.
    answer(unsafe { libc::write(fd, address as *const libc::c_void, length) } as i64)
}

/// write(2) of all bytes.
pub(crate) fn write_all(fd: RawFd, mut bytes: &[u8]) -> Answer<()> {
    while !bytes.is_empty() {
        match write_from(fd, bytes.as_ptr() as usize, bytes.len()) {
            Ok(count) => bytes = &bytes[count as usize..],
            Err(EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// poll(2) of one file. Returns the events.
pub(crate) fn poll(fd: RawFd, events: i16, milliseconds: i32) -> Answer<i16> {
    let mut one = libc::pollfd { fd, events, revents: 0 };
    // SAFETY: the array is one structure, and its length is 1.
    answer(unsafe { libc::poll(&mut one, 1, milliseconds) }.into())?;
    Ok(one.revents)
}

/// eventfd(2).
pub(crate) fn eventfd(flags: i32) -> Answer {
    // SAFETY: the call takes no address.
    answer(unsafe { libc::eventfd(0, flags) }.into())
}

/// Creates a memfd of whole pages that cannot shrink.
pub(crate) fn memory_file(pages: usize) -> Answer<OwnedFd> {
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    // SAFETY: the name ends with a zero byte.
    let fd = answer(unsafe { libc::memfd_create(c"fuzz".as_ptr(), flags) }.into())?;
    // SAFETY: nothing else owns the new descriptor.
    let file = unsafe { OwnedFd::from_raw_fd(fd as RawFd) };
    // SAFETY: the call takes no address.
    answer(unsafe { libc::ftruncate(file.as_raw_fd(), pages as i64 * 4096) }.into())?;
    // SAFETY: the call takes no address.
    answer(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, libc::F_SEAL_SHRINK) }.into())?;
    Ok(file)
}

/// Sends `SIGALRM` every `milliseconds`, or never with 0: a call that sleeps then ends with `EINTR`.
pub(crate) fn tick(milliseconds: i64) {
    let interval = libc::timeval { tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000 };
    let timer = libc::itimerval { it_interval: interval, it_value: interval };
    // SAFETY: the structure is complete, and the old timer is not requested.
    unsafe { libc::setitimer(libc::ITIMER_REAL, &timer, std::ptr::null_mut()) };
}

/// Makes `SIGALRM` only interrupt calls.
pub(crate) fn interrupts_only() {
    extern "C" fn nothing(_: libc::c_int) {}
    // SAFETY: all zeros are a valid structure: no flags, so that nothing is restarted, and no mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as usize;
    // SAFETY: the handler does nothing, which is safe at any moment.
    unsafe { libc::sigaction(libc::SIGALRM, &action, std::ptr::null_mut()) };
}
