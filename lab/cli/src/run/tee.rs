// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A writer that passes bytes on and keeps the last ones.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

/// The number of bytes that are kept of an output. A file with verdicts must not grow with what a client writes.
const MOST: usize = 64 << 10;

/// The last bytes of an output. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept(Arc<Mutex<VecDeque<u8>>>);

impl Kept {
    /// Returns them as text.
    pub(super) fn text(&self) -> String {
        let bytes: Vec<u8> = self.0.lock().expect("no holder of the lock panics").iter().copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn push(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().expect("no holder of the lock panics");
        kept.extend(&bytes[bytes.len().saturating_sub(MOST)..]);
        let surplus = kept.len().saturating_sub(MOST);
        kept.drain(..surplus);
    }
}

/// A writer that passes bytes on and keeps the last ones.
pub(super) struct Tee<W> {
    to: W,
    kept: Kept,
}

impl<W> Tee<W> {
    pub(super) fn new(to: W, kept: &Kept) -> Self {
        Self { to, kept: kept.clone() }
    }
}

impl<W: Write> Write for Tee<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.to.write(bytes)?;
        self.kept.push(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bytes_are_passed_on_and_the_last_are_kept() {
        let (kept, mut passed) = (Kept::default(), Vec::new());
        let mut tee = Tee::new(&mut passed, &kept);
        tee.write_all(&[b'a'; MOST]).unwrap();
        tee.write_all(b"end").unwrap();
        tee.write_all(&[]).unwrap();
        let text = kept.text();
        assert_eq!((passed.len(), text.len()), (MOST + 3, MOST));
        assert!(text.starts_with("aa") && text.ends_with("aend"));
    }
}
