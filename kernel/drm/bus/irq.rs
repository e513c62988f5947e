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
    is_name,
    Bus,
    Probe, //
};
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

impl<'bound, B: Bus> Probe<'bound, B> {
    /// Requests the interrupt `request` for `handler`, which runs in interrupt context from now on.
    ///
    /// `request` comes from the bus device (`irq_by_index` of the platform bus) or from
    /// [`pci::Vectors`](crate::pci::Vectors). What the handler shares with the driver, it shares by
    /// counted reference: a handler that holds an `ARef` of the device reaches the device's data. The
    /// interrupt is freed after the device was unplugged, after
    /// [`Driver::unplugged`](crate::Driver::unplugged) has run; or when the probe fails.
    ///
    /// # Errors
    ///
    /// `EINVAL` if `name`, under which `/proc/irq` lists the handler, is empty or has anything but printable ASCII characters
    /// without spaces and slashes; `ENOMEM`; any error from `handler`; and those of `request_irq()`: `EBUSY`, `EINVAL`.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::irq::{self, IrqReturn};
    ///
    /// struct Interrupt {
    ///     dev: ARef<Device<Mini>>,
    /// }
    ///
    /// impl irq::Handler for Interrupt {
    ///     fn handle(&self) -> IrqReturn {
    ///         match self.dev.enter(|plugged| plugged.registration(|data| data.revision)) {
    ///             Some(_) => IrqReturn::Handled,
    ///             None => IrqReturn::None,
    ///         }
    ///     }
    /// }
    ///
    /// fn probe<'bound>(cx: &platform::Probe<'bound>) -> Result<Ready<'bound, Mini>> {
    ///     let dev = UnregisteredDevice::<Mini>::new(cx, Ok(()))?;
    ///     let interrupt = Interrupt { dev: ARef::from(&*dev) };
    ///     let request = cx.device().irq_by_index(0)?;
    ///     cx.request_irq(request, irq::Flags::TRIGGER_NONE, c"mini", Ok::<_, Error>(interrupt))?;
    ///     dev.ready(Hardware::new(cx))
    /// }
    /// ```
    pub fn request_irq<H: Handler + Send + 'bound>(
        &self,
        request: IrqRequest<'bound>,
        flags: Flags,
        name: &'static CStr,
        handler: impl PinInit<H, Error> + 'bound,
    ) -> Result {
        if !is_name(name) {
            return Err(EINVAL);
        }
        self.concurrent.set(true);
        // SAFETY: The list owns the registration and drops it while the device is bound: in the
        // remove step or when the probe fails. It cannot be forgotten, the driver never gets it (L26).
        let irq = unsafe { Registration::new(request, flags, name, handler) };

        self.owned.means.add(irq).map(drop)
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
        if !is_name(name) {
            return Err(EINVAL);
        }
        self.concurrent.set(true);
        // SAFETY: As in `request_irq` (L26).
        let irq = unsafe { ThreadedRegistration::new(request, flags, name, handler) };

        self.owned.means.add(irq).map(drop)
    }
}
