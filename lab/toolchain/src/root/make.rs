// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Makes the toolchain root from Debian packages, without running any of their scripts.
//!
//! Compilers and QEMU only need to be unpacked, which needs no privileges. The useful effects of the packages' scripts
//! are a few links and two files, which `finish` makes. It works alike for root and for an ordinary user, and needs no
//! package on the host beyond apt, dpkg and tar.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::apt::{Apt, Archive};
use drydock_base::cache::{self, CacheLayout, PartialDir};
use drydock_base::error::{Context, Error, Kind, Result};
use drydock_base::events::{Events, Step, Unit};
use drydock_base::process;

/// A version of the recipe. Change it whenever the recipe changes.
const RECIPE: &str = "1";

/// The packages of the root. Their dependencies are added.
pub const PACKAGES: &[&str] = &[
    // The base system.
    "base-files",
    "base-passwd",
    "bash",
    "coreutils",
    "dash",
    "sed",
    "grep",
    "gawk",
    "findutils",
    "diffutils",
    "tar",
    "gzip",
    "xz-utils",
    "zstd",
    "util-linux",
    "libc-bin",
    "perl-base",
    "hostname",
    "python3-minimal",
    // For the kernel's build.
    "gcc-14",
    "gcc",
    "g++",
    "make",
    "binutils",
    "bc",
    "bison",
    "flex",
    "cpio",
    "kmod",
    "pahole",
    "libelf-dev",
    "libssl-dev",
    "bindgen",
    "libclang-19-dev",
    // Rust, for modules and guest programs.
    "rustc",
    "rust-src",
    "cargo",
    "rustfmt",
    "rust-clippy",
    // The machine and its clients.
    "qemu-system-x86",
    "busybox-static",
    "erofs-utils",
    "libdrm-tests",
    "intel-gpu-tools",
];

/// Directories that no program in the root needs. They are a third of its files.
pub(crate) const LEFT_OUT: &[&str] = &["doc", "man", "locale", "info", "lintian", "bash-completion", "gtk-doc", "help"];

/// Links that the packages' scripts make through `update-alternatives`.
const ALTERNATIVES: &[(&str, &str)] = &[("awk", "gawk"), ("cc", "gcc"), ("c++", "g++")];

const STAMP: &str = ".drydock";
const VERSIONS: &str = ".drydock-packages";

/// Returns everything the root depends on, besides the mirror's versions.
fn inputs() -> String {
    cache::hash([RECIPE].iter().chain(PACKAGES).chain(LEFT_OUT))
}

/// Returns whether the root exists and was made by this version's recipe.
pub fn is_made(cache: &CacheLayout) -> bool {
    cache::is_stamped(&cache.root().join(STAMP), &inputs())
}

/// Returns a name for the root's exact content, for results that were built with it.
pub fn identity(cache: &CacheLayout) -> String {
    let versions = fs::read_to_string(cache.root().join(VERSIONS)).unwrap_or_default();
    cache::hash([inputs(), versions])
}

/// Makes the root if it is missing. With `update`, also makes it if the mirror has newer packages.
pub fn ensure(cache: &CacheLayout, apt: &Apt, update: bool, events: &Events) -> Result<()> {
    if is_made(cache) && !update {
        return Ok(());
    }
    let archives = apt.closure(PACKAGES)?;
    let versions = names(&archives);
    if is_made(cache) && fs::read_to_string(cache.root().join(VERSIONS)).is_ok_and(|found| found == versions) {
        return Ok(());
    }
    download(apt, PACKAGES, &archives, events.step("downloading the toolchain"))?;
    let partial = PartialDir::begin(&cache.root())?;
    unpack(&archives, &apt.archives(), partial.path(), events.step("unpacking the toolchain"), unpack_one)?;
    finish(partial.path())?;
    cache::write_atomically(&partial.path().join(VERSIONS), versions)?;
    cache::write_atomically(&partial.path().join(STAMP), inputs())?;
    partial.complete()?;
    apt.forget(&archives);
    Ok(())
}

/// Packages that only some commands need.
#[derive(Debug)]
pub struct Addition {
    /// A word for it.
    pub name: &'static str,
    /// Its packages, besides those in the root.
    pub packages: &'static [&'static str],
}

impl Addition {
    fn stamp(&self, cache: &CacheLayout) -> PathBuf {
        cache.root().join(format!("{STAMP}-{}", self.name))
    }

    fn inputs(&self) -> String {
        cache::hash(self.packages)
    }
}

/// Returns whether the root has the packages of `addition`.
pub fn has_addition(cache: &CacheLayout, addition: &Addition) -> bool {
    cache::is_stamped(&addition.stamp(cache), &addition.inputs())
}

/// Adds packages and their dependencies to the root. The root's other content stays, and so does its identity: results
/// that were built with it stay valid.
pub fn add(cache: &CacheLayout, apt: &Apt, addition: &Addition, events: &Events) -> Result<()> {
    if has_addition(cache, addition) {
        return Ok(());
    }
    let present = fs::read_to_string(cache.root().join(VERSIONS))
        .context("the toolchain root was made by another version of drydock")?;
    let archives = new_archives(&present, apt.closure(addition.packages)?)?;
    let total = archives.iter().map(|archive| archive.size).sum();
    let step = events.step(format!("downloading {}", addition.name));
    let exact: Vec<_> = archives.iter().filter_map(Archive::exact_name).collect();
    apt.download_only(&exact, total, &step)?;
    step.done_with(format!("{} packages, {} MB", archives.len(), total / 1_000_000));
    let step = events.step(format!("unpacking {}", addition.name));
    unpack(&archives, &apt.archives(), &cache.root(), step, unpack_one)?;
    process::output(&mut super::command_writable(&cache.root(), "ldconfig", &super::Binds::none()))?;
    cache::write_atomically(&addition.stamp(cache), addition.inputs())?;
    apt.forget(&archives);
    Ok(())
}

/// Returns the archives of `closure` that are not `present`. A package that is present in another version is an error:
/// replacing it would change the root under results that were built with it.
fn new_archives(present: &str, closure: Vec<Archive>) -> Result<Vec<Archive>> {
    let package = |file: &str| file.split('_').next().unwrap_or_default().to_owned();
    let there: BTreeSet<_> = present.lines().collect();
    let packages: BTreeSet<_> = present.lines().map(package).collect();
    let new: Vec<_> = closure.into_iter().filter(|archive| !there.contains(archive.file.as_str())).collect();
    match new.iter().find(|archive| packages.contains(&package(&archive.file))) {
        None => Ok(new),
        Some(other) => {
            let message = format!("the mirror's versions differ from the toolchain root's: `{}`", other.file);
            Err(Error::new(Kind::Machinery, message).hint("bring the root up to date: `drydock setup --update`"))
        }
    }
}

/// Returns the file names of `archives`, sorted, one per line.
pub(crate) fn names(archives: &[Archive]) -> String {
    let mut names: Vec<_> = archives.iter().map(|archive| archive.file.as_str()).collect();
    names.sort_unstable();
    names.join("\n")
}

/// Downloads `packages` with their dependencies, which are `archives`.
pub(crate) fn download(apt: &Apt, packages: &[&str], archives: &[Archive], step: Step) -> Result<()> {
    let total = archives.iter().map(|archive| archive.size).sum();
    apt.download(packages, total, &step)?;
    step.done_with(format!("{} packages, {} MB", archives.len(), total / 1_000_000));
    Ok(())
}

/// Unpacks all archives of the directory `from` into `root` by calls of `each`, one per processor at a time.
pub(crate) fn unpack(
    archives: &[Archive],
    from: &Path,
    root: &Path,
    step: Step,
    each: impl Fn(&Path, &Path) -> Result<()> + Sync,
) -> Result<()> {
    // base-files contains the links /bin, /lib and so on, which must exist before other archives unpack through them.
    let (first, rest): (Vec<_>, Vec<_>) = archives.iter().partition(|archive| archive.file.starts_with("base-files_"));
    for archive in first {
        each(&from.join(&archive.file), root)?;
    }
    let next = AtomicUsize::new(0);
    let total = rest.len() as u64;
    let worker = || -> Result<()> {
        while let Some(archive) = rest.get(next.fetch_add(1, Ordering::Relaxed)) {
            step.line(archive.file.as_str());
            each(&from.join(&archive.file), root)?;
            step.progress(next.load(Ordering::Relaxed).min(rest.len()) as u64, total, Unit::Items);
        }
        Ok(())
    };
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("unpacking does not panic"))
    })?;
    step.done();
    Ok(())
}

fn unpack_one(archive: &Path, root: &Path) -> Result<()> {
    unpack_with(archive, root, exclusions())
}

/// Returns the arguments by which tar leaves out [`LEFT_OUT`].
pub(crate) fn exclusions() -> impl Iterator<Item = String> {
    LEFT_OUT.iter().map(|name| format!("--exclude=./usr/share/{name}/*"))
}

/// Unpacks an archive into `into`, with additional arguments for tar.
pub fn unpack_with(archive: &Path, into: &Path, arguments: impl IntoIterator<Item = String>) -> Result<()> {
    let what = || format!("failed to unpack `{}`", archive.display());
    let mut deb = Command::new("dpkg-deb");
    process::die_with_us(deb.arg("--fsys-tarfile").arg(archive).stdin(Stdio::null()).stdout(Stdio::piped()));
    let mut deb = deb.spawn().with_context(what)?;
    let mut tar = Command::new("tar");
    tar.args(["--extract", "--keep-directory-symlink", "--warning=no-timestamp", "--directory"]).arg(into);
    let tar = process::fed(tar.args(arguments), deb.stdout.take().expect("stdout is piped"));
    let deb = deb.wait().with_context(what)?;
    tar.with_context(what)?;
    if !deb.success() {
        return Err(Error::new(Kind::Machinery, what()).caused_by(format!("`dpkg-deb` ended with {deb}")));
    }
    Ok(())
}

/// Does the useful part of what the packages' scripts would have done.
fn finish(root: &Path) -> Result<()> {
    for (link, target) in ALTERNATIVES {
        let path = root.join("usr/bin").join(link);
        if !path.is_symlink() {
            symlink(target, &path).with_context(|| format!("failed to link `{}`", path.display()))?;
        }
    }
    cache::write_atomically(
        &root.join("etc/passwd"),
        "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/nonexistent:/bin/false\n",
    )?;
    cache::write_atomically(&root.join("etc/group"), "root:x:0:\nnogroup:x:65534:\n")?;
    process::output(&mut super::command_writable(root, "ldconfig", &super::Binds::none())).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_root_of_this_recipe_counts() {
        let dir = tempfile::tempdir().unwrap();
        let cache = CacheLayout::at(dir.path().to_owned());
        assert!(!is_made(&cache));
        fs::create_dir_all(cache.root()).unwrap();
        fs::write(cache.root().join(STAMP), "of another version").unwrap();
        assert!(!is_made(&cache));
        fs::write(cache.root().join(STAMP), inputs()).unwrap();
        assert!(is_made(&cache));
    }

    #[test]
    fn a_newer_package_is_another_identity() {
        let dir = tempfile::tempdir().unwrap();
        let cache = CacheLayout::at(dir.path().to_owned());
        fs::create_dir_all(cache.root()).unwrap();
        let before = identity(&cache);
        fs::write(cache.root().join(VERSIONS), "rustc_1.85.1_amd64.deb").unwrap();
        assert_ne!(identity(&cache), before);
    }

    #[test]
    fn what_is_added_replaces_nothing() {
        let archive = |file: &str| Archive { file: file.into(), size: 1 };
        let closure = || vec![archive("libc6_2.41-12_amd64.deb"), archive("lld-19_1%3a19.1.7-3_amd64.deb")];
        let new = new_archives("libc6_2.41-12_amd64.deb\nmake_4.4_amd64.deb", closure()).unwrap();
        assert_eq!(new, [archive("lld-19_1%3a19.1.7-3_amd64.deb")]);
        let error = new_archives("libc6_2.41-11_amd64.deb", closure()).unwrap_err();
        assert!(error.to_string().contains("libc6_2.41-12"), "{error}");
    }

    #[test]
    fn a_broken_archive_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let deb = dir.path().join("half.deb");
        fs::write(&deb, "!<arch>\n").unwrap();
        let error = unpack_one(&deb, dir.path()).unwrap_err();
        assert!(error.to_string().contains("half.deb"), "{error}");
    }
}
