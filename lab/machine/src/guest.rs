// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The lab's end of the protocol: sends the agent requests and waits for the answers.
//!
//! One thread reads events and routes each to the waiter for that request. Every wait has a limit, and ends early when
//! the machine ends. Source: our own protocol, `guest/agent/src/protocol.rs`.

mod flow;
mod process;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicU32, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use drydock_agent::{
    frame,
    protocol::{Call, Event, Failure, Reply, Source, Status, Stream, Task},
};

use super::{
    console::Console,
    display::Display,
    error::Error,
    pace::patient,
    place::{self, Place},
};

use flow::Requests;
pub use process::{Input, Output, Passed, Process};

/// The number of console lines in an error message.
pub(crate) const TAIL: usize = 20;

/// The time limit for a request that does not run a program. It is generous because unplugging waits for callers inside
/// the driver.
const REQUEST_LIMIT: Duration = Duration::from_secs(60);

/// The time limit for the agent to report what runs in a guest that hangs.
const PLACE_LIMIT: Duration = Duration::from_secs(20);

/// The most looks at what runs in a guest that hangs.
const LOOKS: usize = 8;

/// The file that makes the kernel print what each processor does. The letter written is that of the key.
const SYSRQ: &str = "/proc/sysrq-trigger";
const ALL_PROCESSORS: &str = "l";

/// A time limit and its start.
#[derive(Clone, Copy)]
struct Limit {
    whole: Duration,
    deadline: Instant,
}

impl Limit {
    fn from_now(whole: Duration) -> Self {
        Self { whole, deadline: Instant::now() + whole }
    }

    fn left(self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

/// A message from the reader thread to one waiter.
#[derive(Debug)]
pub(crate) enum Message {
    Answer(Result<Reply, Failure>),
    /// Bytes that the process wrote.
    Output(Stream, Vec<u8>),
    /// The process ended.
    Exited(Status),
    /// One of the process's outputs ended.
    Closed(Stream),
}

/// A booted guest whose agent is ready.
pub struct Guest {
    requests: Requests,
    waiters: Arc<Mutex<Waiters>>,
    next: AtomicU32,
    console: Console,
    display: Option<Arc<Display>>,
}

/// The waiters for each request. There are no more waiters once the machine has ended.
#[derive(Default)]
struct Waiters {
    by_number: HashMap<u32, Sender<Message>>,
    gone: bool,
}

impl Guest {
    /// Waits up to `limit` for the agent behind `port` to report that it is ready.
    pub fn connect(port: UnixStream, console: Console, limit: Duration) -> Result<Self, Error> {
        let waiters = Arc::new(Mutex::new(Waiters::default()));
        let (ready, is_ready) = channel();
        let events = port.try_clone().map_err(Error::Start)?;
        let reader_waiters = Arc::clone(&waiters);
        thread::spawn(move || read_events(events, &reader_waiters, &ready));
        is_ready.recv_timeout(limit).map_err(|error| match error {
            RecvTimeoutError::Timeout => hung("booting", limit, &console),
            RecvTimeoutError::Disconnected => gone(&console),
        })?;
        Ok(Self::new(port, waiters, console))
    }

    fn new(requests: impl Write + Send + 'static, waiters: Arc<Mutex<Waiters>>, console: Console) -> Self {
        Self { requests: Requests::new(requests), waiters, next: AtomicU32::new(1), console, display: None }
    }

    /// Adds the screens as QEMU shows them.
    pub(crate) fn with_display(self, display: Arc<Display>) -> Self {
        Self { display: Some(display), ..self }
    }

    /// Returns the screens as QEMU shows them, unless no QEMU runs the guest.
    pub(crate) fn display(&self) -> Option<&Display> {
        self.display.as_deref()
    }

    /// Returns the kernel's log.
    pub fn console(&self) -> &Console {
        &self.console
    }

    /// Loads a module and its dependencies. Returns the names of the loaded modules in order.
    pub fn insmod(&self, name: &str, params: &str) -> Result<Vec<String>, Error> {
        match self.ask(Call::Insmod { name: name.into(), params: params.into() })? {
            Reply::Loaded(names) => Ok(names),
            _ => Err(Error::Confused("insmod")),
        }
    }

    /// Makes the root for clients.
    pub(crate) fn make_root(&self, lower: Source) -> Result<(), Error> {
        self.ask(Call::MakeRoot { lower }).map(drop)
    }

    /// Mounts a directory of the host, by its tag.
    pub(crate) fn share(&self, tag: &str, at: &str, writable: bool) -> Result<(), Error> {
        self.ask(Call::Share { tag: tag.into(), at: at.into(), writable }).map(drop)
    }

    /// Writes everything that programs have written to directories of the host. Fails with [`Error::Refused`] if the host
    /// refused a part of it.
    pub fn sync(&self) -> Result<(), Error> {
        self.ask(Call::Sync).map(drop)
    }

    /// Unloads a module.
    pub fn rmmod(&self, name: &str) -> Result<(), Error> {
        self.ask(Call::Rmmod { name: name.into() }).map(drop)
    }

    /// Reads a file of the guest as text.
    pub fn read(&self, path: &str) -> Result<String, Error> {
        match self.ask(Call::ReadFile { path: path.into() })? {
            Reply::Bytes(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            _ => Err(Error::Confused("read")),
        }
    }

    /// Writes a file of the guest in one system call.
    pub fn write(&self, path: &str, text: &str) -> Result<(), Error> {
        self.ask(Call::WriteFile { path: path.into(), bytes: text.into() }).map(drop)
    }

    /// Returns the names in a directory of the guest, sorted.
    pub fn list(&self, path: &str) -> Result<Vec<String>, Error> {
        match self.ask(Call::ListDir { path: path.into() })? {
            Reply::Names(names) => Ok(names),
            _ => Err(Error::Confused("list")),
        }
    }

    /// Starts a program and returns at once.
    pub fn spawn<S: AsRef<str>>(&self, argv: &[S]) -> Result<Process<'_>, Error> {
        let argv: Vec<String> = argv.iter().map(|word| word.as_ref().to_owned()).collect();
        let program = argv.join(" ");
        Process::start(self, program, Call::Spawn { argv })
    }

    /// Starts a program on the machine's terminal, or a shell if it names none.
    pub fn on_terminal(&self, argv: &[String], size: (u16, u16), term: &str) -> Result<Process<'_>, Error> {
        let shell = || ["sh", "-i"].map(str::to_owned).to_vec();
        let argv = if argv.is_empty() { shell() } else { argv.to_vec() };
        Process::start(self, argv[0].clone(), Call::OnTerminal { argv, size, term: term.into() })
    }

    /// Sets the size of the machine's terminal.
    pub fn resize(&self, size: (u16, u16)) -> Result<(), Error> {
        self.ask(Call::Resize { size }).map(drop)
    }

    /// Runs a program to its end and returns its output, whatever its exit code.
    pub fn run<S: AsRef<str>>(&self, argv: &[S], limit: Duration) -> Result<Output, Error> {
        self.spawn(argv)?.wait(limit)
    }

    /// Like [`Self::run`], but a program that fails is an error.
    pub fn check<S: AsRef<str>>(&self, argv: &[S], limit: Duration) -> Result<Output, Error> {
        let mut process = self.spawn(argv)?;
        process.close_input()?;
        let output = process.wait(limit)?;
        if output.status.success() {
            return Ok(output);
        }
        let program = argv.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(" ");
        let said = format!("{}{}", output.out, output.err);
        Err(Error::Program { program, status: output.status, said })
    }

    /// Returns the processes in the guest, except the kernel's and the agent.
    pub fn processes(&self) -> Result<Vec<Task>, Error> {
        match self.ask(Call::Tasks)? {
            Reply::Tasks(tasks) => Ok(tasks.into_iter().filter(place::is_process).collect()),
            _ => Err(Error::Confused("tasks")),
        }
    }

    /// Kills all processes of the guest and waits for their end.
    pub fn end_processes(&self) -> Result<(), Error> {
        self.ask(Call::EndProcesses).map(drop)
    }

    /// Waits until everything that the kernel has logged so far is in [`Self::console`]. Returns the next line's
    /// number.
    pub fn settle_log(&self) -> Result<usize, Error> {
        let from = self.console.position();
        self.mark(from, REQUEST_LIMIT).map_err(|error| self.locate(error))
    }

    fn mark(&self, from: usize, limit: Duration) -> Result<usize, Error> {
        let mark = format!("drydock: mark {}", self.next.fetch_add(1, Ordering::Relaxed));
        // Without a newline, the kernel keeps the record open and prints it together with the next one.
        let marking = Call::WriteFile { path: "/dev/kmsg".into(), bytes: format!("{mark}\n").into() };
        // This very call finds what the kernel logged about a refusal, so its own refusal is not looked up: a guest
        // that refuses everything would cause an endless recursion.
        self.attempt_within(marking, limit)?.map_err(|failure| Error::Refused { failure, console: Vec::new() })?;
        let limit = patient(limit);
        let found = self.console.wait_for(from, &mark, limit);
        found.map(|at| at + 1).ok_or_else(|| hung("the kernel's log", limit, &self.console))
    }

    /// Requests the machine's power-off. The only answer is its end.
    pub(crate) fn power_off(&self) -> Result<(), Error> {
        self.post(0, Call::PowerOff)
    }

    fn ask(&self, what: Call) -> Result<Reply, Error> {
        self.ask_within(what, REQUEST_LIMIT)
    }

    /// Sends a request with a time limit. If it hangs, the error contains the place.
    pub fn ask_within(&self, what: Call, limit: Duration) -> Result<Reply, Error> {
        let before = self.console.position();
        let result = self.attempt_within(what, limit).map_err(|error| self.locate(error))?;
        result.map_err(|failure| self.refused(failure, before))
    }

    /// Sends a request and returns the agent's answer.
    fn attempt_within(&self, what: Call, limit: Duration) -> Result<Result<Reply, Failure>, Error> {
        let number = self.number();
        let answers = self.await_number(number)?;
        let waiting = place::in_words(&what);
        self.post(number, what)?;
        let answer = self.receive(&answers, &waiting, Limit::from_now(patient(limit)));
        self.forget(number);
        match answer? {
            Message::Answer(result) => Ok(result),
            _ => Err(Error::Confused("a request")),
        }
    }

    /// Adds to a hang where in the kernel the guest is.
    fn locate(&self, error: Error) -> Error {
        match error {
            Error::Hung { waiting, limit, console, .. } => Error::Hung { waiting, limit, console, place: self.place() },
            other => other,
        }
    }

    /// Returns where in the kernel everything is that runs. Makes only requests that are not located themselves if they
    /// hang.
    ///
    /// The task that writes to [`SYSRQ`] can run on the processor of a task that spins, which then stands in neither
    /// report. The guest is looked at again until each running task was found.
    fn place(&self) -> Place {
        let mut place = Place::default();
        for _ in 0..LOOKS {
            let Some(look) = self.look() else { return place };
            place = look;
            if place.is_whole() {
                return place;
            }
        }
        place
    }

    /// Asks once for what all tasks and processors do.
    fn look(&self) -> Option<Place> {
        let Ok(Ok(Reply::Tasks(tasks))) = self.attempt_within(Call::Tasks, PLACE_LIMIT) else {
            return None;
        };
        let from = self.console.position();
        let key = Call::WriteFile { path: SYSRQ.into(), bytes: ALL_PROCESSORS.into() };
        // A guest that does not print its processors' stacks has still reported those of its tasks.
        let _ = self.attempt_within(key, PLACE_LIMIT).and_then(|_| self.mark(from, PLACE_LIMIT));
        Some(Place::new(&tasks, &self.console.lines_from(from)))
    }

    fn number(&self) -> u32 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn await_number(&self, number: u32) -> Result<Receiver<Message>, Error> {
        let (sender, receiver) = channel();
        let mut waiters = self.waiters.lock().expect("no holder of the lock panics");
        if waiters.gone {
            return Err(gone(&self.console));
        }
        waiters.by_number.insert(number, sender);
        Ok(receiver)
    }

    fn forget(&self, number: u32) {
        self.waiters.lock().expect("no holder of the lock panics").by_number.remove(&number);
    }

    fn post(&self, call: u32, what: Call) -> Result<(), Error> {
        self.requests.post(call, what).map_err(|_| gone(&self.console))
    }

    fn receive(&self, from: &Receiver<Message>, waiting: &str, limit: Limit) -> Result<Message, Error> {
        let left = limit.left();
        // A message that has arrived is received however little time is left, and a guest can keep messages coming
        // forever.
        if left.is_zero() {
            return Err(hung(waiting, limit.whole, &self.console));
        }
        from.recv_timeout(left).map_err(|error| match error {
            RecvTimeoutError::Timeout => hung(waiting, limit.whole, &self.console),
            RecvTimeoutError::Disconnected => gone(&self.console),
        })
    }

    /// Returns the error for a refused request, with what the kernel logged about it.
    fn refused(&self, failure: Failure, before: usize) -> Error {
        let after = self.settle_log().map_or(before, |next| next.saturating_sub(1));
        let lines = self.console.lines_from(before);
        let count = after.saturating_sub(before).min(lines.len());
        let console = lines[..count].iter().map(ToString::to_string).collect();
        Error::Refused { failure, console }
    }
}

fn read_events(mut events: impl Read, waiters: &Mutex<Waiters>, ready: &Sender<()>) {
    while let Some(event) = next_event(&mut events) {
        if !waiters.lock().expect("no holder of the lock panics").hand(event) {
            // The receiver no longer exists if the boot was given up or the agent was ready before.
            let _ = ready.send(());
        }
    }
    let mut waiters = waiters.lock().expect("no holder of the lock panics");
    waiters.gone = true;
    waiters.by_number.clear();
}

/// Returns `None` at the end, and after an invalid message, since the next one's start is then unknown.
fn next_event(events: &mut impl Read) -> Option<Event> {
    frame::read(events).ok().flatten()
}

impl Waiters {
    /// Routes an event to its waiter. Once the agent is ready, nothing waits for the event that says so.
    fn hand(&self, event: Event) -> bool {
        let (number, message) = match event {
            Event::Ready { .. } => return false,
            Event::Answer { call, result } => (call, Message::Answer(result)),
            Event::Output { process, stream, bytes } => (process, Message::Output(stream, bytes)),
            Event::Exited { process, status } => (process, Message::Exited(status)),
            Event::Closed { process, stream } => (process, Message::Closed(stream)),
        };
        if let Some(waiter) = self.by_number.get(&number) {
            // The waiter may have given up.
            let _ = waiter.send(message);
        }
        true
    }
}

fn hung(waiting: &str, limit: Duration, console: &Console) -> Error {
    Error::Hung { waiting: waiting.into(), limit, console: console.tail(TAIL), place: Place::default() }
}

fn gone(console: &Console) -> Error {
    Error::Ended { status: "its channel closed".into(), said: String::new(), console: console.tail(TAIL) }
}

/// An agent for `fuzz/` whose messages are prepared before any request. On each request it sends those up to the next
/// `Ready`. A waiter that has got no answer by that point never gets one. So nothing blocks, and no thread is needed.
struct Foretold {
    words: io::Cursor<Vec<u8>>,
    waiters: Arc<Mutex<Waiters>>,
}

impl Write for Foretold {
    fn write(&mut self, request: &[u8]) -> io::Result<usize> {
        Ok(request.len())
    }

    /// Called when a request is complete.
    fn flush(&mut self) -> io::Result<()> {
        let mut waiters = self.waiters.lock().expect("no holder of the lock panics");
        while let Some(event) = next_event(&mut self.words) {
            if !waiters.hand(event) {
                waiters.by_number.clear();
                return Ok(());
            }
        }
        waiters.gone = true;
        waiters.by_number.clear();
        Ok(())
    }
}

/// Takes any bytes for the agent's messages, for fuzzing.
/// Makes every call that commands make on a guest, whatever the guest answers.
pub fn parse_any(bytes: &[u8]) {
    const LONG: Duration = Duration::from_secs(60);
    static SILENT: LazyLock<Console> = LazyLock::new(|| Console::read(io::empty(), None).0);
    let waiters = Arc::new(Mutex::new(Waiters::default()));
    let agent = Foretold { words: io::Cursor::new(bytes.to_owned()), waiters: Arc::clone(&waiters) };
    let guest = Guest::new(agent, waiters, SILENT.clone());
    if let Ok(output) = guest.run(&["true"], LONG) {
        assert!(output.out.len().max(output.err.len()) <= 3 * bytes.len(), "nobody else's words are a program's");
    }
    // Each call refuses an answer that does not fit.
    let _ = guest.insmod("vgem", "");
    let _ = guest.read("/proc/modules");
    let _ = guest.list("/dev/dri");
    let _ = guest.rmmod("vgem");
    if let Ok(mut process) = guest.spawn(&["cat"]) {
        let _ = process.wait_for_line("holding", LONG);
        let _ = process.close_input();
        let _ = process.forward(Some(LONG), |_, _| Ok(()));
    }
    let _ = guest.check(&["true"], LONG);
}
