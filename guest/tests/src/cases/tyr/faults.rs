// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Faults of the GPU: it does not answer as it should, its firmware is damaged, or it is gone. Checks the driver's
//! reaction.
//!
//! Source: the faults of `models/src/fault.rs` and `models/src/mali.rs`; `drivers/gpu/drm/panthor/panthor_fw.c` (Linux
//! 7.3).

use std::time::{Duration, Instant};

use rustix::io::Errno;
use sys::klog::KernelLog;
use sys::pace::patient;
use uapi::PAGE;

use crate::harness::check::{Outcome, Stop, fail, name};
use crate::harness::modules;
use crate::subjects::driver::module_users;
use crate::subjects::guest::Guest;
use crate::subjects::tyr::firmware::Firmware;
use crate::subjects::tyr::view::Vm;
use crate::subjects::tyr::{Gpu, MODULE, Op};
use crate::{holds, refuses, same, works};

use super::client::a_round;
use super::life::{client, is_dead};

crate::cases::cases! {
    "tyr_fault" for Tyr:
    hung_reset_fails_the_probe within 60, hung_power_up_fails_the_probe within 60,
    slow_hardware_is_waited_for within 60, silent_firmware_fails_the_probe within 60,
    slow_reset_and_slow_boot within 60, refused_gpu_dma_fails_the_probe within 60,
    surprise_removal_before_the_probe within 60, l3_surprise_removal_at_each_access_of_a_probe within 600,
    lost_probe_interrupt_is_noticed_or_fails_the_probe within 300, spurious_interrupts_have_no_effect within 60,
    spurious_interrupts_in_a_probe_have_no_effect within 120, missing_firmware_fails_the_probe within 60,
    invalid_firmware_fails_the_probe within 60, truncated_firmware_fails_the_probe within 120,
    damaged_firmware_section_fails_the_probe within 300, damaged_firmware_entry_fails_the_probe within 300,
    surprise_removal_with_an_open_file within 60, surprise_removal_then_unload within 60,
    surprise_removal_at_each_access_of_a_bind within 300, surprise_removal_during_vm_destroy within 120,
    binding_is_slow within 60, module_loads_without_a_usable_gpu within 60,
}

const P: u64 = PAGE as u64;
const VA: u64 = 0x4000_0000;

/// Errors of a probe that does not reach its hardware.
const NO_HARDWARE: [Errno; 3] = [Errno::NODEV, Errno::IO, Errno::TIMEDOUT];

/// Unbinds the driver, resets the GPU as if just plugged in, and plans a fault that begins now or at the given time.
fn broken(guest: &Guest, fault: &str) -> Outcome<Gpu> {
    let gpu = Gpu::ready(guest)?;
    gpu.mend()?;
    gpu.fault(fault)?;
    Ok(gpu)
}

/// Checks that the probe fails with one of these errors and leaves nothing. Returns its log lines.
fn is_refused(gpu: &Gpu, wanted: &[Errno]) -> Outcome<Vec<String>> {
    let users = module_users(MODULE)?;
    let mut log = KernelLog::from_now();
    match gpu.bind() {
        Err(errno) if wanted.contains(&errno) => {}
        got => {
            return fail(format!(
                "the probe answers {got:?}, not one of {:?}",
                wanted.iter().map(|one| name(*one)).collect::<Vec<_>>()
            ));
        }
    }
    same!((gpu.is_bound(), gpu.has_device()), (false, false));
    same!(module_users(MODULE)?, users);
    Ok(log.lines())
}

/// Checks that a line of the driver reports what was wrong.
fn is_told(lines: &[String]) -> Outcome {
    holds!(lines.iter().any(|line| line.contains("tyr")), "the log says why: {lines:?}");
    Ok(())
}

/// Checks that the failed probe left nothing switched on, and that the next probe works without the fault.
pub(super) fn works_again(gpu: &Gpu) -> Outcome {
    gpu.mend()?;
    same!(gpu.switched()?, [false; 3]);
    works!(gpu.bind());
    client(gpu).map(drop)
}

/// A reset that never ends fails the probe with ETIMEDOUT in time, and is logged.
fn hung_reset_fails_the_probe(guest: &Guest) -> Outcome {
    let gpu = broken(guest, r#"{"kind": "stuck-reset"}"#)?;
    let start = Instant::now();
    is_told(&is_refused(&gpu, &[Errno::TIMEDOUT])?)?;
    holds!(start.elapsed() < patient(Duration::from_secs(10)), "the probe took {:?}", start.elapsed());
    works_again(&gpu)
}

fn hung_power_up_fails_the_probe(guest: &Guest) -> Outcome {
    let gpu = broken(guest, r#"{"kind": "stuck-power"}"#)?;
    let start = Instant::now();
    is_told(&is_refused(&gpu, &[Errno::TIMEDOUT])?)?;
    holds!(start.elapsed() < patient(Duration::from_secs(10)), "the probe took {:?}", start.elapsed());
    works_again(&gpu)
}

/// A GPU that is a hundred times slower works: a boot takes 0.2 s then, and a reset 0.05 s.
fn slow_hardware_is_waited_for(guest: &Guest) -> Outcome {
    let gpu = broken(guest, r#"{"kind": "slow", "factor": 100}"#)?;
    let start = Instant::now();
    works!(gpu.bind());
    took(start, 250)?;
    a_round(&gpu.open()?)?;
    works_again(&gpu)
}

/// Checks that the fault had its effect: at least this many milliseconds passed since `start`. Guest and model have
/// different clocks.
fn took(start: Instant, milliseconds: u128) -> Outcome {
    let elapsed = start.elapsed();
    holds!(elapsed.as_millis() >= milliseconds * 95 / 100, "it is slow: {elapsed:?}");
    Ok(())
}

/// A microcontroller that does not start, or starts and does not answer, fails the probe with ETIMEDOUT.
fn silent_firmware_fails_the_probe(guest: &Guest) -> Outcome {
    for kind in ["silent-boot", "silent-mcu"] {
        let gpu = broken(guest, &format!(r#"{{"kind": "{kind}"}}"#))?;
        let start = Instant::now();
        is_told(&is_refused(&gpu, &[Errno::TIMEDOUT])?)?;
        holds!(
            start.elapsed() < patient(Duration::from_secs(20)),
            "the probe took {:?} with `{kind}`",
            start.elapsed()
        );
        works_again(&gpu)?;
    }
    Ok(())
}

/// A slow reset and a slow boot succeed.
fn slow_reset_and_slow_boot(guest: &Guest) -> Outcome {
    for (fault, least) in
        [(r#"{"kind": "slow-reset", "seconds": 0.05}"#, 50), (r#"{"kind": "slow-boot", "seconds": 0.3}"#, 300)]
    {
        let gpu = broken(guest, fault)?;
        let start = Instant::now();
        works!(gpu.bind());
        took(start, least)?;
        a_round(&gpu.open()?)?;
        works_again(&gpu)?;
    }
    Ok(())
}

/// The GPU's own memory accesses fail, so no firmware runs and the probe fails.
fn refused_gpu_dma_fails_the_probe(guest: &Guest) -> Outcome {
    let gpu = broken(guest, r#"{"kind": "dma-refusal"}"#)?;
    is_told(&is_refused(&gpu, &NO_HARDWARE)?)?;
    works_again(&gpu)
}

/// The probe of a GPU that was removed by surprise fails with ENODEV, instead of taking all ones for a chip's number.
fn surprise_removal_before_the_probe(guest: &Guest) -> Outcome {
    let gpu = broken(guest, r#"{"kind": "removal"}"#)?;
    is_told(&is_refused(&gpu, &[Errno::NODEV])?)?;
    works_again(&gpu)
}

/// After a removal at any register access, the probe fails as without hardware and leaves nothing, or has finished with
/// the registers.
fn l3_surprise_removal_at_each_access_of_a_probe(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    works!(gpu.unbind());
    let users = module_users(MODULE)?;
    let mut accesses = 1;
    while accesses < 100_000 {
        gpu.fault(&format!(r#"{{"kind": "removal", "after": {{"accesses": {accesses}}}}}"#))?;
        let bound = gpu.bind();
        let told = |why: String| fail(format!("removed after {accesses} accesses: {why}"));
        match bound {
            // The last steps of a probe need no register, so the removal comes later or never.
            Ok(()) => return through(&gpu, accesses),
            Err(errno) if NO_HARDWARE.contains(&errno) => {}
            Err(errno) => return told(name(errno)),
        }
        if gpu.has_device() || gpu.is_bound() || module_users(MODULE)? != users {
            return told("something is left".to_owned());
        }
        gpu.mend()?;
        same!(gpu.switched()?, [false; 3]);
        // Each of the first accesses is tried, since their steps differ, and later ever fewer: those are polls of one
        // register.
        accesses += 1 + accesses / 24;
    }
    fail("a probe never stops accessing registers")
}

/// Checks that a complete probe makes many accesses, and that the device works when its hardware does.
fn through(gpu: &Gpu, accesses: u32) -> Outcome {
    holds!(accesses > 50, "a probe of {accesses} accesses boots nothing");
    works_again(gpu)
}

/// After the loss of any single interrupt, the driver notices by itself, or gives up in time and leaves nothing.
fn lost_probe_interrupt_is_noticed_or_fails_the_probe(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    for after in [0, 1, 5, 10, 20, 40, 80, 120, 160, 200, 300, 400, 600, 800] {
        works!(gpu.unbind());
        gpu.fault(&format!(r#"{{"kind": "lost-interrupt", "count": 1, "after": {{"accesses": {after}}}}}"#))?;
        match gpu.bind() {
            Ok(()) => a_round(&gpu.open()?)?,
            Err(Errno::TIMEDOUT) => same!((gpu.is_bound(), gpu.has_device()), (false, false)),
            Err(errno) => return fail(format!("lost after {after} accesses: {}", name(errno))),
        }
        works_again(&gpu)?;
    }
    Ok(())
}

/// A spurious interrupt of each vector has no effect, whether the GPU is idle or at work.
fn spurious_interrupts_have_no_effect(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let file = gpu.open()?;
    for _ in 0..20 {
        for vector in 0..3 {
            gpu.fault(&format!(r#"{{"kind": "spurious-interrupt", "vector": {vector}}}"#))?;
            a_round(&file)?;
        }
    }
    works_again(&gpu)
}

/// A spurious interrupt during a probe has no effect, whatever the probe waits for at that moment.
fn spurious_interrupts_in_a_probe_have_no_effect(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    for after in [1, 10, 30, 60, 100, 150, 200, 300, 500] {
        works!(gpu.unbind());
        for vector in 0..3 {
            let fault = r#"{"kind": "spurious-interrupt", "vector": "#;
            gpu.fault(&format!(r#"{fault}{vector}, "after": {{"accesses": {}}}}}"#, after + vector))?;
        }
        works!(gpu.bind());
        a_round(&gpu.open()?)?;
    }
    works_again(&gpu)
}

/// Checks that a probe with changed firmware fails with one of these errors, and works with the original again.
fn with_firmware(guest: &Guest, wanted: &[Errno], change: impl FnOnce(&Firmware) -> Outcome) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let firmware = Firmware::found()?;
    works!(gpu.unbind());
    change(&firmware)?;
    let refused = is_refused(&gpu, wanted);
    drop(firmware);
    is_told(&refused?)?;
    works_again(&gpu)
}

/// A missing firmware fails the probe with ENOENT.
fn missing_firmware_fails_the_probe(guest: &Guest) -> Outcome {
    with_firmware(guest, &[Errno::NOENT], Firmware::remove)
}

/// A file that is not the firmware fails the probe with EINVAL: empty, something else, another format, a newer one.
fn invalid_firmware_fails_the_probe(guest: &Guest) -> Outcome {
    let wanted = [Errno::INVAL, Errno::NOENT];
    with_firmware(guest, &wanted, |firmware| firmware.replace(&[]))?;
    let wanted = [Errno::INVAL];
    with_firmware(guest, &wanted, |firmware| firmware.replace(&[0]))?;
    with_firmware(guest, &wanted, |firmware| firmware.replace(&[0x55; 64 << 10]))?;
    with_firmware(guest, &wanted, |firmware| firmware.replace(b"\x7fELF a program and no firmware"))?;
    // These are the magic number, and the major version of the format.
    for at in [0, 3, 5] {
        with_firmware(guest, &wanted, |firmware| firmware.damage(at))?;
    }
    Ok(())
}

/// A truncated firmware fails the probe with EINVAL, wherever it ends: in the header, in the list, one byte before the
/// last needed.
fn truncated_firmware_fails_the_probe(guest: &Guest) -> Outcome {
    let whole = Firmware::found()?;
    let (header, needed) = (whole.header()?, whole.needed());
    drop(whole);
    for keep in [1, 4, 19, 20, 24, header - 1, header, header + 1, needed / 2, needed - 1] {
        let answer = with_firmware(guest, &[Errno::INVAL], |firmware| firmware.cut(keep));
        if let Err(Stop::Fail(why)) = answer {
            return fail(format!("cut off after {keep} bytes: {why}"));
        }
        answer?;
    }
    Ok(())
}

/// If the microcontroller reads a byte that differs from what was loaded, it does not start: at the beginning, the
/// middle and the end of each section.
fn damaged_firmware_section_fails_the_probe(guest: &Guest) -> Outcome {
    let sections = Firmware::found()?.sections()?;
    holds!(sections.len() > 1, "the firmware has sections: {sections:?}");
    for (section, length) in sections {
        for offset in [0, length / 2, length - 1] {
            let fault = format!(r#"{{"kind": "corrupt-firmware", "section": {section}, "offset": {offset}}}"#);
            let gpu = broken(guest, &fault)?;
            match is_refused(&gpu, &[Errno::INVAL, Errno::IO, Errno::TIMEDOUT, Errno::NODEV]) {
                Ok(lines) => is_told(&lines)?,
                Err(Stop::Fail(why)) => return fail(format!("byte {offset} of section {section} damaged: {why}")),
                Err(stop) => return Err(stop),
            }
            works_again(&gpu)?;
        }
    }
    Ok(())
}

/// A firmware whose list of entries is invalid because of one inverted byte fails the probe with EINVAL.
fn damaged_firmware_entry_fails_the_probe(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let firmware = Firmware::found()?;
    let fatal: Vec<usize> = (0..firmware.header()?).filter(|at| !firmware.is_one_with(*at)).collect();
    holds!(fatal.len() > 20, "bytes matter: {fatal:?}");
    works!(gpu.unbind());
    for at in fatal.iter().step_by(1 + fatal.len() / 60) {
        firmware.damage(*at)?;
        let refused = is_refused(&gpu, &[Errno::INVAL]);
        firmware.restore()?;
        match refused {
            Ok(lines) => is_told(&lines)?,
            Err(Stop::Fail(why)) => return fail(format!("with byte {at:#x} damaged: {why}")),
            Err(stop) => return Err(stop),
        }
    }
    works_again(&gpu)
}

/// After a removal, calls that need no register work until the driver is unbound; then they fail with ENODEV, and
/// nothing hangs.
fn surprise_removal_with_an_open_file(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let held = client(&gpu)?;
    gpu.fault(r#"{"kind": "removal"}"#)?;
    works!(held.file.bo(P));
    works!(held.file.0.capability(5));
    let bound = held.file.bind(1, &[Op::unmap(VA, P)]);
    holds!(bound.is_ok() || bound.is_err_and(|errno| NO_HARDWARE.contains(&errno)), "an unmap is answered {bound:?}");
    works!(gpu.unbind());
    is_dead(&held)?;
    works_again(&gpu)?;
    is_dead(&held)?;
    drop(held);
    client(&gpu).map(drop)
}

/// The module can be unloaded after a surprise removal; when loaded again, it does not bind.
fn surprise_removal_then_unload(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let held = client(&gpu)?;
    gpu.fault(r#"{"kind": "removal"}"#)?;
    refuses!(modules::remove(MODULE), AGAIN);
    drop(held);
    works!(modules::remove(MODULE));
    gpu.load(guest)?;
    same!((gpu.is_bound(), gpu.has_device()), (false, false));
    works_again(&gpu)
}

/// After a removal at any register access a call fails as without hardware, or works, and the driver frees everything.
fn surprise_removal_at_each_access_of_a_bind(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    for accesses in (0..40).chain([60, 90, 150]) {
        let file = gpu.open()?;
        let vm = Vm::new(&gpu, &file)?;
        let bo = file.numbered_bo(64, 0x100)?;
        gpu.fault(&format!(r#"{{"kind": "removal", "after": {{"accesses": {accesses}}}}}"#))?;
        for _ in 0..3 {
            let ops = [Op::map(bo, 0, VA, 64 * P), Op::unmap(VA + P, P), Op::map(bo, 0, VA + P, P)];
            match vm.bind(&ops) {
                Ok(()) | Err(Errno::INVAL) => {}
                Err(errno) if NO_HARDWARE.contains(&errno) => {}
                Err(errno) => return fail(format!("removed after {accesses} accesses: {}", name(errno))),
            }
        }
        works!(gpu.unbind());
        drop(file);
        same!(module_users(MODULE)?, Some(0));
        gpu.mend()?;
        works!(gpu.bind());
    }
    client(&gpu).map(drop)
}

/// A removal while the client destroys a VM, or the end of its file does, leaves nothing behind.
fn surprise_removal_during_vm_destroy(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    for accesses in (0..16).chain([20, 30, 50]) {
        for by_the_file in [false, true] {
            let file = gpu.open()?;
            let vm = works!(file.vm_create());
            let bo = works!(file.bo(8 * P));
            works!(file.bind(vm, &[Op::map(bo, 0, VA, 8 * P)]));
            gpu.fault(&format!(r#"{{"kind": "removal", "after": {{"accesses": {accesses}}}}}"#))?;
            if !by_the_file {
                works!(file.vm_destroy(vm));
            }
            drop(file);
            works!(gpu.unbind());
            same!(module_users(MODULE)?, Some(0));
            gpu.mend()?;
            works!(gpu.bind());
        }
    }
    client(&gpu).map(drop)
}

/// The MMU's commands take 4 ms each, and a call does not return before they are done.
fn binding_is_slow(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let file = gpu.open()?;
    let vm = Vm::new(&gpu, &file)?;
    let bo = file.numbered_bo(8, 0x100)?;
    gpu.fault(r#"{"kind": "slow", "factor": 200}"#)?;
    let start = Instant::now();
    for _ in 0..20 {
        works!(vm.bind(&[Op::map(bo, 0, VA, 8 * P), Op::unmap(VA + P, P)]));
        vm.shows(VA, 16 * P, &[(VA, 0x100, 1), (VA + 2 * P, 0x102, 6)])?;
    }
    took(start, 20 * 4)?;
    works_again(&gpu)
}

/// The module loads without a GPU that it can drive: another one may come.
fn module_loads_without_a_usable_gpu(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    works!(modules::remove(MODULE));
    gpu.fault(r#"{"kind": "stuck-reset"}"#)?;
    gpu.load(guest)?;
    same!((gpu.is_bound(), gpu.has_device(), module_users(MODULE)?), (false, false, Some(0)));
    works_again(&gpu)
}
