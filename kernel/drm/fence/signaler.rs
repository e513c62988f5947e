// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The issuing side of a fence: its class, its timeline, and the one who signals it.
//!
//! The module documentation of [`fence`](super) says how a fence ends and why that is sound.
//!
//! C headers: `include/linux/dma-fence.h`, `include/linux/timer.h`

use super::{
    pending::Node,
    Fence,
    Timeout, //
};
use crate::{
    raw,
    Driver, //
};
use core::{
    mem::{
        offset_of,
        ManuallyDrop,
        MaybeUninit, //
    },
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    ffi::{
        c_char,
        c_int,
        c_void, //
    },
    module::this_module,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            Relaxed, //
        },
    },
    types::{
        ForeignOwnable,
        Opaque, //
    },
    ModuleMetadata, //
};

/// What the fences of one kind have in common: their names, their module, and what dropping means.
///
/// A `static` in the driver. The names appear where the kernel describes fences to people
/// (`/sys/kernel/debug/dma_buf/bufinfo`, tracepoints) and in `SYNC_IOC_FILE_INFO`.
pub struct Class {
    driver_name: &'static CStr,
    timeline_name: &'static CStr,
    module: &'static ThisModule,
    /// The error that a fence gets whose [`Signaler`] is dropped; zero for success.
    dropped: c_int,
}

impl Class {
    /// A class of fences that the module `M` issues; write `LocalModule` for it.
    ///
    /// `M` is kept loaded while a fence of the class is not signalled; the names and the class itself must
    /// belong to it.
    pub const fn new<M: ModuleMetadata>(
        driver_name: &'static CStr,
        timeline_name: &'static CStr,
    ) -> Self {
        Self {
            driver_name,
            timeline_name,
            module: this_module::<M>(),
            dropped: -(bindings::ECANCELED as c_int),
        }
    }

    /// A class of fences of the driver `T`, under that driver's name.
    pub const fn of<T: Driver>(timeline_name: &'static CStr) -> Self {
        Self::new::<T::OwnerModule>(T::INFO.name, timeline_name)
    }

    /// Makes dropping a [`Signaler`] mean success instead of `ECANCELED`.
    ///
    /// For fences that a client signals, and whose end without it is no failure (as with C's `vgem`).
    pub const fn success_when_dropped(mut self) -> Self {
        self.dropped = 0;
        self
    }

    /// Issues a fence on a timeline of its own, that is, without an order among others.
    ///
    /// With a `timeout`, the fence is signalled without an error when that has passed. The kernel's rule
    /// is that every fence ends in reasonable time whatever clients and hardware do: pass one unless
    /// something else guarantees that.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `ENODEV` when the module is being unloaded.
    ///
    /// Context: process context; may sleep to allocate.
    pub fn issue(&'static self, timeout: Option<Timeout>) -> Result<Signaler> {
        let signaler = Signaler::new(self, Place::alone(), timeout.is_some(), None)?;
        signaler.start(timeout);
        Ok(signaler)
    }
}

/// A sequence of fences that are finished in the order in which they were issued.
///
/// Others rely on that order: a reservation object keeps only the last fence of a timeline for each usage.
/// Signal them in order; a queue whose jobs may finish in any order needs one timeline per job.
pub struct Timeline {
    class: &'static Class,
    context: u64,
    issued: Atomic<u64>,
}

impl Timeline {
    /// A new timeline for fences of `class`. Context: any.
    pub fn new(class: &'static Class) -> Self {
        Self {
            class,
            context: Place::new_context(),
            issued: Atomic::new(0),
        }
    }

    /// The number that [`Fence::context`] returns for fences of this timeline.
    pub fn context(&self) -> u64 {
        self.context
    }

    /// Issues the next fence. `timeout`, errors and context as for [`Class::issue`].
    ///
    /// Concurrent callers get different places, in no particular order: hold the lock that orders the
    /// jobs.
    pub fn issue(&self, timeout: Option<Timeout>) -> Result<Signaler> {
        let signaler = Signaler::new(self.class, self.next(), timeout.is_some(), None)?;
        signaler.start(timeout);
        Ok(signaler)
    }

    pub(super) fn class(&self) -> &'static Class {
        self.class
    }

    pub(super) fn next(&self) -> Place {
        Place {
            context: self.context,
            seqno: self.issued.fetch_add(1, Relaxed) + 1,
        }
    }
}

/// Where a fence stands: its timeline and its number there.
pub(super) struct Place {
    context: u64,
    seqno: u64,
}

impl Place {
    /// The first place of a new timeline.
    #[inline]
    pub(super) fn alone() -> Self {
        Self {
            context: Self::new_context(),
            seqno: 1,
        }
    }

    #[inline]
    fn new_context() -> u64 {
        // SAFETY: No preconditions; the number of contexts is not zero.
        unsafe { bindings::dma_fence_context_alloc(1) }
    }
}

/// The memory of a fence that this crate issues; C frees it by `kfree_rcu` of the fence.
///
/// # Invariants
///
/// - It was allocated by kmalloc, and `base`, at offset 0, is initialised with [`OPS`] and its own lock.
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
/// read-side section.
unsafe extern "C" fn driver_name(fence: *mut bindings::dma_fence) -> *const c_char {
    // SAFETY: By the invariants of `Issued` the module of `class`, and with it the class and its names,
    // stays until the signal; after it, `free_module` waits for the caller's section.
    unsafe { (*fence.cast::<Issued>()).class }
        .driver_name
        .as_char_ptr()
}

/// # Safety
///
/// As for [`driver_name`].
unsafe extern "C" fn timeline_name(fence: *mut bindings::dma_fence) -> *const c_char {
    // SAFETY: As in `driver_name`.
    unsafe { (*fence.cast::<Issued>()).class }
        .timeline_name
        .as_char_ptr()
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
/// Called by C with the timer of an [`Issued`].
unsafe extern "C" fn expire(timer: *mut bindings::timer_list) {
    // SAFETY: Only timers within an `Issued` have this function.
    let issued = unsafe { timer.byte_sub(offset_of!(Issued, timer)).cast::<Issued>() };

    // SAFETY: The memory is there until a grace period after the count has become zero, and that is not
    // over, see above.
    if unsafe { raw::drm_rust_dma_fence_get_unless_zero(issued.cast()) } {
        // SAFETY: The count is at least one: we own a reference, which is put last.
        unsafe {
            Issued::finish(issued, 0);
            raw::drm_rust_dma_fence_put(issued.cast());
        }
    }
}

impl Issued {
    /// The node through which the fence is in a set; null if it has none.
    ///
    /// # Safety
    ///
    /// `this` is an issued fence on which the caller holds a reference.
    pub(super) unsafe fn node(this: *mut Self) -> *mut Node {
        // SAFETY: The fence is alive, and the field does not change.
        unsafe { (*this).node }
    }

    /// Signals the fence with `error` (zero for none) unless it is signalled; says whether it did.
    ///
    /// Not inlined into drivers: the reference on the module must be put by this module's text (L15).
    ///
    /// # Safety
    ///
    /// `this` is an issued fence on which the caller holds a reference.
    #[inline(never)]
    pub(super) unsafe fn finish(this: *mut Self, error: c_int) -> bool {
        // SAFETY: The fence is alive; `error` is zero or comes from an `Error`.
        if !unsafe { raw::drm_rust_dma_fence_signal_once(this.cast(), error) } {
            return false;
        }

        // SAFETY: By the invariants of `Issued`: the fields are initialised, and we have signalled, so the
        // reference and the node are ours to give up, and `class` may be used until the reference is put.
        // The timer may be running: `expire` says why nobody needs to wait for it.
        unsafe {
            if (*this).armed {
                bindings::timer_delete((&raw mut (*this).timer).cast());
            }
            if let Some(node) = NonNull::new((*this).node) {
                Node::retire(node);
            }
            bindings::module_put((*this).class.module.as_ptr());
        }
        true
    }
}

/// Who signals a fence: the only one, apart from its timeout and its [`Pending`](super::Pending) set.
///
/// Dereferences to the [`Fence`], to be shared with `ARef::from(&**signaler)` or
/// [`share`](Self::share), or to be given to [`Resv::attach`](crate::resv::Resv::attach). Dropping it
/// signals the fence, with `ECANCELED` unless its [`Class`] says otherwise: work that nobody is left to
/// report on was not done, and waiters must not wait for ever.
///
/// It can be stored in an `XArray` as it is, without a box.
///
/// Context of all methods and of dropping: any; interrupts included.
///
/// # Invariants
///
/// Points to an [`Issued`] fence and owns a reference on it.
pub struct Signaler(NonNull<Issued>);

// SAFETY: A fence may be signalled by any thread.
unsafe impl Send for Signaler {}
// SAFETY: A shared reference gives no more than the `Fence`, which is `Sync`.
unsafe impl Sync for Signaler {}

impl Signaler {
    /// Makes a fence that owns `node`; `armed` says whether [`start`](Self::start) will get a timeout.
    #[inline]
    pub(super) fn new(
        class: &'static Class,
        place: Place,
        armed: bool,
        node: Option<KBox<Node>>,
    ) -> Result<Self> {
        let memory = KBox::<MaybeUninit<Issued>>::new_uninit(GFP_KERNEL)?;
        // SAFETY: The pointer is that of a module, or null.
        if !unsafe { bindings::try_module_get(class.module.as_ptr()) } {
            return Err(ENODEV);
        }

        let issued = KBox::into_raw(memory).cast::<Issued>();
        let node = node.map_or(core::ptr::null_mut(), |node| {
            let node = KBox::into_raw(node);
            // SAFETY: It comes from a box and nobody else knows it yet.
            unsafe { (*node).fence = issued };
            node
        });
        // SAFETY: We own the memory, which is valid for writes. C initialises all of `base`: with a null
        // lock it uses the fence's own. `expire` is for timers within an `Issued`. `class` goes first: a
        // tracepoint in `dma_fence_init64` may ask for the names.
        unsafe {
            (&raw mut (*issued).class).write(class);
            (&raw mut (*issued).node).write(node);
            (&raw mut (*issued).dropped).write(class.dropped);
            (&raw mut (*issued).armed).write(armed);
            if armed {
                raw::drm_rust_timer_setup((&raw mut (*issued).timer).cast(), Some(expire));
            }
            bindings::dma_fence_init64(
                issued.cast(),
                &raw const OPS,
                core::ptr::null_mut(),
                place.context,
                place.seqno,
            );
        }

        // INVARIANT: All invariants of `Issued` were established above, and `dma_fence_init64` sets the
        // count to one, which is ours.
        // SAFETY: `issued` comes from a box, so it is not null.
        Ok(Self(unsafe { NonNull::new_unchecked(issued) }))
    }

    /// Starts the timer, once, if there is a timeout; then the fence may expire at any moment.
    ///
    /// Nobody else may have been able to signal the fence before: the timer would stay behind.
    #[inline]
    pub(super) fn start(&self, timeout: Option<Timeout>) {
        let Some(timeout) = timeout else { return };
        // SAFETY: By the type invariants the fence is alive; a fence for which a timeout is passed here
        // was made with `armed`. `jiffies` is always readable; C reads it without a lock as well.
        unsafe {
            let now = (&raw const bindings::jiffies).read_volatile();
            bindings::mod_timer(
                (&raw mut (*self.0.as_ptr()).timer).cast(),
                now.wrapping_add(timeout.jiffies()),
            );
        }
    }

    /// An owned reference to the fence.
    pub fn share(&self) -> ARef<Fence> {
        ARef::from(&**self)
    }

    /// Signals success. Returns whether this call did it: `false` if the fence had expired, or its
    /// [`Pending`](super::Pending) set had ended it.
    ///
    /// Runs the callbacks that others added to the fence, under its lock with interrupts off.
    #[inline]
    pub fn signal(self) -> bool {
        self.finish(0)
    }

    /// Signals that the work has failed with `error`; returns as [`signal`](Self::signal) does.
    ///
    /// By convention `ENODATA` (it produced nothing), `ECANCELED` (the timeline was cancelled), `ETIME`
    /// (it took too long), `ENODEV` (the hardware is gone).
    #[inline]
    pub fn fail(self, error: Error) -> bool {
        self.finish(error.to_errno())
    }

    #[inline]
    fn finish(self, error: c_int) -> bool {
        let this = ManuallyDrop::new(self);
        // SAFETY: By the type invariants we own a reference; it is given up here, once, as `this` is not
        // dropped.
        unsafe {
            let first = Issued::finish(this.0.as_ptr(), error);
            raw::drm_rust_dma_fence_put(this.0.as_ptr().cast());
            first
        }
    }

    pub(super) fn as_ptr(&self) -> *mut Issued {
        self.0.as_ptr()
    }
}

impl Drop for Signaler {
    fn drop(&mut self) {
        // SAFETY: By the type invariants we own a reference, which is given up last. The fence may be
        // signalled and the module of its class gone, but `dropped` is in the fence's own memory.
        unsafe {
            let error = (*self.0.as_ptr()).dropped;
            Issued::finish(self.0.as_ptr(), error);
            raw::drm_rust_dma_fence_put(self.0.as_ptr().cast());
        }
    }
}

impl Deref for Signaler {
    type Target = Fence;

    #[inline]
    fn deref(&self) -> &Fence {
        // SAFETY: By the type invariants the fence is alive while `self` is.
        unsafe { Fence::from_raw(self.0.as_ptr().cast()) }
    }
}

// SAFETY: The pointer is that of a kmalloc allocation, whose alignment is that of `Issued` at least.
unsafe impl ForeignOwnable for Signaler {
    const FOREIGN_ALIGN: usize = align_of::<Issued>();

    type Borrowed<'a> = &'a Fence;
    type BorrowedMut<'a> = &'a Fence;

    fn into_foreign(self) -> *mut c_void {
        ManuallyDrop::new(self).0.as_ptr().cast()
    }

    unsafe fn from_foreign(ptr: *mut c_void) -> Self {
        // INVARIANT: `ptr` comes from `into_foreign`, which gave up the reference.
        // SAFETY: For the same reason it is not null.
        Self(unsafe { NonNull::new_unchecked(ptr.cast()) })
    }

    unsafe fn borrow<'a>(ptr: *mut c_void) -> &'a Fence {
        // SAFETY: The caller promises that the object stays for `'a`, and with it its reference.
        unsafe { Fence::from_raw(ptr.cast()) }
    }

    unsafe fn borrow_mut<'a>(ptr: *mut c_void) -> &'a Fence {
        // SAFETY: As above.
        unsafe { Fence::from_raw(ptr.cast()) }
    }
}
