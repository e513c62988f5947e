// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Finding a virtio-serial port by its name.
//!
//! Source: Documentation/ABI/testing/sysfs-class and drivers/char/virtio_console.c for the `name`
//! attribute under `/sys/class/virtio-ports`; udev would make links of it, but there is none here.

use std::{
    fs::{self, File},
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

/// How long the ports may take to appear; the lab gives up a boot later. The bus is scanned before the first process starts, but the
/// host answers the port's control messages when it pleases.
const PATIENCE: Duration = Duration::from_secs(240);

/// Opens the port called `name` for reading and writing.
pub(crate) fn open(name: &str) -> Result<File, String> {
    let path = find(name)?;
    File::options()
        .read(true)
        .write(true)
        .open(&path)
        .map_err(|error| format!("cannot open `{}`: {error}", path.display()))
}

/// Waits for the port called `name` and returns its device node.
pub(crate) fn find(name: &str) -> Result<PathBuf, String> {
    let start = Instant::now();
    loop {
        if let Some(path) = search(name) {
            return Ok(path);
        }
        if start.elapsed() > PATIENCE {
            return Err(format!("no virtio port named `{name}` appeared"));
        }
        // No event tells of a new port without a uevent socket; a boot waits here once at most.
        thread::sleep(Duration::from_millis(5));
    }
}

fn search(name: &str) -> Option<PathBuf> {
    for entry in fs::read_dir("/sys/class/virtio-ports").ok()?.flatten() {
        let Ok(found) = fs::read_to_string(entry.path().join("name")) else { continue };
        if found.trim_end() == name {
            let node = PathBuf::from("/dev").join(entry.file_name());
            return node.exists().then_some(node);
        }
    }
    None
}
