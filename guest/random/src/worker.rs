// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The process that executes programs, and the process that watches it.
//!
//! The worker is a forked copy that takes programs from a socket and answers each with its calls' errnos. It is
//! replaced after many programs, or when it ends. Waiting for an answer has a time limit.
//!
//! Source: fork(2), socketpair(2), proc(5).

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use random::spec::Driver;
use random::text;

use crate::kcov::Kcov;
use crate::raw;
use crate::run::Runner;

/// The number of programs that a worker executes: their leftovers in it must not accumulate.
const LIFETIME: u32 = 2000;

/// The end of an execution.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The program was executed, with these errnos.
    Done(Vec<i32>),
    /// The worker was ended, by this signal if it was one.
    Died(Option<i32>),
    /// The execution took too long, at this place in the kernel.
    TooLong(String),
    /// The device cannot be opened any more.
    Broken(i32),
}

/// Executes programs in a worker, which it replaces when needed.
pub(crate) struct Workers<'k> {
    driver: Driver,
    kcov: Option<&'k Kcov>,
    limit: Duration,
    current: Option<Worker>,
}

struct Worker {
    pid: libc::pid_t,
    socket: UnixStream,
    executed: u32,
}

impl<'k> Workers<'k> {
    /// Prepares workers; `limit` is the time limit of each execution.
    pub(crate) fn new(driver: Driver, kcov: Option<&'k Kcov>, limit: Duration) -> Self {
        Self { driver, kcov, limit, current: None }
    }

    /// Executes a program that is given as its text.
    pub(crate) fn run(&mut self, text: &str) -> Result<Ended, String> {
        let limit = self.limit;
        let worker = self.worker()?;
        worker.executed += 1;
        let size = u32::try_from(text.len()).map_err(|_| "a program is too long".to_owned())?;
        let asked =
            worker.socket.write_all(&size.to_le_bytes()).and_then(|()| worker.socket.write_all(text.as_bytes()));
        let milliseconds = i32::try_from(limit.as_millis()).unwrap_or(i32::MAX);
        let answers = || raw::poll(worker.socket.as_raw_fd(), libc::POLLIN, milliseconds);
        if asked.is_ok() && answers().is_ok_and(|events| events == 0) {
            let place = place_in_kernel(worker.pid);
            return Ok(Ended::TooLong(self.end_hung(&place)));
        }
        let answer = self.current.as_mut().and_then(|worker| answer(&mut worker.socket));
        match answer {
            Some((0, errnos)) => Ok(Ended::Done(errnos)),
            Some((errno, _)) => Ok(Ended::Broken(errno)),
            None => Ok(Ended::Died(self.current.take().and_then(Worker::end))),
        }
    }

    fn worker(&mut self) -> Result<&mut Worker, String> {
        if self.current.as_ref().is_some_and(|worker| worker.executed >= LIFETIME) {
            self.current.take().and_then(Worker::end);
        }
        let started = match self.current.take() {
            Some(worker) => worker,
            None => start(self.driver, self.kcov)?,
        };
        Ok(self.current.insert(started))
    }

    /// Kills the worker. Returns the place in the kernel, and whether it cannot leave it.
    fn end_hung(&mut self, place: &str) -> String {
        let Some(worker) = self.current.take() else { return place.to_owned() };
        // SAFETY: the call takes no address; the process is our child and was not waited for.
        unsafe { libc::kill(worker.pid, libc::SIGKILL) };
        // Leaving the kernel may take as long as an execution.
        let milliseconds = i32::try_from(self.limit.as_millis()).unwrap_or(i32::MAX);
        // The other end of the socket is closed when the worker has ended.
        if raw::poll(worker.socket.as_raw_fd(), libc::POLLIN, milliseconds).is_ok_and(|events| events == 0) {
            return format!("hangs in the kernel{place}");
        }
        worker.end();
        format!("took longer than {} s{place}", self.limit.as_secs())
    }
}

impl Worker {
    /// Ends the worker, and returns the signal that ended it.
    fn end(self) -> Option<i32> {
        drop(self.socket);
        let mut status = 0;
        // SAFETY: the status is a valid place; the process is our child.
        unsafe { libc::waitpid(self.pid, &mut status, 0) };
        libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status))
    }
}

impl Drop for Workers<'_> {
    fn drop(&mut self) {
        self.current.take().and_then(Worker::end);
    }
}

fn answer(socket: &mut UnixStream) -> Option<(i32, Vec<i32>)> {
    let mut head = [0; 8];
    socket.read_exact(&mut head).ok()?;
    let [count, state] = [0, 4].map(|at| u32::from_le_bytes(head[at..at + 4].try_into().expect("four bytes are four")));
    let mut bytes = vec![0; 4 * count as usize];
    socket.read_exact(&mut bytes).ok()?;
    let errnos = bytes.chunks_exact(4).map(|word| i32::from_le_bytes(word.try_into().expect("four bytes are four")));
    Some((state as i32, errnos.collect()))
}

fn start(driver: Driver, kcov: Option<&Kcov>) -> Result<Worker, String> {
    let (ours, theirs) = UnixStream::pair().map_err(|error| format!("no socket: {error}"))?;
    // SAFETY: this process has one thread, so the copy may do whatever this one may.
    let pid = unsafe { libc::fork() };
    match pid {
        -1 => Err(format!("no further process: {}", std::io::Error::last_os_error())),
        0 => {
            drop(ours);
            let served = serve(theirs, driver, kcov);
            if let Err(why) = &served {
                eprintln!("worker: {why}");
            }
            std::process::exit(served.is_err().into());
        }
        pid => Ok(Worker { pid, socket: ours, executed: 0 }),
    }
}

/// Executes programs until the socket is closed.
fn serve(mut socket: UnixStream, driver: Driver, kcov: Option<&Kcov>) -> Result<(), String> {
    let mut runner = Runner::new(driver)?;
    let mut size = [0; 4];
    while socket.read_exact(&mut size).is_ok() {
        let mut bytes = vec![0; u32::from_le_bytes(size) as usize];
        socket.read_exact(&mut bytes).map_err(|error| error.to_string())?;
        let program = text::read(&String::from_utf8_lossy(&bytes))?;
        if let Some(kcov) = kcov {
            kcov.begin().map_err(|errno| format!("KCOV cannot be enabled: {errno}"))?;
        }
        let errnos = runner.run(&program);
        if let Some(kcov) = kcov {
            kcov.end().map_err(|errno| format!("KCOV cannot be disabled: {errno}"))?;
        }
        let state = runner.is_whole().err().map_or(0, |errno| errno.raw_os_error());
        let words = [errnos.len() as i32, state].into_iter().chain(errnos);
        let answer: Vec<u8> = words.flat_map(i32::to_le_bytes).collect();
        socket.write_all(&answer).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Returns the functions on a process's kernel stack, nearest first.
fn place_in_kernel(pid: libc::pid_t) -> String {
    let stack = std::fs::read_to_string(format!("/proc/{pid}/stack")).unwrap_or_default();
    let calls: Vec<_> = stack.lines().filter_map(|line| line.split_whitespace().nth(1)).take(6).collect();
    if calls.is_empty() { String::new() } else { format!(", in {}", calls.join(" < ")) }
}
