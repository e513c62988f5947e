// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The state of a CRTC.

use super::{
    super::{
        mode::Mode,
        state::{
            Edit,
            State,
            MAX_PRIVATE, //
        }, //
    },
    DriverCrtc, //
};
use crate::raw;
use core::{
    marker::PhantomData,
    ops::Deref,
    ptr::null_mut, //
};
use kernel::{
    prelude::*,
    types::Opaque, //
};

/// The state of a CRTC. It dereferences to the driver's own part.
///
/// # Invariants
///
/// `raw` is an initialised state that C owns through `destroy`; the state lies in a `KBox` of
/// `Self`.
#[repr(C)]
pub struct CrtcState<C: DriverCrtc> {
    raw: Opaque<raw::drm_crtc_state>,
    private: C::State,
    _class: PhantomData<fn(C) -> C>,
}

impl<C: DriverCrtc> CrtcState<C> {
    fn c(&self) -> *mut raw::drm_crtc_state {
        self.raw.get()
    }

    /// Returns whether the CRTC is switched on.
    #[inline]
    pub fn is_active(&self) -> bool {
        // SAFETY: The state is valid; the field is only written in checks (K8).
        unsafe { (*self.c()).active }
    }

    /// Returns the mode that the client set.
    #[inline]
    pub fn mode(&self) -> &Mode {
        // SAFETY: As in `is_active` (K14).
        unsafe { Mode::from_raw(&raw const (*self.c()).mode) }
    }

    /// Returns the mode with the timings that the hardware uses.
    #[inline]
    pub fn adjusted_mode(&self) -> &Mode {
        // SAFETY: As in `is_active` (K14).
        unsafe { Mode::from_raw(&raw const (*self.c()).adjusted_mode) }
    }

    /// Returns the driver's own part.
    pub fn private(&self) -> &C::State {
        &self.private
    }

    /// # Safety
    ///
    /// Called only by C, as documented for the table that contains it (L20).
    pub(super) unsafe extern "C" fn create(crtc: *mut raw::drm_crtc) -> *mut raw::drm_crtc_state {
        Self::alloc(C::State::initial(), |state| {
            // SAFETY: The state is zeroed, and C passes a valid CRTC (K5).
            unsafe { raw::__drm_atomic_helper_crtc_state_init(state, crtc) };
        })
        .unwrap_or_else(|error| error.to_ptr())
    }

    /// # Safety
    ///
    /// Called only by C, as documented for the table that contains it (L20).
    pub(super) unsafe extern "C" fn duplicate(
        crtc: *mut raw::drm_crtc,
    ) -> *mut raw::drm_crtc_state {
        // SAFETY: C holds the CRTC's lock, so its state is in force, and valid (K7).
        let current = unsafe { &*(*crtc).state.cast::<Self>() };
        Self::alloc(current.private.duplicate(), |state| {
            // SAFETY: The state is zeroed, and C passes a valid CRTC with a state (K7).
            unsafe { raw::__drm_atomic_helper_crtc_duplicate_state(crtc, state) };
        })
        .unwrap_or(null_mut())
    }

    fn alloc(
        private: Result<C::State>,
        init: impl FnOnce(*mut raw::drm_crtc_state),
    ) -> Result<*mut raw::drm_crtc_state> {
        const {
            assert!(
                size_of::<C::State>() <= MAX_PRIVATE,
                "a state is moved over the stack: box what is large"
            )
        };
        let state = KBox::new(
            Self {
                raw: Opaque::zeroed(),
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
        _crtc: *mut raw::drm_crtc,
        state: *mut raw::drm_crtc_state,
    ) {
        // SAFETY: C passes a state that `alloc` made, once, when nothing uses it any more (K7).
        unsafe {
            raw::__drm_atomic_helper_crtc_destroy_state(state);
            drop(KBox::from_raw(state.cast::<Self>()));
        }
    }
}

impl<C: DriverCrtc> Deref for CrtcState<C> {
    type Target = C::State;

    fn deref(&self) -> &C::State {
        &self.private
    }
}

impl<C: DriverCrtc> Edit<'_, CrtcState<C>> {
    /// Returns the driver's own part, to be written.
    pub fn private(&mut self) -> &mut C::State {
        &mut self.state().private
    }
}
