// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The present contents of a screen, for drivers that take pictures of it.
//!
//! C header: `include/drm/drm_modeset_lock.h`; kernel document: Documentation/gpu/drm-kms.rst, "KMS
//! Locking".

use super::{
    crtc::{
        Crtc,
        CrtcState, //
    },
    key::Key,
    off::each_plane,
    plane::{
        Plane,
        PlaneState, //
    },
    Driver, //
};
use crate::{
    ioctl::Unguarded,
    raw,
    Device,
    Registered, //
};
use core::{
    ffi::c_void,
    marker::PhantomData, //
};
use kernel::{
    bindings,
    error::to_result,
    prelude::*, //
};

/// A CRTC and the planes on it, while nothing can change.
///
/// # Invariants
///
/// All locks of mode setting of `dev` are held for `'a`, so the states in force stay as they are.
pub struct Screen<'a, T: Driver> {
    dev: &'a Device<T, Registered>,
    crtc: &'a Crtc<T::Crtc>,
    /// Invariant in `'a`: the lifetime names one section.
    _section: PhantomData<fn(&'a ()) -> &'a ()>,
}

impl<T: Driver> Screen<'_, T> {
    /// Returns the state of the CRTC.
    pub fn state(&self) -> &CrtcState<T::Crtc> {
        // SAFETY: A CRTC has a state, which stays in force (type invariants) (K5, K13).
        unsafe { &*(*self.crtc.as_raw()).state.cast() }
    }

    /// Calls `f` for each visible plane on the CRTC, from the lowest to the highest.
    ///
    /// Planes whose order no client has set are in the order of their types: primary, overlays,
    /// cursor.
    pub fn each_plane(&self, mut f: impl FnMut(&Plane<T::Plane>, &PlaneState<T::Plane>)) {
        for kind in [
            raw::drm_plane_type_DRM_PLANE_TYPE_PRIMARY,
            raw::drm_plane_type_DRM_PLANE_TYPE_OVERLAY,
            raw::drm_plane_type_DRM_PLANE_TYPE_CURSOR,
        ] {
            each_plane(self.dev, |plane| {
                let raw_plane = plane.as_raw();
                // SAFETY: The plane is valid, and has a state, which stays in force (type
                // invariants) (K5, K13).
                let (of_kind, crtc, state) = unsafe {
                    let state = (*raw_plane).state;
                    ((*raw_plane).type_ == kind, (*state).crtc, state)
                };
                // SAFETY: As above (K16).
                let state = unsafe { &*state.cast::<PlaneState<T::Plane>>() };
                if of_kind && core::ptr::eq(crtc, self.crtc.as_raw()) && state.is_visible() {
                    f(plane, state);
                }
            });
        }
    }
}

/// The closure of [`Unguarded::with_screen`], and its result.
struct Call<'c, T: Driver, R, F> {
    dev: &'c Device<T, Registered>,
    crtc: &'c Crtc<T::Crtc>,
    f: Option<F>,
    result: Option<R>,
}

impl<T: Driver> Unguarded<'_, T> {
    /// Calls `f` with what a CRTC shows. Meanwhile nothing can change that.
    ///
    /// A client may be drawing into a framebuffer at the same time.
    ///
    /// # Errors
    ///
    /// Fails with `EINVAL` for a CRTC of another device.
    ///
    /// Only unguarded ioctls can call it: in a guarded one, unplugging any DRM device would wait for
    /// the locks.
    ///
    /// Context: process context, may sleep; takes all locks of mode setting, so clients wait for `f`,
    /// which must not call this again. Call it outside of [`Device::enter`]. A hook of mode setting,
    /// which may hold the locks, is no ioctl (K36).
    ///
    /// # Examples
    ///
    /// ```
    /// fn visible_planes(call: &drm::ioctl::Unguarded<'_, Display>, key: Key<Crtc<Screen>>) -> Result<u32> {
    ///     call.with_screen(key, |screen| {
    ///         let mut count = 0;
    ///         screen.each_plane(|_plane, _state| count += 1);
    ///         count
    ///     })
    /// }
    /// ```
    pub fn with_screen<R>(
        &self,
        crtc: Key<Crtc<T::Crtc>>,
        f: impl for<'a> FnOnce(&Screen<'a, T>) -> R,
    ) -> Result<R> {
        let dev: &Device<T, Registered> = self;
        // SAFETY: The CRTC belongs to this device, which keeps it (K3, K4).
        let crtc = unsafe { crtc.of(dev)?.as_ref() };
        let mut call = Call {
            dev,
            crtc,
            f: Some(f),
            result: None,
        };
        // SAFETY: The device is valid. `called` gets the call, which lives until it returns, and is
        // made for the closure's types (L20).
        to_result(unsafe {
            raw::drm_rust_with_modeset_locks(
                dev.as_raw(),
                Some(called_by(&call)),
                (&raw mut call).cast(),
            )
        })?;
        call.result.ok_or(EINVAL)
    }
}

/// Returns the function that C calls for `call`.
fn called_by<T: Driver, R, F: for<'a> FnOnce(&Screen<'a, T>) -> R>(
    _call: &Call<'_, T, R, F>,
) -> unsafe extern "C" fn(*mut bindings::drm_modeset_acquire_ctx, *mut c_void) -> c_int {
    called::<T, R, F>
}

/// # Safety
///
/// Called only by C, with a `Call` of these types, and with all locks of mode setting (L20).
unsafe extern "C" fn called<T: Driver, R, F: for<'a> FnOnce(&Screen<'a, T>) -> R>(
    _ctx: *mut bindings::drm_modeset_acquire_ctx,
    call: *mut c_void,
) -> c_int {
    // SAFETY: By the requirement (L20).
    let call = unsafe { &mut *call.cast::<Call<'_, T, R, F>>() };
    if let Some(f) = call.f.take() {
        // INVARIANT: C holds the locks during this call.
        call.result = Some(f(&Screen {
            dev: call.dev,
            crtc: call.crtc,
            _section: PhantomData,
        }));
    }
    0
}
