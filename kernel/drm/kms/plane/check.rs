// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The check of a plane in a commit.

use super::{
    super::{
        crtc::CrtcState,
        state::{
            Edit,
            New,
            Old, //
        },
        Driver, //
    },
    DriverPlane,
    Plane,
    PlaneState, //
};
use crate::raw;
use core::marker::PhantomData;

/// The check of a plane in a commit.
///
/// # Examples
///
/// A check that refuses what the hardware cannot show, and keeps what it computed in the state:
///
/// ```
/// fn check(check: &mut PlaneCheck<'_, Layer>) -> Result {
///     let width = check.new_state().dst().width();
///     if width % 16 != 0 {
///         return Err(EINVAL);
///     }
///     *check.edit().private() = width as u32 / 16;
///     Ok(())
/// }
/// ```
pub struct PlaneCheck<'c, P: DriverPlane> {
    plane: &'c Plane<P>,
    old: &'c Old<PlaneState<P>>,
    new: &'c mut PlaneState<P>,
    crtc: &'c New<CrtcState<<P::Driver as Driver>::Crtc>>,
    /// Invariant in `'c`: the lifetime names one check.
    _check: PhantomData<fn(&'c ()) -> &'c ()>,
}

impl<'c, P: DriverPlane> PlaneCheck<'c, P> {
    /// # Safety
    ///
    /// The pointers are a plane, its two states in a commit that is being checked, and the new
    /// state of its CRTC. Nothing else uses the plane's new state for `'c`, and nothing writes the
    /// others (K8).
    pub(super) unsafe fn new(
        plane: *mut raw::drm_plane,
        old: *mut PlaneState<P>,
        new: *mut PlaneState<P>,
        crtc: *mut CrtcState<<P::Driver as Driver>::Crtc>,
    ) -> Self {
        // SAFETY: By the requirement (K8).
        unsafe {
            Self {
                plane: Plane::from_raw(plane),
                old: Old::from_raw(old),
                new: &mut *new,
                crtc: New::from_raw(crtc),
                _check: PhantomData,
            }
        }
    }

    /// Returns the plane.
    pub fn plane(&self) -> &'c Plane<P> {
        self.plane
    }

    /// Returns the state in force.
    pub fn old(&self) -> &'c Old<PlaneState<P>> {
        self.old
    }

    /// Returns the state that is being checked.
    pub fn new_state(&self) -> &PlaneState<P> {
        self.new
    }

    /// Returns the state that is being checked, to be written.
    pub fn edit(&mut self) -> Edit<'_, PlaneState<P>> {
        // SAFETY: The commit is being checked, and `self` is borrowed for the time (K8).
        unsafe { Edit::new(self.new) }
    }

    /// Returns the new state of the plane's CRTC.
    pub fn crtc(&self) -> &'c New<CrtcState<<P::Driver as Driver>::Crtc>> {
        self.crtc
    }
}
