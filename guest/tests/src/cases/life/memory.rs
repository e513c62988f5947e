// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Mappings and dma-bufs of a device that is unplugged (L6, L11).
//!
//! Source: `Documentation/gpu/drm-uapi.rst`, "Device Hot-Unplug"; `drm_dev_unplug` in
//! `drivers/gpu/drm/drm_drv.c`; `drivers/base/bus.c` for the errors of `bind` and `unbind`.

use sys::Mapping;
use uapi::{PAGE, RDWR, SYNC_END, SYNC_READ};

use crate::harness::check::Outcome;
use crate::subjects::device;
use crate::subjects::guest::Guest;
use crate::{same, works};

use super::unplug;

crate::cases::cases! {
    "life":
    mapping_survives, untouched_pages_survive, mapping_survives_the_file, mapping_is_inherited,
    read_only_mapping_survives, foreign_mapping_survives, dma_buf_survives, dma_buf_can_be_mapped_anew,
    dma_buf_survives_the_file,
}

/// After an unplug a mapping is refaulted: its contents stay, and there is no SIGBUS (the contract of drm-uapi.rst).
fn mapping_survives(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let mapping = works!(file.map(works!(file.pages(16)), 16 * PAGE));
    (0..16).for_each(|page| mapping.write(page * PAGE, page as u32 + 1));
    unplug(guest)?;
    for page in 0..16 {
        same!(mapping.read(page * PAGE), page as u32 + 1);
        mapping.write(page * PAGE + 4, 7);
        same!(mapping.read(page * PAGE + 4), 7);
    }
    Ok(())
}

/// Pages first touched after the unplug are zero and can be written.
fn untouched_pages_survive(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let mapping = works!(file.map(works!(file.pages(4)), 4 * PAGE));
    unplug(guest)?;
    for page in 0..4 {
        same!(mapping.read(page * PAGE), 0);
        mapping.write(page * PAGE, 3);
    }
    Ok(())
}

/// L11: a mapping alone holds references to the object and the device.
fn mapping_survives_the_file(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let mapping = works!(file.map(works!(file.pages(2)), 2 * PAGE));
    mapping.write(0, 0x900d);
    unplug(guest)?;
    drop(file);
    mapping.write(PAGE, 1);
    same!((mapping.read(0), mapping.read(PAGE)), (0x900d, 1));
    Ok(())
}

/// fork(2) after the unplug gives the copy a mapping of its own.
fn mapping_is_inherited(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let mapping = works!(file.map(works!(file.pages(1)), PAGE));
    mapping.write(0, 1);
    unplug(guest)?;
    let status = works!(sys::in_forked_copy(|| {
        mapping.write(4, mapping.read(0) + 1);
        true
    }));
    same!(status, 0);
    same!(mapping.read(4), 2);
    Ok(())
}

/// A read-only mapping is refaulted read-only.
fn read_only_mapping_survives(guest: &Guest) -> Outcome {
    use rustix::mm::{MapFlags, ProtFlags};
    let file = guest.open()?;
    let handle = works!(file.pages(1));
    works!(file.map(handle, PAGE)).write(0, 5);
    let offset = works!(file.map_offset(handle));
    let mapping = works!(Mapping::new(&file, offset, PAGE, ProtFlags::READ, MapFlags::SHARED));
    same!(mapping.read(0), 5);
    unplug(guest)?;
    same!(mapping.read(0), 5);
    Ok(())
}

/// The mapping of an import through the node belongs to its exporter, so an unplug does not affect it.
fn foreign_mapping_survives(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let memory = works!(sys::memory_file(PAGE));
    let buffer = works!(device::udmabuf(&memory, PAGE));
    let handles = [works!(file.pages(1)), works!(file.pages(1)), works!(file.pages(1))];
    let offset = works!(file.map_offset(handles[1]));
    works!(file.gem_close(handles[1]));
    works!(file.import(&buffer)); // takes the offset that became free
    let mapping = works!(Mapping::shared(&file, offset, PAGE));
    mapping.write(0, 0xf0e);
    unplug(guest)?;
    same!(mapping.read(0), 0xf0e);
    same!(works!(Mapping::shared(&memory, 0, PAGE)).read(0), 0xf0e);
    Ok(())
}

/// Mappings through the dma-buf stay, and its other calls work.
fn dma_buf_survives(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let buffer = works!(file.export(works!(file.pages(2)), RDWR));
    let mapping = works!(Mapping::shared(&buffer, 0, 2 * PAGE));
    mapping.write(0, 0xd0);
    unplug(guest)?;
    mapping.write(PAGE, 0xd1);
    same!((mapping.read(0), mapping.read(PAGE)), (0xd0, 0xd1));
    works!(device::dma_buf_sync(&buffer, SYNC_READ));
    works!(device::dma_buf_sync(&buffer, SYNC_READ | SYNC_END));
    same!(works!(device::readable_now(&buffer)), true);
    Ok(())
}

/// A dma-buf can be mapped for the first time after the unplug.
fn dma_buf_can_be_mapped_anew(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(1));
    works!(file.map(handle, PAGE)).write(0, 0x11);
    let buffer = works!(file.export(handle, RDWR));
    unplug(guest)?;
    drop(file);
    same!(works!(Mapping::shared(&buffer, 0, PAGE)).read(0), 0x11);
    Ok(())
}

/// L11: the dma-buf alone holds references to the object and the device; its close frees them.
fn dma_buf_survives_the_file(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let buffer = works!(file.export(works!(file.pages(1)), RDWR));
    let mapping = works!(Mapping::shared(&buffer, 0, PAGE));
    drop(file);
    unplug(guest)?;
    drop(buffer);
    mapping.write(0, 1);
    same!(mapping.read(0), 1);
    Ok(())
}
