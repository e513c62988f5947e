// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The mappings of a device's framebuffers, which end with the device's registration.
//!
//! A mapping keeps its framebuffer, which keeps its buffers, which keep the device. A mapping in the
//! data of the device or of one of its objects would be a circle. So the end of the device's
//! registration unmaps everything, wherever the mapping is kept (K41).

use super::{
    map::PLANES,
    Counted,
    Driver, //
};
use crate::{
    gem::VMap,
    lock_class::lock_class, //
};
use core::cell::UnsafeCell;
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Full,
            Relaxed, //
        },
        Arc,
        Completion,
        Mutex, //
    },
    workqueue::{
        impl_has_work,
        Work,
        WorkItem, //
    }, //
};

/// The mappings of a device's framebuffers.
#[pin_data]
pub(in super::super) struct Maps<T: Driver> {
    #[pin]
    list: Mutex<List<T>>,
}

struct List<T: Driver> {
    mapped: KVec<Arc<Mapped<T>>>,
    /// Whether the registration has ended.
    ended: bool,
}

impl<T: Driver> Maps<T> {
    pub(in super::super) fn new() -> Result<Arc<Self>> {
        let (name, key) = lock_class!(c"drm_rust::Maps");
        let list = List {
            mapped: KVec::new(),
            ended: false,
        };
        Arc::pin_init(
            pin_init!(Self {
                list <- Mutex::new(list, name, key),
            }),
            GFP_KERNEL,
        )
    }

    /// Adds a mapping.
    ///
    /// # Errors
    ///
    /// Fails with `ENOMEM`, and with `ENODEV` once the device has departed.
    pub(super) fn add(self: &Arc<Self>, memory: Memory<T>) -> Result<Arc<Mapped<T>>> {
        let mapped = Mapped::new(self.clone(), memory)?;
        let mut list = self.list.lock();
        if list.ended {
            drop(list);
            mapped.unmap();
            return Err(ENODEV);
        }
        let added = list.mapped.push(mapped.clone(), GFP_KERNEL);
        drop(list);
        if let Err(error) = added {
            mapped.unmap();
            return Err(error.into());
        }
        Ok(mapped)
    }

    /// Unmaps everything. From then on nothing can be mapped. Context: may sleep.
    pub(in super::super) fn end(&self) {
        self.list.lock().ended = true;
        loop {
            // The lock is not held while a reader is waited for, which may be mapping something else.
            // In the head of a `while let` it would be.
            let last = self.list.lock().mapped.pop();
            let Some(mapped) = last else { break };
            mapped.unmap();
        }
    }

    /// Takes a mapping out. Returns whether it was there.
    fn remove(&self, mapped: &Arc<Mapped<T>>) -> bool {
        let mut list = self.list.lock();
        let place = list
            .mapped
            .iter()
            .position(|other| Arc::ptr_eq(other, mapped));
        // The order is of no account, and so the last one takes the free place.
        let last = list.mapped.len().wrapping_sub(1);
        place.is_some_and(|place| {
            list.mapped.swap(place, last);
            list.mapped.pop().is_some()
        })
    }
}

/// The mapped memory.
pub(super) struct Memory<T: Driver> {
    pub(super) planes: [Option<VMap<T::Object>>; PLANES],
    // Declared after the planes, and so dropped after them: it holds their objects.
    pub(super) framebuffer: Counted<T>,
}

/// A mapping: memory that can be unmapped while others know of it, and the work that unmaps it.
///
/// # Invariants
///
/// The memory is only read by those that [`Readers`] counts, and is only taken when it counts none
/// any more.
#[pin_data]
pub(super) struct Mapped<T: Driver> {
    #[pin]
    work: Work<Mapped<T>>,
    maps: Arc<Maps<T>>,
    #[pin]
    readers: Readers,
    memory: UnsafeCell<Option<Memory<T>>>,
}

impl_has_work! {
    impl{T: Driver} HasWork<Self> for Mapped<T> { self.work }
}

impl<T: Driver> WorkItem for Mapped<T> {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        this.forget();
    }
}

impl<T: Driver> Mapped<T> {
    fn new(maps: Arc<Maps<T>>, memory: Memory<T>) -> Result<Arc<Self>> {
        let (name, key) = lock_class!(c"drm_rust::Mapped");
        Arc::pin_init(
            pin_init!(Self {
                work <- Work::new(name, key),
                maps,
                readers <- Readers::new(),
                memory: UnsafeCell::new(Some(memory)),
            }),
            GFP_KERNEL,
        )
    }

    /// Calls `f` with the memory. Returns `None` if it was unmapped.
    pub(super) fn read<R>(&self, f: impl FnOnce(&Memory<T>) -> R) -> Option<R> {
        if !self.readers.enter() {
            return None;
        }
        // SAFETY: This thread is counted, so nothing takes the memory (type invariants) (K41).
        let result = unsafe { (*self.memory.get()).as_ref() }.map(f);
        self.readers.leave();
        result
    }

    /// Unmaps the memory, unless the device has done so. Context: may sleep.
    pub(super) fn forget(self: Arc<Self>) {
        if self.maps.remove(&self) {
            self.unmap();
        }
    }

    /// Unmaps the memory, which is not in the device's list. Called once. Context: may sleep.
    fn unmap(&self) {
        self.readers.end();
        // SAFETY: No thread is counted or will be (type invariants) (K41).
        drop(unsafe { (*self.memory.get()).take() });
    }
}

// SAFETY: The memory is `Send` and `Sync`, and is taken only when nothing reads it (type invariants)
// (L15).
unsafe impl<T: Driver> Sync for Mapped<T> {}

/// A count of readers that can be ended: from then on there is none.
#[pin_data]
struct Readers {
    /// The number of readers, and one more until the end begins.
    count: Atomic<i32>,
    #[pin]
    none: Completion,
}

impl Readers {
    fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            count: Atomic::new(1),
            none <- Completion::new(),
        })
    }

    /// Counts a reader. Returns `false` if the last one has left after the end began.
    fn enter(&self) -> bool {
        let mut count = self.count.load(Relaxed);
        while count != 0 {
            match self.count.cmpxchg(count, count + 1, Acquire) {
                Ok(_) => return true,
                Err(now) => count = now,
            }
        }
        false
    }

    fn leave(&self) {
        if self.count.fetch_sub(1, Full) == 1 {
            self.none.complete_all();
        }
    }

    /// Waits until there is no reader. Called once. Context: may sleep.
    fn end(&self) {
        self.leave();
        self.none.wait_for_completion();
    }
}
