// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What a program writes, on its way out of the lab: as much as its reader takes, and no more.
//!
//! The agent sends at most a window of each stream ahead (`WINDOW`), and goes on when it hears that bytes were taken. Each
//! of our own outputs has a thread that writes to it, so a reader that does not read keeps only that stream waiting.
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

/// The way to the agent; a clone is the same way.
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

/// No waiter has this number, so nobody hears an answer to it.
const UNANSWERED: u32 = 0;

/// The agent hears of taken bytes when there are so many: not of each line.
const WORTH_TELLING: u32 = WINDOW / 4;

/// One stream of one process, as the lab takes it.
pub(super) struct Flow {
    requests: Requests,
    process: u32,
    stream: Stream,
    /// Bytes that were taken and that the agent has not heard of.
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
        // A guest that has gone is found by whoever waits for the process.
        let _ = self.requests.post(UNANSWERED, what);
    }
}

/// One of our own outputs, to which a thread writes what a process wrote.
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
        // It is left behind if it never ends: a reader may never read.
        thread::spawn(move || {
            // Whoever waited for it may have given up.
            let _ = tell.send(write_all(out, flow, &received, &left));
        });
        Self { stream, bytes, pending, ended }
    }

    pub(super) fn stream(&self) -> Stream {
        self.stream
    }

    /// Hands bytes to the thread.
    pub(super) fn send(&self, bytes: Vec<u8>) {
        self.pending.fetch_add(bytes.len(), Ordering::Relaxed);
        // The thread ends before its sender only if it panics.
        let _ = self.bytes.send(bytes);
    }

    /// Whether there are bytes that the reader has not taken.
    pub(super) fn is_busy(&self) -> bool {
        self.pending.load(Ordering::Relaxed) > 0
    }

    /// Waits until all is written; the error, if something was not.
    pub(super) fn finish(self, limit: Duration) -> io::Result<()> {
        drop(self.bytes);
        let late = || io::Error::new(ErrorKind::TimedOut, "its reader does not read");
        self.ended.recv_timeout(limit).unwrap_or_else(|_| Err(late()))
    }
}

/// Writes until there is no more. After an error the stream is closed, and what still comes is lost.
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
