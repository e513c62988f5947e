// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Finds a virtio-serial port by its name.
//!
//! Source: Documentation/ABI/testing/sysfs-class and drivers/char/virtio_console.c for the `name` attribute under
//! `/sys/class/virtio-ports`; udev would make links of it, but there is none here.

use std::{
    fs::{self, File},
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

/// Time limit until the ports appear; the lab's limit for a boot is longer. The bus is scanned before the first process
/// starts, but the host answers the port's control messages at any time.
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
        // No event announces a new port without a uevent socket, and a boot waits here at most once.
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
