// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Tests of the lab's end of the protocol, against scripted agents.

use std::sync::mpsc;

use drydock_agent::protocol::{Request, WINDOW};

use super::*;

const LIMIT: Duration = Duration::from_secs(30);

/// Returns a guest whose agent is `script`. The script gets the machine's end of the channel.
fn guest_with(script: impl FnOnce(UnixStream) + Send + 'static) -> Guest {
    let (ours, theirs) = UnixStream::pair().unwrap();
    thread::spawn(move || script(theirs));
    let (console, _) = Console::read(io::empty(), None);
    Guest::connect(ours, console, LIMIT).unwrap()
}

fn say(port: &mut UnixStream, event: &Event) {
    frame::write(port, event).unwrap();
}

fn hear(port: &mut UnixStream) -> Request {
    frame::read(port).unwrap().unwrap()
}

#[test]
fn a_programs_output_and_end_come_back_even_if_they_overtake_the_answer() {
    let guest = guest_with(|mut port| {
        say(&mut port, &Event::Ready { release: "7.3.4".into() });
        let Request { call: process, .. } = hear(&mut port);
        say(&mut port, &Event::Output { process, stream: Stream::Out, bytes: b"hello\n".into() });
        say(&mut port, &Event::Answer { call: process, result: Ok(Reply::Done) });
        say(&mut port, &Event::Output { process, stream: Stream::Err, bytes: b"oh\n".into() });
        say(&mut port, &Event::Closed { process, stream: Stream::Out });
        say(&mut port, &Event::Exited { process, status: Status::Code(3) });
        say(&mut port, &Event::Closed { process, stream: Stream::Err });
        hear(&mut port);
    });
    let output = guest.run(&["true"], LIMIT).unwrap();
    assert_eq!(output.out, "hello\n");
    assert_eq!(output.err, "oh\n");
    assert_eq!(output.status, Status::Code(3));
}

#[test]
fn a_machine_that_goes_away_ends_the_wait_at_once() {
    let guest = guest_with(|mut port| {
        say(&mut port, &Event::Ready { release: String::new() });
        hear(&mut port);
    });
    let error = guest.read("/proc/modules").unwrap_err();
    assert!(matches!(error, Error::Ended { .. }), "{error}");
}

#[test]
fn a_guest_that_refuses_everything_is_not_asked_why_for_ever() {
    let guest = guest_with(|mut port| {
        say(&mut port, &Event::Ready { release: String::new() });
        while let Ok(Some(Request { call, .. })) = frame::read(&mut port) {
            let failure = Failure { errno: 1, message: "no".into() };
            say(&mut port, &Event::Answer { call, result: Err(failure) });
        }
    });
    let error = guest.read("/proc/modules").unwrap_err();
    assert!(matches!(&error, Error::Refused { console, .. } if console.is_empty()), "{error}");
    assert!(matches!(guest.settle_log(), Err(Error::Refused { .. })));
}

#[test]
fn a_guest_that_never_falls_silent_is_not_listened_to_beyond_the_limit() {
    let guest = guest_with(|mut port| {
        say(&mut port, &Event::Ready { release: String::new() });
        // Keeps the channel open until the lab closes it.
        let _ = frame::read::<Request>(&mut port);
    });
    let (sender, receiver) = channel();
    sender.send(Message::Output(Stream::Out, b"y\n".into())).unwrap();
    let error = guest.receive(&receiver, "`yes`", Limit::from_now(Duration::ZERO)).unwrap_err();
    assert!(matches!(error, Error::Hung { .. }), "{error}");
    assert!(guest.receive(&receiver, "`yes`", Limit::from_now(LIMIT)).is_ok());
}

#[test]
fn a_program_that_does_not_end_is_given_up_at_the_limit() {
    let guest = guest_with(|mut port| {
        say(&mut port, &Event::Ready { release: String::new() });
        let Request { call, .. } = hear(&mut port);
        say(&mut port, &Event::Answer { call, result: Ok(Reply::Done) });
        // Keeps the channel open until the lab closes it.
        let _ = frame::read::<Request>(&mut port);
    });
    let error = guest.run(&["sleep", "1000"], Duration::from_millis(50)).unwrap_err();
    assert!(error.to_string().starts_with("the guest hangs: `sleep 1000`"), "{error}");
}

/// Starts a program as the agent does, and returns its number.
fn begin(port: &mut UnixStream) -> u32 {
    say(port, &Event::Ready { release: String::new() });
    let Request { call, .. } = hear(port);
    say(port, &Event::Answer { call, result: Ok(Reply::Done) });
    call
}

fn end(port: &mut UnixStream, process: u32, status: Status) {
    for stream in [Stream::Out, Stream::Err] {
        say(port, &Event::Closed { process, stream });
    }
    say(port, &Event::Exited { process, status });
}

#[test]
fn the_agent_hears_of_what_was_taken_before_its_window_is_full() {
    let guest = guest_with(|mut port| {
        let process = begin(&mut port);
        let mut sent = 0;
        while sent < WINDOW {
            let bytes = vec![b'x'; 32 << 10];
            sent += bytes.len() as u32;
            say(&mut port, &Event::Output { process, stream: Stream::Out, bytes });
        }
        let Call::Taken { count, .. } = hear(&mut port).what else { panic!("nothing is taken") };
        assert!(count > 0 && count <= sent);
        end(&mut port, process, Status::Code(0));
    });
    let mut taken = 0;
    let status = guest.spawn(&["yes"]).unwrap().forward(Some(LIMIT), |_, bytes| {
        taken += bytes.len();
        Ok(())
    });
    assert_eq!((status.unwrap(), taken), (Status::Code(0), WINDOW as usize));
}

/// A reader that blocks until the sender is dropped.
struct Blocked(mpsc::Receiver<()>);

impl Write for Blocked {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The sender's end is the event to wait for.
        let _ = self.0.recv();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A reader that reports what it takes.
struct Telling(Sender<Vec<u8>>);

impl Write for Telling {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes.to_owned()).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_output_that_blocks_does_not_hold_up_the_other() {
    let guest = guest_with(|mut port| {
        let process = begin(&mut port);
        for (stream, bytes) in [(Stream::Out, b"out"), (Stream::Err, b"err")] {
            say(&mut port, &Event::Output { process, stream, bytes: bytes.into() });
        }
        end(&mut port, process, Status::Code(4));
        // Keeps the channel open until the lab closes it.
        let _ = frame::read::<Request>(&mut port);
    });
    let (release, blocked) = channel();
    let (tell, told) = channel();
    thread::spawn(move || {
        assert_eq!(told.recv_timeout(LIMIT).unwrap(), b"err");
        drop(release);
    });
    let passed = guest.spawn(&["both"]).unwrap().pass(LIMIT, Blocked(blocked), Telling(tell)).unwrap();
    assert_eq!((passed.status, passed.cut), (Status::Code(4), false));
    assert!(passed.lost.is_none());
}

#[test]
fn a_reader_that_never_reads_does_not_keep_us_beyond_the_limit() {
    let guest = guest_with(|mut port| {
        let process = begin(&mut port);
        say(&mut port, &Event::Output { process, stream: Stream::Out, bytes: b"out".into() });
        end(&mut port, process, Status::Code(0));
        let _ = frame::read::<Request>(&mut port);
    });
    let (_release, blocked) = channel();
    let passed = guest.spawn(&["yes"]).unwrap().pass(Duration::from_millis(50), Blocked(blocked), io::sink()).unwrap();
    assert_eq!(passed.lost.unwrap().1.kind(), io::ErrorKind::TimedOut);
}

#[test]
fn a_program_sees_that_its_reader_has_gone() {
    let guest = guest_with(|mut port| {
        let process = begin(&mut port);
        say(&mut port, &Event::Output { process, stream: Stream::Out, bytes: b"y\n".into() });
        let closed = hear(&mut port).what;
        assert_eq!(closed, Call::CloseOutput { process, stream: Stream::Out });
        end(&mut port, process, Status::Signal(13));
    });
    let (tell, told) = channel();
    drop(told);
    let passed = guest.spawn(&["yes"]).unwrap().pass(LIMIT, Telling(tell), io::sink()).unwrap();
    assert_eq!(passed.status.shell_code(), 141);
    assert_eq!(passed.lost.unwrap().1.kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn output_that_a_child_holds_open_is_cut() {
    let guest = guest_with(|mut port| {
        let process = begin(&mut port);
        say(&mut port, &Event::Output { process, stream: Stream::Out, bytes: b"early\n".into() });
        say(&mut port, &Event::Exited { process, status: Status::Code(0) });
        say(&mut port, &Event::Closed { process, stream: Stream::Err });
        assert_eq!(hear(&mut port).what, Call::CloseOutput { process, stream: Stream::Out });
    });
    let passed = guest.spawn(&["sh"]).unwrap().pass(Duration::from_millis(200), io::sink(), io::sink()).unwrap();
    assert_eq!((passed.status, passed.cut), (Status::Code(0), true));
}

/// Answers the lab's questions about a program that takes too long. A signal ends the program if it `dies`.
fn overdue(mut port: UnixStream, dies: bool) {
    let process = begin(&mut port);
    while let Ok(Some(Request { call, what })) = frame::read(&mut port) {
        let kill = matches!(what, Call::Signal { .. });
        let stack = vec!["hrtimer_nanosleep+0x9/0x20".to_owned()];
        let reply = match what {
            Call::Tasks => Reply::Tasks(vec![Task {
                pid: 77,
                tid: 77,
                parent: 1,
                command: "sleep 60".into(),
                stack,
                ..Task::default()
            }]),
            _ => Reply::Done,
        };
        say(&mut port, &Event::Answer { call, result: Ok(reply) });
        match (kill, dies) {
            (true, true) => say(&mut port, &Event::Exited { process, status: Status::Signal(9) }),
            // The machine ends.
            (true, false) => return,
            (false, _) => {}
        }
    }
}

#[test]
fn a_program_that_runs_too_long_is_not_the_kernels_fault_unless_it_cannot_be_killed() {
    for dies in [true, false] {
        let guest = guest_with(move |port| overdue(port, dies));
        let error = guest.run(&["sleep", "60"], Duration::from_millis(50)).unwrap_err();
        assert_eq!(matches!(error, Error::TooLong { .. }), dies, "{error}");
        assert_eq!(matches!(error, Error::Hung { .. }), !dies, "{error}");
        let said = error.to_string();
        assert!(said.contains("process `sleep 60` (77) waits\n    hrtimer_nanosleep+0x9/0x20"), "{said}");
    }
}

#[test]
fn a_running_task_is_looked_at_until_it_was_found() {
    let guest = guest_with(|mut port| {
        say(&mut port, &Event::Ready { release: String::new() });
        let mut looks = 0;
        while let Ok(Some(Request { call, what })) = frame::read(&mut port) {
            let reply = match what {
                Call::Insmod { .. } => continue,
                Call::Tasks => {
                    looks += 1;
                    let stack = if looks == 3 { vec!["spins+0x1/0x9".to_owned()] } else { Vec::new() };
                    let (command, state) = ("insmod hang".into(), "R".into());
                    Reply::Tasks(vec![Task { pid: 1, tid: 90, command, state, stack, ..Task::default() }])
                }
                _ => Reply::Done,
            };
            say(&mut port, &Event::Answer { call, result: Ok(reply) });
        }
    });
    let insmod = Call::Insmod { name: "hang".into(), params: String::new() };
    let said = guest.ask_within(insmod, Duration::from_millis(50)).unwrap_err().to_string();
    assert!(said.contains("`insmod hang` runs\n    spins+0x1/0x9"), "{said}");
}

#[test]
fn input_is_not_waited_for_once_nobody_wants_it() {
    let guest = guest_with(|mut port| {
        begin(&mut port);
        let Call::Input { .. } = hear(&mut port).what else { panic!("no input") };
        let _ = frame::read::<Request>(&mut port);
    });
    let process = guest.spawn(&["sleep", "60"]).unwrap();
    let looks = std::cell::Cell::new(3);
    let wanted = || looks.replace(looks.get() - 1) > 0;
    assert!(!process.stdin().write_while(b"x", wanted).unwrap());
}
