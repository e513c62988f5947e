// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Connects to the lab by a serial line where the system sleeps, as a plain stream of bytes.
//!
//! A serial line is slow, but it works after resume. A virtio port does not: during resume the driver asks the host
//! whether the other end is open before it has buffers for the answer. It then treats the port as closed forever.
//!
//! Source: drivers/char/virtio_console.c (`virtcons_restore`), drivers/tty/serial/8250; termios(3).

use std::{fs::File, io};

use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

/// Opens the serial line `path` for bytes, without translation.
pub(crate) fn open(path: &str) -> Result<File, String> {
    let file = File::options().read(true).write(true).open(path);
    file.and_then(|file| raw(&file).map(|()| file)).map_err(|error| format!("cannot open `{path}`: {error}"))
}

/// Turns off echo, line editing, signals and translation.
fn raw(line: &File) -> io::Result<()> {
    let mut settings = tcgetattr(line)?;
    settings.make_raw();
    Ok(tcsetattr(line, OptionalActions::Now, &settings)?)
}
