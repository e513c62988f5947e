// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The table of a storm's calls: each with its weight and, for an ioctl, the fields of its argument.
//!
//! Source: `include/uapi/drm/drm.h`, `drm_mode.h`, `vgem_drm.h`, `nova_drm.h`, `panthor_drm.h`, `linux/dma-buf.h`,
//! `linux/sync_file.h` (Linux 7.3).

use rustix::io::Errno;
use sys::Answer;
use uapi::*;

use crate::driver::Driver;

use super::calls;
use super::client::{Client, Kind};
use super::field::Field::{self, *};
use super::field::Pool;

/// A kind of call.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: &'static str,
    /// The call's weight among all weights.
    pub(super) weight: u32,
    pub(super) what: What,
}

impl Row {
    /// Returns the fields of the argument.
    pub(super) fn fields(&self) -> &'static [Field] {
        match self.what {
            What::Ioctl { fields, .. } => fields,
            What::Do(_) => &[],
        }
    }
}

/// The action of a row.
#[derive(Debug)]
pub(super) enum What {
    /// An ioctl on a file of a kind.
    Ioctl { on: Kind, number: u32, fields: &'static [Field] },
    /// Any other system call.
    Do(fn(&mut Client<'_>) -> Answer),
}

/// The index of the row that opens a node.
pub(super) const OPEN: usize = 0;

/// Returns the calls of a driver's storm.
pub(super) fn rows(driver: Driver) -> Vec<&'static Row> {
    let own = match driver {
        Driver::Rust | Driver::C => VGEM,
        Driver::Nova => NOVA,
        Driver::Tyr => TYR,
    };
    CALLS.iter().chain(CORE).chain(SHARED).chain(own).collect()
}

/// Returns the numbers of DRM's ioctls with the size of their arguments, as a base for random ioctls.
pub(super) fn known() -> impl Iterator<Item = u32> {
    all().filter(|(number, _)| !asks_for_much(*number as u8)).map(|(number, _)| number)
}

/// Whether an ioctl of this number makes an object, or has a number of elements in its argument. With random values the
/// size could be all of the memory, or the number so large that C warns about the allocation (docs/reference/c-core-faults.md).
pub(super) fn asks_for_much(number: u8) -> bool {
    let much = |fields: &[Field]| fields.iter().any(|field| matches!(field, New(Pool::Gem) | Count));
    all().any(|(known, fields)| known as u8 == number && much(fields))
}

fn all() -> impl Iterator<Item = (u32, &'static [Field])> {
    let rows = [CORE, VGEM, NOVA, TYR].into_iter().flatten();
    rows.filter_map(|row| match row.what {
        What::Ioctl { number, fields, .. } => Some((number, fields)),
        What::Do(_) => None,
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
    Errno::OPNOTSUPP,
    Errno::PERM,
    Errno::TIME,
    Errno::TIMEDOUT,
];

const fn call(name: &'static str, weight: u32, run: fn(&mut Client<'_>) -> Answer) -> Row {
    Row { name, weight, what: What::Do(run) }
}

const fn drm<T>(name: &'static str, weight: u32, request: Request<T>, fields: &'static [Field]) -> Row {
    on(Kind::Drm, name, weight, request, fields)
}

const fn on<T>(on: Kind, name: &'static str, weight: u32, request: Request<T>, fields: &'static [Field]) -> Row {
    Row { name, weight, what: What::Ioctl { on, number: request.number, fields } }
}

/// System calls that are not ioctls, and ioctls of any number.
const CALLS: &[Row] = &[
    call("open", 60, calls::open),
    call("close", 25, calls::close),
    call("dup", 8, calls::dup),
    call("fork", 2, calls::fork),
    call("pidfd_getfd", 8, calls::steal),
    call("mmap", 40, calls::map),
    call("munmap", 15, calls::unmap),
    call("mremap", 8, calls::remap),
    call("mprotect", 8, calls::protect),
    call("madvise", 12, calls::advise),
    call("msync", 3, calls::sync),
    call("fault to read", 40, calls::fault_to_read),
    call("fault to write", 40, calls::fault_to_write),
    call("poll", 15, calls::poll),
    call("read", 10, calls::read),
    call("fdinfo", 6, calls::fdinfo),
    call("sysfs", 3, calls::sysfs),
    call("debugfs", 3, calls::debugfs),
    call("eventfd", 4, calls::event),
    call("foreign dma-buf", 6, calls::foreign),
    call("any ioctl", 40, calls::any_ioctl),
];

const TEXTS: &[Field] = &[Word(&[0]), Word(&[0]), Word(&[0]), Pad, Length, Room, Length, Room, Length, Room];
const CAPS: &[u64] = &[1, 2, 3, 4, 5, 6, 8, 9, 0x10, 0x12, 0x13, 0x14, 0x15];
const POINTS: &[u64] = &[0, 0, 1, 2, 3, 5, 8];
const HANDLES: Field = Array(&[Id(Pool::Syncobj)]);
const TIMES: Field = Array(&[Long(POINTS)]);
/// `DRM_CLOEXEC | DRM_RDWR`
const FILE_FLAGS: &[u32] = &[0, RDWR, CLOEXEC, CLOEXEC | RDWR];

/// The ioctls of the DRM core.
const CORE: &[Row] = &[
    drm("VERSION", 5, VERSION, TEXTS),
    drm("GET_UNIQUE", 2, GET_UNIQUE, &[Length, Room]),
    drm("SET_CLIENT_NAME", 3, SET_CLIENT_NAME, &[Length, Room]),
    drm("GET_MAGIC", 2, GET_MAGIC, &[New(Pool::Magic)]),
    drm("AUTH_MAGIC", 2, AUTH_MAGIC, &[Id(Pool::Magic)]),
    drm("GET_CLIENT", 2, GET_CLIENT, &[Word(&[0, 1]), Pad, Long(&[0]), Long(&[0]), Long(&[0]), Long(&[0])]),
    drm("SET_VERSION", 2, SET_VERSION, &[Word(&[1]), Word(&[0, 1, 4]), Word(&[u32::MAX]), Word(&[u32::MAX])]),
    drm("GET_CAP", 8, GET_CAP, &[Long(CAPS), Long(&[0])]),
    drm("SET_CLIENT_CAP", 3, SET_CLIENT_CAP, &[Long(&[1, 2, 3, 4, 5, 6]), Long(&[0, 1])]),
    drm("SET_MASTER", 2, SET_MASTER, &[]),
    drm("DROP_MASTER", 2, DROP_MASTER, &[]),
    drm("GEM_CLOSE", 25, GEM_CLOSE, &[Gone(Pool::Gem), Pad]),
    drm("GEM_FLINK", 8, GEM_FLINK, &[Id(Pool::Gem), New(Pool::Name)]),
    drm("GEM_OPEN", 8, GEM_OPEN, &[Id(Pool::Name), New(Pool::Gem), Long(&[0])]),
    drm("GEM_CHANGE_HANDLE", 5, GEM_CHANGE_HANDLE, &[Id(Pool::Gem), Word(&[1, 2, 3, 40, 41])]),
    drm("PRIME_HANDLE_TO_FD", 25, PRIME_HANDLE_TO_FD, &[Id(Pool::Gem), Word(FILE_FLAGS), NewFile]),
    drm("PRIME_FD_TO_HANDLE", 25, PRIME_FD_TO_HANDLE, &[New(Pool::Gem), Pad, Descriptor(Kind::DmaBuf)]),
    drm("PRIME_FD_TO_HANDLE of a udmabuf", 6, PRIME_FD_TO_HANDLE, &[New(Pool::Gem), Pad, Descriptor(Kind::Udmabuf)]),
    drm(
        "MODE_GETRESOURCES",
        1,
        MODE_GETRESOURCES,
        &[
            Long(&[0]),
            Long(&[0]),
            Long(&[0]),
            Long(&[0]),
            Word(&[0]),
            Word(&[0]),
            Word(&[0]),
            Word(&[0]),
            Word(&[0]),
            Word(&[0]),
            Word(&[0]),
            Word(&[0]),
        ],
    ),
    drm(
        "MODE_CREATE_DUMB",
        25,
        MODE_CREATE_DUMB,
        &[
            Only(&[0, 1, 8, 32, 64]),
            Only(&[1, 32, 33, 64]),
            Only(&[0, 1, 8, 16, 24, 32, 64]),
            Pad,
            New(Pool::Gem),
            Pad,
            Long(&[0]),
        ],
    ),
    drm("MODE_MAP_DUMB", 25, MODE_MAP_DUMB, &[Id(Pool::Gem), Pad, NewLong(Pool::Offset)]),
    drm("MODE_DESTROY_DUMB", 8, MODE_DESTROY_DUMB, &[Gone(Pool::Gem)]),
    drm("SYNCOBJ_CREATE", 12, uapi::sync::SYNCOBJ_CREATE, &[New(Pool::Syncobj), Bits(1)]),
    drm("SYNCOBJ_DESTROY", 6, uapi::sync::SYNCOBJ_DESTROY, &[Gone(Pool::Syncobj), Pad]),
    drm(
        "SYNCOBJ_HANDLE_TO_FD",
        6,
        uapi::sync::SYNCOBJ_HANDLE_TO_FD,
        &[Id(Pool::Syncobj), Bits(3), NewFile, Pad, Long(POINTS)],
    ),
    drm(
        "SYNCOBJ_FD_TO_HANDLE",
        6,
        uapi::sync::SYNCOBJ_FD_TO_HANDLE,
        &[New(Pool::Syncobj), Word(&[0]), Descriptor(Kind::SyncobjFile), Pad, OnlyLong(&[0])],
    ),
    drm(
        "SYNCOBJ_FD_TO_HANDLE of a sync file",
        6,
        uapi::sync::SYNCOBJ_FD_TO_HANDLE,
        // If the allocation of a point fails, C leaks the fence and the sync object (docs/reference/c-core-faults.md).
        &[Id(Pool::Syncobj), Word(&[1, 3]), Descriptor(Kind::SyncFile), Pad, OnlyLong(&[0])],
    ),
    drm("SYNCOBJ_WAIT", 6, uapi::sync::SYNCOBJ_WAIT, &[HANDLES, Deadline, Count, Bits(15), Word(&[0]), Pad, Deadline]),
    drm("SYNCOBJ_RESET", 4, uapi::sync::SYNCOBJ_RESET, &[HANDLES, Count, Pad]),
    drm("SYNCOBJ_SIGNAL", 4, uapi::sync::SYNCOBJ_SIGNAL, &[HANDLES, Count, Pad]),
    drm(
        "SYNCOBJ_TIMELINE_WAIT",
        6,
        uapi::sync::SYNCOBJ_TIMELINE_WAIT,
        &[HANDLES, TIMES, Deadline, Count, Bits(15), Word(&[0]), Pad, Deadline],
    ),
    drm("SYNCOBJ_QUERY", 5, uapi::sync::SYNCOBJ_QUERY, &[HANDLES, TIMES, Count, Bits(1)]),
    drm(
        "SYNCOBJ_TRANSFER",
        6,
        uapi::sync::SYNCOBJ_TRANSFER,
        &[Id(Pool::Syncobj), Id(Pool::Syncobj), Long(POINTS), Long(POINTS), Bits(2), Pad],
    ),
    drm("SYNCOBJ_TIMELINE_SIGNAL", 6, uapi::sync::SYNCOBJ_TIMELINE_SIGNAL, &[HANDLES, TIMES, Count, Word(&[0])]),
    drm(
        "SYNCOBJ_EVENTFD",
        5,
        uapi::sync::SYNCOBJ_EVENTFD,
        &[Id(Pool::Syncobj), Bits(4), Long(POINTS), Descriptor(Kind::Event), Pad],
    ),
];

/// The ioctls of files that a device's files lead to.
const SHARED: &[Row] = &[
    on(Kind::DmaBuf, "DMA_BUF_SYNC", 8, DMA_BUF_SYNC, &[Long(&[0, 1, 2, 3, 5, 6, 7])]),
    on(Kind::DmaBuf, "DMA_BUF_SET_NAME", 2, DMA_BUF_SET_NAME_B, &[Long(&[0x61_6161])]),
    on(Kind::DmaBuf, "DMA_BUF_EXPORT_SYNC_FILE", 8, DMA_BUF_EXPORT_SYNC_FILE, &[Word(&[1, 2, 3]), NewFile]),
    on(
        Kind::DmaBuf,
        "DMA_BUF_IMPORT_SYNC_FILE",
        5,
        DMA_BUF_IMPORT_SYNC_FILE,
        &[Word(&[1, 2, 3]), Descriptor(Kind::SyncFile)],
    ),
    on(
        Kind::SyncFile,
        "SYNC_IOC_MERGE",
        4,
        SYNC_MERGE,
        &[Long(&[0x6161]), Long(&[0]), Long(&[0]), Long(&[0]), Descriptor(Kind::SyncFile), NewFile, Pad, Pad],
    ),
    on(
        Kind::SyncFile,
        "SYNC_IOC_FILE_INFO",
        4,
        SYNC_FILE_INFO,
        &[
            Long(&[0]),
            Long(&[0]),
            Long(&[0]),
            Long(&[0]),
            Word(&[0]),
            Pad,
            Count,
            Pad,
            // `struct sync_fence_info`
            Array(&[
                Long(&[0]),
                Long(&[0]),
                Long(&[0]),
                Long(&[0]),
                Long(&[0]),
                Long(&[0]),
                Long(&[0]),
                Long(&[0]),
                Word(&[0]),
                Word(&[0]),
                Long(&[0]),
            ]),
        ],
    ),
    on(Kind::SyncFile, "SYNC_IOC_SET_DEADLINE", 2, SYNC_SET_DEADLINE, &[Deadline, Long(&[0])]),
];

/// The ioctls of vgem.
const VGEM: &[Row] = &[
    drm("VGEM_FENCE_ATTACH", 25, VGEM_FENCE_ATTACH, &[Id(Pool::Gem), Bits(1), New(Pool::Fence), Pad]),
    drm("VGEM_FENCE_SIGNAL", 15, VGEM_FENCE_SIGNAL, &[Gone(Pool::Fence), Word(&[0])]),
];

/// The ioctls of nova.
const NOVA: &[Row] = &[
    drm("NOVA_GETPARAM", 25, uapi::nova::NOVA_GETPARAM, &[Long(&[1, 1, 0, 2]), Long(&[0])]),
    drm("NOVA_GEM_CREATE", 40, uapi::nova::NOVA_GEM_CREATE, &[New(Pool::Gem), Pad, Long(&[1, 4096, 65536, 1 << 20])]),
    drm("NOVA_GEM_INFO", 25, uapi::nova::NOVA_GEM_INFO, &[Id(Pool::Gem), Pad, Long(&[0])]),
];

const P: u64 = PAGE as u64;
const VM: Field = Id(Pool::Vm);
const OBJECT: Field = Id(Pool::Gem);
/// Sizes that are not refused are small: a larger buffer that is bound would take all of the memory.
const SIZES: &[u64] =
    &[P, 16 * P, 64 * P, 64 * P, 64 * P, 64 * P, 64 * P, 64 * P, 0, P - 1, 1 << 63, u64::MAX - P + 1, u64::MAX];
const RANGES: &[u64] = &[P, P, P, 4 * P, 4 * P, 4 * P, 16 * P, 16 * P, 64 * P, 1 << 21];
const PLACES: &[u64] = &[0, P, 16 * P, 1 << 20, (1 << 21) - P, 1 << 21, 1 << 30, 1 << 31];
const OFFSETS: &[u64] = &[0, 0, 0, P, 4 * P, 16 * P];

const SIGNAL: u32 = tyr::SYNC_SIGNAL;
const TIMELINE: u32 = tyr::SYNC_TIMELINE;
/// A wait needs a fence that exists already, so most operations signal. There is a sync operation for each element of
/// each operation.
const SYNCS: Field =
    Objects(&[Word(&[SIGNAL, SIGNAL, SIGNAL, SIGNAL, SIGNAL, SIGNAL, SIGNAL, 0]), Id(Pool::Syncobj), Long(&[0])]);
const POINT: u32 = SIGNAL | TIMELINE;
const POINT_SYNCS: Field =
    Objects(&[Word(&[POINT, POINT, POINT, POINT, POINT, POINT, POINT, TIMELINE]), Id(Pool::Syncobj), Long(POINTS)]);

const MAPS: Field =
    Word(&[tyr::OP_MAP, tyr::OP_MAP | tyr::MAP_READONLY, tyr::OP_MAP | tyr::MAP_NOEXEC | tyr::MAP_UNCACHED]);
/// Operations that name no object.
const OTHERS: Field = Word(&[tyr::OP_UNMAP, tyr::OP_UNMAP, tyr::MAP_SPARSE | tyr::MAP_NOEXEC]);
const ZERO: Field = Word(&[0]);
const ZEROS: Field = Long(&[0]);
const QUEUED: Field = Word(&[tyr::BIND_ASYNC]);

/// The ioctls of tyr.
const TYR: &[Row] = &[
    call("mmap of registers", 15, calls::registers),
    drm("DEV_QUERY", 15, tyr::DEV_QUERY, &[Word(&[0, 1, 2, 3, 4, 5]), Word(&[4, 8, 24, 56, 112, 0, 200]), Room]),
    drm(
        "VM_CREATE",
        25,
        tyr::VM_CREATE,
        &[Pad, New(Pool::Vm), Long(&[0, 0, 0, 1 << 32, 1 << 32, 1 << 40, 1 << 47, P])],
    ),
    drm("VM_DESTROY", 8, tyr::VM_DESTROY, &[Gone(Pool::Vm), Pad]),
    // An operation that is executed at once has no sync operations, and one that maps no object names none.
    drm(
        "VM_BIND of objects",
        40,
        tyr::VM_BIND,
        &[VM, ZERO, Objects(&[MAPS, OBJECT, Long(OFFSETS), Long(PLACES), Long(RANGES), ZEROS, ZEROS])],
    ),
    drm(
        "VM_BIND of ranges",
        25,
        tyr::VM_BIND,
        &[VM, ZERO, Objects(&[OTHERS, ZERO, ZEROS, Long(PLACES), Long(RANGES), ZEROS, ZEROS])],
    ),
    drm(
        "VM_BIND of objects, queued",
        40,
        tyr::VM_BIND,
        &[VM, QUEUED, Objects(&[MAPS, OBJECT, Long(OFFSETS), Long(PLACES), Long(RANGES), POINT_SYNCS])],
    ),
    drm(
        "VM_BIND of ranges, queued",
        25,
        tyr::VM_BIND,
        &[VM, QUEUED, Objects(&[OTHERS, ZERO, ZEROS, Long(PLACES), Long(RANGES), SYNCS])],
    ),
    drm(
        "VM_BIND of nothing, queued",
        10,
        tyr::VM_BIND,
        &[VM, QUEUED, Objects(&[Word(&[tyr::OP_SYNC_ONLY]), ZERO, ZEROS, ZEROS, ZEROS, SYNCS])],
    ),
    drm("VM_GET_STATE", 8, tyr::VM_GET_STATE, &[VM, Word(&[0])]),
    drm(
        "BO_CREATE",
        40,
        tyr::BO_CREATE,
        &[
            OnlyLong(SIZES),
            Word(&[0, 0, 0, tyr::BO_NO_MMAP, tyr::BO_WB_MMAP, u32::MAX]),
            Word(&[0, 0, 0, 0, 1, 2]),
            New(Pool::Gem),
            Pad,
        ],
    ),
    drm("BO_MMAP_OFFSET", 25, tyr::BO_MMAP_OFFSET, &[OBJECT, Pad, NewLong(Pool::Offset)]),
    drm("BO_SET_LABEL", 6, tyr::BO_SET_LABEL, &[OBJECT, Pad, Room]),
    drm("SET_USER_MMIO_OFFSET", 4, tyr::SET_USER_MMIO_OFFSET, &[Long(&[tyr::MMIO_OFFSET_32, tyr::MMIO_OFFSET_64])]),
    drm("BO_SYNC", 8, tyr::BO_SYNC, &[Objects(&[OBJECT, Word(&[0, 1, 2]), Long(&[0, P]), Long(RANGES)])]),
    drm("BO_QUERY_INFO", 6, tyr::BO_QUERY_INFO, &[OBJECT, Word(&[0]), Word(&[0]), Pad]),
    drm(
        "GROUP_CREATE",
        3,
        tyr::GROUP_CREATE,
        &[Objects(&[Long(&[0]), Long(&[0])]), Word(&[0]), Pad, Long(&[1]), Long(&[1]), Long(&[1]), VM, Word(&[0])],
    ),
    drm("GROUP_DESTROY", 2, tyr::GROUP_DESTROY, &[Word(&[1]), Pad]),
    drm("GROUP_SUBMIT", 2, tyr::GROUP_SUBMIT, &[Word(&[1]), Pad, Objects(&[Long(&[0]), Long(&[0])])]),
    drm("GROUP_GET_STATE", 2, tyr::GROUP_GET_STATE, &[Word(&[1]), Word(&[0]), Word(&[0]), Pad]),
    drm(
        "TILER_HEAP_CREATE",
        2,
        tyr::TILER_HEAP_CREATE,
        &[VM, Word(&[1]), Word(&[1 << 21]), Word(&[4]), Word(&[4]), Word(&[0]), Long(&[0]), Long(&[0])],
    ),
    drm("TILER_HEAP_DESTROY", 2, tyr::TILER_HEAP_DESTROY, &[Word(&[1]), Pad]),
];

#[cfg(test)]
mod tests {
    use super::super::board::ROWS;
    use super::*;

    #[test]
    fn an_argument_is_as_long_as_its_number_says() {
        for row in [CORE, SHARED, VGEM, NOVA, TYR].into_iter().flatten() {
            let What::Ioctl { number, fields, .. } = row.what else { continue };
            let size: usize = fields.iter().map(Field::size).sum();
            assert_eq!(size, ioc_size(number), "{}", row.name);
        }
    }

    #[test]
    fn fields_lie_where_a_c_compiler_puts_them() {
        for row in [CORE, SHARED, VGEM, NOVA, TYR].into_iter().flatten() {
            let What::Ioctl { fields, .. } = row.what else { continue };
            let mut at = 0;
            for field in fields {
                assert_eq!(at % field.size().min(8), 0, "{} at {at}", row.name);
                at += field.size();
            }
        }
    }

    #[test]
    fn the_board_has_room_for_every_row() {
        for driver in [Driver::Rust, Driver::C, Driver::Nova, Driver::Tyr] {
            assert!(rows(driver).len() <= ROWS);
            assert_eq!(rows(driver)[OPEN].name, "open");
            let mut names: Vec<_> = rows(driver).iter().map(|row| row.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), rows(driver).len());
        }
    }
}
