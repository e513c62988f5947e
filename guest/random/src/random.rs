// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Makes and changes random programs as a reader of the uapi would: mostly sensible, often at a border, sometimes wrong
//! on purpose.
//!
//! Source: none.

use fastrand::Rng;

use crate::device::Driver;
use crate::program::{Address, Call, Program, Value};
use crate::spec::{self, Class, Does, Field, Kind, Spec};

/// The largest number of calls in a program.
pub(crate) const LONGEST: usize = 32;

/// The largest number of rows that a field points to.
const MOST_ROWS: usize = 4;

/// Sizes from here ...
const TOO_LARGE: u64 = 4 << 20;
/// ... to here are not tried: they might be allocated, and leave no memory for anything else.
const OVERFLOWING: u64 = 1 << 62;

/// Makes random programs for one driver.
pub(crate) struct Source {
    specs: Vec<&'static Spec>,
    weights: u32,
}

impl Source {
    pub(crate) fn new(driver: Driver) -> Self {
        let specs = spec::of(driver);
        let weights = specs.iter().map(|spec| spec.weight).sum();
        Self { specs, weights }
    }

    /// Returns a new program: an open file and some calls, with the calls that they need before them.
    pub(crate) fn program(&self, random: &mut Rng) -> Program {
        let mut program = Program { calls: Vec::new() };
        for _ in 0..random.usize(2..10) {
            self.insert(&mut program, random);
        }
        program
    }

    /// Changes a program in one to four ways; it may be continued with a part of `other`.
    pub(crate) fn change(&self, program: &mut Program, other: Option<&Program>, random: &mut Rng) {
        for _ in 0..1 + random.u32(0..4) {
            self.change_once(program, other, random);
        }
        program.calls.truncate(LONGEST);
    }

    fn change_once(&self, program: &mut Program, other: Option<&Program>, random: &mut Rng) {
        let len = program.calls.len();
        if len == 0 {
            return self.insert(program, random);
        }
        match random.u32(0..100) {
            0..35 => self.insert(program, random),
            35..45 => drop(program.calls.remove(random.usize(0..len))),
            45..50 => {
                let again = program.calls[random.usize(0..len)].clone();
                program.calls.insert(random.usize(0..=len), again);
            }
            50..55 => program.calls.swap(random.usize(0..len), random.usize(0..len)),
            55..65 => splice(program, other, random),
            65..69 => wrong(&mut program.calls[random.usize(0..len)], random),
            _ => {
                let call = &mut program.calls[random.usize(0..len)];
                change_row(call.spec().fields, &mut call.values, random);
            }
        }
    }

    /// Inserts a call at a random place, and often a call before it that makes what it needs.
    fn insert(&self, program: &mut Program, random: &mut Rng) {
        let at = random.usize(0..=program.calls.len());
        self.insert_at(program, at, self.any(random), 4, random);
    }

    fn insert_at(&self, program: &mut Program, mut at: usize, spec: &'static Spec, depth: u32, random: &mut Rng) {
        for class in spec.takes() {
            let gives = |call: &Call| call.spec().gives().any(|given| given == class);
            if depth > 0 && !program.calls[..at].iter().any(gives) && random.u32(0..8) > 0 {
                let before = program.calls.len();
                self.insert_at(program, at, self.giver(class, random), depth - 1, random);
                at += program.calls.len() - before;
            }
        }
        program.calls.insert(at, Call::new(spec, row(spec.fields, random)));
    }

    fn any(&self, random: &mut Rng) -> &'static Spec {
        let mut left = random.u32(0..self.weights);
        let found = self.specs.iter().find(|spec| match left.checked_sub(spec.weight) {
            Some(less) => {
                left = less;
                false
            }
            None => true,
        });
        found.expect("the number is less than all weights together")
    }

    fn giver(&self, class: Class, random: &mut Rng) -> &'static Spec {
        let givers: Vec<_> = self.specs.iter().filter(|spec| spec.gives().any(|given| given == class)).collect();
        random.choice(givers).expect("each class is given by some call")
    }
}

/// Continues with the end of another program.
fn splice(program: &mut Program, other: Option<&Program>, random: &mut Rng) {
    let Some(other) = other.filter(|other| !other.calls.is_empty()) else { return };
    program.calls.truncate(random.usize(1..=program.calls.len()));
    program.calls.extend_from_slice(&other.calls[random.usize(0..other.calls.len())..]);
}

/// Changes the place or the size of an ioctl's structure.
fn wrong(call: &mut Call, random: &mut Rng) {
    if !matches!(call.spec().does, Does::Ioctl { .. }) {
        return;
    }
    let size = spec::size_of(call.spec().fields) as u64;
    match random.u32(0..4) {
        0 => call.at = random.choice(Address::BAD).expect("there are some"),
        1 => call.at = Address::Good,
        2 => call.size = None,
        _ => call.size = Some((size + random.u64(0..24)).saturating_sub(12) as u16),
    }
}

/// Returns a value for each field.
fn row(fields: &[Field], random: &mut Rng) -> Vec<Value> {
    fields.iter().map(|field| value(field.kind, random)).collect()
}

fn value(kind: Kind, random: &mut Rng) -> Value {
    match kind {
        Kind::Number(size, worth) => Value::Number(number(size, worth, random)),
        Kind::Size(size, worth) => Value::Number(sensible(number(size, worth, random), size, random)),
        Kind::Flags(size, bits) => Value::Number(flags(size, bits, random)),
        Kind::Takes(size, _) => match random.u32(0..16) {
            0 => Value::Number(number(size, &[0, 1, u64::MAX], random)),
            1..4 => Value::Ago(random.u8(1..8)),
            _ => Value::Ago(0),
        },
        Kind::Zeros(_) => Value::Number(0),
        Kind::Gives(..) => Value::Auto,
        Kind::Stride => rarely_wrong(u32::MAX, random),
        Kind::Count(most) => rarely_wrong(most, random),
        Kind::Rows(fields) => {
            let count = [0, 1, 1, 1, 2, 2, 3, MOST_ROWS][random.usize(0..8)];
            Value::Rows(address(random), (0..count).map(|_| row(fields, random)).collect())
        }
        Kind::Room(size) => {
            let full = u16::try_from(size).unwrap_or(u16::MAX);
            let size = if random.bool() { full } else { random.u16(0..=full) };
            Value::Room(address(random), size, [0, b'a', 0xff][random.usize(0..3)])
        }
    }
}

/// Returns the fitting value, or a number that is not above `most`.
fn rarely_wrong(most: u32, random: &mut Rng) -> Value {
    match random.u32(0..24) {
        0 => Value::Number(number(4, &[0, 1, 2, 8, 16, 24, 48, 64, 0xffff_ffff], random).min(most.into())),
        _ => Value::Auto,
    }
}

fn address(random: &mut Rng) -> Address {
    match random.u32(0..24) {
        0 => random.choice(Address::BAD).expect("there are some"),
        _ => Address::Good,
    }
}

fn number(size: usize, worth: &[u64], random: &mut Rng) -> u64 {
    let any = match random.u32(0..16) {
        0 => random.u64(..),
        1 => random.u64(0..16),
        2 => (1_u64 << random.u32(0..64)).wrapping_add(random.u64(0..3)).wrapping_sub(1),
        3 => 0,
        _ => random.choice(worth).copied().unwrap_or(0),
    };
    cut(any, size)
}

fn flags(size: usize, bits: &[u64], random: &mut Rng) -> u64 {
    if random.u32(0..24) == 0 {
        return number(size, bits, random);
    }
    bits.iter().filter(|_| random.u32(0..3) == 0).sum()
}

/// Truncates a number to `size` bytes.
fn cut(number: u64, size: usize) -> u64 {
    if size >= 8 { number } else { number & ((1 << (8 * size)) - 1) }
}

/// Returns a size that the guest can handle.
fn sensible(number: u64, size: usize, random: &mut Rng) -> u64 {
    let most = cut(u64::MAX, size);
    match number {
        _ if number == most => number,
        // This is a side of a picture, which is a factor of its size.
        _ if size < 8 && number > 1024 => random.u64(0..=1024),
        TOO_LARGE.. if number < OVERFLOWING => random.u64(0..=TOO_LARGE),
        _ => number,
    }
}

/// Changes one value of a row.
fn change_row(fields: &[Field], values: &mut [Value], random: &mut Rng) {
    if fields.is_empty() {
        return;
    }
    let at = random.usize(0..fields.len());
    let kind = fields[at].kind;
    match (kind, &mut values[at]) {
        (Kind::Rows(fields), Value::Rows(at, rows)) => change_rows(fields, at, rows, random),
        (Kind::Number(size, _) | Kind::Size(size, _) | Kind::Takes(size, _), Value::Number(number))
            if random.bool() =>
        {
            let nudged = match random.u32(0..4) {
                0 => number.wrapping_add(1),
                1 => number.wrapping_sub(1),
                2 => *number ^ 1 << random.u32(0..8 * size as u32),
                _ => number.wrapping_add(4096),
            };
            let nudged = cut(nudged, size);
            *number = if matches!(kind, Kind::Size(..)) { sensible(nudged, size, random) } else { nudged };
        }
        (Kind::Flags(_, bits), Value::Number(number)) if random.bool() => {
            *number ^= random.choice(bits).copied().unwrap_or(1);
        }
        (kind, other) => *other = value(kind, random),
    }
}

fn change_rows(fields: &'static [Field], at: &mut Address, rows: &mut Vec<Vec<Value>>, random: &mut Rng) {
    let len = rows.len();
    match random.u32(0..16) {
        0 => *at = random.choice(Address::BAD).expect("there are some"),
        1 => *at = Address::Good,
        2..5 if len < MOST_ROWS => rows.insert(random.usize(0..=len), row(fields, random)),
        5 | 6 if len > 0 => drop(rows.remove(random.usize(0..len))),
        7 if len > 0 && len < MOST_ROWS => rows.push(rows[random.usize(0..len)].clone()),
        _ if len > 0 => change_row(fields, &mut rows[random.usize(0..len)], random),
        _ => rows.push(row(fields, random)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::row_fits;

    fn fits(program: &Program) -> bool {
        program.calls.iter().all(|call| row_fits(&call.values, call.spec().fields))
    }

    #[test]
    fn what_is_changed_stays_a_program() {
        for driver in Driver::ALL {
            let (source, mut random) = (Source::new(driver), Rng::with_seed(1));
            let mut program = source.program(&mut random);
            for _ in 0..2000 {
                let other = source.program(&mut random);
                source.change(&mut program, Some(&other), &mut random);
                assert!(program.calls.len() <= LONGEST && fits(&program));
            }
        }
    }

    #[test]
    fn a_seed_makes_one_program() {
        let source = Source::new(Driver::Tyr);
        let make = || source.program(&mut Rng::with_seed(3));
        assert_eq!(make(), make());
    }

    #[test]
    fn every_call_comes() {
        for driver in Driver::ALL {
            let (source, mut random) = (Source::new(driver), Rng::with_seed(2));
            let programs: Vec<_> = (0..4000).map(|_| source.program(&mut random)).collect();
            let calls = || programs.iter().flat_map(|program| &program.calls);
            for spec in spec::of(driver) {
                assert!(calls().any(|call| call.spec().name == spec.name), "{driver:?}: {}", spec.name);
            }
        }
    }

    #[test]
    fn no_array_says_more_than_it_may() {
        let mut random = Rng::with_seed(5);
        let numbers = (0..10_000).filter_map(|_| match value(Kind::Count(1000), &mut random) {
            Value::Number(number) => Some(number),
            _ => None,
        });
        assert_eq!(numbers.max(), Some(1000));
    }

    #[test]
    fn no_buffer_is_of_a_size_that_leaves_no_memory() {
        let mut random = Rng::with_seed(4);
        for _ in 0..10_000 {
            let Value::Number(size) = value(Kind::Size(8, &[4096, 1 << 30, u64::MAX]), &mut random) else {
                panic!("a size is a number")
            };
            assert!(!(TOO_LARGE + 1..OVERFLOWING).contains(&size), "{size:#x}");
            let Value::Number(side) = value(Kind::Size(4, &[64, 5000]), &mut random) else { panic!() };
            assert!(side <= 1024 || side == 0xffff_ffff, "{side}");
        }
    }
}
