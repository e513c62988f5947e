// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The callbacks of a plane in commits, which call the driver's hooks.

use super::{
    super::{
        commit::{
            self,
            of_hook, //
        },
        crtc::DriverCrtc,
        state::{
            New,
            Old, //
        },
        Driver, //
    },
    DriverPlane,
    Placement,
    Plane,
    PlaneCheck,
    PlaneState, //
};
use crate::raw;
use kernel::{
    error::{
        from_result,
        to_result, //
    },
    prelude::*,
    sync::Arc, //
};

impl<P: DriverPlane> Plane<P> {
    pub(super) const HELPER: raw::drm_plane_helper_funcs = raw::drm_plane_helper_funcs {
        prepare_fb: Some(Self::prepare_fb),
        cleanup_fb: Some(Self::cleanup_fb),
        atomic_check: Some(Self::atomic_check),
        atomic_update: Some(Self::atomic_update),
        atomic_disable: Some(Self::atomic_disable),
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// Called only by C, as documented for the table that contains it (L20).
    unsafe extern "C" fn atomic_check(
        plane: *mut raw::drm_plane,
        commit: *mut raw::drm_atomic_commit,
    ) -> c_int {
        // SAFETY: C passes a plane of the commit, which it checks: the locks are held, and nothing
        // else uses the new state (K8).
        let (old, new) = unsafe { commit::plane_states::<P>(commit, plane) };
        let c = new.cast::<raw::drm_plane_state>();
        // SAFETY: As above, for the C part (K8).
        let on = unsafe { (*c).crtc };
        // SAFETY: As above (K8).
        if on.is_null() || unsafe { (*c).fb }.is_null() {
            // Nothing that a driver says may keep a plane from being switched off (K10).
            // SAFETY: As above (K8).
            unsafe { (*c).visible = false };
            return 0;
        }
        from_result(|| {
            // SAFETY: A plane's CRTC is in the commit, because setting it adds it (K8).
            let (_, crtc) =
                unsafe { commit::crtc_states::<<P::Driver as Driver>::Crtc>(commit, on) };
            // SAFETY: C passes a plane of this class (K2).
            let fit = &unsafe { Self::from_raw(plane) }.fit;
            // SAFETY: Both states are valid and belong together (K38).
            to_result(unsafe {
                raw::drm_atomic_helper_check_plane_state(
                    c,
                    crtc.cast(),
                    fit.scaling.min,
                    fit.scaling.max,
                    matches!(fit.placement, Placement::Anywhere),
                    !<<P::Driver as Driver>::Crtc as DriverCrtc>::NEEDS_PRIMARY,
                )
            })?;
            // SAFETY: As above (K8).
            if P::HAS_CHECK && unsafe { (*c).visible } {
                // SAFETY: As above: nothing else uses the new state of the plane (K8).
                let mut check = unsafe { PlaneCheck::new(plane, old, new, crtc) };
                P::check(&mut check).map_err(of_hook)?;
            }
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// Called only by C, as documented for the table that contains it (L20).
    unsafe extern "C" fn prepare_fb(
        plane: *mut raw::drm_plane,
        state: *mut raw::drm_plane_state,
    ) -> c_int {
        from_result(|| {
            // SAFETY: C passes a plane and the new state of a commit that is not yet in force, with
            // its locks held. So nothing writes the state but this function (K12).
            let (plane, state) =
                unsafe { (Self::from_raw(plane), &*state.cast::<PlaneState<P>>()) };
            if state.unchanged {
                // SAFETY: As above. The state in force shows the same framebuffer, and no hook has
                // access to the slot of the new one (K12, K37).
                unsafe {
                    let current = &*(*plane.as_raw()).state.cast::<PlaneState<P>>();
                    *state.prepared.get() = (*current.prepared.get()).clone();
                }
                return Ok(0);
            }
            // SAFETY: As above. The function leaves nothing to undo but a fence, which the state
            // owns (K12).
            to_result(unsafe { raw::drm_gem_plane_helper_prepare_fb(plane.as_raw(), state.c()) })?;
            if let (true, Some(framebuffer)) = (state.is_visible(), state.framebuffer()) {
                // SAFETY: As above (K7).
                let new = unsafe { New::from_raw(state) };
                let prepared = P::prepare(plane, new, framebuffer).map_err(of_hook)?;
                let prepared = Arc::new(prepared, GFP_KERNEL)?;
                // SAFETY: As above: nothing else has access to the slot (K12).
                unsafe { *state.prepared.get() = Some(prepared) };
            }
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// Called only by C, as documented for the table that contains it (L20).
    unsafe extern "C" fn cleanup_fb(_plane: *mut raw::drm_plane, state: *mut raw::drm_plane_state) {
        // SAFETY: C passes the old state after a commit, or the new one of a commit that failed:
        // in both cases no hook has access any more (K12).
        let prepared = unsafe { (*(*state.cast::<PlaneState<P>>()).prepared.get()).take() };
        drop(prepared);
    }

    /// # Safety
    ///
    /// Called only by C, as documented for the table that contains it (L20).
    unsafe extern "C" fn atomic_update(
        plane: *mut raw::drm_plane,
        commit: *mut raw::drm_atomic_commit,
    ) {
        // SAFETY: C passes a plane of a commit that is in force and not done (K14).
        unsafe { Self::show(plane, commit) };
    }

    /// # Safety
    ///
    /// Called only by C, as documented for the table that contains it (L20).
    unsafe extern "C" fn atomic_disable(
        plane: *mut raw::drm_plane,
        commit: *mut raw::drm_atomic_commit,
    ) {
        // SAFETY: As in `atomic_update`: the new state is not visible (K10).
        unsafe { Self::show(plane, commit) };
    }

    /// Calls the hook for a change: `update` if the new state is visible, `disable` if only the old
    /// one is.
    ///
    /// # Safety
    ///
    /// `plane` is part of `commit`, which is in force and whose hardware steps are under way (K14).
    #[inline]
    unsafe fn show(plane: *mut raw::drm_plane, commit: *mut raw::drm_atomic_commit) {
        if !P::HAS_UPDATE && !P::HAS_DISABLE {
            return;
        }
        // SAFETY: By the requirement (K8).
        let Some(hw) = (unsafe { commit::hardware::<P::Driver>(commit) }) else {
            return;
        };
        // SAFETY: By the requirement, the states stay as they are until the steps are done (K8).
        unsafe {
            let (old, new) = commit::plane_states::<P>(commit, plane);
            let (old, new) = (Old::from_raw(old), New::from_raw(new));
            let plane = Self::from_raw(plane);
            if new.is_visible() {
                P::update(plane, old, new, &hw);
            } else if old.is_visible() {
                P::disable(plane, old, &hw);
            }
        }
    }
}
