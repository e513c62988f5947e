// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Warns about devices that the root's libdrm cannot see. An empty list of devices is then not the driver's fault.
//!
//! Source: libdrm 2.4.124, `drmParseSubsystemType`: it knows neither the faux nor the auxiliary bus; 2.4.134 does.

use drydock_base::events::Events;
use drydock_machine::error::Error;
use drydock_machine::guest::Guest;

/// Buses that it does not know.
const BUSES: [&str; 2] = ["faux", "auxiliary"];

/// Clients that list devices through libdrm.
const CLIENTS: [&str; 2] = ["drmdevice", "modetest"];

/// Warns if `client` lists devices and libdrm will miss one.
pub(super) fn warn_of_unlisted(guest: &Guest, client: &[String], events: &Events) -> Result<(), Error> {
    if !client.iter().any(|word| lists_devices(word)) {
        return Ok(());
    }
    for bus in BUSES {
        let devices = format!("/sys/bus/{bus}/devices");
        for device in guest.list(&devices).unwrap_or_default() {
            if guest.list(&format!("{devices}/{device}")).is_ok_and(|files| files.iter().any(|file| file == "drm")) {
                events.warn(format!(
                    "the device `{device}` is on the {bus} bus, which this guest's libdrm does not know: it lists no such \
                     device (`lsgpu` does)"
                ));
            }
        }
    }
    Ok(())
}

fn lists_devices(word: &str) -> bool {
    word.split(|c: char| c.is_whitespace() || "/;&|()".contains(c)).any(|part| CLIENTS.contains(&part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_is_known_by_its_name_in_a_path_or_a_script() {
        for word in ["drmdevice", "/usr/bin/drmdevice", "drmdevice | head", "(cd /tmp; drmdevice)"] {
            assert!(lists_devices(word), "{word}");
        }
        assert!(!lists_devices("lsgpu") && !lists_devices("my-drmdevice"));
    }
}
