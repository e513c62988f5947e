// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A program: a sequence of calls, each with the values of its fields.
//!
//! Source: none.

use serde::{Deserialize, Serialize};

use crate::spec::{Field, Kind, Spec, all, named};

/// A sequence of calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Program {
    /// The calls, in order.
    pub calls: Vec<Call>,
}

/// A call.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Call {
    /// The index of the call's description.
    spec: u16,
    /// The place of the call's structure.
    pub at: Address,
    /// The size in the ioctl's number, if it is not the structure's.
    pub size: Option<u16>,
    /// The values, one for each field.
    pub values: Vec<Value>,
}

impl Call {
    /// Makes a call with a value for each field.
    pub fn new(spec: &'static Spec, values: Vec<Value>) -> Self {
        assert_eq!(spec.fields.len(), values.len(), "each field has a value");
        let at = all().position(|other| other.name == spec.name).expect("it is one of all");
        Self { spec: at.try_into().expect("there are some hundred"), at: Address::Good, size: None, values }
    }

    /// Returns the call of a name, with default values.
    pub fn named(name: &str) -> Option<Self> {
        let spec = named(name)?;
        Some(Self::new(spec, spec.fields.iter().map(|field| Value::nothing(field.kind)).collect()))
    }

    /// Returns the call's description.
    pub fn spec(&self) -> &'static Spec {
        all().nth(self.spec.into()).expect("only calls that are there are made")
    }
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Value {
    /// The fitting value: zero, the number of rows, their size.
    Auto,
    /// A number.
    Number(u64),
    /// The time of the monotonic clock in this number of milliseconds.
    Soon(u8),
    /// The number that the `n`-th last call returned, of the field's class.
    Ago(u8),
    /// The rows that a field of [`Kind::Rows`] points to, or the only one of a [`Kind::One`].
    Rows(Address, Vec<Vec<Value>>),
    /// The objects that a commit changes, each with the index of its [`Setting`](crate::spec::Setting).
    Settings(Address, Vec<(u8, Vec<Value>)>),
    /// The bytes that a field of [`Kind::Room`] or another array points to: their number, and the value of all of them.
    Room(Address, u16, u8),
}

impl Value {
    /// Returns the default value, which a program's text omits.
    pub fn nothing(kind: Kind) -> Self {
        match kind {
            Kind::Number(..) | Kind::Flags(..) | Kind::Size(..) | Kind::Zeros(_) | Kind::Pad(_) | Kind::Time(_) => {
                Self::Number(0)
            }
            Kind::Takes(..) | Kind::Ends(..) | Kind::May(..) => Self::Ago(0),
            Kind::Gives(..) | Kind::Stride | Kind::Count(_) | Kind::Length | Kind::Property(_) => Self::Auto,
            Kind::Rows(_) => Self::Rows(Address::Good, Vec::new()),
            Kind::One(fields) => {
                Self::Rows(Address::Good, vec![fields.iter().map(|field| Self::nothing(field.kind)).collect()])
            }
            Kind::Settings(_) => Self::Settings(Address::Good, Vec::new()),
            Kind::Room(size) => Self::Room(Address::Good, size.try_into().unwrap_or(u16::MAX), 0),
            Kind::Array(count, _) => Self::Room(Address::Good, (4 * count).try_into().unwrap_or(u16::MAX), 0),
            // As long as the objects require.
            Kind::Column(_) => Self::Room(Address::Good, 0, 0),
        }
    }

    /// Whether a field of this kind may have the value.
    pub fn fits(&self, kind: Kind) -> bool {
        match (self, kind) {
            (Self::Rows(_, rows), Kind::Rows(fields)) => rows.iter().all(|row| row_fits(row, fields)),
            (Self::Rows(_, rows), Kind::One(fields)) => rows.len() == 1 && row_fits(&rows[0], fields),
            (Self::Settings(_, all), Kind::Settings(settings)) => all.iter().all(|(which, row)| {
                settings.get(usize::from(*which)).is_some_and(|setting| row_fits(row, setting.fields))
            }),
            (Self::Room(..), kind) => points_to_bytes(kind),
            (Self::Rows(..) | Self::Settings(..), _) | (_, Kind::Rows(_) | Kind::One(_) | Kind::Settings(_)) => false,
            (_, kind) if points_to_bytes(kind) => false,
            (Self::Ago(_), kind) => kind.takes().is_some(),
            (Self::Soon(_), kind) => matches!(kind, Kind::Time(_)),
            (Self::Auto, kind) => {
                matches!(kind, Kind::Gives(..) | Kind::Stride | Kind::Count(_) | Kind::Length | Kind::Property(_))
            }
            (Self::Number(_), _) => true,
        }
    }
}

fn points_to_bytes(kind: Kind) -> bool {
    matches!(kind, Kind::Room(_) | Kind::Array(..) | Kind::Column(_))
}

/// Whether the values fit these fields.
pub fn row_fits(row: &[Value], fields: &[Field]) -> bool {
    row.len() == fields.len() && row.iter().zip(fields).all(|(value, field)| value.fits(field.kind))
}

/// A kind of place that the kernel reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Address {
    /// Memory that can be read and written.
    Good,
    /// The first half is in good memory, the second where nothing is mapped.
    Edge,
    /// Memory that can only be read.
    ReadOnly,
    /// A mapping that a call has made, of a device's memory if there is one.
    Mapped,
    /// The null pointer.
    Null,
    /// A page where nothing can be mapped.
    Unmapped,
    /// The kernel's half of the address space.
    Kernel,
    /// An address that no page table can translate.
    NonCanonical,
}

impl Address {
    /// All places except the good one.
    pub const BAD: [Self; 7] =
        [Self::Edge, Self::ReadOnly, Self::Mapped, Self::Null, Self::Unmapped, Self::Kernel, Self::NonCanonical];
}
// A program is an input of LibAFL's search. The implementations are here because the type is.
#[cfg(feature = "search")]
impl libafl::inputs::Input for Program {}

#[cfg(feature = "search")]
impl libafl_bolts::HasLen for Program {
    fn len(&self) -> usize {
        self.calls.len()
    }
}
