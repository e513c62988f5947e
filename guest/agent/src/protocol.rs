// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The messages between the lab (host) and the agent (guest), and the names both must know.
//!
//! The lab sends [`Request`]s, the agent sends [`Event`]s. Each [`Call`] carries a number that its [`Event::Answer`]
//! repeats, so that answers may come out of order: a module that takes long to load does not delay a client's output.
//!
//! Source: our own; both ends are built from this file in the same run, so it carries no version.

use serde::{Deserialize, Serialize};

/// Name of the virtio-serial port of the protocol.
pub const AGENT_PORT: &str = "drydock.agent";

/// Word on the kernel's command line that moves the protocol to [`SERIAL_LINE`].
pub const SERIAL_WORD: &str = "drydock.serial";

/// The machine's second serial line; the first is the kernel's console.
pub const SERIAL_LINE: &str = "/dev/ttyS1";

/// Word on the kernel's command line that requests a shell on the console instead of the protocol.
pub const SHELL_WORD: &str = "drydock.shell";

/// Directory of the guest image that holds every kernel module, flat, as `NAME.ko`.
pub const MODULE_DIR: &str = "/modules";

/// File of the guest image with the modules' dependencies: lines of `NAME: DEPENDENCY…`.
pub const MODULE_DEPENDENCIES: &str = "/modules/dependencies";

/// Directory at which [`Call::MakeRoot`] makes a root for clients.
pub const CLIENT_ROOT: &str = "/client";

/// First argument with which the agent's program, as any other process than the first, becomes a client: see `enter.rs` of the
/// agent for the others.
pub const ENTER_WORD: &str = "enter";

/// Bytes of one output stream of a process that the agent sends before the lab has taken any of them.
///
/// After that the agent stops reading the stream, and the process blocks in its next write, as in a pipe without a
/// reader.
pub const WINDOW: u32 = 256 << 10;

/// A request of the lab to the agent; the answer repeats `call`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Number chosen by the lab, unique within one boot. For [`Call::Spawn`] it also names the process.
    pub call: u32,
    /// The request itself.
    pub what: Call,
}

/// The requests that an agent can execute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Call {
    /// Load module `name` with `params`, after the modules it depends on.
    Insmod {
        /// Name of the module, with dashes or underscores, without `.ko`.
        name: String,
        /// Parameters as one string, as on `insmod`'s command line.
        params: String,
    },
    /// Unload module `name`; its dependencies stay.
    Rmmod {
        /// Name of the module.
        name: String,
    },
    /// Start a program; output and end arrive as events that carry this request's number.
    Spawn {
        /// Program and arguments; a program without a slash is looked up in `PATH`.
        argv: Vec<String>,
    },
    /// Pass bytes to the standard input of a process; no bytes close it.
    ///
    /// The answer comes when all of them are in the process's pipe, so a process that does not read delays the lab.
    Input {
        /// Number of the request that started the process.
        process: u32,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Send a signal to the process group of a process.
    Signal {
        /// Number of the request that started the process.
        process: u32,
        /// Signal number.
        signal: i32,
    },
    /// Read a file, for example in sysfs.
    ReadFile {
        /// Absolute path.
        path: String,
    },
    /// Write a file in one system call, for example in sysfs.
    WriteFile {
        /// Absolute path.
        path: String,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// List the names in a directory, sorted.
    ListDir {
        /// Absolute path.
        path: String,
    },
    /// Start a program on the machine's `virtconsole`, its controlling terminal; its end arrives as [`Event::Exited`].
    OnTerminal {
        /// The program and its arguments.
        argv: Vec<String>,
        /// Rows and columns of the terminal behind it.
        size: (u16, u16),
        /// Value of `TERM`.
        term: String,
    },
    /// Set the size of the `virtconsole`, whose programs get `SIGWINCH`.
    Resize {
        /// Rows and columns.
        size: (u16, u16),
    },
    /// Make a root for clients at [`CLIENT_ROOT`]: a file system that is only read, a layer in memory for what clients write, and
    /// the guest's own `/dev`, `/proc`, `/sys` and `/run`.
    MakeRoot {
        /// The file system below.
        lower: Source,
    },
    /// Mount a directory of the host.
    Share {
        /// The tag of the share.
        tag: String,
        /// The absolute path, which is made if it does not exist.
        at: String,
        /// Whether programs may write to it.
        writable: bool,
    },
    /// Write everything that programs have written to directories of the host. Fails if the host refused a part since the
    /// last request, which programs usually do not see.
    Sync,
    /// Flush the log and power the machine off. There is no answer.
    PowerOff,
    /// Let the agent send this many more bytes of a process's output (see [`WINDOW`]). There is no answer.
    Taken {
        /// Number of the request that started the process.
        process: u32,
        /// The stream.
        stream: Stream,
        /// How many bytes the lab has taken.
        count: u32,
    },
    /// Close the reading end of a process's output: the process's next write fails with `EPIPE`, or `SIGPIPE` ends it.
    CloseOutput {
        /// Number of the request that started the process.
        process: u32,
        /// The stream.
        stream: Stream,
    },
    /// List the tasks that run, and the place of each in the kernel.
    Tasks,
    /// Kill every process but the agent, and wait until they are gone.
    EndProcesses,
}

/// Where a root for clients comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// A directory of the host, by the tag of its share.
    Share(String),
    /// A file system image on the disk with this serial number.
    Disk(String),
}

/// The messages from the agent to the lab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The first message of a boot.
    Ready {
        /// Release of the running kernel, as `uname -r` prints it.
        release: String,
    },
    /// The answer to a request.
    Answer {
        /// Number of the request.
        call: u32,
        /// The result of the request.
        result: Result<Reply, Failure>,
    },
    /// Bytes that a process wrote.
    Output {
        /// Number of the request that started the process.
        process: u32,
        /// The stream to which they were written.
        stream: Stream,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// The end of a process. Output may still follow, from the process and from children that hold its streams.
    Exited {
        /// Number of the request that started the process.
        process: u32,
        /// The status with which it ended.
        status: Status,
    },
    /// The end of one output stream: every process that could write to it has closed it.
    Closed {
        /// Number of the request that started the process.
        process: u32,
        /// The stream.
        stream: Stream,
    },
}

/// The result of a successful request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// The request was executed and has no other result.
    Done,
    /// The modules that were loaded for an [`Call::Insmod`], in order; empty if all were loaded already.
    Loaded(Vec<String>),
    /// Contents of a file.
    Bytes(Vec<u8>),
    /// Names in a directory.
    Names(Vec<String>),
    /// The tasks that run in the guest.
    Tasks(Vec<Task>),
}

/// A thread of a process in the guest, of the agent while it executes a request, or a busy kernel thread.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Number of its process; 1 is the agent.
    pub pid: u32,
    /// Number of the thread.
    pub tid: u32,
    /// Number of its process's parent; 2 is the kernel's.
    pub parent: u32,
    /// Command line, or the name of a kernel thread, or the request that the agent's thread executes.
    pub command: String,
    /// State as in `/proc/PID/stat`: `R` runs, `S` and `D` wait, `Z` has exited.
    pub state: String,
    /// Functions on its kernel stack, innermost first, as the kernel prints them. Empty for a task outside the kernel.
    pub stack: Vec<String>,
    /// Device files that its process has open or mapped, each as `fd 3: /dev/dri/card0`.
    pub holds: Vec<String>,
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The system's error number, 0 if the agent itself refused.
    pub errno: i32,
    /// The attempt and the reason of its failure, as a lower-case fragment.
    pub message: String,
}

/// The output stream of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// The end of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// The process returned this code.
    Code(i32),
    /// This signal ended the process.
    Signal(i32),
}

impl Status {
    /// Whether the process reported success.
    pub fn success(self) -> bool {
        self == Status::Code(0)
    }

    /// Returns the exit code a shell would show: 128 and the signal's number for a signal. An invalid number, which
    /// only a hostile guest can send, is never a success.
    pub fn shell_code(self) -> i32 {
        match self {
            Status::Code(code) => code,
            Status::Signal(signal) => signal.max(0).saturating_add(128),
        }
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Status::Code(code) => write!(f, "exit code {code}"),
            Status::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}
