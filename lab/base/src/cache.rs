// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Everything the lab stores outside the checkout: where it is, and how two runs share it.
//!
//! ```text
//! lock              held shared by users of the cache, exclusively by a run that changes it
//! apt/              apt's own state: signed lists, archives (apt resumes partial ones)
//! root/             the toolchain root; `.drydock` in it records its inputs
//! kernels/RELEASE/  one stock kernel: vmlinuz, modules/, config, Module.symvers, tree/ (source with the crates' metadata)
//! kernel            the release in use
//! client-roots/     root file systems for the guest, one image a directory
//! firmware/         firmware for drivers: published files, which have an apt of their own, and built ones
//! work/CHECKOUT/    results built from one checkout: modules, guest programs, images
//! target/           cargo's target directory for the lab, and the lab of each checkout
//! cargo-*/          a home for cargo if the user's cannot be used as it is (see the start script)
//! ```
//!
//! A directory is made under the name `NAME.partial` and renamed when it is complete, so a directory without that
//! suffix is complete. Source: XDG Base Directory Specification (`XDG_CACHE_HOME`).

mod lock;
pub mod room;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

pub use lock::Lock;
use sha2::{Digest, Sha256};

use crate::error::{Context, Error, Kind, Result};
use crate::interrupt::{self, OnInterrupt};

/// Paths in the cache.
#[derive(Clone, Debug)]
pub struct CacheLayout {
    base: PathBuf,
}

impl CacheLayout {
    /// Returns the user's cache: `$XDG_CACHE_HOME/drydock` or `~/.cache/drydock`.
    pub fn of_user() -> Result<Self> {
        Self::named(|name| std::env::var_os(name))
    }

    /// Returns the cache that the environment names. The start script follows the same rules.
    fn named(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self> {
        let absolute = |name| variable(name).map(PathBuf::from).filter(|path: &PathBuf| path.is_absolute());
        let home = || absolute("HOME").filter(|home| home.is_dir()).map(|home| home.join(".cache"));
        let base = absolute("XDG_CACHE_HOME").or_else(home);
        let base = base.ok_or_else(|| {
            Error::new(Kind::Host, "neither `XDG_CACHE_HOME` nor `HOME` names a directory")
                .hint("set `XDG_CACHE_HOME` to a directory with 6 GB of room")
        })?;
        Ok(Self::at(base.join("drydock")))
    }

    /// Returns a cache at `base`.
    pub fn at(base: PathBuf) -> Self {
        Self { base }
    }

    /// Returns the cache's top directory.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// Returns the directory of apt's own state.
    pub fn apt(&self) -> PathBuf {
        self.base.join("apt")
    }

    /// Returns the toolchain root.
    pub fn root(&self) -> PathBuf {
        self.base.join("root")
    }

    /// Returns the directory of the kernel `release`.
    pub fn kernel(&self, release: &str) -> PathBuf {
        self.base.join("kernels").join(release)
    }

    /// Returns the directory of all kernels.
    pub fn kernels(&self) -> PathBuf {
        self.base.join("kernels")
    }

    /// Returns the directory of the guest's root file systems.
    pub fn client_roots(&self) -> PathBuf {
        self.base.join("client-roots")
    }

    /// Returns the directory of firmware.
    pub fn firmware(&self) -> PathBuf {
        self.base.join("firmware")
    }

    /// Returns the file that names the kernel in use.
    pub fn current_kernel(&self) -> PathBuf {
        self.base.join("kernel")
    }

    /// Returns the directory of the indexes of kernels' modules.
    pub fn module_trees(&self) -> PathBuf {
        self.base.join("module-trees")
    }

    /// Returns the directory of the guest's programs. Checkouts share it.
    pub fn programs(&self) -> PathBuf {
        self.base.join("programs")
    }

    /// Returns the directory for results built from the checkout at `repo`. Checkouts do not share it.
    pub fn work(&self, repo: &Path) -> PathBuf {
        let path = repo.canonicalize().unwrap_or_else(|_| repo.to_owned());
        self.base.join("work").join(&hash([path.to_string_lossy()])[..12])
    }
}

/// Returns a hash of texts, for stamps and names.
pub fn hash(parts: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        // The length distinguishes ["ab", "c"] from ["a", "bc"].
        hasher.update((part.as_ref().len() as u64).to_le_bytes());
        hasher.update(part.as_ref());
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns whether `stamp` records that its step was done with these inputs.
pub fn is_stamped(stamp: &Path, inputs: &str) -> bool {
    fs::read_to_string(stamp).is_ok_and(|found| found.trim_end() == inputs)
}

/// Makes a directory and its parents.
pub fn make_dir(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("failed to create `{}`", path.display()))
}

/// Writes a file atomically: a reader sees either the old content or the new one.
pub fn write_atomically(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    let partial = partial_name(path);
    if let Some(parent) = path.parent() {
        make_dir(parent)?;
    }
    let written = match fs::metadata(path) {
        // A device or a pipe that the user names must be written to, not replaced by a file.
        Ok(there) if !there.is_file() => fs::write(path, content),
        _ => fs::write(&partial, content).and_then(|()| fs::rename(&partial, path)),
    };
    written.with_context(|| format!("failed to write `{}`", path.display()))
}

fn partial_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    PathBuf::from(name)
}

/// A directory under construction. It gets its final name only when it is complete.
pub struct PartialDir {
    path: PathBuf,
    target: PathBuf,
    complete: bool,
    _on_interrupt: OnInterrupt,
}

impl PartialDir {
    /// Starts to make `target`. Removes the remains of an earlier, interrupted attempt.
    pub fn begin(target: &Path) -> Result<Self> {
        let path = partial_name(target);
        remove_tree(&path)?;
        make_dir(&path)?;
        let doomed = path.clone();
        // An error during exit cannot be reported usefully, and `begin` removes any remains.
        let on_interrupt = interrupt::on_interrupt(move || drop(remove_tree(&doomed)));
        Ok(Self { path, target: target.to_owned(), complete: false, _on_interrupt: on_interrupt })
    }

    /// Returns the temporary path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Renames the directory to its final name and replaces any earlier one.
    pub fn complete(mut self) -> Result<()> {
        remove_tree(&self.target)?;
        let renamed = fs::rename(&self.path, &self.target);
        renamed.with_context(|| format!("failed to rename `{}`", self.path.display()))?;
        self.complete = true;
        Ok(())
    }
}

impl Drop for PartialDir {
    fn drop(&mut self) {
        if !self.complete && !interrupt::happened() {
            let _ = remove_tree(&self.path);
        }
    }
}

/// Removes a directory tree, which may be absent. Processes killed a moment ago may still be adding files to it.
pub fn remove_tree(path: &Path) -> Result<()> {
    let mut last = None;
    for _ in 0..5 {
        match fs::remove_dir_all(path) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !path.exists() => return Ok(()),
            Err(error) => last = Some(error),
        }
    }
    Err(last.expect("the loop ran")).with_context(|| format!("failed to remove `{}`", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> (tempfile::TempDir, CacheLayout) {
        let dir = tempfile::tempdir().unwrap();
        let cache = CacheLayout::at(dir.path().join("drydock"));
        (dir, cache)
    }

    #[test]
    fn relative_and_missing_directories_name_no_cache() {
        let named = |xdg: &str, home: &str| {
            let (xdg, home) = (xdg.to_owned(), home.to_owned());
            CacheLayout::named(|name| Some(if name == "HOME" { home.clone() } else { xdg.clone() }.into()))
        };
        assert_eq!(named("/x", "").unwrap().base(), Path::new("/x/drydock"));
        assert_eq!(named("relative", "/usr").unwrap().base(), Path::new("/usr/.cache/drydock"));
        for home in ["", "relative", "/nonexistent"] {
            assert_eq!(named("", home).unwrap_err().kind(), Kind::Host);
        }
    }

    #[test]
    fn an_interrupted_directory_never_has_its_name() {
        let (_dir, cache) = cache();
        let partial = PartialDir::begin(&cache.root()).unwrap();
        fs::write(partial.path().join("file"), "half").unwrap();
        std::mem::forget(partial); // as if the power had gone
        assert!(!cache.root().exists());
        let again = PartialDir::begin(&cache.root()).unwrap();
        assert_eq!(fs::read_dir(again.path()).unwrap().count(), 0, "what was left is gone");
        again.complete().unwrap();
        assert!(cache.root().is_dir());
    }

    #[test]
    fn a_failed_directory_is_removed() {
        let (_dir, cache) = cache();
        let partial = PartialDir::begin(&cache.root()).unwrap();
        let path = partial.path().to_owned();
        drop(partial);
        assert!(!path.exists());
    }

    #[test]
    fn completing_replaces_the_old_directory() {
        let (_dir, cache) = cache();
        fs::create_dir_all(cache.root()).unwrap();
        fs::write(cache.root().join("old"), "").unwrap();
        PartialDir::begin(&cache.root()).unwrap().complete().unwrap();
        assert!(!cache.root().join("old").exists());
    }

    #[test]
    fn stamps_compare_inputs() {
        let (dir, _) = cache();
        let stamp = dir.path().join("s");
        assert!(!is_stamped(&stamp, "1"));
        write_atomically(&stamp, "1\n").unwrap();
        assert!(is_stamped(&stamp, "1"));
        assert!(!is_stamped(&stamp, "2"));
    }

    #[test]
    fn a_device_that_is_written_to_stays_one() {
        let error = write_atomically(Path::new("/dev/full"), "1\n").unwrap_err();
        assert!(error.chain().contains("No space left"), "{}", error.chain());
        assert!(!Path::new("/dev/full").is_file());
    }

    #[test]
    fn hashes_keep_the_borders_of_their_parts() {
        assert_ne!(hash(["ab", "c"]), hash(["a", "bc"]));
        assert_eq!(hash(["ab", "c"]).len(), 64);
    }
}
