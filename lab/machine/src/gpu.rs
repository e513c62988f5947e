// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! One emulated GPU beside a machine: a child process that dies with us, its sockets, and its events.
//!
//! Nothing of it has a name in the file system: the model inherits a listening socket, QEMU a descriptor of its file.
//! Source: proc(5), `/proc/PID/fd`; open(2), `O_PATH`; `models/src/command.rs` for the protocol of the control socket.

use std::fs::{self, DirBuilder};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use command_fds::{CommandFdExt, FdMapping};
use drydock_models::command::{Answer, Command as Order};
use drydock_models::{Event, What, event};
use rustix::fs::{Mode, OFlags};
use serde_json::Value;

use super::error::Error;
use super::pace::patient;
use crate::model::{Choices, Name};
use drydock_base::process::{die_with_us, wait_within};
use drydock_base::unix_socket;
use drydock_toolchain::firmware::Supply;

/// A GPU to emulate.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The GPU to emulate.
    pub name: Name,
    /// The user's choices about it.
    pub choices: Choices,
    /// The firmware that its driver loads and the model expects.
    pub firmware: Option<Supply>,
}

/// The time limit on an idle host for an answer, which a model gives at once, and for its end after QEMU's.
const PATIENCE: Duration = Duration::from_secs(20);

/// The time limit for a model to end after it has closed its control socket.
const END_LIMIT: Duration = Duration::from_secs(2);

/// A running emulated GPU.
pub struct Gpu {
    child: Child,
    control: Handle,
    reader: Option<JoinHandle<()>>,
    stderr: Option<JoinHandle<String>>,
    /// Disconnected when the model closes its control socket, which it does only when it ends.
    ended: Option<mpsc::Receiver<()>>,
}

/// A handle that sends commands to a GPU and collects its events. A clone is the same GPU.
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

struct Shared {
    control: UnixStream,
    answers: Mutex<mpsc::Receiver<Answer>>,
    told: Mutex<Vec<Event>>,
}

impl Gpu {
    /// Starts the model and waits until it answers. Returns the file of its socket, for QEMU to inherit.
    pub fn start(wanted: &Wanted) -> Result<(Self, OwnedFd), Error> {
        let (listener, place) = socket().map_err(Error::StartGpu)?;
        let (ours, theirs) = UnixStream::pair().map_err(Error::StartGpu)?;
        let mut command = command(wanted);
        let fds = [(listener, SOCKET_FD), (OwnedFd::from(theirs), CONTROL_FD)];
        let mappings = fds.map(|(parent_fd, child_fd)| FdMapping { parent_fd, child_fd });
        command.fd_mappings(mappings.into()).expect("the two numbers differ");
        let mut child = command.spawn().map_err(Error::StartGpu)?;
        drop(command);
        let stderr = child.stderr.take().expect("stderr is piped");
        let (control, reader, ended) = Handle::connect(ours).map_err(Error::StartGpu)?;
        let stderr = Some(thread::spawn(move || text(stderr)));
        let gpu = Self { child, control, reader: Some(reader), stderr, ended: Some(ended) };
        match gpu.control.answers(PATIENCE) {
            true => Ok((gpu, place)),
            false => Err(gpu.why_silent(END_LIMIT)),
        }
    }

    /// Returns the error for a model that does not answer. A model that has ended has printed its reason.
    fn why_silent(self, limit: Duration) -> Error {
        match self.end(limit) {
            Err(Error::GpuSilent { .. }) | Ok(_) => Error::GpuSilent { met: "it was being started".into() },
            Err(error) => error,
        }
    }

    /// Returns a handle that can send commands to it.
    pub fn handle(&self) -> Handle {
        self.control.clone()
    }

    /// Returns a channel that is disconnected when the model ends.
    pub(crate) fn end_signal(&mut self) -> mpsc::Receiver<()> {
        self.ended.take().expect("a model's end is awaited once")
    }

    /// Returns whether it answers. A stopped or blocked model does not.
    pub fn answers(&self) -> bool {
        self.control.answers(PATIENCE)
    }

    /// Waits for the model to end, which it does after QEMU. Returns all its events.
    pub fn wait(self) -> Result<Vec<Event>, Error> {
        self.end(PATIENCE)
    }

    fn end(mut self, limit: Duration) -> Result<Vec<Event>, Error> {
        let ended = wait_within(&mut self.child, patient(limit)).map_err(Error::StartGpu)?;
        if ended.is_none() {
            // Events that it has already sent are still read to the end.
            self.child.kill().map_err(Error::StartGpu)?;
            self.child.wait().map_err(Error::StartGpu)?;
        }
        // The control socket ends with the process, after its last message.
        if let Some(reader) = self.reader.take() {
            join(reader);
        }
        let said = self.stderr.take().map(join).unwrap_or_default();
        match ended {
            Some(status) if ended_well(status) => Ok(self.control.told()),
            Some(status) => Err(Error::GpuEnded { status: status.to_string(), said }),
            None => Err(Error::GpuSilent { met: "it had to be killed after QEMU had ended".into() }),
        }
    }
}

impl Drop for Gpu {
    fn drop(&mut self) {
        // Both calls fail only if it has ended and was reaped, which is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns whether the model ended normally: without violations, or with violations that it has reported.
fn ended_well(status: ExitStatus) -> bool {
    status.code().is_some_and(|code| [drydock_base::exit::OK, drydock_base::exit::CHECK].map(i32::from).contains(&code))
}

impl Handle {
    /// Also returns the thread that reads the model's messages, and a channel that is disconnected when there are no more.
    fn connect(control: UnixStream) -> io::Result<(Self, JoinHandle<()>, mpsc::Receiver<()>)> {
        let (send, answers) = mpsc::channel();
        let (open, ended) = mpsc::channel();
        let lines = BufReader::new(control.try_clone()?);
        control.set_write_timeout(Some(patient(PATIENCE)))?;
        let handle = Self(Arc::new(Shared { control, answers: Mutex::new(answers), told: Mutex::default() }));
        let filled = handle.clone();
        let reader = thread::spawn(move || {
            filled.hear(lines, &send);
            drop(open);
        });
        Ok((handle, reader, ended))
    }

    /// Sorts the model's messages into events and answers.
    fn hear(&self, lines: impl BufRead, answers: &mpsc::Sender<Answer>) {
        for line in lines.lines().map_while(Result::ok) {
            if let Ok(event) = serde_json::from_str(&line) {
                self.0.told.lock().expect("no holder of the lock panics").push(event);
            } else if let Ok(answer) = serde_json::from_str(&line) {
                // The requester may have given up.
                let _ = answers.send(answer);
            }
        }
    }

    /// Returns whether the model answers within `limit`.
    fn answers(&self, limit: Duration) -> bool {
        // Any answer will do.
        !matches!(self.order_within(&Order::Status, limit), Err(Error::GpuSilent { .. }))
    }

    /// Sends the model an order and waits until it was carried out.
    pub fn order(&self, order: &Order) -> Result<Value, Error> {
        self.order_within(order, PATIENCE)
    }

    fn order_within(&self, order: &Order, limit: Duration) -> Result<Value, Error> {
        let mut line = serde_json::to_vec(order).expect("an order has string keys");
        line.push(b'\n');
        let silent = || Error::GpuSilent { met: format!("it was told: {order:?}") };
        let answers = self.0.answers.lock().expect("no holder of the lock panics");
        (&self.0.control).write_all(&line).map_err(|_| silent())?;
        match answers.recv_timeout(patient(limit)).map_err(|_| silent())? {
            Answer::Ok(value) => Ok(value),
            Answer::Error(why) => Err(Error::GpuRefused { order: format!("{order:?}"), why }),
        }
    }

    /// Returns all events so far.
    pub fn told(&self) -> Vec<Event> {
        self.0.told.lock().expect("no holder of the lock panics").clone()
    }
}

/// Returns the events that report a violation of the hardware's rules, as lines.
pub fn violations(told: &[Event]) -> Vec<String> {
    let violations = told.iter().filter(|event| matches!(event.what, What::Violation { .. }));
    violations.map(|event| event.what.to_string()).collect()
}

/// Returns the host's clock, as used in events.
pub fn now() -> f64 {
    event::monotonic()
}

const SOCKET_FD: i32 = 3;
const CONTROL_FD: i32 = 4;

fn command(wanted: &Wanted) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.args(arguments(wanted));
    command.args(["--socket-fd", &SOCKET_FD.to_string(), "--control-fd", &CONTROL_FD.to_string()]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    die_with_us(&mut command);
    command
}

/// Returns the arguments with which `drydock` becomes that GPU, without its sockets.
pub fn arguments(wanted: &Wanted) -> Vec<String> {
    let Choices { fault, trace, vram } = &wanted.choices;
    let path = |path: &std::path::PathBuf| path.to_string_lossy().into_owned();
    // A file that may be broken is for the driver to judge. The model has nothing to compare with it.
    let firmware = wanted.firmware.as_ref().filter(|supply| supply.checked).map(|supply| path(&supply.path));
    let options = [
        ("--fault", fault.as_ref().map(path)),
        ("--trace", trace.as_ref().map(path)),
        ("--vram", vram.map(|vram| vram.to_string())),
        ("--firmware", firmware),
    ];
    let given = options.into_iter().filter_map(|(name, value)| Some([name.to_owned(), value?])).flatten();
    ["model".to_owned(), wanted.name.word().to_owned()].into_iter().chain(given).collect()
}

/// Returns a listening socket, and a descriptor of its file by which a path can reach it. The socket's name is removed
/// before anybody else can see it. QEMU connects to paths only; `/proc/self/fd/N` is a path to a file without a name.
/// `TMPDIR` may name a missing directory; `/tmp` is used then.
fn socket() -> io::Result<(OwnedFd, OwnedFd)> {
    let named = std::env::temp_dir();
    socket_in(&named).or_else(|error| match socket_in(Path::new("/tmp")) {
        Ok(made) => Ok(made),
        Err(_) => Err(io::Error::new(error.kind(), format!("cannot make a socket in `{}`: {error}", named.display()))),
    })
}

fn socket_in(temporary: &Path) -> io::Result<(OwnedFd, OwnedFd)> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let directory = temporary.join(format!("drydock-{}-{number}", std::process::id()));
    DirBuilder::new().mode(0o700).create(&directory)?;
    let path = directory.join("gpu");
    let made = unix_socket::bind(&path).and_then(|listener| {
        let place = rustix::fs::open(&path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        Ok((OwnedFd::from(listener), place))
    });
    // Removal fails only if the file was not made.
    let _ = fs::remove_file(&path);
    let _ = fs::remove_dir(&directory);
    made
}

fn text(mut from: ChildStderr) -> String {
    let mut bytes = Vec::new();
    // Bytes read before an error are still its output.
    let _ = from.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn join<T>(thread: JoinHandle<T>) -> T {
    thread.join().expect("a reader thread does not panic")
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_socket_without_a_name_is_reached_through_its_descriptor() {
        let (listener, place) = socket().unwrap();
        let path = format!("/proc/self/fd/{}", place.as_raw_fd());
        let target = fs::read_link(&path).unwrap();
        assert!(!target.parent().unwrap().exists(), "{target:?}");
        let mut ours = UnixStream::connect(path).unwrap();
        ours.write_all(b"hello").unwrap();
        let mut theirs = UnixListener::from(listener).accept().unwrap().0;
        let mut bytes = [0; 5];
        theirs.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"hello");
    }

    #[test]
    fn socket_is_made_in_a_directory_with_a_long_name_and_in_none_that_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let long = dir.path().join("t".repeat(200));
        fs::create_dir(&long).unwrap();
        socket_in(&long).unwrap();
        assert_eq!(fs::read_dir(&long).unwrap().count(), 0, "nothing is left of it");
        assert_eq!(socket_in(&dir.path().join("missing")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn events_and_answers_are_told_apart() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let (handle, reader, ended) = Handle::connect(ours).unwrap();
        theirs.write_all(b"{\"time\":1.0,\"event\":\"reset\"}\n{\"ok\":{\"removed\":true}}\n").unwrap();
        assert_eq!(handle.order(&Order::Status).unwrap()["removed"], true);
        assert_eq!(handle.told(), [Event { time: 1.0, what: What::Reset }]);
        theirs.write_all(b"{\"error\":\"no\"}\n").unwrap();
        assert!(handle.order(&Order::Repair).unwrap_err().to_string().ends_with("no"));
        assert_eq!(ended.try_recv(), Err(mpsc::TryRecvError::Empty));
        drop(theirs);
        reader.join().unwrap();
        assert_eq!(ended.try_recv(), Err(mpsc::TryRecvError::Disconnected));
        assert!(matches!(handle.order(&Order::Status), Err(Error::GpuSilent { .. })));
    }

    /// Returns a model played by a program whose standard input is the control socket.
    fn gpu(mut command: Command) -> Gpu {
        let (ours, theirs) = UnixStream::pair().unwrap();
        command.stdin(OwnedFd::from(theirs)).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stderr = child.stderr.take().unwrap();
        let (control, reader, ended) = Handle::connect(ours).unwrap();
        let stderr = Some(thread::spawn(move || text(stderr)));
        Gpu { child, control, reader: Some(reader), stderr, ended: Some(ended) }
    }

    #[test]
    fn a_model_that_does_not_end_is_killed_at_the_limit() {
        let mut command = Command::new("sleep");
        command.arg("1000");
        let gpu = gpu(command);
        assert!(!gpu.control.answers(Duration::from_millis(20)));
        let error = gpu.end(Duration::from_millis(20)).unwrap_err();
        assert!(error.to_string().starts_with("the emulated GPU does not answer"), "{error}");
    }

    #[test]
    fn a_model_that_has_ended_says_why() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo 'error: failed to write `x`: No space' >&2; exit 69"]);
        let gpu = gpu(command);
        let limit = Duration::from_secs(30);
        assert!(!gpu.control.answers(limit));
        let error = gpu.why_silent(limit);
        assert_eq!(error.to_string(), "the emulated GPU has stopped: failed to write `x`: No space");
    }

    #[test]
    fn only_what_was_chosen_is_handed_on() {
        let mut wanted = Wanted { name: Name::Nova, choices: Choices::default(), firmware: None };
        assert_eq!(arguments(&wanted), ["model", "nova"]);
        wanted.choices.vram = Some(64);
        assert_eq!(arguments(&wanted), ["model", "nova", "--vram", "64"]);
        let supply =
            |checked| Supply { name: "arm/fw.bin", path: "/cache/fw.bin".into(), origin: String::new(), checked };
        let wanted =
            |checked| Wanted { name: Name::Mali, choices: Choices::default(), firmware: Some(supply(checked)) };
        assert_eq!(arguments(&wanted(true)), ["model", "mali", "--firmware", "/cache/fw.bin"]);
        assert_eq!(arguments(&wanted(false)), ["model", "mali"]);
    }
}
