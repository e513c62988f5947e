// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Locks on directories of the cache. A run that has to wait reports what it waits for, and which process holds the
//! lock.
//!
//! Source: flock(2); proc(5), `/proc/locks`.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::CacheLayout;
use crate::error::{Context, Result};
use crate::events::Events;

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

/// Returns the holders of the locks that cargo takes when it works for us on the host. Cargo does not report them.
pub fn cargo_lock_held_by() -> String {
    let place = |variable: &str, below: &str| std::env::var_os(variable).map(|base| Path::new(&base).join(below));
    let places = [place("CARGO_HOME", ".package-cache"), place("DRYDOCK_REPO", "target/debug/.cargo-lock")];
    let files = places.into_iter().flatten().filter_map(|path| File::open(path).ok());
    let ours = i32::try_from(std::process::id()).ok();
    let is_ours = |pid: &u32| parent(*pid).is_some_and(|parent| Some(parent) == ours);
    let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
    let inodes: Vec<_> = files.filter_map(|file| Some(file.metadata().ok()?.ino())).collect();
    let pids = inodes.iter().flat_map(|inode| holders(&locks, *inode)).filter(|pid| !is_ours(pid));
    let holders: Vec<_> = pids.filter_map(process).collect();
    if holders.is_empty() { String::new() } else { format!(", held by {}", holders.join(", ")) }
}

fn parent(pid: u32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

/// Returns `, held by …`, if a holder is known.
fn held_by(file: &File) -> String {
    let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
    let inode = file.metadata().map_or(0, |metadata| metadata.ino());
    let mut holders: Vec<_> = holders(&locks, inode).filter_map(process).collect();
    if holders.is_empty() {
        // /proc/locks does not list processes of another container. An exclusive holder has written its name to the
        // file.
        holders.extend(written(file));
    }
    if holders.is_empty() { String::new() } else { format!(", held by {}", holders.join(", ")) }
}

/// Returns the processes that hold a lock on `inode`, from a text like /proc/locks: `N: FLOCK ADVISORY MODE PID
/// MAJOR:MINOR:INODE …`. A process that waits has `->` after the number.
fn holders(locks: &str, inode: u64) -> impl Iterator<Item = u32> {
    let of_line = move |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let found: u64 = words.get(5)?.rsplit(':').next()?.parse().ok()?;
        (words[1] == "FLOCK" && found == inode).then_some(words[4].parse().ok()?)
    };
    locks.lines().filter_map(of_line)
}

/// Describes a process: its number, its command, and the checkout that it works on.
fn process(pid: u32) -> Option<String> {
    let words = |file: &str| fs::read(format!("/proc/{pid}/{file}")).ok();
    let command = words("cmdline")?;
    let mut command = command.split(|byte| *byte == 0).map(String::from_utf8_lossy).filter(|word| !word.is_empty());
    let program = command.next()?;
    let name = program.rsplit('/').next().unwrap_or_default().to_owned();
    let command: Vec<_> = [name].into_iter().chain(command.take(3).map(|word| word.into_owned())).collect();
    // We may not read the environment of another user's process.
    let environment = words("environ").unwrap_or_default();
    let mut environment = environment.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    let checkout = environment.find_map(|entry| entry.strip_prefix("DRYDOCK_REPO=").map(|at| format!(" of `{at}`")));
    Some(format!("process {pid}, `{}`{}", command.join(" "), checkout.unwrap_or_default()))
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
    fn holders_are_those_who_do_not_wait() {
        let locks = "1: FLOCK  ADVISORY  WRITE 10 fe:00:777 0 EOF\n1: -> FLOCK  ADVISORY  WRITE 11 fe:00:777 0 EOF\n\
                     2: POSIX  ADVISORY  WRITE 12 fe:00:777 0 EOF\n3: FLOCK  ADVISORY  READ  13 fe:00:778 0 EOF\n";
        assert_eq!(holders(locks, 777).collect::<Vec<_>>(), [10]);
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
