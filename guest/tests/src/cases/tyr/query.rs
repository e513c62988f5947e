// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! DEV_QUERY: sizes, values, times, and invalid addresses.
//!
//! Source: `struct drm_panthor_dev_query` and what it queries in `include/uapi/drm/panthor_drm.h`; the least sizes are
//! those of `PANTHOR_UOBJ_MIN_SIZE` in `drivers/gpu/drm/panthor/panthor_drv.c` (Linux 7.3). The values are those of the
//! model.

use std::time::Duration;

use rustix::process::WaitOptions;
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
use rustix::time::{ClockId, clock_gettime};
use sys::{Answer, BadAddress, Mapping};
use uapi::PAGE;
use uapi::tyr::*;

use crate::harness::check::Outcome;
use crate::subjects::guest::Guest;
use crate::subjects::tyr::{Gpu, TyrFile};
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "tyr_query" for Tyr:
    null_pointer_queries_the_size, whole_structure, size_without_the_oldest_fields_is_refused,
    newest_fields_may_be_left_out, room_beyond_the_structure_is_zeroed, unknown_types, addresses_that_cannot_be_used,
    answer_that_cannot_be_written, gpu_info_matches_the_boards_boot_log, csif_info_matches_the_firmware, page_sizes,
    gpu_timestamp_advances_at_24_mhz, timestamp_info_without_flags, cpu_timestamp_is_read_within_the_call,
    clocks_of_a_time_namespace, cycles_and_duration, unrequested_timestamp_fields_are_zero,
    invalid_timestamp_flags_are_refused, priorities_of_root, priorities_of_an_ordinary_client, priorities_of_a_master,
}

fn file(guest: &Guest) -> Outcome<TyrFile> {
    Gpu::ready(guest)?.open()
}

/// A query without a pointer returns the size, whatever size was passed.
fn null_pointer_queries_the_size(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    for (kind, size) in QUERIES {
        for asked in [0, 1, size as u32, u32::MAX] {
            same!(works!(file.query_size(kind, asked)), size as u32);
        }
    }
    Ok(())
}

/// All bytes of a structure are written, and none behind it.
fn whole_structure(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    for (kind, size) in QUERIES {
        // The client passes in which times it wants; these are all that there were before there were flags.
        let mut room = [0; 256];
        room[size..].fill(0xee);
        let told = works!(file.query(kind, &mut room[..size]));
        same!(told, size as u32);
        same!(room[size..], [0xee; 256][size..]);
    }
    Ok(())
}

/// A size without the oldest fields fails with EINVAL and writes nothing: such a structure is useless.
fn size_without_the_oldest_fields_is_refused(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    for (kind, least) in
        [(QUERY_GPU, 96), (QUERY_CSIF, 24), (QUERY_TIMESTAMP, 16), (QUERY_PRIORITIES, 4), (QUERY_MMU, 8)]
    {
        for size in [0, 1, least - 1] {
            let mut room = [0; 96];
            refuses!(file.query(kind, &mut room[..size]), INVAL, " of {kind} with {size} bytes");
            same!(room, [0; 96]);
        }
        works!(file.query(kind, &mut [0; 96][..least]));
    }
    Ok(())
}

/// An older client's structure, without the newest fields, is accepted.
fn newest_fields_may_be_left_out(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    let mut room = [0xee; 112];
    works!(file.query(QUERY_GPU, &mut room[..104]));
    same!(room[104..], [0xee; 8]);
    same!(room[..4], 0xa867_0005_u32.to_ne_bytes());
    // Frequency, time and offset were there from the beginning.
    let mut room = [0; 56];
    works!(file.query(QUERY_TIMESTAMP, &mut room[..24]));
    holds!(room[8..16] != [0; 8], "the GPU's time is returned");
    same!(room[24..], [0; 32]);
    Ok(())
}

/// With a newer client's structure, the part that the kernel does not know is zero.
fn room_beyond_the_structure_is_zeroed(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    for (kind, size) in QUERIES {
        let mut room = vec![0; 200];
        if kind != QUERY_TIMESTAMP {
            room.fill(0xee);
        }
        works!(file.query(kind, &mut room));
        same!(room[size..], vec![0; 200 - size]);
    }
    // A part of the input that the kernel does not know must be zero.
    let mut room = [0; 64];
    room[60] = 1;
    holds!(file.query(QUERY_TIMESTAMP, &mut room).is_err(), "a request that the kernel does not know is refused");
    Ok(())
}

/// An unknown type fails with EINVAL, with and without a pointer.
fn unknown_types(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    for kind in [5, 6, 0x100, 0x8000_0000, u32::MAX] {
        refuses!(file.query_size(kind, 0), INVAL, " of {kind:#x}");
        refuses!(file.query(kind, &mut [0; 112]), INVAL, " of {kind:#x}");
        refuses!(file.query_at(kind, 112, BadAddress::Kernel), INVAL, " of {kind:#x}");
    }
    works!(file.query(QUERY_MMU, &mut [0; 8]));
    Ok(())
}

/// An invalid address fails with EFAULT. The null pointer is not one: it queries the size.
fn addresses_that_cannot_be_used(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    for (kind, size) in QUERIES {
        for address in [BadAddress::Unmapped, BadAddress::Kernel, BadAddress::NonCanonical] {
            refuses!(file.query_at(kind, size as u32, address), FAULT, " of {kind} at {address:?}");
        }
        same!(works!(file.query_at(kind, size as u32, BadAddress::Null)), size as u32);
    }
    Ok(())
}

/// A read-only page for the answer fails with EFAULT.
fn answer_that_cannot_be_written(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    for (kind, size) in QUERIES {
        let page = works!(sys::memory_file(PAGE).and_then(|memory| Mapping::shared(memory, 0, PAGE)));
        works!(file.query_into(kind, size as u32, &page));
        (0..size).step_by(4).for_each(|at| page.write(at, 0));
        works!(page.protect());
        refuses!(file.query_into(kind, size as u32, &page), FAULT, " of {kind}");
    }
    Ok(())
}

/// Number, features and masks are those of the board's boot log.
fn gpu_info_matches_the_boards_boot_log(guest: &Guest) -> Outcome {
    let info: GpuInfo = works!(file(guest)?.info(QUERY_GPU, GpuInfo { pad: 9, gpu_features: 9, ..Default::default() }));
    same!((info.gpu_id, info.gpu_rev), (0xa867_0005, 0));
    same!(
        [info.l2_features, info.tiler_features, info.mem_features, info.mmu_features],
        [0x712_0306, 0x809, 0x301, 0x2830]
    );
    same!((info.as_present, info.shader_present), (0xff, 0x5_0005));
    same!((info.l2_present, info.tiler_present), (1, 1));
    same!(info.texture_features, [0; 4]);
    same!(
        [info.max_threads, info.thread_max_workgroup_size, info.thread_max_barrier_size, info.thread_features],
        [2048, 1024, 1024, 3 << 22 | 0x1_0000]
    );
    let possible = info.selected_coherency == 31 || info.coherency_features >> info.selected_coherency & 1 != 0;
    holds!(possible, "coherency {} is one of {:#x}, or none", info.selected_coherency, info.coherency_features);
    same!((info.pad, info.gpu_features, info.core_features), (0, 0, 0));
    Ok(())
}

/// The values are those in the firmware's interface.
fn csif_info_matches_the_firmware(guest: &Guest) -> Outcome {
    let info: CsifInfo = works!(file(guest)?.info(QUERY_CSIF, CsifInfo { pad: 9, ..Default::default() }));
    holds!((1..=31).contains(&info.csg_slot_count), "{} groups have slots", info.csg_slot_count);
    holds!((1..=32).contains(&info.cs_slot_count), "{} streams of a group have slots", info.cs_slot_count);
    holds!((32..=256).contains(&info.cs_reg_count), "a stream has {} registers", info.cs_reg_count);
    holds!((1..=16).contains(&info.scoreboard_slot_count), "{} scoreboard entries", info.scoreboard_slot_count);
    same!((info.unpreserved_cs_reg_count, info.pad), (4, 0));
    Ok(())
}

/// The page sizes are 4 KiB and 2 MiB.
fn page_sizes(guest: &Guest) -> Outcome {
    let info: MmuInfo = works!(file(guest)?.info(QUERY_MMU, MmuInfo::default()));
    same!(info.page_size_bitmap, 1 << 12 | 1 << 21);
    Ok(())
}

fn time(file: &TyrFile, flags: u32) -> Answer<TimestampInfo> {
    file.info(QUERY_TIMESTAMP, TimestampInfo { flags, ..Default::default() })
}

/// The GPU's time advances at 24 MHz by the model's counter, as on the board.
fn gpu_timestamp_advances_at_24_mhz(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    let before = std::time::Instant::now();
    let first = works!(time(&file, TIME_GPU)).current_timestamp;
    let between = std::time::Instant::now();
    while between.elapsed() < Duration::from_millis(20) {
        std::thread::yield_now();
    }
    let ticks = works!(time(&file, TIME_GPU)).current_timestamp - first;
    // Guest and model have different clocks.
    let most = before.elapsed().as_nanos() as u64 * 24 / 1000 * 101 / 100;
    holds!((19_500 * 24..=most).contains(&ticks), "{ticks} ticks in a time of at most {most}");
    Ok(())
}

/// Flags of zero return the GPU's time, its offset and the frequency.
fn timestamp_info_without_flags(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    let told = works!(time(&file, 0));
    holds!(told.current_timestamp > 0, "the GPU's time is returned");
    same!((told.cycle_count, told.cpu_timestamp_sec, told.cpu_timestamp_nsec, told.duration_nsec), (0, 0, 0, 0));
    let asked = works!(time(&file, TIME_GPU | TIME_OFFSET | TIME_FREQUENCY));
    same!((told.timestamp_offset, told.timestamp_frequency), (asked.timestamp_offset, asked.timestamp_frequency));
    Ok(())
}

fn nanoseconds(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// The clock that the flags select is read within the call.
fn cpu_timestamp_is_read_within_the_call(guest: &Guest) -> Outcome {
    clocks_agree(&file(guest)?)
}

/// A client in a time namespace gets the times that it reads itself, although the driver reads the machine's.
fn clocks_of_a_time_namespace(guest: &Guest) -> Outcome {
    const AHEAD: u32 = 100_000;
    let file = file(guest)?;
    let here = nanoseconds(ClockId::Monotonic);
    works!(sys::shift_time_of_children(AHEAD));
    let client = works!(sys::fork(|| {
        let there = nanoseconds(ClockId::Monotonic);
        there > here + u64::from(AHEAD) * 1_000_000_000 && clocks_agree(&file).is_ok()
    }));
    let ended = works!(rustix::process::waitpid(Some(client), WaitOptions::empty()));
    same!(ended.and_then(|(_, status)| status.exit_status()), Some(0));
    Ok(())
}

fn clocks_agree(file: &TyrFile) -> Outcome {
    for (flag, clock) in [(TIME_MONOTONIC, ClockId::Monotonic), (TIME_MONOTONIC_RAW, ClockId::MonotonicRaw)] {
        let before = nanoseconds(clock);
        let told = works!(time(file, flag | TIME_GPU));
        let after = nanoseconds(clock);
        let at = told.cpu_timestamp_sec * 1_000_000_000 + told.cpu_timestamp_nsec;
        holds!((before..=after).contains(&at), "{at} lies between {before} and {after}");
        holds!(told.cpu_timestamp_nsec < 1_000_000_000, "{} is less than a second", told.cpu_timestamp_nsec);
    }
    Ok(())
}

fn cycles_and_duration(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    let first = works!(time(&file, TIME_CYCLES | TIME_DURATION));
    let second = works!(time(&file, TIME_CYCLES | TIME_DURATION));
    holds!(first.duration_nsec > 0, "reading a counter takes time");
    holds!(second.cycle_count > first.cycle_count, "cycles are counted");
    Ok(())
}

fn unrequested_timestamp_fields_are_zero(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    let all = TimestampInfo {
        timestamp_frequency: 1,
        current_timestamp: 1,
        timestamp_offset: 1,
        flags: TIME_DURATION,
        duration_nsec: 0,
        cycle_count: 1,
        cpu_timestamp_sec: 1,
        cpu_timestamp_nsec: 1,
    };
    let told: TimestampInfo = works!(file.info(QUERY_TIMESTAMP, all));
    holds!(told.duration_nsec > 0, "the requested value is returned");
    same!(TimestampInfo { duration_nsec: 0, flags: 0, ..told }, TimestampInfo::default());
    Ok(())
}

/// Two clocks at once, and unknown flags, fail with EINVAL.
fn invalid_timestamp_flags_are_refused(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    for flags in [3 << 1, 4 << 1, 7 << 1, 1 << 8, 1 << 31, u32::MAX] {
        refuses!(time(&file, flags), INVAL, " of {flags:#x}");
        refuses!(time(&file, flags | TIME_GPU), INVAL, " of {flags:#x}");
    }
    for flags in [TIME_GPU, TIME_MONOTONIC, TIME_MONOTONIC_RAW, TIME_CYCLES | TIME_DURATION] {
        works!(time(&file, flags));
    }
    Ok(())
}

/// Root may use all four priorities.
fn priorities_of_root(guest: &Guest) -> Outcome {
    let info: GroupPrioritiesInfo =
        works!(file(guest)?.info(QUERY_PRIORITIES, GroupPrioritiesInfo { allowed_mask: 0, pad: [9; 3] }));
    same!(info, GroupPrioritiesInfo { allowed_mask: 0xf, pad: [0; 3] });
    Ok(())
}

/// An ordinary client may use low and medium. More needs `CAP_SYS_NICE` or being the master.
fn priorities_of_an_ordinary_client(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    works!(give_up_sys_nice());
    same!(priorities(&file)?, 0x3);
    Ok(())
}

/// The first file of the primary node may use all four as long as it is master; the second never.
fn priorities_of_a_master(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    works!(give_up_sys_nice());
    let (master, other) = (gpu.open_node("card")?, gpu.open_node("card")?);
    same!((priorities(&master)?, priorities(&other)?), (0xf, 0x3));
    works!(master.0.master(&uapi::DROP_MASTER));
    same!((priorities(&master)?, priorities(&other)?), (0x3, 0x3));
    Ok(())
}

fn give_up_sys_nice() -> Answer {
    let mut sets = capabilities(None)?;
    sets.effective.remove(CapabilitySet::SYS_NICE);
    set_capabilities(None, sets)
}

fn priorities(file: &TyrFile) -> Outcome<u8> {
    let info: GroupPrioritiesInfo = works!(file.info(QUERY_PRIORITIES, GroupPrioritiesInfo::default()));
    Ok(info.allowed_mask)
}
