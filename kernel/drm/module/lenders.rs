// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The modules that have lent data to a module, and that stay loaded for it.
//!
//! A parent's driver lends data to its child's driver
//! ([`add_auxiliary`](crate::bus::Probe::add_auxiliary)). The data's text and constants are the
//! parent's, and the child may keep a `&'static` of them anywhere. So the parent's module stays
//! loaded until the child's module is unloaded, as if the child were linked to it. Two modules that
//! lend data to each other are linked both ways, and stay loaded.
//!
//! C header: `include/linux/module.h`

use core::ptr::{
    null_mut,
    NonNull, //
};
use kernel::{
    bindings,
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        Full,
        Relaxed, //
    }, //
};

/// An entry of the list: a module, to which the list holds a reference.
struct Lender {
    module: NonNull<bindings::module>,
    next: *mut Lender,
}

/// A list of modules that only grows, until it is dropped as a whole.
///
/// # Invariants
///
/// Every entry was a `KBox` and holds a reference to its module. Entries do not change and stay
/// until [`put_all`](Self::put_all).
pub(super) struct Lenders(Atomic<*mut Lender>);

impl Lenders {
    pub(super) const fn new() -> Self {
        Self(Atomic::new(null_mut()))
    }

    /// Adds `module`, unless it is in the list.
    ///
    /// # Errors
    ///
    /// Fails with `ENOMEM`, and with `ENODEV` if the module is being unloaded. Context: process
    /// context, may sleep.
    ///
    /// # Safety
    ///
    /// `module` is a module that is not unloaded during the call (L15).
    pub(super) unsafe fn add(&self, module: NonNull<bindings::module>) -> Result {
        if self.has(module) {
            return Ok(());
        }
        let entry = KBox::new(
            Lender {
                module,
                next: null_mut(),
            },
            GFP_KERNEL,
        )?;
        // SAFETY: By the requirement (L15).
        if !unsafe { bindings::try_module_get(module.as_ptr()) } {
            return Err(ENODEV);
        }
        let entry = KBox::into_raw(entry);
        // INVARIANT: The entry comes from a box and holds the reference that was just taken.
        loop {
            let first = self.0.load(Relaxed);
            // SAFETY: No other code knows the entry before the exchange succeeds (L15).
            unsafe { (*entry).next = first };
            if self.0.cmpxchg(first, entry, Full).is_ok() {
                return Ok(());
            }
        }
    }

    /// Returns whether `module` is in the list. Two threads that add it concurrently may both find
    /// that it is not. It is then in the list twice, and held twice.
    fn has(&self, module: NonNull<bindings::module>) -> bool {
        let mut entry = self.0.load(Acquire);
        // SAFETY: By the type invariants entries stay. None is dropped while the module probes, and
        // the caller is in a probe (L15).
        while let Some(lender) = unsafe { entry.as_ref() } {
            if lender.module == module {
                return true;
            }
            entry = lender.next;
        }
        false
    }

    /// Drops all references. Called at the end of the module's exit, when no code adds entries any
    /// more.
    pub(super) fn put_all(&self) {
        let mut entry = self.0.xchg(null_mut(), Full);
        while !entry.is_null() {
            // SAFETY: By the type invariants. The list is empty, so no other code finds the entry
            // (L15).
            let lender = unsafe { KBox::from_raw(entry) };
            // SAFETY: The entry held a reference. This is text of the crate's own module, which
            // stays loaded (L15).
            unsafe { bindings::module_put(lender.module.as_ptr()) };
            entry = lender.next;
        }
    }
}
