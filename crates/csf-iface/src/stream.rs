// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A stream slot, in which a command stream runs.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The control block, whose place [`crate::stream_control`] returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Control {
    /// The stream's abilities: [`Features`].
    pub features: u32,
    /// Address of [`Input`].
    pub input_va: u32,
    /// Address of [`Output`].
    pub output_va: u32,
}

/// The block that the driver writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Input {
    /// Requests: [`req`].
    pub req: u32,
    /// Priority in bits 0 to 3, the doorbell's number in bits 8 to 15.
    pub config: u32,
    /// Unused.
    pub reserved1: u32,
    /// The requests whose acknowledgement interrupts.
    pub ack_irq_mask: u32,
    /// Address of the ring buffer.
    pub ringbuf_base: u64,
    /// Size of the ring buffer in bytes.
    pub ringbuf_size: u32,
    /// Unused.
    pub reserved2: u32,
    /// Start of the tiler's heap.
    pub heap_start: u64,
    /// End of the tiler's heap.
    pub heap_end: u64,
    /// Address of [`RingInput`].
    pub ringbuf_input: u64,
    /// Address of [`RingOutput`].
    pub ringbuf_output: u64,
    /// The configuration of the instrumentation.
    pub instr_config: u32,
    /// Size of the instrumentation's buffer in bytes.
    pub instrbuf_size: u32,
    /// Address of the instrumentation's buffer.
    pub instrbuf_base: u64,
    /// Address of the offset in that buffer.
    pub instrbuf_offset_ptr: u64,
}

/// The block that the firmware writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Output {
    /// Acknowledgements of [`Input::req`].
    pub ack: u32,
    /// Unused.
    pub reserved1: [u32; 15],
    /// Address of the current instruction.
    pub status_cmd_ptr: u64,
    /// The condition that the stream waits for.
    pub status_wait: u32,
    /// Resources that the stream requested.
    pub status_req_resource: u32,
    /// The sync object that the stream waits for.
    pub status_wait_sync_ptr: u64,
    /// The value that the stream waits for, lower half.
    pub status_wait_sync_value: u32,
    /// Scoreboard entries in use.
    pub status_scoreboards: u32,
    /// The reason why the stream is blocked: [`blocked`].
    pub status_blocked_reason: u32,
    /// The value that the stream waits for, upper half.
    pub status_wait_sync_value_hi: u32,
    /// Unused.
    pub reserved2: [u32; 6],
    /// A fault after which the stream continued: type in bits 0 to 7, data above.
    pub fault: u32,
    /// A fault after which the stream did not continue.
    pub fatal: u32,
    /// More on the fault.
    pub fault_info: u64,
    /// More on the fatal fault.
    pub fatal_info: u64,
    /// Unused.
    pub reserved3: [u32; 10],
    /// Chunks of the heap: vertices and tiling that began.
    pub heap_vt_start: u32,
    /// Chunks of the heap: vertices and tiling that ended.
    pub heap_vt_end: u32,
    /// Unused.
    pub reserved4: u32,
    /// Chunks of the heap: fragments that ended.
    pub heap_frag_end: u32,
    /// The heap's context.
    pub heap_address: u64,
}

/// The driver's words beside a ring buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct RingInput {
    /// The total number of bytes put in.
    pub insert: u64,
    /// The offset at which the firmware begins to take out, when the stream starts.
    pub extract: u64,
}

/// The firmware's words beside a ring buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct RingOutput {
    /// The total number of bytes taken out.
    pub extract: u64,
    /// Whether the stream is at work.
    pub active: u32,
    /// Unused.
    pub reserved: u32,
}

/// Bits of [`Input::req`] and [`Output::ack`].
pub mod req {
    /// State: [`START`] or stop.
    pub const STATE: u32 = 7;
    /// The value of [`STATE`] with which a stream runs.
    pub const START: u32 = 1;
    /// State: report when work was taken out of the ring buffer.
    pub const EXTRACT_EVENT: u32 = 1 << 4;
    /// State: waiting for a sync object counts as idle.
    pub const IDLE_SYNC_WAIT: u32 = 1 << 8;
    /// State: waiting for protected mode counts as idle.
    pub const IDLE_PROTM_PENDING: u32 = 1 << 9;
    /// State: an empty ring buffer counts as idle.
    pub const IDLE_EMPTY: u32 = 1 << 10;
    /// State: waiting for resources counts as idle.
    pub const IDLE_RESOURCE_REQ: u32 = 1 << 11;
    /// Event: the tiler's heap is exhausted.
    pub const TILER_OOM: u32 = 1 << 26;
    /// Event: the stream needs protected mode.
    pub const PROTM_PENDING: u32 = 1 << 27;
    /// Event: a fault in [`super::Output::fatal`].
    pub const FATAL: u32 = 1 << 30;
    /// Event: a fault in [`super::Output::fault`].
    pub const FAULT: u32 = 1 << 31;

    /// The bits by which the driver makes requests.
    pub const REQUESTS: u32 =
        STATE | EXTRACT_EVENT | IDLE_SYNC_WAIT | IDLE_PROTM_PENDING | IDLE_EMPTY | IDLE_RESOURCE_REQ;
    /// The bits by which the firmware reports events.
    pub const EVENTS: u32 = TILER_OOM | PROTM_PENDING | FATAL | FAULT;

    /// Each bit with its name, for messages.
    pub const NAMES: &[(u32, &str)] = &[
        (STATE, "STATE"),
        (EXTRACT_EVENT, "EXTRACT_EVENT"),
        (IDLE_SYNC_WAIT, "IDLE_SYNC_WAIT"),
        (IDLE_PROTM_PENDING, "IDLE_PROTM_PENDING"),
        (IDLE_EMPTY, "IDLE_EMPTY"),
        (IDLE_RESOURCE_REQ, "IDLE_RESOURCE_REQ"),
        (TILER_OOM, "TILER_OOM"),
        (PROTM_PENDING, "PROTM_PENDING"),
        (FATAL, "FATAL"),
        (FAULT, "FAULT"),
    ];
}

/// Values of [`Output::status_blocked_reason`].
pub mod blocked {
    /// The stream is not blocked.
    pub const UNBLOCKED: u32 = 0;
    /// The stream waits for scoreboard entries.
    pub const SCOREBOARD_WAIT: u32 = 1;
    /// The stream waits for progress.
    pub const PROGRESS_WAIT: u32 = 2;
    /// The stream waits for a sync object.
    pub const SYNC_WAIT: u32 = 3;
    /// The stream waits for deferred instructions.
    pub const DEFERRED: u32 = 4;
    /// The stream waits for resources.
    pub const RESOURCE: u32 = 5;
    /// The stream waits for a flush.
    pub const FLUSH: u32 = 6;
}

/// The abilities of a stream: [`Control::features`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// Registers, 1 to 256.
    pub registers: u16,
    /// Scoreboard entries.
    pub scoreboards: u8,
    /// The stream runs compute work.
    pub compute: bool,
    /// The stream runs fragment work.
    pub fragment: bool,
    /// The stream runs the tiler.
    pub tiler: bool,
}

impl Features {
    /// Returns the word. It cannot express zero registers, which become one.
    #[must_use]
    pub const fn bits(self) -> u32 {
        (self.registers.saturating_sub(1) & 0xff) as u32
            | (self.scoreboards as u32) << 8
            | (self.compute as u32) << 16
            | (self.fragment as u32) << 17
            | (self.tiler as u32) << 18
    }

    /// Returns the features that a word contains.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self {
            registers: (bits & 0xff) as u16 + 1,
            scoreboards: (bits >> 8) as u8,
            compute: bits >> 16 & 1 != 0,
            fragment: bits >> 17 & 1 != 0,
            tiler: bits >> 18 & 1 != 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use core::mem::{offset_of, size_of};

    use proptest::prelude::*;
    use zerocopy::{FromBytes, IntoBytes};

    use super::*;

    #[test]
    fn fields_are_at_the_firmwares_offsets() {
        assert_eq!((size_of::<Control>(), size_of::<Input>(), size_of::<Output>()), (12, 0x58, 0xd8));
        assert_eq!((offset_of!(Input, ringbuf_input), offset_of!(Input, instr_config)), (0x30, 0x40));
        assert_eq!((offset_of!(Output, status_cmd_ptr), offset_of!(Output, fault)), (0x40, 0x80));
        assert_eq!((offset_of!(Output, heap_vt_start), offset_of!(Output, heap_address)), (0xc0, 0xd0));
        assert_eq!((size_of::<RingInput>(), offset_of!(RingOutput, active)), (16, 8));
    }

    #[test]
    fn blocks_are_their_bytes() {
        let control = Control { features: 1, input_va: 0x0400_3400, output_va: 0x0400_7200 };
        assert_eq!(Control::read_from_bytes(control.as_bytes()), Ok(control));
    }

    proptest! {
        #[test]
        fn features_keep_their_fields(bits: u32) {
            prop_assert_eq!(Features::from_bits(bits).bits(), bits & 0x7_ffff);
        }
    }
}
