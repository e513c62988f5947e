// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Runs a client until it has shown what it should, and judges how it takes the loss of its device.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use drydock_agent::protocol::{CLIENT_ROOT, ENTER_WORD, Status};
use drydock_base::cache;
use drydock_machine::error::Error as VmError;
use drydock_machine::guest::Guest;
use drydock_machine::pace::patient;
use drydock_machine::scenario::picture;
use rustix::process::Signal;

use super::clients::{Check, Client, PRELUDE, Reaction};
use super::facts::Picture;
use super::plug::Plug;
use crate::test::suite::Verdict;

/// The time until a client shows what it should, and the time until it has ended, on an idle host.
const LIMIT: Duration = Duration::from_secs(60);

/// The interval between two pictures: nothing reports that a client has drawn.
const BETWEEN_PICTURES: Duration = Duration::from_millis(300);

/// The environment of all clients: there is no daemon for seats, and no input device.
const ENVIRONMENT: &[&str] = &[
    "HOME=/root",
    "LANG=C.UTF-8",
    "XDG_RUNTIME_DIR=/run/user/0",
    "LIBSEAT_BACKEND=noop",
    "WLR_LIBINPUT_NO_DEVICES=1",
    "WLR_RENDERER_ALLOW_SOFTWARE=1",
];

/// The number of lines of a failed client's output that are shown.
const SHOWN: usize = 20;

/// Starts a client on the driver that reports the name `driver`, and waits until it has shown what it should. Takes its device away
/// by `plug`, waits until it has noticed, and ends it. Its input stays open.
pub(super) fn show(
    guest: &Guest,
    client: &Client,
    driver: &str,
    file: &Path,
    plug: Option<&Plug>,
) -> Result<Verdict, VmError> {
    let process = guest.spawn(&words(client, driver))?;
    let input = process.stdin();
    let (said, ended) = (Said::default(), AtomicBool::new(false));
    let (judged, passed) = thread::scope(|scope| {
        let running = scope.spawn(|| {
            let passed = process.pass(patient(4 * LIMIT), said.clone(), said.clone());
            ended.store(true, Ordering::SeqCst);
            passed
        });
        let judged = watch(guest, client, &said, &ended, file).and_then(|judged| match (judged, plug) {
            (Ok(()), Some(plug)) => lose(guest, client, &said, &ended, plug),
            (judged, _) => Ok(judged),
        });
        // A client that has just ended cannot be found, which is fine.
        let _ = input.signal(Signal::TERM);
        (judged, running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    let judged = judged?;
    let no_fault = no_bus_error(passed?.status);
    let free = wait_until_free(guest)?;
    Ok(match judged.and(no_fault).and(free) {
        Ok(()) => Verdict::Passed,
        Err(why) => {
            let text = said.text();
            let lines: Vec<_> = text.lines().map(str::to_owned).collect();
            Verdict::Failed { why, details: lines[lines.len().saturating_sub(SHOWN)..].to_vec() }
        }
    })
}

/// Returns the words that start a client in the files of its package.
fn words(client: &Client, driver: &str) -> Vec<String> {
    let (script, reported) = (format!("{PRELUDE}\n{}", client.script), format!("DRIVER={driver}"));
    let variables = ENVIRONMENT.iter().copied().chain([reported.as_str()]);
    let enter = ["/init", ENTER_WORD, "--root", CLIENT_ROOT, "--directory", "/tmp"].into_iter();
    let enter = enter.chain(variables.flat_map(|variable| ["--env", variable]));
    enter.chain(["--", "sh", "-c", &script]).map(str::to_owned).collect()
}

/// The output of a client so far.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl Said {
    fn text(&self) -> String {
        self.text_from(0)
    }

    fn text_from(&self, byte: usize) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("no holder of the lock panics")[byte..]).into_owned()
    }

    fn len(&self) -> usize {
        self.0.lock().expect("no holder of the lock panics").len()
    }
}

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no holder of the lock panics").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Takes pictures until one shows what it should and the client has said what it should. The inner error is the last reason
/// against that.
fn watch(
    guest: &Guest,
    client: &Client,
    said: &Said,
    ended: &AtomicBool,
    file: &Path,
) -> Result<Result<(), String>, VmError> {
    let begun = Instant::now();
    loop {
        // Looked at first, so that the last words are judged too.
        let is_over = ended.load(Ordering::SeqCst) || begun.elapsed() > patient(LIMIT);
        let text = said.text();
        let missing = client.says.iter().find(|part| !text.contains(**part));
        let judged = match (missing, client.shows) {
            (Some(part), _) => Err(format!("it has not said `{part}`")),
            (None, None) => Ok(()),
            (None, Some(shows)) => judge_picture(guest, client, shows, file)?,
        };
        if judged.is_ok() || is_over {
            return Ok(judged);
        }
        thread::sleep(BETWEEN_PICTURES);
    }
}

/// Takes the device away and waits until the client has noticed. The inner error says what it has not done.
fn lose(
    guest: &Guest,
    client: &Client,
    said: &Said,
    ended: &AtomicBool,
    plug: &Plug,
) -> Result<Result<(), String>, VmError> {
    if ended.load(Ordering::SeqCst) {
        return Ok(Err("it has ended before its device was taken away".to_owned()));
    }
    let before = said.len();
    plug.pull(guest)?;
    let begun = Instant::now();
    loop {
        let has_ended = ended.load(Ordering::SeqCst);
        let judged = match client.reaction {
            Reaction::Says(parts) if parts.iter().any(|part| said.text_from(before).contains(part)) => Ok(()),
            Reaction::Says(parts) => Err(format!("it has not said `{}` without its device", parts.join("` or `"))),
            Reaction::Waits if has_ended => Err("it has ended without its device".to_owned()),
            Reaction::Waits => Ok(()),
        };
        if judged.is_ok() || has_ended || begun.elapsed() > patient(LIMIT) {
            return Ok(judged);
        }
        thread::sleep(BETWEEN_PICTURES);
    }
}

/// Checks that no memory of the device was missing below a mapping: it stays for those that have it.
fn no_bus_error(status: Status) -> Result<(), String> {
    let number = Signal::BUS.as_raw();
    // A shell between them passes it on as a code.
    match [Status::Signal(number), Status::Code(128 + number)].contains(&status) {
        true => Err("a mapping of it had no memory (SIGBUS)".to_owned()),
        false => Ok(()),
    }
}

fn judge_picture(guest: &Guest, client: &Client, shows: Check, file: &Path) -> Result<Result<(), String>, VmError> {
    // Whoever opens a device becomes its master for a moment if nobody is, so the client is first.
    if client.opens_device && holders(guest)?.is_empty() {
        return Ok(Err("it has not opened the device".to_owned()));
    }
    let png = match picture(guest)? {
        Ok(png) => png,
        Err(why) => return Ok(Err(why)),
    };
    let mut judged = Picture::decode(&png).and_then(|picture| shows(&picture));
    if let Err(error) = cache::write_atomically(file, &png) {
        judged = Err(error.to_string());
    }
    if let Err(why) = &mut judged {
        let _ = write!(why, " (in `{}`)", file.display());
    }
    Ok(judged)
}

/// Returns the processes that have the device open.
fn holders(guest: &Guest) -> Result<Vec<String>, VmError> {
    let tasks = guest.processes()?.into_iter();
    let holds = |held: &[String]| held.iter().any(|file| file.contains("/dev/dri/card"));
    Ok(tasks.filter(|task| holds(&task.holds)).map(|task| task.command).collect())
}

/// Waits until the client's processes have left the device to the next client.
fn wait_until_free(guest: &Guest) -> Result<Result<(), String>, VmError> {
    let begun = Instant::now();
    loop {
        let left = holders(guest)?;
        match left.first() {
            None => return Ok(Ok(())),
            Some(command) if begun.elapsed() > patient(LIMIT) => {
                return Ok(Err(format!("`{command}` still has the device after its end")));
            }
            Some(_) => thread::sleep(BETWEEN_PICTURES),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_without_memory_below_a_mapping_fails() {
        assert!(no_bus_error(Status::Signal(7)).is_err() && no_bus_error(Status::Code(135)).is_err());
        assert!(no_bus_error(Status::Code(0)).is_ok() && no_bus_error(Status::Signal(15)).is_ok());
    }

    #[test]
    fn words_after_a_place_are_those_that_came_later() {
        let mut said = Said::default();
        said.write_all(b"No such device\n").unwrap();
        let before = said.len();
        said.write_all(b"select timed out\n").unwrap();
        assert_eq!(said.text_from(before), "select timed out\n");
    }
}
