// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Runs one client, or a shell, with our standard streams.

use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use drydock_agent::protocol::Stream;
use drydock_base::events::Events;
use drydock_base::interrupt;
use drydock_machine::error::Error as VmError;
use drydock_machine::guest::{Guest, Input, Passed};
use rustix::io::Errno;
use rustix::process::Signal;

use super::screenshot::Camera;
use super::tee::{Kept, Tee};
use super::terminal;

/// The interval at which a client's end is looked for.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// The end of each output of a client.
#[derive(Clone, Default)]
pub(super) struct Ends {
    pub(super) out: Kept,
    pub(super) err: Kept,
}

/// The standard input of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stdin {
    /// Ours, unless it is a terminal.
    Ours,
    Empty,
}

/// Runs the client with our standard streams, and keeps the ends of its outputs.
pub(super) fn client(
    guest: &Guest,
    argv: &[String],
    stdin: Stdin,
    limit: Duration,
    ends: &Ends,
    camera: &Camera<'_>,
    events: &Events,
) -> Result<Passed, VmError> {
    let mut process = guest.spawn(argv)?;
    process.before_kill(|| camera.before_end());
    let input = process.stdin();
    let ended = AtomicBool::new(false);
    let passed = thread::scope(|scope| {
        match stdin {
            Stdin::Ours => drop(scope.spawn(|| feed(&std::io::stdin(), input, &ended))),
            // A client that has already ended needs no end of input.
            Stdin::Empty => drop(input.close()),
        }
        // A signal ends a whole session.
        if stdin == Stdin::Ours {
            scope.spawn(|| pass_signal(input, &ended, camera, events));
        }
        let running = camera.watch(scope);
        let (out, err) = (Tee::new(std::io::stdout(), &ends.out), Tee::new(std::io::stderr(), &ends.err));
        let passed = process.pass(limit, out, err);
        ended.store(true, Ordering::Relaxed);
        drop(running);
        passed
    })?;
    camera.before_end();
    if passed.cut {
        // They go on without it. Other processes of the guest, such as udev, are not told from them.
        events.warn("the client left processes behind that hold its output; the output ends here");
    }
    Ok(passed)
}

/// Passes our first signal on to the client, which may end as it likes. A second one ends the run.
fn pass_signal(input: Input<'_>, ended: &AtomicBool, camera: &Camera<'_>, events: &Events) {
    let (sender, signals) = std::sync::mpsc::channel();
    // The other end is gone once the client has ended.
    let diverted = interrupt::divert(move |signal| sender.send(signal).unwrap_or_default());
    while !ended.load(Ordering::Relaxed) {
        let Ok(signal) = signals.recv_timeout(BETWEEN_LOOKS) else { continue };
        if let Some(signal) = Signal::from_named_raw(signal) {
            camera.before_end();
            events.note("the client got the signal; another one ends the guest");
            // A client that has just ended cannot be found, which is fine.
            let _ = input.signal(signal);
        }
        return;
    }
    drop(diverted);
    // A signal that came with the client's end is for us.
    if signals.try_recv().is_ok() {
        interrupt::raise();
    }
}

/// Passes `stdin` to the client until either ends. A terminal is not passed on: its user did not mean to type into a
/// program of another machine, and a client that reads its input to the end would wait forever.
pub(super) fn feed(stdin: &(impl AsFd + IsTerminal), input: Input<'_>, ended: &AtomicBool) {
    let wanted = || !ended.load(Ordering::Relaxed);
    let mut buffer = vec![0; 64 << 10];
    while !stdin.is_terminal() && wanted() {
        if !terminal::readable(stdin) {
            continue;
        }
        match rustix::io::read(stdin, &mut buffer) {
            Ok(count @ 1..) if input.write_while(&buffer[..count], wanted).unwrap_or(false) => {}
            Err(Errno::INTR) => {}
            _ => break,
        }
    }
    // A client that has already ended needs no end of input.
    if wanted() {
        let _ = input.close();
    }
}

/// Runs a program of the guest, or a shell, on our terminal, which is connected with `machine_end`.
pub(super) fn on_terminal(
    guest: &Guest,
    argv: &[String],
    limit: Option<Duration>,
    camera: &Camera<'_>,
    machine_end: UnixStream,
) -> Result<Passed, VmError> {
    let mut program = guest.on_terminal(argv, terminal::size(), &terminal::kind())?;
    program.before_kill(|| camera.before_end());
    let hang_up = program.stdin();
    let ended = AtomicBool::new(false);
    // A program without its terminal is useless. One that has just ended cannot be found, which is fine.
    let on_lost = || drop(hang_up.signal(Signal::HUP));
    let on_size = |size| drop(guest.resize(size));
    let (status, shown) = thread::scope(|scope| {
        let running = camera.watch(scope);
        let connected = terminal::connect(machine_end, &ended, on_size, on_lost, || {
            let status = program.forward(limit, |_, _| Ok(()));
            ended.store(true, Ordering::Relaxed);
            status
        });
        drop(running);
        connected
    });
    if status.is_ok() {
        camera.before_end();
    }
    Ok(Passed { status: status?, cut: false, lost: shown.err().map(|error| (Stream::Out, error)) })
}
