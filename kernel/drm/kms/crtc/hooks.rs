// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The callbacks of a CRTC in commits, which call the driver's hooks.

use super::{
    super::{
        commit::{
            self,
            of_hook, //
        },
        mode::Mode,
        state::{
            New,
            Old, //
        },
        vblank::{
            Source,
            FRAME_TIMES, //
        }, //
    },
    Crtc,
    CrtcCheck,
    CrtcCommit,
    DriverCrtc,
    Flip, //
};
use crate::raw;
use core::sync::atomic::Ordering;
use kernel::{
    error::{
        from_result,
        to_result, //
    },
    prelude::*, //
};

impl<C: DriverCrtc> Crtc<C> {
    pub(super) const HELPER: raw::drm_crtc_helper_funcs = raw::drm_crtc_helper_funcs {
        mode_valid: Some(Self::mode_valid),
        atomic_check: Some(Self::atomic_check),
        atomic_flush: Some(Self::atomic_flush),
        atomic_enable: Some(Self::atomic_enable),
        atomic_disable: Some(Self::atomic_disable),
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// Called only by C, as documented for the table that contains it (L20).
    unsafe extern "C" fn mode_valid(
        crtc: *mut raw::drm_crtc,
        mode: *const raw::drm_display_mode,
    ) -> raw::drm_mode_status {
        // SAFETY: C passes a CRTC of this class and a mode that it does not change meanwhile (K2).
        let (crtc, mode) = unsafe { (Self::from_raw(crtc), Mode::from_raw(mode)) };
        match mode.frame_time() {
            Some(time) if FRAME_TIMES.contains(&time) => {}
            Some(time) if time > *FRAME_TIMES.end() => {
                return raw::drm_mode_status_MODE_CLOCK_LOW;
            }
            _ => return raw::drm_mode_status_MODE_CLOCK_HIGH,
        }
        // Planes would be clipped to another size than the mode's.
        if mode.is_stereo() {
            return raw::drm_mode_status_MODE_NO_STEREO;
        }
        if C::mode_valid(crtc, mode) {
            raw::drm_mode_status_MODE_OK
        } else {
            raw::drm_mode_status_MODE_BAD
        }
    }

    /// # Safety
    ///
    /// Called only by C, as documented for the table that contains it (L20).
    unsafe extern "C" fn atomic_check(
        crtc: *mut raw::drm_crtc,
        commit: *mut raw::drm_atomic_commit,
    ) -> c_int {
        from_result(|| {
            // SAFETY: C passes a CRTC of the commit, which it checks: the locks are held, and
            // nothing else uses the new state (K8).
            let (old, new) = unsafe { commit::crtc_states::<C>(commit, crtc) };
            // SAFETY: As above (K14).
            if !unsafe { (*new.cast::<raw::drm_crtc_state>()).enable } {
                // Nothing that a driver says may keep a CRTC from being switched off (K10).
                return Ok(0);
            }
            if C::NEEDS_PRIMARY {
                // SAFETY: As above. If C itself takes the plane away, it expects this error, and
                // switches the CRTC off (K10).
                to_result(unsafe { raw::drm_atomic_helper_check_crtc_primary_plane(new.cast()) })?;
            }
            if C::WHOLE {
                // SAFETY: As above (K37).
                unsafe { commit::add_planes::<C>(commit, crtc)? };
            }
            // SAFETY: As above. C itself makes such commits, and expects no errors (K10).
            if C::HAS_CHECK && !unsafe { raw::drm_rust_only_takes_away(commit) } {
                // SAFETY: As above: nothing else uses the new state of the CRTC (K8).
                let mut check = unsafe { CrtcCheck::new(crtc, commit, old, new) };
                C::check(&mut check).map_err(of_hook)?;
            }
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// Called only by C, as documented for the table that contains it (L20).
    unsafe extern "C" fn atomic_enable(
        crtc: *mut raw::drm_crtc,
        commit: *mut raw::drm_atomic_commit,
    ) {
        // SAFETY: C passes a CRTC of a commit that is in force and not done (K14).
        let Some(hw) = (unsafe { commit::hardware::<C::Driver>(commit) }) else {
            return;
        };
        // SAFETY: As above. The states stay as they are until the steps are done (K14).
        let (crtc, old, new) = unsafe {
            let (old, new) = commit::crtc_states::<C>(commit, crtc);
            (Self::from_raw(crtc), Old::from_raw(old), New::from_raw(new))
        };
        C::enable(crtc, old, new, &hw);
        if C::Vblank::OPS.counts {
            crtc.timer.begin(new.adjusted_mode());
            // SAFETY: The CRTC is on, so it may count frames (K18).
            unsafe { raw::drm_crtc_vblank_on(crtc.as_raw()) };
        }
    }

    /// # Safety
    ///
    /// Called only by C, as documented for the table that contains it (L20).
    unsafe extern "C" fn atomic_disable(
        crtc: *mut raw::drm_crtc,
        commit: *mut raw::drm_atomic_commit,
    ) {
        // SAFETY: C passes a CRTC of this class (K2).
        unsafe { Self::from_raw(crtc) }.end_vblanks();
        // SAFETY: As in `atomic_enable` (K14).
        if let Some(hw) = unsafe { commit::hardware::<C::Driver>(commit) } {
            // SAFETY: As in `atomic_enable` (K14).
            unsafe {
                let (old, _) = commit::crtc_states::<C>(commit, crtc);
                C::disable(Self::from_raw(crtc), Old::from_raw(old), &hw);
            }
        }
    }

    /// # Safety
    ///
    /// Called only by C, as documented for the table that contains it (L20).
    unsafe extern "C" fn atomic_flush(
        crtc: *mut raw::drm_crtc,
        commit: *mut raw::drm_atomic_commit,
    ) {
        if !C::HAS_FLUSH {
            return;
        }
        // SAFETY: As in `atomic_enable` (K14).
        let Some(hw) = (unsafe { commit::hardware::<C::Driver>(commit) }) else {
            return;
        };
        // SAFETY: As in `atomic_enable` (K14).
        let commit = unsafe { CrtcCommit::<C>::new(crtc, commit) };
        if commit.new_state().is_active() {
            let flip = C::flush(&commit, &hw);
            commit
                .crtc()
                .flip_now
                .store(flip == Flip::Now, Ordering::Relaxed);
        }
    }
}
