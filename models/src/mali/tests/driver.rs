// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A driver of a few lines: memory, page tables that it writes itself, the firmware, and requests.

use std::mem::offset_of;

use csf_fw::{Firmware, Flags};
use csf_iface::Handshake;
use csf_iface::global::{Input, Output};
use mali_regs::mmu::{LockRegion, TransCfg, memattr, mode};

use super::*;

/// The size of the guest's memory.
const MEMORY: u64 = 64 << 20;

/// Addresses of blocks of the published firmware.
pub(super) const INPUT: u32 = 0x400_2000;
pub(super) const OUTPUT: u32 = 0x400_6000;

/// Bits of an entry that the driver chooses.
pub(super) const READ_ONLY: u64 = 1 << 7;
pub(super) const NO_EXECUTE: u64 = 3 << 53;

/// A driver and its device.
pub(super) struct Driver {
    pub(super) bench: Bench,
    _file: File,
    free: u64,
    /// The root tables of the address spaces.
    roots: [u64; 8],
}

impl Driver {
    /// Creates a driver that has powered the L2, of a GPU that expects the firmware `expected`.
    pub(super) fn new(expected: Option<Vec<u8>>, plan: &str) -> Self {
        let mali = Mali::new(Instant::now());
        let mali = match expected {
            Some(file) => mali.expect_firmware(file).unwrap(),
            None => mali,
        };
        let mut bench = Bench::of(mali, plan);
        let file = tempfile::tempfile().unwrap();
        file.set_len(MEMORY).unwrap();
        let rights = Rights { read: true, write: true };
        bench.device.bus().memory.map(file.try_clone().unwrap(), 0, BASE, MEMORY, rights).unwrap();
        let mut driver = Self { bench, _file: file, free: BASE, roots: [0; 8] };
        driver.power_on();
        driver
    }

    /// Creates a driver whose firmware, the sample, runs.
    pub(super) fn booted() -> Self {
        Self::booted_with("")
    }

    pub(super) fn booted_with(plan: &str) -> Self {
        Self::boots(csf_fw::builder::sample(&[]), plan)
    }

    /// Creates such a driver with another version of the interface.
    pub(super) fn booted_of(version: csf_iface::Version) -> Self {
        let mut file = csf_fw::builder::sample(&[]);
        file[8..12].copy_from_slice(&version.0.to_le_bytes());
        Self::boots(file, "")
    }

    fn boots(file: Vec<u8>, plan: &str) -> Self {
        let mut driver = Self::new(Some(file.clone()), plan);
        driver.enable(0);
        driver.load_firmware(&file);
        driver.boot();
        driver
    }

    pub(super) fn power_on(&mut self) {
        self.bench.write(power::L2_PWRON, 1);
        self.bench.wait();
    }

    /// Allocates a page of zeros.
    pub(super) fn page(&mut self) -> u64 {
        let page = self.free;
        self.free += 0x1000;
        assert!(self.free <= BASE + MEMORY, "the guest has memory");
        page
    }

    pub(super) fn poke(&mut self, at: u64, data: &[u8]) {
        self.bench.device.bus().memory.write(at, data).unwrap();
    }

    pub(super) fn peek(&mut self, at: u64) -> u64 {
        let mut bytes = [0; 8];
        self.bench.device.bus().memory.read(at, &mut bytes).unwrap();
        u64::from_le_bytes(bytes)
    }

    /// Returns the place of the last level's entry for `va`, and makes the tables above it.
    pub(super) fn entry(&mut self, space: usize, va: u64) -> u64 {
        self.table(space, va, &[39, 30, 21]) + (va >> 12 & 0x1ff) * 8
    }

    /// Maps a block of 2 MiB; without bits and address, unmaps it.
    pub(super) fn block(&mut self, space: usize, va: u64, pa: u64, bits: u64) {
        let at = self.table(space, va, &[39, 30]) + (va >> 21 & 0x1ff) * 8;
        let entry = if bits == 0 { 0 } else { pa | bits | 0x441 };
        self.poke(at, &entry.to_le_bytes());
    }

    /// Returns the table below the entries at these shifts of the address.
    fn table(&mut self, space: usize, va: u64, shifts: &[u32]) -> u64 {
        let mut table = self.roots[space];
        for shift in shifts {
            let at = table + (va >> shift & 0x1ff) * 8;
            if self.peek(at) == 0 {
                let next = self.page();
                self.poke(at, &(next | 3).to_le_bytes());
            }
            table = self.peek(at) & 0xffff_ffff_f000;
        }
        table
    }

    /// Maps a page.
    pub(super) fn map_to(&mut self, space: usize, va: u64, pa: u64, bits: u64) {
        let at = self.entry(space, va);
        self.poke(at, &(pa | bits | 0x443).to_le_bytes());
    }

    /// Maps fresh memory. Returns the first page's physical address; the others follow it.
    pub(super) fn map(&mut self, space: usize, va: u64, size: u64, bits: u64) -> u64 {
        let pages: Vec<u64> = (0..size.div_ceil(0x1000)).map(|_| self.page()).collect();
        for (at, page) in (va..).step_by(0x1000).zip(&pages) {
            self.map_to(space, at, *page, bits);
        }
        pages[0]
    }

    /// Unmaps a page, in the tables only.
    pub(super) fn unmap(&mut self, space: usize, va: u64) {
        let at = self.entry(space, va);
        self.poke(at, &[0; 8]);
    }

    /// Gives tables to an address space.
    pub(super) fn enable(&mut self, space: usize) {
        if self.roots[space] == 0 {
            self.roots[space] = self.page();
        }
        let attributes = memattr::pack([memattr::UNCACHED, memattr::WRITE_BACK, 0, 0, 0, 0, 0, 0]);
        self.set_up(space, self.roots[space], attributes, TransCfg::aarch64_4k(48, true));
    }

    /// Takes the tables from an address space.
    pub(super) fn disable(&mut self, space: usize) {
        self.set_up(space, 0, 0, TransCfg(mode::UNMAPPED));
    }

    fn set_up(&mut self, space: usize, table: u64, attributes: u64, config: TransCfg) {
        let registers = [(regs::AS_TRANSTAB, table), (regs::AS_MEMATTR, attributes), (regs::AS_TRANSCFG, config.0)];
        for (register, value) in registers {
            self.bench.write_at(register.at(space), value as u32);
            self.bench.write_at(register.at(space) + 4, (value >> 32) as u32);
        }
        self.command(space, regs::Command::Update);
    }

    pub(super) fn command(&mut self, space: usize, command: regs::Command) {
        self.bench.write_at(AS_COMMAND.at(space), command.bits());
        // This waits only for the command's end: other things may be due later.
        while self.bench.read_at(regs::AS_STATUS.at(space)) != 0 {
            self.step();
        }
    }

    pub(super) fn lock(&mut self, space: usize, va: u64, size: u64) {
        let region = LockRegion::covering(va, size).unwrap().bits();
        self.bench.write_at(regs::AS_LOCKADDR.at(space), region as u32);
        self.bench.write_at(regs::AS_LOCKADDR.at(space) + 4, (region >> 32) as u32);
        self.command(space, regs::Command::Lock);
    }

    pub(super) fn flush(&mut self, space: usize, va: u64, size: u64) {
        self.lock(space, va, size);
        self.command(space, regs::Command::FlushTables);
    }

    /// Lets time pass until the next event.
    pub(super) fn step(&mut self) {
        let due = self.bench.device.due().expect("something is to happen");
        self.bench.now = self.bench.now.max(due);
        self.bench.device.tick(self.bench.now);
    }

    /// Loads every section as the C driver does.
    pub(super) fn load_firmware(&mut self, file: &[u8]) {
        for section in Firmware::parse(file).unwrap().sections() {
            let flags = section.flags();
            let read_only = if flags.has(Flags::WRITE) { 0 } else { READ_ONLY };
            let no_execute = if flags.has(Flags::EXECUTE) { 0 } else { NO_EXECUTE };
            let start = section.addresses().start.into();
            let pa = self.map(0, start, section.size().into(), read_only | no_execute);
            self.poke(pa, section.data());
        }
    }

    /// Writes every section's bytes again.
    pub(super) fn reload_firmware(&mut self, file: &[u8]) {
        for section in Firmware::parse(file).unwrap().sections() {
            let mut data = section.data().to_vec();
            data.resize(section.size() as usize, 0);
            for (va, page) in section.addresses().step_by(0x1000).zip(data.chunks(0x1000)) {
                let pa = self.pa(va.into());
                self.poke(pa, page);
            }
        }
    }

    /// Returns the physical address of the firmware's address.
    pub(super) fn pa(&mut self, va: u64) -> u64 {
        let entry = self.entry(0, va);
        (self.peek(entry) & 0xffff_ffff_f000) + va % 0x1000
    }

    /// Enables the microcontroller, and waits.
    pub(super) fn boot(&mut self) {
        self.bench.write(irq::JOB_IRQ_MASK, u32::MAX);
        self.bench.write(registers::MCU_CONTROL, registers::Control::Auto.bits());
        self.bench.wait();
    }

    pub(super) fn status(&mut self) -> registers::Status {
        registers::Status::from_bits(self.bench.read(registers::MCU_STATUS))
    }

    pub(super) fn word(&mut self, va: u32) -> u32 {
        let pa = self.pa(va.into());
        self.peek(pa & !7).to_le_bytes()[(pa % 8) as usize..][..4].try_into().map(u32::from_le_bytes).unwrap()
    }

    pub(super) fn set_word(&mut self, va: u32, value: u32) {
        let pa = self.pa(va.into());
        self.poke(pa, &value.to_le_bytes());
    }

    /// Sets a field of a block.
    pub(super) fn set(&mut self, block: u32, offset: usize, value: u64, bytes: usize) {
        let pa = self.pa(u64::from(block) + offset as u64);
        self.poke(pa, &value.to_le_bytes()[..bytes]);
    }

    pub(super) fn handshake(&mut self) -> Handshake {
        Handshake { request: self.word(INPUT), acknowledge: self.word(OUTPUT) }
    }

    /// Makes the requests in `mask`, and rings the doorbell.
    pub(super) fn request(&mut self, mask: u32) {
        let request = self.handshake().toggle(mask);
        self.set_word(INPUT, request);
        self.ring();
    }

    /// Toggles the bits of groups, and rings the doorbell.
    pub(super) fn request_groups(&mut self, groups: u32) {
        let word = self.word(INPUT + offset_of!(Input, doorbell_req) as u32);
        let ack = self.word(OUTPUT + offset_of!(Output, doorbell_ack) as u32);
        let asked = Handshake { request: word, acknowledge: ack }.toggle(groups);
        self.set_word(INPUT + offset_of!(Input, doorbell_req) as u32, asked);
        self.ring();
    }

    pub(super) fn ring(&mut self) {
        self.bench.write_at(doorbell::DOORBELL.at(doorbell::GLOBAL), doorbell::RING);
        self.bench.wait();
    }

    /// Returns the interrupts of the firmware, and clears them.
    pub(super) fn interrupts(&mut self) -> u32 {
        let raised = self.bench.read(irq::JOB_IRQ_RAWSTAT);
        self.bench.write(irq::JOB_IRQ_CLEAR, raised);
        raised
    }

    /// Checks that the driver caused no violation.
    #[track_caller]
    pub(super) fn is_right(&self) {
        assert_eq!(self.bench.complaints(), Vec::<String>::new());
    }

    /// Checks that the driver caused exactly one violation.
    #[track_caller]
    pub(super) fn is_wrong(&self, why: &str) {
        let complaints = self.bench.complaints();
        assert!(complaints.len() == 1 && complaints[0].contains(why), "{complaints:#?}");
    }
}
