// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The loop that reads requests and has each answered by a thread of its own.
//!
//! Source: our own protocol, `protocol.rs`.

use std::{
    fs::File,
    sync::{Arc, Mutex},
    thread,
};

use drydock_agent::{
    frame,
    protocol::{Call, Event, Failure, Reply, Request},
};

use crate::{files, modules, nodes, processes::Processes, shell};

/// The way to the lab; clones share one port and never interleave messages.
#[derive(Clone)]
pub(crate) struct Outbox(Arc<Mutex<File>>);

impl Outbox {
    /// Sends one event. A lab that is gone takes the machine with it, so an error has no reader.
    pub(crate) fn send(&self, event: &Event) {
        let mut port = self.0.lock().expect("no holder of the lock panics");
        let _ = frame::write(&mut *port, event);
    }
}

/// Serves the lab on `port` until it asks for the end or goes away.
pub(crate) fn serve(port: File) -> Result<(), String> {
    let mut requests = port.try_clone().map_err(|error| format!("cannot share the port: {error}"))?;
    let outbox = Outbox(Arc::new(Mutex::new(port)));
    let processes = Processes::new(outbox.clone());
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    outbox.send(&Event::Ready { release });
    loop {
        match frame::read::<Request>(&mut requests) {
            Ok(Some(Request { what: Call::PowerOff, .. })) | Ok(None) => return Ok(()),
            Ok(Some(request)) => dispatch(request, &processes, &outbox),
            Err(error) => return Err(format!("cannot read a request: {error}")),
        }
    }
}

/// Whatever may take long goes to a thread; what must keep its order (starts before inputs, inputs
/// among themselves) is done here.
fn dispatch(request: Request, processes: &Arc<Processes>, outbox: &Outbox) {
    let ordered =
        matches!(request.what, Call::Spawn { .. } | Call::Shell { .. } | Call::Input { .. } | Call::Signal { .. });
    let (processes, outbox) = (Arc::clone(processes), outbox.clone());
    let answer = move || {
        let result = perform(request.call, request.what, &processes);
        outbox.send(&Event::Answer { call: request.call, result });
    };
    if ordered {
        answer();
    } else {
        thread::spawn(answer);
    }
}

fn perform(call: u32, what: Call, processes: &Processes) -> Result<Reply, Failure> {
    match what {
        Call::Insmod { name, params } => {
            let loaded = modules::load(&name, &params);
            nodes::settle();
            loaded
        }
        Call::Rmmod { name } => modules::unload(&name),
        Call::Spawn { argv } => {
            nodes::settle();
            processes.spawn(call, &argv)
        }
        Call::Input { process, bytes } => processes.input(process, bytes),
        Call::Signal { process, signal } => processes.signal(process, signal),
        Call::ReadFile { path } => files::read(&path),
        Call::WriteFile { path, bytes } => files::write(&path, &bytes),
        Call::ListDir { path } => files::list(&path),
        Call::Shell { size, term } => shell::on_port(call, size, &term, processes),
        Call::PowerOff => Ok(Reply::Done),
    }
}
