// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The boot of the GPU's own firmware: its progress is first protected, then readable, then complete.
//!
//! Source: Documentation/gpu/nova/core/devinit.rst; that a boot takes some tens of milliseconds is a guess.

use std::time::{Duration, Instant};

use nova_regs::regs::{GfwBoot, GfwBootPrivLevelMask};

use crate::bus::Bus;

/// The duration of a boot without faults.
const USUAL: Duration = Duration::from_millis(60);

/// The longest duration that a fault may set.
const LONGEST: Duration = Duration::from_secs(3600);

/// The stages of a boot: the percentage of the whole time at which each ends, and the progress that is shown from then
/// on. With `None` the progress is still protected.
const STAGES: [(u32, Option<u8>); 4] = [(0, None), (25, Some(0x10)), (60, Some(0x80)), (100, Some(GfwBoot::COMPLETED))];

/// The progress of the firmware.
#[derive(Debug)]
pub(super) struct Boot {
    began: Instant,
    /// The duration of the whole boot.
    takes: Duration,
    /// The current stage.
    stage: usize,
    /// A fault: the progress at which the boot stops.
    stuck: Option<u8>,
    /// A fault: the duration of each boot.
    slow: Option<Duration>,
}

impl Boot {
    pub(super) fn begin(now: Instant) -> Self {
        Self { began: now, takes: USUAL, stage: 0, stuck: None, slow: None }
    }

    /// Restarts the firmware after a reset of the GPU.
    pub(super) fn restart(&mut self, bus: &mut Bus) {
        self.began = bus.now();
        self.takes = self.slow.unwrap_or_else(|| bus.after(USUAL) - bus.now());
        self.stage = 0;
        bus.state("the GPU's firmware starts");
    }

    pub(super) fn stick(&mut self, bus: &mut Bus, progress: u8) {
        self.stuck = Some(progress.min(GfwBoot::COMPLETED - 1));
        self.restart(bus);
    }

    pub(super) fn slow(&mut self, bus: &mut Bus, seconds: f64) {
        self.slow = Some(Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST).min(LONGEST));
        self.restart(bus);
    }

    pub(super) fn repair(&mut self, bus: &mut Bus) {
        *self = Self::begin(bus.now());
        self.restart(bus);
    }

    /// Returns the protection of the progress.
    pub(super) fn mask(&self) -> GfwBootPrivLevelMask {
        GfwBootPrivLevelMask::new(STAGES[self.stage].1.is_some())
    }

    /// Returns the progress. It is valid only if [`Self::mask`] allows reading it.
    pub(super) fn progress(&self) -> GfwBoot {
        GfwBoot::new(self.stuck.or(STAGES[self.stage].1).unwrap_or_default())
    }

    /// Returns when the next stage is reached. A firmware that is stuck still lowers the protection.
    pub(super) fn due(&self) -> Option<Instant> {
        let (percent, _) = STAGES.get(self.stage + 1)?;
        let stuck = self.stuck.is_some() && STAGES[self.stage].1.is_some();
        (!stuck).then(|| self.began + self.takes * *percent / 100)
    }

    /// Advances by as many stages as are due.
    pub(super) fn tick(&mut self, bus: &mut Bus) {
        while self.due().is_some_and(|due| due <= bus.now()) {
            self.stage += 1;
            match STAGES[self.stage].1 {
                Some(GfwBoot::COMPLETED) => bus.state("the GPU's firmware has finished"),
                _ if self.stage == 1 => bus.state("the GPU's firmware lets its progress be read"),
                _ => {}
            }
        }
    }
}
