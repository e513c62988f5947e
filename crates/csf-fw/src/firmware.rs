// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A container as a whole.

use crate::entry::Entry;
use crate::error::{Error, Reason};
use crate::section::Section;
use crate::{MAGIC, MAJOR, read};

/// The size of the header in bytes.
pub(crate) const HEADER: usize = 20;

/// A container that was checked completely.
#[derive(Clone, Copy, Debug)]
pub struct Firmware<'a> {
    file: &'a [u8],
    /// The entries, behind the header.
    list: &'a [u8],
}

impl<'a> Firmware<'a> {
    /// Parses a file: its header, and each of its entries.
    pub fn parse(file: &'a [u8]) -> Result<Self, Error> {
        let error = |at, reason| Error { at, reason };
        let word = |at| read::word(file, at).ok_or(error(at, Reason::Truncated));
        let (magic, version, size) = (word(0)?, word(4)?, word(16)?);
        if magic != MAGIC {
            return Err(error(0, Reason::Magic(magic)));
        }
        let [minor, major, ..] = version.to_le_bytes();
        if major != MAJOR {
            return Err(error(4, Reason::Version { major, minor }));
        }
        let whole = read::range(file, 0, size).ok_or(error(16, Reason::Truncated))?;
        let list = whole.get(HEADER..).ok_or(error(16, Reason::HeaderSize(size)))?;
        let mut shared = false;
        for entry in (Entries { file, list, at: 0 }) {
            shared |= matches!(entry?, Entry::Section(section) if section.is_shared_interface());
        }
        if !shared {
            return Err(error(HEADER, Reason::NoSharedSection));
        }
        Ok(Self { file, list })
    }

    /// Returns the minor version of the format.
    pub fn minor(&self) -> u8 {
        self.file.get(4).copied().unwrap_or_default()
    }

    /// Returns a number that identifies the firmware's version. In the published files it is the version of the
    /// interface: 1.5.0 for architecture 10, 2.8.0 for 11, 3.13.0 for 12 and 13.
    pub fn version_hash(&self) -> u32 {
        read::word(self.file, 8).unwrap_or_default()
    }

    /// Returns all entries, in their order.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'a>> + use<'a> {
        // `parse` has read all entries without an error.
        Entries { file: self.file, list: self.list, at: 0 }.filter_map(Result::ok)
    }

    /// Returns the sections that a driver loads, in their order.
    pub fn sections(&self) -> impl Iterator<Item = Section<'a>> + use<'a> {
        let sections = self.entries().filter_map(|entry| match entry {
            Entry::Section(section) => Some(section),
            _ => None,
        });
        sections.filter(Section::is_loaded)
    }

    /// Returns the commit that the firmware was built from, if the firmware contains it.
    pub fn git_sha(&self) -> Option<&'a str> {
        self.entries().find_map(|entry| match entry {
            Entry::BuildInfo(info) => info.git_sha(),
            _ => None,
        })
    }
}

/// The entries of a list, until its end or an error.
struct Entries<'a> {
    file: &'a [u8],
    list: &'a [u8],
    at: usize,
}

impl<'a> Entries<'a> {
    fn read(&self) -> Result<(usize, Entry<'a>), Reason> {
        let rest = self.list.get(self.at..).ok_or(Reason::Truncated)?;
        let header = read::word(rest, 0).ok_or(Reason::Truncated)?;
        let size = (header >> 8) as u8;
        if size < 4 || size % 4 != 0 {
            return Err(Reason::EntrySize(size));
        }
        let body = rest.get(4..size.into()).ok_or(Reason::Truncated)?;
        Ok((size.into(), Entry::parse(self.file, header, body)?))
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.list.len() {
            return None;
        }
        match self.read() {
            Ok((size, entry)) => {
                self.at += size;
                Some(Ok(entry))
            }
            Err(reason) => {
                let at = HEADER + self.at;
                self.at = self.list.len();
                Some(Err(Error { at, reason }))
            }
        }
    }
}

#[cfg(test)]
mod tests;
