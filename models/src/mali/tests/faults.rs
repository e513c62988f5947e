// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Tests that each fault has its effect, and counts as no violation.

use csf_iface::global::req::PING;
use mali_regs::mcu::{Control, Status};

use super::driver::Driver;
use super::*;

/// Boots with a fault from the start.
fn booted_with(fault: &str) -> Driver {
    Driver::booted_with(&format!("[[fault]]\n{fault}"))
}

#[test]
fn every_fault_is_documented() {
    let page = include_str!("../../../../docs/reference/model-interface.md");
    let (_, table) = page.split_once("| kind | keys | of |").unwrap();
    for kind in Mali::FAULTS {
        assert!(table.lines().any(|line| line.contains(&format!("`{kind}`")) && line.contains("`mali`")), "{kind}");
    }
}

#[test]
fn silent_mcu_does_not_report_its_boot() {
    let mut driver = booted_with("kind = \"silent-boot\"");
    assert_eq!((driver.status(), driver.interrupts(), driver.word(0x400_0000)), (Status::Enabled, 0, 0));
    assert_eq!(driver.bench.device.due(), None);
    driver.is_right();
}

#[test]
fn silent_mcu_stops_acknowledging() {
    let mut driver = Driver::booted();
    driver.bench.device.command(br#"{"fault": {"kind": "silent-mcu"}}"#, driver.bench.now);
    driver.request(PING);
    assert_eq!((driver.status(), driver.handshake().pending(PING)), (Status::Enabled, PING));
    // A reset does not help, a repair does.
    driver.bench.write(gpu::GPU_COMMAND, Command::SoftReset.bits());
    driver.bench.wait();
    driver.power_on();
    driver.enable(0);
    driver.interrupts();
    driver.boot();
    assert_eq!(driver.interrupts(), 0);
    driver.bench.device.command(br#""repair""#, driver.bench.now);
    driver.power_on();
    driver.enable(0);
    driver.reload_firmware(&csf_fw::builder::sample(&[]));
    driver.boot();
    assert_eq!(driver.interrupts(), irq::job::GLOBAL);
    driver.is_right();
}

#[test]
fn only_a_reset_is_allowed_after_a_stuck_reset() {
    let mut bench = Bench::new("[[fault]]\nkind = \"stuck-reset\"");
    for _ in 0..2 {
        bench.write(gpu::GPU_COMMAND, Command::SoftReset.bits());
        assert_eq!((bench.device.due(), bench.read(irq::GPU_IRQ_RAWSTAT)), (None, 0));
    }
    assert_eq!(bench.device.bus().violations(), 0);
    bench.write(registers::MCU_CONTROL, Control::Disable.bits());
    assert_eq!(bench.device.bus().violations(), 1);
}

#[test]
fn a_stuck_mcu_stops_when_it_is_reset() {
    let mut driver = Driver::booted();
    driver.bench.device.command(br#"{"fault": {"kind": "stuck-mcu"}}"#, driver.bench.now);
    driver.bench.write(registers::MCU_CONTROL, Control::Disable.bits());
    driver.bench.wait();
    assert_eq!(driver.status(), Status::Enabled);
    driver.bench.write(gpu::GPU_COMMAND, Command::SoftReset.bits());
    driver.bench.wait();
    assert_eq!(driver.status(), Status::Disabled);
    driver.is_right();
}

#[test]
fn a_stuck_mmu_works_when_it_is_reset() {
    let mut driver = Driver::new(None, "");
    driver.enable(1);
    driver.bench.device.command(br#"{"fault": {"kind": "stuck-mmu"}}"#, driver.bench.now);
    let command = regs::AS_COMMAND.at(1);
    driver.bench.write_at(command, regs::Command::Update.bits());
    assert_eq!(driver.bench.device.due(), None);
    assert_ne!(driver.bench.read_at(regs::AS_STATUS.at(1)) & regs::status::ACTIVE, 0);
    driver.bench.write(gpu::GPU_COMMAND, Command::SoftReset.bits());
    driver.bench.wait();
    driver.power_on();
    driver.enable(1);
    assert_eq!(driver.bench.read_at(regs::AS_STATUS.at(1)), 0);
    driver.is_right();
}

#[test]
fn slow_boot_takes_its_delay() {
    let mut driver = booted_with("kind = \"slow-boot\"\nseconds = 1.5");
    assert!(driver.bench.now - driver.bench.device_start() >= Duration::from_millis(1500));
    driver.is_right();
}

#[test]
fn slow_reset_takes_its_delay() {
    let mut bench = Bench::new("[[fault]]\nkind = \"slow-reset\"\nseconds = 0.25");
    let start = bench.now;
    bench.write(gpu::GPU_COMMAND, Command::SoftReset.bits());
    bench.wait();
    assert_eq!(bench.now - start, Duration::from_millis(250));
    assert_eq!(bench.read(irq::GPU_IRQ_RAWSTAT), irq::gpu::RESET_COMPLETED);
}

#[test]
fn corrupted_byte_in_any_section_prevents_boot() {
    for (section, va) in [(0, 0x4), (1, 0x80_f000), (2, 0x200_2000), (3, 0x400_b000)] {
        let offset = va & 0xffff;
        let mut driver = booted_with(&format!("kind = \"corrupt-firmware\"\nsection = {section}\noffset = {offset}"));
        assert_eq!((driver.status(), driver.interrupts()), (Status::Fatal, 0));
        assert!(driver.bench.has_logged(&format!("the byte at {va:#x} is corrupted")));
        driver.is_right();
    }
    // The section has no such byte.
    let mut driver = booted_with("kind = \"corrupt-firmware\"\nsection = 4");
    assert_eq!(driver.interrupts(), irq::job::GLOBAL);
    assert!(driver.bench.has_logged("the firmware has no such byte"));
}

#[test]
fn refused_memory_access_stops_the_firmware() {
    let mut driver = Driver::booted();
    driver.bench.device.command(br#"{"fault": {"kind": "dma-refusal"}}"#, driver.bench.now);
    driver.bench.write_at(doorbell::DOORBELL.at(doorbell::GLOBAL), doorbell::RING);
    driver.bench.wait();
    assert_eq!(driver.status(), Status::Fatal);
    let status = regs::FaultStatus(driver.bench.read(regs::AS_FAULTSTATUS));
    assert_eq!(status.exception(), exception::GPU_BUS_FAULT);
    driver.is_right();
}

#[test]
fn lost_interrupt_is_still_an_event() {
    let mut driver = booted_with("kind = \"lost-interrupt\"");
    assert!(driver.bench.has_logged("interrupt 1, which does not arrive"));
    assert_eq!(driver.interrupts(), irq::job::GLOBAL);
    driver.is_right();
}

#[test]
fn a_removed_device_does_nothing_more() {
    let mut driver = Driver::booted();
    driver.bench.write_at(doorbell::DOORBELL.at(doorbell::GLOBAL), doorbell::RING);
    driver.bench.device.command(br#"{"fault": {"kind": "removal"}}"#, driver.bench.now);
    assert_eq!(driver.bench.device.due(), None);
    assert_eq!(driver.bench.read(registers::MCU_STATUS), u32::MAX);
    driver.is_right();
}
