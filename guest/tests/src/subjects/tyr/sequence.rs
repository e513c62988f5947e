// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Makes random sequences of bindings, and shortens one that fails.
//!
//! Source: none; what is worth trying is what page tables and their owners split and merge: blocks of 2 MiB, ends and
//! overlaps.

use fastrand::Rng;
use uapi::tyr::{MAP_NOEXEC, MAP_SPARSE};

use super::reference::Change;

/// Pages of a block.
pub(crate) const BLOCK: u64 = 512;

/// The range of pages that sequences use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    /// The first page.
    pub(crate) at: u64,
    /// The number of pages.
    pub(crate) pages: u64,
}

/// A VM_BIND of a sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Whether the operations are queued, or executed at once.
    pub(crate) queued: bool,
    /// Whether the test reads the GPU's view afterwards.
    pub(crate) look: bool,
    /// The operations.
    pub(crate) changes: Vec<Change>,
}

/// The parameters of sequences.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choices<'b> {
    /// The number of pages of each object.
    pub(crate) bos: &'b [u64],
    /// The range of pages to change.
    pub(crate) window: Window,
    /// How many of eight steps are queued.
    pub(crate) queued: u32,
    /// After how many of eight steps the test reads the GPU's view.
    pub(crate) looks: u32,
}

impl Choices<'_> {
    /// Returns a sequence of up to ten steps. The GPU's view is always read after the last step.
    pub(crate) fn sequence(&self, random: &mut Rng) -> Vec<Step> {
        let count = random.u32(3..=10);
        let mut steps: Vec<Step> = (0..count).map(|_| self.step(random)).collect();
        if let Some(last) = steps.last_mut() {
            last.look = true;
        }
        steps
    }

    fn step(&self, random: &mut Rng) -> Step {
        let queued = random.u32(0..8) < self.queued;
        let look = random.u32(0..8) < self.looks;
        let changes = (0..random.u32(1..=4)).map(|_| self.change(random)).collect();
        Step { queued, look, changes }
    }

    fn change(&self, random: &mut Rng) -> Change {
        let bo = random.usize(0..self.bos.len());
        match random.u32(0..64) {
            0 => Change::Wrong { bo, at: self.window.at },
            1..=3 => {
                let (at, pages) = self.range(random);
                Change::Sparse { at, pages, flags: MAP_SPARSE | MAP_NOEXEC | random.u32(0..8) }
            }
            4..=22 => {
                let (at, pages) = self.range(random);
                Change::Unmap { at, pages }
            }
            _ => self.map(bo, random),
        }
    }

    /// Returns a map operation: often of the whole object, often aligned so that a block could be mapped, often random.
    fn map(&self, bo: usize, random: &mut Rng) -> Change {
        let all = self.bos[bo];
        let (first, pages) = match random.u32(0..4) {
            0 => (0, all),
            _ => {
                let first = near_a_border(random.u64(0..all), random).min(all - 1);
                (first, random.u64(1..=all - first))
            }
        };
        let pages = pages.min(self.window.pages);
        let mut at = self.window.at + random.u64(0..=self.window.pages - pages);
        if random.bool() {
            // The offset within a block is the same as in the object.
            let like_first = at - at % BLOCK + first % BLOCK;
            if like_first >= self.window.at && like_first + pages <= self.window.at + self.window.pages {
                at = like_first;
            }
        }
        Change::Map { bo, first, at, pages, flags: [0, 0, 0, random.u32(0..8)][random.usize(0..4)] }
    }

    fn range(&self, random: &mut Rng) -> (u64, u64) {
        let Window { at, pages } = self.window;
        let end = at + pages;
        let from = near_a_border(at + random.u64(0..pages), random).clamp(at, end - 1);
        let to = near_a_border(from + random.u64(1..=end - from), random).clamp(from + 1, end);
        (from, to - from)
    }
}

/// Moves a page number to the next block's border or beside it, half of the time.
fn near_a_border(page: u64, random: &mut Rng) -> u64 {
    match random.u32(0..6) {
        0 => page - page % BLOCK,
        1 => page - page % BLOCK + 1,
        2 => (page - page % BLOCK).saturating_sub(1),
        _ => page,
    }
}

/// Removes from a failing sequence every part that is not needed to make it fail.
pub(crate) fn shorten(mut steps: Vec<Step>, mut fails: impl FnMut(&[Step]) -> bool) -> Vec<Step> {
    let mut at = 0;
    while at < steps.len() {
        let mut fewer = steps.clone();
        if fewer[at].changes.len() > 1 {
            let change = (0..fewer[at].changes.len()).find(|change| {
                let mut tried = steps.clone();
                tried[at].changes.remove(*change);
                fails(&tried)
            });
            match change {
                Some(change) => drop(steps[at].changes.remove(change)),
                None => at += 1,
            }
            continue;
        }
        fewer.remove(at);
        match !fewer.is_empty() && fails(&fewer) {
            true => steps = fewer,
            false => at += 1,
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;
    use proptest::prelude::{prop_assert, prop_assert_eq, prop_assume, proptest};

    use super::*;

    const CHOICES: Choices<'_> =
        Choices { bos: &[1, 16, 600, 1536], window: Window { at: 1000, pages: 2000 }, queued: 4, looks: 2 };

    fn range_of(change: &Change) -> (u64, u64) {
        match *change {
            Change::Map { at, pages, .. } | Change::Sparse { at, pages, .. } | Change::Unmap { at, pages } => {
                (at, pages)
            }
            Change::Wrong { at, .. } => (at, 1),
        }
    }

    proptest! {
        #[test]
        fn sequences_stay_in_the_window_and_in_the_objects(seed: u64) {
            let steps = CHOICES.sequence(&mut Rng::with_seed(seed));
            prop_assert!(steps.last().unwrap().look);
            for change in steps.iter().flat_map(|step| &step.changes) {
                let (at, pages) = range_of(change);
                prop_assert!(pages > 0 && at >= 1000 && at + pages <= 3000, "{:?}", change);
                if let Change::Map { bo, first, pages, .. } = *change {
                    prop_assert!(first + pages <= CHOICES.bos[bo], "{:?}", change);
                }
            }
        }

        #[test]
        fn a_seed_makes_one_sequence(seed: u64) {
            let make = || CHOICES.sequence(&mut Rng::with_seed(seed));
            prop_assert_eq!(make(), make());
        }

        #[test]
        fn what_is_shortened_still_fails_and_has_nothing_to_spare(seed: u64) {
            let steps = CHOICES.sequence(&mut Rng::with_seed(seed));
            // The sequence fails if two operations unmap.
            let fails = |steps: &[Step]| {
                let changes = steps.iter().flat_map(|step| &step.changes);
                changes.filter(|change| matches!(change, Change::Unmap { .. })).count() >= 2
            };
            prop_assume!(fails(&steps));
            let short = shorten(steps, fails);
            prop_assert!(fails(&short));
            prop_assert_eq!(short.iter().map(|step| step.changes.len()).sum::<usize>(), 2);
        }
    }

    #[test]
    fn all_kinds_of_changes_come() {
        let mut random = Rng::with_seed(1);
        let steps: Vec<Step> = (0..200).flat_map(|_| CHOICES.sequence(&mut random)).collect();
        let some = |is: fn(&Change) -> bool| steps.iter().flat_map(|step| &step.changes).filter(|one| is(one)).count();
        assert!(some(|change| matches!(change, Change::Wrong { .. })) > 5);
        assert!(some(|change| matches!(change, Change::Sparse { .. })) > 20);
        assert!(some(|change| matches!(change, Change::Unmap { .. })) > 200);
        let as_blocks = |change: &Change| match *change {
            Change::Map { first, at, pages, .. } => first % BLOCK == at % BLOCK && pages >= BLOCK,
            _ => false,
        };
        assert!(some(as_blocks) > 50);
        assert!(steps.iter().any(|step| step.queued) && steps.iter().any(|step| !step.queued));
    }
}
