// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What all processes of a storm see: orders, the device's generation, how far each has got, and what it was answered.
//!
//! It is a memfd that every process has as its standard input, so it outlives whoever is killed in the middle of a call.
//!
//! Source: memfd_create(2), futex(2).

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::thread::futex;

use crate::sys::{Answer, Mapping, memory_file};
use crate::uapi::PAGE;

/// What the processes are to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Order {
    /// Calls.
    Storm,
    /// Close everything and keep still: the module is about to go.
    Leave,
    /// End.
    Stop,
}

/// The rows that the table of calls may have.
pub(super) const ROWS: usize = 96;
/// The places for answers: success is 0, then error numbers; what is beyond stands in the last.
pub(super) const ANSWERS: usize = 136;
/// The processes that there may be, each with a copy of itself now and then.
pub(super) const PROCESSES: usize = 16;

/// Words that all share, before the blocks.
const HEAD: usize = 16;
const ORDER: usize = 0;
const GENERATION: usize = 1;
const SHORT: usize = 2;
const TURNS: usize = 3;

/// Words of a block before its answers.
const PID: usize = 0;
const CALLS: usize = 1;
const ROW: usize = 2;
const FAILED: usize = 3;
const AWAY: usize = 4;
const BLOCK: usize = 8 + ROWS * ANSWERS;
const BLOCKS: usize = 2 * PROCESSES;
const BYTES: usize = ((HEAD + BLOCKS * BLOCK) * 4).next_multiple_of(PAGE);

/// The page, as one process sees it.
#[derive(Debug)]
pub(super) struct Board {
    mapping: Mapping,
}

// SAFETY: it is accessed as atomic words only, by all processes and threads.
unsafe impl Sync for Board {}

/// Which block: a process's, or its copy's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block(usize);

impl Block {
    /// That of process `number`.
    pub(super) const fn of(number: usize) -> Self {
        assert!(number < PROCESSES);
        Self(2 * number)
    }

    /// That of the process's copy.
    pub(super) const fn of_copy(self) -> Self {
        Self(self.0 | 1)
    }

    /// The number of the process, and whether it is the copy.
    pub(super) const fn number(self) -> (usize, bool) {
        (self.0 / 2, self.0 % 2 == 1)
    }

    /// All blocks of the first `processes`.
    pub(super) fn all(processes: usize) -> impl Iterator<Item = Self> {
        (0..2 * processes).map(Self)
    }
}

impl Board {
    /// A new one, and the file that others map.
    pub(super) fn new() -> Answer<(Self, OwnedFd)> {
        let file = memory_file(BYTES)?;
        Ok((Self::of(&file)?, file))
    }

    /// That of a file.
    pub(super) fn of(file: impl AsFd) -> Answer<Self> {
        Ok(Self { mapping: Mapping::shared(file, 0, BYTES)? })
    }

    fn word(&self, at: usize) -> &AtomicU32 {
        assert!(at < BYTES / 4, "the board has that many words");
        // SAFETY: within the mapping, aligned, and never accessed but as atomic words.
        unsafe { AtomicU32::from_ptr((self.mapping.address() as *mut u32).add(at)) }
    }

    fn of_block(&self, block: Block, at: usize) -> &AtomicU32 {
        self.word(HEAD + block.0 * BLOCK + at)
    }

    /// What the processes are to do.
    pub(super) fn order(&self) -> Order {
        match self.word(ORDER).load(Ordering::SeqCst) {
            0 => Order::Storm,
            1 => Order::Leave,
            _ => Order::Stop,
        }
    }

    /// Gives another order.
    pub(super) fn give(&self, order: Order) {
        self.word(ORDER).store(order as u32, Ordering::SeqCst);
        self.wake(ORDER);
        self.count_turn();
    }

    fn wake(&self, word: usize) {
        // A number of those who were woken says nothing.
        let _ = futex::wake(self.word(word), futex::Flags::empty(), i32::MAX as u32);
    }

    fn count_turn(&self) {
        self.word(TURNS).fetch_add(1, Ordering::SeqCst);
        self.wake(TURNS);
    }

    /// How often an order was given or the generation has changed.
    pub(super) fn turns(&self) -> u32 {
        self.word(TURNS).load(Ordering::SeqCst)
    }

    /// Waits until there are more of them; a signal ends that, too.
    pub(super) fn wait_turn(&self, turns: u32) {
        // Whatever ends it, the caller looks again.
        let _ = futex::wait(self.word(TURNS), futex::Flags::empty(), turns, None);
    }

    /// Waits while an order stands; a signal ends that, too.
    pub(super) fn wait(&self, order: Order) {
        // Whatever ends it, the caller looks at the order again.
        let _ = futex::wait(self.word(ORDER), futex::Flags::empty(), order as u32, None);
    }

    /// The device's generation: odd while it may go at any moment.
    pub(super) fn generation(&self) -> u32 {
        self.word(GENERATION).load(Ordering::SeqCst)
    }

    /// From here on the device may go, or from here on it stays.
    pub(super) fn turn(&self) {
        self.word(GENERATION).fetch_add(1, Ordering::SeqCst);
        self.count_turn();
    }

    /// Whether allocations of the processes' calls are to fail.
    pub(super) fn is_short(&self) -> bool {
        self.word(SHORT).load(Ordering::SeqCst) != 0
    }

    /// Sets that.
    pub(super) fn set_short(&self, short: bool) {
        self.word(SHORT).store(short.into(), Ordering::SeqCst);
    }

    /// Whose block it is now, 0 if nobody's.
    pub(super) fn pid(&self, block: Block) -> u32 {
        self.of_block(block, PID).load(Ordering::SeqCst)
    }

    /// Takes a block, or leaves it with 0.
    pub(super) fn set_pid(&self, block: Block, pid: u32) {
        self.of_block(block, PID).store(pid, Ordering::SeqCst);
    }

    /// Whether a process has closed everything.
    pub(super) fn is_away(&self, block: Block) -> bool {
        self.of_block(block, AWAY).load(Ordering::SeqCst) != 0
    }

    /// Says so, or takes it back.
    pub(super) fn set_away(&self, block: Block, away: bool) {
        let word = self.of_block(block, AWAY);
        word.store(away.into(), Ordering::SeqCst);
        // A number of those who were woken says nothing.
        let _ = futex::wake(word, futex::Flags::empty(), 1);
    }

    /// Waits a moment for a process to say so; it may have ended instead.
    pub(super) fn wait_away(&self, block: Block) {
        let limit = rustix::time::Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        // Whatever ends it, the caller looks again.
        let _ = futex::wait(self.of_block(block, AWAY), futex::Flags::empty(), 0, Some(&limit));
    }

    /// A call of a row begins.
    pub(super) fn begin(&self, block: Block, row: usize) {
        self.of_block(block, ROW).store(row as u32, Ordering::Relaxed);
        self.of_block(block, CALLS).fetch_add(1, Ordering::Relaxed);
    }

    /// It ended with an error number, or 0.
    pub(super) fn end(&self, block: Block, row: usize, errno: i32) {
        let place = usize::try_from(errno).unwrap_or(ANSWERS).min(ANSWERS - 1);
        self.of_block(block, 8 + row * ANSWERS + place).fetch_add(1, Ordering::Relaxed);
    }

    /// An allocation of the process's was made to fail.
    pub(super) fn count_failed(&self, block: Block) {
        self.of_block(block, FAILED).fetch_add(1, Ordering::Relaxed);
    }

    /// How many calls a block has begun, and the row of the last.
    pub(super) fn progress(&self, block: Block) -> (u32, usize) {
        let read = |at| self.of_block(block, at).load(Ordering::Relaxed);
        (read(CALLS), read(ROW) as usize)
    }

    /// How many calls of a row were answered in a way, and by all how many allocations failed.
    pub(super) fn answers(&self, row: usize, place: usize) -> u64 {
        let read = |block| u64::from(self.of_block(block, 8 + row * ANSWERS + place).load(Ordering::Relaxed));
        Block::all(PROCESSES).map(read).sum()
    }

    /// How many calls there were.
    pub(super) fn calls(&self) -> u64 {
        Block::all(PROCESSES).map(|block| u64::from(self.progress(block).0)).sum()
    }

    /// How many allocations failed.
    pub(super) fn failed(&self) -> u64 {
        Block::all(PROCESSES).map(|block| u64::from(self.of_block(block, FAILED).load(Ordering::Relaxed))).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_process_counts_another_sees() {
        let (board, file) = Board::new().unwrap();
        let theirs = Board::of(&file).unwrap();
        let block = Block::of(3).of_copy();
        theirs.begin(block, 5);
        theirs.end(block, 5, 22);
        theirs.end(block, 5, 5000);
        assert_eq!((board.answers(5, 22), board.answers(5, ANSWERS - 1), board.calls()), (1, 1, 1));
        assert_eq!((board.progress(block), block.number()), ((1, 5), (3, true)));
    }

    #[test]
    fn orders_are_seen() {
        let (board, file) = Board::new().unwrap();
        board.give(Order::Leave);
        assert_eq!(Board::of(&file).unwrap().order(), Order::Leave);
        // The order is another one, so nobody waits.
        board.wait(Order::Storm);
    }
}
