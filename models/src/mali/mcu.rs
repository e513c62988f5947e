// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The microcontroller: it boots the firmware that the driver has loaded, and then acts as the firmware's side of the
//! interface. The firmware's code is read and compared, but not executed.
//!
//! ```text
//! container   checks that the loaded bytes are the firmware
//! layout      the places of the firmware's blocks
//! global      requests to the firmware as a whole
//! group       group slots: starting, suspending, resuming, ending
//! stream      stream slots: rings and doorbells; the place for an executor of command streams
//! ```
//!
//! Source: `drivers/gpu/drm/panthor/panthor_fw.c` and `panthor_sched.c` of Linux 7.3; the times are our own.

mod container;
mod global;
mod group;
mod layout;
mod stream;

use std::time::{Duration, Instant};

use csf_fw::SHARED_START;
use csf_iface::{Shared, Version};
use mali_mmu::{Access, PAGE_SIZE};
use mali_regs::mcu::{Control, Status};
use mali_regs::power::Domain;
use serde_json::{Value, json};

use super::chip::{Chip, SPACE};
use super::mmu::Stop;
use container::{Container, Flipped, Wrong};
use global::Firmware;
use layout::Layout;

/// The duration of a boot.
const BOOT_TAKES: Duration = Duration::from_millis(2);
/// The duration of a stop.
const STOP_TAKES: Duration = Duration::from_micros(20);

/// The interface of an unknown firmware: that of the published one for architecture 10.
const VERSION: Version = Version::new(1, 5, 0);

/// The largest size of the shared section, if only the tables determine it.
const SHARED_MOST: u32 = 1 << 20;

/// The microcontroller.
#[derive(Debug)]
pub(super) struct Mcu {
    /// The firmware that should have been loaded, if it is known.
    container: Option<Container>,
    control: Control,
    status: Status,
    state: State,
    /// The firmware halted, and expects to find its memory unchanged.
    halted: bool,
    /// Whether the missing container was reported.
    said: bool,
    /// An access waits for the driver: nothing happens before the driver changes its address space.
    waits: bool,
    pub(super) faults: Faults,
}

#[derive(Debug)]
enum State {
    Off,
    Boots(Instant),
    Runs(Box<Firmware>),
    Stops(Instant),
    /// The microcontroller does nothing any more.
    Dead,
}

/// Faults of the microcontroller.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    /// The microcontroller never reports that it has started.
    pub(super) silent_boot: bool,
    /// The microcontroller does not stop before the next reset.
    pub(super) stuck: bool,
    /// The microcontroller does not answer.
    pub(super) silent: bool,
    /// The duration of a boot.
    pub(super) boot: Option<Duration>,
    flipped: Option<Flipped>,
}

impl Faults {
    /// Makes a byte of the firmware differ from what was loaded.
    pub(super) fn flip(&mut self, section: usize, offset: u32) {
        self.flipped = Some(Flipped { section, offset });
    }
}

impl Mcu {
    pub(super) fn new() -> Self {
        Self {
            container: None,
            control: Control::Disable,
            status: Status::Disabled,
            state: State::Off,
            halted: false,
            said: false,
            waits: false,
            faults: Faults::default(),
        }
    }

    /// Sets the firmware that the driver should load.
    pub(super) fn expect(&mut self, file: Vec<u8>) -> Result<(), csf_fw::Error> {
        self.container = Some(Container::new(file)?);
        Ok(())
    }

    /// Restores the state after plugging in. The expected firmware stays.
    pub(super) fn repair(&mut self) {
        *self = Self { container: self.container.take(), ..Self::new() };
    }

    /// Resets the microcontroller with the GPU.
    pub(super) fn reset(&mut self) {
        (self.control, self.status, self.state, self.waits) = (Control::Disable, Status::Disabled, State::Off, false);
        self.faults.stuck = false;
    }

    pub(super) fn control(&self) -> u32 {
        self.control.bits()
    }

    pub(super) fn status(&self) -> u32 {
        self.status.bits()
    }

    /// Whether the microcontroller needs the L2.
    pub(super) fn is_on(&self) -> bool {
        self.status == Status::Enabled
    }

    /// Handles a write of `MCU_CONTROL`.
    pub(super) fn set_control(&mut self, chip: &mut Chip<'_>, value: u32) {
        let Some(control) = Control::from_bits(value) else {
            return chip.bus.violation("there is no such command of the MCU");
        };
        self.control = control;
        match (control, &self.state) {
            (Control::Disable, State::Off | State::Stops(_)) => {}
            (Control::Disable, _) => self.state = State::Stops(chip.bus.after(STOP_TAKES)),
            (Control::Enable | Control::Auto, State::Boots(_) | State::Runs(_)) => {}
            (Control::Enable | Control::Auto, _) if self.status == Status::Fatal => {
                chip.bus.violation("the MCU has ended with an error that only a reset cures");
            }
            (Control::Enable | Control::Auto, _) => self.switch_on(chip),
        }
    }

    fn switch_on(&mut self, chip: &mut Chip<'_>) {
        if chip.power.ready(Domain::L2) == 0 {
            return chip.bus.violation("the MCU is switched on while the L2 is off");
        }
        chip.bus.state(format!("the MCU boots ({:?})", self.control));
        let takes = self.faults.boot.map_or_else(|| chip.bus.after(BOOT_TAKES), |takes| chip.bus.now() + takes);
        self.state = State::Boots(takes);
        self.waits = false;
        self.set_status(chip, Status::Enabled);
    }

    /// Handles a doorbell.
    pub(super) fn ring(&mut self, chip: &mut Chip<'_>, number: usize) {
        match &mut self.state {
            _ if self.faults.silent => {}
            State::Runs(firmware) => firmware.ring(chip, number),
            State::Boots(_) => chip.bus.violation("a doorbell is rung while the MCU boots"),
            State::Dead if self.status == Status::Halted => {
                chip.bus.violation("a doorbell is rung while the MCU is halted");
            }
            // A driver may not know yet that the microcontroller is dead.
            State::Dead => {}
            State::Off | State::Stops(_) => chip.bus.violation("a doorbell is rung while the MCU is off"),
        }
    }

    /// Continues waiting accesses after the driver has changed an address space.
    pub(super) fn wake(&mut self, chip: &mut Chip<'_>) {
        self.waits = false;
        if let State::Runs(firmware) = &mut self.state {
            firmware.wake(chip);
        }
    }

    /// Returns when something is due.
    pub(super) fn due(&self) -> Option<Instant> {
        match &self.state {
            _ if self.waits => None,
            State::Stops(_) if self.faults.stuck => None,
            State::Boots(at) | State::Stops(at) => Some(*at),
            State::Runs(_) if self.faults.silent => None,
            State::Runs(firmware) => firmware.due(),
            State::Off | State::Dead => None,
        }
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, chip: &mut Chip<'_>) {
        if self.due().is_none_or(|due| due > chip.bus.now()) {
            return;
        }
        match &mut self.state {
            State::Boots(_) => self.boot(chip),
            State::Stops(_) => {
                chip.power.cut(chip.bus);
                self.state = State::Off;
                self.set_status(chip, Status::Disabled);
            }
            State::Runs(firmware) => {
                let done = firmware.tick(chip);
                self.settle(chip, done);
            }
            State::Off | State::Dead => {}
        }
    }

    /// Applies the result of the firmware's work: it halts, continues, or fails.
    fn settle(&mut self, chip: &mut Chip<'_>, done: Result<bool, Stop>) {
        match done {
            Ok(false) => {}
            Ok(true) => {
                chip.power.cut(chip.bus);
                self.state = State::Dead;
                self.halted = true;
                self.set_status(chip, Status::Halted);
            }
            Err(stop) => self.stop(chip, stop),
        }
    }

    fn stop(&mut self, chip: &mut Chip<'_>, stop: Stop) {
        match stop {
            Stop::Stalled(stall) => {
                chip.bus.state(format!("the MCU waits: {}", stall.text()));
                self.waits = true;
            }
            Stop::Fault(_) => self.die(chip),
        }
    }

    fn die(&mut self, chip: &mut Chip<'_>) {
        self.state = State::Dead;
        self.halted = false;
        self.set_status(chip, Status::Fatal);
    }

    fn set_status(&mut self, chip: &mut Chip<'_>, status: Status) {
        if self.status != status {
            self.status = status;
            chip.bus.state(format!("the MCU is {}", word(status)));
            chip.interrupt_status();
        }
    }

    fn boot(&mut self, chip: &mut Chip<'_>) {
        if self.faults.silent_boot || self.faults.silent {
            self.state = State::Dead;
            return;
        }
        let warm = std::mem::take(&mut self.halted);
        match self.start(chip, warm) {
            Ok(firmware) => self.state = State::Runs(Box::new(firmware)),
            Err(Wrong::Bytes) => self.die(chip),
            Err(Wrong::Stop(stop)) => {
                self.halted = warm;
                self.stop(chip, stop);
            }
        }
    }

    /// Boots: first the hardware's part, then the firmware's part.
    fn start(&mut self, chip: &mut Chip<'_>, warm: bool) -> Result<Firmware, Wrong> {
        let vectors: [u32; 2] = [chip.word(0)?, chip.word(4)?];
        // The lowest bit selects the instruction set, of which there is only one.
        chip.mmu.probe(chip.bus, SPACE, u64::from(vectors[1] & !1), 2, Access::Execute)?;
        match &self.container {
            Some(container) => container.check(chip, warm, self.faults.flipped)?,
            None => self.unchecked(chip)?,
        }
        let size = match &self.container {
            Some(container) => container.shared_size(),
            None => mapped(chip),
        };
        let known = self.container.as_ref().map(Container::version);
        let version = known.filter(|version| version.major() != 0).unwrap_or(VERSION);
        let layout = Layout::find(chip, Shared { start: SHARED_START, size })?;
        layout.write(chip, version)?;
        let firmware = Firmware::start(chip, layout, version, warm)?;
        chip.interrupt_global();
        Ok(firmware)
    }

    /// Boots without an expected firmware.
    fn unchecked(&mut self, chip: &mut Chip<'_>) -> Result<(), Wrong> {
        if !std::mem::replace(&mut self.said, true) {
            chip.bus.state("what is loaded is not compared: no container of firmware was given to the model");
        }
        if self.faults.flipped.is_some() {
            chip.bus.state("a byte of the firmware is corrupted");
            return Err(Wrong::Bytes);
        }
        Ok(())
    }

    /// Describes the state for tests.
    pub(super) fn describe(&self) -> Value {
        let firmware = match &self.state {
            State::Runs(firmware) => firmware.describe(),
            _ => Value::Null,
        };
        json!({ "status": word(self.status), "waits": self.waits, "firmware": firmware })
    }
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Disabled => "disabled",
        Status::Enabled => "enabled",
        Status::Halted => "halted",
        Status::Fatal => "dead",
    }
}

/// Returns how many bytes from the start of the shared section on are mapped writable.
fn mapped(chip: &mut Chip<'_>) -> u32 {
    let page = PAGE_SIZE as u32;
    let pages = (0..SHARED_MOST / page).take_while(|index| {
        chip.mmu.check(chip.bus, SPACE, (SHARED_START + index * page).into(), 1, Access::Write).is_ok()
    });
    pages.count() as u32 * page
}
