// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Why a file is not a container of firmware.

use core::fmt;

/// What is wrong with a file, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// Offset in the file of what was being read.
    pub at: usize,
    /// What is wrong there.
    pub reason: Reason,
}

/// What is wrong with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It ends too early.
    Truncated,
    /// It does not begin as a container does.
    Magic(u32),
    /// It is of a version that has another format.
    Version {
        /// The major version.
        major: u8,
        /// The minor version.
        minor: u8,
    },
    /// The header's size leaves no room for the header.
    HeaderSize(u32),
    /// An entry's size is not of whole words, or leaves no room for its first.
    EntrySize(u8),
    /// An entry must be understood and is not.
    EntryKind(u8),
    /// A section's flags have bits that nobody knows.
    SectionFlags(u32),
    /// A section's addresses are not of whole pages, or end before they begin.
    SectionAddresses {
        /// The first address.
        start: u32,
        /// The one behind the last.
        end: u32,
    },
    /// A section's data is not in the file, or ends before it begins.
    SectionData {
        /// The first offset.
        start: u32,
        /// The one behind the last.
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
            Reason::EntryKind(kind) => write!(f, "an entry of kind `{kind}` must be understood and is not"),
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
