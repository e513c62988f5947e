// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Planes: what shows a framebuffer on a CRTC.
//!
//! C header: `include/drm/drm_plane.h`; kernel document: Documentation/gpu/drm-kms.rst, "Plane
//! Abstraction".

use super::{
    commit::{
        self,
        of_hook, //
    },
    crtc::CrtcState,
    framebuffer::Framebuffer,
    mode::Rect,
    setup::has_room,
    state::{
        Edit,
        New,
        Old,
        State, //
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
    cell::UnsafeCell,
    marker::PhantomData,
    ops::Deref,
    ptr::{
        null,
        NonNull, //
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

/// The mask of blend modes with only `DRM_MODE_BLEND_PREMULTI` of `include/drm/drm_blend.h`.
const PREMULTIPLIED: c_uint = 1;

fn has_alpha(format: u32) -> bool {
    // SAFETY: The function has no requirements. It returns an entry of a constant table, or null
    // for a format that C does not know (K1).
    unsafe { raw::drm_format_info(format).as_ref() }.is_some_and(|info| info.has_alpha)
}

/// How far a plane can scale what it shows. A ratio is that of the framebuffer's part to the part
/// of the screen, in 16.16 fixed point.
#[derive(Clone, Copy)]
pub struct Scaling {
    min: i32,
    max: i32,
}

impl Scaling {
    /// A plane that does not scale.
    pub const NONE: Self = Self {
        min: raw::DRM_PLANE_NO_SCALING as i32,
        max: raw::DRM_PLANE_NO_SCALING as i32,
    };
}

/// Where a plane can be on the screen.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// Covering the whole screen.
    FullScreen,
    /// Anywhere, also partly beyond the edges.
    Anywhere,
}

/// A driver's data in each of its planes, and the hooks of its planes. Implement it with
/// `#[vtable]`.
///
/// # Examples
///
/// A plane whose pictures the driver copies:
///
/// ```
/// # classes!(Show, ShowClient, ShowBuffer, ShowLayer, ShowScreen, ShowMonitor);
/// # screen!(ShowScreen, Show);
/// # monitor!(ShowMonitor, Show);
/// # fn send(_x: u32, _y: u32, _pixels: &[u8]) {}
/// struct ShowLayer;
///
/// #[vtable]
/// impl DriverPlane for ShowLayer {
///     type Driver = Show;
///     type State = ();
///     type Prepared = kms::framebuffer::Map<Show>;
///
///     const PLACEMENT: kms::plane::Placement = kms::plane::Placement::FullScreen;
///
///     fn prepare(
///         _plane: &Plane<Self>,
///         _new: &New<PlaneState<Self>>,
///         framebuffer: &Framebuffer<Show>,
///     ) -> Result<Self::Prepared> {
///         framebuffer.map()
///     }
///
///     fn update(
///         _plane: &Plane<Self>,
///         old: &Old<PlaneState<Self>>,
///         new: &New<PlaneState<Self>>,
///         _hw: &Hw<'_, Show>,
///     ) {
///         let (Some(map), Some(damage)) = (new.prepared(), new.damage(old)) else {
///             return;
///         };
///         // An error is that of a buffer of another device. The picture stays as it was.
///         let _ = map.read(|pixels| {
///             let mut pixel = [0; 4];
///             for y in damage.y1 as u32..damage.y2 as u32 {
///                 for x in damage.x1 as u32..damage.x2 as u32 {
///                     if pixels.row(0, x, y, &mut pixel).is_ok() {
///                         send(x, y, &pixel);
///                     }
///                 }
///             }
///         });
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a class of planes",
    label = "`drm::kms::DriverPlane` is not implemented for `{Self}`",
    note = "the class is the driver's own type, not `Plane<_>`; implement `DriverPlane` for it with `#[vtable]`"
)]
#[vtable]
pub trait DriverPlane: Send + Sync + Sized + 'static {
    /// The driver that the planes belong to.
    type Driver: Driver<Plane = Self>;

    /// The driver's own part of a plane's state. `()` if it has none.
    type State: State;

    /// The driver's means to show a framebuffer, such as its mapping or its address. `()` if it needs
    /// none.
    type Prepared: Send + Sync + 'static;

    /// How far the planes scale.
    const SCALING: Scaling = Scaling::NONE;

    /// Where the planes can be.
    const PLACEMENT: Placement = Placement::Anywhere;

    /// Checks the new state of a plane that a commit would leave visible. The rectangles are
    /// clipped and conform to [`SCALING`](Self::SCALING) and [`PLACEMENT`](Self::PLACEMENT).
    ///
    /// C may call the hook again for one commit, and for commits that are only tests. So the hook
    /// changes nothing but the new state.
    ///
    /// # Errors
    ///
    /// Any error fails the commit. Context: process context, may sleep; locks of mode setting are
    /// held.
    fn check(check: &mut PlaneCheck<'_, Self>) -> Result {
        let _ = check;
        Ok(())
    }

    /// Prepares a framebuffer to be shown. The result lives until the framebuffer is no longer
    /// shown, and is then dropped in process context.
    ///
    /// # Errors
    ///
    /// Any error fails the commit. Context: process context, may sleep; locks of mode setting are
    /// held. After this hook nothing in a commit can fail (K11).
    fn prepare(
        plane: &Plane<Self>,
        new: &New<PlaneState<Self>>,
        framebuffer: &Framebuffer<Self::Driver>,
    ) -> Result<Self::Prepared>;

    /// Shows the new state, which is visible.
    ///
    /// Context: process context, may sleep, but neither allocates memory nor waits for fences:
    /// fences wait for it.
    fn update(
        plane: &Plane<Self>,
        old: &Old<PlaneState<Self>>,
        new: &New<PlaneState<Self>>,
        hw: &Hw<'_, Self::Driver>,
    ) {
        let _ = (plane, old, new, hw);
    }

    /// Stops showing what was visible.
    ///
    /// Context: as [`update`](Self::update).
    fn disable(plane: &Plane<Self>, old: &Old<PlaneState<Self>>, hw: &Hw<'_, Self::Driver>) {
        let _ = (plane, old, hw);
    }
}

/// A plane with the driver's data, to which it dereferences.
///
/// # Invariants
///
/// - `raw` is initialised and lies in a pinned `KBox` of `Self` that C owns through `destroy` (K4).
/// - Its device is one of the driver of `P`, and lives as long as the plane is used.
#[repr(C)]
#[pin_data]
pub struct Plane<P: DriverPlane> {
    #[pin]
    raw: Opaque<raw::drm_plane>,
    #[pin]
    data: P,
    /// Invariant in `P`: a subtype of `P` may be another driver's (K2).
    _class: PhantomData<fn(P) -> P>,
}

impl<P: DriverPlane> Plane<P> {
    const FUNCS: raw::drm_plane_funcs = raw::drm_plane_funcs {
        update_plane: Some(raw::drm_atomic_helper_update_plane),
        disable_plane: Some(raw::drm_atomic_helper_disable_plane),
        destroy: Some(Self::destroy),
        atomic_create_state: Some(PlaneState::<P>::create),
        atomic_duplicate_state: Some(PlaneState::<P>::duplicate),
        atomic_destroy_state: Some(PlaneState::<P>::destroy),
        ..pin_init::zeroed()
    };

    const HELPER: raw::drm_plane_helper_funcs = raw::drm_plane_helper_funcs {
        prepare_fb: Some(Self::prepare_fb),
        cleanup_fb: Some(Self::cleanup_fb),
        atomic_check: Some(Self::atomic_check),
        atomic_update: Some(Self::atomic_update),
        atomic_disable: Some(Self::atomic_disable),
        ..pin_init::zeroed()
    };

    /// Creates a plane that no CRTC uses yet.
    ///
    /// # Safety
    ///
    /// `dev` is a device of the driver of `P` that is being set up (K1).
    pub(super) unsafe fn create(
        dev: *mut bindings::drm_device,
        kind: raw::drm_plane_type,
        crtcs: u32,
        formats: &[u32],
        data: impl PinInit<P, Error>,
    ) -> Result<NonNull<Self>> {
        // C takes at most 64 formats, and warns about none (K1).
        if formats.is_empty() || formats.len() > 64 {
            return Err(EINVAL);
        }
        let this = KBox::pin_init(
            try_pin_init!(Self {
                // The allocator has zeroed the memory; see the flags.
                raw <- Opaque::ffi_init(|_| ()),
                data <- data,
                _class: PhantomData,
            }? Error),
            GFP_KERNEL | __GFP_ZERO,
        )?;
        // The driver's data may have created objects, too.
        // SAFETY: The device is valid (K1).
        has_room(unsafe { (*dev).mode_config.num_total_plane })?;
        // SAFETY: The plane does not move: C owns it from here on, unless there is an error (K4).
        let this = KBox::into_raw(unsafe { Pin::into_inner_unchecked(this) });
        // SAFETY: The C plane is zeroed. C copies the formats, of which there are that many; null
        // modifiers mean the linear one, and a null name lets C choose one (K4).
        let result = to_result(unsafe {
            raw::drm_universal_plane_init(
                dev,
                this.cast(),
                crtcs,
                &Self::FUNCS,
                formats.as_ptr(),
                formats.len() as c_uint,
                null(),
                kind,
                null(),
            )
        });
        if let Err(error) = result {
            // SAFETY: C has linked nothing; the box is the one made above (K4).
            drop(unsafe { KBox::from_raw(this) });
            return Err(error);
        }
        // SAFETY: The plane is initialised, and nothing uses it yet (K1).
        unsafe { (*this.cast::<raw::drm_plane>()).helper_private = &Self::HELPER };
        if formats.iter().any(|&format| has_alpha(format)) {
            // C wants the property wherever there is an alpha channel.
            // SAFETY: As above. C owns the plane now, also after an error (K1).
            to_result(unsafe {
                raw::drm_plane_create_blend_mode_property(this.cast(), PREMULTIPLIED)
            })?;
        }
        if P::Driver::COPIES {
            // SAFETY: As above (K1).
            unsafe { raw::drm_plane_enable_fb_damage_clips(this.cast()) };
        }
        NonNull::new(this).ok_or(ENOMEM)
    }

    /// # Safety
    ///
    /// `plane` is a plane of this class, valid for `'a` (K2).
    pub(super) unsafe fn from_raw<'a>(plane: *mut raw::drm_plane) -> &'a Self {
        // SAFETY: By the requirement; the C plane is at offset 0 (K2).
        unsafe { &*plane.cast() }
    }

    pub(super) fn as_raw(&self) -> *mut raw::drm_plane {
        self.raw.get()
    }

    /// Returns the device.
    pub fn device(&self) -> &Device<P::Driver, Init> {
        // SAFETY: By the type invariants. A reference to a plane exists in hooks and through
        // `Device<_, Init>` only, so the device is in `Init` (K4, L27).
        unsafe { Device::from_raw((*self.as_raw()).dev) }
    }

    /// # Safety
    ///
    /// Called only by C, as documented for the table that contains it (L20).
    unsafe extern "C" fn destroy(plane: *mut raw::drm_plane) {
        // SAFETY: C passes a plane with this table, once, when the device is released. It is the
        // box made in `create` (K4).
        unsafe {
            raw::drm_plane_cleanup(plane);
            drop(KBox::from_raw(plane.cast::<Self>()));
        }
    }

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
            // SAFETY: Both states are valid and belong together (K38).
            to_result(unsafe {
                raw::drm_atomic_helper_check_plane_state(
                    c,
                    crtc.cast(),
                    P::SCALING.min,
                    P::SCALING.max,
                    matches!(P::PLACEMENT, Placement::Anywhere),
                    true,
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
            // SAFETY: As above. The function leaves nothing to undo but a fence, which the state
            // owns (K12).
            to_result(unsafe {
                raw::drm_gem_plane_helper_prepare_fb(plane.as_raw(), state.raw.get())
            })?;
            if let (true, Some(framebuffer)) = (state.is_visible(), state.framebuffer()) {
                // SAFETY: As above (K7).
                let new = unsafe { New::from_raw(state) };
                let prepared = P::prepare(plane, new, framebuffer).map_err(of_hook)?;
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

    /// Stops showing what is visible, without a commit.
    ///
    /// # Safety
    ///
    /// The locks of mode setting are held, and no commit is under way (K21).
    pub(super) unsafe fn disable_now(&self, hw: &Hw<'_, P::Driver>) {
        // SAFETY: By the requirement, the state in force stays as it is (K21).
        let state = unsafe { &*(*self.as_raw()).state.cast::<PlaneState<P>>() };
        if state.is_visible() {
            // SAFETY: As above (K7).
            P::disable(self, unsafe { Old::from_raw(state) }, hw);
        }
    }

    /// Drops what was prepared for the framebuffer that is shown.
    ///
    /// # Safety
    ///
    /// As [`disable_now`](Self::disable_now) (K8).
    pub(super) unsafe fn forget_prepared(&self) {
        // SAFETY: By the requirement, no hook has access to the state (K12).
        drop(unsafe {
            (*(*(*self.as_raw()).state.cast::<PlaneState<P>>())
                .prepared
                .get())
            .take()
        });
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

impl<P: DriverPlane> Deref for Plane<P> {
    type Target = P;

    fn deref(&self) -> &P {
        &self.data
    }
}

// SAFETY: C does its own locking, and `P` is `Send + Sync` (L15).
unsafe impl<P: DriverPlane> Send for Plane<P> {}

// SAFETY: As for `Send` (L15).
unsafe impl<P: DriverPlane> Sync for Plane<P> {}

/// The state of a plane: what it shows, and where. It dereferences to the driver's own part.
///
/// # Invariants
///
/// - `raw` is an initialised state that C owns through `destroy`; the state lies in a `KBox` of
///   `Self`.
/// - `prepared` is written only by `prepare_fb` and `cleanup_fb`, which C calls one at a time for a
///   state, and not while hooks read it (K12).
#[repr(C)]
pub struct PlaneState<P: DriverPlane> {
    raw: Opaque<raw::drm_plane_state>,
    prepared: UnsafeCell<Option<P::Prepared>>,
    private: P::State,
    _class: PhantomData<fn(P) -> P>,
}

impl<P: DriverPlane> PlaneState<P> {
    fn c(&self) -> *mut raw::drm_plane_state {
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

    /// Returns what [`DriverPlane::prepare`] returned for the framebuffer. A visible state has it
    /// in the hooks that show it.
    pub fn prepared(&self) -> Option<&P::Prepared> {
        // SAFETY: By the type invariants nothing writes the slot while a hook has the state (K12).
        unsafe { (*self.prepared.get()).as_ref() }
    }

    /// # Safety
    ///
    /// Called only by C, as documented for the table that contains it (L20).
    unsafe extern "C" fn create(plane: *mut raw::drm_plane) -> *mut raw::drm_plane_state {
        Self::alloc(P::State::initial(), |state| {
            // SAFETY: The state is zeroed, and C passes a valid plane (K5).
            unsafe { raw::__drm_atomic_helper_plane_state_init(state, plane) };
        })
        .unwrap_or_else(|error| error.to_ptr())
    }

    /// # Safety
    ///
    /// Called only by C, as documented for the table that contains it (L20).
    unsafe extern "C" fn duplicate(plane: *mut raw::drm_plane) -> *mut raw::drm_plane_state {
        // SAFETY: C holds the plane's lock, so its state is in force, and valid (K7).
        let current = unsafe { &*(*plane).state.cast::<Self>() };
        Self::alloc(current.private.duplicate(), |state| {
            // SAFETY: The state is zeroed, and C passes a valid plane with a state (K7).
            unsafe { raw::__drm_atomic_helper_plane_duplicate_state(plane, state) };
        })
        .unwrap_or(core::ptr::null_mut())
    }

    fn alloc(
        private: Result<P::State>,
        init: impl FnOnce(*mut raw::drm_plane_state),
    ) -> Result<*mut raw::drm_plane_state> {
        let state = KBox::new(
            Self {
                raw: Opaque::zeroed(),
                prepared: UnsafeCell::new(None),
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
    unsafe extern "C" fn destroy(_plane: *mut raw::drm_plane, state: *mut raw::drm_plane_state) {
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
    unsafe fn new(
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
