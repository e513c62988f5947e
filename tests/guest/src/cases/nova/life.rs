// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The life of a DRM device below a parent that has a driver of its own: who goes when, and what a client sees (L4, L5, L6).
//!
//! Source: `Documentation/driver-api/auxiliary_bus.rst`, `drivers/base/dd.c`, `drivers/pci/remove.c` (Linux 7.3).

use std::path::Path;

use crate::check::Outcome;
use crate::driver::module_users;
use crate::guest::Guest;
use crate::modules;
use crate::nova::{CORE, Child, DRM, Gpu, NovaFile, unload};
use crate::pci::rescan;
use crate::sys::BadAddress;
use crate::uapi::nova::{NOVA_GEM_CREATE, NOVA_GETPARAM};
use crate::uapi::{CLOEXEC, PAGE};
use crate::{holds, refuses, same, sys, works};

crate::cases::cases! {
    "nova_life":
    parent_goes_while_open, child_goes_while_open, function_is_removed_while_open, child_comes_back_as_it_was,
    parent_comes_back_with_a_new_device, child_then_parent, parent_takes_the_child, bound_and_unbound_once,
    old_file_is_dead_for_the_new_device, modules_are_free_without_files, an_open_file_holds_its_module,
    driver_that_comes_late, parents_module_stays_for_the_childs, switched_off_when_unbound, what_is_kept_outlives_both,
    over_and_over within 120, removed_over_and_over within 120,
}

/// A file with an object.
pub(super) fn client(gpu: &Gpu) -> Outcome<NovaFile> {
    let file = gpu.open()?;
    same!(works!(file.create(PAGE as u64)), 1);
    works!(file.vram());
    Ok(file)
}

/// ENODEV: whatever is asked, of the driver and of the core, rightly or wrongly.
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

/// Nothing in `/dev`, and nothing of the child in `/sys`.
pub(super) fn nothing_is_left(node: &Path, child: &Child) -> Outcome {
    refuses!(rustix::fs::stat(node), NOENT);
    holds!(!child.path("").exists(), "`{}` is gone", child.name());
    Ok(())
}

/// ENODEV in the client; node and auxiliary device are gone at once, the file closes when it likes.
fn parent_goes_while_open(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let (file, node, child) = (client(&gpu)?, gpu.node()?, gpu.child().expect("it is bound"));
    works!(gpu.unbind());
    nothing_is_left(&node, &child)?;
    is_dead(&file)?;
    drop(file);
    gpu.settle()?;
    client(&gpu).map(drop)
}

/// ENODEV in the client; the parent and its auxiliary device do not mind.
fn child_goes_while_open(guest: &Guest) -> Outcome {
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

/// The function itself goes, as when it is pulled out; a new search finds it, and both drivers come by themselves.
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

/// The auxiliary device is the parent's: the driver may leave and return, it keeps its name.
fn child_comes_back_as_it_was(guest: &Guest) -> Outcome {
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

/// A parent that is bound anew has an auxiliary device again, of the same kind.
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

/// First the child's driver, then the parent's: the latter finds nobody to tell.
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

/// After the parent there is no child to take the driver from, or to give it to.
fn parent_takes_the_child(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let child = gpu.child().expect("it is bound");
    works!(gpu.unbind());
    refuses!(child.unbind(), NODEV);
    refuses!(child.bind(), NODEV);
    gpu.settle()
}

/// ENODEV and EBUSY: what is not bound cannot be unbound, what is bound not bound again.
fn bound_and_unbound_once(guest: &Guest) -> Outcome {
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

/// A file of the device before says ENODEV for good, though a device is there again, and closes at any time.
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

/// Bound and idle, neither driver is held by anything: both modules can go.
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

/// EAGAIN until the last file is closed, whatever has become of the device meanwhile.
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

/// The auxiliary device waits for its driver.
fn driver_that_comes_late(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let child = gpu.child();
    works!(modules::remove(DRM));
    same!(gpu.child(), child);
    holds!(!child.expect("it is bound").path("driver").exists(), "nobody drives the auxiliary device");
    gpu.load(guest)?;
    client(&gpu).map(drop)
}

/// The parent's module stays as long as the child's, whose driver may keep what it was lent; a file plays no part.
fn parents_module_stays_for_the_childs(guest: &Guest) -> Outcome {
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

/// The function is enabled, a bus master if need be, and its registers are claimed, while it is bound.
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

/// An exported object lives on without file, child, parent and function (L11).
fn what_is_kept_outlives_both(guest: &Guest) -> Outcome {
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

/// Twenty parents and children, each with files open beyond its end.
fn over_and_over(guest: &Guest) -> Outcome {
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

/// Ten times off the bus and on it again, with a file of each time.
fn removed_over_and_over(guest: &Guest) -> Outcome {
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
