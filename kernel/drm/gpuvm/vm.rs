// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! An address space, who has references to it, and who ends it.
//!
//! C header: `include/drm/drm_gpuvm.h`

use super::{
    locked::{
        self,
        Locked, //
    },
    mapping::Removed,
    DriverVm,
    SharedResv,
    VaRange, //
};
use crate::{
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

/// Which addresses an address space has, and which of them are not for requests.
#[derive(Clone, Copy)]
pub struct Layout {
    all: VaRange,
    reserved: Option<VaRange>,
}

impl Layout {
    /// An address space of the addresses in `all`.
    pub const fn new(all: VaRange) -> Self {
        Self {
            all,
            reserved: None,
        }
    }

    /// The same, but requests that touch `reserved` are refused: what the kernel maps there by itself is safe from
    /// clients.
    ///
    /// # Errors
    ///
    /// `EINVAL` if `reserved` is not a part of the address space.
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

/// An address space of a device. Dereferences to the driver's part that needs no lock.
///
/// Counted references are `ARef<Vm<T>>`. Dropping one may free the address space; process context, may sleep.
///
/// # Invariants
///
/// - `vm` is initialised, lies in a `KBox` of `Self` that C owns through `vm_free`, and is in immediate mode, with
///   its lists protected by its reservation object.
/// - It belongs to a device of `T::Driver`, which it keeps (L11).
/// - All mappings in it but the reserved range are `Node<T>`. They are read and changed with `state` locked.
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
    /// Invariant in `T`: a subtype of `T` may well be another driver's (L9).
    _class: PhantomData<fn(T) -> T>,
}

/// What the lock of an address space protects, beside the mappings.
pub(super) struct State<T: DriverVm> {
    pub(super) tables: T::Tables,
    /// Whether its owner has ended it.
    pub(super) closed: bool,
}

// Tables are moved in, and handed out by `&mut`: they are never pinned.
impl<T: DriverVm> Unpin for State<T> {}

impl<T: DriverVm> Vm<T> {
    const OPS: bindings::drm_gpuvm_ops = bindings::drm_gpuvm_ops {
        vm_free: Some(Self::free),
        sm_step_map: Some(locked::step_map::<T>),
        sm_step_remap: Some(locked::step_remap::<T>),
        sm_step_unmap: Some(locked::step_unmap::<T>),
        ..pin_init::zeroed()
    };

    /// The C address space. Valid as long as `self` is.
    pub(crate) fn as_raw(&self) -> *mut bindings::drm_gpuvm {
        self.vm.get()
    }

    /// The device that it belongs to.
    pub fn device(&self) -> &Device<T::Driver> {
        // SAFETY: By the type invariants (L11).
        unsafe { Device::from_raw((*self.as_raw()).drm) }
    }

    /// Its reservation object, which the objects that are exclusive to it share: the fences of work that uses all of
    /// these.
    pub fn resv(&self) -> &Resv {
        // SAFETY: An address space has its reservation object from its creation to its end (L22).
        unsafe { Resv::from_raw((*(*self.as_raw()).r_obj).resv) }
    }

    /// Whether both are the same address space.
    pub fn is_same(&self, other: &Self) -> bool {
        core::ptr::eq(self, other)
    }

    /// Calls `function` with the address space locked.
    ///
    /// A closure and not a guard, as with [`Resv::lock`]. For the lock checker, `function` is a place where a fence
    /// waits, in which no memory may be allocated that has to be reclaimed first.
    ///
    /// Context: process context, may sleep. No other address space may be locked, and no lock that a
    /// [step](DriverVm) takes.
    pub fn lock<R>(&self, function: impl FnOnce(&mut Locked<'_, T>) -> R) -> R {
        // Before the lock, as it stands where a fence really waits.
        // SAFETY: No preconditions; paired with the end below (L25).
        let cookie = unsafe { crate::raw::drm_rust_dma_fence_begin_signalling() };
        let result = function(&mut Locked::new(self, &mut self.state.lock()));
        // SAFETY: The cookie is from the begin above (L25).
        unsafe { crate::raw::drm_rust_dma_fence_end_signalling(cookie) };
        result
    }

    /// Whether `range` is one that requests may name.
    pub(super) fn check(&self, range: VaRange) -> Result {
        // SAFETY: By the type invariants; what the call looks at does not change (L25).
        let valid =
            unsafe { bindings::drm_gpuvm_range_valid(self.as_raw(), range.start(), range.len()) };
        if valid {
            Ok(())
        } else {
            Err(EINVAL)
        }
    }

    /// The lowest mapping that touches `range`.
    ///
    /// # Safety
    ///
    /// The address space is locked; the pointer is good until the mapping is removed (L25).
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
            // SAFETY: As above; it does not change (L25).
            let after = unsafe { (*reserved).va.addr + (*reserved).va.range };
            rest = VaRange::between(after, range.end());
        }
        None
    }

    /// All addresses.
    fn all(&self) -> VaRange {
        // SAFETY: By the type invariants; the fields do not change (L25).
        unsafe { VaRange::from_valid((*self.as_raw()).mm_start, (*self.as_raw()).mm_range) }
    }

    /// Ends the address space: no request is carried out any more, nothing is mapped.
    fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        let all = self.all();
        let mut removed = Removed::<T>::new();
        // SAFETY: The address space is locked. The caller has a reference to it, and `removed` goes
        // before we return (L25).
        unsafe {
            while let Some(va) = self.first_in(all) {
                removed.take(va.as_ptr());
            }
        }
        // The objects are still there: `removed` has them.
        T::clear(self, &mut state.tables);
        drop(state);
        drop(removed);
        self.clean_up();
    }

    /// Gives up the objects that are mapped no more. Context: process context, may sleep; takes reservation locks.
    pub(super) fn clean_up(&self) {
        // SAFETY: By the type invariants. The caller has a reference to the address space (L25).
        unsafe { bindings::drm_gpuvm_bo_deferred_cleanup(self.as_raw()) };
    }

    /// # Safety
    ///
    /// Called only by C, as documented for the table that contains it (L20).
    unsafe extern "C" fn free(vm: *mut bindings::drm_gpuvm) {
        // SAFETY: C passes an address space with this table, so one of `Self`, without references, so that nobody uses it any
        // more: each mapping and each tie to an object had one. It is in the box made by `Owner::new`. C has given back the
        // object with its reservation object before, and gives back the device after this returns (L11).
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
        // SAFETY: The caller owns a reference and gives it up; until then `obj` is valid (L21).
        unsafe { bindings::drm_gpuvm_put(obj.as_ref().as_raw()) };
    }
}

// SAFETY: `T` is `Send` and `Sync`, the tables are `Send` and locked; C counts atomically, and what else it has is
// locked (L15).
unsafe impl<T: DriverVm> Send for Vm<T> {}

// SAFETY: As above (L15).
unsafe impl<T: DriverVm> Sync for Vm<T> {}

/// Who ends an address space: dropping this unmaps everything and lets no request be carried out any more.
///
/// Mappings hold their address space, so that it would never be freed without this; there is one for each. Others may
/// have counted references, made by `ARef::from(&*owner)`: what they still ask for is refused with `ECANCELED`.
/// Dereferences to [`Vm`].
///
/// Forgotten, it leaks the address space, its objects and the device, which is reported when the module goes.
///
/// Context of dropping: process context, may sleep; takes reservation locks.
pub struct Owner<T: DriverVm>(ARef<Vm<T>>);

impl<T: DriverVm> Owner<T> {
    /// Makes an address space of `dev` in which nothing is mapped.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, and what `data` fails with. Context: may sleep to allocate.
    pub fn new(
        dev: &Device<T::Driver>,
        name: &'static CStr,
        layout: Layout,
        data: impl PinInit<T, Error>,
        tables: T::Tables,
    ) -> Result<Self> {
        // SAFETY: The device is valid. The caller keeps it until this function returns, where the result goes. The address space
        // has a reference of its own to what is in it, which it gives back before the device (L11).
        let resv = unsafe { SharedResv::new(dev.as_raw()) }?;
        let state = State {
            tables,
            closed: false,
        };
        let (state_lock, key) = lock_class!(c"drm_rust::Vm");
        let this = KBox::pin_init(
            try_pin_init!(Vm {
                // Zeroed by the allocator, see the flags.
                vm <- Opaque::ffi_init(|_| ()),
                state <- Mutex::new(state, state_lock, key),
                data <- data,
                _class: PhantomData,
            }? Error),
            GFP_KERNEL | __GFP_ZERO,
        )?;

        // SAFETY: It never moves: it is owned by C from here on (L11).
        let this = KBox::into_raw(unsafe { Pin::into_inner_unchecked(this) });
        let (all, reserved) = (layout.all, layout.reserved);
        // SAFETY: The C structure is zeroed and ours. Device and object are valid; C takes references to both. The
        // name and the table are static; the text in the table is of the module that drops address spaces. The ranges
        // have ends, and the reserved one is a part of the other (L11, L25).
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
        // SAFETY: Not null, and the first reference is ours (L21).
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
