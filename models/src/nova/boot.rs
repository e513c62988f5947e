// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The GPU's own firmware as it starts: protected, then readable, then finished.
//!
//! Source: Documentation/gpu/nova/core/devinit.rst; that a boot takes some tens of milliseconds is a guess.

use std::time::{Duration, Instant};

use nova_regs::regs::{GfwBoot, GfwBootPrivLevelMask};

use crate::bus::Bus;

/// How long the firmware takes if nothing is wrong.
const USUAL: Duration = Duration::from_millis(60);

/// The longest that a fault may make it take.
const LONGEST: Duration = Duration::from_secs(3600);

/// The stages of a boot: the part of the whole time when each ends, and the progress that is told from then on. `None` is
/// told to nobody yet.
const STAGES: [(u32, Option<u8>); 4] = [(0, None), (25, Some(0x10)), (60, Some(0x80)), (100, Some(GfwBoot::COMPLETED))];

/// How far the firmware is.
#[derive(Debug)]
pub(super) struct Boot {
    began: Instant,
    /// How long all of it takes.
    takes: Duration,
    /// The stage that is reached.
    stage: usize,
    /// A fault: the progress beyond which it never comes.
    stuck: Option<u8>,
    /// A fault: how long each boot takes.
    slow: Option<Duration>,
}

impl Boot {
    pub(super) fn begin(now: Instant) -> Self {
        Self { began: now, takes: USUAL, stage: 0, stuck: None, slow: None }
    }

    /// The GPU was reset: the firmware starts.
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

    /// Who may read the progress.
    pub(super) fn mask(&self) -> GfwBootPrivLevelMask {
        GfwBootPrivLevelMask::new(STAGES[self.stage].1.is_some())
    }

    /// The progress; only what [`Self::mask`] allows to read is worth something.
    pub(super) fn progress(&self) -> GfwBoot {
        GfwBoot::new(self.stuck.or(STAGES[self.stage].1).unwrap_or_default())
    }

    /// When the next stage is reached. A firmware that is stuck still lets its progress be read.
    pub(super) fn due(&self) -> Option<Instant> {
        let (percent, _) = STAGES.get(self.stage + 1)?;
        let stuck = self.stuck.is_some() && STAGES[self.stage].1.is_some();
        (!stuck).then(|| self.began + self.takes * *percent / 100)
    }

    /// Goes on by as many stages as are due.
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
