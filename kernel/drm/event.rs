// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Events: messages that a client reads from its open file.
//!
//! A driver defines the payload, reserves an event in the ioctl that will cause it, and sends it
//! later:
//!
//! ```
//! #[derive(IntoBytes)]
//! #[repr(C)]
//! struct Finished {
//!     job: u64,
//!     result: u32,
//!     pad: u32,
//! }
//!
//! impl event::Payload for Finished {
//!     const TYPE: u32 = 0x8000_0000;
//! }
//!
//! # fn example(file: &File<Client>, job: u64) -> Result {
//! let event = Event::reserve(file, Finished { job, result: 0, pad: 0 })?; // `ENOMEM`: too many unread
//! // … later, in any context:
//! event.send();
//! # Ok(())
//! # }
//! ```
//!
//! The client reads `struct drm_event { type, length }` followed by the payload. A file has room
//! for 4096 bytes of events that are reserved or unread. Because the room is reserved early,
//! sending cannot fail.
//!
//! C header: `include/drm/drm_file.h` (`struct drm_pending_event`); C code: `drivers/gpu/drm/drm_file.c`

use crate::{
    fence::Signaler,
    lock_class::lock_class,
    module::ModuleRuntime,
    raw,
    Device,
    Driver,
    DriverFile,
    File, //
};
use core::{
    mem::{
        needs_drop,
        offset_of,
        ManuallyDrop, //
    },
    ops::{
        Deref,
        DerefMut, //
    },
    ptr::NonNull, //
};
use kernel::{
    bindings,
    error::to_result,
    prelude::*,
    sync::aref::ARef,
    workqueue::{
        impl_has_work,
        Work,
        WorkItem, //
    }, //
};

/// The smallest event type number available to drivers (`include/uapi/drm/drm.h`).
pub const FIRST_DRIVER_TYPE: u32 = 0x8000_0000;

/// The content of an event: plain bytes without padding, so that no kernel memory leaks.
///
/// The payload is part of the driver's uapi. It is a `#[repr(C)]` struct, whose size is best a
/// multiple of 8, because clients read events one after the other. Its alignment is at most 8, and
/// it fits into a file's room for events. The compiler checks both, and the type number.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the payload of an event",
    note = "derive `IntoBytes` for it and implement `drm::event::Payload` with its type number"
)]
pub trait Payload: IntoBytes + Send + Sync + 'static {
    /// The number by which clients distinguish the driver's events; at least [`FIRST_DRIVER_TYPE`].
    const TYPE: u32;
}

/// An event that is reserved in a file and not yet sent.
///
/// An `Event` dereferences to the payload, which may be changed until it is sent. Dropping it
/// cancels the event and releases its room. It may outlive the file and the device: when the file
/// is closed, C forgets the event, and sending it then has no effect. A reference keeps the
/// device's memory.
///
/// Forgetting it (`mem::forget`) leaks its memory and that reference, so the device is never
/// released. Its room in the file is lost until the file is closed.
///
/// # Invariants
///
/// - `message` is a kmalloc allocation that we own. C has reserved it for a file of `dev`, or has
///   forgotten it because that file is closed. C uses it under the device's event lock, except for
///   the payload.
/// - C does not signal the fence: `base.fence` and `base.completion` are null.
/// - `end` names the same message and the same device. It is taken out when the event ends.
pub struct Event<T: Driver, P: Payload> {
    message: NonNull<Message<P>>,
    end: ManuallyDrop<Pin<KBox<End<T>>>>,
}

/// The end of an event: it is sent or cancelled, at once or in the module's workqueue.
#[pin_data]
struct End<T: Driver> {
    #[pin]
    work: Work<End<T>>,
    message: *mut bindings::drm_pending_event,
    dev: ARef<Device<T>>,
    fence: Option<Signaler>,
    is_sent: bool,
}

impl_has_work! {
    impl{T: Driver} HasWork<Self> for End<T> { self.work }
}

// SAFETY: The owner of the end owns the message, for which C locks. The rest is `Send` (L15, L23).
unsafe impl<T: Driver> Send for End<T> {}
// SAFETY: A shared reference gives nothing (L15).
unsafe impl<T: Driver> Sync for End<T> {}

/// The memory of an event. C frees it by `kfree` of its start after it was read or cancelled.
#[repr(C)]
struct Message<P> {
    base: bindings::drm_pending_event,
    event: bindings::drm_event,
    payload: P,
}

// SAFETY: The payload and references to the device are `Send`. C locks for the rest (L15).
unsafe impl<T: Driver, P: Payload> Send for Event<T, P> {}
// SAFETY: A shared reference only gives the payload, which is `Sync` (L15).
unsafe impl<T: Driver, P: Payload> Sync for Event<T, P> {}

impl<T: Driver, P: Payload> Event<T, P> {
    /// The length that clients see: header and payload, without any padding at the end of
    /// `Message`.
    const LENGTH: usize = {
        assert!(
            P::TYPE >= FIRST_DRIVER_TYPE,
            "an event type below 0x8000_0000 belongs to the DRM core"
        );
        assert!(
            offset_of!(Message<P>, payload)
                == offset_of!(Message<P>, event) + size_of::<bindings::drm_event>(),
            "the alignment of an event's payload is 8 at most"
        );
        assert!(
            !needs_drop::<P>(),
            "C frees an event's payload without dropping it"
        );

        let length = size_of::<bindings::drm_event>() + size_of::<P>();
        // The limit is `event_space` of `drm_file_alloc()`.
        assert!(
            length <= 4096,
            "an event has 4096 bytes at most, header included"
        );
        length
    };

    /// Reserves an event with `payload` in `file`.
    ///
    /// # Errors
    ///
    /// Fails with `ENOMEM` if the file has no room for the event because the client has not read
    /// others, or if there is no memory.
    ///
    /// Context: process context; may sleep to allocate.
    pub fn reserve<F>(file: &File<F>, payload: P) -> Result<Self>
    where
        F: DriverFile<Driver = T>,
        T: Driver<File = F>,
    {
        let message = KBox::new(
            Message {
                base: pin_init::zeroed(),
                event: bindings::drm_event {
                    type_: P::TYPE,
                    // CAST: `LENGTH` is small.
                    length: Self::LENGTH as u32,
                },
                payload,
            },
            GFP_KERNEL,
        )?;
        let dev: ARef<Device<T>> = file.device().into();
        let message = KBox::into_raw(message);
        let (name, key) = lock_class!(c"drm_rust::Event");
        let end = KBox::pin_init(
            pin_init!(End {
                work <- Work::new(name, key),
                message: message.cast(),
                dev,
                fence: None,
                is_sent: false,
            }),
            GFP_KERNEL,
        );
        let end = match end {
            Ok(end) => end,
            Err(error) => {
                // SAFETY: The message comes from a box (L23).
                drop(unsafe { KBox::from_raw(message) });
                return Err(error);
            }
        };
        // SAFETY: `file` is open and not being closed: no callback that C makes while it closes a
        // file gets a `File`. So C will forget this event when it closes the file. `dev` is the
        // file's device. `base` is zeroed except for what the call sets. Both stay in place until C
        // or we free them. `base` is the start of the allocation (L14, L23).
        let ret = unsafe {
            bindings::drm_event_reserve_init(
                end.dev.as_raw(),
                file.as_raw(),
                &raw mut (*message).base,
                &raw mut (*message).event,
            )
        };
        if let Err(error) = to_result(ret) {
            // SAFETY: The message comes from a box, and C did not take it (L23).
            drop(unsafe { KBox::from_raw(message) });
            return Err(error);
        }

        // INVARIANT: C has just reserved the message for a file of `dev`.
        Ok(Self {
            // SAFETY: The message comes from a box, so it is not null (L23).
            message: unsafe { NonNull::new_unchecked(message) },
            end: ManuallyDrop::new(end),
        })
    }

    /// Makes the event also signal `fence`. The fence is signalled just before the event is sent.
    /// If the event is cancelled, the fence is signalled like that of a dropped [`Signaler`].
    #[must_use]
    pub fn with_fence(mut self, fence: Signaler) -> Self {
        *self.end.as_mut().project().fence = Some(fence);
        self
    }

    /// Sends the event: the client can read it, and `poll` reports it.
    ///
    /// If the file has been closed, the event is freed and only its fence is signalled.
    ///
    /// In a fence's callback, and in a hook that switches vblanks, C may hold the event lock. The
    /// event is then sent soon, in the module's workqueue. (Not on a `PREEMPT_RT` kernel: there the
    /// thread may wait for itself.)
    ///
    /// Context: any, including interrupts, as long as the device has other references: the last one
    /// must be put in process context.
    pub fn send(self) {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is not used again (L23).
        let mut end = unsafe { ManuallyDrop::take(&mut this.end) };
        *end.as_mut().project().is_sent = true;
        End::finish(end);
    }
}

impl<T: Driver, P: Payload> Drop for Event<T, P> {
    fn drop(&mut self) {
        // SAFETY: It is not used again (L23).
        End::finish(unsafe { ManuallyDrop::take(&mut self.end) });
    }
}

impl<T: Driver> End<T> {
    /// Ends the event, later if C may hold its lock.
    fn finish(this: Pin<KBox<Self>>) {
        // SAFETY: The function has no requirements (L23).
        if !unsafe { raw::drm_rust_is_firing() } {
            Self::run(this);
        } else if let Err(this) = T::OwnerModule::runtime().enqueue(this) {
            // What has called us keeps the module, or its device is unbound before the queue ends
            // (L15). A leak is the lesser evil.
            core::mem::forget(this);
        }
    }
}

impl<T: Driver> WorkItem for End<T> {
    type Pointer = Pin<KBox<Self>>;

    fn run(mut this: Pin<KBox<Self>>) {
        let end = this.as_mut().project();
        if let Some(fence) = end.fence.take().filter(|_| *end.is_sent) {
            fence.signal();
        }
        // SAFETY: By the invariants of `Event`, whose end this is. C owns the message from now on,
        // and frees it at once if it is cancelled or its file is closed. `dev`, which contains the
        // lock for that, is put after the call (L21, L23).
        unsafe {
            if *end.is_sent {
                bindings::drm_send_event(end.dev.as_raw(), *end.message);
            } else {
                bindings::drm_event_cancel_free(end.dev.as_raw(), *end.message);
            }
        }
    }
}

impl<T: Driver, P: Payload> Deref for Event<T, P> {
    type Target = P;

    fn deref(&self) -> &P {
        // SAFETY: By the type invariants we own it, and C does not use the payload before it is
        // sent. No reference to the whole message is made, because C does use `base` (L23).
        unsafe { &(*self.message.as_ptr()).payload }
    }
}

impl<T: Driver, P: Payload> DerefMut for Event<T, P> {
    fn deref_mut(&mut self) -> &mut P {
        // SAFETY: As in `deref` (L23).
        unsafe { &mut (*self.message.as_ptr()).payload }
    }
}
