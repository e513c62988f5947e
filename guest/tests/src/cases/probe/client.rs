// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Makes each call fail that can fail while a node is opened and a buffer made, mapped, shared (L5, L11, L12, L14).
//!
//! Source: drivers/gpu/drm/drm_file.c, drm_prime.c, drm_gem.c (Linux 7.3).

use sys::Answer;
use uapi::{CLOEXEC, PAGE, RDWR};

use crate::harness::check::Outcome;
use crate::harness::failnth::{Call, MEMORY, enomem};
use crate::subjects::device;
use crate::subjects::guest::Guest;
use crate::subjects::lifecycle::{Client, DMA, GUARDED, Test, VMAP, bind, node, unbind};
use crate::sweeps::calls::{IOCTL, OPEN, called, each_call};
use crate::{holds, same, works};

crate::cases::cases! {
    "probe":
    l14_each_failure_in_an_open_is_undone within 120, l11_each_failure_in_a_dumb_create_is_undone within 120,
    l5_each_failure_in_a_dma_mapping_is_undone within 120, l12_each_failure_in_a_foreign_import_is_undone within 120,
    l11_each_failure_in_an_export_is_undone within 120,
}

/// A failed open leaves no file data, no client and no reference to the module.
fn l14_each_failure_in_an_open_is_undone(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let node = node("lifecycle.0", "card").expect("it is bound");
    let mut total = 0;
    for call in MEMORY.iter().chain(&[enomem("drm_file_alloc"), enomem("drm_master_open")]) {
        let mut kept = None;
        total += each_call(
            *call,
            &OPEN,
            || {
                kept = Some(device::DrmFile::open(&node)?);
                Ok(())
            },
            |_| Ok(()),
        )?;
    }
    holds!(total > 2, "{total} calls could fail");
    goes_completely(&mut test)
}

/// Checks that all references are dropped: the device is freed by its unbind, and the module can be unloaded.
fn goes_completely(test: &mut Test<'_>) -> Outcome {
    works!(unbind(0));
    test.trace.wait_for("0: data dropped")?;
    same!(test.trace.count("file close"), test.trace.count("0: file dropped"));
    works!(bind(0));
    works!(test.open(0)?.call(&GUARDED, 0, 0, 0));
    test.unload()
}

/// Makes each call of an ioctl fail in turn. A handle that the ioctl returns without a failure is closed.
fn each_call_of(test: &mut Test<'_>, steps: &[Call], ioctl: impl Fn(&Client) -> Answer<Option<u32>>) -> Outcome {
    let client = test.open(0)?;
    let mut total = 0;
    for call in MEMORY.iter().chain(steps) {
        let mut made = None;
        let attempt = || {
            made = ioctl(&client)?;
            if let Some(handle) = made {
                client.0.gem_close(handle)?;
            }
            Ok(())
        };
        let calls = each_call(*call, &IOCTL, attempt, |_| Ok(()))?;
        if steps.iter().any(|step| step.function == call.function) {
            called(*call, calls)?;
        }
        total += calls;
    }
    holds!(total > 1, "{total} calls could fail");
    drop(client);
    goes_completely(test)
}

/// Every failure while a dumb buffer is made is undone: the payload, the C object, its file, its offset, its handle.
fn l11_each_failure_in_a_dumb_create_is_undone(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let steps = [enomem("drm_gem_object_init"), enomem("drm_gem_create_mmap_offset"), enomem("drm_gem_handle_create")];
    each_call_of(&mut test, &steps, |client| client.0.pages(2).map(Some))
}

/// Every failure while an object is mapped for the hardware is undone: pages, table, mapping.
fn l5_each_failure_in_a_dma_mapping_is_undone(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let steps = [enomem("drm_gem_shmem_get_pages_sgt"), enomem("drm_gem_get_pages"), enomem("dma_map_sgtable")];
    each_call_of(&mut test, &steps, |client| {
        let handle = client.object(PAGE as u64)?;
        match client.call(&DMA, 0, handle, 0).and_then(|_| client.call(&VMAP, 0, handle, 1)) {
            Ok(_) => Ok(Some(handle)),
            Err(errno) => client.0.gem_close(handle).and(Err(errno)),
        }
    })
}

/// A failed import undoes the attachment, and leaves the dma-buf with no more users than before.
fn l12_each_failure_in_a_foreign_import_is_undone(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let memory = works!(sys::memory_file(PAGE));
    let buffer = works!(device::udmabuf(&memory, PAGE));
    let users = device::fdinfo(&buffer)?;
    let steps =
        [enomem("dma_buf_dynamic_attach"), enomem("drm_gem_create_mmap_offset"), enomem("dma_buf_map_attachment")];
    each_call_of(&mut test, &steps, |client| {
        let handle = client.0.import(&buffer)?;
        match client.call(&DMA, 0, handle, 0) {
            Ok(_) => Ok(Some(handle)),
            Err(errno) => client.0.gem_close(handle).and(Err(errno)),
        }
    })?;
    same!(device::fdinfo(&buffer)?, users);
    Ok(())
}

/// A failed export leaves no reference.
fn l11_each_failure_in_an_export_is_undone(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let steps = [enomem("dma_buf_export")];
    each_call_of(&mut test, &steps, |client| {
        let handle = client.object(PAGE as u64)?;
        match client.0.export(handle, RDWR | CLOEXEC) {
            Ok(_) => Ok(Some(handle)),
            Err(errno) => client.0.gem_close(handle).and(Err(errno)),
        }
    })
}
