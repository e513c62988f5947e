// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Events that interrupts tell, and those who wait for them.

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

/// Bits that were told since they were last forgotten.
#[pin_data]
pub(crate) struct Events {
    #[pin]
    told: Mutex<u32>,
    #[pin]
    changed: CondVar,
}

/// How a wait ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waited {
    /// It was told.
    Told,
    /// A signal has come. Hardware cannot be left alone for that: one goes on looking at it.
    Disturbed,
    /// It was not told in time. An interrupt may have been lost: one looks once more.
    InVain,
}

impl Events {
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            told <- new_mutex!(0, "tyr::Events"),
            changed <- new_condvar!("tyr::Events"),
        })
    }

    /// Forgets `bits`, before what makes them happen is begun.
    pub(crate) fn forget(&self, bits: u32) {
        *self.told.lock() &= !bits;
    }

    /// Tells `bits`. Context: may sleep.
    pub(crate) fn tell(&self, bits: u32) {
        *self.told.lock() |= bits;
        self.changed.notify_all();
    }

    /// Whether one of `bits` was told.
    pub(crate) fn happened(&self, bits: u32) -> bool {
        *self.told.lock() & bits != 0
    }

    /// Waits until one of `bits` was told, or `patience` is over.
    pub(crate) fn wait(&self, bits: u32, patience: Msecs) -> Waited {
        let mut jiffies = msecs_to_jiffies(patience);
        let mut told = self.told.lock();
        while *told & bits == 0 {
            jiffies = match self.changed.wait_interruptible_timeout(&mut told, jiffies) {
                CondVarTimeoutResult::Woken { jiffies } => jiffies,
                CondVarTimeoutResult::Signal { .. } => return Waited::Disturbed,
                CondVarTimeoutResult::Timeout => return Waited::InVain,
            };
        }
        Waited::Told
    }
}
