// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Tests that the microcontroller starts if and only if the loaded bytes are the firmware.

use csf_iface::{global, group, stream};
use mali_regs::mcu::{Control, Status};

use super::driver::{Driver, INPUT, NO_EXECUTE, OUTPUT, READ_ONLY};
use super::*;

fn sample() -> Vec<u8> {
    csf_fw::builder::sample(&[])
}

/// Returns control blocks like the published firmware's, here with two groups of eight streams at other places.
fn template() -> Vec<u8> {
    let mut shared = vec![0; 0x2000];
    let mut word = |at: usize, value: u32| shared[at..at + 4].copy_from_slice(&value.to_le_bytes());
    for (at, value) in [(0x8, 0x400_2100), (0xc, 0x400_6100), (0x10, 3), (0x14, 0x100), (0x1c, 0x71)] {
        word(at, value);
    }
    for group in 0..3 {
        let at = 0x1000 + group * 0x100;
        let (input, output) = (0x400_3000 + group as u32 * 0x60, 0x400_7000 + group as u32 * 0x20);
        for (offset, value) in [(4, input), (8, output), (0x14, 8), (0x18, 0x10)] {
            word(at + offset, value);
        }
        for stream in 0..8 {
            let number = (group * 8 + stream) as u32;
            word(at + 0x44 + stream * 0x10, 0x400_3400 + number * 0x60);
            word(at + 0x48 + stream * 0x10, 0x400_8000 + number * 0xe0);
        }
    }
    shared
}

#[test]
fn firmware_boots_and_interrupts() {
    let mut driver = Driver::booted();
    assert_eq!(driver.status(), Status::Enabled);
    assert_eq!(driver.interrupts(), irq::job::GLOBAL);
    assert_eq!(driver.word(0x400_0000), 0x0105_0000, "the version of its interface");
    let at = |field| 0x400_0000 + field as u32;
    assert_eq!(driver.word(at(std::mem::offset_of!(global::Control, input_va))), INPUT);
    assert_eq!(driver.word(at(std::mem::offset_of!(global::Control, output_va))), OUTPUT);
    assert_eq!(driver.word(at(std::mem::offset_of!(global::Control, group_num))), 8);
    let features = stream::Features::from_bits(driver.word(0x400_10fc - 4));
    assert_eq!((features.registers, features.scoreboards), (96, 8));
    assert_eq!(driver.word(0x400_10fc), 0x400_3900, "the third stream of the second group");
    assert!(driver.word(0x400_1000 + std::mem::offset_of!(group::Control, suspend_size) as u32) > 0);
    driver.is_right();
    assert!(driver.bench.has_logged("section 1 0x800000..0x810000 r-x: 61476 bytes as in the file"));
    assert!(driver.bench.has_logged("section 3 0x4000000..0x400c000 rw-: 0 bytes as in the file"));
    assert!(driver.bench.has_logged("the firmware runs: interface 1.5.0, 8 groups of 8 streams"));
}

#[test]
fn a_boot_takes_time() {
    let mut driver = Driver::new(None, "");
    driver.enable(0);
    driver.load_firmware(&sample());
    driver.bench.write(registers::MCU_CONTROL, Control::Auto.bits());
    assert_eq!(driver.status(), Status::Enabled);
    assert_eq!((driver.interrupts(), driver.word(0x400_0000)), (0, 0));
    driver.step();
    assert_eq!(driver.interrupts(), irq::job::GLOBAL);
    assert!(driver.bench.has_logged("no container of firmware was given"));
    driver.is_right();
}

#[test]
fn blocks_are_at_the_reported_addresses() {
    let file = csf_fw::builder::sample(&template());
    let mut driver = Driver::new(Some(file.clone()), "");
    driver.enable(0);
    driver.load_firmware(&file);
    driver.boot();
    assert_eq!((driver.word(0x400_0008), driver.word(0x400_0010), driver.word(0x400_001c)), (0x400_2100, 3, 0x71));
    assert_eq!(driver.word(0x400_1244), 0x400_3400 + 16 * 0x60, "the first stream of the third group");
    let ping = global::req::PING;
    driver.set_word(0x400_2100, ping);
    driver.ring();
    assert_eq!(driver.word(0x400_6100), ping);
    driver.is_right();
}

#[test]
fn boot_fails_with_any_byte_corrupted() {
    let file = sample();
    for (va, section) in [(0x10, 0), (0x80_2345, 0x80_0000), (0x200_1fff, 0x200_0000), (0x400_8000, 0x400_0000)] {
        let mut driver = Driver::new(Some(file.clone()), "");
        driver.enable(0);
        driver.load_firmware(&file);
        let at = driver.pa(va);
        let byte = driver.peek(at & !7).to_le_bytes()[(at % 8) as usize];
        driver.poke(at, &[byte ^ 0x80]);
        driver.boot();
        driver.is_wrong(&format!("firmware section at {section:#x}: {va:#x} has {:#04x}", byte ^ 0x80));
        assert_eq!((driver.status(), driver.interrupts()), (Status::Fatal, 0), "{va:#x}");
    }
}

#[test]
fn settings_are_the_drivers_to_write() {
    let file = sample();
    let mut driver = Driver::new(Some(file.clone()), "");
    driver.enable(0);
    driver.load_firmware(&file);
    driver.set_word(0x200_0004, 3);
    driver.boot();
    assert_eq!(driver.interrupts(), irq::job::GLOBAL);
    driver.is_right();
}

#[test]
fn a_section_that_is_not_mapped_is_a_fault_of_the_mmu() {
    let file = sample();
    let missing = [
        (0, "TRANSLATION_FAULT_3 at 0x0 (READ)", regs::AccessType::Read),
        (0x80_0000, "TRANSLATION_FAULT_3 at 0x800040 (EXECUTE)", regs::AccessType::Execute),
        (0x200_3000, "TRANSLATION_FAULT_3 at 0x2003000 (READ)", regs::AccessType::Read),
    ];
    for (va, text, access) in missing {
        let mut driver = Driver::new(Some(file.clone()), "");
        driver.enable(0);
        driver.load_firmware(&file);
        driver.unmap(0, va);
        driver.boot();
        assert!(driver.bench.has_logged(text), "{:#?}", driver.bench.log);
        let status = regs::FaultStatus(driver.bench.read(regs::AS_FAULTSTATUS));
        assert_eq!((status.exception(), status.access()), (0xc3, access.bits()));
        assert_eq!(driver.bench.read(irq::MMU_IRQ_RAWSTAT) & 0xffff, 1);
        assert_eq!(driver.status(), Status::Fatal);
        driver.is_right();
    }
}

#[test]
fn rights_are_those_of_the_section() {
    let file = sample();
    let wrong = [
        (0x80_1000, READ_ONLY | NO_EXECUTE, Err("PERM_FAULT_3 at 0x801000 (EXECUTE)")),
        (0x200_1000, READ_ONLY | NO_EXECUTE, Err("PERM_FAULT_3 at 0x2001000 (WRITE)")),
        (0x80_1000, 0, Ok("section at 0x800000 is mapped writable")),
        (0x200_1000, 0, Ok("section at 0x2000000 is mapped executable")),
    ];
    for (va, bits, what) in wrong {
        let mut driver = Driver::new(Some(file.clone()), "");
        driver.enable(0);
        driver.load_firmware(&file);
        let pa = driver.pa(va);
        driver.map_to(0, va, pa, bits);
        driver.boot();
        match what {
            Err(fault) => assert!(driver.bench.has_logged(fault), "{fault}"),
            Ok(violation) => driver.is_wrong(violation),
        }
    }
}

#[test]
fn mcu_without_power_stays_off() {
    let mut bench = Bench::new("");
    bench.write(registers::MCU_CONTROL, Control::Enable.bits());
    bench.wait();
    assert_eq!(bench.read(registers::MCU_STATUS), Status::Disabled.bits());
    assert_eq!(bench.complaints().len(), 1);
    let mut driver = Driver::booted();
    driver.bench.write(power::L2_PWROFF, 1);
    driver.is_wrong("the L2 is switched off while the MCU is on");
}

#[test]
fn unknown_command_or_doorbell_is_a_violation() {
    type Mistake = (&'static str, fn(&mut Driver));
    let wrong: &[Mistake] = &[
        ("no such command of the MCU", |driver| driver.bench.write(registers::MCU_CONTROL, 3)),
        ("another value than 1", |driver| driver.bench.write_at(doorbell::DOORBELL.offset, 2)),
        ("while the MCU is off", |driver| {
            driver.bench.write(registers::MCU_CONTROL, Control::Disable.bits());
            driver.ring();
        }),
    ];
    for (what, wrong) in wrong {
        let mut driver = Driver::booted();
        wrong(&mut driver);
        driver.is_wrong(what);
    }
}

#[test]
fn after_a_reset_it_starts_from_what_is_loaded() {
    let file = sample();
    let again = |reload: bool| {
        let mut driver = Driver::booted();
        driver.bench.write(gpu::GPU_COMMAND, Command::SoftReset.bits());
        driver.bench.wait();
        assert_eq!(driver.status(), Status::Disabled);
        driver.power_on();
        driver.enable(0);
        if reload {
            driver.reload_firmware(&file);
        }
        driver.interrupts();
        driver.boot();
        driver
    };
    let mut driver = again(true);
    assert_eq!(driver.interrupts(), irq::job::GLOBAL);
    driver.is_right();
    // The firmware was not halted, so its memory is not trusted, and differs from the file.
    again(false).is_wrong("firmware section at 0x4000000");
}

#[test]
fn boot_after_halt_keeps_written_sections() {
    let mut driver = Driver::booted();
    driver.request(global::req::HALT);
    assert_eq!(driver.status(), Status::Halted);
    driver.bench.write(gpu::GPU_COMMAND, Command::SoftReset.bits());
    driver.bench.wait();
    driver.power_on();
    driver.enable(0);
    let request = driver.handshake().set(0, global::req::HALT);
    driver.set_word(INPUT, request);
    driver.interrupts();
    driver.boot();
    assert_eq!(driver.interrupts(), irq::job::GLOBAL);
    assert!(driver.bench.has_logged("section 2 0x2000000..0x2008000 rw-: kept from before"));
    driver.request(global::req::PING);
    assert_eq!(driver.handshake().pending(!0), 0);
    driver.is_right();
}

#[test]
fn it_waits_for_a_lock_to_end() {
    let mut driver = Driver::booted();
    driver.lock(0, 0x400_0000, 0x1_0000);
    driver.request(global::req::PING);
    assert_ne!(driver.handshake().pending(global::req::PING), 0);
    assert_eq!(driver.bench.device.due(), None, "nothing polls");
    driver.command(0, regs::Command::Unlock);
    driver.bench.wait();
    assert_eq!(driver.handshake().pending(global::req::PING), 0);
    driver.is_right();
}

/// The published firmware boots, by the path in `DRYDOCK_MALI_FIRMWARE`.
#[test]
#[ignore = "needs the published firmware (DRYDOCK_MALI_FIRMWARE)"]
fn published_firmware_boots() {
    let path = std::env::var_os("DRYDOCK_MALI_FIRMWARE").expect("DRYDOCK_MALI_FIRMWARE names the file");
    let file = std::fs::read(path).unwrap();
    let mut driver = Driver::new(Some(file.clone()), "");
    driver.enable(0);
    driver.load_firmware(&file);
    driver.boot();
    assert_eq!(driver.interrupts(), irq::job::GLOBAL);
    assert_eq!((driver.word(0x400_0000), driver.word(0x400_001c)), (0x0105_0000, 0x71));
    driver.request(global::req::PING);
    assert_eq!(driver.handshake().pending(!0), 0);
    driver.is_right();
}
