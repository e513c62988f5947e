// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The memory of an issued fence, its operations, and how it ends.
//!
//! The module documentation of [`fence`](super) says what C demands, point by point.
//!
//! C headers: `include/linux/dma-fence.h`, `include/linux/timer.h`

use super::{
    class::{
        Class,
        Place, //
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

/// The memory of a fence that this crate issues; C frees it by `kfree_rcu` of the fence.
///
/// # Invariants
///
/// - It was allocated by kmalloc ([`Issued::alloc`]), and `base`, at offset 0, is initialised with [`OPS`] and its own lock.
/// - `class`, `node`, `dropped` and `armed` do not change; `timer` is initialised if `armed`.
/// - As long as the fence is not signalled, it holds a reference on `class.module`, and owns `node` unless
///   that is null. Whoever signals it, that is, gets `true` from the first step of [`Issued::finish`],
///   gives up both.
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

// Nothing here would be dropped when C frees the memory.
const _: () = assert!(!core::mem::needs_drop::<Issued>() && offset_of!(Issued, base) == 0);

/// Neither `release` nor `wait`: C then lets go of the table when a fence is signalled (L19).
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
/// Called by C with an issued fence that is not signalled, or was not at the start of the caller's RCU
/// read-side section (L19, L20).
unsafe extern "C" fn driver_name(fence: *mut bindings::dma_fence) -> *const c_char {
    // SAFETY: By the invariants of `Issued` the module of `class`, and with it the class and its names,
    // stays until the signal; after it, `free_module` waits for the caller's section (L19).
    unsafe { (*fence.cast::<Issued>()).class }.driver_name()
}

/// # Safety
///
/// As for [`driver_name`] (L19, L20).
unsafe extern "C" fn timeline_name(fence: *mut bindings::dma_fence) -> *const c_char {
    // SAFETY: As in `driver_name` (L19).
    unsafe { (*fence.cast::<Issued>()).class }.timeline_name()
}

/// The timer function: the fence has expired.
///
/// Nobody waits for this function when a fence is signalled in time: it may start although the timer was
/// deleted on another CPU just now, and find that the fence has no references any more. It runs in a
/// softirq, and an RCU grace period includes those: neither the fence's memory (`kfree_rcu`) nor this
/// text (`free_module`) goes before it returns.
///
/// # Safety
///
/// Called by C with the timer of an [`Issued`] (L20).
unsafe extern "C" fn expire(timer: *mut bindings::timer_list) {
    // SAFETY: Only timers within an `Issued` have this function (L20).
    let issued = unsafe { timer.byte_sub(offset_of!(Issued, timer)).cast::<Issued>() };

    // SAFETY: The memory is there until a grace period after the count has become zero, and that is not
    // over, see above (L19).
    if unsafe { raw::drm_rust_dma_fence_get_unless_zero(issued.cast()) } {
        // SAFETY: The count is at least one: we own a reference, which is put last (L21).
        unsafe {
            Issued::finish(issued, 0);
            raw::drm_rust_dma_fence_put(issued.cast());
        }
    }
}

impl Issued {
    /// A new fence with one reference, the caller's. It owns `node`; with `armed` it has a timer, which
    /// [`start`](Self::start) starts.
    ///
    /// Not inlined into drivers: the table and the timer function must be this module's.
    #[inline(never)]
    pub(super) fn alloc(
        class: &'static Class,
        place: Place,
        armed: bool,
        node: Option<KBox<Node>>,
    ) -> Result<NonNull<Self>> {
        let memory = KBox::<MaybeUninit<Self>>::new_uninit(GFP_KERNEL)?;
        // SAFETY: The pointer is that of the class's module, or null. The reference counts in the module's init, too:
        // if that fails, `Running` waits for it before C frees the module (L15).
        if !unsafe { bindings::try_module_get(class.module()) } {
            return Err(ENODEV);
        }

        let this = KBox::into_raw(memory).cast::<Self>();
        let node = node.map_or(null_mut(), |node| Node::into_owned_by(node, this));
        // SAFETY: We own the memory, which is valid for writes. C initialises all of `base`: with a null
        // lock it uses the fence's own. `expire` is for timers within an `Issued`. `class` goes first: a
        // tracepoint in `dma_fence_init64` may ask for the names (L19).
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
                place.context,
                place.seqno,
            );
        }

        // INVARIANT: All were established above; the module was pinned for the unsignalled fence.
        // SAFETY: `this` comes from a box, so it is not null (L19).
        Ok(unsafe { NonNull::new_unchecked(this) })
    }

    /// Starts the timer; then the fence may expire at any moment.
    ///
    /// # Safety
    ///
    /// `this` is an issued fence on which the caller holds a reference, made with `armed`, not started
    /// before, and that nobody can have signalled (L19, L21).
    #[inline]
    pub(super) unsafe fn start(this: *mut Self, timeout: Timeout) {
        // Half of what `Timeout` can say, which is longer than machines run: the timer wheel compares with its own
        // clock, which may lag behind `jiffies`, and would take the whole for a time that has passed.
        let ticks = timeout.jiffies().min(Timeout::MAX.jiffies() / 2);
        // SAFETY: By the caller. `jiffies` is always readable; C reads it without a lock as well (L19).
        unsafe {
            let now = (&raw const bindings::jiffies).read_volatile();
            bindings::mod_timer((&raw mut (*this).timer).cast(), now.wrapping_add(ticks));
        }
    }

    /// The error with which the fence ends if its signaller is dropped. It is kept in the fence's own
    /// memory, because the class may be gone when that happens.
    ///
    /// # Safety
    ///
    /// `this` is an issued fence on which the caller holds a reference (L21).
    pub(super) unsafe fn error_when_dropped(this: *mut Self) -> c_int {
        // SAFETY: The fence is alive, and the field does not change (L21).
        unsafe { (*this).dropped }
    }

    /// The node through which the fence is in a set; null if it has none.
    ///
    /// # Safety
    ///
    /// `this` is an issued fence on which the caller holds a reference (L21).
    pub(super) unsafe fn node(this: *mut Self) -> *mut Node {
        // SAFETY: The fence is alive, and the field does not change (L21).
        unsafe { (*this).node }
    }

    /// Signals the fence with `error` (zero for none) unless it is signalled; says whether it did.
    ///
    /// Not inlined into drivers: the reference on the module must be put by this module's text (L15).
    ///
    /// # Safety
    ///
    /// `this` is an issued fence on which the caller holds a reference (L21).
    #[inline(never)]
    pub(super) unsafe fn finish(this: *mut Self, error: c_int) -> bool {
        // SAFETY: The fence is alive; `error` is zero or comes from an `Error` (L21).
        if !unsafe { raw::drm_rust_dma_fence_signal_once(this.cast(), error) } {
            return false;
        }

        // SAFETY: By the invariants of `Issued`: the fields are initialised, and we have signalled, so the
        // reference and the node are ours to give up, and `class` may be used until the reference is put.
        // The timer may be running: `expire` says why nobody needs to wait for it (L19).
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
