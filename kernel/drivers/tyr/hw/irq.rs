// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The three interrupts: GPU, JOB and MMU.
//!
//! The hard handler masks its line. The thread handles the events, clears them and removes the
//! mask. The vector reports only a change from no event to some event, so this makes it report the
//! next one.
//!
//! Source: `crates/mali-regs` (`irq.rs`); drivers/gpu/drm/panthor/panthor_device.h for the order of accesses.

use crate::hw::gpu::Gpu;
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
    thread: Mutex<()>,
    /// Whether handlers may read the registers. On a shared line, other devices may interrupt while
    /// the registers have no clock.
    active: Atomic<bool>,
    /// The number of hard handlers that access the registers.
    in_flight: Atomic<i32>,
}

impl Line {
    /// Creates a line. `key` must belong to this line alone, because the thread of one line may
    /// wait for that of another, in a flush.
    pub(crate) fn new(block: Block, key: Pin<&'static LockClassKey>) -> impl PinInit<Self> {
        pin_init!(Self {
            block,
            mask <- new_mutex!(0, "tyr::Line"),
            thread <- Mutex::new((), c"tyr::Line::thread", key),
            active: Atomic::new(false),
            in_flight: Atomic::new(0),
        })
    }

    /// Lets the handlers access registers from now on. The GPU's power must be on. Initially they
    /// must not access registers.
    pub(crate) fn resume(&self) {
        self.active.store(true, Release);
    }

    /// Stops the handlers from accessing registers, before the GPU loses its power. No handler does
    /// so after this returns.
    ///
    /// Context: sleeps; not in the line's own thread.
    pub(crate) fn suspend(&self) {
        self.active.xchg(false, Full);
        // A handler counts itself before it reads `active`, and both accesses are fully ordered. So
        // a handler that this loop does not see sees the new value.
        while self.in_flight.load(Acquire) != 0 {
            fsleep(Delta::from_micros(10));
        }
        self.synchronize();
    }

    /// Makes [`suspend`](Self::suspend) wait for this handler. Returns `None` if it was already
    /// called.
    fn enter(&self) -> Option<InFlight<'_>> {
        self.in_flight.fetch_add(1, Full);
        let in_flight = InFlight(self);
        self.active.load(Acquire).then_some(in_flight)
    }

    /// Waits until the thread has reported all events that it has read. It will read any pending
    /// events afterwards.
    ///
    /// Context: may sleep; not in the line's own thread.
    pub(crate) fn synchronize(&self) {
        drop(self.thread.lock());
    }
}

/// A hard handler that may access the registers.
struct InFlight<'a>(&'a Line);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Full);
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
pub(crate) trait HandleEvents: Send + Sync {
    /// Returns the line.
    fn line<'a>(&self, gpu: &'a Gpu<'_>) -> &'a Line;

    /// Handles `events`. It clears them before it reads their causes.
    ///
    /// Context: the interrupt's thread, may sleep.
    fn handle_events(&self, gpu: &Gpu<'_>, events: u32);
}

/// The interrupt handler of a line.
pub(crate) struct LineHandler<'bound, H> {
    pub(crate) gpu: Arc<Gpu<'bound>>,
    pub(crate) handler: H,
}

/// The number of times that the thread checks for more events before it lets the line interrupt
/// again.
const MAX_ROUNDS: usize = 8;

impl<H: HandleEvents> ThreadedHandler for LineHandler<'_, H> {
    fn handle(&self) -> ThreadedIrqReturn {
        let line = self.handler.line(&self.gpu);
        let Some(_in_flight) = line.enter() else {
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
        let line = self.handler.line(gpu);
        let _thread = line.thread.lock();
        if !line.active.load(Acquire) {
            return IrqReturn::Handled;
        }
        for _ in 0..MAX_ROUNDS {
            let rawstat = gpu.regs.read(line.block.rawstat);
            let events = rawstat & *line.mask.lock();
            if events == 0 || rawstat == u32::MAX {
                break;
            }
            self.handler.handle_events(gpu, events);
        }
        gpu.change_mask(line, 0, 0);
        IrqReturn::Handled
    }
}
