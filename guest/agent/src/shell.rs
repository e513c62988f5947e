// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Programs with a controlling terminal: busybox's shell, or a client.
//!
//! Source: drivers/char/virtio_console.c (a port made by `virtconsole` is a terminal, `/dev/hvcN`).

use std::{
    fs::File,
    os::unix::fs::OpenOptionsExt,
    process::{Command, Stdio},
    sync::Mutex,
};

use drydock_agent::protocol::{Failure, Reply};
use rustix::{
    fs::OFlags,
    termios::{Winsize, tcsetwinsize},
};

use crate::{
    files::failure,
    processes::{Processes, command},
};

/// The terminal of the first `virtconsole`; the lab gives the machine exactly one.
const TERMINAL: &str = "/dev/hvc0";

/// The lab's terminal. The kernel forgets the size of a terminal that nobody has open.
static KEPT: Mutex<Option<File>> = Mutex::new(None);

/// Runs a shell on the kernel's console and returns when it ends.
pub(crate) fn on_console() -> Result<(), String> {
    println!("drydock: a shell in the guest; `exit` powers the machine off");
    let mut shell = on("ttyS0", "vt100", ["sh", "-i"]);
    shell.status().map(drop).map_err(|error| format!("cannot run the shell: {error}"))
}

/// Starts a program on the lab's terminal. Its end is reported like that of any process.
pub(crate) fn on_port(
    number: u32,
    argv: &[String],
    size: (u16, u16),
    term: &str,
    processes: &Processes,
) -> Result<Reply, Failure> {
    resize(size)?;
    processes.start(number, on("hvc0", term, argv.iter().map(String::as_str)))
}

/// Sets the size of the lab's terminal.
pub(crate) fn resize((rows, columns): (u16, u16)) -> Result<Reply, Failure> {
    let winsize = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let mut kept = KEPT.lock().expect("no holder of the lock panics");
    let terminal = match kept.take() {
        Some(terminal) => terminal,
        None => {
            // It must become that of the programs, and not the agent's own.
            let no_controlling = OFlags::NOCTTY.bits() as i32;
            let opened = File::options().read(true).write(true).custom_flags(no_controlling).open(TERMINAL);
            opened.map_err(|error| failure("open", TERMINAL, &error))?
        }
    };
    let sized = tcsetwinsize(kept.insert(terminal), winsize);
    sized.map_err(|error| failure("size", TERMINAL, &error.into()))?;
    Ok(Reply::Done)
}

/// Returns the command of a program on a terminal. A session leader that opens a terminal makes it its own, so Ctrl-C and
/// job control work there. `setsid` does that without a fork only if the caller leads no process group.
fn on<'w>(terminal: &str, term: &str, argv: impl IntoIterator<Item = &'w str>) -> Command {
    let script = format!("exec setsid sh -c 'exec \"$@\" </dev/{terminal} >/dev/{terminal} 2>&1' sh \"$@\"");
    let mut program = command("/bin/sh");
    program.args(["-c", &script, "sh"]).args(argv).env("TERM", term).env("PS1", "guest:\\w# ");
    program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    program
}
