// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! One process of a storm: its open files, the random calls that it makes, and the answers that cannot be right.
//!
//! Source: proc(5), `fail-nth`; Documentation/gpu/drm-uapi.rst, "Device Hot-Unplug" (Linux 7.3).

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::process::Command;

use fastrand::Rng;
use random::generate::{Limits, Maker, Mood};
use random::layout::{Laid, Place as _, lay_out};
use random::program::Address;
use random::spec::{Class, Does, Spec};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions};
use sys::display::{self, Objects};
use sys::{Answer, Disposition, Mapping};
use uapi::DMA_BUF_SYNC;

use crate::harness::check::{Outcome, fail, name};
use crate::subjects::device;
use crate::subjects::driver::Driver;
use crate::works;

use super::board::{Block, Board, Order};
use super::place::Place;
use super::table::{self, Row, What};
use super::window::Window;

/// Returns the classes of numbers, other than descriptors, that the file of a call must know for right values.
fn needs(spec: &Spec) -> Vec<Class> {
    spec.takes().filter(|class| !class.is_file()).collect()
}

/// An open file.
#[derive(Debug)]
pub(super) struct File {
    fd: OwnedFd,
    /// The class of the file, if it is one that calls use.
    pub(super) class: Option<Class>,
    /// Whether the file is a dma-buf of udmabuf.
    is_udmabuf: bool,
    /// The device's generation when the file was opened, if that is known.
    generation: Option<u32>,
    ids: [Vec<u64>; Class::COUNT],
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
        let classes = [
            ("/dev/dri/", Class::File),
            ("/dmabuf:", Class::DmaBuf),
            ("anon_inode:sync_file", Class::SyncFile),
            ("anon_inode:syncobj", Class::SyncobjFile),
            ("anon_inode:[eventfd", Class::EventFile),
        ];
        let found = classes.iter().find(|(start, _)| link.starts_with(start)).map(|(_, class)| *class);
        // The failed allocation may have been the one for the answer. Then the file is of no class.
        let about = if found == Some(Class::DmaBuf) { device::fdinfo(&fd) } else { Ok(String::new()) };
        let class = found.filter(|_| about.is_ok());
        let is_udmabuf = about.is_ok_and(|text| sys::foreign::is_udmabuf(&text));
        Self { fd, class, is_udmabuf, generation, ids: Default::default() }
    }

    pub(super) fn number(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// Closes the file and returns the answer, which a drop would not.
    pub(super) fn close(self) -> Answer {
        sys::close(self.fd)
    }

    /// Returns the numbers of a class that the file knows objects by.
    pub(super) fn ids(&self, class: Class) -> &[u64] {
        &self.ids[class as usize]
    }

    fn learn(&mut self, class: Class, id: u64) {
        let known = &mut self.ids[class as usize];
        // A display returns the numbers of its own objects again and again.
        if id == class.nothing() || known.contains(&id) {
            return;
        }
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
    rows: Vec<Row>,
    fail_nth: Option<OwnedFd>,
    /// Descriptors from this number on were made by the storm.
    first: RawFd,
    pub(super) processes: usize,
    /// Mapped pages of the GPU's registers.
    pub(super) registers: Vec<Mapping>,
    /// Whether the device is a display.
    is_display: bool,
    /// Its objects, once they were read. They are the same whenever it is bound.
    display: Option<Objects>,
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
            is_display: driver == Driver::Vkms,
            display: None,
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
            What::Ioctl(spec) => self.ioctl(spec),
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
        if self.any(Class::File).is_none() && self.random.u8(..8) > 0 {
            return table::OPEN;
        }
        let at = super::weighted(&mut self.random, self.rows.iter().map(|row| row.weight));
        if self.random.u8(..4) > 0 { self.first_of(at) } else { at }
    }

    /// Returns the row, or a row that must be called before it because it makes the handles that the row needs.
    fn first_of(&mut self, mut at: usize) -> usize {
        // A row that makes handles may need others itself.
        for _ in 0..Class::COUNT {
            let Some(file) = self.richest(Class::File) else { return at };
            let needs = self.rows[at].spec().map(needs).unwrap_or_default();
            let Some(missing) = needs.into_iter().find(|class| self.files[file].ids(*class).is_empty()) else {
                return at;
            };
            let makes = |row: &Row| row.spec().is_some_and(|spec| spec.gives().any(|class| class == missing));
            let makers: Vec<_> = (0..self.rows.len()).filter(|at| makes(&self.rows[*at])).collect();
            if makers.is_empty() {
                return at;
            }
            let weights = makers.iter().map(|at| self.rows[*at].weight);
            at = makers[super::weighted(&mut self.random, weights)];
        }
        at
    }

    /// Returns the file of a class that knows numbers of the most classes.
    fn richest(&self, class: Class) -> Option<usize> {
        let fitting = (0..self.files.len()).filter(|at| self.files[*at].class == Some(class));
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

    /// Returns the index of a random file of a class.
    pub(super) fn any(&mut self, class: Class) -> Option<usize> {
        self.any_of(|file| file.class == Some(class))
    }

    fn any_of(&mut self, fits: impl Fn(&File) -> bool) -> Option<usize> {
        let fitting: Vec<_> = (0..self.files.len()).filter(|at| fits(&self.files[*at])).collect();
        (!fitting.is_empty()).then(|| fitting[self.random.usize(..fitting.len())])
    }

    /// Usually returns a file that knows a number of each class, or else of many: with any other file the answer is
    /// always the same.
    pub(super) fn any_with(&mut self, class: Class, needs: &[Class]) -> Option<usize> {
        let knows = |file: &File| file.class == Some(class) && needs.iter().all(|need| !file.ids(*need).is_empty());
        match self.random.u8(..4) {
            0 => self.any(class),
            _ => self.any_of(knows).or_else(|| self.richest(class)),
        }
    }

    /// Makes an ioctl of the table, now and then on a file of another class.
    fn ioctl(&mut self, spec: &'static Spec) -> Outcome<Answer> {
        let Does::Ioctl { on, number } = spec.does else { return Ok(Err(Errno::INVAL)) };
        let classes = [Class::File, Class::DmaBuf, Class::SyncFile, Class::SyncobjFile, Class::EventFile];
        let class = if self.random.u8(..64) == 0 { classes[self.random.usize(..classes.len())] } else { on };
        let Some(chosen) = self.any_with(class, &needs(spec)) else { return Ok(Err(Errno::BADF)) };
        let mood = if self.random.u8(..4) == 0 { Mood::Any } else { Mood::Right };
        let mut call = Maker { random: &mut self.random, mood, limits: Limits::OF_MANY }.call(spec);
        let file = &self.files[chosen];
        if file.is_udmabuf && number == DMA_BUF_SYNC.number {
            return Ok(Err(Errno::OPNOTSUPP));
        }
        // The kernel's answer must be read, or what it made stays open.
        if spec.gives().next().is_none() && self.random.u8(..32) == 0 {
            call.at = Address::BAD[self.random.usize(..Address::BAD.len())];
        }
        self.window.begin();
        let (files, display) = (&self.files, self.display.as_ref());
        let mut place = Place { random: &mut self.random, window: &mut self.window, files, of: file, display };
        let laid = lay_out(spec.fields, &call.values, &mut place);
        let address = place.put(call.at, &laid.bytes);
        // SAFETY: the structure, and everything that it points to, is in the window or cannot be used at all.
        let answer = unsafe { sys::ioctl_raw(file.as_fd(), number, address) }.map(drop);
        self.check(spec.name, file, answer)?;
        // Most clients close a file whose device is gone. If all kept such files, hardly a call would reach a device.
        if answer == Err(Errno::NODEV) && on == Class::File && self.random.u8(..4) > 0 {
            self.files.swap_remove(chosen);
        } else if answer.is_ok() && call.at == Address::Good {
            let file = &mut self.files[chosen];
            laid.ended.iter().for_each(|(class, id)| file.ids[*class as usize].retain(|known| known != id));
            self.learn(chosen, address, &laid);
        }
        Ok(answer)
    }

    /// Stores the numbers of the objects that the kernel has made.
    fn learn(&mut self, of: usize, argument: usize, laid: &Laid) {
        let single = laid.outputs.iter().map(|(at, size, class)| (argument + at, *size, *class));
        let mut numbers: Vec<_> =
            single.map(|(address, size, class)| (class, self.window.number(address, size))).collect();
        for array in &laid.filled {
            let found = array.each().map(|address| self.window.number(address, 4));
            numbers.extend(found.filter(|number| array.has(*number)).map(|number| (array.class, number)));
        }
        let mut files = Vec::new();
        for (class, number) in numbers {
            if class.is_file() { files.push(number as u32) } else { self.files[of].learn(class, number) }
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
        let alike = |other: &File| (other.class, other.is_udmabuf) == (file.class, file.is_udmabuf);
        let count = self.files.iter().filter(|other| alike(other)).count();
        if let Some(other) = self.any_of(alike).filter(|_| count >= MOST_OF_A_KIND) {
            self.files.swap_remove(other);
        }
        self.files.push(file);
    }

    /// Makes a new file that of an atomic client, as most clients of a display are, and reads the display's objects.
    pub(super) fn look_at_display(&mut self, fd: &OwnedFd) {
        if !self.is_display || self.random.u8(..8) == 0 {
            return;
        }
        // The device may be unplugged by now, or have no memory. Then another file reads the objects.
        match &self.display {
            Some(_) => drop(display::ask_for_all(fd)),
            None => self.display = Objects::of(fd).ok(),
        }
    }

    /// Checks that the answer is one that an ioctl of DRM may return, and is not `ENODEV` if the device was there all
    /// the time.
    fn check(&self, row: &str, file: &File, answer: Answer) -> Outcome {
        let Err(errno) = answer else { return Ok(()) };
        if file.class == Some(Class::File) && !table::ANSWERS.contains(&errno) {
            return fail(format!("{row} answers {}, which no ioctl of DRM does", name(errno)));
        }
        let stayed = file.generation.is_some_and(|then| then % 2 == 0 && then == self.board.generation());
        if file.class == Some(Class::File) && errno == Errno::NODEV && stayed {
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
            Err(crate::harness::check::Stop::Fail(why) | crate::harness::check::Stop::Skip(why)) => {
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
            // Memory is limited, so a process may be killed.
            (_, Some(libc::SIGKILL)) => Ok(()),
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
