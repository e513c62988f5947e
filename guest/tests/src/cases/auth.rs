// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Permissions of the core's ioctls: masters, magic numbers, and the render node.
//!
//! Source: `drm_ioctl_permit` and the flags in `drm_ioctls[]` of `drivers/gpu/drm/drm_ioctl.c`, and
//! `drivers/gpu/drm/drm_auth.c` (Linux 7.3).

use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
use uapi::{DIR_READ, DIR_WRITE, DRM};

use crate::harness::check::Outcome;
use crate::subjects::guest::Guest;
use crate::{refuses, same, works};

super::cases! {
    "auth":
    render_node_refuses_what_is_not_for_rendering, render_node_serves_rendering, ordinary_client_is_not_authenticated,
    ordinary_client_may_use_buffers, magic_authenticates_once, magic_is_for_the_master, first_file_is_master,
    master_is_dropped_at_close, master_is_handed_over, drop_without_being_master, former_master_may_come_back,
    stranger_may_not_become_master, block_and_unblock_need_root,
}

/// Takes `CAP_SYS_ADMIN` from this process, so that files it opens from here on are an ordinary client's.
fn become_ordinary() -> sys::Answer {
    let mut sets = capabilities(None)?;
    sets.effective.remove(CapabilitySet::SYS_ADMIN);
    set_capabilities(None, sets)
}

/// A `SET_VERSION` that queries the numbers and sets nothing.
const ASK: uapi::SetVersion = uapi::SetVersion { di_major: -1, di_minor: -1, dd_major: -1, dd_minor: -1 };

/// An ioctl without `DRM_RENDER_ALLOW` fails with `EACCES` on a render node, whoever calls it.
fn render_node_refuses_what_is_not_for_rendering(guest: &Guest) -> Outcome {
    let file = guest.open_render()?;
    refuses!(file.text(&uapi::GET_UNIQUE, &mut []), ACCESS);
    refuses!(file.magic(), ACCESS);
    refuses!(file.ioctl(&uapi::GET_CLIENT, uapi::Client::default()), ACCESS);
    refuses!(file.ioctl(&uapi::GET_STATS, uapi::Stats::default()), ACCESS);
    refuses!(file.ioctl(&uapi::SET_VERSION, uapi::SetVersion::default()), ACCESS);
    refuses!(file.ioctl(&uapi::SET_CLIENT_CAP, uapi::Cap::default()), ACCESS);
    refuses!(file.flink(1), ACCESS);
    refuses!(file.gem_open(1), ACCESS);
    refuses!(file.ioctl(&uapi::AUTH_MAGIC, uapi::Auth { magic: 1 }), ACCESS);
    refuses!(file.master(&uapi::SET_MASTER), ACCESS);
    refuses!(file.master(&uapi::DROP_MASTER), ACCESS);
    refuses!(file.create_dumb(32, 32, 32), ACCESS);
    refuses!(file.map_offset(1), ACCESS);
    refuses!(file.destroy_dumb(1), ACCESS);
    // The primary node accepts the same calls.
    let card = guest.open()?;
    works!(card.text(&uapi::GET_UNIQUE, &mut []));
    let other = guest.open()?;
    works!(card.ioctl(&uapi::AUTH_MAGIC, uapi::Auth { magic: works!(other.magic()) }));
    works!(card.ioctl(&uapi::GET_CLIENT, uapi::Client::default()));
    works!(card.ioctl(&uapi::GET_STATS, uapi::Stats::default()));
    works!(card.ioctl(&uapi::SET_VERSION, ASK));
    works!(card.master(&uapi::DROP_MASTER));
    works!(card.master(&uapi::SET_MASTER));
    let handle = works!(card.pages(1));
    works!(card.map_offset(handle));
    works!(card.gem_open(works!(card.flink(handle))));
    works!(card.destroy_dumb(handle));
    Ok(())
}

/// vgem's rendering ioctls work on the render node, on a buffer that another file made.
fn render_node_serves_rendering(guest: &Guest) -> Outcome {
    let (card, render) = (guest.open()?, guest.open_render()?);
    let buffer = works!(card.export(works!(card.pages(1)), uapi::RDWR));
    let handle = works!(render.import(&buffer));
    works!(render.export(handle, uapi::CLOEXEC));
    let fence = works!(render.attach(handle, uapi::FENCE_WRITE));
    works!(render.signal(fence));
    works!(render.gem_close(handle));
    Ok(())
}

/// Names fail with `EACCES` for a client that is not authenticated, such as the second file of an ordinary process.
fn ordinary_client_is_not_authenticated(guest: &Guest) -> Outcome {
    works!(become_ordinary());
    let (master, client) = (guest.open()?, guest.open()?);
    same!(works!(client.ioctl(&uapi::GET_CLIENT, uapi::Client::default())).auth, 0);
    let handle = works!(client.pages(1));
    refuses!(client.flink(handle), ACCESS);
    refuses!(client.gem_open(1), ACCESS);
    refuses!(sys::ioctl_bytes(&client, uapi::ioc(DIR_WRITE, DRM, 0x2c, 8), &mut [0; 8]), ACCESS);
    same!(works!(master.ioctl(&uapi::GET_CLIENT, uapi::Client::default())).auth, 1);
    works!(master.gem_open(works!(master.flink(works!(master.pages(1))))));
    Ok(())
}

/// Buffers, sharing and fences work without authentication.
fn ordinary_client_may_use_buffers(guest: &Guest) -> Outcome {
    works!(become_ordinary());
    let (_master, client) = (guest.open()?, guest.open()?);
    let handle = works!(client.pages(1));
    works!(client.map(handle, uapi::PAGE)).write(0, 1);
    works!(client.import(&works!(client.export(handle, uapi::RDWR))));
    works!(client.signal(works!(client.attach(handle, 0))));
    Ok(())
}

/// The master authenticates a client by its magic number, which works only once.
fn magic_authenticates_once(guest: &Guest) -> Outcome {
    works!(become_ordinary());
    let (master, client) = (guest.open()?, guest.open()?);
    let magic = works!(client.magic());
    same!(works!(client.magic()), magic);
    works!(master.ioctl(&uapi::AUTH_MAGIC, uapi::Auth { magic }));
    works!(client.flink(works!(client.pages(1))));
    refuses!(master.ioctl(&uapi::AUTH_MAGIC, uapi::Auth { magic }), INVAL);
    refuses!(master.ioctl(&uapi::AUTH_MAGIC, uapi::Auth { magic: 0 }), INVAL);
    refuses!(master.ioctl(&uapi::AUTH_MAGIC, uapi::Auth { magic: u32::MAX }), INVAL);
    Ok(())
}

/// A client that authenticates itself or changes the version gets `EACCES`.
fn magic_is_for_the_master(guest: &Guest) -> Outcome {
    let (master, client) = (guest.open()?, guest.open()?);
    let magic = works!(client.magic());
    refuses!(client.ioctl(&uapi::AUTH_MAGIC, uapi::Auth { magic }), ACCESS);
    refuses!(client.ioctl(&uapi::SET_VERSION, ASK), ACCESS);
    works!(master.ioctl(&uapi::SET_VERSION, ASK));
    works!(master.ioctl(&uapi::AUTH_MAGIC, uapi::Auth { magic }));
    Ok(())
}

/// The first file of a primary node without a master becomes master; `SET_MASTER` then changes nothing.
fn first_file_is_master(guest: &Guest) -> Outcome {
    let (first, second) = (guest.open()?, guest.open()?);
    works!(first.master(&uapi::SET_MASTER));
    refuses!(second.master(&uapi::SET_MASTER), BUSY);
    refuses!(second.master(&uapi::DROP_MASTER), INVAL);
    Ok(())
}

/// Closing the master's file lets another file become master, by `SET_MASTER` or by being opened next.
fn master_is_dropped_at_close(guest: &Guest) -> Outcome {
    let (first, second) = (guest.open()?, guest.open()?);
    drop(first);
    works!(second.master(&uapi::SET_MASTER));
    drop(second);
    works!(guest.open()?.master(&uapi::DROP_MASTER));
    Ok(())
}

/// Dropping and setting passes mastership between two open files.
fn master_is_handed_over(guest: &Guest) -> Outcome {
    let (first, second) = (guest.open()?, guest.open()?);
    works!(first.master(&uapi::DROP_MASTER));
    works!(second.master(&uapi::SET_MASTER));
    refuses!(first.master(&uapi::SET_MASTER), BUSY);
    refuses!(first.ioctl(&uapi::SET_VERSION, ASK), ACCESS);
    works!(second.ioctl(&uapi::SET_VERSION, ASK));
    Ok(())
}

/// `DROP_MASTER` on a file that is not master fails with `EINVAL`, a second time for example.
fn drop_without_being_master(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    works!(file.master(&uapi::DROP_MASTER));
    refuses!(file.master(&uapi::DROP_MASTER), INVAL);
    Ok(())
}

/// The process that was master needs no capability to drop and set mastership.
fn former_master_may_come_back(guest: &Guest) -> Outcome {
    works!(become_ordinary());
    let file = guest.open()?;
    works!(file.master(&uapi::DROP_MASTER));
    works!(file.master(&uapi::SET_MASTER));
    Ok(())
}

/// A process that never was master needs `CAP_SYS_ADMIN`, else `EACCES`, even if there is no master.
fn stranger_may_not_become_master(guest: &Guest) -> Outcome {
    works!(become_ordinary());
    let (first, second) = (guest.open()?, guest.open()?);
    works!(first.master(&uapi::DROP_MASTER));
    refuses!(second.master(&uapi::SET_MASTER), ACCESS);
    refuses!(second.master(&uapi::DROP_MASTER), ACCESS);
    works!(first.master(&uapi::SET_MASTER));
    Ok(())
}

/// `BLOCK` and `UNBLOCK`, which do nothing, fail with `EACCES` unless root calls them.
fn block_and_unblock_need_root(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let block = uapi::ioc(DIR_READ | DIR_WRITE, DRM, 0x12, 4);
    works!(sys::ioctl_bytes(&file, block, &mut [0; 4]));
    works!(become_ordinary());
    refuses!(sys::ioctl_bytes(&file, block, &mut [0; 4]), ACCESS);
    Ok(())
}
