// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A commit as the hooks of a CRTC see it: while it is checked, and when it is carried out.

use super::{
    super::{
        commit,
        plane::{
            Plane,
            PlaneState, //
        },
        state::{
            Edit,
            New,
            Old, //
        },
        Driver, //
    },
    Crtc,
    CrtcState,
    DriverCrtc, //
};
use crate::raw;
use core::marker::PhantomData;

type PlaneOf<C> = <<C as DriverCrtc>::Driver as Driver>::Plane;

/// The check of a CRTC in a commit.
pub struct CrtcCheck<'c, C: DriverCrtc> {
    crtc: &'c Crtc<C>,
    commit: *mut raw::drm_atomic_commit,
    old: &'c Old<CrtcState<C>>,
    new: &'c mut CrtcState<C>,
    /// Invariant in `'c`: the lifetime names one check.
    _check: PhantomData<fn(&'c ()) -> &'c ()>,
}

impl<'c, C: DriverCrtc> CrtcCheck<'c, C> {
    /// # Safety
    ///
    /// The pointers are a CRTC, a commit that is being checked, and the CRTC's two states in it.
    /// Nothing else uses the new state for `'c`, and nothing writes any other (K8).
    pub(super) unsafe fn new(
        crtc: *mut raw::drm_crtc,
        commit: *mut raw::drm_atomic_commit,
        old: *mut CrtcState<C>,
        new: *mut CrtcState<C>,
    ) -> Self {
        // SAFETY: By the requirement (K8).
        unsafe {
            Self {
                crtc: Crtc::from_raw(crtc),
                commit,
                old: Old::from_raw(old),
                new: &mut *new,
                _check: PhantomData,
            }
        }
    }

    /// Returns the CRTC.
    pub fn crtc(&self) -> &'c Crtc<C> {
        self.crtc
    }

    /// Returns the state in force.
    pub fn old(&self) -> &'c Old<CrtcState<C>> {
        self.old
    }

    /// Returns the state that is being checked.
    pub fn new_state(&self) -> &CrtcState<C> {
        self.new
    }

    /// Returns the state that is being checked, to be written, and beside it the planes on the CRTC
    /// that the commit contains.
    pub fn split(&mut self) -> (Edit<'_, CrtcState<C>>, Planes<'_, C>) {
        // SAFETY: The commit is being checked, and `self` is borrowed for the time. A CRTC's hook
        // writes no plane's state (K8).
        unsafe { (Edit::new(self.new), Planes::new(self.commit, self.crtc)) }
    }
}

/// A commit as the CRTC's [`flush`](DriverCrtc::flush) sees it.
///
/// # Invariants
///
/// `commit` contains `crtc`. It is in force, and its hardware steps are under way for `'c`.
///
/// # Examples
///
/// A `flush` that looks at the whole picture:
///
/// ```
/// fn flush(commit: &CrtcCommit<'_, Screen>, hw: &Hw<'_, Display>) -> Flip {
///     for (_plane, state) in commit.planes() {
///         let area = state.dst();
///         dev_dbg!(hw, "{} x {} pixels\n", area.width(), area.height());
///     }
///     Flip::AtVblank
/// }
/// ```
pub struct CrtcCommit<'c, C: DriverCrtc> {
    crtc: &'c Crtc<C>,
    commit: *mut raw::drm_atomic_commit,
    old: &'c Old<CrtcState<C>>,
    new: &'c New<CrtcState<C>>,
    /// Invariant in `'c`: the lifetime names one commit.
    _commit: PhantomData<fn(&'c ()) -> &'c ()>,
}

impl<'c, C: DriverCrtc> CrtcCommit<'c, C> {
    /// # Safety
    ///
    /// The type invariants hold (K14).
    pub(super) unsafe fn new(
        crtc: *mut raw::drm_crtc,
        commit: *mut raw::drm_atomic_commit,
    ) -> Self {
        // SAFETY: By the requirement (K14).
        unsafe {
            let (old, new) = commit::crtc_states::<C>(commit, crtc);
            Self {
                crtc: Crtc::from_raw(crtc),
                commit,
                old: Old::from_raw(old),
                new: New::from_raw(new),
                _commit: PhantomData,
            }
        }
    }

    /// Returns the CRTC.
    pub fn crtc(&self) -> &'c Crtc<C> {
        self.crtc
    }

    /// Returns the state that was in force before.
    pub fn old(&self) -> &'c Old<CrtcState<C>> {
        self.old
    }

    /// Returns the state that is in force now.
    pub fn new_state(&self) -> &'c New<CrtcState<C>> {
        self.new
    }

    /// Returns the visible planes on the CRTC that the commit contains: all, if
    /// [`WHOLE`](DriverCrtc::WHOLE) says so.
    pub fn planes(&self) -> Planes<'_, C> {
        // SAFETY: By the type invariants (K14).
        unsafe { Planes::new(self.commit, self.crtc) }
    }
}

/// The visible planes on a CRTC in a commit, each with its new state, in the order in which they
/// were created.
///
/// # Invariants
///
/// The commit contains the CRTC, and no plane's state is written for `'a`.
pub struct Planes<'a, C: DriverCrtc> {
    commit: *mut raw::drm_atomic_commit,
    crtc: &'a Crtc<C>,
    next: u32,
}

impl<'a, C: DriverCrtc> Planes<'a, C> {
    /// # Safety
    ///
    /// The type invariants hold (K8, K14).
    unsafe fn new(commit: *mut raw::drm_atomic_commit, crtc: &'a Crtc<C>) -> Self {
        Self {
            commit,
            crtc,
            next: 0,
        }
    }
}

impl<'a, C: DriverCrtc> Iterator for Planes<'a, C> {
    type Item = (&'a Plane<PlaneOf<C>>, &'a New<PlaneState<PlaneOf<C>>>);

    fn next(&mut self) -> Option<Self::Item> {
        // SAFETY: The commit and its device are valid (type invariants) (K14).
        let count = unsafe { (*(*self.commit).dev).mode_config.num_total_plane };
        while self.next < count as u32 {
            let index = self.next as usize;
            self.next += 1;
            // SAFETY: The commit has room for all planes of its device, of one class (K2). A state
            // is valid for as long as the commit is.
            unsafe {
                let entry = &*(*self.commit).planes.add(index);
                let state = entry.new_state;
                if !entry.ptr.is_null()
                    && core::ptr::eq((*state).crtc, self.crtc.as_raw())
                    && (*state).visible
                {
                    return Some((&*entry.ptr.cast(), New::from_raw(state.cast())));
                }
            }
        }
        None
    }
}
