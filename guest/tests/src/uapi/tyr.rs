// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The user interface that tyr shares with panthor.
//!
//! Source: `include/uapi/drm/panthor_drm.h` (Linux 7.3, version 1.9 of the interface).

use super::*;

plain! {
    /// `struct drm_panthor_vm_create`
    VmCreate { flags: u32, id: u32, user_va_range: u64 }
    /// `struct drm_panthor_vm_destroy`
    VmDestroy { id: u32, pad: u32 }
    /// `struct drm_panthor_vm_get_state`
    VmGetState { vm_id: u32, state: u32 }
    /// `struct drm_panthor_sync_op`
    SyncOp { flags: u32, handle: u32, timeline_value: u64 }
    /// `struct drm_panthor_bo_create`
    BoCreate { size: u64, flags: u32, exclusive_vm_id: u32, handle: u32, pad: u32 }
    /// `struct drm_panthor_bo_mmap_offset`
    BoMmapOffset { handle: u32, pad: u32, offset: u64 }
    /// `struct drm_panthor_set_user_mmio_offset`
    SetUserMmioOffset { offset: u64 }
    /// `struct drm_panthor_bo_sync_op`
    BoSyncOp { handle: u32, kind: u32, offset: u64, size: u64 }
    /// `struct drm_panthor_bo_query_info`
    BoQueryInfo { handle: u32, extra_flags: u32, create_flags: u32, pad: u32 }
    /// `struct drm_panthor_group_destroy`
    GroupDestroy { group_handle: u32, pad: u32 }
    /// `struct drm_panthor_group_get_state`
    GroupGetState { group_handle: u32, state: u32, fatal_queues: u32, pad: u32 }
    /// `struct drm_panthor_tiler_heap_create`
    TilerHeapCreate {
        vm_id: u32, initial_chunk_count: u32, chunk_size: u32, max_chunks: u32, target_in_flight: u32, handle: u32,
        tiler_heap_ctx_gpu_va: u64, first_heap_chunk_gpu_va: u64,
    }
    /// `struct drm_panthor_tiler_heap_destroy`
    TilerHeapDestroy { handle: u32, pad: u32 }
    /// `struct drm_panthor_gpu_info`
    GpuInfo {
        gpu_id: u32, gpu_rev: u32, csf_id: u32, l2_features: u32, tiler_features: u32, mem_features: u32,
        mmu_features: u32, thread_features: u32, max_threads: u32, thread_max_workgroup_size: u32,
        thread_max_barrier_size: u32, coherency_features: u32, texture_features: [u32; 4], as_present: u32,
        selected_coherency: u32, shader_present: u64, l2_present: u64, tiler_present: u64, core_features: u32, pad: u32,
        gpu_features: u64,
    }
    /// `struct drm_panthor_csif_info`
    CsifInfo {
        csg_slot_count: u32, cs_slot_count: u32, cs_reg_count: u32, scoreboard_slot_count: u32,
        unpreserved_cs_reg_count: u32, pad: u32,
    }
    /// `struct drm_panthor_timestamp_info`
    TimestampInfo {
        timestamp_frequency: u64, current_timestamp: u64, timestamp_offset: u64, flags: u32, duration_nsec: u32,
        cycle_count: u64, cpu_timestamp_sec: u64, cpu_timestamp_nsec: u64,
    }
    /// `struct drm_panthor_group_priorities_info`
    GroupPrioritiesInfo { allowed_mask: u8, pad: [u8; 3] }
    /// `struct drm_panthor_mmu_info`
    MmuInfo { page_size_bitmap: u64 }
}

/// `struct drm_panthor_obj_array`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ObjArray {
    pub(crate) stride: u32,
    pub(crate) count: u32,
    pub(crate) array: u64,
}

/// `struct drm_panthor_dev_query`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DevQuery {
    pub(crate) kind: u32,
    pub(crate) size: u32,
    pub(crate) pointer: u64,
}

/// `struct drm_panthor_vm_bind_op`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct VmBindOp {
    pub(crate) flags: u32,
    pub(crate) bo_handle: u32,
    pub(crate) bo_offset: u64,
    pub(crate) va: u64,
    pub(crate) size: u64,
    pub(crate) syncs: ObjArray,
}

/// `struct drm_panthor_vm_bind`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct VmBind {
    pub(crate) vm_id: u32,
    pub(crate) flags: u32,
    pub(crate) ops: ObjArray,
}

/// `struct drm_panthor_bo_set_label`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BoSetLabel {
    pub(crate) handle: u32,
    pub(crate) pad: u32,
    pub(crate) label: u64,
}

/// `struct drm_panthor_bo_sync`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BoSync {
    pub(crate) ops: ObjArray,
}

/// `struct drm_panthor_group_create`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct GroupCreate {
    pub(crate) queues: ObjArray,
    pub(crate) max_cores: [u8; 3],
    pub(crate) priority: u8,
    pub(crate) pad: u32,
    pub(crate) core_masks: [u64; 3],
    pub(crate) vm_id: u32,
    pub(crate) group_handle: u32,
}

/// `struct drm_panthor_group_submit`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct GroupSubmit {
    pub(crate) group_handle: u32,
    pub(crate) pad: u32,
    pub(crate) queue_submits: ObjArray,
}

requests! {
    DEV_QUERY: DevQuery = RW, DRM, COMMAND_BASE;
    VM_CREATE: VmCreate = RW, DRM, COMMAND_BASE + 1;
    VM_DESTROY: VmDestroy = RW, DRM, COMMAND_BASE + 2;
    VM_BIND: VmBind = RW, DRM, COMMAND_BASE + 3;
    VM_GET_STATE: VmGetState = RW, DRM, COMMAND_BASE + 4;
    BO_CREATE: BoCreate = RW, DRM, COMMAND_BASE + 5;
    BO_MMAP_OFFSET: BoMmapOffset = RW, DRM, COMMAND_BASE + 6;
    GROUP_CREATE: GroupCreate = RW, DRM, COMMAND_BASE + 7;
    GROUP_DESTROY: GroupDestroy = RW, DRM, COMMAND_BASE + 8;
    GROUP_SUBMIT: GroupSubmit = RW, DRM, COMMAND_BASE + 9;
    GROUP_GET_STATE: GroupGetState = RW, DRM, COMMAND_BASE + 10;
    TILER_HEAP_CREATE: TilerHeapCreate = RW, DRM, COMMAND_BASE + 11;
    TILER_HEAP_DESTROY: TilerHeapDestroy = RW, DRM, COMMAND_BASE + 12;
    BO_SET_LABEL: BoSetLabel = RW, DRM, COMMAND_BASE + 13;
    SET_USER_MMIO_OFFSET: SetUserMmioOffset = RW, DRM, COMMAND_BASE + 14;
    BO_SYNC: BoSync = RW, DRM, COMMAND_BASE + 15;
    BO_QUERY_INFO: BoQueryInfo = RW, DRM, COMMAND_BASE + 16;
}

/// The numbers of all ioctls of the driver. The last one is `BO_QUERY_INFO`.
pub(crate) const NUMBERS: [u32; 17] = [
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

/// `DRM_PANTHOR_DEV_QUERY_…`
pub(crate) const QUERY_GPU: u32 = 0;
pub(crate) const QUERY_CSIF: u32 = 1;
pub(crate) const QUERY_TIMESTAMP: u32 = 2;
pub(crate) const QUERY_PRIORITIES: u32 = 3;
pub(crate) const QUERY_MMU: u32 = 4;
/// All queries, with the sizes of their structures.
pub(crate) const QUERIES: [(u32, usize); 5] = [
    (QUERY_GPU, size_of::<GpuInfo>()),
    (QUERY_CSIF, size_of::<CsifInfo>()),
    (QUERY_TIMESTAMP, size_of::<TimestampInfo>()),
    (QUERY_PRIORITIES, size_of::<GroupPrioritiesInfo>()),
    (QUERY_MMU, size_of::<MmuInfo>()),
];

/// `DRM_PANTHOR_TIMESTAMP_…`
pub(crate) const TIME_GPU: u32 = 1 << 0;
pub(crate) const TIME_MONOTONIC: u32 = 1 << 1;
pub(crate) const TIME_MONOTONIC_RAW: u32 = 2 << 1;
pub(crate) const TIME_OFFSET: u32 = 1 << 4;
pub(crate) const TIME_CYCLES: u32 = 1 << 5;
pub(crate) const TIME_FREQUENCY: u32 = 1 << 6;
pub(crate) const TIME_DURATION: u32 = 1 << 7;

/// `DRM_PANTHOR_SYNC_OP_HANDLE_TYPE_TIMELINE_SYNCOBJ`
pub(crate) const SYNC_TIMELINE: u32 = 1;
/// `DRM_PANTHOR_SYNC_OP_SIGNAL`. Without it the operation waits.
pub(crate) const SYNC_SIGNAL: u32 = 1 << 31;

/// `DRM_PANTHOR_VM_BIND_OP_…`
pub(crate) const MAP_READONLY: u32 = 1 << 0;
pub(crate) const MAP_NOEXEC: u32 = 1 << 1;
pub(crate) const MAP_UNCACHED: u32 = 1 << 2;
pub(crate) const MAP_SPARSE: u32 = 1 << 3;
pub(crate) const OP_MAP: u32 = 0 << 28;
pub(crate) const OP_UNMAP: u32 = 1 << 28;
pub(crate) const OP_SYNC_ONLY: u32 = 2 << 28;
/// `DRM_PANTHOR_VM_BIND_ASYNC`
pub(crate) const BIND_ASYNC: u32 = 1;

/// `DRM_PANTHOR_VM_STATE_USABLE` and `_UNUSABLE`
pub(crate) const USABLE: u32 = 0;
pub(crate) const UNUSABLE: u32 = 1;

/// `DRM_PANTHOR_BO_…`
pub(crate) const BO_NO_MMAP: u32 = 1 << 0;
pub(crate) const BO_WB_MMAP: u32 = 1 << 1;
/// `DRM_PANTHOR_BO_IS_IMPORTED`
pub(crate) const BO_IS_IMPORTED: u32 = 1;
/// `DRM_PANTHOR_BO_SYNC_CPU_CACHE_…`
pub(crate) const BO_FLUSH: u32 = 0;
pub(crate) const BO_FLUSH_AND_INVALIDATE: u32 = 1;

/// `DRM_PANTHOR_USER_MMIO_OFFSET_32BIT` and `_64BIT`
pub(crate) const MMIO_OFFSET_32: u64 = 1 << 43;
pub(crate) const MMIO_OFFSET_64: u64 = 1 << 56;

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
