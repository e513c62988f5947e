// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Buses: the drivers' traits and the adapters that probe and remove devices.
//!
//! Each bus has an adapter that owns everything that must not be forgotten: the registration of the
//! DRM device, the children, and the interrupts. The adapter implements
//! [`kernel::driver::RegistrationOps`] with private callbacks, so no safe code can call a probe and
//! keep its result (L4). It also has the power-management hooks that the kernel crate's own bus
//! drivers lack.
//!
//! The driver trait of a bus has two forms. `Driver` is for a [DRM driver](crate::Driver).
//! `Driver<Parent>` is for a driver that makes no DRM device but is the [`parent`] of one.
//!
//! Source: Documentation/driver-api/driver-model/binding.rst.

#[macro_use]
mod adapter;

pub mod auxiliary;
pub mod faux;
pub mod parent;
pub mod pci;
pub mod platform;

mod binding;
mod dma_mask;
mod id_table;
mod irq;
mod lend;
mod power;
mod role;

pub use id_table::IdTable;
pub use lend::{
    Lend,
    Plain, //
};
pub use role::{
    Drm,
    Parent, //
};

use crate::{
    module::{
        ModuleRuntime,
        Runtime, //
    },
    owned::Owned, //
};
use binding::Binding;
use core::{
    cell::Cell,
    marker::PhantomData,
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    device::{
        self,
        Bound,
        CoreInternal, //
    },
    module::this_module,
    prelude::*,
    types::NotThreadSafe, //
};
use role::{
    bus_name,
    is_name,
    Role, //
};

/// A bus whose devices can be the parent of a DRM device. Sealed: [`platform`], [`pci`],
/// [`auxiliary`], [`faux`].
pub trait Bus: private::Sealed + Sized + 'static {
    /// The bus's device type, in a context of the driver core.
    type Device<Ctx: device::DeviceContext>: device::AsBusDevice<Ctx>;

    /// Returns the device as bound, which a device in a bus callback always is.
    fn as_bound<'a>(dev: &'a Self::Device<CoreInternal<'_>>) -> &'a Self::Device<Bound>;

    /// Returns the device that does the DMA for one that does none itself. It is bound for at least
    /// as long.
    fn dma_device(dev: &Self::Device<Bound>) -> Option<&device::Device<Bound>> {
        let _ = dev;
        None
    }
}

mod private {
    pub trait Sealed {}
}
use private::Sealed;

/// The probe of one device on bus `B`. It offers what a driver may do only while it probes.
///
/// `'bound` names this probe: the time from now until the device is unbound. It is invariant, so an
/// object that belongs to one probe cannot be returned from another. A `Probe` dereferences to the
/// bus device, which is bound.
///
/// # Examples
///
/// ```
/// fn probe<'bound>(cx: &platform::Probe<'bound>) -> Result<Ready<'bound, Mini>> {
///     dev_info!(cx, "here I am\n"); // what the bus offers is there, too
///     let parent: &'bound Parent = cx.parent();
///     UnregisteredDevice::<Mini>::new(cx, Ok(()))?.ready(Hardware::new(cx))
/// }
/// ```
pub struct Probe<'bound, B: Bus> {
    device: &'bound B::Device<Bound>,
    pub(crate) owned: Owned<'bound>,
    /// Whether code other than the probe may already use the device: interrupt handlers, or the
    /// driver of a child.
    concurrent: Cell<bool>,
    /// The driver's module.
    module: &'static ThisModule,
    runtime: &'static Runtime,
    _name: PhantomData<fn(&'bound ()) -> &'bound ()>,
    _not_thread_safe: NotThreadSafe,
}

impl<'bound, B: Bus> Probe<'bound, B> {
    /// Creates the probe of `device` by a driver of the module `M`.
    fn new<M: ModuleRuntime>(device: &'bound B::Device<Bound>) -> Self {
        Self {
            device,
            owned: Owned::new(),
            concurrent: Cell::new(false),
            module: this_module::<M>(),
            runtime: M::runtime(),
            _name: PhantomData,
            _not_thread_safe: PhantomData,
        }
    }

    /// Keeps the module `other` loaded until the driver's own module is unloaded. The driver's
    /// module keeps itself loaded for as long as it needs.
    ///
    /// # Errors
    ///
    /// Fails with `ENOMEM`, and with `ENODEV` if `other` is being unloaded. Context: process
    /// context, may sleep.
    ///
    /// # Safety
    ///
    /// `other` exists during the call (L15).
    unsafe fn keep_module(&self, other: &'static ThisModule) -> Result {
        match NonNull::new(other.as_ptr()) {
            // SAFETY: By the requirement (L15).
            Some(lender) if other.as_ptr() != self.module.as_ptr() => unsafe {
                self.runtime.keep_lender(lender)
            },
            _ => Ok(()),
        }
    }

    /// Returns the bus device that is probed. It is bound for all of `'bound`, unlike the device
    /// reached through `Deref`.
    pub fn device(&self) -> &'bound B::Device<Bound> {
        self.device
    }

    /// Returns the generic device of [`device`](Self::device).
    pub fn parent(&self) -> &'bound device::Device<Bound> {
        self.device.as_ref()
    }
}

impl<B: Bus> Deref for Probe<'_, B> {
    type Target = B::Device<Bound>;

    fn deref(&self) -> &Self::Target {
        self.device
    }
}

impl<B: Bus> AsRef<device::Device> for Probe<'_, B> {
    /// Lets `dev_info!` and similar macros take the probe.
    fn as_ref(&self) -> &device::Device {
        self.parent()
    }
}
