// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The hardware: bringing up a GPU, suspending and resuming it.
//!
//! Each part of the GPU has a module: the GPU as a whole, its power supply, its interrupts, its
//! MMU, and the firmware on its microcontroller.

mod event;
mod fw;
pub(crate) mod gpu;
mod irq;
pub(crate) mod mmu;
pub(crate) mod power;
pub(crate) mod regs;

use crate::driver::Tyr;
use drm::{
    bus::{
        Bus,
        Probe, //
    },
    fence,
    registers::RegisterPage, //
};
use fw::Firmware;
use gpu::Gpu;
use irq::{
    Line,
    LineHandler, //
};
use kernel::{
    dma::DmaMask,
    irq::{
        Flags,
        IrqRequest, //
    },
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
};
use mmu::AddressSpaces;
use power::Power;
use regs::Registers;

/// The GPU's interrupts, as the bus describes them.
pub(crate) struct Interrupts<'bound> {
    pub(crate) gpu: IrqRequest<'bound>,
    pub(crate) job: IrqRequest<'bound>,
    pub(crate) mmu: IrqRequest<'bound>,
    pub(crate) flags: Flags,
}

/// The count of cache flushes that a client reads while the GPU sleeps or after it is unplugged.
/// Zero would mean that a flush is always needed, but none is needed if nothing has run.
const IDLE_FLUSH_ID: u32 = 1;

/// The device's data while it is registered.
pub(crate) struct Hardware<'bound> {
    // The fields are dropped in this order: the power supply last.
    firmware: Firmware<'bound>,
    /// The fences of operations that wait in the queues of address spaces.
    pub(crate) bind_fences: fence::Pending,
    powered: PoweredGpu<'bound>,
    pub(crate) mmu: Arc<AddressSpaces<'bound>>,
    pub(crate) gpu: Arc<Gpu<'bound>>,
    /// The page with the count of cache flushes, which clients read.
    pub(crate) flush_id: RegisterPage<'bound>,
    power: Power,
}

/// A GPU whose level 2 cache is on, and which may interrupt. Dropping it suspends the GPU,
/// unless that is already done.
struct PoweredGpu<'bound> {
    gpu: Arc<Gpu<'bound>>,
    on: Atomic<bool>,
}

impl<'bound> PoweredGpu<'bound> {
    fn new(gpu: Arc<Gpu<'bound>>) -> Result<Self> {
        let powered = Self {
            gpu,
            on: Atomic::new(false),
        };
        powered.resume()?;
        Ok(powered)
    }

    fn lines(&self) -> [&Line; 3] {
        [&self.gpu.gpu_line, &self.gpu.job_line, &self.gpu.mmu_line]
    }

    fn resume(&self) -> Result {
        self.on.store(true, Relaxed);
        self.lines().map(Line::resume);
        self.gpu.power_on()?;
        self.gpu.set_mask(&self.gpu.gpu_line, gpu::EVENTS);
        Ok(())
    }

    fn suspend(&self) {
        if self.on.xchg(false, Relaxed) {
            for line in self.lines() {
                self.gpu.set_mask(line, 0);
                line.suspend();
            }
            self.gpu.power_off();
        }
    }
}

impl Drop for PoweredGpu<'_> {
    fn drop(&mut self) {
        self.suspend();
    }
}

/// Brings up a GPU whose registers are mapped and whose power is on, and makes its device ready.
///
/// # Errors
///
/// Fails with `ENODEV` if there is no GPU or it disappears, with `ETIMEDOUT` if it does not carry
/// out a command, and with the errors of the firmware ([`Firmware::boot`]). A line in the log says
/// what failed, with register and value.
pub(crate) fn probe<'bound, B: Bus>(
    cx: &Probe<'bound, B>,
    regs: Registers<'bound>,
    flush_id: RegisterPage<'bound>,
    power: Power,
    interrupts: impl FnOnce() -> Result<Interrupts<'bound>>,
) -> Result<drm::Ready<'bound, Tyr>> {
    let gpu = Gpu::new(cx.parent(), regs, cx.is_dma_coherent())?;
    cx.set_dma_mask(DmaMask::try_new(gpu.info.mmu_features.pa_bits())?)
        .inspect_err(|e| {
            dev_err!(
                cx,
                "the machine cannot serve the GPU's addresses: {:?}\n",
                e
            )
        })?;
    cx.set_max_segment(u32::MAX)?;

    let dev = drm::UnregisteredDevice::<Tyr>::new(cx, Ok(()))?;
    dev.set_idle_registers(IDLE_FLUSH_ID)?;
    match dev.use_huge_pages() {
        Ok(()) => dev_info!(cx, "Using Transparent Hugepage\n"),
        Err(error) if error == EOPNOTSUPP => dev_dbg!(cx, "the system has no huge pages\n"),
        Err(error) => return Err(error),
    }
    let mmu = AddressSpaces::new(gpu.clone())?;
    request_irqs(cx, interrupts()?, &gpu, &mmu)?;

    let powered = PoweredGpu::new(gpu.clone())?;
    let firmware = Firmware::boot(&dev, gpu.clone(), mmu.clone(), power.hertz())?;
    dev.ready(Ok(Hardware {
        firmware,
        bind_fences: fence::Pending::new()?,
        powered,
        mmu,
        gpu,
        flush_id,
        power,
    }))
}

fn request_irqs<'bound, B: Bus>(
    cx: &Probe<'bound, B>,
    interrupts: Interrupts<'bound>,
    gpu: &Arc<Gpu<'bound>>,
    mmu: &Arc<AddressSpaces<'bound>>,
) -> Result {
    let Interrupts {
        gpu: gpu_irq,
        job: job_irq,
        mmu: mmu_irq,
        flags,
    } = interrupts;
    let handler = LineHandler {
        gpu: gpu.clone(),
        handler: gpu::IrqHandler,
    };
    cx.request_threaded_irq(gpu_irq, flags, c"tyr-gpu", Ok::<_, Error>(handler))?;
    let handler = LineHandler {
        gpu: gpu.clone(),
        handler: fw::IrqHandler,
    };
    cx.request_threaded_irq(job_irq, flags, c"tyr-job", Ok::<_, Error>(handler))?;
    let handler = LineHandler {
        gpu: gpu.clone(),
        handler: mmu::IrqHandler(mmu.clone()),
    };
    cx.request_threaded_irq(mmu_irq, flags, c"tyr-mmu", Ok::<_, Error>(handler))
}

impl Hardware<'_> {
    /// Returns the interface that the firmware has reported.
    pub(crate) fn interface(&self) -> &fw::Interface {
        self.firmware.interface()
    }

    /// Returns the frequency of the GPU's clock, in hertz.
    pub(crate) fn hertz(&self) -> u32 {
        self.power.hertz()
    }

    /// Suspends the GPU: it causes no more interrupts, and nothing accesses memory.
    ///
    /// Context: process context, sleeps.
    pub(crate) fn suspend(&self) {
        self.firmware.stop();
        if self.mmu.suspend().is_err() && self.gpu.reset().is_ok() {
            dev_warn!(
                self.gpu.dev,
                "the GPU was reset to have it forget an address space\n"
            );
        }
        self.powered.suspend();
        self.power.off();
    }

    /// Brings up the GPU again after it has lost all its state.
    ///
    /// # Errors
    ///
    /// Fails with the errors of [`probe`].
    ///
    /// Context: process context, sleeps.
    pub(crate) fn resume(&self) -> Result {
        self.power.on()?;
        self.gpu.reset()?;
        self.powered.resume()?;
        self.mmu.resume()?;
        self.firmware.reboot()
    }
}
