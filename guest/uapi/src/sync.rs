// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The ioctls on sync objects, and those of the driver `sync_test`.
//!
//! Source: `include/uapi/drm/drm.h` (Linux 7.3), `kernel/tests/sync/sync_test_drm.h`.

use super::*;

structures! {
    SyncobjCreate: Plain = "drm_syncobj_create" { handle: u32, flags: u32 }
    SyncobjDestroy: Plain = "drm_syncobj_destroy" { handle: u32, pad: u32 }
    SyncobjHandle: Plain = "drm_syncobj_handle" { handle: u32, flags: u32, fd: i32, pad: u32, point: u64 }
    SyncobjTransfer: Plain = "drm_syncobj_transfer" {
        src_handle: u32, dst_handle: u32, src_point: u64, dst_point: u64, flags: u32, pad: u32,
    }
    SyncobjEventfd: Plain = "drm_syncobj_eventfd" { handle: u32, flags: u32, point: u64, fd: i32, pad: u32 }
    SyncobjTimelineWait = "drm_syncobj_timeline_wait" {
        handles: u64, points: u64, timeout_nsec: i64, count_handles: u32, flags: u32, first_signaled: u32, pad: u32,
        deadline_nsec: u64,
    }
    SyncobjWait = "drm_syncobj_wait" {
        handles: u64, timeout_nsec: i64, count_handles: u32, flags: u32, first_signaled: u32, pad: u32,
        deadline_nsec: u64,
    }
    SyncobjTimelineArray = "drm_syncobj_timeline_array" { handles: u64, points: u64, count_handles: u32, flags: u32 }
    SyncobjArray = "drm_syncobj_array" { handles: u64, count_handles: u32, pad: u32 }
    SyncIssue: Plain = "drm_sync_test_issue" { point: u64, syncobj: u32, timeout_ms: u32, flags: u32, id: u32 }
    SyncEnd: Plain = "drm_sync_test_end" { id: u32, error: u32, action: u32, pad: u32 }
    SyncWait: Plain = "drm_sync_test_wait" { point: u64, syncobj: u32, for_submit: u32, timeout_ms: u32, status: u32 }
    SyncNotify: Plain = "drm_sync_test_notify" { cookie: u64, action: u32, id: u32 }
    SyncCallbacks: Plain = "drm_sync_test_callbacks" { rounds: u32, ran: u32, taken_back: u32, leaked: u32 }
    SyncClose: Plain = "drm_sync_test_close" { error: u32, stays_open: u32 }
}

requests! {
    SYNCOBJ_CREATE: SyncobjCreate = RW, DRM, 0xbf, "DRM_IOCTL_SYNCOBJ_CREATE";
    SYNCOBJ_DESTROY: SyncobjDestroy = RW, DRM, 0xc0, "DRM_IOCTL_SYNCOBJ_DESTROY";
    SYNCOBJ_HANDLE_TO_FD: SyncobjHandle = RW, DRM, 0xc1, "DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD";
    SYNCOBJ_FD_TO_HANDLE: SyncobjHandle = RW, DRM, 0xc2, "DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE";
    SYNCOBJ_WAIT: SyncobjWait = RW, DRM, 0xc3, "DRM_IOCTL_SYNCOBJ_WAIT";
    SYNCOBJ_RESET: SyncobjArray = RW, DRM, 0xc4, "DRM_IOCTL_SYNCOBJ_RESET";
    SYNCOBJ_SIGNAL: SyncobjArray = RW, DRM, 0xc5, "DRM_IOCTL_SYNCOBJ_SIGNAL";
    SYNCOBJ_TIMELINE_WAIT: SyncobjTimelineWait = RW, DRM, 0xca, "DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT";
    SYNCOBJ_QUERY: SyncobjTimelineArray = RW, DRM, 0xcb, "DRM_IOCTL_SYNCOBJ_QUERY";
    SYNCOBJ_TRANSFER: SyncobjTransfer = RW, DRM, 0xcc, "DRM_IOCTL_SYNCOBJ_TRANSFER";
    SYNCOBJ_TIMELINE_SIGNAL: SyncobjTimelineArray = RW, DRM, 0xcd, "DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL";
    SYNCOBJ_EVENTFD: SyncobjEventfd = RW, DRM, 0xcf, "DRM_IOCTL_SYNCOBJ_EVENTFD";
    SYNC_ISSUE: SyncIssue = RW, DRM, COMMAND_BASE, "DRM_IOCTL_SYNC_TEST_ISSUE";
    SYNC_END: SyncEnd = DIR_WRITE, DRM, COMMAND_BASE + 1, "DRM_IOCTL_SYNC_TEST_END";
    SYNC_WAIT: SyncWait = RW, DRM, COMMAND_BASE + 2, "DRM_IOCTL_SYNC_TEST_WAIT";
    SYNC_NOTIFY: SyncNotify = DIR_WRITE, DRM, COMMAND_BASE + 3, "DRM_IOCTL_SYNC_TEST_NOTIFY";
    SYNC_CALLBACKS: SyncCallbacks = RW, DRM, COMMAND_BASE + 4, "DRM_IOCTL_SYNC_TEST_CALLBACKS";
    SYNC_CLOSE: SyncClose = DIR_WRITE, DRM, COMMAND_BASE + 5, "DRM_IOCTL_SYNC_TEST_CLOSE";
}

constants! {
    CREATE_SIGNALED: u32 = 1, "DRM_SYNCOBJ_CREATE_SIGNALED";
    AS_SYNC_FILE: u32 = 1, "DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE";
    TIMELINE_POINT: u32 = 2, "DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_TIMELINE";
    WAIT_ALL: u32 = 1, "DRM_SYNCOBJ_WAIT_FLAGS_WAIT_ALL";
    WAIT_FOR_SUBMIT: u32 = 2, "DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT";
    WAIT_AVAILABLE: u32 = 4, "DRM_SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE";
    WAIT_DEADLINE: u32 = 8, "DRM_SYNCOBJ_WAIT_FLAGS_WAIT_DEADLINE";
    QUERY_LAST_SUBMITTED: u32 = 1, "DRM_SYNCOBJ_QUERY_FLAGS_LAST_SUBMITTED";
    ON_TIMELINE: u32 = 1, "SYNC_TEST_TIMELINE";
    IN_SET: u32 = 2, "SYNC_TEST_PENDING";
    END_SIGNAL: u32 = 0, "SYNC_TEST_SIGNAL";
    END_DROP: u32 = 1, "SYNC_TEST_DROP";
    END_FORGET: u32 = 2, "SYNC_TEST_FORGET";
    EVENT_KEEP: u32 = 0, "SYNC_TEST_KEEP";
    EVENTS_SEND: u32 = 1, "SYNC_TEST_SEND_ALL";
    EVENTS_DROP: u32 = 2, "SYNC_TEST_DROP_ALL";
    EVENTS_HAND_OVER: u32 = 3, "SYNC_TEST_HAND_OVER";
    EVENT_FINISHED: u32 = 0x8000_0000, "SYNC_TEST_EVENT_FINISHED";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_that_a_c_compiler_makes_of_the_headers() {
        assert_eq!(SYNCOBJ_CREATE.number, 0xc008_64bf);
        assert_eq!(SYNCOBJ_WAIT.number, 0xc028_64c3);
        assert_eq!(SYNCOBJ_TIMELINE_WAIT.number, 0xc030_64ca);
        assert_eq!(SYNCOBJ_QUERY.number, 0xc018_64cb);
        assert_eq!(SYNC_ISSUE.number, 0xc018_6440);
        assert_eq!(SYNC_NOTIFY.number, 0x4010_6443);
    }
}
