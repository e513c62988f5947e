// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! tyr's ioctls, which are panthor's.
//!
//! Source: `include/uapi/drm/panthor_drm.h` (Linux 7.3, version 1.9 of the interface).

use super::*;

structures! {
    ObjArray = "drm_panthor_obj_array" { stride: u32, count: u32, array: u64 }
    VmCreate: Plain = "drm_panthor_vm_create" { flags: u32, id: u32, user_va_range: u64 }
    VmDestroy: Plain = "drm_panthor_vm_destroy" { id: u32, pad: u32 }
    VmGetState: Plain = "drm_panthor_vm_get_state" { vm_id: u32, state: u32 }
    SyncOp: Plain = "drm_panthor_sync_op" { flags: u32, handle: u32, timeline_value: u64 }
    BoCreate: Plain = "drm_panthor_bo_create" { size: u64, flags: u32, exclusive_vm_id: u32, handle: u32, pad: u32 }
    BoMmapOffset: Plain = "drm_panthor_bo_mmap_offset" { handle: u32, pad: u32, offset: u64 }
    SetUserMmioOffset: Plain = "drm_panthor_set_user_mmio_offset" { offset: u64 }
    BoSyncOp: Plain = "drm_panthor_bo_sync_op" { handle: u32, kind: u32, offset: u64, size: u64 }
    BoQueryInfo: Plain = "drm_panthor_bo_query_info" { handle: u32, extra_flags: u32, create_flags: u32, pad: u32 }
    GroupDestroy: Plain = "drm_panthor_group_destroy" { group_handle: u32, pad: u32 }
    GroupGetState: Plain = "drm_panthor_group_get_state" {
        group_handle: u32, state: u32, fatal_queues: u32, pad: u32,
    }
    TilerHeapCreate: Plain = "drm_panthor_tiler_heap_create" {
        vm_id: u32, initial_chunk_count: u32, chunk_size: u32, max_chunks: u32, target_in_flight: u32, handle: u32,
        tiler_heap_ctx_gpu_va: u64, first_heap_chunk_gpu_va: u64,
    }
    TilerHeapDestroy: Plain = "drm_panthor_tiler_heap_destroy" { handle: u32, pad: u32 }
    GpuInfo: Plain = "drm_panthor_gpu_info" {
        gpu_id: u32, gpu_rev: u32, csf_id: u32, l2_features: u32, tiler_features: u32, mem_features: u32,
        mmu_features: u32, thread_features: u32, max_threads: u32, thread_max_workgroup_size: u32,
        thread_max_barrier_size: u32, coherency_features: u32, texture_features: [u32; 4], as_present: u32,
        selected_coherency: u32, shader_present: u64, l2_present: u64, tiler_present: u64, core_features: u32,
        pad: u32, gpu_features: u64,
    }
    CsifInfo: Plain = "drm_panthor_csif_info" {
        csg_slot_count: u32, cs_slot_count: u32, cs_reg_count: u32, scoreboard_slot_count: u32,
        unpreserved_cs_reg_count: u32, pad: u32,
    }
    TimestampInfo: Plain = "drm_panthor_timestamp_info" {
        timestamp_frequency: u64, current_timestamp: u64, timestamp_offset: u64, flags: u32, duration_nsec: u32,
        cycle_count: u64, cpu_timestamp_sec: u64, cpu_timestamp_nsec: u64,
    }
    GroupPrioritiesInfo: Plain = "drm_panthor_group_priorities_info" { allowed_mask: u8, pad: [u8; 3] }
    MmuInfo: Plain = "drm_panthor_mmu_info" { page_size_bitmap: u64 }
    DevQuery = "drm_panthor_dev_query" { kind: u32, size: u32, pointer: u64 }
    VmBindOp = "drm_panthor_vm_bind_op" {
        flags: u32, bo_handle: u32, bo_offset: u64, va: u64, size: u64, syncs: ObjArray,
    }
    VmBind = "drm_panthor_vm_bind" { vm_id: u32, flags: u32, ops: ObjArray }
    BoSetLabel = "drm_panthor_bo_set_label" { handle: u32, pad: u32, label: u64 }
    BoSync = "drm_panthor_bo_sync" { ops: ObjArray }
    GroupCreate = "drm_panthor_group_create" {
        queues: ObjArray, max_cores: [u8; 3], priority: u8, pad: u32, core_masks: [u64; 3], vm_id: u32,
        group_handle: u32,
    }
    GroupSubmit = "drm_panthor_group_submit" { group_handle: u32, pad: u32, queue_submits: ObjArray }
}

requests! {
    DEV_QUERY: DevQuery = RW, DRM, COMMAND_BASE, "DRM_IOCTL_PANTHOR_DEV_QUERY";
    VM_CREATE: VmCreate = RW, DRM, COMMAND_BASE + 1, "DRM_IOCTL_PANTHOR_VM_CREATE";
    VM_DESTROY: VmDestroy = RW, DRM, COMMAND_BASE + 2, "DRM_IOCTL_PANTHOR_VM_DESTROY";
    VM_BIND: VmBind = RW, DRM, COMMAND_BASE + 3, "DRM_IOCTL_PANTHOR_VM_BIND";
    VM_GET_STATE: VmGetState = RW, DRM, COMMAND_BASE + 4, "DRM_IOCTL_PANTHOR_VM_GET_STATE";
    BO_CREATE: BoCreate = RW, DRM, COMMAND_BASE + 5, "DRM_IOCTL_PANTHOR_BO_CREATE";
    BO_MMAP_OFFSET: BoMmapOffset = RW, DRM, COMMAND_BASE + 6, "DRM_IOCTL_PANTHOR_BO_MMAP_OFFSET";
    GROUP_CREATE: GroupCreate = RW, DRM, COMMAND_BASE + 7, "DRM_IOCTL_PANTHOR_GROUP_CREATE";
    GROUP_DESTROY: GroupDestroy = RW, DRM, COMMAND_BASE + 8, "DRM_IOCTL_PANTHOR_GROUP_DESTROY";
    GROUP_SUBMIT: GroupSubmit = RW, DRM, COMMAND_BASE + 9, "DRM_IOCTL_PANTHOR_GROUP_SUBMIT";
    GROUP_GET_STATE: GroupGetState = RW, DRM, COMMAND_BASE + 10, "DRM_IOCTL_PANTHOR_GROUP_GET_STATE";
    TILER_HEAP_CREATE: TilerHeapCreate = RW, DRM, COMMAND_BASE + 11, "DRM_IOCTL_PANTHOR_TILER_HEAP_CREATE";
    TILER_HEAP_DESTROY: TilerHeapDestroy = RW, DRM, COMMAND_BASE + 12, "DRM_IOCTL_PANTHOR_TILER_HEAP_DESTROY";
    BO_SET_LABEL: BoSetLabel = RW, DRM, COMMAND_BASE + 13, "DRM_IOCTL_PANTHOR_BO_SET_LABEL";
    SET_USER_MMIO_OFFSET: SetUserMmioOffset = RW, DRM, COMMAND_BASE + 14, "DRM_IOCTL_PANTHOR_SET_USER_MMIO_OFFSET";
    BO_SYNC: BoSync = RW, DRM, COMMAND_BASE + 15, "DRM_IOCTL_PANTHOR_BO_SYNC";
    BO_QUERY_INFO: BoQueryInfo = RW, DRM, COMMAND_BASE + 16, "DRM_IOCTL_PANTHOR_BO_QUERY_INFO";
}

constants! {
    QUERY_GPU: u32 = 0, "DRM_PANTHOR_DEV_QUERY_GPU_INFO";
    QUERY_CSIF: u32 = 1, "DRM_PANTHOR_DEV_QUERY_CSIF_INFO";
    QUERY_TIMESTAMP: u32 = 2, "DRM_PANTHOR_DEV_QUERY_TIMESTAMP_INFO";
    QUERY_PRIORITIES: u32 = 3, "DRM_PANTHOR_DEV_QUERY_GROUP_PRIORITIES_INFO";
    QUERY_MMU: u32 = 4, "DRM_PANTHOR_DEV_QUERY_MMU_INFO";
    TIME_GPU: u32 = 1 << 0, "DRM_PANTHOR_TIMESTAMP_GPU";
    TIME_MONOTONIC: u32 = 1 << 1, "DRM_PANTHOR_TIMESTAMP_CPU_MONOTONIC";
    TIME_MONOTONIC_RAW: u32 = 2 << 1, "DRM_PANTHOR_TIMESTAMP_CPU_MONOTONIC_RAW";
    TIME_OFFSET: u32 = 1 << 4, "DRM_PANTHOR_TIMESTAMP_GPU_OFFSET";
    TIME_CYCLES: u32 = 1 << 5, "DRM_PANTHOR_TIMESTAMP_GPU_CYCLE_COUNT";
    TIME_FREQUENCY: u32 = 1 << 6, "DRM_PANTHOR_TIMESTAMP_FREQ";
    TIME_DURATION: u32 = 1 << 7, "DRM_PANTHOR_TIMESTAMP_DURATION";
    SYNC_TIMELINE: u32 = 1, "DRM_PANTHOR_SYNC_OP_HANDLE_TYPE_TIMELINE_SYNCOBJ";
    SYNC_SIGNAL: u32 = 1 << 31, "DRM_PANTHOR_SYNC_OP_SIGNAL";
    MAP_READONLY: u32 = 1 << 0, "DRM_PANTHOR_VM_BIND_OP_MAP_READONLY";
    MAP_NOEXEC: u32 = 1 << 1, "DRM_PANTHOR_VM_BIND_OP_MAP_NOEXEC";
    MAP_UNCACHED: u32 = 1 << 2, "DRM_PANTHOR_VM_BIND_OP_MAP_UNCACHED";
    MAP_SPARSE: u32 = 1 << 3, "DRM_PANTHOR_VM_BIND_OP_MAP_SPARSE";
    OP_MAP: u32 = 0 << 28, "DRM_PANTHOR_VM_BIND_OP_TYPE_MAP";
    OP_UNMAP: u32 = 1 << 28, "DRM_PANTHOR_VM_BIND_OP_TYPE_UNMAP";
    OP_SYNC_ONLY: u32 = 2 << 28, "DRM_PANTHOR_VM_BIND_OP_TYPE_SYNC_ONLY";
    BIND_ASYNC: u32 = 1, "DRM_PANTHOR_VM_BIND_ASYNC";
    USABLE: u32 = 0, "DRM_PANTHOR_VM_STATE_USABLE";
    UNUSABLE: u32 = 1, "DRM_PANTHOR_VM_STATE_UNUSABLE";
    BO_NO_MMAP: u32 = 1 << 0, "DRM_PANTHOR_BO_NO_MMAP";
    BO_WB_MMAP: u32 = 1 << 1, "DRM_PANTHOR_BO_WB_MMAP";
    BO_IS_IMPORTED: u32 = 1, "DRM_PANTHOR_BO_IS_IMPORTED";
    BO_FLUSH: u32 = 0, "DRM_PANTHOR_BO_SYNC_CPU_CACHE_FLUSH";
    BO_FLUSH_AND_INVALIDATE: u32 = 1, "DRM_PANTHOR_BO_SYNC_CPU_CACHE_FLUSH_AND_INVALIDATE";
    MMIO_OFFSET_32: u64 = 1 << 43, "DRM_PANTHOR_USER_MMIO_OFFSET_32BIT";
    MMIO_OFFSET_64: u64 = 1 << 56, "DRM_PANTHOR_USER_MMIO_OFFSET_64BIT";
}

/// The numbers of all ioctls of the driver. The last one is `BO_QUERY_INFO`.
pub const NUMBERS: [u32; 17] = [
    DEV_QUERY.number,
    VM_CREATE.number,
    VM_DESTROY.number,
    VM_BIND.number,
    VM_GET_STATE.number,
    BO_CREATE.number,
    BO_MMAP_OFFSET.number,
    GROUP_CREATE.number,
    GROUP_DESTROY.number,
    GROUP_SUBMIT.number,
    GROUP_GET_STATE.number,
    TILER_HEAP_CREATE.number,
    TILER_HEAP_DESTROY.number,
    BO_SET_LABEL.number,
    SET_USER_MMIO_OFFSET.number,
    BO_SYNC.number,
    BO_QUERY_INFO.number,
];

/// All queries, with the sizes of their structures.
pub const QUERIES: [(u32, usize); 5] = [
    (QUERY_GPU, size_of::<GpuInfo>()),
    (QUERY_CSIF, size_of::<CsifInfo>()),
    (QUERY_TIMESTAMP, size_of::<TimestampInfo>()),
    (QUERY_PRIORITIES, size_of::<GroupPrioritiesInfo>()),
    (QUERY_MMU, size_of::<MmuInfo>()),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_that_a_c_compiler_makes_of_the_header() {
        assert_eq!(
            NUMBERS,
            [
                0xc010_6440,
                0xc010_6441,
                0xc008_6442,
                0xc018_6443,
                0xc008_6444,
                0xc018_6445,
                0xc010_6446,
                0xc038_6447,
                0xc008_6448,
                0xc018_6449,
                0xc010_644a,
                0xc028_644b,
                0xc008_644c,
                0xc010_644d,
                0xc008_644e,
                0xc010_644f,
                0xc010_6450,
            ]
        );
    }

    #[test]
    fn what_is_pointed_to_is_as_large_as_in_the_header() {
        assert_eq!(QUERIES.map(|(_, size)| size), [112, 24, 56, 4, 8]);
        assert_eq!((size_of::<VmBindOp>(), size_of::<SyncOp>(), size_of::<BoSyncOp>()), (48, 16, 24));
    }
}
