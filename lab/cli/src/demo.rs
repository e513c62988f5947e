// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `drydock demo`: shows the life of a DRM device on the stock kernel, with third-party clients.
//!
//! Each story is a file with one function per part. `demo/recorder.rs` keeps what was observed.

mod kms;
mod nova;
pub(crate) mod oops;
mod plug;
mod recorder;
pub(crate) mod summary;
mod tyr;
mod vgem;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::report::{State, Timeline, page, table};
use drydock_base::cache::write_atomically;
use drydock_base::error::Result;
use drydock_base::events::Events;
use drydock_base::{exit, repo};
use drydock_machine::error::Error as VmError;
use drydock_machine::guest::Process;
use drydock_machine::model::Choices;
use drydock_machine::qemu::Accel;
use drydock_machine::scenario::{Boot, ClientRoot, Content, LIMIT, Plan, Program, Stage, gpu_of};
use drydock_machine::timeline::Entry;
use drydock_toolchain::client_root;
use drydock_toolchain::firmware::Choice;

use recorder::Recorder;

/// The memory in MiB of a guest whose clients come from packages.
const LARGE: u32 = 2048;

/// Show the life cycle of a DRM device, from probe to unload, with real clients
///
/// Prepares whatever is missing, builds the modules, boots the stock kernel and shows the life of a device:
///
/// - `vgem`: the device is probed, with a GEM object before registration, registered, listed, used, unplugged while a
///   client holds it, and unloaded.
///
/// - `oops`: shows what happens without the types: a device is allocated with a wrong size. The debug kernel's report
///   is explained line by line, with the compiler's answer to the same mistake beside it. Builds the debug kernel
///   first, once, which takes about a quarter of an hour.
///
/// - `nova`: shows the same for two drivers of one emulated NVIDIA GPU, which is pulled out and plugged in again. The
///   GPU's own events are shown between the lines of the kernel's log.
///
/// - `kms`: a display's planes and CRTCs are built before userspace sees it. Weston draws on it, it is unplugged while
///   Weston draws, and plugged in again. Pictures of the screen are on the page. Downloads Weston's Debian packages, once.
///
/// - `tyr`: loads and boots a firmware before registration, on an emulated Mali-G610. A client maps memory for the GPU,
///   and the GPU reports what it sees there. Then the driver is unbound and the GPU pulled out while clients hold it.
#[derive(Debug, Args)]
pub struct Options {
    /// The driver whose life is shown, `kms` for that of a display, or `oops` for the memory error
    #[arg(value_enum, default_value_t = Story::Vgem)]
    driver: Story,
    /// The kernel to boot, by its release or series; `debug` is the debug kernel
    #[arg(long, value_name = "NAME")]
    kernel: Option<String>,
    /// File for the HTML page with a picture of the timeline; pictures of the screen are beside it [default: target/demo.html
    /// in the checkout, demo-STORY.html for other stories]
    #[arg(long, value_name = "PATH")]
    html: Option<PathBuf>,
    /// Firmware for a GPU's driver: the published file, one built here, or your own file [default: the published one if
    /// it is available]
    #[arg(long, value_name = "real|built|PATH", value_parser = Choice::parse)]
    firmware: Option<Choice>,
    /// Show the kernel's log on stderr as it is printed
    #[arg(long)]
    log: bool,
}

/// A driver whose life is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Story {
    /// Buffers only
    Vgem,
    /// An NVIDIA GPU
    Nova,
    /// An Arm Mali GPU
    Tyr,
    /// A display, and a compositor on it
    Kms,
    /// No device: the mistake that started Drydock
    Oops,
}

impl Story {
    /// The stories that are lives of devices.
    pub(crate) const LIVES: [Self; 4] = [Self::Vgem, Self::Nova, Self::Tyr, Self::Kms];

    /// Returns its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Vgem => "vgem",
            Self::Nova => "nova",
            Self::Tyr => "tyr",
            Self::Kms => "kms",
            Self::Oops => "oops",
        }
    }

    /// Returns the driver that is loaded.
    fn driver(self) -> &'static str {
        match self {
            Self::Kms => "vkms",
            other => other.name(),
        }
    }

    /// Returns the Debian packages with the clients.
    fn packages(self) -> Vec<String> {
        let packages = if self == Self::Kms { kms::PACKAGES } else { &[] };
        packages.iter().map(|&name| name.to_owned()).collect()
    }

    /// Returns what its guest must contain.
    pub(crate) fn content(self, repo: &Path) -> Result<Content> {
        let content = Content::of_driver(repo, self.driver())?;
        Ok(match self {
            Self::Kms => content.with(Program::SCREEN).with_stock(&ClientRoot::Image(PathBuf::new()).modules(false)),
            _ => content.with(Program::CLIENT),
        })
    }

    fn tell(self, recorder: &mut Recorder<'_, '_>) -> Result<(), VmError> {
        match self {
            Self::Vgem => vgem::story(recorder),
            Self::Nova => nova::story(recorder),
            Self::Tyr => tyr::story(recorder),
            Self::Kms => kms::story(recorder),
            Self::Oops => unreachable!("it is no life, and told by itself"),
        }
    }

    /// Returns the page's file name in the checkout's `target`.
    fn page(self) -> String {
        match self {
            Self::Vgem => "target/demo.html".into(),
            other => format!("target/demo-{}.html", other.name()),
        }
    }
}

/// Runs `drydock demo`.
pub fn main(options: Options, events: &Events) -> Result<u8> {
    if options.driver == Story::Oops {
        return oops::main(options, events);
    }
    let plan = Plan { kernel: options.kernel.clone(), content: options.driver.content(&repo::root()?)? };
    let stage = Stage::prepare(&plan, events)?;
    let mut timeline = live(options.driver, &stage, options.firmware.as_ref(), options.log, events)?;
    let html = options.html.unwrap_or_else(|| stage.toolchain().repo.join(options.driver.page()));
    timeline.keep_pictures(&html)?;
    write_atomically(&html, page(&timeline))?;
    events.result(&timeline, table);
    events.note(format!("the same with a picture: {}", html.display()));
    Ok(exit::OK)
}

/// Shows a life in a machine of its own and returns its timeline.
pub(crate) fn live(
    story: Story,
    stage: &Stage,
    firmware: Option<&Choice>,
    show_log: bool,
    events: &Events,
) -> Result<Timeline> {
    let gpu = gpu_of(story.driver(), &Choices::default(), firmware, events)?;
    let mut boot = Boot { show_log, gpu, ..Boot::default() };
    let packages = story.packages();
    if !packages.is_empty() {
        boot.root = ClientRoot::Image(client_root::ensure(stage.toolchain(), &packages, events)?);
        boot.memory = LARGE;
    }
    let started = std::time::Instant::now();
    let (mut timeline, ending) = stage.play(&boot, events, |scene| {
        let mut recorder = Recorder::new(scene, events);
        story.tell(&mut recorder)?;
        Ok(Timeline {
            driver: story.driver().into(),
            merged: boot.gpu.is_some(),
            kernel: stage.toolchain().kernel.release.clone(),
            execution: execution(stage.accel(), boot.cpus),
            steps: recorder.into_steps(),
            seconds: 0.0,
            log_lines: 0,
        })
    })?;
    timeline.seconds = started.elapsed().as_secs_f64();
    timeline.log_lines = ending.log.len();
    Ok(timeline)
}

fn execution(accel: Accel, cpus: u32) -> String {
    let how = match accel {
        Accel::Kvm => "on the processor itself (KVM)",
        Accel::Tcg | Accel::Counting => "every instruction translated (TCG)",
    };
    format!("{how}, {cpus} processors")
}

/// Starts a client that holds a file, and records the step `title`.
fn holds<'s>(recorder: &mut Recorder<'_, 's>, title: &str) -> Result<Process<'s>, VmError> {
    let mut client = None;
    recorder.step(title, State::Registered, |scene| {
        let client = client.insert(scene.guest().spawn(&[Program::CLIENT.name, "--hold"])?);
        client.wait_for_line("holding", LIMIT)?;
        Ok(client.out().lines().filter(|line| *line != "holding").map(str::to_owned).collect())
    })?;
    Ok(client.expect("the step has started it"))
}

/// Records what a client does that held its device while the device was removed.
fn goes_on(recorder: &mut Recorder<'_, '_>, mut client: Process<'_>) -> Result<(), VmError> {
    recorder.step("the client goes on, gets ENODEV, and closes", State::Absent, |_| {
        let before = client.out().lines().count();
        client.input(b"go on\n")?;
        let output = client.wait(LIMIT)?;
        if !output.status.success() {
            return Err(VmError::Program {
                program: format!("{} --hold", Program::CLIENT.name),
                status: output.status,
                said: format!("{}{}", output.out, output.err),
            });
        }
        Ok(output.out.lines().skip(before).map(str::to_owned).collect())
    })
}

fn contains(out: &str, program: &str, wanted: &str) -> Result<(), VmError> {
    match out.contains(wanted) {
        true => Ok(()),
        false => Err(unexpected(program, &format!("no `{wanted}` in its output:\n{out}"))),
    }
}

fn unexpected(program: &str, said: &str) -> VmError {
    VmError::Unexpected { program: program.into(), said: said.into() }
}

/// Returns the last line of a part of a timeline.
fn last_line(part: &[Entry]) -> Vec<String> {
    part.last().map(|entry| entry.told.to_string()).into_iter().collect()
}

/// Returns the first `count` lines that contain one of `needles`.
fn lines_with(out: &str, needles: &[&str], count: usize) -> Vec<String> {
    let lines = out.lines().filter(|line| needles.iter().any(|needle| line.contains(needle)));
    lines.take(count).map(|line| line.replace('\t', " ")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_life_has_a_driver_and_a_page_of_its_own() {
        let repo = repo::root().unwrap();
        let pages: std::collections::BTreeSet<_> = Story::LIVES.iter().map(|story| story.page()).collect();
        assert_eq!(pages.len(), Story::LIVES.len());
        for story in Story::LIVES {
            assert_eq!(Story::from_str(story.name(), false), Ok(story));
            // Beside the library.
            assert!(story.content(&repo).unwrap().modules.unwrap().len() > 1, "{}", story.name());
        }
    }

    #[test]
    fn display_has_pictures_and_clients_from_packages() {
        let content = Story::Kms.content(&repo::root().unwrap()).unwrap();
        assert!(content.programs.contains(&Program::SCREEN) && content.stock_modules.contains("erofs"));
        assert!(Story::Kms.packages().contains(&"weston".to_owned()) && Story::Vgem.packages().is_empty());
    }

    #[test]
    fn only_the_telling_lines_are_kept() {
        let out =
            "--- Devices reported 1 ---\nnoise\n|   +-> nodes[0] /dev/dri/card0\n+-> fullname\tvgem\nmore /dev/dri/x\n";
        let kept = lines_with(out, &["Devices reported", "/dev/dri/", "fullname"], 3);
        assert_eq!(kept, ["--- Devices reported 1 ---", "|   +-> nodes[0] /dev/dri/card0", "+-> fullname vgem"]);
    }
}
