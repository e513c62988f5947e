// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Makes each call of a function within a scope fail in turn.
//!
//! Source: `kernel/tests/failnth/failnth.c`; mm/slub.c for the allocators (Linux 7.3).

use rustix::io::Errno;
use sys::Answer;

use crate::harness::check::{Outcome, Stop, fail, name};
use crate::harness::failnth::{Call, Count, Fault, MEMORY, MSI_DOMAIN, OF_NODE, PAGES, REALLOC};
use crate::harness::slabs::finds_leaks;
use crate::holds;

/// The first `ALL` calls of a function fail one at a time. Of the further calls, which only debug kernels make, only
/// some do.
const ALL: u32 = 200;
/// Like `ALL`, for pages: a call that makes many pages makes each in the same way.
const PAGES_ALL: u32 = 32;
const THEN: usize = 31;
/// No function is called more often than this.
const MOST: u32 = 4000;

/// A function whose failures may be absorbed, and how many: its callers continue without the result.
pub(crate) type Stood = (&'static str, u32);

/// A scope of failing calls, with the failures that it absorbs. Any other failure must be an error of the attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Within {
    /// The function within which the calls are made.
    pub(crate) scope: &'static str,
    /// Functions within the scope that are left out.
    pub(crate) outside: &'static [&'static str],
    /// Whether C continues without some of its own memory, however often.
    pub(crate) c_goes_on: bool,
    pub(crate) stands: &'static [Stood],
}

/// A probe. A device works without messages to user space, debugfs, devtmpfs, and some files of sysfs.
pub(crate) const PROBE: Within = Within {
    scope: "really_probe",
    outside: &[],
    c_goes_on: true,
    stands: &[("drmm_kmalloc", 3), ("devtmpfs_create_node", 2), ("debugfs_create_dir", 1)],
};
/// Loading a module. The module stays loaded if a probe within fails, since another device could come.
pub(crate) const LOAD: Within =
    Within { scope: "do_one_initcall", outside: &[], c_goes_on: true, stands: &[(REALLOC, u32::MAX)] };
/// Opening a node. `drm_debugfs_clients_add` silently omits what debugfs shows of a client, a directory with a file and
/// a link: their names, and the dentry, the inode and the inode's label of each.
pub(crate) const OPEN: Within = Within {
    scope: "drm_open",
    outside: &[],
    c_goes_on: false,
    stands: &[
        ("__kmalloc_node_track_caller_noprof", 3),
        ("kmem_cache_alloc_noprof", 3),
        ("kmem_cache_alloc_lru_noprof", 6),
    ],
};
/// An ioctl. A tree of numbers allocates a node ahead, and again when it needs one. An array that need not be
/// contiguous is allocated by `kmalloc()` first and by `vmalloc()` after a failure.
pub(crate) const IOCTL: Within = Within {
    scope: "drm_ioctl",
    outside: &[],
    c_goes_on: false,
    stands: &[("kmem_cache_alloc_noprof", 2), (REALLOC, 1), ("__kmalloc_node_track_caller_noprof", 1)],
};

impl Within {
    fn allows(&self, call: Call) -> u32 {
        let is_c = call.function != REALLOC && MEMORY.iter().any(|known| known.function == call.function);
        // The kernel's checkers allocate too, and tolerate a failure.
        if call.function == PAGES.function || is_c && (self.c_goes_on || finds_leaks()) {
            return u32::MAX;
        }
        self.stands.iter().find(|(function, _)| *function == call.function).map_or(0, |(_, calls)| *calls)
    }
}

/// Makes each call of a function within `within` fail in turn, until no call is left, and returns the number of calls.
///
/// `attempt` makes the calls; `after` checks and undoes what the attempt left. No module that is probed may be unloaded
/// meanwhile.
pub(crate) fn each_call(
    call: Call,
    within: &Within,
    mut attempt: impl FnMut() -> Answer,
    mut after: impl FnMut(Answer) -> Outcome,
) -> Outcome<u32> {
    let fault = Fault::nth_outside(call, 0, within.scope, within.outside)?;
    let mut stood = 0;
    for nth in places(call) {
        let place = |why: String| fail(format!("call {nth} of `{}`: {why}", call.function));
        fault.again(nth)?;
        let answer = attempt();
        let Count { hits, calls } = fault.count()?;
        fault.again(0)?;
        match answer {
            Err(errno) if hits == 0 => return place(format!("{} without a failure", name(errno))),
            Err(errno) if !fits(call, within.scope, errno) => return place(format!("answered by {}", name(errno))),
            Ok(()) if hits > 0 => stood += 1,
            _ => {}
        }
        if stood > within.allows(call) {
            return place("the failure is swallowed".into());
        }
        if let Err(Stop::Fail(why)) = after(answer) {
            return place(why);
        }
        if hits == 0 {
            // If the probed module were unloaded, the calls would silently stop. Pages are allocated only when no slab
            // has room, and areas of `vmap()` when none is left of an earlier one.
            let may_be_idle = nth == 1 || [PAGES, OF_NODE].iter().any(|idle| call.function == idle.function);
            holds!(calls > 0 || may_be_idle, "`{}` is still reached when none of its calls fails", call.function);
            return Ok(nth - 1);
        }
    }
    fail(format!("`{}` is called more than 4000 times", call.function))
}

/// Returns the first `all` numbers up to `last`, and a sample of the others.
pub(crate) fn some(all: u32, last: u32) -> Vec<u32> {
    (1..=last.min(all)).chain((all + 1..=last).step_by(THEN)).collect()
}

/// Returns which calls of a function fail in turn.
fn places(call: Call) -> Vec<u32> {
    some(if call.function == PAGES.function { PAGES_ALL } else { ALL }, MOST)
}

/// Makes each call of the allocators and of the functions in turn fail. The functions in `steps` must have been called
/// at least once.
pub(crate) fn sweep(
    steps: &[Call],
    within: &Within,
    attempt: impl Fn() -> Answer,
    after: impl Fn(Answer) -> Outcome,
) -> Outcome {
    for call in MEMORY.iter().chain([&PAGES]) {
        each_call(*call, within, &attempt, &after)?;
    }
    for call in steps {
        called(*call, each_call(*call, within, &attempt, &after)?)?;
    }
    Ok(())
}

/// Whether the error fits the call: a step's own error arrives unchanged, but C turns an allocation failure into
/// various errors.
fn fits(call: Call, scope: &str, errno: Errno) -> bool {
    let various = [Errno::NOSPC, Errno::INVAL, Errno::BUSY];
    match errno {
        Errno::NOMEM => true,
        Errno::NODEV => scope == MSI_DOMAIN,
        errno => call.returns == 0 && various.contains(&errno),
    }
}

/// Checks that a step was called: if a function is no longer called, its test would be empty.
pub(crate) fn called(call: Call, calls: u32) -> Outcome {
    holds!(calls > 0, "`{}` is called", call.function);
    Ok(())
}
