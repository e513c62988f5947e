// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Tests the NVIDIA GPU as its driver sees it, without sockets. The test sets the time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::device::Device;
use crate::event::What;
use crate::fault::Plan;

const BOOTED: Duration = Duration::from_millis(100);

/// A device, its start, and its events.
struct Bench {
    device: Device<Nova>,
    start: Instant,
    log: Arc<Mutex<Vec<What>>>,
}

impl Bench {
    fn new(plan: &str) -> Self {
        let start = Instant::now();
        let mut device = Device::new(Nova::new(256, start).unwrap(), Plan::parse::<Nova>(plan).unwrap(), start);
        let log = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&log);
        device.bus().listen(Box::new(move |event| {
            sink.lock().unwrap().push(event.what.clone());
            Ok(())
        }));
        Self { device, start, log }
    }

    /// Returns the value at `offset` at this time after the start. The clock never runs: each read does what was due
    /// before it.
    fn read(&mut self, offset: usize, at: Duration) -> u32 {
        let mut bytes = [0; 4];
        self.device.read(0, offset as u64, &mut bytes, self.start + at);
        u32::from_le_bytes(bytes)
    }

    fn violations(&mut self) -> u64 {
        self.device.bus().violations()
    }
}

#[test]
fn the_chip_is_a_ga102() {
    let mut bench = Bench::new("");
    assert_eq!(bench.read(PmcBoot0::OFFSET, BOOTED), 0x1720_00a1);
    let boot42 = PmcBoot42::from(bench.read(PmcBoot42::OFFSET, BOOTED));
    assert_eq!(Chip::identify(boot42), Some(Chip::GA102));
    assert_eq!(bench.violations(), 0);
}

#[test]
fn the_firmware_is_protected_then_readable_then_finished() {
    let mut bench = Bench::new("");
    let at = |percent| USUAL_MS * percent / 100;
    let mask =
        |bench: &mut Bench, at| GfwBootPrivLevelMask::from(bench.read(GfwBootPrivLevelMask::OFFSET, at)).is_readable();
    assert!(!mask(&mut bench, at(24)));
    assert!(mask(&mut bench, at(26)));
    assert!(!GfwBoot::from(bench.read(GfwBoot::OFFSET, at(99))).is_completed());
    assert!(GfwBoot::from(bench.read(GfwBoot::OFFSET, at(100))).is_completed());
    assert_eq!(bench.device.due(), None, "who has finished has nothing to wait for");
    assert_eq!(bench.violations(), 0);
}

const USUAL_MS: Duration = Duration::from_millis(60);

#[test]
fn early_read_of_progress_is_a_violation() {
    let mut bench = Bench::new("");
    bench.read(GfwBoot::OFFSET, Duration::ZERO);
    let log = bench.log.lock().unwrap().clone();
    let Some(What::Violation { text, access: Some(access), write: false }) = log.first() else { panic!("{log:?}") };
    assert!(text.contains("before its protection is lowered"));
    assert_eq!(access.to_string(), "NV_PGC6_AON_SECURE_SCRATCH_GROUP_05_0_GFW_BOOT");
}

#[test]
fn each_request_not_modelled_is_a_violation() {
    let mut bench = Bench::new("");
    let now = bench.start;
    assert_eq!(bench.read(0x4, BOOTED), 0xbadf_5040);
    bench.device.write(0, 0, &[0; 4], now);
    bench.device.read(0, 0, &mut [0; 1], now);
    bench.device.read(1, 0, &mut [0; 4], now);
    bench.device.write(1, 0, &[0; 8], now);
    bench.device.read(0, 0xa02, &mut [0; 4], now);
    bench.device.read(0, 16 << 20, &mut [0; 4], now);
    bench.device.read(2, 0, &mut [0; 4], now);
    bench.device.read(0, 0, &mut [0; 3], now);
    assert_eq!(bench.violations(), 9);
}

#[test]
fn a_reset_starts_the_firmware_again() {
    let mut bench = Bench::new("");
    bench.read(GfwBoot::OFFSET, BOOTED);
    bench.device.reset(bench.start + BOOTED);
    assert_eq!(bench.read(GfwBootPrivLevelMask::OFFSET, BOOTED), 0);
    assert!(GfwBoot::from(bench.read(GfwBoot::OFFSET, 2 * BOOTED)).is_completed());
}

#[test]
fn stuck_boot_reports_its_progress_but_never_completes() {
    let mut bench = Bench::new("[[fault]]\nkind = 'stuck-boot'\nprogress = 0x42");
    let late = Duration::from_secs(1000);
    assert_eq!(bench.read(GfwBootPrivLevelMask::OFFSET, late), 1);
    assert_eq!(GfwBoot::from(bench.read(GfwBoot::OFFSET, late)).progress(), 0x42);
    assert_eq!(bench.device.due(), None, "and takes no time");
    let mut bench = Bench::new("[[fault]]\nkind = 'stuck-boot'\nprogress = 255");
    assert!(!GfwBoot::from(bench.read(GfwBoot::OFFSET, late)).is_completed());
}

#[test]
fn a_slow_firmware_begins_when_the_fault_does() {
    let mut bench = Bench::new("[[fault]]\nkind = 'slow-boot'\nseconds = 2\nafter = { register = 'NV_PMC_BOOT_0' }");
    assert_eq!(bench.read(GfwBootPrivLevelMask::OFFSET, BOOTED), 1);
    bench.read(PmcBoot0::OFFSET, BOOTED);
    assert_eq!(bench.read(GfwBootPrivLevelMask::OFFSET, 2 * BOOTED), 0);
    let done = BOOTED + Duration::from_secs(2);
    assert!(!GfwBoot::from(bench.read(GfwBoot::OFFSET, done - BOOTED / 2)).is_completed());
    assert!(GfwBoot::from(bench.read(GfwBoot::OFFSET, done)).is_completed());
    let mut bench = Bench::new("[[fault]]\nkind = 'slow-boot'\nseconds = 1e300");
    assert_eq!(bench.read(GfwBootPrivLevelMask::OFFSET, done), 0);
}

#[test]
fn planned_chip_is_reported_until_repaired() {
    let mut bench = Bench::new("[[fault]]\nkind = 'unknown-chip'");
    let chip = |bench: &mut Bench| Chip::identify(PmcBoot42::from(bench.read(PmcBoot42::OFFSET, BOOTED)));
    assert_eq!(chip(&mut bench), None);
    let now = bench.start;
    let answer = bench.device.command(br#"{"fault": {"kind": "other-chip", "name": "TU104"}}"#, now);
    assert_eq!(answer, br#"{"ok":null}"#);
    assert_eq!(chip(&mut bench), Some(Chip::TU104));
    bench.device.command(br#""repair""#, now);
    assert_eq!(chip(&mut bench), Some(Chip::GA102));
}

#[test]
fn vram_has_the_requested_size() {
    let size = |vram| Nova::new(vram, Instant::now()).map(|nova| nova.function().bars[1].size);
    assert_eq!(size(8192), Ok(8 << 30));
    assert!(size(0).is_err() && size(100).is_err() && size(128 << 10).is_err());
}
