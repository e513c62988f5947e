// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Finds the processes that hold a lock on a file, so that a run that waits can say for whom.
//!
//! Source: proc(5), `/proc/locks`.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Returns the holders of the locks that cargo takes when it works for us on the host. Cargo does not report them.
pub(crate) fn of_cargo_locks() -> String {
    let place = |variable: &str, below: &str| std::env::var_os(variable).map(|base| Path::new(&base).join(below));
    let places = [place("CARGO_HOME", ".package-cache"), place("DRYDOCK_REPO", "target/debug/.cargo-lock")];
    let files = places.into_iter().flatten().filter_map(|path| File::open(path).ok());
    let ours = i32::try_from(std::process::id()).ok();
    let is_ours = |pid: &u32| parent(*pid).is_some_and(|parent| Some(parent) == ours);
    let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
    let inodes: Vec<_> = files.filter_map(|file| Some(file.metadata().ok()?.ino())).collect();
    let pids = inodes.iter().flat_map(|inode| holders(&locks, *inode)).filter(|pid| !is_ours(pid));
    in_words(&pids.filter_map(process).collect::<Vec<_>>())
}

fn parent(pid: u32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

/// Returns the processes that hold a lock on `file`, as far as we see them.
pub fn of(file: &File) -> Vec<String> {
    let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
    let inode = file.metadata().map_or(0, |metadata| metadata.ino());
    holders(&locks, inode).filter_map(process).collect()
}

/// Returns `, held by …`, if a holder is known.
pub fn in_words(holders: &[String]) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holders_are_those_who_do_not_wait() {
        let locks = "1: FLOCK  ADVISORY  WRITE 10 fe:00:777 0 EOF\n1: -> FLOCK  ADVISORY  WRITE 11 fe:00:777 0 EOF\n\
                     2: POSIX  ADVISORY  WRITE 12 fe:00:777 0 EOF\n3: FLOCK  ADVISORY  READ  13 fe:00:778 0 EOF\n";
        assert_eq!(holders(locks, 777).collect::<Vec<_>>(), [10]);
    }
}
