// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The device that is bound after another one was unplugged (L12), in many rounds.
//!
//! Source: `Documentation/gpu/drm-uapi.rst`, "Device Hot-Unplug"; `drm_dev_unplug` in `drivers/gpu/drm/drm_drv.c`;
//! `drivers/base/bus.c` for the errors of `bind` and `unbind`.

use sys::Mapping;
use uapi::{CLOEXEC, FENCE_WRITE, PAGE, RDWR};

use crate::harness::check::Outcome;
use crate::subjects::device;
use crate::subjects::guest::Guest;
use crate::{holds, refuses, same, works};

use super::unplug;

crate::cases::cases! {
    "life":
    old_file_fails_on_the_new_device, old_buffer_is_foreign_to_the_new_device, old_fence_does_not_block_the_new_device,
    module_is_held_until_the_last_close, repeated_unbind_and_bind within 60,
    repeated_unbind_and_bind_with_open_files within 60,
}

/// A file that was opened before the unplug still fails after the next bind.
fn old_file_fails_on_the_new_device(guest: &Guest) -> Outcome {
    let old = guest.open()?;
    let handle = works!(old.pages(1));
    unplug(guest)?;
    works!(guest.driver.bind());
    let new = guest.open()?;
    refuses!(old.capability(5), NODEV);
    refuses!(new.map_offset(handle), NOENT);
    same!(works!(new.pages(1)), 1);
    drop(old);
    works!(new.map_offset(1));
    Ok(())
}

/// L12: a buffer of the old device is a foreign one for the new device, with its contents.
fn old_buffer_is_foreign_to_the_new_device(guest: &Guest) -> Outcome {
    let old = guest.open()?;
    let handle = works!(old.pages(1));
    works!(old.map(handle, PAGE)).write(0, 0x01d);
    let buffer = works!(old.export(handle, RDWR));
    unplug(guest)?;
    works!(guest.driver.bind());
    let new = guest.open()?;
    let imported = works!(new.import(&buffer));
    refuses!(new.map_offset(imported), INVAL);
    drop((old, buffer));
    let again = works!(new.export(imported, RDWR));
    same!(works!(Mapping::shared(&again, 0, PAGE)).read(0), 0x01d);
    Ok(())
}

/// A fence of the old device that ended with its file does not block the new device.
fn old_fence_does_not_block_the_new_device(guest: &Guest) -> Outcome {
    let old = guest.open()?;
    let memory = works!(sys::memory_file(PAGE));
    let buffer = works!(device::udmabuf(&memory, PAGE));
    works!(old.attach(works!(old.import(&buffer)), FENCE_WRITE));
    unplug(guest)?;
    works!(guest.driver.bind());
    let new = guest.open_render()?;
    let imported = works!(new.import(&buffer));
    drop(old);
    works!(new.signal(works!(new.attach(imported, FENCE_WRITE))));
    Ok(())
}

/// Files, mappings and dma-bufs of a device that is gone each hold the module until their end.
fn module_is_held_until_the_last_close(guest: &Guest) -> Outcome {
    let before = guest.users()?;
    let file = guest.open()?;
    let handle = works!(file.pages(1));
    let buffer = works!(file.export(handle, RDWR));
    let mapping = works!(file.map(handle, PAGE));
    unplug(guest)?;
    drop(file);
    holds!(guest.users()? > before, "mapping and dma-buf hold the module");
    drop(mapping);
    holds!(guest.users()? > before, "the dma-buf holds the module");
    drop(buffer);
    same!(guest.users()?, before);
    Ok(())
}

/// Fifty rounds with nothing open: numbers and users do not grow.
fn repeated_unbind_and_bind(guest: &Guest) -> Outcome {
    let (nodes, users) = (guest.nodes()?, guest.users()?);
    for _ in 0..50 {
        unplug(guest)?;
        works!(guest.driver.bind());
    }
    same!(guest.nodes()?, nodes);
    same!(guest.users()?, users);
    Ok(())
}

/// Twenty rounds, with a file, a mapping and a dma-buf of each device kept open to the end.
fn repeated_unbind_and_bind_with_open_files(guest: &Guest) -> Outcome {
    let users = guest.users()?;
    let mut kept = Vec::new();
    for round in 0..20 {
        let file = guest.open()?;
        let handle = works!(file.pages(1));
        let mapping = works!(file.map(handle, PAGE));
        mapping.write(0, round);
        kept.push((works!(file.export(handle, CLOEXEC)), mapping, file));
        unplug(guest)?;
        works!(guest.driver.bind());
    }
    for (round, (_, mapping, file)) in kept.iter().enumerate() {
        same!(mapping.read(0), round as u32);
        refuses!(file.capability(5), NODEV);
    }
    drop(kept);
    same!(guest.users()?, users);
    Ok(())
}
