// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A program: calls in a row, each with its fields' values.
//!
//! Source: none.

use serde::{Deserialize, Serialize};

use crate::spec::{Field, Kind, Spec, all, named};

/// What is executed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Program {
    pub(crate) calls: Vec<Call>,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Call {
    /// Which of all calls.
    spec: u16,
    /// Where its structure lies.
    pub(crate) at: Address,
    /// The size that the ioctl's number says, if not the structure's.
    pub(crate) size: Option<u16>,
    /// One for each field.
    pub(crate) values: Vec<Value>,
}

impl Call {
    pub(crate) fn new(spec: &'static Spec, values: Vec<Value>) -> Self {
        assert_eq!(spec.fields.len(), values.len(), "each field has a value");
        let at = all().position(|other| other.name == spec.name).expect("it is one of all");
        Self { spec: at.try_into().expect("there are some hundred"), at: Address::Good, size: None, values }
    }

    /// The call of a name, with values that say nothing.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let spec = named(name)?;
        Some(Self::new(spec, spec.fields.iter().map(|field| Value::nothing(field.kind)).collect()))
    }

    pub(crate) fn spec(&self) -> &'static Spec {
        all().nth(self.spec.into()).expect("only calls that are there are made")
    }
}

/// A field's value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Value {
    /// What fits: zero, the number of rows, their size.
    Auto,
    Number(u64),
    /// What was given `n` times ago, of the field's class.
    Ago(u8),
    /// What a field of [`Kind::Rows`] points to.
    Rows(Address, Vec<Vec<Value>>),
    /// What a field of [`Kind::Room`] points to: so many bytes, all of this value.
    Room(Address, u16, u8),
}

impl Value {
    /// The value that is left out of a program's text.
    pub(crate) fn nothing(kind: Kind) -> Self {
        match kind {
            Kind::Number(..) | Kind::Flags(..) | Kind::Size(..) | Kind::Zeros(_) => Self::Number(0),
            Kind::Takes(..) => Self::Ago(0),
            Kind::Gives(..) | Kind::Stride | Kind::Count(_) => Self::Auto,
            Kind::Rows(_) => Self::Rows(Address::Good, Vec::new()),
            Kind::Room(size) => Self::Room(Address::Good, size.try_into().unwrap_or(u16::MAX), 0),
        }
    }

    /// Whether a field of this kind may have it.
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

/// Whether values are those of these fields.
pub(crate) fn row_fits(row: &[Value], fields: &[Field]) -> bool {
    row.len() == fields.len() && row.iter().zip(fields).all(|(value, field)| value.fits(field.kind))
}

/// Where something lies that the kernel is to read or write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Address {
    /// In memory that can be read and written.
    Good,
    /// Its first half does, the second would lie where nothing is mapped.
    Edge,
    ReadOnly,
    Null,
    /// Where nothing can be mapped.
    Unmapped,
    /// In the kernel's half.
    Kernel,
    /// Where no page table reaches.
    NonCanonical,
}

impl Address {
    /// All but the good one.
    pub(crate) const BAD: [Self; 6] =
        [Self::Edge, Self::ReadOnly, Self::Null, Self::Unmapped, Self::Kernel, Self::NonCanonical];
}
