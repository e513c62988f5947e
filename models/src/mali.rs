// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A Mali-G610 behind PCI: BAR0 is the register block of the SoC, and MSI-X has a vector each for GPU, JOB and MMU.
//!
//! Modelled: identity, interrupts, resets, power, cache flushes, and the MMU with walks of the driver's tables. Not modelled
//! yet: the microcontroller; switching it on is told as a violation.
//!
//! Source: Linux 7.3, `drivers/gpu/drm/panthor`; registers are those of the crate `mali-regs`, tables those of `mali-mmu`.

mod identity;
mod irq;
mod mmu;
mod power;

use std::borrow::Cow;
use std::time::{Duration, Instant};

use mali_mmu::Access as Use;
use mali_regs::gpu::{self, Command};
use mali_regs::mmu::{AS_COMMAND, MAX_ADDRESS_SPACES};
use mali_regs::power::Domain;
use mali_regs::{Found, doorbell, exception, find, irq as events, mcu};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::bus::Bus;
use crate::gpu::{Access, Bar, Function, Gpu, Interrupts, Width};
use irq::Irq;
use mmu::AddressSpace;
use power::Power;

/// The BAR of the registers.
const REGISTERS: u8 = 0;
/// The BAR of MSI-X.
const VECTORS: u8 = 2;

const RESET_TAKES: Duration = Duration::from_micros(500);
const FLUSH_TAKES: Duration = Duration::from_micros(50);

/// The most that a question may ask for at once.
const MOST_BYTES: usize = 1 << 20;

/// A Mali-G610.
#[derive(Debug)]
pub struct Mali {
    gpu: Irq,
    job: Irq,
    mmu: Irq,
    power: Power,
    spaces: [AddressSpace; MAX_ADDRESS_SPACES],
    coherency: u32,
    l2_config: u32,
    timestamp_offset: u64,
    started: Instant,
    resetting: Option<Instant>,
    flushing: Option<Instant>,
    flushes: u32,
    /// A fault: resets never end.
    reset_stuck: bool,
}

/// Faults of this GPU.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fault {
    /// A reset that begins does not end.
    StuckReset {},
    /// Cores that shall change their power do not.
    StuckPower {},
}

/// A question of a test.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Question {
    /// What an address space has at an address.
    Load { space: usize, va: u64, length: usize },
}

impl Mali {
    /// A GPU that is just plugged in.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            gpu: Irq::new(events::GPU, 0),
            job: Irq::new(events::JOB, 1),
            mmu: Irq::new(events::MMU, 2),
            power: Power::default(),
            spaces: Default::default(),
            coherency: gpu::coherency::NONE,
            l2_config: 0,
            timestamp_offset: 0,
            started: now,
            resetting: None,
            flushing: None,
            flushes: 1,
            reset_stuck: false,
        }
    }

    fn status(&self) -> u32 {
        let active = self.flushing.is_some() || self.resetting.is_some();
        let power = if self.power.due().is_some() { gpu::status::POWER_ACTIVE } else { 0 };
        power | if active { gpu::status::ACTIVE } else { 0 }
    }

    fn command(&mut self, bus: &mut Bus, value: u32) {
        match Command::from_bits(value) {
            None => bus.violation("there is no such command of the GPU"),
            Some(Command::Nop | Command::ClearFault) => {}
            Some(Command::SoftReset | Command::HardReset) => {
                bus.state("the GPU is being reset");
                self.resetting = (!self.reset_stuck).then(|| bus.after(RESET_TAKES));
            }
            Some(Command::FlushCaches { .. }) if self.flushing.is_some() => {
                bus.violation("caches are flushed while a flush is at work");
            }
            Some(Command::FlushCaches { .. }) => self.flushing = Some(bus.after(FLUSH_TAKES)),
        }
    }

    /// The state after a reset; what it interrupts with stays as it is.
    fn restart(&mut self) {
        self.power.reset();
        self.spaces = Default::default();
        self.coherency = gpu::coherency::NONE;
        self.l2_config = 0;
        self.flushing = None;
        self.resetting = None;
        self.gpu.clear();
        self.job.reset();
        self.mmu.reset();
    }

    /// The half of a register of the GPU control block.
    fn control(&self, bus: &Bus, found: Found) -> Option<u32> {
        let nanos = bus.now().saturating_duration_since(self.started).as_nanos() as u64;
        let whole = match found.register {
            register if *register == gpu::GPU_STATUS => self.status().into(),
            register if *register == gpu::COHERENCY_ENABLE => self.coherency.into(),
            register if *register == gpu::L2_CONFIG => self.l2_config.into(),
            register if *register == gpu::TIMESTAMP_OFFSET => self.timestamp_offset,
            // The system's counter runs at 24 MHz, as that of the board.
            register if *register == gpu::TIMESTAMP => (nanos / 125 * 3).wrapping_add(self.timestamp_offset),
            register if *register == gpu::CYCLE_COUNT => nanos,
            register if *register == gpu::GPU_FAULTSTATUS || *register == gpu::GPU_FAULTADDRESS => 0,
            register if *register == gpu::GPU_FEATURES => 0,
            register if *register == doorbell::LATEST_FLUSH_ID => self.flushes.into(),
            register if *register == mcu::MCU_STATUS || *register == mcu::MCU_CONTROL => 0,
            _ => return None,
        };
        Some(if found.upper { (whole >> 32) as u32 } else { whole as u32 })
    }

    fn value(&self, bus: &Bus, found: Found, offset: usize) -> Option<u32> {
        let base = found.register.at(found.index);
        let power = self.power.read(base).map(|all| if found.upper { (all >> 32) as u32 } else { all as u32 });
        let irqs = [&self.gpu, &self.job, &self.mmu].into_iter().find_map(|irq| irq.read(offset));
        let space = self.spaces.get(found.index).and_then(|space| space.read(found));
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
            register if *register == mcu::MCU_CONTROL => {
                if value != mcu::Control::Disable.bits() {
                    bus.violation("the microcontroller is not modelled yet");
                }
            }
            register if *register == doorbell::DOORBELL => bus.violation("the microcontroller does not run"),
            register if *register == AS_COMMAND => self.space_command(bus, found.index, value),
            _ if self.power.write(bus, base, half) => {}
            _ => {
                let there = identity::AS_PRESENT >> found.index & 1 != 0;
                let space = self.spaces.get_mut(found.index).filter(|_| there);
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
        } else {
            self.spaces[index].command(bus, value);
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
            // Zero is no count.
            self.flushes = self.flushes.wrapping_add(1).max(1);
            self.gpu.raise(bus, events::gpu::CLEAN_CACHES_COMPLETED);
        }
    }

    fn load(&self, bus: &mut Bus, space: usize, va: u64, length: usize) -> Result<Value, String> {
        let length = Some(length).filter(|length| *length <= MOST_BYTES).ok_or("too many bytes are asked for")?;
        let space = self.spaces.get(space).ok_or("there is no such address space")?;
        va.checked_add(length as u64).ok_or("the range wraps around")?;
        let mut data = vec![0; length];
        match space.load(bus, va, &mut data, Use::Read) {
            Ok(()) => Ok(json!({ "bytes": data })),
            Err(fault) => Ok(json!({ "fault": exception::name(fault.exception), "va": fault.address })),
        }
    }
}

impl Gpu for Mali {
    type Fault = Fault;
    const FAULTS: &'static [&'static str] = &["stuck-reset", "stuck-power"];

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
        if [&mut self.gpu, &mut self.job, &mut self.mmu].into_iter().any(|irq| irq.write(bus, offset, value)) {
            return;
        }
        if self.resetting.is_some() {
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
            Fault::StuckPower {} => self.power.stuck = true,
        }
    }

    fn repair(&mut self, bus: &mut Bus) {
        *self = Self::new(bus.now());
    }

    fn due(&self) -> Option<Instant> {
        let spaces = self.spaces.iter().filter_map(AddressSpace::due);
        [self.resetting, self.flushing, self.power.due()].into_iter().flatten().chain(spaces).min()
    }

    fn tick(&mut self, bus: &mut Bus) {
        self.end_reset(bus);
        self.end_flush(bus);
        let (changed, settled) = self.power.tick(bus);
        if changed {
            let all = if settled { events::gpu::POWER_CHANGED_ALL } else { 0 };
            self.gpu.raise(bus, events::gpu::POWER_CHANGED | all);
        }
        for index in 0..self.spaces.len() {
            if self.spaces[index].tick(bus) {
                self.mmu.raise(bus, events::mmu::completed(index as u32));
            }
        }
    }

    fn query(&mut self, bus: &mut Bus, question: &Value) -> Result<Value, String> {
        match Question::deserialize(question).map_err(|error| error.to_string())? {
            Question::Load { space, va, length } => self.load(bus, space, va, length),
        }
    }
}

#[cfg(test)]
mod tests;
