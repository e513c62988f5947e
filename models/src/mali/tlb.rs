// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Translations that the MMU caches. It drops them only on a flush, so a driver that changes its tables without one is
//! detected: the GPU continues with the old translations.
//!
//! Source: `drivers/gpu/drm/panthor/panthor_mmu.c` of Linux 7.3 (which ranges are flushed, and when).

use std::collections::BTreeMap;

use mali_mmu::Translation;
use mali_regs::mmu::LockRegion;

/// The most translations that are cached.
const MOST: usize = 1 << 16;

/// Translations by the first address that their table entry maps.
#[derive(Clone, Debug, Default)]
pub(super) struct Tlb(BTreeMap<u64, Translation>);

impl Tlb {
    /// Returns the translation of `va` from when its entry was read.
    pub(super) fn find(&self, va: u64) -> Option<Translation> {
        let (start, first) = self.0.range(..=va).next_back()?;
        let within = va - start;
        let length = first.length.checked_sub(within).filter(|length| *length > 0)?;
        Some(Translation { address: first.address + within, length, ..*first })
    }

    /// Returns the first address behind `va` at which a cached translation begins.
    pub(super) fn next_after(&self, va: u64) -> Option<u64> {
        self.0.range(va.checked_add(1)?..).next().map(|(start, _)| *start)
    }

    /// Caches the translation of `va`.
    pub(super) fn insert(&mut self, va: u64, to: Translation) {
        if self.0.len() >= MOST {
            // The hardware may evict any translations.
            self.0.clear();
        }
        let within = va & (to.span() - 1);
        let first = Translation { address: to.address - within, length: to.span(), ..to };
        self.0.insert(va - within, first);
    }

    /// Drops the translations that touch a region.
    pub(super) fn invalidate(&mut self, region: LockRegion) {
        self.0.retain(|start, to| *start > region.last() || start + (to.length - 1) < region.start());
    }

    /// Drops all translations.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Returns how many translations are cached.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use mali_mmu::Attributes;
    use proptest::prelude::*;

    use super::*;

    fn page(address: u64) -> Translation {
        let attributes = Attributes { read_only: false, no_execute: true, memory: 1 };
        Translation { address, length: 0x1000 - address % 0x1000, level: 3, attributes }
    }

    #[test]
    fn tlb_entry_covers_the_whole_page() {
        let mut tlb = Tlb::default();
        tlb.insert(0x5123, page(0x9123));
        assert_eq!(tlb.find(0x5ffc), Some(page(0x9ffc)));
        assert_eq!(tlb.find(0x5000), Some(page(0x9000)));
        assert_eq!((tlb.find(0x4fff), tlb.find(0x6000)), (None, None));
    }

    proptest! {
        /// A flush drops the translations that touch its region, and no others.
        #[test]
        fn a_flush_has_a_range(pages in prop::collection::vec(0u64..1024, 1..20), start in 0u64..1024, count in 1u64..64) {
            let mut tlb = Tlb::default();
            pages.iter().for_each(|at| tlb.insert(at << 12, page(1 << 30 | at << 12)));
            let region = LockRegion::covering(start << 12, count << 12).unwrap();
            tlb.invalidate(region);
            for at in pages {
                prop_assert_eq!(tlb.find(at << 12).is_some(), !region.contains(at << 12));
            }
        }
    }
}
