// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Describes all calls as data: their structures field by field, and the objects that each field refers to.
//!
//! Source: each table names its own.

mod core;
mod files;
pub mod mode;
mod nova;
mod sync;
mod tyr;
mod vgem;
mod vkms;

use uapi::Request;

/// A driver whose interface is described.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Driver {
    /// vgem.
    Vgem,
    /// nova.
    Nova,
    /// tyr.
    Tyr,
    /// vkms.
    Vkms,
}

impl Driver {
    /// All drivers.
    pub const ALL: [Self; 4] = [Self::Vgem, Self::Nova, Self::Tyr, Self::Vkms];
}

/// A kind of object that a call makes and a later one uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// An open file of the device's nodes.
    File,
    /// A dma-buf.
    DmaBuf,
    /// A sync file.
    SyncFile,
    /// A file of a sync object.
    SyncobjFile,
    /// An eventfd.
    EventFile,
    /// A file's handle of a buffer.
    Handle,
    /// A file's handle of a sync object.
    Syncobj,
    /// A buffer's global name.
    Name,
    /// A number to authenticate by.
    Magic,
    /// The mmap(2) offset of a buffer.
    Offset,
    /// A mapping of the process.
    Mapping,
    /// vgem's number of a fence.
    Fence,
    /// tyr's number of an address space.
    Vm,
    /// tyr's number of a group of queues.
    Group,
    /// tyr's number of a heap.
    Heap,
    /// A CRTC of a display.
    Crtc,
    /// A plane.
    Plane,
    /// A connector.
    Connector,
    /// An encoder.
    Encoder,
    /// A property of such an object.
    Property,
    /// A framebuffer.
    Framebuffer,
    /// A blob that holds a mode.
    Mode,
    /// A blob that holds anything else.
    Blob,
    /// A client that has leased objects.
    Lessee,
}

impl Class {
    /// The number of classes.
    pub const COUNT: usize = Self::Lessee as usize + 1;

    /// Whether its numbers are file descriptors.
    pub const fn is_file(self) -> bool {
        matches!(self, Self::File | Self::DmaBuf | Self::SyncFile | Self::SyncobjFile | Self::EventFile)
    }

    /// Returns the number that means "no object".
    pub const fn nothing(self) -> u64 {
        if self.is_file() { u64::MAX } else { 0 }
    }
}

/// The kind of a field.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A number of this size in bytes, with values that are worth trying.
    Number(usize, &'static [u64]),
    /// Like `Number`, but combined of these bits.
    Flags(usize, &'static [u64]),
    /// A number of bytes of memory, or a factor of one. Values between small and far too large are not tried, since the
    /// guest would only run out of memory.
    Size(usize, &'static [u64]),
    /// This number of zero bytes.
    Zeros(usize),
    /// A number of this size in bytes that should be zero.
    Pad(usize),
    /// A time of the monotonic clock in nanoseconds: soon, or one of these.
    Time(&'static [u64]),
    /// A number that an earlier call returned.
    Takes(usize, Class),
    /// Like `Takes`; a call that succeeds ends the object.
    Ends(usize, Class),
    /// Like `Takes`, but no object is as good: 0, or a descriptor of -1.
    May(usize, Class),
    /// A number that the kernel fills in.
    Gives(usize, Class),
    /// The distance of the rows that the next [`Kind::Rows`] points to.
    Stride,
    /// The number of those rows. It is never above this maximum.
    Count(u32),
    /// The number of bytes of those rows. It is small, since the kernel allocates as much.
    Length,
    /// The address of rows of fields.
    Rows(&'static [Field]),
    /// The address of one structure.
    One(&'static [Field]),
    /// The address of this number of four-byte numbers of objects, which the kernel fills in. 0 is no object.
    Array(usize, Class),
    /// The number of the property of this name.
    Property(&'static str),
    /// The address of the numbers of the objects that a commit changes. Each has some of its properties set.
    Settings(&'static [Setting]),
    /// The address of something else about each of those objects, as another array.
    Column(Column),
    /// The address of at most this number of bytes.
    Room(usize),
}

impl Kind {
    /// Returns the class of the object that the field refers to.
    pub const fn takes(self) -> Option<Class> {
        match self {
            Self::Takes(_, class) | Self::Ends(_, class) | Self::May(_, class) => Some(class),
            _ => None,
        }
    }

    /// Returns the field's size in a structure.
    pub const fn size(self) -> usize {
        match self {
            Self::Number(size, _) | Self::Flags(size, _) | Self::Size(size, _) => size,
            Self::Takes(size, _) | Self::Ends(size, _) | Self::May(size, _) | Self::Gives(size, _) => size,
            Self::Zeros(size) | Self::Pad(size) => size,
            Self::Stride | Self::Count(_) | Self::Length | Self::Property(_) => 4,
            Self::Time(_) | Self::Rows(_) | Self::One(_) | Self::Room(_) | Self::Array(..) => 8,
            Self::Settings(_) | Self::Column(_) => 8,
        }
    }

    /// Returns the fields of the rows that the field points to.
    pub const fn rows(self) -> Option<&'static [Field]> {
        match self {
            Self::Rows(fields) | Self::One(fields) => Some(fields),
            _ => None,
        }
    }
}

/// Some properties of one object of a display.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The name in a program's text.
    pub name: &'static str,
    /// The object, and then its properties by name. The value of a property has eight bytes.
    pub fields: &'static [Field],
}

/// An array beside that of the objects that a commit changes.
#[derive(Clone, Copy, Debug)]
pub enum Column {
    /// The number of properties of each object, in four bytes.
    Counts,
    /// The numbers of the properties of all objects, in four bytes each.
    Properties,
    /// The values of those properties, in eight bytes each.
    Values,
}

/// A field of a structure.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The name in a program's text.
    pub name: &'static str,
    /// The values that the field can have.
    pub kind: Kind,
}

/// Returns the size of all fields together; the structures have no padding.
pub fn size_of(fields: &[Field]) -> usize {
    fields.iter().map(|field| field.kind.size()).sum()
}

/// The action of a call.
#[derive(Clone, Copy, Debug)]
pub enum Does {
    /// ioctl(2).
    Ioctl {
        /// The class of the file that the call is made on.
        on: Class,
        /// The ioctl's number.
        number: u32,
    },
    /// Opens a node by open(2).
    Open,
    /// Opens the primary node and asks for all planes and for commits, as a compositor does.
    OpenDisplay,
    /// close(2)
    Close,
    /// mmap(2)
    Mmap,
    /// munmap(2)
    Munmap,
    /// Reads or writes a byte of a mapping, without a signal if that fails.
    Touch,
    /// poll(2)
    Poll,
    /// read(2)
    Read,
    /// Reads `/proc/self/fdinfo`.
    Fdinfo,
    /// eventfd(2)
    Eventfd,
    /// Makes a buffer of another exporter.
    Foreign,
    /// Unbinds the driver from the device.
    Unbind,
    /// Binds the driver again.
    Bind,
    /// Writes a connector's `status` in sysfs, which forces it on or off, or probes it.
    Connect,
}

/// A call.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// The name in a program's text and in a storm's figures.
    pub name: &'static str,
    /// The action.
    pub does: Does,
    /// The fields of the structure, or the arguments of the action.
    pub fields: &'static [Field],
    /// The call's weight among all calls.
    pub weight: u32,
}

impl Spec {
    /// Returns the classes of the numbers that the call returns.
    pub fn gives(&self) -> impl Iterator<Item = Class> + use<> {
        let special = match self.does {
            Does::Open | Does::OpenDisplay => Some(Class::File),
            Does::Mmap => Some(Class::Mapping),
            Does::Eventfd => Some(Class::EventFile),
            Does::Foreign => Some(Class::DmaBuf),
            _ => None,
        };
        special.into_iter().chain(self.fields.iter().flat_map(|field| given(field.kind)))
    }

    /// Returns the classes that the call needs, including the file that it is made on.
    pub fn takes(&self) -> impl Iterator<Item = Class> + use<> {
        let on = match self.does {
            Does::Ioctl { on, .. } => Some(on),
            _ => None,
        };
        on.into_iter().chain(self.fields.iter().flat_map(|field| taken(field.kind)))
    }
}

fn taken(kind: Kind) -> Vec<Class> {
    match kind {
        Kind::Rows(fields) | Kind::One(fields) => fields.iter().flat_map(|field| taken(field.kind)).collect(),
        Kind::Settings(settings) => {
            let all = || settings.iter().flat_map(|setting| setting.fields);
            all().filter(|field| matches!(field.kind, Kind::Takes(..))).flat_map(|field| field.kind.takes()).collect()
        }
        kind => kind.takes().into_iter().collect(),
    }
}

fn given(kind: Kind) -> Vec<Class> {
    match kind {
        Kind::Gives(_, class) | Kind::Array(_, class) => vec![class],
        _ => Vec::new(),
    }
}

/// Returns the number of an ioctl, with the size of its structure or another one.
pub fn ioctl_number(spec: &Spec, size: Option<u16>) -> Option<u32> {
    let Does::Ioctl { number, .. } = spec.does else { return None };
    Some(size.map_or(number, |size| uapi::ioc(number >> 30, (number >> 8) as u8, number as u8, size.into())))
}

/// Returns all calls of all drivers, by name.
pub fn all() -> impl Iterator<Item = &'static Spec> {
    let own = [vgem::CALLS, nova::CALLS, tyr::CALLS, mode::CALLS, vkms::CALLS];
    [files::CALLS, core::CALLS, sync::CALLS].into_iter().chain(own).flatten()
}

/// Returns the calls that make sense for a driver.
pub fn of(driver: Driver) -> Vec<&'static Spec> {
    let own = match driver {
        Driver::Vgem => [vgem::CALLS, &[]],
        Driver::Nova => [nova::CALLS, &[]],
        Driver::Tyr => [tyr::CALLS, &[]],
        Driver::Vkms => [mode::CALLS, vkms::CALLS],
    };
    [files::CALLS, core::CALLS, sync::CALLS].into_iter().chain(own).flatten().collect()
}

/// Returns the call of a name.
pub fn named(name: &str) -> Option<&'static Spec> {
    all().find(|spec| spec.name == name)
}

/// The usual padding.
const PAD: Kind = Kind::Pad(4);

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

    fn settings(fields: &[Field]) -> impl Iterator<Item = &'static Setting> {
        let of = |field: &Field| match field.kind {
            Kind::Settings(settings) => settings,
            _ => &[],
        };
        fields.iter().flat_map(of)
    }

    #[test]
    fn a_setting_is_an_object_and_values_of_eight_bytes() {
        let all: Vec<_> = all().flat_map(|spec| settings(spec.fields)).collect();
        assert!(!all.is_empty());
        for Setting { name, fields } in all {
            let (object, values) = fields.split_first().unwrap();
            assert!(matches!(object.kind, Kind::Takes(4, _)), "{name}");
            assert!(!values.is_empty() && values.iter().all(|value| value.kind.size() == 8), "{name}");
        }
    }

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
            fields.iter().filter_map(|field| field.kind.rows()).for_each(check);
            settings(fields).for_each(|setting| check(setting.fields));
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
        let mut found: Vec<_> = tyr::CALLS.iter().filter_map(|spec| ioctl_number(spec, None)).collect();
        found.dedup();
        assert_eq!(found, uapi::tyr::NUMBERS);
    }

    #[test]
    fn another_size_changes_the_number_and_nothing_else() {
        let spec = named("gem_close").unwrap();
        assert_eq!(ioctl_number(spec, None), Some(0x4008_6409));
        assert_eq!(ioctl_number(spec, Some(16)), Some(0x4010_6409));
        assert_eq!(ioctl_number(named("open").unwrap(), None), None);
    }

    #[test]
    fn fields_lie_where_a_c_compiler_puts_them() {
        fn check(name: &str, fields: &[Field]) {
            let mut at = 0;
            for field in fields {
                let align = match field.kind {
                    Kind::Zeros(_) => 1,
                    Kind::Number(3, _) => 1,
                    kind => kind.size(),
                };
                assert_eq!(at % align, 0, "{name}: {} at {at}", field.name);
                at += field.kind.size();
                field.kind.rows().into_iter().for_each(|row| check(name, row));
            }
        }
        all().filter(|spec| matches!(spec.does, Does::Ioctl { .. })).for_each(|spec| check(spec.name, spec.fields));
    }

    #[test]
    fn whatever_is_taken_is_given_by_some_call() {
        for driver in Driver::ALL {
            let specs = of(driver);
            for class in specs.iter().flat_map(|spec| spec.takes()) {
                let given = specs.iter().any(|spec| spec.gives().any(|other| other == class));
                assert!(given, "{driver:?}: nothing gives {class:?}");
            }
        }
    }
}
