// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Extracts a firmware from the Debian package that publishes it. A separate apt provides signed lists and a verified
//! archive.
//!
//! Source: the package firmware-misc-nonfree; apt.conf(5).

use std::fs;
use std::path::{Path, PathBuf};

use crate::apt::{Apt, Archive};
use crate::root::unpack_with;
use drydock_base::cache::{PartialDir, write_atomically};
use drydock_base::error::{Context, Error, Kind, Result};
use drydock_base::events::Events;

use super::Firmware;

/// The directories of firmware in packages. Older packages use the second.
const DIRECTORIES: [&str; 2] = ["usr/lib/firmware", "lib/firmware"];

#[derive(Debug)]
pub(super) struct Package {
    pub(super) name: &'static str,
    /// The archive component that has the package.
    pub(super) component: &'static str,
}

impl Package {
    /// Returns the version of the package that the file at `path` came from; `None` if the file does not exist.
    pub(super) fn fetched(&self, path: &Path) -> Option<String> {
        let stamp = fs::read_to_string(stamp(path)).ok()?;
        let version = stamp.strip_prefix(self.name)?.strip_prefix(' ')?.trim_end();
        path.is_file().then(|| version.to_owned())
    }

    /// Fetches the package and writes `firmware` to `path`. Returns the package's version.
    pub(super) fn fetch(&self, apt: &Path, firmware: &Firmware, path: &Path, events: &Events) -> Result<String> {
        let apt = Apt::of(apt.to_owned(), self.component)?;
        let step = events.step(format!("fetching the mirror's package lists for {}", self.name));
        apt.update(&step)?;
        let version = apt.candidate(self.name)?;
        step.done_with(&version);
        let archive = self.download(&apt, &version, events)?;
        let bytes = take(&apt.archives().join(&archive.file), firmware, path)?;
        (firmware.check)(&bytes).map_err(|why| {
            Error::new(Kind::Machinery, format!("the package's `{}` is not a valid firmware: {why}", firmware.name))
        })?;
        write_atomically(path, bytes)?;
        // The stamp is written last, so that an interrupted run fetches again.
        write_atomically(&stamp(path), format!("{} {version}\n", self.name))?;
        apt.forget(&[archive]);
        Ok(version)
    }

    fn download(&self, apt: &Apt, version: &str, events: &Events) -> Result<Archive> {
        let wanted = [format!("{}={version}", self.name)];
        let archive = apt.archives_of(&wanted)?.pop();
        let archive = archive
            .ok_or_else(|| Error::new(Kind::Machinery, format!("apt reports no archive for `{}`", self.name)))?;
        let step = events.step("downloading the firmware");
        apt.download_only(&wanted, archive.size, &step)?;
        step.done_with(format!("{:.1} MB", archive.size as f64 / 1e6));
        Ok(archive)
    }
}

/// Returns the bytes of `firmware` in `archive`. The archive is unpacked beside `path`, because the file may be a link
/// to another.
fn take(archive: &Path, firmware: &Firmware, path: &Path) -> Result<Vec<u8>> {
    let partial = PartialDir::begin(&path.with_extension("unpacked"))?;
    unpack_with(archive, partial.path(), [])?;
    let places = DIRECTORIES.map(|directory| partial.path().join(directory).join(firmware.name));
    let place = places
        .iter()
        .find(|place| place.is_file())
        .ok_or_else(|| Error::new(Kind::Machinery, format!("the package has no file `{}`", firmware.name)))?;
    fs::read(place).with_context(|| format!("failed to read `{}`", place.display()))
}

fn stamp(path: &Path) -> PathBuf {
    path.with_extension("package")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKAGE: Package = Package { name: "firmware-x", component: "non-free-firmware" };

    #[test]
    fn a_file_counts_with_its_stamp_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("arm/x.bin");
        assert_eq!(PACKAGE.fetched(&path), None);
        write_atomically(&path, "bytes").unwrap();
        assert_eq!(PACKAGE.fetched(&path), None);
        write_atomically(&stamp(&path), "firmware-x 20250410-2\n").unwrap();
        assert_eq!(PACKAGE.fetched(&path).as_deref(), Some("20250410-2"));
        write_atomically(&stamp(&path), "firmware-xy 1\n").unwrap();
        assert_eq!(PACKAGE.fetched(&path), None);
    }
}
