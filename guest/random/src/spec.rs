// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Describes all calls as data: their structures field by field, and the objects that each field refers to.
//!
//! Source: each table names its own.

mod core;
mod files;
mod nova;
mod sync;
mod tyr;
mod vgem;

use uapi::Request;

use crate::device::Driver;

/// A kind of object that a call makes and a later one uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// An open file of the device's nodes.
    File,
    DmaBuf,
    SyncFile,
    SyncobjFile,
    EventFile,
    /// A file's handle of a buffer.
    Handle,
    Syncobj,
    /// A buffer's global name.
    Name,
    Magic,
    /// The mmap(2) offset of a buffer.
    Offset,
    Mapping,
    /// vgem's number of a fence.
    Fence,
    /// tyr's number of an address space.
    Vm,
    Group,
    Heap,
}

impl Class {
    /// The number of classes.
    pub(crate) const COUNT: usize = Self::Heap as usize + 1;

    /// Whether its numbers are file descriptors.
    pub(crate) const fn is_file(self) -> bool {
        matches!(self, Self::File | Self::DmaBuf | Self::SyncFile | Self::SyncobjFile | Self::EventFile)
    }

    /// Returns the number that means "no object".
    pub(crate) const fn nothing(self) -> u64 {
        if self.is_file() { u64::MAX } else { 0 }
    }
}

/// The kind of a field.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// A number of this size in bytes, with values that are worth trying.
    Number(usize, &'static [u64]),
    /// Like `Number`, but combined of these bits.
    Flags(usize, &'static [u64]),
    /// A number of bytes of memory, or a factor of one. Values between small and far too large are not tried, since the
    /// guest would only run out of memory.
    Size(usize, &'static [u64]),
    /// This number of zero bytes.
    Zeros(usize),
    /// A number that an earlier call returned.
    Takes(usize, Class),
    /// A number that the kernel fills in.
    Gives(usize, Class),
    /// The distance of the rows that the next [`Kind::Rows`] points to.
    Stride,
    /// The number of those rows. It is never above this maximum.
    Count(u32),
    /// The address of rows of fields.
    Rows(&'static [Field]),
    /// The address of at most this number of bytes.
    Room(usize),
}

impl Kind {
    /// Returns the field's size in a structure.
    pub(crate) const fn size(self) -> usize {
        match self {
            Self::Number(size, _) | Self::Flags(size, _) | Self::Size(size, _) => size,
            Self::Takes(size, _) | Self::Gives(size, _) | Self::Zeros(size) => size,
            Self::Stride | Self::Count(_) => 4,
            Self::Rows(_) | Self::Room(_) => 8,
        }
    }
}

/// A field of a structure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
}

/// Returns the size of all fields together; the structures have no padding.
pub(crate) fn size_of(fields: &[Field]) -> usize {
    fields.iter().map(|field| field.kind.size()).sum()
}

/// The action of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Does {
    /// ioctl(2) on a file of this class.
    Ioctl {
        on: Class,
        number: u32,
    },
    /// Opens a node by open(2).
    Open,
    Close,
    Mmap,
    Munmap,
    /// Reads or writes a byte of a mapping, without a signal if that fails.
    Touch,
    Poll,
    Read,
    /// Reads `/proc/self/fdinfo`.
    Fdinfo,
    Eventfd,
    /// Makes a buffer of another exporter.
    Foreign,
    /// Unbinds the driver from the device.
    Unbind,
    /// Binds the driver again.
    Bind,
}

/// A call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    pub(crate) does: Does,
    pub(crate) fields: &'static [Field],
    /// The call's weight among all calls.
    pub(crate) weight: u32,
}

impl Spec {
    /// Returns the classes of the numbers that the call returns.
    pub(crate) fn gives(&self) -> impl Iterator<Item = Class> + use<> {
        let special = match self.does {
            Does::Open => Some(Class::File),
            Does::Mmap => Some(Class::Mapping),
            Does::Eventfd => Some(Class::EventFile),
            Does::Foreign => Some(Class::DmaBuf),
            _ => None,
        };
        let fields = self.fields.iter().filter_map(|field| match field.kind {
            Kind::Gives(_, class) => Some(class),
            _ => None,
        });
        special.into_iter().chain(fields)
    }

    /// Returns the classes that the call needs, including the file that it is made on.
    pub(crate) fn takes(&self) -> impl Iterator<Item = Class> + use<> {
        let on = match self.does {
            Does::Ioctl { on, .. } => Some(on),
            _ => None,
        };
        on.into_iter().chain(self.fields.iter().flat_map(|field| taken(field.kind)))
    }
}

fn taken(kind: Kind) -> Vec<Class> {
    match kind {
        Kind::Takes(_, class) => vec![class],
        Kind::Rows(fields) => fields.iter().flat_map(|field| taken(field.kind)).collect(),
        _ => Vec::new(),
    }
}

/// Returns all calls of all drivers, by name.
pub(crate) fn all() -> impl Iterator<Item = &'static Spec> {
    let tables = [files::CALLS, core::CALLS, sync::CALLS, vgem::CALLS, nova::CALLS, tyr::CALLS];
    tables.into_iter().flatten()
}

/// Returns the calls that make sense for a driver.
pub(crate) fn of(driver: Driver) -> Vec<&'static Spec> {
    let own = match driver {
        Driver::Vgem => vgem::CALLS,
        Driver::Nova => nova::CALLS,
        Driver::Tyr => tyr::CALLS,
    };
    [files::CALLS, core::CALLS, sync::CALLS, own].into_iter().flatten().collect()
}

/// Returns the call of a name.
pub(crate) fn named(name: &str) -> Option<&'static Spec> {
    all().find(|spec| spec.name == name)
}

/// A field that must be zero, or should be.
const PAD: Kind = Kind::Number(4, &[0, 0, 0, 1]);

const fn field(name: &'static str, kind: Kind) -> Field {
    Field { name, kind }
}

const fn drm<T>(name: &'static str, request: Request<T>, fields: &'static [Field]) -> Spec {
    ioctl(name, Class::File, request, fields)
}

const fn ioctl<T>(name: &'static str, on: Class, request: Request<T>, fields: &'static [Field]) -> Spec {
    Spec { name, does: Does::Ioctl { on, number: request.number }, fields, weight: 8 }
}

impl Spec {
    const fn weighs(self, weight: u32) -> Self {
        Self { weight, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = all().map(|spec| spec.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn each_field_of_a_row_has_its_own_name() {
        fn check(fields: &[Field]) {
            let mut names: Vec<_> = fields.iter().map(|field| field.name).collect();
            names.sort_unstable();
            assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
            for field in fields {
                if let Kind::Rows(row) = field.kind {
                    check(row);
                }
            }
        }
        all().for_each(|spec| check(spec.fields));
    }

    #[test]
    fn the_fields_are_as_large_as_the_structure() {
        for spec in all() {
            if let Does::Ioctl { number, .. } = spec.does {
                assert_eq!(size_of(spec.fields), uapi::ioc_size(number), "{}", spec.name);
            }
        }
    }

    #[test]
    fn all_of_tyrs_numbers_are_there() {
        let found: Vec<_> = tyr::CALLS.iter().filter_map(|spec| crate::run::ioctl_number(spec, None)).collect();
        assert_eq!(found, uapi::tyr::NUMBERS);
    }

    #[test]
    fn whatever_is_taken_is_given_by_some_call() {
        for driver in [Driver::Vgem, Driver::Nova, Driver::Tyr] {
            let specs = of(driver);
            for class in specs.iter().flat_map(|spec| spec.takes()) {
                let given = specs.iter().any(|spec| spec.gives().any(|other| other == class));
                assert!(given, "{driver:?}: nothing gives {class:?}");
            }
        }
    }
}
