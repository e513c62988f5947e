// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Loads and unloads the driver's module while objects of it are in use (L6, L19).
//!
//! Source: delete_module(2), `kernel/module/main.c`, `drm_gem_dmabuf_export` and the `owner` of the file operations
//! (Linux 7.3).

use std::os::fd::OwnedFd;

use rustix::event::PollFlags;
use sys::Mapping;
use uapi::{CLOEXEC, FENCE_WRITE, PAGE, RDWR, SYNC_WRITE};

use crate::harness::check::Outcome;
use crate::harness::modules::{self, Modules};
use crate::subjects::device;
use crate::subjects::guest::Guest;
use crate::{holds, refuses, same, works};

super::cases! {
    "module":
    unload_and_load, load_twice, unload_twice, refused_while_a_file_is_open, refused_while_a_mapping_exists,
    refused_while_a_dma_buf_exists, refused_with_many_users, allowed_with_a_foreign_buffer_left,
    signalled_fence_outlives_it, repeated_load_and_unload within 60, library_is_held_by_the_driver,
}

/// Calls delete_module(2) on the driver under test.
fn unload(guest: &Guest) -> sys::Answer {
    modules::remove(guest.driver.module())
}

fn load(files: &Modules) -> Outcome {
    works!(files.load());
    Ok(())
}

/// After an unload the device and its nodes are gone; after a load the device works as if new.
fn unload_and_load(guest: &Guest) -> Outcome {
    let files = guest.modules()?;
    let nodes = guest.nodes()?;
    works!(unload(guest));
    same!(guest.driver.find(), None);
    refuses!(rustix::fs::stat(&nodes.primary), NOENT);
    load(files)?;
    same!(works!(guest.open()?.capability(5)), 3);
    Ok(())
}

/// Loading the module twice fails with `EEXIST` and has no effect.
fn load_twice(guest: &Guest) -> Outcome {
    let files = guest.modules()?;
    let file = guest.open()?;
    same!(files.load_last(), Err(rustix::io::Errno::EXIST));
    works!(file.capability(5));
    Ok(())
}

/// Unloading a module that is not loaded fails with `ENOENT`.
fn unload_twice(guest: &Guest) -> Outcome {
    let files = guest.modules()?;
    works!(unload(guest));
    refuses!(unload(guest), NOENT);
    load(files)
}

/// Unloading fails with `EAGAIN` while a file of either node is open, and succeeds after the close.
fn refused_while_a_file_is_open(guest: &Guest) -> Outcome {
    let files = guest.modules()?;
    for file in [guest.open()?, guest.open_render()?] {
        refuses!(unload(guest), AGAIN);
        works!(file.capability(5));
    }
    works!(unload(guest));
    load(files)
}

/// Unloading fails with `EAGAIN` while a mapping of a closed file exists.
fn refused_while_a_mapping_exists(guest: &Guest) -> Outcome {
    let files = guest.modules()?;
    let file = guest.open()?;
    let mapping = works!(file.map(works!(file.pages(1)), PAGE));
    drop(file);
    refuses!(unload(guest), AGAIN);
    mapping.write(0, 1);
    drop(mapping);
    works!(unload(guest));
    load(files)
}

/// Unloading fails with `EAGAIN` while a dma-buf of a closed file exists, or a mapping of it.
fn refused_while_a_dma_buf_exists(guest: &Guest) -> Outcome {
    let files = guest.modules()?;
    let file = guest.open()?;
    let buffer = works!(file.export(works!(file.pages(1)), RDWR));
    drop(file);
    refuses!(unload(guest), AGAIN);
    let mapping = works!(Mapping::shared(&buffer, 0, PAGE));
    drop(buffer);
    refuses!(unload(guest), AGAIN);
    mapping.write(0, 1);
    drop(mapping);
    works!(unload(guest));
    load(files)
}

/// Unloading fails with `EAGAIN` until the last of many users is gone, in any order.
fn refused_with_many_users(guest: &Guest) -> Outcome {
    let files = guest.modules()?;
    let mut users: Vec<OwnedFd> = Vec::new();
    for _ in 0..10 {
        let file = guest.open()?;
        users.push(works!(file.export(works!(file.pages(1)), CLOEXEC)));
        users.push(works!(rustix::io::dup(&file)));
    }
    fastrand::Rng::with_seed(guest.seed).shuffle(&mut users);
    while let Some(user) = users.pop() {
        refuses!(unload(guest), AGAIN);
        drop(user);
    }
    works!(unload(guest));
    load(files)
}

/// A foreign buffer that was imported does not hold the module once the import is closed.
fn allowed_with_a_foreign_buffer_left(guest: &Guest) -> Outcome {
    let files = guest.modules()?;
    let memory = works!(sys::memory_file(PAGE));
    let buffer = works!(device::udmabuf(&memory, PAGE));
    let file = guest.open()?;
    let handle = works!(file.import(&buffer));
    refuses!(unload(guest), AGAIN);
    works!(file.gem_close(handle));
    drop(file);
    works!(unload(guest));
    works!(Mapping::shared(&buffer, 0, PAGE)).write(0, 1);
    load(files)
}

/// L19: a foreign buffer and a sync file keep a fence whose driver is gone.
fn signalled_fence_outlives_it(guest: &Guest) -> Outcome {
    let files = guest.modules()?;
    let memory = works!(sys::memory_file(PAGE));
    let buffer = works!(device::udmabuf(&memory, PAGE));
    let file = guest.open()?;
    works!(file.attach(works!(file.import(&buffer)), FENCE_WRITE));
    let sync_file = works!(device::export_sync_file(&buffer, SYNC_WRITE));
    drop(file);
    works!(unload(guest));
    same!(works!(sys::poll(&sync_file, PollFlags::IN, 0)), PollFlags::IN);
    same!(works!(device::fence_of(&sync_file)).status, 1);
    same!(works!(device::writable_now(&buffer)), true);
    drop((sync_file, buffer));
    load(files)
}

/// Ten loads and unloads with use in between succeed: everything is freed each time.
fn repeated_load_and_unload(guest: &Guest) -> Outcome {
    let files = guest.modules()?;
    for _ in 0..10 {
        let file = guest.open()?;
        let handle = works!(file.pages(4));
        works!(file.map(handle, 4 * PAGE)).write(PAGE, 1);
        works!(file.attach(handle, FENCE_WRITE));
        works!(file.export(handle, CLOEXEC));
        drop(file);
        works!(unload(guest));
        load(files)?;
    }
    Ok(())
}

/// Unloading `drm_rust` fails with `EAGAIN` while a driver uses it, and succeeds afterwards.
fn library_is_held_by_the_driver(guest: &Guest) -> Outcome {
    let files = guest.modules()?;
    let names = files.names();
    holds!(names.iter().any(|name| name == "drm_rust"), "`drm_rust` is among the modules");
    refuses!(modules::remove("drm_rust"), AGAIN);
    works!(unload(guest));
    remove_holders("drm_rust")?;
    works!(modules::remove("drm_rust"));
    load(files)
}

/// Unloads modules that other cases left and that use `module`. Some are needed by others that `holders` does not list,
/// since they only borrow data; they can be unloaded after those.
fn remove_holders(module: &str) -> Outcome {
    let listed = std::fs::read_dir(format!("/sys/module/{module}/holders"))?.flatten();
    let mut left: Vec<_> = listed.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    while !left.is_empty() {
        let before = left.len();
        left.retain(|holder| modules::remove(holder).is_err());
        holds!(left.len() < before, "one of {left:?} can be unloaded");
    }
    Ok(())
}
