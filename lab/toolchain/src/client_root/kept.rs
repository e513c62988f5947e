// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The images in the cache: which set of packages has which one, and which are old.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use drydock_base::cache::{self, CacheLayout, PartialDir};
use drydock_base::error::{Context, Result};

use super::packages::Set;

/// The number of images that are kept. The one that was unused for the longest time is removed first.
const MOST: usize = 6;

const STAMP: &str = ".drydock";
const VERSIONS: &str = "packages";
/// The name of an image's file in its directory.
pub(super) const IMAGE: &str = "root.erofs";

/// The directory of images.
pub(super) struct Kept {
    dir: PathBuf,
}

impl Kept {
    /// Returns the cache's directory of images.
    pub(super) fn new(cache: &CacheLayout) -> Self {
        Self { dir: cache.client_roots() }
    }

    /// Returns the directory's path.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the directory of the image `name`, which may be missing.
    pub(super) fn place(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Returns whether the image `name` is there.
    pub(super) fn has(&self, name: &str) -> bool {
        is_complete(&self.place(name))
    }

    /// Returns the image of `set`, if it is there, and records that it is in use.
    pub(super) fn find(&self, set: &Set) -> Option<PathBuf> {
        let name = fs::read_to_string(self.record(set)).ok()?;
        let name = name.trim_end();
        // Record the use first: another run may be about to remove the oldest image.
        is_name(name).then(|| self.record_use(name))?;
        self.has(name).then(|| self.place(name).join(IMAGE))
    }

    /// Records that `set` has the image `name`, and removes the oldest images. Returns the path of the image.
    pub(super) fn remember(&self, set: &Set, name: &str) -> Result<PathBuf> {
        cache::write_atomically(&self.record(set), name)?;
        self.record_use(name);
        self.remove_old()?;
        Ok(self.place(name).join(IMAGE))
    }

    /// Forgets which set has which image.
    pub(super) fn forget_sets(&self) -> Result<()> {
        cache::remove_tree(&self.sets())
    }

    fn sets(&self) -> PathBuf {
        self.dir.join("sets")
    }

    fn record(&self, set: &Set) -> PathBuf {
        self.sets().join(set.key())
    }

    /// Gives the stamp of an image the current time. A cache that cannot be written also loses no image.
    fn record_use(&self, name: &str) {
        let stamp = fs::File::options().append(true).open(self.place(name).join(STAMP));
        let _ = stamp.and_then(|stamp| stamp.set_modified(SystemTime::now()));
    }

    fn remove_old(&self) -> Result<()> {
        let entries = fs::read_dir(&self.dir).with_context(|| format!("failed to list `{}`", self.dir.display()))?;
        let places = entries.flatten().map(|entry| entry.path()).filter(|place| is_complete(place));
        let used = |place: &PathBuf| fs::metadata(place.join(STAMP)).and_then(|stamp| stamp.modified()).ok();
        let mut places: Vec<_> = places.map(|place| (used(&place), place)).collect();
        places.sort();
        let surplus = places.len().saturating_sub(MOST);
        places.iter().take(surplus).try_for_each(|(_, place)| cache::remove_tree(place))
    }
}

/// Completes the directory of an image whose packages are `versions`.
pub(super) fn complete(partial: PartialDir, versions: &str) -> Result<()> {
    cache::write_atomically(&partial.path().join(VERSIONS), format!("{versions}\n"))?;
    cache::write_atomically(&partial.path().join(STAMP), "")?;
    partial.complete()
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_hexdigit())
}

fn is_complete(place: &Path) -> bool {
    place.file_name().and_then(|name| name.to_str()).is_some_and(is_name)
        && place.join(STAMP).is_file()
        && place.join(IMAGE).is_file()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn kept() -> (tempfile::TempDir, Kept) {
        let dir = tempfile::tempdir().unwrap();
        let kept = Kept::new(&CacheLayout::at(dir.path().join("drydock")));
        (dir, kept)
    }

    fn set(name: &str) -> Set {
        Set::of(&[name.to_owned()]).unwrap()
    }

    fn put(kept: &Kept, name: &str) {
        let partial = PartialDir::begin(&kept.place(name)).unwrap();
        fs::write(partial.path().join(IMAGE), "image").unwrap();
        complete(partial, "bash_5.2_amd64.deb").unwrap();
    }

    #[test]
    fn set_finds_its_image_until_it_is_forgotten() {
        let (_dir, kept) = kept();
        assert_eq!(kept.find(&set("weston")), None);
        put(&kept, "0123");
        assert_eq!(kept.remember(&set("weston"), "0123").unwrap(), kept.place("0123").join(IMAGE));
        assert_eq!(kept.find(&set("weston")), Some(kept.place("0123").join(IMAGE)));
        assert_eq!(kept.find(&set("gdb")), None);
        kept.forget_sets().unwrap();
        assert_eq!(kept.find(&set("weston")), None);
        assert!(kept.has("0123"));
    }

    #[test]
    fn broken_record_or_half_an_image_finds_nothing() {
        let (_dir, kept) = kept();
        put(&kept, "0123");
        for name in ["", "../0123", "4567", "0123.partial"] {
            cache::write_atomically(&kept.record(&set("weston")), name).unwrap();
            assert_eq!(kept.find(&set("weston")), None, "{name}");
        }
        kept.remember(&set("weston"), "0123").unwrap();
        fs::remove_file(kept.place("0123").join(STAMP)).unwrap();
        assert_eq!(kept.find(&set("weston")), None);
    }

    #[test]
    fn oldest_images_are_removed_and_nothing_else() {
        let (_dir, kept) = kept();
        for number in 0..8 {
            let name = format!("{number:04}");
            put(&kept, &name);
            let stamp = fs::File::options().append(true).open(kept.place(&name).join(STAMP)).unwrap();
            stamp.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(number)).unwrap();
        }
        cache::make_dir(&kept.place("0009.partial")).unwrap();
        kept.remember(&set("weston"), "0000").unwrap();
        let left: Vec<_> = (0..8).filter(|number| kept.has(&format!("{number:04}"))).collect();
        assert_eq!(left, [0, 3, 4, 5, 6, 7], "0 was used last");
        assert!(kept.place("0009.partial").is_dir() && kept.record(&set("weston")).is_file());
    }
}
