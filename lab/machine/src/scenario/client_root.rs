// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The needs of a boot's client root: modules in the image, directories and files that QEMU sees, and the agent's mounts.

use std::path::Path;
use std::time::Duration;

use drydock_agent::protocol::{CLIENT_ROOT, ENTER_WORD, MODULE_DIR, Source};
use drydock_toolchain::module_tree::{self, ModuleTree};
use drydock_toolchain::root::Binds;

use super::boot::{Boot, ClientRoot, Share};
use crate::error::Error as VmError;
use crate::guest::Guest;
use crate::pace::patient;
use crate::qemu;

/// The kernel's own modules for the host's directories.
const MODULES_OF_SHARES: [&str; 2] = ["9pnet_virtio", "9p"];

/// The kernel's own modules for an image.
const MODULES_OF_IMAGES: [&str; 2] = ["virtio_blk", "erofs"];

/// Starts udev in a root that has it, as Debian's init does, unless it runs, and waits until it has handled all events. The daemon
/// reports no failure itself, so it must answer. In a root that is not the first process's, `udevadm` otherwise does nothing, and
/// succeeds.
const UDEV: &str = "daemon=/usr/lib/systemd/systemd-udevd; [ -x $daemon ] || exit 0
    export SYSTEMD_IGNORE_CHROOT=1
    answers() { udevadm control --ping --timeout=600; }
    answers 2>/dev/null || {
        $daemon --daemon && answers && udevadm trigger --type=subsystems --action=add &&
            udevadm trigger --type=devices --action=add
    } && udevadm settle --timeout=600";

/// The time limit for a program that prepares the root, on an idle host.
const PROGRAM_LIMIT: Duration = Duration::from_secs(60);

/// The name of the root itself among shares and disks.
const ROOT: &str = "root";

/// The directory of all shares inside the toolchain root.
const SHARES: &str = "/shares";

/// The directory of the image inside the toolchain root.
const DISK: &str = "/disk";

impl ClientRoot {
    /// Returns the kernel's own modules that it needs, with those for directories of the host if there are any.
    pub fn modules(&self, has_shares: bool) -> Vec<&'static str> {
        let mut modules = Vec::new();
        if has_shares || *self != Self::Guest {
            modules.extend(MODULES_OF_SHARES);
        }
        if *self != Self::Guest {
            modules.push("overlay");
        }
        if matches!(self, Self::Image(_)) {
            modules.extend(MODULES_OF_IMAGES);
        }
        modules
    }

    /// Waits until a client finds the devices, if this root has a udev.
    pub fn settle(&self, guest: &Guest) -> Result<(), VmError> {
        match self {
            Self::Image(_) => udev(guest),
            Self::Guest | Self::Host => Ok(()),
        }
    }

    /// Returns its path in the guest.
    pub fn path(&self) -> Option<&'static str> {
        (*self != Self::Guest).then_some(CLIENT_ROOT)
    }
}

impl Boot {
    /// Returns what of the host QEMU must see.
    pub(super) fn binds(&self) -> Binds {
        let bind = |binds: Binds, (number, share): (usize, &Share)| match share.writable {
            true => binds.write(&share.host, path(&tag(number))),
            false => binds.read(&share.host, path(&tag(number))),
        };
        let binds = self.all_shares().iter().enumerate().fold(Binds::none(), bind);
        match &self.root {
            ClientRoot::Guest => binds,
            ClientRoot::Host => binds.read("/", path(ROOT)),
            ClientRoot::Image(file) => binds.read(file.parent().unwrap_or(Path::new("/")), DISK),
        }
    }

    /// Returns the shares as QEMU gets them.
    pub(super) fn qemu_shares(&self) -> Vec<qemu::Share> {
        let share = |tag: String, writable| qemu::Share { path: path(&tag), tag, writable };
        let shares = self.all_shares();
        let shares = shares.iter().enumerate().map(|(number, wanted)| share(tag(number), wanted.writable));
        shares.chain((self.root == ClientRoot::Host).then(|| share(ROOT.into(), false))).collect()
    }

    /// Returns the directories of the host that the client sees, in the order of mounting.
    fn all_shares(&self) -> Vec<Share> {
        let tree = self.module_tree.as_ref().map(|tree| {
            let share = |host: &Path, at| Share { host: host.to_owned(), at, writable: false };
            let at = directory_of(tree);
            [share(&tree.indexes, at.clone()), share(&tree.kernel, format!("{at}/{}", module_tree::KERNEL))]
        });
        tree.into_iter().flatten().chain(self.shares.iter().cloned()).collect()
    }

    /// Returns the disks as QEMU gets them.
    pub(super) fn qemu_disks(&self) -> Vec<qemu::Disk> {
        match &self.root {
            ClientRoot::Image(file) => {
                let name = file.file_name().unwrap_or_default().to_string_lossy();
                vec![qemu::Disk { serial: ROOT.into(), path: format!("{DISK}/{name}") }]
            }
            _ => Vec::new(),
        }
    }

    /// Lets the agent mount what the client sees.
    pub(super) fn mount(&self, guest: &Guest) -> Result<(), VmError> {
        match &self.root {
            ClientRoot::Guest => {}
            ClientRoot::Host => guest.make_root(Source::Share(ROOT.into()))?,
            ClientRoot::Image(_) => {
                guest.make_root(Source::Disk(ROOT.into()))?;
                udev(guest)?;
            }
        }
        let inside = |at: &str| format!("{}{at}", self.root.path().unwrap_or_default());
        for (number, share) in self.all_shares().iter().enumerate() {
            guest.share(&tag(number), &inside(&share.at), share.writable)?;
        }
        if let Some(tree) = &self.module_tree {
            let updates = inside(&format!("{}/{}", directory_of(tree), module_tree::UPDATES));
            guest.check(&["mount", "-o", "bind", MODULE_DIR, &updates], patient(PROGRAM_LIMIT))?;
        }
        Ok(())
    }
}

/// Returns the place of the kernel's modules in the client's root.
fn directory_of(tree: &ModuleTree) -> String {
    format!("/lib/modules/{}", tree.release)
}

/// Runs [`UDEV`] in the client's root.
fn udev(guest: &Guest) -> Result<(), VmError> {
    let words = ["/init", ENTER_WORD, "--root", CLIENT_ROOT, "--", "sh", "-c", UDEV];
    guest.check(&words, patient(PROGRAM_LIMIT)).map(drop)
}

fn tag(number: usize) -> String {
    format!("share{number}")
}

fn path(tag: &str) -> String {
    format!("{SHARES}/{tag}")
}
