// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The output of a program in the guest, line by line.
//!
//! Source: none but our own programs in `tests/` and `benches/`, whose lines these are.

use std::io::{ErrorKind, Read, Result};

use crate::foreign::{self, Hearer};

/// No line has more bytes. The longest that a program of ours writes is that of the fuzzer's coverage: all places in the layer
/// and a driver, ten thousand of them in seven bytes each. This is ten times as much, and all that the lab holds of a line to
/// which a guest writes no end.
const LONGEST: usize = 1 << 20;

/// Cuts a stream of bytes into lines. One that is too long comes in pieces, so that nothing behind it is lost.
pub(crate) struct Lines {
    /// What has come of the line that has not ended.
    begun: Vec<u8>,
    /// Bytes of a line, its end among them.
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

    /// Adds bytes, and hands over each line that they complete.
    pub(crate) fn take(&mut self, bytes: &[u8], each: &mut impl FnMut(&str)) {
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

    /// Hands over each line of a stream until that ends; the last one may be without an end of its own.
    pub(crate) fn take_all(mut self, mut stream: impl Read, each: &mut impl FnMut(&str)) -> Result<()> {
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

/// The lines of bytes that come in pieces.
fn cut<'b>(mut lines: Lines, pieces: impl IntoIterator<Item = &'b [u8]>) -> Vec<String> {
    let mut seen = Vec::new();
    pieces.into_iter().for_each(|piece| lines.take(piece, &mut |line| seen.push(line.to_owned())));
    seen
}

impl Hearer for foreign::Cut {
    /// The first byte says how long a line may be, the second how many bytes come at once, which makes no difference.
    fn hear(said: &[u8]) {
        let [longest, at_once, bytes @ ..] = said else { return };
        let [longest, at_once] = [longest, at_once].map(|byte| usize::from(*byte).max(1));
        let lines = cut(Lines::up_to(longest), bytes.chunks(at_once));
        assert_eq!(lines, cut(Lines::up_to(longest), [bytes]), "lines are the same however they come");
        assert!(lines.iter().all(|line| line.chars().count() <= longest), "no line is longer than it may be");
        let mut last = String::new();
        let all = Lines::up_to(longest).take_all(bytes, &mut |line| last.push_str(line));
        all.expect("bytes can be read");
        let dense = |text: &str| text.split_whitespace().collect::<String>();
        // What is no text is replaced, and that may be cut.
        if bytes.is_ascii() {
            assert_eq!(dense(&last), dense(&String::from_utf8_lossy(bytes)), "nothing is lost");
        }
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
