// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The calls of a storm on a display that are not ioctls of the table: its connectors are forced on and off, and
//! programs draw on its console.
//!
//! Source: `drivers/gpu/drm/drm_sysfs.c`, `drm_debugfs.c`, `include/uapi/linux/fb.h` (Linux 7.3).

use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::io::Errno;
use sys::{Answer, ioctl_raw, nodes};
use uapi::fb::*;

use super::client::Client;
use super::table::{Row, call};

const CONSOLE_IOCTLS: [u32; 5] =
    [FBIOPUT_VSCREENINFO, FBIOGET_FSCREENINFO, FBIOPAN_DISPLAY, FBIOBLANK, FBIO_WAITFORVSYNC.number];

/// The calls on a display, with their weights.
pub(super) const CALLS: &[Row] = &[
    call("connector status", 3, connector_status),
    call("connector override", 1, connector_override),
    call("write to fb0", 4, write_console),
    call("ioctl of fb0", 3, console_ioctl),
];

fn pick<T: Clone>(client: &mut Client<'_>, values: &[T]) -> Answer<T> {
    let chosen = client.random.usize(..values.len().max(1));
    values.get(chosen).cloned().ok_or(Errno::NOENT)
}

/// Forces a connector on or off, or probes it.
fn connector_status(client: &mut Client<'_>) -> Answer {
    let cards = nodes_of("/dev/dri", "card");
    let card = pick(client, &cards)?;
    let file = pick(client, &nodes::connector_status(&card))?;
    let word = pick(client, &["detect", "on", "off", "on-digital", "never"])?;
    sys::write(&file.to_string_lossy(), word)
}

/// Writes a connector's files in debugfs: another EDID, or another state.
fn connector_override(client: &mut Client<'_>) -> Answer {
    let devices = nodes_of("/sys/kernel/debug/dri", "");
    let device = pick(client, &devices)?;
    let connectors = nodes_of(&device, "Virtual-");
    let connector = pick(client, &connectors)?;
    let (file, text) = match client.random.u8(..4) {
        0 => ("force", pick(client, &["on", "off", "unspecified"])?.into()),
        1 => ("edid_override", b"reset".to_vec()),
        _ => ("edid_override", (0..128).map(|_| client.random.u8(..)).collect()),
    };
    let file = sys::open(connector.join(file), OFlags::WRONLY)?;
    rustix::io::write(file, &text).map(drop)
}

/// Returns the entries of a folder that begin with a word, in a reproducible order.
fn nodes_of(folder: impl AsRef<Path>, start: &str) -> Vec<PathBuf> {
    let listed = fs::read_dir(folder).into_iter().flatten().flatten();
    let fitting = listed.filter(|entry| entry.file_name().to_string_lossy().starts_with(start));
    let mut paths: Vec<_> = fitting.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// Draws on the console, beyond its end as well.
fn write_console(client: &mut Client<'_>) -> Answer {
    let node = pick(client, &nodes_of("/dev", "fb"))?;
    let file = sys::open(node, OFlags::RDWR | OFlags::NONBLOCK)?;
    let offset = pick(client, &[0, 0, 4096, 1024 * 768 * 4 - 16, 1 << 40])?;
    let length = client.random.usize(1..8192);
    let drawn = rustix::io::pwrite(&file, &vec![client.random.u8(..); length], offset).map(drop);
    match client.random.u8(..4) {
        // The file stays open, also while the display is unplugged.
        0 => client.keep(file, None),
        _ => sys::close(file)?,
    }
    drawn
}

fn console_ioctl(client: &mut Client<'_>) -> Answer {
    let node = pick(client, &nodes_of("/dev", "fb"))?;
    let file = sys::open(node, OFlags::RDWR | OFlags::NONBLOCK)?;
    let number = pick(client, &CONSOLE_IOCTLS)?;
    client.window.begin();
    let size = pick(client, &[0_u32, 64, 640, 1024])?;
    let words = [size, 768, size, 768, 0, 0, 32].into_iter().chain(std::iter::repeat_n(0, 33));
    let bytes: Vec<u8> = words.flat_map(u32::to_ne_bytes).collect();
    let argument = match number {
        // Blanking takes a level and no address.
        FBIOBLANK => client.random.usize(..6),
        _ => client.window.put(&bytes),
    };
    // SAFETY: the structure is in the window, which is longer than any structure of these calls.
    unsafe { ioctl_raw(file.as_fd(), number, argument) }.map(drop)
}
