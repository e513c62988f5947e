// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! One process of a storm: its open files, the random calls that it makes, and the answers that cannot be right.
//!
//! Source: proc(5), `fail-nth`; Documentation/gpu/drm-uapi.rst, "Device Hot-Unplug" (Linux 7.3).

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::process::Command;

use fastrand::Rng;
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions};
use sys::{Answer, Disposition, Mapping};

use crate::check::{Outcome, fail, name};
use crate::device;
use crate::driver::Driver;
use crate::works;

use super::board::{Block, Board, Order};
use super::field::{Field, Filler, Pool};
use super::table::{self, Row, What};
use super::window::Window;

/// The kind of an open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Drm,
    DmaBuf,
    /// A dma-buf of udmabuf. Its `DMA_BUF_SYNC` is wrong in Linux 7.3: it syncs in another direction than it has
    /// mapped.
    Udmabuf,
    SyncFile,
    SyncobjFile,
    Event,
    Other,
}

/// An open file.
#[derive(Debug)]
pub(super) struct File {
    fd: OwnedFd,
    pub(super) kind: Kind,
    /// The device's generation when the file was opened, if that is known.
    generation: Option<u32>,
    pub(super) ids: [Vec<u64>; Pool::COUNT],
}

impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl File {
    pub(super) fn of(fd: OwnedFd, generation: Option<u32>) -> Self {
        let link = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).unwrap_or_default();
        let link = link.to_string_lossy();
        let kinds = [
            ("/dev/dri/", Kind::Drm),
            ("/dmabuf:", Kind::DmaBuf),
            ("anon_inode:sync_file", Kind::SyncFile),
            ("anon_inode:syncobj", Kind::SyncobjFile),
            ("anon_inode:[eventfd", Kind::Event),
        ];
        let kind = match kinds.iter().find(|(start, _)| link.starts_with(start)) {
            Some((_, Kind::DmaBuf)) => match device::fdinfo(&fd) {
                Ok(text) if sys::foreign::is_udmabuf(&text) => Kind::Udmabuf,
                Ok(_) => Kind::DmaBuf,
                // The failed allocation may have been the one for the answer.
                Err(_) => Kind::Other,
            },
            Some((_, kind)) => *kind,
            None => Kind::Other,
        };
        Self { fd, kind, generation, ids: Default::default() }
    }

    pub(super) fn number(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// Closes the file and returns the answer, which a drop would not.
    pub(super) fn close(self) -> Answer {
        sys::close(self.fd)
    }

    fn learn(&mut self, pool: Pool, id: u64) {
        let known = &mut self.ids[pool as usize];
        known.push(id);
        if known.len() > 32 {
            known.remove(0);
        }
    }
}

/// The range of n for a call whose n-th allocation fails.
const MOST_ALLOCATIONS: u32 = 12;
/// The most files of a kind. With more, calls would rarely use the same file.
const MOST_OF_A_KIND: usize = 6;

/// A process of a storm.
pub(super) struct Client<'b> {
    pub(super) board: &'b Board,
    pub(super) block: Block,
    pub(super) random: Rng,
    pub(super) window: Window,
    pub(super) files: Vec<File>,
    /// A forked copy that makes calls at the same time.
    copy: Option<Pid>,
    rows: Vec<&'static Row>,
    fail_nth: Option<OwnedFd>,
    /// Descriptors from this number on were made by the storm.
    first: RawFd,
    pub(super) processes: usize,
    /// Mapped pages of the GPU's registers.
    pub(super) registers: Vec<Mapping>,
}

impl<'b> Client<'b> {
    pub(super) fn new(board: &'b Board, block: Block, driver: Driver, processes: usize, seed: u64) -> Answer<Self> {
        let rows = table::rows(driver);
        let window = Window::new()?;
        let fail_nth = sys::open("/proc/thread-self/fail-nth", OFlags::RDWR).ok();
        let first = rustix::io::fcntl_dupfd_cloexec(std::io::stdout(), 0)?.as_raw_fd();
        Ok(Self {
            board,
            block,
            random: Rng::with_seed(seed),
            window,
            files: Vec::new(),
            copy: None,
            rows,
            fail_nth,
            first,
            processes,
            registers: Vec::new(),
        })
    }

    /// Follows the orders until the end.
    pub(super) fn run(&mut self) -> Outcome {
        loop {
            match self.board.order() {
                Order::Storm => self.step()?,
                Order::Leave => {
                    self.leave()?;
                    self.board.set_away(self.block, true);
                    self.board.wait(Order::Leave);
                    self.board.set_away(self.block, false);
                }
                Order::Stop => return self.leave(),
            }
        }
    }

    /// Closes and unmaps everything, also files whose numbers the kernel made but did not return.
    fn leave(&mut self) -> Outcome {
        self.join_copy()?;
        self.files.clear();
        self.registers.clear();
        let full: Vec<_> = self.window.full().collect();
        full.into_iter().for_each(|slot| self.window.clear(slot));
        // SAFETY: every owned descriptor is closed, and the program's own are below `first`.
        unsafe { sys::close_from(self.first) };
        Ok(())
    }

    /// Makes one random call.
    fn step(&mut self) -> Outcome {
        let at = self.choose();
        let row = self.rows[at];
        self.board.begin(self.block, at);
        let lacking = self.board.is_short() && self.random.bool();
        if lacking {
            // Most calls make few allocations.
            let most = self.random.u32(1..=MOST_ALLOCATIONS);
            let nth = self.random.u32(1..=most);
            self.lack(nth);
        }
        let answer = match row.what {
            What::Ioctl { on, number, fields } => self.ioctl(row.name, on, number, fields),
            What::Do(call) => Ok(call(self)),
        };
        if lacking {
            self.lack(0);
        }
        let answer = answer?;
        self.board.end(self.block, at, answer.err().map_or(0, Errno::raw_os_error));
        self.reap_copy()
    }

    /// Chooses a row by its weight. A process without an open file of the device usually opens one first.
    fn choose(&mut self) -> usize {
        if self.any(Kind::Drm).is_none() && self.random.u8(..8) > 0 {
            return table::OPEN;
        }
        let at = super::weighted(&mut self.random, self.rows.iter().map(|row| row.weight));
        if self.random.u8(..4) > 0 { self.first_of(at) } else { at }
    }

    /// Returns the row, or a row that must be called before it because it makes the handles that the row needs.
    fn first_of(&mut self, mut at: usize) -> usize {
        // A row that makes handles may need others itself.
        for _ in 0..Pool::COUNT {
            let lacks = |file: &File, pool: &Pool| file.ids[*pool as usize].is_empty();
            let Some(file) = self.richest(Kind::Drm) else { return at };
            let needs = Field::needs(self.rows[at].fields());
            let Some(missing) = needs.into_iter().find(|pool| lacks(&self.files[file], pool)) else { return at };
            let makes = |at: &usize| Field::makes(self.rows[*at].fields(), missing);
            let makers: Vec<_> = (0..self.rows.len()).filter(makes).collect();
            if makers.is_empty() {
                return at;
            }
            at = makers[self.random.usize(..makers.len())];
        }
        at
    }

    /// Returns the file of a kind that knows numbers of the most pools.
    fn richest(&self, kind: Kind) -> Option<usize> {
        let fitting = (0..self.files.len()).filter(|at| self.files[*at].kind == kind);
        fitting.max_by_key(|at| self.files[*at].ids.iter().filter(|known| !known.is_empty()).count())
    }

    /// Makes the n-th allocation from now on fail. 0 ends that, and counts the failure if there was one.
    fn lack(&self, nth: u32) {
        let Some(file) = &self.fail_nth else { return };
        let mut text = [0; 16];
        if nth == 0 && matches!(rustix::io::pread(file, &mut text, 0), Ok(length) if text[..length] == *b"0\n") {
            self.board.count_failed(self.block);
        }
        rustix::io::pwrite(file, nth.to_string().as_bytes(), 0).expect("the kernel takes a number");
    }

    /// Returns the index of a random file of a kind.
    pub(super) fn any(&mut self, kind: Kind) -> Option<usize> {
        self.any_of(|file| file.kind == kind)
    }

    fn any_of(&mut self, fits: impl Fn(&File) -> bool) -> Option<usize> {
        let fitting: Vec<_> = (0..self.files.len()).filter(|at| fits(&self.files[*at])).collect();
        (!fitting.is_empty()).then(|| fitting[self.random.usize(..fitting.len())])
    }

    /// Usually returns a file that knows a number of each pool, or else of many: with any other file the answer is
    /// always the same.
    pub(super) fn any_with(&mut self, kind: Kind, pools: &[Pool]) -> Option<usize> {
        let knows = |file: &File| file.kind == kind && pools.iter().all(|pool| !file.ids[*pool as usize].is_empty());
        match self.random.u8(..4) {
            0 => self.any(kind),
            _ => self.any_of(knows).or_else(|| self.richest(kind)),
        }
    }

    /// Makes an ioctl of the table, now and then on a file of another kind.
    fn ioctl(&mut self, row: &str, on: Kind, number: u32, fields: &'static [Field]) -> Outcome<Answer> {
        let kinds = [Kind::Drm, Kind::DmaBuf, Kind::SyncFile, Kind::SyncobjFile, Kind::Event];
        let kind = if self.random.u8(..64) == 0 { kinds[self.random.usize(..kinds.len())] } else { on };
        let Some(chosen) = self.any_with(kind, &Field::needs(fields)) else { return Ok(Err(Errno::BADF)) };
        let file = &self.files[chosen];
        self.window.begin();
        let mut filler = Filler {
            strange: self.random.u8(..4) == 0,
            count: self.random.usize(1..4),
            random: &mut self.random,
            window: &mut self.window,
            files: &self.files,
            of: file,
        };
        let filled = filler.fill(fields);
        let right = self.window.put(&filled.bytes);
        let tells = !filled.made.is_empty();
        let address = match self.random.u8(..64) {
            0 if !tells => self.window.bad_addresses()[self.random.usize(..7)],
            1 if !tells => self.window.address(1 + self.random.usize(..4), 0),
            _ => right,
        };
        // SAFETY: the structure, and everything that it points to, is in the window or cannot be used at all.
        let answer = unsafe { sys::ioctl_raw(file.as_fd(), number, address) }.map(drop);
        self.check(row, &self.files[chosen], answer)?;
        // Most clients close a file whose device is gone. If all kept such files, hardly a call would reach a device.
        if answer == Err(Errno::NODEV) && on == Kind::Drm && self.random.u8(..4) > 0 {
            self.files.swap_remove(chosen);
        } else if answer.is_ok() && address == right {
            let file = &mut self.files[chosen];
            filled.gone.iter().for_each(|(pool, id)| file.ids[*pool as usize].retain(|known| known != id));
            self.learn(chosen, right, &filled.made);
        }
        Ok(answer)
    }

    /// Stores the numbers of the objects that the kernel has made.
    fn learn(&mut self, of: usize, argument: usize, made: &[(usize, &Field)]) {
        let mut files = Vec::new();
        for (at, field) in made {
            let word = self.window.word(argument + at);
            match field {
                Field::New(pool) => self.files[of].learn(*pool, word.into()),
                Field::NewLong(pool) => {
                    let high = u64::from(self.window.word(argument + at + 4));
                    self.files[of].learn(*pool, high << 32 | u64::from(word));
                }
                Field::NewFile => files.push(word),
                _ => {}
            }
        }
        // This comes last, since new files may replace the file itself.
        files.into_iter().for_each(|number| self.adopt(number));
    }

    /// Takes over a descriptor that the kernel has installed.
    fn adopt(&mut self, number: u32) {
        let Ok(number) = RawFd::try_from(number) else { return };
        // A flag of the call may have prevented a new file; then the number is the one that was passed.
        if number >= self.first && self.files.iter().all(|file| file.number() != number) {
            // SAFETY: the descriptor is neither the program's own nor another file's.
            if let Some(fd) = unsafe { sys::adopt(number) } {
                self.keep(fd, None);
            }
        }
    }

    /// Adds a new file, in place of another if there are many.
    pub(super) fn keep(&mut self, fd: OwnedFd, generation: Option<u32>) {
        let file = File::of(fd, generation);
        let alike = self.files.iter().filter(|other| other.kind == file.kind).count();
        if let Some(other) = self.any(file.kind).filter(|_| alike >= MOST_OF_A_KIND) {
            self.files.swap_remove(other);
        }
        self.files.push(file);
    }

    /// Checks that the answer is one that an ioctl of DRM may return, and is not `ENODEV` if the device was there all
    /// the time.
    fn check(&self, row: &str, file: &File, answer: Answer) -> Outcome {
        let Err(errno) = answer else { return Ok(()) };
        if file.kind == Kind::Drm && !table::ANSWERS.contains(&errno) {
            return fail(format!("{row} answers {}, which no ioctl of DRM does", name(errno)));
        }
        let stayed = file.generation.is_some_and(|then| then % 2 == 0 && then == self.board.generation());
        if file.kind == Kind::Drm && errno == Errno::NODEV && stayed {
            return fail(format!("{row} answers ENODEV, and the device has been there since the file was opened"));
        }
        Ok(())
    }

    /// Starts a forked copy of this process that makes calls with the same files and mappings at the same time.
    pub(super) fn start_copy(&mut self) -> Answer {
        // A copy of a copy would have no block of its own.
        if self.copy.is_some() || self.block.number().1 {
            return Ok(());
        }
        let parent = rustix::process::getpid();
        let copy = sys::fork(|| {
            // A process that is killed leaves no copy behind. It may have been killed before this.
            let dies = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
            if dies.is_err() || rustix::process::getppid() != Some(parent) {
                return false;
            }
            self.block = self.block.of_copy();
            // A fork does not copy mappings of registers.
            self.registers.drain(..).for_each(std::mem::forget);
            self.fail_nth = sys::open("/proc/thread-self/fail-nth", OFlags::RDWR).ok();
            self.random = Rng::with_seed(self.random.u64(..));
            (0..self.random.u32(1..40)).all(|_| match self.board.order() {
                Order::Storm => self.say(|this| this.step()),
                _ => true,
            })
        })?;
        self.copy = Some(copy);
        // The process sets the number, not the copy: the copy could do it after its process was killed and replaced.
        self.board.set_pid(self.block.of_copy(), copy.as_raw_pid() as u32);
        Ok(())
    }

    /// Prints a failure to the output, where the storm reads it.
    fn say(&mut self, part: impl FnOnce(&mut Self) -> Outcome) -> bool {
        match part(self) {
            Ok(()) => true,
            Err(crate::check::Stop::Fail(why) | crate::check::Stop::Skip(why)) => {
                println!("{why}");
                false
            }
        }
    }

    /// Reaps a copy that has exited.
    fn reap_copy(&mut self) -> Outcome {
        match self.copy {
            Some(copy) => self.wait_for(copy, WaitOptions::NOHANG),
            None => Ok(()),
        }
    }

    fn join_copy(&mut self) -> Outcome {
        while let Some(copy) = self.copy {
            self.wait_for(copy, WaitOptions::empty())?;
        }
        Ok(())
    }

    fn wait_for(&mut self, copy: Pid, options: WaitOptions) -> Outcome {
        let status = match rustix::process::waitpid(Some(copy), options) {
            Ok(Some((_, status))) => status,
            // A signal arrived, or the copy has not exited.
            Ok(None) | Err(Errno::INTR) => return Ok(()),
            Err(errno) => return fail(format!("the copy cannot be waited for: {}", name(errno))),
        };
        self.copy = None;
        self.board.set_pid(self.block.of_copy(), 0);
        match (status.exit_status(), status.terminating_signal()) {
            (Some(0), _) => Ok(()),
            // Where allocations cannot be made to fail, memory is limited, so a process may be killed.
            (_, Some(libc::SIGKILL)) if self.fail_nth.is_none() => Ok(()),
            _ => fail(format!("a forked copy ended with {status:?}")),
        }
    }
}

/// Runs process `number` as the storm started it. Its standard input is the board.
pub(super) fn main(driver: Driver, number: usize, processes: usize, seed: u64) -> Outcome {
    works!(sys::dispose(libc::SIGUSR1, Disposition::Interrupts));
    works!(rustix::process::set_parent_process_death_signal(Some(Signal::KILL)));
    let board = works!(Board::of(std::io::stdin()));
    let mut client = works!(Client::new(&board, Block::of(number), driver, processes, seed));
    client.run()
}

/// Returns the command that starts process `number`.
pub(super) fn command(driver: Driver, number: usize, processes: usize, seed: u64) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.args(["--driver", driver.name(), "--seed", &seed.to_string()]);
    command.args(["--worker", &format!("{}{number}/{processes}", super::PROCESS)]);
    command
}
