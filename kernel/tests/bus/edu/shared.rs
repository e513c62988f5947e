// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! What the ioctls and the interrupt's handler share: which jobs are done.
//!
//! It is the device's data, so it outlives the hardware: who waits when the device is unplugged is told so.

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

/// No job takes this long; in milliseconds.
const PATIENCE: u32 = 5000;

#[pin_data]
pub(crate) struct Shared {
    pub(crate) interrupts: Atomic<i32>,
    pub(crate) resumed: Atomic<i32>,
    factorials: Atomic<i32>,
    transfers: Atomic<i32>,
    /// One job at a time: held from its start until it is done.
    #[pin]
    pub(crate) turn: Mutex<()>,
    /// Whether the device is gone.
    #[pin]
    gone: Mutex<bool>,
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
            gone <- new_mutex!(false),
            changed <- new_condvar!(),
        })
    }

    /// How many jobs of this sort are done.
    pub(crate) fn done(&self, job: Job) -> i32 {
        self.counter(job).load(Relaxed)
    }

    fn counter(&self, job: Job) -> &Atomic<i32> {
        match job {
            Job::Factorial => &self.factorials,
            Job::Dma => &self.transfers,
        }
    }

    /// Notes what an interrupt says. Context: any.
    pub(crate) fn interrupted(&self, reasons: u32) {
        self.interrupts.add(1, Relaxed);
        for job in [Job::Factorial, Job::Dma] {
            if reasons & job as u32 != 0 {
                self.counter(job).add(1, Relaxed);
            }
        }
    }

    /// Wakes those who wait.
    pub(crate) fn wake(&self) {
        // The lock orders this with the look of those who are about to wait.
        drop(self.gone.lock());
        self.changed.notify_all();
    }

    /// The device is gone: nobody need wait any more.
    pub(crate) fn leave(&self) {
        *self.gone.lock() = true;
        self.changed.notify_all();
    }

    /// Waits until more jobs of this sort are done than `before`.
    ///
    /// `ENODEV` if the device goes, `EINTR` for a signal, `ETIMEDOUT` if nothing happens.
    pub(crate) fn wait(&self, job: Job, before: i32) -> Result {
        let mut patience = msecs_to_jiffies(PATIENCE);
        let mut gone = self.gone.lock();
        while self.done(job) == before {
            if *gone {
                return Err(ENODEV);
            }
            patience = match self.changed.wait_interruptible_timeout(&mut gone, patience) {
                CondVarTimeoutResult::Woken { jiffies } => jiffies,
                CondVarTimeoutResult::Timeout => return Err(ETIMEDOUT),
                CondVarTimeoutResult::Signal { .. } => return Err(EINTR),
            };
        }
        Ok(())
    }
}
