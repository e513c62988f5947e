// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Failures of chosen kernel calls, through the test module `failnth`.
//!
//! Source: `kernel/tests/failnth/failnth.c`.

use std::os::fd::OwnedFd;

use rustix::event::PollFlags;
use rustix::fs::OFlags;

use crate::check::{Outcome, fail};
use crate::sys::{self, Answer};
use crate::works;

/// Where the kernel itself does not stand a failure (Linux 7.3.4): `drm_minor_alloc()` leaves the error pointer of
/// `drm_sysfs_minor_alloc()` in `minor->kdev`, and the managed action for the minor puts it (an oops); `register_irq_proc()`
/// does not look whether it got its files, and `unregister_irq_proc()` warns of those that it does not find.
const BROKEN: &str = "outside=drm_sysfs_minor_alloc outside=register_irq_proc";

/// What fails within this, for want of memory as well, is `ENODEV` to its caller, `__pci_enable_msix_range()`. It counts only
/// where it is the scope.
pub(crate) const MSI_DOMAIN: &str = "pci_setup_msix_device_domain";

/// What Rust allocates and, with a size of 0, frees by. A free that is not carried out is a leak, and no failure that can happen.
pub(crate) const REALLOC: &str = "krealloc_node_align_noprof";

/// A function of the kernel and what it returns when it fails.
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

/// An armed fault; dropping it disarms it.
#[derive(Debug)]
pub(crate) struct Fault {
    file: OwnedFd,
}

/// Waits until everything is freed that only waited for a grace period.
pub(crate) fn settle() -> Outcome {
    let file = works!(sys::open("/dev/failnth", OFlags::RDWR));
    works!(rustix::io::write(&file, b"settle"));
    Ok(())
}

/// What happened at a fault so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// Calls that counted.
    pub(crate) calls: u32,
    /// Calls that failed by it: 0 or 1.
    pub(crate) hits: u32,
}

impl Fault {
    /// The `nth` call of the function within `scope` by this process fails.
    pub(crate) fn nth(call: Call, nth: u32, scope: &str) -> Outcome<Self> {
        let domain = if scope == MSI_DOMAIN { String::new() } else { format!("outside={MSI_DOMAIN}") };
        let sized = if call.function == REALLOC { "sized" } else { "" };
        let Call { function, returns } = call;
        Self::arm(&format!("func={function} ret={returns} nth={nth} scope={scope} {BROKEN} {domain} {sized}"))
    }

    /// As `nth`, within what reaches none of the kernel's broken places. What is made ahead for trees of numbers is left alone: it
    /// is only needed if there is not enough later.
    pub(crate) fn nth_within(call: Call, nth: u32, scope: &str) -> Outcome<Self> {
        let Call { function, returns } = call;
        Self::arm(&format!("func={function} ret={returns} nth={nth} scope={scope} outside=idr_preload"))
    }

    /// No call fails; those within `scope` by this process are counted.
    pub(crate) fn count_within(call: Call, scope: &str) -> Outcome<Self> {
        Self::nth_within(call, 0, scope)
    }

    /// Of one of `nth_within` or `count_within`: from now on it is the `nth` call that fails, or with 0 none.
    pub(crate) fn again(&self, nth: u32) -> Outcome {
        works!(rustix::io::write(&self.file, format!("nth={nth}").as_bytes()));
        Ok(())
    }

    /// The `nth` call of the function by any process fails, wherever it comes from.
    pub(crate) fn nth_of_any(call: Call, nth: u32) -> Outcome<Self> {
        Self::arm(&format!("func={} ret={} nth={nth}", call.function, call.returns))
    }

    /// As `nth`, but the call waits for `release` before it fails.
    pub(crate) fn nth_waits(call: Call, nth: u32, scope: &str) -> Outcome<Self> {
        Self::arm(&format!("func={} ret={} nth={nth} scope={scope} block", call.function, call.returns))
    }

    /// As `nth_of_any`, but the call waits for `release` before it fails.
    pub(crate) fn nth_of_any_waits(call: Call, nth: u32) -> Outcome<Self> {
        Self::arm(&format!("func={} ret={} nth={nth} block", call.function, call.returns))
    }

    /// No call fails; each, of any process, is a line of the trace.
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

    /// Waits until a call waits.
    pub(crate) fn wait(&self) -> Outcome {
        match sys::poll(&self.file, PollFlags::IN, 10_000) {
            Ok(events) if events.contains(PollFlags::IN) => Ok(()),
            _ => fail("the call that is to wait does not come"),
        }
    }

    /// Lets the call that waits fail now.
    pub(crate) fn release(&self) -> Answer {
        rustix::io::write(&self.file, b"release").map(drop)
    }

    /// What happened so far.
    pub(crate) fn count(&self) -> Outcome<Count> {
        let mut text = [0; 64];
        let Ok(len) = rustix::io::read(&self.file, &mut text) else {
            return fail("the fault cannot be read");
        };
        match parse(&String::from_utf8_lossy(&text[..len])) {
            Some(count) => Ok(count),
            None => fail("the fault tells something else"),
        }
    }
}

/// `calls=N hits=N waiting=N`
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
