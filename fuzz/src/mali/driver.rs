// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A driver of a few lines, for inputs that begin with a state that random bytes would never reach: memory, page
//! tables, and a loaded firmware.

use csf_fw::builder::Builder;
use csf_fw::{Firmware, Flags, PAGE_SIZE, SHARED_START};
use csf_iface::Version;
use drydock_models::fault::Plan;
use drydock_models::mali::Mali;
use mali_regs::mmu::{self, Command, TransCfg, memattr};
use mali_regs::{Register, doorbell, irq, mcu, power};
use std::time::Instant;

use crate::device::{Machine, Step};

/// The start of the guest's memory.
pub(crate) const BASE: u64 = 0x1_0000_0000;
/// The size of the guest's memory.
pub(super) const MEMORY: u64 = 192 << 12;

/// The size of the section that driver and firmware share: the published firmware's content, and the buffers of groups
/// and streams.
const SHARED_SIZE: u32 = 16 * PAGE_SIZE;

/// The bits of an entry that is valid, accessed, and accessible to the GPU.
const PAGE: u64 = 0x443;

/// The driver and its GPU.
pub(super) struct Driver {
    pub(super) machine: Machine<Mali>,
    free: u64,
    root: u64,
}

impl Driver {
    /// Creates a GPU with its L2 on, which expects the firmware `expected`.
    pub(super) fn new(expected: Option<&[u8]>) -> Self {
        let mut mali = Mali::new(Instant::now());
        if let Some(file) = expected {
            mali = mali.expect_firmware(file.to_vec()).expect("it was built right");
        }
        let mut machine = Machine::new(mali, Plan::default());
        machine.map(BASE, MEMORY);
        let mut driver = Self { machine, free: BASE, root: 0 };
        driver.root = driver.page();
        driver.write(power::L2_PWRON, 0, 1);
        driver.machine.take(&Step::Wait);
        driver
    }

    /// Allocates a page of zeros. Without free pages it returns the last one again.
    fn page(&mut self) -> u64 {
        let page = self.free;
        self.free = (self.free + u64::from(PAGE_SIZE)).min(BASE + MEMORY - u64::from(PAGE_SIZE));
        page
    }

    pub(super) fn write(&mut self, register: Register, index: usize, value: u32) {
        self.machine.take(&Step::write(0, register.at(index) as u64, value));
    }

    fn write_wide(&mut self, register: Register, index: usize, value: u64) {
        for (more, half) in [(0, value as u32), (4, (value >> 32) as u32)] {
            self.machine.take(&Step::write(0, register.at(index) as u64 + more, half));
        }
    }

    /// Writes memory; elsewhere nothing happens.
    pub(super) fn poke(&mut self, at: u64, data: &[u8]) {
        // An input may contain any address.
        let _ = self.machine.device.bus().memory().write(at, data);
    }

    pub(super) fn peek(&mut self, at: u64) -> u64 {
        let mut bytes = [0; 8];
        // Unreadable memory is zero.
        let _ = self.machine.device.bus().memory().read(at, &mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// Returns the place of the last level's entry for an address of the first address space, and makes the tables
    /// above it.
    fn entry(&mut self, va: u64) -> u64 {
        let mut table = self.root;
        for shift in [39, 30, 21] {
            let at = table + (va >> shift & 0x1ff) * 8;
            if self.peek(at) == 0 {
                let next = self.page();
                self.poke(at, &(next | 3).to_le_bytes());
            }
            table = self.peek(at) & 0xffff_ffff_f000;
        }
        table + (va >> 12 & 0x1ff) * 8
    }

    /// Maps fresh memory at the address, with the bits of an entry.
    pub(super) fn map(&mut self, va: u64, bits: u64) {
        let (at, page) = (self.entry(va), self.page());
        self.poke(at, &(page | bits | PAGE).to_le_bytes());
    }

    /// Returns the physical address of an address of the first address space.
    pub(super) fn pa(&mut self, va: u64) -> u64 {
        let entry = self.entry(va);
        (self.peek(entry) & 0xffff_ffff_f000) + va % u64::from(PAGE_SIZE)
    }

    /// Gives the driver's tables, or others, to an address space.
    pub(super) fn set_up(&mut self, space: usize, table: Option<u64>, config: TransCfg) {
        let attributes = memattr::pack([memattr::UNCACHED, memattr::WRITE_BACK, 0, 0, 0, 0, 0, 0]);
        self.write_wide(mmu::AS_TRANSTAB, space, table.unwrap_or(self.root));
        self.write_wide(mmu::AS_MEMATTR, space, attributes);
        self.write_wide(mmu::AS_TRANSCFG, space, config.0);
        self.write(mmu::AS_COMMAND, space, Command::Update.bits());
        self.machine.take(&Step::Sleep(1));
    }

    /// Loads a firmware and starts the microcontroller.
    pub(super) fn boot(&mut self, file: &[u8]) {
        self.set_up(0, None, TransCfg::aarch64_4k(48, true));
        for section in Firmware::parse(file).expect("it was built right").sections() {
            let flags = section.flags();
            let read_only = if flags.has(Flags::WRITE) { 0 } else { 1 << 7 };
            let no_execute = if flags.has(Flags::EXECUTE) { 0 } else { 3 << 53 };
            let mut data = section.data().chunks(PAGE_SIZE as usize);
            for va in section.addresses().step_by(PAGE_SIZE as usize) {
                self.map(va.into(), read_only | no_execute);
                let pa = self.pa(va.into());
                self.poke(pa, data.next().unwrap_or_default());
            }
        }
        self.write(irq::JOB_IRQ_MASK, 0, u32::MAX);
        self.write(mcu::MCU_CONTROL, 0, mcu::Control::Auto.bits());
        self.machine.take(&Step::Wait);
    }

    /// Returns a word of the shared section.
    pub(super) fn word(&mut self, offset: u64) -> u32 {
        let pa = self.pa(u64::from(SHARED_START) + offset);
        self.peek(pa) as u32
    }

    pub(super) fn set_word(&mut self, offset: u64, value: u32) {
        let pa = self.pa(u64::from(SHARED_START) + offset);
        self.poke(pa, &value.to_le_bytes());
    }

    pub(super) fn ring(&mut self, number: usize) {
        self.write(doorbell::DOORBELL, number, doorbell::RING);
        self.machine.take(&Step::Sleep(1));
    }
}

/// Returns a container that loads quickly.
pub(super) fn container(version: Version) -> Vec<u8> {
    let vectors = [0x80_0000u32.to_le_bytes(), 0x80_0041u32.to_le_bytes()].concat();
    Builder::new()
        .version_hash(version.0)
        .section(Flags::READ, 0, PAGE_SIZE, &vectors)
        .section(Flags::READ | Flags::EXECUTE, 0x80_0000, PAGE_SIZE, &[0x5a; 128])
        .section(Flags::READ | Flags::WRITE | Flags::SHARED | Flags::ZERO, SHARED_START, SHARED_SIZE, &[])
        .config(0x80_0004, 0, 3, "Log verbosity")
        .build()
}
