// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A group slot, in which a group of streams runs.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The most streams of a group.
pub const MAX_STREAMS: u32 = 32;

/// The fewest streams of a group.
pub const MIN_STREAMS: u32 = 8;

/// The control block, whose place [`crate::group_control`] returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Control {
    /// Optional features.
    pub features: u32,
    /// Address of [`Input`].
    pub input_va: u32,
    /// Address of [`Output`].
    pub output_va: u32,
    /// Bytes of the buffer that a suspended group needs.
    pub suspend_size: u32,
    /// Bytes of the buffer that a group suspended in protected mode needs.
    pub protm_suspend_size: u32,
    /// The number of stream slots.
    pub stream_num: u32,
    /// Bytes from one stream's control block to the next.
    pub stream_stride: u32,
}

/// The block that the driver writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Input {
    /// Requests: [`req`].
    pub req: u32,
    /// The requests whose acknowledgement interrupts.
    pub ack_irq_mask: u32,
    /// Requests to check streams, a bit for each.
    pub doorbell_req: u32,
    /// Acknowledgements of [`Output::cs_irq_req`].
    pub cs_irq_ack: u32,
    /// Unused.
    pub reserved1: [u32; 4],
    /// Shader cores that may do compute work.
    pub allow_compute: u64,
    /// Shader cores that may do fragment work.
    pub allow_fragment: u64,
    /// Tilers that may be used.
    pub allow_other: u32,
    /// [`EndpointRequest`], before [`crate::Version::WIDE_ENDPOINT_REQUEST`].
    pub endpoint_req: u32,
    /// [`EndpointRequest`], from that version on.
    pub endpoint_req2: u64,
    /// Address of the buffer for the suspended group.
    pub suspend_buf: u64,
    /// Address of the buffer for the group suspended in protected mode.
    pub protm_suspend_buf: u64,
    /// The address space.
    pub config: u32,
    /// The configuration of iterator traces.
    pub iter_trace_config: u32,
}

/// The block that the firmware writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Output {
    /// Acknowledgements of [`Input::req`].
    pub ack: u32,
    /// Unused.
    pub reserved1: u32,
    /// Acknowledgements of [`Input::doorbell_req`].
    pub doorbell_ack: u32,
    /// Streams that have events to report.
    pub cs_irq_req: u32,
    /// Endpoints that the group has.
    pub status_endpoint_current: u32,
    /// Endpoints that the group requested.
    pub status_endpoint_req: u32,
    /// [`STATUS_IDLE`].
    pub status_state: u32,
    /// Streams that wait for resources.
    pub resource_dep: u32,
}

/// Bit of [`Output::status_state`]: the group is idle.
pub const STATUS_IDLE: u32 = 1 << 0;

/// Bits of [`Input::req`] and [`Output::ack`].
pub mod req {
    /// State: one of [`super::state`].
    pub const STATE: u32 = 7;
    /// Apply the endpoint request.
    pub const ENDPOINT_CONFIG: u32 = 1 << 4;
    /// Write the status words.
    pub const STATUS_UPDATE: u32 = 1 << 5;
    /// Event: a sync object changed.
    pub const SYNC_UPDATE: u32 = 1 << 28;
    /// Event: the group is idle.
    pub const IDLE: u32 = 1 << 29;
    /// Event: a doorbell was rung for a group that does not run.
    pub const DOORBELL: u32 = 1 << 30;
    /// Event: no progress for too long.
    pub const PROGRESS_TIMER_EVENT: u32 = 1 << 31;

    /// The bits by which the driver makes requests.
    pub const REQUESTS: u32 = STATE | ENDPOINT_CONFIG | STATUS_UPDATE;
    /// The bits by which the firmware reports events.
    pub const EVENTS: u32 = SYNC_UPDATE | IDLE | PROGRESS_TIMER_EVENT;

    /// Each bit with its name, for messages.
    pub const NAMES: &[(u32, &str)] = &[
        (STATE, "STATE"),
        (ENDPOINT_CONFIG, "ENDPOINT_CONFIG"),
        (STATUS_UPDATE, "STATUS_UPDATE"),
        (SYNC_UPDATE, "SYNC_UPDATE"),
        (IDLE, "IDLE"),
        (DOORBELL, "DOORBELL"),
        (PROGRESS_TIMER_EVENT, "PROGRESS_TIMER_EVENT"),
    ];
}

/// Values of [`req::STATE`].
pub mod state {
    /// End the group.
    pub const TERMINATE: u32 = 0;
    /// Start the group.
    pub const START: u32 = 1;
    /// Suspend the group and save its state.
    pub const SUSPEND: u32 = 2;
    /// Continue with the saved state.
    pub const RESUME: u32 = 3;
}

/// The resources that a group requests to run on: the lower 32 bits of its endpoint request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndpointRequest {
    /// Shader cores for compute work, at most 255.
    pub compute: u8,
    /// Shader cores for fragment work, at most 255.
    pub fragment: u8,
    /// Tilers, at most 15.
    pub tiler: u8,
    /// Compute work needs its cores exclusively.
    pub exclusive_compute: bool,
    /// Fragment work needs its cores exclusively.
    pub exclusive_fragment: bool,
    /// Priority, 0 (lowest) to 15.
    pub priority: u8,
}

impl EndpointRequest {
    /// Returns the word. A tiler count or priority that does not fit is truncated to its field.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.compute as u32
            | (self.fragment as u32) << 8
            | (self.tiler as u32 & 0xf) << 16
            | (self.exclusive_compute as u32) << 20
            | (self.exclusive_fragment as u32) << 21
            | (self.priority as u32 & 0xf) << 28
    }

    /// Returns the request that a word contains.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self {
            compute: bits as u8,
            fragment: (bits >> 8) as u8,
            tiler: (bits >> 16) as u8 & 0xf,
            exclusive_compute: bits >> 20 & 1 != 0,
            exclusive_fragment: bits >> 21 & 1 != 0,
            priority: (bits >> 28) as u8,
        }
    }
}

#[cfg(test)]
mod tests {
    use core::mem::{offset_of, size_of};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fields_are_at_the_firmwares_offsets() {
        assert_eq!((size_of::<Control>(), offset_of!(Control, stream_stride)), (28, 24));
        assert_eq!((offset_of!(Input, allow_compute), offset_of!(Input, endpoint_req)), (0x20, 0x34));
        assert_eq!((offset_of!(Input, suspend_buf), offset_of!(Input, config)), (0x40, 0x50));
        assert_eq!((size_of::<Input>(), size_of::<Output>()), (0x58, 0x20));
    }

    proptest! {
        #[test]
        fn an_endpoint_request_keeps_its_fields(bits: u32) {
            prop_assert_eq!(EndpointRequest::from_bits(bits).bits(), bits & 0xf03f_ffff);
        }
    }
}
