// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! What an adapter keeps of a bound device, from its probe to the remove step.
//!
//! Source: Documentation/driver-api/driver-model/{binding,driver}.rst.

use super::{
    Bus,
    Probe,
    Role, //
};
use core::cell::UnsafeCell;
use kernel::{
    device::{
        self,
        CoreInternal, //
    },
    prelude::*, //
};

/// What an adapter keeps in a bound device's driver data: what the driver has made of it, until the remove step.
///
/// # Invariants
///
/// `live` is touched by the adapter's callbacks only, which the driver core calls one at a
/// time for a device (under its lock), each in a thread of its own choice: what is live is `Send`.
pub struct Binding<'bound, T: Role<R>, R: 'static> {
    live: UnsafeCell<Option<T::Live<'bound>>>,
}

impl<'bound, T: Role<R>, R: 'static> Binding<'bound, T, R> {
    /// Runs `probe` for `dev`, makes what it returns live (registers a DRM device) and stores the binding in `dev`.
    pub(super) fn probe<B: Bus>(
        dev: &'bound B::Device<CoreInternal<'_>>,
        probe: impl FnOnce(&Probe<'bound, B>) -> Result<T::Ready<'bound>>,
    ) -> Result {
        let cx = Probe::new::<T::OwnerModule>(B::as_bound(dev));
        // The closure gets a reference, so that what an unsuccessful probe has asked for (interrupts,
        // children) goes with `cx`, after what the driver has created in it.
        let ready = probe(&cx)?;
        let live = T::go_live(ready, cx.owned)?;

        dev.as_ref().set_drvdata(Ok::<_, Error>(Binding::<T, R> {
            live: UnsafeCell::new(Some(live)),
        }))
    }

    /// The remove step: ends what is live (L5). What is left of the binding, nothing, is dropped
    /// by the driver core glue after it.
    ///
    /// # Safety
    ///
    /// `dev` was probed by [`Binding::probe`] for the same `T` and `R`, is still bound, and the driver core calls
    /// one of the adapter's callbacks for it, so that its lock is held (L20).
    pub(super) unsafe fn remove(dev: &device::Device<CoreInternal<'_>>) {
        // SAFETY: By the requirements, this type was stored in `dev` (L20).
        let binding = unsafe { dev.drvdata_borrow::<Self>() };
        // SAFETY: By the type invariants nobody else has access now (L20).
        drop(unsafe { (*binding.live.get()).take() });
    }

    /// The shutdown step, before the machine goes off or another kernel starts in it.
    ///
    /// A driver that knows how its hardware is brought to rest ([`Driver::unplugged`](crate::Driver::unplugged)) must do
    /// so now: under a new kernel (kexec) the device would go on writing to memory that is no longer its own. So
    /// the binding ends as on removal. The remove step does not follow, but may, and finds nothing.
    /// Other drivers have nothing to stop, and an unplug would only make the machine wait for their clients.
    ///
    /// # Safety
    ///
    /// As [`Binding::remove`], from the shutdown callback (L20).
    pub(super) unsafe fn shutdown(dev: &device::Device<CoreInternal<'_>>) {
        if T::RESTS_AT_SHUTDOWN {
            // SAFETY: By the requirements (L20).
            unsafe { Self::remove(dev) };
        }
    }

    /// Gives `f` what is live, if there is something; used by the power-management callbacks.
    ///
    /// # Safety
    ///
    /// As [`Binding::remove`], from another callback of the adapter (L20).
    pub(super) unsafe fn with<A>(
        dev: &device::Device<CoreInternal<'_>>,
        f: impl FnOnce(&T::Live<'_>) -> A,
    ) -> Option<A> {
        // SAFETY: By the requirements, this type was stored in `dev` (L20).
        let binding = unsafe { dev.drvdata_borrow::<Self>() };
        // SAFETY: By the type invariants nobody else has access now (L20).
        unsafe { (*binding.live.get()).as_ref() }.map(f)
    }
}
