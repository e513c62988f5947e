// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Runs every kept input on its target again: without a fuzzer, with any compiler.

use std::alloc::System;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::{Duration, Instant};

use cap::Cap;
use drydock_host_fuzz::{TARGETS, foreign, target};

/// The memory limit, as in the fuzzer: an input that needs more has found a fault.
#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, 1 << 30);

/// The time limit of an input; most take less than a millisecond.
const LONGEST: Duration = Duration::from_secs(20);

fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name)
}

fn inputs(name: &str) -> Vec<PathBuf> {
    let found = fs::read_dir(directory(name)).expect("each target has a directory of inputs");
    let mut paths: Vec<_> = found.map(|entry| entry.expect("it can be listed").path()).collect();
    paths.sort();
    paths
}

fn replay(name: &str) {
    static ONCE: Once = Once::new();
    ONCE.call_once(foreign::ignore_known);
    let target = target(name).expect("it is a target");
    let inputs = inputs(name);
    assert!(!inputs.is_empty(), "`{name}` has inputs");
    for path in inputs {
        let bytes = fs::read(&path).expect("an input can be read");
        let started = Instant::now();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| (target.run)(&bytes))) {
            eprintln!("this was done with `{}`:\n{}", path.display(), (target.show)(&bytes));
            resume_unwind(panic);
        }
        assert!(started.elapsed() < LONGEST, "`{}` took {:?}", path.display(), started.elapsed());
    }
}

const REPLAYED: &[&str] = &[
    "mali",
    "vfio-user",
    "nova",
    "fault-plan",
    "csf-fw",
    "page-tables",
    "console",
    "agent",
    "programs",
    "binary",
    "lists",
];

#[test]
fn mali() {
    replay("mali");
}

#[test]
fn vfio_user() {
    replay("vfio-user");
}

#[test]
fn nova() {
    replay("nova");
}

#[test]
fn fault_plan() {
    replay("fault-plan");
}

#[test]
fn csf_fw() {
    replay("csf-fw");
}

#[test]
fn page_tables() {
    replay("page-tables");
}

#[test]
fn console() {
    replay("console");
}

#[test]
fn agent() {
    replay("agent");
}

#[test]
fn programs() {
    replay("programs");
}

#[test]
fn binary() {
    replay("binary");
}

#[test]
fn lists() {
    replay("lists");
}

#[test]
fn no_target_is_left_out() {
    let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
    let known: Vec<_> = drydock::host_fuzz::TARGETS.iter().map(|target| target.name).collect();
    assert_eq!((names.as_slice(), known.as_slice()), (REPLAYED, REPLAYED));
}
