// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Interrupts that the bus adapter owns.
//!
//! The kernel crate's `irq::Registration` is `unsafe` to create, because a forgotten one leaves a
//! handler behind whose data goes. Here the adapter owns the registration from the start: the driver
//! requests an interrupt in its probe and never holds what it could forget (L18). The adapter frees it after
//! unplug (L5), or when the probe fails.
//!
//! Source: `include/linux/interrupt.h`, Documentation/core-api/genericirq.rst.

use super::{
    Bus,
    Probe, //
};
use core::cell::RefCell;
use kernel::{
    irq::{
        Flags,
        Handler,
        IrqRequest,
        Registration,
        ThreadedHandler,
        ThreadedRegistration, //
    },
    prelude::*, //
};

/// An interrupt registration of some handler type; dropping it frees the interrupt.
trait Requested {}
impl<T: Handler> Requested for Registration<'_, T> {}
impl<T: ThreadedHandler> Requested for ThreadedRegistration<'_, T> {}

/// The interrupts of one bound device.
pub(crate) struct Interrupts<'bound>(RefCell<KVec<KBox<dyn Requested + 'bound>>>);

impl<'bound> Interrupts<'bound> {
    pub(crate) fn new() -> Self {
        Self(RefCell::new(KVec::new()))
    }

    /// Frees the interrupts, in reverse order; waits for handlers that are running.
    pub(crate) fn free(&self) {
        while let Some(irq) = self.0.borrow_mut().pop() {
            drop(irq);
        }
    }

    fn add<R: Requested + 'bound>(&self, init: impl PinInit<R, Error>) -> Result {
        // The list is not borrowed while `init` runs: it is the driver's code and may add another.
        let irq = KBox::pin_init(init, GFP_KERNEL)?;
        // SAFETY: The box is only dropped from here on, its content never moves.
        let irq = unsafe { Pin::into_inner_unchecked(irq) };
        Ok(self.0.borrow_mut().push(irq, GFP_KERNEL)?)
    }
}

impl Drop for Interrupts<'_> {
    fn drop(&mut self) {
        self.free();
    }
}

impl<'bound, B: Bus> Probe<'bound, B> {
    /// Requests the interrupt `request` for `handler`, which runs in interrupt context from now on.
    ///
    /// `request` comes from the bus device (`irq_by_index` of the platform bus, say). What the handler shares with the
    /// driver, it shares by counted reference. The interrupt is freed after the device was unplugged,
    /// after [`Driver::unplugged`](crate::Driver::unplugged) has run; or when the probe fails.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, what `handler` fails with, and those of `request_irq()`: `EBUSY`, `EINVAL`.
    ///
    /// Context: process context, may sleep.
    pub fn request_irq<H: Handler + Send + 'bound>(
        &self,
        request: IrqRequest<'bound>,
        flags: Flags,
        name: &'static CStr,
        handler: impl PinInit<H, Error> + 'bound,
    ) -> Result {
        self.concurrent.set(true);
        // SAFETY: The list owns the registration and drops it while the device is bound: in the
        // remove step or when the probe fails. It cannot be forgotten, the driver never gets it.
        self.interrupts
            .add(unsafe { Registration::new(request, flags, name, handler) })
    }

    /// As [`request_irq`](Self::request_irq), with a handler of which a part runs in a thread and may
    /// sleep.
    pub fn request_threaded_irq<H: ThreadedHandler + Send + 'bound>(
        &self,
        request: IrqRequest<'bound>,
        flags: Flags,
        name: &'static CStr,
        handler: impl PinInit<H, Error> + 'bound,
    ) -> Result {
        self.concurrent.set(true);
        // SAFETY: As in `request_irq`.
        self.interrupts
            .add(unsafe { ThreadedRegistration::new(request, flags, name, handler) })
    }
}
