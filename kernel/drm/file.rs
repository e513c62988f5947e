// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Open files: the clients of a device.
//!
//! C header: `include/drm/drm_file.h`

use crate::{
    kms,
    Device,
    Driver,
    Registered, //
};
use core::{
    marker::PhantomData,
    ops::Deref,
    pin::Pin, //
};
use kernel::{
    bindings, fmt,
    prelude::*,
    types::{
        ForeignOwnable,
        Opaque, //
    },
};

/// A driver's data for each open file.
///
/// The data lives from a successful open to the file's last close, even if the device is unplugged
/// in between (L14).
///
/// # Examples
///
/// ```
/// # struct Draw;
/// # #[derive(Default)]
/// # struct DrawBuffer;
/// # #[vtable]
/// # impl drm::Driver for Draw {
/// #     type Data = ();
/// #     type RegistrationData<'bound> = ();
/// #     type File = DrawClient;
/// #     type Object = gem::shmem::Object<DrawBuffer>;
/// #     type Kms = drm::NoKms;
/// #     const INFO: drm::DriverInfo = INFO;
/// #     const FEATURES: drm::Features = drm::Features::GEM;
/// #     drm::ioctls! {}
/// # }
/// # payload!(DrawBuffer, Draw);
/// struct DrawClient {
///     name: KVec<u8>,
/// }
///
/// #[vtable]
/// impl DriverFile for DrawClient {
///     type Driver = Draw;
///
///     fn open(_dev: &Device<Draw, Registered>) -> impl PinInit<Self, Error> {
///         Ok::<_, Error>(Self { name: KVec::new() })
///     }
///
///     fn close(self: Pin<&Self>, dev: &Device<Draw, Registered>) {
///         dev_dbg!(dev, "{} bytes of name\n", self.name.len());
///     }
/// }
/// ```
#[vtable]
pub trait DriverFile: Send + Sync + Sized + 'static {
    /// The driver that the files belong to.
    type Driver: Driver<File = Self>;

    /// Creates the file's data when userspace opens a node of the device.
    ///
    /// # Errors
    ///
    /// `open(2)` returns any error. Nothing is left of the file then.
    ///
    /// Context: process context, may sleep. The device may already be unplugged.
    fn open(dev: &Device<Self::Driver, Registered>) -> impl PinInit<Self, Error>;

    /// Reacts to the close of the file, before the data is dropped. The file's handles are already
    /// closed.
    ///
    /// Context: process context, may sleep. If the process is exiting, it no longer has memory,
    /// files or namespaces.
    fn close(self: Pin<&Self>, dev: &Device<Self::Driver, Registered>) {
        let _ = dev;
    }

    /// Returns the page of registers ([`Driver::register_page`]) that a client requests by mapping
    /// `offset` of the node. `None` means that the client maps a buffer: all offsets of buffers are
    /// below 2^44.
    ///
    /// Context: process context; the lock of an address space is held.
    fn register_page(&self, offset: u64) -> Option<u32> {
        let _ = offset;
        None
    }

    /// Adds the driver's own keys to the file's fdinfo, as lines of `key: value`.
    ///
    /// Documentation/gpu/drm-usage-stats.rst documents the keys. The core writes driver, client and
    /// memory statistics first. Not called once the device is unplugged.
    ///
    /// Context: process context of the reader, which may be another process than the client; may
    /// sleep; within a section of [`Device::enter`].
    fn fdinfo(&self, dev: &Device<Self::Driver, Registered>, out: &mut FdInfo<'_>) {
        let _ = (dev, out);
    }
}

/// An open file of a device of driver `F::Driver`. It dereferences to the driver's data for it.
///
/// # Invariants
///
/// The C file belongs to a device of `F::Driver` and has been opened: `driver_priv` is a
/// `Pin<KBox<F>>` turned foreign.
// Invariant in `F`: a subtype of `F` may be the file of another driver (L9).
#[repr(transparent)]
pub struct File<F: DriverFile>(Opaque<bindings::drm_file>, PhantomData<fn(F) -> F>);

impl<F: DriverFile> File<F> {
    /// # Safety
    ///
    /// `ptr` is a file of a device of `F::Driver` that is open for `'a` (L9, L14).
    pub(crate) unsafe fn from_raw<'a>(ptr: *mut bindings::drm_file) -> &'a Self {
        // CAST: `File` is a transparent wrapper.
        // SAFETY: By the requirement, which implies the type invariants (L14).
        unsafe { &*ptr.cast() }
    }

    /// Returns the C file.
    pub(crate) fn as_raw(&self) -> *mut bindings::drm_file {
        self.0.get()
    }

    /// Returns the device that the file was opened on.
    pub fn device(&self) -> &Device<F::Driver, Registered> {
        // SAFETY: Until it is closed, a file has a minor, and through it a reference to its device.
        // A file can be opened only after registration has begun. The driver is `F::Driver` by the
        // type invariants (L9, L14, L27).
        unsafe { Device::from_raw((*(*self.as_raw()).minor).dev) }
    }

    /// Returns the driver's data for the file.
    pub fn data(&self) -> Pin<&F> {
        // SAFETY: By the type invariants (L14).
        unsafe { Pin::<KBox<F>>::borrow((*self.as_raw()).driver_priv) }
    }

    /// Returns whether this client is the master: the one that may change the display.
    ///
    /// Context: any but interrupts (takes a spinlock of the file). Source: `drm_is_current_master()`.
    pub fn is_current_master(&self) -> bool {
        // SAFETY: The file is open (L14).
        unsafe { crate::raw::drm_is_current_master(self.as_raw()) }
    }

    /// Returns whether the file was opened through the render node.
    pub fn is_render_client(&self) -> bool {
        // SAFETY: As in `device` (L14).
        unsafe {
            (*(*self.as_raw()).minor).type_ == bindings::drm_minor_type_DRM_MINOR_RENDER as i32
        }
    }
}

impl<F: DriverFile> Deref for File<F> {
    type Target = F;

    fn deref(&self) -> &F {
        Pin::get_ref(self.data())
    }
}

/// A privilege that a process may have.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Capability {
    /// Permission to administer the system: `CAP_SYS_ADMIN`.
    SysAdmin = bindings::CAP_SYS_ADMIN,
    /// Permission to raise the priority of itself and others: `CAP_SYS_NICE`.
    SysNice = bindings::CAP_SYS_NICE,
}

/// Returns whether the calling process has `capability`. If so, marks the process as having used
/// superuser privileges.
///
/// Context: process context, such as an ioctl. A process that exits still has its capabilities.
pub fn caller_has(capability: Capability) -> bool {
    // SAFETY: The capability exists; C calls `BUG` for others. A task has credentials until it is
    // freed (L28).
    unsafe { bindings::capable(capability as c_int) }
}

/// The output for a file's fdinfo; write to it with `write!`.
pub struct FdInfo<'a>(*mut bindings::drm_printer, PhantomData<&'a mut ()>);

impl fmt::Write for FdInfo<'_> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        // C warns about pieces longer than 32767 bytes and truncates them.
        for piece in s.as_bytes().chunks(4096) {
            // SAFETY: The printer is valid for the callback, whose time is `'a`. The helper prints
            // at most `len` bytes (L20).
            unsafe { crate::raw::drm_rust_print(self.0, piece.as_ptr().cast(), piece.len()) };
        }
        Ok(())
    }
}

/// Implements `drm_driver::open`.
///
/// # Safety
///
/// Called only by C, as documented for the table that contains it (L20).
pub(crate) unsafe extern "C" fn open_callback<T: Driver>(
    dev: *mut bindings::drm_device,
    file: *mut bindings::drm_file,
) -> c_int {
    // SAFETY: C calls this for a device of driver `T` whose minors are visible, so registration has
    // begun (L9, L27).
    let dev = unsafe { Device::<T, Registered>::from_raw(dev) };

    match KBox::pin_init(T::File::open(dev), GFP_KERNEL) {
        Ok(data) => {
            // SAFETY: `file` is being opened, and this callback fills in the field (L14).
            unsafe { (*file).driver_priv = data.into_foreign() };
            0
        }
        Err(e) => e.to_errno(),
    }
}

/// Implements `drm_driver::postclose`. C does not call it after a failed open.
///
/// # Safety
///
/// Called only by C, as documented for the table that contains it (L20).
pub(crate) unsafe extern "C" fn postclose_callback<T: Driver>(
    dev: *mut bindings::drm_device,
    file: *mut bindings::drm_file,
) {
    // SAFETY: As in `open_callback`. The file's minor keeps the device until C is done with the
    // file (L9, L27).
    let dev = unsafe { Device::<T, Registered>::from_raw(dev) };
    // SAFETY: `open_callback` set `driver_priv`. From here on C does not use it and calls nothing
    // of the driver for the file: its events and handles were removed before (L14).
    let data = unsafe { Pin::<KBox<T::File>>::from_foreign((*file).driver_priv) };

    data.as_ref().close(dev);
}

/// Implements `drm_driver::show_fdinfo`.
///
/// # Safety
///
/// Called only by C, as documented for the table that contains it (L20).
pub(crate) unsafe extern "C" fn show_fdinfo_callback<T: Driver>(
    printer: *mut bindings::drm_printer,
    file: *mut bindings::drm_file,
) {
    // SAFETY: C passes a printer and a file of a device of driver `T`. The reader of fdinfo, maybe
    // another process, holds a reference to the file, so the file stays open. C has entered the
    // device (L14, L20).
    unsafe { bindings::drm_show_memory_stats(printer, file) };
    // SAFETY: As above (L9, L14).
    let file = unsafe { File::<T::File>::from_raw(file) };

    file.fdinfo(file.device(), &mut FdInfo(printer, PhantomData));
}

/// Returns the file operations of a node of driver `T`.
pub(crate) const fn operations<T: Driver>(
    owner: *mut bindings::module,
    accel: bool,
    mmap: unsafe extern "C" fn(*mut bindings::file, *mut bindings::vm_area_struct) -> c_int,
) -> bindings::file_operations {
    bindings::file_operations {
        owner,
        open: Some(if accel {
            crate::raw::accel_open
        } else {
            bindings::drm_open
        }),
        release: Some(bindings::drm_release),
        unlocked_ioctl: Some(<T::Kms as kms::Kind<T>>::OPS.ioctl),
        #[cfg(CONFIG_COMPAT)]
        compat_ioctl: Some(<T::Kms as kms::Kind<T>>::OPS.compat_ioctl),
        poll: Some(bindings::drm_poll),
        read: Some(bindings::drm_read),
        llseek: Some(bindings::noop_llseek),
        mmap: Some(mmap),
        get_unmapped_area: Some(bindings::drm_gem_get_unmapped_area),
        show_fdinfo: Some(bindings::drm_show_fdinfo),
        fop_flags: bindings::FOP_UNSIGNED_OFFSET,
        ..pin_init::zeroed()
    }
}
