// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! What the adapter owns for a bound device, so that the driver cannot forget it.
//!
//! An interrupt, a vector allocation, an enabled device, a child on the auxiliary bus: each is asked for
//! in the probe, moves into the adapter's lists at once, and goes in the remove step (L5), in the
//! reverse order of its coming; or when the probe fails.
//!
//! Source: Documentation/driver-api/driver-model/binding.rst.

use core::cell::Cell;
use kernel::prelude::*;

/// Something that is undone by being dropped, by the thread that removes the device.
trait Held: Send {}
impl<R: Send> Held for R {}

/// Things that go in the reverse order of their coming.
///
/// The vector is taken out for the moment of a change, and is in its place whenever code of the driver runs,
/// which may make another change.
pub(crate) struct List<'bound>(Cell<KVec<KBox<dyn Held + 'bound>>>);

impl<'bound> List<'bound> {
    const fn new() -> Self {
        Self(Cell::new(KVec::new()))
    }

    /// Makes what `init` makes and keeps it. Returns where it lies until it goes.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, and what `init` fails with; nothing is left then.
    pub(crate) fn add<R: Send + 'bound>(&self, init: impl PinInit<R, Error>) -> Result<*const R> {
        let held = KBox::pin_init(init, GFP_KERNEL)?;
        // SAFETY: The box is only dropped from here on, its content never moves (L26).
        let held = unsafe { Pin::into_inner_unchecked(held) };
        let place = core::ptr::from_ref(&*held);

        self.change(|list| list.reserve(1, GFP_KERNEL))?;
        self.change(|list| list.push(held, GFP_KERNEL))?;
        Ok(place)
    }

    fn change<R>(&self, f: impl FnOnce(&mut KVec<KBox<dyn Held + 'bound>>) -> R) -> R {
        let mut list = self.0.replace(KVec::new());
        let result = f(&mut list);
        self.0.set(list);
        result
    }

    fn clear(&self) {
        while let Some(last) = self.change(KVec::pop) {
            drop(last);
        }
    }
}

/// What the adapter owns for one bound device: children, which use it, means, which they use, and what is undone when
/// nothing uses the device any more.
pub struct Owned<'bound> {
    /// Devices that were made of this one.
    pub(super) children: List<'bound>,
    /// Interrupts, their vectors, the enabled device.
    pub(super) means: List<'bound>,
    /// DMA mappings.
    pub(crate) mappings: List<'bound>,
}

impl Owned<'_> {
    pub(super) const fn new() -> Self {
        Self {
            children: List::new(),
            means: List::new(),
            mappings: List::new(),
        }
    }

    /// Removes the children, so that their drivers have let go of this device; before anything of it
    /// goes itself. Context: may sleep.
    pub(crate) fn remove_children(&self) {
        self.children.clear();
    }

    /// Frees the interrupts, waiting for handlers that run, and stops the device's own access to
    /// memory; before DMA mappings are undone. Context: may sleep.
    pub(crate) fn release_means(&self) {
        self.means.clear();
    }
}

impl Drop for Owned<'_> {
    fn drop(&mut self) {
        self.remove_children();
        self.release_means();
        self.mappings.clear();
    }
}
