// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Interrupts that the bus adapter owns.
//!
//! The kernel crate's `irq::Registration` is `unsafe` to create: if one is forgotten, its handler
//! stays registered after its data is freed. Here the adapter owns the registration from the start.
//! The driver requests an interrupt in its probe and never holds a value that it could forget
//! (L18). The adapter frees the interrupt after unplug (L5), or when the probe fails.
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
    /// [`pci::Vectors`](crate::pci::Vectors). The handler shares data with the driver by counted
    /// reference: a handler that holds an `ARef` of the device reaches the device's data. The
    /// interrupt is freed after the device was unplugged and
    /// [`Driver::unplugged`](crate::Driver::unplugged) has run, or when the probe fails.
    ///
    /// # Errors
    ///
    /// Fails with `EINVAL` if `name`, under which `/proc/irq` lists the handler, is empty or has
    /// anything but printable ASCII characters without spaces and slashes. Fails with `ENOMEM`,
    /// with any error from `handler`, and with the errors of `request_irq()`: `EBUSY` and `EINVAL`.
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
        // remove step or when the probe fails. The registration cannot be forgotten, because the
        // driver never gets it (L26).
        let irq = unsafe { Registration::new(request, flags, name, handler) };

        self.owned.hardware.add(irq).map(drop)
    }

    /// Requests an interrupt like [`request_irq`](Self::request_irq), for a handler with a part
    /// that runs in a thread and may sleep.
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

        self.owned.hardware.add(irq).map(drop)
    }
}
