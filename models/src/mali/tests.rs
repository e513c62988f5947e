// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Tests the Mali as its driver sees it, without sockets. The test sets the time.

mod boot;
mod driver;
mod faults;
mod interface;
mod late;
mod memory;

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::{Arc, Mutex};

use mali_regs::{Register, exception, irq, mmu as regs, power};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::device::{CONFIG_REGION, Device};
use crate::fault::Plan;
use crate::memory::Rights;

/// A device and the time.
struct Bench {
    device: Device<Mali>,
    now: Instant,
    log: Arc<Mutex<Vec<String>>>,
}

impl Bench {
    fn new(plan: &str) -> Self {
        Self::of(Mali::new(Instant::now()), plan)
    }

    fn of(mali: Mali, plan: &str) -> Self {
        let now = mali.started;
        let mut device = Device::new(mali, Plan::parse::<Mali>(plan).unwrap(), now);
        // These bits enable memory and bus mastering.
        device.write(CONFIG_REGION, 4, &6u16.to_le_bytes(), now);
        let log = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&log);
        device.bus().listen(Box::new(move |event| {
            sink.lock().unwrap().push(event.what.to_string());
            Ok(())
        }));
        Self { device, now, log }
    }

    /// Returns a device whose L2 is on.
    fn powered() -> Self {
        let mut bench = Self::new("");
        bench.write(power::L2_PWRON, 1);
        bench.wait();
        bench
    }

    fn read_at(&mut self, offset: usize) -> u32 {
        let mut bytes = [0; 4];
        self.device.read(0, offset as u64, &mut bytes, self.now);
        u32::from_le_bytes(bytes)
    }

    fn write_at(&mut self, offset: usize, value: u32) {
        self.device.write(0, offset as u64, &value.to_le_bytes(), self.now);
    }

    fn read(&mut self, register: Register) -> u32 {
        self.read_at(register.offset)
    }

    fn write(&mut self, register: Register, value: u32) {
        self.write_at(register.offset, value);
    }

    fn write_wide(&mut self, register: Register, value: u64) {
        self.write_at(register.offset, value as u32);
        self.write_at(register.offset + 4, (value >> 32) as u32);
    }

    /// Lets time pass until nothing is due.
    fn wait(&mut self) {
        while let Some(due) = self.device.due() {
            self.now = self.now.max(due);
            self.device.tick(self.now);
        }
    }

    fn violations(&mut self) -> u64 {
        self.device.bus().violations()
    }

    /// Sends a query as a test in the guest would.
    fn query(&mut self, question: Value) -> Value {
        let line = json!({ "query": question }).to_string();
        let answer = self.device.command(line.as_bytes(), self.now);
        serde_json::from_slice(&answer).unwrap()
    }

    /// Returns the bytes in address space 0.
    fn load(&mut self, va: u64, length: usize) -> Value {
        self.query(json!({ "load": { "space": 0, "va": va, "length": length } }))["ok"].clone()
    }

    /// Returns when the device was plugged in.
    fn device_start(&mut self) -> Instant {
        self.device.gpu().started
    }

    /// Whether an event contains `text`.
    fn has_logged(&self, text: &str) -> bool {
        self.log.lock().unwrap().iter().any(|line| line.contains(text))
    }

    /// Returns the violations in the events.
    fn complaints(&self) -> Vec<String> {
        let log = self.log.lock().unwrap();
        log.iter().filter_map(|line| line.strip_prefix("violation: ")).map(str::to_owned).collect()
    }
}

#[test]
fn identity_matches_the_boards_log() {
    let mut bench = Bench::new("");
    let log = [
        (gpu::GPU_ID, 0xa867_0005),
        (gpu::L2_FEATURES, 0x0712_0306),
        (gpu::TILER_FEATURES, 0x809),
        (gpu::MEM_FEATURES, 0x301),
        (gpu::MMU_FEATURES, 0x2830),
        (gpu::AS_PRESENT, 0xff),
        (power::SHADER_PRESENT, 0x50005),
        (power::L2_PRESENT, 1),
        (power::TILER_PRESENT, 1),
    ];
    for (register, value) in log {
        assert_eq!(bench.read(register), value, "{}", register.name);
    }
    assert_eq!(bench.violations(), 0);
}

#[test]
fn a_reset_takes_time_and_switches_all_off() {
    let mut bench = Bench::powered();
    bench.write(irq::GPU_IRQ_CLEAR, u32::MAX);
    bench.write(gpu::GPU_COMMAND, Command::SoftReset.bits());
    assert_eq!(bench.read(irq::GPU_IRQ_RAWSTAT), 0);
    assert_ne!(bench.read(gpu::GPU_STATUS) & gpu::status::ACTIVE, 0);
    bench.wait();
    assert_eq!(bench.read(irq::GPU_IRQ_RAWSTAT), irq::gpu::RESET_COMPLETED);
    assert_eq!(bench.read(power::L2_READY), 0);
    assert_eq!(bench.violations(), 0);
}

#[test]
fn mask_hides_events_from_status_and_clear_removes_them() {
    let mut bench = Bench::new("");
    bench.write(power::L2_PWRON, 1);
    assert_eq!((bench.read(power::L2_READY), bench.read(power::L2_PWRTRANS)), (0, 1));
    bench.wait();
    assert_eq!((bench.read(power::L2_READY), bench.read(power::L2_PWRTRANS)), (1, 0));
    let events = irq::gpu::POWER_CHANGED | irq::gpu::POWER_CHANGED_ALL;
    assert_eq!((bench.read(irq::GPU_IRQ_RAWSTAT), bench.read(irq::GPU_IRQ_STATUS)), (events, 0));
    bench.write(irq::GPU_IRQ_MASK, irq::gpu::POWER_CHANGED);
    assert_eq!(bench.read(irq::GPU_IRQ_STATUS), irq::gpu::POWER_CHANGED);
    bench.write(irq::GPU_IRQ_CLEAR, irq::gpu::POWER_CHANGED);
    assert_eq!(bench.read(irq::GPU_IRQ_RAWSTAT), irq::gpu::POWER_CHANGED_ALL);
}

#[test]
fn flush_is_counted_and_reported() {
    let mut bench = Bench::powered();
    let before = bench.read(doorbell::LATEST_FLUSH_ID);
    let flush = Command::FlushCaches { l2: gpu::Flush::Clean, load_store: gpu::Flush::Clean, other: gpu::Flush::None };
    bench.write(gpu::GPU_COMMAND, flush.bits());
    bench.wait();
    assert_eq!(bench.read(doorbell::LATEST_FLUSH_ID), before + 1);
    assert_ne!(bench.read(irq::GPU_IRQ_RAWSTAT) & irq::gpu::CLEAN_CACHES_COMPLETED, 0);
}

/// Clients may read the page of the flush count in any way, but not the driver's other registers.
#[test]
fn any_read_of_the_flush_page_is_a_clients() {
    let mut bench = Bench::powered();
    let page = doorbell::LATEST_FLUSH_ID.offset as u64;
    let id = bench.read(doorbell::LATEST_FLUSH_ID);
    for (offset, length) in [(0, 1), (0, 2), (1, 2), (3, 2), (0, 8), (2, 4), (4, 4), (0xffc, 4), (0xfff, 1)] {
        let mut bytes = [0xa5; 8];
        bench.device.read(0, page + offset, &mut bytes[..length], bench.now);
        let expected = u128::from(id) >> (8 * offset.min(8)) & (1 << (8 * length)) - 1;
        assert_eq!(bytes[..length], expected.to_le_bytes()[..length], "{length} bytes at {offset:#x}");
    }
    assert_eq!(bench.complaints(), [""; 0]);
    let now = bench.now;
    bench.device.write(0, page, &[1, 0, 0, 0], now);
    bench.device.read(0, irq::GPU_IRQ_RAWSTAT.offset as u64, &mut [0], now);
    bench.device.read(0, doorbell::DOORBELL.offset as u64, &mut [0], now);
    assert_eq!(bench.violations(), 3, "{:?}", bench.complaints());
}

#[test]
fn access_that_hangs_hardware_is_a_violation() {
    type Mistake = (&'static str, fn(&mut Bench));
    let wrong: &[Mistake] = &[
        ("no register", |bench| bench.write_at(0x4, 1)),
        ("nowhere", |bench| _ = bench.read_at(0x1f_fff0)),
        ("write-only", |bench| _ = bench.read(gpu::GPU_COMMAND)),
        ("no command", |bench| bench.write(gpu::GPU_COMMAND, 0x99)),
        ("no core", |bench| bench.write(power::L2_PWRON, 2)),
        ("shader without L2", |bench| bench.write(power::SHADER_PWRON, 1)),
        ("MMU without L2", |bench| bench.write(regs::AS_COMMAND, 1)),
        ("no address space", |bench| bench.write_at(regs::AS_TRANSTAB.at(8), 0)),
        ("during a reset", |bench| {
            bench.write(gpu::GPU_COMMAND, Command::SoftReset.bits());
            bench.write(power::L2_PWRON, 1);
        }),
    ];
    for (what, wrong) in wrong {
        let mut bench = Bench::new("");
        wrong(&mut bench);
        assert_eq!(bench.violations(), 1, "{what}");
    }
    let mut bench = Bench::powered();
    bench.write(regs::AS_COMMAND, regs::Command::Unlock.bits());
    bench.write(regs::AS_COMMAND, regs::Command::Unlock.bits());
    bench.wait();
    assert_eq!(bench.violations(), 2, "one while another is at work, and nothing is locked");
}

#[test]
fn faults_stick_until_the_repair() {
    let mut bench = Bench::new("[[fault]]\nkind = \"stuck-reset\"\n[[fault]]\nkind = \"stuck-power\"");
    bench.write(power::L2_PWRON, 1);
    bench.write(gpu::GPU_COMMAND, Command::SoftReset.bits());
    bench.wait();
    assert_eq!((bench.read(irq::GPU_IRQ_RAWSTAT), bench.read(power::L2_READY)), (0, 0));
    bench.device.command(br#""repair""#, bench.now);
    bench.write(power::L2_PWRON, 1);
    bench.wait();
    assert_eq!(bench.read(power::L2_READY), 1);
}

/// The start of the guest's memory.
const BASE: u64 = 0x1_0000_0000;

/// Gives the device 1 MiB of memory at [`BASE`].
fn memory(bench: &mut Bench) -> File {
    let file = tempfile::tempfile().unwrap();
    file.set_len(1 << 20).unwrap();
    let rights = Rights { read: true, write: true };
    bench.device.bus().memory.map(file.try_clone().unwrap(), 0, BASE, 1 << 20, rights).unwrap();
    file
}

#[test]
fn the_mmu_walks_tables_in_the_guests_memory() {
    let mut bench = Bench::powered();
    let _file = memory(&mut bench);
    // These are four tables in a row, then a page: the address has index 0 on all levels but the last.
    let entries: BTreeMap<u64, u64> = [
        (BASE, (BASE + 0x1000) | 3),
        (BASE + 0x1000, (BASE + 0x2000) | 3),
        (BASE + 0x2000, (BASE + 0x3000) | 3),
        (BASE + 0x3000 + 5 * 8, (BASE + 0x8000) | 0x443),
    ]
    .into();
    for (at, entry) in entries {
        bench.device.bus().write_memory(at, &entry.to_le_bytes()).unwrap();
    }
    bench.device.bus().write_memory(BASE + 0x8ffc, b"mali").unwrap();
    bench.write_wide(regs::AS_TRANSTAB, BASE);
    bench.write_wide(regs::AS_TRANSCFG, regs::TransCfg::aarch64_4k(48, true).0);
    assert_eq!(bench.load(0x5ffc, 4)["fault"], "TRANSLATION_FAULT_4", "not in force before an update");
    bench.write(regs::AS_COMMAND, regs::Command::Update.bits());
    assert_eq!(bench.read(regs::AS_STATUS), regs::status::ACTIVE);
    bench.wait();
    assert_eq!(bench.read(regs::AS_STATUS), 0);
    assert_eq!(bench.load(0x5ffc, 4)["bytes"], json!(b"mali"));
    let answer = bench.load(0x5ffc, 5);
    assert_eq!((&answer["fault"], &answer["va"]), (&json!("TRANSLATION_FAULT_3"), &json!(0x6000)));
    assert_eq!(bench.load(1 << 48, 1)["fault"], "ADDR_SIZE_FAULT_IN");
    assert_eq!(bench.violations(), 0);
}

proptest! {
    #[test]
    fn no_access_and_no_question_makes_it_panic(
        accesses in prop::collection::vec((0usize..0x3000, any::<bool>(), any::<u32>()), 1..60),
        va: u64,
        length: usize,
    ) {
        let mut bench = Bench::powered();
        for (offset, is_write, value) in accesses {
            match is_write {
                true => bench.write_at(offset & !3, value),
                false => _ = bench.read_at(offset & !3),
            }
            if value % 4 == 0 {
                bench.wait();
            }
        }
        bench.load(va, length);
    }
}
