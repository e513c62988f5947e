// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Composes pictures with Smithay on its DRM backend, until the display is gone: a white square that moves on a blue screen.
//!
//! Smithay's own compositor, anvil, is not on crates.io. This is the part of it that talks to the kernel: atomic mode setting,
//! a swapchain of dumb buffers, rendering through their dma-bufs, and frames by the kernel's events.
//!
//! Source: the documentation of the crate `smithay`; Documentation/gpu/drm-uapi.rst, "Device Hot-Unplug".

mod screen;

use std::fs::OpenOptions;
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use smithay::backend::drm::{DrmDevice, DrmDeviceFd, DrmEvent};
use smithay::reexports::calloop::EventLoop;
use smithay::reexports::drm::Device as _;
use smithay::utils::DeviceFd;

use screen::Screen;

/// The device of the display.
const NODE: &str = "/dev/dri/card0";

/// The number of frames after which the program says so.
const ENOUGH: u32 = 10;

/// The time after which a program that waits for a frame asks whether the display is still there.
const LOOK: Duration = Duration::from_secs(1);

/// `ENODEV`: the device was unplugged.
const GONE: i32 = 19;

/// The data that events change.
struct State {
    screen: Screen,
    /// The error that ends the program.
    failed: Option<anyhow::Error>,
}

fn run() -> anyhow::Result<()> {
    let node = OpenOptions::new().read(true).write(true).open(NODE);
    let node = OwnedFd::from(node.with_context(|| format!("failed to open `{NODE}`"))?);
    let fd = DrmDeviceFd::new(DeviceFd::from(node));
    let (mut device, notifier) = DrmDevice::new(fd.clone(), true).context("failed to set up the device")?;
    let screen = Screen::new(&mut device, &fd)?;
    println!("{} with {} commits.", screen.describe(), if device.is_atomic() { "atomic" } else { "legacy" });
    let mut state = State { screen, failed: None };
    let mut events = EventLoop::<State>::try_new().context("failed to make an event loop")?;
    let on_event = |event, _: &mut _, state: &mut State| {
        let result = match event {
            DrmEvent::VBlank(_) => state.screen.shown().and_then(|()| state.screen.show()),
            DrmEvent::Error(error) => Err(error.into()),
        };
        state.failed = state.failed.take().or(result.err());
    };
    events.handle().insert_source(notifier, on_event).map_err(|error| anyhow::anyhow!("{error}"))?;
    state.screen.show()?;
    let mut is_told = false;
    loop {
        let before = state.screen.frames;
        events.dispatch(LOOK, &mut state).context("failed to wait for events")?;
        if let Some(error) = state.failed.take() {
            return Err(error);
        }
        if state.screen.frames >= ENOUGH && !is_told {
            println!("{ENOUGH} frames were shown.");
            is_told = true;
        }
        if state.screen.frames == before {
            // A display that was unplugged sends nothing, but answers no ioctl either.
            fd.get_driver().context("the device does not answer")?;
        }
    }
}

/// Returns whether the error says that the device was unplugged.
fn is_gone(error: &anyhow::Error) -> bool {
    let errors = error.chain().filter_map(|error| error.downcast_ref::<std::io::Error>());
    errors.into_iter().any(|error| error.raw_os_error() == Some(GONE))
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_gone(&error) => {
            println!("The display is gone: {error:#}.");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
