// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The file systems and kernel settings that programs of an ordinary machine expect.
//!
//! Source: Documentation/admin-guide/sysctl/kernel.rst for the settings.

use std::{fs, io, path::Path};

use rustix::mount::{MountFlags, mount};

/// A file system to mount: type, directory, and options.
struct Mount {
    kind: &'static str,
    at: &'static str,
    options: &'static std::ffi::CStr,
    flags: MountFlags,
}

const NOTHING: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV).union(MountFlags::NOEXEC);

const MOUNTS: &[Mount] = &[
    Mount { kind: "proc", at: "/proc", options: c"", flags: NOTHING },
    Mount { kind: "sysfs", at: "/sys", options: c"", flags: NOTHING },
    Mount { kind: "devtmpfs", at: "/dev", options: c"mode=0755", flags: MountFlags::NOSUID },
    Mount { kind: "devpts", at: "/dev/pts", options: c"mode=0620", flags: MountFlags::NOSUID },
    Mount { kind: "tmpfs", at: "/dev/shm", options: c"mode=1777", flags: MountFlags::NOSUID },
    Mount { kind: "tmpfs", at: "/tmp", options: c"mode=1777", flags: MountFlags::NOSUID },
    Mount { kind: "tmpfs", at: "/run", options: c"mode=0755", flags: MountFlags::NOSUID },
    Mount { kind: "debugfs", at: "/sys/kernel/debug", options: c"", flags: NOTHING },
    Mount { kind: "tracefs", at: "/sys/kernel/tracing", options: c"", flags: NOTHING },
];

/// Settings: every log line reaches the console from here on, and so does each line that a program writes to
/// `/dev/kmsg` (by default all but ten in five seconds are dropped).
const SETTINGS: &[(&str, &str)] = &[("/proc/sys/kernel/printk", "8"), ("/proc/sys/kernel/printk_devkmsg", "on\n")];

/// Mounts everything and applies the settings.
pub(crate) fn prepare() -> Result<(), String> {
    for entry in MOUNTS {
        mount_one(entry).map_err(|error| format!("cannot mount {} on `{}`: {error}", entry.kind, entry.at))?;
    }
    for (path, value) in SETTINGS {
        fs::write(path, value).map_err(|error| format!("cannot write `{path}`: {error}"))?;
    }
    Ok(())
}

fn mount_one(entry: &Mount) -> io::Result<()> {
    // In sysfs the directory exists or the kernel lacks the feature; it cannot be made.
    if !Path::new(entry.at).exists() {
        if entry.at.starts_with("/sys/") {
            return Ok(());
        }
        fs::create_dir_all(entry.at)?;
    }
    match mount(entry.kind, entry.at, entry.kind, entry.flags, entry.options) {
        // The kernel mounts devtmpfs by itself with CONFIG_DEVTMPFS_MOUNT, but not for an initramfs;
        // either way it is there afterwards.
        Ok(()) | Err(rustix::io::Errno::BUSY) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
