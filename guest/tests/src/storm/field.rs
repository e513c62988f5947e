// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Describes the fields of the calls' arguments, and fills each with a meaningful value or another one.
//!
//! Source: none of its own; `table.rs` names those of the structures.

use fastrand::Rng;
use rustix::time::{ClockId, clock_gettime};

use super::client::{File, Kind};
use super::window::{LONGEST, Window};

/// The kinds of numbers that a file knows objects by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum Pool {
    Gem,
    Name,
    Magic,
    Syncobj,
    Fence,
    Vm,
    /// The mmap offset of a buffer.
    Offset,
}

impl Pool {
    pub(super) const COUNT: usize = Self::Offset as usize + 1;
}

/// A field of a structure.
#[derive(Debug)]
pub(super) enum Field {
    /// 32 bits that should be zero.
    Pad,
    /// A 32-bit number from this list.
    Word(&'static [u32]),
    /// Like `Word`, but never a wrong value: a wrong one could be taken for a size as large as all memory.
    Only(&'static [u32]),
    /// Any combination of these bits.
    Bits(u32),
    /// A 64-bit number from this list.
    Long(&'static [u64]),
    /// Like `Long`, but never a wrong value.
    OnlyLong(&'static [u64]),
    /// A number of a pool, in 32 bits.
    Id(Pool),
    /// Like `Id`, but a successful call removes the object.
    Gone(Pool),
    /// 32 bits in which the kernel returns a new number of a pool.
    New(Pool),
    /// Like `New`, in 64 bits.
    NewLong(Pool),
    /// The number of an open file of a kind.
    Descriptor(Kind),
    /// 32 bits in which the kernel returns the number of a new open file.
    NewFile,
    /// The number of elements in the arrays, in 32 bits.
    Count,
    /// The address of `Count` elements.
    Array(&'static [Field]),
    /// The size, number and address of elements, as in panthor's structures.
    Objects(&'static [Field]),
    /// The length of a text or of a buffer for one, in 64 bits.
    Length,
    /// The address of a buffer with a text in it.
    Room,
    /// A time of the monotonic clock in the near future.
    Deadline,
}

impl Field {
    /// Returns the field's size in bytes.
    pub(super) const fn size(&self) -> usize {
        match self {
            Self::Pad | Self::Word(_) | Self::Only(_) | Self::Bits(_) | Self::Count => 4,
            Self::Id(_) | Self::Gone(_) | Self::New(_) | Self::Descriptor(_) | Self::NewFile => 4,
            Self::Long(_) | Self::OnlyLong(_) | Self::NewLong(_) => 8,
            Self::Array(_) | Self::Length | Self::Room | Self::Deadline => 8,
            Self::Objects(_) => 16,
        }
    }

    /// Returns the pools that need a known number for right values.
    pub(super) fn needs(fields: &[Self]) -> Vec<Pool> {
        let of_one = |field: &Self| match field {
            Self::Id(pool) | Self::Gone(pool) => vec![*pool],
            Self::Array(fields) | Self::Objects(fields) => Self::needs(fields),
            _ => Vec::new(),
        };
        fields.iter().flat_map(of_one).collect()
    }

    /// Whether the kernel returns a new number of a pool in one of the fields.
    pub(super) fn makes(fields: &[Self], wanted: Pool) -> bool {
        fields.iter().any(|field| matches!(field, Self::New(pool) | Self::NewLong(pool) if *pool == wanted))
    }
}

/// 32-bit numbers that often uncover errors.
const WORDS: [u32; 10] = [0, 1, 2, 31, 32, 255, 4096, i32::MAX as u32, 1 << 31, u32::MAX];
/// 64-bit numbers that often uncover errors.
const LONGS: [u64; 10] = [0, 1, 4095, 4096, 1 << 31, u32::MAX as u64, 1 << 32, 1 << 63, u64::MAX - 4095, u64::MAX];

/// Wrong numbers of elements. `drm_syncobj_array_find()` warns about numbers for which there cannot be memory (Linux
/// 7.3).
const COUNTS: [u32; 5] = [0, 31, 32, 255, 1 << 16];

/// A filled structure.
#[derive(Debug, Default)]
pub(super) struct Filled {
    pub(super) bytes: Vec<u8>,
    /// The places where the kernel will return new numbers, with their fields.
    pub(super) made: Vec<(usize, &'static Field)>,
    /// Numbers that are invalid after a success.
    pub(super) gone: Vec<(Pool, u64)>,
}

/// Fills the fields of one call.
pub(super) struct Filler<'c> {
    pub(super) random: &'c mut Rng,
    pub(super) window: &'c mut Window,
    pub(super) files: &'c [File],
    /// The file that the call is made on.
    pub(super) of: &'c File,
    /// Whether some values are wrong.
    pub(super) strange: bool,
    /// The number of elements of the arrays.
    pub(super) count: usize,
}

impl Filler<'_> {
    /// Fills a whole structure.
    pub(super) fn fill(&mut self, fields: &'static [Field]) -> Filled {
        let mut filled = Filled::default();
        fields.iter().for_each(|field| self.add(field, &mut filled));
        filled
    }

    fn add(&mut self, field: &'static Field, to: &mut Filled) {
        let at = to.bytes.len();
        match field {
            Field::Array(elements) => to.bytes.extend(self.array(elements).to_ne_bytes()),
            Field::Objects(elements) => {
                let size: usize = elements.iter().map(Field::size).sum();
                let (stride, address) = (self.word_or(size as u32), self.array(elements));
                let count = self.word_or(self.count as u32);
                to.bytes.extend([stride, count].map(u32::to_ne_bytes).concat());
                to.bytes.extend(address.to_ne_bytes());
            }
            Field::Length => to.bytes.extend(self.length().to_ne_bytes()),
            Field::Room => to.bytes.extend(self.room().to_ne_bytes()),
            Field::Deadline => to.bytes.extend(self.deadline().to_ne_bytes()),
            Field::Long(values) => {
                let value = *self.pick(values);
                to.bytes.extend(self.long_or(value).to_ne_bytes());
            }
            Field::OnlyLong(values) => to.bytes.extend(self.pick(values).to_ne_bytes()),
            Field::NewLong(_) => to.bytes.extend([0; 8]),
            Field::Only(values) => to.bytes.extend(self.pick(values).to_ne_bytes()),
            Field::Count if self.errs() => to.bytes.extend(self.pick(&COUNTS).to_ne_bytes()),
            Field::Count => to.bytes.extend((self.count as u32).to_ne_bytes()),
            other => {
                let value = self.small(other);
                let value = self.word_or(value);
                to.bytes.extend(value.to_ne_bytes());
                if let Field::Gone(pool) = other {
                    to.gone.push((*pool, value.into()));
                }
            }
        }
        if matches!(field, Field::New(_) | Field::NewLong(_) | Field::NewFile) {
            to.made.push((at, field));
        }
    }

    /// Returns a right value of a 32-bit field.
    fn small(&mut self, field: &Field) -> u32 {
        match field {
            Field::Word(values) => *self.pick(values),
            Field::Bits(mask) => self.random.u32(..) & mask,
            Field::Id(pool) | Field::Gone(pool) => self.id(*pool),
            Field::Descriptor(kind) => self.descriptor(*kind),
            _ => 0,
        }
    }

    fn id(&mut self, pool: Pool) -> u32 {
        match &self.of.ids[pool as usize][..] {
            // Other files' numbers count from one as well.
            [] => self.random.u32(1..8),
            known => known[self.random.usize(..known.len())] as u32,
        }
    }

    fn descriptor(&mut self, kind: Kind) -> u32 {
        let fitting: Vec<_> = self.files.iter().filter(|file| file.kind == kind).collect();
        let chosen = match fitting.is_empty() {
            true => self.files,
            false => return fitting[self.random.usize(..fitting.len())].number() as u32,
        };
        chosen.get(self.random.usize(..chosen.len().max(1))).map_or(u32::MAX, |file| file.number() as u32)
    }

    fn pick<'v, T>(&mut self, values: &'v [T]) -> &'v T {
        &values[self.random.usize(..values.len())]
    }

    /// Decides whether this value is wrong.
    fn errs(&mut self) -> bool {
        self.strange && self.random.u8(..4) == 0
    }

    fn word_or(&mut self, right: u32) -> u32 {
        match self.errs() {
            true if self.random.bool() => self.random.u32(..),
            true => *self.pick(&WORDS),
            false => right,
        }
    }

    fn long_or(&mut self, right: u64) -> u64 {
        match self.errs() {
            true => *self.pick(&LONGS),
            false => right,
        }
    }

    fn array(&mut self, elements: &'static [Field]) -> u64 {
        let bytes: Vec<u8> = (0..self.count).flat_map(|_| self.fill(elements).bytes).collect();
        let address = self.window.put(&bytes);
        self.address_or(address)
    }

    /// Returns the address, another one that may be used, or one that may not.
    fn address_or(&mut self, right: usize) -> u64 {
        if !self.errs() {
            return right as u64;
        }
        let slots: Vec<_> = self.window.full().collect();
        match self.random.bool() && !slots.is_empty() {
            true => {
                let (slot, offset) = (*self.pick(&slots), self.random.usize(..8) * 8);
                self.window.address(slot, offset) as u64
            }
            false => *self.pick(&self.window.bad_addresses()) as u64,
        }
    }

    fn length(&mut self) -> u64 {
        let length = self.random.u64(..ROOM as u64);
        self.long_or(length)
    }

    fn room(&mut self) -> u64 {
        let length = self.random.usize(..ROOM);
        let mut text = [0; ROOM];
        text[..length].fill(b'a');
        let address = self.window.put(&text);
        self.address_or(address)
    }

    fn deadline(&mut self) -> u64 {
        let now = clock_gettime(ClockId::Monotonic);
        let soon = now.tv_sec * 1_000_000_000 + now.tv_nsec + self.random.i64(-1_000_000..20_000_000);
        self.long_or(soon as u64)
    }
}

/// The length of a buffer for a text.
const ROOM: usize = 256;
// A write to a buffer in a mapping of the device ends in the gap behind the mapping.
const _: () = assert!(LONGEST > ROOM);

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(seed: u64, strange: bool, fields: &'static [Field]) -> Filled {
        let (mut random, mut window) = (Rng::with_seed(seed), Window::new().unwrap());
        let of = File::of(sys::memory_file(1).unwrap(), None);
        Filler { random: &mut random, window: &mut window, files: &[], of: &of, strange, count: 2 }.fill(fields)
    }

    const FIELDS: &[Field] = &[Field::Word(&[7]), Field::New(Pool::Gem), Field::Gone(Pool::Vm), Field::Only(&[9])];

    #[test]
    fn right_values_are_those_of_the_fields() {
        let made = filled(1, false, FIELDS);
        assert_eq!((&made.bytes[..8], &made.bytes[12..]), (&[7, 0, 0, 0, 0, 0, 0, 0][..], &[9, 0, 0, 0][..]));
        assert_eq!((made.made.len(), made.made[0].0, made.gone.len()), (1, 4, 1));
    }

    #[test]
    fn a_seed_gives_the_same_again_and_some_of_it_is_wrong() {
        let words = |seed| filled(seed, true, FIELDS).bytes[..4].to_vec();
        assert!((0..20).all(|seed| words(seed) == words(seed)));
        assert!((0..200).any(|seed| words(seed) != [7, 0, 0, 0]));
        assert!((0..200).all(|seed| filled(seed, true, FIELDS).bytes[12..] == [9, 0, 0, 0]));
    }

    #[test]
    fn objects_say_how_many_and_how_large() {
        let made = filled(3, false, &[Field::Objects(FIELDS)]);
        assert_eq!(made.bytes[..8], [16, 0, 0, 0, 2, 0, 0, 0]);
    }
}
