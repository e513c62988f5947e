// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Unplugging a device in use, and what still works for its clients (L5, L6, L14).
//!
//! Source: `Documentation/gpu/drm-uapi.rst`, "Device Hot-Unplug"; `drm_dev_unplug` in `drivers/gpu/drm/drm_drv.c`;
//! `drivers/base/bus.c` for the errors of `bind` and `unbind`.

pub(crate) mod again;
pub(crate) mod memory;

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::fs::OFlags;
use sys::pace::patient;
use sys::{BadAddress, Mapping};
use uapi::{CLOEXEC, DRM, FENCE_WRITE, PAGE};

use crate::cases::fence::waiting::{until_asleep, woken};
use crate::harness::check::Outcome;
use crate::subjects::device::{self, DrmFile};
use crate::subjects::driver::device_number;
use crate::subjects::guest::Guest;
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "life":
    bind_and_unbind, repeated_bind_or_unbind_is_refused, unbind_removes_the_nodes,
    open_of_an_unplugged_node_fails_with_enodev, every_ioctl_is_refused, every_ioctl_of_the_render_node_is_refused,
    enodev_takes_precedence_over_other_errors, no_new_mapping_through_the_node, file_shows_no_driver,
    file_has_no_events, close_with_everything, pending_fence_ends_with_the_file,
    dma_buf_waiter_is_woken_by_unplug_or_close, sleeping_reader_does_not_delay,
}

/// Unplugs the device in use. Every case here begins with this.
fn unplug(guest: &Guest) -> Outcome {
    works!(guest.driver.unbind());
    Ok(())
}

/// After an unbind there is no device; after a bind it works as if new.
fn bind_and_unbind(guest: &Guest) -> Outcome {
    unplug(guest)?;
    same!(guest.driver.find(), None);
    works!(guest.driver.bind());
    same!(works!(guest.open()?.capability(5)), 3);
    Ok(())
}

/// Unbinding twice fails with `ENODEV`, binding twice with `EBUSY`.
fn repeated_bind_or_unbind_is_refused(guest: &Guest) -> Outcome {
    refuses!(guest.driver.bind(), BUSY);
    unplug(guest)?;
    refuses!(guest.driver.unbind(), NODEV);
    works!(guest.driver.bind());
    Ok(())
}

/// After an unplug nothing in `/dev` and `/sys` points to the device, although a file is open.
fn unbind_removes_the_nodes(guest: &Guest) -> Outcome {
    let (nodes, _file) = (guest.nodes()?, guest.open()?);
    unplug(guest)?;
    refuses!(rustix::fs::stat(&nodes.primary), NOENT);
    refuses!(rustix::fs::stat(&nodes.render), NOENT);
    refuses!(rustix::fs::stat(nodes.parent.join("drm")), NOENT);
    Ok(())
}

/// A node kept under another name fails to open with `ENODEV`, while an old file keeps the device.
fn open_of_an_unplugged_node_fails_with_enodev(guest: &Guest) -> Outcome {
    let _file = guest.open()?;
    let number = works!(device_number(&guest.nodes()?.primary));
    let path = format!("/dev/guest-tests-{}", std::process::id());
    let (kind, mode) = (rustix::fs::FileType::CharacterDevice, rustix::fs::Mode::RWXU);
    works!(rustix::fs::mknodat(rustix::fs::CWD, &path, kind, mode, number));
    unplug(guest)?;
    let opened = DrmFile::open(&path);
    works!(rustix::fs::unlink(&path));
    refuses!(opened, NODEV);
    Ok(())
}

/// Every ioctl of the core and the driver fails with `ENODEV`, guarded or not, with valid arguments.
fn every_ioctl_is_refused(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(1));
    let (name, fence) = (works!(file.flink(handle)), works!(file.attach(handle, 0)));
    let buffer = works!(file.export(handle, CLOEXEC));
    unplug(guest)?;
    refuses!(file.version(&mut [0; 16]), NODEV);
    refuses!(file.text(&uapi::GET_UNIQUE, &mut []), NODEV);
    refuses!(file.text(&uapi::SET_CLIENT_NAME, &mut b"late".to_vec()), NODEV);
    refuses!(file.capability(5), NODEV);
    refuses!(file.magic(), NODEV);
    refuses!(file.master(&uapi::DROP_MASTER), NODEV);
    refuses!(file.create_dumb(32, 32, 32), NODEV);
    refuses!(file.map_offset(handle), NODEV);
    refuses!(file.flink(handle), NODEV);
    refuses!(file.gem_open(name), NODEV);
    refuses!(file.export(handle, CLOEXEC), NODEV);
    refuses!(file.import(&buffer), NODEV);
    refuses!(file.attach(handle, FENCE_WRITE), NODEV);
    refuses!(file.signal(fence), NODEV);
    refuses!(file.destroy_dumb(handle), NODEV);
    refuses!(file.gem_close(handle), NODEV);
    Ok(())
}

/// Every ioctl on the render node's file fails with `ENODEV`, as on the card's.
fn every_ioctl_of_the_render_node_is_refused(guest: &Guest) -> Outcome {
    let (card, file) = (guest.open()?, guest.open_render()?);
    let buffer = works!(card.export(works!(card.pages(1)), CLOEXEC));
    let handle = works!(file.import(&buffer));
    let fence = works!(file.attach(handle, 0));
    unplug(guest)?;
    refuses!(file.capability(5), NODEV);
    refuses!(file.import(&buffer), NODEV);
    refuses!(file.export(handle, CLOEXEC), NODEV);
    refuses!(file.attach(handle, 0), NODEV);
    refuses!(file.signal(fence), NODEV);
    refuses!(file.gem_close(handle), NODEV);
    refuses!(file.create_dumb(32, 32, 32), NODEV);
    Ok(())
}

/// `ENODEV` takes precedence over other errors: numbers, kinds, addresses, permissions.
fn enodev_takes_precedence_over_other_errors(guest: &Guest) -> Outcome {
    let (file, render) = (guest.open()?, guest.open_render()?);
    unplug(guest)?;
    for number in [uapi::ioc(3, DRM, 0x40, 16), uapi::ioc(3, DRM, 0x9f, 16), uapi::ioc(3, b'T', 1, 4)] {
        refuses!(sys::ioctl_bytes(&file, number, &mut [0; 16]), NODEV);
    }
    for address in BadAddress::ALL {
        refuses!(sys::ioctl_bad(&file, uapi::VGEM_FENCE_ATTACH.number, address), NODEV);
        refuses!(sys::ioctl_bad(&file, uapi::GET_CAP.number, address), NODEV);
    }
    refuses!(render.magic(), NODEV);
    Ok(())
}

/// mmap(2) of an offset that was valid before the unplug fails with `ENODEV`.
fn no_new_mapping_through_the_node(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let offset = works!(file.map_offset(works!(file.pages(1))));
    works!(Mapping::shared(&file, offset, PAGE));
    unplug(guest)?;
    refuses!(Mapping::shared(&file, offset, PAGE), NODEV);
    refuses!(Mapping::shared(&file, 0, PAGE), NODEV);
    Ok(())
}

/// fdinfo still works, without a line about the driver.
fn file_shows_no_driver(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    unplug(guest)?;
    let info = file.fdinfo()?;
    holds!(info.contains("pos:") && !info.contains("drm-driver"), "fdinfo is bare: {info:?}");
    Ok(())
}

/// read(2) fails with `EAGAIN`, since a device that is gone sends no events. Nothing hangs.
fn file_has_no_events(guest: &Guest) -> Outcome {
    let file = works!(sys::open(guest.nodes()?.primary, OFlags::RDWR | OFlags::NONBLOCK));
    unplug(guest)?;
    refuses!(rustix::io::read(&file, &mut [0_u8; 64]), AGAIN);
    same!(works!(sys::poll(&file, PollFlags::IN, 0)), PollFlags::empty());
    Ok(())
}

/// A file with buffers, mappings, exports, imports, names and fences closes cleanly.
fn close_with_everything(guest: &Guest) -> Outcome {
    let users = guest.users()?;
    let (file, other) = (guest.open()?, guest.open_render()?);
    let memory = works!(sys::memory_file(PAGE));
    works!(file.import(&works!(device::udmabuf(&memory, PAGE))));
    let mut kept = Vec::new();
    for _ in 0..20 {
        let handle = works!(file.pages(2));
        let mapping = works!(file.map(handle, 2 * PAGE));
        mapping.write(0, 1);
        works!(file.flink(handle));
        let buffer = works!(file.export(handle, CLOEXEC));
        works!(other.attach(works!(other.import(&buffer)), 0));
        works!(file.attach(handle, 0));
        kept.push((mapping, buffer));
    }
    unplug(guest)?;
    drop(file);
    kept.truncate(10);
    drop(other);
    let (mappings, buffers): (Vec<_>, Vec<_>) = kept.into_iter().unzip();
    for mapping in &mappings {
        mapping.write(PAGE, 2);
        same!((mapping.read(0), mapping.read(PAGE)), (1, 2));
    }
    // A mapping through the node keeps the file, and with it the file's fences.
    drop(mappings);
    for buffer in &buffers {
        same!(works!(device::writable_now(buffer)), true);
    }
    holds!(guest.users()? > users, "dma-bufs hold the module");
    drop(buffers);
    same!(guest.users()?, users);
    Ok(())
}

/// L14: the file's data lives until the close, which signals the fences that the client can no longer signal.
fn pending_fence_ends_with_the_file(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(1));
    let buffer = works!(file.export(handle, CLOEXEC));
    works!(file.attach(handle, FENCE_WRITE));
    unplug(guest)?;
    drop(file);
    same!(works!(device::writable_now(&buffer)), true);
    Ok(())
}

/// A process that sleeps on the dma-buf is woken by the unplug or by the close, not by the time limit.
fn dma_buf_waiter_is_woken_by_unplug_or_close(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(1));
    let buffer = works!(file.export(handle, CLOEXEC));
    works!(file.attach(handle, FENCE_WRITE));
    let wake = || {
        works!(guest.driver.unbind());
        drop(file);
        Ok(())
    };
    let got = woken(|| sys::poll(&buffer, PollFlags::OUT, 9000), wake)?;
    // A forgotten waiter would return without an event, before the fence's own limit.
    same!(works!(got), PollFlags::OUT);
    Ok(())
}

/// A process that sleeps in read(2) on the node does not delay the unplug.
fn sleeping_reader_does_not_delay(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let copy = works!(rustix::io::dup(&file));
    // The reader is never woken; it ends with the process.
    let (begins, begun) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        begins.send(rustix::thread::gettid()).expect("the receiver outlives the thread");
        rustix::io::read(copy.as_fd(), &mut [0_u8; 64])
    });
    until_asleep(begun.recv().expect("the thread sends before it reads"))?;
    let start = Instant::now();
    unplug(guest)?;
    holds!(start.elapsed() < patient(Duration::from_secs(5)), "it took {:?}", start.elapsed());
    refuses!(file.capability(5), NODEV);
    Ok(())
}
