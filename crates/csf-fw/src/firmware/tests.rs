// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Tests with valid and invalid containers.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::builder::{Builder, sample};
use crate::entry::kind;
use crate::section::{CacheMode, Flags};
use crate::{PAGE_SIZE, SHARED_START};

const SHARED: u32 = Flags::READ | Flags::WRITE | Flags::SHARED;

fn with_shared(builder: Builder) -> Vec<u8> {
    builder.section(SHARED, SHARED_START, PAGE_SIZE, &[]).build()
}

fn reason(file: &[u8]) -> Reason {
    Firmware::parse(file).expect_err("the file is wrong").reason
}

/// Calls every method of a parsed file.
fn use_all(file: &[u8]) -> usize {
    let Ok(firmware) = Firmware::parse(file) else { return 0 };
    let _ = (firmware.minor(), firmware.version_hash(), firmware.git_sha());
    for section in firmware.sections() {
        assert!(section.data().len() <= section.size() as usize);
        assert!(section.addresses().start % PAGE_SIZE == 0 && section.size() > 0);
        let _ = (section.name(), section.flags().cache_mode());
    }
    assert!(firmware.sections().any(|section| section.is_shared_interface()));
    firmware.entries().count()
}

#[test]
fn what_is_built_is_read() {
    let shared = [7; 64];
    let file = sample(&shared);
    let firmware = Firmware::parse(&file).unwrap();
    let starts: Vec<_> = firmware.sections().map(|section| section.addresses().start).collect();
    assert_eq!(starts, [0, 0x80_0000, 0x200_0000, SHARED_START], "all but the one for protected mode");
    let last = firmware.sections().last().unwrap();
    assert_eq!((last.data(), last.flags().cache_mode()), (&shared[..], CacheMode::CachedCoherent));
    assert_eq!(firmware.git_sha(), Some("0000000000000000000000000000000000000000"));
    let config = firmware.entries().find_map(|entry| match entry {
        Entry::Config(config) => Some((config.address, config.max, config.name)),
        _ => None,
    });
    assert_eq!(config, Some((0x200_0004, 3, "Log verbosity")));
    let buffer = firmware.entries().find_map(|entry| match entry {
        Entry::TraceBuffer(buffer) => Some((buffer.enable_address, buffer.enable_count, buffer.name)),
        _ => None,
    });
    assert_eq!(buffer, Some((0x200_0020, 4, "fwlog")));
}

#[test]
fn timeline_and_unknown_entries_are_listed() {
    let file = with_shared(Builder::new().timeline(b"events", "header").raw(9 | 1 << 31, &[1, 2]));
    let entries: Vec<_> = Firmware::parse(&file).unwrap().entries().collect();
    assert!(matches!(entries[0], Entry::Timeline(timeline) if timeline.data == b"events" && timeline.name == "header"));
    assert_eq!(entries[1], Entry::Other { kind: 9, body: &[1, 0, 0, 0, 2, 0, 0, 0] });
}

#[test]
fn header_fields_are_read_from_their_places() {
    let mut file = with_shared(Builder::new().version_hash(0x0105_0000));
    file[4] = 7;
    let firmware = Firmware::parse(&file).unwrap();
    assert_eq!((firmware.minor(), firmware.version_hash()), (7, 0x0105_0000));
}

#[test]
fn each_cache_mode_has_its_two_bits() {
    let modes = [CacheMode::None, CacheMode::Cached, CacheMode::UncachedCoherent, CacheMode::CachedCoherent];
    for (bits, mode) in (0..).zip(modes) {
        assert_eq!(Flags(bits << 3).cache_mode(), mode);
        assert_eq!(Flags(!Flags::CACHE_MODE | bits << 3).cache_mode(), mode, "other bits do not count");
    }
}

#[test]
fn a_section_may_be_empty_and_may_be_full() {
    let full = [5; PAGE_SIZE as usize];
    let file =
        with_shared(Builder::new().section(Flags::READ, 0, PAGE_SIZE, &full).section(Flags::READ, PAGE_SIZE, 0, &[]));
    let firmware = Firmware::parse(&file).unwrap();
    let sizes: Vec<_> = firmware
        .entries()
        .filter_map(|entry| match entry {
            Entry::Section(section) => Some((section.size(), section.data().len())),
            _ => None,
        })
        .collect();
    assert_eq!(sizes[..2], [(PAGE_SIZE, PAGE_SIZE as usize), (0, 0)]);
}

#[test]
fn an_entry_for_tests_is_passed_over_although_it_is_not_optional() {
    let file = with_shared(Builder::new().raw(u32::from(kind::TEST), &[1]));
    let first = Firmware::parse(&file).unwrap().entries().next();
    assert!(matches!(first, Some(Entry::Other { kind: kind::TEST, .. })), "{first:?}");
}

#[test]
fn each_fault_is_named() {
    let section = |flags, start, size, data: &[u8]| with_shared(Builder::new().section(flags, start, size, data));
    assert_eq!(reason(b""), Reason::Truncated);
    assert_eq!(reason(&[0; 64]), Reason::Magic(0));
    assert_eq!(reason(&Builder::new().build()), Reason::NoSharedSection);
    assert_eq!(reason(&section(1 << 8, 0, PAGE_SIZE, &[])), Reason::SectionFlags(1 << 8));
    assert_eq!(reason(&section(1, 8, PAGE_SIZE, &[])), Reason::SectionAddresses { start: 8, end: 0x1008 });
    assert_eq!(reason(&section(1, 0, PAGE_SIZE, &[0; 4097])), Reason::SectionTooSmall);
    assert_eq!(reason(&section(1, SHARED_START, PAGE_SIZE, &[])), Reason::NotShared);
    assert_eq!(reason(&with_shared(Builder::new().raw(9, &[]))), Reason::EntryKind(9));
    // The data is missing, or ends before it begins.
    let data = |start, end| reason(&with_shared(Builder::new().raw(0, &[1, 0, PAGE_SIZE, start, end])));
    assert_eq!(data(0, 0x1000), Reason::SectionData { start: 0, end: 0x1000 });
    assert_eq!(data(8, 4), Reason::SectionData { start: 8, end: 4 });
    assert_eq!(reason(&with_shared(Builder::new().raw(0, &[1, 0x2000, 0x1000, 0, 0]))), {
        Reason::SectionAddresses { start: 0x2000, end: 0x1000 }
    });
}

#[test]
fn wrong_headers_and_sizes_are_refused() {
    let good = with_shared(Builder::new());
    let with = |at: usize, bytes: &[u8]| {
        let mut file = good.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        reason(&file)
    };
    assert_eq!(with(5, &[1]), Reason::Version { major: 1, minor: 3 });
    assert_eq!(with(16, &u32::MAX.to_le_bytes()), Reason::Truncated);
    assert_eq!(with(16, &19u32.to_le_bytes()), Reason::HeaderSize(19));
    // An entry of size zero would be read forever, one of three bytes into itself.
    assert_eq!(with(21, &[0]), Reason::EntrySize(0));
    assert_eq!(with(21, &[3]), Reason::EntrySize(3));
    assert_eq!(with(21, &[200]), Reason::Truncated);
}

#[test]
fn error_has_the_offset() {
    let file = with_shared(Builder::new().config(0, 0, 0, "x").raw(9, &[]));
    let error = Firmware::parse(&file).unwrap_err();
    assert_eq!(error.to_string(), "an entry of the unknown kind `9` is not optional (at offset `0x28`)");
}

#[test]
fn malformed_build_information_is_ignored() {
    let file = with_shared(Builder::new().raw(6 | 1 << 31, &[u32::MAX, u32::MAX]).raw(1 | 1 << 31, &[1]));
    let firmware = Firmware::parse(&file).unwrap();
    assert_eq!(firmware.git_sha(), None);
    assert_eq!(firmware.entries().filter(|entry| matches!(entry, Entry::Other { .. })).count(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn any_bytes_are_a_container_or_an_error(bytes in vec(any::<u8>(), 0..400)) {
        use_all(&bytes);
    }

    #[test]
    fn any_list_is_read_to_its_end(
        list in vec(prop_oneof![any::<u32>(), (0u32..8, 0u32..20).prop_map(|(kind, words)| kind | words << 10)], 0..80),
        size in prop_oneof![Just(None), any::<u32>().prop_map(Some)],
    ) {
        let size = size.unwrap_or(20 + 4 * list.len() as u32);
        let words = [&[MAGIC, 3, 0, 0, size][..], &list].concat();
        let file: Vec<_> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        prop_assert!(use_all(&file) <= list.len());
    }

    #[test]
    fn damaged_container_parses_or_fails(
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        length in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut file = sample(&[1; 32]);
        // Most damage is in the list of entries, where it matters more than in the data behind.
        for (at, byte) in damage {
            let at = at.index(400);
            file[at] = byte;
        }
        file.truncate(length.map_or(file.len(), |length| length.index(file.len())));
        use_all(&file);
    }
}

/// Checks the published firmware, by the path in `DRYDOCK_MALI_FIRMWARE`.
#[test]
#[ignore = "needs the published firmware (DRYDOCK_MALI_FIRMWARE)"]
fn the_published_firmware() {
    let path = std::env::var_os("DRYDOCK_MALI_FIRMWARE").expect("DRYDOCK_MALI_FIRMWARE names the file");
    let file = std::fs::read(path).unwrap();
    let firmware = Firmware::parse(&file).unwrap();
    assert_eq!(firmware.minor(), 3);
    assert_eq!(firmware.git_sha().map(str::len), Some(40));
    let sections: Vec<_> = firmware.sections().collect();
    let code: Vec<_> = sections.iter().filter(|section| section.flags().has(Flags::EXECUTE)).collect();
    assert_eq!(code.len(), 1, "{sections:?}");
    assert!(!code[0].flags().has(Flags::WRITE), "{sections:?}");
    let shared = sections.iter().find(|section| section.is_shared_interface()).unwrap();
    assert!(shared.flags().has(Flags::SHARED | Flags::WRITE), "{shared:?}");
    // The ranges do not overlap.
    let mut ranges: Vec<_> = sections.iter().map(Section::addresses).collect();
    ranges.sort_by_key(|range| range.start);
    assert!(ranges.windows(2).all(|pair| pair[0].end <= pair[1].start), "{ranges:x?}");
    let names: Vec<_> = firmware
        .entries()
        .filter_map(|entry| match entry {
            Entry::Config(config) => Some(config.name),
            Entry::TraceBuffer(buffer) => Some(buffer.name),
            Entry::Timeline(timeline) => Some(timeline.name),
            _ => None,
        })
        .collect();
    for name in ["Log verbosity", "fwlog", "timeline_header"] {
        assert!(names.contains(&name), "{names:?}");
    }
}
