// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Wraps the raw system calls once, so that no case needs `unsafe`.
//!
//! Source: ioctl(2), mmap(2), fork(2).

use std::arch::asm;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::ptr::NonNull;
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags};

use uapi::{PAGE, Plain, Request, ioc_size};

/// The result of a call that can be refused.
pub type Answer<T = ()> = Result<T, Errno>;

/// An address that a system call must not be able to use.
#[derive(Clone, Copy, Debug)]
pub enum BadAddress {
    /// The null pointer.
    Null,
    /// A page below `mmap_min_addr`, where nothing can be mapped.
    Unmapped,
    /// The kernel's half of the address space.
    Kernel,
    /// An address that no page table can translate.
    NonCanonical,
}

impl BadAddress {
    /// All bad addresses.
    pub const ALL: [Self; 4] = [Self::Null, Self::Unmapped, Self::Kernel, Self::NonCanonical];

    /// Returns the number to pass in the call.
    pub const fn get(self) -> usize {
        match self {
            Self::Null => 0,
            Self::Unmapped => 0x1000,
            Self::Kernel => 0xffff_ffff_8100_0000,
            Self::NonCanonical => 0x1000_0000_0000_0000,
        }
    }
}

/// Turns the C library's return value and last error into an answer.
#[inline]
fn answer(code: i32) -> Answer<i32> {
    match code {
        -1 => {
            let number = std::io::Error::last_os_error().raw_os_error();
            Err(Errno::from_raw_os_error(number.expect("the last error comes from the system")))
        }
        code => Ok(code),
    }
}

/// Calls ioctl(2) with any argument.
///
/// # Safety
///
/// Whatever the kernel reads or writes through `argument` for this request must be memory that
/// the caller may have read and written.
#[inline]
pub unsafe fn ioctl_raw(fd: BorrowedFd<'_>, number: u32, argument: usize) -> Answer<i32> {
    // SAFETY: by this function's contract; the descriptor is open while it is borrowed.
    answer(unsafe { libc::ioctl(fd.as_raw_fd(), number as _, argument) })
}

/// Calls ioctl(2) with the structure that the request carries.
#[inline]
pub fn ioctl<T: Plain>(fd: impl AsFd, request: &Request<T>, argument: &mut T) -> Answer<i32> {
    let address = std::ptr::from_mut(argument) as usize;
    // SAFETY: the request's size is that of `T`, and a `Plain` argument holds no addresses.
    unsafe { ioctl_raw(fd.as_fd(), request.number, address) }
}

/// Calls ioctl(2) with a structure that holds addresses.
///
/// # Safety
///
/// The kernel may read and write the memory that the structure points to, as far as the structure says.
#[inline]
pub unsafe fn ioctl_pointing<T>(fd: impl AsFd, request: &Request<T>, argument: &mut T) -> Answer<i32> {
    let address = std::ptr::from_mut(argument) as usize;
    // SAFETY: the request's size is that of `T`; for the rest, by this function's contract.
    unsafe { ioctl_raw(fd.as_fd(), request.number, address) }
}

/// Calls ioctl(2) with a number whose size or direction is not the structure's own.
///
/// The request must not read the bytes as addresses: the callers pass zeros there.
pub fn ioctl_bytes(fd: impl AsFd, number: u32, bytes: &mut [u8]) -> Answer<i32> {
    assert!(ioc_size(number) <= bytes.len(), "the kernel copies as much as the number says");
    let address = bytes.as_mut_ptr() as usize;
    // SAFETY: the kernel copies no more than the number's size, which the slice holds.
    unsafe { ioctl_raw(fd.as_fd(), number, address) }
}

/// Calls ioctl(2) with the structure at the beginning of a mapping.
///
/// The request must not read the bytes as addresses.
pub fn ioctl_in(fd: impl AsFd, number: u32, argument: &Mapping) -> Answer<i32> {
    assert!(ioc_size(number) <= argument.len, "the kernel copies as much as the number says");
    // SAFETY: the kernel copies no more than the number's size, which the mapping holds.
    unsafe { ioctl_raw(fd.as_fd(), number, argument.address()) }
}

/// Calls ioctl(2) with an address that the kernel cannot use.
pub fn ioctl_bad(fd: impl AsFd, number: u32, address: BadAddress) -> Answer<i32> {
    // SAFETY: nothing of this process is mapped at any of these addresses.
    unsafe { ioctl_raw(fd.as_fd(), number, address.get()) }
}

/// Calls ioctl(2) on a descriptor number that may not be open.
pub fn ioctl_on_number<T: Plain>(fd: i32, request: &Request<T>, argument: &mut T) -> Answer<i32> {
    let address = std::ptr::from_mut(argument) as usize;
    // SAFETY: as in `ioctl`; a descriptor that is not open is an error of the call.
    answer(unsafe { libc::ioctl(fd, request.number as _, address) })
}

/// A mapping made by mmap(2), read and written a word at a time.
#[derive(Debug)]
pub struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: a mapping belongs to the process; words are accessed by volatile operations only.
unsafe impl Send for Mapping {}

impl Mapping {
    /// Maps `len` bytes shared, to read and write.
    pub fn shared(fd: impl AsFd, offset: u64, len: usize) -> Answer<Self> {
        Self::new(fd, offset, len, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED)
    }

    /// Calls mmap(2) with an address of the kernel's choice.
    pub fn new(fd: impl AsFd, offset: u64, len: usize, protection: ProtFlags, flags: MapFlags) -> Answer<Self> {
        let null = std::ptr::null_mut();
        // SAFETY: without `MAP_FIXED` no existing mapping is touched.
        let start = unsafe { rustix::mm::mmap(null, len, protection, flags, fd, offset) }?;
        let start = NonNull::new(start.cast()).expect("mmap gives no null without MAP_FIXED");
        Ok(Self { start, len })
    }

    /// Takes over a mapping that another call has made.
    ///
    /// # Safety
    ///
    /// `start` and `len` describe a mapping that nothing else unmaps or refers to.
    pub unsafe fn adopt(start: usize, len: usize) -> Self {
        let start = NonNull::new(std::ptr::with_exposed_provenance_mut(start)).expect("a mapping is not at null");
        Self { start, len }
    }

    /// Returns the address of the mapping's start.
    pub fn address(&self) -> usize {
        self.start.as_ptr() as usize
    }

    /// Reads the word at a byte offset.
    pub fn read(&self, offset: usize) -> u32 {
        // SAFETY: `word` checked the bounds; a fault ends the process, it is not undefined.
        unsafe { self.word(offset).read_volatile() }
    }

    /// Loads 1, 2, 4 or 8 bytes with one instruction, from any byte offset.
    pub fn load(&self, offset: usize, width: usize) -> u64 {
        assert!(offset + width <= self.len, "the bytes lie in the mapping");
        let at = self.address() + offset;
        let mut value: u64 = 0;
        // SAFETY: the bytes lie in the mapping, as was checked; a fault ends the process, it is not undefined.
        unsafe {
            match width {
                1 => asm!("mov {0:l}, byte ptr [{1}]", inout(reg_abcd) value, in(reg) at, options(nostack, readonly)),
                2 => asm!("mov {0:x}, word ptr [{1}]", inout(reg) value, in(reg) at, options(nostack, readonly)),
                4 => asm!("mov {0:e}, dword ptr [{1}]", inout(reg) value, in(reg) at, options(nostack, readonly)),
                8 => asm!("mov {0:r}, qword ptr [{1}]", inout(reg) value, in(reg) at, options(nostack, readonly)),
                _ => unreachable!("no instruction loads {width} bytes"),
            }
        }
        value
    }

    /// Changes the word at a byte offset.
    pub fn write(&self, offset: usize, value: u32) {
        // SAFETY: as in `read`; nobody holds a reference into the mapping.
        unsafe { self.word(offset).write_volatile(value) }
    }

    /// Makes the mapping read-only.
    pub fn protect(&self) -> Answer {
        self.protect_as(rustix::mm::MprotectFlags::READ)
    }

    /// mprotect(2)
    pub fn protect_as(&self, rights: rustix::mm::MprotectFlags) -> Answer {
        // SAFETY: our own mapping stays mapped; an access without the right ends the process, it is not undefined.
        unsafe { rustix::mm::mprotect(self.start.as_ptr().cast(), self.len, rights) }
    }

    /// Unmaps the last `len` bytes.
    pub fn shrink(&mut self, len: usize) -> Answer {
        assert!(len < self.len && len % PAGE == 0, "a part of whole pages is unmapped");
        // SAFETY: the end of our own mapping, which is forgotten on the next line.
        unsafe { rustix::mm::munmap(self.start.as_ptr().add(self.len - len).cast(), len) }?;
        self.len -= len;
        Ok(())
    }

    /// Unmaps the first `len` bytes. Offsets count from the remaining part.
    pub fn cut_front(&mut self, len: usize) -> Answer {
        assert!(len < self.len && len % PAGE == 0, "a part of whole pages is unmapped");
        // SAFETY: the beginning of our own mapping, which is forgotten on the next lines.
        unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), len) }?;
        // SAFETY: `len` is less than the mapping's length.
        self.start = unsafe { self.start.add(len) };
        self.len -= len;
        Ok(())
    }

    /// Calls mremap(2) to change the length without moving.
    pub fn grow(&mut self, len: usize) -> Answer {
        use rustix::mm::{MremapFlags, mremap};
        // SAFETY: our own mapping, and it does not move.
        unsafe { mremap(self.start.as_ptr().cast(), self.len, len, MremapFlags::empty()) }?;
        self.len = len;
        Ok(())
    }

    /// Calls read(2) straight into the mapping.
    pub fn fill_from(&self, fd: impl AsFd, len: usize) -> Answer<usize> {
        assert!(len <= self.len, "the mapping has room");
        // SAFETY: `len` bytes of our own mapping, to which nobody holds a reference.
        let room = unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), len) };
        rustix::io::read(fd, room)
    }

    /// Calls pread(2) straight into the mapping, from the file's beginning.
    pub fn fill_at(&self, offset: usize, fd: impl AsFd, len: usize) -> Answer<usize> {
        assert!(offset + len <= self.len, "the mapping has room");
        // SAFETY: `len` bytes of our own mapping, to which nobody holds a reference.
        let room = unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr().add(offset), len) };
        rustix::io::pread(fd, room, 0)
    }

    /// Calls pwrite(2) straight from the mapping, to the file's beginning.
    pub fn give_from(&self, offset: usize, fd: impl AsFd, len: usize) -> Answer<usize> {
        assert!(offset + len <= self.len, "the mapping is that long");
        // SAFETY: `len` bytes of our own mapping, which only the kernel reads.
        let bytes = unsafe { std::slice::from_raw_parts(self.start.as_ptr().add(offset), len) };
        rustix::io::pwrite(fd, bytes, 0)
    }

    fn word(&self, offset: usize) -> *mut u32 {
        assert!(offset % 4 == 0 && offset + 4 <= self.len, "the word lies in the mapping");
        // SAFETY: within the mapping, by the assertion.
        unsafe { self.start.as_ptr().add(offset).cast() }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: our own mapping, which nobody can use any more.
        let unmapped = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.len) };
        unmapped.expect("a whole mapping can be unmapped");
    }
}

/// Creates a memfd whose size can no longer shrink, as udmabuf requires.
pub fn memory_file(size: usize) -> Answer<OwnedFd> {
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
    let file = memfd_create("drydock", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    ftruncate(&file, size as u64)?;
    fcntl_add_seals(&file, SealFlags::SHRINK)?;
    Ok(file)
}

/// Runs a piece in a forked copy of the process and returns the wait status.
///
/// Unlike a new program, the copy inherits the mappings. It must not allocate or lock.
pub fn in_forked_copy(piece: impl FnOnce() -> bool) -> Answer<libc::c_int> {
    // SAFETY: the copy only touches memory and exits, so a lock held by another thread does not matter.
    let child = answer(unsafe { libc::fork() })?;
    if child == 0 {
        let code = if piece() { 0 } else { 1 };
        // SAFETY: ends the copy without running the destructors of the original.
        unsafe { libc::_exit(code) }
    }
    let mut status = 0;
    // SAFETY: `status` is a valid place for the result.
    answer(unsafe { libc::waitpid(child, &mut status, 0) })?;
    Ok(status)
}

/// Returns the signal that ended a process, from its wait status.
pub fn ended_by(status: libc::c_int) -> Option<i32> {
    libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status))
}

/// Calls close(2) and returns its answer.
pub fn close(fd: OwnedFd) -> Answer {
    // SAFETY: the descriptor was owned, and nobody else closes it.
    answer(unsafe { libc::close(fd.into_raw_fd()) }).map(drop)
}

/// Closes every descriptor from `first` on.
///
/// # Safety
///
/// Nothing owns these descriptors any more.
pub unsafe fn close_from(first: RawFd) {
    // SAFETY: by this function's contract.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0) };
    assert_eq!(closed, 0, "the range is one");
}

/// Takes a descriptor that the kernel has installed, if it is open.
///
/// # Safety
///
/// Nothing owns the descriptor.
pub unsafe fn adopt(number: RawFd) -> Option<OwnedFd> {
    // SAFETY: `F_GETFD` reads the flags of a descriptor and changes nothing.
    let is_open = unsafe { libc::fcntl(number, libc::F_GETFD) } >= 0;
    // SAFETY: it is open; for the rest, by this function's contract.
    is_open.then(|| unsafe { OwnedFd::from_raw_fd(number) })
}

/// The effect of a harmless signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// The signal is ignored, also in programs that are started from here on.
    Ignored,
    /// The signal interrupts calls.
    Interrupts,
}

/// Makes a signal harmless: it is ignored, or it only interrupts calls.
pub fn dispose(signal: libc::c_int, how: Disposition) -> Answer {
    extern "C" fn nothing(_: libc::c_int) {}
    // SAFETY: all zeros are an action without flags (`SA_RESTART` for one) and with an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = match how {
        Disposition::Ignored => libc::SIG_IGN,
        Disposition::Interrupts => nothing as extern "C" fn(libc::c_int) as libc::sighandler_t,
    };
    // SAFETY: the handler does nothing, so it may run at any moment.
    answer(unsafe { libc::sigaction(signal, &action, std::ptr::null_mut()) }).map(drop)
}

/// Starts a forked copy of the process, which has no other thread, to run a piece and exit.
pub fn fork(piece: impl FnOnce() -> bool) -> Answer<rustix::process::Pid> {
    // SAFETY: with no other thread, no lock is held that the copy would wait for.
    let child = answer(unsafe { libc::fork() })?;
    if child == 0 {
        let code = if piece() { 0 } else { 1 };
        // SAFETY: ends the copy without running the destructors of the original.
        unsafe { libc::_exit(code) }
    }
    Ok(rustix::process::Pid::from_raw(child).expect("a child has a number"))
}

/// Puts future children of this process in a time namespace of their own, whose monotonic clocks are `seconds` ahead.
pub fn shift_time_of_children(seconds: u32) -> Answer {
    // SAFETY: the table of files is not unshared.
    unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWTIME) }?;
    write("/proc/self/timens_offsets", &format!("monotonic {seconds} 0"))
}

/// Opens a path with flags, closed on exec.
pub fn open(path: impl rustix::path::Arg, flags: OFlags) -> Answer<OwnedFd> {
    rustix::fs::open(path, flags | OFlags::CLOEXEC, rustix::fs::Mode::empty())
}

/// Writes to a sysfs file, and does not create it if it does not exist.
pub fn write(path: &str, text: &str) -> Answer {
    let opened = std::fs::OpenOptions::new().write(true).open(path);
    let written = opened.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
}

/// Calls poll(2) on one descriptor, and returns the events within `milliseconds`.
pub fn poll(fd: impl AsFd, events: rustix::event::PollFlags, milliseconds: u64) -> Answer<rustix::event::PollFlags> {
    let limit = Duration::from_millis(milliseconds).try_into().map_err(|_| Errno::INVAL)?;
    let mut fds = [rustix::event::PollFd::new(&fd, events)];
    rustix::event::poll(&mut fds, Some(&limit))?;
    Ok(fds[0].revents())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_written_are_read_back_through_another_mapping() {
        let file = memory_file(2 * PAGE).unwrap();
        let first = Mapping::shared(&file, 0, 2 * PAGE).unwrap();
        first.write(PAGE + 8, 0xfeed);
        let second = Mapping::shared(&file, PAGE as u64, PAGE).unwrap();
        assert_eq!(second.read(8), 0xfeed);
    }

    #[test]
    fn a_bad_address_is_refused_by_an_ioctl_that_reads() {
        let file = memory_file(PAGE).unwrap();
        for address in BadAddress::ALL {
            // FIONBIO reads an integer from its argument before anything else.
            assert_eq!(ioctl_bad(&file, 0x5421, address), Err(Errno::FAULT));
        }
    }

    #[test]
    fn a_forked_copy_tells_how_it_ended() {
        assert_eq!(in_forked_copy(|| true).map(ended_by), Ok(None));
        let page = Mapping::shared(memory_file(PAGE).unwrap(), 0, PAGE).unwrap();
        page.write(0, 1);
        page.protect().unwrap();
        let status = in_forked_copy(|| {
            page.write(0, 2);
            true
        });
        assert_eq!(status.map(ended_by), Ok(Some(libc::SIGSEGV)));
        assert_eq!(page.read(0), 1);
    }
}
