// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The three interrupts: GPU, JOB and MMU.
//!
//! The hard handler masks its line. The thread handles the events, clears them and removes the
//! mask. The vector reports only a change from no event to some event, so this makes it report the
//! next one.
//!
//! Source: `crates/mali-regs` (`irq.rs`); drivers/gpu/drm/panthor/panthor_device.h for the order of accesses.

use crate::gpu::Gpu;
use kernel::{
    irq::{
        IrqReturn,
        ThreadedHandler,
        ThreadedIrqReturn, //
    },
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Full,
            Release, //
        },
        Arc,
        LockClassKey,
        Mutex, //
    },
    time::{
        delay::fsleep,
        Delta, //
    },
};
use mali_regs::irq::Block;

/// An interrupt line of the GPU: its registers, and the mask of its enabled events.
#[pin_data]
pub(crate) struct Line {
    pub(crate) block: Block,
    #[pin]
    mask: Mutex<u32>,
    /// Held by the thread while it handles events.
    #[pin]
    serving: Mutex<()>,
    /// Whether handlers may read the registers. On a shared line, other devices may interrupt while
    /// the registers have no clock.
    hears: Atomic<bool>,
    /// The number of hard handlers that access the registers.
    handling: Atomic<i32>,
}

impl Line {
    /// Creates a line. `key` must belong to this line alone, because the thread of one line may
    /// wait for that of another, in a flush.
    pub(crate) fn new(block: Block, key: Pin<&'static LockClassKey>) -> impl PinInit<Self> {
        pin_init!(Self {
            block,
            mask <- new_mutex!(0, "tyr::Line"),
            serving <- Mutex::new((), c"tyr::Line::serving", key),
            hears: Atomic::new(false),
            handling: Atomic::new(0),
        })
    }

    /// Lets the handlers access registers from now on. The GPU's power must be on. Initially they
    /// must not access registers.
    pub(crate) fn hear(&self) {
        self.hears.store(true, Release);
    }

    /// Stops the handlers from accessing registers, before the GPU loses its power. No handler does
    /// so after this returns.
    ///
    /// Context: sleeps; not in the line's own thread.
    pub(crate) fn deafen(&self) {
        self.hears.xchg(false, Full);
        // A handler counts itself before it reads `hears`, and both accesses are fully ordered. So
        // a handler that this loop does not see sees the new value.
        while self.handling.load(Acquire) != 0 {
            fsleep(Delta::from_micros(10));
        }
        self.synchronize();
    }

    /// Makes [`deafen`](Self::deafen) wait for this handler. Returns `None` if it was already
    /// called.
    fn handle(&self) -> Option<Handling<'_>> {
        self.handling.fetch_add(1, Full);
        let handling = Handling(self);
        self.hears.load(Acquire).then_some(handling)
    }

    /// Waits until the thread has reported all events that it has read. It will read any pending
    /// events afterwards.
    ///
    /// Context: may sleep; not in the line's own thread.
    pub(crate) fn synchronize(&self) {
        drop(self.serving.lock());
    }
}

/// A hard handler that may access the registers.
struct Handling<'a>(&'a Line);

impl Drop for Handling<'_> {
    fn drop(&mut self) {
        self.0.handling.fetch_sub(1, Full);
    }
}

impl Gpu<'_> {
    /// Enables `events` of a line, and disables all others.
    pub(crate) fn set_mask(&self, line: &Line, events: u32) {
        let mut mask = line.mask.lock();
        *mask = events;
        self.regs.write(line.block.mask, events);
    }

    /// Enables the events `with` of a line, and disables `without`.
    pub(crate) fn change_mask(&self, line: &Line, with: u32, without: u32) {
        let mut mask = line.mask.lock();
        *mask = (*mask | with) & !without;
        self.regs.write(line.block.mask, *mask);
    }

    /// Makes a line interrupt again for pending events, after their interrupt was lost.
    pub(crate) fn kick(&self, line: &Line) {
        let mask = line.mask.lock();
        self.regs.write(line.block.mask, 0);
        self.regs.write(line.block.mask, *mask);
    }

    /// Clears events of a line.
    pub(crate) fn clear(&self, line: &Line, events: u32) {
        self.regs.write(line.block.clear, events);
    }
}

/// A handler for the events of a line.
pub(crate) trait Serve: Send + Sync {
    /// Returns the line.
    fn line<'a>(&self, gpu: &'a Gpu<'_>) -> &'a Line;

    /// Handles `events`. It clears them before it reads their causes.
    ///
    /// Context: the interrupt's thread, may sleep.
    fn serve(&self, gpu: &Gpu<'_>, events: u32);
}

/// The interrupt handler of a line.
pub(crate) struct Interrupt<'bound, S> {
    pub(crate) gpu: Arc<Gpu<'bound>>,
    pub(crate) server: S,
}

/// The number of times that the thread checks for more events before it lets the line interrupt
/// again.
const ROUNDS: usize = 8;

impl<S: Serve> ThreadedHandler for Interrupt<'_, S> {
    fn handle(&self) -> ThreadedIrqReturn {
        let line = self.server.line(&self.gpu);
        let Some(_handling) = line.handle() else {
            return ThreadedIrqReturn::None;
        };
        let block = line.block;
        let status = self.gpu.regs.read(block.status);
        // All ones mean that the GPU is gone.
        if status == 0 || status == u32::MAX {
            return ThreadedIrqReturn::None;
        }
        self.gpu.regs.write(block.mask, 0);
        ThreadedIrqReturn::WakeThread
    }

    fn handle_threaded(&self) -> IrqReturn {
        let gpu = &*self.gpu;
        let line = self.server.line(gpu);
        let _serving = line.serving.lock();
        if !line.hears.load(Acquire) {
            return IrqReturn::Handled;
        }
        for _ in 0..ROUNDS {
            let happened = gpu.regs.read(line.block.rawstat);
            let events = happened & *line.mask.lock();
            if events == 0 || happened == u32::MAX {
                break;
            }
            self.server.serve(gpu, events);
        }
        gpu.change_mask(line, 0, 0);
        IrqReturn::Handled
    }
}
