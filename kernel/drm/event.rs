// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Events: messages that a client reads from its open file.
//!
//! A driver defines the payload, reserves an event in the ioctl that will cause it, and sends it later:
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
//! The client sees `struct drm_event { type, length }` followed by the payload. A file has room for 4096
//! bytes of events that are reserved or unread; reserving early is what makes sending unable to fail.
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

/// The smallest type number of an event that is a driver's own (`include/uapi/drm/drm.h`).
pub const FIRST_DRIVER_TYPE: u32 = 0x8000_0000;

/// What an event tells: plain bytes without padding, so that nothing of the kernel leaks.
///
/// It is part of the driver's uapi: a `#[repr(C)]` struct, whose size is best a multiple of 8, since clients
/// read events one after the other. Its alignment is 8 at most, and it fits into a file's room for events;
/// the compiler checks that, and the type number.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the payload of an event",
    note = "derive `IntoBytes` for it and implement `drm::event::Payload` with its type number"
)]
pub trait Payload: IntoBytes + Send + Sync + 'static {
    /// The number by which clients tell the driver's events apart; at least [`FIRST_DRIVER_TYPE`].
    const TYPE: u32;
}

/// An event that is reserved in a file and not sent yet.
///
/// Dereferences to the payload, which may be changed until it is sent. Dropping it cancels the event and
/// gives its room back. It outlives what it is for without harm: when the file is closed, C forgets the
/// event, and sending it is silent; the device's memory is kept by a reference.
///
/// Forgetting it (`mem::forget`) leaks its memory and that reference, so the device is never released; its
/// room in the file is lost until the file's close.
///
/// # Invariants
///
/// - `message` is a kmalloc allocation that we own, reserved by C for a file of `dev`, or forgotten by C
///   since that file is closed. C uses it under the device's event lock, and not the payload.
/// - `fence` is not what C signals: `base.fence` and `base.completion` are null.
pub struct Event<T: Driver, P: Payload> {
    message: NonNull<Message<P>>,
    dev: ARef<Device<T>>,
    fence: Option<Signaler>,
}

/// The memory of an event; C frees it by `kfree` of its start when it was read, or cancelled.
#[repr(C)]
struct Message<P> {
    base: bindings::drm_pending_event,
    event: bindings::drm_event,
    payload: P,
}

// SAFETY: The payload is `Send`, the device's references are, and C locks for the rest (L15).
unsafe impl<T: Driver, P: Payload> Send for Event<T, P> {}
// SAFETY: A shared reference gives the payload, which is `Sync`, and nothing else (L15).
unsafe impl<T: Driver, P: Payload> Sync for Event<T, P> {}

impl<T: Driver, P: Payload> Event<T, P> {
    /// The length that clients see: header and payload, without what may pad `Message` at its end.
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
        // `event_space` of `drm_file_alloc()`.
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
    /// `ENOMEM` when the file has no room for it, since the client has not read others, or no memory.
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
        // SAFETY: `file` is open, and not being closed: no callback that comes while C closes a file gets a `File`. So C will
        // forget this event when it closes the file. `dev` is its device; `base` is zeroed but for what the call sets, and both
        // stay where they are until C frees them or we do. `base` is the start of the allocation (L14, L23).
        let ret = unsafe {
            bindings::drm_event_reserve_init(
                dev.as_raw(),
                file.as_raw(),
                &raw mut (*message).base,
                &raw mut (*message).event,
            )
        };
        if let Err(error) = to_result(ret) {
            // SAFETY: It comes from a box, and C did not take it (L23).
            drop(unsafe { KBox::from_raw(message) });
            return Err(error);
        }

        // INVARIANT: C has reserved it for a file of `dev` just now.
        Ok(Self {
            // SAFETY: It comes from a box, so it is not null (L23).
            message: unsafe { NonNull::new_unchecked(message) },
            dev,
            fence: None,
        })
    }

    /// Makes the event signal `fence` as well: just before it is sent, or, if it is cancelled, as a dropped
    /// [`Signaler`] does.
    #[must_use]
    pub fn with_fence(mut self, fence: Signaler) -> Self {
        self.fence = Some(fence);
        self
    }

    /// Sends the event: the client can read it, and `poll` says so.
    ///
    /// If the file was closed meanwhile, the event is freed and only its fence is signalled.
    ///
    /// Context: any, interrupts included, as long as the device has other references: the last one is to be
    /// put in process context.
    pub fn send(self) {
        let mut this = ManuallyDrop::new(self);
        if let Some(fence) = this.fence.take() {
            fence.signal();
        }
        // SAFETY: By the type invariants. C owns the event from now on, and frees it at once if its file is closed. `dev`, in which
        // the lock for that lies, is taken out once, as `this` is not dropped, and put after the call (L21, L23).
        unsafe {
            bindings::drm_send_event(this.dev.as_raw(), this.message.cast().as_ptr());
            core::ptr::drop_in_place(&mut this.dev);
        }
    }
}

impl<T: Driver, P: Payload> Drop for Event<T, P> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants; C frees the event. `dev` is put after this (L21, L23).
        unsafe { bindings::drm_event_cancel_free(self.dev.as_raw(), self.message.cast().as_ptr()) };
    }
}

impl<T: Driver, P: Payload> Deref for Event<T, P> {
    type Target = P;

    fn deref(&self) -> &P {
        // SAFETY: By the type invariants we own it, and C does not use the payload before it is sent. No
        // reference to the whole message is made, since C does use `base` (L23).
        unsafe { &(*self.message.as_ptr()).payload }
    }
}

impl<T: Driver, P: Payload> DerefMut for Event<T, P> {
    fn deref_mut(&mut self) -> &mut P {
        // SAFETY: As in `deref` (L23).
        unsafe { &mut (*self.message.as_ptr()).payload }
    }
}
