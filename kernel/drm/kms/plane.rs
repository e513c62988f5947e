// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Planes: what shows a framebuffer on a CRTC.
//!
//! C header: `include/drm/drm_plane.h`; kernel document: Documentation/gpu/drm-kms.rst, "Plane
//! Abstraction".

mod check;
mod hooks;
mod state;

pub use check::PlaneCheck;
pub use state::PlaneState;

use super::{
    framebuffer::Framebuffer,
    setup::has_room,
    state::{
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
    marker::PhantomData,
    ops::Deref,
    ptr::{
        null,
        NonNull, //
    }, //
};
use kernel::{
    bindings,
    error::to_result,
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

/// How far a plane can scale what it shows. So far [`Scaling::NONE`] is the only value. A ratio is
/// that of the framebuffer's part to the part of the screen, in 16.16 fixed point.
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

/// How a plane's picture must fit on the screen.
struct Fit {
    scaling: Scaling,
    placement: Placement,
}

impl Fit {
    const ANY: Self = Self {
        scaling: Scaling::NONE,
        placement: Placement::Anywhere,
    };
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
///     fn placement(&self) -> kms::plane::Placement {
///         kms::plane::Placement::FullScreen
///     }
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

    /// Returns how far this plane scales. Called once, when the plane is created.
    fn scaling(&self) -> Scaling {
        Scaling::NONE
    }

    /// Returns where this plane can be. Called once, when the plane is created.
    fn placement(&self) -> Placement {
        Placement::Anywhere
    }

    /// Checks the new state of a plane that a commit would leave visible. The rectangles are
    /// clipped and conform to [`scaling`](Self::scaling) and [`placement`](Self::placement).
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
    /// shown, and is then dropped in process context. Not called for a plane that is part of a
    /// commit only because of [`WHOLE`](super::DriverCrtc::WHOLE): the earlier result serves on.
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

    /// Shows the new state, which is visible. The CRTC may be off, unless
    /// [`PLANES_LAST`](Driver::PLANES_LAST) says otherwise.
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
    /// The limits for each new state. Written once, when the plane is created.
    fit: Fit,
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
        let mut this = KBox::pin_init(
            try_pin_init!(Self {
                // The allocator has zeroed the memory; see the flags.
                raw <- Opaque::ffi_init(|_| ()),
                data <- data,
                fit: Fit::ANY,
                _class: PhantomData,
            }? Error),
            GFP_KERNEL | __GFP_ZERO,
        )?;
        let fit = Fit {
            scaling: this.data.scaling(),
            placement: this.data.placement(),
        };
        *this.as_mut().project().fit = fit;
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
