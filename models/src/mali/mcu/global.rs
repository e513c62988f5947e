// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The firmware as a whole: it checks requests when its doorbell is rung, acknowledges them, and reports events.
//!
//! Source: `drivers/gpu/drm/panthor/panthor_fw.c` and `panthor_fw.h` of Linux 7.3; the times are our own.

use std::mem::offset_of;
use std::time::{Duration, Instant};

use csf_iface::global::{Input, Output, Timer, req, state};
use csf_iface::{Handshake, Version};
use mali_regs::doorbell;
use mali_regs::power::Domain;
use serde_json::{Value, json};

use super::group::Group;
use super::layout::Layout;
use crate::mali::chip::{Chip, names};
use crate::mali::mmu::Stop;
use crate::mali::power::present;

/// The time until the firmware reacts to a doorbell.
const CHECK_TIME: Duration = Duration::from_micros(30);

/// Cycles of the system's counter in a second, as on the board.
const COUNTER_HERTZ: u32 = 24_000_000;
/// Cycles of the GPU in a second.
const GPU_HERTZ: u32 = 1_000_000_000;

/// Requests that only need an acknowledgement.
const PLAIN: u32 = req::PING | req::FWCFG_UPDATE | req::COUNTER_EN;
/// Requests that are not modelled, and not acknowledged.
const MISSING: u32 = req::PROTM_ENTER | req::PERFCNT_EN | req::PERFCNT_SAMPLE;

/// A running firmware.
#[derive(Debug)]
pub(super) struct Firmware {
    layout: Layout,
    version: Version,
    groups: Vec<Group>,
    /// When the firmware checks the rung doorbells.
    check_at: Option<Instant>,
    /// Doorbells that were rung since the last check, a bit for each.
    rung: u32,
    /// The request word at the last check.
    seen: u32,
    /// Events that the driver has not acknowledged.
    events: u32,
    /// Invalid bits that were reported.
    reported: u32,
    cores: u64,
    /// The time without work after which the driver is notified.
    idle_after: Option<Duration>,
    idle: Option<Instant>,
    power_off_after: Duration,
    power_off: Option<Instant>,
}

impl Firmware {
    /// Starts a firmware, which fills in its blocks.
    pub(super) fn start(chip: &mut Chip<'_>, layout: Layout, version: Version, warm: bool) -> Result<Self, Stop> {
        let seen = chip.word(layout.input)?;
        if warm && halts(version, seen) {
            chip.bus.violation("the MCU boots with the request to halt still there: it will not see another");
        }
        chip.bus.state(format!(
            "the firmware runs: interface {version}, {} groups of {} streams, shared section {:#x}..{:#x}, input at \
             {:#x}, output at {:#x}",
            layout.groups.len(),
            layout.groups.first().map_or(0, |group| group.streams.len()),
            layout.shared.start,
            layout.shared.start.saturating_add(layout.shared.size),
            layout.input,
            layout.output,
        ));
        let groups = (0..).zip(&layout.groups).map(|(slot, place)| Group::new(slot, version, place)).collect();
        let mut firmware = Self {
            layout,
            version,
            groups,
            check_at: None,
            rung: 0,
            seen,
            events: 0,
            reported: 0,
            cores: present(Domain::Shader),
            idle_after: None,
            idle: None,
            power_off_after: Duration::ZERO,
            power_off: None,
        };
        if seen & req::IDLE_EN != 0 {
            firmware.watch_idle(chip)?;
        }
        Ok(firmware)
    }

    /// Rings a doorbell: the firmware will check its requests.
    pub(super) fn ring(&mut self, chip: &mut Chip<'_>, number: usize) {
        self.rung |= 1 << number;
        self.check_at.get_or_insert(chip.bus.after(CHECK_TIME));
    }

    /// Lets streams check again for what they wait for.
    pub(super) fn wake(&mut self, chip: &mut Chip<'_>) {
        if self.groups.iter().any(Group::waits) {
            self.check_at.get_or_insert(chip.bus.now());
        }
    }

    /// Returns when something is due.
    pub(super) fn due(&self) -> Option<Instant> {
        [self.check_at, self.idle, self.power_off].into_iter().flatten().min()
    }

    /// Does what is due. Returns whether a halt was requested.
    pub(super) fn tick(&mut self, chip: &mut Chip<'_>) -> Result<bool, Stop> {
        let now = chip.bus.now();
        if self.check_at.is_some_and(|at| at <= now) {
            let was_busy = self.is_busy();
            let halt = self.rung & 1 << doorbell::GLOBAL != 0 && self.handle_requests(chip)?;
            self.rung &= !(1 << doorbell::GLOBAL);
            if halt {
                return Ok(true);
            }
            self.handle_streams(chip)?;
            self.check_at = None;
            if was_busy != self.is_busy() {
                self.update_idle(chip);
            }
        }
        if self.idle.is_some_and(|at| at <= now) {
            self.report(chip, req::IDLE)?;
            self.idle = None;
        }
        if self.power_off.take_if(|at| *at <= now).is_some() {
            for domain in [Domain::Shader, Domain::Tiler] {
                chip.power.request(chip.bus, domain, present(domain), false);
            }
        }
        Ok(false)
    }

    /// Checks streams whose doorbells were rung, and those that wait.
    fn handle_streams(&mut self, chip: &mut Chip<'_>) -> Result<(), Stop> {
        for number in (0..doorbell::COUNT).filter(|number| self.rung & 1 << number != 0) {
            let mut found = false;
            for (group, place) in self.groups.iter_mut().zip(&self.layout.groups) {
                found |= group.ring(chip, place, number)?;
            }
            if !found {
                chip.bus.state(format!("doorbell {number}: no stream that runs has it"));
            }
        }
        self.rung = 0;
        for (group, place) in self.groups.iter_mut().zip(&self.layout.groups) {
            group.wake(chip, place)?;
        }
        Ok(())
    }

    /// Checks all requests.
    fn handle_requests(&mut self, chip: &mut Chip<'_>) -> Result<bool, Stop> {
        let input: Input = chip.block(self.layout.input)?;
        let output: Output = chip.block(self.layout.output)?;
        let words = Handshake { request: input.req, acknowledge: output.ack };
        self.check(chip, words);
        self.events &= words.pending(req::EVENTS);
        let mut done = 0;
        for (bit, _) in req::NAMES.iter().filter(|(bit, _)| words.pending(*bit & req::REQUESTS) != 0) {
            if self.execute(chip, *bit, &input)? {
                done |= bit;
            }
        }
        self.doorbells(chip, &input, &output)?;
        let halt = halts(self.version, input.req) && !halts(self.version, self.seen);
        if halt {
            self.halt(chip, words, done)?;
        } else {
            self.acknowledge(chip, words, done, input.ack_irq_mask)?;
        }
        self.seen = input.req;
        Ok(halt)
    }

    /// Reports requests that no firmware would understand.
    fn check(&mut self, chip: &mut Chip<'_>, words: Handshake) {
        let state = if self.version >= Version::GLOBAL_STATE { req::STATE } else { 0 };
        let unknown = words.pending(!(req::REQUESTS | req::EVENTS | state));
        let early = words.pending(req::EVENTS) & !self.events;
        let missing = words.pending(MISSING);
        let new = (unknown | early | missing) & !self.reported;
        self.reported = unknown | early | missing;
        if new & unknown != 0 {
            let text = names(new & unknown, req::NAMES);
            chip.bus.violation(format!("global request {text}: there is no such request"));
        }
        if new & early != 0 {
            let text = names(new & early, req::NAMES);
            chip.bus.violation(format!("global event {text} is acknowledged and did not happen"));
        }
        if new & missing != 0 {
            chip.bus.violation(format!("global request {}: not modelled", names(new & missing, req::NAMES)));
        }
    }

    /// Executes a request. Returns whether it is to be acknowledged.
    fn execute(&mut self, chip: &mut Chip<'_>, bit: u32, input: &Input) -> Result<bool, Stop> {
        match bit {
            bit if bit & PLAIN != 0 => {}
            req::CFG_ALLOC_EN => self.set_cores(chip, input.core_en_mask),
            req::CFG_PROGRESS_TIMER => {
                chip.bus.state(format!("no progress is told after {} cycles", u64::from(input.progress_timer) << 10));
            }
            req::CFG_POWEROFF_TIMER => {
                self.power_off_after = time(input.poweroff_timer);
                chip.bus.state(format!("idle cores go off after {:?}", self.power_off_after));
            }
            req::IDLE_EN if input.req & req::IDLE_EN != 0 => self.watch_idle(chip)?,
            req::IDLE_EN => (self.idle_after, self.idle) = (None, None),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn set_cores(&mut self, chip: &mut Chip<'_>, cores: u64) {
        let beyond = cores & !present(Domain::Shader);
        if beyond != 0 {
            chip.bus.violation(format!("core_en_mask {cores:#x}: cores {beyond:#x} are not there"));
        }
        self.cores = cores & present(Domain::Shader);
    }

    fn watch_idle(&mut self, chip: &mut Chip<'_>) -> Result<(), Stop> {
        let input: Input = chip.block(self.layout.input)?;
        self.idle_after = Some(time(input.idle_timer));
        self.update_idle(chip);
        Ok(())
    }

    /// Whether any group has work.
    fn is_busy(&self) -> bool {
        self.groups.iter().any(Group::is_busy)
    }

    /// Starts or stops the idle timer when work ends or begins.
    fn update_idle(&mut self, chip: &mut Chip<'_>) {
        let busy = self.is_busy();
        let in_time = |takes: Duration| chip.bus.after(takes);
        self.idle = self.idle_after.filter(|_| !busy).map(in_time);
    }

    /// Checks the groups whose doorbell bits the driver has toggled.
    fn doorbells(&mut self, chip: &mut Chip<'_>, input: &Input, output: &Output) -> Result<(), Stop> {
        let rung = Handshake { request: input.doorbell_req, acknowledge: output.doorbell_ack };
        let there = u32::MAX.checked_shr(32 - self.groups.len() as u32).unwrap_or_default();
        if rung.pending(!there) != 0 && self.reported & !there == 0 {
            chip.bus.violation(format!("doorbell_req {:#x}: there are no such groups", input.doorbell_req));
        }
        if rung.pending(there) == 0 {
            return Ok(());
        }
        let cores = self.cores;
        for (slot, (group, place)) in self.groups.iter_mut().zip(&self.layout.groups).enumerate() {
            if rung.pending(1 << slot) != 0 {
                group.handle_requests(chip, place, cores)?;
            }
        }
        chip.set_word(self.layout.output, offset_of!(Output, doorbell_ack), rung.ack(there))?;
        self.power(chip);
        Ok(())
    }

    /// Powers cores on while there is a group.
    fn power(&mut self, chip: &mut Chip<'_>) {
        let used = self.groups.iter().any(Group::is_running);
        let on = chip.power.ready(Domain::Shader) != 0;
        match (used, on) {
            (true, false) => {
                chip.power.request(chip.bus, Domain::Shader, self.cores, true);
                chip.power.request(chip.bus, Domain::Tiler, present(Domain::Tiler), true);
            }
            (false, true) if self.power_off.is_none() => {
                self.power_off = Some(chip.bus.after(self.power_off_after));
            }
            _ => {}
        }
        if used {
            self.power_off = None;
        }
    }

    fn halt(&mut self, chip: &mut Chip<'_>, words: Handshake, done: u32) -> Result<(), Stop> {
        for slot in (0..self.groups.len()).filter(|slot| self.groups[*slot].is_running()) {
            chip.bus.violation(format!("the MCU is halted while group {slot} runs"));
        }
        chip.set_word(self.layout.output, offset_of!(Output, halt_status), csf_iface::global::halt_status::OK)?;
        let state = if self.version >= Version::GLOBAL_STATE { req::STATE } else { 0 };
        chip.set_word(self.layout.output, offset_of!(Output, ack), words.ack(done | state))
    }

    /// Acknowledges requests, and interrupts if the driver has enabled it.
    fn acknowledge(&mut self, chip: &mut Chip<'_>, words: Handshake, done: u32, mask: u32) -> Result<(), Stop> {
        if done == 0 {
            return Ok(());
        }
        chip.set_word(self.layout.output, offset_of!(Output, ack), words.ack(done))?;
        chip.bus.state(format!("the firmware acknowledges {}", names(done, req::NAMES)));
        if done & mask != 0 {
            chip.interrupt_global();
        }
        Ok(())
    }

    /// Reports an event to the driver, unless it has not acknowledged the last one of its kind.
    fn report(&mut self, chip: &mut Chip<'_>, event: u32) -> Result<(), Stop> {
        let words = chip.handshake(self.layout.input, self.layout.output)?;
        self.events &= words.pending(req::EVENTS);
        if self.events & event != 0 {
            return Ok(());
        }
        chip.set_word(self.layout.output, offset_of!(Output, ack), words.notify(event))?;
        self.events |= event;
        chip.bus.state(format!("the firmware tells {}", names(event, req::NAMES)));
        let mask = chip.word(self.layout.input + offset_of!(Input, ack_irq_mask) as u32)?;
        if mask & event != 0 {
            chip.interrupt_global();
        }
        Ok(())
    }

    /// Describes the state for tests.
    pub(super) fn describe(&self) -> Value {
        let groups: Vec<Value> = self.groups.iter().map(Group::describe).collect();
        json!({
            "version": self.version.to_string(),
            "shared": { "va": self.layout.shared.start, "size": self.layout.shared.size },
            "cores": self.cores,
            "idle_nanos": self.idle_after.map(|after| after.as_nanos() as u64),
            "groups": groups,
        })
    }
}

/// Whether the request word requests a halt.
fn halts(version: Version, request: u32) -> bool {
    let by_state = version >= Version::GLOBAL_STATE && request & req::STATE == state::HALT;
    by_state || version < Version::GLOBAL_STATE && request & req::HALT != 0
}

/// Returns the duration of a timer.
fn time(timer: u32) -> Duration {
    let hertz = if timer & Timer::GPU_CYCLES != 0 { GPU_HERTZ } else { COUNTER_HERTZ };
    let nanos = u128::from(Timer(timer).cycles()) * 1_000_000_000 / u128::from(hertz);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
