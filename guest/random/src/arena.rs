// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Memory for the arguments of calls, at good and bad addresses.
//!
//! The arena is one mapping: room that is used from its beginning, a read-only page, a page, and behind that one a page
//! without access. There are no references into it: bytes are copied in and out.
//!
//! Source: mmap(2), mprotect(2).

use random::program::Address;
use sys::{Answer, BadAddress};
use uapi::PAGE;

use crate::raw;

/// The size of the room for one program.
const ROOM: usize = 64 * PAGE;
const READ_ONLY: usize = ROOM;
const END: usize = ROOM + 2 * PAGE;

/// The memory.
#[derive(Debug)]
pub(crate) struct Arena {
    start: usize,
    used: usize,
}

impl Arena {
    pub(crate) fn new() -> Answer<Self> {
        let both = libc::PROT_READ | libc::PROT_WRITE;
        let start = raw::mmap(-1, END + PAGE, both, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, 0)?;
        raw::mprotect(start + READ_ONLY, PAGE, libc::PROT_READ)?;
        raw::mprotect(start + END, PAGE, libc::PROT_NONE)?;
        Ok(Self { start, used: 0 })
    }

    /// Clears everything that was put.
    pub(crate) fn clear(&mut self) {
        let used = std::mem::take(&mut self.used);
        // SAFETY: the room is ours, can be written, and there are no references to it.
        unsafe { std::ptr::write_bytes(self.start as *mut u8, 0, used) };
    }

    /// Puts bytes at a place of kind `at`, and returns the address. Zeros follow them, unless they are at the edge.
    pub(crate) fn put(&mut self, at: Address, bytes: &[u8]) -> usize {
        match at {
            Address::Good => self.put_good(bytes),
            Address::Edge => {
                let inside = bytes.len().div_ceil(2).min(PAGE);
                let address = self.start + END - inside;
                copy_in(address, &bytes[..inside.min(bytes.len())]);
                address
            }
            Address::ReadOnly => self.put_read_only(bytes),
            Address::Null => BadAddress::Null.get(),
            // The runner knows the mappings; without one, this address is as bad.
            Address::Mapped | Address::Unmapped => BadAddress::Unmapped.get(),
            Address::Kernel => BadAddress::Kernel.get(),
            Address::NonCanonical => BadAddress::NonCanonical.get(),
        }
    }

    /// Returns the current bytes at a good address.
    pub(crate) fn get(&self, address: usize, length: usize) -> Option<Vec<u8>> {
        let inside = address >= self.start && address.checked_add(length)? <= self.start + ROOM;
        inside.then(|| {
            let mut bytes = vec![0; length];
            // SAFETY: the range is in the room, and there are no references to it.
            unsafe { std::ptr::copy_nonoverlapping(address as *const u8, bytes.as_mut_ptr(), length) };
            bytes
        })
    }

    fn put_good(&mut self, bytes: &[u8]) -> usize {
        // The gap between two blocks takes what a faulty kernel writes beyond the first. A full arena has no room left
        // for it.
        let length = (bytes.len() + 64).next_multiple_of(16);
        if self.used + length > ROOM {
            return self.put(Address::Unmapped, bytes);
        }
        let address = self.start + self.used;
        self.used += length;
        copy_in(address, bytes);
        address
    }

    fn put_read_only(&mut self, bytes: &[u8]) -> usize {
        let page = self.start + READ_ONLY;
        let can_write = raw::mprotect(page, PAGE, libc::PROT_READ | libc::PROT_WRITE).is_ok();
        if can_write {
            copy_in(page, &bytes[..bytes.len().min(PAGE)]);
            // If the page stays writable, the kernel may write to it, which does no harm.
            let _ = raw::mprotect(page, PAGE, libc::PROT_READ);
        }
        page
    }
}

fn copy_in(address: usize, bytes: &[u8]) {
    // SAFETY: the callers give a place in the arena that can be written and holds the bytes.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), address as *mut u8, bytes.len()) };
}

impl Drop for Arena {
    fn drop(&mut self) {
        // Unmapping our own mapping cannot fail, and a failure could not be handled.
        let _ = raw::munmap(self.start, END + PAGE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_there_until_it_is_forgotten() {
        let mut arena = Arena::new().unwrap();
        let (first, second) = (arena.put(Address::Good, b"abc"), arena.put(Address::Good, b"de"));
        assert_eq!(arena.get(first, 4).unwrap(), b"abc\0");
        assert_eq!(arena.get(second, 2).unwrap(), b"de");
        arena.clear();
        assert_eq!(arena.get(first, 3).unwrap(), [0; 3]);
        assert_eq!(arena.get(first - 1, 3), None);
    }

    #[test]
    fn bad_places_are_bad_and_the_edge_is_half_good() {
        let mut arena = Arena::new().unwrap();
        let null = sys::open("/dev/zero", rustix::fs::OFlags::RDWR).unwrap();
        let fd = std::os::fd::AsRawFd::as_raw_fd(&null);
        for at in [Address::Null, Address::Unmapped, Address::Kernel, Address::NonCanonical, Address::ReadOnly] {
            assert_eq!(raw::read_to(fd, arena.put(at, &[1; 8]), 8), Err(rustix::io::Errno::FAULT), "{at:?}");
        }
        let edge = arena.put(Address::Edge, &[1; 8]);
        assert_eq!(raw::read_to(fd, edge, 4), Ok(4));
        assert_ne!(raw::read_to(fd, edge, 8), Ok(8));
    }

    #[test]
    fn a_full_arena_has_no_good_place() {
        let mut arena = Arena::new().unwrap();
        let last = (0..100).map(|_| arena.put(Address::Good, &[7; 5000])).last();
        assert_eq!(last, Some(0x1000));
    }
}
