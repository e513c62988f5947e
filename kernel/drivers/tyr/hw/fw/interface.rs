// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The firmware's interface: what it reports, and the requests to it.
//!
//! Driver and firmware read and write the same memory. The driver does not trust the firmware: it
//! checks that each block lies in the shared section, and that each count is possible.
//!
//! Source: `crates/csf-iface`.

use super::mcu;
use crate::{
    buffer::Object,
    hw::{
        event::Waited,
        gpu::Gpu, //
    },
};
use core::mem::offset_of;
use csf_iface::{
    global::{
        self,
        req,
        Timer, //
    },
    group,
    group_control,
    stream,
    stream_control,
    Handshake,
    Shared,
    Version, //
};
use drm::gem::VMap;
use kernel::{
    io::poll::read_poll_timeout,
    prelude::*,
    time::Delta, //
};
use mali_regs::{
    doorbell,
    irq::job, //
};

/// The time that the firmware may take to acknowledge, in milliseconds.
const TIMEOUT_MS: u32 = 1000;

/// The time in microseconds after which idle cores are powered off.
const POWER_OFF_AFTER: u32 = 10_000;
/// The cycles, in units of 1024, after which a stream without progress is reported.
const PROGRESS_AFTER: u32 = 5 * 500 * 1024;

/// The registers of a stream that the driver keeps for itself when it calls a client's stream.
const UNPRESERVED_REGISTERS: u32 = 4;

/// The number of priorities. Each group has its own priority.
const MAX_PRIORITIES: u32 = 16;

/// The shared section, as seen by both sides.
#[derive(Clone, Copy)]
pub(super) struct Memory<'a> {
    pub(super) map: &'a VMap<Object>,
    pub(super) place: Shared,
}

impl Memory<'_> {
    /// Reads the word at `field` of the block at `block`.
    fn word(&self, block: usize, field: usize) -> Result<u32> {
        self.map.read_word(block + field)
    }

    fn set(&self, block: usize, field: usize, word: u32) -> Result {
        self.map.write_word(block + field, word)
    }

    /// Returns the offset of a control block of `T`, if all of it is in the section.
    fn control<T>(&self, offset: u64) -> Result<usize> {
        self.place.check(offset, size_of::<T>()).ok_or(EINVAL)
    }

    /// Returns the offset of a block of `T` from the address that the firmware reports.
    fn block<T>(&self, va: u32) -> Result<usize> {
        self.place.offset_of(va, size_of::<T>()).ok_or(EINVAL)
    }
}

/// The interface that the firmware reports.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interface {
    pub(crate) version: Version,
    pub(crate) features: u32,
    pub(crate) instr_features: u32,
    groups: u32,
    /// The number of streams of each group.
    streams: u32,
    stream_features: u32,
    input: usize,
    output: usize,
}

/// The part of the interface that a client can query.
pub(crate) struct Slots {
    pub(crate) groups: u32,
    pub(crate) streams: u32,
    pub(crate) registers: u32,
    pub(crate) scoreboards: u32,
    pub(crate) unpreserved_registers: u32,
}

impl Interface {
    /// Reads the interface, after the firmware has booted.
    ///
    /// # Errors
    ///
    /// Fails with `EIO` if the firmware did not start after all, with `EINVAL` if it reports
    /// impossible values, and with `ENODEV` if the GPU does not respond. A line in the log says so.
    pub(super) fn read(gpu: &Gpu<'_>, memory: Memory<'_>) -> Result<Self> {
        let version = Version(memory.word(0, offset_of!(global::Control, version))?);
        // A GPU that is gone has written the interface not at all, or in part.
        let or_gone = |error| if gpu.regs.is_gone() { ENODEV } else { error };
        if version.0 == 0 {
            let status = gpu.regs.read(mali_regs::mcu::MCU_STATUS);
            return Err(gpu.log_error(
                or_gone(EIO),
                format_args!(
                    "the firmware has booted and says no version: MCU_STATUS = {status:#x}"
                ),
            ));
        }
        Self::try_read(memory, version).map_err(|(what, value)| {
            gpu.log_error(
                or_gone(EINVAL),
                format_args!("the firmware's interface is not one: {what} = {value:#x}"),
            )
        })
    }

    /// Reads the interface. Fails with the name of an impossible value, and the value.
    fn try_read(memory: Memory<'_>, version: Version) -> Result<Self, (&'static str, u32)> {
        let word = |field| memory.word(0, field).map_err(|_| ("GLB_CONTROL", 0));
        let input = word(offset_of!(global::Control, input_va))?;
        let output = word(offset_of!(global::Control, output_va))?;
        let groups = word(offset_of!(global::Control, group_num))?;
        let stride = word(offset_of!(global::Control, group_stride))?;
        let instr_features = if version >= Version::INSTRUMENTATION {
            word(offset_of!(global::Control, instr_features))?
        } else {
            0
        };
        if !(global::MIN_GROUPS..=global::MAX_GROUPS).contains(&groups) {
            return Err(("GLB_GROUP_NUM", groups));
        }
        let first = Group::read(memory, group_control(0, stride))?;
        for index in 1..groups {
            let group = Group::read(memory, group_control(index, stride))?;
            if group != first {
                return Err(("a group that differs from the first", index));
            }
        }
        Ok(Self {
            version,
            features: word(offset_of!(global::Control, features))?,
            instr_features,
            groups,
            streams: first.streams,
            stream_features: first.stream_features,
            input: memory
                .block::<global::Input>(input)
                .map_err(|_| ("GLB_INPUT_VA", input))?,
            output: memory
                .block::<global::Output>(output)
                .map_err(|_| ("GLB_OUTPUT_VA", output))?,
        })
    }

    /// Returns whether the firmware reported the same interface again.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self == other
    }

    /// Returns the part of the interface for clients.
    pub(crate) fn slots(&self) -> Slots {
        let features = stream::Features::from_bits(self.stream_features);
        Slots {
            groups: self.groups.min(MAX_PRIORITIES),
            streams: self.streams,
            registers: features.registers.into(),
            scoreboards: features.scoreboards.into(),
            unpreserved_registers: UNPRESERVED_REGISTERS,
        }
    }

    fn handshake(&self, memory: Memory<'_>) -> Result<Handshake> {
        Ok(Handshake {
            request: memory.word(self.input, offset_of!(global::Input, req))?,
            acknowledge: memory.word(self.output, offset_of!(global::Output, ack))?,
        })
    }

    /// Configures the cores that the firmware may use, and its timeouts.
    ///
    /// # Errors
    ///
    /// Fails with `ETIMEDOUT` if the firmware does not acknowledge, and with `ENODEV` if the GPU
    /// does not respond. A line in the log says so.
    pub(super) fn configure(&self, gpu: &Gpu<'_>, memory: Memory<'_>, hertz: u32) -> Result {
        const REQUESTS: u32 = req::CFG_ALLOC_EN | req::CFG_POWEROFF_TIMER | req::CFG_PROGRESS_TIMER;
        // Enables the cycle counter, for clients' queries. Idle events stay disabled, because
        // nothing ever runs.
        const STATES: u32 = req::COUNTER_EN;
        let timer = |micros| Timer::new(micros, hertz, Timer::GPU_CYCLES).0;
        let cores = gpu.info.shader_present;
        let core_mask = offset_of!(global::Input, core_en_mask);
        let settings = [
            (core_mask, cores as u32),
            (core_mask + 4, (cores >> 32) as u32),
            (
                offset_of!(global::Input, poweroff_timer),
                timer(POWER_OFF_AFTER),
            ),
            (offset_of!(global::Input, progress_timer), PROGRESS_AFTER),
            (
                offset_of!(global::Input, ack_irq_mask),
                REQUESTS | req::PING | self.state_mask(),
            ),
        ];
        for (field, word) in settings {
            memory.set(self.input, field, word)?;
        }
        let now = self.handshake(memory)?;
        let request = Handshake {
            request: now.toggle(REQUESTS),
            ..now
        };
        let request = request.set(STATES, STATES);
        memory.set(self.input, offset_of!(global::Input, req), request)?;
        self.ring_and_wait(gpu, memory, REQUESTS, "its configuration")
    }

    /// Checks that the firmware is alive.
    ///
    /// # Errors
    ///
    /// Fails with the errors of [`configure`](Self::configure).
    pub(super) fn ping(&self, gpu: &Gpu<'_>, memory: Memory<'_>) -> Result {
        let request = self.handshake(memory)?.toggle(req::PING);
        memory.set(self.input, offset_of!(global::Input, req), request)?;
        self.ring_and_wait(gpu, memory, req::PING, "a ping")
    }

    /// Requests the firmware to halt, and waits until it has. Failures are only logged, because the
    /// microcontroller is stopped in any case.
    pub(super) fn halt(&self, gpu: &Gpu<'_>, memory: Memory<'_>) {
        let sent = self.handshake(memory).and_then(|now| {
            let request = if self.has_state() {
                now.set(global::state::HALT, req::STATE)
            } else {
                now.set(req::HALT, req::HALT)
            };
            memory.set(self.input, offset_of!(global::Input, req), request)
        });
        if sent.is_ok() {
            gpu.regs
                .write_at(doorbell::DOORBELL, doorbell::GLOBAL, doorbell::RING);
            let _ = mcu::wait_until_halted(gpu);
        }
    }

    fn has_state(&self) -> bool {
        self.version >= Version::GLOBAL_STATE
    }

    fn state_mask(&self) -> u32 {
        if self.has_state() {
            req::STATE
        } else {
            0
        }
    }

    /// Rings the doorbell, and waits until `requests` is no longer pending.
    fn ring_and_wait(
        &self,
        gpu: &Gpu<'_>,
        memory: Memory<'_>,
        requests: u32,
        what: &str,
    ) -> Result {
        gpu.job_events.clear(job::GLOBAL);
        gpu.regs
            .write_at(doorbell::DOORBELL, doorbell::GLOBAL, doorbell::RING);
        let mut more = Delta::ZERO;
        // The firmware may acknowledge each request with an interrupt of its own.
        for _ in 0..=requests.count_ones() {
            if self.handshake(memory)?.pending(requests) == 0 {
                return Ok(());
            }
            match gpu.job_events.wait(job::GLOBAL, TIMEOUT_MS) {
                Waited::Reported => gpu.job_events.clear(job::GLOBAL),
                Waited::TimedOut => break,
                Waited::Interrupted => {
                    more = Delta::from_millis(TIMEOUT_MS.into());
                    break;
                }
            }
        }
        let acknowledged = read_poll_timeout(
            || self.handshake(memory),
            |now| now.pending(requests) == 0,
            Delta::from_micros(100),
            more,
        );
        if acknowledged.is_ok() {
            gpu.kick(&gpu.job_line);
            return Ok(());
        }
        let now = self.handshake(memory)?;
        let error = if gpu.regs.is_gone() {
            ENODEV
        } else {
            ETIMEDOUT
        };
        let status = gpu.regs.read(mali_regs::mcu::MCU_STATUS);
        Err(gpu.log_error(
            error,
            format_args!(
                "the firmware does not acknowledge {what}: GLB_REQ = {:#x}, GLB_ACK = {:#x}, MCU_STATUS = {status:#x}",
                now.request, now.acknowledge
            ),
        ))
    }
}

/// The properties that a group slot reports. All slots must report the same.
#[derive(PartialEq, Eq)]
struct Group {
    features: u32,
    suspend_size: u32,
    protm_suspend_size: u32,
    streams: u32,
    stream_features: u32,
}

impl Group {
    fn read(memory: Memory<'_>, at: u64) -> Result<Self, (&'static str, u32)> {
        let control = memory
            .control::<group::Control>(at)
            .map_err(|_| ("the place of a group", at as u32))?;
        let word = |field| {
            memory
                .word(control, field)
                .map_err(|_| ("the place of a group", at as u32))
        };
        let input = word(offset_of!(group::Control, input_va))?;
        let output = word(offset_of!(group::Control, output_va))?;
        let streams = word(offset_of!(group::Control, stream_num))?;
        let stride = word(offset_of!(group::Control, stream_stride))?;
        memory
            .block::<group::Input>(input)
            .map_err(|_| ("GROUP_INPUT_VA", input))?;
        memory
            .block::<group::Output>(output)
            .map_err(|_| ("GROUP_OUTPUT_VA", output))?;
        if !(group::MIN_STREAMS..=group::MAX_STREAMS).contains(&streams) {
            return Err(("GROUP_STREAM_NUM", streams));
        }
        let first = stream_features(memory, stream_control(at, 0, stride))?;
        for index in 1..streams {
            if stream_features(memory, stream_control(at, index, stride))? != first {
                return Err(("a stream that differs from the first", index));
            }
        }
        Ok(Self {
            features: word(offset_of!(group::Control, features))?,
            suspend_size: word(offset_of!(group::Control, suspend_size))?,
            protm_suspend_size: word(offset_of!(group::Control, protm_suspend_size))?,
            streams,
            stream_features: first,
        })
    }
}

/// Returns the features of the stream slot at `at`, after checking that its blocks lie in the
/// section.
fn stream_features(memory: Memory<'_>, at: u64) -> Result<u32, (&'static str, u32)> {
    let control = memory
        .control::<stream::Control>(at)
        .map_err(|_| ("the place of a stream", at as u32))?;
    let word = |field| {
        memory
            .word(control, field)
            .map_err(|_| ("the place of a stream", at as u32))
    };
    let input = word(offset_of!(stream::Control, input_va))?;
    let output = word(offset_of!(stream::Control, output_va))?;
    memory
        .block::<stream::Input>(input)
        .map_err(|_| ("STREAM_INPUT_VA", input))?;
    memory
        .block::<stream::Output>(output)
        .map_err(|_| ("STREAM_OUTPUT_VA", output))?;
    word(offset_of!(stream::Control, features))
}
