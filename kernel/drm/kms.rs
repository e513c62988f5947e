// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The gate of mode setting: static objects are created between allocation and [`Init`], and only
//! there.
//!
//! A driver declares mode setting with `type Kms = Kms`. Then its device must pass through
//! [`UnregisteredDevice::init_kms`] before it can be made ready, exactly once, and inside it, with a
//! [`Setup`], is the only place where static mode-setting objects (planes, CRTCs, encoders, connectors)
//! can come into being (L1). What creates them is built on this gate.
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

/// Whether a driver has mode setting. Sealed: [`NoKms`] or [`Kms`].
pub trait Kind: private::Sealed {
    /// The feature flags that follow from it.
    #[doc(hidden)]
    const FEATURES: u32;
}

/// The driver has no mode setting.
pub enum NoKms {}

/// The driver has mode setting.
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

/// In which context the device of a driver of this kind can be made ready: [`NoKms`] in
/// [`Uninit`], [`Kms`] in [`Init`].
#[diagnostic::on_unimplemented(
    message = "a device in the context `{C}` cannot be made ready by a driver whose `Kms` is `{Self}`",
    label = "not in the context that `{Self}` asks for",
    note = "a driver with `type Kms = Kms` calls `.init_kms(…)` first; one with `NoKms` has nothing to call"
)]
pub trait ReadyIn<C: DeviceContext>: Kind {}

impl ReadyIn<Uninit> for NoKms {}
impl ReadyIn<Init> for Kms {}

/// Leave to create static mode-setting objects, for the time of [`UnregisteredDevice::init_kms`].
pub struct Setup<'s, T: Driver> {
    dev: &'s Device<T>,
    _not_thread_safe: NotThreadSafe,
}

impl<T: Driver<Kms = Kms>> Setup<'_, T> {
    /// The device.
    pub fn device(&self) -> &Device<T> {
        self.dev
    }

    /// Sets the smallest and the largest framebuffer, in pixels, as `(width, height)`.
    ///
    /// # Errors
    ///
    /// `EINVAL` if a smallest is larger than the largest, or one does not fit a C `int`.
    pub fn framebuffer_limits(&self, min: (u32, u32), max: (u32, u32)) -> Result {
        if min.0 > max.0 || min.1 > max.1 || max.0.max(max.1) > i32::MAX as u32 {
            return Err(EINVAL);
        }
        // SAFETY: The device is valid and unregistered. Others may have a reference, but before registration nothing but
        // `init_kms` and its setup, which is in this thread, looks at the limits (L1, L15).
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

/// Framebuffers come with the objects that show them; until then userspace gets `EOPNOTSUPP`.
///
/// # Safety
///
/// Called by C only, as the table says in which it stands (L20).
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
    /// Takes the device and gives it back in [`Init`], so it cannot happen twice, nor after the device
    /// was made ready.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, and what `setup` fails with; the device is dropped then, with all that was created.
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
        // SAFETY: The device is valid, unregistered, and not shared yet as far as mode setting goes:
        // nothing of it can be reached before it is initialised here, once, as `self` is consumed. C cleans it up when the
        // device is released, before the driver's data goes (L1).
        to_result(unsafe { bindings::drmm_mode_config_init(self.as_raw()) })?;
        // SAFETY: As above; the table is a constant (L1, L20).
        unsafe { (*self.as_raw()).mode_config.funcs = &CONFIG_FUNCS };

        setup(&Setup {
            dev: &*self,
            _not_thread_safe: PhantomData,
        })?;

        // SAFETY: Mode setting is initialised and all static objects exist (L1).
        unsafe { crate::raw::drm_mode_config_reset(self.as_raw()) };

        // INVARIANT: The same device; `setup` is over, so no static object can be created any more.
        Ok(UnregisteredDevice::from_new(self.into_device()))
    }
}
