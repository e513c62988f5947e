// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A stream slot: a ring buffer, its doorbell, and the position in the ring.
//!
//! Command streams are not executed yet. Rings, their offsets and doorbells are checked, and a ring that is not empty
//! is reported as a violation, so that silence is not mistaken for executed work. An implementation of command streams
//! begins at [`Stream::run`], which is called whenever there may be something new or a condition may be fulfilled. An
//! access that fails ends the stream or makes it wait, as in [`Stream::advance`].
//!
//! Source: `drivers/gpu/drm/panthor/panthor_sched.c` of Linux 7.3 (`cs_slot_prog_locked`, `prepare_job_instrs`).

use std::mem::offset_of;

use csf_iface::Handshake;
use csf_iface::stream::{Input, Output, RingInput, RingOutput, blocked, req};
use mali_mmu::{Access, PAGE_SIZE};
use mali_regs::{doorbell, exception};
use serde_json::{Value, json};
use zerocopy::FromZeros;
use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::layout;
use crate::mali::chip::{Chip, names};
use crate::mali::mmu::Stop;
use crate::mali::space::Fault;

/// Bytes of an instruction.
const INSTRUCTION: u64 = 8;

/// A stream slot.
#[derive(Debug)]
pub(super) struct Stream {
    group: u32,
    index: u32,
    ring: Option<Ring>,
    /// The stream's position when its group was suspended.
    saved: Option<u64>,
    /// An access to the group's memory waits for the driver.
    waits: bool,
    /// Events that the driver has not acknowledged.
    events: u32,
}

/// The ring buffer of a running stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ring {
    base: u64,
    size: u64,
    input: u64,
    output: u64,
    doorbell: usize,
    /// The total number of bytes taken out.
    extract: u64,
    /// The total number of bytes put in, at the last check.
    insert: u64,
}

/// The part of a stream that a suspended group saves.
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub(super) struct Saved {
    /// Whether the stream ran.
    runs: u64,
    extract: u64,
}

impl Stream {
    pub(super) fn new(group: u32, index: u32) -> Self {
        Self { group, index, ring: None, saved: None, waits: false, events: 0 }
    }

    /// Whether its ring is not empty.
    pub(super) fn is_busy(&self) -> bool {
        self.ring.is_some_and(|ring| ring.insert != ring.extract)
    }

    /// Whether a doorbell is this stream's.
    pub(super) fn has_doorbell(&self, number: usize) -> bool {
        self.ring.is_some_and(|ring| ring.doorbell == number)
    }

    /// Whether the stream waits until the driver changes the group's address space.
    pub(super) fn waits(&self) -> bool {
        self.waits
    }

    /// Empties the slot.
    pub(super) fn end(&mut self) {
        (self.ring, self.saved, self.waits) = (None, None, false);
    }

    /// Checks the stream's requests. Returns whether the driver is to be notified. `space` is the group's, if the group
    /// runs.
    pub(super) fn handle_requests(
        &mut self,
        chip: &mut Chip<'_>,
        place: &layout::Stream,
        space: Option<usize>,
    ) -> Result<bool, Stop> {
        let input: Input = chip.block(place.input)?;
        let output: Output = chip.block(place.output)?;
        let words = Handshake { request: input.req, acknowledge: output.ack };
        let unknown = words.pending(!(req::REQUESTS | req::EVENTS));
        if unknown != 0 {
            self.violation(chip, &format!("request {}: there is no such request", names(unknown, req::NAMES)));
        }
        let early = words.pending(req::EVENTS) & !self.events;
        if early != 0 {
            self.violation(chip, &format!("event {} is acknowledged and did not happen", names(early, req::NAMES)));
        }
        self.events &= words.pending(req::EVENTS);
        let mut done = words.pending(req::REQUESTS & !req::STATE);
        if words.pending(req::STATE) != 0 && self.change(chip, &input, space)? {
            done |= req::STATE;
        }
        if done != 0 {
            chip.set_word(place.output, offset_of!(Output, ack), words.ack(done))?;
        }
        let notify = match space {
            Some(space) => self.advance(chip, place, space)?,
            None => false,
        };
        Ok(notify || done & input.ack_irq_mask != 0)
    }

    /// Starts or stops the stream. Returns whether that was possible.
    fn change(&mut self, chip: &mut Chip<'_>, input: &Input, space: Option<usize>) -> Result<bool, Stop> {
        if input.req & req::STATE != req::START {
            let text = if self.ring.take().is_some() { "stopped" } else { "asked to stop, and does not run" };
            chip.bus.state(format!("stream {}.{} is {text}", self.group, self.index));
            return Ok(true);
        }
        let Some(space) = space else {
            self.violation(chip, "it is started while its group does not run");
            return Ok(false);
        };
        let Some(ring) = self.ring_of(chip, input, space)? else { return Ok(false) };
        let text =
            format!("ring {:#x}..{:#x}, doorbell {}", ring.base, ring.base.wrapping_add(ring.size), ring.doorbell);
        chip.bus.state(format!("stream {}.{} runs: {text}", self.group, self.index));
        self.ring = Some(ring);
        Ok(true)
    }

    /// Returns the ring that the driver describes, if it makes sense.
    fn ring_of(&mut self, chip: &mut Chip<'_>, input: &Input, space: usize) -> Result<Option<Ring>, Stop> {
        let size = u64::from(input.ringbuf_size);
        let number = (input.config >> 8 & 0xff) as usize;
        let parts = [
            ("ringbuf_base", input.ringbuf_base, size, PAGE_SIZE, Access::Read),
            ("ringbuf_input", input.ringbuf_input, size_of::<RingInput>() as u64, 8, Access::Read),
            ("ringbuf_output", input.ringbuf_output, size_of::<RingOutput>() as u64, 8, Access::Write),
        ];
        let mut wrong = Vec::new();
        if !size.is_power_of_two() || size < PAGE_SIZE {
            wrong.push(format!("ringbuf_size {size:#x} is no power of two, or less than a page"));
        }
        if number >= doorbell::COUNT || number == doorbell::GLOBAL {
            wrong.push(format!("config {:#x}: there is no doorbell {number} for a stream", input.config));
        }
        for (name, va, size, align, access) in parts {
            if va % align != 0 {
                wrong.push(format!("{name} {va:#x} is not aligned to {align:#x}"));
            } else if let Err(fault) = chip.mmu.check(chip.bus, space, va, size as usize, access) {
                wrong.push(format!("{name} {va:#x} of {size:#x} bytes: {fault}"));
            }
        }
        for text in &wrong {
            self.violation(chip, text);
        }
        if !wrong.is_empty() {
            return Ok(None);
        }
        let offsets: RingInput = read(chip, space, input.ringbuf_input)?;
        let extract = self.saved.take().unwrap_or(offsets.extract);
        Ok(Some(Ring {
            base: input.ringbuf_base,
            size,
            input: input.ringbuf_input,
            output: input.ringbuf_output,
            doorbell: number,
            extract,
            insert: extract,
        }))
    }

    /// Checks for work. Returns whether the driver is to be notified: an access to the group's memory that faults ends
    /// the stream, but not the firmware.
    pub(super) fn advance(&mut self, chip: &mut Chip<'_>, place: &layout::Stream, space: usize) -> Result<bool, Stop> {
        let Some(mut ring) = self.ring else { return Ok(false) };
        let done = self.run(chip, &mut ring, space);
        self.ring = Some(ring);
        self.waits = matches!(done, Err(Stop::Stalled(_)));
        match done {
            Ok(()) => Ok(false),
            Err(Stop::Stalled(stall)) => {
                chip.bus.state(format!("stream {}.{} waits: {}", self.group, self.index, stall.text()));
                Ok(false)
            }
            Err(Stop::Fault(fault)) => self.die(chip, place, fault),
        }
    }

    /// Executes the content of the ring: this is where streams will be executed. An error leaves the ring so that it
    /// can be retried.
    fn run(&self, chip: &mut Chip<'_>, ring: &mut Ring, space: usize) -> Result<(), Stop> {
        let offsets: RingInput = read(chip, space, ring.input)?;
        let waiting = offsets.insert.wrapping_sub(ring.extract);
        let output = [ring.extract.to_le_bytes(), u64::from(waiting != 0).to_le_bytes()].concat();
        chip.mmu.write(chip.bus, space, ring.output, &output)?;
        let new = std::mem::replace(&mut ring.insert, offsets.insert) != offsets.insert;
        if new && (waiting > ring.size || waiting % INSTRUCTION != 0) {
            let text = format!("insert {:#x} and extract {:#x} do not fit the ring", ring.insert, ring.extract);
            self.violation(chip, &text);
        } else if new && waiting != 0 {
            self.violation(chip, &format!("{waiting} bytes are to be executed, and that is not modelled"));
        }
        Ok(())
    }

    /// Ends the stream because of a fault. Returns whether the driver has enabled this event.
    fn die(&mut self, chip: &mut Chip<'_>, place: &layout::Stream, fault: Fault) -> Result<bool, Stop> {
        chip.bus.state(format!("stream {}.{} has ended: {fault}", self.group, self.index));
        self.ring = None;
        chip.set_word(place.output, offset_of!(Output, fatal), exception::CS_BUS_FAULT)?;
        chip.write(u64::from(place.output) + offset_of!(Output, fatal_info) as u64, &fault.address.to_le_bytes())?;
        let words = chip.handshake(place.input, place.output)?;
        chip.set_word(place.output, offset_of!(Output, ack), words.notify(req::FATAL))?;
        self.events |= req::FATAL;
        let mask = chip.word(place.input + offset_of!(Input, ack_irq_mask) as u32)?;
        Ok(mask & req::FATAL != 0)
    }

    /// Returns what is saved while the group is suspended.
    pub(super) fn save(&self, chip: &mut Chip<'_>, place: &layout::Stream, _space: usize) -> Result<Saved, Stop> {
        self.update_status(chip, place)?;
        Ok(self.ring.map_or_else(Saved::default, |ring| Saved { runs: 1, extract: ring.extract }))
    }

    /// Restores what was saved. The driver starts the stream again.
    pub(super) fn restore(&mut self, saved: Saved) {
        self.saved = (saved.runs != 0).then_some(saved.extract);
    }

    /// Writes the status words.
    pub(super) fn update_status(&self, chip: &mut Chip<'_>, place: &layout::Stream) -> Result<(), Stop> {
        let at = self.ring.map_or(0, |ring| ring.base.wrapping_add(ring.extract % ring.size));
        chip.set_word(place.output, offset_of!(Output, status_cmd_ptr), at as u32)?;
        chip.set_word(place.output, offset_of!(Output, status_cmd_ptr) + 4, (at >> 32) as u32)?;
        chip.set_word(place.output, offset_of!(Output, status_blocked_reason), blocked::UNBLOCKED)
    }

    fn violation(&self, chip: &mut Chip<'_>, text: &str) {
        chip.bus.violation(format!("stream {}.{}: {text}", self.group, self.index));
    }

    /// Describes the state for tests.
    pub(super) fn describe(&self) -> Value {
        let Some(ring) = self.ring else { return Value::Null };
        json!({ "ring": ring.base, "size": ring.size, "doorbell": ring.doorbell, "insert": ring.insert, "extract": ring.extract })
    }
}

/// Reads the driver's offsets.
fn read(chip: &mut Chip<'_>, space: usize, va: u64) -> Result<RingInput, Stop> {
    let mut offsets = RingInput::new_zeroed();
    chip.mmu.read(chip.bus, space, va, zerocopy::IntoBytes::as_mut_bytes(&mut offsets))?;
    Ok(offsets)
}
