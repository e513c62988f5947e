// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Power domains: cores that are on, off, or changing.
//!
//! Source: `drivers/gpu/drm/panthor/panthor_gpu.c` of Linux 7.3; the times are our own.

use std::time::{Duration, Instant};

use mali_regs::power::{Block, Domain};

use super::identity;
use crate::bus::Bus;

/// The duration of a core's change.
const TAKES: Duration = Duration::from_micros(300);

/// All domains.
#[derive(Debug, Default)]
pub(super) struct Power {
    /// Cores that are on, by domain in the order of [`Domain::ALL`].
    ready: [u64; 3],
    changes: Vec<Change>,
    /// A fault: requests have no effect.
    pub(super) stuck: bool,
}

#[derive(Clone, Copy, Debug)]
struct Change {
    domain: usize,
    cores: u64,
    on: bool,
    done: Instant,
}

fn number(domain: Domain) -> usize {
    Domain::ALL.iter().position(|each| *each == domain).expect("ALL has every domain")
}

/// Returns the existing cores of a domain.
pub(super) fn present(domain: Domain) -> u64 {
    match domain {
        Domain::L2 => identity::L2_PRESENT,
        Domain::Tiler => identity::TILER_PRESENT,
        Domain::Shader => identity::SHADER_PRESENT,
    }
}

impl Power {
    /// Returns the cores of a domain that are on.
    pub(super) fn ready(&self, domain: Domain) -> u64 {
        self.ready[number(domain)]
    }

    /// Powers everything off at once.
    pub(super) fn reset(&mut self) {
        self.ready = [0; 3];
        self.changes.clear();
    }

    /// Powers off at once everything that the firmware powers.
    pub(super) fn cut(&mut self, bus: &mut Bus) {
        for domain in [Domain::Shader, Domain::Tiler] {
            let at = number(domain);
            self.changes.retain(|change| change.domain != at);
            if std::mem::take(&mut self.ready[at]) != 0 {
                bus.state(format!("{} cores are off", domain.name()));
            }
        }
    }

    /// Returns the value of a domain's register, or `None` if the offset is not of one that can be read.
    pub(super) fn read(&self, offset: usize) -> Option<u64> {
        let domain = |at: fn(Block) -> usize| Domain::ALL.into_iter().find(|domain| at(domain.block()) == offset);
        if let Some(domain) = domain(|block| block.present.offset) {
            return Some(present(domain));
        }
        if let Some(domain) = domain(|block| block.ready.offset) {
            return Some(self.ready(domain));
        }
        if let Some(domain) = domain(|block| block.changing.offset) {
            return Some(self.changing(number(domain)));
        }
        // No core is ever seen at work.
        domain(|block| block.active.offset).map(|_| 0)
    }

    /// Writes a register that requests a power change. Returns whether the offset is of such a register.
    pub(super) fn write(&mut self, bus: &mut Bus, offset: usize, cores: u64) -> bool {
        let command = Domain::ALL.into_iter().find_map(|domain| match domain.block() {
            block if block.power_on.offset == offset => Some((domain, true)),
            block if block.power_off.offset == offset => Some((domain, false)),
            _ => None,
        });
        let Some((domain, on)) = command else { return false };
        if cores & !present(domain) != 0 {
            bus.violation(format!(
                "{} cores {:#x} are asked for and not there",
                domain.name(),
                cores & !present(domain)
            ));
        }
        self.request(bus, domain, cores & present(domain), on);
        true
    }

    /// Requests to power cores on or off.
    pub(super) fn request(&mut self, bus: &mut Bus, domain: Domain, cores: u64, on: bool) {
        let l2 = self.ready(Domain::L2) != 0;
        let others = (self.ready[1] | self.ready[2]) != 0;
        match domain {
            Domain::L2 if !on && cores != 0 && others => bus.violation("the L2 is switched off while cores are on"),
            Domain::Tiler | Domain::Shader if on && cores != 0 && !l2 => {
                bus.violation(format!("the {} is switched on while the L2 is off", domain.name()));
            }
            _ => {}
        }
        let at = number(domain);
        let differ = cores & if on { !self.ready[at] } else { self.ready[at] } & !self.changing(at);
        if differ != 0 && !self.stuck {
            self.changes.push(Change { domain: at, cores: differ, on, done: bus.after(TAKES) });
        }
    }

    fn changing(&self, domain: usize) -> u64 {
        self.changes.iter().filter(|change| change.domain == domain).fold(0, |all, change| all | change.cores)
    }

    /// Returns when the next change ends.
    pub(super) fn due(&self) -> Option<Instant> {
        self.changes.iter().map(|change| change.done).min()
    }

    /// Ends the changes that are due. Returns whether any ended, and whether none is left.
    pub(super) fn tick(&mut self, bus: &mut Bus) -> (bool, bool) {
        let (done, left): (Vec<_>, _) = self.changes.drain(..).partition(|change| change.done <= bus.now());
        self.changes = left;
        for change in &done {
            let ready = &mut self.ready[change.domain];
            *ready = if change.on { *ready | change.cores } else { *ready & !change.cores };
            let state = if change.on { "on" } else { "off" };
            bus.state(format!("{} {:#x} is {state}", Domain::ALL[change.domain].name(), change.cores));
        }
        (!done.is_empty(), self.changes.is_empty())
    }
}
