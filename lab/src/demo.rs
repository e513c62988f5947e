// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `drydock demo`: the life of a DRM device, shown on the stock kernel with clients that nobody here wrote.
//!
//! The story is told by [`story`], one function per part; `demo/recorder.rs` keeps what was seen.

mod recorder;

use std::path::PathBuf;

use clap::Args;

use crate::cache::write_atomically;
use crate::error::Result;
use crate::events::Events;
use crate::exit;
use crate::report::{State, Thing, Timeline, page, table};
use crate::scenario::{Boot, LIMIT, Plan, Program, Stage};
use crate::vm::error::Error as VmError;
use crate::vm::guest::Process;
use crate::vm::qemu::Accel;

use recorder::Recorder;

/// Where the driver's bus device is bound and unbound.
const DRIVER_DIR: &str = "/sys/bus/platform/drivers/vgem";

/// Options of `drydock demo`.
///
/// Prepares whatever is missing, builds the modules, boots the stock kernel and shows the life of the Rust `vgem`: probed,
/// with a GEM object before registration, registered, listed, used, unplugged while a client holds it, unloaded.
#[derive(Debug, Args)]
pub struct Options {
    /// The kernel to boot, by its release or series
    #[arg(long, value_name = "NAME")]
    kernel: Option<String>,
    /// Where the page with the picture is written [default: target/demo.html in the checkout]
    #[arg(long, value_name = "PATH")]
    html: Option<PathBuf>,
    /// Show the kernel's log on stderr as it comes
    #[arg(long)]
    log: bool,
}

/// Carries out `drydock demo`.
pub fn main(options: Options, events: &Events) -> Result<u8> {
    let plan = Plan { kernel: options.kernel.clone() };
    let stage = Stage::prepare(&plan, events)?;
    let boot = Boot { show_log: options.log, ..Boot::default() };
    let started = std::time::Instant::now();
    let (mut timeline, ending) = stage.play(&boot, events, |scene| {
        let mut recorder = Recorder::new(scene, events);
        story(&mut recorder)?;
        Ok(Timeline {
            driver: "vgem".into(),
            kernel: stage.toolchain().kernel.release.clone(),
            execution: execution(stage.accel(), boot.cpus),
            steps: recorder.into_steps(),
            seconds: 0.0,
            log_lines: 0,
        })
    })?;
    timeline.seconds = started.elapsed().as_secs_f64();
    timeline.log_lines = ending.log.len();
    let html = options.html.unwrap_or_else(|| stage.toolchain().repo.join("target/demo.html"));
    write_atomically(&html, page(&timeline))?;
    events.result(&timeline, table);
    events.note(format!("the same with a picture: {}", html.display()));
    Ok(exit::OK)
}

fn execution(accel: Accel, cpus: u32) -> String {
    let how = match accel {
        Accel::Kvm => "on the processor itself (KVM)",
        Accel::Tcg | Accel::Counting => "every instruction translated (TCG)",
    };
    format!("{how}, {cpus} processors")
}

/// The life of the device, from the first module to the last.
fn story(recorder: &mut Recorder<'_, '_>) -> Result<(), VmError> {
    birth(recorder)?;
    listed(recorder)?;
    used(recorder)?;
    let client = held(recorder)?;
    unplugged(recorder)?;
    released(recorder, client)?;
    gone(recorder)
}

fn birth(recorder: &mut Recorder<'_, '_>) -> Result<(), VmError> {
    recorder.exists(Thing::Library);
    recorder.step("the library is loaded", State::Absent, |scene| scene.insmod("drm_rust").map(|()| Vec::new()))?;
    recorder.exists(Thing::Module);
    recorder.exists(Thing::Bound);
    let from = recorder.act("loading the driver", |scene| scene.insmod("vgem_rust"))?;
    recorder.exists(Thing::DriverObject);
    recorder.logged(from, "before registration", "probed: a GEM object before registration", State::Unregistered)?;
    recorder.exists(Thing::Nodes);
    recorder.logged(from, "Initialized vgem", "registered with userspace", State::Registered)
}

fn listed(recorder: &mut Recorder<'_, '_>) -> Result<(), VmError> {
    recorder.step("drmdevice lists it", State::Registered, |scene| {
        let out = scene.guest().check(&["drmdevice"], LIMIT)?.out;
        contains(&out, "drmdevice", "/dev/dri/card0")?;
        Ok(lines_with(&out, &["Devices reported", "/dev/dri/", "fullname"], 4))
    })?;
    recorder.step("lsgpu lists it", State::Registered, |scene| {
        let out = scene.guest().check(&["lsgpu"], LIMIT)?.out;
        contains(&out, "lsgpu", "card0")?;
        Ok(out.lines().map(str::to_owned).collect())
    })
}

fn used(recorder: &mut Recorder<'_, '_>) -> Result<(), VmError> {
    recorder.step("a client on the crate `drm` uses it", State::Registered, |scene| {
        let out = scene.guest().check(&[Program::CLIENT.name], LIMIT)?.out;
        Ok(out.lines().map(str::to_owned).collect())
    })
}

/// A client that holds a file and a mapping, and a module that will not go while it does.
fn held<'s>(recorder: &mut Recorder<'_, 's>) -> Result<Process<'s>, VmError> {
    recorder.exists(Thing::File);
    recorder.exists(Thing::Mapping);
    let mut client = recorder.guest().spawn(&[Program::CLIENT.name, "--hold"])?;
    recorder.step("a client holds a file and a mapping", State::Registered, |_| {
        client.wait_for_line("holding", LIMIT)?;
        Ok(client.out().lines().filter(|line| *line != "holding").map(str::to_owned).collect())
    })?;
    Ok(client)
}

fn unplugged(recorder: &mut Recorder<'_, '_>) -> Result<(), VmError> {
    recorder.vanishes(Thing::Bound);
    recorder.vanishes(Thing::Nodes);
    recorder.vanishes(Thing::DriverObject);
    recorder.step("unplugged while it is held", State::Unplugged, |scene| {
        scene.guest().write(&format!("{DRIVER_DIR}/unbind"), "vgem")?;
        let nodes = scene.guest().list("/dev/dri").unwrap_or_default();
        let nodes = if nodes.is_empty() { "nothing".to_owned() } else { nodes.join(", ") };
        Ok(vec![format!("/dev/dri holds {nodes}")])
    })?;
    recorder.step("unloading is refused", State::Unplugged, |scene| match scene.guest().rmmod("vgem_rust") {
        Err(VmError::Refused { failure, .. }) => Ok(vec![failure.message]),
        Err(other) => Err(other),
        Ok(()) => Err(unexpected("rmmod vgem_rust", "the module was unloaded although a client holds its device")),
    })
}

fn released(recorder: &mut Recorder<'_, '_>, mut client: Process<'_>) -> Result<(), VmError> {
    recorder.vanishes(Thing::File);
    recorder.vanishes(Thing::Mapping);
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

fn gone(recorder: &mut Recorder<'_, '_>) -> Result<(), VmError> {
    recorder.vanishes(Thing::Module);
    recorder.step("the driver is unloaded", State::Absent, |scene| scene.rmmod("vgem_rust").map(|()| Vec::new()))?;
    recorder.vanishes(Thing::Library);
    recorder.step("the library is unloaded", State::Absent, |scene| scene.rmmod("drm_rust").map(|()| Vec::new()))
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

/// The first `count` lines that contain one of `needles`.
fn lines_with(out: &str, needles: &[&str], count: usize) -> Vec<String> {
    let lines = out.lines().filter(|line| needles.iter().any(|needle| line.contains(needle)));
    lines.take(count).map(|line| line.replace('\t', " ")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_telling_lines_are_kept() {
        let out =
            "--- Devices reported 1 ---\nnoise\n|   +-> nodes[0] /dev/dri/card0\n+-> fullname\tvgem\nmore /dev/dri/x\n";
        let kept = lines_with(out, &["Devices reported", "/dev/dri/", "fullname"], 3);
        assert_eq!(kept, ["--- Devices reported 1 ---", "|   +-> nodes[0] /dev/dri/card0", "+-> fullname vgem"]);
    }
}
