// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Entries of the list.

use crate::error::Reason;
use crate::read;
use crate::section::Section;

/// Kinds of entries, by their numbers in the file.
pub(crate) mod kind {
    pub(crate) const SECTION: u8 = 0;
    pub(crate) const CONFIG: u8 = 1;
    pub(crate) const TEST: u8 = 2;
    pub(crate) const TRACE_BUFFER: u8 = 3;
    pub(crate) const TIMELINE: u8 = 4;
    pub(crate) const BUILD_INFO: u8 = 6;
}

/// The bit of an entry's first word that allows to ignore the entry.
pub(crate) const OPTIONAL: u32 = 1 << 31;

/// An entry of a container. Only sections are needed to run the firmware. A malformed entry of another kind is
/// [`Entry::Other`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    /// A range to load.
    Section(Section<'a>),
    /// A setting of the firmware.
    Config(Config<'a>),
    /// A buffer that the firmware can write a trace to.
    TraceBuffer(TraceBuffer<'a>),
    /// The meanings of a timeline's events.
    Timeline(Timeline<'a>),
    /// The firmware's build information.
    BuildInfo(BuildInfo<'a>),
    /// An entry of another kind.
    Other {
        /// The number of its kind.
        kind: u8,
        /// The words behind its first word.
        body: &'a [u8],
    },
}

impl<'a> Entry<'a> {
    /// Parses the entry whose first word is `header` and whose other words are `body`.
    pub(crate) fn parse(file: &'a [u8], header: u32, body: &'a [u8]) -> Result<Self, Reason> {
        let kind = header as u8;
        let known = match kind {
            kind::SECTION => return Section::parse(file, body).map(Self::Section),
            kind::CONFIG => Config::parse(body).map(Self::Config),
            kind::TRACE_BUFFER => TraceBuffer::parse(body).map(Self::TraceBuffer),
            kind::TIMELINE => Timeline::parse(file, body).map(Self::Timeline),
            kind::BUILD_INFO => BuildInfo::parse(file, body).map(Self::BuildInfo),
            kind::TEST => None,
            _ if header & OPTIONAL != 0 => None,
            _ => return Err(Reason::EntryKind(kind)),
        };
        Ok(known.unwrap_or(Self::Other { kind, body }))
    }
}

/// A setting: a word in the firmware's memory that the driver may change before the firmware runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config<'a> {
    /// The word's address.
    pub address: u32,
    /// The least value.
    pub min: u32,
    /// The greatest value.
    pub max: u32,
    /// The setting's name.
    pub name: &'a str,
}

impl<'a> Config<'a> {
    fn parse(body: &'a [u8]) -> Option<Self> {
        let word = |index: usize| read::word(body, index * 4);
        Some(Self { address: word(0)?, min: word(1)?, max: word(2)?, name: read::text(body.get(12..)?)? })
    }
}

/// A trace buffer: the words in the firmware's memory through which the driver gives it one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceBuffer<'a> {
    /// The kind of the buffer.
    pub kind: u32,
    /// The address of the word for the buffer's size.
    pub size_address: u32,
    /// The address of the word for the address of the insert offset.
    pub insert_address: u32,
    /// The address of the word for the address of the extract offset.
    pub extract_address: u32,
    /// The address of the word for the buffer's address.
    pub data_address: u32,
    /// The address of the bits that enable events.
    pub enable_address: u32,
    /// The number of these bits.
    pub enable_count: u32,
    /// The buffer's name.
    pub name: &'a str,
}

impl<'a> TraceBuffer<'a> {
    fn parse(body: &'a [u8]) -> Option<Self> {
        let word = |index: usize| read::word(body, index * 4);
        Some(Self {
            kind: word(0)?,
            size_address: word(1)?,
            insert_address: word(2)?,
            extract_address: word(3)?,
            data_address: word(4)?,
            enable_address: word(5)?,
            enable_count: word(6)?,
            name: read::text(body.get(28..)?)?,
        })
    }
}

/// A description of a timeline's events, for the tool that shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeline<'a> {
    /// The description.
    pub data: &'a [u8],
    /// The timeline's name.
    pub name: &'a str,
}

impl<'a> Timeline<'a> {
    fn parse(file: &'a [u8], body: &'a [u8]) -> Option<Self> {
        let data = read::sized(file, read::word(body, 0)?, read::word(body, 4)?)?;
        Some(Self { data, name: read::text(body.get(8..)?)? })
    }
}

/// The firmware's build information.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuildInfo<'a> {
    /// The text.
    pub text: &'a str,
}

impl<'a> BuildInfo<'a> {
    fn parse(file: &'a [u8], body: &'a [u8]) -> Option<Self> {
        let text = read::sized(file, read::word(body, 0)?, read::word(body, 4)?)?;
        Some(Self { text: read::text(text)? })
    }

    /// Returns the commit that the firmware was built from, if the text has it.
    pub fn git_sha(&self) -> Option<&'a str> {
        self.text.strip_prefix("git_sha: ").map(str::trim_end)
    }
}
