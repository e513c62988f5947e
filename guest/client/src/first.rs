// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Waits until the kernel announces a device node, and is the first to open it.
//!
//! Source: netlink(7), `NETLINK_KOBJECT_UEVENT`; `lib/kobject_uevent.c` for the format of an announcement.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::io::Errno;
use rustix::net::netlink::{KOBJECT_UEVENT, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};

use crate::card::Card;

/// Time limit until an announced node can be opened, on an idle machine: the kernel announces it a little earlier.
const MOMENT: Duration = Duration::from_secs(5);

/// Prints `waiting`, waits for the next primary node and opens it. Also logs this to the kernel's log, which has the
/// time.
pub(crate) fn run(patience: u32) -> anyhow::Result<()> {
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(KOBJECT_UEVENT));
    let socket = socket.context("failed to make a socket for announcements")?;
    // The first group has the kernel's own announcements.
    bind(&socket, &SocketAddrNetlink::new(0, 1)).context("failed to listen to announcements")?;
    println!("waiting");
    std::io::stdout().flush().context("failed to write to stdout")?;
    let mut message = vec![0; 8192];
    let node = loop {
        let (length, _) =
            recv(&socket, &mut message[..], RecvFlags::empty()).context("failed to hear announcements")?;
        if let Some(node) = announced(&message[..length]) {
            break format!("/dev/{node}");
        }
    };
    let (card, refused) = open(Path::new(&node), MOMENT * patience)?;
    let driver = card.describe()?;
    // This only helps readers of the log. Outside of a guest the log may not be writable.
    let _ = std::fs::write("/dev/kmsg", format!("drydock-client: opened {node}, driven by {driver}\n"));
    println!("The kernel announced {node}; it is driven by {driver}.");
    if refused > 0 {
        println!("It was announced before it could be opened: {refused} attempts were refused.");
    }
    Ok(())
}

/// Returns the name below /dev that an announcement gives to a new primary node.
fn announced(message: &[u8]) -> Option<&str> {
    let fields = || message.split(|byte| *byte == 0).filter_map(|field| std::str::from_utf8(field).ok());
    let is_new = fields().any(|field| field == "ACTION=add") && fields().any(|field| field == "SUBSYSTEM=drm");
    let name = fields().find_map(|field| field.strip_prefix("DEVNAME="))?;
    (is_new && name.starts_with("dri/card")).then_some(name)
}

/// Opens a node that was just announced. Also returns how often the open failed before.
fn open(node: &Path, patience: Duration) -> anyhow::Result<(Card, usize)> {
    let began = Instant::now();
    let mut refused = 0;
    loop {
        let error = match Card::open(node) {
            Ok(card) => return Ok((card, refused)),
            Err(error) => error,
        };
        let errno = error.downcast_ref::<std::io::Error>().and_then(Errno::from_io_error);
        let not_yet = matches!(errno, Some(Errno::NOENT | Errno::NODEV));
        if !not_yet || began.elapsed() >= patience {
            return Err(error);
        }
        // There is no event to wait for: the kernel announces a node once.
        std::thread::sleep(Duration::from_micros(200));
        refused += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_primary_node_is_what_is_waited_for() {
        let message = |action: &str, name: &str| {
            format!("{action}@/devices/x\0ACTION={action}\0SUBSYSTEM=drm\0MAJOR=226\0DEVNAME={name}\0").into_bytes()
        };
        assert_eq!(announced(&message("add", "dri/card0")), Some("dri/card0"));
        assert_eq!(announced(&message("add", "dri/renderD128")), None);
        assert_eq!(announced(&message("remove", "dri/card0")), None);
        assert_eq!(announced(b"add@/devices/y\0ACTION=add\0SUBSYSTEM=pci\0"), None);
        assert_eq!(announced(&[0xff, 0, 0xfe]), None);
    }

    #[test]
    fn a_node_that_does_not_exist_in_time_is_an_error() {
        assert!(open(Path::new("/proc/self/none/card0"), Duration::ZERO).is_err());
    }
}
