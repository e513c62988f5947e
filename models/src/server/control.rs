// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The control socket: commands come in, answers and events go out, a line of JSON each.
//!
//! All lines are written under the device's lock, so none is torn. A client that does not read loses the connection;
//! the device does not wait for it.

use std::io::{self, BufRead, BufReader, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::{Control, Shared};
use crate::event;
use crate::gpu::Gpu;

/// The longest time that a client may delay the device.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// Starts to listen. An existing connection receives all events from the first on.
pub(super) fn start<G: Gpu>(shared: &Arc<Shared<G>>, control: Control) -> io::Result<()> {
    match control {
        Control::Connected(stream) => connect(shared, stream),
        Control::Listener(listener) => {
            let shared = Arc::clone(shared);
            thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    // A connection that breaks at once is gone; the next one may stay.
                    let _ = connect(&shared, stream);
                }
            });
            Ok(())
        }
    }
}

fn connect<G: Gpu>(shared: &Arc<Shared<G>>, stream: UnixStream) -> io::Result<()> {
    stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
    let (events, cut) = (stream.try_clone()?, stream.try_clone()?);
    let mut lines = event::json_lines(events);
    let sink = move |event: &_| {
        lines(event).inspect_err(|_| {
            // A client that misses events sees the end of the connection. One that is gone needs no end.
            let _ = cut.shutdown(Shutdown::Both);
        })
    };
    shared.with(|device, _| device.bus().listen(Box::new(sink)));
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        // Any end of the connection is the end of its commands.
        let _ = answer(&shared, &stream);
    });
    Ok(())
}

fn answer<G: Gpu>(shared: &Shared<G>, mut stream: &UnixStream) -> io::Result<()> {
    let mut lines = BufReader::new(stream);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        shared.with(|device, now| {
            let mut answer = device.command(&line, now);
            answer.push(b'\n');
            stream.write_all(&answer)
        })?;
        line.clear();
    }
    Ok(())
}
