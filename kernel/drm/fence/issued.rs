// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The memory of an issued fence, its operations, and its end.
//!
//! The module documentation of [`fence`](super) lists what C requires.
//!
//! C headers: `include/linux/dma-fence.h`, `include/linux/timer.h`

use super::{
    class::{
        Class,
        Point, //
    },
    pending::Node,
    Timeout, //
};
use crate::raw;
use core::{
    mem::{
        offset_of,
        MaybeUninit, //
    },
    ptr::{
        null_mut,
        NonNull, //
    },
};
use kernel::{
    bindings,
    ffi::{
        c_char,
        c_int, //
    },
    prelude::*,
    types::Opaque, //
};

/// The memory of a fence that this crate issues. C frees it by `kfree_rcu` of the fence.
///
/// # Invariants
///
/// - kmalloc allocated it ([`Issued::alloc`]). `base`, at offset 0, is initialised with [`OPS`] and
///   its own lock.
/// - `class`, `node`, `dropped` and `armed` do not change. `timer` is initialised if `armed`.
/// - While the fence is not signalled, it holds a reference on `class.module`, and owns `node`
///   unless that is null. The caller that signals it (gets `true` from the first step of
///   [`Issued::finish`]) drops both.
/// - `class` may be used until then.
#[repr(C)]
pub(super) struct Issued {
    base: Opaque<bindings::dma_fence>,
    class: &'static Class,
    node: *mut Node,
    timer: Opaque<bindings::timer_list>,
    dropped: c_int,
    armed: bool,
}

// C frees the memory without dropping anything in it.
const _: () = assert!(!core::mem::needs_drop::<Issued>() && offset_of!(Issued, base) == 0);

/// The operations of an issued fence. They have neither `release` nor `wait`, so C clears the
/// fence's pointer to them when it is signalled (L19).
static OPS: bindings::dma_fence_ops = bindings::dma_fence_ops {
    get_driver_name: Some(driver_name),
    get_timeline_name: Some(timeline_name),
    enable_signaling: None,
    signaled: None,
    wait: None,
    release: None,
    set_deadline: None,
};

/// # Safety
///
/// Called by C with an issued fence that is not signalled, or was not at the start of the caller's
/// RCU read-side section (L19, L20).
unsafe extern "C" fn driver_name(fence: *mut bindings::dma_fence) -> *const c_char {
    // SAFETY: By the invariants of `Issued`, the module of `class` stays until the signal, and with
    // it the class and its names. After the signal, `free_module` waits for the caller's section
    // (L19).
    unsafe { (*fence.cast::<Issued>()).class }.driver_name()
}

/// # Safety
///
/// As for [`driver_name`] (L19, L20).
unsafe extern "C" fn timeline_name(fence: *mut bindings::dma_fence) -> *const c_char {
    // SAFETY: As in `driver_name` (L19).
    unsafe { (*fence.cast::<Issued>()).class }.timeline_name()
}

/// Handles the timer: the fence has expired.
///
/// When a fence is signalled in time, no code waits for this function. It may start although
/// another CPU has just deleted the timer, and find that the fence has no references any more. It
/// runs in a softirq, which an RCU grace period includes. So neither the fence's memory
/// (`kfree_rcu`) nor this text (`free_module`) is freed before it returns.
///
/// # Safety
///
/// Called by C with the timer of an [`Issued`] (L20).
unsafe extern "C" fn expire(timer: *mut bindings::timer_list) {
    // SAFETY: Only timers within an `Issued` have this function (L20).
    let issued = unsafe { timer.byte_sub(offset_of!(Issued, timer)).cast::<Issued>() };

    // SAFETY: The memory exists until a grace period after the count has become zero. That grace
    // period is not over, see above (L19).
    if unsafe { raw::drm_rust_dma_fence_get_unless_zero(issued.cast()) } {
        // SAFETY: The count is at least one: we own a reference, which is put last (L21).
        unsafe {
            Issued::finish(issued, 0);
            raw::drm_rust_dma_fence_put(issued.cast());
        }
    }
}

impl Issued {
    /// Creates a fence with one reference, the caller's. The fence owns `node`. With `armed` it has
    /// a timer, which [`start`](Self::start) starts.
    ///
    /// Not inlined into drivers, because the table and the timer function must be this module's.
    #[inline(never)]
    pub(super) fn alloc(
        class: &'static Class,
        point: Point,
        armed: bool,
        node: Option<KBox<Node>>,
    ) -> Result<NonNull<Self>> {
        let memory = KBox::<MaybeUninit<Self>>::new_uninit(GFP_KERNEL)?;
        // SAFETY: The pointer is that of the class's module, or null. The reference also counts in
        // the module's init: if that fails, `Running` waits for it before C frees the module (L15).
        if !unsafe { bindings::try_module_get(class.module()) } {
            return Err(ENODEV);
        }

        let this = KBox::into_raw(memory).cast::<Self>();
        let node = node.map_or(null_mut(), |node| Node::into_owned_by(node, this));
        // SAFETY: We own the memory, which is valid for writes. C initialises all of `base`: with a
        // null lock it uses the fence's own. `expire` is for timers within an `Issued`. `class` is
        // written first, because a tracepoint in `dma_fence_init64` may read the names (L19).
        unsafe {
            (&raw mut (*this).class).write(class);
            (&raw mut (*this).node).write(node);
            (&raw mut (*this).dropped).write(class.error_when_dropped());
            (&raw mut (*this).armed).write(armed);
            if armed {
                raw::drm_rust_timer_setup((&raw mut (*this).timer).cast(), Some(expire));
            }
            bindings::dma_fence_init64(
                this.cast(),
                &raw const OPS,
                null_mut(),
                point.context,
                point.seqno,
            );
        }

        // INVARIANT: The code above established all invariants. The module is pinned for the
        // unsignalled fence.
        // SAFETY: `this` comes from a box, so it is not null (L19).
        Ok(unsafe { NonNull::new_unchecked(this) })
    }

    /// Starts the timer. From then on the fence may expire at any moment.
    ///
    /// # Safety
    ///
    /// `this` is an issued fence on which the caller holds a reference. It was made with `armed`
    /// and not started before, and no other code can have signalled it (L19, L21).
    #[inline]
    pub(super) unsafe fn start(this: *mut Self, timeout: Timeout) {
        // Limit the time to half of the maximum, which is still longer than machines run. The timer
        // wheel compares with its own clock, which may lag behind `jiffies`. It would take the
        // maximum for a time in the past.
        let ticks = timeout.jiffies().min(Timeout::MAX.jiffies() / 2);
        // SAFETY: By the caller. `jiffies` is always readable, and C also reads it without a lock
        // (L19).
        unsafe {
            let now = (&raw const bindings::jiffies).read_volatile();
            bindings::mod_timer((&raw mut (*this).timer).cast(), now.wrapping_add(ticks));
        }
    }

    /// Returns the error with which the fence ends if its signaller is dropped. The fence's own
    /// memory holds it, because the class may already be freed when that happens.
    ///
    /// # Safety
    ///
    /// `this` is an issued fence on which the caller holds a reference (L21).
    pub(super) unsafe fn error_when_dropped(this: *mut Self) -> c_int {
        // SAFETY: The fence is alive, and the field does not change (L21).
        unsafe { (*this).dropped }
    }

    /// Returns the node that links the fence into a set; null if it has none.
    ///
    /// # Safety
    ///
    /// `this` is an issued fence on which the caller holds a reference (L21).
    pub(super) unsafe fn node(this: *mut Self) -> *mut Node {
        // SAFETY: The fence is alive, and the field does not change (L21).
        unsafe { (*this).node }
    }

    /// Signals the fence with `error` (zero for success) unless it is signalled. Returns whether
    /// this call signalled it.
    ///
    /// Not inlined into drivers, because this module's text must put the reference on the module
    /// (L15).
    ///
    /// # Safety
    ///
    /// `this` is an issued fence on which the caller holds a reference (L21).
    #[inline(never)]
    pub(super) unsafe fn finish(this: *mut Self, error: c_int) -> bool {
        // SAFETY: The fence is alive. `error` is zero or comes from an `Error` (L21).
        if !unsafe { raw::drm_rust_dma_fence_signal_once(this.cast(), error) } {
            return false;
        }

        // SAFETY: By the invariants of `Issued`. The fields are initialised. We have signalled, so
        // the reference and the node are ours to drop, and `class` may be used until the reference
        // is put. The timer may be running; `expire` documents why nothing needs to wait for it
        // (L19).
        unsafe {
            if (*this).armed {
                bindings::timer_delete((&raw mut (*this).timer).cast());
            }
            if let Some(node) = NonNull::new((*this).node) {
                Node::retire(node);
            }
            bindings::module_put((*this).class.module());
        }
        true
    }
}
