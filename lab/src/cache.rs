// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What the lab keeps outside the checkout, where it lies, and how two runs share it.
//!
//! ```text
//! lock              held shared by who uses the cache, exclusively by who changes it
//! apt/              apt's own state: signed lists, archives (partial ones are resumed by apt)
//! root/             the toolchain root; `root.stamp` says of what it was made
//! kernels/RELEASE/  one stock kernel: vmlinuz, modules/, config, Module.symvers, tree/ (source with the crates' metadata)
//! kernel            the release in use
//! firmware/         what drivers load: published files and built ones, and an apt of its own for the first
//! work/CHECKOUT/    what is built from one checkout: modules, guest programs, images
//! ```
//!
//! A directory is made under the name `NAME.partial` and renamed when it is complete, so one that exists is complete.
//! Source: XDG Base Directory Specification (`XDG_CACHE_HOME`).

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use crate::error::{Context, Error, Kind, Result};
use crate::events::Events;
use crate::interrupt::{self, OnInterrupt};

/// The places in the cache.
#[derive(Clone, Debug)]
pub struct CacheLayout {
    base: PathBuf,
}

impl CacheLayout {
    /// The user's cache: `$XDG_CACHE_HOME/drydock` or `~/.cache/drydock`.
    pub fn of_user() -> Result<Self> {
        let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path: &PathBuf| path.is_absolute());
        let base = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
        let base = base.ok_or_else(|| {
            Error::new(Kind::Host, "neither `XDG_CACHE_HOME` nor `HOME` names a directory").hint("set one of them")
        })?;
        Ok(Self::at(base.join("drydock")))
    }

    /// A cache at `base`.
    pub fn at(base: PathBuf) -> Self {
        Self { base }
    }

    /// The directory that holds all of it.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// apt's own state.
    pub fn apt(&self) -> PathBuf {
        self.base.join("apt")
    }

    /// The toolchain root.
    pub fn root(&self) -> PathBuf {
        self.base.join("root")
    }

    /// What belongs to the kernel `release`.
    pub fn kernel(&self, release: &str) -> PathBuf {
        self.base.join("kernels").join(release)
    }

    /// All kernels.
    pub fn kernels(&self) -> PathBuf {
        self.base.join("kernels")
    }

    /// What drivers load into their hardware.
    pub fn firmware(&self) -> PathBuf {
        self.base.join("firmware")
    }

    /// The file that names the kernel in use.
    pub fn current_kernel(&self) -> PathBuf {
        self.base.join("kernel")
    }

    /// What is built from the checkout at `repo`, apart from other checkouts.
    pub fn work(&self, repo: &Path) -> PathBuf {
        let path = repo.canonicalize().unwrap_or_else(|_| repo.to_owned());
        self.base.join("work").join(&hash([path.to_string_lossy()])[..12])
    }
}

/// A hash of texts, for stamps and names.
pub fn hash(parts: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        // The length keeps ["ab", "c"] apart from ["a", "bc"].
        hasher.update((part.as_ref().len() as u64).to_le_bytes());
        hasher.update(part.as_ref());
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether `stamp` says that its step was done with these inputs.
pub fn is_stamped(stamp: &Path, inputs: &str) -> bool {
    fs::read_to_string(stamp).is_ok_and(|found| found.trim_end() == inputs)
}

/// Writes a file so that a reader sees the old or the new one, never half of it.
pub fn write_atomically(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    let partial = partial_name(path);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(|| format!("failed to create `{}`", parent.display()))?;
    }
    let written = fs::write(&partial, content).and_then(|()| fs::rename(&partial, path));
    written.with_context(|| format!("failed to write `{}`", path.display()))
}

fn partial_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    PathBuf::from(name)
}

/// A directory that is being made. It has its name only once it is complete.
pub struct PartialDir {
    path: PathBuf,
    target: PathBuf,
    complete: bool,
    _on_interrupt: OnInterrupt,
}

impl PartialDir {
    /// Begins to make `target`; what an earlier, interrupted attempt left is removed.
    pub fn begin(target: &Path) -> Result<Self> {
        let path = partial_name(target);
        remove_tree(&path)?;
        fs::create_dir_all(&path).with_context(|| format!("failed to create `{}`", path.display()))?;
        let doomed = path.clone();
        // An error on the way out cannot be reported usefully, and `begin` removes what is left.
        let on_interrupt = interrupt::on_interrupt(move || drop(remove_tree(&doomed)));
        Ok(Self { path, target: target.to_owned(), complete: false, _on_interrupt: on_interrupt })
    }

    /// Where it is being made.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its name, in place of what had it before.
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

/// Removes a directory tree that may be absent. Files may still be appearing in it when its makers were killed a moment ago.
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

/// A hold on the cache, released when the last clone is dropped.
#[derive(Clone)]
pub struct Lock {
    file: Arc<File>,
}

impl Lock {
    /// For using what is there: waits while another run changes it.
    pub fn shared(cache: &CacheLayout, events: &Events) -> Result<Self> {
        Self::take(&cache.base.join("lock"), FlockOperation::LockShared, events)
    }

    /// For changing it: waits until nobody uses it.
    pub fn exclusive(cache: &CacheLayout, events: &Events) -> Result<Self> {
        Self::take(&cache.base.join("lock"), FlockOperation::LockExclusive, events)
    }

    /// For building in the directory `dir`: one at a time.
    pub fn of_directory(dir: &Path, events: &Events) -> Result<Self> {
        Self::take(&dir.join("lock"), FlockOperation::LockExclusive, events)
    }

    fn take(path: &Path, operation: FlockOperation, events: &Events) -> Result<Self> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(|| format!("failed to create `{}`", parent.display()))?;
        }
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = opened.with_context(|| format!("failed to open `{}`", path.display()))?;
        wait_for(&file, operation, events).with_context(|| format!("failed to lock `{}`", path.display()))?;
        if matches!(operation, FlockOperation::LockExclusive) {
            // Only a courtesy to who waits; the lock itself is the kernel's.
            let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| write!(file, "{}", whoami()));
        }
        Ok(Self { file: Arc::new(file) })
    }

    /// Lets others use what was changed, without letting go.
    pub fn downgrade(&self) -> Result<()> {
        flock(&*self.file, FlockOperation::LockShared).context("failed to share the cache's lock")
    }
}

fn wait_for(file: &File, operation: FlockOperation, events: &Events) -> Result<(), Errno> {
    let at_once = match operation {
        FlockOperation::LockShared => FlockOperation::NonBlockingLockShared,
        _ => FlockOperation::NonBlockingLockExclusive,
    };
    match flock(file, at_once) {
        Err(Errno::WOULDBLOCK) => {}
        other => return other,
    }
    let step = events.step(format!("waiting for another drydock that uses the cache{}", holder(file)));
    loop {
        match flock(file, operation) {
            Err(Errno::INTR) => {}
            Ok(()) => break,
            Err(error) => return Err(error),
        }
    }
    step.done();
    Ok(())
}

fn holder(mut file: &File) -> String {
    let mut who = String::new();
    match file.rewind().and_then(|()| file.read_to_string(&mut who)) {
        Ok(1..) => format!(" (last changed by {})", who.trim()),
        _ => String::new(),
    }
}

fn whoami() -> String {
    let words: Vec<String> = std::env::args().skip(1).take(2).collect();
    format!("process {}, `drydock {}`", std::process::id(), words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    fn cache() -> (tempfile::TempDir, CacheLayout) {
        let dir = tempfile::tempdir().unwrap();
        let cache = CacheLayout::at(dir.path().join("drydock"));
        (dir, cache)
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
    fn users_share_and_a_changer_waits() {
        let (_dir, cache) = cache();
        let first = Lock::shared(&cache, &Events::silent()).unwrap();
        let second = Lock::shared(&cache, &Events::silent()).unwrap();
        let (tell, told) = channel();
        let theirs = cache.clone();
        let changer = std::thread::spawn(move || {
            let lock = Lock::exclusive(&theirs, &Events::silent()).unwrap();
            tell.send(()).unwrap();
            lock
        });
        drop(first);
        assert!(told.recv_timeout(Duration::from_millis(50)).is_err(), "the second user still holds it");
        drop(second);
        told.recv_timeout(Duration::from_secs(120)).unwrap();
        changer.join().unwrap().downgrade().unwrap();
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
    fn hashes_keep_the_borders_of_their_parts() {
        assert_ne!(hash(["ab", "c"]), hash(["a", "bc"]));
        assert_eq!(hash(["ab", "c"]).len(), 64);
    }
}
