// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! States: what a commit changes.
//!
//! A commit has an old and a new state of each object that it touches. They are different types,
//! so a function that programs the hardware from the new one cannot be given the old one (K7). A
//! check may write the new state through an [`Edit`]; nothing else may write any state (K8).
//!
//! C header: `include/drm/drm_atomic.h`; kernel document: Documentation/gpu/drm-kms.rst, "Atomic
//! Mode Setting".

use core::ops::Deref;
use kernel::prelude::*;

/// The size of a driver's own part of a state, in bytes. It passes over the kernel's small stack.
pub(super) const MAX_PRIVATE: usize = 1024;

/// A driver's own part of a state. `Copy` types with a default value are states already, `()` among
/// them. It has at most 1024 bytes; the compiler checks that.
///
/// # Examples
///
/// ```
/// /// A table of colours. Copying it allocates memory, which may fail.
/// struct Gamma(KBox<[u16; 256]>);
///
/// impl kms::State for Gamma {
///     fn initial() -> Result<Self> {
///         Ok(Self(KBox::new([0; 256], GFP_KERNEL)?))
///     }
///
///     fn duplicate(&self) -> Result<Self> {
///         Ok(Self(KBox::new(*self.0, GFP_KERNEL)?))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the driver's part of a state",
    label = "`drm::kms::State` is not implemented for `{Self}`",
    note = "derive `Clone`, `Copy` and `Default`, or implement `State`, whose `duplicate` may fail"
)]
pub trait State: Sized + Send + Sync + 'static {
    /// Returns the state of an object that was never committed.
    ///
    /// # Errors
    ///
    /// Any error counts as `ENOMEM`. Context: process context, may sleep.
    fn initial() -> Result<Self>;

    /// Returns a copy, for a commit to change.
    ///
    /// # Errors
    ///
    /// Any error counts as `ENOMEM`: C accepts no other. Context: process context, may sleep.
    fn duplicate(&self) -> Result<Self>;
}

impl<S: Copy + Default + Send + Sync + 'static> State for S {
    fn initial() -> Result<Self> {
        Ok(Self::default())
    }

    fn duplicate(&self) -> Result<Self> {
        Ok(*self)
    }
}

/// The state that was in force before the commit.
#[repr(transparent)]
pub struct Old<S>(S);

/// The state that the commit brings into force.
#[repr(transparent)]
pub struct New<S>(S);

impl<S> Old<S> {
    /// # Safety
    ///
    /// `state` is the old state of the commit at hand, valid and not written for `'a` (K7, K14).
    pub(super) unsafe fn from_raw<'a>(state: *const S) -> &'a Self {
        // SAFETY: By the requirement; the type is transparent (K7).
        unsafe { &*state.cast() }
    }
}

impl<S> New<S> {
    /// # Safety
    ///
    /// `state` is the new state of the commit at hand, valid for `'a`, and written for `'a` only
    /// through an `Edit` that borrows the result (K7, K8, K14).
    pub(super) unsafe fn from_raw<'a>(state: *const S) -> &'a Self {
        // SAFETY: By the requirement; the type is transparent (K7).
        unsafe { &*state.cast() }
    }
}

impl<S> Deref for Old<S> {
    type Target = S;

    #[inline]
    fn deref(&self) -> &S {
        &self.0
    }
}

impl<S> Deref for New<S> {
    type Target = S;

    #[inline]
    fn deref(&self) -> &S {
        &self.0
    }
}

/// The new state in a check, which may write it. It dereferences to the state.
///
/// An edit never gives a `&mut` to the whole state, because two states could then be exchanged.
///
/// # Invariants
///
/// The state is the new one of a commit that is being checked, and this is the only access to it.
pub struct Edit<'a, S>(&'a mut S);

impl<'a, S> Edit<'a, S> {
    /// # Safety
    ///
    /// The type invariants hold (K8).
    pub(super) unsafe fn new(state: &'a mut S) -> Self {
        Self(state)
    }

    pub(super) fn state(&mut self) -> &mut S {
        self.0
    }
}

impl<S> Deref for Edit<'_, S> {
    type Target = S;

    fn deref(&self) -> &S {
        self.0
    }
}
