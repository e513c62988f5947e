// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Makes the calls within one operation fail one after the other, by the kernel's own injection where it has one
//! (`fail-nth`), else by the calls of its allocators (`crate::harness::failnth`).
//!
//! Source: Documentation/fault-injection/fault-injection.rst, lib/fault-inject.c, mm/failslab.c, mm/fail_page_alloc.c,
//! kernel/ksysfs.c (Linux 7.3).

use std::fs;
use std::os::fd::OwnedFd;

use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::OFlags;
use sys::Answer;

use crate::harness::check::{Outcome, fail};
use crate::harness::failnth::{Call, Fault, MEMORY, PAGES};
use crate::harness::modules::Modules;
use crate::{holds, works};

/// A source of failures.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    /// Slab allocations, by the kernel's injection.
    Slab,
    /// Page allocations, by the kernel's injection.
    Pages,
    /// Calls of a function.
    Calls(Call),
}

/// Copies from and to a process. They return the number of bytes that were not copied.
const FROM_USER: Call = Call { function: "_copy_from_user", returns: 1 };
const TO_USER: Call = Call { function: "_copy_to_user", returns: 1 };

impl Source {
    /// The source's name in a failure's text.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Slab => "failslab",
            Self::Pages => "fail_page_alloc",
            Self::Calls(call) => call.function,
        }
    }

    /// Whether the source is a copy from or to a process.
    pub(crate) fn is_copy(self) -> bool {
        matches!(self, Self::Calls(call) if [FROM_USER.function, TO_USER.function].contains(&call.function))
    }

    /// Whether the operation was performed and only its answer is lost.
    pub(crate) fn loses_answers(self) -> bool {
        matches!(self, Self::Calls(call) if call.function == TO_USER.function)
    }

    /// Whether the source is pages. Slab, vmalloc and the page cache cope with a failure: they take fewer pages at a
    /// time, or use those they have.
    pub(crate) fn is_pages(self) -> bool {
        match self {
            Self::Slab => false,
            Self::Pages => true,
            Self::Calls(call) => call.function == PAGES.function,
        }
    }
}

/// The allocators of a kernel without injection. Rust also frees by `krealloc`, which must not fail, so its allocations
/// are counted as calls of `__kmalloc_node_track_caller_noprof`.
fn memory() -> Vec<Source> {
    let allocators = MEMORY.iter().filter(|call| !call.function.starts_with("krealloc"));
    allocators.chain([&PAGES]).map(|call| Source::Calls(*call)).collect()
}

/// Settings of the kernel's injection: any allocation can fail, without a report for each.
const SETTINGS: &[(&str, &str)] = &[
    ("failslab/ignore-gfp-wait", "N"),
    ("failslab/cache-filter", "N"),
    ("failslab/verbose", "0"),
    ("fail_page_alloc/ignore-gfp-wait", "N"),
    ("fail_page_alloc/ignore-gfp-highmem", "N"),
    ("fail_page_alloc/min-order", "0"),
    ("fail_page_alloc/verbose", "0"),
];
/// Allocations by the debug kernel's checkers, which tolerate failures. They would be half of all failures, and none
/// would be the operation's own.
const WATCHERS: &[(&str, &str)] = &[("failslab", "__alloc_object"), ("fail_page_alloc", "stack_depot_save_flags")];
/// A value above any allocation's order.
const NO_ORDER: &str = "64";

/// Makes grace periods short: arming and disarming a fault takes several.
const EXPEDITED: &str = "/sys/kernel/rcu_expedited";

/// The failure injection of this kernel.
#[derive(Debug)]
pub(crate) struct Injector {
    fail_nth: Option<OwnedFd>,
}

impl Injector {
    /// Detects the kernel's injection and prepares it.
    pub(crate) fn prepare(modules: &Modules) -> Outcome<Self> {
        works!(modules.of("failnth")?.load());
        works!(sys::write(EXPEDITED, "1"));
        let fail_nth = sys::open("/proc/thread-self/fail-nth", OFlags::RDWR).ok();
        let this = Self { fail_nth };
        if this.fail_nth.is_some() {
            any_allocation()?;
            this.try_out(Source::Slab, || eventfd(0, EventfdFlags::CLOEXEC).map(drop))?;
            let memory = works!(sys::memory_file(1));
            this.try_out(Source::Pages, || rustix::io::pwrite(&memory, &[1], 0).map(drop))?;
        }
        Ok(this)
    }

    /// Checks that an armed source fails. With one wrong setting nothing would fail, and a test would pass in vain.
    fn try_out(&self, source: Source, takes_memory: impl Fn() -> Answer) -> Outcome {
        let failures = self.failures(source, "")?;
        failures.arm(1)?;
        let answer = takes_memory();
        holds!(failures.disarm()? && answer.is_err(), "`{}` makes nothing fail", source.name());
        Ok(())
    }

    /// Returns the sources of failures on this kernel.
    pub(crate) fn sources(&self) -> Vec<Source> {
        let memory: Vec<_> = match self.fail_nth {
            Some(_) => vec![Source::Slab, Source::Pages],
            None => memory(),
        };
        memory.into_iter().chain([FROM_USER, TO_USER].map(Source::Calls)).collect()
    }

    /// Counts this process's calls within a function, and lets none fail.
    pub(crate) fn count(&self, within: &str) -> Outcome<Counters> {
        let counter = |source: Source| match source {
            Source::Calls(call) => Ok((source, Some(Fault::count_within(call, within)?))),
            Source::Slab | Source::Pages => Ok((source, None)),
        };
        Ok(Counters(self.sources().into_iter().map(counter).collect::<Outcome<_>>()?))
    }

    /// Prepares failures of a source within a function.
    pub(crate) fn failures(&self, source: Source, within: &str) -> Outcome<Failures<'_>> {
        let (slab, order) = match source {
            Source::Calls(call) => return Ok(Failures::Call(Fault::count_within(call, within)?)),
            Source::Slab => ("N", NO_ORDER),
            Source::Pages => ("Y", "0"),
        };
        // No cache is marked as one whose allocations may fail.
        works!(set("failslab/cache-filter", slab));
        works!(set("fail_page_alloc/min-order", order));
        Ok(Failures::Own(self.fail_nth.as_ref().expect("the sources are those of `sources`")))
    }
}

impl Drop for Injector {
    fn drop(&mut self) {
        // A leftover of the setting makes nothing fail.
        let _ = sys::write(EXPEDITED, "0");
    }
}

/// Counts how often each source is reached, where that can be counted.
#[derive(Debug)]
pub(crate) struct Counters(Vec<(Source, Option<Fault>)>);

impl Counters {
    /// Returns the sources that `something` reaches. A source that cannot be counted is included.
    pub(crate) fn reached(&self, something: impl FnOnce() -> Outcome) -> Outcome<Vec<Source>> {
        let before = self.calls()?;
        something()?;
        let pairs = before.into_iter().zip(self.calls()?);
        let reached = self.0.iter().zip(pairs).filter(|(_, (before, after))| before.is_none() || before < after);
        Ok(reached.map(|((source, _), _)| *source).collect())
    }

    fn calls(&self) -> Outcome<Vec<Option<u32>>> {
        let calls = |fault: &Option<Fault>| match fault {
            Some(fault) => fault.count().map(|count| Some(count.calls)),
            None => Ok(None),
        };
        self.0.iter().map(|(_, fault)| calls(fault)).collect()
    }
}

/// Failures of one source, one at a time.
#[derive(Debug)]
pub(crate) enum Failures<'i> {
    Own(&'i OwnedFd),
    Call(Fault),
}

impl Failures<'_> {
    /// Makes the `nth` call from now on fail, if this process makes it.
    pub(crate) fn arm(&self, nth: u32) -> Outcome {
        match self {
            Self::Call(fault) => fault.again(nth),
            Self::Own(file) => {
                works!(rustix::io::pwrite(file, nth.to_string().as_bytes(), 0));
                Ok(())
            }
        }
    }

    /// Disarms the failure, and returns whether a call failed.
    pub(crate) fn disarm(&self) -> Outcome<bool> {
        let failed = match self {
            Self::Call(fault) => fault.count()?.hits > 0,
            Self::Own(file) => {
                let mut text = [0; 16];
                let length = works!(rustix::io::pread(file, &mut text, 0));
                text[..length] == *b"0\n"
            }
        };
        self.arm(0)?;
        Ok(failed)
    }
}

/// Writes a setting of the injection.
fn set(file: &str, value: &str) -> Answer {
    sys::write(&format!("/sys/kernel/debug/{file}"), value)
}

/// Lets any allocation fail by `fail-nth`, except those of the checkers.
pub(crate) fn any_allocation() -> Outcome {
    for (file, value) in SETTINGS {
        works!(set(file, value));
    }
    leave_watchers_alone()
}

/// Excludes allocations that the checkers make.
fn leave_watchers_alone() -> Outcome {
    let symbols = fs::read_to_string("/proc/kallsyms")?;
    for (source, function) in WATCHERS {
        let Some([start, end]) = range_of(&symbols, function) else {
            return fail(format!("the kernel has no function `{function}`"));
        };
        works!(set(&format!("{source}/reject-start"), &start.to_string()));
        works!(set(&format!("{source}/reject-end"), &end.to_string()));
    }
    Ok(())
}

/// Returns the address of a function and of the next one, since symbols are sorted by address.
fn range_of(symbols: &str, function: &str) -> Option<[u64; 2]> {
    let address = |line: &str| u64::from_str_radix(line.split(' ').next()?, 16).ok();
    let mut lines = symbols.lines().skip_while(|line| line.split(' ').nth(2) != Some(function));
    let start = address(lines.next()?)?;
    let end = lines.filter_map(address).find(|next| *next > start)?;
    Some([start, end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_ends_where_the_next_begins() {
        let symbols = "ffff10 t before\nffff20 t wanted\nffff20 t alias\nffff48 T next\n";
        assert_eq!(range_of(symbols, "wanted"), Some([0xff_ff20, 0xff_ff48]));
        assert_eq!(range_of(symbols, "other"), None);
    }
}
