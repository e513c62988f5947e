// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Requests of a test to the hooks: to fail, or to wait.

use kernel::{
    error::code,
    new_condvar,
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Full,
            Relaxed, //
        },
        CondVar,
        Mutex, //
    },
    time::msecs_to_jiffies, //
};

/// The error with which a hook fails the next time, as an errno; 0 for none.
pub(crate) struct Failure(Atomic<i32>);

impl Failure {
    pub(crate) const fn new() -> Self {
        Self(Atomic::new(0))
    }

    /// Requests one failure.
    pub(crate) fn set(&self, errno: u32) -> Result {
        self.0
            .store(i32::try_from(errno).map_err(|_| EINVAL)?, Relaxed);
        Ok(())
    }

    /// Fails if that was requested, once.
    pub(crate) fn take(&self) -> Result {
        match self.0.xchg(0, Full) {
            0 => Ok(()),
            errno => Err(Error::from_errno(-errno)),
        }
    }
}

/// A gate that is open unless a test shuts it.
#[pin_data]
pub(crate) struct Gate {
    #[pin]
    is_shut: Mutex<bool>,
    #[pin]
    opened: CondVar,
    /// How many wait at it.
    waiting: Atomic<i32>,
}

impl Gate {
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            is_shut <- new_mutex!(false),
            opened <- new_condvar!(),
            waiting: Atomic::new(0),
        })
    }

    pub(crate) fn set(&self, is_shut: bool) {
        *self.is_shut.lock() = is_shut;
        self.opened.notify_all();
    }

    pub(crate) fn waiting(&self) -> i32 {
        self.waiting.load(Relaxed)
    }

    /// Waits until the gate is open. Fails with `EINTR` for a signal, and with `ETIMEDOUT` after 20
    /// seconds: the limit is for a test that died.
    pub(crate) fn pass(&self) -> Result {
        use kernel::sync::CondVarTimeoutResult::*;

        let mut is_shut = self.is_shut.lock();
        let mut left = msecs_to_jiffies(20_000);
        while *is_shut {
            self.waiting.store(1, Relaxed);
            left = match self.opened.wait_interruptible_timeout(&mut is_shut, left) {
                Woken { jiffies } => jiffies,
                Timeout => return Err(code::ETIMEDOUT),
                Signal { .. } => return Err(EINTR),
            };
        }
        self.waiting.store(0, Relaxed);
        Ok(())
    }
}
