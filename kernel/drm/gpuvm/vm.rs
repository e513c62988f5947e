// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Address spaces, references to them, and their owners.
//!
//! C header: `include/drm/drm_gpuvm.h`

use super::{
    locked::{
        self,
        Locked, //
    },
    mapping::Removed,
    DriverVm,
    VaRange, //
};
use crate::{
    gem::SharedResv,
    lock_class::lock_class,
    resv::Resv,
    Device, //
};
use core::{
    marker::PhantomData,
    mem::offset_of,
    ops::Deref,
    pin::Pin,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    prelude::*,
    sync::{
        aref::{
            ARef,
            AlwaysRefCounted, //
        },
        Mutex, //
    },
    types::Opaque, //
};

/// The addresses of an address space, and those of them that requests may not use.
#[derive(Clone, Copy)]
pub struct Layout {
    all: VaRange,
    reserved: Option<VaRange>,
}

impl Layout {
    /// Creates the layout of an address space with the addresses in `all`.
    pub const fn new(all: VaRange) -> Self {
        Self {
            all,
            reserved: None,
        }
    }

    /// Makes requests that touch `reserved` fail, so that clients cannot change the kernel's own
    /// mappings there.
    ///
    /// # Errors
    ///
    /// Fails with `EINVAL` if `reserved` is not a part of the address space.
    pub const fn reserve(self, reserved: VaRange) -> Result<Self> {
        if self.all.contains(reserved) {
            Ok(Self {
                reserved: Some(reserved),
                ..self
            })
        } else {
            Err(EINVAL)
        }
    }
}

/// An address space of a device. It dereferences to the driver's part that needs no lock.
///
/// Counted references are `ARef<Vm<T>>`. Drop them in process context: that may sleep, and may free
/// the address space.
///
/// # Invariants
///
/// - `vm` is initialised and lies in a `KBox` of `Self` that C owns through `vm_free`. It is in
///   immediate mode, and its reservation object protects its lists.
/// - The address space belongs to a device of `T::Driver`, which it keeps (L11).
/// - All mappings in it except the reserved range are `Node<T>`. They are read and changed with
///   `state` locked.
/// - No mapping is added once `state` is closed.
#[repr(C)]
#[pin_data]
pub struct Vm<T: DriverVm> {
    #[pin]
    vm: Opaque<bindings::drm_gpuvm>,
    #[pin]
    state: Mutex<State<T>>,
    #[pin]
    data: T,
    /// Invariant in `T`: a subtype of `T` may belong to another driver (L9).
    _class: PhantomData<fn(T) -> T>,
}

/// The data that the lock of an address space protects, besides the mappings.
pub(super) struct State<T: DriverVm> {
    pub(super) tables: T::Tables,
    /// Whether the owner has ended the address space.
    pub(super) closed: bool,
}

// Tables are moved in, and returned as `&mut`: they are never pinned.
impl<T: DriverVm> Unpin for State<T> {}

impl<T: DriverVm> Vm<T> {
    const OPS: bindings::drm_gpuvm_ops = bindings::drm_gpuvm_ops {
        vm_free: Some(Self::free),
        sm_step_map: Some(locked::step_map::<T>),
        sm_step_remap: Some(locked::step_remap::<T>),
        sm_step_unmap: Some(locked::step_unmap::<T>),
        ..pin_init::zeroed()
    };

    /// Returns the C address space, which is valid as long as `self` is.
    pub(crate) fn as_raw(&self) -> *mut bindings::drm_gpuvm {
        self.vm.get()
    }

    /// Returns the device that the address space belongs to.
    pub fn device(&self) -> &Device<T::Driver> {
        // SAFETY: By the type invariants (L11).
        unsafe { Device::from_raw((*self.as_raw()).drm) }
    }

    /// Returns the reservation object, which the objects exclusive to this address space share. It
    /// has the fences of work that uses all of them.
    pub fn resv(&self) -> &Resv {
        // SAFETY: An address space has its reservation object from its creation until it is freed
        // (L22).
        unsafe { Resv::from_raw((*(*self.as_raw()).r_obj).resv) }
    }

    /// Returns whether both are the same address space.
    pub fn is_same(&self, other: &Self) -> bool {
        core::ptr::eq(self, other)
    }

    /// Calls `function` with the address space locked.
    ///
    /// This takes a closure rather than returning a guard, like [`Resv::lock`]. The lock checker
    /// treats `function` as code that a fence waits for. So it must not make an allocation that
    /// waits for memory reclaim.
    ///
    /// Context: process context, may sleep. The caller must not have locked another address space,
    /// nor hold a lock that a [step](DriverVm) takes.
    pub fn lock<R>(&self, function: impl FnOnce(&mut Locked<'_, T>) -> R) -> R {
        // Before taking the lock, as in code that a fence really waits for.
        // SAFETY: There are no preconditions. The call below ends this section (L25).
        let cookie = unsafe { crate::raw::drm_rust_dma_fence_begin_signalling() };
        let result = function(&mut Locked::new(self, &mut self.state.lock()));
        // SAFETY: The cookie is from the begin above (L25).
        unsafe { crate::raw::drm_rust_dma_fence_end_signalling(cookie) };
        result
    }

    /// Fails with `EINVAL` if requests may not use `range`.
    pub(super) fn check(&self, range: VaRange) -> Result {
        // SAFETY: By the type invariants. The data that the call reads does not change (L25).
        let valid =
            unsafe { bindings::drm_gpuvm_range_valid(self.as_raw(), range.start(), range.len()) };
        if valid {
            Ok(())
        } else {
            Err(EINVAL)
        }
    }

    /// Returns the lowest mapping that touches `range`.
    ///
    /// # Safety
    ///
    /// The address space is locked. The pointer is valid until the mapping is removed (L25).
    pub(super) unsafe fn first_in(&self, range: VaRange) -> Option<NonNull<bindings::drm_gpuva>> {
        let mut rest = Some(range);
        while let Some(range) = rest {
            // SAFETY: By the requirement (L25).
            let va = unsafe {
                bindings::drm_gpuva_find_first(self.as_raw(), range.start(), range.len())
            };
            let va = NonNull::new(va)?;
            // SAFETY: The reserved range is a field of the C structure (L25).
            let reserved = unsafe { &raw const (*self.as_raw()).kernel_alloc_node };
            if !core::ptr::eq(va.as_ptr(), reserved) {
                return Some(va);
            }
            // SAFETY: As above. The range does not change (L25).
            let after = unsafe { (*reserved).va.addr + (*reserved).va.range };
            rest = VaRange::between(after, range.end());
        }
        None
    }

    /// Returns the range of all addresses.
    fn all(&self) -> VaRange {
        // SAFETY: By the type invariants. The fields do not change (L25).
        unsafe { VaRange::from_valid((*self.as_raw()).mm_start, (*self.as_raw()).mm_range) }
    }

    /// Ends the address space: unmaps everything and refuses all further requests.
    fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        let all = self.all();
        let mut removed = Removed::<T>::new();
        // SAFETY: The address space is locked. The caller has a reference to it, and `removed` is
        // dropped before this returns (L25).
        unsafe {
            while let Some(va) = self.first_in(all) {
                removed.take(va.as_ptr());
            }
        }
        // `removed` still holds the objects.
        T::clear(self, &mut state.tables);
        drop(state);
        drop(removed);
        self.clean_up();
    }

    /// Drops the objects that are no longer mapped. Context: process context, may sleep; takes
    /// reservation locks.
    pub(super) fn clean_up(&self) {
        // SAFETY: By the type invariants. The caller has a reference to the address space (L25).
        unsafe { bindings::drm_gpuvm_bo_deferred_cleanup(self.as_raw()) };
    }

    /// # Safety
    ///
    /// Called only by C, as documented for the table that contains it (L20).
    unsafe extern "C" fn free(vm: *mut bindings::drm_gpuvm) {
        // SAFETY: C passes an address space with this table, so it is a `Self`, without references.
        // Each mapping and each tie to an object had one, so no code uses it any more. It lies in
        // the box made by `Owner::new`. C has already dropped the object with its reservation
        // object, and drops the device after this returns (L11).
        drop(unsafe { KBox::from_raw(vm.byte_sub(offset_of!(Self, vm)).cast::<Self>()) });
    }
}

impl<T: DriverVm> Deref for Vm<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.data
    }
}

// SAFETY: References are counted by `drm_gpuvm_get()` and `drm_gpuvm_put()` (L21).
unsafe impl<T: DriverVm> AlwaysRefCounted for Vm<T> {
    fn inc_ref(&self) {
        // SAFETY: `self` proves that the count is not zero (L21).
        unsafe { crate::raw::drm_rust_gpuvm_get(self.as_raw()) };
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: The caller owns a reference and drops it here. `obj` is valid up to then (L21).
        unsafe { bindings::drm_gpuvm_put(obj.as_ref().as_raw()) };
    }
}

// SAFETY: `T` is `Send` and `Sync`, and the tables are `Send` and locked. C counts atomically, and
// locks the rest of its data (L15).
unsafe impl<T: DriverVm> Send for Vm<T> {}

// SAFETY: As above (L15).
unsafe impl<T: DriverVm> Sync for Vm<T> {}

/// The owner of an address space. Dropping it unmaps everything and makes all further requests
/// fail.
///
/// Each address space has one owner. It is needed because mappings hold their address space, which
/// would otherwise never be freed. Other code may take counted references with
/// `ARef::from(&*owner)`. After the owner is dropped, its requests fail with `ECANCELED`. `Owner`
/// dereferences to [`Vm`].
///
/// A forgotten owner leaks the address space, its objects and the device. The leak is reported when
/// the module is unloaded.
///
/// Context of dropping: process context, may sleep; takes reservation locks.
pub struct Owner<T: DriverVm>(ARef<Vm<T>>);

impl<T: DriverVm> Owner<T> {
    /// Creates an empty address space of `dev`.
    ///
    /// # Errors
    ///
    /// Fails with `ENOMEM` and with any error from `data`. Context: may sleep to allocate.
    pub fn new(
        dev: &Device<T::Driver>,
        name: &'static CStr,
        layout: Layout,
        data: impl PinInit<T, Error>,
        tables: T::Tables,
    ) -> Result<Self> {
        // SAFETY: The device is valid. The caller keeps it until this function returns, and the
        // result is dropped before that. The address space has its own reference to the object in
        // it, which it drops before the device (L11).
        let resv = unsafe { SharedResv::new(dev.as_raw()) }?;
        let state = State {
            tables,
            closed: false,
        };
        let (state_lock, key) = lock_class!(c"drm_rust::Vm");
        let this = KBox::pin_init(
            try_pin_init!(Vm {
                // The allocator has zeroed the memory; see the flags.
                vm <- Opaque::ffi_init(|_| ()),
                state <- Mutex::new(state, state_lock, key),
                data <- data,
                _class: PhantomData,
            }? Error),
            GFP_KERNEL | __GFP_ZERO,
        )?;

        // SAFETY: It never moves: C owns it from here on (L11).
        let this = KBox::into_raw(unsafe { Pin::into_inner_unchecked(this) });
        let (all, reserved) = (layout.all, layout.reserved);
        // SAFETY: The C structure is zeroed and ours. Device and object are valid, and C takes
        // references to both. The name and the table are static. The text in the table belongs to
        // the module that drops address spaces. The ranges have ends, and the reserved one is a
        // part of the other (L11, L25).
        unsafe {
            bindings::drm_gpuvm_init(
                (*this).vm.get(),
                name.as_char_ptr(),
                bindings::drm_gpuvm_flags_DRM_GPUVM_RESV_PROTECTED
                    | bindings::drm_gpuvm_flags_DRM_GPUVM_IMMEDIATE_MODE,
                dev.as_raw(),
                resv.object(),
                all.start(),
                all.len(),
                reserved.map_or(0, VaRange::start),
                reserved.map_or(0, VaRange::len),
                &Vm::<T>::OPS,
            )
        };
        // SAFETY: The pointer is not null, and the first reference is ours (L21).
        Ok(Self(unsafe {
            ARef::from_raw(NonNull::new_unchecked(this))
        }))
    }
}

impl<T: DriverVm> Deref for Owner<T> {
    type Target = Vm<T>;

    fn deref(&self) -> &Vm<T> {
        &self.0
    }
}

impl<T: DriverVm> Drop for Owner<T> {
    fn drop(&mut self) {
        self.0.close();
    }
}
