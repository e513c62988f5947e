// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Reads numbers and ranges from unchecked bytes.

/// Returns the word at offset `at`.
pub(crate) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*word))
}

/// Returns the bytes from offset `start` to before `end`.
pub(crate) fn range(bytes: &[u8], start: u32, end: u32) -> Option<&[u8]> {
    bytes.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
}

/// Returns the `size` bytes from offset `start`.
pub(crate) fn sized(bytes: &[u8], start: u32, size: u32) -> Option<&[u8]> {
    range(bytes, start, start.checked_add(size)?)
}

/// Returns the text up to the first NUL, if it is text.
pub(crate) fn text(bytes: &[u8]) -> Option<&str> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let text = core::str::from_utf8(bytes.get(..end)?).ok()?;
    Some(text).filter(|text| !text.chars().any(char::is_control))
}
