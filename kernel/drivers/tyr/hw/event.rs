// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Events that interrupts report, and waiting for them.

use kernel::{
    new_condvar, new_mutex,
    prelude::*,
    sync::{
        CondVar,
        CondVarTimeoutResult,
        Mutex, //
    },
    time::{
        msecs_to_jiffies,
        Msecs, //
    },
};

/// The events reported since they were last cleared, as bits.
#[pin_data]
pub(crate) struct Events {
    #[pin]
    reported: Mutex<u32>,
    #[pin]
    changed: CondVar,
}

/// The result of a wait.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waited {
    /// The event was reported.
    Reported,
    /// A signal arrived. Keep polling: the hardware is still busy.
    Interrupted,
    /// The event was not reported in time. Check the hardware once more, because an interrupt may
    /// have been lost.
    TimedOut,
}

impl Events {
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            reported <- new_mutex!(0, "tyr::Events"),
            changed <- new_condvar!("tyr::Events"),
        })
    }

    /// Clears `bits`. Call this before starting the operation that causes them.
    pub(crate) fn clear(&self, bits: u32) {
        *self.reported.lock() &= !bits;
    }

    /// Reports `bits`. Context: may sleep.
    pub(crate) fn report(&self, bits: u32) {
        *self.reported.lock() |= bits;
        self.changed.notify_all();
    }

    /// Returns whether one of `bits` was reported.
    pub(crate) fn is_reported(&self, bits: u32) -> bool {
        *self.reported.lock() & bits != 0
    }

    /// Waits until one of `bits` was reported, or until `timeout` has passed.
    pub(crate) fn wait(&self, bits: u32, timeout: Msecs) -> Waited {
        let mut jiffies = msecs_to_jiffies(timeout);
        let mut reported = self.reported.lock();
        while *reported & bits == 0 {
            jiffies = match self
                .changed
                .wait_interruptible_timeout(&mut reported, jiffies)
            {
                CondVarTimeoutResult::Woken { jiffies } => jiffies,
                CondVarTimeoutResult::Signal { .. } => return Waited::Interrupted,
                CondVarTimeoutResult::Timeout => return Waited::TimedOut,
            };
        }
        Waited::Reported
    }
}
