// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Free space on the cache's file system: checked before something large begins, and after a failure.
//!
//! Source: statvfs(3).

use std::path::Path;

use crate::error::{Error, Kind, Result};

/// An amount of space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// The number of bytes.
    pub bytes: u64,
    /// The number of files; `None` for a file system without a fixed number.
    pub files: Option<u64>,
}

/// The space for a whole cache while it is made, including downloads. The start script has the same numbers.
pub const WHOLE: Room = Room { bytes: 6_000_000_000, files: Some(150_000) };
/// The space for one more stock kernel.
pub const KERNEL: Room = Room { bytes: 2_000_000_000, files: Some(60_000) };
/// The space for one debug kernel and its compilers while it is built.
pub const DEBUG_KERNEL: Room = Room { bytes: 3_000_000_000, files: Some(80_000) };
/// With less space than this, a failure is explained by a full disk.
const FULL: Room = Room { bytes: 64_000_000, files: Some(100) };

/// The hint for the user.
const ADVICE: &str = "make room there, or set `XDG_CACHE_HOME` to a directory on a larger disk";

impl Room {
    /// Returns the free space at `place`, or at the nearest parent directory that exists.
    pub fn at(place: &Path) -> Option<Self> {
        let there = place.ancestors().find(|dir| dir.is_dir())?;
        let stat = rustix::fs::statvfs(there).ok()?;
        let files = (stat.f_files > 0).then_some(stat.f_favail);
        Some(Self { bytes: stat.f_bavail.saturating_mul(stat.f_frsize), files })
    }

    /// Describes in a sentence about `place` which part of `needed` is missing.
    fn lack(&self, needed: &Self, place: &Path) -> Option<String> {
        let place = place.display();
        if self.bytes < needed.bytes {
            return Some(format!("{} are needed, {} are free at `{place}`", size(needed.bytes), size(self.bytes)));
        }
        let (free, needed) = (self.files?, needed.files?);
        (free < needed).then(|| format!("room for {needed} files is needed, `{place}` has room for {free}"))
    }
}

/// Refuses to begin if the space is not sufficient.
pub fn ensure(place: &Path, needed: &Room) -> Result<()> {
    match Room::at(place).and_then(|free| free.lack(needed, place)) {
        Some(lack) => Err(Error::new(Kind::Host, lack).hint(ADVICE)),
        None => Ok(()),
    }
}

/// Explains a failed write by a full disk, if there is no space left.
pub fn explain(error: Error, place: &Path) -> Error {
    let is_full = Room::at(place).is_some_and(|free| free.lack(&FULL, place).is_some());
    if !is_full || error.kind() == Kind::Interrupted {
        return error;
    }
    Error::new(Kind::Host, format!("the file system of `{}` is full", place.display())).caused_by(error).hint(ADVICE)
}

/// Formats a number of bytes for a reader.
pub fn size(bytes: u64) -> String {
    match bytes {
        1_000_000_000.. => format!("{:.1} GB", bytes as f64 / 1e9).replace(".0 ", " "),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lack_is_told_with_both_numbers() {
        let lack = |bytes, files| Room { bytes, files }.lack(&WHOLE, Path::new("/x"));
        assert_eq!(lack(150_400_000, None).unwrap(), "6 GB are needed, 150 MB are free at `/x`");
        assert_eq!(lack(5_900_000_000, None).unwrap(), "6 GB are needed, 5.9 GB are free at `/x`");
        let few = lack(7_000_000_000, Some(9)).unwrap();
        assert_eq!(few, "room for 150000 files is needed, `/x` has room for 9");
        assert_eq!((lack(7_000_000_000, None), lack(7_000_000_000, Some(200_000))), (None, None));
    }

    #[test]
    fn room_is_that_of_the_nearest_directory() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Room::at(&dir.path().join("not/there")).is_some());
        let most = Room { bytes: u64::MAX, files: None };
        let error = ensure(dir.path(), &most).unwrap_err();
        assert_eq!(error.kind(), Kind::Host);
        assert!(error.to_string().ends_with(&format!("are free at `{}`", dir.path().display())), "{error}");
    }

    #[test]
    fn failure_with_room_left_keeps_its_own_words() {
        let error = || Error::new(Kind::Machinery, "apt failed");
        assert_eq!(explain(error(), Path::new("/proc/self")).kind(), Kind::Host, "/proc has no room at all");
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(explain(error(), dir.path()).to_string(), "apt failed");
    }

    #[test]
    fn start_script_asks_for_the_same_room() {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../drydock");
        let script = std::fs::read_to_string(script).unwrap();
        let has = |line: String| script.lines().any(|found| found == line);
        assert!(has(format!("whole_mb={}", WHOLE.bytes / 1_000_000)));
        assert!(has(format!("whole_files={}", WHOLE.files.unwrap())));
    }
}
