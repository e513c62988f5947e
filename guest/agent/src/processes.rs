// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Starts programs, moves their bytes, and collects every process that exits.
//!
//! The agent keeps no bytes that a program does not read, and few that the lab does not. Bytes for a program's input
//! are answered when they are in its pipe, and its outputs are read as far as the lab has room (`flow.rs`).
//!
//! The first process inherits all orphans, so one thread waits for *any* child. No other thread may wait, or the two
//! would steal each other's children. A start holds the table's lock until the child is in it, so the collector cannot
//! find a child that it does not know.
//!
//! Source: waitpid(2), setpgid(2).

use std::{
    collections::HashMap,
    io::{Read, Write},
    os::unix::process::CommandExt,
    process::{ChildStdin, Command, Stdio},
    sync::{
        Arc, Condvar, Mutex, MutexGuard,
        mpsc::{Sender, channel},
    },
    thread,
};

use drydock_agent::protocol::{Event, Failure, Reply, Status, Stream};
use rustix::{
    io::Errno,
    process::{Pid, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process_group, wait, waitid},
};

use crate::{files::failure, flow::Flow, outbox::Outbox};

/// The environment of every started program.
const ENVIRONMENT: &[(&str, &str)] =
    &[("PATH", "/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin"), ("HOME", "/root"), ("LC_ALL", "C.UTF-8")];

/// The processes that the lab started and that have not exited, and the outputs that are still open.
pub(crate) struct Processes {
    table: Mutex<HashMap<Pid, Process>>,
    grown: Condvar,
    flows: Arc<Mutex<Flows>>,
    outbox: Outbox,
}

/// The outputs by process and stream. An output may outlive its process: a child may hold it.
type Flows = HashMap<(u32, Stream), Arc<Flow>>;

struct Process {
    number: u32,
    /// Sends bytes to the thread that writes the input. A process that does not read blocks only that thread.
    stdin: Option<Sender<Bytes>>,
}

/// Input for a process, and the request that brought it.
struct Bytes {
    call: u32,
    bytes: Vec<u8>,
}

impl Processes {
    /// Creates an empty table and the thread that collects processes.
    pub(crate) fn new(outbox: Outbox) -> Arc<Self> {
        let this = Arc::new(Self { table: Mutex::default(), grown: Condvar::new(), flows: Arc::default(), outbox });
        let collector = Arc::clone(&this);
        thread::spawn(move || collector.collect());
        this
    }

    /// Starts `argv` in a process group of its own with pipes on all three streams.
    pub(crate) fn spawn(&self, number: u32, argv: &[String]) -> Result<Reply, Failure> {
        let Some((program, args)) = argv.split_first() else {
            return Err(Failure { errno: 0, message: "no program was named".into() });
        };
        let mut command = command(program);
        command.args(args).process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.start(number, command)
    }

    /// Starts a prepared command under the lab's `number`.
    pub(crate) fn start(&self, number: u32, mut command: Command) -> Result<Reply, Failure> {
        let program = command.get_program().to_string_lossy().into_owned();
        let mut table = self.lock();
        let mut child = command.spawn().map_err(|error| failure("start", &program, &error))?;
        if let Some(out) = child.stdout.take() {
            self.pump(number, Stream::Out, out);
        }
        if let Some(err) = child.stderr.take() {
            self.pump(number, Stream::Err, err);
        }
        let stdin = child.stdin.take().map(|stdin| writer(stdin, number, self.outbox.clone()));
        table.insert(Pid::from_child(&child), Process { number, stdin });
        self.grown.notify_all();
        Ok(Reply::Done)
    }

    /// Passes bytes to the thread that writes a process's standard input, and that thread answers `call`. Without bytes
    /// it closes the input, after those it already has.
    pub(crate) fn input(&self, call: u32, number: u32, bytes: Vec<u8>) -> Result<Option<Reply>, Failure> {
        let mut table = self.lock();
        let (_, process) = find(&mut table, number)?;
        if bytes.is_empty() {
            process.stdin = None;
            return Ok(Some(Reply::Done));
        }
        let taken = process.stdin.as_ref().is_some_and(|stdin| stdin.send(Bytes { call, bytes }).is_ok());
        taken.then_some(None).ok_or_else(|| input_closed(number))
    }

    /// Lets `count` more bytes of an output be sent.
    pub(crate) fn taken(&self, number: u32, stream: Stream, count: u32) {
        if let Some(flow) = self.flow(number, stream) {
            flow.grant(count);
        }
    }

    /// Closes the reading end of an output, if it is open.
    pub(crate) fn close_output(&self, number: u32, stream: Stream) -> Result<Reply, Failure> {
        if let Some(flow) = self.flow(number, stream) {
            flow.close();
        }
        Ok(Reply::Done)
    }

    fn flow(&self, number: u32, stream: Stream) -> Option<Arc<Flow>> {
        self.flows.lock().expect("no holder of the lock panics").get(&(number, stream)).map(Arc::clone)
    }

    /// Sends `signal` to the process group of a process.
    pub(crate) fn signal(&self, number: u32, signal: i32) -> Result<Reply, Failure> {
        let mut table = self.lock();
        let (pid, _) = find(&mut table, number)?;
        let Some(signal) = Signal::from_named_raw(signal) else {
            return Err(Failure { errno: 0, message: format!("there is no signal {signal}") });
        };
        kill_process_group(pid, signal)
            .map(|()| Reply::Done)
            .map_err(|error| failure("signal process", &number.to_string(), &error.into()))
    }

    fn pump(&self, number: u32, stream: Stream, from: impl Read + Send + 'static) {
        let (outbox, flows, flow) = (self.outbox.clone(), Arc::clone(&self.flows), Arc::new(Flow::new()));
        flows.lock().expect("no holder of the lock panics").insert((number, stream), Arc::clone(&flow));
        thread::spawn(move || {
            flow.pump(number, stream, from, &outbox);
            flows.lock().expect("no holder of the lock panics").remove(&(number, stream));
        });
    }

    /// Waits without collecting, then collects under the lock: a start that fails collects its own child, and does so
    /// before it releases the lock.
    fn collect(&self) {
        loop {
            match waitid(WaitId::All, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
                Ok(_) => self.collect_ended(),
                // There are no children at all: sleep until one is started.
                Err(Errno::CHILD) => {
                    let table = self.lock();
                    if table.is_empty() {
                        drop(self.grown.wait(table).expect("no holder of the lock panics"));
                    }
                }
                Err(_) => {}
            }
        }
    }

    fn collect_ended(&self) {
        let mut table = self.lock();
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            let status = match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => Status::Code(code),
                (None, Some(signal)) => Status::Signal(signal),
                (None, None) => continue,
            };
            // An orphan that is not in the table needs no answer.
            if let Some(process) = table.remove(&pid) {
                self.outbox.send(&Event::Exited { process: process.number, status });
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Pid, Process>> {
        self.table.lock().expect("no holder of the lock panics")
    }
}

/// Starts a thread that writes the bytes it receives to a process's standard input, until the sender or the reader is
/// gone, and answers each request that brought bytes.
fn writer(mut stdin: ChildStdin, number: u32, outbox: Outbox) -> Sender<Bytes> {
    let (sender, receiver) = channel::<Bytes>();
    thread::spawn(move || {
        for Bytes { call, bytes } in receiver {
            let written = stdin.write_all(&bytes);
            let result = written.map(|()| Reply::Done).map_err(|_| input_closed(number));
            outbox.send(&Event::Answer { call, result });
        }
    });
    sender
}

fn input_closed(number: u32) -> Failure {
    Failure { errno: Errno::PIPE.raw_os_error(), message: format!("the input of process {number} is closed") }
}

/// Returns a command with the guest's environment.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(ENVIRONMENT.iter().copied()).current_dir("/root");
    command
}

fn find(table: &mut HashMap<Pid, Process>, number: u32) -> Result<(Pid, &mut Process), Failure> {
    let found = table.iter_mut().find(|(_, process)| process.number == number);
    found
        .map(|(pid, process)| (*pid, process))
        .ok_or_else(|| Failure { errno: Errno::SRCH.raw_os_error(), message: format!("process {number} has ended") })
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        os::{fd::OwnedFd, unix::net::UnixStream},
        sync::OnceLock,
    };

    use drydock_agent::{frame, protocol::WINDOW};

    use super::*;

    /// Locks the only table and its far end: the process that runs the tests has one collector of children, as a guest
    /// has, so tests take turns.
    fn lab() -> MutexGuard<'static, (Arc<Processes>, UnixStream)> {
        static LAB: OnceLock<Mutex<(Arc<Processes>, UnixStream)>> = OnceLock::new();
        let lab = LAB.get_or_init(|| {
            let (ours, theirs) = UnixStream::pair().unwrap();
            Mutex::new((Processes::new(Outbox::new(File::from(OwnedFd::from(theirs)))), ours))
        });
        lab.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn start(processes: &Processes, number: u32, script: &str) {
        let mut command = Command::new("sh");
        command.args(["-c", script]).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        processes.start(number, command).unwrap();
    }

    /// Returns the events up to the one that `wanted` selects.
    fn until(port: &mut UnixStream, wanted: impl Fn(&Event) -> bool) -> Vec<Event> {
        let mut seen = Vec::new();
        while !seen.last().is_some_and(&wanted) {
            seen.push(frame::read(port).unwrap().unwrap());
        }
        seen
    }

    fn is_end(number: u32) -> impl Fn(&Event) -> bool {
        move |event| matches!(event, Event::Exited { process, .. } if *process == number)
    }

    fn bytes_of(number: u32, events: &[Event]) -> usize {
        let bytes = events.iter().filter_map(|event| match event {
            Event::Output { process, bytes, .. } if *process == number => Some(bytes.len()),
            _ => None,
        });
        bytes.sum()
    }

    #[test]
    fn an_output_that_nobody_takes_stops_at_its_window_and_holds_up_nothing_else() {
        let (processes, port) = &mut *lab();
        start(processes, 10, "exec yes");
        let mut sent = 0;
        while sent < WINDOW as usize {
            sent += bytes_of(10, &[frame::read(port).unwrap().unwrap()]);
        }
        assert_eq!(sent, WINDOW as usize);
        start(processes, 11, "yes >&2 | head -c 1000; echo b >&2");
        processes.signal(11, 9).unwrap();
        assert_eq!(bytes_of(10, &until(port, is_end(11))), 0);
        processes.taken(10, Stream::Out, 1000);
        let more = until(port, |event| bytes_of(10, std::slice::from_ref(event)) > 0);
        assert!(bytes_of(10, &more) <= 1000);
        processes.close_output(10, Stream::Out).unwrap();
        let end = until(port, is_end(10));
        assert_eq!(end.last(), Some(&Event::Exited { process: 10, status: Status::Signal(13) }));
    }

    #[test]
    fn input_is_answered_when_the_program_has_room_for_it() {
        let (processes, port) = &mut *lab();
        start(processes, 20, "exec sleep 1000");
        assert_eq!(processes.input(21, 20, vec![b'x'; 1 << 20]).unwrap(), None);
        processes.signal(20, 15).unwrap();
        let answer = |event: &Event| matches!(event, Event::Answer { call: 21, .. });
        let events = until(port, answer);
        let Some(Event::Answer { result, .. }) = events.last() else { panic!("no answer") };
        assert_eq!(result.as_ref().unwrap_err().errno, Errno::PIPE.raw_os_error());
        if !events.iter().any(is_end(20)) {
            until(port, is_end(20));
        }
        start(processes, 22, "cat >/dev/null");
        assert_eq!(processes.input(23, 22, vec![b'x'; 1 << 20]).unwrap(), None);
        until(port, |event| *event == Event::Answer { call: 23, result: Ok(Reply::Done) });
        assert_eq!(processes.input(24, 22, Vec::new()).unwrap(), Some(Reply::Done));
        until(port, is_end(22));
    }

    #[test]
    fn the_end_is_told_while_a_child_holds_the_output() {
        let (processes, port) = &mut *lab();
        start(processes, 30, "sleep 1000 & echo $!");
        let (mut said, mut ended) = (Vec::new(), false);
        while !(ended && said.ends_with(b"\n")) {
            match frame::read(port).unwrap().unwrap() {
                Event::Output { process: 30, bytes, .. } => said.extend(bytes),
                event => ended |= is_end(30)(&event),
            }
        }
        let child = String::from_utf8(said).unwrap().trim().parse().ok().and_then(Pid::from_raw).unwrap();
        // The output stays open as long as the child lives.
        rustix::process::kill_process(child, Signal::KILL).unwrap();
        until(port, |event| matches!(event, Event::Closed { process: 30, stream: Stream::Out }));
    }
}
