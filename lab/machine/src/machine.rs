// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! One running QEMU: its channels, its console, and its guaranteed end.
//!
//! Nothing of a machine has a name in the file system. QEMU inherits socket pairs as its channels, the initial file
//! system is an anonymous file, and the process dies with us. However the lab ends, there is nothing to clean up.
//!
//! Source: qemu-system-x86_64(1), `-chardev socket,fd=`; memfd_create(2).

use std::{
    fs::File,
    io::{self, Read, Write},
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::CommandExt},
    },
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, mpsc::Receiver},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use command_fds::{CommandFdExt, FdMapping};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::{
    console::{Console, Line, Listener},
    display::Display,
    error::Error,
    gpu::{self, Gpu, Wanted},
    guest::{Guest, TAIL},
    incident::{self, Incident},
    monitor::{self, Monitor},
    pace::patient,
    place::{self, Place},
    qemu::Channel,
};
use drydock_base::process::wait_within;

/// QEMU's end of the agent's channel.
pub(crate) const AGENT: Channel = Channel::Fd(AGENT_FD);
/// QEMU's end of the interactive shell's channel.
pub(crate) const SHELL: Channel = Channel::Fd(SHELL_FD);
/// QEMU's end of the channel to its monitor.
pub(crate) const MONITOR: Channel = Channel::Fd(MONITOR_FD);
/// QEMU's end of the listening socket for a debugger.
pub(crate) const DEBUGGER: Channel = Channel::Fd(DEBUGGER_FD);
/// The path at which QEMU finds the initial file system.
pub(crate) const INITRD: &str = "/proc/self/fd/5";

/// The path at which QEMU finds the emulated GPU's socket.
pub const GPU: &str = "/proc/self/fd/6";

const AGENT_FD: i32 = 3;
const SHELL_FD: i32 = 4;
const INITRD_FD: i32 = 5;
const GPU_FD: i32 = 6;
const MONITOR_FD: i32 = 7;
const DEBUGGER_FD: i32 = 8;
const PICTURE_FD: i32 = 9;

/// The path at which QEMU finds the file for its pictures of screens.
const PICTURE: &str = "/proc/self/fd/9";

/// The time limit for QEMU to end after its guest.
const END_LIMIT: Duration = Duration::from_secs(5);
/// The time limit for a guest to report where an NMI interrupted it.
const NMI_LIMIT: Duration = Duration::from_secs(20);

/// A machine that is running or has just ended.
pub struct Machine {
    child: Child,
    console: Console,
    console_thread: Option<JoinHandle<()>>,
    stderr_thread: Option<JoinHandle<String>>,
    agent: Option<UnixStream>,
    shell: Option<UnixStream>,
    monitor: monitor::Shared,
    /// The screens as QEMU shows them.
    display: Arc<Display>,
    gpu: Option<Gpu>,
    /// Whether an error was explained. Doing so may have ended the machine.
    is_explained: bool,
}

/// The results of a machine that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The whole kernel log.
    pub(crate) log: Vec<Line>,
    /// All events of the emulated GPU, or its failure.
    pub(crate) gpu: Result<Vec<drydock_models::Event>, Error>,
}

impl Machine {
    /// Starts QEMU with `command`, whose arguments name [`AGENT`], [`SHELL`], [`MONITOR`] and [`INITRD`], and [`GPU`]
    /// if `wanted` is given, and [`DEBUGGER`] if `debugger` is.
    pub fn start(
        mut command: Command,
        initrd: &[&[u8]],
        wanted: Option<&Wanted>,
        debugger: Option<OwnedFd>,
        listener: Option<Listener>,
    ) -> Result<Self, Error> {
        let (agent, agent_end) = UnixStream::pair().map_err(Error::Start)?;
        let (shell, shell_end) = UnixStream::pair().map_err(Error::Start)?;
        let (monitor, monitor_end) = UnixStream::pair().map_err(Error::Start)?;
        let initrd = anonymous_file("drydock-initrd", initrd).map_err(Error::Start)?;
        let picture = anonymous_file("drydock-picture", &[]).map_err(Error::Start)?;
        let mut inherited = vec![
            (OwnedFd::from(agent_end), AGENT_FD),
            (OwnedFd::from(shell_end), SHELL_FD),
            (OwnedFd::from(initrd), INITRD_FD),
            (OwnedFd::from(monitor_end), MONITOR_FD),
            (OwnedFd::from(picture.try_clone().map_err(Error::Start)?), PICTURE_FD),
        ];
        inherited.extend(debugger.map(|socket| (socket, DEBUGGER_FD)));
        let (mut gpu, gpu_end) = wanted.map(Gpu::start).transpose()?.unzip();
        inherited.extend(gpu_end.map(|end| (end, GPU_FD)));
        let mappings = inherited.into_iter().map(|(parent_fd, child_fd)| FdMapping { parent_fd, child_fd });
        command.fd_mappings(mappings.collect()).expect("the numbers differ");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Ctrl-C reaches the whole group of a terminal's foreground. It is for the client, and not for QEMU.
        let mut child = command.process_group(0).spawn().map_err(Error::Start)?;
        // The command still owns our copies of QEMU's ends. While they are open, we would never see the channels close.
        drop(command);
        let stdout = child.stdout.take().expect("stdout is piped");
        let stderr = child.stderr.take().expect("stderr is piped");
        let (console, console_thread) = Console::read(stdout, listener);
        if let Some(gpu) = &mut gpu {
            end_with_gpu(&child, gpu.end_signal(), console.clone(), END_LIMIT).map_err(Error::Start)?;
        }
        let monitor = Arc::new(Mutex::new(Monitor::new(monitor)));
        let display = Display::new(Arc::clone(&monitor), picture, PICTURE);
        Ok(Self {
            child,
            console,
            console_thread: Some(console_thread),
            stderr_thread: Some(thread::spawn(move || read_text(stderr))),
            agent: Some(agent),
            shell: Some(shell),
            monitor,
            display: Arc::new(display),
            gpu,
            is_explained: false,
        })
    }

    /// Waits until the guest's agent is ready.
    pub fn guest(&mut self, limit: Duration) -> Result<Guest, Error> {
        let port = self.agent.take().expect("a machine's guest is connected once");
        let guest = Guest::connect(port, self.console.clone(), limit).map_err(|error| self.explain(error))?;
        Ok(guest.with_display(Arc::clone(&self.display)))
    }

    /// Returns the kernel's reports so far, except for the panic that the lab itself caused.
    pub fn reports(&self) -> Vec<Incident> {
        let mut incidents = incident::find(&self.console.lines());
        incidents.retain(|incident| !place::is_own_panic(incident));
        incidents
    }

    /// Returns the requests to QEMU itself.
    pub(crate) fn monitor(&self) -> monitor::Shared {
        Arc::clone(&self.monitor)
    }

    /// Returns our end of the interactive shell's terminal.
    pub fn terminal(&mut self) -> UnixStream {
        self.shell.take().expect("a machine's terminal is taken once")
    }

    /// Returns a handle that can send commands to the emulated GPU.
    pub fn gpu(&self) -> Option<gpu::Handle> {
        self.gpu.as_ref().map(Gpu::handle)
    }

    /// Waits for the machine to end by itself, then for the last line of its log.
    pub fn wait(mut self, limit: Duration) -> Result<Ended, Error> {
        let deadline = Instant::now() + limit;
        // The console ends with QEMU, so its end is the event to wait for.
        let console = self.console.clone();
        if console.wait_for_end(deadline).is_none() {
            let (waiting, console, place) = ("ending the machine".into(), console.tail(TAIL), Place::default());
            return Err(self.explain(Error::Hung { waiting, limit, console, place }));
        }
        let (status, said, ended) = self.collect().map_err(Error::Start)?;
        match status.success() {
            true => Ok(ended),
            false => Err(Error::Ended { status: status.to_string(), said, console: console.tail(TAIL) }),
        }
    }

    /// Ends the machine at once.
    pub fn kill(mut self) -> Result<Ended, Error> {
        self.child.kill().map_err(Error::Start)?;
        let (_, _, ended) = self.collect().map_err(Error::Start)?;
        Ok(ended)
    }

    /// Adds to an error what only QEMU and the emulated GPU know: how QEMU ended and what it printed, which of the two
    /// does not answer, or where the guest's processor is. Does so only once.
    pub fn explain(&mut self, error: Error) -> Error {
        if std::mem::replace(&mut self.is_explained, true) {
            return error;
        }
        match error {
            Error::Ended { console, .. } => self.explain_end(console),
            // Any of these errors may be the consequence of hardware that does not answer.
            error if self.gpu.as_ref().is_some_and(|gpu| !gpu.answers()) => Error::GpuSilent { met: error.to_string() },
            Error::Hung { .. } if !monitor::lock(&self.monitor).answers() => {
                Error::QemuSilent { met: error.to_string() }
            }
            Error::Hung { waiting, limit, console, place } if place.is_unknown() => {
                Error::Hung { waiting, limit, console, place: self.interrupt() }
            }
            error => error,
        }
    }

    /// Ends a guest that does not answer with an NMI. The guest's panic reports where its first processor is.
    fn interrupt(&mut self) -> Place {
        let from = self.console.position();
        if monitor::lock(&self.monitor).inject_nmi().is_ok() {
            // The report ends with the machine. If it is cut short, the part that arrived is shown.
            let _ = self.console.wait_for_end(Instant::now() + patient(NMI_LIMIT));
        }
        Place::of_panic(&self.console.lines_from(from))
    }

    fn explain_end(&mut self, console: Vec<String>) -> Error {
        // The agent's channel is closed, so QEMU is ending and its output is worth waiting for, unless the agent sent
        // something that is no message.
        if self.console.wait_for_end(Instant::now() + patient(END_LIMIT)).is_none() {
            // This fails only if QEMU has just ended.
            let _ = self.child.kill();
        }
        let status = self.end().map_or_else(|error| error.to_string(), |status| status.to_string());
        let said = self.stderr_thread.take().map(join).unwrap_or_default();
        let console = if console.is_empty() { self.console.tail(TAIL) } else { console };
        Error::Ended { status, said, console }
    }

    /// Reaps QEMU, which has ended or is about to.
    fn end(&mut self) -> io::Result<ExitStatus> {
        match wait_within(&mut self.child, patient(END_LIMIT))? {
            Some(status) => Ok(status),
            None => {
                self.child.kill()?;
                self.child.wait()
            }
        }
    }

    fn collect(&mut self) -> io::Result<(ExitStatus, String, Ended)> {
        let status = self.end()?;
        let said = self.stderr_thread.take().map(join).unwrap_or_default();
        if let Some(thread) = self.console_thread.take() {
            join(thread);
        }
        let gpu = self.gpu.take().map_or(Ok(Vec::new()), Gpu::wait);
        Ok((status, said, Ended { log: self.console.lines(), gpu }))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Both calls fail only if QEMU has ended and was reaped, which is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ends QEMU if the emulated GPU ends and QEMU does not within `grace`. Without that, the loss of a GPU would be noticed
/// only at the time limit of whatever waits in the guest.
fn end_with_gpu(qemu: &Child, gpu_ended: Receiver<()>, console: Console, grace: Duration) -> io::Result<()> {
    let qemu = pidfd_open(Pid::from_child(qemu), PidfdFlags::empty())?;
    thread::spawn(move || {
        // Nothing is ever sent, so this waits for the disconnection.
        let _ = gpu_ended.recv();
        // A machine that ends normally ends its GPU, and may need some time itself.
        if console.wait_for_end(Instant::now() + patient(grace)).is_none() {
            // This fails only if QEMU has just ended.
            let _ = pidfd_send_signal(&qemu, Signal::KILL);
        }
    });
    Ok(())
}

fn anonymous_file(name: &str, parts: &[&[u8]]) -> io::Result<File> {
    let mut file = File::from(memfd_create(name, MemfdFlags::CLOEXEC)?);
    for part in parts {
        file.write_all(part)?;
    }
    Ok(file)
}

fn read_text(mut from: impl Read) -> String {
    let mut bytes = Vec::new();
    // Bytes read before an error are still QEMU's output.
    let _ = from.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn join<T>(thread: JoinHandle<T>) -> T {
    thread.join().expect("a reader thread does not panic")
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn machine_whose_gpu_has_ended_is_ended() {
        let mut qemu = Command::new("sleep").arg("1000").stdout(Stdio::piped()).spawn().unwrap();
        let (console, reader) = Console::read(qemu.stdout.take().unwrap(), None);
        let (gpu, gpu_ended) = mpsc::channel();
        end_with_gpu(&qemu, gpu_ended, console.clone(), Duration::from_millis(20)).unwrap();
        assert!(console.wait_for_end(Instant::now() + Duration::from_millis(200)).is_none(), "its GPU still runs");
        drop(gpu);
        assert_eq!(qemu.wait().unwrap().signal(), Some(Signal::KILL.as_raw()));
        reader.join().unwrap();
    }
}
