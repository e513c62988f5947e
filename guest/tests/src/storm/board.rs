// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! State that all processes of a storm share: orders, the device's generation, and each process's progress and answers.
//!
//! The board is a memfd that every process has as its standard input, so it survives a process that is killed in the middle of
//! a call.
//!
//! Source: memfd_create(2), futex(2).

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::thread::futex;
use uapi::PAGE;

use sys::{Answer, Mapping, memory_file};

/// An order to all processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Order {
    /// Make calls.
    Storm,
    /// Close everything and stay idle: the module is about to be unloaded.
    Leave,
    /// Exit.
    Stop,
}

/// The largest number of rows in the table of calls.
pub(super) const ROWS: usize = 128;
/// The number of counters for answers. Success is 0, then come error numbers; the last counter takes all larger ones.
pub(super) const ANSWERS: usize = 136;
/// The largest number of processes. Each may have a forked copy.
pub(super) const PROCESSES: usize = 16;

/// Number of words that all processes share, before the blocks.
const HEAD: usize = 16;
const ORDER: usize = 0;
const GENERATION: usize = 1;
const SHORT: usize = 2;
const TURNS: usize = 3;

/// Indices of a block's words before its answers.
const PID: usize = 0;
const CALLS: usize = 1;
const ROW: usize = 2;
const FAILED: usize = 3;
const AWAY: usize = 4;
const BLOCK: usize = 8 + ROWS * ANSWERS;
const BLOCKS: usize = 2 * PROCESSES;
const BYTES: usize = ((HEAD + BLOCKS * BLOCK) * 4).next_multiple_of(PAGE);

/// The shared page, as mapped by one process.
#[derive(Debug)]
pub(super) struct Board {
    mapping: Mapping,
}

// SAFETY: all processes and threads access the page as atomic words only.
unsafe impl Sync for Board {}

/// The index of a block, which belongs to a process or to its copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block(usize);

impl Block {
    /// Returns the block of process `number`.
    pub(super) const fn of(number: usize) -> Self {
        assert!(number < PROCESSES);
        Self(2 * number)
    }

    /// Returns the block of the process's copy.
    pub(super) const fn of_copy(self) -> Self {
        Self(self.0 | 1)
    }

    /// Returns the number of the process, and whether the block is the copy's.
    pub(super) const fn number(self) -> (usize, bool) {
        (self.0 / 2, self.0 % 2 == 1)
    }

    /// Returns all blocks of the first `processes`.
    pub(super) fn all(processes: usize) -> impl Iterator<Item = Self> {
        (0..2 * processes).map(Self)
    }
}

impl Board {
    /// Creates a board, and the file that other processes map.
    pub(super) fn new() -> Answer<(Self, OwnedFd)> {
        let file = memory_file(BYTES)?;
        Ok((Self::of(&file)?, file))
    }

    /// Maps the board in a file.
    pub(super) fn of(file: impl AsFd) -> Answer<Self> {
        Ok(Self { mapping: Mapping::shared(file, 0, BYTES)? })
    }

    fn word(&self, at: usize) -> &AtomicU32 {
        assert!(at < BYTES / 4, "the board has that many words");
        // SAFETY: within the mapping, aligned, and only ever accessed as atomic words.
        unsafe { AtomicU32::from_ptr((self.mapping.address() as *mut u32).add(at)) }
    }

    fn of_block(&self, block: Block, at: usize) -> &AtomicU32 {
        self.word(HEAD + block.0 * BLOCK + at)
    }

    /// Returns the current order.
    pub(super) fn order(&self) -> Order {
        match self.word(ORDER).load(Ordering::SeqCst) {
            0 => Order::Storm,
            1 => Order::Leave,
            _ => Order::Stop,
        }
    }

    /// Changes the order.
    pub(super) fn give(&self, order: Order) {
        self.word(ORDER).store(order as u32, Ordering::SeqCst);
        self.wake(ORDER);
        self.count_turn();
    }

    fn wake(&self, word: usize) {
        // How many processes were woken does not matter.
        let _ = futex::wake(self.word(word), futex::Flags::empty(), i32::MAX as u32);
    }

    fn count_turn(&self) {
        self.word(TURNS).fetch_add(1, Ordering::SeqCst);
        self.wake(TURNS);
    }

    /// Returns how often the order or the generation has changed.
    pub(super) fn turns(&self) -> u32 {
        self.word(TURNS).load(Ordering::SeqCst)
    }

    /// Waits until that number is above `turns`, or until a signal arrives.
    pub(super) fn wait_turn(&self, turns: u32) {
        // Whatever ends the wait, the caller checks again.
        let _ = futex::wait(self.word(TURNS), futex::Flags::empty(), turns, None);
    }

    /// Waits while the order is `order`, or until a signal arrives.
    pub(super) fn wait(&self, order: Order) {
        // Whatever ends the wait, the caller reads the order again.
        let _ = futex::wait(self.word(ORDER), futex::Flags::empty(), order as u32, None);
    }

    /// Returns the device's generation, which is odd while the device may be removed at any moment.
    pub(super) fn generation(&self) -> u32 {
        self.word(GENERATION).load(Ordering::SeqCst)
    }

    /// Changes between generations: from here on the device may be removed, or from here on it stays.
    pub(super) fn turn(&self) {
        self.word(GENERATION).fetch_add(1, Ordering::SeqCst);
        self.count_turn();
    }

    /// Whether allocations of the processes' calls are to fail.
    pub(super) fn is_short(&self) -> bool {
        self.word(SHORT).load(Ordering::SeqCst) != 0
    }

    /// Sets whether allocations of the processes' calls are to fail.
    pub(super) fn set_short(&self, short: bool) {
        self.word(SHORT).store(short.into(), Ordering::SeqCst);
    }

    /// Returns the process that owns a block, or 0.
    pub(super) fn pid(&self, block: Block) -> u32 {
        self.of_block(block, PID).load(Ordering::SeqCst)
    }

    /// Sets the owner of a block; 0 frees it.
    pub(super) fn set_pid(&self, block: Block, pid: u32) {
        self.of_block(block, PID).store(pid, Ordering::SeqCst);
    }

    /// Whether a process has closed everything.
    pub(super) fn is_away(&self, block: Block) -> bool {
        self.of_block(block, AWAY).load(Ordering::SeqCst) != 0
    }

    /// Sets whether a process has closed everything.
    pub(super) fn set_away(&self, block: Block, away: bool) {
        let word = self.of_block(block, AWAY);
        word.store(away.into(), Ordering::SeqCst);
        // How many processes were woken does not matter.
        let _ = futex::wake(word, futex::Flags::empty(), 1);
    }

    /// Waits a short time for a process to close everything. The process may have exited instead.
    pub(super) fn wait_away(&self, block: Block) {
        let limit = rustix::time::Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        // Whatever ends the wait, the caller checks again.
        let _ = futex::wait(self.of_block(block, AWAY), futex::Flags::empty(), 0, Some(&limit));
    }

    /// Records that a call of a row begins.
    pub(super) fn begin(&self, block: Block, row: usize) {
        self.of_block(block, ROW).store(row as u32, Ordering::Relaxed);
        self.of_block(block, CALLS).fetch_add(1, Ordering::Relaxed);
    }

    /// Records that the call ended with an error number, or 0.
    pub(super) fn end(&self, block: Block, row: usize, errno: i32) {
        let place = usize::try_from(errno).unwrap_or(ANSWERS).min(ANSWERS - 1);
        self.of_block(block, 8 + row * ANSWERS + place).fetch_add(1, Ordering::Relaxed);
    }

    /// Records that an allocation of the process was made to fail.
    pub(super) fn count_failed(&self, block: Block) {
        self.of_block(block, FAILED).fetch_add(1, Ordering::Relaxed);
    }

    /// Returns how many calls a block has begun, and the row of the last call.
    pub(super) fn progress(&self, block: Block) -> (u32, usize) {
        let read = |at| self.of_block(block, at).load(Ordering::Relaxed);
        (read(CALLS), read(ROW) as usize)
    }

    /// Returns how many calls of a row had an answer, over all blocks.
    pub(super) fn answers(&self, row: usize, place: usize) -> u64 {
        let read = |block| u64::from(self.of_block(block, 8 + row * ANSWERS + place).load(Ordering::Relaxed));
        Block::all(PROCESSES).map(read).sum()
    }

    /// Returns the number of calls.
    pub(super) fn calls(&self) -> u64 {
        Block::all(PROCESSES).map(|block| u64::from(self.progress(block).0)).sum()
    }

    /// Returns the number of failed allocations.
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
        // The order is a different one, so this does not wait.
        board.wait(Order::Storm);
    }
}
