// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Runs libFuzzer on the target that `DRYDOCK_FUZZ_TARGET` names; `drydock fuzz-host` builds and starts it.
//!
//! Source: LLVM, docs/LibFuzzer.rst. The flags that make coverage visible are those that cargo-fuzz gives to rustc.

#![no_main]

use std::alloc::System;
use std::sync::LazyLock;

use cap::Cap;
use drydock_host_fuzz::{TARGETS, Target, foreign, target};
use libfuzzer_sys::fuzz_target;

/// The memory limit: an input that needs more has found a fault.
const MEMORY: usize = 1 << 30;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, MEMORY);

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("DRYDOCK_FUZZ_TARGET").unwrap_or_default();
    target(&name).unwrap_or_else(|| {
        let known: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        panic!("`DRYDOCK_FUZZ_TARGET` is `{name}` and must be one of {}", known.join(", "))
    })
});

static SHOW: LazyLock<bool> = LazyLock::new(|| std::env::var_os("DRYDOCK_FUZZ_SHOW").is_some());

// The crate's own hook, which aborts, is installed before `init` runs.
fuzz_target!(init: foreign::ignore_known(), |bytes: &[u8]| {
    if *SHOW {
        eprintln!("{}", (TARGET.show)(bytes));
    }
    (TARGET.run)(bytes);
});
