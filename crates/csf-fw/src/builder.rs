// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Builds containers, for tests and for places without the published firmware.

use std::vec::Vec;

use crate::entry::{OPTIONAL, kind};
use crate::firmware::HEADER;
use crate::section::Flags;
use crate::{MAGIC, PAGE_SIZE, SHARED_START};

/// A container under construction.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    /// For each entry its words, and the place among them where the offset of its data is missing.
    entries: Vec<(Vec<u8>, Option<Data>)>,
    version_hash: u32,
}

/// The data of an entry, and the form of the reference to it.
#[derive(Clone, Debug)]
struct Data {
    bytes: Vec<u8>,
    /// Offset in the entry of the reference's two words.
    at: usize,
    /// Whether the second word is the data's size; otherwise it is its end.
    sized: bool,
}

impl Builder {
    /// Creates a container without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the number that identifies the firmware's version.
    pub fn version_hash(mut self, hash: u32) -> Self {
        self.version_hash = hash;
        self
    }

    /// Adds a section of `size` bytes, at `start` of the microcontroller's addresses, that begins with `data`.
    pub fn section(self, flags: u32, start: u32, size: u32, data: &[u8]) -> Self {
        let words = [flags, start, start.saturating_add(size), 0, 0];
        self.with(kind::SECTION.into(), &words, b"", Some(Data { bytes: data.to_vec(), at: 16, sized: false }))
    }

    /// Adds a setting.
    pub fn config(self, address: u32, min: u32, max: u32, name: &str) -> Self {
        self.with(u32::from(kind::CONFIG) | OPTIONAL, &[address, min, max], name.as_bytes(), None)
    }

    /// Adds a trace buffer whose five words are at `address` and behind.
    pub fn trace_buffer(self, buffer: u32, address: u32, enable_count: u32, name: &str) -> Self {
        let at = |word: u32| address.saturating_add(word * 4);
        let words = [buffer, at(0), at(1), at(2), at(3), at(4), enable_count];
        self.with(u32::from(kind::TRACE_BUFFER) | OPTIONAL, &words, name.as_bytes(), None)
    }

    /// Adds a description of a timeline.
    pub fn timeline(self, data: &[u8], name: &str) -> Self {
        let data = Data { bytes: data.to_vec(), at: 4, sized: true };
        self.with(u32::from(kind::TIMELINE) | OPTIONAL, &[0, 0], name.as_bytes(), Some(data))
    }

    /// Adds the commit that the firmware was built from.
    pub fn git_sha(self, sha: &str) -> Self {
        let bytes = [b"git_sha: ", sha.as_bytes(), b"\0"].concat();
        let data = Data { bytes, at: 4, sized: true };
        self.with(u32::from(kind::BUILD_INFO) | OPTIONAL, &[0, 0], b"", Some(data))
    }

    /// Adds an entry of any kind. `header` is its first word without the size.
    pub fn raw(self, header: u32, words: &[u32]) -> Self {
        self.with(header, words, b"", None)
    }

    /// # Panics
    ///
    /// If the entry has more than the 252 bytes that fit its size.
    fn with(mut self, header: u32, words: &[u32], name: &[u8], data: Option<Data>) -> Self {
        let mut entry = header.to_le_bytes().to_vec();
        entry.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        if !name.is_empty() {
            entry.extend(name);
            entry.push(0);
            entry.resize(entry.len().next_multiple_of(4), 0);
        }
        entry[1] = u8::try_from(entry.len()).expect("an entry has at most 252 bytes");
        self.entries.push((entry, data));
        self
    }

    /// Returns the file.
    pub fn build(mut self) -> Vec<u8> {
        let list: usize = self.entries.iter().map(|(entry, _)| entry.len()).sum();
        let size = HEADER + list;
        let mut data = Vec::new();
        for (entry, wanted) in &mut self.entries {
            let Some(wanted) = wanted else { continue };
            let start = size + data.len();
            let second = if wanted.sized { wanted.bytes.len() } else { start + wanted.bytes.len() };
            let words = [start as u32, second as u32].map(u32::to_le_bytes);
            entry[wanted.at..wanted.at + 8].copy_from_slice(words.as_flattened());
            data.extend(&wanted.bytes);
            data.resize(data.len().next_multiple_of(4), 0);
        }
        let header = [MAGIC, 3, self.version_hash, 0, size as u32];
        let mut file: Vec<u8> = header.iter().flat_map(|word| word.to_le_bytes()).collect();
        file.extend(self.entries.iter().flat_map(|(entry, _)| entry));
        file.extend(data);
        file
    }
}

/// Returns a container with the layout of the published firmware: vectors, code, data and the shared section, whose
/// data is `shared`. Its vectors lead into its code, but nothing in it can run. Its bytes differ from page to page, so
/// that a misplaced section is noticed.
pub fn sample(shared: &[u8]) -> Vec<u8> {
    const RO: u32 = Flags::READ | 1 << 3;
    let bytes = |seed: u32, count: u32| -> Vec<u8> {
        (0..count).map(|at| (seed.wrapping_add(at / 4).wrapping_mul(0x9e37_79b1) >> (at % 4 * 8)) as u8).collect()
    };
    // These are the stack and the entry point.
    let vectors = [0x200_8000u32.to_le_bytes().to_vec(), 0x80_0041u32.to_le_bytes().to_vec(), bytes(1, 116)].concat();
    Builder::new()
        .version_hash(0x0105_0000)
        .section(RO, 0, PAGE_SIZE, &vectors)
        .section(RO | Flags::EXECUTE, 0x80_0000, 16 * PAGE_SIZE, &bytes(2, 15 * PAGE_SIZE + 36))
        .section(RO | Flags::WRITE | Flags::ZERO, 0x200_0000, 8 * PAGE_SIZE, &bytes(3, 2 * PAGE_SIZE + 8))
        .section(RO | Flags::WRITE | Flags::PROTECTED, 0x300_0000, 8 * PAGE_SIZE, &[])
        .section(
            Flags::READ | Flags::WRITE | Flags::CACHE_MODE | Flags::SHARED | Flags::ZERO,
            SHARED_START,
            12 * PAGE_SIZE,
            shared,
        )
        .config(0x200_0004, 0, 3, "Log verbosity")
        .trace_buffer(1, 0x200_0010, 4, "fwlog")
        .git_sha("0000000000000000000000000000000000000000")
        .build()
}
