// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Tests accesses of the GPU: its view, its cached translations, and faults.

use mali_regs::mmu::{AccessType, FaultStatus};

use super::driver::{Driver, NO_EXECUTE, READ_ONLY};
use super::*;

const SPACE: usize = 2;
const VA: u64 = 0x12_3456_7000;

/// Creates a driver with an address space in which a page is mapped.
fn with_page(bits: u64) -> (Driver, u64) {
    let mut driver = Driver::new(None, "");
    driver.enable(SPACE);
    let pa = driver.map(SPACE, VA, 0x1000, bits);
    (driver, pa)
}

fn access(driver: &mut Driver, va: u64, kind: &str, more: Value) -> Value {
    let mut question = json!({ "space": SPACE, "va": va, "access": kind });
    question.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    driver.bench.query(json!({ "access": question }))["ok"].clone()
}

fn read(driver: &mut Driver, va: u64) -> Value {
    access(driver, va, "read", json!({ "length": 4 }))
}

fn fault_status(driver: &mut Driver) -> (FaultStatus, u64) {
    let status = driver.bench.read_at(regs::AS_FAULTSTATUS.at(SPACE));
    let low = driver.bench.read_at(regs::AS_FAULTADDRESS.at(SPACE));
    let high = driver.bench.read_at(regs::AS_FAULTADDRESS.at(SPACE) + 4);
    (FaultStatus(status), u64::from(high) << 32 | u64::from(low))
}

#[test]
fn what_is_written_is_in_memory() {
    let (mut driver, pa) = with_page(NO_EXECUTE);
    assert_eq!(access(&mut driver, VA + 0xffc, "write", json!({ "bytes": b"mali" })), json!({}));
    assert_eq!(driver.peek(pa + 0xff8) >> 32, u64::from(u32::from_le_bytes(*b"mali")));
    assert_eq!(read(&mut driver, VA + 0xffc)["bytes"], json!(b"mali"));
    driver.is_right();
}

#[test]
fn fault_reports_address_access_and_source() {
    let wrong = [
        ("read", VA + 0x1000, exception::TRANSLATION_FAULT_0 + 3, AccessType::Read),
        ("read", 0x1000, exception::TRANSLATION_FAULT_0 + 1, AccessType::Read),
        ("write", VA + 8, exception::PERM_FAULT_0 + 3, AccessType::Write),
        ("execute", VA + 16, exception::PERM_FAULT_0 + 3, AccessType::Execute),
        ("read", 1 << 48, exception::ADDR_SIZE_FAULT_IN, AccessType::Read),
    ];
    for (kind, va, code, tried) in wrong {
        let (mut driver, _) = with_page(NO_EXECUTE | READ_ONLY);
        driver.bench.write(irq::MMU_IRQ_CLEAR, u32::MAX);
        let more = if kind == "write" { json!({ "bytes": [1] }) } else { json!({}) };
        let answer = access(&mut driver, va, kind, more);
        assert_eq!((&answer["fault"], &answer["va"]), (&json!(exception::name(code)), &json!(va)));
        let (status, address) = fault_status(&mut driver);
        assert_eq!((status.exception(), status.access(), address), (code, tried.bits(), va));
        assert_eq!(driver.bench.read(irq::MMU_IRQ_RAWSTAT), 1 << SPACE);
        driver.is_right();
    }
}

#[test]
fn after_a_fault_accesses_wait_for_the_driver() {
    let (mut driver, _) = with_page(NO_EXECUTE);
    read(&mut driver, 0);
    assert_ne!(driver.bench.read(gpu::GPU_STATUS) & gpu::status::PAGE_FAULT, 0);
    let waits = json!({ "stalled": "an earlier fault of the address space has not been handled" });
    assert_eq!(read(&mut driver, VA), waits);
    // A flush is not enough while the event is set.
    driver.flush(SPACE, 0, 0x1000);
    assert_eq!(read(&mut driver, VA), waits);
    driver.bench.write(irq::MMU_IRQ_CLEAR, 1 << SPACE);
    driver.flush(SPACE, 0, 0x1000);
    assert!(read(&mut driver, VA)["bytes"].is_array());
    // Alternatively the driver removes the tables: a waiting access then faults for good.
    read(&mut driver, 0);
    driver.disable(SPACE);
    assert_eq!(read(&mut driver, VA)["fault"], "TRANSLATION_FAULT_4");
    driver.is_right();
}

#[test]
fn a_locked_region_waits_and_others_do_not() {
    let (mut driver, _) = with_page(NO_EXECUTE);
    driver.map(SPACE, VA + (1 << 30), 0x1000, NO_EXECUTE);
    driver.lock(SPACE, VA, 0x1000);
    assert_eq!(read(&mut driver, VA), json!({ "stalled": "the region is locked" }));
    assert!(read(&mut driver, VA + (1 << 30))["bytes"].is_array());
    driver.command(SPACE, regs::Command::FlushMemory);
    assert!(read(&mut driver, VA)["bytes"].is_array());
    driver.is_right();
}

#[test]
fn missing_flush_is_a_violation() {
    let (mut driver, pa) = with_page(NO_EXECUTE);
    driver.poke(pa, b"old!");
    assert_eq!(read(&mut driver, VA)["bytes"], json!(b"old!"));
    driver.unmap(SPACE, VA);
    let other = driver.map(SPACE, VA, 0x1000, NO_EXECUTE);
    driver.poke(other, b"new!");
    assert_eq!(read(&mut driver, VA)["bytes"], json!(b"old!"), "the GPU does not know better");
    driver.is_wrong("0x1234567000 still leads to");
    driver.flush(SPACE, VA, 0x1000);
    assert_eq!(read(&mut driver, VA)["bytes"], json!(b"new!"));
    // A translation that was never used was not cached, and a flush elsewhere does not help.
    driver.map(SPACE, VA + 0x1000, 0x1000, NO_EXECUTE);
    assert!(read(&mut driver, VA + 0x1000)["bytes"].is_array());
    driver.unmap(SPACE, VA + 0x1000);
    driver.flush(SPACE, VA + (1 << 20), 0x1000);
    assert!(read(&mut driver, VA + 0x1000)["bytes"].is_array());
    assert_eq!(driver.bench.violations(), 2);
}

#[test]
fn tlb_caches_a_block_as_one_entry() {
    const BLOCK: u64 = 2 << 20;
    let (mut driver, pa) = with_page(NO_EXECUTE);
    let va = (VA & !(BLOCK - 1)) + 4 * BLOCK;
    // The memory begins at a multiple of 2 MiB. It contains tables, which does not matter.
    driver.block(SPACE, va, BASE, NO_EXECUTE);
    assert_eq!(driver.bench.query(json!({ "tables": { "space": SPACE } }))["ok"]["blocks"], 1);
    let first = driver.peek(BASE) as u32;
    assert_eq!(read(&mut driver, va)["bytes"], json!(first.to_le_bytes()));
    // The block is replaced by pages, and only one of them flushed: the whole block is dropped from the cache.
    driver.block(SPACE, va, 0, 0);
    driver.map_to(SPACE, va, pa, NO_EXECUTE);
    driver.poke(pa, b"page");
    driver.flush(SPACE, va + 0x10_0000, 0x1000);
    assert_eq!(read(&mut driver, va)["bytes"], json!(b"page"));
    driver.is_right();
    // This is the same without a flush.
    driver.block(SPACE, va + BLOCK, BASE, NO_EXECUTE);
    read(&mut driver, va + BLOCK + 0x5000);
    driver.block(SPACE, va + BLOCK, 0, 0);
    assert_eq!(read(&mut driver, va + BLOCK)["bytes"], json!(first.to_le_bytes()));
    driver.is_wrong("the tables map nothing there");
}

#[test]
fn flush_of_nothing_is_a_violation() {
    let (mut driver, _) = with_page(NO_EXECUTE);
    driver.command(SPACE, regs::Command::FlushTables);
    driver.is_wrong("FlushTables: nothing is locked");
}

#[test]
fn queries_report_the_tables() {
    let (mut driver, pa) = with_page(NO_EXECUTE);
    driver.map_to(SPACE, VA + 0x1000, pa + 0x1000, NO_EXECUTE);
    driver.map_to(SPACE, VA + 0x3000, pa, READ_ONLY);
    let range = |va: u64, size: u64, pa: u64, read_only: bool| json!({ "va": va, "size": size, "pa": pa, "read_only": read_only, "no_execute": !read_only, "memory": 0 });
    let all = [range(VA, 0x2000, pa, false), range(VA + 0x3000, 0x1000, pa, true)];
    assert_eq!(driver.bench.query(json!({ "mappings": { "space": SPACE } }))["ok"], json!(all));
    let part = json!({ "mappings": { "space": SPACE, "from": VA + 0x1000, "to": VA + 0x3000 } });
    assert_eq!(driver.bench.query(part)["ok"], json!([range(VA + 0x1000, 0x1000, pa + 0x1000, false)]));
    let counts = driver.bench.query(json!({ "tables": { "space": SPACE } }));
    assert_eq!(counts["ok"], json!({ "tables": [1, 1, 1, 1], "pages": 3, "blocks": 0 }));
    let walked = driver.bench.query(json!({ "walk": { "space": SPACE, "va": VA + 0x3010 } }))["ok"].clone();
    assert_eq!((&walked["pa"], &walked["level"], &walked["length"]), (&json!(pa + 0x10), &json!(3), &json!(0xff0)));
    let walked = driver.bench.query(json!({ "walk": { "space": SPACE, "va": 0 } }))["ok"].clone();
    assert_eq!(walked["fault"], "TRANSLATION_FAULT_1");
    let spaces = driver.bench.query(json!("spaces"))["ok"].clone();
    assert_eq!((&spaces[0]["space"], spaces.as_array().unwrap().len()), (&json!(SPACE), 1));
    for wrong in [json!({ "walk": { "space": 5, "va": 0 } }), json!({ "tables": { "space": 99 } }), json!("space")] {
        assert!(driver.bench.query(wrong)["error"].is_string());
    }
    driver.is_right();
}

#[test]
fn many_words_and_sync_objects_are_answered_at_once() {
    let (mut driver, pa) = with_page(NO_EXECUTE);
    driver.poke(pa + 0x10, &[7, 0, 0, 0, 0, 0, 0, 1, 0x48, 0, 0, 0]);
    let words = json!({ "words": { "space": SPACE, "va": [VA + 0x10, VA - 8, VA + 0x1000] } });
    assert_eq!(driver.bench.query(words)["ok"], json!([0x0100_0000_0000_0007_u64, null, null]));
    let mut sync =
        |va: u64, wide: bool| driver.bench.query(json!({ "sync": { "space": SPACE, "va": va, "wide": wide } }));
    assert_eq!(sync(VA + 0x10, true)["ok"], json!({ "value": 0x0100_0000_0000_0007_u64, "status": 0x48 }));
    assert_eq!(sync(VA + 0x10, false)["ok"], json!({ "value": 7, "status": 0x0100_0000 }));
    assert_eq!(sync(VA + 0x18, true)["error"], "a sync object is aligned to its size");
    assert_eq!(sync(VA + 0x1000, true)["ok"]["fault"], "TRANSLATION_FAULT_3");
    driver.is_right();
}

/// The pages that a mapper without tables has.
type Pages = BTreeMap<u64, (u64, bool, bool)>;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// After any maps and unmaps, the GPU sees the mapped bytes with their rights.
    #[test]
    fn the_gpu_sees_what_the_driver_maps(
        steps in prop::collection::vec((0u64..24, any::<bool>(), any::<bool>(), any::<bool>()), 1..40),
    ) {
        // The pages are on both sides of a border of tables of all levels.
        let place = |page: u64| (1 << 39) - (12 << 12) + (page << 12);
        let mut driver = Driver::new(None, "");
        driver.enable(SPACE);
        let mut pages = Pages::new();
        for (page, there, read_only, no_execute) in steps {
            let bits = if read_only { READ_ONLY } else { 0 } | if no_execute { NO_EXECUTE } else { 0 };
            if there {
                let pa = driver.map(SPACE, place(page), 0x1000, bits);
                driver.poke(pa, &pa.to_le_bytes());
                pages.insert(page, (pa, read_only, no_execute));
            } else {
                driver.unmap(SPACE, place(page));
                pages.remove(&page);
            }
            driver.flush(SPACE, place(page), 0x1000);
            for page in 0..24 {
                let load = json!({ "load": { "space": SPACE, "va": place(page), "length": 8 } });
                let seen = driver.bench.query(load)["ok"]["bytes"].clone();
                let wanted = pages.get(&page).map(|(pa, ..)| pa.to_le_bytes());
                prop_assert_eq!(seen, json!(wanted));
            }
        }
        let listed = driver.bench.query(json!({ "mappings": { "space": SPACE } }))["ok"].clone();
        let mut seen = Pages::new();
        for range in listed.as_array().unwrap() {
            let number = |key: &str| range[key].as_u64().unwrap();
            let flag = |key: &str| range[key].as_bool().unwrap();
            for offset in (0..number("size")).step_by(0x1000) {
                let page = (number("va") + offset - place(0)) >> 12;
                seen.insert(page, (number("pa") + offset, flag("read_only"), flag("no_execute")));
            }
        }
        prop_assert_eq!(seen, pages);
        prop_assert_eq!(driver.bench.violations(), 0);
    }

    /// With any content of the tables, every query has an answer.
    #[test]
    fn no_tables_make_it_panic(
        entries in prop::collection::vec((0u64..4, 0u64..512, 0u64..8, any::<u64>()), 1..40),
        space in 0usize..17,
        va: u64,
        bits in 0u32..64,
        kind in prop::sample::select(vec!["read", "write", "execute"]),
        mode in prop::sample::select(vec![1u64, 2, 6]),
        root: u64,
    ) {
        let (mut driver, pa) = with_page(0);
        for (table, index, low, entry) in entries {
            // Most entries lead to memory.
            let to = if entry % 4 == 0 { entry } else { BASE + (entry % 64) * 0x1000 | low | 0x440 };
            driver.poke(pa + table * 0x1000 + index * 8, &to.to_le_bytes());
            driver.poke(BASE + table * 0x1000 + index * 8, &to.to_le_bytes());
        }
        let va = va >> bits;
        let questions = [
            json!({ "load": { "space": space, "va": va, "length": 0x3000 } }),
            json!({ "words": { "space": space, "va": [va, u64::MAX] } }),
            json!({ "walk": { "space": space, "va": va } }),
            json!({ "mappings": { "space": space, "from": va } }),
            json!({ "tables": { "space": space } }),
            json!({ "sync": { "space": space, "va": va, "wide": true } }),
            json!({ "access": { "space": space, "va": va, "access": kind, "length": 0x2000 } }),
            json!({ "access": { "space": space, "va": va, "access": kind, "bytes": [1, 2, 3] } }),
            json!("spaces"),
            json!("mcu"),
        ];
        for question in &questions {
            prop_assert!(driver.bench.query(question.clone()).is_object());
        }
        // This repeats it with another setup, which may make no sense.
        driver.bench.write_at(regs::AS_TRANSTAB.at(SPACE), root as u32);
        driver.bench.write_at(regs::AS_TRANSTAB.at(SPACE) + 4, (root >> 32) as u32);
        driver.bench.write_at(regs::AS_TRANSCFG.at(SPACE), (mode | u64::from(bits) << 6) as u32);
        driver.command(SPACE, regs::Command::Update);
        for question in questions {
            prop_assert!(driver.bench.query(question).is_object());
        }
    }
}

fn runs(driver: &mut Driver, va: u64, length: u64) -> Value {
    driver.bench.query(json!({ "runs": { "space": SPACE, "va": va, "length": length } }))["ok"].clone()
}

#[test]
fn consecutive_pages_are_reported_as_one_run() {
    let mut driver = Driver::new(None, "");
    driver.enable(SPACE);
    for (number, bits) in [(0_u64, NO_EXECUTE), (1, NO_EXECUTE), (2, NO_EXECUTE | READ_ONLY), (600, NO_EXECUTE)] {
        let pa = driver.map(SPACE, VA + number * 0x1000, 0x1000, bits);
        driver.poke(pa, &(70 + number as u32).to_le_bytes());
    }
    driver.flush(SPACE, VA, 1 << 30);
    let seen = runs(&mut driver, 0, 1 << 48);
    let rights: Vec<_> = seen.as_array().unwrap().iter().map(|run| run[3].as_u64().unwrap() & 3).collect();
    let places: Vec<_> = seen.as_array().unwrap().iter().map(|run| json!([run[0], run[1], run[2]])).collect();
    assert_eq!(rights, [1, 0, 1]);
    assert_eq!(places, [json!([VA, 2, 70]), json!([VA + 0x2000, 1, 72]), json!([VA + 600 * 0x1000, 1, 670])]);
    driver.is_right();
}

#[test]
fn runs_include_cached_translations() {
    let (mut driver, pa) = with_page(NO_EXECUTE);
    driver.poke(pa, &7_u32.to_le_bytes());
    assert_eq!(runs(&mut driver, VA, 0x1000)[0][2], 7);
    driver.unmap(SPACE, VA);
    assert_eq!(runs(&mut driver, VA - (1 << 30), 2 << 30)[0][2], 7, "the GPU was not notified");
    driver.is_wrong("0x1234567000 still leads to");
    driver.flush(SPACE, VA, 0x1000);
    assert_eq!(runs(&mut driver, VA - (1 << 30), 2 << 30), json!([]));
}
