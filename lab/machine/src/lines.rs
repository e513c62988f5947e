// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Splits the output of a program in the guest into lines.
//!
//! Source: our own programs in `guest/`, which print these lines.

use std::io::{ErrorKind, Read, Result};

/// The longest line in bytes, and all that the lab buffers of a line that a guest never ends. The longest line of our
/// programs is the fuzzer's coverage: all places in the layer and a driver, ten thousand of them in seven bytes each.
/// This is more than ten times as much.
const LONGEST: usize = 1 << 20;

/// Splits a stream of bytes into lines. A line that is too long is split into pieces, so nothing after it is lost.
pub struct Lines {
    /// The start of the line that has not ended.
    begun: Vec<u8>,
    /// The longest line in bytes, with its end.
    longest: usize,
}

impl Default for Lines {
    fn default() -> Self {
        Self::up_to(LONGEST)
    }
}

impl Lines {
    fn up_to(longest: usize) -> Self {
        Self { begun: Vec::new(), longest }
    }

    /// Adds bytes and passes on each line that they complete.
    pub fn take(&mut self, bytes: &[u8], each: &mut impl FnMut(&str)) {
        for mut line in bytes.split_inclusive(|&byte| byte == b'\n') {
            while self.begun.len() + line.len() > self.longest {
                let (piece, rest) = line.split_at(self.longest - self.begun.len());
                self.begun.extend_from_slice(piece);
                self.tell(each);
                line = rest;
            }
            self.begun.extend_from_slice(line);
            if self.begun.ends_with(b"\n") {
                self.tell(each);
            }
        }
    }

    /// Passes on each line of a stream until the stream ends. The last line may lack a newline.
    pub fn take_all(mut self, mut stream: impl Read, each: &mut impl FnMut(&str)) -> Result<()> {
        let mut bytes = [0; 4 << 10];
        loop {
            match stream.read(&mut bytes) {
                Ok(0) => break,
                Ok(count) => self.take(&bytes[..count], each),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if !self.begun.is_empty() {
            self.tell(each);
        }
        Ok(())
    }

    fn tell(&mut self, each: &mut impl FnMut(&str)) {
        each(String::from_utf8_lossy(&self.begun).trim_end());
        self.begun.clear();
    }
}

/// Returns the lines of bytes that arrive in pieces.
fn cut<'b>(mut lines: Lines, pieces: impl IntoIterator<Item = &'b [u8]>) -> Vec<String> {
    let mut seen = Vec::new();
    pieces.into_iter().for_each(|piece| lines.take(piece, &mut |line| seen.push(line.to_owned())));
    seen
}

/// Splits any bytes into lines, for fuzzing.
/// The first byte sets the longest line, the second how many bytes arrive at once, which must make no difference.
pub fn parse_any(bytes: &[u8]) {
    let [longest, at_once, bytes @ ..] = bytes else { return };
    let [longest, at_once] = [longest, at_once].map(|byte| usize::from(*byte).max(1));
    let lines = cut(Lines::up_to(longest), bytes.chunks(at_once));
    assert_eq!(lines, cut(Lines::up_to(longest), [bytes]), "lines are the same however they come");
    assert!(lines.iter().all(|line| line.chars().count() <= longest), "no line is longer than it may be");
    let mut last = String::new();
    let all = Lines::up_to(longest).take_all(bytes, &mut |line| last.push_str(line));
    all.expect("bytes can be read");
    let dense = |text: &str| text.split_whitespace().collect::<String>();
    // Invalid UTF-8 is replaced, and a replacement may be split.
    if bytes.is_ascii() {
        assert_eq!(dense(&last), dense(&String::from_utf8_lossy(bytes)), "nothing is lost");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(lines: Lines, pieces: &[&str]) -> Vec<String> {
        super::cut(lines, pieces.iter().map(|piece| piece.as_bytes()))
    }

    #[test]
    fn lines_come_whole_however_they_are_cut() {
        assert_eq!(cut(Lines::default(), &["ok a", "\nok b\nFA", "IL c: x\n"]), ["ok a", "ok b", "FAIL c: x"]);
    }

    #[test]
    fn a_line_without_an_end_comes_in_pieces_and_the_next_is_whole() {
        let pieces = ["12345", "6", "789\nok a\n"];
        assert_eq!(cut(Lines::up_to(6), &pieces), ["123456", "789", "ok a"]);
        assert_eq!(cut(Lines::up_to(6), &[&pieces.concat()]), ["123456", "789", "ok a"]);
        let (mut lines, mut longest) = (Lines::default(), 0);
        for _ in 0..3 * (LONGEST >> 10) {
            lines.take(&[b'x'; 1 << 10], &mut |line| longest = longest.max(line.len()));
            assert!(lines.begun.len() <= LONGEST);
        }
        assert_eq!(longest, LONGEST);
    }

    #[test]
    fn the_last_line_of_a_stream_needs_no_end() {
        let mut seen = Vec::new();
        Lines::default().take_all(&b"[1]\r\n\n[2]"[..], &mut |line| seen.push(line.to_owned())).unwrap();
        assert_eq!(seen, ["[1]", "", "[2]"]);
    }
}
