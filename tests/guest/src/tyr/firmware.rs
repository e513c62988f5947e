// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The firmware's file in the guest, damaged by a case and put back.
//!
//! Source: Documentation/driver-api/firmware/fw_search_path.rst (Linux 7.3); the container is what the crate `csf-fw` reads.

use std::fs;
use std::path::PathBuf;

use csf_fw::Firmware as Container;

use crate::check::{Outcome, fail, lacks};

/// What drivers ask for.
const NAME: &str = "arm/mali/arch10.8/mali_csffw.bin";
/// Where the kernel looks.
const FOLDERS: [&str; 4] = ["/lib/firmware/updates", "/lib/firmware", "/usr/lib/firmware", "/firmware"];

/// The file; dropping this puts it back as it was.
pub(crate) struct Firmware {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Firmware {
    /// The file, if the guest has one.
    pub(crate) fn found() -> Outcome<Self> {
        let named = fs::read_to_string("/sys/module/firmware_class/parameters/path").unwrap_or_default();
        let folders = [named.trim()].into_iter().filter(|folder| !folder.is_empty()).chain(FOLDERS);
        let mut paths = folders.map(|folder| PathBuf::from(folder).join(NAME));
        match paths.find(|path| path.is_file()) {
            Some(path) => Ok(Self { bytes: fs::read(&path)?, path }),
            None => lacks(format!("the guest has no `{NAME}`")),
        }
    }

    /// Takes the file away.
    pub(crate) fn remove(&self) -> Outcome {
        Ok(fs::remove_file(&self.path)?)
    }

    /// Something else in its place.
    pub(crate) fn replace(&self, bytes: &[u8]) -> Outcome {
        Ok(fs::write(&self.path, bytes)?)
    }

    /// The file as it was.
    pub(crate) fn restore(&self) -> Outcome {
        self.replace(&self.bytes)
    }

    /// Only its beginning.
    pub(crate) fn cut(&self, keep: usize) -> Outcome {
        self.replace(&self.bytes[..keep])
    }

    /// The file with one byte turned around.
    pub(crate) fn damage(&self, at: usize) -> Outcome {
        self.replace(&self.damaged(at))
    }

    /// Whether a container with this byte turned around is one still.
    pub(crate) fn is_one_with(&self, at: usize) -> bool {
        Container::parse(&self.damaged(at)).is_ok()
    }

    fn damaged(&self, at: usize) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        bytes[at] ^= 0xff;
        bytes
    }

    /// Where the list of entries ends.
    pub(crate) fn header(&self) -> Outcome<usize> {
        match self.bytes.get(16..20) {
            Some(size) => Ok(u32::from_le_bytes(size.try_into().expect("four bytes")) as usize),
            None => fail("the firmware has no header"),
        }
    }

    /// The sections that have contents: the number of each among all that are loaded, and how many bytes it has.
    pub(crate) fn sections(&self) -> Outcome<Vec<(usize, usize)>> {
        let container = match Container::parse(&self.bytes) {
            Ok(container) => container,
            Err(error) => return fail(format!("the firmware cannot be read: {error:?}")),
        };
        let lengths = container.sections().map(|section| section.data().len()).enumerate();
        Ok(lengths.filter(|(_, length)| *length > 0).collect())
    }

    /// How many of its bytes it takes to be one.
    pub(crate) fn needed(&self) -> usize {
        let is_one = |length: usize| Container::parse(&self.bytes[..length]).is_ok();
        (1..self.bytes.len()).rev().find(|length| !is_one(*length)).map_or(1, |length| length + 1)
    }
}

impl Drop for Firmware {
    fn drop(&mut self) {
        self.restore().expect("the folder of the firmware can be written");
    }
}
