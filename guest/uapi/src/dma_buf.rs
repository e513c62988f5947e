// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Dma-bufs, their other exporters, sync files, and KCOV.
//!
//! Source: `include/uapi/linux/dma-buf.h`, `linux/dma-heap.h`, `linux/udmabuf.h`, `linux/sync_file.h`, `linux/kcov.h`
//! (Linux 7.3).

use super::*;

structures! {
    DmaBufSync: Plain = "dma_buf_sync" { flags: u64 }
    // `struct dma_buf_import_sync_file` is the same.
    DmaBufSyncFile: Plain = "dma_buf_export_sync_file" { flags: u32, fd: i32 }
    SyncMerge: Plain = "sync_merge_data" { name: [u8; 32], fd2: i32, fence: i32, flags: u32, pad: u32 }
    SyncFileInfo = "sync_file_info" {
        name: [u8; 32], status: i32, flags: u32, num_fences: u32, pad: u32, sync_fence_info: u64,
    }
    SyncFenceInfo = "sync_fence_info" {
        obj_name: [u8; 32], driver_name: [u8; 32], status: i32, flags: u32, timestamp_ns: u64,
    }
    SyncDeadline: Plain = "sync_set_deadline" { deadline_ns: u64, pad: u64 }
    UdmabufCreate: Plain = "udmabuf_create" { memfd: u32, flags: u32, offset: u64, size: u64 }
    HeapAlloc: Plain = "dma_heap_allocation_data" { len: u64, fd: u32, fd_flags: u32, heap_flags: u64 }
}

requests! {
    DMA_BUF_SYNC: DmaBufSync = DIR_WRITE, b'b', 0, "DMA_BUF_IOCTL_SYNC";
    // The argument is the text itself, whatever the number's size says.
    DMA_BUF_SET_NAME_A: u32 = DIR_WRITE, b'b', 1, "DMA_BUF_SET_NAME_A";
    DMA_BUF_SET_NAME_B: u64 = DIR_WRITE, b'b', 1, "DMA_BUF_SET_NAME_B";
    DMA_BUF_EXPORT_SYNC_FILE: DmaBufSyncFile = RW, b'b', 2, "DMA_BUF_IOCTL_EXPORT_SYNC_FILE";
    DMA_BUF_IMPORT_SYNC_FILE: DmaBufSyncFile = DIR_WRITE, b'b', 3, "DMA_BUF_IOCTL_IMPORT_SYNC_FILE";
    SYNC_MERGE: SyncMerge = RW, b'>', 3, "SYNC_IOC_MERGE";
    SYNC_FILE_INFO: SyncFileInfo = RW, b'>', 4, "SYNC_IOC_FILE_INFO";
    SYNC_SET_DEADLINE: SyncDeadline = DIR_WRITE, b'>', 5, "SYNC_IOC_SET_DEADLINE";
    UDMABUF_CREATE: UdmabufCreate = DIR_WRITE, b'u', 0x42, "UDMABUF_CREATE";
    DMA_HEAP_ALLOC: HeapAlloc = RW, b'H', 0, "DMA_HEAP_IOCTL_ALLOC";
    // The argument is the number itself.
    KCOV_INIT_TRACE: u64 = DIR_READ, b'c', 1, "KCOV_INIT_TRACE";
    KCOV_ENABLE: () = DIR_NONE, b'c', 100, "KCOV_ENABLE";
    KCOV_DISABLE: () = DIR_NONE, b'c', 101, "KCOV_DISABLE";
}

constants! {
    SYNC_READ: u32 = 1, "DMA_BUF_SYNC_READ";
    SYNC_WRITE: u32 = 2, "DMA_BUF_SYNC_WRITE";
    SYNC_END: u32 = 4, "DMA_BUF_SYNC_END";
    UDMABUF_CLOEXEC: u32 = 1, "UDMABUF_FLAGS_CLOEXEC";
    KCOV_TRACE_PC: u32 = 0, "KCOV_TRACE_PC";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_that_a_c_compiler_makes_of_the_headers() {
        assert_eq!(SYNC_MERGE.number, 0xc030_3e03);
        assert_eq!(SYNC_FILE_INFO.number, 0xc038_3e04);
        assert_eq!(SYNC_SET_DEADLINE.number, 0x4010_3e05);
        assert_eq!(UDMABUF_CREATE.number, 0x4018_7542);
        assert_eq!(DMA_HEAP_ALLOC.number, 0xc018_4800);
        assert_eq!((KCOV_INIT_TRACE.number, KCOV_ENABLE.number), (0x8008_6301, 0x6364));
    }
}
