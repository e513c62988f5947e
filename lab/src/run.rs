// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `drydock run`: one driver, one client, and the client's answer as if it had run here.

mod libdrm;
mod user;

use std::io::{IsTerminal, Read, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use drydock_agent::protocol::{Status, Stream};

use crate::error::{Error, Kind, Result};
use crate::events::Events;
use crate::firmware::Choice;
use crate::model::Choices;
use crate::scenario::{Boot, Plan, Scene, Stage, driver_modules, gpu_of, has_firmware, kind_of_gpu};
use crate::vm::error::Error as VmError;
use crate::vm::gpu::Wanted;
use crate::vm::guest::{Guest, Input};
use crate::vm::terminal;
use crate::{debug_kernel, drivers, exit, repo};

/// The end of its help.
const EXAMPLES: &str = "\
Examples:\n\
\x20   drydock run vgem -- drmdevice\n\
\x20   drydock run c-vgem -- lsgpu\n\
\x20   drydock run vgem";

/// Boot a driver and run a client program on it, or a shell
///
/// Builds the modules, boots the stock kernel, loads DRIVER and runs the client in the guest. The client's output is
/// on stdout, its exit code is ours, everything else is on stderr. Without a client you get a shell in the guest.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Options {
    /// The driver to load; `c-NAME` is the stock kernel's own
    driver: String,
    /// The kernel to boot, by its release or series; `debug` and `kcsan` are the debug kernels
    #[arg(long, value_name = "NAME")]
    kernel: Option<String>,
    /// How many processors the guest has
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    cpus: u32,
    /// How long the client may take before the guest is ended
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    limit: u64,
    /// Show the kernel's log on stderr as it comes
    #[arg(long)]
    log: bool,
    #[command(flatten)]
    gpu: Choices,
    /// What a GPU's driver loads: the published firmware, one that is built here, or a file [default: the published one if it
    /// can be had]
    #[arg(long, value_name = "real|built|PATH", value_parser = Choice::parse)]
    firmware: Option<Choice>,
    /// Let the GPU's driver load this file as its firmware, whatever it holds: to see what the driver does with a broken one
    #[arg(long, value_name = "FILE", conflicts_with = "firmware")]
    firmware_unchecked: Option<PathBuf>,
    /// Run the client as the guest's ordinary user, who is in the groups `video` and `render`
    #[arg(long, requires = "client")]
    user: bool,
    /// Print the command that boots this guest with a shell on its console, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// The client and its arguments; without one, a shell
    #[arg(last = true)]
    client: Vec<String>,
}

/// Carries out `drydock run`.
pub fn main(options: Options, events: &Events) -> Result<u8> {
    drivers::check(&repo::root()?, &options.driver, options.kernel.as_deref())?;
    options.kernel.as_deref().map_or(Ok(()), debug_kernel::check_name)?;
    let gpu = gpu(&options, events)?;
    let plan = Plan { kernel: options.kernel.clone() };
    let stage = Stage::prepare(&plan, events)?;
    let modules = driver_modules(&options.driver, stage.image())?;
    let boot = Boot { cpus: options.cpus, show_log: options.log, gpu, ..Boot::default() };
    if options.dry_run {
        events.print(&stage.line_to_paste(&boot)?);
        return Ok(exit::OK);
    }
    let (status, _) = stage.play(&boot, events, |scene| {
        modules.iter().try_for_each(|module| scene.insmod(module))?;
        match options.client.is_empty() {
            true => shell(scene),
            false => {
                let argv = if options.user { user::argv(&options.client) } else { options.client.clone() };
                libdrm::warn_of_unlisted(scene.guest(), &options.client, events)?;
                client(scene.guest(), &argv, Duration::from_secs(options.limit))
            }
        }
    })?;
    // A client cannot return more than this, and a signal's code is 128 and its number.
    Ok(u8::try_from(status.shell_code()).unwrap_or(u8::MAX))
}

/// The GPU that the driver needs; what is chosen about it is checked before a machine is made for it.
fn gpu(options: &Options, events: &Events) -> Result<Option<Wanted>> {
    let (choices, driver) = (&options.gpu, &options.driver);
    match kind_of_gpu(driver) {
        Some(name) => name.check(choices)?,
        None if choices.any() => {
            let message = format!("driver `{driver}` has no emulated GPU, so nothing can be chosen about one");
            return Err(Error::new(Kind::Usage, message));
        }
        None => {}
    }
    let firmware = options.firmware_unchecked.clone().map(Choice::Unchecked).or(options.firmware.clone());
    if firmware.is_some() && !has_firmware(driver) {
        let message = format!("driver `{driver}` loads no firmware, so `--firmware` has no effect");
        return Err(Error::new(Kind::Usage, message));
    }
    gpu_of(driver, choices, firmware.as_ref(), events)
}

/// Runs the client with our standard streams.
fn client(guest: &Guest, argv: &[String], limit: Duration) -> Result<Status, VmError> {
    let process = guest.spawn(argv)?;
    let input = process.stdin();
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| feed(input, &ended));
        let status = process.forward(Some(limit), |stream, bytes| match stream {
            Stream::Out => std::io::stdout().write_all(bytes).and_then(|()| std::io::stdout().flush()),
            Stream::Err => std::io::stderr().write_all(bytes),
        });
        ended.store(true, Ordering::Relaxed);
        status
    })
}

/// Hands our standard input to the client until either ends. A terminal is not handed on: whoever sits there did not
/// mean to type into a program of another machine, and a client that waits for the end of its input would wait forever.
fn feed(input: Input<'_>, ended: &AtomicBool) {
    let stdin = std::io::stdin();
    let mut buffer = vec![0; 64 << 10];
    while !stdin.is_terminal() && !ended.load(Ordering::Relaxed) {
        if !terminal::readable(&stdin) {
            continue;
        }
        match stdin.lock().read(&mut buffer) {
            Ok(count @ 1..) if input.write(&buffer[..count]).is_ok() => {}
            _ => break,
        }
    }
    // A client that has ended by itself needs no end of its input.
    let _ = input.close();
}

/// An interactive shell of the guest on our terminal.
fn shell(scene: &mut Scene<'_>) -> Result<Status, VmError> {
    let machine_end = scene.terminal();
    let term = std::env::var("TERM").unwrap_or_else(|_| "vt100".into());
    eprintln!("a shell in the guest; the driver is loaded; `exit` or Ctrl-D leaves and powers off");
    let shell = scene.guest().shell(terminal::size(), &term)?;
    let ended = AtomicBool::new(false);
    terminal::connect(machine_end, &ended, || {
        let status = shell.forward(None, |_, _| Ok(()));
        ended.store(true, Ordering::Relaxed);
        status
    })
}
