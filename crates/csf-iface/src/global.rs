// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The global interface: the firmware as a whole.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The most groups of an interface.
pub const MAX_GROUPS: u32 = 31;

/// The fewest groups of an interface.
pub const MIN_GROUPS: u32 = 3;

/// The control block, at the beginning of the shared section.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Control {
    /// [`crate::Version`]; 0 until the firmware has started.
    pub version: u32,
    /// Optional features.
    pub features: u32,
    /// Address of [`Input`].
    pub input_va: u32,
    /// Address of [`Output`].
    pub output_va: u32,
    /// The number of group slots.
    pub group_num: u32,
    /// Bytes from one group's control block to the next.
    pub group_stride: u32,
    /// Bytes of a sample of the performance counters.
    pub perfcnt_size: u32,
    /// Features of the instrumentation, from [`crate::Version::INSTRUMENTATION`] on.
    pub instr_features: u32,
}

/// The block that the driver writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Input {
    /// Requests: [`req`].
    pub req: u32,
    /// The requests whose acknowledgement interrupts.
    pub ack_irq_mask: u32,
    /// Requests to check groups, a bit for each.
    pub doorbell_req: u32,
    /// Unused.
    pub reserved1: u32,
    /// Cycles of the GPU, in units of 1024, after which the firmware reports a stream without progress.
    pub progress_timer: u32,
    /// [`Timer`] after which idle cores are powered off.
    pub poweroff_timer: u32,
    /// Shader cores that may be used.
    pub core_en_mask: u64,
    /// Unused.
    pub reserved2: u32,
    /// Address space of the performance counters' buffer.
    pub perfcnt_as: u32,
    /// The buffer's address.
    pub perfcnt_base: u64,
    /// The offset up to which the buffer was read.
    pub perfcnt_extract: u32,
    /// Unused.
    pub reserved3: [u32; 3],
    /// The configuration of sampling.
    pub perfcnt_config: u32,
    /// The groups whose counters are sampled.
    pub perfcnt_csg_select: u32,
    /// Counters of the firmware.
    pub perfcnt_fw_enable: u32,
    /// Counters of groups.
    pub perfcnt_csg_enable: u32,
    /// Counters of the frontend.
    pub perfcnt_csf_enable: u32,
    /// Counters of the shader cores.
    pub perfcnt_shader_enable: u32,
    /// Counters of the tiler.
    pub perfcnt_tiler_enable: u32,
    /// Counters of MMU and level 2 cache.
    pub perfcnt_mmu_l2_enable: u32,
    /// Unused.
    pub reserved4: [u32; 8],
    /// [`Timer`] after which the firmware reports that it is idle.
    pub idle_timer: u32,
    /// Unused.
    pub reserved5: u32,
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
    /// Unused.
    pub reserved2: u32,
    /// The reason for a halt: [`halt_status`].
    pub halt_status: u32,
    /// State of the performance counters.
    pub perfcnt_status: u32,
    /// The offset up to which the counters' buffer was written.
    pub perfcnt_insert: u32,
}

/// Bits of [`Input::req`] and [`Output::ack`].
pub mod req {
    /// State: halt. `MCU_STATUS` reports the halt; it is not acknowledged.
    pub const HALT: u32 = 1 << 0;
    /// Apply [`super::Input::progress_timer`].
    pub const CFG_PROGRESS_TIMER: u32 = 1 << 1;
    /// Apply [`super::Input::core_en_mask`].
    pub const CFG_ALLOC_EN: u32 = 1 << 2;
    /// Apply [`super::Input::poweroff_timer`].
    pub const CFG_POWEROFF_TIMER: u32 = 1 << 3;
    /// Enter protected mode.
    pub const PROTM_ENTER: u32 = 1 << 4;
    /// State: the performance counters are enabled.
    pub const PERFCNT_EN: u32 = 1 << 5;
    /// Take a sample of the counters.
    pub const PERFCNT_SAMPLE: u32 = 1 << 6;
    /// State: the cycle counter is enabled.
    pub const COUNTER_EN: u32 = 1 << 7;
    /// Acknowledge, to show that the firmware is alive.
    pub const PING: u32 = 1 << 8;
    /// Apply the settings.
    pub const FWCFG_UPDATE: u32 = 1 << 9;
    /// State: report when idle.
    pub const IDLE_EN: u32 = 1 << 10;
    /// State: one of [`super::state`], from [`crate::Version::GLOBAL_STATE`] on.
    pub const STATE: u32 = 7 << 12;
    /// Event: no compute work for a while.
    pub const INACTIVE_COMPUTE: u32 = 1 << 20;
    /// Event: no fragment work for a while.
    pub const INACTIVE_FRAGMENT: u32 = 1 << 21;
    /// Event: no tiler work for a while.
    pub const INACTIVE_TILER: u32 = 1 << 22;
    /// Event: protected mode ended.
    pub const PROTM_EXIT: u32 = 1 << 23;
    /// Event: the counters' buffer is filling up.
    pub const PERFCNT_THRESHOLD: u32 = 1 << 24;
    /// Event: the counters' buffer was full.
    pub const PERFCNT_OVERFLOW: u32 = 1 << 25;
    /// Event: the firmware is idle.
    pub const IDLE: u32 = 1 << 26;

    /// The bits by which the driver makes requests.
    pub const REQUESTS: u32 = (1 << 11) - 1;
    /// The bits by which the firmware reports events: here the firmware requests, and the driver acknowledges in
    /// [`super::Input::req`].
    pub const EVENTS: u32 = 0x7f << 20;

    /// Each bit with its name, for messages.
    pub const NAMES: &[(u32, &str)] = &[
        (HALT, "HALT"),
        (CFG_PROGRESS_TIMER, "CFG_PROGRESS_TIMER"),
        (CFG_ALLOC_EN, "CFG_ALLOC_EN"),
        (CFG_POWEROFF_TIMER, "CFG_POWEROFF_TIMER"),
        (PROTM_ENTER, "PROTM_ENTER"),
        (PERFCNT_EN, "PERFCNT_EN"),
        (PERFCNT_SAMPLE, "PERFCNT_SAMPLE"),
        (COUNTER_EN, "COUNTER_EN"),
        (PING, "PING"),
        (FWCFG_UPDATE, "FWCFG_UPDATE"),
        (IDLE_EN, "IDLE_EN"),
        (STATE, "STATE"),
        (INACTIVE_COMPUTE, "INACTIVE_COMPUTE"),
        (INACTIVE_FRAGMENT, "INACTIVE_FRAGMENT"),
        (INACTIVE_TILER, "INACTIVE_TILER"),
        (PROTM_EXIT, "PROTM_EXIT"),
        (PERFCNT_THRESHOLD, "PERFCNT_THRESHOLD"),
        (PERFCNT_OVERFLOW, "PERFCNT_OVERFLOW"),
        (IDLE, "IDLE"),
    ];
}

/// Values of [`req::STATE`].
pub mod state {
    /// Run.
    pub const ACTIVE: u32 = 0 << 12;
    /// Halt.
    pub const HALT: u32 = 1 << 12;
    /// Sleep.
    pub const SLEEP: u32 = 2 << 12;
    /// Suspend.
    pub const SUSPEND: u32 = 3 << 12;
}

/// Values of [`Output::halt_status`].
pub mod halt_status {
    /// The firmware halted on request.
    pub const OK: u32 = 0;
    /// The firmware could not continue.
    pub const PANIC: u32 = 0x4e;
    /// The firmware hung.
    pub const WATCHDOG: u32 = 0x4f;
}

/// A timeout for the firmware, in units of 1024 cycles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timer(
    /// The word in the input block.
    pub u32,
);

impl Timer {
    /// The bit that selects the GPU's cycles; without it cycles are those of the system's counter.
    pub const GPU_CYCLES: u32 = 1 << 31;

    /// Returns a timeout of `micros` microseconds on a clock of `hertz`, rounded up, and limited to the longest
    /// possible.
    #[must_use]
    pub const fn new(micros: u32, hertz: u32, source: u32) -> Self {
        let units = (micros as u64 * hertz as u64).div_ceil(1_000_000 << 10);
        let most = Self::GPU_CYCLES - 1;
        let value = if units > most as u64 { most } else { units as u32 };
        Self(value | source & Self::GPU_CYCLES)
    }

    /// Returns the timeout in cycles.
    #[must_use]
    pub const fn cycles(self) -> u64 {
        ((self.0 & !Self::GPU_CYCLES) as u64) << 10
    }
}

#[cfg(test)]
mod tests {
    use core::mem::{offset_of, size_of};

    use super::*;

    #[test]
    fn fields_are_at_the_firmwares_offsets() {
        assert_eq!((size_of::<Control>(), offset_of!(Control, instr_features)), (32, 28));
        assert_eq!((offset_of!(Input, progress_timer), offset_of!(Input, core_en_mask)), (0x10, 0x18));
        assert_eq!((offset_of!(Input, perfcnt_base), offset_of!(Input, perfcnt_config)), (0x28, 0x40));
        assert_eq!((offset_of!(Input, idle_timer), size_of::<Input>()), (0x80, 0x88));
        assert_eq!((offset_of!(Output, doorbell_ack), offset_of!(Output, halt_status)), (8, 0x10));
    }

    #[test]
    fn timers_are_rounded_up_and_end() {
        assert_eq!(Timer::new(800, 24_000_000, 0), Timer(19));
        assert_eq!(Timer::new(10_000, 1_000_000_000, Timer::GPU_CYCLES), Timer(Timer::GPU_CYCLES | 9766));
        assert_eq!(Timer::new(u32::MAX, u32::MAX, 0), Timer(0x7fff_ffff));
        assert_eq!(Timer(Timer::GPU_CYCLES | 2).cycles(), 2048);
    }
}
