// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Makes and changes random calls and programs as a reader of the uapi would: mostly sensible, often at a border, sometimes
//! wrong on purpose.
//!
//! Source: none.

use fastrand::Rng;

use crate::program::{Address, Call, Program, Value};
use crate::spec::{self, Class, Does, Driver, Field, Kind, Setting, Spec};

/// The largest number of calls in a program.
pub const LONGEST: usize = 32;

/// The largest number of rows that a field points to.
const MOST_ROWS: usize = 4;

/// The largest number of objects in a commit.
const MOST_SETTINGS: usize = 6;

/// The largest number of bytes that a call says its rows have: the kernel allocates as much.
const LONGEST_ROWS: u32 = 4096;

/// Sizes from the limit to here are not tried: they might be allocated, and leave no memory for anything else.
const OVERFLOWING: u64 = 1 << 62;

/// The largest sizes that are tried.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    bytes: u64,
    /// The side of a picture, which is a factor of its size.
    side: u64,
}

impl Limits {
    /// For a program that has the machine for itself.
    pub const OF_ONE: Self = Self { bytes: 4 << 20, side: 1024 };
    /// For many processes, each of which keeps buffers.
    pub const OF_MANY: Self = Self { bytes: 256 << 10, side: 64 };
}

/// How right the values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// All values are worth trying, and fit each other.
    Right,
    /// Now and then a value is wrong.
    Any,
}

/// Makes random programs for one driver.
pub struct Source {
    specs: Vec<&'static Spec>,
    weights: u32,
}

impl Source {
    /// Takes the calls of a driver.
    pub fn new(driver: Driver) -> Self {
        let specs = spec::of(driver);
        let weights = specs.iter().map(|spec| spec.weight).sum();
        Self { specs, weights }
    }

    /// Returns a new program: an open file and some calls, with the calls that they need before them.
    pub fn program(&self, random: &mut Rng) -> Program {
        let mut program = Program { calls: Vec::new() };
        for _ in 0..random.usize(2..10) {
            self.insert(&mut program, random);
        }
        program
    }

    /// Changes a program in one to four ways; it may be continued with a part of `other`.
    pub fn change(&self, program: &mut Program, other: Option<&Program>, random: &mut Rng) {
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
            65..69 => misplace(&mut program.calls[random.usize(0..len)], random),
            _ => {
                let call = &mut program.calls[random.usize(0..len)];
                Maker::of_one(random).change_row(call.spec().fields, &mut call.values);
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
        program.calls.insert(at, Maker::of_one(random).call(spec));
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
        let gives = |spec: &&&'static Spec| spec.gives().any(|given| given == class);
        // The calls that make objects weigh more than those that list them.
        let weighted = self.specs.iter().filter(gives).flat_map(|spec| (0..spec.weight).map(move |_| *spec));
        random.choice(weighted.collect::<Vec<_>>()).expect("each class is given by some call")
    }
}

/// Continues with the end of another program.
fn splice(program: &mut Program, other: Option<&Program>, random: &mut Rng) {
    let Some(other) = other.filter(|other| !other.calls.is_empty()) else { return };
    program.calls.truncate(random.usize(1..=program.calls.len()));
    program.calls.extend_from_slice(&other.calls[random.usize(0..other.calls.len())..]);
}

/// Changes the place or the size of an ioctl's structure.
fn misplace(call: &mut Call, random: &mut Rng) {
    if !matches!(call.spec().does, Does::Ioctl { .. }) {
        return;
    }
    let size = spec::size_of(call.spec().fields) as u64;
    match random.u32(0..4) {
        0 => call.at = bad(random),
        1 => call.at = Address::Good,
        2 => call.size = None,
        _ => call.size = Some((size + random.u64(0..24)).saturating_sub(12) as u16),
    }
}

fn bad(random: &mut Rng) -> Address {
    random.choice(Address::BAD).expect("there are some")
}

/// Makes the values of calls.
pub struct Maker<'r> {
    /// The source of all choices.
    pub random: &'r mut Rng,
    /// How right the values are.
    pub mood: Mood,
    /// The largest sizes.
    pub limits: Limits,
}

impl<'r> Maker<'r> {
    fn of_one(random: &'r mut Rng) -> Self {
        Self { random, mood: Mood::Any, limits: Limits::OF_ONE }
    }

    /// Returns a call with a value for each field.
    pub fn call(&mut self, spec: &'static Spec) -> Call {
        Call::new(spec, self.row(spec.fields))
    }

    /// Whether something of which one in `odds` is wrong is wrong this time.
    fn errs(&mut self, odds: u32) -> bool {
        self.mood == Mood::Any && self.random.u32(0..odds) == 0
    }

    /// Returns a value for each field. Rows that belong together are as many.
    fn row(&mut self, fields: &[Field]) -> Vec<Value> {
        let count = match self.mood {
            Mood::Right => self.random.usize(1..4),
            Mood::Any => [0, 1, 1, 1, 2, 2, 3, MOST_ROWS][self.random.usize(0..8)],
        };
        fields.iter().map(|field| self.value(field.kind, count)).collect()
    }

    fn value(&mut self, kind: Kind, rows: usize) -> Value {
        match kind {
            Kind::Number(size, worth) => Value::Number(self.number(size, worth)),
            Kind::Size(size, worth) => {
                let number = self.number(size, worth);
                Value::Number(self.sensible(number, size))
            }
            Kind::Flags(size, bits) => Value::Number(self.flags(size, bits)),
            Kind::Takes(size, _) | Kind::Ends(size, _) => self.object(size),
            Kind::May(size, class) => {
                if self.random.u32(0..4) > 0 {
                    Value::Number(cut(class.nothing(), size))
                } else {
                    self.object(size)
                }
            }
            Kind::Zeros(_) => Value::Number(0),
            Kind::Pad(size) => match self.errs(4) {
                true => Value::Number(self.number(size, &[1])),
                false => Value::Number(0),
            },
            Kind::Time(worth) => match self.mood == Mood::Right || self.random.bool() {
                true => Value::Soon(self.random.u8(0..20)),
                false => Value::Number(self.number(8, worth)),
            },
            Kind::Gives(..) => Value::Auto,
            Kind::Stride => self.count(u32::MAX),
            Kind::Count(most) => self.count(most),
            Kind::Length => self.count(LONGEST_ROWS),
            Kind::Property(_) => match self.errs(24) {
                true => Value::Number(self.number(4, &[1])),
                false => Value::Auto,
            },
            Kind::One(fields) => Value::Rows(self.address(), vec![self.row(fields)]),
            Kind::Array(count, _) => Value::Room(self.address(), u16::try_from(4 * count).unwrap_or(u16::MAX), 0),
            Kind::Column(_) => Value::Room(self.address(), 0, 0),
            Kind::Settings(settings) => {
                let rows = 1 + self.random.usize(0..MOST_SETTINGS);
                Value::Settings(self.address(), (0..rows).map(|_| self.setting(settings)).collect())
            }
            Kind::Rows(fields) => {
                let at = self.address();
                // Now and then there are fewer than the count says.
                let rows = if self.errs(8) { self.random.usize(0..=rows) } else { rows };
                Value::Rows(at, (0..rows).map(|_| self.row(fields)).collect())
            }
            Kind::Room(size) => {
                let full = u16::try_from(size).unwrap_or(u16::MAX);
                let size = if self.random.bool() { full } else { self.random.u16(0..=full) };
                Value::Room(self.address(), size, [0, b'a', 0xff][self.random.usize(0..3)])
            }
        }
    }

    fn setting(&mut self, settings: &[Setting]) -> (u8, Vec<Value>) {
        let which = self.random.usize(0..settings.len());
        (u8::try_from(which).expect("there are few"), self.row(settings[which].fields))
    }

    /// Returns a reference to an object.
    fn object(&mut self, size: usize) -> Value {
        match self.random.u32(0..16) {
            0 if self.mood == Mood::Any => Value::Number(self.number(size, &[0, 1, u64::MAX])),
            0..4 => Value::Ago(self.random.u8(1..8)),
            _ => Value::Ago(0),
        }
    }

    /// Returns the fitting value, or a number that is not above `most`.
    fn count(&mut self, most: u32) -> Value {
        match self.errs(24) {
            true => {
                let number = self.number(4, &[0, 1, 2, 8, 16, 24, 48, 64, 0xffff_ffff]);
                Value::Number(number.min(most.into()))
            }
            false => Value::Auto,
        }
    }

    fn address(&mut self) -> Address {
        if self.errs(24) { bad(self.random) } else { Address::Good }
    }

    fn number(&mut self, size: usize, worth: &[u64]) -> u64 {
        let random = &mut *self.random;
        let choice = if self.mood == Mood::Right { 4 } else { random.u32(0..16) };
        let any = match choice {
            0 => random.u64(..),
            1 => random.u64(0..16),
            2 => (1_u64 << random.u32(0..64)).wrapping_add(random.u64(0..3)).wrapping_sub(1),
            3 => 0,
            _ => random.choice(worth).copied().unwrap_or(0),
        };
        cut(any, size)
    }

    fn flags(&mut self, size: usize, bits: &[u64]) -> u64 {
        if self.errs(24) {
            return self.number(size, bits);
        }
        bits.iter().filter(|_| self.random.u32(0..3) == 0).sum()
    }

    /// Returns a size that the guest can handle.
    fn sensible(&mut self, number: u64, size: usize) -> u64 {
        let Limits { bytes, side } = self.limits;
        match number {
            _ if number == cut(u64::MAX, size) => number,
            _ if size < 8 && number > side => self.random.u64(0..=side),
            _ if size == 8 && number > bytes && number < OVERFLOWING => {
                let any = self.random.u64(0..=bytes);
                // Most calls want whole pages.
                if self.mood == Mood::Right || self.random.bool() { any / 4096 * 4096 } else { any }
            }
            _ => number,
        }
    }

    /// Changes one value of a row.
    fn change_row(&mut self, fields: &[Field], values: &mut [Value]) {
        if fields.is_empty() {
            return;
        }
        let at = self.random.usize(0..fields.len());
        let kind = fields[at].kind;
        match (kind, &mut values[at]) {
            (Kind::Rows(fields), Value::Rows(at, rows)) => self.change_rows(fields, at, rows),
            (Kind::One(fields), Value::Rows(_, rows)) => self.change_row(fields, &mut rows[0]),
            (Kind::Settings(settings), Value::Settings(at, rows)) => self.change_settings(settings, at, rows),
            (Kind::Flags(_, bits), Value::Number(number)) if self.random.bool() => {
                *number ^= self.random.choice(bits).copied().unwrap_or(1);
            }
            (Kind::Flags(..) | Kind::Zeros(_), other) => *other = self.value(kind, 1),
            (kind, Value::Number(number)) if self.random.bool() => {
                let random = &mut *self.random;
                let nudged = match random.u32(0..4) {
                    0 => number.wrapping_add(1),
                    1 => number.wrapping_sub(1),
                    2 => *number ^ 1 << random.u32(0..8 * kind.size() as u32),
                    _ => number.wrapping_add(4096),
                };
                let nudged = cut(nudged, kind.size());
                *number = match kind {
                    Kind::Size(size, _) => self.sensible(nudged, size),
                    Kind::Count(most) => nudged.min(most.into()),
                    Kind::Length => nudged.min(LONGEST_ROWS.into()),
                    _ => nudged,
                };
            }
            (kind, other) => *other = self.value(kind, 1),
        }
    }

    fn change_rows(&mut self, fields: &'static [Field], at: &mut Address, rows: &mut Vec<Vec<Value>>) {
        let len = rows.len();
        match self.random.u32(0..16) {
            0 => *at = bad(self.random),
            1 => *at = Address::Good,
            2..5 if len < MOST_ROWS => {
                let row = self.row(fields);
                rows.insert(self.random.usize(0..=len), row);
            }
            5 | 6 if len > 0 => drop(rows.remove(self.random.usize(0..len))),
            7 if len > 0 && len < MOST_ROWS => rows.push(rows[self.random.usize(0..len)].clone()),
            _ if len > 0 => {
                let chosen = self.random.usize(0..len);
                self.change_row(fields, &mut rows[chosen]);
            }
            _ => rows.push(self.row(fields)),
        }
    }
}

impl Maker<'_> {
    /// Changes the objects of a commit.
    fn change_settings(&mut self, settings: &'static [Setting], at: &mut Address, rows: &mut Vec<(u8, Vec<Value>)>) {
        let len = rows.len();
        match self.random.u32(0..16) {
            0 => *at = bad(self.random),
            1 => *at = Address::Good,
            2..7 if len < MOST_SETTINGS => {
                let setting = self.setting(settings);
                rows.insert(self.random.usize(0..=len), setting);
            }
            7 | 8 if len > 0 => drop(rows.remove(self.random.usize(0..len))),
            9 if len > 0 && len < MOST_SETTINGS => rows.push(rows[self.random.usize(0..len)].clone()),
            _ if len > 0 => {
                let (which, row) = &mut rows[self.random.usize(0..len)];
                self.change_row(settings[usize::from(*which)].fields, row);
            }
            _ => rows.push(self.setting(settings)),
        }
    }
}

/// Truncates a number to `size` bytes.
fn cut(number: u64, size: usize) -> u64 {
    if size >= 8 { number } else { number & ((1 << (8 * size)) - 1) }
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

    /// `drm_syncobj_import_sync_file_fence()` warns about some sync files that become a point (docs/reference/c-core-faults.md).
    #[test]
    fn a_sync_file_never_becomes_a_point() {
        let (source, mut random) = (Source::new(Driver::Tyr), Rng::with_seed(7));
        let mut imports = 0;
        for _ in 0..4000 {
            let (mut program, other) = (source.program(&mut random), source.program(&mut random));
            source.change(&mut program, Some(&other), &mut random);
            for call in &program.calls {
                let Does::Ioctl { number, .. } = call.spec().does else { continue };
                if number != uapi::sync::SYNCOBJ_FD_TO_HANDLE.number {
                    continue;
                }
                let at = call.spec().fields.iter().position(|field| field.name == "point").unwrap();
                assert_eq!(call.values[at], Value::Number(0));
                imports += 1;
            }
        }
        assert!(imports > 100, "{imports}");
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
        let mut maker = Maker::of_one(&mut random);
        let numbers = (0..10_000).filter_map(|_| match maker.value(Kind::Count(1000), 1) {
            Value::Number(number) => Some(number),
            _ => None,
        });
        assert_eq!(numbers.max(), Some(1000));
    }

    #[test]
    fn no_buffer_is_of_a_size_that_leaves_no_memory() {
        let mut random = Rng::with_seed(4);
        for limits in [Limits::OF_ONE, Limits::OF_MANY] {
            let mut maker = Maker { random: &mut random, mood: Mood::Any, limits };
            for _ in 0..10_000 {
                let Value::Number(size) = maker.value(Kind::Size(8, &[4096, 1 << 30, u64::MAX]), 1) else {
                    panic!("a size is a number")
                };
                assert!(!(limits.bytes + 1..OVERFLOWING).contains(&size), "{size:#x}");
                let Value::Number(side) = maker.value(Kind::Size(4, &[64, 5000]), 1) else { panic!() };
                assert!(side <= limits.side || side == 0xffff_ffff, "{side}");
            }
        }
    }

    #[test]
    fn right_values_are_those_of_the_description() {
        let mut random = Rng::with_seed(6);
        let mut maker = Maker { random: &mut random, mood: Mood::Right, limits: Limits::OF_MANY };
        for spec in Driver::ALL.into_iter().flat_map(spec::of) {
            for _ in 0..100 {
                let call = maker.call(spec);
                for (field, value) in spec.fields.iter().zip(&call.values) {
                    match (field.kind, value) {
                        (Kind::Number(size, worth), Value::Number(number)) => {
                            assert!(worth.iter().any(|known| cut(*known, size) == *number), "{}", spec.name);
                        }
                        (Kind::Pad(_), value) => assert_eq!(*value, Value::Number(0), "{}", spec.name),
                        (Kind::Stride | Kind::Count(_) | Kind::Length | Kind::Property(_), value) => {
                            assert_eq!(*value, Value::Auto, "{}", spec.name);
                        }
                        (_, Value::Rows(at, rows)) => {
                            assert!(*at == Address::Good && !rows.is_empty(), "{}", spec.name);
                        }
                        _ => {}
                    }
                }
            }
        }
    }
}
