// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Makes chosen kernel calls fail, through the test module `failnth`.
//!
//! Source: `kernel/tests/failnth/failnth.c`.

use std::os::fd::OwnedFd;

use rustix::event::PollFlags;
use rustix::fs::OFlags;
use sys::Answer;
use sys::pace::patient_ms;

use crate::harness::check::{Outcome, fail};
use crate::works;

/// Places where the kernel itself does not survive a failure (Linux 7.3.4). `drm_minor_alloc()` leaves the error
/// pointer of `drm_sysfs_minor_alloc()` in `minor->kdev`, and the managed action for the minor puts it (an oops).
/// `register_irq_proc()` does not check that it got its files, and `unregister_irq_proc()` warns about those it does
/// not find.
const BROKEN: &str = "outside=drm_sysfs_minor_alloc outside=register_irq_proc";

/// A function whose every failure, also one for lack of memory, is `ENODEV` to its caller, `__pci_enable_msix_range()`.
/// Failures within it count only where it is the scope.
pub(crate) const MSI_DOMAIN: &str = "pci_setup_msix_device_domain";

/// The function by which Rust allocates and, with a size of 0, frees. A free that is skipped is a leak, not a failure
/// that can happen.
pub(crate) const REALLOC: &str = "krealloc_node_align_noprof";

/// A kernel function and its return value when it fails.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) function: &'static str,
    pub(crate) returns: i64,
}

/// A call that returns a null pointer when it fails.
pub(crate) const fn null(function: &'static str) -> Call {
    Call { function, returns: 0 }
}

/// A call that returns `-ENOMEM`, as a number or as a pointer.
pub(crate) const fn enomem(function: &'static str) -> Call {
    Call { function, returns: -12 }
}

/// The allocators: every allocation of an object, in C and in Rust, is a call of one of them.
pub(crate) const MEMORY: &[Call] = &[
    null(REALLOC),
    null("__kmalloc_cache_noprof"),
    null("__kmalloc_cache_node_noprof"),
    null("__kmalloc_noprof"),
    null("__kmalloc_node_noprof"),
    null("__kmalloc_node_track_caller_noprof"),
    null("kmem_cache_alloc_noprof"),
    OF_NODE,
    null("kmem_cache_alloc_lru_noprof"),
    null("pcpu_alloc_noprof"),
    null("__kvmalloc_node_noprof"),
];
/// The allocator of slab objects of a NUMA node. `vmap()` calls it for each mapping, unless an area of an earlier one is
/// at hand.
pub(crate) const OF_NODE: Call = null("kmem_cache_alloc_node_noprof");
/// The allocator of pages: every allocation of pages calls it. Slab, vmalloc and the page cache cope with a failure:
/// they take fewer at a time, or use those they have.
pub(crate) const PAGES: Call = null("__alloc_frozen_pages_noprof");

/// An armed fault. Dropping it disarms it.
#[derive(Debug)]
pub(crate) struct Fault {
    file: OwnedFd,
}

/// Waits until everything that only waited for a grace period is freed.
pub(crate) fn settle() -> Outcome {
    let file = works!(sys::open("/dev/failnth", OFlags::RDWR));
    works!(rustix::io::write(&file, b"settle"));
    Ok(())
}

/// The counts of a fault so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// Calls that the fault counted.
    pub(crate) calls: u32,
    /// Calls that the fault made fail: 0 or 1, unless it is one of `onwards`.
    pub(crate) hits: u32,
}

impl Fault {
    /// Makes the `nth` call of the function by this process within `scope` fail.
    pub(crate) fn nth(call: Call, nth: u32, scope: &str) -> Outcome<Self> {
        Self::nth_with(call, nth, scope, "")
    }

    /// Arms a fault with further words of the module.
    fn nth_with(call: Call, nth: u32, scope: &str, more: &str) -> Outcome<Self> {
        let domain = if scope == MSI_DOMAIN { String::new() } else { format!("outside={MSI_DOMAIN}") };
        let sized = if call.function == REALLOC { "sized" } else { "" };
        let Call { function, returns } = call;
        Self::arm(&format!("func={function} ret={returns} nth={nth} scope={scope} {BROKEN} {domain} {sized} {more}"))
    }

    /// Like `nth`, but also excludes calls within the functions `outside`.
    pub(crate) fn nth_outside(call: Call, nth: u32, scope: &str, outside: &[&str]) -> Outcome<Self> {
        let outside: String = outside.iter().map(|function| format!(" outside={function}")).collect();
        Self::nth_with(call, nth, scope, &outside)
    }

    /// Makes the `nth` call of the function by this process within `scope`, and each one after it, fail.
    pub(crate) fn onwards(call: Call, nth: u32, scope: &str) -> Outcome<Self> {
        Self::nth_with(call, nth, scope, "onwards")
    }

    /// Like `nth`, but excludes the kernel's broken places by its scope alone. Allocations made ahead for trees of
    /// numbers (`idr_preload`) are left alone: they matter only if memory runs out later.
    pub(crate) fn nth_within(call: Call, nth: u32, scope: &str) -> Outcome<Self> {
        let Call { function, returns } = call;
        Self::arm(&format!("func={function} ret={returns} nth={nth} scope={scope} outside=idr_preload"))
    }

    /// Counts the calls by this process within `scope`, and lets none fail.
    pub(crate) fn count_within(call: Call, scope: &str) -> Outcome<Self> {
        Self::nth_within(call, 0, scope)
    }

    /// Rearms a fault of `nth_within` or `count_within`: the `nth` call fails from now on; with 0, none does.
    pub(crate) fn again(&self, nth: u32) -> Outcome {
        works!(rustix::io::write(&self.file, format!("nth={nth}").as_bytes()));
        Ok(())
    }

    /// Makes the `nth` call of the function by any process fail, wherever the call comes from.
    pub(crate) fn nth_of_any(call: Call, nth: u32) -> Outcome<Self> {
        Self::arm(&format!("func={} ret={} nth={nth}", call.function, call.returns))
    }

    /// Like `nth`, but the call waits for `release` before it fails.
    pub(crate) fn nth_waits(call: Call, nth: u32, scope: &str) -> Outcome<Self> {
        Self::arm(&format!("func={} ret={} nth={nth} scope={scope} block", call.function, call.returns))
    }

    /// Like `nth_of_any`, but the call waits for `release` before it fails.
    pub(crate) fn nth_of_any_waits(call: Call, nth: u32) -> Outcome<Self> {
        Self::arm(&format!("func={} ret={} nth={nth} block", call.function, call.returns))
    }

    /// Lets no call fail, and writes a trace line for each call of any process.
    pub(crate) fn watch(function: &str) -> Outcome<Self> {
        Self::arm(&format!("func={function} watch"))
    }

    fn arm(words: &str) -> Outcome<Self> {
        let opened = sys::open("/dev/failnth", OFlags::RDWR);
        let armed = opened.and_then(|file| rustix::io::write(&file, words.as_bytes()).map(|_| file));
        match armed {
            Ok(file) => Ok(Self { file }),
            Err(errno) => fail(format!("`{words}` cannot be armed: {errno}")),
        }
    }

    /// Waits until a call has stopped at the fault.
    pub(crate) fn wait(&self) -> Outcome {
        match sys::poll(&self.file, PollFlags::IN, patient_ms(10_000).into()) {
            Ok(events) if events.contains(PollFlags::IN) => Ok(()),
            _ => fail("no call stopped at the fault"),
        }
    }

    /// Lets the stopped call fail now.
    pub(crate) fn release(&self) -> Answer {
        rustix::io::write(&self.file, b"release").map(drop)
    }

    /// Returns the counts so far.
    pub(crate) fn count(&self) -> Outcome<Count> {
        let mut text = [0; 64];
        let Ok(len) = rustix::io::read(&self.file, &mut text) else {
            return fail("the fault cannot be read");
        };
        match parse(&String::from_utf8_lossy(&text[..len])) {
            Some(count) => Ok(count),
            None => fail("the fault's text has no counts"),
        }
    }
}

/// Parses `calls=N hits=N waiting=N`.
fn parse(text: &str) -> Option<Count> {
    let number = |name: &str| {
        let word = text.split_whitespace().find_map(|word| word.strip_prefix(name))?;
        word.parse().ok()
    };
    Some(Count { calls: number("calls=")?, hits: number("hits=")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_read_by_name() {
        assert_eq!(parse("calls=12 hits=1 waiting=0\n"), Some(Count { calls: 12, hits: 1 }));
        assert_eq!(parse("calls=12"), None);
    }
}
