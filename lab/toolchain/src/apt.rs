// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A private apt: it uses the machine's mirror and keys, but its own lists and archives, and an empty system.
//!
//! This apt needs no privileges and changes nothing outside the cache. apt verifies every archive against the signed lists
//! and resumes partial downloads. Source: apt.conf(5), apt-get(8), sources.list(5), apt_preferences(5).

mod machine;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub use machine::{keyring, mirror};

use drydock_base::cache::{CacheLayout, write_atomically};
use drydock_base::error::{Context, Error, Kind, Result};
use drydock_base::events::{Events, Step, Unit};
use drydock_base::process;

/// The distribution that the toolchain root is made from.
pub const SUITE: &str = "trixie";
/// The suite with newer kernels and QEMU.
pub const BACKPORTS: &str = "trixie-backports";

/// Source packages that apt takes from backports.
const FROM_BACKPORTS: &str = "src:qemu src:linux src:linux-signed-amd64 src:seabios";

/// A package to download.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    /// The file's name in the directory of archives.
    pub file: String,
    /// The size in bytes.
    pub size: u64,
}

/// The component of the archive that has everything the root needs.
const MAIN: &str = "main";

impl Archive {
    /// Returns `NAME=VERSION`, which selects this version of the package and no other.
    pub fn exact_name(&self) -> Option<String> {
        let mut parts = self.file.split('_');
        // A version's epoch ends in a colon, which a file name must not contain.
        Some(format!("{}={}", parts.next()?, parts.next()?.replace("%3a", ":")))
    }
}

/// The private apt.
pub struct Apt {
    dir: PathBuf,
    mirror: String,
}

impl Apt {
    /// Returns the cache's private apt, which knows Debian's `main`.
    pub fn new(cache: &CacheLayout) -> Result<Self> {
        Self::of(cache.apt(), MAIN)
    }

    /// Returns a private apt in `dir`, which knows one component of the archive. A separate directory keeps a mirror
    /// without that component from breaking the main apt.
    pub fn of(dir: PathBuf, component: &str) -> Result<Self> {
        let apt = Self { dir, mirror: mirror()? };
        let keyring = keyring()?;
        for dir in ["etc/preferences.d", "etc/apt.conf.d", "lists/partial", "archives/partial", "none/partial", "dpkg"]
        {
            let path = apt.dir.join(dir);
            fs::create_dir_all(&path).with_context(|| format!("failed to create `{}`", path.display()))?;
        }
        write_atomically(&apt.dir.join("dpkg/status"), "")?;
        write_atomically(&apt.dir.join("sources.list"), sources(&apt.mirror, &keyring, component))?;
        let pin = format!("Package: {FROM_BACKPORTS}\nPin: release n={BACKPORTS}\nPin-Priority: 900\n");
        write_atomically(&apt.dir.join("etc/preferences.d/drydock"), pin)?;
        write_atomically(&apt.config(), configuration(&apt.dir, &machine::transport()?))?;
        Ok(apt)
    }

    /// Returns the cache's private apt after fetching the package lists.
    pub fn updated(cache: &CacheLayout, events: &Events) -> Result<Self> {
        let apt = Self::new(cache)?;
        let step = events.step("fetching the mirror's package lists");
        apt.update(&step)?;
        step.done_with(apt.mirror());
        Ok(apt)
    }

    /// Returns the mirror in use.
    pub fn mirror(&self) -> &str {
        &self.mirror
    }

    /// Returns the directory of downloaded archives.
    pub fn archives(&self) -> PathBuf {
        self.dir.join("archives")
    }

    fn config(&self) -> PathBuf {
        self.dir.join("apt.conf")
    }

    fn tool(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command.env("APT_CONFIG", self.config()).env("LC_ALL", "C.UTF-8").env("DEBIAN_FRONTEND", "noninteractive");
        command
    }

    /// Fetches the signed lists of packages.
    pub fn update(&self, step: &Step) -> Result<()> {
        // Without `--error-on`, apt only warns about a mirror it cannot reach and continues without lists.
        let mut update = self.tool("apt-get");
        update.args(["update", "-q", "-o", "APT::Update::Error-Mode=any"]);
        process::run(&mut update, step).map_err(|error| {
            let hint = format!("check that `{}` is reachable, or set `DRYDOCK_MIRROR` to another mirror", self.mirror);
            Error::new(error.kind(), "failed to fetch the package lists").caused_by(error).hint(hint)
        })
    }

    /// Returns the names of all packages that begin with `prefix`, one per line.
    pub fn names(&self, prefix: &str) -> Result<String> {
        process::output(self.tool("apt-cache").args(["pkgnames", prefix]))
    }

    /// Returns the version of `package` that apt would install.
    pub fn candidate(&self, package: &str) -> Result<String> {
        let shown = process::output(self.tool("apt-cache").args(["policy", package]))?;
        candidate(&shown).ok_or_else(|| {
            Error::new(Kind::Machinery, format!("the mirror `{}` has no package `{package}`", self.mirror)).hint(
                "a mirror may lack it for an hour while it is updated; try again later, or set `DRYDOCK_MIRROR` to another mirror",
            )
        })
    }

    /// Returns `packages` and all their dependencies.
    pub fn closure(&self, packages: &[&str]) -> Result<Vec<Archive>> {
        Ok(process::output(&mut self.list(packages))?.lines().filter_map(archive).collect())
    }

    /// Like [`Apt::closure`], for packages that a user chose. An error carries apt's explanation of what is in conflict.
    pub fn closure_of_choice(&self, packages: &[&str], step: &Step) -> Result<Vec<Archive>> {
        let mut archives = Vec::new();
        // apt explains unmet dependencies on stdout.
        process::watch(&mut self.list(packages), step, |line| match archive(line) {
            Some(archive) => {
                archives.push(archive);
                true
            }
            None => false,
        })?;
        Ok(archives)
    }

    /// Returns the command that lists `packages` and all their dependencies. With `-qq`, apt would not explain a conflict.
    fn list(&self, packages: &[&str]) -> Command {
        let mut list = self.tool("apt-get");
        // With the real directory, apt would leave out archives that are already downloaded.
        list.args(["install", "--print-uris", "-q", "-y", "-o"]).arg(self.archives_option("none"));
        list.arg("--").args(packages);
        list
    }

    /// Downloads `packages` and all their dependencies. Keeps complete archives and resumes partial ones.
    pub fn download(&self, packages: &[&str], total: u64, step: &Step) -> Result<()> {
        let mut get = self.tool("apt-get");
        get.args(["install", "--download-only", "-q", "-y", "-o", "APT::Status-Fd=1", "--"]).args(packages);
        self.watch(&mut get, total, step)
    }

    /// Downloads exactly `packages`, without their dependencies.
    pub fn download_only(&self, packages: &[String], total: u64, step: &Step) -> Result<()> {
        let mut get = self.tool("apt-get");
        get.current_dir(self.archives()).args(["download", "-q", "-o", "APT::Status-Fd=1"]).args(packages);
        self.watch(&mut get, total, step)
    }

    /// Returns the archives of exactly `packages`.
    pub fn archives_of(&self, packages: &[String]) -> Result<Vec<Archive>> {
        let mut list = self.tool("apt-get");
        list.current_dir(self.dir.join("none")).args(["download", "--print-uris", "-qq"]).args(packages);
        Ok(process::output(&mut list)?.lines().filter_map(archive).collect())
    }

    fn watch(&self, command: &mut Command, total: u64, step: &Step) -> Result<()> {
        step.progress(0, total, Unit::Bytes);
        let watched = process::watch(command, step, |line| match download_percent(line) {
            Some(percent) => {
                step.progress((total as f64 * percent / 100.0) as u64, total, Unit::Bytes);
                true
            }
            None => line.starts_with("dlstatus:") || line.starts_with("pmstatus:"),
        });
        watched.map(drop).map_err(|error| {
            let hint = format!("run the command again: it resumes the download; the mirror is `{}`", self.mirror);
            Error::new(error.kind(), "failed to download packages").caused_by(error).hint(hint)
        })
    }

    fn archives_option(&self, name: &str) -> String {
        format!("Dir::Cache::archives={}", self.dir.join(name).display())
    }

    /// Removes archives that have been unpacked. apt's partial downloads stay.
    pub fn forget(&self, archives: &[Archive]) {
        for archive in archives {
            // A file that cannot be removed only wastes space.
            let _ = fs::remove_file(self.archives().join(&archive.file));
        }
    }
}

fn sources(mirror: &str, keyring: &Path, component: &str) -> String {
    let keyring = keyring.display();
    [SUITE, BACKPORTS].map(|suite| format!("deb [signed-by={keyring}] {mirror} {suite} {component}\n")).concat()
}

fn configuration(dir: &Path, transport: &str) -> String {
    let dir = dir.display();
    format!(
        "Dir \"{dir}\";\nDir::Etc \"{dir}/etc\";\nDir::Etc::sourcelist \"{dir}/sources.list\";\n\
         Dir::State \"{dir}\";\nDir::State::status \"{dir}/dpkg/status\";\nDir::Cache \"{dir}\";\n\
         APT::Architecture \"amd64\";\nAPT::Architectures {{ \"amd64\"; }};\nAPT::Install-Recommends \"false\";\n\
         APT::Sandbox::User \"\";\nAPT::Get::AllowUnauthenticated \"false\";\n\
         Acquire::AllowInsecureRepositories \"false\";\nAcquire::Languages \"none\";\nAcquire::Retries \"3\";\n{transport}"
    )
}

/// Parses one line of `--print-uris`: `'URI' FILE SIZE HASH`.
pub fn archive(line: &str) -> Option<Archive> {
    let mut words = line.split_whitespace();
    let uri = words.next()?;
    let file = words.next()?.to_owned();
    let size = words.next()?.parse().ok()?;
    (uri.starts_with('\'') && file.ends_with(".deb")).then_some(Archive { file, size })
}

/// Returns the `Candidate:` of `apt-cache policy`.
pub fn candidate(policy: &str) -> Option<String> {
    let version = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate:"))?.trim();
    (version != "(none)").then(|| version.to_owned())
}

/// Returns the percentage in one of apt's status lines: `dlstatus:ITEM:PERCENT:TEXT`.
pub fn download_percent(line: &str) -> Option<f64> {
    line.strip_prefix("dlstatus:")?.split(':').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_uris_become_archives() {
        let line = "'http://mirror/debian/pool/main/g/gcc/gcc_4%3a14.2.0-1_amd64.deb' gcc_4%3a14.2.0-1_amd64.deb 1436 MD5Sum:00";
        assert_eq!(archive(line), Some(Archive { file: "gcc_4%3a14.2.0-1_amd64.deb".into(), size: 1436 }));
        assert_eq!(archive("Reading package lists..."), None);
    }

    #[test]
    fn a_file_name_tells_the_version() {
        let archive = Archive { file: "lld-19_1%3a19.1.7-3+b1_amd64.deb".into(), size: 1 };
        assert_eq!(archive.exact_name().as_deref(), Some("lld-19=1:19.1.7-3+b1"));
    }

    #[test]
    fn the_candidate_may_be_none() {
        assert_eq!(
            candidate("a:\n  Installed: (none)\n  Candidate: 7.3.4-1~bpo13+1\n").as_deref(),
            Some("7.3.4-1~bpo13+1")
        );
        assert_eq!(candidate("a:\n  Candidate: (none)\n"), None);
    }

    #[test]
    fn status_lines_carry_a_percentage() {
        assert_eq!(download_percent("dlstatus:12:45.5:Retrieving file 12 of 258"), Some(45.5));
        assert_eq!(download_percent("Get:1 http://mirror/debian trixie/main"), None);
    }

    #[test]
    fn signatures_are_never_optional() {
        let text = configuration(Path::new("/cache/apt"), "");
        assert!(
            text.contains("AllowUnauthenticated \"false\"") && text.contains("AllowInsecureRepositories \"false\"")
        );
        let list = sources("http://mirror/debian", Path::new("/keys.gpg"), "non-free-firmware");
        assert!(
            list.lines().all(|line| line.starts_with("deb [signed-by=/keys.gpg] http://mirror/debian trixie")),
            "{list}"
        );
        assert!(list.lines().all(|line| line.ends_with(" non-free-firmware")), "{list}");
    }
}
