// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! What the compiler knows about a device: the contexts of [`Device`](crate::Device).
//!
//! | context | what holds while one has a `&Device<T, C>` | how one gets it |
//! |---|---|---|
//! | [`Uninit`] | the device is allocated and `T::Data` is initialised | [`UnregisteredDevice::new`](crate::UnregisteredDevice::new), every counted reference |
//! | [`Init`] | moreover, all static mode-setting objects exist and are frozen | [`UnregisteredDevice::init_kms`](crate::UnregisteredDevice::init_kms) |
//! | [`Registered`] | moreover, registration with userspace has begun at some point | file and ioctl callbacks |
//!
//! A device in a stronger context dereferences to the weaker ones (`Registered` to `Init` to
//! `Uninit`), never back. There is no context "not registered": a device with long-lived references
//! cannot prove that; only owning the [`UnregisteredDevice`](crate::UnregisteredDevice) can. That a
//! device is registered *now* is not a context either but a scope:
//! [`Device::enter`](crate::Device::enter).
//!
//! A context is a type without values; it costs nothing at run time.

/// What holds for a device while a reference to it lives; see the [module](self).
///
/// Sealed: the contexts are those of this module.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a context of a DRM device",
    label = "the contexts are `drm::Uninit`, `drm::Init` and `drm::Registered`"
)]
pub trait DeviceContext: private::Sealed + Send + Sync + 'static {}

/// The device is allocated and its `Data` initialised; nothing more is known.
///
/// It may well be registered by now: this is the context of every counted reference.
pub enum Uninit {}

/// All static mode-setting objects of the device exist and do not change any more.
///
/// Mode sets may run, whether the device is registered or not.
pub enum Init {}

/// Registration of the device with userspace has begun at some point.
///
/// It may have been unplugged since; [`Device::enter`](crate::Device::enter) finds out.
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
