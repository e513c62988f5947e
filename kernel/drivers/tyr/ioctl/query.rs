// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! `DEV_QUERY`: the properties of the device that a client may read.
//!
//! Source: `panthor_drm.h`; behaviour: drivers/gpu/drm/panthor/panthor_drv.c (`panthor_ioctl_dev_query`).

use crate::{
    client::Client,
    driver::Tyr,
    hw::{
        gpu::Gpu,
        Hardware, //
    },
    uapi::{
        self,
        drm_panthor_csif_info,
        drm_panthor_dev_query,
        drm_panthor_gpu_info,
        drm_panthor_group_priorities_info,
        drm_panthor_mmu_info,
        drm_panthor_timestamp_info, //
    },
    uobj, //
};
use core::mem::offset_of;
use drm::{
    file::{
        caller_has,
        Capability, //
    },
    time::{
        MonotonicRaw,
        Shifted, //
    },
    File,
    Plugged, //
};
use kernel::{
    interrupt::local_interrupt_disable,
    prelude::*,
    time::{
        ClockSource,
        Monotonic, //
    },
};
use mali_regs::gpu as registers;

mod kind {
    use crate::uapi::*;

    pub(super) const GPU: u32 = drm_panthor_dev_query_type_DRM_PANTHOR_DEV_QUERY_GPU_INFO;
    pub(super) const CSIF: u32 = drm_panthor_dev_query_type_DRM_PANTHOR_DEV_QUERY_CSIF_INFO;
    pub(super) const TIMESTAMP: u32 =
        drm_panthor_dev_query_type_DRM_PANTHOR_DEV_QUERY_TIMESTAMP_INFO;
    pub(super) const PRIORITIES: u32 =
        drm_panthor_dev_query_type_DRM_PANTHOR_DEV_QUERY_GROUP_PRIORITIES_INFO;
    pub(super) const MMU: u32 = drm_panthor_dev_query_type_DRM_PANTHOR_DEV_QUERY_MMU_INFO;
}

/// Returns a structure with properties. Fails with `EINVAL` for an unknown type, or for less
/// room than the first version of the structure needs. Without an address, returns the
/// structure's size. With one, `size` stays unchanged, as in C.
pub(crate) fn dev_query(
    _dev: &Plugged<'_, Tyr>,
    hardware: &Hardware<'_>,
    arg: &mut drm_panthor_dev_query,
    file: &File<Client>,
) -> Result {
    let (to, room) = (arg.pointer, arg.size);
    if to == 0 {
        arg.size = match arg.type_ {
            kind::GPU => size_of::<drm_panthor_gpu_info>(),
            kind::CSIF => size_of::<drm_panthor_csif_info>(),
            kind::TIMESTAMP => size_of::<drm_panthor_timestamp_info>(),
            kind::PRIORITIES => size_of::<drm_panthor_group_priorities_info>(),
            kind::MMU => size_of::<drm_panthor_mmu_info>(),
            _ => return Err(EINVAL),
        } as u32;
        return Ok(());
    }
    match arg.type_ {
        kind::GPU => {
            let min = offset_of!(drm_panthor_gpu_info, tiler_present) + size_of::<u64>();
            uobj::set(to, room, min, gpu_info(&hardware.gpu))
        }
        kind::CSIF => {
            let min = size_of::<drm_panthor_csif_info>();
            uobj::set(to, room, min, csif_info(hardware))
        }
        kind::TIMESTAMP => {
            let min = offset_of!(drm_panthor_timestamp_info, current_timestamp) + size_of::<u64>();
            let requested: drm_panthor_timestamp_info = uobj::get(to, room)?;
            uobj::set(to, room, min, timestamps(&hardware.gpu, requested.flags)?)
        }
        kind::PRIORITIES => {
            let min = size_of::<drm_panthor_group_priorities_info>();
            uobj::set(to, room, min, priorities(file))
        }
        kind::MMU => {
            let info = drm_panthor_mmu_info {
                page_size_bitmap: 4 << 10 | 2 << 20,
            };
            uobj::set(to, room, size_of::<drm_panthor_mmu_info>(), info)
        }
        _ => Err(EINVAL),
    }
}

fn gpu_info(gpu: &Gpu<'_>) -> drm_panthor_gpu_info {
    let info = &gpu.info;
    drm_panthor_gpu_info {
        gpu_id: info.id.0,
        gpu_rev: info.revision,
        csf_id: info.csf_id,
        l2_features: info.l2_features,
        tiler_features: info.tiler_features,
        mem_features: info.mem_features,
        mmu_features: info.mmu_features.0,
        thread_features: info.thread_features,
        max_threads: info.max_threads,
        thread_max_workgroup_size: info.max_workgroup_size,
        thread_max_barrier_size: info.max_barrier_size,
        coherency_features: info.coherency_features,
        texture_features: info.texture_features,
        as_present: info.as_present,
        selected_coherency: gpu.coherency(),
        shader_present: info.shader_present,
        l2_present: info.l2_present,
        tiler_present: info.tiler_present,
        core_features: info.core_features,
        pad: 0,
        // The register was added with architecture 11.
        gpu_features: 0,
    }
}

fn csif_info(hardware: &Hardware<'_>) -> drm_panthor_csif_info {
    let slots = hardware.interface().slots();
    drm_panthor_csif_info {
        csg_slot_count: slots.groups,
        cs_slot_count: slots.streams,
        cs_reg_count: slots.registers,
        scoreboard_slot_count: slots.scoreboards,
        unpreserved_cs_reg_count: slots.unpreserved_registers,
        pad: 0,
    }
}

/// Returns the priorities that a group of this client may have.
fn priorities(file: &File<Client>) -> drm_panthor_group_priorities_info {
    use uapi::*;
    let always = 1 << drm_panthor_group_priority_PANTHOR_GROUP_PRIORITY_LOW
        | 1 << drm_panthor_group_priority_PANTHOR_GROUP_PRIORITY_MEDIUM;
    let privileged = 1 << drm_panthor_group_priority_PANTHOR_GROUP_PRIORITY_HIGH
        | 1 << drm_panthor_group_priority_PANTHOR_GROUP_PRIORITY_REALTIME;
    let high = caller_has(Capability::SysNice) || file.is_current_master();
    drm_panthor_group_priorities_info {
        allowed_mask: if high { always | privileged } else { always },
        pad: [0; 3],
    }
}

mod flag {
    use crate::uapi::*;

    pub(super) const GPU: u32 = drm_panthor_timestamp_info_flags_DRM_PANTHOR_TIMESTAMP_GPU;
    pub(super) const CPU: u32 =
        drm_panthor_timestamp_info_flags_DRM_PANTHOR_TIMESTAMP_CPU_TYPE_MASK;
    pub(super) const NO_CPU: u32 = drm_panthor_timestamp_info_flags_DRM_PANTHOR_TIMESTAMP_CPU_NONE;
    pub(super) const MONOTONIC: u32 =
        drm_panthor_timestamp_info_flags_DRM_PANTHOR_TIMESTAMP_CPU_MONOTONIC;
    pub(super) const RAW: u32 =
        drm_panthor_timestamp_info_flags_DRM_PANTHOR_TIMESTAMP_CPU_MONOTONIC_RAW;
    pub(super) const OFFSET: u32 =
        drm_panthor_timestamp_info_flags_DRM_PANTHOR_TIMESTAMP_GPU_OFFSET;
    pub(super) const CYCLES: u32 =
        drm_panthor_timestamp_info_flags_DRM_PANTHOR_TIMESTAMP_GPU_CYCLE_COUNT;
    pub(super) const FREQUENCY: u32 = drm_panthor_timestamp_info_flags_DRM_PANTHOR_TIMESTAMP_FREQ;
    pub(super) const DURATION: u32 =
        drm_panthor_timestamp_info_flags_DRM_PANTHOR_TIMESTAMP_DURATION;

    pub(super) const ALL: u32 = GPU | CPU | OFFSET | CYCLES | FREQUENCY | DURATION;
    /// The values that were returned before there were flags.
    pub(super) const OLD: u32 = GPU | OFFSET | FREQUENCY;
}

/// Returns the times that `flags` requests. Fails with `EINVAL` for unknown flags.
fn timestamps(gpu: &Gpu<'_>, flags: u32) -> Result<drm_panthor_timestamp_info> {
    let requested = if flags == 0 { flag::OLD } else { flags };
    let has = |flag: u32| requested & flag != 0;
    let cpu_clock: Option<fn() -> i64> = match requested & flag::CPU {
        flag::NO_CPU => None,
        flag::MONOTONIC => Some(Monotonic::ktime_get),
        flag::RAW => Some(MonotonicRaw::ktime_get),
        _ => return Err(EINVAL),
    };
    if requested & !flag::ALL != 0 {
        return Err(EINVAL);
    }
    let regs = &gpu.regs;
    let mut info = drm_panthor_timestamp_info {
        // The frequency of the machine's counter is known only on Arm, as in C.
        timestamp_frequency: 0,
        current_timestamp: 0,
        timestamp_offset: 0,
        flags,
        duration_nsec: 0,
        cycle_count: 0,
        cpu_timestamp_sec: 0,
        cpu_timestamp_nsec: 0,
    };
    if has(flag::OFFSET) {
        info.timestamp_offset = regs.read64(registers::TIMESTAMP_OFFSET);
    }
    let sources =
        u32::from(cpu_clock.is_some()) + u32::from(has(flag::GPU)) + u32::from(has(flag::CYCLES));
    // Several times, and the duration of reading them, must be read close together.
    let irqs_off = (has(flag::DURATION) || sources > 1).then(local_interrupt_disable);
    let begin = Monotonic::ktime_get();
    if has(flag::GPU) {
        info.current_timestamp = regs.read_counter(registers::TIMESTAMP);
    }
    let cpu = cpu_clock.map(|clock| clock());
    if has(flag::CYCLES) {
        info.cycle_count = regs.read_counter(registers::CYCLE_COUNT);
    }
    let end = Monotonic::ktime_get();
    drop(irqs_off);

    if has(flag::DURATION) {
        info.duration_nsec = (end - begin) as u32;
    }
    if let Some(cpu) = cpu {
        let cpu = Monotonic::for_caller(cpu) as u64;
        info.cpu_timestamp_sec = cpu / 1_000_000_000;
        info.cpu_timestamp_nsec = cpu % 1_000_000_000;
    }
    Ok(info)
}
