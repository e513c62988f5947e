// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Assigns device nodes to groups as on a Debian machine, where udev gives GPUs to the groups `video` and `render`.
//!
//! The kernel makes each node for root alone. Nodes that exist after a module was loaded, or before a program starts,
//! are assigned at once, so that no program has to wait. Later nodes are assigned when the kernel announces them.
//!
//! Source: systemd's rules.d/50-udev-default.rules; Documentation/driver-api/driver-model/uevent (netlink messages of
//! the kernel: `ACTION@PATH`, then `KEY=VALUE` strings, each ended by a zero byte).

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::Path,
    thread,
};

use rustix::net::{
    AddressFamily, RecvFlags, SocketType, bind,
    netlink::{KOBJECT_UEVENT, SocketAddrNetlink},
    recv, socket,
};

/// A kind of node: its directory, the beginning of its name, and its group.
struct Rule {
    directory: &'static str,
    begins: &'static str,
    group: u32,
}

// The group numbers are those of the image's /etc/group.
const VIDEO: u32 = 44;
const RENDER: u32 = 105;

const RULES: &[Rule] = &[
    Rule { directory: "/dev/dri", begins: "card", group: VIDEO },
    Rule { directory: "/dev/dri", begins: "renderD", group: RENDER },
    Rule { directory: "/dev/accel", begins: "accel", group: RENDER },
];

/// The home of the guest's ordinary user, as in the image's /etc/passwd.
const HOME: &str = "/home/user";
const USER: u32 = 1000;

/// Makes the user's home and begins to follow the kernel's announcements of devices.
pub(crate) fn prepare() -> Result<(), String> {
    let made = fs::create_dir_all(HOME).and_then(|()| chown(HOME, Some(USER), Some(USER)));
    made.map_err(|error| format!("cannot make `{HOME}`: {error}"))?;
    follow().map_err(|error| format!("cannot hear of devices: {error}"))
}

/// Assigns every node that is as the kernel made it to its group.
pub(crate) fn settle() {
    for rule in RULES {
        let entries = fs::read_dir(rule.directory).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(rule.begins)) {
            // The device may be removed meanwhile.
            let _ = give(&entry.path(), rule.group);
        }
    }
}

/// Assigns a node to a group, unless its owner or mode was changed already.
fn give(node: &Path, group: u32) -> io::Result<()> {
    let now = fs::symlink_metadata(node)?;
    if (now.uid(), now.gid(), now.permissions().mode() & 0o777) != (0, 0, 0o600) {
        return Ok(());
    }
    chown(node, None, Some(group))?;
    fs::set_permissions(node, fs::Permissions::from_mode(0o660))
}

fn follow() -> io::Result<()> {
    let events = socket(AddressFamily::NETLINK, SocketType::RAW, Some(KOBJECT_UEVENT))?;
    // Group 1 has the kernel's announcements; the kernel chooses our own number.
    bind(&events, &SocketAddrNetlink::new(0, 1))?;
    thread::spawn(move || {
        let mut message = vec![0; 16 << 10];
        loop {
            match recv(&events, &mut message, RecvFlags::empty()) {
                Ok((count, _)) if !is_of_a_gpu(&message[..count]) => {}
                // This includes lost messages (`ENOBUFS`): any of them may have announced a node.
                _ => settle(),
            }
        }
    });
    Ok(())
}

fn is_of_a_gpu(message: &[u8]) -> bool {
    let mut words = message.split(|byte| *byte == 0);
    words.any(|word| matches!(word, b"SUBSYSTEM=drm" | b"SUBSYSTEM=accel"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_about_a_gpu_is_told_from_others() {
        assert!(is_of_a_gpu(b"add@/devices/x/drm/card0\0ACTION=add\0SUBSYSTEM=drm\0MAJOR=226\0"));
        assert!(!is_of_a_gpu(b"add@/devices/x\0ACTION=add\0SUBSYSTEM=platform\0"));
    }

    #[test]
    fn node_that_was_changed_is_left_alone() {
        let file = std::env::temp_dir().join(format!("drydock-agent-node-{}", std::process::id()));
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o604)).unwrap();
        give(&file, RENDER).unwrap();
        let mode = fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        fs::remove_file(&file).unwrap();
        assert_eq!(mode, 0o604);
        assert!(give(&file, RENDER).is_err());
    }
}
