// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Two modules whose crate roots have the same file name (L20), one of which is declared under another's name (L26).
//!
//! Source: `kernel/tests/twins`.

use sys::klog::KernelLog;

use crate::harness::check::Outcome;
use crate::subjects::bus::{load, unload};
use crate::subjects::guest::Guest;
use crate::{holds, works};

crate::cases::cases! {
    "twins": same_root_name_makes_other_types, child_under_a_declared_name_is_refused,
}

/// Loads a module, and returns what it logs behind this beginning.
fn says(guest: &Guest, module: &str, beginning: &str) -> Outcome<Option<String>> {
    works!(unload(module));
    let mut log = KernelLog::from_now();
    load(guest, module)?;
    let lines = log.lines();
    let found = lines.iter().find_map(|line| line.split_once(beginning).map(|(_, rest)| rest.trim().to_owned()));
    works!(unload(module));
    Ok(found)
}

/// The compiler distinguishes two types with the same name; otherwise a value of one could be used as the other.
fn same_root_name_makes_other_types(guest: &Guest) -> Outcome {
    let one = says(guest, "twin_one", "kept is ")?;
    let two = says(guest, "twin_two", "kept is ")?;
    holds!(one.as_deref().is_some_and(|id| id.starts_with("TypeId(")), "the first logs its type: {one:?}");
    holds!(two.as_deref().is_some_and(|id| id.starts_with("TypeId(")), "the second logs its type: {two:?}");
    holds!(one != two, "the types differ: {one:?} and {two:?}");
    Ok(())
}

/// A child under another module's name is refused: C drivers would take a device `mlx5_core.rdma.0` for one that the
/// module of that name has made.
fn child_under_a_declared_name_is_refused(guest: &Guest) -> Outcome {
    let answer = says(guest, "twin_two", "a child of mlx5_core: ")?;
    holds!(answer.as_deref() == Some("-22"), "it is refused, with EINVAL: {answer:?}");
    holds!(!std::fs::exists("/sys/bus/auxiliary/devices/mlx5_core.rdma.0")?, "there is no such device");
    Ok(())
}
