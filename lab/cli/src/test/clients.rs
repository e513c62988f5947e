// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Tests the guarantees of `drydock run` about a client's streams, limit and leftover processes, with programs in a
//! guest: `clients::NAME`.
//!
//! All cases share a boot. The last one unloads the driver.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use drydock_agent::protocol::{Call, Status, WINDOW};
use rustix::io::Errno;
use rustix::process::Signal;

use drydock_base::error::Result;
use drydock_machine::error::Error as VmError;
use drydock_machine::guest::Guest;
use drydock_machine::scenario::{Boot, LIMIT, Scene};

use super::suite::{Case, Context, Need, Progress, Suite};

/// Programs that use their streams as users' programs do.
pub(super) struct Clients;

const NAME: &str = "clients";
const MODULE: &str = "vgem_rust";

/// The time limit of a program that must be reported as taking too long.
const SHORT: Duration = Duration::from_secs(3);

/// The agent's largest memory use in KiB. Output that no program and no reader takes must not add to it.
const AGENT_KIB: u64 = 32 << 10;

/// A case. An inner `Err` describes the failure.
type Judge = fn(&mut Scene<'_>) -> Result<Result<(), String>, VmError>;

/// All cases, in order.
const CASES: &[(&str, Judge)] = &[
    ("each_link_to_busybox_is_one_of_its_programs", |scene| links_to_busybox(scene.guest())),
    ("input_that_nobody_reads_waits", |scene| input_that_nobody_reads(scene.guest())),
    ("output_that_nobody_takes_waits", |scene| output_that_nobody_takes(scene.guest())),
    ("a_blocked_output_does_not_hold_up_the_other", |scene| a_blocked_output(scene.guest())),
    ("a_reader_that_has_gone_ends_the_client", |scene| a_reader_that_has_gone(scene.guest())),
    ("output_of_a_child_is_waited_for", |scene| output_of_a_child(scene.guest())),
    ("a_client_that_runs_too_long_is_killed_and_located", |scene| a_client_that_runs_too_long(scene.guest())),
    ("a_request_that_hangs_is_located", |scene| a_request_that_hangs(scene.guest())),
    ("loading_a_driver_that_waits_is_located", |scene| loading(scene.guest(), "spins=0", "hang_init+0x")),
    ("loading_a_driver_that_spins_is_located", |scene| loading(scene.guest(), "spins=1", "hang_spins+0x")),
    ("a_process_that_holds_the_device_is_named_and_ended", a_process_that_holds_the_device),
];

fn case_name(name: &str) -> String {
    format!("{NAME}::{name}")
}

impl Suite for Clients {
    fn name(&self) -> &'static str {
        NAME
    }

    fn need(&self) -> Need {
        Need::Guest
    }

    fn tests_the_kernel(&self) -> bool {
        false
    }

    fn names(&self, _repo: &Path) -> Result<BTreeSet<String>> {
        Ok(CASES.iter().map(|(name, _)| case_name(name)).collect())
    }

    fn run(&self, context: &Context<'_>, tell: &mut dyn FnMut(Case)) -> Result<()> {
        let wanted: Vec<_> = CASES.iter().filter(|(name, _)| context.filter.selects(&case_name(name))).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let mut progress = Progress::begin(context, "clients and their streams", wanted.len(), tell);
        let boot = Boot { may_leave_holders: true, ..Boot::default() };
        context.stage().play(&boot, context.events, |scene| -> Result<(), VmError> {
            scene.insmod(MODULE)?;
            for (name, judge) in &wanted {
                let verdict = judge(scene)?.into();
                progress.tell(case_name(name), verdict);
            }
            Ok(())
        })?;
        progress.done();
        Ok(())
    }
}

fn check(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// Checks the agent's memory use.
fn agent_is_small(guest: &Guest) -> Result<Result<(), String>, VmError> {
    let status = guest.read("/proc/1/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    let kib = line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(u64::MAX);
    Ok(check(kib < AGENT_KIB, || format!("the agent holds {kib} KiB")))
}

fn links_to_busybox(guest: &Guest) -> Result<Result<(), String>, VmError> {
    let script = "for l in /usr/bin/*; do [ \"$(readlink $l)\" = busybox ] && echo ${l##*/}; done; true";
    let (known, links) = (guest.check(&["busybox", "--list"], LIMIT)?, guest.check(&["sh", "-c", script], LIMIT)?);
    let missing: Vec<&str> = links.out.lines().filter(|link| !known.out.lines().any(|name| name == *link)).collect();
    Ok(check(!links.out.is_empty() && missing.is_empty(), || format!("busybox lacks {missing:?}")))
}

fn input_that_nobody_reads(guest: &Guest) -> Result<Result<(), String>, VmError> {
    let process = guest.spawn(&["sleep", "1000"])?;
    let input = process.stdin();
    let piece = vec![b'x'; 1 << 20];
    let mut given = 0;
    // Writing blocks at the first chunk that does not fit into the pipe. A second later, the bytes are no longer
    // wanted.
    for _ in 0..64 {
        let end = std::time::Instant::now() + Duration::from_secs(1);
        if !input.write_while(&piece, || std::time::Instant::now() < end)? {
            break;
        }
        given += 1;
    }
    let small = agent_is_small(guest)?;
    input.signal(Signal::TERM)?;
    let status = process.wait(LIMIT)?.status;
    Ok(check(given == 0, || format!("the lab took {given} MiB that nobody reads"))
        .and(small)
        .and(check(status == Status::Signal(15), || format!("it ended with {status}"))))
}

fn output_that_nobody_takes(guest: &Guest) -> Result<Result<(), String>, VmError> {
    let process = guest.spawn(&["sh", "-c", "yes; true"])?;
    // Other programs must make progress meanwhile. They also take the time in which bytes could be buffered.
    let other = guest.check(&["sh", "-c", "sleep 1; echo other"], LIMIT)?;
    let small = agent_is_small(guest)?;
    process.stdin().signal(Signal::KILL)?;
    let kept = process.wait(LIMIT)?.out.len();
    let most = WINDOW as usize;
    Ok(small
        .and(check(other.out == "other\n", || format!("the other wrote {:?}", other.out)))
        .and(check(kept >= most && kept < 2 * most, || format!("{kept} of {most} bytes arrived"))))
}

/// A reader that takes nothing until it is released.
struct Blocked(Receiver<()>);

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

/// A reader that keeps what it takes, and releases another one when it has something.
#[derive(Clone, Default)]
struct Kept {
    bytes: Arc<Mutex<Vec<u8>>>,
    lets_go: Arc<Mutex<Option<std::sync::mpsc::Sender<()>>>>,
}

impl Kept {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().expect("no holder of the lock panics")).into_owned()
    }
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.lock().expect("no holder of the lock panics").extend_from_slice(bytes);
        self.lets_go.lock().expect("no holder of the lock panics").take();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn a_blocked_output(guest: &Guest) -> Result<Result<(), String>, VmError> {
    let (release, blocked) = channel();
    let err = Kept::default();
    *err.lets_go.lock().expect("no holder of the lock panics") = Some(release);
    let script = "head -c 2000000 /dev/zero & pid=$!; echo on >&2; wait $pid; exit 5";
    let passed = guest.spawn(&["sh", "-c", script])?.pass(LIMIT, Blocked(blocked), err.clone())?;
    Ok(check(err.text() == "on\n", || format!("stderr has {:?}", err.text()))
        .and(check(passed.status == Status::Code(5), || format!("it ended with {}", passed.status)))
        .and(check(passed.lost.is_none() && !passed.cut, || format!("output was lost: {passed:?}"))))
}

/// A reader that has closed its end.
struct Gone;

impl Write for Gone {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn a_reader_that_has_gone(guest: &Guest) -> Result<Result<(), String>, VmError> {
    let passed = guest.spawn(&["yes"])?.pass(LIMIT, Gone, io::sink())?;
    Ok(check(passed.status.shell_code() == 141, || format!("it ended with {}", passed.status)))
}

fn output_of_a_child(guest: &Guest) -> Result<Result<(), String>, VmError> {
    let out = Kept::default();
    let process = guest.spawn(&["sh", "-c", "(sleep 1; echo late) & echo early"])?;
    let passed = process.pass(LIMIT, out.clone(), io::sink())?;
    Ok(check(out.text() == "early\nlate\n" && !passed.cut, || format!("stdout has {:?}", out.text())))
}

fn a_client_that_runs_too_long(guest: &Guest) -> Result<Result<(), String>, VmError> {
    let error = match guest.run(&["sleep", "60"], SHORT) {
        Ok(output) => return Ok(Err(format!("it ended with {}", output.status))),
        Err(error) => error,
    };
    let said = error.to_string();
    let located = said.contains("process `sleep 60`") && said.contains("nanosleep+0x");
    Ok(check(matches!(error, VmError::TooLong { .. }) && located, || said))
}

fn a_request_that_hangs(guest: &Guest) -> Result<Result<(), String>, VmError> {
    const PIPE: &str = "/tmp/nobody-writes";
    guest.check(&["busybox", "mkfifo", PIPE], LIMIT)?;
    let error = match guest.ask_within(Call::ReadFile { path: PIPE.into() }, SHORT) {
        Ok(reply) => return Ok(Err(format!("it was answered: {reply:?}"))),
        Err(error) => error,
    };
    // This releases the agent's thread.
    guest.check(&["sh", "-c", &format!("true > {PIPE}")], LIMIT)?;
    let said = error.to_string();
    let located = said.contains("`read nobody-wr") && said.contains("fifo_open+0x");
    Ok(check(matches!(error, VmError::Hung { .. }) && located, || said))
}

/// Loads the test module, which hangs until it is released.
fn loading(guest: &Guest, params: &str, place: &str) -> Result<Result<(), String>, VmError> {
    let insmod = |params: &str| Call::Insmod { name: "hang".into(), params: params.into() };
    let error = match guest.ask_within(insmod(params), SHORT) {
        Ok(reply) => return Ok(Err(format!("it was answered: {reply:?}"))),
        Err(error) => error,
    };
    guest.write("/sys/module/hang/parameters/released", "1")?;
    // The agent loads one module at a time, so this one is refused after the first has ended.
    match guest.ask_within(insmod("released=1"), LIMIT) {
        Err(VmError::Refused { failure, .. }) if failure.errno == Errno::NODEV.raw_os_error() => {}
        Ok(reply) => return Ok(Err(format!("the module stays: {reply:?}"))),
        Err(error) => return Err(error),
    }
    let said = error.to_string();
    let located = said.contains("insmod") && said.contains(place) && said.contains("[hang]");
    Ok(check(matches!(error, VmError::Hung { .. }) && located, || said))
}

fn a_process_that_holds_the_device(scene: &mut Scene<'_>) -> Result<Result<(), String>, VmError> {
    let script = "exec 3<>/dev/dri/renderD128; sleep 1000 >/dev/null 2>&1 </dev/null & exit 0";
    let passed = scene.guest().spawn(&["sh", "-c", script])?.pass(LIMIT, io::sink(), io::sink())?;
    scene.leave()?;
    let left = scene.guest().processes()?.len();
    let named = scene
        .holders()
        .iter()
        .any(|holder| holder.starts_with("`sleep 1000`, process ") && holder.contains("fd 3: /dev/dri/renderD128"));
    Ok(check(passed.status == Status::Code(0), || format!("it ended with {}", passed.status))
        .and(check(named, || format!("these held it: {:?}", scene.holders())))
        .and(check(left == 0, || format!("{left} processes are left"))))
}
