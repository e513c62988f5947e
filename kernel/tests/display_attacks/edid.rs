// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Random EDIDs, with sums that are right, so that C looks at what is in them.

use drm::kms::Modes;
use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

/// The seed of the next EDID, or 0.
pub(crate) static SEED: Atomic<u64> = Atomic::new(0);

const BLOCK: usize = 128;
/// The kinds of extension that C knows, and one that nobody does.
const EXTENSIONS: [u8; 5] = [0x02, 0x70, 0x10, 0xf0, 0x99];

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn byte(&mut self) -> u8 {
        (self.next() >> 24) as u8
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 16) as usize % limit
    }
}

/// Adds the modes of two random EDIDs. Most of them are refused.
pub(crate) fn add_random(modes: &mut Modes<'_>) -> Result {
    let seed = SEED.load(Relaxed);
    if seed == 0 {
        return Ok(());
    }
    let mut random = Random(seed);
    let mut bytes = KVec::from_elem(0u8, 4 * BLOCK, GFP_KERNEL)?;
    for _ in 0..2 {
        fill(&mut random, &mut bytes);
        // The EDID may end in the middle of a block, and before the extensions that it announces.
        let end = match random.below(4) {
            0 => random.below(bytes.len() + 1),
            _ => bytes.len(),
        };
        let _ = modes.edid(&bytes[..end]);
    }
    SEED.store(random.next() | 1, Relaxed);
    Ok(())
}

fn fill(random: &mut Random, bytes: &mut [u8]) {
    for (number, block) in bytes.chunks_exact_mut(BLOCK).enumerate() {
        block.iter_mut().for_each(|byte| *byte = random.byte());
        if number == 0 {
            block[..8].copy_from_slice(&[0, 255, 255, 255, 255, 255, 255, 0]);
            block[18] = 1;
            block[19] = 3 + (random.byte() & 1);
            block[126] = [0, 1, 3, 255][random.below(4)];
        } else {
            block[0] = EXTENSIONS[random.below(EXTENSIONS.len())];
            if block[0] == 0x70 {
                displayid(random, block);
            } else if block[0] == 0x02 {
                block[1] = 3;
                block[2] = [0, 4, 5, 127, random.byte()][random.below(5)];
            }
        }
        let sum = block[..BLOCK - 1]
            .iter()
            .fold(0u8, |sum, byte| sum.wrapping_add(*byte));
        block[BLOCK - 1] = sum.wrapping_neg();
    }
}

/// Makes a section of DisplayID with blocks that C knows, of any length.
fn displayid(random: &mut Random, block: &mut [u8]) {
    block[1] = [0x12, 0x13, 0x20][random.below(3)];
    block[2] = 121;
    block[3] = random.byte() % 9;
    block[4] = 0;
    let mut at = 5;
    while at + 3 < 126 {
        block[at] = [0x03, 0x12, 0x22, 0x28, 0x2b, 0x81, 0x34, 0x11][random.below(8)];
        block[at + 2] = [0, 1, 11, 20, 40, random.byte()][random.below(6)];
        at += 3 + usize::from(block[at + 2]);
    }
    let sum = block[1..126]
        .iter()
        .fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    block[126] = sum.wrapping_neg();
}
