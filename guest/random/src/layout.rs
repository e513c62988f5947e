// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Puts a call's structure, and what it points to, into memory.
//!
//! Source: none; `include/uapi` for the structures, which have no padding.

use rustix::time::{ClockId, clock_gettime};

use crate::program::{Address, Value};
use crate::spec::{self, Class, Column, Field, Kind, Setting};

/// The values that a call needs from the program that executes it.
pub trait Place {
    /// Returns the number of an object: the one that was given `ago` times ago, if the place keeps an order.
    fn object(&mut self, class: Class, ago: u8) -> u64;

    /// Puts bytes at a place of this kind, and returns its address. Zeros follow them in good memory.
    fn put(&mut self, at: Address, bytes: &[u8]) -> usize;

    /// Returns the number of the display's property of this name, or 0.
    fn property(&mut self, name: &str) -> u32;
}

/// An array in which the kernel returns numbers of four bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filled {
    /// The address of the first number.
    pub address: usize,
    /// The length of the array.
    pub count: usize,
    /// The class of the numbers.
    pub class: Class,
}

impl Filled {
    /// Returns the address of each number.
    pub fn each(self) -> impl Iterator<Item = usize> {
        (0..self.count).map(move |at| self.address + 4 * at)
    }

    /// Whether a number of the array is one of an object, and not what was there before the call.
    pub fn has(self, number: u64) -> bool {
        // The kernel stores -1 where no descriptor is.
        number != 0 && !(self.class.is_file() && number == u64::from(u32::MAX))
    }
}

/// A structure, ready to be put into memory itself.
#[derive(Debug, Default)]
pub struct Laid {
    /// The structure's bytes.
    pub bytes: Vec<u8>,
    /// The places in it where the kernel may return numbers: offset, size and class.
    pub outputs: Vec<(usize, usize, Class)>,
    /// The arrays in good memory where the kernel may return more of them.
    pub filled: Vec<Filled>,
    /// The objects that are no more if the call succeeds.
    pub ended: Vec<(Class, u64)>,
}

/// Lays the fields one behind the other, and puts what they point to into memory.
pub fn lay_out(fields: &'static [Field], values: &[Value], place: &mut impl Place) -> Laid {
    let mut laid = Laid::default();
    for (at, (field, value)) in fields.iter().zip(values).enumerate() {
        let size = field.kind.size();
        let near = || near(fields, values, at);
        let word = match (field.kind, value) {
            (Kind::Column(column), Value::Room(at, ..)) => {
                let bytes = near().map_or(Vec::new(), |near| laid.column(column, near, place));
                place.put(*at, &bytes) as u64
            }
            (_, Value::Rows(..) | Value::Settings(..) | Value::Room(..)) => laid.point_to(field.kind, value, place),
            (Kind::Stride, Value::Auto) => near().map_or(0, |near| near.row() as u64),
            (Kind::Count(_), Value::Auto) => near().map_or(0, |near| near.count() as u64),
            (Kind::Length, Value::Auto) => near().map_or(0, |near| (near.row() * near.count()) as u64),
            (Kind::Property(name), Value::Auto) => place.property(name).into(),
            (kind, value) => word(kind, value, place),
        };
        match field.kind {
            Kind::Gives(_, class) => laid.outputs.push((laid.bytes.len(), size, class)),
            Kind::Ends(_, class) => laid.ended.push((class, word)),
            _ => {}
        }
        laid.bytes.extend(word.to_le_bytes().into_iter().chain(std::iter::repeat(0)).take(size));
    }
    laid
}

/// Returns the number that a value is now.
fn word(kind: Kind, value: &Value, place: &mut impl Place) -> u64 {
    match (kind.takes(), value) {
        (_, Value::Number(number)) => *number,
        (_, Value::Soon(milliseconds)) => now() + u64::from(*milliseconds) * 1_000_000,
        (Some(class), Value::Ago(ago)) => place.object(class, *ago),
        _ => 0,
    }
}

/// Returns the monotonic clock in nanoseconds.
fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

impl Laid {
    /// Puts what a field points to into memory, and returns the address.
    fn point_to(&mut self, kind: Kind, value: &Value, place: &mut impl Place) -> u64 {
        let address = match (kind, value) {
            (Kind::Rows(fields) | Kind::One(fields), Value::Rows(at, rows)) => {
                let bytes: Vec<u8> = rows.iter().flat_map(|row| lay_out(fields, row, place).bytes).collect();
                place.put(*at, &bytes)
            }
            (Kind::Settings(settings), Value::Settings(at, rows)) => {
                // The first field is the object.
                let object = |(which, row): &(u8, Vec<Value>)| {
                    lay_out(&settings[usize::from(*which)].fields[..1], &row[..1], place).bytes
                };
                let bytes: Vec<u8> = rows.iter().flat_map(object).collect();
                place.put(*at, &bytes)
            }
            (_, Value::Room(at, size, fill)) => {
                let address = place.put(*at, &vec![*fill; usize::from(*size)]);
                if let (Kind::Array(_, class), Address::Good, 0) = (kind, at, fill) {
                    self.filled.push(Filled { address, count: usize::from(*size) / 4, class });
                }
                address
            }
            _ => 0,
        };
        address as u64
    }

    /// Lays out an array about the objects of a commit.
    fn column(&mut self, column: Column, near: Near<'_>, place: &mut impl Place) -> Vec<u8> {
        let Near::Settings(settings, rows) = near else { return Vec::new() };
        let mut bytes = Vec::new();
        for (which, row) in rows {
            // The first field is the object.
            let properties = &settings[usize::from(*which)].fields[1..];
            match column {
                Column::Counts => bytes.extend((properties.len() as u32).to_le_bytes()),
                Column::Properties => {
                    bytes.extend(properties.iter().flat_map(|field| place.property(field.name).to_le_bytes()));
                }
                Column::Values => {
                    let values = lay_out(properties, &row[1..], place);
                    bytes.extend(values.bytes);
                    self.filled.extend(values.filled);
                }
            }
        }
        bytes
    }
}

/// The rows to which a field belongs.
#[derive(Clone, Copy)]
enum Near<'v> {
    Rows(&'static [Field], &'v Vec<Vec<Value>>),
    Settings(&'static [Setting], &'v Vec<(u8, Vec<Value>)>),
}

impl Near<'_> {
    /// Returns the size of a row.
    fn row(self) -> usize {
        match self {
            Self::Rows(fields, _) => spec::size_of(fields),
            Self::Settings(..) => 4,
        }
    }

    /// Returns the number of rows.
    fn count(self) -> usize {
        match self {
            Self::Rows(_, rows) => rows.len(),
            Self::Settings(_, rows) => rows.len(),
        }
    }
}

/// Returns the rows to which a stride or a count belongs: the next ones behind it, or else the last ones before it.
fn near<'v>(fields: &[Field], values: &'v [Value], at: usize) -> Option<Near<'v>> {
    let rows = |(field, value): (&Field, &'v Value)| match (field.kind, value) {
        (Kind::Rows(row) | Kind::One(row), Value::Rows(_, rows)) => Some(Near::Rows(row, rows)),
        (Kind::Settings(settings), Value::Settings(_, rows)) => Some(Near::Settings(settings, rows)),
        _ => None,
    };
    let behind = fields[at..].iter().zip(&values[at..]).find_map(rows);
    behind.or_else(|| fields[..at].iter().zip(&values[..at]).rev().find_map(rows))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::Call;

    fn near(name: &str, field: &str) -> Option<usize> {
        let call = Call::named(name).unwrap();
        let at = call.spec().fields.iter().position(|other| other.name == field).unwrap();
        super::near(call.spec().fields, &call.values, at).map(Near::row)
    }

    #[test]
    fn a_count_is_about_the_rows_beside_it() {
        assert_eq!(near("tyr_vm_bind", "stride"), Some(48));
        assert_eq!(near("tyr_group_create", "queue_count"), Some(8));
        assert_eq!(near("syncobj_query", "count"), Some(8));
        assert_eq!(near("syncobj_signal", "count"), Some(4));
    }

    /// A place in which every object is 7, and that remembers what is put.
    struct Sevens(Vec<Vec<u8>>);

    impl Place for Sevens {
        fn object(&mut self, _: Class, _: u8) -> u64 {
            7
        }

        fn put(&mut self, _: Address, bytes: &[u8]) -> usize {
            self.0.push(bytes.to_vec());
            self.0.len() << 12
        }

        fn property(&mut self, name: &str) -> u32 {
            name.len() as u32
        }
    }

    #[test]
    fn a_structure_knows_what_it_gives_and_ends() {
        let mut place = Sevens(Vec::new());
        let mut lay = |name: &str| {
            let call = Call::named(name).unwrap();
            lay_out(call.spec().fields, &call.values, &mut place)
        };
        let closed = lay("gem_close");
        assert_eq!((closed.bytes, closed.ended), (vec![7, 0, 0, 0, 0, 0, 0, 0], vec![(Class::Handle, 7)]));
        assert_eq!(lay("map_dumb").outputs, [(8, 8, Class::Offset)]);
    }

    #[test]
    fn rows_are_put_before_the_structure_that_points_to_them() {
        let mut call = Call::named("syncobj_signal").unwrap();
        call.values[0] = Value::Rows(Address::Good, vec![vec![Value::Ago(0)], vec![Value::Number(3)]]);
        let mut place = Sevens(Vec::new());
        let laid = lay_out(call.spec().fields, &call.values, &mut place);
        assert_eq!(place.0, [[7, 0, 0, 0, 3, 0, 0, 0]]);
        assert_eq!(laid.bytes, [0, 0x10, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn a_commit_is_four_arrays_about_its_objects() {
        let line = r##"[{"atomic": {"objects": [{"flip": {"FB_ID": 9}}, {"mode": {"object": 5, "ACTIVE": 1}}]}}]"##;
        let call = crate::text::read(line).unwrap().calls.remove(0);
        let mut place = Sevens(Vec::new());
        let laid = lay_out(call.spec().fields, &call.values, &mut place);
        let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
        assert_eq!(place.0[0], words(&[7, 5]));
        assert_eq!(place.0[1], words(&[1, 2]));
        let names = ["FB_ID", "MODE_ID", "ACTIVE"].map(|name| name.len() as u32);
        assert_eq!(place.0[2], words(&names));
        assert_eq!(place.0[3], words(&[9, 0, 7, 0, 1, 0]));
        assert_eq!(laid.bytes[..16], words(&[0, 2, 0x1000, 0])[..]);
    }

    #[test]
    fn an_array_is_known_by_its_address_wherever_it_is() {
        let line = r##"[{"atomic": {"objects": [{"out_fence": {}}]}}, {"get_plane_resources": {}}]"##;
        let mut place = Sevens(Vec::new());
        let filled = |call: &Call, place: &mut Sevens| lay_out(call.spec().fields, &call.values, place).filled;
        let calls = crate::text::read(line).unwrap().calls;
        let [fences, planes] = [0, 1].map(|at| filled(&calls[at], &mut place));
        assert_eq!(fences, [Filled { address: 4 << 12, count: 1, class: Class::SyncFile }]);
        assert_eq!(planes, [Filled { address: 6 << 12, count: 32, class: Class::Plane }]);
        assert!(planes[0].has(31) && !planes[0].has(0));
        assert!(fences[0].has(40) && !fences[0].has(0xffff_ffff));
    }

    #[test]
    fn a_length_is_that_of_the_structure() {
        let call = Call::named("create_mode").unwrap();
        let laid = lay_out(call.spec().fields, &call.values, &mut Sevens(Vec::new()));
        assert_eq!(laid.bytes[8..12], [68, 0, 0, 0]);
    }
}
