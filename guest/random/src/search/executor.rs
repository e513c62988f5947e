// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! LibAFL's executor: another process executes a program, and its edges are put into the map.
//!
//! Source: <https://docs.rs/libafl/0.15/libafl/executors/>.

use std::collections::{BTreeMap, BTreeSet};

use libafl::Error;
use libafl::executors::{self, ExitKind, HasObservers};
use libafl::observers::{ExplicitTracking, HitcountsMapObserver, StdMapObserver};
use libafl::state::HasExecutions;
use libafl_bolts::AsSliceMut;
use libafl_bolts::tuples::RefIndexable;
use random::program::Program;

use crate::judge::{Judge, Stop};
use crate::kcov::{self, Kcov};
use crate::minimise::Places;
use crate::report::{Line, say};

/// The map of edges, with counts in classes and its indices kept for the scheduler.
type Map = ExplicitTracking<HitcountsMapObserver<StdMapObserver<'static, u8, false>>, true, false>;

/// Executes programs for LibAFL.
pub(super) struct Executor<'k> {
    judge: Judge<'k>,
    kcov: &'k Kcov,
    observers: (Map, ()),
    /// All places that were ever reached.
    met: BTreeSet<u64>,
    /// The reason to stop, which LibAFL's error cannot hold.
    stop: Option<Stop>,
}

impl<'k> Executor<'k> {
    pub(super) fn new(judge: Judge<'k>, kcov: &'k Kcov, map: Map) -> Self {
        Self { judge, kcov, observers: (map, ()), met: BTreeSet::new(), stop: None }
    }

    /// Returns the reason behind an error of LibAFL: our own, if there is one.
    pub(super) fn why(&mut self, error: Error) -> Stop {
        self.stop.take().unwrap_or_else(|| super::cannot(error))
    }

    /// Executes a program and returns the places that it reaches.
    pub(super) fn places(&mut self, program: &Program) -> Result<Places, Stop> {
        self.judge.run(program)?;
        Ok(self.kcov.places().collect())
    }

    pub(super) fn tell_progress(&self, corpus: usize) {
        say(&Line::Progress { executions: self.judge.executions, corpus, places: self.met.len() });
    }

    /// Reports all places as offsets in sections, since the modules' addresses are known here only.
    pub(super) fn tell_coverage(&self) {
        let mut told: BTreeMap<String, BTreeMap<String, Vec<u64>>> = BTreeMap::new();
        let sections = kcov::sections();
        let all = || sections.iter().flat_map(|(module, of)| of.iter().map(move |(name, at)| (*at, module, name)));
        let by_address: BTreeMap<u64, _> = all().map(|(at, module, name)| (at, (module, name))).collect();
        for place in &self.met {
            // This is the last section that begins before the place.
            if let Some((at, (module, section))) = by_address.range(..=place).next_back() {
                let of_module = told.entry((*module).clone()).or_default();
                of_module.entry((*section).clone()).or_default().push(place - at);
            }
        }
        say(&Line::Coverage(told));
    }

    /// Counts each step from one place to the next.
    fn fill_map(&mut self) {
        let map = self.observers.0.as_mut().as_slice_mut();
        let mut before = 0;
        for place in self.kcov.places() {
            self.met.insert(place);
            let count = &mut map[slot(before, place, map.len())];
            *count = count.saturating_add(1);
            before = place;
        }
    }
}

/// Returns the counter of an edge.
fn slot(from: u64, to: u64, slots: usize) -> usize {
    // The odd number nearest to 2^64 divided by the golden ratio spreads neighbours.
    let mixed = (from.rotate_left(17) ^ to).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 32) as usize % slots
}

impl<EM, S: HasExecutions, Z> executors::Executor<EM, Program, S, Z> for Executor<'_> {
    fn run_target(&mut self, _: &mut Z, state: &mut S, _: &mut EM, program: &Program) -> Result<ExitKind, Error> {
        *state.executions_mut() += 1;
        match self.judge.run(program) {
            Ok(_) => {
                self.fill_map();
                Ok(ExitKind::Ok)
            }
            Err(stop) => {
                self.stop = Some(stop);
                Err(Error::shutting_down())
            }
        }
    }
}

impl HasObservers for Executor<'_> {
    type Observers = (Map, ());

    fn observers(&self) -> RefIndexable<&Self::Observers, Self::Observers> {
        RefIndexable::from(&self.observers)
    }

    fn observers_mut(&mut self) -> RefIndexable<&mut Self::Observers, Self::Observers> {
        RefIndexable::from(&mut self.observers)
    }
}
