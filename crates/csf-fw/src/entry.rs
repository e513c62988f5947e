// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Entries of the list.

use crate::error::Reason;
use crate::read;
use crate::section::Section;

/// Kinds of entries, as they stand in the file.
pub(crate) mod kind {
    pub(crate) const SECTION: u8 = 0;
    pub(crate) const CONFIG: u8 = 1;
    pub(crate) const TEST: u8 = 2;
    pub(crate) const TRACE_BUFFER: u8 = 3;
    pub(crate) const TIMELINE: u8 = 4;
    pub(crate) const BUILD_INFO: u8 = 6;
}

/// The bit of an entry's first word that says that it may be ignored.
pub(crate) const OPTIONAL: u32 = 1 << 31;

/// An entry of a container. Only sections are needed to run the firmware; of the others, one that is malformed is
/// [`Entry::Other`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    /// Something to load.
    Section(Section<'a>),
    /// A setting of the firmware.
    Config(Config<'a>),
    /// A buffer that the firmware can write a trace to.
    TraceBuffer(TraceBuffer<'a>),
    /// What the events of a timeline mean.
    Timeline(Timeline<'a>),
    /// How the firmware was built.
    BuildInfo(BuildInfo<'a>),
    /// Something else.
    Other {
        /// Its kind.
        kind: u8,
        /// What follows its first word.
        body: &'a [u8],
    },
}

impl<'a> Entry<'a> {
    /// The entry whose first word is `header` and whose other words are `body`.
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
    /// What it is called.
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
    /// What kind of buffer.
    pub kind: u32,
    /// Where the buffer's size is written.
    pub size_address: u32,
    /// Where the address of the insert offset is written.
    pub insert_address: u32,
    /// Where the address of the extract offset is written.
    pub extract_address: u32,
    /// Where the buffer's address is written.
    pub data_address: u32,
    /// Where the bits are that switch events on.
    pub enable_address: u32,
    /// How many such bits there are.
    pub enable_count: u32,
    /// What it is called.
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
    /// What it is called.
    pub name: &'a str,
}

impl<'a> Timeline<'a> {
    fn parse(file: &'a [u8], body: &'a [u8]) -> Option<Self> {
        let data = read::sized(file, read::word(body, 0)?, read::word(body, 4)?)?;
        Some(Self { data, name: read::text(body.get(8..)?)? })
    }
}

/// How the firmware was built.
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

    /// The commit that it was built from, if it says so.
    pub fn git_sha(&self) -> Option<&'a str> {
        self.text.strip_prefix("git_sha: ").map(str::trim_end)
    }
}
