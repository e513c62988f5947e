// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Locks on directories of the cache. A run that has to wait reports what it waits for, and which process holds the
//! lock.
//!
//! Source: flock(2).

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::CacheLayout;
use crate::error::{Context, Result};
use crate::events::Events;
use crate::holders;

/// A hold on the cache, released when the last clone is dropped.
#[derive(Clone)]
pub struct Lock {
    file: Arc<File>,
}

impl Lock {
    /// Takes the lock for using the cache. Waits while another run changes it.
    pub fn shared(cache: &CacheLayout, events: &Events) -> Result<Self> {
        Self::take(cache.base(), FlockOperation::LockShared, events)
    }

    /// Takes the lock for changing the cache. Waits until no other run uses it.
    pub fn exclusive(cache: &CacheLayout, events: &Events) -> Result<Self> {
        Self::take(cache.base(), FlockOperation::LockExclusive, events)
    }

    /// Takes the lock for building in the directory `dir`, which only one run can hold.
    pub fn of_directory(dir: &Path, events: &Events) -> Result<Self> {
        Self::take(dir, FlockOperation::LockExclusive, events)
    }

    fn take(dir: &Path, operation: FlockOperation, events: &Events) -> Result<Self> {
        super::make_dir(dir)?;
        let path = dir.join("lock");
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = opened.with_context(|| format!("failed to open `{}`", path.display()))?;
        wait_for(&file, dir, operation, events).with_context(|| format!("failed to lock `{}`", path.display()))?;
        if matches!(operation, FlockOperation::LockExclusive) {
            // For waiters that do not see us in their /proc. The kernel holds the lock itself.
            let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| write!(file, "{}", whoami()));
        }
        Ok(Self { file: Arc::new(file) })
    }

    /// Lets other runs use what was changed, without releasing the lock.
    pub fn downgrade(&self) -> Result<()> {
        flock(&*self.file, FlockOperation::LockShared).context("failed to share the cache's lock")
    }
}

fn wait_for(file: &File, dir: &Path, operation: FlockOperation, events: &Events) -> Result<(), Errno> {
    let at_once = match operation {
        FlockOperation::LockShared => FlockOperation::NonBlockingLockShared,
        _ => FlockOperation::NonBlockingLockExclusive,
    };
    match flock(file, at_once) {
        Err(Errno::WOULDBLOCK) => {}
        other => return other,
    }
    let step = events.step(format!("waiting for the lock on `{}`{}", dir.display(), held_by(file)));
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

/// Returns `, held by …`, if a holder is known.
fn held_by(file: &File) -> String {
    let mut holders = holders::of(file);
    if holders.is_empty() {
        // /proc/locks does not list processes of another container. An exclusive holder has written its name to the
        // file.
        holders.extend(written(file));
    }
    holders::in_words(&holders)
}

fn written(mut file: &File) -> Option<String> {
    let mut who = String::new();
    file.rewind().and_then(|()| file.read_to_string(&mut who)).ok()?;
    (!who.trim().is_empty()).then(|| who.trim().to_owned())
}

fn whoami() -> String {
    let words: Vec<String> = std::env::args().skip(1).take(2).collect();
    format!("process {}, `drydock {}`", std::process::id(), words.join(" "))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    fn cache() -> (tempfile::TempDir, CacheLayout) {
        let dir = tempfile::tempdir().unwrap();
        let cache = CacheLayout::at(dir.path().join("drydock"));
        (dir, cache)
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
        told.recv_timeout(Duration::from_secs(10)).unwrap();
        changer.join().unwrap().downgrade().unwrap();
    }

    #[test]
    fn holder_is_named_with_its_command() {
        let (_dir, cache) = cache();
        let lock = Lock::exclusive(&cache, &Events::silent()).unwrap();
        let file = File::open(cache.base().join("lock")).unwrap();
        let words = format!("process {}, `", std::process::id());
        assert!(held_by(&file).starts_with(&format!(", held by {words}")), "{}", held_by(&file));
        assert!(written(&file).unwrap().starts_with(&words));
        drop(lock);
    }
}
