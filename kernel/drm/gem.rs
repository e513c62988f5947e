// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Buffers: GEM objects, their handles and mappings.
//!
//! A driver has one class of objects, [`Driver::Object`]: either [`shmem::Object`], backed by
//! pages, or [`Object`], backed by whatever the driver puts into it. All objects of its devices are
//! of this class *by construction*: those made by the driver, dumb buffers, and imported ones
//! (L12). So a handle can be looked up as that class without a check.
//!
//! An object keeps its device (L11). It may be created before the device is registered, and keeps
//! working after the device is unplugged.
//!
//! C header: `include/drm/drm_gem.h`; kernel document: Documentation/gpu/drm-mm.rst.

mod dma;
mod dumb;
mod object;
mod prime;
mod resv;
pub mod shmem;
mod size;
mod vmap;

pub(crate) use dma::DmaMappings;
pub use object::Object;
pub(crate) use resv::{
    has_own_resv,
    SharedResv, //
};
pub use size::Size;
pub use vmap::VMap;

use crate::{
    resv::Resv,
    Device,
    Driver,
    File, //
};
use core::{
    ops::Deref,
    pin::Pin,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    error::to_result,
    prelude::*,
    sync::aref::{
        ARef,
        AlwaysRefCounted, //
    },
};

/// The class of objects that payload `P` lives in.
pub type ObjectOf<P> = <<P as DriverObject>::Driver as Driver>::Object;

/// The files of the driver that payload `P` belongs to.
pub type FileOf<P> = File<<<P as DriverObject>::Driver as Driver>::File>;

/// The driver's data for a file of the driver that payload `P` belongs to.
pub type FileDataOf<P> = <<P as DriverObject>::Driver as Driver>::File;

/// A driver's data in each of its objects: the payload.
///
/// Implement it with `#[vtable]`. Userspace is not offered methods that the implementation leaves
/// out.
///
/// # Examples
///
/// ```
/// # struct Draw;
/// # #[derive(Default)]
/// # struct DrawClient;
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
/// # client!(DrawClient, Draw);
/// struct DrawBuffer {
///     tiled: bool,
/// }
///
/// #[vtable]
/// impl DriverObject for DrawBuffer {
///     type Driver = Draw;
///     type Args = bool;
///
///     fn new(_: &Device<Draw>, _: gem::Size, tiled: bool) -> impl PinInit<Self, Error> {
///         Ok::<_, Error>(Self { tiled })
///     }
///
///     fn dumb(_: &Device<Draw, Registered>, _: gem::Size) -> Result<bool> {
///         Ok(false) // dumb buffers are not tiled
///     }
/// }
/// ```
#[vtable]
pub trait DriverObject: Send + Sync + Sized + 'static {
    /// The driver that the objects belong to.
    type Driver: Driver<Object: Class<Payload = Self>>;

    /// The arguments that a payload is made from.
    type Args;

    /// Creates the payload of an object of `size`.
    ///
    /// # Errors
    ///
    /// Any error fails the object's creation. Context: process context, may sleep.
    fn new(dev: &Device<Self::Driver>, size: Size, args: Self::Args) -> impl PinInit<Self, Error>;

    /// Returns whether the CPU maps this object's pages as write-combining instead of cached.
    /// Called once, when the object is created. Imported objects are mapped as their exporter says.
    fn write_combine(&self) -> bool {
        false
    }

    /// Returns the arguments for the payload of a dumb buffer of `size` that a client wants to
    /// create.
    ///
    /// # Errors
    ///
    /// Any error fails the ioctl. Without this method, creating a dumb buffer fails with `ENOSYS`.
    ///
    /// Context: process context, may sleep; not in a section of [`Device::enter`].
    fn dumb(dev: &Device<Self::Driver, crate::Registered>, size: Size) -> Result<Self::Args> {
        let _ = (dev, size);
        Err(ENOSYS)
    }

    /// Returns the arguments for the payload when a client imports a dma-buf of another device, of
    /// `size`.
    ///
    /// # Errors
    ///
    /// Any error fails the ioctl. Without this method, the import fails with `EINVAL`.
    /// (Dma-bufs of the same device can always be imported; that returns the object they were
    /// exported from.)
    ///
    /// Context: process context, may sleep; within a section of [`Device::enter`]. C holds the
    /// device's `object_name_lock`, also while the payload is made, so no handle may be created
    /// here.
    fn import(dev: &crate::Plugged<'_, Self::Driver>, size: Size) -> Result<Self::Args> {
        let _ = (dev, size);
        Err(EINVAL)
    }

    /// Reacts when a client gets a handle for the object.
    ///
    /// # Errors
    ///
    /// Any error fails the ioctl, and no handle is created. Context: may sleep.
    fn open(obj: &ObjectOf<Self>, file: &FileOf<Self>) -> Result {
        let _ = (obj, file);
        Ok(())
    }

    /// Reacts when a client's handle for the object ends, because the client closed the handle or
    /// its file.
    ///
    /// `file` is the driver's data for that client rather than the [`File`]. C also calls this
    /// while it closes the file. The file's table then still lists handles of freed objects, and
    /// its events are already freed. Use [`Class::device`] to get the device.
    ///
    /// Context: process context, may sleep. When the file is closed, the client's process may
    /// already have dropped its memory and its namespaces. Source: `drm_file_free()` in
    /// drivers/gpu/drm/drm_file.c.
    fn close(obj: &ObjectOf<Self>, file: Pin<&FileDataOf<Self>>) {
        let _ = (obj, file);
    }

    /// Returns the object's state, for the memory statistics in fdinfo.
    ///
    /// Context: atomic, a spinlock of the file is held.
    fn status(obj: &ObjectOf<Self>) -> Status {
        let _ = obj;
        Status::NONE
    }
}

/// The state of an object in memory statistics (`enum drm_gem_object_status`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Status(bindings::drm_gem_object_status);

impl Status {
    /// The object is neither resident, purgeable nor active.
    pub const NONE: Self = Self(0);
    /// The object has memory now.
    pub const RESIDENT: Self = Self(bindings::drm_gem_object_status_DRM_GEM_OBJECT_RESIDENT);
    /// Userspace has marked the object as one that may be discarded.
    pub const PURGEABLE: Self = Self(bindings::drm_gem_object_status_DRM_GEM_OBJECT_PURGEABLE);
    /// The hardware is using the object.
    pub const ACTIVE: Self = Self(bindings::drm_gem_object_status_DRM_GEM_OBJECT_ACTIVE);

    /// Combines the two states.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The driver-wide callbacks of a class.
#[doc(hidden)]
pub struct Ops {
    pub(crate) prime_import: Option<
        unsafe extern "C" fn(
            *mut bindings::drm_device,
            *mut bindings::dma_buf,
        ) -> *mut bindings::drm_gem_object,
    >,
    pub(crate) dumb_create: Option<
        unsafe extern "C" fn(
            *mut bindings::drm_file,
            *mut bindings::drm_device,
            *mut bindings::drm_mode_create_dumb,
        ) -> c_int,
    >,
}

mod private {
    pub trait Sealed {}
}
use private::Sealed;

/// A class of GEM objects. Sealed: [`shmem::Object`] and [`Object`], which dereference to the
/// driver's payload. Every object has the methods of this trait.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a class of GEM objects",
    note = "use `drm::gem::shmem::Object<Payload>` or `drm::gem::Object<Payload>`"
)]
pub trait Class:
    Sealed + AlwaysRefCounted + Send + Sync + Sized + Deref<Target = Self::Payload> + 'static
{
    /// The driver that the class belongs to.
    type Driver: Driver;

    /// The driver's part of each object.
    type Payload: DriverObject<Driver = Self::Driver>;

    /// The class's callbacks.
    #[doc(hidden)]
    const OPS: Ops;

    /// Returns the C object, which is valid as long as `self` is.
    #[doc(hidden)]
    fn as_raw(&self) -> *mut bindings::drm_gem_object;

    /// # Safety
    ///
    /// `ptr` is an object of this class, and a reference to it is held for `'a` (L12).
    #[doc(hidden)]
    unsafe fn from_raw<'a>(ptr: *mut bindings::drm_gem_object) -> &'a Self;

    /// Returns the size in bytes.
    fn size(&self) -> Size {
        // SAFETY: The object is valid; its size does not change (L13).
        let bytes = unsafe { (*self.as_raw()).size };
        // All objects were created with a `Size`.
        Size::from_valid(bytes)
    }

    /// Returns the device that the object belongs to.
    ///
    /// The context is [`Uninit`](crate::Uninit), even once the device is registered (L16).
    /// [`Device::enter`] checks whether it is.
    fn device(&self) -> &Device<Self::Driver> {
        // SAFETY: The object holds a reference to its device, which is one of `Self::Driver` (L11).
        unsafe { Device::from_raw((*self.as_raw()).dev) }
    }

    /// Returns the reservation object. Its fences tell which work still reads and writes the
    /// object's memory.
    fn resv(&self) -> &Resv {
        // SAFETY: Every object has one, valid as long as the object, and it does not change after
        // the object's creation (L22).
        unsafe { Resv::from_raw((*self.as_raw()).resv) }
    }

    /// Returns whether the memory belongs to a dma-buf of another exporter.
    fn is_imported(&self) -> bool {
        // SAFETY: The object is valid. The field is set before other code can see the object (L12).
        unsafe { !(*self.as_raw()).import_attach.is_null() }
    }

    /// Creates a handle of the object for `file`. The file holds a reference until the handle or
    /// the file is closed.
    ///
    /// # Errors
    ///
    /// Fails with `EINVAL` if `file` belongs to another device of the driver (L12), with `ENOMEM`,
    /// with `ENOSPC`, and with any error from [`DriverObject::open`].
    ///
    /// Context: process context, may sleep. Source: `drm_gem_handle_create()`.
    fn create_handle(&self, file: &FileOf<Self::Payload>) -> Result<u32>
    where
        Self::Driver: Driver<Object = Self>,
    {
        if !self.device().is_same(file.device()) {
            return Err(EINVAL);
        }
        let mut handle = 0;
        // SAFETY: Object and file are valid and of the same device, and the class is the driver's.
        // The file is not being closed (see `lookup`), or C would miss the new handle (L12, L14).
        to_result(unsafe {
            bindings::drm_gem_handle_create(file.as_raw(), self.as_raw(), &mut handle)
        })?;
        Ok(handle)
    }

    /// Returns the object that `handle` refers to in `file`.
    ///
    /// # Errors
    ///
    /// Fails with `ENOENT` if there is no such handle.
    ///
    /// Context: any but interrupts (takes a spinlock). Source: `drm_gem_object_lookup()`.
    #[inline]
    fn lookup(file: &FileOf<Self::Payload>, handle: u32) -> Result<ARef<Self>>
    where
        Self::Driver: Driver<Object = Self>,
    {
        // SAFETY: `file` is open and not being closed: no callback that C makes while it closes a
        // file gets a `File`. So each handle in its table holds a reference to its object
        // (L12, L14).
        let obj = unsafe { bindings::drm_gem_object_lookup(file.as_raw(), handle) };
        if obj.is_null() {
            return Err(ENOENT);
        }
        // SAFETY: All objects with a handle in a file of this driver are of its class (L12). They
        // are made by `create_handle`, as dumb buffers, or by import, each of which requires
        // `Driver::Object`.
        let obj = unsafe { Self::from_raw(obj) };
        // SAFETY: We take over the reference that the lookup took (L21).
        Ok(unsafe { ARef::from_raw(NonNull::from(obj)) })
    }

    /// Returns the offset at which clients that have a handle can map the object through the node.
    ///
    /// # Errors
    ///
    /// Fails with `ENOSPC` if no offset is free.
    ///
    /// Context: process context. Source: `drm_gem_create_mmap_offset()`.
    fn mmap_offset(&self) -> Result<u64> {
        // SAFETY: The object is valid. If it already has an offset, C keeps that (L21).
        to_result(unsafe { bindings::drm_gem_create_mmap_offset(self.as_raw()) })?;
        // SAFETY: As above (L21).
        Ok(unsafe { crate::raw::drm_rust_gem_mmap_offset(self.as_raw()) })
    }

    /// Maps the object into the kernel's address space.
    ///
    /// # Errors
    ///
    /// Fails with `EOPNOTSUPP` if the class has no memory of its own ([`Object`]), with `ENOMEM`,
    /// and with the errors of a foreign exporter.
    ///
    /// Context: process context, may sleep; takes the reservation lock.
    fn vmap(&self) -> Result<VMap<Self>> {
        VMap::new(self)
    }
}

/// Implements `drm_gem_object_funcs::open`.
///
/// # Safety
///
/// Called only by C, as documented for the table that contains it (L20).
unsafe extern "C" fn open_callback<C: Class>(
    obj: *mut bindings::drm_gem_object,
    file: *mut bindings::drm_file,
) -> c_int
where
    C::Driver: Driver<Object = C>,
{
    // SAFETY: C calls this for an object of class `C`, to which it holds a reference, and a file of
    // the object's device. It does so in a system call on that file, so the file is not being
    // closed (L12, L14).
    let (obj, file) = unsafe { (C::from_raw(obj), File::from_raw(file)) };
    C::Payload::open(obj, file).map_or_else(|e| e.to_errno(), |()| 0)
}

/// Implements `drm_gem_object_funcs::close`.
///
/// # Safety
///
/// Called only by C, as documented for the table that contains it (L20).
unsafe extern "C" fn close_callback<C: Class>(
    obj: *mut bindings::drm_gem_object,
    file: *mut bindings::drm_file,
) where
    C::Driver: Driver<Object = C>,
{
    // SAFETY: C calls this for an object of class `C` and a file of its device. The handle holds a
    // reference to the object until C puts it after this call. `driver_priv` is what
    // `open_callback` stored, until `postclose`, which comes after all handles. The `File` itself
    // does not leave this function: during `drm_gem_release()` its handle table lists freed
    // objects, and its events are freed (L12, L14, L23).
    let (obj, file): (&C, &FileOf<C::Payload>) =
        unsafe { (C::from_raw(obj), File::from_raw(file)) };
    C::Payload::close(obj, file.data());
}

/// Implements `drm_gem_object_funcs::status`.
///
/// # Safety
///
/// Called only by C, as documented for the table that contains it (L20).
unsafe extern "C" fn status_callback<C: Class>(
    obj: *mut bindings::drm_gem_object,
) -> bindings::drm_gem_object_status
where
    C::Driver: Driver<Object = C>,
{
    // SAFETY: C calls this for an object of class `C` that has a handle in a file whose fdinfo is
    // read. The reader keeps the file open, and C holds the lock without which no handle is removed
    // (L12, L14).
    C::Payload::status(unsafe { C::from_raw(obj) }).0
}

/// Returns the callbacks that do not depend on where the memory of class `C` is.
const fn common_funcs<C: Class>() -> bindings::drm_gem_object_funcs
where
    C::Driver: Driver<Object = C>,
{
    bindings::drm_gem_object_funcs {
        open: if C::Payload::HAS_OPEN {
            Some(open_callback::<C>)
        } else {
            None
        },
        close: if C::Payload::HAS_CLOSE {
            Some(close_callback::<C>)
        } else {
            None
        },
        status: if C::Payload::HAS_STATUS {
            Some(status_callback::<C>)
        } else {
            None
        },
        ..pin_init::zeroed()
    }
}

/// Implements reference counting of a class with the count of the C object.
macro_rules! impl_always_ref_counted {
    ($class:ident) => {
        // SAFETY: References are counted by `drm_gem_object_get()` and `drm_gem_object_put()` (L21).
        unsafe impl<P: DriverObject> AlwaysRefCounted for $class<P>
        where
            P::Driver: Driver<Object = Self>,
        {
            fn inc_ref(&self) {
                // SAFETY: `self` proves that the count is not zero (L21).
                unsafe { crate::raw::drm_rust_gem_object_get(Class::as_raw(self)) };
            }

            unsafe fn dec_ref(obj: NonNull<Self>) {
                // SAFETY: The caller owns a reference and gives it up (L21).
                unsafe { crate::raw::drm_rust_gem_object_put(Class::as_raw(obj.as_ref())) };
            }
        }
    };
}
use impl_always_ref_counted;
