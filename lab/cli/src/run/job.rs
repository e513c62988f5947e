// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The description of a run, from the command line or from a session file, and the checks before anything is built for it.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use drydock_base::error::{Error, Kind, Result};
use drydock_base::events::Events;
use drydock_machine::gpu::Wanted;
use drydock_machine::model::Choices;
use drydock_machine::scenario::{Boot, Content, Program, Share, StockDevice, gpu_of, has_firmware, kind_of_gpu};
use drydock_toolchain::debug_kernel;
use drydock_toolchain::firmware::Choice;

use super::fetch::Get;
use super::files::Files;
use super::parameters::Parameter;
use super::screenshot::Screenshot;
use super::user_module::{self, UserModule};
use crate::drivers;

/// The memory in MiB of a guest whose client is a program of this machine.
const LARGE: u32 = 2048;

/// The numbers of processors that a guest can have.
pub(super) const CPUS: RangeInclusive<i64> = 1..=64;

/// The sizes of memory in MiB that a guest can have.
pub(super) const MEMORY: RangeInclusive<i64> = 256..=1 << 20;

/// The number of processors of a guest, unless the user names one.
pub(super) const DEFAULT_CPUS: u32 = 2;

/// The limit of a command in seconds, unless the user names one.
pub(super) const DEFAULT_LIMIT: u64 = 300;

/// The longest limit. Without one, the end of a limit would be beyond all points in time that a clock knows.
const LONGEST: u64 = 365 * 24 * 3600;

/// The description of a run.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) driver: String,
    pub(super) kernel: Option<String>,
    pub(super) cpus: u32,
    /// Memory in MiB.
    pub(super) memory: Option<u32>,
    pub(super) gpu: Choices,
    pub(super) firmware: Option<Choice>,
    /// Parameters of the driver's modules.
    pub(super) parameters: Vec<Parameter>,
    /// Devices of QEMU, beside the driver's own, whose drivers are the kernel's own.
    pub(super) devices: Vec<&'static StockDevice>,
    /// Modules of the user's own.
    pub(super) modules: Vec<UserModule>,
    /// Whether the guest waits for a debugger before the driver probes its devices.
    pub(super) waits_for_gdb: bool,
    pub(super) root: Option<Files>,
    pub(super) packages: Vec<String>,
    pub(super) shares: Vec<Share>,
    pub(super) environment: Vec<(String, String)>,
    pub(super) is_user: bool,
    /// The directory of this machine in which the commands start, and where their relative paths begin.
    pub(super) directory: PathBuf,
    /// The commands in their order; none means a shell.
    pub(super) commands: Vec<Command>,
    /// Whether the shell, or the only command, gets the guest's terminal, which is connected with ours.
    pub(super) on_terminal: bool,
    /// Whether the commands are a list with a verdict each. The only command of a command line has an exit code instead.
    pub(super) is_session: bool,
}

/// A command of a run.
#[derive(Debug)]
pub(super) struct Command {
    /// The name in verdicts.
    pub(super) name: String,
    /// The program and its arguments, at least one word.
    pub(super) argv: Vec<String>,
    pub(super) limit: Duration,
    /// The exit codes of success.
    pub(super) exit_codes: Vec<u8>,
    pub(super) gets: Vec<Get>,
    pub(super) screenshot: Option<Screenshot>,
}

impl Command {
    /// Returns the name of a command that has none of its own.
    pub(super) fn name_of(argv: &[String]) -> String {
        shlex::try_join(argv.iter().map(String::as_str)).unwrap_or_else(|_| argv.join(" "))
    }
}

/// Returns a time limit.
pub(super) fn limit(seconds: u64) -> Duration {
    Duration::from_secs(seconds.min(LONGEST))
}

/// The parts of the checkout that a description needs, once it is checked.
pub(super) struct Checked {
    pub(super) content: Content,
    pub(super) files: Files,
    pub(super) gpu: Option<Wanted>,
    /// The values of `-device` of QEMU.
    pub(super) devices: Vec<String>,
    pub(super) modules: Vec<user_module::Checked>,
}

impl Job {
    /// Refuses everything that can be refused before anything is built.
    pub(super) fn check(&self, repo: &Path, events: &Events) -> Result<Checked> {
        drivers::check(repo, &self.driver, self.kernel.as_deref())?;
        self.kernel.as_deref().map_or(Ok(()), debug_kernel::check_name)?;
        let gpu = self.wanted_gpu(events)?;
        let content = self.content(Content::of_driver(repo, &self.driver)?);
        let programs: Vec<&str> =
            self.commands.iter().filter_map(|command| Some(command.argv.first()?.as_str())).collect();
        let files = Files::of(self.root, &self.packages, &programs, &content, &self.directory)?;
        self.commands.iter().flat_map(|command| &command.gets).try_for_each(Get::check)?;
        self.check_screenshots(repo)?;
        self.devices.iter().try_for_each(|device| device.check(self.kernel.as_deref()))?;
        let modules = self.modules.iter().map(UserModule::read).collect::<Result<_>>()?;
        let mut devices = drivers::devices(repo, &self.driver);
        devices.extend(self.devices.iter().map(|device| device.qemu.to_owned()));
        Ok(Checked { content, files, gpu, devices, modules })
    }

    /// Refuses pictures that cannot be taken: at a time beyond the command's limit, or of a driver without a screen.
    fn check_screenshots(&self, repo: &Path) -> Result<()> {
        let mut screenshots = self.commands.iter().filter_map(|command| Some((command, command.screenshot.as_ref()?)));
        screenshots.clone().try_for_each(|(command, screenshot)| screenshot.check(command.limit))?;
        // Devices of QEMU have screens, and a module of the user's own may have one.
        let brings_none = self.devices.is_empty() && self.modules.is_empty();
        if screenshots.next().is_some() && brings_none && drivers::sets_modes(repo, &self.driver) == Some(false) {
            let message = format!("driver `{}` has no screen, so `--screenshot` has no effect", self.driver);
            return Err(Error::new(Kind::Usage, message).hint("`--device bochs` adds a screen"));
        }
        Ok(())
    }

    /// Adds the programs that the commands need.
    fn content(&self, content: Content) -> Content {
        let of_command = |content: Content, command: &Command| {
            let content = content.for_words(&command.argv);
            if command.screenshot.is_some() { content.with(Program::SCREEN) } else { content }
        };
        match self.commands.as_slice() {
            [] => content.with(Program::CLIENT),
            commands => commands.iter().fold(content, of_command),
        }
    }

    /// Returns the memory of the guest in MiB.
    pub(super) fn memory(&self, files: Files) -> u32 {
        self.memory.unwrap_or(if files == Files::Guest { Boot::default().memory } else { LARGE })
    }

    /// Returns the GPU that the driver needs.
    fn wanted_gpu(&self, events: &Events) -> Result<Option<Wanted>> {
        let (choices, driver) = (&self.gpu, &self.driver);
        match kind_of_gpu(driver) {
            Some(name) => name.check(choices)?,
            None if choices.any() => {
                let message = format!(
                    "driver `{driver}` has no emulated GPU, so `--fault`, `--trace` and `--vram` have no effect"
                );
                return Err(Error::new(Kind::Usage, message));
            }
            None => {}
        }
        if self.firmware.is_some() && !has_firmware(driver) {
            let message = format!("driver `{driver}` loads no firmware, so `--firmware` has no effect");
            return Err(Error::new(Kind::Usage, message));
        }
        gpu_of(driver, choices, self.firmware.as_ref(), events)
    }
}
