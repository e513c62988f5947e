// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The DRM core's ioctls for sync objects, one method each.
//!
//! Source: `include/uapi/drm/drm.h` (`DRM_IOCTL_SYNCOBJ_*`), `drivers/gpu/drm/drm_syncobj.c`.

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

use sys::Answer;
use uapi::Request;
use uapi::sync::*;

use super::DrmFile;

/// Returns the limit for `SYNCOBJ_TIMELINE_WAIT`: a time of the monotonic clock.
fn after(limit: Duration) -> i64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec * 1_000_000_000 + now.tv_nsec + i64::try_from(limit.as_nanos()).expect("limits are small")
}

impl DrmFile {
    /// `SYNCOBJ_CREATE`. Returns the handle of a new sync object.
    pub(crate) fn syncobj_create(&self, flags: u32) -> Answer<u32> {
        Ok(self.ioctl(&SYNCOBJ_CREATE, SyncobjCreate { handle: 0, flags })?.handle)
    }

    /// `SYNCOBJ_DESTROY`
    pub(crate) fn syncobj_destroy(&self, handle: u32) -> Answer {
        self.ioctl(&SYNCOBJ_DESTROY, SyncobjDestroy { handle, pad: 0 }).map(drop)
    }

    /// `SYNCOBJ_HANDLE_TO_FD`. Exports the sync object itself, or its fence as a sync file.
    pub(crate) fn syncobj_export(&self, handle: u32, flags: u32) -> Answer<OwnedFd> {
        let wanted = SyncobjHandle { handle, flags, fd: -1, ..Default::default() };
        let made = self.ioctl(&SYNCOBJ_HANDLE_TO_FD, wanted)?;
        // SAFETY: on success the kernel installed a new descriptor that nobody else owns.
        Ok(unsafe { OwnedFd::from_raw_fd(made.fd) })
    }

    /// `SYNCOBJ_FD_TO_HANDLE`. A sync file's fence is put into the sync object `handle`.
    pub(crate) fn syncobj_import(&self, handle: u32, flags: u32, fd: &OwnedFd) -> Answer<u32> {
        let wanted = SyncobjHandle { handle, flags, fd: fd.as_raw_fd(), ..Default::default() };
        Ok(self.ioctl(&SYNCOBJ_FD_TO_HANDLE, wanted)?.handle)
    }

    /// `SYNCOBJ_TIMELINE_WAIT` for one point. Point 0 is the fence of a sync object without a timeline.
    pub(crate) fn syncobj_wait(&self, handle: u32, point: u64, limit: Duration, flags: u32) -> Answer {
        let wanted = SyncobjTimelineWait {
            handles: std::ptr::from_ref(&handle) as u64,
            points: std::ptr::from_ref(&point) as u64,
            timeout_nsec: after(limit),
            count_handles: 1,
            flags,
            ..Default::default()
        };
        self.with_addresses(&SYNCOBJ_TIMELINE_WAIT, wanted)
    }

    /// `SYNCOBJ_WAIT` for the fence that the sync object holds now.
    pub(crate) fn syncobj_wait_now(&self, handle: u32, limit: Duration) -> Answer {
        let wanted = SyncobjWait {
            handles: std::ptr::from_ref(&handle) as u64,
            timeout_nsec: after(limit),
            count_handles: 1,
            ..Default::default()
        };
        self.with_addresses(&SYNCOBJ_WAIT, wanted)
    }

    /// `SYNCOBJ_QUERY`. Returns the last signalled point of a timeline.
    pub(crate) fn syncobj_query(&self, handle: u32) -> Answer<u64> {
        let mut point = 0_u64;
        let wanted = SyncobjTimelineArray {
            handles: std::ptr::from_ref(&handle) as u64,
            points: std::ptr::from_mut(&mut point) as u64,
            count_handles: 1,
            flags: 0,
        };
        self.with_addresses(&SYNCOBJ_QUERY, wanted)?;
        // SAFETY: our own variable, which the kernel has written behind the compiler's back.
        Ok(unsafe { (&raw const point).read_volatile() })
    }

    /// `SYNCOBJ_TIMELINE_SIGNAL`. The client itself signals a point.
    pub(crate) fn syncobj_signal_point(&self, handle: u32, point: u64) -> Answer {
        let wanted = SyncobjTimelineArray {
            handles: std::ptr::from_ref(&handle) as u64,
            points: std::ptr::from_ref(&point) as u64,
            count_handles: 1,
            flags: 0,
        };
        self.with_addresses(&SYNCOBJ_TIMELINE_SIGNAL, wanted)
    }

    /// `SYNCOBJ_SIGNAL` or `SYNCOBJ_RESET`.
    pub(crate) fn syncobj_set(&self, request: &Request<SyncobjArray>, handle: u32) -> Answer {
        let wanted =
            SyncobjArray { handles: std::ptr::from_ref(&handle) as u64, count_handles: 1, ..Default::default() };
        self.with_addresses(request, wanted)
    }

    /// `SYNCOBJ_TRANSFER`. The fence of one sync object's point becomes another's.
    pub(crate) fn syncobj_transfer(&self, from: (u32, u64), to: (u32, u64)) -> Answer {
        let ((src_handle, src_point), (dst_handle, dst_point)) = (from, to);
        let wanted = SyncobjTransfer { src_handle, dst_handle, src_point, dst_point, flags: 0, pad: 0 };
        self.ioctl(&SYNCOBJ_TRANSFER, wanted).map(drop)
    }

    /// `SYNCOBJ_EVENTFD`. The event is set when the point is signalled.
    pub(crate) fn syncobj_eventfd(&self, handle: u32, point: u64, event: &OwnedFd) -> Answer {
        let wanted = SyncobjEventfd { handle, point, fd: event.as_raw_fd(), ..Default::default() };
        self.ioctl(&SYNCOBJ_EVENTFD, wanted).map(drop)
    }

    /// Makes an ioctl whose structure holds addresses. Only the methods above use it, each with variables of its own.
    fn with_addresses<T>(&self, request: &Request<T>, mut argument: T) -> Answer {
        let address = std::ptr::from_mut(&mut argument) as usize;
        // SAFETY: the structure is complete. Its arrays are variables of the caller with exactly one element, and the
        // kernel writes only to those that the caller made mutable.
        unsafe { sys::ioctl_raw(self.as_fd(), request.number, address) }.map(drop)
    }
}
