// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The toolchain root: a Debian tree with compilers, QEMU and clients, and how programs run inside it.
//!
//! A program in the root is a chain of two processes. `drydock enter-root` makes a mount and a process namespace (for
//! an ordinary user also a user namespace) and stays as its keeper. Its child mounts, changes the root and becomes the
//! program. If the lab, the keeper or the terminal ends, the kernel kills the rest, and the mounts disappear with their
//! namespace.
//!
//! Inside, `/src` is the checkout, `/kernel` the kernel in use, `/tmp` private ([`PRIVATE_TMP`]), and all else
//! read-only.

mod enter;
mod make;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

pub use enter::enter;
pub use make::{Addition, add, ensure, has_addition, identity, is_made, unpack_with};
pub(crate) use make::{LEFT_OUT, download, exclusions, names, unpack};

use drydock_base::error::{Error, Kind, Result};
use drydock_base::process;

/// The hidden command by which the lab starts itself to enter a root.
pub const ENTER_WORD: &str = "enter-root";

/// A tmpfs inside the root that each program has for itself. It is empty at the start and freed at the end.
pub const PRIVATE_TMP: &str = "/tmp";

/// A directory of the host that is visible inside the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    /// The path on the host.
    pub host: PathBuf,
    /// The path inside the root, which is made if it does not exist.
    pub inside: PathBuf,
    /// Whether the program may write there.
    pub writable: bool,
}

/// Directories of the host that a program inside the root sees besides the default ones.
#[derive(Clone, Debug, Default)]
pub struct Binds(Vec<Bind>);

impl Binds {
    /// Returns no additional directories.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds a directory that the program may only read.
    pub fn read(self, host: impl Into<PathBuf>, inside: impl Into<PathBuf>) -> Self {
        self.with(host.into(), inside.into(), false)
    }

    /// Adds a directory that the program may write.
    pub fn write(self, host: impl Into<PathBuf>, inside: impl Into<PathBuf>) -> Self {
        self.with(host.into(), inside.into(), true)
    }

    /// Adds the directories of `other` after these.
    pub fn and(mut self, other: &Self) -> Self {
        self.0.extend_from_slice(&other.0);
        self
    }

    fn with(mut self, host: PathBuf, inside: PathBuf, writable: bool) -> Self {
        self.0.push(Bind { host, inside, writable });
        self
    }
}

/// A program to run inside a root: the words that [`command`] writes after [`ENTER_WORD`].
#[derive(Debug)]
pub struct EnterSpec {
    /// The root directory.
    pub root: PathBuf,
    /// Whether the program may write to the root itself.
    pub writable: bool,
    /// `HOST:INSIDE` for each directory that the program may only read.
    pub read: Vec<String>,
    /// `HOST:INSIDE` for each directory that the program may write.
    pub write: Vec<String>,
    /// The program and its arguments.
    pub program: Vec<OsString>,
}

/// Returns a command that runs `program` inside `root`. Its environment is empty except for variables that every tool
/// expects.
pub fn command(root: &Path, program: &str, binds: &Binds) -> Command {
    build(root, program, binds, false)
}

/// Like [`command`], with a writable root; for making the root.
pub fn command_writable(root: &Path, program: &str, binds: &Binds) -> Command {
    build(root, program, binds, true)
}

fn build(root: &Path, program: &str, binds: &Binds, writable: bool) -> Command {
    // Use the link, not the path it resolves to: the link stays valid if the lab is rebuilt while it runs.
    let mut command = Command::new("/proc/self/exe");
    command.arg(ENTER_WORD).arg("--root").arg(root).args(writable.then_some("--writable"));
    for bind in &binds.0 {
        let mut pair = bind.host.as_os_str().to_owned();
        pair.push(":");
        pair.push(&bind.inside);
        command.arg(if bind.writable { "--write" } else { "--read" }).arg(pair);
    }
    command.args(["--", program]);
    command.env_clear().envs([("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), ("HOME", "/root"), ("LC_ALL", "C.UTF-8")]);
    if let Some(term) = std::env::var_os("TERM") {
        command.env("TERM", term);
    }
    process::die_with_us(&mut command);
    command
}

/// Checks that this machine lets us enter a root. An error explains the obstacle and the ways around it.
pub fn check_namespaces() -> Result<()> {
    let mut probe = command(Path::new("/"), "/bin/true", &Binds::none());
    process::output(&mut probe).map(drop).map_err(|error| {
        let (who, ways_out) =
            if rustix::process::geteuid().is_root() { ("root", OF_ROOT) } else { ("an ordinary user", OF_USERS) };
        let seen = error.all_details().first().map(|line| line.trim_start_matches("drydock: ").to_owned());
        let seen = seen.unwrap_or_else(|| error.chain());
        Error::new(Kind::Host, format!("this machine does not let {who} make namespaces: {seen}")).hint(ways_out)
    })
}

/// The hint for the user root. Root that cannot make namespaces is restricted, as in a container.
const OF_ROOT: &str = "in a container: let it mount (`--privileged`, or `--cap-add=SYS_ADMIN` without the seccomp and AppArmor \
                       profiles);\n\
                       in a chroot: make its directory a mount point before entering it (`mount --bind DIR DIR`)";

const OF_USERS: &str = "either let users make them: `sysctl kernel.unprivileged_userns_clone=1` (Debian), \
                        `sysctl kernel.apparmor_restrict_unprivileged_userns=0` (Ubuntu), as root;\n\
                        or run drydock as root";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_users_environment_reaches_a_program_in_the_root() {
        let make = command(Path::new("/"), "make", &Binds::none());
        let kept: Vec<_> = make.get_envs().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
        assert!(kept.iter().all(|name| ["PATH", "HOME", "LC_ALL", "TERM"].contains(&name.as_str())), "{kept:?}");
        // An empty environment excludes `MAKEFLAGS`, `KCFLAGS` and `LD_PRELOAD`, and also variables invented later.
        assert!(format!("{make:?}").starts_with("env -i "), "{make:?}");
    }
}
