// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Makes system calls as a 32-bit program does: by `int 0x80`, with arguments below 4 GiB.
//!
//! Source: `arch/x86/entry/syscalls/syscall_32.tbl`; `drm_compat_ioctl` in `drivers/gpu/drm/drm_ioc32.c` (Linux 7.3).

use std::arch::asm;
use std::os::fd::{AsFd, AsRawFd};
use std::ptr::NonNull;

use rustix::io::Errno;
use rustix::mm::ProtFlags;
use uapi::{PAGE, ioc_size};

use sys::{Answer, Mapping};

/// System call numbers of the 32-bit table.
const IOCTL: u32 = 54;
const MMAP2: u32 = 192;

/// The space for all arguments of a call together.
const ROOM: usize = 16 * PAGE;

/// Memory that a field of another piece of memory points to.
#[derive(Debug)]
pub(crate) struct Pointed {
    /// The piece that holds the address: 0 is the argument, 1 the first of these pieces.
    pub(crate) holder: usize,
    /// Offset of the address in that piece. A 64-bit address needs zeros above it already.
    pub(crate) at: usize,
    /// The memory's content, before and after the call.
    pub(crate) bytes: Vec<u8>,
}

/// Memory below 4 GiB, followed by a page without access.
struct Low(NonNull<u8>);

impl Low {
    fn new() -> Answer<Self> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_32BIT;
        let both = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: without `MAP_FIXED` no existing mapping is touched.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), ROOM + PAGE, both, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(Errno::NOMEM);
        }
        // SAFETY: the last page of the mapping above, to which there are no references.
        let guarded = unsafe { libc::mprotect(start.byte_add(ROOM), PAGE, libc::PROT_NONE) };
        assert_eq!(guarded, 0, "the page is mapped");
        Ok(Self(NonNull::new(start.cast()).expect("mmap gives no null without MAP_FIXED")))
    }

    fn address(&self, at: usize) -> u32 {
        u32::try_from(self.0.as_ptr() as usize + at).expect("MAP_32BIT is below 4 GiB")
    }

    fn put(&self, at: usize, bytes: &[u8]) {
        assert!(at + bytes.len() <= ROOM, "arguments are small");
        // SAFETY: the range lies in the mapping, to which there are no references.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.0.as_ptr().add(at), bytes.len()) };
    }

    fn get(&self, at: usize, bytes: &mut [u8]) {
        assert!(at + bytes.len() <= ROOM, "arguments are small");
        // SAFETY: the range lies in the mapping, to which there are no references.
        unsafe { std::ptr::copy_nonoverlapping(self.0.as_ptr().add(at), bytes.as_mut_ptr(), bytes.len()) };
    }
}

impl Drop for Low {
    fn drop(&mut self) {
        // SAFETY: this value owns the mapping, and there are no references to it.
        let unmapped = unsafe { libc::munmap(self.0.as_ptr().cast(), ROOM + PAGE) };
        assert_eq!(unmapped, 0, "a whole mapping can be unmapped");
    }
}

/// Calls ioctl(2) as a 32-bit program. Each piece of `pointed` is placed behind the argument, and its address stored
/// where the piece says.
pub(crate) fn ioctl(fd: impl AsFd, number: u32, argument: &mut [u8], pointed: &mut [Pointed]) -> Answer<u32> {
    assert!(ioc_size(number) <= argument.len(), "the kernel copies as much as the number says");
    let low = Low::new()?;
    let mut starts = vec![0];
    let mut next = argument.len().next_multiple_of(8);
    low.put(0, argument);
    for piece in pointed.iter() {
        low.put(next, &piece.bytes);
        starts.push(next);
        next = (next + piece.bytes.len()).next_multiple_of(8);
    }
    for (piece, start) in pointed.iter().zip(&starts[1..]) {
        low.put(starts[piece.holder] + piece.at, &low.address(*start).to_ne_bytes());
    }
    // SAFETY: the argument and what its addresses point to are in `low`, behind which is a page that faults.
    let answer = unsafe { call(IOCTL, [fd.as_fd().as_raw_fd() as u32, number, low.address(0), 0, 0], 0) };
    low.get(0, argument);
    for (piece, start) in pointed.iter_mut().zip(&starts[1..]) {
        low.get(*start, &mut piece.bytes);
    }
    answer
}

/// Calls ioctl(2) as a 32-bit program, with an argument at an invalid address.
pub(crate) fn ioctl_bad(fd: impl AsFd, number: u32) -> Answer<u32> {
    // SAFETY: nothing can be mapped below `mmap_min_addr`.
    unsafe { call(IOCTL, [fd.as_fd().as_raw_fd() as u32, number, 0x1000, 0, 0], 0) }
}

/// Calls mmap2(2), shared. A 32-bit program counts its offset in pages.
pub(crate) fn map(fd: impl AsFd, offset: u64, len: usize, protection: ProtFlags) -> Answer<Mapping> {
    let page = u32::try_from(offset / PAGE as u64).map_err(|_| Errno::OVERFLOW)?;
    let arguments = [0, len as u32, protection.bits(), libc::MAP_SHARED as u32, fd.as_fd().as_raw_fd() as u32];
    // SAFETY: without `MAP_FIXED` no existing mapping is touched.
    let start = unsafe { call(MMAP2, arguments, page) }?;
    // SAFETY: the kernel has just made the mapping, and nothing else refers to it.
    Ok(unsafe { Mapping::adopt(start as usize, len) })
}

/// Makes a system call by the 32-bit entry.
///
/// # Safety
///
/// The requirements of the call itself.
unsafe fn call(number: u32, [ebx, ecx, edx, esi, edi]: [u32; 5], ebp: u32) -> Answer<u32> {
    let answer: i32;
    // SAFETY: by this function's contract. `rbx` and `rbp`, which the compiler reserves, are restored.
    unsafe {
        asm!(
            "push rbp",
            "mov ebp, {last:e}",
            "xchg {first:r}, rbx",
            "int 0x80",
            "xchg {first:r}, rbx",
            "pop rbp",
            first = inout(reg) u64::from(ebx) => _,
            last = in(reg) ebp,
            inlateout("eax") number => answer,
            in("ecx") ecx,
            in("edx") edx,
            in("esi") esi,
            in("edi") edi,
            out("r8") _,
            out("r9") _,
            out("r10") _,
            out("r11") _,
        );
    }
    match answer {
        -4095..=-1 => Err(Errno::from_raw_os_error(-answer)),
        answer => Ok(answer as u32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sys::memory_file;

    #[test]
    fn what_a_64_bit_program_wrote_a_32_bit_call_maps() {
        let file = memory_file(2 * PAGE).unwrap();
        Mapping::shared(&file, 0, 2 * PAGE).unwrap().write(PAGE + 4, 0x3232);
        let Ok(mapping) = map(&file, PAGE as u64, PAGE, ProtFlags::READ) else {
            // The kernel has no 32-bit entry.
            return;
        };
        assert_eq!(mapping.read(4), 0x3232);
    }

    #[test]
    fn an_offset_that_a_32_bit_program_cannot_say_is_none() {
        let file = memory_file(PAGE).unwrap();
        assert_eq!(map(&file, 1 << 56, PAGE, ProtFlags::READ).err(), Some(Errno::OVERFLOW));
    }
}
