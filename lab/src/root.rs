// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The toolchain root: a Debian tree with compilers, QEMU and clients, and how programs run inside it.
//!
//! A program in the root is a chain of two processes: `drydock enter-root` makes a mount and a process namespace (as an
//! ordinary user also a user namespace) and stays as its keeper; its child mounts, changes the root and becomes the program.
//! When the lab, the keeper or the terminal goes away, the kernel kills the rest, and the mounts go with their namespace.
//!
//! Inside: `/src` is the checkout, `/kernel` the kernel in use, `/tmp` private ([`PRIVATE_TMP`]), all else read-only.

mod enter;
mod make;

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;

pub use enter::enter;
pub use make::{Addition, add, ensure, has_addition, identity, is_made, unpack_with};

use crate::error::{Error, Kind, Result};
use crate::events::Events;
use crate::{process, setup};

/// The word by which the lab calls itself to enter a root.
pub const ENTER_WORD: &str = "enter-root";

/// Inside the root: a memory file system of each program's own, empty when it starts and gone when it ends.
pub const PRIVATE_TMP: &str = "/tmp";

/// A directory of the host that is visible inside the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    /// On the host.
    pub host: PathBuf,
    /// Inside the root; made if it does not exist.
    pub inside: PathBuf,
    /// Whether the program may write there.
    pub writable: bool,
}

/// What a program inside the root sees of the host, besides the usual.
#[derive(Clone, Debug, Default)]
pub struct Binds(Vec<Bind>);

impl Binds {
    /// Nothing besides the usual.
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

    /// These, then those of `other`.
    pub fn and(mut self, other: &Self) -> Self {
        self.0.extend_from_slice(&other.0);
        self
    }

    fn with(mut self, host: PathBuf, inside: PathBuf, writable: bool) -> Self {
        self.0.push(Bind { host, inside, writable });
        self
    }
}

/// What `drydock enter-root` is told.
#[derive(Debug, Args)]
pub struct EnterSpec {
    /// The root directory
    #[arg(long)]
    root: PathBuf,
    /// Let the program write to the root itself
    #[arg(long)]
    writable: bool,
    /// HOST:INSIDE, read-only
    #[arg(long)]
    read: Vec<String>,
    /// HOST:INSIDE, writable
    #[arg(long)]
    write: Vec<String>,
    /// The program and its arguments
    #[arg(last = true)]
    program: Vec<std::ffi::OsString>,
}

/// A command that runs `program` inside `root`, with an empty environment but for what every tool expects.
pub fn command(root: &Path, program: &str, binds: &Binds) -> Command {
    build(root, program, binds, false)
}

/// The same with a root that the program may write to; for making the root.
pub fn command_writable(root: &Path, program: &str, binds: &Binds) -> Command {
    build(root, program, binds, true)
}

fn build(root: &Path, program: &str, binds: &Binds, writable: bool) -> Command {
    // The link and not the path behind it: it stays valid when the lab is rebuilt while it runs.
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

/// Says whether this machine lets us enter a root, and if not, what stands against it and the ways out.
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

/// What keeps root from making namespaces is that it is no real root.
const OF_ROOT: &str = "in a container: let it mount (`--privileged`, or `--cap-add=SYS_ADMIN` without the seccomp and AppArmor \
                       profiles);\n\
                       in a chroot: make its directory a mount point before entering it (`mount --bind DIR DIR`)";

const OF_USERS: &str = "either let users make them: `sysctl kernel.unprivileged_userns_clone=1` (Debian), \
                        `sysctl kernel.apparmor_restrict_unprivileged_userns=0` (Ubuntu), as root;\n\
                        or run drydock as root";

/// Carries out `drydock enter`.
pub fn main(program: Vec<String>, events: &Events) -> Result<u8> {
    let toolchain = setup::ensure(events)?;
    let (name, args) = match program.split_first() {
        Some((name, args)) => (name.as_str(), args),
        None => ("bash", &[][..]),
    };
    let status = process::interactive(toolchain.command(name, &Binds::none()).args(args))?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(crate::exit::MACHINERY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_users_environment_reaches_a_program_in_the_root() {
        let make = command(Path::new("/"), "make", &Binds::none());
        let kept: Vec<_> = make.get_envs().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
        assert!(kept.iter().all(|name| ["PATH", "HOME", "LC_ALL", "TERM"].contains(&name.as_str())), "{kept:?}");
        // Neither `MAKEFLAGS`, `KCFLAGS` and `LD_PRELOAD` nor what will be thought of tomorrow.
        assert!(format!("{make:?}").starts_with("env -i "), "{make:?}");
    }
}
