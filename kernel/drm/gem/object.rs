// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! GEM objects whose memory the driver manages itself, such as memory on the device.
//!
//! C header: `include/drm/drm_gem.h`

use super::{
    common_funcs,
    impl_always_ref_counted,
    Class,
    DriverObject,
    Ops,
    Sealed,
    Size, //
};
use crate::{
    Device,
    Driver, //
};
use core::{
    marker::PhantomData,
    mem::offset_of,
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    prelude::*,
    sync::aref::{
        ARef,
        AlwaysRefCounted, //
    },
    types::Opaque, //
};

/// A GEM object without memory behind it, with payload `P`. It has handles, a reservation object
/// and a size. It cannot be mapped, and a dma-buf of it gives no access to memory.
///
/// # Invariants
///
/// `obj` is initialised and lies in a `KBox` of `Self` that C owns through `free`. The object holds
/// a counted reference to its device.
#[repr(C)]
#[pin_data]
pub struct Object<P: DriverObject> {
    #[pin]
    obj: Opaque<bindings::drm_gem_object>,
    #[pin]
    payload: P,
    /// Invariant in `P`: a subtype of `P` may be another driver's payload (L12).
    _class: PhantomData<fn(P) -> P>,
}

impl<P: DriverObject> Object<P>
where
    P::Driver: Driver<Object = Self>,
{
    const FUNCS: bindings::drm_gem_object_funcs = bindings::drm_gem_object_funcs {
        free: Some(Self::free),
        mmap: Some(no_mmap),
        ..common_funcs::<Self>()
    };

    /// Creates an object.
    ///
    /// # Errors
    ///
    /// Fails with `ENOMEM` and with any error from the payload.
    ///
    /// Context: process context, may sleep.
    pub fn new(dev: &Device<P::Driver>, size: Size, args: P::Args) -> Result<ARef<Self>> {
        let this = KBox::pin_init(
            try_pin_init!(Self {
                // The allocator has zeroed the memory; see the flags.
                obj <- Opaque::ffi_init(|_| ()),
                payload <- P::new(dev, size, args),
                _class: PhantomData,
            }? Error),
            GFP_KERNEL | __GFP_ZERO,
        )?;

        // SAFETY: The object never moves: C owns it from here on (L11).
        let this = KBox::into_raw(unsafe { Pin::into_inner_unchecked(this) });
        // SAFETY: `this` is valid and ours, and its size is whole pages (L13). The device is valid,
        // and the object keeps it from here on (L11).
        unsafe {
            (*(*this).obj.get()).funcs = &Self::FUNCS;
            bindings::drm_gem_private_object_init(dev.as_raw(), (*this).obj.get(), size.bytes());
            bindings::drm_dev_get(dev.as_raw());
        }

        // SAFETY: `this` is not null, and the first reference is ours (L21).
        Ok(unsafe { ARef::from_raw(NonNull::new_unchecked(this)) })
    }

    /// # Safety
    ///
    /// Called only by C, as documented for the table that contains it (L20).
    unsafe extern "C" fn free(obj: *mut bindings::drm_gem_object) {
        // SAFETY: C passes an object with these functions, so it is a `Self`, without references
        // (L20).
        let (this, dev) = unsafe {
            (
                obj.byte_sub(offset_of!(Self, obj)).cast::<Self>(),
                (*obj).dev,
            )
        };

        // SAFETY: No other code uses the object any more. Code that maps the node may still find it
        // by its offset until the release removes the offset, but sees that it has no references.
        // The box is the one made in `new` (L11).
        unsafe {
            core::ptr::drop_in_place(&raw mut (*this).payload);
            bindings::drm_gem_object_release(obj);
            drop(KBox::from_raw(this.cast::<core::mem::MaybeUninit<Self>>()));
        }
        // SAFETY: This is the object's own reference, taken in `new`. Dropping it is the last act
        // (L11).
        unsafe { bindings::drm_dev_put(dev) };
    }
}

impl_always_ref_counted!(Object);

impl<P: DriverObject> Deref for Object<P> {
    type Target = P;

    fn deref(&self) -> &P {
        &self.payload
    }
}

impl<P: DriverObject> Sealed for Object<P> {}

impl<P: DriverObject> Class for Object<P>
where
    P::Driver: Driver<Object = Self>,
{
    type Driver = P::Driver;
    type Payload = P;

    const OPS: Ops = {
        assert!(
            !P::HAS_DUMB && !P::HAS_IMPORT,
            "dumb buffers and imports need memory: use `gem::shmem::Object`"
        );
        Ops {
            prime_import: Some(super::prime::import_own::<Self>),
            dumb_create: None,
        }
    };

    fn as_raw(&self) -> *mut bindings::drm_gem_object {
        self.obj.get()
    }

    /// # Safety
    ///
    /// As required by the trait (L12).
    unsafe fn from_raw<'a>(ptr: *mut bindings::drm_gem_object) -> &'a Self {
        // SAFETY: By the requirement, `ptr` is the field `obj` of a valid object (L12).
        unsafe { &*ptr.byte_sub(offset_of!(Self, obj)).cast() }
    }
}

// SAFETY: The C object does its own locking, and `P` is `Send + Sync` (L15).
unsafe impl<P: DriverObject> Send for Object<P> {}

// SAFETY: As for `Send` (L15).
unsafe impl<P: DriverObject> Sync for Object<P> {}

/// Refuses to map the object, with `EINVAL`: there is no memory to map.
///
/// The callback must exist. Without it, C's mmap of a dma-buf behaves as if the primary node were
/// mapped (`drm_gem_prime_mmap()`), which a device with an accel node does not have.
///
/// # Safety
///
/// Called only by C, as documented for the table that contains it (L20).
unsafe extern "C" fn no_mmap(
    _obj: *mut bindings::drm_gem_object,
    _vma: *mut bindings::vm_area_struct,
) -> c_int {
    EINVAL.to_errno()
}
