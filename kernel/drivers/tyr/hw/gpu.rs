// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The GPU as a whole: its identity, reset, power, and caches.
//!
//! Source: `crates/mali-regs` (`gpu.rs`, `id.rs`, `power.rs`);
//! drivers/gpu/drm/panthor/panthor_gpu.c for the order of accesses.

use crate::hw::{
    event::{
        Events,
        Waited, //
    },
    irq::{
        HandleEvents,
        Line, //
    },
    regs::Registers, //
};
use kernel::{
    device::{
        Bound,
        Device, //
    },
    fmt,
    new_mutex,
    prelude::*,
    static_lock_class,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Relaxed,
            Release, //
        },
        Arc,
        Mutex, //
    },
    time::Delta, //
};
use mali_regs::{
    exception,
    gpu::{
        self,
        coherency,
        Command,
        FaultStatus,
        Flush, //
    },
    id::MmuFeatures,
    irq,
    power::Domain,
    GpuId, //
};

/// The time that a reset, a change of power, or a flush may take. It is far longer than any of them
/// takes, to allow for an emulated GPU on a busy machine.
const TIMEOUT: Delta = Delta::from_secs(1);
/// The limit for a flush, in milliseconds.
const FLUSH_TIMEOUT_MS: u32 = 1000;
/// The time in milliseconds without an answer after which the driver checks whether the GPU still
/// responds.
const GONE_CHECK_MS: u32 = 20;

/// Properties that the GPU reports about itself. They never change.
#[derive(Clone, Copy)]
pub(crate) struct Info {
    pub(crate) id: GpuId,
    pub(crate) revision: u32,
    pub(crate) csf_id: u32,
    pub(crate) core_features: u32,
    pub(crate) l2_features: u32,
    pub(crate) tiler_features: u32,
    pub(crate) mem_features: u32,
    pub(crate) mmu_features: MmuFeatures,
    pub(crate) as_present: u32,
    pub(crate) thread_features: u32,
    pub(crate) max_threads: u32,
    pub(crate) max_workgroup_size: u32,
    pub(crate) max_barrier_size: u32,
    pub(crate) texture_features: [u32; 4],
    pub(crate) coherency_features: u32,
    pub(crate) shader_present: u64,
    pub(crate) l2_present: u64,
    pub(crate) tiler_present: u64,
}

impl Info {
    fn read(regs: &Registers<'_>) -> Self {
        let texture = |index| regs.read_at(gpu::TEXTURE_FEATURES, index);
        let present = |domain: Domain| regs.read64(domain.block().present);
        Self {
            id: GpuId(regs.read(gpu::GPU_ID)),
            revision: regs.read(gpu::REVIDR),
            csf_id: regs.read(gpu::CSF_ID),
            core_features: regs.read(gpu::CORE_FEATURES),
            l2_features: regs.read(gpu::L2_FEATURES),
            tiler_features: regs.read(gpu::TILER_FEATURES),
            mem_features: regs.read(gpu::MEM_FEATURES),
            mmu_features: MmuFeatures(regs.read(gpu::MMU_FEATURES)),
            as_present: regs.read(gpu::AS_PRESENT),
            thread_features: regs.read(gpu::THREAD_FEATURES),
            max_threads: regs.read(gpu::THREAD_MAX_THREADS),
            max_workgroup_size: regs.read(gpu::THREAD_MAX_WORKGROUP_SIZE),
            max_barrier_size: regs.read(gpu::THREAD_MAX_BARRIER_SIZE),
            texture_features: [texture(0), texture(1), texture(2), texture(3)],
            coherency_features: regs.read(gpu::COHERENCY_FEATURES),
            shader_present: present(Domain::Shader),
            l2_present: present(Domain::L2),
            tiler_present: present(Domain::Tiler),
        }
    }

    /// Logs the known lines of a Mali's boot log, word for word. The first line splits the id as
    /// the original drivers did.
    fn log(&self, dev: &Device<Bound>) {
        let id = self.id.0;
        dev_info!(
            dev,
            "mali-unknown id {:#x} major {:#x} minor {:#x} status {:#x}\n",
            id >> 16,
            id >> 16 & 0xff,
            id >> 8 & 0xff,
            id & 0xff
        );
        dev_info!(
            dev,
            "Features: L2:{:#x} Tiler:{:#x} Mem:{:#x} MMU:{:#x} AS:{:#x}\n",
            self.l2_features,
            self.tiler_features,
            self.mem_features,
            self.mmu_features.0,
            self.as_present
        );
        dev_info!(
            dev,
            "shader_present={:#018x} l2_present={:#018x} tiler_present={:#018x}\n",
            self.shader_present,
            self.l2_present,
            self.tiler_present
        );
        dev_info!(
            dev,
            "{} r{}p{}, architecture {}.{}.{}\n",
            self.id.product().unwrap_or("a Mali without a name"),
            self.id.version_major(),
            self.id.version_minor(),
            self.id.arch_major(),
            self.id.arch_minor(),
            self.id.arch_revision()
        );
    }
}

/// Resets the GPU and cancels its work. `reported` returns whether an interrupt has reported the
/// end, and clears that event.
///
/// # Errors
///
/// Fails with `ENODEV` if the GPU does not respond, and with `ETIMEDOUT` if the reset does not end.
/// A line in the log says so.
///
/// Context: process context, sleeps.
fn soft_reset(dev: &Device<Bound>, regs: &Registers<'_>, reported: impl Fn() -> bool) -> Result {
    regs.write(irq::GPU_IRQ_CLEAR, irq::gpu::RESET_COMPLETED);
    regs.write(gpu::GPU_COMMAND, Command::SoftReset.bits());
    wait_reset(dev, regs, reported)
}

/// Waits for the end of a running reset.
fn wait_reset(dev: &Device<Bound>, regs: &Registers<'_>, reported: impl Fn() -> bool) -> Result {
    regs.poll(
        |regs| regs.read(irq::GPU_IRQ_RAWSTAT).into(),
        |rawstat| rawstat as u32 & irq::gpu::RESET_COMPLETED != 0 || reported(),
        Delta::from_micros(100),
        TIMEOUT,
    )
    .inspect_err(|timeout| {
        dev_err!(
            dev,
            "the soft reset does not end: GPU_IRQ_RAWSTAT = {:#x} ({:?})\n",
            timeout.last,
            timeout.error
        )
    })?;
    regs.write(irq::GPU_IRQ_CLEAR, u32::MAX);
    Ok(())
}

/// A GPU whose registers are mapped. Interrupts, address spaces and firmware share it.
#[pin_data]
pub(crate) struct Gpu<'bound> {
    pub(crate) regs: Registers<'bound>,
    pub(crate) dev: &'bound Device<Bound>,
    pub(crate) info: Info,
    /// Whether the GPU snoops the processors' caches.
    pub(crate) coherent: bool,
    #[pin]
    pub(crate) gpu_line: Line,
    #[pin]
    pub(crate) job_line: Line,
    #[pin]
    pub(crate) mmu_line: Line,
    /// Whether the microcontroller is switched on.
    pub(crate) mcu_running: Atomic<bool>,
    /// Whether the GPU was reset and not powered on since. It then has nothing cached, and knows no
    /// address space.
    reset: Atomic<bool>,
    /// Whether waiting for a reset was given up. The reset may still end; until then the GPU must
    /// not get any command.
    reset_pending: Atomic<bool>,
    /// Whether it was logged that the GPU no longer responds.
    gone_logged: Atomic<bool>,
    #[pin]
    events: Events,
    /// The events that the firmware has reported.
    #[pin]
    pub(crate) job_events: Events,
    /// Held during a flush, so there is only one at a time. The value says whether waiting for the
    /// last flush was given up; it may still end.
    #[pin]
    flushing: Mutex<bool>,
}

impl<'bound> Gpu<'bound> {
    /// Resets the GPU and reads its properties. `coherent` says whether the device's DMA is
    /// coherent.
    ///
    /// # Errors
    ///
    /// Fails with `ENODEV` if nothing answers, or if the device is not a GPU with a command stream
    /// frontend. Fails with the errors of the reset. Fails with `EOPNOTSUPP` if the GPU cannot be
    /// as coherent as the machine is.
    ///
    /// Context: process context, sleeps.
    pub(crate) fn new(
        dev: &'bound Device<Bound>,
        regs: Registers<'bound>,
        coherent: bool,
    ) -> Result<Arc<Self>> {
        let info = identify(dev, &regs, coherent)?;
        Arc::pin_init(
            try_pin_init!(Self {
                regs,
                dev,
                info,
                coherent,
                gpu_line <- Line::new(irq::GPU, static_lock_class!()),
                job_line <- Line::new(irq::JOB, static_lock_class!()),
                mmu_line <- Line::new(irq::MMU, static_lock_class!()),
                mcu_running: Atomic::new(false),
                reset: Atomic::new(true),
                reset_pending: Atomic::new(false),
                gone_logged: Atomic::new(false),
                events <- Events::new(),
                job_events <- Events::new(),
                flushing <- new_mutex!(false, "tyr::Gpu::flushing"),
            }? Error),
            GFP_KERNEL,
        )
    }

    /// Logs that `what` is wrong, for a register with the given `value`. If the GPU no longer
    /// responds, logs that instead, once. Returns the error.
    pub(crate) fn log_error(&self, error: Error, what: fmt::Arguments<'_>) -> Error {
        if error != ENODEV {
            dev_err!(self.dev, "{}\n", what);
        } else if !self.gone_logged.xchg(true, Relaxed) {
            dev_err!(self.dev, "the GPU is gone: its registers read as ones\n");
        }
        error
    }

    /// Returns the coherency protocol between the GPU and the processors.
    pub(crate) fn coherency(&self) -> u32 {
        if self.coherent {
            coherency::ACE_LITE
        } else {
            coherency::NONE
        }
    }

    /// Resets the GPU again. It loses all its state.
    ///
    /// # Errors
    ///
    /// Errors are those of the first reset.
    pub(crate) fn reset(&self) -> Result {
        let mut flush_pending = self.flushing.lock();
        let reported = || self.events.is_reported(irq::gpu::RESET_COMPLETED);
        let reset = if self.reset_pending() {
            wait_reset(self.dev, &self.regs, reported)
        } else {
            self.events.clear(irq::gpu::RESET_COMPLETED);
            soft_reset(self.dev, &self.regs, reported)
        };
        self.reset_pending.store(reset == Err(ETIMEDOUT), Release);
        reset?;
        *flush_pending = false;
        self.reset.store(true, Release);
        Ok(())
    }

    /// Returns whether the GPU was reset and not powered on since. It then accesses no memory, and
    /// needs no command to stop that.
    pub(crate) fn is_reset(&self) -> bool {
        self.reset.load(Acquire)
    }

    /// Returns whether a reset has begun and not ended. The GPU then takes no commands.
    pub(crate) fn reset_pending(&self) -> bool {
        self.reset_pending.load(Acquire)
    }

    /// Powers on the level 2 cache, which everything else needs.
    ///
    /// # Errors
    ///
    /// Fails with `ENODEV` if the GPU does not respond, and with `ETIMEDOUT`. A line in the log
    /// says so.
    pub(crate) fn power_on(&self) -> Result {
        self.reset.store(false, Release);
        self.regs.write(gpu::COHERENCY_ENABLE, self.coherency());
        let l2 = Domain::L2.block();
        self.wait_power_idle("on", Domain::L2)?;
        // Only one group of cores is supported: that of the first cache.
        self.regs.write64(l2.power_on, FIRST_L2);
        self.poll_power("on", |regs| regs.read64(l2.ready) & FIRST_L2 != 0)
    }

    /// Powers everything off, starting with the parts that need the level 2 cache. Errors are only
    /// logged, because the driver cannot handle them.
    pub(crate) fn power_off(&self) {
        if self.reset_pending() {
            return;
        }
        for domain in [Domain::Shader, Domain::Tiler, Domain::L2] {
            let block = domain.block();
            if self.wait_power_idle("off", domain) == Err(ENODEV) {
                return;
            }
            let on = self.regs.read64(block.ready);
            if on == u64::MAX {
                return;
            }
            if on != 0 {
                self.regs.write64(block.power_off, on);
                let _ = self.poll_power("off", |regs| regs.read64(block.ready) & on == 0);
            }
        }
    }

    /// Waits until no power transition of a domain is pending, because a command during one may be
    /// lost.
    fn wait_power_idle(&self, way: &str, domain: Domain) -> Result {
        let block = domain.block();
        self.poll_power(way, |regs| regs.read64(block.changing) == 0)
    }

    fn poll_power(&self, way: &str, done: impl Fn(&Registers<'_>) -> bool) -> Result {
        let polled = self.regs.poll(
            |regs| {
                if regs.is_gone() {
                    u64::MAX
                } else {
                    done(regs).into()
                }
            },
            |done| done == 1,
            Delta::from_micros(100),
            TIMEOUT,
        );
        polled.map(drop).map_err(|timeout| {
            let l2 = Domain::L2.block();
            self.log_error(
                timeout.error,
                format_args!(
                    "power does not go {way}: L2_READY = {:#x}, L2_PWRTRANS = {:#x}",
                    self.regs.read64(l2.ready),
                    self.regs.read64(l2.changing)
                ),
            )
        })
    }

    /// Cleans and invalidates the GPU's caches, and waits until that is done.
    ///
    /// # Errors
    ///
    /// Fails with `ENODEV` if the GPU does not respond, and with `ETIMEDOUT`. A line in the log
    /// says so.
    ///
    /// Context: process context, sleeps; not in the thread of the GPU's own interrupt.
    pub(crate) fn flush_caches(&self) -> Result {
        let command = Command::FlushCaches {
            l2: Flush::CleanInvalidate,
            load_store: Flush::CleanInvalidate,
            other: Flush::Invalidate,
        };
        let mut flush_pending = self.flushing.lock();
        if *flush_pending {
            // The end of the previous flush must not be mistaken for the end of the new one.
            self.wait_flush()?;
        }
        *flush_pending = true;
        self.events.clear(FLUSHED);
        self.regs.write(gpu::GPU_COMMAND, command.bits());
        self.wait_flush()?;
        *flush_pending = false;
        Ok(())
    }

    /// Waits for the end of the running flush, and clears its event.
    fn wait_flush(&self) -> Result {
        // A GPU that is gone reports nothing, and unbinding it waits for this function.
        let waited = match self.events.wait(FLUSHED, GONE_CHECK_MS) {
            Waited::TimedOut if !self.regs.is_gone() => self.events.wait(FLUSHED, FLUSH_TIMEOUT_MS),
            waited => waited,
        };
        let more = match waited {
            Waited::Reported => return Ok(()),
            Waited::Interrupted => TIMEOUT,
            Waited::TimedOut => Delta::ZERO,
        };
        let done = self.regs.poll(
            |regs| regs.read(irq::GPU_IRQ_RAWSTAT).into(),
            |rawstat| rawstat as u32 & FLUSHED != 0 || self.events.is_reported(FLUSHED),
            Delta::from_micros(100),
            more,
        );
        done.map_err(|timeout| {
            self.log_error(
                timeout.error,
                format_args!(
                    "the flush of the caches does not end: GPU_IRQ_RAWSTAT = {:#x}",
                    timeout.last
                ),
            )
        })?;
        // The thread may not have reported the event yet. After this, either it has read the event
        // and reports it now, or it never will. Otherwise the next flush would get the report of
        // this one's end.
        self.clear(&self.gpu_line, FLUSHED);
        self.gpu_line.synchronize();
        if more.is_zero() && !self.events.is_reported(FLUSHED) {
            dev_warn!(self.dev, "an interrupt of the GPU was lost\n");
            self.kick(&self.gpu_line);
        }
        Ok(())
    }
}

/// The event that reports the end of a cache flush.
const FLUSHED: u32 = irq::gpu::CLEAN_CACHES_COMPLETED;

/// The level 2 cache of the first group of cores.
const FIRST_L2: u64 = 1;

/// Resets a GPU and reads its properties.
fn identify(dev: &Device<Bound>, regs: &Registers<'_>, coherent: bool) -> Result<Info> {
    if regs.is_gone() {
        dev_err!(dev, "the GPU does not answer: its registers read as ones\n");
        return Err(ENODEV);
    }
    // No handler reports interrupts yet.
    soft_reset(dev, regs, || false)?;
    let info = Info::read(regs);
    if regs.is_gone() {
        dev_err!(dev, "the GPU is gone while it is asked what it is\n");
        return Err(ENODEV);
    }
    info.log(dev);
    if info.id.arch_major() != ARCHITECTURE {
        dev_err!(
            dev,
            "GPU_ID = {:#x}: architecture {} is not supported (known: {})\n",
            info.id.0,
            info.id.arch_major(),
            ARCHITECTURE
        );
        return Err(ENODEV);
    }
    if coherent && info.coherency_features & 1 << coherency::ACE_LITE == 0 {
        dev_err!(
            dev,
            "COHERENCY_FEATURES = {:#x}: the GPU cannot snoop, as this machine's devices do\n",
            info.coherency_features
        );
        return Err(EOPNOTSUPP);
    }
    Ok(info)
}

/// The architecture that this driver supports: the first with a command stream frontend.
const ARCHITECTURE: u32 = 10;

/// The events of the GPU's line that cause interrupts.
pub(crate) const EVENTS: u32 = irq::gpu::FAULT
    | irq::gpu::PROTECTED_FAULT
    | irq::gpu::RESET_COMPLETED
    | irq::gpu::CLEAN_CACHES_COMPLETED;

/// The handler of the GPU's line.
pub(crate) struct IrqHandler;

impl HandleEvents for IrqHandler {
    fn line<'a>(&self, gpu: &'a Gpu<'_>) -> &'a Line {
        &gpu.gpu_line
    }

    fn handle_events(&self, gpu: &Gpu<'_>, events: u32) {
        gpu.clear(&gpu.gpu_line, events);
        if events & irq::gpu::FAULT != 0 {
            let status = FaultStatus(gpu.regs.read(gpu::GPU_FAULTSTATUS));
            dev_warn!(
                gpu.dev,
                "GPU fault: GPU_FAULTSTATUS = {:#x} ({}) at {:#x}\n",
                status.0,
                exception::name(status.exception()).unwrap_or("unknown"),
                gpu.regs.read64(gpu::GPU_FAULTADDRESS)
            );
            gpu.regs.write(gpu::GPU_COMMAND, Command::ClearFault.bits());
        }
        if events & irq::gpu::PROTECTED_FAULT != 0 {
            dev_warn!(gpu.dev, "GPU fault in protected mode\n");
        }
        gpu.events.report(events);
    }
}
