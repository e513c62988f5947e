// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Vertical blanking: when a frame ends.
//!
//! [`DriverCrtc::Vblank`] says where a CRTC's vblanks come from: from the [`Hardware`], from a
//! [`Timer`] for displays that do not report them, or from [`Nowhere`].
//!
//! C header: `include/drm/drm_vblank.h`

use super::{
    crtc::{
        Crtc,
        DriverCrtc, //
    },
    mode::Mode,
    Driver,
    Hw,
    Key, //
};
use crate::{
    lock_class::lock_class,
    raw,
    Device,
    Plugged, //
};
use core::{
    mem::offset_of,
    ptr::null_mut,
    sync::atomic::{
        AtomicPtr,
        Ordering, //
    }, //
};
use kernel::{
    bindings,
    error::from_result,
    prelude::*,
    sync::SpinLockIrq,
    task::Task,
    types::Opaque, //
};

mod private {
    /// Sealed for each CRTC: the callbacks of a source are those for one class of CRTCs.
    pub trait Sealed<C> {}
}

/// Where the vblanks of a CRTC come from. Sealed: [`Timer`], [`Hardware`] or [`Nowhere`].
#[diagnostic::on_unimplemented(
    message = "vblanks cannot come from `{Self}`",
    label = "not a source of vblanks",
    note = "use `vblank::Timer`, or `vblank::Hardware` with `vblank::HardwareVblank` for `{C}`, or `vblank::Nowhere`"
)]
pub trait Source<C: DriverCrtc>: private::Sealed<C> {
    /// The callbacks of the CRTC.
    #[doc(hidden)]
    const OPS: Ops;
}

/// The callbacks of a source of vblanks.
#[doc(hidden)]
pub struct Ops {
    /// Whether there are vblanks.
    pub(super) counts: bool,
    /// Whether they come from hardware, which shows a picture until then.
    pub(super) by_hardware: bool,
    pub(super) enable: Option<unsafe extern "C" fn(*mut raw::drm_crtc) -> c_int>,
    pub(super) disable: Option<unsafe extern "C" fn(*mut raw::drm_crtc)>,
    pub(super) timestamp: Option<
        unsafe extern "C" fn(*mut raw::drm_crtc, *mut c_int, *mut bindings::ktime_t, bool) -> bool,
    >,
}

/// A timer with the mode's frame time. Frames keep their phase while no client waits for them.
pub enum Timer {}

impl<C: DriverCrtc> private::Sealed<C> for Timer {}

impl<C: DriverCrtc> Source<C> for Timer {
    const OPS: Ops = Ops {
        counts: true,
        by_hardware: false,
        enable: Some(enable::<C>),
        disable: Some(disable::<C>),
        timestamp: Some(timestamp::<C>),
    };
}

/// An interrupt at each vblank, from which the driver calls [`Plugged::handle_vblank`].
pub enum Hardware {}

impl<C: HardwareVblank> private::Sealed<C> for Hardware {}

impl<C: HardwareVblank> Source<C> for Hardware {
    const OPS: Ops = Ops {
        counts: true,
        by_hardware: true,
        enable: Some(enable_hardware::<C>),
        disable: Some(disable_hardware::<C>),
        timestamp: Some(no_timestamp),
    };
}

/// No vblanks: what a client commits is on the screen at once. Clients that draw a frame at each
/// vblank draw without a pause on such a display.
pub enum Nowhere {}

impl<C: DriverCrtc> private::Sealed<C> for Nowhere {}

impl<C: DriverCrtc> Source<C> for Nowhere {
    const OPS: Ops = Ops {
        counts: false,
        by_hardware: false,
        enable: None,
        disable: None,
        timestamp: None,
    };
}

/// The hooks of a CRTC with vblanks by [`Hardware`].
///
/// C's timers call them, too. A lock that a hook takes must therefore be a [`SpinLockIrq`]: with a
/// `SpinLock`, a hook could interrupt the thread that holds the lock, and wait for it forever.
///
/// # Examples
///
/// ```
/// # classes!(Show, ShowClient, ShowBuffer, ShowLayer, ShowScreen, ShowMonitor);
/// # layer!(ShowLayer, Show);
/// # monitor!(ShowMonitor, Show);
/// struct ShowScreen;
///
/// #[vtable]
/// impl DriverCrtc for ShowScreen {
///     type Driver = Show;
///     type State = ();
///     type Vblank = vblank::Hardware;
/// }
///
/// impl vblank::HardwareVblank for ShowScreen {
///     fn enable_vblank(_crtc: &Crtc<Self>, _hw: &Hw<'_, Show>) {
///         // A register write switches the interrupt on.
///     }
///
///     fn disable_vblank(_crtc: &Crtc<Self>, _hw: &Hw<'_, Show>) {}
/// }
///
/// fn interrupt(dev: &Plugged<'_, Show>, screen: Key<Crtc<ShowScreen>>) -> Result {
///     dev.handle_vblank(screen)
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot switch the interrupt of its vblanks",
    label = "`drm::kms::vblank::HardwareVblank` is not implemented for `{Self}`",
    note = "implement it, or use `vblank::Timer`"
)]
pub trait HardwareVblank: DriverCrtc {
    /// Switches the interrupt on. It cannot fail: C warns of errors when it switches a CRTC on.
    ///
    /// Context: atomic, interrupts are off.
    fn enable_vblank(crtc: &Crtc<Self>, hw: &Hw<'_, Self::Driver>);

    /// Switches the interrupt off.
    ///
    /// Context: atomic, interrupts are off.
    fn disable_vblank(crtc: &Crtc<Self>, hw: &Hw<'_, Self::Driver>);
}

impl<T: Driver> Plugged<'_, T>
where
    T::Crtc: DriverCrtc<Vblank = Hardware>,
{
    /// Counts a frame of a CRTC, and sends the events that wait for it. It does nothing while
    /// vblanks are off.
    ///
    /// # Errors
    ///
    /// Fails with `EINVAL` for a CRTC of another device, and with `EBUSY` in a hook that switches
    /// vblanks on or off, and in a fence's callback.
    ///
    /// Context: any, also interrupts.
    pub fn handle_vblank(&self, crtc: Key<Crtc<T::Crtc>>) -> Result {
        let dev: &Device<T> = self;
        let crtc = crtc.of(dev)?;
        // SAFETY: The function has no requirements (K40).
        if dev.core().kms.switching.is_in_this_thread() || unsafe { raw::drm_rust_is_firing() } {
            return Err(EBUSY);
        }
        // SAFETY: The CRTC belongs to this device, which has counts of frames. This thread holds no
        // lock that C takes: it is in no hook that C calls with one, and in no callback of a fence,
        // such as the one that C signals with an event (K18, K40).
        unsafe { raw::drm_crtc_handle_vblank(crtc.as_ptr().cast()) };
        Ok(())
    }
}

/// # Safety
///
/// Called only by C, as documented for the table that contains it (L20).
unsafe extern "C" fn enable_hardware<C: HardwareVblank>(crtc: *mut raw::drm_crtc) -> c_int {
    // SAFETY: C passes a CRTC with this callback (K2).
    let crtc = unsafe { Crtc::<C>::from_raw(crtc) };
    from_result(|| {
        let dev = crtc.device();
        let enabled = dev
            .core()
            .kms
            .switching
            .run(|| dev.enter(|plugged| C::enable_vblank(crtc, &Hw::new(plugged))));
        enabled.map(|()| 0).ok_or(ENODEV)
    })
}

/// # Safety
///
/// Called only by C, as documented for the table that contains it (L20).
unsafe extern "C" fn disable_hardware<C: HardwareVblank>(crtc: *mut raw::drm_crtc) {
    // SAFETY: C passes a CRTC with this callback (K2).
    let crtc = unsafe { Crtc::<C>::from_raw(crtc) };
    let dev = crtc.device();
    dev.core().kms.switching.run(|| {
        dev.enter(|plugged| C::disable_vblank(crtc, &Hw::new(plugged)));
    });
}

/// The thread that is in a hook which switches the vblanks of a device, if there is one.
///
/// C calls these hooks with spinlocks of the device that it also takes to count a frame. A hook can
/// enter its device, and must not wait for its own thread there (K40). With `PREEMPT_RT` only this
/// tells: the list of callbacks is empty then. C holds one of the locks in both hooks, so there is
/// one thread at a time. Interrupts are off, so none comes between.
#[derive(Default)]
pub(super) struct Switching(AtomicPtr<bindings::task_struct>);

impl Switching {
    fn run<R>(&self, hook: impl FnOnce() -> R) -> R {
        let mut firing = raw::drm_rust_firing {
            fence: null_mut(),
            below: null_mut(),
        };
        self.0.store(Task::current_raw(), Ordering::Relaxed);
        // SAFETY: Interrupts are off, and `firing` stays in place until the second call (K40).
        unsafe { raw::drm_rust_firing_begins(&mut firing) };
        let result = hook();
        // SAFETY: As above (K40).
        unsafe { raw::drm_rust_firing_ends(&mut firing) };
        self.0.store(null_mut(), Ordering::Relaxed);
        result
    }

    /// Returns whether this thread is in such a hook. Other threads may change the value meanwhile,
    /// but only this one stores itself.
    fn is_in_this_thread(&self) -> bool {
        self.0.load(Ordering::Relaxed) == Task::current_raw()
    }
}

/// The frame times that a mode may have, in nanoseconds. A timer with a shorter one would do
/// nothing but fire. The console waits up to a second for a frame, and C warns if none comes (K19).
pub(super) const FRAME_TIMES: core::ops::RangeInclusive<u64> = 1_000_000..=500_000_000;

/// The timer of a CRTC.
///
/// C's own timer helper spins until a running callback ends, with a lock that this callback takes
/// (K32). This one never waits: its callback looks for itself whether it is still wanted.
#[pin_data]
pub(super) struct FrameTimer {
    #[pin]
    timer: Opaque<bindings::hrtimer>,
    #[pin]
    clock: SpinLockIrq<Clock>,
}

/// Times are those of the monotonic clock, in nanoseconds.
struct Clock {
    /// Whether vblanks are wanted.
    enabled: bool,
    /// Whether the timer is queued, or its callback runs and will look at `enabled` again.
    pending: bool,
    /// The frame time; 0 before the first mode.
    interval: i64,
    /// The start of the latest frame that is known.
    last: i64,
}

impl Clock {
    /// Moves `last` to the start of the frame in which `now` is.
    fn advance(&mut self, now: i64) {
        if self.interval > 0 && now > self.last {
            self.last = now - (now - self.last) % self.interval;
        }
    }
}

impl FrameTimer {
    pub(super) fn new<C: DriverCrtc>() -> impl PinInit<Self> {
        let (name, key) = lock_class!(c"drm_rust::FrameTimer");
        pin_init!(Self {
            timer <- Opaque::ffi_init(|timer| {
                // SAFETY: `timer` is memory for a timer, which stays in place (K4).
                unsafe {
                    bindings::hrtimer_setup(
                        timer,
                        Some(expired::<C>),
                        bindings::CLOCK_MONOTONIC as i32,
                        bindings::hrtimer_mode_HRTIMER_MODE_ABS,
                    )
                }
            }),
            clock <- SpinLockIrq::new(
                Clock { enabled: false, pending: false, interval: 0, last: 0 },
                name,
                key,
            ),
        })
    }

    /// Begins the first frame of `mode` now. Vblanks are off.
    pub(super) fn begin(&self, mode: &Mode) {
        let mut clock = self.clock.lock();
        let interval = mode.frame_time().unwrap_or(*FRAME_TIMES.end());
        clock.interval = interval as i64;
        clock.last = now();
    }

    /// Waits until the callback does not run. Vblanks are off for good. Context: may sleep.
    pub(super) fn cancel(&self) {
        self.clock.lock().enabled = false;
        // SAFETY: The timer is set up. No lock is held that its callback takes (K32).
        unsafe { bindings::hrtimer_cancel(self.timer.get()) };
        self.clock.lock().pending = false;
    }
}

fn now() -> i64 {
    // SAFETY: The function has no requirements; it may be called in any context (K18).
    unsafe { bindings::ktime_get() }
}

/// # Safety
///
/// Called only by C, as documented for the table that contains it (L20).
unsafe extern "C" fn enable<C: DriverCrtc>(crtc: *mut raw::drm_crtc) -> c_int {
    // SAFETY: C passes a CRTC with this callback (K2).
    let timer = unsafe { Crtc::<C>::from_raw(crtc) }.timer();
    from_result(|| {
        let mut clock = timer.clock.lock();
        if clock.interval == 0 {
            return Err(EINVAL);
        }
        clock.enabled = true;
        if !clock.pending {
            clock.pending = true;
            clock.advance(now());
            // SAFETY: The timer is set up, neither queued nor running (see `pending`), and lives
            // until `cancel` (K32).
            unsafe {
                bindings::hrtimer_start_range_ns(
                    timer.timer.get(),
                    clock.last + clock.interval,
                    0,
                    bindings::hrtimer_mode_HRTIMER_MODE_ABS,
                )
            };
        }
        Ok(0)
    })
}

/// # Safety
///
/// Called only by C, as documented for the table that contains it (L20).
unsafe extern "C" fn disable<C: DriverCrtc>(crtc: *mut raw::drm_crtc) {
    // SAFETY: C passes a CRTC with this callback (K2).
    let timer = unsafe { Crtc::<C>::from_raw(crtc) }.timer();
    let mut clock = timer.clock.lock();
    clock.enabled = false;
    // SAFETY: The timer is set up. The function does not wait for a running callback (K32).
    if unsafe { bindings::hrtimer_try_to_cancel(timer.timer.get()) } == 1 {
        clock.pending = false;
    }
}

/// # Safety
///
/// Called only by C, as documented for the table that contains it (L20).
unsafe extern "C" fn timestamp<C: DriverCrtc>(
    crtc: *mut raw::drm_crtc,
    _max_error: *mut c_int,
    time: *mut bindings::ktime_t,
    in_vblank_irq: bool,
) -> bool {
    // SAFETY: C passes a CRTC with this callback (K2).
    let mut clock = unsafe { Crtc::<C>::from_raw(crtc) }.timer().clock.lock();
    if !in_vblank_irq {
        clock.advance(now());
    }
    // SAFETY: C passes a valid pointer (L20).
    unsafe { *time = clock.last };
    true
}

/// Returns that the hardware reports no times, so C takes that of the interrupt. It would do the same
/// without this callback, but warns then if the messages of vblanks are switched on.
///
/// # Safety
///
/// Called only by C, as documented for the table that contains it (L20).
unsafe extern "C" fn no_timestamp(
    _crtc: *mut raw::drm_crtc,
    _max_error: *mut c_int,
    _time: *mut bindings::ktime_t,
    _in_vblank_irq: bool,
) -> bool {
    false
}

/// Ends a frame. It is the timer's callback.
///
/// # Safety
///
/// Called only by C, for a timer that `FrameTimer::new` set up for a CRTC of class `C` (L20).
unsafe extern "C" fn expired<C: DriverCrtc>(
    timer: *mut bindings::hrtimer,
) -> bindings::hrtimer_restart {
    // SAFETY: The timer is part of a CRTC, which lives until `cancel` (K4).
    let crtc: &Crtc<C> = unsafe {
        let timer = timer
            .byte_sub(offset_of!(FrameTimer, timer))
            .cast::<FrameTimer>();
        Crtc::from_timer(timer)
    };
    let this = crtc.timer();
    {
        let mut clock = this.clock.lock();
        if !clock.enabled {
            clock.pending = false;
            return bindings::hrtimer_restart::HRTIMER_NORESTART;
        }
        clock.advance(now());
    }
    // SAFETY: The CRTC is valid. No lock that C takes here is held (K32).
    unsafe { raw::drm_crtc_handle_vblank(crtc.as_raw()) };

    let mut clock = this.clock.lock();
    if !clock.enabled {
        clock.pending = false;
        return bindings::hrtimer_restart::HRTIMER_NORESTART;
    }
    // The mode may have changed meanwhile, so the next frame is that of the clock, not of the timer.
    clock.advance(now());
    // SAFETY: The timer's callback runs, and nothing queues the timer meanwhile (see `pending`), so
    // its time may be changed (K32).
    unsafe { raw::drm_rust_hrtimer_set_expires(timer, clock.last + clock.interval) };
    bindings::hrtimer_restart::HRTIMER_RESTART
}
