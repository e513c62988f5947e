// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Faults of the GPU: it is another chip, does not boot, or is gone. Checks the parent driver's reaction, and what a
//! client sees.
//!
//! Source: the faults of `models/src/fault.rs` and `models/src/nova.rs`; Documentation/gpu/nova/core/devinit.rst.

use std::time::{Duration, Instant};

use rustix::io::Errno;
use sys::Answer;
use sys::klog::KernelLog;
use sys::pace::patient;
use uapi::PAGE;

use crate::harness::check::{Outcome, fail, name};
use crate::subjects::driver::module_users;
use crate::subjects::guest::Guest;
use crate::subjects::nova::{CORE, DRM, Gpu, unload};
use crate::{holds, refuses, same, works};

use super::life::{client, is_dead};

crate::cases::cases! {
    "nova_fault" for Nova:
    unknown_chip_is_refused, chips_that_boot_otherwise_are_refused, other_chips_of_the_family_are_taken,
    boot_that_never_completes within 30, boot_that_never_begins within 30, slow_boot_is_waited_for within 30,
    surprise_removal_before_the_probe, surprise_removal_during_the_boot,
    surprise_removal_at_each_access_of_a_probe within 120, surprise_removal_with_an_open_file,
    surprise_removal_then_unload, modules_load_without_a_usable_gpu, no_interrupt_is_needed,
}

/// The register that shows the progress of the firmware.
const PROGRESS: &str = "NV_PGC6_AON_SECURE_SCRATCH_GROUP_05_0_GFW_BOOT";

/// Unbinds the parent and plans a fault that begins now or at the given time.
fn broken(guest: &Guest, fault: &str) -> Outcome<Gpu> {
    let gpu = Gpu::ready(guest)?;
    works!(gpu.unbind());
    gpu.fault(fault)?;
    Ok(gpu)
}

/// Checks that the probe fails with this error and a log line that says why, and leaves nothing behind.
fn is_refused(gpu: &Gpu, wanted: Errno, line: &str) -> Outcome {
    let users = [module_users(CORE)?, module_users(DRM)?];
    let mut log = KernelLog::from_now();
    let got = gpu.bind();
    if got != Err(wanted) {
        return fail(format!("the probe answers {got:?} instead of {}", name(wanted)));
    }
    let lines = log.lines();
    let told = lines.iter().filter(|text| text.contains("nova-core") && text.contains(line)).count();
    holds!(told == 1, "the log has `{line}` once: {lines:?}");
    same!(gpu.child(), None);
    same!([module_users(CORE)?, module_users(DRM)?], users);
    Ok(())
}

/// Checks that the failed probe left nothing switched on, and that the next probe works without the fault.
fn works_again(gpu: &Gpu) -> Outcome {
    gpu.ask(r#""repair""#)?;
    same!(gpu.switched()?, [false; 3]);
    works!(gpu.bind());
    gpu.settle()?;
    client(gpu).map(drop)
}

/// An unknown chip is refused with ENODEV, and its number is in the log.
fn unknown_chip_is_refused(guest: &Guest) -> Outcome {
    let gpu = broken(guest, r#"{"kind": "unknown-chip"}"#)?;
    is_refused(&gpu, Errno::NODEV, "Unsupported chipset: boot42 = 0x17fa1000")?;
    works_again(&gpu)
}

/// A known chip that boots in another way is refused with EOPNOTSUPP.
fn chips_that_boot_otherwise_are_refused(guest: &Guest) -> Outcome {
    for chip in ["GH100", "GB100", "GB202"] {
        let gpu = broken(guest, &format!(r#"{{"kind": "other-chip", "name": "{chip}"}}"#))?;
        is_refused(&gpu, Errno::OPNOTSUPP, &format!("Unsupported chipset: {chip}"))?;
        works_again(&gpu)?;
    }
    Ok(())
}

/// Other chips that boot in the same way work.
fn other_chips_of_the_family_are_taken(guest: &Guest) -> Outcome {
    for (chip, architecture) in [("TU102", "Turing"), ("GA107", "Ampere"), ("AD102", "Ada")] {
        let gpu = broken(guest, &format!(r#"{{"kind": "other-chip", "name": "{chip}"}}"#))?;
        let mut log = KernelLog::from_now();
        works!(gpu.bind());
        let lines = log.lines();
        let told = |line: &&String| line.contains(chip) && line.contains(architecture);
        holds!(lines.iter().any(|line| told(&line)), "{chip} of {architecture} is in {lines:?}");
        works!(gpu.open()?.vram());
        works!(gpu.unbind());
        works_again(&gpu)?;
    }
    Ok(())
}

/// A boot that never completes fails with ETIMEDOUT, not before the GPU's time is over and not long after.
fn boot_that_never_completes(guest: &Guest) -> Outcome {
    let gpu = broken(guest, r#"{"kind": "stuck-boot", "progress": 128}"#)?;
    let start = Instant::now();
    is_refused(&gpu, Errno::TIMEDOUT, "GFW boot did not complete")?;
    let took = start.elapsed();
    let patience = Duration::from_secs(4);
    holds!((patience..patience + patient(Duration::from_secs(6))).contains(&took), "the probe took {took:?}");
    works_again(&gpu)
}

/// A boot without any progress fails with ETIMEDOUT.
fn boot_that_never_begins(guest: &Guest) -> Outcome {
    let gpu = broken(guest, r#"{"kind": "slow-boot", "seconds": 600}"#)?;
    is_refused(&gpu, Errno::TIMEDOUT, "GFW boot did not complete")?;
    works_again(&gpu)
}

/// A boot that takes two seconds succeeds.
fn slow_boot_is_waited_for(guest: &Guest) -> Outcome {
    // The time is taken here, since the GPU's two seconds pass whether or not the probe has begun.
    let start = Instant::now();
    let gpu = broken(guest, r#"{"kind": "slow-boot", "seconds": 2}"#)?;
    works!(gpu.bind());
    let took = start.elapsed();
    holds!(took >= Duration::from_millis(1_950), "the probe did not wait: it is over after {took:?}");
    client(&gpu)?;
    works!(gpu.unbind());
    works_again(&gpu)
}

/// The probe of a GPU that was removed by surprise fails with ENODEV, instead of taking all ones for a chip's number.
fn surprise_removal_before_the_probe(guest: &Guest) -> Outcome {
    let gpu = broken(guest, r#"{"kind": "removal"}"#)?;
    is_refused(&gpu, Errno::NODEV, "does not answer")?;
    works_again(&gpu)
}

/// A GPU that is removed during the boot gives ENODEV, and not ETIMEDOUT at the end: all ones look like a complete
/// boot.
fn surprise_removal_during_the_boot(guest: &Guest) -> Outcome {
    let gpu = broken(guest, r#"{"kind": "stuck-boot", "progress": 128}"#)?;
    gpu.fault(&format!(r#"{{"kind": "removal", "after": {{"register": "{PROGRESS}"}}}}"#))?;
    is_refused(&gpu, Errno::NODEV, "is gone while it boots")?;
    works_again(&gpu)
}

/// After a removal at any register access, the probe fails with ENODEV or has finished with the registers, and leaves
/// nothing behind.
fn surprise_removal_at_each_access_of_a_probe(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    works!(gpu.unbind());
    for accesses in 1..1000 {
        gpu.fault(&format!(r#"{{"kind": "removal", "after": {{"accesses": {accesses}}}}}"#))?;
        let bound = gpu.bind();
        gpu.ask(r#""repair""#)?;
        match bound {
            Ok(()) => return through(&gpu, accesses),
            Err(Errno::NODEV) => {}
            Err(errno) => return fail(format!("removed after {accesses} accesses: {}", name(errno))),
        }
        same!(gpu.child(), None);
    }
    fail("a probe never stops reading registers")
}

/// Checks that a complete probe makes at least a few accesses, and that the device works.
fn through(gpu: &Gpu, accesses: u32) -> Outcome {
    holds!(accesses > 4, "a probe of {} accesses identifies nothing", accesses - 1);
    client(gpu).map(drop)
}

/// After a removal, calls that need no register work until the driver is unbound; then they fail with ENODEV, and
/// nothing hangs.
fn surprise_removal_with_an_open_file(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let file = client(&gpu)?;
    gpu.fault(r#"{"kind": "removal"}"#)?;
    works!(file.vram());
    works!(file.create(PAGE as u64));
    works!(gpu.unbind());
    is_dead(&file)?;
    works_again(&gpu)?;
    is_dead(&file)?;
    drop(file);
    client(&gpu).map(drop)
}

/// After a surprise removal both modules can be unloaded. When they are loaded again, they do not bind.
fn surprise_removal_then_unload(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let file = client(&gpu)?;
    gpu.fault(r#"{"kind": "removal"}"#)?;
    refuses!(unload(), AGAIN);
    drop(file);
    works!(unload());
    gpu.load(guest)?;
    same!(gpu.child(), None);
    works_again(&gpu)
}

/// The modules load without a GPU that they can drive: another one may come.
fn modules_load_without_a_usable_gpu(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    works!(unload());
    gpu.fault(r#"{"kind": "unknown-chip"}"#)?;
    gpu.load(guest)?;
    same!(gpu.child(), None);
    same!([module_users(CORE)?, module_users(DRM)?], [Some(0); 2]);
    works_again(&gpu)
}

/// Spurious and lost interrupts have no effect.
fn no_interrupt_is_needed(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let file = client(&gpu)?;
    for fault in [r#"{"kind": "spurious-interrupt"}"#, r#"{"kind": "lost-interrupt"}"#] {
        gpu.fault(fault)?;
        works!(file.vram());
    }
    let unbound: Answer = gpu.unbind();
    works!(unbound);
    works_again(&gpu)
}
