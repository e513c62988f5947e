// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Makes each call that can fail while either driver is loaded and probed and an object made fail, one by one (L3).
//!
//! After every failure the error arrives, nothing is left, and the next attempt works. Source:
//! drivers/pci/pci-driver.c, drivers/base/auxiliary.c, drivers/gpu/drm/drm_drv.c (Linux 7.3).

use std::path::Path;

use rustix::io::Errno;
use sys::Answer;
use uapi::PAGE;

use crate::harness::check::Outcome;
use crate::harness::failnth::{Call, Fault, REALLOC, enomem};
use crate::harness::modules;
use crate::subjects::driver::module_users;
use crate::subjects::guest::Guest;
use crate::subjects::nova::{CORE, DRM, Gpu};
use crate::sweeps::calls::{IOCTL, LOAD, PROBE, Within, sweep};
use crate::{same, works};

use super::life::client;

crate::cases::cases! {
    "nova_probe" for Nova:
    l3_each_failure_in_the_parents_probe_is_undone within 300, l3_each_failure_in_the_childs_probe_is_undone within 300,
    l3_each_failure_in_the_parents_module_init_is_undone within 240,
    l3_each_failure_in_the_childs_module_init_is_undone within 240, l3_probe_with_claimed_registers_fails_with_ebusy,
    l11_each_failure_in_a_gem_create_is_undone within 120,
}

/// The child is probed within the parent's probe, which succeeds without it.
const PARENTS: Within = Within { stands: &[(REALLOC, u32::MAX), ("device_add", 1)], ..PROBE };

/// The steps of the parent's probe besides allocations. `auxiliary_device_init` is not among them: it fails only for
/// arguments that are never passed, and the kernel crate does not check its answer.
const OF_THE_PARENT: &[Call] =
    &[enomem("pci_enable_device_mem"), enomem("__auxiliary_device_add"), enomem("device_add")];

/// The steps of the child's probe besides allocations, given by the functions that perform them.
const OF_THE_CHILD: &[Call] = &[
    enomem("__drm_dev_alloc"),
    enomem("__drmm_add_action"),
    enomem("drm_minor_alloc"),
    enomem("drm_gem_init"),
    enomem("alloc_anon_inode"),
    enomem("drm_dev_register"),
    enomem("drm_minor_register"),
    enomem("device_add"),
    enomem("devtmpfs_create_node"),
    enomem("sysfs_create_link"),
];

/// Returns the function, with the module loaded that makes calls fail.
fn gpu(guest: &Guest) -> Outcome<Gpu> {
    let gpu = Gpu::ready(guest)?;
    works!(guest.modules()?.of("failnth")?.load());
    Ok(gpu)
}

/// Every failure within the parent's probe is reported and undone. A failure in the child's probe inside affects the
/// child alone.
fn l3_each_failure_in_the_parents_probe_is_undone(guest: &Guest) -> Outcome {
    let gpu = gpu(guest)?;
    let users = [module_users(CORE)?, module_users(DRM)?];
    works!(gpu.unbind());
    let after = |answer: Answer| {
        if answer.is_ok() {
            works!(gpu.unbind());
        }
        same!(gpu.child(), None);
        same!(gpu.path("driver").exists(), false);
        same!(gpu.switched()?, [false; 3]);
        same!([module_users(CORE)?, module_users(DRM)?], users);
        Ok(())
    };
    sweep(OF_THE_PARENT, &PARENTS, || gpu.bind(), after)?;
    gpu.settle()?;
    client(&gpu).map(drop)
}

/// Every failure within the child's probe is reported and undone, without effect on the parent and its auxiliary
/// device.
fn l3_each_failure_in_the_childs_probe_is_undone(guest: &Guest) -> Outcome {
    let gpu = gpu(guest)?;
    let users = module_users(DRM)?;
    let child = gpu.child().expect("it is bound");
    works!(child.unbind());
    let after = |answer: Answer| {
        if answer.is_ok() {
            works!(child.unbind());
        }
        same!(["driver", "drm"].map(|name| child.path(name).exists()), [false; 2]);
        same!(gpu.child().as_ref(), Some(&child));
        same!(module_users(DRM)?, users);
        Ok(())
    };
    sweep(OF_THE_CHILD, &PROBE, || child.bind(), after)?;
    gpu.settle()?;
    client(&gpu).map(drop)
}

/// A failed probe leaves the module loaded, since another function could come; a failed init does not.
fn loading(guest: &Guest, module: &str, register: Call, traces: &[&str]) -> Outcome {
    let gpu = gpu(guest)?;
    let files = guest.modules()?.of(module)?;
    works!(crate::subjects::nova::unload());
    if module == DRM {
        works!(guest.modules()?.of(CORE)?.load());
    }
    let after = |answer: Answer| {
        if answer.is_ok() {
            works!(modules::remove(module));
        }
        same!(traces.iter().find(|path| Path::new(path).exists()), None);
        Ok(())
    };
    works!(files.load());
    works!(modules::remove(module));
    sweep(&[register], &LOAD, || files.load_last(), after)?;
    gpu.load(guest)?;
    gpu.settle()?;
    client(&gpu).map(drop)
}

fn l3_each_failure_in_the_parents_module_init_is_undone(guest: &Guest) -> Outcome {
    let traces = ["/sys/module/nova_core", "/sys/bus/pci/drivers/nova-core"];
    loading(guest, CORE, enomem("__pci_register_driver"), &traces)
}

fn l3_each_failure_in_the_childs_module_init_is_undone(guest: &Guest) -> Outcome {
    let traces = ["/sys/module/nova_drm"];
    loading(guest, DRM, enomem("__auxiliary_driver_register"), &traces)
}

/// A probe fails with EBUSY if another driver has claimed the registers.
fn l3_probe_with_claimed_registers_fails_with_ebusy(guest: &Guest) -> Outcome {
    let gpu = gpu(guest)?;
    works!(gpu.unbind());
    let fault = Fault::nth(Call { function: "pci_request_region", returns: -16 }, 1, PROBE.scope)?;
    same!(gpu.bind(), Err(Errno::BUSY));
    same!(fault.count()?.hits, 1);
    drop(fault);
    same!(gpu.switched()?, [false; 3]);
    gpu.settle()
}

/// Every failure while an object, its file or its handle is made leaves no number taken and no module held.
fn l11_each_failure_in_a_gem_create_is_undone(guest: &Guest) -> Outcome {
    let gpu = gpu(guest)?;
    let users = module_users(DRM)?;
    let file = gpu.open()?;
    let attempt = || file.create(PAGE as u64).and_then(|handle| file.0.gem_close(handle));
    sweep(&[enomem("drm_gem_handle_create")], &IOCTL, attempt, |_| Ok(()))?;
    same!(works!(file.create(PAGE as u64)), 1);
    drop(file);
    same!(module_users(DRM)?, users);
    Ok(())
}
