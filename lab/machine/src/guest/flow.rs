// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Flow control for a program's output: the lab takes as much as the reader takes, and no more.
//!
//! The agent sends at most a window of each stream ahead (`WINDOW`), and continues when bytes are acknowledged. Each of
//! our outputs has a thread that writes to it, so a reader that does not read delays only that stream.
//!
//! Source: our own protocol, `lab/agent/src/protocol.rs`.

use std::{
    io::{self, ErrorKind, Write},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use drydock_agent::{
    frame,
    protocol::{Call, Request, Stream, WINDOW},
};

/// The sender of requests to the agent. A clone uses the same connection.
#[derive(Clone)]
pub(super) struct Requests(Arc<Mutex<Box<dyn Write + Send>>>);

impl Requests {
    pub(super) fn new(port: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Box::new(port))))
    }

    /// Sends a request.
    pub(super) fn post(&self, call: u32, what: Call) -> io::Result<()> {
        let mut port = self.0.lock().expect("no holder of the lock panics");
        frame::write(&mut *port, &Request { call, what })
    }
}

/// The number of requests whose answer is ignored. No waiter has it.
const UNANSWERED: u32 = 0;

/// Taken bytes are acknowledged in units of this size, not for every line.
const WORTH_TELLING: u32 = WINDOW / 4;

/// The lab's end of one stream of one process.
pub(super) struct Flow {
    requests: Requests,
    process: u32,
    stream: Stream,
    /// Bytes that were taken but not acknowledged.
    untold: u32,
}

impl Flow {
    pub(super) fn new(requests: &Requests, process: u32, stream: Stream) -> Self {
        Self { requests: requests.clone(), process, stream, untold: 0 }
    }

    /// Lets the agent send `count` more bytes.
    pub(super) fn taken(&mut self, count: usize) {
        self.untold = self.untold.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        if self.untold >= WORTH_TELLING {
            let count = std::mem::take(&mut self.untold);
            self.post(Call::Taken { process: self.process, stream: self.stream, count });
        }
    }

    /// Closes the stream: the process's next write to it fails.
    pub(super) fn close(&self) {
        self.post(Call::CloseOutput { process: self.process, stream: self.stream });
    }

    fn post(&self, what: Call) {
        // If the guest has ended, the waiter for the process gets the error.
        let _ = self.requests.post(UNANSWERED, what);
    }
}

/// One of our outputs, with a thread that writes a process's output to it.
pub(super) struct Outlet {
    stream: Stream,
    bytes: Sender<Vec<u8>>,
    pending: Arc<AtomicUsize>,
    ended: Receiver<io::Result<()>>,
}

impl Outlet {
    pub(super) fn start(out: impl Write + Send + 'static, flow: Flow) -> Self {
        let (bytes, received) = channel();
        let (tell, ended) = channel();
        let pending = Arc::new(AtomicUsize::new(0));
        let stream = flow.stream;
        let left = Arc::clone(&pending);
        // The thread is left behind if it never ends: a reader may never read.
        thread::spawn(move || {
            // The waiter may have given up.
            let _ = tell.send(write_all(out, flow, &received, &left));
        });
        Self { stream, bytes, pending, ended }
    }

    pub(super) fn stream(&self) -> Stream {
        self.stream
    }

    /// Passes bytes to the thread.
    pub(super) fn send(&self, bytes: Vec<u8>) {
        self.pending.fetch_add(bytes.len(), Ordering::Relaxed);
        // The thread ends before its sender only if it panics.
        let _ = self.bytes.send(bytes);
    }

    /// Returns whether there are bytes that the reader has not taken.
    pub(super) fn is_busy(&self) -> bool {
        self.pending.load(Ordering::Relaxed) > 0
    }

    /// Waits until everything is written. Returns the error if a write failed.
    pub(super) fn finish(self, limit: Duration) -> io::Result<()> {
        drop(self.bytes);
        let late = || io::Error::new(ErrorKind::TimedOut, "its reader does not read");
        self.ended.recv_timeout(limit).unwrap_or_else(|_| Err(late()))
    }
}

/// Writes until there is no more. After an error, closes the stream and drops what still arrives.
fn write_all(
    mut out: impl Write,
    mut flow: Flow,
    received: &Receiver<Vec<u8>>,
    pending: &AtomicUsize,
) -> io::Result<()> {
    let mut result = Ok(());
    for bytes in received {
        if result.is_ok() {
            result = out.write_all(&bytes).and_then(|()| out.flush());
            match result {
                Ok(()) => flow.taken(bytes.len()),
                Err(_) => flow.close(),
            }
        }
        pending.fetch_sub(bytes.len(), Ordering::Relaxed);
    }
    result
}
