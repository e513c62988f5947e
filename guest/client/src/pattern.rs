// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A pattern that is written to a buffer and recognised elsewhere.
//!
//! Source: none.

/// Fills a buffer. Each byte depends on its place, so that swapped pages are noticed.
pub(crate) fn fill(bytes: &mut [u8]) {
    bytes.iter_mut().enumerate().for_each(|(at, byte)| *byte = at_place(at));
}

/// Returns the first place where the bytes differ from what `fill` wrote.
pub(crate) fn first_difference(bytes: &[u8]) -> Option<usize> {
    // The bytes may have been changed by another program, so they must be read again.
    let bytes = std::hint::black_box(bytes);
    bytes.iter().enumerate().position(|(at, byte)| *byte != at_place(at))
}

fn at_place(at: usize) -> u8 {
    // 251 is prime: the pattern does not repeat with the pages.
    (at % 251) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_filled_is_recognised() {
        let mut bytes = vec![0; 3 * 4096];
        fill(&mut bytes);
        assert_eq!(first_difference(&bytes), None);
        bytes[5000] ^= 1;
        assert_eq!(first_difference(&bytes), Some(5000));
    }

    #[test]
    fn pages_in_the_wrong_order_are_seen() {
        let mut bytes = vec![0; 2 * 4096];
        fill(&mut bytes);
        bytes.rotate_left(4096);
        assert!(first_difference(&bytes).is_some());
    }
}
