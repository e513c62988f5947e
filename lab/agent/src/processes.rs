// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Starting programs, moving their bytes, and collecting every process that ends.
//!
//! The first process inherits all orphans, so one thread waits for *any* child; nobody else may wait,
//! or the two would steal each other's children. A start holds the table's lock until the child is in
//! it, so the collector cannot meet a child it does not know.
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
    time::Duration,
};

use drydock_agent::protocol::{Event, Failure, Reply, Status, Stream};
use rustix::{
    io::Errno,
    process::{Pid, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process_group, wait, waitid},
};

use crate::{files::failure, server::Outbox};

/// What every started program sees.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("PATH", "/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin"),
    ("HOME", "/root"),
    ("LC_ALL", "C.UTF-8"),
    ("RUST_BACKTRACE", "1"),
];

/// A process may leave a child behind that holds its outputs open; its end is told after this long.
const PIPES_LINGER: Duration = Duration::from_millis(300);

/// The processes that the lab started and that have not ended.
pub(crate) struct Processes {
    table: Mutex<HashMap<Pid, Process>>,
    grown: Condvar,
    outbox: Outbox,
}

struct Process {
    number: u32,
    /// To the thread that writes to it; a process that does not read keeps only that thread waiting.
    stdin: Option<Sender<Vec<u8>>>,
    pumps: Arc<Pumps>,
}

/// Counts the threads that still read a process's outputs.
#[derive(Default)]
struct Pumps {
    running: Mutex<u32>,
    done: Condvar,
}

impl Processes {
    /// An empty table and the thread that collects what ends.
    pub(crate) fn new(outbox: Outbox) -> Arc<Self> {
        let this = Arc::new(Self { table: Mutex::new(HashMap::new()), grown: Condvar::new(), outbox });
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
        let pumps = Arc::new(Pumps::default());
        if let Some(out) = child.stdout.take() {
            self.pump(number, Stream::Out, out, &pumps);
        }
        if let Some(err) = child.stderr.take() {
            self.pump(number, Stream::Err, err, &pumps);
        }
        let stdin = child.stdin.take().map(writer);
        table.insert(Pid::from_child(&child), Process { number, stdin, pumps });
        self.grown.notify_all();
        Ok(Reply::Done)
    }

    /// Queues bytes for a process's standard input, or closes it behind what is queued if there are none.
    pub(crate) fn input(&self, number: u32, bytes: Vec<u8>) -> Result<Reply, Failure> {
        let mut table = self.lock();
        let (_, process) = find(&mut table, number)?;
        if bytes.is_empty() {
            process.stdin = None;
            return Ok(Reply::Done);
        }
        let taken = process.stdin.as_ref().is_some_and(|stdin| stdin.send(bytes).is_ok());
        let closed = || Failure { errno: 0, message: format!("the input of process {number} is closed") };
        taken.then_some(Reply::Done).ok_or_else(closed)
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

    fn pump(&self, number: u32, stream: Stream, mut from: impl Read + Send + 'static, pumps: &Arc<Pumps>) {
        *pumps.running.lock().expect("no holder of the lock panics") += 1;
        let (outbox, pumps) = (self.outbox.clone(), Arc::clone(pumps));
        thread::spawn(move || {
            let mut buffer = vec![0; 32 << 10];
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                outbox.send(&Event::Output { process: number, stream, bytes: buffer[..count].to_vec() });
            }
            *pumps.running.lock().expect("no holder of the lock panics") -= 1;
            pumps.done.notify_all();
        });
    }

    /// Looks without collecting, then collects under the lock: a start that fails collects its own child,
    /// and does so before it lets go of the lock.
    fn collect(&self) {
        loop {
            match waitid(WaitId::All, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
                Ok(_) => self.collect_ended(),
                // No children at all: sleep until one is started.
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
            // An orphan that is not in the table belongs to nobody any more.
            if let Some(process) = table.remove(&pid) {
                self.tell_end(process, status);
            }
        }
    }

    /// Tells the end once the process's outputs are read out, or after [`PIPES_LINGER`].
    fn tell_end(&self, process: Process, status: Status) {
        let outbox = self.outbox.clone();
        thread::spawn(move || {
            let running = process.pumps.running.lock().expect("no holder of the lock panics");
            let waited = process.pumps.done.wait_timeout_while(running, PIPES_LINGER, |running| *running > 0);
            drop(waited);
            outbox.send(&Event::Exited { process: process.number, status });
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Pid, Process>> {
        self.table.lock().expect("no holder of the lock panics")
    }
}

/// A thread that writes what it is sent to a process's standard input, until the sender or the reader is gone.
fn writer(mut stdin: ChildStdin) -> Sender<Vec<u8>> {
    let (sender, receiver) = channel::<Vec<u8>>();
    thread::spawn(move || {
        for bytes in receiver {
            if stdin.write_all(&bytes).is_err() {
                return;
            }
        }
    });
    sender
}

/// A command with the guest's environment.
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
