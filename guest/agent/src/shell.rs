// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! An interactive shell: busybox's, with a controlling terminal.
//!
//! Source: drivers/char/virtio_console.c (a port made by `virtconsole` is a terminal, `/dev/hvcN`).

use std::{
    fs::File,
    process::{Command, Stdio},
};

use drydock_agent::protocol::{Failure, Reply};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::{
    files::failure,
    processes::{Processes, command},
};

/// The terminal of the first `virtconsole`; the lab gives the machine exactly one.
const TERMINAL: &str = "/dev/hvc0";

/// Runs a shell on the kernel's console and returns when it ends.
pub(crate) fn on_console() -> Result<(), String> {
    println!("drydock: a shell in the guest; `exit` powers the machine off");
    let mut shell = shell_on("ttyS0", "vt100");
    shell.status().map(drop).map_err(|error| format!("cannot run the shell: {error}"))
}

/// Starts a shell on the lab's terminal. Its end is reported like that of any process.
pub(crate) fn on_port(number: u32, size: (u16, u16), term: &str, processes: &Processes) -> Result<Reply, Failure> {
    let terminal = File::options().read(true).write(true).open(TERMINAL);
    let terminal = terminal.map_err(|error| failure("open", TERMINAL, &error))?;
    let winsize = Winsize { ws_row: size.0, ws_col: size.1, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&terminal, winsize).map_err(|error| failure("size", TERMINAL, &error.into()))?;
    processes.start(number, shell_on("hvc0", term))
}

/// Returns the command of a shell on a terminal. A session leader that opens a terminal makes it its own, so Ctrl-C and
/// job control work in the shell. `setsid` does that without a fork only if the caller leads no process group.
fn shell_on(terminal: &str, term: &str) -> Command {
    let script = format!("exec setsid sh -c 'exec sh -i </dev/{terminal} >/dev/{terminal} 2>&1'");
    let mut shell = command("/bin/sh");
    shell.args(["-c", &script]).env("TERM", term).env("PS1", "guest:\\w# ");
    shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    shell
}
