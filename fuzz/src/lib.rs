// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Fuzz targets: what runs on the host, given bytes that others could have written. A target is a function that takes any
//! bytes and must come back, soon, without a panic and with little memory.
//!
//! ```text
//! vfio_user    a model's server            csf_fw       the container of a GPU's firmware
//! mali, nova   a model, by its accesses    page_tables  tables in memory that anybody writes
//! device       what both have in common    fault_plan   TOML
//! bytes        numbers out of bytes        foreign      what may panic although it is not ours
//! ```
//!
//! The lab's own readers are in `lab/src/foreign.rs`, or named there. `drydock fuzz-host` looks for inputs (`main.rs`);
//! `tests/corpus.rs` gives the targets all inputs that were kept.

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

/// Something that takes bytes. What it is about, the lab knows: [`drydock::host_fuzz::TARGETS`].
#[derive(Debug)]
pub struct Target {
    /// What it is called, and the directory of its inputs.
    pub name: &'static str,
    /// Takes bytes.
    pub run: fn(&[u8]),
    /// What it makes of bytes, for people.
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

/// The target of that name.
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// Bytes as text, with what is none escaped.
fn text(bytes: &[u8]) -> String {
    bytes.split_inclusive(|byte| *byte == b'\n').map(|line| format!("{}\n", line.escape_ascii())).collect()
}
