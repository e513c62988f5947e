// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Operations that every driver has: the DRM core's on files and handles, opening, and reads of fdinfo.
//!
//! Source: the table in drivers/gpu/drm/drm_ioctl.c, `drm_open`, `drm_show_fdinfo` in drm_file.c (Linux 7.3).

use std::os::fd::{AsFd, AsRawFd};
use std::path::PathBuf;

use rustix::fs::OFlags;
use rustix::io::Errno;
use sys::Answer;
use uapi::{
    AUTH_MAGIC, Auth, Cap, DROP_MASTER, GEM_CHANGE_HANDLE, GET_CLIENT, GET_STATS, GET_UNIQUE, GemChangeHandle,
    SET_CLIENT_CAP, SET_CLIENT_NAME, SET_MASTER, SET_VERSION, SetVersion, Stats,
};

use super::operation::{Client, NUMBERS, OPEN, Operation, TELL, close};
use crate::harness::check::Outcome;
use crate::subjects::device::DrmFile;
use crate::sweeps::calls::Stood;
use crate::{holds, works};

/// `DRM_CAP_PRIME`
const CAP_PRIME: u64 = 5;

/// C records once per file that it may map an object, and a second record is not needed (`vma_node_allow`).
pub(crate) const RECORD: Stood = ("__kmalloc_cache_noprof", 1);

/// Allocations that may fail when a file opens its own object again.
const OPENED_AGAIN: &[Stood] = &[NUMBERS, RECORD];

/// Queries and settings of a file, which is the primary node's master.
pub(crate) fn files<F: Client>() -> Vec<Operation<F>> {
    vec![
        open("open", F::node),
        Operation::new(
            "read of fdinfo",
            |file: &F| {
                let path = format!("/proc/self/fdinfo/{}", file.file().as_fd().as_raw_fd());
                Ok(works!(sys::open(path, OFlags::RDONLY)))
            },
            |_, told| rustix::io::read(told, &mut [0; 4096]).map(drop),
            |_, _, _| Ok(()),
        )
        .within(TELL),
        Operation::alone("VERSION", |file: &F| file.file().version(&mut [0; 32]).map(drop)),
        Operation::alone("GET_UNIQUE", |file: &F| file.file().text(&GET_UNIQUE, &mut [0; 64]).map(drop)),
        Operation::alone("GET_CLIENT", |file: &F| file.file().ioctl(&GET_CLIENT, uapi::Client::default()).map(drop)),
        Operation::alone("GET_STATS", |file: &F| file.file().ioctl(&GET_STATS, Stats::default()).map(drop)),
        Operation::alone("GET_CAP", |file: &F| file.file().capability(CAP_PRIME).map(drop)),
        Operation::refused("SET_CLIENT_CAP", Errno::OPNOTSUPP, |file: &F| {
            file.file().ioctl(&SET_CLIENT_CAP, Cap { capability: 1, value: 1 }).map(drop)
        }),
        Operation::new(
            "SET_CLIENT_NAME",
            |_| Ok(()),
            |file: &F, ()| name(file, b"sweep"),
            |file, (), done| {
                holds!(file.file().fdinfo()?.contains("drm-client-name:\tsweep") == done, "it has the name: {done}");
                works!(name(file, b""));
                Ok(())
            },
        ),
    ]
}

/// Operations of a device with a render node.
pub(crate) fn render_node<F: Client>() -> Operation<F> {
    open("open of the render node", F::render_node)
}

fn open<F: Client>(name: &'static str, node: fn(&F) -> Outcome<PathBuf>) -> Operation<F> {
    Operation::new(
        name,
        move |file: &F| Ok((node(file)?, None)),
        |_, (node, made)| {
            *made = Some(DrmFile::open(&*node)?);
            Ok(())
        },
        |_, _, _| Ok(()),
    )
    .within(OPEN)
    .stands(crate::sweeps::calls::OPEN.stands)
}

fn name<F: Client>(file: &F, name: &[u8]) -> Answer {
    file.file().text(&SET_CLIENT_NAME, &mut name.to_vec()).map(drop)
}

/// The unique name of a PCI device, and of other devices: `drm_set_busid` does not check whether it got memory for the
/// latter.
pub(crate) const ON_PCI: &[Stood] = &[];
pub(crate) const NOT_ON_PCI: &[Stood] = &[("__kmalloc_node_track_caller_noprof", 1)];

/// Operations on masters and authentication, handles and global names. `naming` lists the failures that naming the
/// device absorbs.
pub(crate) fn handles<F: Client>(naming: &'static [Stood]) -> Vec<Operation<F>> {
    [masters(naming), names()].into_iter().flatten().collect()
}

fn masters<F: Client>(naming: &'static [Stood]) -> Vec<Operation<F>> {
    vec![
        Operation::new(
            "GET_MAGIC",
            |file: &F| file.another(),
            |_, other| other.file().magic().map(drop),
            |_, _, _| Ok(()),
        ),
        Operation::new(
            "AUTH_MAGIC",
            |file: &F| {
                let other = file.another()?;
                let magic = works!(other.file().magic());
                Ok((other, magic))
            },
            |file, (_, magic)| file.file().ioctl(&AUTH_MAGIC, Auth { magic: *magic }).map(drop),
            |_, _, _| Ok(()),
        ),
        Operation::alone("SET_VERSION", |file: &F| {
            let wanted = SetVersion { di_major: 1, di_minor: 4, dd_major: -1, dd_minor: -1 };
            file.file().ioctl(&SET_VERSION, wanted).map(drop)
        })
        .stands(naming),
        Operation::new(
            "SET_MASTER of a file that never was",
            |file: &F| {
                let other = file.another()?;
                works!(file.file().master(&DROP_MASTER));
                Ok(other)
            },
            |_, other| other.file().master(&SET_MASTER),
            |file, other, _| {
                drop(other);
                master(file)
            },
        ),
    ]
}

fn master<F: Client>(file: &F) -> Outcome {
    works!(file.file().master(&SET_MASTER));
    Ok(())
}

fn names<F: Client>() -> Vec<Operation<F>> {
    vec![
        Operation::new(
            "GEM_CLOSE",
            |file: &F| Ok(works!(file.object())),
            |file, handle| file.file().gem_close(*handle),
            |file, handle, done| if done { Ok(()) } else { close(file, handle) },
        ),
        Operation::on_object("GEM_CHANGE_HANDLE", |file: &F, handle| {
            let wanted = GemChangeHandle { handle, new_handle: handle + 1 };
            // `GEM_CHANGE_HANDLE` is switched off for all drivers.
            match file.file().ioctl(&GEM_CHANGE_HANDLE, wanted) {
                Err(Errno::INVAL) => Ok(()),
                other => other.map(drop),
            }
        }),
        Operation::on_object("GEM_FLINK", |file: &F, handle| file.file().flink(handle).map(drop)),
        Operation::new(
            "GEM_OPEN",
            |file: &F| {
                let handle = works!(file.object());
                Ok((handle, works!(file.file().flink(handle)), 0))
            },
            |file, (_, name, made)| {
                *made = file.file().gem_open(*name)?.handle;
                Ok(())
            },
            |file, (handle, _, made), done| {
                if done {
                    close(file, made)?;
                }
                close(file, handle)
            },
        )
        .stands(OPENED_AGAIN),
    ]
}
