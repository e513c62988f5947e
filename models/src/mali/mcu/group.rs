// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A group slot: its state, the resources of the group, and the buffer of a suspended group.
//!
//! Source: `drivers/gpu/drm/panthor/panthor_sched.c` of Linux 7.3.

use std::mem::offset_of;

use csf_iface::group::{EndpointRequest, Input, Output, STATUS_IDLE, req, state};
use csf_iface::{Handshake, Version};
use mali_mmu::Access;
use mali_regs::power::Domain;
use serde_json::{Value, json};
use zerocopy::{FromZeros, IntoBytes};
use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::layout::{self, PROTM_SUSPEND_SIZE, SUSPEND_SIZE};
use super::stream::{Saved, Stream};
use crate::mali::chip::{Chip, SPACE, names};
use crate::mali::mmu::Stop;
use crate::mali::power::present;

/// The bits of the address space in [`Input::config`].
const SPACE_BITS: u32 = 0xf;

/// The word at the start of a suspended group's buffer. The rest of the buffer is the firmware's own.
const SAVED: u32 = 0x6475_7331;
/// The most streams of a group.
const MOST_STREAMS: usize = csf_iface::group::MAX_STREAMS as usize;

/// A group slot.
#[derive(Debug)]
pub(super) struct Group {
    slot: u32,
    version: Version,
    phase: Phase,
    /// The resources on which the group may run.
    endpoints: Option<EndpointRequest>,
    streams: Vec<Stream>,
    /// Events that the driver has not acknowledged.
    events: u32,
    /// Invalid bits that were reported.
    reported: u32,
    /// Whether the driver knows that the group is idle.
    idle: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// There is no group.
    Empty,
    /// The group runs, in this address space.
    Running(usize),
    /// The group is suspended.
    Suspended,
}

/// The start of a suspend buffer.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
struct Buffer {
    magic: u32,
    space: u32,
    endpoints: u32,
    reserved: u32,
    streams: [Saved; MOST_STREAMS],
}

impl Group {
    pub(super) fn new(slot: u32, version: Version, place: &layout::Group) -> Self {
        let streams = (0..).zip(&place.streams).map(|(index, _)| Stream::new(slot, index)).collect();
        Self { slot, version, phase: Phase::Empty, endpoints: None, streams, events: 0, reported: 0, idle: false }
    }

    /// Whether there is a group that runs.
    pub(super) fn is_running(&self) -> bool {
        matches!(self.phase, Phase::Running(_))
    }

    /// Whether the group has work.
    pub(super) fn is_busy(&self) -> bool {
        self.is_running() && self.streams.iter().any(Stream::is_busy)
    }

    /// Rings a doorbell. Returns whether it is one of this group's streams.
    pub(super) fn ring(&mut self, chip: &mut Chip<'_>, place: &layout::Group, number: usize) -> Result<bool, Stop> {
        self.run_streams(chip, place, |stream| stream.has_doorbell(number))
    }

    /// Lets streams check again for what they wait for.
    pub(super) fn wake(&mut self, chip: &mut Chip<'_>, place: &layout::Group) -> Result<(), Stop> {
        self.run_streams(chip, place, Stream::waits).map(drop)
    }

    /// Whether streams of this group wait for the driver.
    pub(super) fn waits(&self) -> bool {
        self.streams.iter().any(Stream::waits)
    }

    /// Checks the streams that `which` selects. Returns whether there are any.
    fn run_streams(
        &mut self,
        chip: &mut Chip<'_>,
        place: &layout::Group,
        which: impl Fn(&Stream) -> bool,
    ) -> Result<bool, Stop> {
        let Phase::Running(space) = self.phase else { return Ok(false) };
        let (mut notify, mut any) = (0, false);
        for (index, (stream, place)) in self.streams.iter_mut().zip(&place.streams).enumerate() {
            if which(stream) {
                any = true;
                notify |= u32::from(stream.advance(chip, place, space)?) << index;
            }
        }
        self.interrupt_streams(chip, place, notify)?;
        Ok(any)
    }

    /// Checks all requests of the group and of its streams.
    pub(super) fn handle_requests(
        &mut self,
        chip: &mut Chip<'_>,
        place: &layout::Group,
        cores: u64,
    ) -> Result<(), Stop> {
        let input: Input = chip.block(place.input)?;
        let output: Output = chip.block(place.output)?;
        let words = Handshake { request: input.req, acknowledge: output.ack };
        self.check(chip, words);
        self.events &= words.pending(req::EVENTS);
        let mut done = 0;
        if words.pending(req::ENDPOINT_CONFIG) != 0 {
            let wide = self.version >= Version::WIDE_ENDPOINT_REQUEST;
            let word = if wide { input.endpoint_req2 as u32 } else { input.endpoint_req };
            self.endpoints = Some(EndpointRequest::from_bits(word));
            done |= req::ENDPOINT_CONFIG;
        }
        if words.pending(req::STATE) != 0 && self.change(chip, place, &input, cores)? {
            done |= req::STATE;
        }
        let streams = Handshake { request: input.doorbell_req, acknowledge: output.doorbell_ack };
        self.doorbells(chip, place, streams)?;
        if words.pending(req::STATUS_UPDATE) != 0 {
            self.update_status(chip, place)?;
            done |= req::STATUS_UPDATE;
        }
        if done != 0 {
            chip.set_word(place.output, offset_of!(Output, ack), words.ack(done))?;
            chip.bus.state(format!("group {}: the firmware acknowledges {}", self.slot, names(done, req::NAMES)));
        }
        if done & input.ack_irq_mask != 0 {
            chip.interrupt_group(self.slot);
        }
        self.settle(chip, place, input.ack_irq_mask)
    }

    fn check(&mut self, chip: &mut Chip<'_>, words: Handshake) {
        let unknown = words.pending(!(req::REQUESTS | req::EVENTS | req::DOORBELL));
        let early = words.pending(req::EVENTS | req::DOORBELL) & !self.events;
        let new = (unknown | early) & !self.reported;
        self.reported = unknown | early;
        if new & unknown != 0 {
            let text = names(new & unknown, req::NAMES);
            chip.bus.violation(format!("group {} request {text}: there is no such request", self.slot));
        }
        if new & early != 0 {
            let text = names(new & early, req::NAMES);
            chip.bus.violation(format!("group {} event {text} is acknowledged and did not happen", self.slot));
        }
    }

    /// Changes the group's state. Returns whether that was possible.
    fn change(&mut self, chip: &mut Chip<'_>, place: &layout::Group, input: &Input, cores: u64) -> Result<bool, Stop> {
        let wanted = input.req & req::STATE;
        match (self.phase, wanted) {
            (_, state::TERMINATE) => self.end(chip),
            (Phase::Empty | Phase::Suspended, state::START | state::RESUME) => {
                let Some(space) = self.may_run(chip, input, cores) else { return Ok(false) };
                if wanted == state::RESUME && !self.restore(chip, input, space)? {
                    return Ok(false);
                }
                (self.phase, self.idle) = (Phase::Running(space), false);
                chip.bus.state(format!("group {} runs in address space {space}", self.slot));
            }
            (Phase::Running(space), state::SUSPEND) => self.save(chip, place, input, space)?,
            (phase, _) => {
                let slot = self.slot;
                chip.bus.violation(format!("group {slot} is asked for state {wanted} while it is {phase:?}"));
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn end(&mut self, chip: &mut Chip<'_>) {
        if self.phase != Phase::Empty {
            chip.bus.state(format!("group {} has ended", self.slot));
        }
        self.phase = Phase::Empty;
        self.endpoints = None;
        self.streams.iter_mut().for_each(Stream::end);
    }

    /// Returns the address space, if everything that the group needs is there. Missing things are reported.
    fn may_run(&self, chip: &mut Chip<'_>, input: &Input, cores: u64) -> Option<usize> {
        let space = (input.config & SPACE_BITS) as usize;
        let mut wrong = Vec::new();
        if input.config & !SPACE_BITS != 0 || chip.mmu.space(space).and_then(|space| space.in_force()).is_none() {
            wrong.push(format!("config {:#x} names no address space with tables", input.config));
        }
        match self.endpoints {
            None => wrong.push("nothing says what it may run on (ENDPOINT_CONFIG)".into()),
            Some(endpoints) => wrong.extend(beyond(&endpoints, input, cores)),
        }
        let buffers = [
            ("suspend_buf", input.suspend_buf, SUSPEND_SIZE),
            ("protm_suspend_buf", input.protm_suspend_buf, PROTM_SUSPEND_SIZE),
        ];
        for (name, va, size) in buffers {
            if let Err(fault) = chip.mmu.check(chip.bus, SPACE, va, size as usize, Access::Write) {
                wrong.push(format!("{name} {va:#x} of {size:#x} bytes: {fault}"));
            }
        }
        let right = wrong.is_empty();
        for text in wrong {
            chip.bus.violation(format!("group {}: {text}", self.slot));
        }
        right.then_some(space)
    }

    fn save(&mut self, chip: &mut Chip<'_>, place: &layout::Group, input: &Input, space: usize) -> Result<(), Stop> {
        let mut buffer = Buffer::new_zeroed();
        (buffer.magic, buffer.space) = (SAVED, space as u32);
        buffer.endpoints = self.endpoints.map_or(0, EndpointRequest::bits);
        for (saved, (stream, place)) in buffer.streams.iter_mut().zip(self.streams.iter().zip(&place.streams)) {
            *saved = stream.save(chip, place, space)?;
        }
        chip.write(input.suspend_buf, buffer.as_bytes())?;
        self.streams.iter_mut().for_each(Stream::end);
        self.phase = Phase::Suspended;
        chip.bus.state(format!("group {} is suspended to {:#x}", self.slot, input.suspend_buf));
        Ok(())
    }

    /// Restores the saved group. Returns whether that was possible.
    fn restore(&mut self, chip: &mut Chip<'_>, input: &Input, space: usize) -> Result<bool, Stop> {
        let mut buffer = Buffer::new_zeroed();
        chip.read(input.suspend_buf, buffer.as_mut_bytes())?;
        if buffer.magic != SAVED {
            let slot = self.slot;
            chip.bus.violation(format!("group {slot} is resumed from {:#x}, where none was saved", input.suspend_buf));
            return Ok(false);
        }
        chip.bus.state(format!("group {} goes on from {:#x}, in address space {space}", self.slot, input.suspend_buf));
        self.streams.iter_mut().zip(buffer.streams).for_each(|(stream, saved)| stream.restore(saved));
        Ok(true)
    }

    /// Checks the streams whose doorbell bits the driver has toggled.
    fn doorbells(&mut self, chip: &mut Chip<'_>, place: &layout::Group, rung: Handshake) -> Result<(), Stop> {
        let there = u32::MAX.checked_shr(32 - self.streams.len() as u32).unwrap_or_default();
        if rung.pending(!there) != 0 {
            chip.bus.violation(format!("group {}: doorbell_req {:#x}: no such streams", self.slot, rung.request));
        }
        if rung.pending(!0) == 0 {
            return Ok(());
        }
        let space = match self.phase {
            Phase::Running(space) => Some(space),
            _ => None,
        };
        let mut notify = 0;
        for (index, (stream, place)) in self.streams.iter_mut().zip(&place.streams).enumerate() {
            if rung.pending(1 << index) != 0 && stream.handle_requests(chip, place, space)? {
                notify |= 1 << index;
            }
        }
        chip.set_word(place.output, offset_of!(Output, doorbell_ack), rung.ack(!0))?;
        self.interrupt_streams(chip, place, notify)
    }

    /// Reports that streams have events.
    fn interrupt_streams(&self, chip: &mut Chip<'_>, place: &layout::Group, streams: u32) -> Result<(), Stop> {
        if streams == 0 {
            return Ok(());
        }
        let output: Output = chip.block(place.output)?;
        let input: Input = chip.block(place.input)?;
        let words = Handshake { request: output.cs_irq_req, acknowledge: input.cs_irq_ack };
        chip.set_word(place.output, offset_of!(Output, cs_irq_req), words.toggle(streams))?;
        chip.interrupt_group(self.slot);
        Ok(())
    }

    fn update_status(&self, chip: &mut Chip<'_>, place: &layout::Group) -> Result<(), Stop> {
        let endpoints = self.endpoints.map_or(0, EndpointRequest::bits);
        let current = if self.is_running() { endpoints } else { 0 };
        let idle = if self.is_busy() { 0 } else { STATUS_IDLE };
        let words = [
            (offset_of!(Output, status_endpoint_current), current),
            (offset_of!(Output, status_endpoint_req), endpoints),
            (offset_of!(Output, status_state), idle),
            (offset_of!(Output, resource_dep), 0),
        ];
        for (offset, word) in words {
            chip.set_word(place.output, offset, word)?;
        }
        let streams = self.streams.iter().zip(&place.streams);
        streams.into_iter().try_for_each(|(stream, place)| stream.update_status(chip, place))
    }

    /// Reports once when a running group becomes idle.
    fn settle(&mut self, chip: &mut Chip<'_>, place: &layout::Group, mask: u32) -> Result<(), Stop> {
        let idle = self.is_running() && !self.is_busy();
        if !idle || std::mem::replace(&mut self.idle, idle) {
            self.idle = idle;
            return Ok(());
        }
        let words = chip.handshake(place.input, place.output)?;
        chip.set_word(place.output, offset_of!(Output, status_state), STATUS_IDLE)?;
        chip.set_word(place.output, offset_of!(Output, ack), words.notify(req::IDLE))?;
        self.events |= req::IDLE;
        chip.bus.state(format!("group {}: the firmware tells IDLE", self.slot));
        if mask & req::IDLE != 0 {
            chip.interrupt_group(self.slot);
        }
        Ok(())
    }

    /// Describes the state for tests.
    pub(super) fn describe(&self) -> Value {
        let (phase, space) = match self.phase {
            Phase::Empty => ("empty", None),
            Phase::Running(space) => ("running", Some(space)),
            Phase::Suspended => ("suspended", None),
        };
        json!({ "state": phase, "space": space, "streams": self.streams.iter().map(Stream::describe).collect::<Vec<_>>() })
    }
}

/// Lists the resources that the group requests but that do not exist.
fn beyond(endpoints: &EndpointRequest, input: &Input, cores: u64) -> Vec<String> {
    let there = present(Domain::Shader);
    let masks = [
        ("allow_compute", input.allow_compute, there, cores, endpoints.compute),
        ("allow_fragment", input.allow_fragment, there, cores, endpoints.fragment),
        ("allow_other", input.allow_other.into(), present(Domain::Tiler), !0, endpoints.tiler),
    ];
    let check = |(name, mask, there, usable, wanted): (&str, u64, u64, u64, u8)| {
        let beyond = mask & !there;
        let usable = (mask & usable).count_ones();
        if beyond != 0 {
            return Some(format!("{name} {mask:#x}: {beyond:#x} are not there"));
        }
        let many = u32::from(wanted) > usable;
        many.then(|| format!("{wanted} endpoints are asked for, and {name} {mask:#x} has {usable}"))
    };
    masks.into_iter().filter_map(check).collect()
}
