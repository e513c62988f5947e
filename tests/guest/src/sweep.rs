// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Each call of a function, within a scope, made to fail in turn.
//!
//! Source: `kernel/tests/failnth/failnth.c`; mm/slub.c for the allocators (Linux 7.3).

use rustix::io::Errno;

use crate::check::{Outcome, fail, name};
use crate::failnth::{Call, Count, Fault, MSI_DOMAIN, REALLOC, null};
use crate::holds;
use crate::sys::Answer;

/// No step is called more often than this.
const MOST: u32 = 200;

/// The allocators: every allocation of C and of Rust goes through one of them.
pub(crate) const MEMORY: &[Call] = &[
    null(REALLOC),
    null("__kmalloc_cache_noprof"),
    null("__kmalloc_noprof"),
    null("__kmalloc_node_noprof"),
    null("__kmalloc_node_track_caller_noprof"),
    null("kmem_cache_alloc_noprof"),
    null("kmem_cache_alloc_lru_noprof"),
    null("pcpu_alloc_noprof"),
    null("__kvmalloc_node_noprof"),
];

/// Makes each call of a function within `scope` fail in turn, until none is left, and returns their number.
///
/// `attempt` is what they are calls of; `after` looks at what is left of it and undoes it.
pub(crate) fn each_call(
    call: Call,
    scope: &str,
    mut attempt: impl FnMut() -> Answer,
    mut after: impl FnMut(Answer) -> Outcome,
) -> Outcome<u32> {
    for nth in 1..MOST {
        let fault = Fault::nth(call, nth, scope)?;
        let answer = attempt();
        let Count { hits, .. } = fault.count()?;
        drop(fault);
        let place = |why: String| fail(format!("call {nth} of `{}`: {why}", call.function));
        match answer {
            Err(errno) if hits == 0 => return place(format!("{} without a failure", name(errno))),
            Err(errno) if !fits(call, scope, errno) => return place(format!("answered by {}", name(errno))),
            _ => {}
        }
        if let Err(crate::check::Stop::Fail(why)) = after(answer) {
            return place(why);
        }
        if hits == 0 {
            return Ok(nth - 1);
        }
    }
    fail(format!("`{}` is called without end", call.function))
}

/// Fails each call of the allocators and of the functions in turn; those of `steps` must have been called at all.
pub(crate) fn sweep(
    steps: &[Call],
    scope: &str,
    attempt: impl Fn() -> Answer,
    after: impl Fn(Answer) -> Outcome,
) -> Outcome {
    for call in MEMORY {
        each_call(*call, scope, &attempt, &after)?;
    }
    for call in steps {
        called(*call, each_call(*call, scope, &attempt, &after)?)?;
    }
    Ok(())
}

/// A step's own error arrives as it is; C makes various ones of memory that it does not get.
fn fits(call: Call, scope: &str, errno: Errno) -> bool {
    let various = [Errno::NOSPC, Errno::INVAL, Errno::BUSY];
    match errno {
        Errno::NOMEM => true,
        Errno::NODEV => scope == MSI_DOMAIN,
        errno => call.returns == 0 && various.contains(&errno),
    }
}

/// Each step is a step: a function that is no longer called would make the test an empty one.
pub(crate) fn called(call: Call, calls: u32) -> Outcome {
    holds!(calls > 0, "`{}` is called", call.function);
    Ok(())
}
