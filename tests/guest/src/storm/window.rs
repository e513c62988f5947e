// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The addresses that calls of a storm may be given: a stretch of the address space in which nothing is the program's own.
//!
//! **Invariant: whatever the kernel reads or writes there hurts nobody.** No reference into the window exists; its first slot
//! holds arguments, the others mappings of the device; and behind each is a gap that ends what runs on too far. So a hostile call may
//! get any address of it, with any length.
//!
//! Source: mmap(2), mremap(2), pread(2).

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::ptr::NonNull;

use rustix::io::Errno;
use rustix::mm::{self, Advice, MapFlags, MprotectFlags, MremapFlags, MsyncFlags, ProtFlags};

use crate::sys::{Answer, BadAddress, memory_file};
use crate::uapi::PAGE;

/// The length of a slot, at least half of which is a gap.
const SLOT: usize = 1 << 20;
/// The longest mapping of a slot.
pub(super) const LONGEST: usize = SLOT / 2;
/// How many slots there are, the first for arguments.
pub(super) const SLOTS: usize = 17;
/// How long the place for arguments is.
const ARGUMENTS: usize = 16 * PAGE;
/// A page in the first slot that can only be read.
const READ_ONLY: usize = ARGUMENTS + PAGE;

/// The stretch.
#[derive(Debug)]
pub(super) struct Window {
    start: NonNull<u8>,
    /// Where what is mapped in each slot ends, 0 for nothing.
    mapped: [usize; SLOTS],
    /// What is copied to and from mappings by the kernel, so that a fault is an answer and no signal.
    scratch: OwnedFd,
    /// How much of the place for arguments is used.
    used: usize,
}

impl Window {
    /// A new one.
    pub(super) fn new() -> Answer<Self> {
        let reserve = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: without `MAP_FIXED` no existing mapping is touched.
        let start = unsafe { mm::mmap_anonymous(std::ptr::null_mut(), SLOTS * SLOT, ProtFlags::empty(), reserve) }?;
        let start = NonNull::new(start.cast()).expect("mmap gives no null without MAP_FIXED");
        let mut window = Self { start, mapped: [0; SLOTS], scratch: memory_file(LONGEST)?, used: 0 };
        window.overlay(0, ARGUMENTS, ProtFlags::READ | ProtFlags::WRITE)?;
        window.overlay(READ_ONLY, PAGE, ProtFlags::READ)?;
        window.mapped[0] = ARGUMENTS;
        Ok(window)
    }

    /// Anonymous memory over a part of the window, or without rights a gap.
    fn overlay(&self, at: usize, len: usize, rights: ProtFlags) -> Answer {
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED;
        // SAFETY: a part of the window, by its invariant.
        unsafe { mm::mmap_anonymous(self.pointer(at, len), len, rights, flags) }.map(drop)
    }

    /// A gap over a part of the window. It may be the allocation for this that was to fail; the next does not.
    fn gap(&self, at: usize, len: usize) {
        let made = (0..100).any(|_| self.overlay(at, len, ProtFlags::empty()).is_ok());
        assert!(made, "a gap takes next to no memory");
    }

    fn pointer(&self, at: usize, len: usize) -> *mut std::ffi::c_void {
        assert!(at + len <= SLOTS * SLOT, "a part of the window");
        // SAFETY: within the window.
        unsafe { self.start.as_ptr().add(at).cast() }
    }

    /// The address of a byte of a slot.
    pub(super) fn address(&self, slot: usize, offset: usize) -> usize {
        assert!(offset < SLOT, "a slot is that long");
        self.pointer(slot * SLOT + offset, 0) as usize
    }

    /// Addresses at which something is wrong: not mapped at all, only to read, or at the end of what is mapped.
    pub(super) fn bad_addresses(&self) -> [usize; 7] {
        let [a, b, c, d] = BadAddress::ALL.map(BadAddress::get);
        [a, b, c, d, self.address(0, READ_ONLY), self.address(0, ARGUMENTS - 4), self.address(0, SLOT / 2)]
    }

    /// Forgets all arguments.
    pub(super) fn begin(&mut self) {
        self.used = 0;
    }

    /// Puts bytes where the kernel finds them; there is room for all of a call's.
    pub(super) fn put(&mut self, bytes: &[u8]) -> usize {
        let at = self.used;
        assert!(at + bytes.len() <= ARGUMENTS, "arguments are small");
        self.used = (at + bytes.len()).next_multiple_of(8);
        // SAFETY: within the place for arguments, to which there are no references.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.pointer(at, bytes.len()).cast(), bytes.len()) };
        self.address(0, at)
    }

    /// A word of an argument after the call.
    pub(super) fn word(&self, address: usize) -> u32 {
        let at = address - self.start.as_ptr() as usize;
        assert!(at % 4 == 0 && at + 4 <= ARGUMENTS, "an argument");
        // SAFETY: an aligned word of the place for arguments, which the kernel may have changed.
        unsafe { self.pointer(at, 4).cast::<u32>().read_volatile() }
    }

    /// The slots in which something is mapped.
    pub(super) fn full(&self) -> impl Iterator<Item = usize> + '_ {
        (1..SLOTS).filter(|slot| self.mapped[*slot] > 0)
    }

    /// How much is mapped in a slot.
    pub(super) fn len(&self, slot: usize) -> usize {
        self.mapped[slot]
    }

    /// mmap(2) of a file into a slot, in place of what is there.
    pub(super) fn map(
        &mut self,
        slot: usize,
        fd: impl AsFd,
        offset: u64,
        len: usize,
        rights: ProtFlags,
        kind: MapFlags,
    ) -> Answer {
        assert!((1..SLOTS).contains(&slot) && len <= LONGEST, "a slot of the device's");
        let place = self.pointer(slot * SLOT, len);
        // SAFETY: a part of the window, by its invariant.
        let mapped = unsafe { mm::mmap(place, len, rights, kind | MapFlags::FIXED, fd, offset) };
        match mapped {
            Ok(_) => self.covers(slot, len),
            // What was there may be gone.
            Err(_) => self.clear(slot),
        }
        mapped.map(drop)
    }

    /// So much of a slot is mapped now, in place of the beginning of what was there.
    fn covers(&mut self, slot: usize, len: usize) {
        self.mapped[slot] = self.mapped[slot].max(len.next_multiple_of(PAGE));
    }

    /// A gap in place of what is in a slot.
    pub(super) fn clear(&mut self, slot: usize) {
        self.gap(slot * SLOT, SLOT);
        self.mapped[slot] = 0;
    }

    /// munmap(2) of a part of a slot, which is a gap then.
    pub(super) fn unmap(&mut self, slot: usize, at: usize, len: usize) -> Answer {
        assert!(slot > 0 && at + len <= SLOT, "a part of a slot of the device's");
        // SAFETY: a part of the window, by its invariant; no other thread can take the place before it is a gap again.
        let unmapped = unsafe { mm::munmap(self.pointer(slot * SLOT + at, len), len) };
        self.gap(slot * SLOT + at, len);
        if at == 0 && len >= self.mapped[slot] {
            self.mapped[slot] = 0;
        }
        unmapped
    }

    /// mremap(2) of a slot's mapping to another slot and length.
    pub(super) fn remap(&mut self, from: usize, to: usize, len: usize) -> Answer {
        assert!(from > 0 && to > 0 && from != to && len <= LONGEST, "two slots of the device's");
        let (old, new) = (self.pointer(from * SLOT, 0), self.pointer(to * SLOT, 0));
        // SAFETY: parts of the window, by its invariant.
        let moved = unsafe { mm::mremap_fixed(old, self.mapped[from], len, MremapFlags::MAYMOVE, new) };
        // A call that fails may have unmapped the end of the one, too: in a hole the kernel would map what others ask for.
        self.clear(from);
        match moved {
            Ok(_) => self.covers(to, len),
            Err(_) => self.clear(to),
        }
        moved.map(drop)
    }

    /// mprotect(2) of a slot's mapping.
    pub(super) fn protect(&self, slot: usize, rights: MprotectFlags) -> Answer {
        assert!(slot > 0, "a slot of the device's");
        // SAFETY: a part of the window, by its invariant.
        unsafe { mm::mprotect(self.pointer(slot * SLOT, 0), self.mapped[slot], rights) }
    }

    /// madvise(2) about a slot's mapping.
    pub(super) fn advise(&self, slot: usize, advice: Advice) -> Answer {
        assert!(slot > 0, "a slot of the device's");
        // SAFETY: a part of the window, by its invariant: contents may change.
        unsafe { mm::madvise(self.pointer(slot * SLOT, 0), self.mapped[slot], advice) }
    }

    /// msync(2) of a slot's mapping.
    pub(super) fn sync(&self, slot: usize) -> Answer {
        // SAFETY: a part of the window, by its invariant.
        unsafe { mm::msync(self.pointer(slot * SLOT, 0), self.mapped[slot], MsyncFlags::SYNC) }
    }

    /// Has the kernel read `len` bytes of a slot, with the page faults that the program would have had.
    pub(super) fn read(&self, slot: usize, offset: usize, len: usize) -> Answer {
        let from = self.pointer(slot * SLOT + offset, len);
        // SAFETY: bytes of the window, by its invariant; what is not mapped is an error of the call.
        count(unsafe { libc::pwrite(self.scratch.as_raw_fd(), from, len, 0) })
    }

    /// Has the kernel write `len` bytes of a slot.
    pub(super) fn write(&self, slot: usize, offset: usize, len: usize) -> Answer {
        assert!(slot > 0, "a slot of the device's");
        let to = self.pointer(slot * SLOT + offset, len);
        // SAFETY: as in `read`.
        count(unsafe { libc::pread(self.scratch.as_raw_fd(), to, len, 0) })
    }
}

/// Whether a call that returns a length has succeeded.
fn count(length: isize) -> Answer {
    match length {
        -1 => Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: ProtFlags = ProtFlags::READ.union(ProtFlags::WRITE);

    #[test]
    fn arguments_are_where_they_were_put() {
        let mut window = Window::new().unwrap();
        let first = window.put(&[1, 0, 0, 0, 9]);
        let second = window.put(&7_u32.to_ne_bytes());
        assert_eq!((window.word(first), window.word(second), second - first), (1, 7, 8));
    }

    #[test]
    fn a_slot_faults_by_an_answer_and_not_by_a_signal() {
        let mut window = Window::new().unwrap();
        let file = memory_file(PAGE).unwrap();
        assert_eq!(window.read(1, 0, 8), Err(Errno::FAULT));
        window.map(1, &file, 0, 2 * PAGE, BOTH, MapFlags::SHARED).unwrap();
        assert_eq!((window.read(1, 0, 8), window.write(1, 8, 8)), (Ok(()), Ok(())));
        // Behind the end of the file.
        assert_eq!(window.read(1, PAGE, 8), Err(Errno::FAULT));
        window.protect(1, MprotectFlags::READ).unwrap();
        assert_eq!(window.write(1, 0, 8), Err(Errno::FAULT));
    }

    #[test]
    fn what_a_shorter_mapping_leaves_of_a_longer_one_is_known() {
        let mut window = Window::new().unwrap();
        let file = memory_file(4 * PAGE).unwrap();
        for slot in [1, 2] {
            window.map(slot, &file, 0, 4 * PAGE, BOTH, MapFlags::SHARED).unwrap();
        }
        window.map(1, &file, 0, PAGE, BOTH, MapFlags::SHARED).unwrap();
        window.unmap(1, 0, PAGE).unwrap();
        window.map(3, &file, 0, PAGE, BOTH, MapFlags::SHARED).unwrap();
        window.remap(3, 2, PAGE).unwrap();
        window.unmap(2, 0, PAGE).unwrap();
        assert_eq!((window.read(1, PAGE, 8), window.read(2, PAGE, 8)), (Ok(()), Ok(())));
        assert_eq!(window.full().collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn what_is_moved_or_unmapped_leaves_a_gap() {
        let mut window = Window::new().unwrap();
        let file = memory_file(4 * PAGE).unwrap();
        window.map(1, &file, 0, 4 * PAGE, BOTH, MapFlags::SHARED).unwrap();
        window.unmap(1, PAGE, PAGE).unwrap();
        assert_eq!((window.read(1, 0, 8), window.read(1, PAGE, 8)), (Ok(()), Err(Errno::FAULT)));
        window.map(2, &file, 0, PAGE, BOTH, MapFlags::SHARED).unwrap();
        window.remap(2, 3, PAGE).unwrap();
        assert_eq!((window.read(3, 0, 8), window.read(2, 0, 8)), (Ok(()), Err(Errno::FAULT)));
        assert_eq!(window.full().collect::<Vec<_>>(), [1, 3]);
    }
}
