// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Resources that a bus adapter owns for a bound device, so that the driver cannot forget them.
//!
//! A probe requests interrupts, vectors, an enabled device, and children on the auxiliary bus. Each
//! moves into the adapter's lists immediately. The adapter releases them in reverse order in the
//! remove step (L5), or when the probe fails.
//!
//! Source: Documentation/driver-api/driver-model/binding.rst.

use core::cell::Cell;
use kernel::prelude::*;

/// A resource that is released when the thread that removes the device drops it.
trait Resource: Send {}
impl<R: Send> Resource for R {}

/// Resources that are released in the reverse order of their addition.
///
/// The vector is taken out only during a change. It is in its place whenever code of the driver
/// runs, because that code may make another change.
pub(crate) struct List<'bound>(Cell<KVec<KBox<dyn Resource + 'bound>>>);

impl<'bound> List<'bound> {
    const fn new() -> Self {
        Self(Cell::new(KVec::new()))
    }

    /// Creates the resource that `init` initialises and keeps it. Returns its address, which is
    /// valid until the resource is released.
    ///
    /// # Errors
    ///
    /// Fails with `ENOMEM` and with any error from `init`. Nothing is left then.
    pub(crate) fn add<R: Send + 'bound>(&self, init: impl PinInit<R, Error>) -> Result<*const R> {
        let resource = KBox::pin_init(init, GFP_KERNEL)?;
        // SAFETY: From here on the box is only dropped, so its content never moves (L26).
        let resource = unsafe { Pin::into_inner_unchecked(resource) };
        let place = core::ptr::from_ref(&*resource);

        self.change(|list| list.reserve(1, GFP_KERNEL))?;
        self.change(|list| list.push(resource, GFP_KERNEL))?;
        Ok(place)
    }

    fn change<R>(&self, f: impl FnOnce(&mut KVec<KBox<dyn Resource + 'bound>>) -> R) -> R {
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

/// The resources of one bound device: children that use it, interrupts and access to memory that
/// the children use, and mappings, undone when nothing uses the device any more.
pub struct Owned<'bound> {
    /// Child devices of this one.
    pub(crate) children: List<'bound>,
    /// Interrupts, their vectors, the enabled device.
    pub(crate) hardware: List<'bound>,
    /// DMA mappings.
    pub(crate) mappings: List<'bound>,
}

impl Owned<'_> {
    pub(crate) const fn new() -> Self {
        Self {
            children: List::new(),
            hardware: List::new(),
            mappings: List::new(),
        }
    }

    /// Removes the children before anything of this device is released, so that their drivers no
    /// longer use it. Context: may sleep.
    pub(crate) fn remove_children(&self) {
        self.children.clear();
    }

    /// Frees the interrupts, waits for running handlers, and stops the device's own access to
    /// memory. This must come before DMA mappings are undone. Context: may sleep.
    pub(crate) fn quiesce(&self) {
        self.hardware.clear();
    }
}

impl Drop for Owned<'_> {
    fn drop(&mut self) {
        self.remove_children();
        self.quiesce();
        self.mappings.clear();
    }
}
