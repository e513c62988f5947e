// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A program: a sequence of calls, each with the values of its fields.
//!
//! Source: none.

use serde::{Deserialize, Serialize};

use crate::spec::{Field, Kind, Spec, all, named};

/// A sequence of calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Program {
    pub(crate) calls: Vec<Call>,
}

/// A call.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Call {
    /// The index of the call's description.
    spec: u16,
    /// The place of the call's structure.
    pub(crate) at: Address,
    /// The size in the ioctl's number, if it is not the structure's.
    pub(crate) size: Option<u16>,
    /// The values, one for each field.
    pub(crate) values: Vec<Value>,
}

impl Call {
    pub(crate) fn new(spec: &'static Spec, values: Vec<Value>) -> Self {
        assert_eq!(spec.fields.len(), values.len(), "each field has a value");
        let at = all().position(|other| other.name == spec.name).expect("it is one of all");
        Self { spec: at.try_into().expect("there are some hundred"), at: Address::Good, size: None, values }
    }

    /// Returns the call of a name, with default values.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let spec = named(name)?;
        Some(Self::new(spec, spec.fields.iter().map(|field| Value::nothing(field.kind)).collect()))
    }

    pub(crate) fn spec(&self) -> &'static Spec {
        all().nth(self.spec.into()).expect("only calls that are there are made")
    }
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Value {
    /// The fitting value: zero, the number of rows, their size.
    Auto,
    Number(u64),
    /// The number that the `n`-th last call returned, of the field's class.
    Ago(u8),
    /// The rows that a field of [`Kind::Rows`] points to.
    Rows(Address, Vec<Vec<Value>>),
    /// The bytes that a field of [`Kind::Room`] points to: their number, and the value of all of them.
    Room(Address, u16, u8),
}

impl Value {
    /// Returns the default value, which a program's text omits.
    pub(crate) fn nothing(kind: Kind) -> Self {
        match kind {
            Kind::Number(..) | Kind::Flags(..) | Kind::Size(..) | Kind::Zeros(_) => Self::Number(0),
            Kind::Takes(..) => Self::Ago(0),
            Kind::Gives(..) | Kind::Stride | Kind::Count(_) => Self::Auto,
            Kind::Rows(_) => Self::Rows(Address::Good, Vec::new()),
            Kind::Room(size) => Self::Room(Address::Good, size.try_into().unwrap_or(u16::MAX), 0),
        }
    }

    /// Whether a field of this kind may have the value.
    pub(crate) fn fits(&self, kind: Kind) -> bool {
        match (self, kind) {
            (Self::Rows(_, rows), Kind::Rows(fields)) => rows.iter().all(|row| row_fits(row, fields)),
            (Self::Room(..), Kind::Room(_)) => true,
            (Self::Rows(..) | Self::Room(..), _) | (_, Kind::Rows(_) | Kind::Room(_)) => false,
            (Self::Ago(_), kind) => matches!(kind, Kind::Takes(..)),
            (Self::Auto, kind) => matches!(kind, Kind::Gives(..) | Kind::Stride | Kind::Count(_)),
            (Self::Number(_), _) => true,
        }
    }
}

/// Whether the values fit these fields.
pub(crate) fn row_fits(row: &[Value], fields: &[Field]) -> bool {
    row.len() == fields.len() && row.iter().zip(fields).all(|(value, field)| value.fits(field.kind))
}

/// A kind of place that the kernel reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Address {
    /// Memory that can be read and written.
    Good,
    /// The first half is in good memory, the second where nothing is mapped.
    Edge,
    ReadOnly,
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
    pub(crate) const BAD: [Self; 6] =
        [Self::Edge, Self::ReadOnly, Self::Null, Self::Unmapped, Self::Kernel, Self::NonCanonical];
}
