// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The screens as QEMU shows them: a witness that asks neither the guest's kernel nor its driver.
//!
//! Only devices that show a framebuffer in their memory as it is are compared. QEMU draws the cursor of `virtio-gpu` itself, and
//! `cirrus` has fewer colours than its client's framebuffer.
//!
//! Source: QEMU's QMP reference for `query-pci` and `screendump`; docs/specs/standard-vga.rst.

use std::fs::File;
use std::io::{self, Read, Seek};

use serde_json::Value;

use super::monitor::{self, Shared};

/// The PCI vendor and device of `bochs-display`.
const PLAIN: (u64, u64) = (0x1234, 0x1111);

/// QEMU's screens.
pub(crate) struct Display {
    monitor: Shared,
    /// The file that QEMU writes pictures to. The lock on the monitor is held while it is used.
    file: File,
    /// Its path as QEMU sees it.
    path: &'static str,
}

impl Display {
    /// Returns the screens of a QEMU that finds `file` as `path`.
    pub(crate) fn new(monitor: Shared, file: File, path: &'static str) -> Self {
        Self { monitor, file, path }
    }

    /// Returns QEMU's name for the device at a PCI address of the guest, if QEMU shows its framebuffer.
    pub(crate) fn device(&self, address: &str) -> io::Result<Option<String>> {
        let buses = monitor::lock(&self.monitor).pci_devices()?;
        Ok(find(&buses, address))
    }

    /// Returns what a device shows, as a PNG file.
    pub(crate) fn dump(&self, device: &str) -> io::Result<Vec<u8>> {
        let mut monitor = monitor::lock(&self.monitor);
        monitor.dump_screen(device, self.path)?;
        let mut file = &self.file;
        file.rewind()?;
        let mut png = Vec::new();
        file.read_to_end(&mut png)?;
        Ok(png)
    }
}

/// Finds a device that shows its framebuffer by its address, among QEMU's PCI buses. A bridge has buses of its own.
fn find(buses: &Value, address: &str) -> Option<String> {
    buses
        .as_array()?
        .iter()
        .filter_map(|bus| bus["devices"].as_array())
        .flatten()
        .find_map(|device| in_or_behind(device, address))
}

fn in_or_behind(device: &Value, address: &str) -> Option<String> {
    let behind = || device["pci_bridge"]["devices"].as_array()?.iter().find_map(|device| in_or_behind(device, address));
    named(device, address).or_else(behind)
}

/// Returns the device's name if it is the one at `address` and shows its framebuffer.
fn named(device: &Value, address: &str) -> Option<String> {
    let number = |name: &str| device[name].as_u64();
    let own = format!("0000:{:02x}:{:02x}.{:x}", number("bus")?, number("slot")?, number("function")?);
    let id = (device["id"]["vendor"].as_u64()?, device["id"]["device"].as_u64()?);
    let name = device["qdev_id"].as_str().filter(|name| !name.is_empty())?;
    (own == address && id == PLAIN).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::os::unix::net::UnixStream;
    use std::sync::{Arc, Mutex};

    use serde_json::json;

    use super::*;
    use crate::monitor::Monitor;

    fn device(slot: u64, device: u64, name: &str) -> Value {
        let id = json!({ "vendor": 0x1234, "device": device });
        json!({ "bus": 0, "slot": slot, "function": 0, "id": id, "qdev_id": name })
    }

    #[test]
    fn only_a_device_with_a_plain_framebuffer_is_found_by_its_address() {
        let mut bridge = device(4, 1, "bridge");
        let mut behind = device(0, 0x1111, "device1");
        behind["bus"] = json!(1);
        bridge["pci_bridge"] = json!({ "bus": {}, "devices": [behind] });
        let devices = json!([device(2, 0x11e8, "edu"), device(3, 0x1111, "device0"), bridge, device(5, 0x1111, "")]);
        let buses = json!([{ "bus": 0, "devices": devices }]);
        let found = |address| find(&buses, address);
        assert_eq!(found("0000:00:03.0").as_deref(), Some("device0"));
        assert_eq!(found("0000:01:00.0").as_deref(), Some("device1"));
        for other in ["0000:00:02.0", "0000:00:05.0", "0000:00:06.0", "vkms"] {
            assert_eq!(found(other), None, "{other}");
        }
    }

    #[test]
    fn picture_is_what_qemu_has_written_to_the_file() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let file = tempfile::tempfile().unwrap();
        let mut written = file.try_clone().unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(&theirs).lines() {
                let request: Value = serde_json::from_str(&line.unwrap()).unwrap();
                if request["execute"] == "screendump" {
                    assert_eq!(request["arguments"], json!({ "device": "d", "filename": "/f", "format": "png" }));
                    written.set_len(0).unwrap();
                    written.rewind().unwrap();
                    written.write_all(b"png").unwrap();
                }
                writeln!(&theirs, "{}", json!({ "return": {}, "id": request["id"] })).unwrap();
            }
        });
        let display = Display::new(Arc::new(Mutex::new(Monitor::new(ours))), file, "/f");
        for _ in 0..2 {
            assert_eq!(display.dump("d").unwrap(), b"png");
        }
    }
}
