// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The state of a plane.

use super::{
    super::{
        framebuffer::Framebuffer,
        mode::Rect,
        state::{
            Edit,
            Old,
            State,
            MAX_PRIVATE, //
        }, //
    },
    DriverPlane, //
};
use crate::raw;
use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    ops::Deref,
    ptr::null_mut, //
};
use kernel::{
    prelude::*,
    sync::Arc,
    types::Opaque, //
};

/// The state of a plane: what it shows, and where. It dereferences to the driver's own part.
///
/// # Invariants
///
/// - `raw` is an initialised state that C owns through `destroy`; the state lies in a `KBox` of
///   `Self`.
/// - `prepared` is written only by `prepare_fb` and `cleanup_fb`, which C calls one at a time for a
///   state, and not while hooks read it (K12).
/// - `unchanged` is written only while the commit is checked. If it is set, the state has the
///   framebuffer of the state before (K37).
#[repr(C)]
pub struct PlaneState<P: DriverPlane> {
    raw: Opaque<raw::drm_plane_state>,
    /// Shared with the states that show the same framebuffer because nothing changed.
    pub(super) prepared: UnsafeCell<Option<Arc<P::Prepared>>>,
    /// Whether the layer added the plane to the commit, which changes nothing of it.
    pub(in super::super) unchanged: bool,
    private: P::State,
    _class: PhantomData<fn(P) -> P>,
}

impl<P: DriverPlane> PlaneState<P> {
    pub(super) fn c(&self) -> *mut raw::drm_plane_state {
        self.raw.get()
    }

    /// Returns whether anything of the framebuffer is on the screen.
    #[inline]
    pub fn is_visible(&self) -> bool {
        // SAFETY: The state is valid; the field is only written in checks (K8).
        unsafe { (*self.c()).visible }
    }

    /// Returns the framebuffer, if there is one.
    #[inline]
    pub fn framebuffer(&self) -> Option<&Framebuffer<P::Driver>> {
        // SAFETY: The state holds a reference to its framebuffer, which is of the driver's class:
        // only `fb_create` makes framebuffers of the device (K23).
        unsafe {
            let framebuffer = (*self.c()).fb;
            (!framebuffer.is_null()).then(|| Framebuffer::from_raw(framebuffer))
        }
    }

    /// Returns the part of the framebuffer that is shown, clipped, in 16.16 fixed point.
    pub fn src(&self) -> Rect {
        // SAFETY: As in `is_visible` (K8).
        Rect::from_raw(unsafe { &(*self.c()).src })
    }

    /// Returns the part of the screen that shows it, clipped, in pixels.
    pub fn dst(&self) -> Rect {
        // SAFETY: As in `is_visible` (K8).
        Rect::from_raw(unsafe { &(*self.c()).dst })
    }

    /// Returns the part of the framebuffer, in pixels, that must be copied again after `old`: what
    /// the client has drawn, or all of [`src`](Self::src). `None` if nothing must be.
    pub fn damage(&self, old: &Old<Self>) -> Option<Rect> {
        let mut damage = raw::drm_rect::default();
        // SAFETY: Both states are valid, and C only reads them. The helper's iterator clips what a
        // client passed (K24).
        unsafe { raw::drm_atomic_helper_damage_merged(old.c(), self.c(), &mut damage) }
            .then(|| Rect::from_raw(&damage))
    }

    /// Returns the driver's own part.
    pub fn private(&self) -> &P::State {
        &self.private
    }

    /// Returns what [`DriverPlane::prepare`] returned for the framebuffer. A visible state has it
    /// in the hooks that show it.
    pub fn prepared(&self) -> Option<&P::Prepared> {
        // SAFETY: By the type invariants nothing writes the slot while a hook has the state (K12).
        unsafe { (*self.prepared.get()).as_deref() }
    }

    /// # Safety
    ///
    /// Called only by C, as documented for the table that contains it (L20).
    pub(super) unsafe extern "C" fn create(
        plane: *mut raw::drm_plane,
    ) -> *mut raw::drm_plane_state {
        Self::alloc(P::State::initial(), |state| {
            // SAFETY: The state is zeroed, and C passes a valid plane (K5).
            unsafe { raw::__drm_atomic_helper_plane_state_init(state, plane) };
        })
        .unwrap_or_else(|error| error.to_ptr())
    }

    /// # Safety
    ///
    /// Called only by C, as documented for the table that contains it (L20).
    pub(super) unsafe extern "C" fn duplicate(
        plane: *mut raw::drm_plane,
    ) -> *mut raw::drm_plane_state {
        // SAFETY: C holds the plane's lock, so its state is in force, and valid (K7).
        let current = unsafe { &*(*plane).state.cast::<Self>() };
        Self::alloc(current.private.duplicate(), |state| {
            // SAFETY: The state is zeroed, and C passes a valid plane with a state (K7).
            unsafe { raw::__drm_atomic_helper_plane_duplicate_state(plane, state) };
        })
        .unwrap_or(null_mut())
    }

    fn alloc(
        private: Result<P::State>,
        init: impl FnOnce(*mut raw::drm_plane_state),
    ) -> Result<*mut raw::drm_plane_state> {
        const {
            assert!(
                size_of::<P::State>() <= MAX_PRIVATE,
                "a state is moved over the stack: box what is large"
            )
        };
        let state = KBox::new(
            Self {
                raw: Opaque::zeroed(),
                prepared: UnsafeCell::new(None),
                unchanged: false,
                private: private?,
                _class: PhantomData,
            },
            GFP_KERNEL,
        )?;
        let state = KBox::into_raw(state).cast();
        init(state);
        Ok(state)
    }

    /// # Safety
    ///
    /// Called only by C, as documented for the table that contains it (L20).
    pub(super) unsafe extern "C" fn destroy(
        _plane: *mut raw::drm_plane,
        state: *mut raw::drm_plane_state,
    ) {
        // SAFETY: C passes a state that `alloc` made, once, when nothing uses it any more (K7).
        unsafe {
            raw::__drm_atomic_helper_plane_destroy_state(state);
            drop(KBox::from_raw(state.cast::<Self>()));
        }
    }
}

impl<P: DriverPlane> Deref for PlaneState<P> {
    type Target = P::State;

    fn deref(&self) -> &P::State {
        &self.private
    }
}

impl<P: DriverPlane> Edit<'_, PlaneState<P>> {
    /// Returns the driver's own part, to be written.
    pub fn private(&mut self) -> &mut P::State {
        &mut self.state().private
    }
}
