// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! PRIME: sharing buffers between devices as dma-bufs.
//!
//! Export uses C's own function ([`kernel::bindings::drm_gem_prime_export`]): a dma-buf holds its
//! object, the device and the driver's module. Import is implemented here, so that the imported
//! object is of the driver's class (L12).
//!
//! Source: drivers/gpu/drm/drm_prime.c, Documentation/driver-api/dma-buf.rst.

use super::{
    shmem,
    Class,
    DriverObject,
    Size, //
};
use crate::{
    Device,
    Driver,
    Plugged,
    Registered, //
};
use core::ptr::NonNull;
use kernel::{
    bindings,
    error::from_err_ptr,
    prelude::*,
    sync::aref::ARef, //
};

/// Returns the object that `buf` was exported from, if it was exported by `dev`.
///
/// # Safety
///
/// `dev` and `buf` are valid; `dev` is a device of `C::Driver`, whose `object_name_lock` is held (L12).
unsafe fn own<C: Class>(
    dev: *mut bindings::drm_device,
    buf: *mut bindings::dma_buf,
) -> Option<ARef<C>>
where
    C::Driver: Driver<Object = C>,
{
    // SAFETY: By the requirements (L12).
    if !unsafe { bindings::drm_gem_is_prime_exported_dma_buf(dev, buf) } {
        return None;
    }
    // SAFETY: Such a dma-buf belongs to an object of this device that has had a handle, so the
    // object is of the driver's class. The dma-buf holds a reference to it. The lock is held
    // (L12, L21).
    unsafe {
        let obj = (*buf).priv_.cast();
        make_current(obj, buf);
        Some(C::from_raw(obj).into())
    }
}

/// Makes `buf` the dma-buf that exports of `obj` return from now on, if it is another.
///
/// When an object's last handle is closed, C forgets its dma-buf. If the driver creates another
/// handle of the object, C exports it again, so two dma-bufs exist. On import, C warns about any
/// but the newer one.
///
/// Not inlined into drivers, because only this module imports the symbol namespace `DMA_BUF`.
///
/// # Safety
///
/// `obj` and `buf` are valid, `buf` was exported from `obj`, and the device's `object_name_lock` is
/// held (L21).
#[inline(never)]
unsafe fn make_current(obj: *mut bindings::drm_gem_object, buf: *mut bindings::dma_buf) {
    // SAFETY: By the requirements. The lock protects the field, which owns a reference (L21).
    unsafe {
        let old = (*obj).dma_buf;
        if !old.is_null() && old != buf {
            crate::raw::drm_rust_get_dma_buf(buf);
            (*obj).dma_buf = buf;
            bindings::dma_buf_put(old);
        }
    }
}

/// Passes the reference to `obj` to C.
fn into_raw<C: Class>(obj: ARef<C>) -> *mut bindings::drm_gem_object {
    // SAFETY: The pointer comes from an `ARef`, so it is valid (L21).
    unsafe { ARef::into_raw(obj).as_ref().as_raw() }
}

/// Implements `drm_driver::gem_prime_import` for classes that import nothing from other devices.
///
/// # Safety
///
/// Called only by C, as documented for the table that contains it (L20).
pub(super) unsafe extern "C" fn import_own<C: Class>(
    dev: *mut bindings::drm_device,
    buf: *mut bindings::dma_buf,
) -> *mut bindings::drm_gem_object
where
    C::Driver: Driver<Object = C>,
{
    // SAFETY: C passes valid pointers, for a device of the driver whose table contains this, and
    // holds the lock (`drm_gem_prime_fd_to_handle()`) (L12).
    unsafe { own::<C>(dev, buf) }.map_or(EINVAL.to_ptr(), into_raw)
}

/// Implements `drm_driver::gem_prime_import` for the class [`shmem::Object`].
///
/// Importing a foreign dma-buf attaches the parent, or the device that does its DMA, to the
/// dma-buf. So it runs while the device is plugged.
///
/// # Safety
///
/// Called only by C, as documented for the table that contains it (L20).
pub(super) unsafe extern "C" fn import<P: DriverObject>(
    dev: *mut bindings::drm_device,
    buf: *mut bindings::dma_buf,
) -> *mut bindings::drm_gem_object
where
    P::Driver: Driver<Object = shmem::Object<P>>,
{
    // SAFETY: As in `import_own` (L12).
    if let Some(obj) = unsafe { own::<shmem::Object<P>>(dev, buf) } {
        return into_raw(obj);
    }
    // SAFETY: C calls this from an ioctl on a file of the device. The table of the device's driver
    // contains this function. So the file keeps the device, and registration has begun (L12, L27).
    let dev = unsafe { Device::<P::Driver, Registered>::from_raw(dev) };

    dev.enter(|plugged| {
        // SAFETY: `buf` is valid: the caller holds a reference (L21).
        unsafe { foreign::<P>(&plugged, buf) }
    })
    .unwrap_or(Err(ENODEV))
    .map_or_else(|e| e.to_ptr(), into_raw)
}

/// # Safety
///
/// `buf` is valid (L21).
unsafe fn foreign<P: DriverObject>(
    dev: &Plugged<'_, P::Driver>,
    buf: *mut bindings::dma_buf,
) -> Result<ARef<shmem::Object<P>>>
where
    P::Driver: Driver<Object = shmem::Object<P>>,
{
    // SAFETY: `buf` is valid (L21).
    let size = Size::round_up(unsafe { (*buf).size } as u64)?;
    let args = P::import(dev, size)?;
    // SAFETY: By the requirement. The object drops its device after the attachment. Until there is
    // an object, the caller's section keeps the device (L11, L21).
    let attachment = unsafe { Attachment::new(dev, buf) }?;

    shmem::Object::import(dev, size, args, attachment)
}

/// The attachment to a foreign dma-buf of the bus device that does the DMA, with a reference to the
/// dma-buf.
///
/// C takes no reference to that bus device for the attachment, but the DRM device holds one. So
/// drop this only while something keeps the DRM device (L11).
///
/// # Invariants
///
/// `0` is valid, and owned together with a reference to its dma-buf.
pub(super) struct Attachment(NonNull<bindings::dma_buf_attachment>);

impl Attachment {
    /// # Safety
    ///
    /// `buf` is valid. The device of `dev` is kept longer than the result (L11, L21).
    unsafe fn new<T: Driver>(dev: &Plugged<'_, T>, buf: *mut bindings::dma_buf) -> Result<Self> {
        // SAFETY: The device is valid. Both fields are set before it is registered, and do not
        // change until it is released (L21).
        let (parent, dma) = unsafe { ((*dev.as_raw()).dev, (*dev.as_raw()).dma_dev) };
        // SAFETY: `buf` is valid by the requirement, and the DRM device holds a reference to both
        // devices (L21).
        unsafe { Self::attach(if dma.is_null() { parent } else { dma }, buf) }
    }

    /// Attaches `device` to `buf`.
    ///
    /// Not inlined into drivers, because only this module imports the symbol namespace `DMA_BUF`.
    ///
    /// Attaching does no DMA, so `device` need not be bound for it. Code that maps the attachment
    /// requires that ([`DmaMappings::map`](super::DmaMappings::map)).
    ///
    /// # Safety
    ///
    /// `device` and `buf` are valid, and `device` outlives the result (L21).
    #[inline(never)]
    unsafe fn attach(device: *mut bindings::device, buf: *mut bindings::dma_buf) -> Result<Self> {
        // SAFETY: By the requirements (L21).
        let raw = from_err_ptr(unsafe { bindings::dma_buf_attach(buf, device) })?;
        // SAFETY: `buf` is valid (L21).
        unsafe { crate::raw::drm_rust_get_dma_buf(buf) };
        // INVARIANT: The device was just attached, and a reference was taken.
        NonNull::new(raw).map(Self).ok_or(EINVAL)
    }

    /// Passes the attachment and its reference to an object, which detaches it on release.
    pub(super) fn into_raw(self) -> *mut bindings::dma_buf_attachment {
        core::mem::ManuallyDrop::new(self).0.as_ptr()
    }
}

impl Drop for Attachment {
    #[inline(never)]
    fn drop(&mut self) {
        // SAFETY: By the type invariants (L21).
        unsafe {
            let buf = (*self.0.as_ptr()).dmabuf;
            bindings::dma_buf_detach(buf, self.0.as_ptr());
            bindings::dma_buf_put(buf);
        }
    }
}
