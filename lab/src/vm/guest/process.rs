// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A program in the guest: what it reads and writes, and its end.

use std::{collections::VecDeque, io, sync::mpsc::Receiver, time::Duration};

use drydock_agent::protocol::{Call, Status, Stream};

use super::{Error, Guest, Limit, Message, REQUEST_LIMIT, patient};

/// For what a person ends.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// A program that runs in the guest.
pub(crate) struct Process<'g> {
    guest: &'g Guest,
    number: u32,
    program: String,
    events: Receiver<Message>,
    out: Vec<u8>,
    err: Vec<u8>,
    early: VecDeque<Message>,
}

/// A program's standard input.
#[derive(Clone, Copy)]
pub(crate) struct Input<'g> {
    guest: &'g Guest,
    number: u32,
}

impl Input<'_> {
    /// Hands over bytes; waits while the program does not read.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), Error> {
        self.guest.ask(Call::Input { process: self.number, bytes: bytes.to_owned() }).map(drop)
    }

    /// Closes it; it does not matter if the program is gone already.
    pub(crate) fn close(&self) -> Result<(), Error> {
        match self.write(&[]) {
            Err(Error::Refused { .. }) => Ok(()),
            other => other,
        }
    }
}

/// What came of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Output {
    /// How it ended.
    pub(crate) status: Status,
    /// What it wrote to its standard output, as text.
    pub(crate) out: String,
    /// What it wrote to its standard error, as text.
    pub(crate) err: String,
}

impl<'g> Process<'g> {
    /// Asks for it, and waits until it has begun.
    pub(super) fn start(guest: &'g Guest, program: String, call: Call) -> Result<Self, Error> {
        let before = guest.console.position();
        let number = guest.number();
        let events = guest.await_number(number)?;
        guest.post(number, call)?;
        let mut process =
            Self { guest, number, program, events, out: Vec::new(), err: Vec::new(), early: VecDeque::new() };
        process.answer(before)?;
        Ok(process)
    }

    /// The program's standard input, for use by another thread.
    pub(crate) fn stdin(&self) -> Input<'g> {
        Input { guest: self.guest, number: self.number }
    }

    /// Hands bytes to the program's standard input.
    pub(crate) fn input(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.stdin().write(bytes)
    }

    /// Closes the program's standard input; it does not matter if the program is gone already.
    pub(crate) fn close_input(&mut self) -> Result<(), Error> {
        self.stdin().close()
    }

    /// Waits until the program has written a line that contains `needle` to its standard output.
    pub(crate) fn wait_for_line(&mut self, needle: &str, limit: Duration) -> Result<(), Error> {
        let limit = Limit::from_now(patient(limit));
        while !self.out().contains(needle) {
            let waiting = format!("`{}` to say `{needle}`", self.program);
            match self.next(&waiting, limit)? {
                Message::Exited(status) => {
                    let Output { out, err, .. } = self.output(status);
                    let (program, said) = (self.program.clone(), format!("{out}{err}"));
                    return Err(Error::Program { program, status, said });
                }
                message => self.keep(message),
            }
        }
        Ok(())
    }

    /// Everything the program has written to its standard output so far.
    pub(crate) fn out(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }

    /// Waits for the program's end and returns all that it wrote.
    pub(crate) fn wait(mut self, limit: Duration) -> Result<Output, Error> {
        let limit = Limit::from_now(patient(limit));
        loop {
            let waiting = format!("`{}`", self.program);
            match self.next(&waiting, limit)? {
                Message::Exited(status) => return Ok(self.output(status)),
                message => self.keep(message),
            }
        }
    }

    /// Passes what the program writes to `sink` as it comes, until its end or exactly the limit: it may be the user's.
    pub(crate) fn forward(
        mut self,
        limit: Option<Duration>,
        mut sink: impl FnMut(Stream, &[u8]) -> io::Result<()>,
    ) -> Result<Status, Error> {
        let limit = Limit::from_now(limit.unwrap_or(FOREVER));
        loop {
            let waiting = format!("`{}`", self.program);
            match self.next(&waiting, limit)? {
                Message::Exited(status) => return Ok(status),
                // A reader that went away is no reason to leave the guest behind.
                Message::Output(stream, bytes) => drop(sink(stream, &bytes)),
                Message::Answer(_) => {}
            }
        }
    }

    fn next(&mut self, waiting: &str, limit: Limit) -> Result<Message, Error> {
        match self.early.pop_front() {
            Some(message) => Ok(message),
            None => self.guest.receive(&self.events, waiting, limit),
        }
    }

    fn keep(&mut self, message: Message) {
        if let Message::Output(stream, bytes) = message {
            match stream {
                Stream::Out => self.out.extend(bytes),
                Stream::Err => self.err.extend(bytes),
            }
        }
    }

    fn output(&self, status: Status) -> Output {
        Output { status, out: self.out(), err: String::from_utf8_lossy(&self.err).into_owned() }
    }

    /// Waits for the answer to the start itself; a quick program's output may overtake it.
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
