// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The gate of mode setting: static objects are created between allocation and [`Init`], and only
//! there.
//!
//! A driver declares mode setting with `type Kms = Kms`. Its device must then pass through
//! [`UnregisteredDevice::init_kms`] exactly once before it can be made ready. Static mode-setting
//! objects (planes, CRTCs, encoders, connectors) can be created only inside it, with a [`Setup`]
//! (L1). The code that creates them builds on this gate.
//!
//! C header: `include/drm/drm_mode_config.h`; kernel document: Documentation/gpu/drm-kms.rst.

use crate::{
    Device,
    DeviceContext,
    Driver,
    Init,
    Uninit,
    UnregisteredDevice, //
};
use core::marker::PhantomData;
use kernel::{
    bindings,
    error::to_result,
    prelude::*,
    types::NotThreadSafe, //
};

/// Says whether a driver has mode setting. Sealed: [`NoKms`] or [`Kms`].
pub trait Kind: private::Sealed {
    /// The feature flags that follow from the kind.
    #[doc(hidden)]
    const FEATURES: u32;
}

/// A driver without mode setting.
pub enum NoKms {}

/// A driver with mode setting.
pub enum Kms {}

mod private {
    pub trait Sealed {}
    impl Sealed for super::NoKms {}
    impl Sealed for super::Kms {}
}

impl Kind for NoKms {
    const FEATURES: u32 = 0;
}

impl Kind for Kms {
    const FEATURES: u32 = bindings::drm_driver_feature_DRIVER_MODESET;
}

/// The context in which the device of a driver of this kind can be made ready: [`Uninit`] for
/// [`NoKms`], [`Init`] for [`Kms`].
#[diagnostic::on_unimplemented(
    message = "a device in the context `{C}` cannot be made ready by a driver whose `Kms` is `{Self}`",
    label = "not in the context that `{Self}` asks for",
    note = "a driver with `type Kms = Kms` calls `.init_kms(…)` first; one with `NoKms` has nothing to call"
)]
pub trait ReadyIn<C: DeviceContext>: Kind {}

impl ReadyIn<Uninit> for NoKms {}
impl ReadyIn<Init> for Kms {}

/// Permission to create static mode-setting objects, for the duration of
/// [`UnregisteredDevice::init_kms`].
pub struct Setup<'s, T: Driver> {
    dev: &'s Device<T>,
    _not_thread_safe: NotThreadSafe,
}

impl<T: Driver<Kms = Kms>> Setup<'_, T> {
    /// Returns the device.
    pub fn device(&self) -> &Device<T> {
        self.dev
    }

    /// Sets the smallest and the largest framebuffer size, in pixels, as `(width, height)`.
    ///
    /// # Errors
    ///
    /// Fails with `EINVAL` if a minimum exceeds its maximum, or if a maximum does not fit a C
    /// `int`.
    pub fn framebuffer_limits(&self, min: (u32, u32), max: (u32, u32)) -> Result {
        if min.0 > max.0 || min.1 > max.1 || max.0.max(max.1) > i32::MAX as u32 {
            return Err(EINVAL);
        }
        // SAFETY: The device is valid and unregistered. Other code may hold a reference. Before
        // registration, however, only `init_kms` and its setup read the limits, and both run in
        // this thread (L1, L15).
        unsafe {
            let config = &raw mut (*self.dev.as_raw()).mode_config;
            ((*config).min_width, (*config).min_height) = min;
            ((*config).max_width, (*config).max_height) = max;
        }
        Ok(())
    }
}

/// The device-wide callbacks of mode setting.
const CONFIG_FUNCS: bindings::drm_mode_config_funcs = bindings::drm_mode_config_funcs {
    fb_create: Some(no_framebuffer),
    ..pin_init::zeroed()
};

/// Refuses to create a framebuffer, with `EOPNOTSUPP`. Framebuffers will come with the objects that
/// show them.
///
/// # Safety
///
/// Called only by C, as documented for the table that contains it (L20).
unsafe extern "C" fn no_framebuffer(
    _dev: *mut bindings::drm_device,
    _file: *mut bindings::drm_file,
    _info: *const bindings::drm_format_info,
    _cmd: *const bindings::drm_mode_fb_cmd2,
) -> *mut bindings::drm_framebuffer {
    EOPNOTSUPP.to_ptr()
}

impl<'bound, T: Driver<Kms = Kms>> UnregisteredDevice<'bound, T> {
    /// Initialises mode setting, lets `setup` create the static objects, and freezes them.
    ///
    /// Takes the device and returns it in [`Init`]. So this cannot happen twice, nor after the
    /// device was made ready.
    ///
    /// # Errors
    ///
    /// Fails with `ENOMEM` and with any error from `setup`. The device and everything created are
    /// then dropped.
    ///
    /// Context: process context, may sleep. Source: `drmm_mode_config_init()`.
    ///
    /// # Examples
    ///
    /// ```
    /// # driver!(Show, (), ShowClient, ShowBuffer, kms::Kms, ioctl::Table::empty());
    /// fn probe<'bound>(cx: &platform::Probe<'bound>) -> Result<Ready<'bound, Show>> {
    ///     UnregisteredDevice::<Show>::new(cx, Ok(()))?
    ///         .init_kms(|setup| setup.framebuffer_limits((1, 1), (4096, 4096)))?
    ///         .ready(Ok(()))
    /// }
    /// ```
    pub fn init_kms(
        self,
        setup: impl FnOnce(&Setup<'_, T>) -> Result,
    ) -> Result<UnregisteredDevice<'bound, T, Init>> {
        // SAFETY: The device is valid and unregistered, and no other code uses its mode setting
        // yet: nothing of it can be reached before it is initialised here. That happens once,
        // because `self` is consumed. C cleans it up when the device is released, before the
        // driver's data is dropped (L1).
        to_result(unsafe { bindings::drmm_mode_config_init(self.as_raw()) })?;
        // SAFETY: As above; the table is a constant (L1, L20).
        unsafe { (*self.as_raw()).mode_config.funcs = &CONFIG_FUNCS };

        setup(&Setup {
            dev: &*self,
            _not_thread_safe: PhantomData,
        })?;

        // SAFETY: Mode setting is initialised and all static objects exist (L1).
        unsafe { crate::raw::drm_mode_config_reset(self.as_raw()) };

        // INVARIANT: It is the same device. `setup` has returned, so no static object can be
        // created any more.
        Ok(UnregisteredDevice::from_new(self.into_device()))
    }
}
