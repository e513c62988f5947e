// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Puts a call's structure, and what it points to, into memory.
//!
//! Source: none; `include/uapi` for the structures, which have no padding.

use rustix::time::{ClockId, clock_gettime};

use crate::program::{Address, Value};
use crate::spec::{self, Class, Field, Kind};

/// The values that a call needs from the program that executes it.
pub trait Place {
    /// Returns the number of an object: the one that was given `ago` times ago, if the place keeps an order.
    fn object(&mut self, class: Class, ago: u8) -> u64;

    /// Puts bytes at a place of this kind, and returns its address. Zeros follow them in good memory.
    fn put(&mut self, at: Address, bytes: &[u8]) -> usize;
}

/// A structure, ready to be put into memory itself.
#[derive(Debug, Default)]
pub struct Laid {
    /// The structure's bytes.
    pub bytes: Vec<u8>,
    /// The places in it where the kernel may return numbers: offset, size and class.
    pub outputs: Vec<(usize, usize, Class)>,
    /// The objects that are no more if the call succeeds.
    pub ended: Vec<(Class, u64)>,
}

/// Lays the fields one behind the other, and puts what they point to into memory.
pub fn lay_out(fields: &'static [Field], values: &[Value], place: &mut impl Place) -> Laid {
    let mut laid = Laid::default();
    for (at, (field, value)) in fields.iter().zip(values).enumerate() {
        let size = field.kind.size();
        let word = match (field.kind, value) {
            (_, Value::Rows(..) | Value::Room(..)) => point_to(field.kind, value, place) as u64,
            (Kind::Stride, Value::Auto) => {
                rows_near(fields, values, at).map_or(0, |(row, _)| spec::size_of(row) as u64)
            }
            (Kind::Count(_), Value::Auto) => rows_near(fields, values, at).map_or(0, |(_, rows)| rows.len() as u64),
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

fn point_to(kind: Kind, value: &Value, place: &mut impl Place) -> usize {
    match (kind, value) {
        (Kind::Rows(fields), Value::Rows(at, rows)) => {
            let bytes: Vec<u8> = rows.iter().flat_map(|row| lay_out(fields, row, place).bytes).collect();
            place.put(*at, &bytes)
        }
        (_, Value::Room(at, size, fill)) => place.put(*at, &vec![*fill; usize::from(*size)]),
        _ => 0,
    }
}

/// Returns the rows to which a stride or a count belongs: the next ones behind it, or else the last ones before it.
fn rows_near<'v>(fields: &[Field], values: &'v [Value], at: usize) -> Option<(&'static [Field], &'v Vec<Vec<Value>>)> {
    let rows = |(field, value): (&Field, &'v Value)| match (field.kind, value) {
        (Kind::Rows(row), Value::Rows(_, rows)) => Some((row, rows)),
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
        rows_near(call.spec().fields, &call.values, at).map(|(row, _)| spec::size_of(row))
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
}
