// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `drydock model`: runs one emulated GPU as a separate process. The lab starts itself this way for its machines. Users
//! with a QEMU of their own start it by hand.
//!
//! Source: the crate `drydock-models`.

mod trace;

use std::fs;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use drydock_models::server::{Control, Socket, serve};
use drydock_models::{Device, Gpu, What};

use drydock_base::error::{Context, Error, Kind, Result};
use drydock_base::events::Events;
use drydock_base::{exit, interrupt, unix_socket};
use drydock_machine::model::{self, Choices, Name};

use trace::Trace;

/// The end of its help.
const EXAMPLES: &str = "\
Examples:\n\
\x20   drydock model nova --socket gpu.sock --trace trace.jsonl\n\
\x20   qemu-system-x86_64 … -object memory-backend-memfd,id=mem,size=1G,share=on -machine q35,memory-backend=mem \\\n\
\x20       -device '{\"driver\":\"vfio-user-pci\",\"socket\":{\"type\":\"unix\",\"path\":\"gpu.sock\"}}'\n\
\x20   echo '{\"fault\": {\"kind\": \"removal\"}}' | socat - control.sock        with --control control.sock";

/// Run an emulated GPU, for a virtual machine of your own
///
/// Waits for one QEMU (11 or later) to connect, and is a PCI device of its guest until QEMU ends. Reports on stderr
/// when the guest violates the hardware's rules, and then exits with 1.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Options {
    /// The GPU to emulate
    #[arg(value_parser = gpus())]
    gpu: Name,
    /// Socket for QEMU's connection
    #[arg(long, value_name = "PATH", required_unless_present = "socket_fd")]
    socket: Option<PathBuf>,
    /// Like `--socket`, as an inherited listening socket
    #[arg(long, hide = true, conflicts_with = "socket")]
    socket_fd: Option<RawFd>,
    /// Socket for commands to the GPU and its events, one line of JSON each
    #[arg(long, value_name = "PATH")]
    control: Option<PathBuf>,
    /// Like `--control`, as an inherited connection
    #[arg(long, hide = true, conflicts_with = "control")]
    control_fd: Option<RawFd>,
    /// Firmware file with which the model compares what the GPU's driver loads
    #[arg(long, value_name = "FILE")]
    firmware: Option<PathBuf>,
    #[command(flatten)]
    choices: GpuOptions,
}

/// Options of an emulated GPU, shared by all commands that start one.
#[derive(Debug, Args)]
pub struct GpuOptions {
    /// Faults of the emulated GPU, in a TOML file
    #[arg(long, value_name = "FILE")]
    fault: Option<PathBuf>,
    /// Write the emulated GPU's events to FILE, one line of JSON each
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Size of the emulated GPU's BAR for VRAM
    #[arg(long, value_name = "MIB")]
    vram: Option<u32>,
}

impl From<&GpuOptions> for Choices {
    fn from(GpuOptions { fault, trace, vram }: &GpuOptions) -> Self {
        Self { fault: fault.clone(), trace: trace.clone(), vram: *vram }
    }
}

/// Returns the parser of a GPU's name.
fn gpus() -> impl TypedValueParser<Value = Name> {
    let values = Name::ALL.map(|name| PossibleValue::new(name.word()).help(name.about()));
    PossibleValuesParser::new(values).map(|word| Name::named(&word).expect("only these words are accepted"))
}

/// Runs `drydock model`.
pub fn main(options: Options, events: &Events) -> Result<u8> {
    let firmware = options.firmware.as_deref();
    let choices = Choices::from(&options.choices);
    let violations = match options.gpu {
        Name::Nova if firmware.is_some() => {
            return Err(Error::new(Kind::Usage, "this GPU's driver loads no firmware, so `--firmware` has no effect"));
        }
        Name::Nova => run(model::nova(&choices)?, &options, events)?,
        Name::Mali => run(model::mali(&choices, firmware)?, &options, events)?,
    };
    Ok(if violations == 0 { exit::OK } else { exit::CHECK })
}

fn run<G: Gpu>(mut device: Device<G>, options: &Options, events: &Events) -> Result<u64> {
    let unwritten = |path: &Path| format!("failed to write the trace to `{}`", path.display());
    let mut traced = None;
    if let Some(path) = &options.choices.trace {
        let (trace, sink) = Trace::create(path).with_context(|| unwritten(path))?;
        device.bus().listen(sink);
        traced = Some((trace, path));
    }
    if options.control_fd.is_none() {
        let events = events.clone();
        device.bus().listen(Box::new(move |event| {
            tell(&event.what, &events);
            Ok(())
        }));
    }
    let _tidy: Vec<_> =
        [&options.socket, &options.control].into_iter().flatten().map(|path| remove_later(path)).collect();
    let socket = match (&options.socket, options.socket_fd) {
        (Some(path), _) => Socket::Listening(unix_socket::bind(path).context("failed to make the socket")?.into()),
        (None, Some(fd)) => Socket::Listening(inherited(fd)),
        (None, None) => unreachable!("the command line asks for one"),
    };
    let violations = serve(device, socket, control(options)?).context("the emulated GPU stops")?;
    for path in [&options.socket, &options.control].into_iter().flatten() {
        // The file may already have been removed, which is fine.
        let _ = fs::remove_file(path);
    }
    if let Some((trace, path)) = traced {
        trace.finish().with_context(|| unwritten(path))?;
    }
    Ok(violations)
}

fn control(options: &Options) -> Result<Option<Control>> {
    if let Some(path) = &options.control {
        let listener = unix_socket::bind(path).context("failed to make the control socket")?;
        return Ok(Some(Control::Listener(listener)));
    }
    Ok(options.control_fd.map(|fd| Control::Connected(UnixStream::from(inherited(fd)))))
}

/// Reports the events that matter to an observer.
fn tell(what: &What, events: &Events) {
    match what {
        What::Violation { .. } | What::FaultUnused { .. } => events.warn(what.to_string()),
        What::Read(_) | What::Write(_) | What::Interrupt { .. } => {}
        _ => events.note(what.to_string()),
    }
}

/// Removes the socket's file when we exit, however that happens.
fn remove_later(path: &Path) -> interrupt::OnInterrupt {
    let path = path.to_owned();
    interrupt::on_interrupt(move || drop(fs::remove_file(path)))
}

fn inherited(fd: RawFd) -> OwnedFd {
    // SAFETY: Only `drydock_machine::gpu` passes the two hidden options, and it hands over open descriptors of these numbers, each
    // named once. Nothing in this process has opened or closed them before.
    unsafe { OwnedFd::from_raw_fd(fd) }
}
