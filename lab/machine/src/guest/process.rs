// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A program in the guest: its input, its outputs and its end.

use std::{
    collections::VecDeque,
    io::{self, Write},
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::Duration,
};

use drydock_agent::protocol::{Call, Status, Stream};
use rustix::process::Signal;

use super::{
    Error, Guest, Limit, Message, REQUEST_LIMIT, TAIL,
    flow::{Flow, Outlet},
    gone, patient,
};
use crate::pace::FOREVER;
use crate::place::Place;

/// How long a program's children may hold its outputs open after its end. Later output is lost.
const LINGER: Duration = Duration::from_secs(10);

/// The time limit for a killed program to end.
const KILL_LIMIT: Duration = Duration::from_secs(20);

/// The time limit for writing a program's last output once the program was given up.
const FLUSH_LIMIT: Duration = Duration::from_secs(2);

/// The interval at which a write to a program's input checks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(100);

/// The number of bytes kept of one output. None of our programs writes as much.
const MOST_KEPT: usize = 256 << 20;

/// A program that runs in the guest.
pub struct Process<'g> {
    guest: &'g Guest,
    number: u32,
    program: String,
    events: Receiver<Message>,
    out: Vec<u8>,
    err: Vec<u8>,
    early: VecDeque<Message>,
    /// Outputs that the program or a child of it can still write to.
    open: Vec<Stream>,
    /// How it ended, and how long to wait for the end of its outputs.
    ended: Option<(Status, Limit)>,
    /// Its two outputs, with their flow control.
    flows: [Flow; 2],
    /// A task to do before the program is killed at its limit.
    before_kill: Option<Box<dyn FnOnce() + Send + 'g>>,
}

/// The next event of a program.
enum Next {
    Output(Stream, Vec<u8>),
    /// The program has ended. Its outputs have too, unless they are `cut`.
    Ended {
        status: Status,
        cut: bool,
    },
}

/// A program's standard input.
#[derive(Clone, Copy)]
pub struct Input<'g> {
    guest: &'g Guest,
    number: u32,
}

impl Input<'_> {
    /// Sends bytes. Blocks while the program does not read.
    pub fn write(&self, bytes: &[u8]) -> Result<(), Error> {
        self.guest.ask(self.call(bytes)).map(drop)
    }

    /// Sends bytes while they are `wanted`, however long the program does not read. Returns `false` if the program has
    /// closed its input, or the bytes are no longer wanted.
    pub fn write_while(&self, bytes: &[u8], wanted: impl Fn() -> bool) -> Result<bool, Error> {
        let number = self.guest.number();
        let answers = self.guest.await_number(number)?;
        self.guest.post(number, self.call(bytes))?;
        let written = loop {
            match answers.recv_timeout(LOOK) {
                Ok(Message::Answer(result)) => break result.is_ok(),
                Err(RecvTimeoutError::Timeout) if wanted() => {}
                Ok(_) | Err(_) => break false,
            }
        };
        self.guest.forget(number);
        Ok(written)
    }

    /// Closes the input. Succeeds even if the program has already ended.
    pub fn close(&self) -> Result<(), Error> {
        match self.write(&[]) {
            Err(Error::Refused { .. }) => Ok(()),
            other => other,
        }
    }

    /// Sends a signal to the program's process group.
    pub fn signal(&self, signal: Signal) -> Result<(), Error> {
        self.guest.ask(Call::Signal { process: self.number, signal: signal.as_raw() }).map(drop)
    }

    fn call(&self, bytes: &[u8]) -> Call {
        Call::Input { process: self.number, bytes: bytes.to_owned() }
    }
}

/// The result of a program whose outputs were passed on.
#[derive(Debug)]
pub struct Passed {
    /// The status with which it ended.
    pub status: Status,
    /// Whether children that it left behind can still write to its outputs.
    pub cut: bool,
    /// Our output that failed, with its error.
    pub lost: Option<(Stream, io::Error)>,
}

/// The result of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The status with which it ended.
    pub status: Status,
    /// Its standard output, as text.
    pub out: String,
    /// Its standard error, as text.
    pub err: String,
}

impl<'g> Process<'g> {
    /// Requests the program and waits until it has started.
    pub(super) fn start(guest: &'g Guest, program: String, call: Call) -> Result<Self, Error> {
        let before = guest.console.position();
        let number = guest.number();
        let events = guest.await_number(number)?;
        // Its output goes to the terminal.
        let open = if matches!(call, Call::OnTerminal { .. }) { Vec::new() } else { vec![Stream::Out, Stream::Err] };
        guest.post(number, call)?;
        let flows = [Stream::Out, Stream::Err].map(|stream| Flow::new(&guest.requests, number, stream));
        let (out, err, early) = (Vec::new(), Vec::new(), VecDeque::new());
        let (ended, before_kill) = (None, None);
        let mut process = Self { guest, number, program, events, out, err, early, open, ended, flows, before_kill };
        process.answer(before)?;
        Ok(process)
    }

    /// Returns the program's standard input, for use by another thread.
    pub fn stdin(&self) -> Input<'g> {
        Input { guest: self.guest, number: self.number }
    }

    /// Sets a task to do when the program has reached its limit, before it is killed.
    pub fn before_kill(&mut self, task: impl FnOnce() + Send + 'g) {
        self.before_kill = Some(Box::new(task));
    }

    /// Sends bytes to the program's standard input.
    pub fn input(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.stdin().write(bytes)
    }

    /// Closes the program's standard input. Succeeds even if the program has already ended.
    pub fn close_input(&mut self) -> Result<(), Error> {
        self.stdin().close()
    }

    /// Waits until the program has written a line that contains `needle` to its standard output.
    pub fn wait_for_line(&mut self, needle: &str, limit: Duration) -> Result<(), Error> {
        let limit = Limit::from_now(patient(limit));
        while !self.out().contains(needle) {
            match self.next(limit, || false)? {
                Next::Output(stream, bytes) => self.keep(stream, bytes)?,
                Next::Ended { status, .. } => {
                    let Output { out, err, .. } = self.output(status);
                    let (program, said) = (self.program.clone(), format!("{out}{err}"));
                    return Err(Error::Program { program, status, said });
                }
            }
        }
        Ok(())
    }

    /// Returns everything the program has written to its standard output so far.
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }

    /// Waits for the program's end and returns its output.
    pub fn wait(mut self, limit: Duration) -> Result<Output, Error> {
        let limit = Limit::from_now(patient(limit));
        loop {
            match self.next(limit, || false)? {
                Next::Output(stream, bytes) => self.keep(stream, bytes)?,
                Next::Ended { status, .. } => return Ok(self.output(status)),
            }
        }
    }

    /// Passes the program's output to `sink` as it arrives, until its end or the limit. The limit is not scaled,
    /// because it may be the user's.
    pub fn forward(
        mut self,
        limit: Option<Duration>,
        mut sink: impl FnMut(Stream, &[u8]) -> io::Result<()>,
    ) -> Result<Status, Error> {
        let limit = Limit::from_now(limit.unwrap_or(FOREVER));
        loop {
            match self.next(limit, || false)? {
                Next::Ended { status, .. } => return Ok(status),
                Next::Output(stream, bytes) => {
                    sink(stream, &bytes).map_err(|source| Error::Output { source })?;
                    self.flows[stream as usize].taken(bytes.len());
                }
            }
        }
    }

    /// Passes the program's output to two outputs of ours, until its end or the limit. An output that blocks delays
    /// only the program's writes to it. If an output fails, the program sees a closed pipe.
    pub fn pass(
        mut self,
        limit: Duration,
        out: impl Write + Send + 'static,
        err: impl Write + Send + 'static,
    ) -> Result<Passed, Error> {
        let limit = Limit::from_now(limit);
        let flow = |stream| Flow::new(&self.guest.requests, self.number, stream);
        let outlets = [Outlet::start(out, flow(Stream::Out)), Outlet::start(err, flow(Stream::Err))];
        let is_busy = || outlets.iter().any(Outlet::is_busy);
        let ended = loop {
            match self.next(limit, is_busy) {
                Ok(Next::Output(stream, bytes)) => outlets[stream as usize].send(bytes),
                Ok(Next::Ended { status, cut }) => break Ok((status, cut)),
                Err(error) => break Err(error),
            }
        };
        let flush = patient(FLUSH_LIMIT);
        let left = if ended.is_ok() { limit.left().max(flush) } else { flush };
        let finish = |outlet: Outlet| (outlet.stream(), outlet.finish(left));
        let lost = outlets.map(finish).into_iter().filter_map(|(stream, result)| Some((stream, result.err()?)));
        // A closed pipe is the less important error.
        let lost = lost.min_by_key(|(_, error)| error.kind() == io::ErrorKind::BrokenPipe);
        ended.map(|(status, cut)| Passed { status, cut, lost })
    }

    fn next(&mut self, limit: Limit, is_busy: impl Fn() -> bool) -> Result<Next, Error> {
        loop {
            let message = match (self.early.pop_front(), &mut self.ended) {
                (Some(message), _) => message,
                (None, Some((status, _))) if self.open.is_empty() => {
                    return Ok(Next::Ended { status: *status, cut: false });
                }
                (None, Some((status, linger))) => {
                    let left = linger.left().min(limit.left());
                    let received =
                        if left.is_zero() { Err(RecvTimeoutError::Timeout) } else { self.events.recv_timeout(left) };
                    match received {
                        Ok(message) => message,
                        // Our own reader delays the program's last output.
                        Err(RecvTimeoutError::Timeout) if is_busy() && !limit.left().is_zero() => {
                            *linger = Limit::from_now(patient(LINGER));
                            continue;
                        }
                        Err(_) => {
                            let status = *status;
                            self.open.iter().for_each(|stream| self.flows[*stream as usize].close());
                            return Ok(Next::Ended { status, cut: true });
                        }
                    }
                }
                // A message that has arrived is received however little time is left, and a guest can keep messages
                // coming forever.
                (None, None) if limit.left().is_zero() => return Err(self.overdue(limit)),
                (None, None) => match self.events.recv_timeout(limit.left()) {
                    Ok(message) => message,
                    Err(RecvTimeoutError::Timeout) => return Err(self.overdue(limit)),
                    Err(RecvTimeoutError::Disconnected) => return Err(gone(&self.guest.console)),
                },
            };
            match message {
                Message::Output(stream, bytes) => return Ok(Next::Output(stream, bytes)),
                Message::Closed(stream) => self.open.retain(|open| *open != stream),
                Message::Exited(status) => self.ended = Some((status, Limit::from_now(patient(LINGER)))),
                Message::Answer(_) => {}
            }
        }
    }

    /// Returns the error for a program that did not end in time. If it can be killed, the program took too long.
    /// Otherwise the kernel hangs.
    fn overdue(&mut self, limit: Limit) -> Error {
        let (program, limit) = (self.program.clone(), limit.whole);
        // Taken now, because the kernel's report of the place comes later.
        let console = self.guest.console.tail(TAIL);
        let place = self.guest.place();
        if let Some(task) = self.before_kill.take().filter(|_| !place.is_unknown()) {
            task();
        }
        match self.killed(&place) {
            true => Error::TooLong { program, limit, place },
            false => Error::Hung { waiting: format!("`{program}`"), limit, console, place },
        }
    }

    /// Kills the program. Returns `false` if it does not end.
    fn killed(&mut self, place: &Place) -> bool {
        if place.is_unknown() {
            return false;
        }
        let kill = Call::Signal { process: self.number, signal: Signal::KILL.as_raw() };
        // A program that has just ended cannot be found, which is fine.
        let _ = self.guest.attempt_within(kill, KILL_LIMIT);
        let limit = Limit::from_now(patient(KILL_LIMIT));
        while !limit.left().is_zero() {
            match self.events.recv_timeout(limit.left()) {
                Ok(Message::Exited(_)) => return true,
                Ok(_) => {}
                Err(_) => return false,
            }
        }
        false
    }

    /// Keeps output for a caller that wants all of it.
    fn keep(&mut self, stream: Stream, bytes: Vec<u8>) -> Result<(), Error> {
        self.flows[stream as usize].taken(bytes.len());
        let kept = match stream {
            Stream::Out => &mut self.out,
            Stream::Err => &mut self.err,
        };
        if kept.len() + bytes.len() > MOST_KEPT {
            let said = format!("it wrote more than {} MiB", MOST_KEPT >> 20);
            return Err(Error::Unexpected { program: self.program.clone(), said });
        }
        kept.extend(bytes);
        Ok(())
    }

    fn output(&self, status: Status) -> Output {
        Output { status, out: self.out(), err: String::from_utf8_lossy(&self.err).into_owned() }
    }

    /// Waits for the answer to the start itself. A quick program's output may arrive before it.
    fn answer(&mut self, before: usize) -> Result<(), Error> {
        let (waiting, limit) = (format!("`{}` to start", self.program), Limit::from_now(patient(REQUEST_LIMIT)));
        loop {
            match self.guest.receive(&self.events, &waiting, limit)? {
                Message::Answer(Ok(_)) => return Ok(()),
                Message::Answer(Err(failure)) => return Err(self.guest.refused(failure, before)),
                other => self.early.push_back(other),
            }
        }
    }
}

impl Drop for Process<'_> {
    fn drop(&mut self) {
        self.guest.forget(self.number);
    }
}
