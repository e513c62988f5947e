// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The places of the firmware's blocks in the shared section. The published firmware contains them: the section's data
//! are control blocks in which only the values of a running firmware are missing.
//!
//! Source: `arm/mali/arch10.8/mali_csffw.bin` of linux-firmware; `panthor_fw.c` of Linux 7.3 for the requirements of a
//! driver.

use csf_iface::{Shared, Version, global, group, group_control, stream, stream_control};
use zerocopy::{FromZeros, IntoBytes};

use crate::mali::chip::Chip;
use crate::mali::mmu::Stop;

/// The number of groups of the published firmware.
const GROUPS: u32 = 8;
/// The number of streams of each group.
const STREAMS: u32 = 8;
/// Bytes between groups' control blocks.
const GROUP_STRIDE: u32 = 0xa0;
/// Bytes between streams' control blocks.
const STREAM_STRIDE: u32 = 0xc;

/// The abilities of every stream: a Mali-G610 has 96 registers and 8 scoreboard entries.
const STREAM: stream::Features =
    stream::Features { registers: 96, scoreboards: 8, compute: true, fragment: true, tiler: true };

/// The size of a buffer for a suspended group. The real firmware reports its size only when it runs, so this one is our
/// own.
pub(super) const SUSPEND_SIZE: u32 = 0x2000;
/// The size of such a buffer in protected mode.
pub(super) const PROTM_SUSPEND_SIZE: u32 = 0x1000;

/// Addresses of all blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) shared: Shared,
    pub(super) input: u32,
    pub(super) output: u32,
    pub(super) groups: Vec<Group>,
    group_stride: u32,
    stream_stride: u32,
    instr_features: u32,
}

/// Addresses of a group's blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    control: u32,
    pub(super) input: u32,
    pub(super) output: u32,
    pub(super) streams: Vec<Stream>,
}

/// Addresses of a stream's blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stream {
    control: u32,
    pub(super) input: u32,
    pub(super) output: u32,
}

impl Layout {
    /// Returns the layout in the shared section, or else the published firmware's.
    pub(super) fn find(chip: &mut Chip<'_>, shared: Shared) -> Result<Self, Stop> {
        Ok(Self::read(chip, shared)?.unwrap_or_else(|| Self::published(shared)))
    }

    /// Returns the layout of the published firmware.
    fn published(shared: Shared) -> Self {
        let at = |offset: u32| shared.start.saturating_add(offset);
        let group = |index: u32| {
            let control = group_control(index, GROUP_STRIDE);
            let stream = |each: u32| {
                let number = index * STREAMS + each;
                let control = at(stream_control(control, each, STREAM_STRIDE) as u32);
                Stream { control, input: at(0x3400 + number * 0x80), output: at(0x7200 + number * 0x100) }
            };
            let (input, output) = (at(0x3000 + index * 0x80), at(0x7000 + index * 0x40));
            Group { control: at(control as u32), input, output, streams: (0..STREAMS).map(stream).collect() }
        };
        Self {
            shared,
            input: at(0x2000),
            output: at(0x6000),
            groups: (0..GROUPS).map(group).collect(),
            group_stride: GROUP_STRIDE,
            stream_stride: STREAM_STRIDE,
            instr_features: 0,
        }
    }

    /// Returns the layout in the section, if it is one that a driver would accept.
    fn read(chip: &mut Chip<'_>, shared: Shared) -> Result<Option<Self>, Stop> {
        let global: global::Control = chip.block(shared.start)?;
        let inside = |va, length| shared.offset_of(va, length).is_some();
        let blocks = inside(global.input_va, size_of::<global::Input>())
            && inside(global.output_va, size_of::<global::Output>());
        if !blocks || !(global::MIN_GROUPS..=global::MAX_GROUPS).contains(&global.group_num) {
            return Ok(None);
        }
        let mut layout = Self {
            shared,
            input: global.input_va,
            output: global.output_va,
            groups: Vec::new(),
            group_stride: global.group_stride,
            stream_stride: 0,
            instr_features: global.instr_features,
        };
        for index in 0..global.group_num {
            let Some(group) = layout.read_group(chip, index)? else { return Ok(None) };
            layout.groups.push(group);
        }
        Ok(Some(layout))
    }

    fn read_group(&mut self, chip: &mut Chip<'_>, index: u32) -> Result<Option<Group>, Stop> {
        let shared = self.shared;
        let offset = group_control(index, self.group_stride);
        let Some(at) = shared.check(offset, size_of::<group::Control>()) else { return Ok(None) };
        let at = shared.start + at as u32;
        let group: group::Control = chip.block(at)?;
        let inside = |va, length| shared.offset_of(va, length).is_some();
        let blocks =
            inside(group.input_va, size_of::<group::Input>()) && inside(group.output_va, size_of::<group::Output>());
        if !blocks || !(group::MIN_STREAMS..=group::MAX_STREAMS).contains(&group.stream_num) {
            return Ok(None);
        }
        self.stream_stride = group.stream_stride;
        let mut streams = Vec::new();
        for each in 0..group.stream_num {
            let offset = stream_control(offset, each, group.stream_stride);
            let Some(at) = shared.check(offset, size_of::<stream::Control>()) else { return Ok(None) };
            let control = shared.start + at as u32;
            let stream: stream::Control = chip.block(control)?;
            if !inside(stream.input_va, size_of::<stream::Input>())
                || !inside(stream.output_va, size_of::<stream::Output>())
            {
                return Ok(None);
            }
            streams.push(Stream { control, input: stream.input_va, output: stream.output_va });
        }
        Ok(Some(Group { control: at, input: group.input_va, output: group.output_va, streams }))
    }

    /// Fills in the control blocks, and clears the output blocks. Requests that exist already count as acknowledged.
    pub(super) fn write(&self, chip: &mut Chip<'_>, version: Version) -> Result<(), Stop> {
        for group in &self.groups {
            for stream in &group.streams {
                let control =
                    stream::Control { features: STREAM.bits(), input_va: stream.input, output_va: stream.output };
                chip.write(stream.control.into(), control.as_bytes())?;
                let mut output = stream::Output::new_zeroed();
                output.ack = chip.word(stream.input)?;
                chip.write(stream.output.into(), output.as_bytes())?;
            }
            self.write_group(chip, group)?;
        }
        let input: global::Input = chip.block(self.input)?;
        let mut output = global::Output::new_zeroed();
        (output.ack, output.doorbell_ack) = (input.req, input.doorbell_req);
        chip.write(self.output.into(), output.as_bytes())?;
        let control = global::Control {
            version: version.0,
            features: 0,
            input_va: self.input,
            output_va: self.output,
            group_num: self.groups.len() as u32,
            group_stride: self.group_stride,
            // Performance counters are not modelled.
            perfcnt_size: 0,
            instr_features: self.instr_features,
        };
        chip.write(self.shared.start.into(), control.as_bytes())
    }

    fn write_group(&self, chip: &mut Chip<'_>, group: &Group) -> Result<(), Stop> {
        let control = group::Control {
            features: 0,
            input_va: group.input,
            output_va: group.output,
            suspend_size: SUSPEND_SIZE,
            protm_suspend_size: PROTM_SUSPEND_SIZE,
            stream_num: group.streams.len() as u32,
            stream_stride: self.stream_stride,
        };
        chip.write(group.control.into(), control.as_bytes())?;
        let input: group::Input = chip.block(group.input)?;
        let mut output = group::Output::new_zeroed();
        (output.ack, output.doorbell_ack, output.cs_irq_req) = (input.req, input.doorbell_req, input.cs_irq_ack);
        chip.write(group.output.into(), output.as_bytes())
    }
}
