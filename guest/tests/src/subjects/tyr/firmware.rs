// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Damages the firmware's file in the guest, and restores it.
//!
//! Source: Documentation/driver-api/firmware/fw_search_path.rst (Linux 7.3); the container is what the crate `csf-fw`
//! reads.

use std::fs;
use std::path::PathBuf;

use csf_fw::Firmware as Container;

use crate::harness::check::{Outcome, fail, lacks};

/// The name that drivers request.
const NAME: &str = "arm/mali/arch10.8/mali_csffw.bin";
/// The folders that the kernel searches.
const FOLDERS: [&str; 4] = ["/lib/firmware/updates", "/lib/firmware", "/usr/lib/firmware", "/firmware"];

/// The firmware's file. Dropping this restores it.
pub(crate) struct Firmware {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Firmware {
    /// Returns the file, if the guest has one.
    pub(crate) fn found() -> Outcome<Self> {
        let named = fs::read_to_string("/sys/module/firmware_class/parameters/path").unwrap_or_default();
        let folders = [named.trim()].into_iter().filter(|folder| !folder.is_empty()).chain(FOLDERS);
        let mut paths = folders.map(|folder| PathBuf::from(folder).join(NAME));
        match paths.find(|path| path.is_file()) {
            Some(path) => Ok(Self { bytes: fs::read(&path)?, path }),
            None => lacks(format!("the guest has no `{NAME}`")),
        }
    }

    /// Removes the file.
    pub(crate) fn remove(&self) -> Outcome {
        Ok(fs::remove_file(&self.path)?)
    }

    /// Replaces the file's content.
    pub(crate) fn replace(&self, bytes: &[u8]) -> Outcome {
        Ok(fs::write(&self.path, bytes)?)
    }

    /// Restores the file's original content.
    pub(crate) fn restore(&self) -> Outcome {
        self.replace(&self.bytes)
    }

    /// Truncates the file.
    pub(crate) fn cut(&self, keep: usize) -> Outcome {
        self.replace(&self.bytes[..keep])
    }

    /// Inverts one byte of the file.
    pub(crate) fn damage(&self, at: usize) -> Outcome {
        self.replace(&self.damaged(at))
    }

    /// Whether the file is still a valid container with this byte inverted.
    pub(crate) fn is_one_with(&self, at: usize) -> bool {
        Container::parse(&self.damaged(at)).is_ok()
    }

    fn damaged(&self, at: usize) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        bytes[at] ^= 0xff;
        bytes
    }

    /// Returns where the list of entries ends.
    pub(crate) fn header(&self) -> Outcome<usize> {
        match self.bytes.get(16..20) {
            Some(size) => Ok(u32::from_le_bytes(size.try_into().expect("four bytes")) as usize),
            None => fail("the firmware has no header"),
        }
    }

    /// Returns the sections that have contents: the index of each among all loaded sections, and its size in bytes.
    pub(crate) fn sections(&self) -> Outcome<Vec<(usize, usize)>> {
        let container = match Container::parse(&self.bytes) {
            Ok(container) => container,
            Err(error) => return fail(format!("the firmware cannot be read: {error:?}")),
        };
        let lengths = container.sections().map(|section| section.data().len()).enumerate();
        Ok(lengths.filter(|(_, length)| *length > 0).collect())
    }

    /// Returns how many of the file's bytes a valid container needs.
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
