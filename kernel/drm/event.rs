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
    sync::aref::ARef, //
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
/// - C does not signal `fence`: `base.fence` and `base.completion` are null.
pub struct Event<T: Driver, P: Payload> {
    message: NonNull<Message<P>>,
    dev: ARef<Device<T>>,
    fence: Option<Signaler>,
}

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
        // SAFETY: `file` is open and not being closed: no callback that C makes while it closes a
        // file gets a `File`. So C will forget this event when it closes the file. `dev` is the
        // file's device. `base` is zeroed except for what the call sets. Both stay in place until C
        // or we free them. `base` is the start of the allocation (L14, L23).
        let ret = unsafe {
            bindings::drm_event_reserve_init(
                dev.as_raw(),
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
            dev,
            fence: None,
        })
    }

    /// Makes the event also signal `fence`. The fence is signalled just before the event is sent.
    /// If the event is cancelled, the fence is signalled like that of a dropped [`Signaler`].
    #[must_use]
    pub fn with_fence(mut self, fence: Signaler) -> Self {
        self.fence = Some(fence);
        self
    }

    /// Sends the event: the client can read it, and `poll` reports it.
    ///
    /// If the file has been closed, the event is freed and only its fence is signalled.
    ///
    /// Context: any, including interrupts, as long as the device has other references: the last one
    /// must be put in process context.
    pub fn send(self) {
        let mut this = ManuallyDrop::new(self);
        if let Some(fence) = this.fence.take() {
            fence.signal();
        }
        // SAFETY: By the type invariants. C owns the event from now on, and frees it immediately if
        // its file is closed. `dev`, which contains the lock for that, is taken out once, because
        // `this` is not dropped, and put after the call (L21, L23).
        unsafe {
            bindings::drm_send_event(this.dev.as_raw(), this.message.cast().as_ptr());
            core::ptr::drop_in_place(&mut this.dev);
        }
    }
}

impl<T: Driver, P: Payload> Drop for Event<T, P> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants. C frees the event. `dev` is put after this (L21, L23).
        unsafe { bindings::drm_event_cancel_free(self.dev.as_raw(), self.message.cast().as_ptr()) };
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
