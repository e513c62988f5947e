// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The errors of a file that is not a container of firmware.

use core::fmt;

/// An error in a file, with its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// Offset in the file of the item that was being read.
    pub at: usize,
    /// The kind of error.
    pub reason: Reason,
}

/// The kinds of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The file ends too early.
    Truncated,
    /// The file does not begin with the magic number.
    Magic(u32),
    /// The file's version has another format.
    Version {
        /// The major version.
        major: u8,
        /// The minor version.
        minor: u8,
    },
    /// The size in the header is too small for the header itself.
    HeaderSize(u32),
    /// An entry's size is not a multiple of four, or has no room for its first word.
    EntrySize(u8),
    /// An entry of an unknown kind is not marked as optional.
    EntryKind(u8),
    /// A section's flags have unknown bits.
    SectionFlags(u32),
    /// A section's addresses are not aligned to pages, or end before they begin.
    SectionAddresses {
        /// The first address.
        start: u32,
        /// The address behind the last.
        end: u32,
    },
    /// A section's data is not in the file, or ends before it begins.
    SectionData {
        /// The first offset.
        start: u32,
        /// The offset behind the last.
        end: u32,
    },
    /// A section has more data than addresses.
    SectionTooSmall,
    /// The section at [`crate::SHARED_START`] is not marked as shared.
    NotShared,
    /// There is no section at [`crate::SHARED_START`].
    NoSharedSection,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason {
            Reason::Truncated => write!(f, "the file ends too early"),
            Reason::Magic(magic) => write!(f, "the file begins with `{magic:#x}`, not `{:#x}`", crate::MAGIC),
            Reason::Version { major, minor } => {
                write!(f, "format version `{major}.{minor}` is not supported (known: {}.x)", crate::MAJOR)
            }
            Reason::HeaderSize(size) => write!(f, "a header of `{size}` bytes is too short"),
            Reason::EntrySize(size) => write!(f, "an entry cannot have `{size}` bytes"),
            Reason::EntryKind(kind) => write!(f, "an entry of the unknown kind `{kind}` is not optional"),
            Reason::SectionFlags(flags) => write!(f, "a section has the unknown flags `{flags:#x}`"),
            Reason::SectionAddresses { start, end } => {
                write!(f, "a section's addresses `{start:#x}` to `{end:#x}` are no range of pages")
            }
            Reason::SectionData { start, end } => {
                write!(f, "a section's data at `{start:#x}` to `{end:#x}` is not in the file")
            }
            Reason::SectionTooSmall => write!(f, "a section has more data than addresses"),
            Reason::NotShared => write!(f, "the section at `{:#x}` is not shared", crate::SHARED_START),
            Reason::NoSharedSection => write!(f, "there is no section at `{:#x}`", crate::SHARED_START),
        }?;
        write!(f, " (at offset `{:#x}`)", self.at)
    }
}

impl core::error::Error for Error {}
