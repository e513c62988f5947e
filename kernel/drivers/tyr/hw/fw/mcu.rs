// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The microcontroller: switching it on and off, and the interrupt with which its firmware notifies
//! the driver.
//!
//! Source: `crates/mali-regs` (`mcu.rs`, `irq.rs`).

use crate::hw::{
    event::Waited,
    gpu::Gpu,
    irq::{
        HandleEvents,
        Line, //
    },
};
use kernel::{
    prelude::*,
    sync::{
        atomic::Relaxed,
        Arc, //
    },
    time::Delta, //
};
use mali_regs::{
    irq::job,
    mcu::{
        Control,
        Status,
        MCU_CONTROL,
        MCU_STATUS, //
    },
};

/// The time that the firmware may take to boot, in milliseconds.
const BOOT_TIMEOUT_MS: u32 = 3000;
const STOP_TIMEOUT: Delta = Delta::from_secs(1);

/// Returns the name of a microcontroller status.
fn name(status: u32) -> &'static str {
    match Status::from_bits(status) {
        Status::Disabled => "disabled",
        Status::Enabled => "enabled",
        Status::Halted => "halted",
        Status::Fatal => "fatal",
    }
}

/// Switches the microcontroller on, and waits until its firmware reports that it has booted.
pub(super) fn start(gpu: &Gpu<'_>) -> Result {
    gpu.clear(&gpu.job_line, u32::MAX);
    gpu.job_events.clear(job::GLOBAL);
    gpu.set_mask(&gpu.job_line, u32::MAX);
    gpu.mcu_running.store(true, Relaxed);
    gpu.regs.write(MCU_CONTROL, Control::Auto.bits());

    let more = match gpu.job_events.wait(job::GLOBAL, BOOT_TIMEOUT_MS) {
        Waited::Reported => return Ok(()),
        Waited::Interrupted => Delta::from_millis(BOOT_TIMEOUT_MS.into()),
        Waited::TimedOut => Delta::ZERO,
    };
    let booted = gpu.regs.poll(
        |regs| regs.read(gpu.job_line.block.rawstat).into(),
        |rawstat| rawstat as u32 & job::GLOBAL != 0 || gpu.job_events.is_reported(job::GLOBAL),
        Delta::from_micros(100),
        more,
    );
    booted.map_err(|timeout| {
        let status = gpu.regs.read(MCU_STATUS);
        gpu.log_error(
            timeout.error,
            format_args!(
                "the firmware does not boot: MCU_STATUS = {status:#x} ({}), JOB_IRQ_RAWSTAT = {:#x}",
                name(status),
                timeout.last
            ),
        )
    })?;
    if more.is_zero() {
        dev_warn!(gpu.dev, "an interrupt of the firmware was lost\n");
        gpu.kick(&gpu.job_line);
    }
    Ok(())
}

/// Waits until the firmware has halted on request.
pub(super) fn wait_until_halted(gpu: &Gpu<'_>) -> Result {
    wait(gpu, Status::Halted, Delta::from_secs(1))
}

/// Switches the microcontroller and its interrupt off, unless they are off. If that fails, resets
/// the GPU, because the memory of the firmware is about to be freed. Failures are only logged.
pub(super) fn stop(gpu: &Gpu<'_>) {
    if !gpu.mcu_running.xchg(false, Relaxed) {
        return;
    }
    gpu.set_mask(&gpu.job_line, 0);
    if gpu.reset_pending() {
        return;
    }
    gpu.regs.write(MCU_CONTROL, Control::Disable.bits());
    if wait(gpu, Status::Disabled, STOP_TIMEOUT) == Err(ETIMEDOUT) && gpu.reset().is_ok() {
        dev_warn!(gpu.dev, "the GPU was reset to stop the microcontroller\n");
    }
}

/// Stops the microcontroller when dropped, before the memory of its firmware is freed.
pub(super) struct Stop<'bound>(pub(super) Arc<Gpu<'bound>>);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        stop(&self.0);
    }
}

fn wait(gpu: &Gpu<'_>, wanted: Status, limit: Delta) -> Result {
    let polled = gpu.regs.poll(
        |regs| regs.read(MCU_STATUS).into(),
        |status| status == wanted.bits().into(),
        Delta::from_micros(100),
        limit,
    );
    polled.map(drop).map_err(|timeout| {
        gpu.log_error(
            timeout.error,
            format_args!(
                "the microcontroller is not {}: MCU_STATUS = {:#x} ({})",
                name(wanted.bits()),
                timeout.last,
                name(timeout.last as u32)
            ),
        )
    })
}

/// The handler of the firmware's line.
pub(crate) struct IrqHandler;

impl HandleEvents for IrqHandler {
    fn line<'a>(&self, gpu: &'a Gpu<'_>) -> &'a Line {
        &gpu.job_line
    }

    fn handle_events(&self, gpu: &Gpu<'_>, events: u32) {
        gpu.clear(&gpu.job_line, events);
        gpu.job_events.report(events);
    }
}
