// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The way to the lab where the system sleeps: a serial line, made a plain stream of bytes.
//!
//! It is slow, but it wakes up. A virtio port does not: on the way back the driver asks the host whether the other end is open
//! before it has buffers for the answer, and for good takes it to be closed.
//!
//! Source: drivers/char/virtio_console.c (`virtcons_restore`), drivers/tty/serial/8250; termios(3).

use std::{fs::File, io};

use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

/// Opens the serial line `path` for bytes as they are.
pub(crate) fn open(path: &str) -> Result<File, String> {
    let file = File::options().read(true).write(true).open(path);
    file.and_then(|file| raw(&file).map(|()| file)).map_err(|error| format!("cannot open `{path}`: {error}"))
}

/// No echo, no lines, no signals, no translation.
fn raw(line: &File) -> io::Result<()> {
    let mut settings = tcgetattr(line)?;
    settings.make_raw();
    Ok(tcsetattr(line, OptionalActions::Now, &settings)?)
}
