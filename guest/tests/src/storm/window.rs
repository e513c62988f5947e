// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The addresses that calls of a storm may be given: a part of the address space in which nothing is the program's own.
//!
//! **Invariant: whatever the kernel reads or writes in the window is harmless.** No reference into the window exists.
//! Its first slot holds arguments, the others mappings of the device. Behind each is a gap that ends an access that
//! runs too far. So a hostile call may get any address in it, with any length.
//!
//! Source: mmap(2), mremap(2), pread(2).

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::ptr::NonNull;

use rustix::io::Errno;
use rustix::mm::{self, Advice, MapFlags, MprotectFlags, MremapFlags, MsyncFlags, ProtFlags};
use uapi::PAGE;

use sys::{Answer, BadAddress, memory_file};

/// The length of a slot, at least half of which is a gap.
const SLOT: usize = 1 << 20;
/// The length of the longest mapping in a slot.
pub(super) const LONGEST: usize = SLOT / 2;
/// The number of slots, the first for arguments.
pub(super) const SLOTS: usize = 17;
/// The length of the area for arguments.
const ARGUMENTS: usize = 16 * PAGE;
/// The least number of zeros behind each argument, so that a text ends.
const ZEROS: usize = 8;
/// Offset of a read-only page in the first slot.
const READ_ONLY: usize = ARGUMENTS + PAGE;

/// The reserved part of the address space.
#[derive(Debug)]
pub(super) struct Window {
    start: NonNull<u8>,
    /// The end of each slot's mapping, 0 for none.
    mapped: [usize; SLOTS],
    /// The file through which the kernel copies to and from mappings, so that a fault is an answer and no signal.
    scratch: OwnedFd,
    /// How much of the area for arguments is used.
    used: usize,
}

impl Window {
    /// Reserves a window.
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

    /// Maps anonymous memory over a part of the window; without rights it is a gap.
    fn overlay(&self, at: usize, len: usize, rights: ProtFlags) -> Answer {
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED;
        // SAFETY: a part of the window, by its invariant.
        unsafe { mm::mmap_anonymous(self.pointer(at, len), len, rights, flags) }.map(drop)
    }

    /// Makes a part of the window a gap. The injected failure may hit this allocation; then the next attempt succeeds.
    fn gap(&self, at: usize, len: usize) {
        let made = (0..100).any(|_| self.overlay(at, len, ProtFlags::empty()).is_ok());
        assert!(made, "a gap takes next to no memory");
    }

    fn pointer(&self, at: usize, len: usize) -> *mut std::ffi::c_void {
        assert!(at + len <= SLOTS * SLOT, "a part of the window");
        // SAFETY: within the window.
        unsafe { self.start.as_ptr().add(at).cast() }
    }

    /// Returns the address of a byte of a slot.
    pub(super) fn address(&self, slot: usize, offset: usize) -> usize {
        assert!(offset < SLOT, "a slot is that long");
        self.pointer(slot * SLOT + offset, 0) as usize
    }

    /// Returns the address of the last bytes before a gap.
    pub(super) fn edge(&self) -> usize {
        self.address(0, ARGUMENTS - 4)
    }

    /// Returns the address of memory that can only be read.
    pub(super) fn read_only(&self) -> usize {
        self.address(0, READ_ONLY)
    }

    /// Returns an address at which nothing is mapped.
    pub(super) fn gap_address(&self) -> usize {
        self.address(0, SLOT / 2)
    }

    /// Returns addresses with a flaw: not mapped at all, read-only, or at the end of a mapping.
    pub(super) fn bad_addresses(&self) -> [usize; 7] {
        let [a, b, c, d] = BadAddress::ALL.map(BadAddress::get);
        [a, b, c, d, self.read_only(), self.edge(), self.gap_address()]
    }

    /// Clears all arguments.
    pub(super) fn begin(&mut self) {
        self.used = 0;
    }

    /// Puts bytes where the kernel finds them, and zeros behind them. There is room for all of a call's arguments.
    pub(super) fn put(&mut self, bytes: &[u8]) -> usize {
        let (at, end) = (self.used, (self.used + bytes.len() + ZEROS).next_multiple_of(8));
        assert!(end <= ARGUMENTS, "arguments are small");
        self.used = end;
        let (place, len) = (self.pointer(at, end - at).cast::<u8>(), bytes.len());
        // SAFETY: within the area for arguments, to which there are no references.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), place, len);
            std::ptr::write_bytes(place.add(len), 0, end - at - len);
        }
        self.address(0, at)
    }

    /// Returns 4 or 8 bytes of an argument after the call, as a number.
    pub(super) fn number(&self, address: usize, size: usize) -> u64 {
        let at = address - self.start.as_ptr() as usize;
        assert!(at % 4 == 0 && at + size <= ARGUMENTS, "an argument");
        let word = |at| {
            // SAFETY: an aligned word of the area for arguments, which the kernel may have changed.
            u64::from(unsafe { self.pointer(at, 4).cast::<u32>().read_volatile() })
        };
        (0..size).step_by(4).map(|byte| word(at + byte) << (8 * byte)).sum()
    }

    /// Returns the slots that have a mapping.
    pub(super) fn full(&self) -> impl Iterator<Item = usize> + '_ {
        (1..SLOTS).filter(|slot| self.mapped[*slot] > 0)
    }

    /// Returns the length of a slot's mapping.
    pub(super) fn len(&self, slot: usize) -> usize {
        self.mapped[slot]
    }

    /// Calls mmap(2) to map a file into a slot, in place of the old mapping.
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
            // The old mapping may be gone.
            Err(_) => self.clear(slot),
        }
        mapped.map(drop)
    }

    /// Records that the first `len` bytes of a slot are mapped now, in place of the beginning of the old mapping.
    fn covers(&mut self, slot: usize, len: usize) {
        self.mapped[slot] = self.mapped[slot].max(len.next_multiple_of(PAGE));
    }

    /// Replaces a slot's mapping by a gap.
    pub(super) fn clear(&mut self, slot: usize) {
        self.gap(slot * SLOT, SLOT);
        self.mapped[slot] = 0;
    }

    /// Calls munmap(2) on a part of a slot, which then becomes a gap.
    pub(super) fn unmap(&mut self, slot: usize, at: usize, len: usize) -> Answer {
        assert!(slot > 0 && at + len <= SLOT, "a part of a slot of the device's");
        // SAFETY: a part of the window, by its invariant. No other thread can take the addresses before they are a gap
        // again.
        let unmapped = unsafe { mm::munmap(self.pointer(slot * SLOT + at, len), len) };
        self.gap(slot * SLOT + at, len);
        if at == 0 && len >= self.mapped[slot] {
            self.mapped[slot] = 0;
        }
        unmapped
    }

    /// Calls mremap(2) to move a slot's mapping to another slot and length.
    pub(super) fn remap(&mut self, from: usize, to: usize, len: usize) -> Answer {
        assert!(from > 0 && to > 0 && from != to && len <= LONGEST, "two slots of the device's");
        let (old, new) = (self.pointer(from * SLOT, 0), self.pointer(to * SLOT, 0));
        // SAFETY: parts of the window, by its invariant.
        let moved = unsafe { mm::mremap_fixed(old, self.mapped[from], len, MremapFlags::MAYMOVE, new) };
        // A call that fails may have unmapped the end of the old mapping, too. The kernel would put other mappings into
        // such a hole.
        self.clear(from);
        match moved {
            Ok(_) => self.covers(to, len),
            Err(_) => self.clear(to),
        }
        moved.map(drop)
    }

    /// Calls mprotect(2) on a slot's mapping.
    pub(super) fn protect(&self, slot: usize, rights: MprotectFlags) -> Answer {
        assert!(slot > 0, "a slot of the device's");
        // SAFETY: a part of the window, by its invariant.
        unsafe { mm::mprotect(self.pointer(slot * SLOT, 0), self.mapped[slot], rights) }
    }

    /// Calls madvise(2) on a slot's mapping.
    pub(super) fn advise(&self, slot: usize, advice: Advice) -> Answer {
        assert!(slot > 0, "a slot of the device's");
        // SAFETY: a part of the window, by its invariant: contents may change.
        unsafe { mm::madvise(self.pointer(slot * SLOT, 0), self.mapped[slot], advice) }
    }

    /// Calls msync(2) on a slot's mapping.
    pub(super) fn sync(&self, slot: usize) -> Answer {
        // SAFETY: a part of the window, by its invariant.
        unsafe { mm::msync(self.pointer(slot * SLOT, 0), self.mapped[slot], MsyncFlags::SYNC) }
    }

    /// Makes the kernel read `len` bytes of a slot, with the page faults that the program would have had.
    pub(super) fn read(&self, slot: usize, offset: usize, len: usize) -> Answer {
        let from = self.pointer(slot * SLOT + offset, len);
        // SAFETY: bytes of the window, by its invariant; an unmapped byte is an error of the call.
        count(unsafe { libc::pwrite(self.scratch.as_raw_fd(), from, len, 0) })
    }

    /// Makes the kernel write `len` bytes of a slot.
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
        assert_eq!((window.number(first, 4), window.number(first, 8), window.number(second, 4)), (1, 9 << 32 | 1, 7));
        assert_eq!(second - first, 16);
    }

    #[test]
    fn a_slot_faults_by_an_answer_and_not_by_a_signal() {
        let mut window = Window::new().unwrap();
        let file = memory_file(PAGE).unwrap();
        assert_eq!(window.read(1, 0, 8), Err(Errno::FAULT));
        window.map(1, &file, 0, 2 * PAGE, BOTH, MapFlags::SHARED).unwrap();
        assert_eq!((window.read(1, 0, 8), window.write(1, 8, 8)), (Ok(()), Ok(())));
        // This is behind the end of the file.
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
