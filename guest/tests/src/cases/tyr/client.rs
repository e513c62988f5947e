// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Permissions of tyr's ioctls, and files that are shared, closed, and opened in unusual ways (L14).
//!
//! Source: `DRM_RENDER_ALLOW` in `drivers/gpu/drm/panthor/panthor_drv.c`, `drm_ioctl_permit` in
//! `drivers/gpu/drm/drm_ioctl.c` (Linux 7.3).

use std::os::fd::{AsFd, AsRawFd};

use rustix::fs::OFlags;
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
use uapi::PAGE;
use uapi::tyr::*;

use crate::harness::check::Outcome;
use crate::subjects::device::DrmFile;
use crate::subjects::driver::module_users;
use crate::subjects::guest::Guest;
use crate::subjects::tyr::{Gpu, MODULE, Op, TyrFile};
use crate::{refuses, same, works};

crate::cases::cases! {
    "tyr_client" for Tyr:
    primary_node_needs_no_authentication, render_node_needs_no_privileges, closed_file, path_only_file,
    duplicates_share_everything, files_have_numbers_of_their_own, files_open_in_any_number,
    used_from_two_threads within 60,
}

const P: u64 = PAGE as u64;

/// Makes each call that a client needs, once.
pub(super) fn a_round(file: &TyrFile) -> Outcome {
    let (vm, bo) = (works!(file.vm_create()), works!(file.bo(4 * P)));
    works!(file.bind(vm, &[Op::map(bo, 0, 0x10_0000, 4 * P)]));
    works!(file.bind(vm, &[Op::unmap(0x10_1000, P)]));
    same!(works!(file.vm_state(vm)), USABLE);
    works!(file.vm_destroy(vm));
    works!(file.0.gem_close(bo));
    Ok(())
}

/// Takes `CAP_SYS_ADMIN` from this process, so that files it opens from here on are an ordinary client's.
fn become_ordinary() -> sys::Answer {
    let mut sets = capabilities(None)?;
    sets.effective.remove(CapabilitySet::SYS_ADMIN);
    set_capabilities(None, sets)
}

/// No call of the driver needs authentication, also on the primary node.
fn primary_node_needs_no_authentication(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    works!(become_ordinary());
    let (_master, stranger) = (gpu.open_node("card")?, gpu.open_node("card")?);
    same!(works!(stranger.0.ioctl(&uapi::GET_CLIENT, uapi::Client::default())).auth, 0);
    a_round(&stranger)
}

fn render_node_needs_no_privileges(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    works!(become_ordinary());
    a_round(&gpu.open()?)
}

/// An ioctl on a closed descriptor fails with EBADF.
fn closed_file(guest: &Guest) -> Outcome {
    let file = Gpu::ready(guest)?.open()?;
    let number = file.0.as_fd().as_raw_fd();
    let mut argument = VmCreate::default();
    works!(sys::ioctl_on_number(number, &VM_CREATE, &mut argument));
    drop(file);
    refuses!(sys::ioctl_on_number(number, &VM_CREATE, &mut argument), BADF);
    refuses!(sys::ioctl_on_number(-1, &VM_CREATE, &mut argument), BADF);
    Ok(())
}

/// An ioctl on an `O_PATH` descriptor, which does not open the device, fails with EBADF.
fn path_only_file(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let file = works!(sys::open(gpu.node("renderD")?, OFlags::PATH));
    refuses!(sys::ioctl(&file, &VM_CREATE, &mut VmCreate::default()), BADF);
    works!(gpu.open()?.vm_create());
    Ok(())
}

/// A descriptor made by dup(2) refers to the same file, so the VMs and handles outlive the first descriptor.
fn duplicates_share_everything(guest: &Guest) -> Outcome {
    let file = Gpu::ready(guest)?.open()?;
    let copy = TyrFile(DrmFile::from(works!(rustix::io::dup(&file.0))));
    let (vm, bo) = (works!(file.vm_create()), works!(file.bo(P)));
    drop(file);
    works!(copy.bind(vm, &[Op::map(bo, 0, 0, P)]));
    works!(copy.vm_destroy(vm));
    works!(copy.0.gem_close(bo));
    Ok(())
}

/// Each file has its own numbers of VMs, objects and sync objects.
fn files_have_numbers_of_their_own(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    for _ in 0..3 {
        let files = [gpu.open()?, gpu.open()?];
        for file in &files {
            same!((works!(file.vm_create()), works!(file.bo(P)), works!(file.0.syncobj_create(0))), (1, 1, 1));
        }
    }
    Ok(())
}

/// Many files can be open at once. After they are closed the module has no more users than before.
fn files_open_in_any_number(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let users = module_users(MODULE)?;
    let files = (0..100).map(|_| gpu.open()).collect::<Outcome<Vec<_>>>()?;
    for file in &files {
        same!((works!(file.vm_create()), works!(file.bo(1))), (1, 1));
    }
    drop(files);
    same!(module_users(MODULE)?, users);
    Ok(())
}

/// Four threads use one file, each with a VM of its own, and one VM that they share.
fn used_from_two_threads(guest: &Guest) -> Outcome {
    let file = Gpu::ready(guest)?.open()?;
    let (shared, bo) = (works!(file.vm_create()), works!(file.bo(64 * P)));
    let work = |at: u64| {
        for round in 0..50 {
            a_round(&file)?;
            let va = 0x4000_0000 + (at * 16 + round % 16) * P;
            works!(file.bind(shared, &[Op::map(bo, at * P, va, 8 * P), Op::unmap(va + P, 2 * P)]));
            works!(file.bind_async(shared, &[Op::map(bo, at * P, va, 8 * P), Op::unmap(va + 4 * P, P)]));
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|at| scope.spawn(move || work(at))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("no thread panics"))
    })?;
    same!(works!(file.vm_state(shared)), USABLE);
    works!(file.vm_destroy(shared));
    Ok(())
}
