// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Implements `drydock enter-root`: makes namespaces and mounts, changes the root, and runs the program.
//!
//! Source: unshare(2), user_namespaces(7), pid_namespaces(7), mount_setattr(2), mount_namespaces(7).

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};

use rustix::fs::CWD;
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_bind_recursive, mount_change};
use rustix::process::{Signal, chroot, getegid, geteuid, set_parent_process_death_signal};
use rustix::thread::UnshareFlags;

use super::EnterSpec;
use drydock_base::exit;

/// The devices in the root's /dev, as far as the host has them.
const DEVICES: [&str; 8] = ["null", "zero", "full", "random", "urandom", "tty", "kvm", "vhost-net"];
const DEVICE_LINKS: [(&str, &str); 4] =
    [("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")];

/// Enters the root and runs the program. Returns only in the keeper, or on failure.
pub fn enter(spec: EnterSpec) -> ExitCode {
    match keep(&spec) {
        Ok(status) => imitate(status),
        Err(error) => {
            eprintln!("drydock: failed to enter `{}`: {error}", spec.root.display());
            ExitCode::from(exit::MACHINERY)
        }
    }
}

/// Makes the namespaces, starts the program as their first process and waits for its end.
fn keep(spec: &EnterSpec) -> io::Result<ExitStatus> {
    let (uid, gid) = (geteuid(), getegid());
    let mut flags = UnshareFlags::NEWNS | UnshareFlags::NEWPID;
    if !uid.is_root() {
        flags |= UnshareFlags::NEWUSER;
    }
    // SAFETY: `unshare_unsafe` is unsafe because of file-descriptor tables, which these flags leave alone. This process
    // has one thread.
    unsafe { rustix::thread::unshare_unsafe(flags) }.map_err(|error| named("make namespaces", error.into()))?;
    if flags.contains(UnshareFlags::NEWUSER) {
        become_root_inside(uid.as_raw(), gid.as_raw())?;
    }
    // Set it again: new credentials may have cleared the setting that the lab made.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let (program, args) = spec.program.split_first().ok_or_else(|| io::Error::other("no program given"))?;
    // The program must be found in the root, but `Command` would search the host's path before the root is changed.
    let mut command = Command::new("/proc/self/exe");
    command.arg0(program).args(args);
    let plan = Plan::new(spec, program)?;
    // SAFETY: This process has a single thread, so the child's allocator and locks are consistent after the fork.
    unsafe { command.pre_exec(move || plan.carry_out()) };
    command.spawn()?.wait()
}

/// Maps our user to root in the new user namespace.
fn become_root_inside(uid: u32, gid: u32) -> io::Result<()> {
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    fs::write("/proc/self/gid_map", format!("0 {gid} 1"))
}

/// The child's work between fork and exec.
struct Plan {
    root: PathBuf,
    writable: bool,
    binds: Vec<(PathBuf, PathBuf, bool)>,
    program: std::ffi::OsString,
    argv: Vec<std::ffi::OsString>,
}

impl Plan {
    fn new(spec: &EnterSpec, program: &std::ffi::OsStr) -> io::Result<Self> {
        let mut binds = Vec::new();
        for (pairs, writable) in [(&spec.read, false), (&spec.write, true)] {
            for pair in pairs {
                // Our paths inside the root have no colon, but a host path may.
                let (host, inside) =
                    pair.rsplit_once(':').ok_or_else(|| io::Error::other("a bind needs `HOST:INSIDE`"))?;
                binds.push((PathBuf::from(host), PathBuf::from(inside), writable));
            }
        }
        let root = spec.root.canonicalize()?;
        Ok(Self { root, writable: spec.writable, binds, program: program.to_owned(), argv: spec.program.clone() })
    }

    fn carry_out(&self) -> io::Result<()> {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // Mounts made here must not propagate to the host.
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
            .map_err(|error| named("make mounts private", error.into()))?;
        if self.root != Path::new("/") {
            self.mount_all()?;
            chroot(&self.root)?;
            std::env::set_current_dir("/")?;
        }
        Err(self.become_program())
    }

    fn mount_all(&self) -> io::Result<()> {
        for (_, inside, _) in &self.binds {
            fs::create_dir_all(self.inside(inside))
                .map_err(|error| named(&format!("create `{}`", inside.display()), error))?;
        }
        bind(&self.root, &self.root)?;
        if !self.writable {
            make_read_only(&self.root)?;
        }
        self.mount_dev()?;
        self.mount_proc()?;
        mount(
            "tmpfs",
            self.inside(Path::new(super::PRIVATE_TMP)),
            "tmpfs",
            MountFlags::NOSUID | MountFlags::NODEV,
            None,
        )?;
        for (host, inside, writable) in &self.binds {
            bind(host, &self.inside(inside))?;
            if !writable {
                make_read_only(&self.inside(inside))?;
            }
        }
        Ok(())
    }

    fn inside(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Mounts a private /dev with the host's harmless devices. With the host's /dev, a compiler that root runs with `-o
    /// /dev/null` would replace the machine's null device by a file.
    fn mount_dev(&self) -> io::Result<()> {
        let dev = self.root.join("dev");
        mount("tmpfs", &dev, "tmpfs", MountFlags::NOSUID, Some(c"mode=755"))?;
        for name in DEVICES {
            let host = Path::new("/dev").join(name);
            if host.exists() {
                fs::write(dev.join(name), "")?;
                bind(&host, &dev.join(name))?;
            }
        }
        for (link, target) in DEVICE_LINKS {
            symlink(target, dev.join(link))?;
        }
        fs::create_dir(dev.join("shm"))
    }

    /// Mounts /proc. A container that masks parts of its own /proc may forbid a new one; the host's is used then.
    fn mount_proc(&self) -> io::Result<()> {
        let at = self.root.join("proc");
        let fresh = mount("proc", &at, "proc", MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC, None);
        fresh.map_err(io::Error::from).or_else(|_| bind(Path::new("/proc"), &at))
    }

    /// Replaces this process by the program, which is found with the root's search path.
    fn become_program(&self) -> io::Error {
        let error = Command::new(&self.program).args(&self.argv[1..]).exec();
        named(&format!("run `{}`", self.program.to_string_lossy()), error)
    }
}

fn bind(from: &Path, to: &Path) -> io::Result<()> {
    mount_bind_recursive(from, to).map_err(|error| named(&format!("make `{}` visible", from.display()), error.into()))
}

/// Adds "read-only" and keeps all other flags: in a user namespace, the kernel refuses a remount that drops the host's
/// `nosuid`.
fn make_read_only(at: &Path) -> io::Result<()> {
    let path = CString::new(at.as_os_str().as_encoded_bytes())?;
    let attributes = libc::mount_attr { attr_set: libc::MOUNT_ATTR_RDONLY, attr_clr: 0, propagation: 0, userns_fd: 0 };
    let flags = libc::AT_RECURSIVE;
    let directory = std::os::fd::AsRawFd::as_raw_fd(&CWD);
    // SAFETY: The path is a C string and the structure has the size that is passed; both live across the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            directory,
            path.as_ptr(),
            flags,
            &raw const attributes,
            size_of_val(&attributes),
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(named(&format!("make `{}` read-only", at.display()), io::Error::last_os_error())),
    }
}

/// Adds to an error what failed. Exec's error pipe passes only the kind on, so the text is printed too.
fn named(what: &str, error: io::Error) -> io::Error {
    eprintln!("drydock: cannot {what}: {error}");
    error
}

/// Ends as the program did, so that the caller sees the program's status.
fn imitate(status: ExitStatus) -> ExitCode {
    match (status.code(), status.signal()) {
        (Some(code), _) => ExitCode::from(u8::try_from(code).unwrap_or(exit::MACHINERY)),
        (None, Some(signal)) => ExitCode::from(128 + u8::try_from(signal).unwrap_or(0)),
        (None, None) => ExitCode::from(exit::MACHINERY),
    }
}
