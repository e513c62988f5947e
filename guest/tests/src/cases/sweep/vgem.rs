// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The operations of vgem: dumb buffers, and fences by number.
//!
//! Source: `include/uapi/drm/vgem_drm.h`, `drm_mode.h` (Linux 7.3).

use uapi::FENCE_WRITE;

use crate::harness::check::Outcome;
use crate::harness::modules;
use crate::subjects::device::DrmFile;
use crate::subjects::guest::Guest;
use crate::sweeps::operation::{ARRAY, Client, NUMBERS, OF_MEMORY, Operation, close};
use crate::sweeps::run::{sweep, unused};
use crate::sweeps::{common, sharing};
use crate::works;

crate::cases::cases! {
    "sweep":
    files within 240, handles within 240, own_ioctls within 240, sharing within 240, mapping within 240,
}

fn of_vgem(guest: &Guest, table: Vec<Operation<DrmFile>>) -> Outcome {
    let reload = || {
        works!(modules::remove("vgem_rust"));
        works!(guest.modules()?.load());
        guest.nodes().map(drop)
    };
    sweep(guest, &table, || guest.open(), || unused("vgem_rust"), reload)
}

fn files(guest: &Guest) -> Outcome {
    of_vgem(guest, common::files().into_iter().chain([common::render_node()]).collect())
}

fn handles(guest: &Guest) -> Outcome {
    of_vgem(guest, common::handles(common::NOT_ON_PCI))
}

fn own_ioctls(guest: &Guest) -> Outcome {
    of_vgem(guest, own())
}

fn sharing(guest: &Guest) -> Outcome {
    of_vgem(guest, sharing::buffers())
}

fn mapping(guest: &Guest) -> Outcome {
    of_vgem(guest, sharing::mappings(|file, pages| file.pages(pages), DrmFile::map_offset))
}

/// The handles of the dumb interface, and the driver's own calls.
fn own() -> Vec<Operation<DrmFile>> {
    vec![
        Operation::new(
            "MODE_CREATE_DUMB",
            |_| Ok(0),
            |file: &DrmFile, handle| {
                *handle = file.pages(2)?;
                Ok(())
            },
            |file, handle, done| if done { close(file, handle) } else { Ok(()) },
        )
        .wants(OF_MEMORY)
        .stands(&[NUMBERS]),
        Operation::on_object("MODE_MAP_DUMB", |file: &DrmFile, handle| file.map_offset(handle).map(drop)),
        Operation::new(
            "MODE_DESTROY_DUMB",
            |file: &DrmFile| Ok(works!(file.object())),
            |file, handle| file.destroy_dumb(*handle),
            |file, handle, done| if done { Ok(()) } else { close(file, handle) },
        ),
        attach("VGEM_FENCE_ATTACH to read", 0),
        attach("VGEM_FENCE_ATTACH to write", FENCE_WRITE),
        Operation::new(
            "VGEM_FENCE_SIGNAL",
            |file: &DrmFile| {
                let handle = works!(file.pages(1));
                Ok((handle, works!(file.attach(handle, 0))))
            },
            |file, (_, fence)| file.signal(*fence),
            |file, (handle, fence), done| {
                if !done {
                    works!(file.signal(fence));
                }
                close(file, handle)
            },
        ),
    ]
}

/// Attaches a fence. A failure leaves no fence that others would wait for.
fn attach(name: &'static str, flags: u32) -> Operation<DrmFile> {
    Operation::new(
        name,
        |file: &DrmFile| Ok((works!(file.pages(1)), 0)),
        move |file, (handle, fence)| {
            *fence = file.attach(*handle, flags)?;
            Ok(())
        },
        |file, (handle, fence), done| {
            if done {
                works!(file.signal(fence));
            }
            let next = works!(file.attach(handle, FENCE_WRITE));
            works!(file.signal(next));
            close(file, handle)
        },
    )
    .stands(&[ARRAY])
}
