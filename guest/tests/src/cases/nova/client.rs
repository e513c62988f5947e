// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Permissions of nova's ioctls, and files that are shared, closed, and opened in unusual ways (L14).
//!
//! Source: `drm_ioctl_permit` in `drivers/gpu/drm/drm_ioctl.c`, `drivers/gpu/drm/drm_auth.c` (Linux 7.3).

use std::os::fd::{AsFd, AsRawFd};

use rustix::fs::OFlags;
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
use uapi::PAGE;
use uapi::nova::{NOVA_GETPARAM, NovaGetparam, VRAM_BAR_SIZE};

use crate::harness::check::Outcome;
use crate::subjects::device::DrmFile;
use crate::subjects::guest::Guest;
use crate::subjects::nova::{Gpu, NovaFile};
use crate::{refuses, same, works};

crate::cases::cases! {
    "nova_client" for Nova:
    unauthenticated_client_may_only_get_params, client_is_authenticated_by_the_master, master_needs_no_authentication,
    closed_file, path_only_file, file_opened_read_only, duplicates_share_handles, handles_belong_to_the_file,
    files_open_in_any_number,
}

/// Takes `CAP_SYS_ADMIN` from this process, so that files it opens from here on are an ordinary client's.
fn become_ordinary() -> sys::Answer {
    let mut sets = capabilities(None)?;
    sets.effective.remove(CapabilitySet::SYS_ADMIN);
    set_capabilities(None, sets)
}

/// Without authentication a client of the primary node may use GETPARAM, but objects fail with EACCES.
fn unauthenticated_client_may_only_get_params(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    works!(become_ordinary());
    let (_master, stranger) = (gpu.open()?, gpu.open()?);
    same!(works!(stranger.0.ioctl(&uapi::GET_CLIENT, uapi::Client::default())).auth, 0);
    same!(works!(stranger.vram()), gpu.bar_length(1)?);
    refuses!(stranger.create(PAGE as u64), ACCESS);
    refuses!(stranger.create(0), ACCESS);
    refuses!(stranger.size(1), ACCESS);
    refuses!(stranger.param(99), INVAL);
    Ok(())
}

/// The master authenticates a client by its magic number, which may then use objects.
fn client_is_authenticated_by_the_master(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    works!(become_ordinary());
    let (master, stranger) = (gpu.open()?, gpu.open()?);
    refuses!(stranger.create(1), ACCESS);
    let magic = works!(stranger.0.magic());
    works!(master.0.ioctl(&uapi::AUTH_MAGIC, uapi::Auth { magic }));
    same!(works!(stranger.size(works!(stranger.create(1)))), PAGE as u64);
    Ok(())
}

/// The first file of a primary node is master, whichever process opens it, and needs no authentication.
fn master_needs_no_authentication(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    works!(become_ordinary());
    let master = gpu.open()?;
    same!(works!(master.size(works!(master.create(1)))), PAGE as u64);
    Ok(())
}

/// An ioctl on a closed descriptor fails with EBADF.
fn closed_file(guest: &Guest) -> Outcome {
    let file = Gpu::ready(guest)?.open()?;
    let number = file.0.as_fd().as_raw_fd();
    let mut argument = NovaGetparam { param: VRAM_BAR_SIZE, value: 0 };
    works!(sys::ioctl_on_number(number, &NOVA_GETPARAM, &mut argument));
    drop(file);
    refuses!(sys::ioctl_on_number(number, &NOVA_GETPARAM, &mut argument), BADF);
    refuses!(sys::ioctl_on_number(-1, &NOVA_GETPARAM, &mut argument), BADF);
    Ok(())
}

/// An ioctl on an `O_PATH` descriptor, which does not open the device, fails with EBADF.
fn path_only_file(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let file = works!(sys::open(gpu.node()?, OFlags::PATH));
    let mut argument = NovaGetparam { param: VRAM_BAR_SIZE, value: 0 };
    refuses!(sys::ioctl(&file, &NOVA_GETPARAM, &mut argument), BADF);
    works!(gpu.open()?.vram());
    Ok(())
}

/// DRM ignores the open mode, so ioctls work on a read-only file.
fn file_opened_read_only(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let file = NovaFile(DrmFile::from(works!(sys::open(gpu.node()?, OFlags::RDONLY))));
    same!(works!(file.size(works!(file.create(1)))), PAGE as u64);
    Ok(())
}

/// A descriptor made by dup(2) refers to the same file, so the handles outlive the first descriptor.
fn duplicates_share_handles(guest: &Guest) -> Outcome {
    let file = Gpu::ready(guest)?.open()?;
    let copy = NovaFile(DrmFile::from(works!(rustix::io::dup(&file.0))));
    let handle = works!(file.create(1));
    drop(file);
    same!(works!(copy.size(handle)), PAGE as u64);
    works!(copy.0.gem_close(handle));
    Ok(())
}

/// An object shared by two files outlives one file's close, in either order.
fn handles_belong_to_the_file(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let files = [gpu.open()?, gpu.open()?, gpu.open()?];
    for (file, pages) in files.iter().zip(1..) {
        same!(works!(file.create(pages * PAGE as u64)), 1);
    }
    let [one, two, three] = files;
    drop(two);
    same!((works!(one.size(1)), works!(three.size(1))), (PAGE as u64, 3 * PAGE as u64));
    drop(one);
    same!(works!(three.size(1)), 3 * PAGE as u64);
    Ok(())
}

/// Many files can be open at once, each a client of its own. After they are closed the module has no more users than
/// before.
fn files_open_in_any_number(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let users = crate::subjects::driver::module_users(crate::subjects::nova::DRM)?;
    let files = (0..200).map(|_| gpu.open()).collect::<Outcome<Vec<_>>>()?;
    for file in &files {
        same!(works!(file.create(1)), 1);
    }
    drop(files);
    same!(crate::subjects::driver::module_users(crate::subjects::nova::DRM)?, users);
    Ok(())
}
