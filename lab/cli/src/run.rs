// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `drydock run`: boots one driver, runs one client, and passes its output through as if it had run here.

mod fetch;
pub(crate) mod gdb;
mod libdrm;
mod program;
mod setting;
mod terminal;
mod user_module;

use std::io::{ErrorKind, IsTerminal, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use drydock_agent::protocol::Stream;
use rustix::process::Signal;

use crate::drivers;
use crate::model::GpuOptions;
use drydock_base::error::{Error, Kind, Result};
use drydock_base::events::{Events, of_output};
use drydock_base::{exit, repo};
use drydock_machine::debugger::Session;
use drydock_machine::error::Error as VmError;
use drydock_machine::gpu::Wanted;
use drydock_machine::guest::{Guest, Input, Passed};
use drydock_machine::model::Choices;
use drydock_machine::pace::FOREVER;
use drydock_machine::place;
use drydock_machine::scenario::{
    Boot, ClientRoot, Content, Program, Scene, Stage, StockDevice, debugged, driver_modules, gpu_of, has_firmware,
    kind_of_gpu,
};
use drydock_toolchain::firmware::Choice;
use drydock_toolchain::setup::{self, Toolchain};
use drydock_toolchain::{client_root, debug_kernel};

use setting::Setting;
use user_module::UserModule;

/// The memory in MiB of a guest whose client is a program of this machine.
const LARGE: u32 = 2048;

/// The end of its help.
const EXAMPLES: &str = "\
Examples:\n\
\x20   drydock run vgem -- drmdevice\n\
\x20   drydock run c-vgem -- lsgpu\n\
\x20   drydock run vgem -- ./my-test --flag\n\
\x20   drydock run tyr --write out --env MY_LEVEL=2 -- python3 my-script.py\n\
\x20   drydock run vgem --packages vulkan-tools -- vulkaninfo --summary\n\
\x20   drydock run vgem";

/// Boot a driver and run a client program on it, or a shell
///
/// Builds the modules, boots the stock kernel, loads DRIVER and runs the client in the guest. The client's output goes
/// to stdout and its exit code becomes ours; everything else goes to stderr. Without a client you get a shell in the
/// guest.
///
/// The client reads our standard input, unless that is a terminal. Its input and output behave like pipes: a write
/// blocks while nobody reads, and fails when the reader has closed its end. Processes that the client leaves behind are
/// killed.
///
/// The guest has busybox, lsgpu, drmdevice and the driver's own client. Any other program is one of this machine: the
/// client then sees all files of this machine and starts in the current directory. It cannot change them: what it
/// writes is lost at its end, except in directories of `--write`. With `--packages`, the client sees the files of Debian
/// packages instead, and the current directory. docs/how-to/run-your-program.md has examples.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Options {
    /// Driver to load, such as `vgem`, `nova` or `tyr`; `c-vgem` is the stock kernel's own vgem
    driver: String,
    /// The kernel to boot, by its release or series; `debug` and `kcsan` are the debug kernels
    #[arg(long, value_name = "NAME")]
    kernel: Option<String>,
    /// Number of processors of the guest
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    cpus: u32,
    /// Memory of the guest in MiB [default: 1024, or 2048 with the root of this machine]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(256..=1 << 20))]
    memory: Option<u32>,
    /// Seconds until the client is killed, including the time to read its output; the exit code is then 124
    #[arg(long, visible_alias = "timeout", value_name = "SECONDS", default_value_t = 300)]
    limit: u64,
    /// Wait for gdb when the driver is loaded, before it probes its devices; there is no time limit then
    #[arg(long, conflicts_with_all = ["limit", "dry_run"])]
    gdb: bool,
    /// Show the kernel's log on stderr as it is printed
    #[arg(long)]
    log: bool,
    #[command(flatten)]
    gpu: GpuOptions,
    /// Add a GPU of QEMU and load the kernel's own driver for it, after DRIVER: `bochs`, `cirrus` or `virtio-gpu`
    #[arg(long, value_name = "NAME", value_parser = StockDevice::parse)]
    device: Vec<&'static StockDevice>,
    /// Load a module that you have built for the guest's kernel, after those of DRIVER and `--device`
    #[arg(long, value_name = "FILE.ko[,PARAM=VALUE…]", value_parser = UserModule::parse)]
    module: Vec<UserModule>,
    /// Firmware for a GPU's driver: the published file, one built here, or your own file [default: the published one if
    /// it is available]
    #[arg(long, value_name = "real|built|PATH", value_parser = Choice::parse)]
    firmware: Option<Choice>,
    /// Let the GPU's driver load this file as its firmware, whatever it contains: to test the driver with a broken file
    #[arg(long, value_name = "FILE", conflicts_with = "firmware")]
    firmware_unchecked: Option<PathBuf>,
    /// The files that the client sees: the guest's own few, those of this machine, which it cannot change, or those of Debian
    /// packages [default: this machine's if only this machine has the program]
    #[arg(long, value_name = "ROOT", requires = "client")]
    root: Option<Files>,
    /// Debian packages whose files the client sees, with all that they depend on, instead of those of this machine
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', requires = "client")]
    packages: Vec<String>,
    /// Let the client read a directory of this machine, at the same path or at PLACE
    #[arg(long, value_name = "DIR[:PLACE]")]
    with: Vec<String>,
    /// Let the client read and write a directory of this machine, at the same path or at PLACE
    #[arg(long, value_name = "DIR[:PLACE]")]
    write: Vec<String>,
    /// Copy a file or directory of the guest to this machine when the client has ended, also if it failed
    #[arg(long, value_name = "GUEST[:HOST]", value_parser = fetch::get, requires = "client")]
    get: Vec<fetch::Get>,
    /// Set a variable in the client's environment, or pass on ours
    #[arg(long, value_name = "NAME[=VALUE]", value_parser = setting::variable, requires = "client")]
    env: Vec<(String, String)>,
    /// Run the client as the guest's ordinary user, a member of the groups `video` and `render`
    #[arg(long, requires = "client")]
    user: bool,
    /// Print the command that boots this guest with a shell on its console, and exit
    #[arg(long)]
    dry_run: bool,
    /// Client program and its arguments [default: a shell]
    #[arg(last = true)]
    client: Vec<String>,
}

/// The files that a client sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Files {
    /// The guest's own: busybox, a few clients and the driver's own
    Guest,
    /// All files of this machine; what the client writes is lost at its end
    Host,
    /// Files of Debian packages: a base system, and what `--packages` adds
    Debian,
}

impl Files {
    /// Returns the files that the client sees, and refuses a client that cannot be among them.
    fn of(options: &Options, content: &Content) -> Result<Self> {
        match (options.root, options.client.first()) {
            (None | Some(Self::Debian), _) if !options.packages.is_empty() => Ok(Self::Debian),
            (Some(_), _) if !options.packages.is_empty() => {
                Err(Error::new(Kind::Usage, "`--packages` needs `--root debian`, which is its default"))
            }
            (Some(Self::Host), Some(word)) => program::check_host(word, content).map(|()| Self::Host),
            (Some(files), _) => Ok(files),
            (None, None) => Ok(Self::Guest),
            (None, Some(word)) => Ok(match program::is_of_guest(word, content)? {
                true => Self::Guest,
                false => Self::Host,
            }),
        }
    }

    /// Returns the client's root. Makes it if it is missing.
    fn root(self, toolchain: &Toolchain, packages: &[String], events: &Events) -> Result<ClientRoot> {
        Ok(match self {
            Self::Guest => ClientRoot::Guest,
            Self::Host => ClientRoot::Host,
            Self::Debian => ClientRoot::Image(client_root::ensure(toolchain, packages, events)?),
        })
    }
}

/// Runs `drydock run`.
pub fn main(options: Options, events: &Events) -> Result<u8> {
    let repo = repo::root()?;
    drivers::check(&repo, &options.driver, options.kernel.as_deref())?;
    options.kernel.as_deref().map_or(Ok(()), debug_kernel::check_name)?;
    let gpu = gpu(&options, events)?;
    let content = Content::of_driver(&repo, &options.driver)?;
    let content = match options.client.as_slice() {
        [] => content.with(Program::CLIENT),
        words => content.for_words(words),
    };
    let files = Files::of(&options, &content)?;
    let mut shares = setting::shares(&options.with, &options.write)?;
    options.get.iter().try_for_each(fetch::Get::check)?;
    options.device.iter().try_for_each(|device| device.check(options.kernel.as_deref()))?;
    let user_modules = options.module.iter().map(UserModule::read).collect::<Result<Vec<_>>>()?;
    let toolchain = setup::ensure_kernel(options.kernel.as_deref(), events)?;
    user_modules.iter().try_for_each(|module| module.check(&toolchain.kernel))?;
    let root = files.root(&toolchain, &options.packages, events)?;
    let setting = Setting::of(root.clone(), &options.env, options.user)?;
    shares.extend(setting.share_of_directory(&shares));
    // One directory may be in another.
    shares.sort_by(|one, other| one.at.cmp(&other.at));
    let content = content.with_stock(&root.modules(!shares.is_empty()));
    let content = content.with_stock(&options.device.iter().map(|device| device.module).collect::<Vec<_>>());
    let content = content.with_module_files(user_modules.iter().map(user_module::Checked::path));
    let stage = Stage::build(toolchain, &repo.join("kernel"), &content, events)?;
    let (cpus, show_log) = (options.cpus, options.log);
    let mut devices = drivers::devices(&repo, &options.driver);
    devices.extend(options.device.iter().map(|device| device.qemu.to_owned()));
    let memory = options.memory.unwrap_or(if files == Files::Guest { Boot::default().memory } else { LARGE });
    let debugger = options.gdb.then(Session::begin).transpose()?.map(Arc::new);
    let may_leave_holders = true;
    let boot =
        Boot { cpus, memory, show_log, gpu, devices, may_leave_holders, root, shares, debugger, ..Boot::default() };
    if options.dry_run {
        events.print(&stage.line_to_paste(&boot)?);
        return Ok(exit::OK);
    }
    let modules = driver_modules(&options.driver, stage.image())?;
    let played = stage.play(&boot, events, |scene| {
        if let Some(session) = &boot.debugger {
            debugged::delay_probes(scene)?;
            load(&modules, &[], &user_modules, scene)?;
            if let Err(error) = gdb::wait(&stage, session, scene, events)? {
                return Ok(Err(error));
            }
            // The driver's nodes are the first.
            load(&[], &options.device, &[], scene)?;
        } else {
            load(&modules, &options.device, &user_modules, scene)?;
        }
        play(&options, &setting, scene, events).map(Ok)
    });
    match played {
        Ok((played, _)) => outcome(played?, events),
        Err(error) if error.kind() == Kind::Limit => Err(error.hint("`--limit SECONDS` gives the client more time")),
        Err(error) => Err(error),
    }
}

/// The end of the client, and the result of each copy.
type Played = (Passed, Vec<Result<()>>);

/// Loads the driver, the drivers of stock devices, and the user's modules.
fn load(
    modules: &[String],
    devices: &[&StockDevice],
    user_modules: &[user_module::Checked],
    scene: &mut Scene<'_>,
) -> Result<(), VmError> {
    modules.iter().try_for_each(|module| scene.insmod(module))?;
    // Two devices may have one driver.
    devices.iter().try_for_each(|device| scene.require(device.module))?;
    user_modules.iter().try_for_each(|module| module.load(scene))
}

/// Runs the client, when its driver is loaded, and copies what it has left.
fn play(options: &Options, setting: &Setting, scene: &mut Scene<'_>, events: &Events) -> Result<Played, VmError> {
    setting.root.settle(scene.guest())?;
    let passed = match options.client.is_empty() {
        true => shell(scene, events),
        false => {
            libdrm::warn_of_unlisted(scene.guest(), &options.client, events)?;
            let limit = if options.gdb { FOREVER } else { Duration::from_secs(options.limit) };
            client(scene.guest(), &setting.argv(&options.client), limit, events)
        }
    };
    // A client that was killed at its limit has written files, too.
    let root = setting.root.path().unwrap_or_default();
    let copied = options.get.iter().map(|get| get.copy(scene.guest(), root)).collect::<Result<_, _>>();
    // The client's own end explains more than what it prevented.
    Ok((passed?, copied?))
}

/// Returns the exit code. A failed copy is an error only if the client did not fail itself.
fn outcome((passed, copied): Played, events: &Events) -> Result<u8> {
    let code = code(passed)?;
    match copied.into_iter().find_map(Result::err) {
        Some(error) if code == exit::OK => return Err(error),
        Some(error) => events.warn(error.chain()),
        None => {}
    }
    Ok(code)
}

/// Returns the client's own exit code, unless its output was lost.
fn code(passed: Passed) -> Result<u8> {
    // A client's code fits in a byte, and a signal is 128 plus its number.
    let code = u8::try_from(passed.status.shell_code()).unwrap_or(u8::MAX);
    match passed.lost {
        // The client has seen the closed pipe too, unless it had already written everything.
        Some((_, error)) if error.kind() == ErrorKind::BrokenPipe && code != exit::OK => Ok(code),
        Some((stream, error)) => Err(of_output(name(stream), error)),
        None => Ok(code),
    }
}

fn name(stream: Stream) -> &'static str {
    match stream {
        Stream::Out => "stdout",
        Stream::Err => "stderr",
    }
}

/// Returns the GPU that the driver needs. Checks its options before a machine is made.
fn gpu(options: &Options, events: &Events) -> Result<Option<Wanted>> {
    let (choices, driver) = (Choices::from(&options.gpu), &options.driver);
    match kind_of_gpu(driver) {
        Some(name) => name.check(&choices)?,
        None if choices.any() => {
            let message =
                format!("driver `{driver}` has no emulated GPU, so `--fault`, `--trace` and `--vram` have no effect");
            return Err(Error::new(Kind::Usage, message));
        }
        None => {}
    }
    let firmware = options.firmware_unchecked.clone().map(Choice::Unchecked).or(options.firmware.clone());
    if firmware.is_some() && !has_firmware(driver) {
        let message = format!("driver `{driver}` loads no firmware, so `--firmware` has no effect");
        return Err(Error::new(Kind::Usage, message));
    }
    gpu_of(driver, &choices, firmware.as_ref(), events)
}

/// Runs the client with our standard streams.
fn client(guest: &Guest, argv: &[String], limit: Duration, events: &Events) -> Result<Passed, VmError> {
    let process = guest.spawn(argv)?;
    let input = process.stdin();
    let ended = AtomicBool::new(false);
    let passed = std::thread::scope(|scope| {
        scope.spawn(|| feed(input, &ended));
        let passed = process.pass(limit, std::io::stdout(), std::io::stderr());
        ended.store(true, Ordering::Relaxed);
        passed
    })?;
    if passed.cut {
        let left: Vec<String> = guest.processes()?.iter().map(place::name).collect();
        let message =
            "the client left processes behind that hold its output; the output ends here, and they are killed";
        events.warn(format!("{message}: {}", left.join(", ")));
        guest.end_processes()?;
    }
    Ok(passed)
}

/// Passes our standard input to the client until either ends. A terminal is not passed on: its user did not mean to
/// type into a program of another machine, and a client that reads its input to the end would wait forever.
fn feed(input: Input<'_>, ended: &AtomicBool) {
    let stdin = std::io::stdin();
    let wanted = || !ended.load(Ordering::Relaxed);
    let mut buffer = vec![0; 64 << 10];
    while !stdin.is_terminal() && wanted() {
        if !terminal::readable(&stdin) {
            continue;
        }
        match stdin.lock().read(&mut buffer) {
            Ok(count @ 1..) if input.write_while(&buffer[..count], wanted).unwrap_or(false) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            _ => break,
        }
    }
    // A client that has already ended needs no end of input.
    if wanted() {
        let _ = input.close();
    }
}

/// Runs an interactive shell of the guest on our terminal.
fn shell(scene: &mut Scene<'_>, events: &Events) -> Result<Passed, VmError> {
    let machine_end = scene.terminal();
    let term = std::env::var("TERM").unwrap_or_else(|_| "vt100".into());
    events.note("a shell in the guest; the driver is loaded; `exit` or Ctrl-D leaves and powers off");
    let shell = scene.guest().shell(terminal::size(), &term)?;
    let hang_up = shell.stdin();
    let ended = AtomicBool::new(false);
    // A shell without its terminal is useless. One that has just ended cannot be found, which is fine.
    let on_lost = || drop(hang_up.signal(Signal::HUP));
    let (status, shown) = terminal::connect(machine_end, &ended, on_lost, || {
        let status = shell.forward(None, |_, _| Ok(()));
        ended.store(true, Ordering::Relaxed);
        status
    });
    Ok(Passed { status: status?, cut: false, lost: shown.err().map(|error| (Stream::Out, error)) })
}

#[cfg(test)]
mod tests {
    use std::io;

    use drydock_agent::protocol::Status;

    use super::*;

    fn passed(status: Status, lost: Option<ErrorKind>) -> Passed {
        Passed { status, cut: false, lost: lost.map(|kind| (Stream::Out, io::Error::from(kind))) }
    }

    #[test]
    fn lost_output_is_never_success() {
        let code = |status, lost| code(passed(status, lost)).map_err(|error| exit::code(error.kind()));
        assert_eq!(code(Status::Code(3), None), Ok(3));
        assert_eq!(code(Status::Code(0), Some(ErrorKind::StorageFull)), Err(69));
        assert_eq!(code(Status::Code(3), Some(ErrorKind::StorageFull)), Err(69));
        assert_eq!(code(Status::Code(0), Some(ErrorKind::BrokenPipe)), Err(141));
        // The client has seen it itself and decides about its exit code.
        assert_eq!(code(Status::Signal(13), Some(ErrorKind::BrokenPipe)), Ok(141));
        assert_eq!(code(Status::Code(2), Some(ErrorKind::BrokenPipe)), Ok(2));
    }
}
