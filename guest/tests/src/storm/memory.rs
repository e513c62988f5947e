// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Limits the memory of a storm's processes, and makes it short: where the kernel can fail a task's n-th allocation, by that;
//! else by a lower limit.
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

/// The means of this kernel, and the control group of all processes. Its limit is at all times low enough that the clients' buffers
/// leave the guest the memory it needs.
#[derive(Debug)]
pub(super) struct Memory {
    /// Whether each process fails allocations of its own.
    injects: bool,
    /// The bytes of the group while memory is not short.
    most: u64,
    /// Whether the storm mounted the groups' file system and must unmount it.
    mounted: bool,
}

impl Memory {
    /// Detects the means and prepares it.
    pub(super) fn prepare() -> Outcome<Self> {
        let injects = Path::new("/proc/self/fail-nth").exists();
        if injects {
            inject::any_allocation()?;
        }
        let there = || Path::new(ROOT).join("cgroup.controllers").exists();
        let mounted = !there() && mount("cgroup2", ROOT, "cgroup2", MountFlags::empty(), c"").is_ok();
        let this = Self { injects, most: available()? / 2, mounted };
        let enabled = fs::write(Path::new(ROOT).join("cgroup.subtree_control"), "+memory");
        let made = enabled.and_then(|()| match fs::create_dir(GROUP) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        });
        if let Err(error) = made {
            return fail(format!("the memory of clients cannot be limited: `{GROUP}`: {error}"));
        }
        limit(this.most);
        Ok(this)
    }

    /// Returns a name for the storm's output.
    pub(super) fn name(&self) -> &'static str {
        if self.injects { "allocations that fail" } else { "a memory limit" }
    }

    /// Adds a new process of the storm to the group.
    pub(super) fn admit(&self, pid: u32) {
        // The process may have exited already.
        let _ = fs::write(Path::new(GROUP).join("cgroup.procs"), pid.to_string());
    }

    /// Whether allocations are made to fail.
    pub(super) fn injects(&self) -> bool {
        self.injects
    }

    /// Makes memory short, with `left` bytes left where the limit does that.
    pub(super) fn begin(&self, board: &Board, left: u64) {
        if self.injects {
            return board.set_short(true);
        }
        let used = fs::read_to_string(Path::new(GROUP).join("memory.current")).unwrap_or_default();
        let used: u64 = used.trim().parse().unwrap_or(64 << 20);
        limit(used + left);
    }

    /// Ends the shortage.
    pub(super) fn end(&self, board: &Board) {
        match self.injects {
            true => board.set_short(false),
            false => limit(self.most),
        }
    }
}

fn limit(bytes: u64) {
    // If the limit kills a process, the write still succeeds.
    let _ = fs::write(Path::new(GROUP).join("memory.max"), bytes.to_string());
}

/// Returns the bytes that programs can still use.
fn available() -> Outcome<u64> {
    let info = fs::read_to_string("/proc/meminfo")?;
    let text = info.lines().find_map(|line| line.strip_prefix("MemAvailable:")?.strip_suffix("kB"));
    match text.and_then(|text| text.trim().parse::<u64>().ok()) {
        Some(kibibytes) => Ok(1024 * kibibytes),
        None => fail(format!("the kernel does not say how much memory is available: {info}")),
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // A leftover group does not disturb the next storm.
        let _ = fs::remove_dir(GROUP);
        if self.mounted {
            let _ = unmount(ROOT, UnmountFlags::empty());
        }
    }
}
