// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Tests a host that gives the clock's thread no processor: only accesses advance the GPU, which must look as if
//! nothing was late.
//!
//! No test here calls `tick`. The time passes, and the next access must see everything that was due.

use mali_regs::mcu::{Control, Status};

use super::driver::Driver;
use super::*;

/// A time longer than any operation takes, and shorter than any driver waits.
const WHILE: Duration = Duration::from_millis(50);

fn flush() -> u32 {
    Command::FlushCaches { l2: gpu::Flush::Clean, load_store: gpu::Flush::Clean, other: gpu::Flush::None }.bits()
}

#[test]
fn power_changes_without_the_clock() {
    let mut bench = Bench::new("");
    bench.write(power::L2_PWRON, 1);
    assert_eq!(bench.read(power::L2_READY), 0, "not at once");
    bench.now += WHILE;
    assert_eq!((bench.read(power::L2_READY), bench.read(power::L2_PWRTRANS)), (1, 0));
}

#[test]
fn a_reset_ends_without_the_clock() {
    let mut bench = Bench::new("");
    bench.write(gpu::GPU_COMMAND, Command::SoftReset.bits());
    bench.now += WHILE;
    assert_eq!(bench.read(irq::GPU_IRQ_RAWSTAT), irq::gpu::RESET_COMPLETED);
}

#[test]
fn write_first_completes_what_is_due() {
    let mut bench = Bench::new("");
    bench.write(gpu::GPU_COMMAND, Command::SoftReset.bits());
    bench.now += WHILE;
    bench.write(power::L2_PWRON, 1);
    bench.now += WHILE;
    bench.write_wide(regs::AS_TRANSCFG, regs::TransCfg::aarch64_4k(48, true).0);
    for _ in 0..3 {
        bench.write(gpu::GPU_COMMAND, flush());
        bench.now += WHILE;
        bench.write(regs::AS_COMMAND, regs::Command::Update.bits());
        bench.now += WHILE;
    }
    assert_eq!(bench.read(doorbell::LATEST_FLUSH_ID), 4);
    assert_eq!(bench.read(regs::AS_STATUS), 0);
    assert_eq!(bench.complaints(), [""; 0]);
}

#[test]
fn client_reads_the_count_of_completed_flushes() {
    let mut bench = Bench::new("");
    bench.write(gpu::GPU_COMMAND, flush());
    bench.now += WHILE;
    let mut byte = [0];
    bench.device.read(0, doorbell::LATEST_FLUSH_ID.offset as u64, &mut byte, bench.now);
    assert_eq!(byte, [2]);
}

/// Several events follow from one another: the boot, and the firmware's actions after it.
#[test]
fn the_firmware_boots_and_stops_without_the_clock() {
    let mut driver = Driver::new(None, "");
    driver.enable(0);
    driver.load_firmware(&csf_fw::builder::sample(&[]));
    driver.interrupts();
    driver.bench.write(registers::MCU_CONTROL, Control::Enable.bits());
    driver.bench.now += WHILE;
    assert_eq!((driver.status(), driver.interrupts()), (Status::Enabled, irq::job::GLOBAL));
    driver.bench.write(registers::MCU_CONTROL, Control::Disable.bits());
    driver.bench.now += WHILE;
    assert_eq!(driver.status(), Status::Disabled);
    driver.is_right();
}

/// A query of a test is answered as of now.
#[test]
fn query_first_completes_what_is_due() {
    let mut bench = Bench::powered();
    bench.write(regs::AS_COMMAND, regs::Command::Update.bits());
    bench.now += WHILE;
    bench.query(json!("spaces"));
    assert_eq!(bench.device.due(), None);
}

/// The consequences of a late event are not late: each happens at its own time.
#[test]
fn late_access_first_completes_everything_due() {
    let mut bench = Bench::new("");
    bench.device.command(br#"{"fault": {"kind": "slow", "factor": 10}}"#, bench.now);
    bench.write(power::L2_PWRON, 1);
    bench.write(gpu::GPU_COMMAND, flush());
    bench.now += WHILE;
    let raised = bench.read(irq::GPU_IRQ_RAWSTAT);
    assert_eq!(raised & irq::gpu::CLEAN_CACHES_COMPLETED, irq::gpu::CLEAN_CACHES_COMPLETED);
    assert_eq!(raised & irq::gpu::POWER_CHANGED_ALL, irq::gpu::POWER_CHANGED_ALL);
}
