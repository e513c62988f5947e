// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Each call that can fail while a module is loaded, a device probed, opened and used, made to fail one by one.
//!
//! After every failure the error arrives, nothing is left, and the next attempt works (L3, L7, L14).
//! Source: drivers/gpu/drm/drm_drv.c, drm_file.c, drm_prime.c, drm_gem.c, drivers/base/dd.c (Linux 7.3).

use std::path::Path;

use rustix::io::Errno;

use crate::check::{Outcome, fail, name};
use crate::device;
use crate::failnth::{Call, Count, Fault, enomem, null};
use crate::guest::Guest;
use crate::lifecycle::{BLOCK, Client, DMA, ENTER, GUARDED, Kept, Test, VMAP, bind, left_of, node, unbind};
use crate::modules;
use crate::sys::{self, Answer};
use crate::uapi::{CLOEXEC, PAGE, RDWR};
use crate::{holds, refuses, same, works};

super::cases! {
    "probe":
    l3_each_call_of_a_probe_of_vgem within 300, l3_each_call_of_a_probe within 300,
    l3_each_call_of_loading_vgem within 240, l3_failed_probes_cost_no_memory within 120,
    l14_each_call_of_an_open within 120, l11_each_call_of_making_an_object within 120,
    l5_each_call_of_mapping_for_hardware within 120, l12_each_call_of_a_foreign_import within 120,
    l11_each_call_of_an_export within 120,
    l7_registration_fails_after_a_node_was_opened, l7_registration_fails_under_a_guarded_ioctl,
    l7_never_registered_device_cannot_be_entered,
}

/// What a probe runs in.
const PROBE: &str = "really_probe";

/// No step is called more often than this.
const MOST: u32 = 200;

/// The allocators: every allocation of C and of Rust goes through one of them.
const MEMORY: &[Call] = &[
    null("krealloc_node_align_noprof"),
    null("__kmalloc_cache_noprof"),
    null("__kmalloc_noprof"),
    null("__kmalloc_node_noprof"),
    null("__kmalloc_node_track_caller_noprof"),
    null("kmem_cache_alloc_noprof"),
    null("kmem_cache_alloc_lru_noprof"),
    null("pcpu_alloc_noprof"),
];

/// The steps of a probe and of a registration, beyond memory, by the functions that carry them out.
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

/// Makes each call of a function within `scope` fail in turn, until none is left, and returns their number.
///
/// `attempt` is what they are calls of; `after` looks at what is left of it and undoes it.
fn each_call(
    call: Call,
    scope: &str,
    mut attempt: impl FnMut() -> Answer,
    mut after: impl FnMut(Answer) -> Outcome,
) -> Outcome<u32> {
    for nth in 1..MOST {
        let fault = Fault::nth(call, nth, scope)?;
        let answer = attempt();
        let Count { hits, .. } = fault.count()?;
        drop(fault);
        let place = |why: String| fail(format!("call {nth} of `{}`: {why}", call.function));
        match answer {
            Err(errno) if hits == 0 => return place(format!("{} without a failure", name(errno))),
            Err(errno) if !fits(call, errno) => return place(format!("answered by {}", name(errno))),
            _ => {}
        }
        if let Err(crate::check::Stop::Fail(why)) = after(answer) {
            return place(why);
        }
        if hits == 0 {
            return Ok(nth - 1);
        }
    }
    fail(format!("`{}` is called without end", call.function))
}

/// A step's own error arrives as it is; C makes various ones of memory that it does not get.
fn fits(call: Call, errno: Errno) -> bool {
    errno == Errno::NOMEM || (call.returns == 0 && [Errno::NOSPC, Errno::INVAL].contains(&errno))
}

/// Each step is a step: a function that is no longer called would make the test an empty one.
fn called(call: Call, calls: u32) -> Outcome {
    holds!(calls > 0, "`{}` is called", call.function);
    Ok(())
}

/// The Rust `vgem`, by sysfs.
fn l3_each_call_of_a_probe_of_vgem(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    works!(guest.driver.unbind());
    let users = guest.users()?;
    let mut silent = Vec::new();
    for call in MEMORY.iter().chain(STEPS) {
        let after = |answer: Answer| {
            if answer.is_ok() {
                works!(guest.driver.unbind());
            }
            same!(left_of("vgem"), None);
            same!(guest.users()?, users);
            Ok(())
        };
        let calls = each_call(*call, PROBE, || guest.driver.bind(), after)?;
        if calls == 0 && STEPS.iter().any(|step| step.function == call.function) {
            silent.push(call.function);
        }
    }
    // A function that is no longer called would make its step an empty one.
    holds!(silent.is_empty(), "{silent:?} are called");
    works!(guest.driver.bind());
    works!(guest.open()?.pages(1));
    works!(modules::remove("vgem_rust"));
    same!(test.trace.count("never released"), 0);
    test.load("vgem_rust")?;
    test.unload()
}

/// The test driver, whose parts say that they went.
fn l3_each_call_of_a_probe(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    works!(unbind(0));
    test.trace.clear();
    for call in MEMORY.iter().chain(STEPS) {
        each_call(
            *call,
            PROBE,
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

/// Whatever the probe got to make is gone, once.
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

/// The module's init: its workqueue, its driver, its device, and the probe inside.
fn l3_each_call_of_loading_vgem(guest: &Guest) -> Outcome {
    const INIT: &[Call] = &[
        null("alloc_workqueue_noprof"),
        enomem("__platform_driver_register"),
        enomem("platform_device_register_full"),
        enomem("platform_device_add"),
    ];
    let mut test = Test::new(guest)?;
    let files = guest.modules()?.of("vgem_rust")?;
    works!(modules::remove("vgem_rust"));
    for call in MEMORY.iter().take(3).chain(INIT) {
        let after = |answer: Answer| {
            // A probe that fails leaves the module loaded: another device could come.
            if answer.is_ok() {
                works!(modules::remove("vgem_rust"));
            }
            for path in ["/sys/module/vgem_rust", "/sys/devices/platform/vgem", "/sys/bus/platform/drivers/vgem"] {
                holds!(!Path::new(path).exists(), "`{path}` is gone");
            }
            Ok(())
        };
        let calls = each_call(*call, "do_one_initcall", || files.load_last(), after)?;
        if INIT.iter().any(|step| step.function == call.function) {
            called(*call, calls)?;
        }
    }
    works!(files.load());
    works!(guest.open()?.pages(1));
    same!(test.trace.count("never released"), 0);
    test.unload()
}

/// Slab that cannot be reclaimed, in KiB.
fn slab() -> Outcome<i64> {
    let text = std::fs::read_to_string("/proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix("SUnreclaim:"));
    match line.and_then(|line| line.split_whitespace().next()).and_then(|number| number.parse().ok()) {
        Some(kib) => Ok(kib),
        None => fail("`/proc/meminfo` has no `SUnreclaim`"),
    }
}

/// A device is about 4 KiB: 60 that stayed would be seen.
fn l3_failed_probes_cost_no_memory(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    works!(unbind(0));
    for call in [enomem("drm_gem_object_init"), enomem("drm_minor_register")] {
        let fail_often = |times: u32| {
            for _ in 0..times {
                let fault = Fault::nth(call, 1, PROBE)?;
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

/// No file data, no client, no reference on the module stays of an open that failed.
fn l14_each_call_of_an_open(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let node = node("lifecycle.0", "card").expect("it is bound");
    let mut total = 0;
    for call in MEMORY.iter().chain(&[enomem("drm_file_alloc"), enomem("drm_master_open")]) {
        let mut kept = None;
        total += each_call(
            *call,
            "drm_open",
            || {
                kept = Some(device::DrmFile::open(&node)?);
                Ok(())
            },
            |_| Ok(()),
        )?;
    }
    holds!(total > 2, "{total} calls could fail");
    goes_completely(&mut test)
}

/// All references are back: the device goes with its unbind, the module can.
fn goes_completely(test: &mut Test<'_>) -> Outcome {
    works!(unbind(0));
    test.trace.wait_for("0: data dropped")?;
    same!(test.trace.count("file close"), test.trace.count("0: file dropped"));
    works!(bind(0));
    works!(test.open(0)?.call(&GUARDED, 0, 0, 0));
    test.unload()
}

/// Makes each call of an ioctl fail in turn; what it gave when none failed is closed.
fn each_call_of(test: &mut Test<'_>, steps: &[Call], ioctl: impl Fn(&Client) -> Answer<Option<u32>>) -> Outcome {
    let client = test.open(0)?;
    let mut total = 0;
    for call in MEMORY.iter().chain(steps) {
        let mut made = None;
        let attempt = || {
            made = ioctl(&client)?;
            if let Some(handle) = made {
                client.0.gem_close(handle)?;
            }
            Ok(())
        };
        let calls = each_call(*call, "drm_ioctl", attempt, |_| Ok(()))?;
        if steps.iter().any(|step| step.function == call.function) {
            called(*call, calls)?;
        }
        total += calls;
    }
    holds!(total > 1, "{total} calls could fail");
    drop(client);
    goes_completely(test)
}

/// A dumb buffer: the payload, the C object, its file, its offset, its handle.
fn l11_each_call_of_making_an_object(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let steps = [enomem("drm_gem_object_init"), enomem("drm_gem_create_mmap_offset"), enomem("drm_gem_handle_create")];
    each_call_of(&mut test, &steps, |client| client.0.pages(2).map(Some))
}

/// Pages, table, mapping.
fn l5_each_call_of_mapping_for_hardware(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let steps = [enomem("drm_gem_shmem_get_pages_sgt"), enomem("drm_gem_get_pages"), enomem("dma_map_sgtable")];
    each_call_of(&mut test, &steps, |client| {
        let handle = client.object(PAGE as u64)?;
        match client.call(&DMA, 0, handle, 0).and_then(|_| client.call(&VMAP, 0, handle, 1)) {
            Ok(_) => Ok(Some(handle)),
            Err(errno) => client.0.gem_close(handle).and(Err(errno)),
        }
    })
}

/// The attachment is undone, and the dma-buf has no more users than before.
fn l12_each_call_of_a_foreign_import(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let memory = works!(sys::memory_file(PAGE));
    let buffer = works!(device::udmabuf(&memory, PAGE));
    let users = device::fdinfo(&buffer)?;
    let steps =
        [enomem("dma_buf_dynamic_attach"), enomem("drm_gem_create_mmap_offset"), enomem("dma_buf_map_attachment")];
    each_call_of(&mut test, &steps, |client| {
        let handle = client.0.import(&buffer)?;
        match client.call(&DMA, 0, handle, 0) {
            Ok(_) => Ok(Some(handle)),
            Err(errno) => client.0.gem_close(handle).and(Err(errno)),
        }
    })?;
    same!(device::fdinfo(&buffer)?, users);
    Ok(())
}

/// An export that fails holds nothing.
fn l11_each_call_of_an_export(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let steps = [enomem("dma_buf_export")];
    each_call_of(&mut test, &steps, |client| {
        let handle = client.object(PAGE as u64)?;
        match client.0.export(handle, RDWR | CLOEXEC) {
            Ok(_) => Ok(Some(handle)),
            Err(errno) => client.0.gem_close(handle).and(Err(errno)),
        }
    })
}

/// The second node is the primary one: the render node is there when it fails.
const SECOND_NODE: [Call; 2] = [enomem("device_add"), enomem("drm_minor_register")];

/// The file can be used until the failure, says ENODEV from then on, keeps the device and the module, and closes.
fn l7_registration_fails_after_a_node_was_opened(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    for call in SECOND_NODE {
        works!(unbind(0));
        test.trace.clear();
        let fault = Fault::nth_waits(call, 2, PROBE)?;
        let (client, mapping) = std::thread::scope(|scope| -> Outcome<_> {
            let bound = scope.spawn(|| bind(0));
            fault.wait()?;
            holds!(node("lifecycle.0", "card").is_none(), "the primary node is not there yet");
            let node = node("lifecycle.0", "renderD").expect("the render node is there");
            let client = Client(works!(device::DrmFile::open(&node)));
            same!(works!(client.call(&GUARDED, 0, 0, 0)).what, 0);
            same!(works!(client.call(&ENTER, 0, 0, 0)).value, 1);
            let handle = works!(client.object(PAGE as u64));
            works!(client.call(&DMA, 0, handle, 0));
            works!(client.call(&VMAP, 0, handle, 0x7));
            let buffer = works!(client.0.export(handle, RDWR | CLOEXEC));
            let mapping = works!(sys::Mapping::shared(&buffer, 0, PAGE));
            works!(fault.release());
            same!(bound.join().expect("no panic"), Err(Errno::NOMEM));
            Ok((client, mapping))
        })?;
        drop(fault);
        same!(left_of("lifecycle.0"), None);
        refuses!(client.call(&GUARDED, 0, 0, 0), NODEV);
        refuses!(client.call(&ENTER, 0, 0, 0), NODEV);
        refuses!(client.object(PAGE as u64), NODEV);
        same!(mapping.read(0), 7);
        refuses!(modules::remove("lifecycle"), AGAIN);
        test.trace.in_order(&[
            "0: file open, entered: true",
            "0: unplugged, entered: false",
            "0: registration data dropped",
        ])?;
        same!(test.trace.count("0: data dropped"), 0);
        drop((client, mapping));
        test.trace.wait_for("0: data dropped")?;
        test.trace.in_order(&[
            "0: file close, entered: false",
            "0: file dropped",
            "0: managed action 3",
            "0: data dropped",
        ])?;
        works!(bind(0));
    }
    works!(test.open(0)?.call(&GUARDED, 0, 0, 0));
    test.unload()
}

/// A handler is inside when registration fails: the data waits for it.
fn l7_registration_fails_under_a_guarded_ioctl(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let observer = test.open(1)?;
    for call in SECOND_NODE {
        works!(unbind(0));
        works!(observer.gate(false));
        test.trace.clear();
        let fault = Fault::nth_waits(call, 2, PROBE)?;
        let (client, blocked) = std::thread::scope(|scope| -> Outcome<_> {
            let bound = scope.spawn(|| bind(0));
            fault.wait()?;
            let node = node("lifecycle.0", "renderD").expect("the render node is there");
            let client = std::sync::Arc::new(Client(works!(device::DrmFile::open(&node))));
            let copy = client.clone();
            let blocked = scope.spawn(move || copy.call(&BLOCK, 0, 0, 7));
            test.trace.wait_for("0: guarded ioctl waits")?;
            works!(fault.release());
            while client.call(&ENTER, 0, 0, 0) != Err(Errno::NODEV) {
                std::thread::yield_now();
            }
            same!(test.trace.count("0: unplugged"), 0);
            works!(observer.gate(true));
            same!(bound.join().expect("no panic"), Err(Errno::NOMEM));
            Ok((client, blocked.join().expect("no panic")))
        })?;
        drop(fault);
        same!(works!(blocked).value, 0);
        test.trace.in_order(&["0: guarded ioctl goes on", "0: unplugged", "0: registration data dropped"])?;
        drop(client);
        test.trace.wait_for("0: data dropped")?;
        works!(bind(0));
    }
    drop(observer);
    test.unload()
}

/// A reference from before a registration that failed enters nothing, then or later; its memory can be used.
fn l7_never_registered_device_cannot_be_entered(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let observer = test.open(1)?;
    for call in [enomem("drm_dev_register"), enomem("drm_minor_register")] {
        works!(unbind(0));
        works!(observer.keep_next());
        test.trace.clear();
        let fault = Fault::nth(call, 1, PROBE)?;
        refuses!(bind(0), NOMEM);
        drop(fault);
        same!(works!(observer.kept(Kept::Enter, 7)).value, 0);
        works!(observer.kept(Kept::Vmap, 3));
        same!(works!(observer.kept(Kept::Vmap, 4)).value, 3);
        refuses!(observer.kept(Kept::Dma, 0), INVAL);
        works!(bind(0));
        same!(works!(observer.kept(Kept::Enter, 7)).value, 0);
        works!(observer.kept(Kept::Object, 0));
        same!(test.trace.count("0: data dropped"), 0);
        works!(observer.let_go());
        test.trace.in_order(&["0: registration data dropped", "0: data dropped"])?;
    }
    drop(observer);
    test.unload()
}
