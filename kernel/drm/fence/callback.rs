// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Callbacks that run when a fence is signalled.
//!
//! C header: `include/linux/dma-fence.h` (`dma_fence_add_callback`)

use super::Fence;
use crate::{
    module::ModuleRuntime,
    raw, //
};
use core::{
    cell::UnsafeCell,
    mem::ManuallyDrop,
    ptr::null_mut, //
};
use kernel::{
    bindings,
    module::this_module,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Acquire,
            Atomic,
            Relaxed,
            Release, //
        },
    },
    types::Opaque, //
};

/// A function to call when a fence is signalled. Dropping this value removes the function.
///
/// [`Fence::on_signal`] creates it. The function runs at most once, in the context in which the
/// fence is signalled, under the fence's lock and with interrupts off. It is dropped right after.
/// So neither the function nor what it owns may sleep, wait, or take a lock that is ever held while
/// this fence is signalled. Queue a work item from the function for anything more.
///
/// The function may drop its own `Callback`, which is freed when the function returns. It may drop
/// other callbacks of this fence: their functions are dropped without running. (Not on a
/// `PREEMPT_RT` kernel: there the drop waits forever.) Signalling or dropping the
/// [`Signaler`](super::Signaler) of *another* fence works, but takes a lock of the same class as
/// the one that is held. lockdep takes that for a recursion, so better leave it to the work item
/// too.
///
/// Dropping waits for a running call. Afterwards the function is not running and will not run. Do
/// not drop it under a lock that the function takes. Forgetting it (`mem::forget`) leaks its memory
/// and leaves the function registered.
///
/// The function's module cannot be unloaded until the function has run or was removed.
///
/// # Invariants
///
/// `entry` was added to `fence`, unless its state is `FIRED`. This type frees it. If the value is
/// dropped in a function that runs under the fence's lock, `run` frees it instead.
pub struct Callback<F: FnOnce(&Fence) + Send + 'static> {
    fence: ARef<Fence>,
    entry: ManuallyDrop<Pin<KBox<Entry<F>>>>,
}

/// The function has not run.
const WAITING: i32 = 0;
/// The function is dropped. It has run, or was never added because the fence was signalled.
const FIRED: i32 = 1;

/// The part of an entry that does not depend on the function's type.
#[repr(C)]
struct Head {
    /// Lies at offset 0, because C passes this pointer to [`fire`].
    cb: Opaque<bindings::dma_fence_cb>,
    run: unsafe fn(*const Head, &Fence),
    module: &'static ThisModule,
    state: Atomic<i32>,
    /// Whether the owner has dropped the entry under the fence's lock. [`run`] then frees the
    /// entry.
    abandoned: Atomic<bool>,
}

/// # Invariants
///
/// C's call of [`fire`], which happens at most once, uses `function`. Once that can no longer
/// happen, the owner uses it.
#[repr(C)]
#[pin_data]
struct Entry<F> {
    #[pin]
    head: Head,
    function: UnsafeCell<Option<F>>,
}

/// Runs an entry's function when C signals the fence.
///
/// Never inlined into a driver: it puts the reference on the driver's module from the text of
/// `drm_rust.ko`, after the last instruction in the driver's text (L15). Interrupts are off, so the
/// grace period in `free_module` in turn waits for this function.
///
/// # Safety
///
/// Called by C with the `cb` of an [`Entry`] that was added to `fence`, under the fence's lock
/// (L19, L20).
#[inline(never)]
unsafe extern "C" fn fire(fence: *mut bindings::dma_fence, cb: *mut bindings::dma_fence_cb) {
    let head = cb.cast_const().cast::<Head>();
    // SAFETY: The entry stays until `run` has set its state, or until `remove`, which takes the
    // fence's lock, has found that it will not run. It is not used after `run`. The module stays
    // until its reference is put (L15, L19).
    unsafe {
        let module = (*head).module.as_ptr();
        let mut firing = raw::drm_rust_firing {
            fence,
            below: null_mut(),
        };
        raw::drm_rust_firing_begins(&mut firing);
        ((*head).run)(head, Fence::from_raw(fence));
        raw::drm_rust_firing_ends(&mut firing);
        bindings::module_put(module);
    }
}

/// Adds `head` to `fence`. Returns `false` if the fence was already signalled.
///
/// # Safety
///
/// `head` belongs to a pinned [`Entry`] that stays until [`remove`] or [`fire`] is done with it
/// (L19).
#[inline(never)]
unsafe fn add(fence: &Fence, head: *const Head) -> Result<bool> {
    // SAFETY: By the caller (L19).
    let (module, cb) = unsafe { ((*head).module.as_ptr(), (*head).cb.get()) };
    // SAFETY: The pointer is that of the function's module, or null. The reference also counts in
    // the module's init: if that fails, `Running` waits for it before C frees the module (L15).
    if !unsafe { bindings::try_module_get(module) } {
        return Err(ENODEV);
    }
    // SAFETY: By the caller. This call initialises `cb` (L19).
    let ret = unsafe { bindings::dma_fence_add_callback(fence.as_raw(), cb, Some(fire)) };
    if ret != 0 {
        // SAFETY: `fire` will not run, so the reference is ours to put. The caller runs in the text
        // of the module, which something else keeps loaded (L15).
        unsafe { bindings::module_put(module) };
    }
    Ok(ret == 0)
}

/// Removes `head`, or waits until [`fire`] is done with it.
///
/// # Safety
///
/// `head` was added to `fence` successfully (L19).
#[inline(never)]
unsafe fn remove(fence: &Fence, head: &Head) {
    // SAFETY: By the caller. The call takes the fence's lock, under which callbacks run. If it
    // returns `false`, our callback has returned (L19).
    if unsafe { bindings::dma_fence_remove_callback(fence.as_raw(), head.cb.get()) } {
        // SAFETY: `fire` will not run any more, so its reference is ours to put. For the caller,
        // see `add` (L15).
        unsafe { bindings::module_put(head.module.as_ptr()) };
    }
}

/// Runs and drops the function of an entry. If the owner has dropped the entry, drops the function
/// without running it.
///
/// # Safety
///
/// `head` belongs to an `Entry<F>`, and the caller may use its function (L20).
unsafe fn run<F: FnOnce(&Fence)>(head: *const Head, fence: &Fence) {
    // SAFETY: By the caller. `head` is the first field of the entry (L20).
    let entry = unsafe { &*head.cast::<Entry<F>>() };
    // SAFETY: By the caller (L20).
    let function = unsafe { (*entry.function.get()).take() };
    if let Some(function) = function.filter(|_| !entry.head.abandoned.load(Relaxed)) {
        function(fence);
    }
    if entry.head.abandoned.load(Relaxed) {
        // SAFETY: The pointer comes from the box of a `Callback` that was dropped under the lock
        // held here. So the entry is ours (L20).
        drop(unsafe { KBox::from_raw(head.cast_mut().cast::<Entry<F>>()) });
        return;
    }
    // This is the last access: the owner may free the entry from now on.
    entry.head.state.store(FIRED, Release);
}

// SAFETY: The function is `Send`. C protects the rest with the fence's lock (L15).
unsafe impl<F: FnOnce(&Fence) + Send> Send for Callback<F> {}
// SAFETY: A shared reference only reads the state (L15).
unsafe impl<F: FnOnce(&Fence) + Send> Sync for Callback<F> {}

impl<F: FnOnce(&Fence) + Send + 'static> Callback<F> {
    /// Returns whether the function has run. Context: any.
    pub fn has_run(&self) -> bool {
        self.entry.head.state.load(Acquire) == FIRED
    }

    /// Returns the fence.
    pub fn fence(&self) -> &Fence {
        &self.fence
    }
}

impl<F: FnOnce(&Fence) + Send + 'static> Drop for Callback<F> {
    fn drop(&mut self) {
        // Setting this state is the last access to an entry: neither `fire` nor C uses it
        // afterwards.
        if !self.has_run() {
            // SAFETY: A reference to a fence is valid (L19).
            if unsafe { raw::drm_rust_is_locked_by_firing(self.fence.as_raw()) } {
                // `remove` would wait forever, because the caller runs under the lock that `remove`
                // takes. The entry's function is either further up this stack or has not begun, so
                // `run` reads this flag later.
                self.entry.head.abandoned.store(true, Relaxed);
                return;
            }
            // SAFETY: By the type invariants the entry was added (L19).
            unsafe { remove(&self.fence, &self.entry.head) };
        }
        // SAFETY: No other code uses the entry any more, and this value is not used again (L19).
        unsafe { ManuallyDrop::drop(&mut self.entry) };
    }
}

impl Fence {
    /// Calls `function` when the fence is signalled. If it already is, calls `function`
    /// immediately, in the caller's context.
    ///
    /// [`Callback`] documents what `function` may do, how to remove it, and when it is dropped. `M`
    /// is the module that contains `function` (`LocalModule`). It stays loaded for the function.
    ///
    /// # Errors
    ///
    /// Fails with `ENOMEM`, and with `ENODEV` if the module is being unloaded. `function` has not
    /// run then.
    ///
    /// Context: process context; may sleep to allocate.
    pub fn on_signal<M, F>(&self, function: F) -> Result<Callback<F>>
    where
        M: ModuleRuntime,
        F: FnOnce(&Fence) + Send + 'static,
    {
        let entry = KBox::pin(
            Entry {
                head: Head {
                    cb: Opaque::zeroed(),
                    run: run::<F>,
                    module: this_module::<M>(),
                    state: Atomic::new(WAITING),
                    abandoned: Atomic::new(false),
                },
                function: UnsafeCell::new(Some(function)),
            },
            GFP_KERNEL,
        )?;

        // Takes the address of the whole entry, because `run` casts it back. The head comes first.
        let head = core::ptr::from_ref(&*entry).cast::<Head>();
        // SAFETY: The entry is pinned, and `Callback` removes it before it frees it (L19).
        if !unsafe { add(self, head) }? {
            // SAFETY: The entry was not added, so the function is ours (L19).
            unsafe { run::<F>(head, self) };
        }
        // INVARIANT: The entry was added, or it has fired.
        Ok(Callback {
            fence: ARef::from(self),
            entry: ManuallyDrop::new(entry),
        })
    }
}
