// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Carries out the description of a run: builds, boots, runs the commands, and returns the exit code.

use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

use drydock_agent::protocol::Stream;
use drydock_base::error::{Error, Kind, Result};
use drydock_base::events::{Events, of_output};
use drydock_base::{exit, interrupt};
use drydock_machine::debugger::Session;
use drydock_machine::error::Error as VmError;
use drydock_machine::guest::{Guest, Passed};
use drydock_machine::scenario::{Boot, Scene, Stage, debugged, driver_modules};
use drydock_toolchain::{module_tree, setup};

use super::client::{self, Ends, Stdin};
use super::files::Files;
use super::gdb;
use super::job::{Checked, Command, Job};
use super::judge::{Judge, verdict};
use super::libdrm;
use super::screenshot::Camera;
use super::setting::Setting;
use super::visitors;
use super::{parameters, user_module};
use crate::results::{self, Results};
use crate::verdict::Verdict;

/// The choices about what a run prints and writes besides the output of its commands.
#[derive(Debug)]
pub(super) struct Output {
    /// Show the kernel's log on stderr as it comes.
    pub(super) show_log: bool,
    /// Print the command that boots the guest instead of booting it.
    pub(super) dry_run: bool,
    pub(super) results: results::ResultOptions,
}

/// Runs a job and returns the exit code.
pub(super) fn run(job: &Job, output: &Output, repo: &Path, events: &Events) -> Result<u8> {
    let checked = job.check(repo, events)?;
    if output.dry_run {
        let Prepared { stage, boot, .. } = prepare(job, checked, output, repo, events)?;
        events.print(&stage.line_to_paste(&boot)?);
        return Ok(exit::OK);
    }
    let results = Results::open(&output.results, &job.driver, events)?;
    let mut judge = Judge::new(job, &results, events);
    let ended = prepare(job, checked, output, repo, events)
        .and_then(|prepared| Story { job, prepared, events }.play(&mut judge));
    let code = match ended {
        Ok(played) if job.is_session => session_outcome(played, &judge),
        Ok(mut played) => played.pop().map_or(Ok(exit::OK), |played| outcome(played, events)),
        // Its errors are no verdicts.
        Err(error) if interrupt::happened() => Err(error),
        Err(error) => {
            judge.fail(&error);
            Err(error)
        }
    };
    results.write_after(code, events)
}

/// Everything that a run needs.
struct Prepared {
    stage: Stage,
    boot: Boot,
    setting: Setting,
    /// The driver's modules in loading order, each with its parameters.
    driver: Vec<(String, String)>,
    /// The user's own modules.
    modules: Vec<user_module::Checked>,
}

/// Builds what the run needs.
fn prepare(job: &Job, checked: Checked, output: &Output, repo: &Path, events: &Events) -> Result<Prepared> {
    let Checked { content, files, gpu, devices, modules } = checked;
    let toolchain = setup::ensure_kernel(job.kernel.as_deref(), events)?;
    modules.iter().try_for_each(|module| module.check(&toolchain.kernel))?;
    let root = files.root(&toolchain, &job.packages, events)?;
    let setting = Setting::of(root.clone(), &job.environment, job.is_user, &job.directory);
    let mut shares = job.shares.clone();
    shares.extend(setting.share_of_directory(&shares));
    // One directory may be in another.
    shares.sort_by(|one, other| one.at.cmp(&other.at));
    let content = content.with_stock(&root.modules(!shares.is_empty()));
    let content = content.with_stock(&job.devices.iter().map(|device| device.module).collect::<Vec<_>>());
    let content = content.with_module_files(modules.iter().map(user_module::Checked::path));
    let stage = Stage::build(toolchain, &repo.join("kernel"), &content, events)?;
    let driver = driver_modules(&job.driver, stage.image())?;
    let driver = parameters::of_modules(&job.parameters, &driver, stage.image(), &stage.toolchain().kernel)?;
    let (cpus, memory, show_log) = (job.cpus, job.memory(files), output.show_log);
    let module_tree = match files {
        Files::Guest => None,
        Files::Host | Files::Debian => Some(module_tree::ensure(stage.toolchain(), &stage.image().ours, events)?),
    };
    let boot = Boot {
        cpus,
        memory,
        show_log,
        gpu,
        devices,
        may_leave_holders: true,
        root,
        shares,
        module_tree,
        debugger: job.waits_for_gdb.then(Session::begin).transpose()?.map(Arc::new),
        ..Boot::default()
    };
    Ok(Prepared { stage, boot, setting, driver, modules })
}

/// The end of a client, and the result of each copy to this machine.
type Played = (Passed, Vec<Result<()>>);

/// A run in a booted guest.
struct Story<'s> {
    job: &'s Job,
    prepared: Prepared,
    events: &'s Events,
}

impl Story<'_> {
    /// Boots, and runs the commands or a shell.
    fn play(&self, judge: &mut Judge<'_>) -> Result<Vec<Played>> {
        let Prepared { stage, boot, setting, .. } = &self.prepared;
        let played = stage.play(boot, self.events, |scene| {
            if let Err(error) = self.load(scene)? {
                return Ok(Err(error));
            }
            setting.root.settle(scene.guest())?;
            let (guest, terminal) = (scene.guest(), scene.terminal());
            let (own, free) = if self.job.on_terminal { (Some(terminal), None) } else { (None, Some(terminal)) };
            let played =
                visitors::receive(guest, setting, free, self.events, || match (own, self.job.commands.first()) {
                    (Some(terminal), None) => self.shell(guest, terminal).map(|passed| vec![(passed, Vec::new())]),
                    (own, _) => self.commands(guest, own, judge),
                });
            played.map(Ok)
        });
        match played {
            Ok((played, _)) => played,
            Err(error) if error.kind() == Kind::Limit => {
                Err(error.hint("`--limit SECONDS` gives the client more time"))
            }
            Err(error) => Err(error),
        }
    }

    /// Loads the driver, the drivers of further devices, and the user's modules. With a debugger, the driver probes only
    /// when the debugger lets it. The inner error is one of this machine.
    fn load(&self, scene: &mut Scene<'_>) -> Result<Result<()>, VmError> {
        let Prepared { stage, boot, driver, modules, .. } = &self.prepared;
        if boot.debugger.is_some() {
            debugged::delay_probes(scene)?;
        }
        driver.iter().try_for_each(|(module, parameters)| scene.insmod_with(module, parameters))?;
        if let Some(session) = &boot.debugger {
            modules.iter().try_for_each(|module| module.load(scene))?;
            if let Err(error) = gdb::wait(stage, session, scene, self.events)? {
                return Ok(Err(error));
            }
        }
        // The driver's nodes are the first. virtio_gpu of Linux 7.3 sometimes warns when it is unloaded.
        self.job.devices.iter().try_for_each(|device| scene.keep(device.module))?;
        if boot.debugger.is_none() {
            modules.iter().try_for_each(|module| module.load(scene))?;
        }
        Ok(Ok(()))
    }

    /// Runs a shell of the guest.
    fn shell(&self, guest: &Guest, terminal: UnixStream) -> Result<Passed, VmError> {
        self.events.note(
            "a shell in the guest; the driver is loaded; `exit` or Ctrl-D leaves and powers off; Ctrl-], pressed twice, ends \
             the guest",
        );
        client::on_terminal(guest, &[], None, &Camera::new(None, guest), terminal)
    }

    /// Runs the commands in their order, until one ends the guest or our output is lost.
    fn commands(
        &self,
        guest: &Guest,
        mut terminal: Option<UnixStream>,
        judge: &mut Judge<'_>,
    ) -> Result<Vec<Played>, VmError> {
        let mut all = Vec::new();
        for (index, command) in self.job.commands.iter().enumerate() {
            libdrm::warn_of_unlisted(guest, &command.argv, self.events)?;
            let ends = judge.begin(index);
            match self.command(command, guest, terminal.take(), &ends, judge) {
                Ok((passed, copied)) => {
                    judge.judge(verdict(command, passed.status, &copied));
                    let is_lost = passed.lost.is_some();
                    all.push((passed, copied));
                    if is_lost {
                        break;
                    }
                }
                // The guest goes on without the program.
                Err(error @ (VmError::TooLong { .. } | VmError::Refused { .. })) if self.job.is_session => {
                    judge.judge(failed(&error));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    /// Runs one command and copies what it has left.
    fn command(
        &self,
        command: &Command,
        guest: &Guest,
        terminal: Option<UnixStream>,
        ends: &Ends,
        judge: &mut Judge<'_>,
    ) -> Result<Played, VmError> {
        // The first command of a session would take the input from the others.
        let stdin = if self.job.is_session { Stdin::Empty } else { Stdin::Ours };
        let argv = self.prepared.setting.argv(&command.argv);
        let camera = Camera::new(command.screenshot.as_ref(), guest);
        let passed = match terminal {
            Some(terminal) => {
                self.events.note("Ctrl-], pressed twice, ends the guest");
                client::on_terminal(guest, &argv, Some(command.limit), &camera, terminal)
            }
            None => client::client(guest, &argv, stdin, command.limit, ends, &camera, self.events),
        };
        let picture = camera.finish();
        judge.end(passed.as_ref().ok().map(|passed| passed.status));
        let picture = picture.map(|taken| taken.map(|png| judge.keep_picture(png)));
        // A client that was killed at its limit has written files, too.
        let root = self.prepared.setting.root.path().unwrap_or_default();
        let copied = command.gets.iter().map(|get| get.copy(guest, root)).collect::<Result<Vec<_>, _>>();
        let written = written(guest);
        // The client's own end explains more than what it prevented.
        let (passed, mut copied) = (passed?, copied?);
        copied.extend([picture?, written?]);
        Ok((passed, copied))
    }
}

/// Writes what the guest still caches of this machine's directories. The outer error is one of the guest.
fn written(guest: &Guest) -> Result<Result<()>, VmError> {
    match guest.sync() {
        Err(VmError::Refused { failure, .. }) => {
            let message =
                format!("the client's files in directories of this machine are incomplete: {}", failure.message);
            Ok(Err(Error::new(Kind::Host, message)))
        }
        other => other.map(Ok),
    }
}

/// Returns the verdict on a command that did not start or did not end by itself.
fn failed(error: &VmError) -> Verdict {
    let text = error.to_string();
    let mut lines = text.lines().map(str::to_owned);
    let first = lines.next().unwrap_or_default();
    let why = match error {
        VmError::TooLong { limit, .. } => format!("ran longer than its limit of {} s and was killed", limit.as_secs()),
        _ => first,
    };
    Verdict::Failed { why, details: lines.collect() }
}

/// Returns the exit code of a session.
fn session_outcome(played: Vec<Played>, judge: &Judge<'_>) -> Result<u8> {
    match played.into_iter().find_map(|(passed, _)| passed.lost) {
        Some((stream, error)) => Err(of_output(name(stream), error)),
        None => judge.session_code(),
    }
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
