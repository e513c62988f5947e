// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! CRTCs: what blends planes into a picture and sends it to encoders, frame by frame.
//!
//! C header: `include/drm/drm_crtc.h`; kernel document: Documentation/gpu/drm-kms.rst, "CRTC
//! Abstraction".

use super::{
    commit::{
        self,
        of_hook, //
    },
    mode::Mode,
    plane::{
        Plane,
        PlaneState, //
    },
    setup::has_room,
    state::{
        Edit,
        New,
        Old,
        State, //
    },
    vblank::{
        FrameTimer,
        Source,
        FRAME_TIMES, //
    },
    Driver,
    Hw, //
};
use crate::{
    raw,
    Device,
    Init, //
};
use core::{
    marker::PhantomData,
    mem::offset_of,
    ops::Deref,
    ptr::{
        null,
        null_mut,
        NonNull, //
    },
    sync::atomic::{
        AtomicBool,
        Ordering, //
    }, //
};
use kernel::{
    bindings,
    error::{
        from_result,
        to_result, //
    },
    prelude::*,
    types::Opaque, //
};

/// When a client learns that what it committed is on the screen.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Flip {
    /// At the next vblank.
    AtVblank,
    /// At once: it is on the screen already.
    Now,
}

/// A driver's data in each of its CRTCs, and the hooks of its CRTCs. Implement it with `#[vtable]`.
///
/// # Examples
///
/// ```
/// # classes!(Show, ShowClient, ShowBuffer, ShowLayer, ShowScreen, ShowMonitor);
/// # layer!(ShowLayer, Show);
/// # monitor!(ShowMonitor, Show);
/// struct ShowScreen {
///     /// The size of the device's memory, in pixels.
///     memory: u32,
/// }
///
/// #[vtable]
/// impl DriverCrtc for ShowScreen {
///     type Driver = Show;
///     type State = ();
///     type Vblank = vblank::Timer;
///
///     fn mode_valid(crtc: &Crtc<Self>, mode: &Mode) -> bool {
///         u32::from(mode.hdisplay()) * u32::from(mode.vdisplay()) <= crtc.memory
///     }
///
///     fn enable(
///         _crtc: &Crtc<Self>,
///         _old: &Old<CrtcState<Self>>,
///         new: &New<CrtcState<Self>>,
///         hw: &Hw<'_, Show>,
///     ) {
///         dev_dbg!(hw, "on, with {} lines\n", new.mode().vdisplay());
///     }
///
///     fn disable(_crtc: &Crtc<Self>, _old: &Old<CrtcState<Self>>, hw: &Hw<'_, Show>) {
///         dev_dbg!(hw, "off\n");
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a class of CRTCs",
    label = "`drm::kms::DriverCrtc` is not implemented for `{Self}`",
    note = "the class is the driver's own type, not `Crtc<_>`; implement `DriverCrtc` for it with `#[vtable]`"
)]
#[vtable]
pub trait DriverCrtc: Send + Sync + Sized + 'static {
    /// The driver that the CRTCs belong to.
    type Driver: Driver<Crtc = Self>;

    /// The driver's own part of a CRTC's state. `()` if it has none.
    type State: State;

    /// Where vblanks come from.
    type Vblank: Source<Self>;

    /// Whether a commit that touches a CRTC contains all planes on it, so that
    /// [`flush`](Self::flush) sees the whole picture. A driver that composes pictures itself needs
    /// that (K37).
    const WHOLE: bool = false;

    /// Returns whether the CRTC can show `mode`. Modes with frame times below a millisecond or above
    /// half a second, and stereo modes, are refused before (K19).
    ///
    /// Context: process context; locks of mode setting may be held.
    fn mode_valid(crtc: &Crtc<Self>, mode: &Mode) -> bool {
        let _ = (crtc, mode);
        true
    }

    /// Checks the new state of a CRTC that a commit would leave switched on. Not called for a commit
    /// that only takes planes away: that must be possible at any time (K10).
    ///
    /// C may call the hook again for one commit, and for commits that are only tests. So the hook
    /// changes nothing but the new state.
    ///
    /// # Errors
    ///
    /// Any error fails the commit. Context: process context, may sleep; locks of mode setting are
    /// held.
    fn check(check: &mut CrtcCheck<'_, Self>) -> Result {
        let _ = check;
        Ok(())
    }

    /// Switches the CRTC on, with the new state's mode.
    ///
    /// Context: process context, may sleep, but neither allocates memory nor waits for fences:
    /// fences wait for it.
    fn enable(
        crtc: &Crtc<Self>,
        old: &Old<CrtcState<Self>>,
        new: &New<CrtcState<Self>>,
        hw: &Hw<'_, Self::Driver>,
    ) {
        let _ = (crtc, old, new, hw);
    }

    /// Switches the CRTC off. Its vblanks have ended.
    ///
    /// A mapping of a framebuffer keeps the device. A driver that keeps some in the CRTC's data, for
    /// what is shown, lets go of them here.
    ///
    /// Context: as [`enable`](Self::enable).
    fn disable(crtc: &Crtc<Self>, old: &Old<CrtcState<Self>>, hw: &Hw<'_, Self::Driver>) {
        let _ = (crtc, old, hw);
    }

    /// Lets what the planes' hooks have prepared take effect. Called for CRTCs that are on, after
    /// the planes' hooks.
    ///
    /// Context: as [`enable`](Self::enable).
    fn flush(commit: &CrtcCommit<'_, Self>, hw: &Hw<'_, Self::Driver>) -> Flip {
        let _ = (commit, hw);
        Flip::AtVblank
    }
}

/// A CRTC with the driver's data, to which it dereferences.
///
/// # Invariants
///
/// - `raw` is initialised and lies in a pinned `KBox` of `Self` that C owns through `destroy` (K4).
/// - Its device is one of the driver of `C`, and lives as long as the CRTC is used.
#[repr(C)]
#[pin_data]
pub struct Crtc<C: DriverCrtc> {
    #[pin]
    raw: Opaque<raw::drm_crtc>,
    #[pin]
    timer: FrameTimer,
    /// Whether the event of the commit at hand is sent at once ([`Flip::Now`]). Only that commit's
    /// steps use it, one after the other.
    flip_now: AtomicBool,
    #[pin]
    data: C,
    /// Invariant in `C`: a subtype of `C` may be another driver's (K2).
    _class: PhantomData<fn(C) -> C>,
}

impl<C: DriverCrtc> Crtc<C> {
    const FUNCS: raw::drm_crtc_funcs = raw::drm_crtc_funcs {
        destroy: Some(Self::destroy),
        set_config: Some(raw::drm_atomic_helper_set_config),
        page_flip: Some(raw::drm_atomic_helper_page_flip),
        atomic_create_state: Some(CrtcState::<C>::create),
        atomic_duplicate_state: Some(CrtcState::<C>::duplicate),
        atomic_destroy_state: Some(CrtcState::<C>::destroy),
        enable_vblank: C::Vblank::OPS.enable,
        disable_vblank: C::Vblank::OPS.disable,
        get_vblank_timestamp: C::Vblank::OPS.timestamp,
        ..pin_init::zeroed()
    };

    const HELPER: raw::drm_crtc_helper_funcs = raw::drm_crtc_helper_funcs {
        mode_valid: Some(Self::mode_valid),
        atomic_check: Some(Self::atomic_check),
        atomic_flush: Some(Self::atomic_flush),
        atomic_enable: Some(Self::atomic_enable),
        atomic_disable: Some(Self::atomic_disable),
        ..pin_init::zeroed()
    };

    /// Creates a CRTC with its planes.
    ///
    /// # Safety
    ///
    /// `dev` is a device of the driver of `C` that is being set up. The planes are its, no CRTC
    /// uses them, and they are a primary and a cursor plane (or null) (K1).
    pub(super) unsafe fn create(
        dev: *mut bindings::drm_device,
        primary: *mut raw::drm_plane,
        cursor: *mut raw::drm_plane,
        data: impl PinInit<C, Error>,
    ) -> Result<NonNull<Self>> {
        let this = KBox::pin_init(
            try_pin_init!(Self {
                // The allocator has zeroed the memory; see the flags.
                raw <- Opaque::ffi_init(|_| ()),
                timer <- FrameTimer::new::<C>(),
                flip_now: AtomicBool::new(false),
                data <- data,
                _class: PhantomData,
            }? Error),
            GFP_KERNEL | __GFP_ZERO,
        )?;
        // The driver's data may have created objects, too.
        // SAFETY: The device is valid (K1).
        has_room(unsafe { (*dev).mode_config.num_crtc })?;
        // SAFETY: The CRTC does not move: C owns it from here on, unless there is an error (K4).
        let this = KBox::into_raw(unsafe { Pin::into_inner_unchecked(this) });
        // SAFETY: The C CRTC is zeroed, and a null name lets C choose one (K4).
        let result = to_result(unsafe {
            raw::drm_crtc_init_with_planes(dev, this.cast(), primary, cursor, &Self::FUNCS, null())
        });
        if let Err(error) = result {
            // SAFETY: C may fail after it has linked the CRTC and counted it. Undoing that is the
            // only thing left to do before the box goes (K4).
            unsafe {
                if raw::drm_rust_crtc_is_linked(this.cast()) {
                    raw::drm_crtc_cleanup(this.cast());
                }
                drop(KBox::from_raw(this));
            }
            return Err(error);
        }
        // SAFETY: The CRTC is initialised, and nothing uses it yet (K1).
        unsafe { (*this.cast::<raw::drm_crtc>()).helper_private = &Self::HELPER };
        NonNull::new(this).ok_or(ENOMEM)
    }

    /// # Safety
    ///
    /// `crtc` is a CRTC of this class, valid for `'a` (K2).
    pub(super) unsafe fn from_raw<'a>(crtc: *mut raw::drm_crtc) -> &'a Self {
        // SAFETY: By the requirement; the C CRTC is at offset 0 (K2).
        unsafe { &*crtc.cast() }
    }

    /// # Safety
    ///
    /// `timer` is that of a CRTC of this class, valid for `'a` (K2).
    pub(super) unsafe fn from_timer<'a>(timer: *mut FrameTimer) -> &'a Self {
        // SAFETY: By the requirement (K2).
        unsafe { &*timer.byte_sub(offset_of!(Self, timer)).cast() }
    }

    pub(super) fn as_raw(&self) -> *mut raw::drm_crtc {
        self.raw.get()
    }

    pub(super) fn timer(&self) -> &FrameTimer {
        &self.timer
    }

    /// Ends the vblanks. Events that wait for one are sent now. It does no harm if vblanks are off
    /// already.
    pub(super) fn end_vblanks(&self) {
        if C::Vblank::OPS.counts {
            // SAFETY: The CRTC is valid, and its device has counts of frames (K18).
            unsafe { raw::drm_crtc_vblank_off(self.as_raw()) };
        }
    }

    /// Returns whether the last commit's event is to be sent at once.
    pub(super) fn flips_now(&self) -> bool {
        self.flip_now.load(Ordering::Relaxed)
    }

    /// Switches the CRTC off, without a commit.
    ///
    /// # Safety
    ///
    /// The locks of mode setting are held, and no commit is under way (K21).
    pub(super) unsafe fn disable_now(&self, hw: &Hw<'_, C::Driver>) {
        // SAFETY: By the requirement, the state in force stays as it is (K21).
        let state = unsafe { &*(*self.as_raw()).state.cast::<CrtcState<C>>() };
        if state.is_active() {
            // SAFETY: As above (K7).
            C::disable(self, unsafe { Old::from_raw(state) }, hw);
        }
    }

    /// Returns the device.
    pub fn device(&self) -> &Device<C::Driver, Init> {
        // SAFETY: By the type invariants. A reference to a CRTC exists in hooks and through
        // `Device<_, Init>` only, so the device is in `Init` (K4, L27).
        unsafe { Device::from_raw((*self.as_raw()).dev) }
    }

    /// # Safety
    ///
    /// Called only by C, as documented for the table that contains it (L20).
    unsafe extern "C" fn destroy(crtc: *mut raw::drm_crtc) {
        // SAFETY: C passes a CRTC with this table, once, when the device is released. It is the box
        // made in `create`. Vblanks are off, and the timer's callback does not run afterwards (K4).
        unsafe {
            Self::from_raw(crtc).timer.cancel();
            raw::drm_crtc_cleanup(crtc);
            drop(KBox::from_raw(crtc.cast::<Self>()));
        }
    }

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
            if C::WHOLE {
                // SAFETY: As above. Planes that were not in the commit keep their checked state
                // (K37).
                to_result(unsafe { raw::drm_atomic_add_affected_planes(commit, crtc) })?;
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

impl<C: DriverCrtc> Deref for Crtc<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.data
    }
}

// SAFETY: C does its own locking, the timer has a lock, and `C` is `Send + Sync` (L15).
unsafe impl<C: DriverCrtc> Send for Crtc<C> {}

// SAFETY: As for `Send` (L15).
unsafe impl<C: DriverCrtc> Sync for Crtc<C> {}

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

    /// # Safety
    ///
    /// Called only by C, as documented for the table that contains it (L20).
    unsafe extern "C" fn create(crtc: *mut raw::drm_crtc) -> *mut raw::drm_crtc_state {
        Self::alloc(C::State::initial(), |state| {
            // SAFETY: The state is zeroed, and C passes a valid CRTC (K5).
            unsafe { raw::__drm_atomic_helper_crtc_state_init(state, crtc) };
        })
        .unwrap_or_else(|error| error.to_ptr())
    }

    /// # Safety
    ///
    /// Called only by C, as documented for the table that contains it (L20).
    unsafe extern "C" fn duplicate(crtc: *mut raw::drm_crtc) -> *mut raw::drm_crtc_state {
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
    unsafe extern "C" fn destroy(_crtc: *mut raw::drm_crtc, state: *mut raw::drm_crtc_state) {
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
    unsafe fn new(
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
    unsafe fn new(crtc: *mut raw::drm_crtc, commit: *mut raw::drm_atomic_commit) -> Self {
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
