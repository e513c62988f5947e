// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The adapter's data of a bound device, from its probe to the remove step.
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

/// The adapter's driver data of a bound device. It holds what the driver made of the device, until
/// the remove step.
///
/// # Invariants
///
/// Only the adapter's callbacks access `live`. The driver core calls them one at a time for a
/// device, under the device's lock, each in any thread. So the contents of `live` are `Send`.
pub struct Binding<'bound, T: Role<R>, R: 'static> {
    live: UnsafeCell<Option<T::Live<'bound>>>,
}

impl<'bound, T: Role<R>, R: 'static> Binding<'bound, T, R> {
    /// Runs `probe` for `dev`, makes its result live (registers a DRM device) and stores the
    /// binding in `dev`.
    pub(super) fn probe<B: Bus>(
        dev: &'bound B::Device<CoreInternal<'_>>,
        probe: impl FnOnce(&Probe<'bound, B>) -> Result<T::Ready<'bound>>,
    ) -> Result {
        let cx = Probe::new::<T::OwnerModule>(B::as_bound(dev));
        // The closure gets a reference. So everything that a failed probe requested (interrupts,
        // children) is released with `cx`, after what the driver created in it.
        let ready = probe(&cx)?;
        let live = T::into_live(ready, cx.owned)?;

        dev.as_ref().set_drvdata(Ok::<_, Error>(Binding::<T, R> {
            live: UnsafeCell::new(Some(live)),
        }))
    }

    /// Runs the remove step: ends what is live (L5). The driver core glue then drops the binding,
    /// which is empty.
    ///
    /// # Safety
    ///
    /// `dev` was probed by [`Binding::probe`] for the same `T` and `R` and is still bound. The
    /// driver core calls one of the adapter's callbacks for it, so its lock is held (L20).
    pub(super) unsafe fn remove(dev: &device::Device<CoreInternal<'_>>) {
        // SAFETY: By the requirements, `dev` holds this type (L20).
        let binding = unsafe { dev.drvdata_borrow::<Self>() };
        // SAFETY: By the type invariants no other code has access now (L20).
        drop(unsafe { (*binding.live.get()).take() });
    }

    /// Runs the shutdown step, before the machine powers off or another kernel starts in it.
    ///
    /// A driver that can bring its hardware to rest
    /// ([`Driver::unplugged`](crate::Driver::unplugged)) must do so now. Otherwise, under a new
    /// kernel (kexec), the device would keep writing to memory that it no longer owns. So the
    /// binding ends as on removal. The remove step usually does not follow; if it does, it finds
    /// nothing. Other drivers have nothing to stop, and unplugging their devices would only make
    /// the machine wait for their clients.
    ///
    /// # Safety
    ///
    /// As [`Binding::remove`], from the shutdown callback (L20).
    pub(super) unsafe fn shutdown(dev: &device::Device<CoreInternal<'_>>) {
        if T::HAS_SHUTDOWN {
            // SAFETY: By the requirements (L20).
            unsafe { Self::remove(dev) };
        }
    }

    /// Calls `f` with what is live, if anything is. The power-management callbacks use this.
    ///
    /// # Safety
    ///
    /// As [`Binding::remove`], from another callback of the adapter (L20).
    pub(super) unsafe fn with<A>(
        dev: &device::Device<CoreInternal<'_>>,
        f: impl FnOnce(&T::Live<'_>) -> A,
    ) -> Option<A> {
        // SAFETY: By the requirements, `dev` holds this type (L20).
        let binding = unsafe { dev.drvdata_borrow::<Self>() };
        // SAFETY: By the type invariants no other code has access now (L20).
        unsafe { (*binding.live.get()).as_ref() }.map(f)
    }
}
