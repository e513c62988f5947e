// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The loop that reads requests, each of which is answered by a thread of its own.
//!
//! Source: our own protocol, `protocol.rs`.

use std::{fs::File, sync::Arc, thread};

use drydock_agent::{
    frame,
    protocol::{Call, Event, Failure, Reply, Request},
};

use crate::{files, modules, nodes, outbox::Outbox, processes::Processes, roots, shell, tasks};

/// Serves the lab on `port` until it requests the end or disconnects.
pub(crate) fn serve(port: File) -> Result<(), String> {
    let mut requests = port.try_clone().map_err(|error| format!("cannot share the port: {error}"))?;
    let outbox = Outbox::new(port);
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

/// Executes a request. A request that may take long gets a thread; requests that must keep their order (starts before
/// inputs, inputs among themselves) are executed here and never block.
fn dispatch(request: Request, processes: &Arc<Processes>, outbox: &Outbox) {
    let Request { call, what } = request;
    let result = match what {
        Call::Spawn { argv } => {
            nodes::settle();
            processes.spawn(call, &argv)
        }
        Call::OnTerminal { argv, size, term } => shell::on_port(call, &argv, size, &term, processes),
        Call::Resize { size } => shell::resize(size),
        Call::Signal { process, signal } => processes.signal(process, signal),
        Call::CloseOutput { process, stream } => processes.close_output(process, stream),
        Call::Taken { process, stream, count } => return processes.taken(process, stream, count),
        Call::Input { process, bytes } => match processes.input(call, process, bytes) {
            // The thread that writes the bytes answers.
            Ok(None) => return,
            Ok(Some(reply)) => Ok(reply),
            Err(failure) => Err(failure),
        },
        what => return in_thread(call, what, outbox),
    };
    outbox.send(&Event::Answer { call, result });
}

/// Executes a request in a thread whose name identifies it, so that a hang of the agent can be located.
fn in_thread(call: u32, what: Call, outbox: &Outbox) {
    let thread = thread::Builder::new().name(tasks::name_of(&what));
    let answered = outbox.clone();
    let started = thread.spawn(move || answered.send(&Event::Answer { call, result: perform(what) }));
    if let Err(error) = started {
        let result = Err(files::failure("start", "a thread", &error));
        outbox.send(&Event::Answer { call, result });
    }
}

fn perform(what: Call) -> Result<Reply, Failure> {
    match what {
        Call::Insmod { name, params } => {
            let loaded = modules::load(&name, &params);
            nodes::settle();
            loaded
        }
        Call::Rmmod { name } => modules::unload(&name),
        Call::ReadFile { path } => files::read(&path),
        Call::WriteFile { path, bytes } => files::write(&path, &bytes),
        Call::ListDir { path } => files::list(&path),
        Call::MakeRoot { lower } => roots::make(&lower),
        Call::Share { tag, at, writable } => roots::share(&tag, &at, writable),
        Call::Sync => roots::sync(),
        Call::Tasks => Ok(Reply::Tasks(tasks::list())),
        Call::EndProcesses => tasks::end_all(),
        other => Err(Failure { errno: 0, message: format!("{other:?} is not carried out in a thread") }),
    }
}
