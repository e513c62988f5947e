// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! CRTCs: what blends planes into a picture and sends it to encoders, frame by frame.
//!
//! C header: `include/drm/drm_crtc.h`; kernel document: Documentation/gpu/drm-kms.rst, "CRTC
//! Abstraction".

mod hooks;
mod state;
mod view;

pub use state::CrtcState;
pub use view::{
    CrtcCheck,
    CrtcCommit,
    Planes, //
};

use super::{
    mode::Mode,
    setup::has_room,
    state::{
        New,
        Old,
        State, //
    },
    vblank::{
        FrameTimer,
        Source, //
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
        NonNull, //
    },
    sync::atomic::{
        AtomicBool,
        Ordering, //
    }, //
};
use kernel::{
    bindings,
    error::to_result,
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

    /// Whether the CRTC cannot be on without its primary plane, as hardware whose only picture is
    /// that plane's. Commits that would leave it so fail with `EINVAL`. If the plane's framebuffer
    /// is removed, the CRTC goes off.
    const NEEDS_PRIMARY: bool = false;

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
    /// A mapping of a framebuffer keeps the framebuffer's buffers in memory, until the registration
    /// ends. A driver that keeps mappings in the CRTC's data drops them here.
    ///
    /// Context: as [`enable`](Self::enable).
    fn disable(crtc: &Crtc<Self>, old: &Old<CrtcState<Self>>, hw: &Hw<'_, Self::Driver>) {
        let _ = (crtc, old, hw);
    }

    /// Lets what the planes' hooks have written take effect. Called after the planes' hooks, for
    /// CRTCs that the commit leaves on: before [`enable`](Self::enable), unless
    /// [`PLANES_LAST`](Driver::PLANES_LAST) says otherwise.
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
