// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The open file itself: opening, reading, polling, sharing (L14).
//!
//! Source: `drm_open_helper`, `drm_read`, `drm_poll` in `drivers/gpu/drm/drm_file.c`, `DEFINE_DRM_GEM_FOPS` in
//! `include/drm/drm_gem.h` (Linux 7.3).

use rustix::event::PollFlags;
use rustix::fs::{FileType, Mode, OFlags, SeekFrom};

use crate::harness::check::Outcome;
use crate::subjects::device::DrmFile;
use crate::subjects::driver::device_number;
use crate::subjects::guest::Guest;
use crate::{holds, refuses, same, works};

super::cases! {
    "file":
    exclusive_open, many_open_files, reading_without_events, polling_without_events, writing,
    seeking, node_made_by_hand, node_number_without_device, duplicates_share_handles,
    handles_belong_to_the_file_not_the_process, closing_frees_what_was_open,
}

/// An open with `O_EXCL` fails with `EBUSY`: DRM supports no exclusive open.
fn exclusive_open(guest: &Guest) -> Outcome {
    let nodes = guest.nodes()?;
    refuses!(sys::open(&nodes.primary, OFlags::RDWR | OFlags::EXCL), BUSY);
    refuses!(sys::open(&nodes.render, OFlags::RDWR | OFlags::EXCL), BUSY);
    works!(sys::open(&nodes.primary, OFlags::RDWR));
    works!(sys::open(&nodes.render, OFlags::RDWR));
    Ok(())
}

/// Each open file has its own state, and there can be hundreds of them.
fn many_open_files(guest: &Guest) -> Outcome {
    let node = guest.nodes()?.render;
    let users = guest.users();
    let files = works!((0..300).map(|_| DrmFile::open(&node)).collect::<Result<Vec<_>, _>>());
    for file in &files {
        same!(works!(file.capability(5)), 3);
    }
    drop(files);
    if let Ok(users) = users {
        same!(guest.users()?, users);
    }
    Ok(())
}

/// A non-blocking read(2) fails with `EAGAIN`, since there are no events.
fn reading_without_events(guest: &Guest) -> Outcome {
    let nodes = guest.nodes()?;
    for node in [nodes.primary, nodes.render] {
        let file = works!(sys::open(node, OFlags::RDWR | OFlags::NONBLOCK));
        refuses!(rustix::io::read(&file, &mut [0_u8; 4096]), AGAIN);
        refuses!(rustix::io::read(&file, &mut [0_u8; 0]), AGAIN);
    }
    Ok(())
}

/// Without events poll(2) reports nothing: neither readable nor writable, and no error.
fn polling_without_events(guest: &Guest) -> Outcome {
    let all = PollFlags::IN | PollFlags::OUT | PollFlags::PRI;
    for file in [guest.open()?, guest.open_render()?] {
        same!(works!(sys::poll(&file, all, 0)), PollFlags::empty());
    }
    Ok(())
}

/// write(2) to a node fails with `EINVAL`.
fn writing(guest: &Guest) -> Outcome {
    refuses!(rustix::io::write(guest.open()?, b"anything"), INVAL);
    refuses!(rustix::io::write(guest.open_render()?, b""), INVAL);
    Ok(())
}

/// Seeking has no effect and is no error.
fn seeking(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    same!(works!(rustix::fs::seek(&file, SeekFrom::Start(4096))), 0);
    same!(works!(rustix::fs::seek(&file, SeekFrom::End(0))), 0);
    Ok(())
}

/// A node made by mknod(2) opens the device, which is found by number, not by name.
fn node_made_by_hand(guest: &Guest) -> Outcome {
    let path = format!("/dev/guest-tests-{}", std::process::id());
    let number = works!(device_number(&guest.nodes()?.render));
    works!(make_node(&path, number));
    let file = DrmFile::open(&path);
    works!(rustix::fs::unlink(&path));
    same!(works!(works!(file).capability(5)), 3);
    Ok(())
}

/// Opening a DRM number that no device has fails with `ENODEV`.
fn node_number_without_device(_guest: &Guest) -> Outcome {
    let path = format!("/dev/guest-tests-{}", std::process::id());
    works!(make_node(&path, rustix::fs::makedev(226, 191)));
    let file = DrmFile::open(&path);
    works!(rustix::fs::unlink(&path));
    refuses!(file, NODEV);
    Ok(())
}

fn make_node(path: &str, number: u64) -> sys::Answer {
    rustix::fs::mknodat(rustix::fs::CWD, path, FileType::CharacterDevice, Mode::RWXU, number)
}

/// A descriptor made by dup(2) shares its handles with the original, since both are the same open file.
fn duplicates_share_handles(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let copy = DrmFile::from(works!(rustix::io::dup(&file)));
    let handle = works!(file.pages(1));
    works!(copy.map_offset(handle));
    drop(file);
    works!(copy.gem_close(handle));
    Ok(())
}

/// Two files of one process do not see each other's handles (L12 at run time: only the file counts).
fn handles_belong_to_the_file_not_the_process(guest: &Guest) -> Outcome {
    let (mine, other) = (guest.open()?, guest.open()?);
    let handle = works!(mine.pages(1));
    refuses!(other.map_offset(handle), NOENT);
    refuses!(other.export(handle, 0), NOENT);
    refuses!(other.flink(handle), NOENT);
    refuses!(other.attach(handle, 0), NOENT);
    refuses!(other.gem_close(handle), INVAL);
    refuses!(other.destroy_dumb(handle), INVAL);
    works!(mine.map_offset(handle));
    Ok(())
}

/// Closing a file frees its buffers, names and fences, even if the client has not closed them.
fn closing_frees_what_was_open(guest: &Guest) -> Outcome {
    let (file, other) = (guest.open()?, guest.open()?);
    let names: Vec<u32> = works!((0..20).map(|_| file.flink(file.pages(1)?)).collect());
    works!(other.gem_open(names[19]));
    drop(file);
    for name in &names[..19] {
        refuses!(other.gem_open(*name), NOENT);
    }
    holds!(other.gem_open(names[19]).is_ok(), "an object with a handle elsewhere lives on");
    Ok(())
}
