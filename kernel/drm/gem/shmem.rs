// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! GEM objects backed by shmem: anonymous pages that can be swapped until they are used.
//!
//! C header: `include/drm/drm_gem_shmem_helper.h`

mod callbacks;
mod huge_pages;

pub(super) use callbacks::can_list_pages;

use super::{
    common_funcs,
    dma::DmaNode,
    dumb,
    impl_always_ref_counted,
    prime::{
        self,
        Attachment, //
    },
    Class,
    DriverObject,
    Ops,
    Sealed,
    SharedResv,
    Size, //
};
use crate::{
    Device,
    Driver,
    Plugged,
    UnregisteredDevice, //
};
use core::{
    marker::PhantomData,
    mem::{
        offset_of,
        MaybeUninit, //
    },
    ops::{
        Deref,
        Range, //
    },
    ptr::NonNull, //
};
use kernel::{
    bindings,
    error::to_result,
    prelude::*,
    scatterlist::SGTable,
    sync::aref::{
        ARef,
        AlwaysRefCounted, //
    },
    types::Opaque, //
};

/// A GEM object backed by shmem, or by an imported dma-buf, with payload `P`.
///
/// # Invariants
///
/// - `shmem` is initialised and lies in a `KBox` of `Self` that C owns through `free`. Its C object
///   is at offset 0.
/// - `node` belongs to `shmem`.
/// - The object holds a counted reference to the device.
/// - If the object uses the reservation object of an address space, `shared` keeps that.
///
/// # Examples
///
/// ```
/// # fn example(dev: &Device<Mini>, file: &File<Client>) -> Result<u32> {
/// let object = gem::shmem::Object::<Buffer>::new(dev, gem::Size::constant::<4096>(), ())?;
/// let handle = object.create_handle(file)?;
/// let again = gem::shmem::Object::<Buffer>::lookup(file, handle)?;
/// # Ok(handle)
/// # }
/// ```
#[repr(C)]
#[pin_data]
pub struct Object<P: DriverObject> {
    #[pin]
    shmem: Opaque<bindings::drm_gem_shmem_object>,
    node: DmaNode,
    shared: Option<SharedResv>,
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
        export: Some(callbacks::export),
        print_info: Some(callbacks::print_info),
        pin: Some(callbacks::pin),
        unpin: Some(callbacks::unpin),
        get_sg_table: Some(callbacks::get_sg_table),
        vmap: Some(callbacks::vmap),
        vunmap: Some(callbacks::vunmap),
        mmap: Some(callbacks::mmap),
        vm_ops: &raw const bindings::drm_gem_shmem_vm_ops,
        ..common_funcs::<Self>()
    };

    /// Creates an object. Its pages are allocated when they are first needed.
    ///
    /// # Errors
    ///
    /// Fails with `ENOMEM`, with `ENOSPC`, with `EINVAL` for a size larger than a file can have,
    /// and with any error from the payload.
    ///
    /// Context: process context, may sleep. Source: `drm_gem_shmem_init()`.
    pub fn new(dev: &Device<P::Driver>, size: Size, args: P::Args) -> Result<ARef<Self>> {
        Self::create(dev, size, args, None)
    }

    /// Creates an object with the reservation object in `shared`, or with its own.
    pub(crate) fn create(
        dev: &Device<P::Driver>,
        size: Size,
        args: P::Args,
        shared: Option<SharedResv>,
    ) -> Result<ARef<Self>> {
        let this = Self::alloc(dev, size, args, shared)?;
        let shmem = this.shmem.get();

        // SAFETY: The object is zeroed except for `funcs`, the device is valid, and the size is
        // whole pages (L13). After an error C has cleaned up, and the box is dropped.
        to_result(unsafe { bindings::drm_gem_shmem_init(dev.as_raw(), shmem, size.bytes()) })?;

        // SAFETY: The object is initialised and no other code knows it (L12).
        unsafe { (*shmem).set_map_wc(this.payload.write_combine()) };
        if let Some(shared) = &this.shared {
            // INVARIANT: `shared` keeps the reservation object. SAFETY: As above (L22).
            unsafe { (*shmem).base.resv = shared.as_raw() };
        }
        // SAFETY: As above (L11).
        Ok(unsafe { Self::publish(dev, this) })
    }

    /// Creates an object for a dma-buf of another exporter.
    pub(super) fn import(
        dev: &Device<P::Driver>,
        size: Size,
        args: P::Args,
        attachment: Attachment,
    ) -> Result<ARef<Self>> {
        let this = Self::alloc(dev, size, args, None)?;
        let shmem = this.shmem.get();

        // SAFETY: As in `create`. The helper does what `drm_gem_shmem_init()` does, for an object
        // without memory of its own, and cleans up after an error (L13).
        to_result(unsafe {
            crate::raw::drm_rust_gem_shmem_init_private(dev.as_raw(), shmem, size.bytes())
        })?;

        // SAFETY: The object is initialised and no other code knows it. It owns the attachment, and
        // the dma-buf through it, until its release (L21).
        unsafe {
            let attachment = attachment.into_raw();
            (*shmem).base.import_attach = attachment;
            (*shmem).base.resv = (*(*attachment).dmabuf).resv;
        }
        // SAFETY: As above (L11).
        Ok(unsafe { Self::publish(dev, this) })
    }

    /// Allocates an object with its payload. The C object is zeroed.
    fn alloc(
        dev: &Device<P::Driver>,
        size: Size,
        args: P::Args,
        shared: Option<SharedResv>,
    ) -> Result<Pin<KBox<Self>>> {
        let this = KBox::pin_init(
            try_pin_init!(&this in Self {
                // The allocator has zeroed the memory; see the flags.
                shmem <- Opaque::ffi_init(|_| ()),
                // INVARIANT: This is the object that contains the node.
                // SAFETY: Only an address is computed (L5).
                node: DmaNode::new(unsafe { (&raw mut (*this.as_ptr()).shmem).cast() }),
                shared,
                payload <- P::new(dev, size, args),
                _class: PhantomData,
            }? Error),
            GFP_KERNEL | __GFP_ZERO,
        )?;
        // SAFETY: No other code knows the object (L12).
        unsafe { (*this.shmem.get()).base.funcs = &Self::FUNCS };
        Ok(this)
    }

    /// Hands a finished object over to reference counting.
    ///
    /// # Safety
    ///
    /// The C object in `this` is initialised for `dev` (L11).
    unsafe fn publish(dev: &Device<P::Driver>, this: Pin<KBox<Self>>) -> ARef<Self> {
        // INVARIANT: This is the reference that `free` drops (L11).
        // SAFETY: The device is valid (L11).
        unsafe { bindings::drm_dev_get(dev.as_raw()) };
        // SAFETY: The object never moves: C owns it from here on (L11).
        let this = KBox::into_raw(unsafe { Pin::into_inner_unchecked(this) });
        // SAFETY: The pointer is not null, and the C object's first reference is ours (L21).
        unsafe { ARef::from_raw(NonNull::new_unchecked(this)) }
    }

    /// # Safety
    ///
    /// Called only by C, as documented for the table that contains it (L20).
    unsafe extern "C" fn free(obj: *mut bindings::drm_gem_object) {
        let this: *mut Self = obj.cast();
        // SAFETY: C passes an object with these functions, so it is a `Self` (at offset 0), without
        // references. Its device is kept until the end of this function (L20).
        let dev = unsafe { (*obj).dev };

        // SAFETY: As above. The object is released only below (L5).
        unsafe {
            Device::<P::Driver>::from_raw(dev)
                .core()
                .mappings
                .remove(&(*this).node)
        };
        // SAFETY: No other code uses the object any more. Code that maps the node may still find it
        // by its offset until the release removes the offset, but sees that it has no references.
        // The box is the one made in `alloc` (L11).
        unsafe {
            core::ptr::drop_in_place(&raw mut (*this).payload);
            bindings::drm_gem_shmem_release((*this).shmem.get());
            // The release locks the reservation object, so drop it only now.
            core::ptr::drop_in_place(&raw mut (*this).shared);
            drop(KBox::from_raw(this.cast::<MaybeUninit<Self>>()));
        }
        // SAFETY: This is the object's own reference, taken in `publish`. Dropping it is the last
        // act (L11).
        unsafe { bindings::drm_dev_put(dev) };
    }

    /// Returns whether [`new_exclusive`](Self::new_exclusive) created the object.
    pub fn is_exclusive(&self) -> bool {
        self.shared.is_some()
    }

    /// Returns the object's pages as DMA addresses of the device's parent, mapped for both
    /// directions.
    ///
    /// The first call pins and maps the pages. They stay so until the object is freed or the device
    /// is unplugged. Later calls return the same table, take no lock and allocate nothing. So the
    /// table is valid only for the section of `plugged`. Stop hardware that uses the addresses
    /// longer in [`Driver::unplugged`].
    ///
    /// # Errors
    ///
    /// Fails with `EINVAL` if `plugged` is another device than the object's, with `ENOMEM`, with
    /// `EINTR` if a signal arrives, and with any error from the exporter of an imported object.
    /// Fails with `EIO` if the device's parent does no DMA, such as a child on the auxiliary bus.
    ///
    /// Context: process context, may sleep; takes the reservation lock.
    pub fn sg_table<'g>(&'g self, plugged: &Plugged<'g, P::Driver>) -> Result<&'g SGTable> {
        // SAFETY: The device's parent is bound for `'g`, and teardown waits for the section before
        // it undoes mappings (L5, L6).
        unsafe { self.map_for(plugged.device()) }
    }

    /// Returns the table like [`sg_table`](Self::sg_table), during the probe, for a device that was
    /// never registered.
    ///
    /// The table is valid for as long as the device is not registered. Afterwards the mapping
    /// behaves like one made while the device is plugged. If the probe fails, the mapping is undone
    /// after everything that the probe requested from the bus: interrupts, and the device's own
    /// access to memory.
    ///
    /// # Errors
    ///
    /// Fails with `EINVAL` if `dev` is another device than the object's, with `ENOMEM`, and with
    /// `EIO` if the device's parent does no DMA.
    ///
    /// Context: process context, may sleep; takes the reservation lock.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn example(dev: &UnregisteredDevice<'_, Mini>, firmware: &[u8]) -> Result<u64> {
    /// let object = Object::new(dev, gem::Size::round_up(firmware.len() as u64)?, ())?;
    /// object.vmap()?.write(0, firmware)?;
    /// let piece = object.sg_table_in_probe(dev)?.iter().next().ok_or(EINVAL)?;
    /// Ok(piece.dma_address())
    /// # }
    /// ```
    pub fn sg_table_in_probe<'p>(
        &'p self,
        dev: &'p UnregisteredDevice<'_, P::Driver>,
    ) -> Result<&'p SGTable> {
        // SAFETY: `'p` lies within the time that `dev` is named after, during which the parent is
        // bound. Registering the device takes it by value, so its teardown cannot come in `'p`. The
        // adapter's resources undo the mappings last, after everything that may borrow from that
        // time. They do so even if the device was forgotten (L5).
        unsafe { self.map_for(dev) }
    }

    /// Makes the CPU's writes to `range` (bytes) visible to the device, and with `both` also the
    /// device's writes to the CPU.
    ///
    /// Use it for cached mappings where DMA is not coherent. It does nothing for an object that the
    /// device cannot see, because [`sg_table`](Self::sg_table) was never called for it.
    ///
    /// # Errors
    ///
    /// Fails with `EINVAL` if the range is not within the object, if the object is imported (only
    /// its exporter can sync it), or if `plugged` is another device than the object's.
    ///
    /// Context: process context, may sleep. Source: Documentation/core-api/dma-api.rst.
    pub fn sync(&self, plugged: &Plugged<'_, P::Driver>, range: Range<u64>, both: bool) -> Result {
        let fits = range.start <= range.end && range.end <= self.size().bytes() as u64;
        if !fits || self.is_imported() || !self.device().is_same(plugged.device()) {
            return Err(EINVAL);
        }
        // SAFETY: The object is live and not imported. Its device is plugged, so the device's
        // parent is bound (L5, L6).
        unsafe { plugged.core().mappings.sync(&self.node, range, both) };
        Ok(())
    }

    /// # Safety
    ///
    /// The parent of `dev` is bound for `'g`, and the device's mappings are not undone in it (L5).
    unsafe fn map_for<'g>(&'g self, dev: &Device<P::Driver>) -> Result<&'g SGTable> {
        if !self.device().is_same(dev) {
            return Err(EINVAL);
        }
        // SAFETY: The parent is valid and bound. Its bus set the field before. C would warn
        // otherwise (L5).
        if unsafe { (*(*dev.as_raw()).dev).dma_mask.is_null() } {
            return Err(EIO);
        }
        // SAFETY: The object is live, and its device's parent is bound (L5).
        let sgt = unsafe { dev.core().mappings.map(&self.node) }?;
        // SAFETY: The table lives until the object is freed or the mappings are undone, so at least
        // for `'g` (L5).
        Ok(unsafe { SGTable::from_raw(sgt.as_ptr()) })
    }
}

impl_always_ref_counted!(Object);

impl<P: DriverObject> Deref for Object<P> {
    type Target = P;

    #[inline]
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
        assert!(offset_of!(Self, shmem) == 0);
        assert!(offset_of!(bindings::drm_gem_shmem_object, base) == 0);
        Ops {
            prime_import: Some(if P::HAS_IMPORT {
                prime::import::<P>
            } else {
                prime::import_own::<Self>
            }),
            dumb_create: if P::HAS_DUMB {
                Some(dumb::create::<P>)
            } else {
                None
            },
        }
    };

    #[inline]
    fn as_raw(&self) -> *mut bindings::drm_gem_object {
        self.shmem.get().cast()
    }

    /// # Safety
    ///
    /// As required by the trait (L12).
    #[inline]
    unsafe fn from_raw<'a>(ptr: *mut bindings::drm_gem_object) -> &'a Self {
        // SAFETY: By the requirement, `ptr` is the start of a valid object (type invariants) (L12).
        unsafe { &*ptr.cast() }
    }
}

// SAFETY: The C object does its own locking. The node is used under the lock of its list, and
// through atomics. `SharedResv` and `P` are `Send + Sync` (L15).
unsafe impl<P: DriverObject> Send for Object<P> {}

// SAFETY: As for `Send` (L15).
unsafe impl<P: DriverObject> Sync for Object<P> {}
