// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Models a GPU's address space after a sequence of bindings, as a reference for the GPU's own view.
//!
//! The model knows only pages, no trees, blocks or tables: the last operation that covers a page decides what the page is.
//!
//! Source: `enum drm_panthor_vm_bind_op_flags` in `include/uapi/drm/panthor_drm.h` (Linux 7.3).

use std::collections::BTreeMap;

use uapi::tyr::{MAP_NOEXEC, MAP_READONLY, MAP_UNCACHED};

use super::view::{CACHED, EXECUTABLE, Run, WRITABLE};

/// Bytes of a page.
pub(crate) const PAGE: u64 = 4096;

/// A change of an address space; all numbers are pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Maps pages of an object from `first` on.
    Map { bo: usize, first: u64, at: u64, pages: u64, flags: u32 },
    /// Maps pages without an object. They can be read, and their content does not matter.
    Sparse { at: u64, pages: u64, flags: u32 },
    /// Unmaps pages, whether they were mapped or not.
    Unmap { at: u64, pages: u64 },
    /// A change that is refused and has no effect.
    Wrong { bo: usize, at: u64 },
}

/// The state of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// The page's first word, or `None` if it does not matter.
    pub(crate) word: Option<u32>,
    /// The accesses that the page allows.
    pub(crate) rights: u32,
}

/// An address space.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reference(BTreeMap<u64, Page>);

/// Returns the first word of a page of an object.
pub(crate) fn word(bo: usize, page: u64) -> u32 {
    (bo as u32 + 1) << 20 | page as u32
}

/// Returns the accesses that the flags of a map operation allow the GPU.
pub(crate) fn rights(flags: u32) -> u32 {
    let unless = |flag, right| if flags & flag == 0 { right } else { 0 };
    unless(MAP_READONLY, WRITABLE) | unless(MAP_NOEXEC, EXECUTABLE) | unless(MAP_UNCACHED, CACHED)
}

impl Reference {
    /// Applies changes one by one until one is wrong. Returns how many were applied.
    pub(crate) fn apply(&mut self, changes: &[Change]) -> usize {
        changes.iter().take_while(|change| self.change(change)).count()
    }

    /// Applies all changes, or none if one is wrong. Returns whether they were applied.
    pub(crate) fn apply_all(&mut self, changes: &[Change]) -> bool {
        let good = !changes.iter().any(|change| matches!(change, Change::Wrong { .. }));
        if good {
            self.apply(changes);
        }
        good
    }

    fn change(&mut self, change: &Change) -> bool {
        match *change {
            Change::Map { bo, first, at, pages, flags } => {
                let page = |offset| Page { word: Some(word(bo, first + offset)), rights: rights(flags) };
                self.0.extend((0..pages).map(|offset| (at + offset, page(offset))));
            }
            Change::Sparse { at, pages, flags } => {
                let page = Page { word: None, rights: rights(flags) };
                self.0.extend((at..at + pages).map(|number| (number, page)));
            }
            Change::Unmap { at, pages } => {
                let mut behind = self.0.split_off(&at);
                self.0.append(&mut behind.split_off(&(at + pages)));
            }
            Change::Wrong { .. } => return false,
        }
        true
    }

    /// Describes the first difference between this and the GPU's view from page `at` on.
    pub(crate) fn differs(&self, seen: &[Run], at: u64, pages: u64) -> Option<String> {
        let seen: BTreeMap<u64, Page> = seen.iter().flat_map(pages_of).collect();
        let wanted = |number: u64| self.0.get(&number).copied();
        let all = (self.0.range(at..at + pages)).chain(seen.range(at..at + pages)).map(|(number, _)| *number);
        let wrong = all.filter(|number| !same_page(wanted(*number), seen.get(number).copied())).min()?;
        let (wanted, seen) = (wanted(wrong), seen.get(&wrong).copied());
        Some(format!("at {:#x} the GPU sees {}, not {}", wrong * PAGE, told(seen), told(wanted)))
    }
}

fn pages_of(run: &Run) -> impl Iterator<Item = (u64, Page)> {
    let Run { va, pages, word, rights, step, .. } = *run;
    (0..pages).map(move |n| (va / PAGE + n, Page { word: Some(word.wrapping_add(n as u32 * step)), rights }))
}

/// Whether two pages are equal. Contents that do not matter are equal to all others.
fn same_page(wanted: Option<Page>, seen: Option<Page>) -> bool {
    match (wanted, seen) {
        (Some(wanted), Some(seen)) => {
            wanted.rights == seen.rights && (wanted.word.is_none() || wanted.word == seen.word)
        }
        (wanted, seen) => wanted == seen,
    }
}

fn told(page: Option<Page>) -> String {
    match page {
        None => "nothing".to_owned(),
        Some(Page { word: None, rights }) => format!("a sparse page of rights {rights}"),
        Some(Page { word: Some(word), rights }) => {
            format!("page {} of object {} with rights {rights}", word & 0xf_ffff, (word >> 20).wrapping_sub(1) as i32)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use uapi::tyr::MAP_SPARSE;

    fn any_change() -> impl Strategy<Value = Change> {
        let flags = 0..8_u32;
        prop_oneof![
            4 => (0..3_usize, 0..40_u64, 0..64_u64, 1..32_u64, flags.clone())
                .prop_map(|(bo, first, at, pages, flags)| Change::Map { bo, first, at, pages, flags }),
            1 => (0..64_u64, 1..32_u64, flags)
                .prop_map(|(at, pages, flags)| Change::Sparse { at, pages, flags: flags | MAP_SPARSE }),
            2 => (0..64_u64, 1..32_u64).prop_map(|(at, pages)| Change::Unmap { at, pages }),
        ]
    }

    /// Computes a page by another definition: the last change that covers the page decides.
    fn decided(changes: &[Change], number: u64) -> Option<Page> {
        let covers = |at: u64, pages: u64| (at..at + pages).contains(&number);
        changes.iter().rev().find_map(|change| match *change {
            Change::Map { bo, first, at, pages, flags } if covers(at, pages) => {
                Some(Some(Page { word: Some(word(bo, first + number - at)), rights: rights(flags) }))
            }
            Change::Sparse { at, pages, flags } if covers(at, pages) => {
                Some(Some(Page { word: None, rights: rights(flags) }))
            }
            Change::Unmap { at, pages } if covers(at, pages) => Some(None),
            _ => None,
        })?
    }

    /// Returns the view of a GPU that works, in runs that are cut at random.
    fn view_of(reference: &Reference, cut: impl Fn(u64) -> bool) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for (&number, page) in &reference.0 {
            let word = page.word.unwrap_or(0);
            match runs.last_mut() {
                Some(run)
                    if run.va / PAGE + run.pages == number
                        && run.word + run.pages as u32 == word
                        && run.rights == page.rights
                        && !cut(number) =>
                {
                    run.pages += 1;
                }
                _ => runs.push(Run { va: number * PAGE, pages: 1, word, rights: page.rights, level: 3, step: 1 }),
            }
        }
        runs
    }

    proptest! {
        #[test]
        fn the_last_change_of_a_page_decides(changes in prop::collection::vec(any_change(), 0..20)) {
            let mut reference = Reference::default();
            prop_assert!(reference.apply_all(&changes));
            for number in 0..128 {
                prop_assert_eq!(reference.0.get(&number).copied(), decided(&changes, number));
            }
        }

        #[test]
        fn a_view_that_is_right_does_not_differ(changes in prop::collection::vec(any_change(), 0..20), cut in 1..9_u64) {
            let mut reference = Reference::default();
            reference.apply(&changes);
            let runs = view_of(&reference, |number| number % cut == 0);
            prop_assert_eq!(reference.differs(&runs, 0, 128), None);
        }

        #[test]
        fn a_change_that_was_forgotten_is_seen(changes in prop::collection::vec(any_change(), 1..20), last in any_change()) {
            let (mut before, mut after) = (Reference::default(), Reference::default());
            before.apply(&changes);
            after.apply(&changes);
            after.apply(&[last]);
            let blind = |page: Page| Page { word: page.word.or(Some(0)), ..page };
            let view = |of: &Reference| of.0.iter().map(|(number, page)| (*number, blind(*page))).collect::<Vec<_>>();
            // Sparse pages have any contents, so there another view may be right as well.
            prop_assume!(!after.0.values().any(|page| page.word.is_none()));
            let differs = after.differs(&view_of(&before, |_| false), 0, 128).is_some();
            prop_assert_eq!(differs, view(&before) != view(&after));
        }
    }

    #[test]
    fn a_wrong_change_ends_a_sequence_or_keeps_it_from_beginning() {
        let map = Change::Map { bo: 0, first: 0, at: 5, pages: 2, flags: 0 };
        let changes = [map, Change::Wrong { bo: 0, at: 9 }, Change::Unmap { at: 5, pages: 1 }];
        let (mut one_by_one, mut at_once) = (Reference::default(), Reference::default());
        assert_eq!(one_by_one.apply(&changes), 1);
        assert_eq!(one_by_one.0.len(), 2);
        assert!(!at_once.apply_all(&changes));
        assert_eq!(at_once, Reference::default());
    }

    #[test]
    fn a_difference_is_told_by_its_address() {
        let mut reference = Reference::default();
        reference.apply(&[Change::Map { bo: 1, first: 2, at: 16, pages: 1, flags: MAP_READONLY }]);
        assert_eq!(
            reference.differs(&[], 0, 32).unwrap(),
            "at 0x10000 the GPU sees nothing, not page 2 of object 1 with rights 6"
        );
        let stray = Run { va: 0x3000, pages: 1, word: word(0, 7), rights: 7, level: 3, step: 1 };
        assert_eq!(
            Reference::default().differs(&[stray], 0, 32).unwrap(),
            "at 0x3000 the GPU sees page 7 of object 0 with rights 7, not nothing"
        );
    }
}
