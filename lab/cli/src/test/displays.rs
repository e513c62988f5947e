// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Shows what unmodified clients of Debian packages draw on a driver with a screen, and checks pictures of it:
//! `displays-DRIVER::CLIENT`. Only `--all` runs them, because they are downloaded.
//!
//! All clients of a driver share a boot. If one takes the machine down, only it fails, and the clients after it get another
//! boot. The pictures stay in the cache, the last one of each client.

mod clients;
mod facts;
mod page;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use drydock_agent::protocol::{CLIENT_ROOT, ENTER_WORD};
use drydock_base::cache;
use drydock_base::error::{Kind, Result};
use drydock_machine::error::Error as VmError;
use drydock_machine::guest::Guest;
use drydock_machine::pace::patient;
use drydock_machine::scenario::{Boot, ClientRoot, Content, Program, driver_modules, picture};
use drydock_toolchain::client_root;
use rustix::process::Signal;

use clients::{CLIENTS, Check, Client, PACKAGES};
use facts::Picture;
use page::{LINES, Line};

use super::suite::{Case, Context, Filter, Need, Suite, Verdict};
use crate::drivers;

/// The clients on one driver.
pub(super) struct Displays {
    name: &'static str,
    /// The name of the driver on the command line.
    driver: &'static str,
    /// The name that its device reports.
    reported: &'static str,
    has_cursor: bool,
}

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

/// The memory of the guest in MiB.
const MEMORY: u32 = 2048;

/// The number of lines of a failed client's output that are shown.
const SHOWN: usize = 20;

/// The directory of the pictures, in that of the checkout in the cache.
const PICTURES: &str = "displays";

impl Displays {
    /// Returns the suite of our vkms.
    pub(super) fn vkms() -> Self {
        Self { name: "displays-vkms", driver: "vkms", reported: "vkms", has_cursor: true }
    }

    /// Returns the suite of C's vkms, on which the clients must show the same.
    pub(super) fn c_vkms() -> Self {
        Self { name: "displays-c-vkms", driver: "c-vkms", reported: "vkms", has_cursor: true }
    }

    /// Returns the suite of our bochs, on a device of QEMU.
    pub(super) fn bochs() -> Self {
        Self { name: "displays-bochs", driver: "bochs", reported: "bochs-drm", has_cursor: false }
    }

    fn case_name(&self, client: &str) -> String {
        format!("{}::{client}", self.name)
    }

    /// Returns the clients that the driver can serve.
    fn clients(&self) -> impl Iterator<Item = &'static Client> {
        CLIENTS.iter().filter(|client| self.has_cursor || !client.needs_cursor)
    }

    /// Returns the lines of the documentation that belong to it.
    fn lines(&self) -> impl Iterator<Item = &'static Line> {
        LINES.iter().filter(|line| line.driver == self.driver)
    }

    /// Starts a client, waits until it has shown what it should, and ends it. Its input stays open.
    fn show(&self, guest: &Guest, client: &Client, file: &Path) -> Result<Verdict, VmError> {
        let mut words = vec!["/init", ENTER_WORD, "--root", CLIENT_ROOT, "--directory", "/tmp"];
        let reported = format!("DRIVER={}", self.reported);
        words.extend(ENVIRONMENT.iter().copied().chain([reported.as_str()]).flat_map(|variable| ["--env", variable]));
        let script = format!("{}\n{}", clients::PRELUDE, client.script);
        words.extend(["--", "sh", "-c", &script]);
        let process = guest.spawn(&words)?;
        let input = process.stdin();
        let (said, ended) = (Said::default(), AtomicBool::new(false));
        let (judged, passed) = thread::scope(|scope| {
            let running = scope.spawn(|| {
                let passed = process.pass(patient(3 * LIMIT), said.clone(), said.clone());
                ended.store(true, Ordering::SeqCst);
                passed
            });
            let judged = watch(guest, client, &said, &ended, file);
            // A client that has just ended cannot be found, which is fine.
            let _ = input.signal(Signal::TERM);
            (judged, running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        let judged = judged?;
        passed?;
        let free = wait_until_free(guest)?;
        Ok(match judged.and(free) {
            Ok(()) => Verdict::Passed,
            Err(why) => {
                let text = said.text();
                let lines: Vec<_> = text.lines().map(str::to_owned).collect();
                Verdict::Failed { why, details: lines[lines.len().saturating_sub(SHOWN)..].to_vec() }
            }
        })
    }
}

impl Suite for Displays {
    fn name(&self) -> &'static str {
        self.name
    }

    fn need(&self) -> Need {
        Need::Guest
    }

    /// A debug kernel has no file system for the clients' packages.
    fn tests_the_kernel(&self) -> bool {
        false
    }

    fn is_extra(&self) -> bool {
        true
    }

    fn content(&self, repo: &Path, _filter: &Filter) -> Result<Content> {
        let content = Content::of_driver(repo, self.driver)?.with(Program::SCREEN);
        Ok(content.with_stock(&ClientRoot::Image(PathBuf::new()).modules(false)))
    }

    fn names(&self, _repo: &Path) -> Result<BTreeSet<String>> {
        let clients = self.clients().map(|client| client.name);
        Ok(clients.chain(self.lines().map(|line| line.name)).map(|name| self.case_name(name)).collect())
    }

    fn run(&self, context: &Context<'_>, tell: &mut dyn FnMut(Case)) -> Result<()> {
        let packages: Vec<_> = PACKAGES.iter().map(|&name| name.to_owned()).collect();
        let root = ClientRoot::Image(client_root::ensure(context.toolchain(), &packages, context.events)?);
        let mut left: Vec<_> =
            self.clients().filter(|client| context.filter.selects(&self.case_name(client.name))).collect();
        let step = context.events.step(format!("clients on the screen of {}", self.driver));
        let pictures = context.toolchain().work().join(PICTURES).join(self.driver);
        cache::make_dir(&pictures)?;
        let modules = driver_modules(self.driver, context.stage().image())?;
        let devices = drivers::devices(context.repo, self.driver);
        let boot = Boot { root, devices, memory: MEMORY, may_leave_holders: true, ..Boot::default() };
        while !left.is_empty() {
            let mut current = None;
            let played = context.stage().play(&boot, context.events, |scene| -> Result<(), VmError> {
                modules.iter().try_for_each(|module| scene.insmod(module))?;
                boot.root.settle(scene.guest())?;
                while !left.is_empty() {
                    let client = left.remove(0);
                    current = Some(client);
                    let verdict =
                        self.show(scene.guest(), client, &pictures.join(client.name).with_extension("png"))?;
                    current = None;
                    tell(Case { name: self.case_name(client.name), verdict });
                }
                Ok(())
            });
            match (played, current) {
                (Ok(_), _) => {}
                (Err(error), Some(client)) if error.kind() != Kind::Interrupted => {
                    tell(Case { name: self.case_name(client.name), verdict: Verdict::of_error(error)? });
                }
                (Err(error), _) => return Err(error),
            }
        }
        for line in self.lines().filter(|line| context.filter.selects(&self.case_name(line.name))) {
            let verdict = context.in_time(|| line.verdict(&pictures))?;
            tell(Case { name: self.case_name(line.name), verdict });
        }
        step.done();
        Ok(())
    }
}

/// The output of a client so far.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl Said {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("no holder of the lock panics")).into_owned()
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
