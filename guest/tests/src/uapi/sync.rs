// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The user interface of sync objects, and that of the driver `sync_test`.
//!
//! Source: `include/uapi/drm/drm.h` (Linux 7.3), `kernel/tests/sync/sync_test_drm.h`.

use super::*;

plain! {
    /// `struct drm_syncobj_create`
    SyncobjCreate { handle: u32, flags: u32 }
    /// `struct drm_syncobj_destroy`
    SyncobjDestroy { handle: u32, pad: u32 }
    /// `struct drm_syncobj_handle`
    SyncobjHandle { handle: u32, flags: u32, fd: i32, pad: u32, point: u64 }
    /// `struct drm_syncobj_transfer`
    SyncobjTransfer { src_handle: u32, dst_handle: u32, src_point: u64, dst_point: u64, flags: u32, pad: u32 }
    /// `struct drm_syncobj_eventfd`
    SyncobjEventfd { handle: u32, flags: u32, point: u64, fd: i32, pad: u32 }
    /// `struct drm_sync_test_issue`
    SyncIssue { point: u64, syncobj: u32, timeout_ms: u32, flags: u32, id: u32 }
    /// `struct drm_sync_test_end`
    SyncEnd { id: u32, error: u32, action: u32, pad: u32 }
    /// `struct drm_sync_test_wait`
    SyncWait { point: u64, syncobj: u32, for_submit: u32, timeout_ms: u32, status: u32 }
    /// `struct drm_sync_test_notify`
    SyncNotify { cookie: u64, action: u32, id: u32 }
    /// `struct drm_sync_test_callbacks`
    SyncCallbacks { rounds: u32, ran: u32, taken_back: u32, leaked: u32 }
    /// `struct drm_sync_test_close`
    SyncClose { error: u32, stays_open: u32 }
}

/// `struct drm_syncobj_timeline_wait`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SyncobjTimelineWait {
    pub(crate) handles: u64,
    pub(crate) points: u64,
    pub(crate) timeout_nsec: i64,
    pub(crate) count_handles: u32,
    pub(crate) flags: u32,
    pub(crate) first_signaled: u32,
    pub(crate) pad: u32,
    pub(crate) deadline_nsec: u64,
}

/// `struct drm_syncobj_wait`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SyncobjWait {
    pub(crate) handles: u64,
    pub(crate) timeout_nsec: i64,
    pub(crate) count_handles: u32,
    pub(crate) flags: u32,
    pub(crate) first_signaled: u32,
    pub(crate) pad: u32,
    pub(crate) deadline_nsec: u64,
}

/// `struct drm_syncobj_timeline_array`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SyncobjTimelineArray {
    pub(crate) handles: u64,
    pub(crate) points: u64,
    pub(crate) count_handles: u32,
    pub(crate) flags: u32,
}

/// `struct drm_syncobj_array`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SyncobjArray {
    pub(crate) handles: u64,
    pub(crate) count_handles: u32,
    pub(crate) pad: u32,
}

requests! {
    SYNCOBJ_CREATE: SyncobjCreate = RW, DRM, 0xbf;
    SYNCOBJ_DESTROY: SyncobjDestroy = RW, DRM, 0xc0;
    SYNCOBJ_HANDLE_TO_FD: SyncobjHandle = RW, DRM, 0xc1;
    SYNCOBJ_FD_TO_HANDLE: SyncobjHandle = RW, DRM, 0xc2;
    SYNCOBJ_RESET: SyncobjArray = RW, DRM, 0xc4;
    SYNCOBJ_SIGNAL: SyncobjArray = RW, DRM, 0xc5;
    SYNCOBJ_WAIT: SyncobjWait = RW, DRM, 0xc3;
    SYNCOBJ_TIMELINE_WAIT: SyncobjTimelineWait = RW, DRM, 0xca;
    SYNCOBJ_QUERY: SyncobjTimelineArray = RW, DRM, 0xcb;
    SYNCOBJ_TRANSFER: SyncobjTransfer = RW, DRM, 0xcc;
    SYNCOBJ_TIMELINE_SIGNAL: SyncobjTimelineArray = RW, DRM, 0xcd;
    SYNCOBJ_EVENTFD: SyncobjEventfd = RW, DRM, 0xcf;
    SYNC_ISSUE: SyncIssue = RW, DRM, COMMAND_BASE;
    SYNC_END: SyncEnd = DIR_WRITE, DRM, COMMAND_BASE + 1;
    SYNC_WAIT: SyncWait = RW, DRM, COMMAND_BASE + 2;
    SYNC_NOTIFY: SyncNotify = DIR_WRITE, DRM, COMMAND_BASE + 3;
    SYNC_CALLBACKS: SyncCallbacks = RW, DRM, COMMAND_BASE + 4;
    SYNC_CLOSE: SyncClose = DIR_WRITE, DRM, COMMAND_BASE + 5;
}

/// `DRM_SYNCOBJ_CREATE_SIGNALED`
pub(crate) const CREATE_SIGNALED: u32 = 1;
/// `DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE` and its counterpart
pub(crate) const AS_SYNC_FILE: u32 = 1;
/// `DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT`
pub(crate) const WAIT_FOR_SUBMIT: u32 = 2;
/// `SYNC_TEST_TIMELINE`
pub(crate) const ON_TIMELINE: u32 = 1;
/// `SYNC_TEST_PENDING`
pub(crate) const IN_SET: u32 = 2;
/// `SYNC_TEST_SIGNAL`, `SYNC_TEST_DROP`, `SYNC_TEST_FORGET`
pub(crate) const END_SIGNAL: u32 = 0;
pub(crate) const END_DROP: u32 = 1;
pub(crate) const END_FORGET: u32 = 2;
/// `SYNC_TEST_KEEP`, `SYNC_TEST_SEND_ALL`, `SYNC_TEST_DROP_ALL`, `SYNC_TEST_HAND_OVER`
pub(crate) const EVENT_KEEP: u32 = 0;
pub(crate) const EVENTS_SEND: u32 = 1;
pub(crate) const EVENTS_DROP: u32 = 2;
pub(crate) const EVENTS_HAND_OVER: u32 = 3;
/// `SYNC_TEST_EVENT_FINISHED`
pub(crate) const EVENT_FINISHED: u32 = 0x8000_0000;

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
