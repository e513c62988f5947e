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

    /// Waits until one of `bits` was told, or `patience` is over; whether one was.
    ///
    /// A signal ends the wait too: whoever waits for hardware looks at it himself then.
    pub(crate) fn wait(&self, bits: u32, patience: Msecs) -> bool {
        let mut jiffies = msecs_to_jiffies(patience);
        let mut told = self.told.lock();
        while *told & bits == 0 {
            jiffies = match self.changed.wait_interruptible_timeout(&mut told, jiffies) {
                CondVarTimeoutResult::Woken { jiffies } => jiffies,
                CondVarTimeoutResult::Signal { .. } | CondVarTimeoutResult::Timeout => break,
            };
        }
        *told & bits != 0
    }
}
