// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The table of a storm's calls, each with its weight: the ioctls that `guest/random` describes, and other system calls.
//!
//! Source: `guest/random/src/spec`, which names the headers.

use random::spec::{self, Class, Does, Kind, Spec};
use rustix::io::Errno;
use sys::Answer;

use crate::subjects::driver::Driver;

use super::calls;
use super::client::Client;
use super::display;

/// A kind of call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) name: &'static str,
    /// The call's weight among all weights.
    pub(super) weight: u32,
    pub(super) what: What,
}

impl Row {
    /// Returns the description of an ioctl.
    pub(super) fn spec(&self) -> Option<&'static Spec> {
        match self.what {
            What::Ioctl(spec) => Some(spec),
            What::Do(_) => None,
        }
    }
}

/// The action of a row.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    /// An ioctl.
    Ioctl(&'static Spec),
    /// Any other system call.
    Do(fn(&mut Client<'_>) -> Answer),
}

/// The index of the row that opens a node.
pub(super) const OPEN: usize = 0;

/// Returns the calls of a driver's storm.
pub(super) fn rows(driver: Driver) -> Vec<Row> {
    let (interface, own): (_, &[Row]) = match driver {
        Driver::Rust | Driver::C => (spec::Driver::Vgem, &[]),
        Driver::Nova => (spec::Driver::Nova, &[]),
        Driver::Tyr => (spec::Driver::Tyr, &[REGISTERS]),
        Driver::Vkms | Driver::CVkms => (spec::Driver::Vkms, display::CALLS),
    };
    let ioctls = spec::of(interface).into_iter().filter(|spec| matches!(spec.does, Does::Ioctl { .. }));
    let ioctls = ioctls.map(|spec| Row { name: spec.name, weight: weight(driver, spec), what: What::Ioctl(spec) });
    CALLS.iter().chain(own).copied().chain(ioctls).collect()
}

/// Returns the weight of an ioctl. The processes of a display take turns at being the master, without whom no mode is
/// set.
fn weight(driver: Driver, spec: &Spec) -> u32 {
    match (driver, spec.name) {
        (Driver::Vkms | Driver::CVkms, "set_master") => 24,
        (Driver::Vkms | Driver::CVkms, "drop_master") => 8,
        _ => spec.weight,
    }
}

/// Returns the numbers of DRM's ioctls with the size of their arguments, as a base for random ioctls.
pub(super) fn known() -> impl Iterator<Item = u32> {
    all().map(|(number, _)| number).filter(|number| !asks_for_much(*number as u8))
}

/// Whether an ioctl of this number makes an object, or has a number of elements in its argument. With random values the
/// size could be all of the memory, or the number so large that C warns about the allocation (docs/reference/c-core-faults.md).
pub(super) fn asks_for_much(number: u8) -> bool {
    let much = |spec: &Spec| {
        let is_much = |kind| matches!(kind, Kind::Gives(_, Class::Handle) | Kind::Count(_) | Kind::Length);
        spec.fields.iter().any(|field| is_much(field.kind))
    };
    all().any(|(known, spec)| known as u8 == number && much(spec))
}

/// Returns all ioctls on DRM files.
fn all() -> impl Iterator<Item = (u32, &'static Spec)> {
    spec::all().filter_map(|spec| match spec.does {
        Does::Ioctl { on: Class::File, number } => Some((number, spec)),
        _ => None,
    })
}

/// All errors that an ioctl of DRM may return: those of drm-uapi.rst, of drm_ioctl() itself, and of the functions it
/// calls.
pub(super) const ANSWERS: &[Errno] = &[
    Errno::ACCESS,
    Errno::AGAIN,
    Errno::BADF,
    Errno::BUSY,
    Errno::CANCELED,
    Errno::TOOBIG,
    Errno::EXIST,
    Errno::FAULT,
    Errno::INTR,
    Errno::INVAL,
    Errno::IO,
    Errno::MFILE,
    Errno::NODEV,
    Errno::NOENT,
    Errno::NOMEM,
    Errno::NOSPC,
    Errno::NOSYS,
    Errno::NOTTY,
    // A display without a cursor plane.
    Errno::NXIO,
    Errno::OPNOTSUPP,
    Errno::PERM,
    // A plane whose picture would be scaled.
    Errno::RANGE,
    Errno::TIME,
    Errno::TIMEDOUT,
];

pub(super) const fn call(name: &'static str, weight: u32, run: fn(&mut Client<'_>) -> Answer) -> Row {
    Row { name, weight, what: What::Do(run) }
}

/// System calls that are not ioctls, and ioctls of any number.
const CALLS: &[Row] = &[
    call("open", 36, calls::open),
    call("close", 15, calls::close),
    call("dup", 5, calls::dup),
    call("fork", 1, calls::fork),
    call("pidfd_getfd", 5, calls::steal),
    call("mmap", 24, calls::map),
    call("munmap", 9, calls::unmap),
    call("mremap", 5, calls::remap),
    call("mprotect", 5, calls::protect),
    call("madvise", 7, calls::advise),
    call("msync", 2, calls::sync),
    call("fault to read", 24, calls::fault_to_read),
    call("fault to write", 24, calls::fault_to_write),
    call("poll", 9, calls::poll),
    call("read", 6, calls::read),
    call("fdinfo", 4, calls::fdinfo),
    call("sysfs", 2, calls::sysfs),
    call("debugfs", 2, calls::debugfs),
    call("eventfd", 3, calls::event),
    call("foreign dma-buf", 4, calls::foreign),
    call("any ioctl", 24, calls::any_ioctl),
];

/// A call on the page of registers that tyr's clients may map.
const REGISTERS: Row = call("mmap of registers", 9, calls::registers);

#[cfg(test)]
mod tests {
    use super::super::board::ROWS;
    use super::*;

    #[test]
    fn the_board_has_room_for_every_row() {
        for driver in [Driver::Rust, Driver::C, Driver::Nova, Driver::Tyr, Driver::Vkms] {
            assert!(rows(driver).len() <= ROWS);
            assert_eq!(rows(driver)[OPEN].name, "open");
            let mut names: Vec<_> = rows(driver).iter().map(|row| row.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), rows(driver).len());
        }
    }

    #[test]
    fn a_random_ioctl_makes_no_object() {
        assert!(known().count() > 10);
        assert!(asks_for_much(uapi::MODE_CREATE_DUMB.number as u8));
        assert!(asks_for_much(uapi::sync::SYNCOBJ_WAIT.number as u8));
        assert!(asks_for_much(uapi::mode::CREATEPROPBLOB.number as u8));
        assert!(!asks_for_much(uapi::GET_CAP.number as u8));
    }
}
