// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Tests the base with a model that keeps what is written to it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::command::{MAILBOX_DATA, MAILBOX_DOORBELL};
use crate::config::MAILBOX;
use crate::gpu::{Bar, Page};

/// A model of one BAR of memory, and one of MSI-X.
#[derive(Default)]
struct Memory {
    words: BTreeMap<u64, u64>,
    resets: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Flood {
    Flood {},
}

impl Gpu for Memory {
    type Fault = Flood;
    const FAULTS: &'static [&'static str] = &["flood"];

    fn function(&self) -> Function {
        let bar = |index| Bar { index, size: 1 << 16, wide: false, prefetchable: false };
        Function {
            vendor: 0x13b5,
            device: 1,
            revision: 0,
            class: 0x03_80_00,
            subsystem: (0, 0),
            bars: vec![bar(0), bar(2)],
            interrupts: Interrupts::MsiX { vectors: 3, bar: 2 },
            client_page: Some(Page { bar: 0, offset: 0x1000 }),
        }
    }

    fn register(&self, _bar: u8, offset: u64) -> Option<Cow<'static, str>> {
        match offset {
            0..8 => Some("FIRST".into()),
            0x1000 | 0x1ffc => Some("CLIENTS".into()),
            _ => None,
        }
    }

    fn read(&mut self, _: &mut Bus, access: Access) -> u64 {
        self.words.get(&access.offset).copied().unwrap_or_default()
    }

    fn write(&mut self, bus: &mut Bus, access: Access, value: u64) {
        self.words.insert(access.offset, value);
        if access.offset == 0x100 {
            // This is a simple copy engine, for the tests of memory.
            let _ = bus.write_memory(value, b"hello");
        }
    }

    fn reset(&mut self, _: &mut Bus) {
        self.words.clear();
        self.resets += 1;
    }

    fn fault(&mut self, _: &mut Bus, Flood::Flood {}: &Flood) {
        self.words.insert(0, u64::MAX);
    }

    fn repair(&mut self, bus: &mut Bus) {
        self.reset(bus);
    }
}

struct Bench {
    device: Device<Memory>,
    start: Instant,
    log: Arc<Mutex<Vec<String>>>,
}

impl Bench {
    fn new() -> Self {
        let start = Instant::now();
        let mut device = Device::new(Memory::default(), Plan::default(), start);
        let log = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&log);
        device.bus().listen(Box::new(move |event| {
            sink.lock().unwrap().push(event.what.to_string());
            Ok(())
        }));
        Self { device, start, log }
    }

    fn read(&mut self, region: u32, offset: u64) -> u32 {
        let mut bytes = [0; 4];
        self.device.read(region, offset, &mut bytes, self.start);
        u32::from_le_bytes(bytes)
    }

    fn write(&mut self, region: u32, offset: u64, value: u32) {
        self.device.write(region, offset, &value.to_le_bytes(), self.start);
    }

    fn command(&mut self, line: &str) -> String {
        String::from_utf8(self.device.command(line.as_bytes(), self.start)).unwrap()
    }

    fn log(&self) -> Vec<String> {
        std::mem::take(&mut *self.log.lock().unwrap())
    }
}

#[test]
fn writes_are_events_and_equal_reads_only_once() {
    let mut bench = Bench::new();
    bench.write(0, 0, 7);
    for _ in 0..3 {
        assert_eq!(bench.read(0, 0), 7);
        bench.read(0, 16);
    }
    let log = ["write FIRST: 0x00000007", "read FIRST: 0x00000007", "read BAR0 0x10: 0x00000000"];
    assert_eq!(bench.log(), log);
    bench.write(0, 0, 7);
    bench.read(0, 0);
    assert_eq!(bench.log(), log[..2]);
}

#[test]
fn removed_device_reads_as_ones() {
    let mut bench = Bench::new();
    bench.write(0, 0, 7);
    assert_eq!(bench.command(r#"{"fault": {"kind": "removal"}}"#), r#"{"ok":null}"#);
    assert_eq!((bench.read(0, 0), bench.read(CONFIG_REGION, 0)), (u32::MAX, u32::MAX));
    bench.write(0, 0, 8);
    bench.device.bus().interrupt(0);
    assert_eq!(bench.log().last().unwrap(), "interrupt 0, which does not arrive");
    assert_eq!(bench.device.gpu().words[&0], 7);
    assert_eq!(bench.command(r#""repair""#), r#"{"ok":null}"#);
    assert_eq!(bench.read(CONFIG_REGION, 0), 0x0001_13b5);
    assert_eq!(bench.read(0, 0), 0, "it was plugged in again");
}

#[test]
fn fault_begins_after_its_number_of_accesses() {
    let mut bench = Bench::new();
    bench.command(r#"{"fault": {"kind": "removal", "after": {"accesses": 2}}}"#);
    assert_eq!([bench.read(0, 0), bench.read(0, 16), bench.read(0, 0)], [0, 0, u32::MAX]);
    bench.command(r#""repair""#);
    bench.command(r#"{"fault": {"kind": "flood", "after": {"register": "FIRST", "accesses": 2}}}"#);
    assert_eq!([bench.read(0, 0), bench.read(0, 16), bench.read(0, 0), bench.read(0, 0)], [0, 0, 0, u32::MAX]);
}

#[test]
fn timed_fault_counts_from_the_first_access() {
    let mut bench = Bench::new();
    bench.command(r#"{"fault": {"kind": "removal", "after": {"seconds": 1}}}"#);
    assert_eq!(bench.device.due(), None);
    bench.read(0, 0);
    let due = bench.start + Duration::from_secs(1);
    assert_eq!(bench.device.due(), Some(due));
    bench.device.tick(due);
    assert_eq!(bench.read(0, 0), u32::MAX);
}

#[test]
fn due_fault_begins_at_the_next_access() {
    let mut bench = Bench::new();
    bench.command(r#"{"fault": {"kind": "removal", "after": {"seconds": 1}}}"#);
    assert_eq!(bench.read(0, 0), 0);
    bench.start += Duration::from_millis(999);
    assert_eq!(bench.read(0, 0), 0);
    bench.start += Duration::from_millis(1);
    assert_eq!(bench.read(0, 0), u32::MAX);
}

/// A client may read its page with any width at any place, without a violation. Other pages and writes are not
/// affected.
#[test]
fn a_clients_reads_of_its_page_are_no_violations() {
    let mut bench = Bench::new();
    bench.device.gpu().words.extend([(0x1000, 0x0403_0201), (0x1ffc, 0x0807_0605)]);
    let read = |bench: &mut Bench, offset, length: usize| {
        let (mut bytes, now) = (vec![0xa5; length], bench.start);
        bench.device.read(0, offset, &mut bytes, now);
        bytes
    };
    for length in 1..=8 {
        for offset in (0x1000..0x1010).chain(0x1ff0..=0x2000 - length as u64) {
            let registers = |at: u64| match at {
                0x1000..0x1004 => (at - 0x1000) as u8 + 1,
                0x1ffc..0x2000 => (at - 0x1ffc) as u8 + 5,
                _ => 0,
            };
            let expected: Vec<u8> = (offset..).take(length).map(registers).collect();
            assert_eq!(read(&mut bench, offset, length), expected, "{length} bytes at {offset:#x}");
        }
    }
    assert_eq!(bench.device.bus().violations(), 0);
    for (offset, length) in [(0xfff, 2), (0x1fff, 2), (0xffd, 4), (0x1001, 9)] {
        read(&mut bench, offset, length);
    }
    let now = bench.start;
    bench.device.write(0, 0x1001, &[0; 2], now);
    assert_eq!(bench.device.bus().violations(), 5);
}

#[test]
fn a_client_reads_ones_of_a_removed_device() {
    let mut bench = Bench::new();
    bench.command(r#"{"fault": {"kind": "removal"}}"#);
    let mut byte = [0];
    bench.device.read(0, 0x1234, &mut byte, bench.start);
    assert_eq!(byte, [0xff]);
}

#[test]
fn lost_and_spurious_interrupts() {
    let mut bench = Bench::new();
    let event = rustix::event::eventfd(0, rustix::event::EventfdFlags::NONBLOCK).unwrap();
    bench.device.bus().vectors.set(1, 1, vec![event.try_clone().unwrap().into()]).unwrap();
    bench.command(r#"{"fault": {"kind": "lost-interrupt"}}"#);
    bench.device.bus().interrupt(1);
    assert!(rustix::io::read(&event, &mut [0; 8]).is_err(), "nothing has arrived");
    bench.command(r#"{"fault": {"kind": "spurious-interrupt", "vector": 1}}"#);
    assert!(rustix::io::read(&event, &mut [0; 8]).is_ok());
    let log = bench.log();
    assert!(
        log.contains(&"interrupt 1, which does not arrive".into()) && log.contains(&"interrupt 1".into()),
        "{log:?}"
    );
}

#[test]
fn memory_needs_a_bus_master() {
    let mut bench = Bench::new();
    let file = tempfile::tempfile().unwrap();
    file.set_len(4096).unwrap();
    let rights = crate::memory::Rights { read: true, write: true };
    bench.device.bus().memory.map(file.try_clone().unwrap(), 0, 0x1000, 4096, rights).unwrap();
    bench.write(0, 0x100, 0x1000);
    assert_eq!(bench.device.bus().violations(), 1);
    bench.write(CONFIG_REGION, 4, 6);
    bench.write(0, 0x100, 0x1000);
    assert_eq!(bench.device.bus().violations(), 1);
    let mut bytes = [0; 5];
    std::os::unix::fs::FileExt::read_exact_at(&file, &mut bytes, 0).unwrap();
    assert_eq!(&bytes, b"hello");
}

#[test]
fn malformed_command_gets_an_error() {
    let mut bench = Bench::new();
    assert!(bench.command("{").starts_with(r#"{"error":"the command cannot be read: "#));
    assert!(bench.command(r#"{"fault": {"kind": "x"}}"#).contains("known kinds: removal, lost-interrupt"));
    assert_eq!(bench.command(r#"{"query": 1}"#), r#"{"error":"this model answers no questions"}"#);
    assert_eq!(bench.command(r#""status""#), r#"{"ok":{"accesses":0,"removed":false,"violations":0}}"#);
}

/// Sends a command as a test in the guest does.
fn mail(bench: &mut Bench, line: &str) -> String {
    let (data, doorbell) = ((MAILBOX + MAILBOX_DATA) as u64, (MAILBOX + MAILBOX_DOORBELL) as u64);
    for chunk in line.as_bytes().chunks(4) {
        let mut word = [0; 4];
        word[..chunk.len()].copy_from_slice(chunk);
        bench.write(CONFIG_REGION, data, u32::from_le_bytes(word));
    }
    bench.write(CONFIG_REGION, doorbell, 1);
    let mut answer = Vec::new();
    while let left @ 1.. = bench.read(CONFIG_REGION, doorbell) {
        let word = bench.read(CONFIG_REGION, data).to_le_bytes();
        answer.extend_from_slice(&word[..(left as usize).min(4)]);
    }
    String::from_utf8(answer).unwrap()
}

#[test]
fn the_mailbox_works_while_the_device_is_removed() {
    let mut bench = Bench::new();
    assert_eq!(mail(&mut bench, r#"{"fault": {"kind": "removal"}}"#), r#"{"ok":null}"#);
    assert_eq!(mail(&mut bench, r#""status""#), r#"{"ok":{"accesses":0,"removed":true,"violations":0}}"#);
    assert_eq!(mail(&mut bench, r#""repair""#), r#"{"ok":null}"#);
    assert_eq!(bench.read(0, 0), 0);
}

#[test]
fn faults_that_never_began_are_reported_at_the_end() {
    let mut bench = Bench::new();
    bench.command(r#"{"fault": {"kind": "removal", "after": {"register": "LAST"}}}"#);
    bench.read(0, 0);
    bench.device.finish();
    assert_eq!(bench.log().last().unwrap(), "fault that never began: removal (after = {\"register\":\"LAST\"})");
}

proptest! {
    #[test]
    fn no_access_panics(region in 0u32..12, offset: u64, near in 0u64..0x1_0010, length in 0usize..20, write: bool) {
        let mut bench = Bench::new();
        let now = bench.start;
        for offset in [offset, near] {
            let mut data = vec![0xa5; length];
            match write {
                true => bench.device.write(region, offset, &data, now),
                false => bench.device.read(region, offset, &mut data, now),
            }
        }
    }

    #[test]
    fn no_command_panics(line in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut bench = Bench::new();
        bench.device.command(&line, bench.start);
        mail(&mut bench, &String::from_utf8_lossy(&line));
    }
}
