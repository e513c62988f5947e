// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The life cycle of a DRM device below a parent with a driver of its own: the order of removal, and what a client sees
//! (L4, L5, L6).
//!
//! Source: `Documentation/driver-api/auxiliary_bus.rst`, `drivers/base/dd.c`, `drivers/pci/remove.c` (Linux 7.3).

use std::path::Path;

use sys::BadAddress;
use uapi::nova::{NOVA_GEM_CREATE, NOVA_GETPARAM};
use uapi::{CLOEXEC, PAGE};

use crate::harness::check::Outcome;
use crate::harness::modules;
use crate::subjects::driver::module_users;
use crate::subjects::guest::Guest;
use crate::subjects::nova::{CORE, Child, DRM, Gpu, NovaFile, unload};
use crate::subjects::pci::rescan;
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "nova_life" for Nova:
    parent_unbind_with_an_open_file, child_unbind_with_an_open_file, function_is_removed_while_open,
    rebound_child_keeps_its_name, parent_comes_back_with_a_new_device, child_then_parent,
    parent_unbind_removes_the_child, repeated_bind_or_unbind_is_refused, old_file_is_dead_for_the_new_device,
    modules_are_free_without_files, an_open_file_holds_its_module, late_driver_binds_the_existing_child,
    child_module_holds_the_parent_module, switched_off_when_unbound, exported_object_outlives_parent_and_child,
    repeated_bind_and_unbind within 120, repeated_remove_and_rescan within 120,
}

/// Opens a file and creates an object in it.
pub(super) fn client(gpu: &Gpu) -> Outcome<NovaFile> {
    let file = gpu.open()?;
    same!(works!(file.create(PAGE as u64)), 1);
    works!(file.vram());
    Ok(file)
}

/// Checks that every ioctl of the driver and of the core fails with ENODEV, with right and wrong arguments.
pub(super) fn is_dead(file: &NovaFile) -> Outcome {
    refuses!(file.vram(), NODEV);
    refuses!(file.param(99), NODEV);
    refuses!(file.create(PAGE as u64), NODEV);
    refuses!(file.create(0), NODEV);
    refuses!(file.size(1), NODEV);
    refuses!(file.size(99), NODEV);
    refuses!(file.0.gem_close(1), NODEV);
    refuses!(file.0.version(&mut []), NODEV);
    refuses!(file.0.flink(1), NODEV);
    for number in [NOVA_GETPARAM.number, NOVA_GEM_CREATE.number] {
        refuses!(sys::ioctl_bad(&file.0, number, BadAddress::Unmapped), NODEV);
    }
    Ok(())
}

/// Checks that nothing is left in `/dev`, and nothing of the child in `/sys`.
pub(super) fn nothing_is_left(node: &Path, child: &Child) -> Outcome {
    refuses!(rustix::fs::stat(node), NOENT);
    holds!(!child.path("").exists(), "`{}` is gone", child.name());
    Ok(())
}

/// After the parent's unbind a client gets ENODEV. Node and auxiliary device are removed at once; the file can be
/// closed at any time.
fn parent_unbind_with_an_open_file(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let (file, node, child) = (client(&gpu)?, gpu.node()?, gpu.child().expect("it is bound"));
    works!(gpu.unbind());
    nothing_is_left(&node, &child)?;
    is_dead(&file)?;
    drop(file);
    gpu.settle()?;
    client(&gpu).map(drop)
}

/// After the child's unbind a client gets ENODEV. The parent and its auxiliary device are not affected.
fn child_unbind_with_an_open_file(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let (file, node, child) = (client(&gpu)?, gpu.node()?, gpu.child().expect("it is bound"));
    works!(child.unbind());
    refuses!(rustix::fs::stat(&node), NOENT);
    is_dead(&file)?;
    same!(gpu.child(), Some(child.clone()));
    holds!(gpu.path("driver").exists(), "the parent stays bound");
    drop(file);
    works!(child.bind());
    client(&gpu).map(drop)
}

/// The function itself is removed, as when it is pulled out. A rescan finds it, and both drivers bind automatically.
fn function_is_removed_while_open(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let (file, node, child) = (client(&gpu)?, gpu.node()?, gpu.child().expect("it is bound"));
    works!(gpu.remove());
    holds!(Gpu::find().is_none(), "the function is off the bus");
    nothing_is_left(&node, &child)?;
    is_dead(&file)?;
    rescan()?;
    let gpu = Gpu::present()?;
    let second = client(&gpu)?;
    is_dead(&file)?;
    drop(file);
    works!(second.vram());
    Ok(())
}

/// The child's driver can be unbound and bound again: the auxiliary device belongs to the parent and keeps its name.
fn rebound_child_keeps_its_name(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let child = gpu.child();
    for _ in 0..5 {
        let child = child.as_ref().expect("it is bound");
        works!(child.unbind());
        works!(child.bind());
        works!(gpu.open()?.vram());
    }
    same!(gpu.child(), child);
    Ok(())
}

/// A parent that is bound again has a new auxiliary device of the same kind.
fn parent_comes_back_with_a_new_device(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    for _ in 0..5 {
        works!(gpu.unbind());
        same!(gpu.child(), None);
        works!(gpu.bind());
        let child = gpu.child().expect("it is bound");
        holds!(child.name().starts_with("nova-core.nova-drm."), "`{}` is nova's", child.name());
        works!(gpu.open()?.vram());
    }
    Ok(())
}

/// The child's driver is unbound before the parent's, which then has no child to notify.
fn child_then_parent(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let (file, node, child) = (client(&gpu)?, gpu.node()?, gpu.child().expect("it is bound"));
    works!(child.unbind());
    works!(gpu.unbind());
    nothing_is_left(&node, &child)?;
    is_dead(&file)?;
    drop(file);
    gpu.settle()
}

/// After the parent's unbind there is no child whose driver could be bound or unbound.
fn parent_unbind_removes_the_child(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let child = gpu.child().expect("it is bound");
    works!(gpu.unbind());
    refuses!(child.unbind(), NODEV);
    refuses!(child.bind(), NODEV);
    gpu.settle()
}

/// Unbinding a device that is not bound fails with ENODEV; binding a bound one fails with EBUSY.
fn repeated_bind_or_unbind_is_refused(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let child = gpu.child().expect("it is bound");
    refuses!(gpu.bind(), BUSY);
    refuses!(child.bind(), BUSY);
    works!(child.unbind());
    refuses!(child.unbind(), NODEV);
    works!(gpu.unbind());
    refuses!(gpu.unbind(), NODEV);
    gpu.settle()
}

/// Calls on a file of the old device fail with ENODEV forever, although a new device exists. The file can be closed at
/// any time.
fn old_file_is_dead_for_the_new_device(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let first = client(&gpu)?;
    works!(gpu.child().expect("it is bound").unbind());
    works!(gpu.child().expect("it is there").bind());
    let second = client(&gpu)?;
    works!(gpu.unbind());
    works!(gpu.bind());
    let third = client(&gpu)?;
    is_dead(&first)?;
    is_dead(&second)?;
    drop(second);
    works!(third.vram());
    drop(first);
    same!(works!(third.size(1)), PAGE as u64);
    Ok(())
}

/// While bound and idle, neither driver has a user, so both modules can be unloaded.
fn modules_are_free_without_files(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    same!(module_users(DRM)?, Some(0));
    works!(modules::remove(DRM));
    same!(module_users(CORE)?, Some(0));
    works!(modules::remove(CORE));
    same!(gpu.child(), None);
    gpu.load(guest)?;
    client(&gpu).map(drop)
}

/// Unloading fails with EAGAIN until the last file is closed, whatever happens to the device meanwhile.
fn an_open_file_holds_its_module(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let (one, two) = (client(&gpu)?, client(&gpu)?);
    refuses!(modules::remove(DRM), AGAIN);
    works!(one.vram());
    works!(gpu.unbind());
    refuses!(modules::remove(DRM), AGAIN);
    drop(one);
    refuses!(modules::remove(DRM), AGAIN);
    is_dead(&two)?;
    drop(two);
    works!(unload());
    gpu.load(guest)?;
    client(&gpu).map(drop)
}

/// The auxiliary device waits for its driver to be loaded.
fn late_driver_binds_the_existing_child(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let child = gpu.child();
    works!(modules::remove(DRM));
    same!(gpu.child(), child);
    holds!(!child.expect("it is bound").path("driver").exists(), "the auxiliary device has no driver");
    gpu.load(guest)?;
    client(&gpu).map(drop)
}

/// The parent's module cannot be unloaded before the child's, whose driver may keep the parent's data. Open files do
/// not matter.
fn child_module_holds_the_parent_module(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let file = client(&gpu)?;
    refuses!(modules::remove(CORE), AGAIN);
    works!(file.vram());
    drop(file);
    works!(gpu.unbind());
    refuses!(modules::remove(CORE), AGAIN);
    works!(modules::remove(DRM));
    works!(modules::remove(CORE));
    gpu.load(guest)?;
    client(&gpu).map(drop)
}

/// While bound, the function is enabled, a bus master if need be, and its registers are claimed.
fn switched_off_when_unbound(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let file = client(&gpu)?;
    let bound = gpu.switched()?;
    holds!(bound[0] && bound[2], "bound it is enabled and claimed: {bound:?}");
    works!(gpu.unbind());
    same!(gpu.switched()?, [false; 3]);
    drop(file);
    same!(gpu.switched()?, [false; 3]);
    gpu.settle()?;
    same!(gpu.switched()?, bound);
    Ok(())
}

/// An exported object outlives the file, child, parent and function (L11).
fn exported_object_outlives_parent_and_child(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let (one, two) = (client(&gpu)?, client(&gpu)?);
    let buffer = works!(one.0.export(1, CLOEXEC));
    same!(works!(two.size(works!(two.0.import(&buffer)))), PAGE as u64);
    works!(gpu.remove());
    drop(one);
    is_dead(&two)?;
    drop(two);
    refuses!(modules::remove(DRM), AGAIN);
    drop(buffer);
    works!(unload());
    let gpu = Gpu::ready(guest)?;
    client(&gpu).map(drop)
}

/// Twenty rounds of binding parents and children work, with files that stay open beyond each.
fn repeated_bind_and_unbind(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let users = [module_users(CORE)?, module_users(DRM)?];
    let mut kept = Vec::new();
    for round in 0..20 {
        kept.push(client(&gpu)?);
        if round % 2 == 0 {
            works!(gpu.child().expect("it is bound").unbind());
        }
        works!(gpu.unbind());
        works!(gpu.bind());
        gpu.settle()?;
    }
    kept.iter().try_for_each(is_dead)?;
    drop(kept);
    same!([module_users(CORE)?, module_users(DRM)?], users);
    client(&gpu).map(drop)
}

/// Ten rounds of removal and rescan work, with a file kept open from each.
fn repeated_remove_and_rescan(guest: &Guest) -> Outcome {
    let mut kept = Vec::new();
    for _ in 0..10 {
        let gpu = Gpu::ready(guest)?;
        kept.push(client(&gpu)?);
        works!(gpu.remove());
    }
    let gpu = Gpu::ready(guest)?;
    kept.iter().try_for_each(is_dead)?;
    drop(kept);
    works!(unload());
    gpu.load(guest)?;
    client(&gpu).map(drop)
}
