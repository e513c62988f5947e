// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Fuzz targets: code that runs on the host, given bytes that others could have written. A target is a function that
//! takes any bytes and must return, soon, without a panic and with little memory.
//!
//! ```text
//! vfio_user    a model's server            csf_fw       the container of a GPU's firmware
//! mali, nova   a model, by its accesses    page_tables  tables in memory that anybody writes
//! device       what both have in common    fault_plan   TOML
//! bytes        numbers from bytes          foreign      known panics of other crates
//! ```
//!
//! The lab's own readers are in `lab/cli/src/foreign.rs`, or named there. `drydock fuzz-host` searches for inputs
//! (`main.rs`); `tests/corpus.rs` runs the targets on all kept inputs.

#![forbid(unsafe_code)]

mod bytes;
mod csf_fw;
mod device;
mod fault_plan;
pub mod foreign;
mod mali;
mod nova;
mod page_tables;
mod vfio_user;

/// A function that takes bytes. The lab knows its subject: [`drydock::host_fuzz::TARGETS`].
#[derive(Debug)]
pub struct Target {
    /// The target's name, and the directory of its inputs.
    pub name: &'static str,
    /// Runs the target on bytes.
    pub run: fn(&[u8]),
    /// Describes for people what the target makes of bytes.
    pub show: fn(&[u8]) -> String,
}

/// All targets.
pub const TARGETS: &[Target] = &[
    mali::TARGET,
    vfio_user::TARGET,
    nova::TARGET,
    fault_plan::TARGET,
    csf_fw::TARGET,
    page_tables::TARGET,
    Target { name: "console", run: drydock::foreign::console, show: text },
    Target { name: "agent", run: drydock::foreign::agent, show: text },
    Target { name: "programs", run: drydock::foreign::programs, show: text },
    Target { name: "binary", run: drydock::foreign::binary, show: text },
    Target { name: "lists", run: drydock::foreign::lists, show: text },
];

/// Returns the target of that name.
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// Returns bytes as text, with everything else escaped.
fn text(bytes: &[u8]) -> String {
    bytes.split_inclusive(|byte| *byte == b'\n').map(|line| format!("{}\n", line.escape_ascii())).collect()
}
