// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Starts, kills, replaces and ends the processes of a storm.
//!
//! Source: waitpid(2), proc(5).

use std::fs;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};

use crate::harness::check::{Outcome, fail};
use crate::subjects::driver::Driver;

use super::board::{Block, Board, Order};
use super::memory::Memory;
use super::{client, device};

/// All processes of a storm.
pub(super) struct Processes<'s> {
    driver: Driver,
    seed: u64,
    board: &'s Board,
    file: OwnedFd,
    memory: &'s Memory,
    children: Vec<Child>,
    /// How often each process was started.
    lives: Vec<u64>,
}

impl<'s> Processes<'s> {
    /// Starts `count` processes.
    pub(super) fn start(
        (driver, seed): (Driver, u64),
        (board, file): (&'s Board, OwnedFd),
        memory: &'s Memory,
        count: usize,
    ) -> Outcome<Self> {
        let lives = vec![0; count];
        let mut this = Self { driver, seed, board, file, memory, children: Vec::new(), lives };
        for number in 0..count {
            let child = this.spawn(number)?;
            this.children.push(child);
        }
        Ok(this)
    }

    /// Starts a process. Its random choices follow from the seed, its number, and how often it was started.
    fn spawn(&mut self, number: usize) -> Outcome<Child> {
        let seed = self.seed.wrapping_add((number as u64) << 48).wrapping_add(self.lives[number] << 32);
        self.lives[number] += 1;
        let mut command = client::command(self.driver, number, self.lives.len(), seed);
        command.stdin(Stdio::from(self.file.try_clone()?)).stdout(Stdio::piped());
        // This must come before the process itself can report that it is away.
        self.board.set_away(Block::of(number), false);
        let child = command.spawn()?;
        self.board.set_pid(Block::of(number), child.id());
        self.memory.admit(child.id());
        Ok(child)
    }

    /// Kills a process in the middle of whatever it does, and starts another in its place.
    pub(super) fn kill(&mut self, number: usize) -> Outcome {
        self.children[number].kill()?;
        self.replace(number)
    }

    fn replace(&mut self, number: usize) -> Outcome {
        self.board.set_pid(Block::of(number), 0);
        self.children[number].wait()?;
        self.board.set_pid(Block::of(number).of_copy(), 0);
        self.children[number] = self.spawn(number)?;
        Ok(())
    }

    /// Fails with the output of a process that exited by itself. Returns how many were killed for lack of memory.
    pub(super) fn look(&mut self) -> Outcome<u64> {
        let mut killed = 0;
        for number in 0..self.children.len() {
            let Some(status) = self.children[number].try_wait()? else { continue };
            if status.signal() != Some(libc::SIGKILL) {
                return self.ended(number, status);
            }
            killed += 1;
            self.replace(number)?;
        }
        Ok(killed)
    }

    fn ended<T>(&mut self, number: usize, status: ExitStatus) -> Outcome<T> {
        let mut words = String::new();
        if let Some(mut stdout) = self.children[number].stdout.take() {
            stdout.read_to_string(&mut words)?;
        }
        let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
        fail(format!("process {number} ended with {status}: {words}"))
    }

    /// Waits until all processes have closed everything.
    pub(super) fn send_away(&mut self) -> Outcome {
        self.board.give(Order::Leave);
        for number in 0..self.children.len() {
            while !self.board.is_away(Block::of(number)) {
                self.look()?;
                self.board.wait_away(Block::of(number));
            }
        }
        Ok(())
    }

    /// Ends all processes. A failure that any of them found is the storm's failure.
    pub(super) fn finish(&mut self) -> Outcome {
        self.board.give(Order::Stop);
        for number in 0..self.children.len() {
            let status = self.children[number].wait()?;
            let killed = status.signal() == Some(libc::SIGKILL);
            self.board.set_pid(Block::of(number), 0);
            if !status.success() && !killed {
                return self.ended(number, status);
            }
        }
        Ok(())
    }
}

/// Returns what may keep a module although all processes of the storm have closed everything: what any process of the guest, such
/// as a killed process's copy, still has mapped or open, tasks inside of the DRM core, and dma-bufs.
pub(super) fn holders() -> String {
    let keeps = |text: &str| {
        ["/dev/dri/", "/dev/fb", "/dmabuf:", "sync_file", "/debug/dri/"].iter().any(|kept| text.contains(kept))
    };
    let entries = |path: PathBuf| fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_process = |path: &PathBuf| path.file_name().is_some_and(|name| name.as_encoded_bytes()[0].is_ascii_digit());
    let mut held = String::new();
    for folder in entries("/proc".into()).filter(is_process) {
        // The process may exit meanwhile.
        let read = |file: &str| fs::read_to_string(folder.join(file)).unwrap_or_default();
        let links = entries(folder.join("fd")).filter_map(|link| fs::read_link(link).ok());
        let files = links.map(|link| link.to_string_lossy().into_owned());
        let maps = read("maps").lines().map(str::to_owned).collect::<Vec<_>>();
        let mut found: Vec<_> = maps.into_iter().chain(files).filter(|text| keeps(text)).collect();
        let stack = read("stack");
        if ["drm", "fb_", "dma_"].iter().any(|part| stack.contains(part)) {
            found.push(format!(
                "is in {}",
                stack.split_whitespace().filter(|word| word.contains('+')).collect::<Vec<_>>().join(" ")
            ));
        }
        for text in found {
            held.push_str(&format!("; {} `{}` has {text}", folder.display(), read("comm").trim()));
        }
    }
    format!("{held}; dma-bufs: {}", device::dma_bufs())
}

impl Drop for Processes<'_> {
    fn drop(&mut self) {
        for child in &mut self.children {
            // Processes that have exited cannot be killed.
            let _ = child.kill();
        }
    }
}
