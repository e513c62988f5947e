// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A Mali-G610 behind PCI: BAR0 is the register block of the SoC, and MSI-X has a vector each for GPU, JOB and MMU.
//!
//! ```text
//! identity   the GPU's constant registers          power      domains that go on and off
//! irq        the three interrupts                  query      queries of tests
//! mmu        accesses, by address space            mcu        the microcontroller and its firmware
//! space      one address space, with its walks     chip       the microcontroller's view of the GPU
//! tlb        cached translations                   sync       sync objects
//! ```
//!
//! Not modelled: command streams, performance counters, protected mode, caches of data. A driver that uses one of the
//! first three gets a violation.
//!
//! Source: Linux 7.3, `drivers/gpu/drm/panthor`; registers are those of the crate `mali-regs`, tables those of
//! `mali-mmu`.

mod chip;
mod identity;
mod irq;
mod mcu;
mod mmu;
mod power;
mod query;
mod space;
mod sync;
mod tlb;

use std::borrow::Cow;
use std::time::{Duration, Instant};

use mali_regs::gpu::{self, Command};
use mali_regs::mmu::AS_COMMAND;
use mali_regs::power::{Domain, L2_PWROFF};
use mali_regs::{Found, doorbell, find, irq as events, mcu as registers};
use serde::Deserialize;
use serde_json::Value;

use crate::bus::Bus;
use crate::gpu::{Access, Bar, Function, Gpu, Interrupts, Page, Width};
use chip::Chip;
use irq::Irq;
use mcu::Mcu;
use mmu::Mmu;
use power::Power;
use query::Question;

/// The BAR of the registers.
const REGISTERS: u8 = 0;
/// The BAR of MSI-X.
const VECTORS: u8 = 2;

const RESET_TAKES: Duration = Duration::from_micros(500);
const FLUSH_TAKES: Duration = Duration::from_micros(50);

/// The longest duration that a fault can set.
const LONGEST: Duration = Duration::from_secs(3600);

/// A Mali-G610.
#[derive(Debug)]
pub struct Mali {
    gpu: Irq,
    job: Irq,
    mmu: Mmu,
    power: Power,
    mcu: Mcu,
    coherency: u32,
    l2_config: u32,
    timestamp_offset: u64,
    started: Instant,
    resetting: Option<Instant>,
    flushing: Option<Instant>,
    flushes: u32,
    /// A fault: resets never end.
    reset_stuck: bool,
    /// Whether a reset that never ends has begun.
    hangs: bool,
    /// A fault: the duration of resets.
    reset_takes: Option<Duration>,
}

/// Faults of this GPU.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fault {
    /// A reset that begins does not end.
    StuckReset {},
    /// A reset takes this long.
    SlowReset {
        /// The duration.
        seconds: f64,
    },
    /// Cores do not change their power on request.
    StuckPower {},
    /// The MMU does not end its commands until the GPU is reset.
    StuckMmu {},
    /// The microcontroller does not stop until the GPU is reset.
    StuckMcu {},
    /// The microcontroller never reports that it has started.
    SilentBoot {},
    /// The microcontroller does not answer any more.
    SilentMcu {},
    /// The microcontroller takes this long to boot.
    SlowBoot {
        /// The duration.
        seconds: f64,
    },
    /// The microcontroller reads a byte of the firmware that differs from what was loaded, and does not start.
    CorruptFirmware {
        /// The index among the loaded sections, from 0.
        section: usize,
        /// The offset of the byte in the section.
        #[serde(default)]
        offset: u32,
    },
}

fn is_reset(command: u32) -> bool {
    matches!(Command::from_bits(command), Some(Command::SoftReset | Command::HardReset))
}

/// Returns a duration of a fault plan.
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST).min(LONGEST)
}

impl Mali {
    /// Creates a GPU that was just plugged in.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            gpu: Irq::new(events::GPU, 0),
            job: Irq::new(events::JOB, 1),
            mmu: Mmu::new(),
            power: Power::default(),
            mcu: Mcu::new(),
            coherency: gpu::coherency::NONE,
            l2_config: 0,
            timestamp_offset: 0,
            started: now,
            resetting: None,
            flushing: None,
            flushes: 1,
            reset_stuck: false,
            hangs: false,
            reset_takes: None,
        }
    }

    /// Makes the GPU expect its driver to load the firmware of a container, whose bytes are `file`.
    ///
    /// # Errors
    /// The error in the container.
    pub fn expect_firmware(mut self, file: Vec<u8>) -> Result<Self, csf_fw::Error> {
        self.mcu.expect(file)?;
        Ok(self)
    }

    /// Returns the microcontroller, and its view of the rest.
    fn mcu<'a>(&'a mut self, bus: &'a mut Bus) -> (&'a mut Mcu, Chip<'a>) {
        let chip = Chip { bus, mmu: &mut self.mmu, job: &mut self.job, gpu: &mut self.gpu, power: &mut self.power };
        (&mut self.mcu, chip)
    }

    fn status(&self) -> u32 {
        let active = self.flushing.is_some() || self.is_resetting();
        let power = if self.power.due().is_some() { gpu::status::POWER_ACTIVE } else { 0 };
        let fault = if self.mmu.is_stuck() { gpu::status::PAGE_FAULT } else { 0 };
        power | fault | if active { gpu::status::ACTIVE } else { 0 }
    }

    fn is_resetting(&self) -> bool {
        self.resetting.is_some() || self.hangs
    }

    fn command(&mut self, bus: &mut Bus, value: u32) {
        match Command::from_bits(value) {
            None => bus.violation("there is no such command of the GPU"),
            Some(Command::Nop | Command::ClearFault) => {}
            Some(Command::SoftReset | Command::HardReset) => {
                bus.state("the GPU is being reset");
                let done = self.reset_takes.map_or_else(|| bus.after(RESET_TAKES), |takes| bus.now() + takes);
                self.resetting = (!self.reset_stuck).then_some(done);
                self.hangs = self.reset_stuck;
            }
            Some(Command::FlushCaches { .. }) if self.flushing.is_some() => {
                bus.violation("caches are flushed while a flush is at work");
            }
            Some(Command::FlushCaches { .. }) => self.flushing = Some(bus.after(FLUSH_TAKES)),
        }
    }

    /// Restores the state after a reset. The interrupt masks are unchanged.
    fn restart(&mut self) {
        self.power.reset();
        self.mcu.reset();
        self.coherency = gpu::coherency::NONE;
        self.l2_config = 0;
        self.flushing = None;
        self.resetting = None;
        self.hangs = false;
        self.gpu.clear();
        self.job.reset();
        self.mmu.reset();
    }

    /// Returns the half of a register of the GPU control block.
    fn control(&self, bus: &Bus, found: Found) -> Option<u32> {
        let nanos = bus.now().saturating_duration_since(self.started).as_nanos() as u64;
        let whole = match found.register {
            register if *register == gpu::GPU_STATUS => self.status().into(),
            register if *register == gpu::COHERENCY_ENABLE => self.coherency.into(),
            register if *register == gpu::L2_CONFIG => self.l2_config.into(),
            register if *register == gpu::TIMESTAMP_OFFSET => self.timestamp_offset,
            // The system's counter runs at 24 MHz, like the board's.
            register if *register == gpu::TIMESTAMP => (nanos / 125 * 3).wrapping_add(self.timestamp_offset),
            register if *register == gpu::CYCLE_COUNT => nanos,
            register if *register == gpu::GPU_FAULTSTATUS || *register == gpu::GPU_FAULTADDRESS => 0,
            register if *register == gpu::GPU_FEATURES => 0,
            register if *register == doorbell::LATEST_FLUSH_ID => self.flushes.into(),
            register if *register == registers::MCU_STATUS => self.mcu.status().into(),
            register if *register == registers::MCU_CONTROL => self.mcu.control().into(),
            _ => return None,
        };
        Some(if found.upper { (whole >> 32) as u32 } else { whole as u32 })
    }

    fn value(&self, bus: &Bus, found: Found, offset: usize) -> Option<u32> {
        let base = found.register.at(found.index);
        let power = self.power.read(base).map(|all| if found.upper { (all >> 32) as u32 } else { all as u32 });
        let irqs = [&self.gpu, &self.job, &self.mmu.irq].into_iter().find_map(|irq| irq.read(offset));
        let space = self.mmu.space(found.index).and_then(|space| space.read(found));
        identity::fixed(offset).or(irqs).or(power).or_else(|| self.control(bus, found)).or(space)
    }

    /// Writes a register that needs the GPU to be awake.
    fn set(&mut self, bus: &mut Bus, found: Found, value: u32) {
        let base = found.register.at(found.index);
        let half = if found.upper { u64::from(value) << 32 } else { value.into() };
        match found.register {
            register if *register == gpu::GPU_COMMAND => self.command(bus, value),
            register if *register == gpu::COHERENCY_ENABLE || *register == gpu::L2_CONFIG => {
                if self.power.ready(Domain::L2) != 0 {
                    bus.violation("the L2 is on, and takes its configuration only when it is switched on");
                }
                *if *register == gpu::L2_CONFIG { &mut self.l2_config } else { &mut self.coherency } = value;
            }
            register if *register == gpu::TIMESTAMP_OFFSET => {
                let keep = if found.upper { 0xffff_ffff } else { 0xffff_ffff << 32 };
                self.timestamp_offset = self.timestamp_offset & keep | half;
            }
            register if *register == registers::MCU_CONTROL => {
                let (mcu, mut chip) = self.mcu(bus);
                mcu.set_control(&mut chip, value);
            }
            register if *register == doorbell::DOORBELL => {
                if value != doorbell::RING {
                    bus.violation("a doorbell is rung with another value than 1");
                }
                let (mcu, mut chip) = self.mcu(bus);
                mcu.ring(&mut chip, found.index);
            }
            register if *register == AS_COMMAND => self.space_command(bus, found.index, value),
            register if *register == L2_PWROFF && half & identity::L2_PRESENT != 0 && self.mcu.is_on() => {
                bus.violation("the L2 is switched off while the MCU is on");
                self.power.write(bus, base, half);
            }
            _ if self.power.write(bus, base, half) => {}
            _ => {
                let there = identity::AS_PRESENT >> found.index & 1 != 0;
                let space = self.mmu.space_mut(found.index).filter(|_| there);
                if !space.is_some_and(|space| space.write(found, value)) {
                    bus.violation("the register cannot be written");
                }
            }
        }
    }

    fn space_command(&mut self, bus: &mut Bus, index: usize, value: u32) {
        if identity::AS_PRESENT >> index & 1 == 0 {
            bus.violation("there is no such address space");
        } else if self.power.ready(Domain::L2) == 0 {
            bus.violation("the MMU gets a command while the L2 is off");
        } else if let Some(space) = self.mmu.space_mut(index) {
            space.command(bus, value);
        }
    }

    fn end_reset(&mut self, bus: &mut Bus) {
        if self.resetting.is_some_and(|done| done <= bus.now()) {
            self.restart();
            bus.state("the GPU was reset");
            self.gpu.raise(bus, events::gpu::RESET_COMPLETED);
        }
    }

    fn end_flush(&mut self, bus: &mut Bus) {
        if self.flushing.take_if(|done| *done <= bus.now()).is_some() {
            // Zero is not a valid count.
            self.flushes = self.flushes.wrapping_add(1).max(1);
            self.gpu.raise(bus, events::gpu::CLEAN_CACHES_COMPLETED);
        }
    }
}

impl Gpu for Mali {
    type Fault = Fault;
    const FAULTS: &'static [&'static str] = &[
        "stuck-reset",
        "slow-reset",
        "stuck-power",
        "stuck-mmu",
        "stuck-mcu",
        "silent-boot",
        "silent-mcu",
        "slow-boot",
        "corrupt-firmware",
    ];

    fn function(&self) -> Function {
        let bar = |index, size| Bar { index, size, wide: false, prefetchable: false };
        Function {
            vendor: identity::VENDOR,
            device: identity::DEVICE,
            revision: 0,
            class: identity::CLASS,
            subsystem: (identity::VENDOR, identity::DEVICE),
            bars: vec![bar(REGISTERS, mali_regs::SIZE as u64), bar(VECTORS, 4096)],
            interrupts: Interrupts::MsiX { vectors: 3, bar: VECTORS },
            client_page: Some(Page { bar: REGISTERS, offset: doorbell::LATEST_FLUSH_ID.offset as u64 }),
        }
    }

    fn register(&self, bar: u8, offset: u64) -> Option<Cow<'static, str>> {
        let found = usize::try_from(offset).ok().filter(|_| bar == REGISTERS).and_then(find)?;
        Some(found.to_string().into())
    }

    fn read(&mut self, bus: &mut Bus, access: Access) -> u64 {
        let offset = access.offset as usize;
        let found = find(offset).filter(|_| access.bar == REGISTERS && access.width == Width::Four);
        let Some(found) = found else {
            bus.violation("there is no register of 32 bits");
            return 0;
        };
        let Some(value) = self.value(bus, found, offset) else {
            bus.violation("the register cannot be read");
            return 0;
        };
        value.into()
    }

    fn write(&mut self, bus: &mut Bus, access: Access, value: u64) {
        let (offset, value) = (access.offset as usize, value as u32);
        let found = find(offset).filter(|_| access.bar == REGISTERS && access.width == Width::Four);
        let Some(found) = found else { return bus.violation("there is no register of 32 bits") };
        if [&mut self.gpu, &mut self.job, &mut self.mmu.irq].into_iter().any(|irq| irq.write(bus, offset, value)) {
            return;
        }
        // The next driver does not know about a reset that hangs, and may try another.
        let tries_again = self.hangs && *found.register == gpu::GPU_COMMAND && is_reset(value);
        if self.is_resetting() && !tries_again {
            return bus.violation("the register is written while the GPU is being reset");
        }
        self.set(bus, found, value);
    }

    fn reset(&mut self, _: &mut Bus) {
        self.restart();
        self.gpu.reset();
    }

    fn fault(&mut self, _: &mut Bus, fault: &Fault) {
        match fault {
            Fault::StuckReset {} => self.reset_stuck = true,
            Fault::SlowReset { seconds: takes } => self.reset_takes = Some(seconds(*takes)),
            Fault::StuckPower {} => self.power.stuck = true,
            Fault::StuckMmu {} => self.mmu.stuck = true,
            Fault::StuckMcu {} => self.mcu.faults.stuck = true,
            Fault::SilentBoot {} => self.mcu.faults.silent_boot = true,
            Fault::SilentMcu {} => self.mcu.faults.silent = true,
            Fault::SlowBoot { seconds: takes } => self.mcu.faults.boot = Some(seconds(*takes)),
            Fault::CorruptFirmware { section, offset } => self.mcu.faults.flip(*section, *offset),
        }
    }

    fn repair(&mut self, bus: &mut Bus) {
        let mut mcu = std::mem::replace(&mut self.mcu, Mcu::new());
        mcu.repair();
        *self = Self { mcu, ..Self::new(bus.now()) };
    }

    fn due(&self) -> Option<Instant> {
        let due = [self.resetting, self.flushing, self.power.due(), self.mmu.due(), self.mcu.due()];
        due.into_iter().flatten().min()
    }

    fn tick(&mut self, bus: &mut Bus) {
        self.end_reset(bus);
        self.end_flush(bus);
        let (changed, settled) = self.power.tick(bus);
        if changed {
            let all = if settled { events::gpu::POWER_CHANGED_ALL } else { 0 };
            self.gpu.raise(bus, events::gpu::POWER_CHANGED | all);
        }
        let changed = self.mmu.tick(bus);
        let (mcu, mut chip) = self.mcu(bus);
        if changed {
            mcu.wake(&mut chip);
        }
        mcu.tick(&mut chip);
    }

    fn query(&mut self, bus: &mut Bus, question: &Value) -> Result<Value, String> {
        match Question::deserialize(question).map_err(|error| error.to_string())? {
            Question::Load { space, va, length } => query::load(&mut self.mmu, bus, space, va, length),
            Question::Words { space, va } => query::words(&mut self.mmu, bus, space, &va),
            Question::Sync { space, va, wide } => query::sync(&mut self.mmu, bus, space, va, wide),
            Question::Walk { space, va } => query::tables_at(&self.mmu, bus, space, va),
            Question::Mappings { space, from, to } => query::mappings(&self.mmu, bus, space, from, to),
            Question::Runs { space, va, length } => query::runs(&mut self.mmu, bus, space, va, length),
            Question::Tables { space } => query::tables(&self.mmu, bus, space),
            Question::Spaces => Ok(query::spaces(&self.mmu)),
            Question::Access { space, va, access, length, bytes } => {
                query::access(&mut self.mmu, bus, space, va, access, length, bytes)
            }
            Question::Mcu => Ok(self.mcu.describe()),
        }
    }
}

#[cfg(test)]
mod tests;
