// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! State that all devices of the driver share: the failures that tests request, the gate, and the
//! kept items.

use crate::{
    buffer::Object,
    driver::Lifecycle,
    vm::Space, //
};
use drm::gpuvm::Owner;
use kernel::{
    global_lock,
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

/// Writes a line to the log when dropped.
pub(crate) struct LogDrop(pub(crate) u32, pub(crate) &'static CStr);

impl Drop for LogDrop {
    fn drop(&mut self) {
        pr_info!("{}: {} dropped\n", self.0, self.1);
    }
}

/// The step that fails the next time it is taken; 0 for none.
static FAIL: Atomic<u32> = Atomic::new(0);

/// Requests one failure of `step`.
pub(crate) fn set_failure(step: u32) {
    FAIL.store(step, Relaxed);
}

/// Fails with `EIO` if a failure of `step` was requested, once.
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

/// Makes the next probe keep its device.
pub(crate) static KEEP_NEXT: Once = Once::new();

/// Makes the next registration data to be dropped queue work.
pub(crate) static LATE_WORK: Once = Once::new();

/// Makes the next payload to be dropped wait at the gate.
pub(crate) static SLOW_DROP: Once = Once::new();

/// Makes the next probe call `use_huge_pages` twice.
pub(crate) static HUGE_TWICE: Once = Once::new();

/// The length of a value in fdinfo.
pub(crate) static LONG_FDINFO: Atomic<u32> = Atomic::new(0);

/// Counts objects and probes.
static SERIAL: Atomic<i32> = Atomic::new(0);

pub(crate) fn serial() -> u32 {
    SERIAL.fetch_add(1, Relaxed).unsigned_abs()
}

/// A shut gate. There is none while the gate is open.
#[pin_data]
struct Gate {
    #[pin]
    is_open: Mutex<bool>,
    #[pin]
    opened: CondVar,
}

impl Gate {
    fn new() -> Result<Arc<Self>> {
        let gate = pin_init!(Self {
            is_open <- new_mutex!(false),
            opened <- new_condvar!(),
        });
        Arc::pin_init(gate, GFP_KERNEL)
    }

    fn open(&self) {
        *self.is_open.lock() = true;
        self.opened.notify_all();
    }

    fn pass(&self) -> Result {
        use kernel::sync::CondVarTimeoutResult::*;

        let mut is_open = self.is_open.lock();
        let mut left = msecs_to_jiffies(20_000);
        while !*is_open {
            left = match self.opened.wait_interruptible_timeout(&mut is_open, left) {
                Woken { jiffies } => jiffies,
                Timeout => return Err(ETIMEDOUT),
                Signal { .. } => return Err(EINTR),
            };
        }
        Ok(())
    }
}

/// Opens or shuts the gate.
pub(crate) fn set_gate(open: bool) -> Result {
    let gate = if open { None } else { Some(Gate::new()?) };
    let old = core::mem::replace(&mut KEPT.lock().gate, gate);
    // Waiters at the old gate have a reference of their own.
    if let Some(old) = old {
        old.open();
    }
    Ok(())
}

/// Waits until the gate is open. Fails with `EINTR` for a signal, and with `ETIMEDOUT` after 20
/// seconds.
pub(crate) fn pass_gate() -> Result {
    let gate = KEPT.lock().gate.clone();
    gate.map_or(Ok(()), |gate| gate.pass())
}

/// State that devices share, with the kept items. It outlives its device's binding, its files, and
/// all other devices.
struct Kept {
    gate: Option<Arc<Gate>>,
    device: Option<ARef<drm::Device<Lifecycle>>>,
    object: Option<ARef<Object>>,
    vm: Option<Owner<Space>>,
}

/// The kernel crate has no lock for a `static` that safe code can initialise.
#[allow(unsafe_code)]
mod kept {
    use super::*;

    global_lock! {
        // SAFETY: `begin` comes before any use. Each probe calls it first, and every other use is
        // on a device that was probed (L3).
        pub(super) unsafe(uninit) static KEPT: Mutex<Kept> = Kept { gate: None, device: None, object: None, vm: None };
    }

    /// Set when a probe starts to initialise the lock. `DONE` is set when that is finished.
    static BEGUN: SetOnce<()> = SetOnce::new();
    static DONE: SetOnce<()> = SetOnce::new();

    /// Initialises the state that devices share. Fails with `EAGAIN` while another probe does so.
    pub(crate) fn begin() -> Result {
        if BEGUN.populate(()) {
            // SAFETY: Only one call of `populate` succeeds (L3).
            unsafe { KEPT.init() };
            DONE.populate(());
        }
        DONE.as_ref().copied().ok_or(EAGAIN)
    }
}

pub(crate) use kept::begin;
use kept::KEPT;

/// Keeps a device, or drops the kept one. The previous one is dropped after the lock is released.
pub(crate) fn keep_device(device: Option<ARef<drm::Device<Lifecycle>>>) {
    let old = core::mem::replace(&mut KEPT.lock().device, device);
    drop(old);
}

/// Keeps an object, or drops the kept one.
pub(crate) fn keep_object(object: Option<ARef<Object>>) {
    let old = core::mem::replace(&mut KEPT.lock().object, object);
    drop(old);
}

/// Keeps an address space, or drops the kept one.
pub(crate) fn keep_vm(vm: Option<Owner<Space>>) {
    let old = core::mem::replace(&mut KEPT.lock().vm, vm);
    drop(old);
}

/// Returns the kept device. Fails with `ENOENT` if there is none.
pub(crate) fn kept_device() -> Result<ARef<drm::Device<Lifecycle>>> {
    KEPT.lock().device.clone().ok_or(ENOENT)
}

/// Returns the kept object. Fails with `ENOENT` if there is none.
pub(crate) fn kept_object() -> Result<ARef<Object>> {
    KEPT.lock().object.clone().ok_or(ENOENT)
}
