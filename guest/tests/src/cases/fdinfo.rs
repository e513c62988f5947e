// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The contents of `/proc/PID/fdinfo` for a file of the device.
//!
//! Source: `Documentation/gpu/drm-usage-stats.rst`; `drm_show_fdinfo`, `drm_show_memory_stats` in
//! `drivers/gpu/drm/drm_file.c` (Linux 7.3).

use uapi::{CLOEXEC, FENCE_WRITE};

use crate::harness::check::{Outcome, fail};
use crate::subjects::guest::Guest;
use crate::{holds, same, works};

super::cases! {
    "fdinfo":
    driver_and_client, clients_differ, client_name, refused_client_name, memory_of_nothing,
    memory_grows_and_shrinks, shared_memory, active_memory,
}

/// Returns the value of a key, without the tab before it.
fn value<'a>(info: &'a str, key: &str) -> Outcome<&'a str> {
    let found = info.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(":\t"));
    match found {
        Some(value) => Ok(value),
        None => fail(format!("no `{key}` in {info:?}")),
    }
}

/// Both nodes show the driver's name and a client number, and no PCI address.
fn driver_and_client(guest: &Guest) -> Outcome {
    for file in [guest.open()?, guest.open_render()?] {
        let info = file.fdinfo()?;
        same!(value(&info, "drm-driver")?, "vgem");
        holds!(value(&info, "drm-client-id")?.parse::<u64>().is_ok(), "the client has a number");
        holds!(!info.contains("drm-pdev"), "no PCI address is in {info:?}");
    }
    Ok(())
}

/// Each open file is a client of its own.
fn clients_differ(guest: &Guest) -> Outcome {
    let (first, second) = (guest.open()?.fdinfo()?, guest.open()?.fdinfo()?);
    same!(value(&first, "drm-client-id")? == value(&second, "drm-client-id")?, false);
    Ok(())
}

/// A name is shown, can be replaced, and is removed by length zero.
fn client_name(guest: &Guest) -> Outcome {
    let file = guest.open_render()?;
    works!(file.text(&uapi::SET_CLIENT_NAME, &mut b"first".to_vec()));
    same!(value(&file.fdinfo()?, "drm-client-name")?, "first");
    works!(file.text(&uapi::SET_CLIENT_NAME, &mut [b'x'; 64]));
    same!(value(&file.fdinfo()?, "drm-client-name")?, "x".repeat(64));
    works!(file.text(&uapi::SET_CLIENT_NAME, &mut []));
    holds!(!file.fdinfo()?.contains("drm-client-name"), "no name is shown");
    Ok(())
}

/// A refused name leaves the previous one unchanged.
fn refused_client_name(guest: &Guest) -> Outcome {
    let file = guest.open_render()?;
    works!(file.text(&uapi::SET_CLIENT_NAME, &mut b"good".to_vec()));
    crate::refuses!(file.text(&uapi::SET_CLIENT_NAME, &mut b"not good".to_vec()), INVAL);
    same!(value(&file.fdinfo()?, "drm-client-name")?, "good");
    Ok(())
}

/// A file without buffers uses no memory.
fn memory_of_nothing(guest: &Guest) -> Outcome {
    let info = guest.open()?.fdinfo()?;
    same!(value(&info, "drm-total-memory")?, "0");
    same!(value(&info, "drm-shared-memory")?, "0");
    Ok(())
}

/// Each handle counts with its size until it is closed.
fn memory_grows_and_shrinks(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(1));
    same!(value(&file.fdinfo()?, "drm-total-memory")?, "4 KiB");
    works!(file.pages(3));
    same!(value(&file.fdinfo()?, "drm-total-memory")?, "16 KiB");
    works!(file.gem_close(handle));
    same!(value(&file.fdinfo()?, "drm-total-memory")?, "12 KiB");
    Ok(())
}

/// An exported buffer counts as shared memory.
fn shared_memory(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    works!(file.pages(2));
    works!(file.export(works!(file.pages(1)), CLOEXEC));
    let info = file.fdinfo()?;
    same!(value(&info, "drm-shared-memory")?, "4 KiB");
    same!(value(&info, "drm-total-memory")?, "12 KiB");
    Ok(())
}

/// A buffer with a pending fence counts as active.
fn active_memory(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    works!(file.pages(2));
    let fence = works!(file.attach(works!(file.pages(1)), FENCE_WRITE));
    same!(value(&file.fdinfo()?, "drm-active-memory")?, "4 KiB");
    works!(file.signal(fence));
    let info = file.fdinfo()?;
    holds!(!info.contains("drm-active-memory:\t4"), "no buffer is active in {info:?}");
    Ok(())
}
