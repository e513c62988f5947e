// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Makes each call that can fail during the loading of a module and the probe of a device fail, one by one (L3).
//!
//! After every failure the error arrives, nothing is left, and the next attempt works. Source:
//! drivers/gpu/drm/drm_drv.c, drm_file.c, drm_prime.c, drm_gem.c, drivers/base/dd.c (Linux 7.3).

pub(crate) mod client;
pub(crate) mod registration;

use std::path::Path;

use sys::Answer;

use crate::harness::check::{Outcome, fail, skip};
use crate::harness::failnth::{Call, Fault, MEMORY, PAGES, enomem, null};
use crate::harness::modules;
use crate::subjects::guest::Guest;
use crate::subjects::lifecycle::{GUARDED, Test, bind, left_of, unbind};
use crate::sweeps::calls::{LOAD, PROBE, called, each_call};
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "probe":
    l3_each_failure_in_a_vgem_probe_is_undone within 300, l3_each_failure_in_a_probe_is_undone within 300,
    l3_each_failure_in_the_vgem_module_init_is_undone within 240, l3_failed_probes_cost_no_memory within 120,
}

/// The steps of a probe and of a registration besides allocations, given by the functions that perform them.
const STEPS: &[Call] = &[
    enomem("__drm_dev_alloc"),
    enomem("__drmm_add_action"),
    null("drmm_kmalloc"),
    enomem("drm_minor_alloc"),
    enomem("drm_gem_init"),
    enomem("alloc_anon_inode"),
    enomem("drm_gem_object_init"),
    enomem("drm_gem_create_mmap_offset"),
    enomem("drm_vma_offset_add"),
    enomem("shmem_file_setup"),
    enomem("__shmem_file_setup"),
    enomem("drm_gem_shmem_init"),
    enomem("drm_dev_register"),
    enomem("drm_minor_register"),
    enomem("device_add"),
    enomem("devtmpfs_create_node"),
    enomem("sysfs_create_link"),
    enomem("device_create_file"),
    enomem("debugfs_create_dir"),
];

/// Every failure within a probe of the Rust `vgem`, by sysfs, is reported and undone.
fn l3_each_failure_in_a_vgem_probe_is_undone(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    works!(guest.driver.unbind());
    let users = guest.users()?;
    let mut silent = Vec::new();
    for call in MEMORY.iter().chain([&PAGES]).chain(STEPS) {
        let after = |answer: Answer| {
            if answer.is_ok() {
                works!(guest.driver.unbind());
            }
            same!(left_of("vgem"), None);
            same!(guest.users()?, users);
            Ok(())
        };
        let calls = each_call(*call, &PROBE, || guest.driver.bind(), after)?;
        if calls == 0 && STEPS.iter().any(|step| step.function == call.function) {
            silent.push(call.function);
        }
    }
    // If a function is no longer called, its step tests nothing.
    holds!(silent.is_empty(), "{silent:?} are called");
    works!(guest.driver.bind());
    works!(guest.open()?.pages(1));
    works!(modules::remove("vgem_rust"));
    same!(test.trace.count("never released"), 0);
    test.load("vgem_rust")?;
    test.unload()
}

/// Every failure within a probe of the test driver is reported and undone; the driver logs the drop of its parts.
fn l3_each_failure_in_a_probe_is_undone(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    works!(unbind(0));
    test.trace.clear();
    for call in MEMORY.iter().chain([&PAGES]).chain(STEPS) {
        each_call(
            *call,
            &PROBE,
            || bind(0),
            |answer| {
                if answer.is_ok() {
                    works!(unbind(0));
                }
                same!(left_of("lifecycle.0"), None);
                all_went(&mut test)
            },
        )?;
    }
    works!(bind(0));
    works!(test.open(0)?.call(&GUARDED, 0, 0, 0));
    test.unload()
}

/// Checks that everything the probe made is dropped, exactly once.
fn all_went(test: &mut Test<'_>) -> Outcome {
    let made = test.trace.count("0: before registration");
    let ready = test.trace.count("0: registration data dropped");
    let [first, data, object] = ["0: first part of the data dropped", "0: data dropped", "0: object dropped"]
        .map(|line| test.trace.count(line));
    holds!(data == first && first <= 1 && made <= data, "the data went once: {}", test.trace.told());
    holds!(ready <= object && object <= made, "the object went once: {}", test.trace.told());
    test.trace.clear();
    Ok(())
}

/// Every failure within the module's init is reported and undone: its workqueue, its driver, its device, and the probe
/// inside.
fn l3_each_failure_in_the_vgem_module_init_is_undone(guest: &Guest) -> Outcome {
    const INIT: &[Call] = &[
        null("alloc_workqueue_noprof"),
        enomem("__platform_driver_register"),
        null("platform_device_alloc"),
        enomem("__device_set_driver_override"),
        enomem("platform_device_add"),
    ];
    let mut test = Test::new(guest)?;
    let files = guest.modules()?.of("vgem_rust")?;
    works!(modules::remove("vgem_rust"));
    for call in MEMORY.iter().chain(INIT) {
        let after = |answer: Answer| {
            // A failed probe leaves the module loaded: another device could come.
            if answer.is_ok() {
                works!(modules::remove("vgem_rust"));
            }
            for path in ["/sys/module/vgem_rust", "/sys/devices/platform/vgem", "/sys/bus/platform/drivers/vgem"] {
                holds!(!Path::new(path).exists(), "`{path}` is gone");
            }
            Ok(())
        };
        let calls = each_call(*call, &LOAD, || files.load_last(), after)?;
        if INIT.iter().any(|step| step.function == call.function) {
            called(*call, calls)?;
        }
    }
    works!(files.load());
    works!(guest.open()?.pages(1));
    same!(test.trace.count("never released"), 0);
    test.unload()
}

/// Returns the slab memory that cannot be reclaimed, in KiB.
fn slab() -> Outcome<i64> {
    let text = std::fs::read_to_string("/proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix("SUnreclaim:"));
    match line.and_then(|line| line.split_whitespace().next()).and_then(|number| number.parse().ok()) {
        Some(kib) => Ok(kib),
        None => fail("`/proc/meminfo` has no `SUnreclaim`"),
    }
}

/// Failed probes leak no memory: a device takes about 4 KiB, so 60 leaked ones would show.
fn l3_failed_probes_cost_no_memory(guest: &Guest) -> Outcome {
    if crate::harness::slabs::finds_leaks() {
        return skip("this kernel keeps what was freed for a while (KASAN); kmemleak looks for what is left");
    }
    let mut test = Test::new(guest)?;
    works!(unbind(0));
    for call in [enomem("drm_gem_object_init"), enomem("drm_minor_register")] {
        let fail_often = |times: u32| {
            for _ in 0..times {
                let fault = Fault::nth(call, 1, PROBE.scope)?;
                refuses!(bind(0), NOMEM);
                drop(fault);
            }
            Ok(())
        };
        fail_often(10)?;
        let before = slab()?;
        fail_often(60)?;
        let grown = slab()? - before;
        holds!(grown < 120, "{grown} KiB stayed after failures of `{}`", call.function);
    }
    works!(bind(0));
    test.unload()
}
