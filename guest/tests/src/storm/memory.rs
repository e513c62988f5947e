// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Makes memory short for the processes of a storm: where the kernel can fail a task's n-th allocation, by that; else
//! by a memory limit for all of them.
//!
//! Source: Documentation/fault-injection/fault-injection.rst, Documentation/admin-guide/cgroup-v2.rst (Linux 7.3).

use std::fs;
use std::path::Path;

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use crate::harness::check::{Outcome, fail};
use crate::harness::inject;

use super::board::Board;

/// The root of the control groups.
const ROOT: &str = "/sys/fs/cgroup";
/// The control group of the storm's processes.
const GROUP: &str = "/sys/fs/cgroup/storm";

/// The means that this kernel has.
#[derive(Debug)]
pub(super) enum Memory {
    /// Each process fails allocations of its own.
    Injected,
    /// All processes together are limited. `mounted` says whether the storm mounted the file system and must unmount
    /// it.
    Limited { mounted: bool },
}

impl Memory {
    /// Detects the means and prepares it.
    pub(super) fn prepare() -> Outcome<Self> {
        if Path::new("/proc/self/fail-nth").exists() {
            inject::any_allocation()?;
            return Ok(Self::Injected);
        }
        let there = || Path::new(ROOT).join("cgroup.controllers").exists();
        let mounted = !there() && mount("cgroup2", ROOT, "cgroup2", MountFlags::empty(), c"").is_ok();
        let enabled = fs::write(Path::new(ROOT).join("cgroup.subtree_control"), "+memory");
        let made = enabled.and_then(|()| match fs::create_dir(GROUP) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        });
        let this = Self::Limited { mounted };
        match made {
            Ok(()) => Ok(this),
            Err(error) => fail(format!("memory cannot be made short: `{GROUP}`: {error}")),
        }
    }

    /// Returns a name for the storm's output.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Injected => "allocations that fail",
            Self::Limited { .. } => "a memory limit",
        }
    }

    /// Adds a new process of the storm to the group.
    pub(super) fn admit(&self, pid: u32) {
        if let Self::Limited { .. } = self {
            // The process may have exited already.
            let _ = fs::write(Path::new(GROUP).join("cgroup.procs"), pid.to_string());
        }
    }

    /// Whether allocations are made to fail.
    pub(super) fn injects(&self) -> bool {
        matches!(self, Self::Injected)
    }

    /// Whether a process may be killed for lack of memory.
    pub(super) fn kills(&self) -> bool {
        matches!(self, Self::Limited { .. })
    }

    /// Makes memory short, with `left` bytes left.
    pub(super) fn begin(&self, board: &Board, left: u64) {
        match self {
            Self::Injected => board.set_short(true),
            Self::Limited { .. } => {
                let used = fs::read_to_string(Path::new(GROUP).join("memory.current")).unwrap_or_default();
                let used: u64 = used.trim().parse().unwrap_or(64 << 20);
                limit(&(used + left).to_string());
            }
        }
    }

    /// Ends the shortage.
    pub(super) fn end(&self, board: &Board) {
        match self {
            Self::Injected => board.set_short(false),
            Self::Limited { .. } => limit("max"),
        }
    }
}

fn limit(bytes: &str) {
    // If the limit kills a process, the write still succeeds.
    let _ = fs::write(Path::new(GROUP).join("memory.max"), bytes);
}

impl Drop for Memory {
    fn drop(&mut self) {
        if let Self::Limited { mounted } = self {
            // A leftover group does not disturb the next storm.
            let _ = fs::remove_dir(GROUP);
            if *mounted {
                let _ = unmount(ROOT, UnmountFlags::empty());
            }
        }
    }
}
