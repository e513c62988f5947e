// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The three interrupts: GPU, JOB and MMU.
//!
//! The hard part masks its line, and the thread serves what happened, clears it and takes the mask off
//! again; so the vector, which tells only of a change from nothing to something, tells of what comes next.
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

/// One of the GPU's interrupt lines: its registers, and which of its events interrupt.
#[pin_data]
pub(crate) struct Line {
    pub(crate) block: Block,
    #[pin]
    mask: Mutex<u32>,
    /// Held by the thread while it serves.
    #[pin]
    serving: Mutex<()>,
    /// Whether the registers may be read: others may interrupt on a line that is shared while they have no clock.
    hears: Atomic<bool>,
    /// How many hard handlers are at the registers.
    handling: Atomic<i32>,
}

impl Line {
    /// `key` is of this line alone: the thread of one may wait for that of another, in a flush.
    pub(crate) fn new(block: Block, key: Pin<&'static LockClassKey>) -> impl PinInit<Self> {
        pin_init!(Self {
            block,
            mask <- new_mutex!(0, "tyr::Line"),
            serving <- Mutex::new((), c"tyr::Line::serving", key),
            hears: Atomic::new(false),
            handling: Atomic::new(0),
        })
    }

    /// Lets the handlers access registers from now on: the GPU is fed. At first they do not.
    pub(crate) fn hear(&self) {
        self.hears.store(true, Release);
    }

    /// Has the handlers access no register from its return on, before the GPU loses its power.
    ///
    /// Context: sleeps; not in the line's own thread.
    pub(crate) fn deafen(&self) {
        self.hears.xchg(false, Full);
        // A handler counts itself before it looks at `hears`, both fully ordered: one that is not seen here sees that.
        while self.handling.load(Acquire) != 0 {
            fsleep(Delta::from_micros(10));
        }
        self.synchronize();
    }

    /// Keeps [`deafen`](Self::deafen) waiting, or is None since it was called.
    fn handle(&self) -> Option<Handling<'_>> {
        self.handling.fetch_add(1, Full);
        let handling = Handling(self);
        self.hears.load(Acquire).then_some(handling)
    }

    /// Waits until the thread has told of all that it has read; it will read what is pending then.
    ///
    /// Context: may sleep; not in the line's own thread.
    pub(crate) fn synchronize(&self) {
        drop(self.serving.lock());
    }
}

/// A hard handler that is at the registers.
struct Handling<'a>(&'a Line);

impl Drop for Handling<'_> {
    fn drop(&mut self) {
        self.0.handling.fetch_sub(1, Full);
    }
}

impl Gpu<'_> {
    /// Lets `events` of a line interrupt, and no others.
    pub(crate) fn set_mask(&self, line: &Line, events: u32) {
        let mut mask = line.mask.lock();
        *mask = events;
        self.regs.write(line.block.mask, events);
    }

    /// Lets `with` of a line interrupt as well, and `without` no longer.
    pub(crate) fn change_mask(&self, line: &Line, with: u32, without: u32) {
        let mut mask = line.mask.lock();
        *mask = (*mask | with) & !without;
        self.regs.write(line.block.mask, *mask);
    }

    /// Has a line interrupt anew for what is pending: the interrupt that told of it was lost.
    pub(crate) fn kick(&self, line: &Line) {
        let mask = line.mask.lock();
        self.regs.write(line.block.mask, 0);
        self.regs.write(line.block.mask, *mask);
    }

    /// Forgets events of a line that happened.
    pub(crate) fn clear(&self, line: &Line, events: u32) {
        self.regs.write(line.block.clear, events);
    }
}

/// Who does something about the events of a line.
pub(crate) trait Serve: Send + Sync {
    /// The line.
    fn line<'a>(&self, gpu: &'a Gpu<'_>) -> &'a Line;

    /// Serves `events`, and clears them before it looks at what they tell of.
    ///
    /// Context: the interrupt's thread, may sleep.
    fn serve(&self, gpu: &Gpu<'_>, events: u32);
}

/// The handler of a line.
pub(crate) struct Interrupt<'bound, S> {
    pub(crate) gpu: Arc<Gpu<'bound>>,
    pub(crate) server: S,
}

/// How often the thread looks for more before it lets the line interrupt again.
const ROUNDS: usize = 8;

impl<S: Serve> ThreadedHandler for Interrupt<'_, S> {
    fn handle(&self) -> ThreadedIrqReturn {
        let line = self.server.line(&self.gpu);
        let Some(_handling) = line.handle() else {
            return ThreadedIrqReturn::None;
        };
        let block = line.block;
        let status = self.gpu.regs.read(block.status);
        // Ones: the GPU is gone.
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
