// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The GPU's view of a range, in few words: runs of pages whose contents count up, or are all the same.
//!
//! A test numbers its pages by their first words, and one query returns which page is where. It is the GPU's view and
//! not that of the tables: the GPU sees the translations that the MMU has cached, and a wrong one is a violation.

use mali_mmu::{Access, PAGE_SIZE, Translation, memory};
use serde_json::{Value, json};

use super::NO_SPACE;
use crate::bus::Bus;
use crate::mali::mmu::Mmu;

/// The most runs in an answer, which is read four bytes at a time.
const MOST: usize = 1024;

/// The most places that are visited: tables that form cycles map all addresses.
const MAX_READS: usize = 1 << 19;

/// The rights of a page besides reading.
const WRITABLE: u32 = 1;
const EXECUTABLE: u32 = 2;
const CACHED: u32 = 4;

/// A run of pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    va: u64,
    pages: u64,
    /// The first word of the first page.
    word: u32,
    rights: u32,
    level: u32,
    /// The difference between the first words of two neighbouring pages: 1 or 0.
    step: u32,
}

impl Run {
    /// Adds a page, if it continues the run.
    fn join(&mut self, page: Run) -> bool {
        let alike =
            self.va + self.pages * PAGE_SIZE == page.va && (self.rights, self.level) == (page.rights, page.level);
        let more = page.word.wrapping_sub(self.word);
        let fits = match self.pages {
            1 => more <= 1,
            pages => more == (pages as u32).wrapping_mul(self.step),
        };
        if alike && fits {
            self.step = if self.pages == 1 { more } else { self.step };
            self.pages += 1;
        }
        alike && fits
    }
}

/// Returns the runs of the pages that can be read between `va` and `va + length`.
pub(in crate::mali) fn runs(mmu: &mut Mmu, bus: &mut Bus, space: usize, va: u64, length: u64) -> Result<Value, String> {
    let end = va.checked_add(length).ok_or("the range wraps around")?;
    let space = mmu.space_mut(space).ok_or(NO_SPACE)?;
    let mut runs: Vec<Run> = Vec::new();
    let mut at = va - va % PAGE_SIZE;
    let mut reads = 0;
    while at < end {
        reads += 1;
        if reads > MAX_READS {
            return Err(format!("more than {MAX_READS} pages are to be looked at"));
        }
        let Ok(to) = space.translate(bus, at, Access::Read) else {
            at = space.next_after(bus, at);
            continue;
        };
        let mut word = [0; 4];
        bus.read_memory(to.address, &mut word).map_err(|error| format!("{at:#x} leads to nowhere: {error}"))?;
        let page =
            Run { va: at, pages: 1, word: u32::from_le_bytes(word), rights: rights(to), level: to.level, step: 1 };
        if !runs.last_mut().is_some_and(|run| run.join(page)) {
            runs.push(page);
        }
        if runs.len() > MOST {
            return Err(format!("there are more than {MOST} runs"));
        }
        // Where addresses are physical, the last page counts, too.
        at = at.saturating_add(PAGE_SIZE);
    }
    let entries = runs.iter().map(|run| json!([run.va, run.pages, run.word, run.rights, run.level, run.step]));
    Ok(entries.collect())
}

fn rights(to: Translation) -> u32 {
    let only = |condition, right| if condition { right } else { 0 };
    only(to.allows(Access::Write), WRITABLE)
        | only(to.allows(Access::Execute), EXECUTABLE)
        | only(to.attributes.memory == memory::CACHED, CACHED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(number: u64, word: u32) -> Run {
        Run { va: number * PAGE_SIZE, pages: 1, word, rights: 7, level: 3, step: 1 }
    }

    fn joined(pages: &[Run]) -> Vec<(u64, u64, u32, u32)> {
        let mut runs: Vec<Run> = Vec::new();
        for page in pages {
            if !runs.last_mut().is_some_and(|run| run.join(*page)) {
                runs.push(*page);
            }
        }
        runs.iter().map(|run| (run.va / PAGE_SIZE, run.pages, run.word, run.step)).collect()
    }

    #[test]
    fn consecutive_pages_and_equal_pages_are_one_run() {
        assert_eq!(joined(&[page(1, 5), page(2, 6), page(3, 7)]), [(1, 3, 5, 1)]);
        assert_eq!(joined(&[page(1, 0), page(2, 0), page(3, 0)]), [(1, 3, 0, 0)]);
        assert_eq!(joined(&[page(1, 0), page(2, 0), page(3, 1)]), [(1, 2, 0, 0), (3, 1, 1, 1)]);
        assert_eq!(joined(&[page(1, 5), page(3, 6)]), [(1, 1, 5, 1), (3, 1, 6, 1)]);
        assert_eq!(joined(&[page(1, 5), page(2, 4)]), [(1, 1, 5, 1), (2, 1, 4, 1)]);
        assert_eq!(joined(&[page(1, 5), Run { rights: 6, ..page(2, 6) }]), [(1, 1, 5, 1), (2, 1, 6, 1)]);
        assert_eq!(joined(&[page(1, u32::MAX), page(2, 0)]), [(1, 2, u32::MAX, 1)]);
    }
}
