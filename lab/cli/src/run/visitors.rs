// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Runs the programs of `drydock attach` in a guest, until the run's own work is done.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use drydock_agent::frame;
use drydock_agent::protocol::Status;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::Signal;

use drydock_base::events::Events;
use drydock_machine::error::Error as VmError;
use drydock_machine::guest::{Guest, Input};

use super::client::feed;
use super::setting::Setting;
use super::terminal::{self, LOOK};
use crate::door::{self, Door, Reply, Request};

/// The limit of a visitor's program, which its user ends.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// The largest write that a pipe takes without blocking when it can be written to (pipe(7), `PIPE_BUF`).
const PIECE: usize = 4096;

/// The guest of a run, shared by all visitors.
struct House<'g> {
    guest: &'g Guest,
    setting: &'g Setting,
    /// The guest's terminal, unless the run has a shell itself or another visitor does.
    terminal: Mutex<Option<UnixStream>>,
    /// Whether the run's work is done.
    closes: Arc<AtomicBool>,
    visitors: AtomicUsize,
}

/// Does `work`, and meanwhile runs programs of visitors in the guest. They end with it.
pub(super) fn receive<T>(
    guest: &Guest,
    setting: &Setting,
    terminal: Option<UnixStream>,
    events: &Events,
    work: impl FnOnce() -> T,
) -> T {
    let door = match Door::open() {
        Ok(door) => door,
        Err(error) => {
            events.warn(format!("`drydock attach` cannot reach this guest: {}", error.chain()));
            return work();
        }
    };
    let (terminal, closes) = (Mutex::new(terminal), Arc::new(AtomicBool::new(false)));
    let house = House { guest, setting, terminal, closes, visitors: AtomicUsize::new(0) };
    thread::scope(|scope| {
        scope.spawn(|| {
            while let Some(visitor) = door.next() {
                house.visitors.fetch_add(1, Ordering::SeqCst);
                let house = &house;
                scope.spawn(move || {
                    house.serve(visitor);
                    house.visitors.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        let done = work();
        house.closes.store(true, Ordering::SeqCst);
        door.close();
        if house.visitors.load(Ordering::SeqCst) > 0 {
            // A guest that is gone has no processes.
            let _ = guest.end_processes();
        }
        done
    })
}

impl House<'_> {
    /// Serves one visitor. An error of its socket means that it has gone.
    fn serve(&self, mut visitor: UnixStream) {
        let _ = self.try_to_serve(&mut visitor).and_then(|reply| frame::write(&mut visitor, &reply));
    }

    fn try_to_serve(&self, visitor: &mut UnixStream) -> io::Result<Reply> {
        let streams = door::receive_files::<{ door::STREAMS }>(visitor)?.map(File::from);
        let Some(request) = frame::read(visitor)? else { return Err(io::ErrorKind::UnexpectedEof.into()) };
        match request {
            Request::Program(argv) => self.program(visitor, streams, &argv),
            Request::OnTerminal { argv, size, term } => self.on_terminal(visitor, &argv, size, &term),
        }
    }

    fn program(&self, visitor: &mut UnixStream, streams: [File; 3], argv: &[String]) -> io::Result<Reply> {
        let process = match self.guest.spawn(&self.setting.argv(argv)) {
            Ok(process) => process,
            Err(error) => return Ok(Reply::Failed(first_line(&error))),
        };
        let input = process.stdin();
        frame::write(visitor, &Reply::Started)?;
        let [stdin, out, err] = streams;
        let (ended, gone) = (AtomicBool::new(false), Arc::new(AtomicBool::new(false)));
        let outlet = |file| Outlet { file, no_longer: [self.closes.clone(), gone.clone()] };
        let (out, err) = (outlet(out), outlet(err));
        let watched = visitor.try_clone()?;
        let passed = thread::scope(|scope| {
            scope.spawn(|| feed(&stdin, input, &ended));
            scope.spawn(|| self.watch(&watched, input, &ended, &gone));
            let passed = process.pass(FOREVER, out, err);
            ended.store(true, Ordering::SeqCst);
            passed
        });
        Ok(self.reply(passed.map(|passed| passed.status)))
    }

    /// Returns the answer about a program that has ended, by itself or with the run.
    fn reply(&self, ended: Result<Status, VmError>) -> Reply {
        match ended {
            Ok(Status::Signal(_)) if self.closes.load(Ordering::SeqCst) => Reply::Lost,
            Ok(status) => Reply::Ended(u8::try_from(status.shell_code()).unwrap_or(u8::MAX)),
            Err(_) => Reply::Lost,
        }
    }

    /// Kills a program when its visitor goes, or when the run's work is done.
    fn watch(&self, visitor: &UnixStream, input: Input<'_>, ended: &AtomicBool, gone: &AtomicBool) {
        while !ended.load(Ordering::SeqCst) {
            // A visitor sends nothing more, so its socket can be read only at its end.
            let is_gone = terminal::readable(visitor);
            if is_gone || self.closes.load(Ordering::SeqCst) {
                gone.store(is_gone, Ordering::SeqCst);
                // A program that has just ended cannot be found, which is fine.
                let _ = input.signal(Signal::KILL);
                return;
            }
        }
    }

    fn on_terminal(
        &self,
        visitor: &mut UnixStream,
        argv: &[String],
        size: (u16, u16),
        term: &str,
    ) -> io::Result<Reply> {
        let Some(machine) = self.terminal.lock().expect("no holder of the lock panics").take() else {
            let why = "the guest's only terminal is in use; redirect an output of the program, and it needs none";
            return Ok(Reply::Failed(why.to_owned()));
        };
        let shell = ["sh", "-i"].map(str::to_owned);
        let argv = self.setting.argv(if argv.is_empty() { &shell } else { argv });
        let reply = self.connect(&machine, visitor, &argv, size, term);
        *self.terminal.lock().expect("no holder of the lock panics") = Some(machine);
        reply
    }

    fn connect(
        &self,
        machine: &UnixStream,
        visitor: &mut UnixStream,
        argv: &[String],
        size: (u16, u16),
        term: &str,
    ) -> io::Result<Reply> {
        let program = match self.guest.on_terminal(argv, size, term) {
            Ok(program) => program,
            Err(error) => return Ok(Reply::Failed(first_line(&error))),
        };
        let input = program.stdin();
        // The machine's end must outlive this visitor, so the visitor gets another socket.
        let (ours, theirs) = UnixStream::pair()?;
        frame::write(visitor, &Reply::Started)?;
        door::send_files(visitor, &[std::os::fd::AsFd::as_fd(&theirs)])?;
        drop(theirs);
        let (ended, gone) = (AtomicBool::new(false), AtomicBool::new(false));
        let watched = visitor.try_clone()?;
        let status = thread::scope(|scope| {
            scope.spawn(|| copy(machine, &ours, &ended));
            scope.spawn(|| copy(&ours, machine, &ended));
            scope.spawn(|| self.watch(&watched, input, &ended, &gone));
            let status = program.forward(None, |_, _| Ok(()));
            ended.store(true, Ordering::SeqCst);
            status
        });
        Ok(self.reply(status))
    }
}

/// Copies bytes until the session has `ended` and nothing is left to read.
fn copy(mut from: &UnixStream, mut to: &UnixStream, ended: &AtomicBool) {
    let mut buffer = [0; PIECE];
    loop {
        // Looked at first, so that bytes from before the end are still copied.
        let is_over = ended.load(Ordering::SeqCst);
        if terminal::readable(from) {
            match from.read(&mut buffer) {
                Ok(count @ 1..) if to.write_all(&buffer[..count]).is_ok() => {}
                _ => return,
            }
        } else if is_over {
            return;
        }
    }
}

/// An output of a visitor. A write that blocks fails when the visitor has gone or the run's work is done.
struct Outlet {
    file: File,
    no_longer: [Arc<AtomicBool>; 2],
}

impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            let mut fds = [PollFd::new(&self.file, PollFlags::OUT)];
            if poll(&mut fds, Some(&LOOK)).is_ok_and(|count| count > 0) {
                return self.file.write(&bytes[..bytes.len().min(PIECE)]);
            }
            if self.no_longer.iter().any(|flag| flag.load(Ordering::SeqCst)) {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn first_line(error: &VmError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
