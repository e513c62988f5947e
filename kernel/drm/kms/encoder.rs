// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Encoders: the way from CRTCs to connectors. The crate has one class of them, without hooks.
//!
//! C header: `include/drm/drm_encoder.h`

use super::{
    setup::has_room,
    Driver, //
};
use crate::raw;
use core::{
    marker::PhantomData,
    ptr::{
        null,
        NonNull, //
    },
};
use kernel::{
    bindings,
    error::to_result,
    prelude::*,
    types::Opaque, //
};

/// The type of an encoder, as clients see it (`DRM_MODE_ENCODER_*`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EncoderType(u32);

impl EncoderType {
    /// Anything else.
    pub const NONE: Self = Self(raw::DRM_MODE_ENCODER_NONE);
    /// VGA and analog DVI.
    pub const DAC: Self = Self(raw::DRM_MODE_ENCODER_DAC);
    /// DVI, HDMI and DisplayPort.
    pub const TMDS: Self = Self(raw::DRM_MODE_ENCODER_TMDS);
    /// A virtual display.
    pub const VIRTUAL: Self = Self(raw::DRM_MODE_ENCODER_VIRTUAL);
}

/// An encoder of driver `T`.
///
/// # Invariants
///
/// `raw` is initialised and lies in a `KBox` of `Self` that C owns through `destroy` (K4).
#[repr(C)]
pub struct Encoder<T: Driver> {
    raw: Opaque<raw::drm_encoder>,
    _class: PhantomData<fn(T) -> T>,
}

impl<T: Driver> Encoder<T> {
    const FUNCS: raw::drm_encoder_funcs = raw::drm_encoder_funcs {
        destroy: Some(Self::destroy),
        ..pin_init::zeroed()
    };

    /// Creates an encoder that the CRTCs in the mask `crtcs` can use.
    ///
    /// # Safety
    ///
    /// `dev` is a device that is being set up, and `crtcs` is not zero and names its CRTCs (K1).
    pub(super) unsafe fn create(
        dev: *mut bindings::drm_device,
        kind: EncoderType,
        crtcs: u32,
    ) -> Result<NonNull<Self>> {
        let this = KBox::init(
            pin_init::init_zeroed::<Opaque<raw::drm_encoder>>(),
            GFP_KERNEL,
        )?;
        // SAFETY: The device is valid (K1).
        has_room(unsafe { (*dev).mode_config.num_encoder })?;
        // CAST: `Self` has the layout of its only field that has a size.
        let this = KBox::into_raw(this).cast::<Self>();
        // SAFETY: The encoder is zeroed memory of the right layout, and does not move: C owns it
        // from here on, unless there is an error. A null name lets C choose one (K4).
        let result = to_result(unsafe {
            raw::drm_encoder_init(
                dev,
                this.cast(),
                &Self::FUNCS,
                c_int::try_from(kind.0).unwrap_or(0),
                null(),
            )
        });
        if let Err(error) = result {
            // SAFETY: C has linked nothing; the box is the one made above (K4).
            drop(unsafe { KBox::from_raw(this) });
            return Err(error);
        }
        // SAFETY: The encoder is initialised, and nothing uses it yet (K1).
        unsafe { raw::drm_rust_encoder_set_possible_crtcs(this.cast(), crtcs) };
        NonNull::new(this).ok_or(ENOMEM)
    }

    /// # Safety
    ///
    /// Called only by C, as documented for the table that contains it (L20).
    unsafe extern "C" fn destroy(encoder: *mut raw::drm_encoder) {
        // SAFETY: C passes an encoder with this table, once, when the device is released. It is at
        // offset 0 of the box made in `create` (K4).
        unsafe {
            raw::drm_encoder_cleanup(encoder);
            drop(KBox::from_raw(encoder.cast::<Self>()));
        }
    }
}
