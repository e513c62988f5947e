// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The clients, with their fences by number, and the events that they keep.

use crate::{
    driver::{
        Hardware,
        SyncTest,
        FENCES, //
    },
    uapi,
};
use core::num::NonZeroU64;
use drm::{
    event::{
        self,
        Event, //
    },
    fence::{
        Signaler,
        Timeline,
        Timeout, //
    },
    syncobj::{
        self,
        PreparedPoint,
        Syncobj,
        WaitForSubmit, //
    },
    Device,
    File,
    Plugged,
    Registered, //
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        aref::ARef,
        Mutex, //
    },
};

/// The payload of `drm_sync_test_event`.
#[derive(IntoBytes)]
#[repr(C)]
pub(crate) struct Finished {
    cookie: u64,
    changed: u32,
    pad: u32,
}

impl event::Payload for Finished {
    const TYPE: u32 = uapi::SYNC_TEST_EVENT_FINISHED;
}

/// Events that are reserved and not yet sent.
pub(crate) type Kept = KVec<Event<SyncTest, Finished>>;

#[pin_data]
pub(crate) struct Client {
    timeline: Timeline,
    #[pin]
    fences: Mutex<KVec<Option<Signaler>>>,
    #[pin]
    events: Mutex<Kept>,
}

#[vtable]
impl drm::DriverFile for Client {
    type Driver = SyncTest;

    fn open(_dev: &Device<SyncTest, Registered>) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            timeline: Timeline::new(&FENCES),
            fences <- new_mutex!(KVec::new()),
            events <- new_mutex!(KVec::new()),
        })
    }
}

/// Converts `errno` to an error. Fails with `EINVAL` if it is not one.
fn error(errno: u32) -> Result<Error> {
    match errno {
        // CAST: The number is small.
        1..=4095 => Ok(Error::from_errno(-(errno as c_int))),
        _ => Err(EINVAL),
    }
}

impl Client {
    /// Implements `DRM_IOCTL_SYNC_TEST_ISSUE`.
    pub(crate) fn issue(
        _dev: &Plugged<'_, SyncTest>,
        data: &Hardware,
        arg: &mut uapi::drm_sync_test_issue,
        file: &File<Self>,
    ) -> Result {
        let (object, handle) = Self::syncobj(file, arg.syncobj)?;
        let point = PreparedPoint::new()?;
        let work = Self::signaler(data, arg, file)?;
        match NonZeroU64::new(arg.point) {
            Some(at) => object.add_point(point, &work, at)?,
            None => object.replace_fence(Some(&work)),
        }

        let mut fences = file.fences.lock();
        fences.push(Some(work), GFP_KERNEL)?;
        arg.id = fences.len() as u32;
        arg.syncobj = handle;
        Ok(())
    }

    /// Returns the sync object of a handle, or a new one with its handle.
    fn syncobj(file: &File<Self>, handle: u32) -> Result<(ARef<Syncobj>, u32)> {
        if handle != 0 {
            return Ok((Syncobj::find(file, handle)?, handle));
        }
        let object = Syncobj::new(None)?;
        let handle = object.create_handle(file)?;
        Ok((object, handle))
    }

    /// Issues a fence of the requested kind.
    fn signaler(
        data: &Hardware,
        arg: &uapi::drm_sync_test_issue,
        file: &File<Self>,
    ) -> Result<Signaler> {
        let timeout = (arg.timeout_ms != 0).then(|| Timeout::from_millis(arg.timeout_ms));
        let on_timeline = arg.flags & uapi::SYNC_TEST_TIMELINE != 0;
        match (arg.flags & uapi::SYNC_TEST_PENDING != 0, on_timeline) {
            (true, true) => data.pending.issue_on(&file.timeline, timeout),
            (true, false) => data.pending.issue(&FENCES, timeout),
            (false, true) => file.timeline.issue(timeout),
            (false, false) => FENCES.issue(timeout),
        }
    }

    /// Takes the fence `id`. From then on only the caller can end it.
    fn take(file: &File<Self>, id: u32) -> Result<Signaler> {
        let index = (id as usize).checked_sub(1).ok_or(EINVAL)?;
        let fence = file.fences.lock().get_mut(index).and_then(Option::take);
        fence.ok_or(EINVAL)
    }

    /// Implements `DRM_IOCTL_SYNC_TEST_END`.
    pub(crate) fn end(
        _dev: &Device<SyncTest, Registered>,
        arg: &uapi::drm_sync_test_end,
        file: &File<Self>,
    ) -> Result {
        let fence = Self::take(file, arg.id)?;
        let first = match arg.action {
            uapi::SYNC_TEST_SIGNAL if arg.error == 0 => fence.signal(),
            uapi::SYNC_TEST_SIGNAL => fence.fail(error(arg.error)?),
            uapi::SYNC_TEST_DROP => {
                drop(fence);
                true
            }
            uapi::SYNC_TEST_FORGET => {
                core::mem::forget(fence);
                true
            }
            _ => return Err(EINVAL),
        };
        if first {
            Ok(())
        } else {
            Err(ETIMEDOUT)
        }
    }

    /// Implements `DRM_IOCTL_SYNC_TEST_WAIT`. Not guarded, because it may block for any time.
    pub(crate) fn wait(
        _dev: &Device<SyncTest, Registered>,
        arg: &mut uapi::drm_sync_test_wait,
        file: &File<Self>,
    ) -> Result {
        let submit = match arg.for_submit {
            0 => WaitForSubmit::No,
            _ => WaitForSubmit::Yes,
        };
        let fence = syncobj::find_fence(file, arg.syncobj, arg.point, submit)?;
        fence.wait_timeout(Timeout::from_millis(arg.timeout_ms))?;
        arg.status = match fence.status() {
            Some(Err(error)) => -error.to_errno() as u32,
            _ => 0,
        };
        Ok(())
    }

    /// Implements `DRM_IOCTL_SYNC_TEST_NOTIFY`.
    pub(crate) fn notify(
        _dev: &Plugged<'_, SyncTest>,
        data: &Hardware,
        arg: &uapi::drm_sync_test_notify,
        file: &File<Self>,
    ) -> Result {
        let take = |kept: &Mutex<Kept>| core::mem::replace(&mut *kept.lock(), KVec::new());
        match arg.action {
            uapi::SYNC_TEST_KEEP => Self::keep_event(arg, file)?,
            uapi::SYNC_TEST_SEND_ALL => {
                for kept in [&file.events, &data.events] {
                    for mut event in take(kept) {
                        event.changed = 1;
                        event.send();
                    }
                }
            }
            uapi::SYNC_TEST_DROP_ALL => drop((take(&file.events), take(&data.events))),
            uapi::SYNC_TEST_HAND_OVER => {
                for event in take(&file.events) {
                    data.events.lock().push(event, GFP_KERNEL)?;
                }
            }
            _ => return Err(EINVAL),
        }
        Ok(())
    }

    fn keep_event(arg: &uapi::drm_sync_test_notify, file: &File<Self>) -> Result {
        let finished = Finished {
            cookie: arg.cookie,
            changed: 0,
            pad: 0,
        };
        let mut event = Event::reserve(file, finished)?;
        if arg.id != 0 {
            event = event.with_fence(Self::take(file, arg.id)?);
        }
        file.events.lock().push(event, GFP_KERNEL)?;
        Ok(())
    }

    /// Implements `DRM_IOCTL_SYNC_TEST_CLOSE`.
    pub(crate) fn close_pending(
        _dev: &Plugged<'_, SyncTest>,
        data: &Hardware,
        arg: &uapi::drm_sync_test_close,
        _file: &File<Self>,
    ) -> Result {
        let error = error(arg.error)?;
        match arg.stays_open {
            0 => data.pending.close(error),
            _ => drop(data.pending.fail_all(error)),
        }
        Ok(())
    }
}
