// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Takes numbers and choices from bytes. Zeros follow the end, so that any prefix of an input is an input.

/// Bytes that were not used yet.
pub(crate) struct Bytes<'b>(&'b [u8]);

impl<'b> Bytes<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes some of the bytes, or the rest of them.
    pub(crate) fn take(&mut self, count: usize) -> &'b [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// Takes all remaining bytes.
    pub(crate) fn rest(&mut self) -> &'b [u8] {
        self.take(usize::MAX)
    }

    fn number<const N: usize>(&mut self) -> [u8; N] {
        let mut number = [0; N];
        let taken = self.take(N);
        number[..taken.len()].copy_from_slice(taken);
        number
    }

    pub(crate) fn u8(&mut self) -> u8 {
        u8::from_le_bytes(self.number())
    }

    pub(crate) fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.number())
    }

    pub(crate) fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.number())
    }

    pub(crate) fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.number())
    }

    pub(crate) fn bool(&mut self) -> bool {
        self.u8() & 1 != 0
    }

    /// Returns one of `things`.
    pub(crate) fn one_of<T: Copy>(&mut self, things: &[T]) -> T {
        let at = if things.len() > 1 << 8 { self.u16().into() } else { usize::from(self.u8()) };
        things[at % things.len()]
    }

    /// Collects what `take` makes of the bytes, until they end or there are `most`.
    pub(crate) fn all<T>(&mut self, most: usize, mut take: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let mut all = Vec::new();
        while !self.is_empty() && all.len() < most {
            all.push(take(self));
        }
        all
    }
}
