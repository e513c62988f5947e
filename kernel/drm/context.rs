// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Contexts of [`Device`](crate::Device), which tell the compiler what is known about a device.
//!
//! | context | what holds while a `&Device<T, C>` exists | how to get it |
//! |---|---|---|
//! | [`Uninit`] | the device is allocated and `T::Data` is initialised | [`UnregisteredDevice::new`](crate::UnregisteredDevice::new), every counted reference |
//! | [`Init`] | also, all static mode-setting objects exist and are frozen | [`UnregisteredDevice::init_kms`](crate::UnregisteredDevice::init_kms) |
//! | [`Registered`] | also, registration with userspace has begun at some point | file and ioctl callbacks |
//!
//! A device in a stronger context dereferences to the weaker ones (`Registered` to `Init` to
//! `Uninit`), never back. There is no context "not registered", because a device with long-lived
//! references cannot prove it. Only owning the [`UnregisteredDevice`](crate::UnregisteredDevice)
//! proves it. "Registered *now*" is not a context either but a scope:
//! [`Device::enter`](crate::Device::enter).
//!
//! A context is a type without values, so it costs nothing at run time.

/// A promise about a device that holds while a reference to it lives; see the [module](self).
///
/// The trait is sealed: this module defines all contexts.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a context of a DRM device",
    label = "the contexts are `drm::Uninit`, `drm::Init` and `drm::Registered`"
)]
pub trait DeviceContext: private::Sealed + Send + Sync + 'static {}

/// The device is allocated and its `Data` is initialised. Nothing more is known.
///
/// The device may already be registered: every counted reference has this context.
pub enum Uninit {}

/// All static mode-setting objects of the device exist and no longer change.
///
/// Mode sets may run, whether the device is registered or not.
pub enum Init {}

/// Registration of the device with userspace has begun at some point.
///
/// The device may have been unplugged since. [`Device::enter`](crate::Device::enter) checks that.
pub enum Registered {}

impl DeviceContext for Uninit {}
impl DeviceContext for Init {}
impl DeviceContext for Registered {}

mod private {
    pub trait Sealed {}

    impl Sealed for super::Uninit {}
    impl Sealed for super::Init {}
    impl Sealed for super::Registered {}
}
