// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Buses: where devices come from and go to.
//!
//! Each bus has an adapter that owns what must not be forgotten: the registration of the DRM device
//! and the interrupts. It implements [`kernel::driver::RegistrationOps`] with private callbacks, so that no
//! safe code can call a probe and keep its result (L4), and has the power-management hooks that the
//! kernel crate's own bus drivers lack.
//!
//! Source: Documentation/driver-api/driver-model/binding.rst.

pub mod auxiliary;
pub mod faux;
pub mod pci;
pub mod platform;

mod dma_mask;
mod id_table;
mod irq;
mod owned;
mod power;

pub use id_table::IdTable;

use crate::{
    registration::Registration,
    Driver,
    Ready, //
};
use core::{
    cell::{
        Cell,
        UnsafeCell, //
    },
    marker::PhantomData,
    ops::Deref, //
};
use kernel::{
    device::{
        self,
        Bound,
        CoreInternal, //
    },
    prelude::*,
    types::NotThreadSafe, //
};
pub(crate) use owned::Owned;

/// A bus whose devices can be the parent of a DRM device. Sealed: [`platform`], [`pci`],
/// [`auxiliary`], [`faux`].
pub trait Bus: private::Sealed + Sized + 'static {
    /// The bus's device type, in a context of the driver core.
    type Device<Ctx: device::DeviceContext>: device::AsBusDevice<Ctx>;

    /// A device in a bus callback is bound.
    fn as_bound<'a>(dev: &'a Self::Device<CoreInternal<'_>>) -> &'a Self::Device<Bound>;
}

mod private {
    pub trait Sealed {}
}
use private::Sealed;

/// The probe of one device on bus `B`: what a driver may do only while it probes.
///
/// `'bound` names this probe: the time from now until the device is unbound. It is invariant, so that
/// what belongs to one probe cannot be returned from another. Dereferences to the bus device, bound.
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
    owned: Owned<'bound>,
    /// Whether other code may use the device beside the probe by now: interrupt handlers, or the driver
    /// of a child.
    concurrent: Cell<bool>,
    _name: PhantomData<fn(&'bound ()) -> &'bound ()>,
    _not_thread_safe: NotThreadSafe,
}

impl<'bound, B: Bus> Probe<'bound, B> {
    /// The bus device that is probed, bound for all of `'bound` (which what one reaches through `Deref` is not).
    pub fn device(&self) -> &'bound B::Device<Bound> {
        self.device
    }

    /// The generic device of [`device`](Self::device).
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
    /// For `dev_info!` and its like.
    fn as_ref(&self) -> &device::Device {
        self.parent()
    }
}

/// What an adapter keeps in a bound device's driver data: the registration, until the remove step.
///
/// # Invariants
///
/// `registration` is touched by the adapter's callbacks only, which the driver core calls one at a
/// time for a device (under its lock).
#[doc(hidden)]
pub struct Binding<'bound, T: Driver> {
    registration: UnsafeCell<Option<Registration<'bound, T>>>,
}

impl<'bound, T: Driver> Binding<'bound, T> {
    /// Runs `probe` for `dev`, registers what it returns and stores the binding in `dev`.
    fn probe<B: Bus>(
        dev: &'bound B::Device<CoreInternal<'_>>,
        probe: impl FnOnce(&Probe<'bound, B>) -> Result<Ready<'bound, T>>,
    ) -> Result {
        let cx = Probe {
            device: B::as_bound(dev),
            owned: Owned::new(),
            concurrent: Cell::new(false),
            _name: PhantomData,
            _not_thread_safe: PhantomData,
        };
        // The closure gets a reference, so that what an unsuccessful probe has asked for (interrupts,
        // children) goes with `cx`, after what the driver has created in it.
        let ready = probe(&cx)?;
        let registration = Registration::new(ready, cx.owned)?;

        dev.as_ref().set_drvdata(Ok::<_, Error>(Binding {
            registration: UnsafeCell::new(Some(registration)),
        }))
    }

    /// The remove step: ends the registration (L5). What is left of the binding, nothing, is dropped
    /// by the driver core glue after it.
    ///
    /// # Safety
    ///
    /// `dev` was probed by [`Binding::probe`] for the same `T`, is still bound, and the driver core calls
    /// one of the adapter's callbacks for it, so that its lock is held.
    unsafe fn remove(dev: &device::Device<CoreInternal<'_>>) {
        // SAFETY: By the requirements, this type was stored in `dev`.
        let binding = unsafe { dev.drvdata_borrow::<Self>() };
        // SAFETY: By the type invariants nobody else has access now.
        drop(unsafe { (*binding.registration.get()).take() });
    }

    /// The shutdown step, before the machine goes off or another kernel starts in it.
    ///
    /// A driver that knows how its hardware is brought to rest ([`Driver::unplugged`]) must do so now:
    /// under a new kernel (kexec) the device would go on writing to memory that is no longer its own. So
    /// the registration ends as on removal. The remove step does not follow, but may, and finds nothing.
    /// Other drivers have nothing to stop, and an unplug would only make the machine wait for their clients.
    ///
    /// # Safety
    ///
    /// As [`Binding::remove`], from the shutdown callback.
    unsafe fn shutdown(dev: &device::Device<CoreInternal<'_>>) {
        if T::HAS_UNPLUGGED {
            // SAFETY: By the requirements.
            unsafe { Self::remove(dev) };
        }
    }

    /// Gives `f` the registration, if there is one; used by the power-management callbacks.
    ///
    /// # Safety
    ///
    /// As [`Binding::remove`], from another callback of the adapter.
    unsafe fn with<R>(
        dev: &device::Device<CoreInternal<'_>>,
        f: impl FnOnce(&Registration<'_, T>) -> R,
    ) -> Option<R> {
        // SAFETY: By the requirements, this type was stored in `dev`.
        let binding = unsafe { dev.drvdata_borrow::<Self>() };
        // SAFETY: By the type invariants nobody else has access now.
        unsafe { (*binding.registration.get()).as_ref() }.map(f)
    }
}
