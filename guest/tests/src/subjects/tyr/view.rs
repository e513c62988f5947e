// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Reads the GPU's view of its memory from the model, whatever the driver reports.
//!
//! Source: the queries of `models/src/mali.rs`.

use crate::harness::check::{Outcome, fail};
use crate::holds;
use crate::works;

use super::{Gpu, Op, TyrFile};

/// The accesses that a page allows the GPU, as the model reports them.
pub(crate) const WRITABLE: u32 = 1;
pub(crate) const EXECUTABLE: u32 = 2;
pub(crate) const CACHED: u32 = 4;

/// Consecutive pages that the GPU can read, whose first words count up or are all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// The address of the first page.
    pub(crate) va: u64,
    /// The number of pages.
    pub(crate) pages: u64,
    /// The first word of the first page.
    pub(crate) word: u32,
    /// The accesses that the pages allow besides reading.
    pub(crate) rights: u32,
    /// The level of the table entries: 3 for pages, 2 for blocks of 2 MiB.
    pub(crate) level: u32,
    /// The difference between the first words of two neighbouring pages: one or zero.
    pub(crate) step: u32,
}

/// The result of an access by the GPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Met {
    /// The access succeeded.
    Memory,
    /// The access caused a fault of this name.
    Fault(String),
    /// The access waits until the driver has done something.
    Stalled,
}

impl Gpu {
    /// Returns the GPU's address spaces that have tables.
    pub(crate) fn spaces(&self) -> Outcome<Vec<u32>> {
        let answer = self.ask(r#"{"query": "spaces"}"#)?;
        Ok(numbers_after(&answer, r#""space":"#).into_iter().map(|number| number as u32).collect())
    }

    /// Returns all runs of an address space from `va` on.
    pub(crate) fn runs(&self, space: u32, va: u64, length: u64) -> Outcome<Vec<Run>> {
        let question = format!(r#"{{"query":{{"runs":{{"space":{space},"va":{va},"length":{length}}}}}}}"#);
        let answer = self.ask(&question)?;
        match runs_of(&answer) {
            Some(runs) => Ok(runs),
            None => fail(format!("the answer to `{question}` is `{answer}`")),
        }
    }

    /// Makes the GPU itself access memory: `read`, `write` or `execute`. A fault is reported to the driver.
    pub(crate) fn access(&self, space: u32, va: u64, kind: &str) -> Outcome<Met> {
        let data = if kind == "write" { r#","bytes":[1]"# } else { "" };
        let question = format!(r#"{{"query":{{"access":{{"space":{space},"va":{va},"access":"{kind}"{data}}}}}}}"#);
        let answer = self.ask(&question)?;
        Ok(match answer.split_once(r#""fault":""#) {
            Some((_, rest)) => Met::Fault(rest.split('"').next().unwrap_or_default().to_owned()),
            None if answer.contains("stalled") => Met::Stalled,
            None => Met::Memory,
        })
    }
}

/// Returns the numbers behind each occurrence of a key.
fn numbers_after(answer: &str, key: &str) -> Vec<u64> {
    let rests = answer.split(key).skip(1);
    rests.filter_map(|rest| rest.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()).collect()
}

/// Parses `{"ok":[[va,pages,word,rights,level,step],…]}`.
fn runs_of(answer: &str) -> Option<Vec<Run>> {
    let list = answer.strip_prefix(r#"{"ok":["#)?.strip_suffix("]}")?;
    let words = list.split(|letter: char| !letter.is_ascii_digit()).filter(|word| !word.is_empty());
    let numbers = words.map(|word| word.parse().ok()).collect::<Option<Vec<u64>>>()?;
    let run = |six: &[u64]| {
        let [va, pages, word, rights, level, step] = *six else { return None };
        Some(Run { va, pages, word: word as u32, rights: rights as u32, level: level as u32, step: step as u32 })
    };
    numbers.chunks(6).map(run).collect()
}

/// A VM that the test can find among the GPU's address spaces, by a page that only this VM has.
#[derive(Debug)]
pub(crate) struct Vm<'f> {
    gpu: &'f Gpu,
    pub(crate) file: &'f TyrFile,
    pub(crate) id: u32,
    mark: u32,
    mark_bo: u32,
}

/// The address of the page that identifies the VM. No case uses it for something else.
const MARK_VA: u64 = 0x7e_dead_0000;
/// The page's first word, to which the VM's number in the process is added.
const MARK: u32 = 0xd0d0_0000;

impl<'f> Vm<'f> {
    /// Creates a VM of a file.
    pub(crate) fn new(gpu: &'f Gpu, file: &'f TyrFile) -> Outcome<Self> {
        Self::of(gpu, file, works!(file.vm_create()))
    }

    /// Takes an existing VM of a file.
    pub(crate) fn of(gpu: &'f Gpu, file: &'f TyrFile, id: u32) -> Outcome<Self> {
        use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let mark = MARK + COUNT.fetch_add(1, Relaxed) % 0x1_0000;
        let mark_bo = file.numbered_bo(1, mark)?;
        let vm = Self { gpu, file, id, mark, mark_bo };
        works!(vm.touch());
        Ok(vm)
    }

    /// Makes a binding that changes nothing, so that the driver gives the VM an address space.
    fn touch(&self) -> sys::Answer {
        self.file.bind(self.id, &[Op::map(self.mark_bo, 0, MARK_VA, 4096)])
    }

    /// Frees the object of the page that identifies the VM. The VM itself is gone already.
    pub(crate) fn forget(self) -> Outcome {
        works!(self.file.0.gem_close(self.mark_bo));
        Ok(())
    }

    /// Executes operations at once.
    pub(crate) fn bind(&self, ops: &[Op]) -> sys::Answer {
        self.file.bind(self.id, ops)
    }

    /// Puts operations into the VM's queue.
    pub(crate) fn bind_async(&self, ops: &[Op]) -> sys::Answer {
        self.file.bind_async(self.id, ops)
    }

    /// Returns the VM's address space, if it has one.
    pub(crate) fn find(&self) -> Outcome<Option<u32>> {
        for space in self.gpu.spaces()? {
            if self.is_in(space)? {
                return Ok(Some(space));
            }
        }
        Ok(None)
    }

    /// Returns the VM's address space, which it gets at the latest when something is bound.
    pub(crate) fn space(&self) -> Outcome<u32> {
        if let Some(space) = self.find()? {
            return Ok(space);
        }
        works!(self.touch());
        match self.find()? {
            Some(space) => Ok(space),
            None => fail("the VM has no address space of the GPU after a VM_BIND"),
        }
    }

    /// Whether an address space is the VM's.
    pub(crate) fn is_in(&self, space: u32) -> Outcome<bool> {
        let runs = self.gpu.runs(space, MARK_VA, 4096)?;
        Ok(runs.iter().any(|run| run.word == self.mark))
    }

    /// Returns the GPU's view of the VM from `va` on.
    pub(crate) fn runs(&self, va: u64, length: u64) -> Outcome<Vec<Run>> {
        self.gpu.runs(self.space()?, va, length)
    }

    /// Makes the GPU access the VM's memory.
    pub(crate) fn access(&self, va: u64, kind: &str) -> Outcome<Met> {
        self.gpu.access(self.space()?, va, kind)
    }

    /// Checks that the GPU sees exactly these numbered pages, in this order and nothing between: address, number of the
    /// first, count.
    pub(crate) fn shows(&self, va: u64, length: u64, wanted: &[(u64, u32, u64)]) -> Outcome {
        let mut runs: Vec<(u64, u32, u64)> = Vec::new();
        for run in self.runs(va, length)? {
            match runs.last_mut() {
                // For a reader, a block and the pages behind it are one mapping.
                Some((at, word, pages)) if *at + *pages * 4096 == run.va && *word + *pages as u32 == run.word => {
                    *pages += run.pages;
                }
                _ => runs.push((run.va, run.word, run.pages)),
            }
        }
        holds!(runs == wanted, "the GPU sees {runs:x?} and not {wanted:x?}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_read_six_numbers_each() {
        let answer = r#"{"ok":[[1073741824,2,16,7,3,1],[1075838976,512,0,6,2,0]]}"#;
        let runs = runs_of(answer).unwrap();
        assert_eq!(runs[0], Run { va: 0x4000_0000, pages: 2, word: 16, rights: 7, level: 3, step: 1 });
        assert_eq!((runs[1].va, runs[1].pages, runs[1].level), (0x4020_0000, 512, 2));
        assert_eq!(runs_of(r#"{"ok":[]}"#), Some(Vec::new()));
        assert_eq!(runs_of(r#"{"ok":[[1,2,3]]}"#), None);
        assert_eq!(runs_of(r#"{"error":"no"}"#), None);
    }

    #[test]
    fn spaces_are_read_by_their_key() {
        let answer = r#"{"ok":[{"fault":0,"space":0},{"space":3,"root":4096}]}"#;
        assert_eq!(numbers_after(answer, r#""space":"#), [0, 3]);
    }
}
