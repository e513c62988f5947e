// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Interrupt vectors: event descriptors that the client passes for each vector that the guest has enabled.
//!
//! Masking is the client's: it keeps a masked vector's interrupt pending for the guest.
//!
//! Source: vfio-user specification, `VFIO_USER_DEVICE_SET_IRQS`; eventfd(2).

use std::fs::File;
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// The vectors of a function.
#[derive(Debug)]
pub struct Vectors {
    vectors: Vec<Option<File>>,
}

impl Vectors {
    /// Creates `count` disabled vectors.
    #[must_use]
    pub fn new(count: u32) -> Self {
        Self { vectors: (0..count).map(|_| None).collect() }
    }

    /// Sets the descriptors of `count` vectors from number `start` on. A vector without a descriptor is disabled.
    ///
    /// # Errors
    /// `EINVAL` if there are not that many vectors, or more descriptors than vectors.
    pub fn set(&mut self, start: u32, count: u32, descriptors: Vec<File>) -> Result<(), Errno> {
        let range = self.range(start, count)?;
        if descriptors.len() > range.len() {
            return Err(Errno::INVAL);
        }
        let mut descriptors = descriptors.into_iter();
        self.vectors[range].iter_mut().for_each(|vector| *vector = descriptors.next());
        Ok(())
    }

    /// Disables all vectors.
    pub fn clear(&mut self) {
        self.vectors.fill_with(|| None);
    }

    /// Interrupts with `vector`. Returns whether the vector is enabled.
    pub fn raise(&self, vector: u32) -> bool {
        let vector = usize::try_from(vector).ok().and_then(|vector| self.vectors.get(vector));
        let Some(Some(descriptor)) = vector else { return false };
        // A write to a full counter would block. Its interrupt was not handled yet, so none is lost.
        let mut ready = [PollFd::new(descriptor, PollFlags::OUT)];
        if poll(&mut ready, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) != Ok(1) {
            return true;
        }
        rustix::io::write(descriptor.as_fd(), &1u64.to_ne_bytes()).is_ok()
    }

    /// Interrupts with `count` vectors from number `start` on, as a client may request for a test.
    ///
    /// # Errors
    /// `EINVAL` if there are not that many vectors.
    pub fn raise_all(&self, start: u32, count: u32) -> Result<(), Errno> {
        for vector in self.range(start, count)? {
            // A disabled vector stays so.
            self.raise(vector as u32);
        }
        Ok(())
    }

    fn range(&self, start: u32, count: u32) -> Result<std::ops::Range<usize>, Errno> {
        let end = start.checked_add(count).ok_or(Errno::INVAL)?;
        match end as usize <= self.vectors.len() {
            true => Ok(start as usize..end as usize),
            false => Err(Errno::INVAL),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{EventfdFlags, eventfd};

    fn event() -> File {
        File::from(eventfd(0, EventfdFlags::CLOEXEC).unwrap())
    }

    fn count(event: &File) -> u64 {
        let mut bytes = [0; 8];
        rustix::io::read(event, &mut bytes).unwrap();
        u64::from_ne_bytes(bytes)
    }

    #[test]
    fn a_vector_that_is_on_counts() {
        let event = event();
        let mut vectors = Vectors::new(2);
        assert!(!vectors.raise(1), "the vector is disabled");
        vectors.set(1, 1, vec![event.try_clone().unwrap()]).unwrap();
        assert!(vectors.raise(1) && vectors.raise(1));
        assert_eq!(count(&event), 2);
        vectors.set(0, 2, Vec::new()).unwrap();
        assert!(!vectors.raise(1));
    }

    #[test]
    fn a_full_counter_does_not_block() {
        let event = event();
        rustix::io::write(&event, &(u64::MAX - 1).to_ne_bytes()).unwrap();
        let mut vectors = Vectors::new(1);
        vectors.set(0, 1, vec![event]).unwrap();
        assert!(vectors.raise(0));
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        let mut vectors = Vectors::new(2);
        for (start, count) in [(2, 1), (0, 3), (u32::MAX, 1), (1, u32::MAX)] {
            assert_eq!(vectors.set(start, count, Vec::new()), Err(Errno::INVAL));
            assert_eq!(vectors.raise_all(start, count), Err(Errno::INVAL));
        }
        assert_eq!(vectors.set(0, 1, vec![event(), event()]), Err(Errno::INVAL));
        assert!(!vectors.raise(7));
    }
}
