// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! What all devices of the driver share: the failures that tests ask for, the gate, what was put away.

use crate::{
    buffer::Object,
    driver::Lifecycle,
    vm::Space, //
};
use drm::gpuvm::Owner;
use kernel::{
    new_condvar,
    new_mutex,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            Full,
            Relaxed, //
        },
        Arc,
        CondVar,
        Mutex,
        SetOnce, //
    },
    time::msecs_to_jiffies, //
};

/// A line of the log when it goes.
pub(crate) struct Noisy(pub(crate) u32, pub(crate) &'static CStr);

impl Drop for Noisy {
    fn drop(&mut self) {
        pr_info!("{}: {} dropped\n", self.0, self.1);
    }
}

/// The step that fails the next time it is taken; 0 is none.
static FAIL: Atomic<u32> = Atomic::new(0);

/// Asks for one failure of `step`.
pub(crate) fn set_failure(step: u32) {
    FAIL.store(step, Relaxed);
}

/// `EIO` if `step` was asked to fail, once.
pub(crate) fn may_fail(step: u32) -> Result {
    match FAIL.cmpxchg(step, 0, Full) {
        Ok(_) => Err(EIO),
        Err(_) => Ok(()),
    }
}

/// A request that is carried out once.
pub(crate) struct Once(Atomic<u32>);

impl Once {
    const fn new() -> Self {
        Self(Atomic::new(0))
    }

    pub(crate) fn set(&self) {
        self.0.store(1, Relaxed);
    }

    pub(crate) fn take(&self) -> bool {
        self.0.cmpxchg(1, 0, Full).is_ok()
    }
}

/// The next probe puts its device away.
pub(crate) static KEEP_NEXT: Once = Once::new();

/// The next registration data that is dropped queues work.
pub(crate) static LATE_WORK: Once = Once::new();

/// The next payload that is dropped waits at the gate.
pub(crate) static SLOW_DROP: Once = Once::new();

/// Counts objects and probes.
static SERIAL: Atomic<i32> = Atomic::new(0);

pub(crate) fn serial() -> u32 {
    SERIAL.fetch_add(1, Relaxed).unsigned_abs()
}

/// The shared state that needs memory. Made by the first probe and never freed, as the module has no place to
/// own it: about 200 bytes for each time that it is loaded.
static SHARED: SetOnce<Arc<Shared>> = SetOnce::new();

#[pin_data]
pub(crate) struct Shared {
    #[pin]
    device: Mutex<Option<ARef<drm::Device<Lifecycle>>>>,
    #[pin]
    object: Mutex<Option<ARef<Object>>>,
    #[pin]
    vm: Mutex<Option<Owner<Space>>>,
    #[pin]
    gate: Mutex<bool>,
    #[pin]
    opened: CondVar,
}

/// The shared state. `EAGAIN` while another probe makes it.
pub(crate) fn shared() -> Result<&'static Shared> {
    if SHARED.as_ref().is_none() {
        SHARED.populate(Arc::pin_init(Shared::new(), GFP_KERNEL)?);
    }
    SHARED.as_ref().map(|shared| &**shared).ok_or(EAGAIN)
}

impl Shared {
    fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            device <- new_mutex!(None),
            object <- new_mutex!(None),
            vm <- new_mutex!(None),
            gate <- new_mutex!(true),
            opened <- new_condvar!(),
        })
    }

    /// Opens or closes the gate.
    pub(crate) fn set_gate(&self, open: bool) {
        *self.gate.lock() = open;
        self.opened.notify_all();
    }

    /// Waits until the gate is open; `EINTR` for a signal, `ETIMEDOUT` after 20 seconds.
    pub(crate) fn pass_gate(&self) -> Result {
        use kernel::sync::CondVarTimeoutResult::*;

        let mut open = self.gate.lock();
        let mut left = msecs_to_jiffies(20_000);
        while !*open {
            left = match self.opened.wait_interruptible_timeout(&mut open, left) {
                Woken { jiffies } => jiffies,
                Timeout => return Err(ETIMEDOUT),
                Signal { .. } => return Err(EINTR),
            };
        }
        Ok(())
    }

    /// Puts a device away, or lets go of it. What was there goes after the lock.
    pub(crate) fn keep_device(&self, device: Option<ARef<drm::Device<Lifecycle>>>) {
        let old = core::mem::replace(&mut *self.device.lock(), device);
        drop(old);
    }

    /// Puts an object away, or lets go of it.
    pub(crate) fn keep_object(&self, object: Option<ARef<Object>>) {
        let old = core::mem::replace(&mut *self.object.lock(), object);
        drop(old);
    }

    /// Puts an address space away, or lets go of it.
    pub(crate) fn keep_vm(&self, vm: Option<Owner<Space>>) {
        let old = core::mem::replace(&mut *self.vm.lock(), vm);
        drop(old);
    }

    /// The device that was put away. `ENOENT` if there is none.
    pub(crate) fn device(&self) -> Result<ARef<drm::Device<Lifecycle>>> {
        self.device.lock().clone().ok_or(ENOENT)
    }

    /// The object that was put away. `ENOENT` if there is none.
    pub(crate) fn object(&self) -> Result<ARef<Object>> {
        self.object.lock().clone().ok_or(ENOENT)
    }
}
