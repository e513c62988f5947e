// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Creates the static objects of a device.
//!
//! Objects that must be unique are moved: a primary or cursor plane goes into one CRTC. Objects
//! that must exist are arguments: a CRTC's primary plane, an encoder's first CRTC, a connector's
//! first encoder. The rest is checked before C is asked, because C only warns (K1).
//!
//! C headers: `include/drm/drm_mode_config.h`, `include/drm/drm_{plane,crtc,encoder,connector}.h`

use super::{
    commit,
    connector::{
        Connector,
        ConnectorType, //
    },
    crtc::{
        Crtc,
        DriverCrtc, //
    },
    encoder::{
        Encoder,
        EncoderType, //
    },
    framebuffer,
    key::Key,
    plane::Plane,
    vblank::Source,
    Driver, //
};
use crate::{
    raw,
    Device, //
};
use core::{
    marker::PhantomData,
    ptr::{
        null_mut,
        NonNull, //
    }, //
};
use kernel::{
    bindings,
    error::to_result,
    prelude::*,
    types::NotThreadSafe, //
};

/// Fails with `EINVAL` if there are 32 objects of a kind: C keeps a bit for each in a mask (K1).
pub(super) fn has_room(count: c_int) -> Result {
    if count < 32 {
        Ok(())
    } else {
        Err(EINVAL)
    }
}

/// The largest size of a framebuffer, in pixels: C calculates in signed 16.16 fixed point (K1).
const MAX_SIZE: u32 = 32767;

/// Permission to create static mode-setting objects, for the duration of
/// [`UnregisteredDevice::init_kms`](crate::UnregisteredDevice::init_kms). The invariant lifetime
/// `'s` names one call.
///
/// # Invariants
///
/// Mode setting of the device is initialised, and nothing else uses it. All objects that the device
/// has were created by this type.
///
/// # Examples
///
/// ```
/// /// `DRM_FORMAT_XRGB8888` and `DRM_FORMAT_ARGB8888`.
/// const XRGB8888: u32 = u32::from_le_bytes(*b"XR24");
/// const ARGB8888: u32 = u32::from_le_bytes(*b"AR24");
///
/// fn set_up(setup: &Setup<'_, Display>) -> Result {
///     setup.framebuffer_limits((1, 1), (8192, 8192))?;
///     let primary = setup.primary(&[XRGB8888], Ok(Layer))?;
///     let cursor = setup.cursor(&[ARGB8888], (64, 64), Ok(Layer))?;
///     // Both planes are moved.
///     let screen = setup.crtc(primary, Some(cursor), Ok(Screen))?;
///     setup.overlay(&[XRGB8888], screen, &[], Ok(Layer))?;
///     let encoder = setup.encoder(EncoderType::VIRTUAL, screen, &[])?;
///     setup.connector(ConnectorType::VIRTUAL, encoder, &[], Ok(Monitor))?;
///     Ok(())
/// }
/// ```
pub struct Setup<'s, T: Driver> {
    dev: &'s Device<T>,
    _call: PhantomData<fn(&'s ()) -> &'s ()>,
    _not_thread_safe: NotThreadSafe,
}

/// A primary plane that no CRTC has yet.
#[must_use = "move it into a CRTC: set-up fails with a plane that belongs to none"]
pub struct Primary<'s, T: Driver> {
    plane: NonNull<Plane<T::Plane>>,
    _call: PhantomData<fn(&'s ()) -> &'s ()>,
}

/// A cursor plane that no CRTC has yet.
#[must_use = "move it into a CRTC: set-up fails with a plane that belongs to none"]
pub struct Cursor<'s, T: Driver> {
    plane: NonNull<Plane<T::Plane>>,
    _call: PhantomData<fn(&'s ()) -> &'s ()>,
}

impl<'s, T: Driver> Setup<'s, T> {
    /// Runs `setup` for a device whose mode setting was just initialised, checks the result and
    /// creates the objects' first states.
    pub(super) fn run(
        dev: &Device<T>,
        setup: impl for<'a> FnOnce(&Setup<'a, T>) -> Result<T::Objects>,
    ) -> Result<T::Objects> {
        let this = Setup {
            dev,
            _call: PhantomData,
            _not_thread_safe: PhantomData,
        };
        let funcs: &'static raw::drm_mode_config_funcs = &commit::Funcs::<T>::CONFIG;
        // SAFETY: The device is valid, and only this thread uses its configuration. The table's type
        // is the kernel crate's with the types that it only declares (L20).
        unsafe {
            let config = this.config();
            (*config).funcs = core::ptr::from_ref(funcs).cast();
            ((*config).min_width, (*config).min_height) = (1, 1);
            ((*config).max_width, (*config).max_height) = (4096, 4096);
        }
        let objects = setup(&this)?;

        // SAFETY: The device is valid, and its objects are complete. The counts of frames come
        // before the states: creating those resets them (K5).
        unsafe {
            let crtcs = (*this.config()).num_crtc;
            // Set-up may have dropped a plane, or gone on after an error (K1).
            if !raw::drm_rust_setup_is_complete(dev.as_raw()) {
                return Err(EINVAL);
            }
            if <T::Crtc as DriverCrtc>::Vblank::OPS.counts {
                to_result(raw::drm_vblank_init(dev.as_raw(), crtcs as c_uint))?;
            }
            to_result(raw::drm_mode_config_create_initial_state(dev.as_raw()))?;
        }
        Ok(objects)
    }

    fn config(&self) -> *mut bindings::drm_mode_config {
        // SAFETY: The device is valid; only an address is computed (K1).
        unsafe { &raw mut (*self.dev.as_raw()).mode_config }
    }

    /// Returns the device.
    pub fn device(&self) -> &Device<T> {
        self.dev
    }

    /// Sets the smallest and the largest framebuffer size, in pixels, as `(width, height)`. They are
    /// `(1, 1)` and `(4096, 4096)` otherwise.
    ///
    /// # Errors
    ///
    /// Fails with `EINVAL` if a minimum exceeds its maximum, or if a maximum exceeds 32,767.
    pub fn framebuffer_limits(&self, min: (u32, u32), max: (u32, u32)) -> Result {
        if min.0 > max.0 || min.1 > max.1 || max.0.max(max.1) > MAX_SIZE {
            return Err(EINVAL);
        }
        // SAFETY: The device is valid and unregistered. Before registration only `init_kms` and its
        // setup use the limits, and both run in this thread (type invariants, L1).
        unsafe {
            let config = self.config();
            ((*config).min_width, (*config).min_height) = min;
            ((*config).max_width, (*config).max_height) = max;
        }
        Ok(())
    }

    /// Creates a primary plane that shows `formats` (fourcc codes of
    /// `include/uapi/drm/drm_fourcc.h`), the preferred one first.
    ///
    /// # Errors
    ///
    /// Fails with `EINVAL` for no or more than 64 formats, or a 33rd plane, with `ENOMEM`, and with
    /// any error from `data`.
    pub fn primary(
        &self,
        formats: &[u32],
        data: impl PinInit<T::Plane, Error>,
    ) -> Result<Primary<'s, T>> {
        Ok(Primary {
            plane: self.plane(raw::drm_plane_type_DRM_PLANE_TYPE_PRIMARY, 0, formats, data)?,
            _call: PhantomData,
        })
    }

    /// Creates a cursor plane. `size` is the size that clients should use, in pixels.
    ///
    /// # Errors
    ///
    /// As [`primary`](Self::primary).
    pub fn cursor(
        &self,
        formats: &[u32],
        size: (u32, u32),
        data: impl PinInit<T::Plane, Error>,
    ) -> Result<Cursor<'s, T>> {
        let plane = self.plane(raw::drm_plane_type_DRM_PLANE_TYPE_CURSOR, 0, formats, data)?;
        // SAFETY: As in `framebuffer_limits` (K1).
        unsafe {
            let config = self.config();
            ((*config).cursor_width, (*config).cursor_height) = size;
        }
        Ok(Cursor {
            plane,
            _call: PhantomData,
        })
    }

    /// Creates an overlay plane that the CRTC `first` and those in `others` can use, above their
    /// primary planes.
    ///
    /// # Errors
    ///
    /// As [`primary`](Self::primary), and `EINVAL` for a CRTC of another device.
    pub fn overlay(
        &self,
        formats: &[u32],
        first: Key<Crtc<T::Crtc>>,
        others: &[Key<Crtc<T::Crtc>>],
        data: impl PinInit<T::Plane, Error>,
    ) -> Result<Key<Plane<T::Plane>>> {
        let crtcs = self.mask(first, others)?;
        let kind = raw::drm_plane_type_DRM_PLANE_TYPE_OVERLAY;
        let plane = self.plane(kind, crtcs, formats, data)?;
        // SAFETY: The plane is one of this device, which C frees with the device's memory (K4).
        Ok(unsafe { Key::new(plane, self.dev) })
    }

    fn plane(
        &self,
        kind: raw::drm_plane_type,
        crtcs: u32,
        formats: &[u32],
        data: impl PinInit<T::Plane, Error>,
    ) -> Result<NonNull<Plane<T::Plane>>> {
        // SAFETY: The device is being set up (type invariants) (K1).
        unsafe { Plane::create(self.dev.as_raw(), kind, crtcs, formats, data) }
    }

    /// Creates a CRTC with its primary plane and perhaps its cursor plane.
    ///
    /// # Errors
    ///
    /// Fails with `EINVAL` for a 33rd CRTC, with `ENOMEM`, and with any error from `data`.
    pub fn crtc(
        &self,
        primary: Primary<'s, T>,
        cursor: Option<Cursor<'s, T>>,
        data: impl PinInit<T::Crtc, Error>,
    ) -> Result<Key<Crtc<T::Crtc>>> {
        let cursor = cursor.map_or(null_mut(), |cursor| cursor.plane.as_ptr().cast());
        let dev = self.dev.as_raw();
        // SAFETY: The device is being set up. `'s` says that the planes are its, and moving them
        // says that no other CRTC has them (K1).
        let crtc = unsafe { Crtc::create(dev, primary.plane.as_ptr().cast(), cursor, data)? };
        // SAFETY: The CRTC is one of this device, which C frees with the device's memory (K4).
        Ok(unsafe { Key::new(crtc, self.dev) })
    }

    /// Creates an encoder that the CRTC `first` and those in `others` can use.
    ///
    /// # Errors
    ///
    /// Fails with `EINVAL` for a CRTC of another device or a 33rd encoder, and with `ENOMEM`.
    pub fn encoder(
        &self,
        kind: EncoderType,
        first: Key<Crtc<T::Crtc>>,
        others: &[Key<Crtc<T::Crtc>>],
    ) -> Result<Key<Encoder<T>>> {
        let crtcs = self.mask(first, others)?;
        let dev = self.dev.as_raw();
        // SAFETY: The device is being set up, and the mask names its CRTCs (K1).
        let encoder = unsafe { Encoder::create(dev, kind, crtcs)? };
        // SAFETY: The encoder is one of this device, which C frees with the device's memory (K4).
        Ok(unsafe { Key::new(encoder, self.dev) })
    }

    /// Returns the mask of CRTCs of this device, which is not zero.
    fn mask(&self, first: Key<Crtc<T::Crtc>>, others: &[Key<Crtc<T::Crtc>>]) -> Result<u32> {
        let mut crtcs = 0;
        for key in Iterator::chain(core::iter::once(&first), others) {
            let crtc = key.of(self.dev)?;
            // SAFETY: The CRTC is one of this device, so its index is below 32 (K3).
            crtcs |= 1 << unsafe { (*crtc.cast::<raw::drm_crtc>().as_ptr()).index };
        }
        Ok(crtcs)
    }

    /// Creates a connector that the encoder `first` and those in `others` can drive.
    ///
    /// # Errors
    ///
    /// Fails with `EINVAL` for an encoder of another device or a 33rd connector, with `ENOMEM`, and
    /// with any error from `data`.
    pub fn connector(
        &self,
        kind: ConnectorType,
        first: Key<Encoder<T>>,
        others: &[Key<Encoder<T>>],
        data: impl PinInit<T::Connector, Error>,
    ) -> Result<Key<Connector<T::Connector>>> {
        let dev = self.dev.as_raw();
        let encoders = || Iterator::chain(core::iter::once(&first), others);
        // A connector without an encoder would be left otherwise.
        encoders().try_for_each(|encoder| encoder.of(self.dev).map(drop))?;
        // SAFETY: The device is being set up (K1).
        let connector = unsafe { Connector::create(dev, kind, data)? };
        for encoder in encoders() {
            let encoder = encoder.of(self.dev)?;
            // SAFETY: Both are objects of this device (K3).
            to_result(unsafe {
                raw::drm_connector_attach_encoder(
                    connector.as_ptr().cast(),
                    encoder.as_ptr().cast(),
                )
            })?;
        }
        // SAFETY: The connector is one of this device, which C frees with the device's memory (K4).
        Ok(unsafe { Key::new(connector, self.dev) })
    }
}

/// The device-wide callbacks that create framebuffers and carry out commits.
impl<T: Driver> commit::Funcs<T> {
    const CONFIG: raw::drm_mode_config_funcs = raw::drm_mode_config_funcs {
        fb_create: Some(framebuffer::create::<T>),
        atomic_check: Some(commit::check::<T>),
        atomic_commit: Some(commit::commit::<T>),
        atomic_state_alloc: Some(commit::alloc),
        atomic_state_clear: Some(raw::drm_atomic_commit_default_clear),
        atomic_state_free: Some(commit::free),
        ..pin_init::zeroed()
    };
}
