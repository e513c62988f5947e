// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! State that the ioctls and the interrupt's handler share: the completed jobs.
//!
//! The state is the device's data, so it outlives the hardware, and waiters learn that the device
//! was unplugged.

use crate::hardware::Job;
use kernel::{
    new_condvar,
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        CondVar,
        CondVarTimeoutResult,
        Mutex, //
    },
    time::msecs_to_jiffies, //
};

/// The timeout of jobs, in milliseconds. No job takes this long.
const TIMEOUT_MS: u32 = 5000;

#[pin_data]
pub(crate) struct Shared {
    pub(crate) interrupts: Atomic<i32>,
    pub(crate) resumed: Atomic<i32>,
    factorials: Atomic<i32>,
    transfers: Atomic<i32>,
    /// Serialises jobs: held from the start of a job until it is done.
    #[pin]
    pub(crate) turn: Mutex<()>,
    /// Whether the device is unplugged.
    #[pin]
    unplugged: Mutex<bool>,
    #[pin]
    changed: CondVar,
}

impl Shared {
    pub(crate) fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            interrupts: Atomic::new(0),
            resumed: Atomic::new(0),
            factorials: Atomic::new(0),
            transfers: Atomic::new(0),
            turn <- new_mutex!(()),
            unplugged <- new_mutex!(false),
            changed <- new_condvar!(),
        })
    }

    /// Returns the number of completed jobs of this kind.
    pub(crate) fn done(&self, job: Job) -> i32 {
        self.counter(job).load(Relaxed)
    }

    fn counter(&self, job: Job) -> &Atomic<i32> {
        match job {
            Job::Factorial => &self.factorials,
            Job::Dma => &self.transfers,
        }
    }

    /// Records the reasons of an interrupt. Context: any.
    pub(crate) fn interrupted(&self, reasons: u32) {
        self.interrupts.add(1, Relaxed);
        for job in [Job::Factorial, Job::Dma] {
            if reasons & job as u32 != 0 {
                self.counter(job).add(1, Relaxed);
            }
        }
    }

    /// Wakes the waiters.
    pub(crate) fn wake(&self) {
        // The lock orders this with the check of code that is about to wait.
        drop(self.unplugged.lock());
        self.changed.notify_all();
    }

    /// Marks the device as unplugged, and ends all waits.
    pub(crate) fn unplug(&self) {
        *self.unplugged.lock() = true;
        self.changed.notify_all();
    }

    /// Waits until more than `before` jobs of this kind are done.
    ///
    /// Fails with `ENODEV` if the device is unplugged, with `EINTR` for a signal, and with
    /// `ETIMEDOUT` if nothing happens.
    pub(crate) fn wait(&self, job: Job, before: i32) -> Result {
        let mut timeout = msecs_to_jiffies(TIMEOUT_MS);
        let mut unplugged = self.unplugged.lock();
        while self.done(job) == before {
            if *unplugged {
                return Err(ENODEV);
            }
            timeout = match self
                .changed
                .wait_interruptible_timeout(&mut unplugged, timeout)
            {
                CondVarTimeoutResult::Woken { jiffies } => jiffies,
                CondVarTimeoutResult::Timeout => return Err(ETIMEDOUT),
                CondVarTimeoutResult::Signal { .. } => return Err(EINTR),
            };
        }
        Ok(())
    }
}
