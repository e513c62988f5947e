// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Makes each call fail that can fail while the driver is loaded and probed and a client creates and binds, one by one
//! (L3).
//!
//! After every failure the error arrives, nothing is left, and the next attempt works. Source:
//! drivers/pci/pci-driver.c, drivers/base/firmware_loader, drivers/gpu/drm/drm_drv.c, drm_gpuvm.c (Linux 7.3).

use rustix::io::Errno;
use sys::Answer;
use uapi::PAGE;

use crate::harness::check::Outcome;
use crate::harness::failnth::{Call, Fault, MEMORY, MSI_DOMAIN, REALLOC, enomem};
use crate::harness::modules;
use crate::subjects::driver::module_users;
use crate::subjects::guest::Guest;
use crate::subjects::pci::rescan;
use crate::subjects::tyr::view::Vm;
use crate::subjects::tyr::{Gpu, MODULE, Op, signal};
use crate::sweeps::calls::{self, IOCTL, LOAD, OPEN, Within, called, each_call, sweep};
use crate::{holds, same, works};

use super::life::client;
use super::queue::ended;

crate::cases::cases! {
    "tyr_probe" for Tyr:
    l3_each_failed_step_of_a_probe_is_undone within 300, l3_each_failed_allocation_of_a_probe_is_undone within 900,
    l3_each_failure_in_the_module_init_is_undone within 240, l3_probe_with_claimed_registers_fails_with_ebusy,
    l14_each_failure_in_an_open_is_undone within 120, l3_each_failure_in_a_vm_create_is_undone within 120,
    l11_each_failure_in_a_bo_create_is_undone within 120, each_failed_map_is_all_or_nothing within 300,
    each_failed_unmap_is_all_or_nothing within 300, each_failed_async_bind_is_all_or_nothing within 300,
}

/// A probe. Three arrays that need not be contiguous are allocated in two ways.
const PROBE: Within = Within { stands: &[("devtmpfs_create_node", 2), (REALLOC, 3)], ..calls::PROBE };
/// The part of a probe that sets up interrupts.
const MSI: Within = Within { scope: MSI_DOMAIN, ..calls::PROBE };
/// A queued call of two operations with their jobs, which allocates eight arrays.
const QUEUED: Within = Within {
    stands: &[("kmem_cache_alloc_noprof", 2), (REALLOC, 8), ("__kmalloc_node_track_caller_noprof", 8)],
    ..IOCTL
};
const P: u64 = PAGE as u64;
const VA: u64 = 0x4000_0000;

/// The steps of a probe besides allocations, given by the functions that perform them.
const STEPS: &[Call] = &[
    enomem("pci_enable_device_mem"),
    enomem("__drm_dev_alloc"),
    enomem("__drmm_add_action"),
    enomem("drm_minor_alloc"),
    enomem("drm_gem_init"),
    enomem("alloc_anon_inode"),
    enomem("request_threaded_irq"),
    enomem("request_firmware"),
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

/// Checks that a failed probe left nothing, and undoes a successful one.
fn nothing_is_left(gpu: &Gpu, answer: Answer) -> Outcome {
    if answer.is_ok() {
        works!(gpu.unbind());
    }
    same!((gpu.is_bound(), gpu.has_device()), (false, false));
    same!(gpu.switched()?, [false; 3]);
    same!(module_users(MODULE)?, Some(0));
    Ok(())
}

fn l3_each_failed_step_of_a_probe_is_undone(guest: &Guest) -> Outcome {
    let gpu = gpu(guest)?;
    works!(gpu.unbind());
    for call in STEPS {
        called(*call, each_call(*call, &PROBE, || gpu.bind(), |answer| nothing_is_left(&gpu, answer))?)?;
    }
    works!(gpu.bind());
    client(&gpu).map(drop)
}

fn l3_each_failed_allocation_of_a_probe_is_undone(guest: &Guest) -> Outcome {
    let gpu = gpu(guest)?;
    works!(gpu.unbind());
    sweep(&[], &PROBE, || gpu.bind(), |answer| nothing_is_left(&gpu, answer))?;
    let mut within_msi = 0;
    for call in MEMORY {
        within_msi += each_call(*call, &MSI, || gpu.bind(), |answer| nothing_is_left(&gpu, answer))?;
    }
    holds!(within_msi > 0, "an interrupt domain takes memory");
    works!(gpu.bind());
    client(&gpu).map(drop)
}

/// A failed init leaves nothing behind. The function is not on the bus meanwhile: probes have cases of their own.
fn l3_each_failure_in_the_module_init_is_undone(guest: &Guest) -> Outcome {
    let gpu = gpu(guest)?;
    let files = guest.modules()?;
    works!(modules::remove(MODULE));
    works!(gpu.remove());
    let after = |answer: Answer| {
        if answer.is_ok() {
            works!(modules::remove(MODULE));
        }
        same!(std::path::Path::new("/sys/module/tyr").exists(), false);
        Ok(())
    };
    sweep(&[enomem("__pci_register_driver")], &LOAD, || files.load_last(), after)?;
    rescan()?;
    client(&Gpu::ready(guest)?).map(drop)
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

fn l14_each_failure_in_an_open_is_undone(guest: &Guest) -> Outcome {
    let gpu = gpu(guest)?;
    let node = gpu.node("renderD")?;
    sweep(&[enomem("drm_file_alloc")], &OPEN, || crate::subjects::device::DrmFile::open(&node).map(drop), |_| Ok(()))?;
    same!(module_users(MODULE)?, Some(0));
    Ok(())
}

/// A failed VM_CREATE leaves no number taken, and the address space free.
fn l3_each_failure_in_a_vm_create_is_undone(guest: &Guest) -> Outcome {
    let gpu = gpu(guest)?;
    let file = gpu.open()?;
    let spaces = gpu.spaces()?;
    sweep(&[], &IOCTL, || file.vm_create().and_then(|vm| file.vm_destroy(vm)), |_| Ok(()))?;
    same!(works!(file.vm_create()), 1);
    works!(file.vm_destroy(1));
    same!(gpu.spaces()?, spaces);
    Ok(())
}

/// Every failure while an object, its file or its handle is made leaves no number taken and no module held.
fn l11_each_failure_in_a_bo_create_is_undone(guest: &Guest) -> Outcome {
    let gpu = gpu(guest)?;
    let file = gpu.open()?;
    let attempt = || file.bo(P).and_then(|handle| file.0.gem_close(handle));
    sweep(&[enomem("drm_gem_handle_create")], &IOCTL, attempt, |_| Ok(()))?;
    same!(works!(file.bo(P)), 1);
    drop(file);
    same!(module_users(MODULE)?, Some(0));
    Ok(())
}

/// A failed map is executed completely or not at all, and the VM stays usable.
fn each_failed_map_is_all_or_nothing(guest: &Guest) -> Outcome {
    let gpu = gpu(guest)?;
    let file = gpu.open()?;
    let vm = Vm::new(&gpu, &file)?;
    let attempt = || {
        // Each attempt has an object of its own, so that allocations made once per object are made again.
        let bo = file.numbered_bo(8, 0x100).map_err(|_| Errno::NOMEM)?;
        let bound = vm.bind(&[Op::map(bo, 0, VA, 8 * P)]);
        file.0.gem_close(bo)?;
        bound
    };
    let after = |answer: Answer| {
        let whole = [(VA, 0x100, 8)];
        vm.shows(VA - 16 * P, 64 * P, if answer.is_ok() { &whole } else { &[] })?;
        works!(vm.bind(&[Op::unmap(VA, 8 * P)]));
        Ok(())
    };
    sweep(&[], &IOCTL, attempt, after)?;
    vm.shows(VA - 16 * P, 64 * P, &[])
}

/// A failed unmap in the middle of a mapping leaves either the hole or the whole mapping.
fn each_failed_unmap_is_all_or_nothing(guest: &Guest) -> Outcome {
    let gpu = gpu(guest)?;
    let file = gpu.open()?;
    let vm = Vm::new(&gpu, &file)?;
    let bo = file.numbered_bo(8, 0x100)?;
    works!(vm.bind(&[Op::map(bo, 0, VA, 8 * P)]));
    let after = |answer: Answer| {
        let (whole, hole) = ([(VA, 0x100, 8)], [(VA, 0x100, 3), (VA + 4 * P, 0x104, 4)]);
        vm.shows(VA - 16 * P, 64 * P, if answer.is_ok() { &hole } else { &whole })?;
        works!(vm.bind(&[Op::map(bo, 0, VA, 8 * P)]));
        Ok(())
    };
    sweep(&[], &IOCTL, || vm.bind(&[Op::unmap(VA + 3 * P, P)]), after)
}

/// A call that is refused signals nothing; one that is accepted is executed and signalled.
fn each_failed_async_bind_is_all_or_nothing(guest: &Guest) -> Outcome {
    let gpu = gpu(guest)?;
    let file = gpu.open()?;
    let vm = Vm::new(&gpu, &file)?;
    let (bo, out) = (file.numbered_bo(8, 0x100)?, works!(file.0.syncobj_create(0)));
    let attempt = || vm.bind_async(&[Op::map(bo, 0, VA, 8 * P), Op::unmap(VA + 3 * P, P).after(&[signal(out)])]);
    let after = |answer: Answer| {
        let made = [(VA, 0x100, 3), (VA + 4 * P, 0x104, 4)];
        if answer.is_ok() {
            works!(ended(&file, out));
        }
        vm.shows(VA - 16 * P, 64 * P, if answer.is_ok() { &made } else { &[] })?;
        works!(vm.bind(&[Op::unmap(VA, 8 * P)]));
        same!(works!(file.vm_state(vm.id)), uapi::tyr::USABLE);
        Ok(())
    };
    sweep(&[], &QUEUED, attempt, after)
}
