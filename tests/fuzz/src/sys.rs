// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! System calls with whatever arguments, and an errno instead of a number below zero.
//!
//! A program's calls may be refused but must not harm this process: an address that goes to the kernel is one of an arena
//! (`arena.rs`), of a mapping that the program itself made, or one where nothing of this process can lie.
//!
//! Source: syscall(2) and the manual page of each call.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;

/// An errno.
pub(crate) type Errno = i32;

/// What a call says.
pub(crate) type Answer<T = u64> = Result<T, Errno>;

/// `EINTR`, as it is compared with.
pub(crate) const EINTR: Errno = libc::EINTR;

fn answer(value: i64) -> Answer {
    u64::try_from(value).map_err(|_| std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO))
}

/// ioctl(2).
pub(crate) fn ioctl(fd: RawFd, number: u32, argument: usize) -> Answer {
    // SAFETY: see above; what the kernel writes lands in an arena, which holds bytes that nobody refers to.
    answer(unsafe { libc::ioctl(fd, number.into(), argument) }.into())
}

/// open(2) of something that is there.
pub(crate) fn open(path: &Path, flags: i32) -> Answer<OwnedFd> {
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::CString::new(path.as_os_str().as_bytes()).map_err(|_| libc::EINVAL)?;
    // SAFETY: the string ends with a zero byte.
    let fd = answer(unsafe { libc::open(path.as_ptr(), flags | libc::O_CLOEXEC) }.into())?;
    // SAFETY: nobody else has the new descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// close(2).
pub(crate) fn close(fd: RawFd) -> Answer {
    // SAFETY: the callers close what a program has opened, by its number.
    answer(unsafe { libc::close(fd) }.into())
}

/// Closes all descriptors from `first` on.
pub(crate) fn close_from(first: RawFd) -> Answer {
    // SAFETY: the callers say from where on nothing is this program's own.
    answer(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) })
}

/// Makes `to` another number of `fd`.
pub(crate) fn duplicate(fd: &impl AsRawFd, to: RawFd) -> Answer {
    // SAFETY: a number that is in use is only given by those who know whose it is.
    answer(unsafe { libc::dup2(fd.as_raw_fd(), to) }.into())
}

/// mmap(2) at a place of the kernel's choice.
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
    // SAFETY: the callers unmap what `mmap` has given to them.
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
    // SAFETY: the kernel reads at most what is there.
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

/// poll(2) of one file: the events.
pub(crate) fn poll(fd: RawFd, events: i16, milliseconds: i32) -> Answer<i16> {
    let mut one = libc::pollfd { fd, events, revents: 0 };
    // SAFETY: one structure is one structure.
    answer(unsafe { libc::poll(&mut one, 1, milliseconds) }.into())?;
    Ok(one.revents)
}

/// eventfd(2).
pub(crate) fn eventfd(flags: i32) -> Answer {
    // SAFETY: there is no address.
    answer(unsafe { libc::eventfd(0, flags) }.into())
}

/// A memfd of whole pages that cannot shrink.
pub(crate) fn memory_file(pages: usize) -> Answer<OwnedFd> {
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    // SAFETY: the name ends with a zero byte.
    let fd = answer(unsafe { libc::memfd_create(c"fuzz".as_ptr(), flags) }.into())?;
    // SAFETY: nobody else has the new descriptor.
    let file = unsafe { OwnedFd::from_raw_fd(fd as RawFd) };
    // SAFETY: there is no address.
    answer(unsafe { libc::ftruncate(file.as_raw_fd(), pages as i64 * 4096) }.into())?;
    // SAFETY: there is no address.
    answer(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, libc::F_SEAL_SHRINK) }.into())?;
    Ok(file)
}

/// Sends `SIGALRM` every so many milliseconds, or no more: a call that sleeps ends with `EINTR` then.
pub(crate) fn tick(milliseconds: i64) {
    let interval = libc::timeval { tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000 };
    let timer = libc::itimerval { it_interval: interval, it_value: interval };
    // SAFETY: the structure is complete, and the old timer is not asked for.
    unsafe { libc::setitimer(libc::ITIMER_REAL, &timer, std::ptr::null_mut()) };
}

/// Has `SIGALRM` do nothing but interrupt.
pub(crate) fn interrupts_only() {
    extern "C" fn nothing(_: libc::c_int) {}
    // SAFETY: all zeros are a valid structure: no flags, so that nothing is restarted, and no mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as usize;
    // SAFETY: the handler does nothing, which is safe at any moment.
    unsafe { libc::sigaction(libc::SIGALRM, &action, std::ptr::null_mut()) };
}
