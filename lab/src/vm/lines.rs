// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The output of a program in the guest, line by line.

/// Cuts a stream of bytes into lines.
#[derive(Default)]
pub(crate) struct Lines(Vec<u8>);

impl Lines {
    /// Adds bytes, and hands over each line that they complete.
    pub(crate) fn take(&mut self, bytes: &[u8], each: &mut impl FnMut(&str)) {
        self.0.extend_from_slice(bytes);
        while let Some(end) = self.0.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.0.drain(..=end).collect();
            each(String::from_utf8_lossy(&line).trim_end());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_however_they_are_cut() {
        let (mut lines, mut seen) = (Lines::default(), Vec::new());
        for piece in ["ok a", "\nok b\nFA", "IL c: x\n"] {
            lines.take(piece.as_bytes(), &mut |line| seen.push(line.to_owned()));
        }
        assert_eq!(seen, ["ok a", "ok b", "FAIL c: x"]);
    }
}
