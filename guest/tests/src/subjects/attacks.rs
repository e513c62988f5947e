// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Gives cases the driver that attacks the library: its devices, and its lines in the kernel log.
//!
//! Source: `kernel/tests/attacks`; docs/how-to/add-an-attack.md explains how to add an attack.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use sys::{Answer, Mapping};
use uapi::{ATTACK_PLUGGED as PLUGGED, ATTACK_RUN as RUN, ATTACK_TRAP as TRAP, Attack};

use crate::harness::check::{Outcome, fail};
use crate::harness::modules;
use crate::harness::trace::Trace;
use crate::subjects::bus::edu_address;
use crate::subjects::device::DrmFile;
use crate::subjects::guest::Guest;
use crate::subjects::lifecycle::node;
use crate::works;

const DEVICES: &str = "/sys/bus/platform/devices";
const DRIVER: &str = "/sys/bus/platform/drivers/attacks";

/// A callback in which the driver can attack, `ATTACK_IN_…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Callback {
    FileOpen = 1,
    FileClose = 2,
    FileDrop = 3,
    Fdinfo = 4,
    FilePage = 5,
    ObjectNew = 6,
    ObjectDumb = 7,
    ObjectImport = 8,
    ObjectOpen = 9,
    ObjectClose = 10,
    ObjectDrop = 11,
    Unplugged = 12,
    HardwareDrop = 13,
    Work = 14,
    SpaceDrop = 15,
    Action = 16,
    DataDrop = 17,
    DriverPage = 18,
    Suspend = 19,
    Resume = 20,
}

impl Callback {
    /// The callback's name in the driver's log.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::FileOpen => "file-open",
            Self::FileClose => "file-close",
            Self::FileDrop => "file-drop",
            Self::Fdinfo => "fdinfo",
            Self::FilePage => "file-page",
            Self::ObjectNew => "object-new",
            Self::ObjectDumb => "object-dumb",
            Self::ObjectImport => "object-import",
            Self::ObjectOpen => "object-open",
            Self::ObjectClose => "object-close",
            Self::ObjectDrop => "object-drop",
            Self::Unplugged => "unplugged",
            Self::HardwareDrop => "hardware-drop",
            Self::Work => "work",
            Self::SpaceDrop => "space-drop",
            Self::Action => "action",
            Self::DataDrop => "data-drop",
            Self::DriverPage => "driver-page",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
        }
    }
}

/// An attack that an ioctl performs, `ATTACK_…`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    Make = 1,
    VmapHuge = 2,
    VmapBounds = 3,
    SyncBounds = 4,
    Sibling = 5,
    Exclusive = 6,
    Spaces = 7,
    SpaceExtremes = 8,
    OwnCallback = 9,
    StatusInCallback = 10,
    Forever = 11,
    Chain = 12,
    Late = 13,
    Crowded = 14,
    Wait = 15,
    Hoard = 16,
    Keep = 17,
    LetGo = 18,
    Handles = 19,
    Prepared = 20,
    Pending = 21,
    Again = 22,
    Hide = 23,
    ShowInPage = 24,
    Leak = 25,
    Interrupt = 26,
    Children = 27,
    ChildFails = 28,
    AtClose = 29,
    Offset = 30,
    OwnCallbackDrop = 31,
    Register = 32,
    OtherCallbacks = 33,
}

/// The driver, freshly loaded, and everything that its modules log from then on.
#[derive(Debug)]
pub(crate) struct Test<'a> {
    guest: &'a Guest,
    pub(crate) trace: Trace,
}

impl<'a> Test<'a> {
    /// Loads the driver again, with the two platform devices.
    pub(crate) fn new(guest: &'a Guest) -> Outcome<Self> {
        let test = Self::without_driver(guest)?;
        test.load("attacks")?;
        Ok(test)
    }

    /// Creates only the devices; the driver binds to them when it is loaded.
    pub(crate) fn without_driver(guest: &'a Guest) -> Outcome<Self> {
        for module in ["attacks", "lifecycle", "lifecycle_devices"] {
            match modules::remove(module) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => return fail(format!("`{module}` is still loaded from an earlier case: {errno}")),
            }
        }
        let test = Self { guest, trace: Trace::from_now()? };
        for module in ["failnth", "lifecycle_devices"] {
            test.load(module)?;
        }
        for device in 0..2 {
            works!(sys::write(&format!("{DEVICES}/lifecycle.{device}/driver_override"), "attacks"));
        }
        Ok(test)
    }

    /// Opens another file of the first platform device's render node.
    pub(crate) fn reopen() -> Outcome<Client> {
        match render_node(0) {
            Some(node) => Client::open(&node),
            None => fail("the first device has no render node"),
        }
    }

    /// Loads a module of the folder, and the modules that it needs.
    pub(crate) fn load(&self, module: &str) -> Outcome {
        match self.guest.modules()?.of(module)?.load() {
            Ok(()) => Ok(()),
            Err(errno) => fail(format!("`{module}` cannot be loaded: {errno}")),
        }
    }

    /// Opens the render node of a platform device.
    pub(crate) fn open(&self, device: u32) -> Outcome<Client> {
        match render_node(device) {
            Some(node) => Client::open(&node),
            None => fail(format!("`lifecycle.{device}` has no render node")),
        }
    }

    /// Returns the answers that the driver got in a callback of device `id`, without the last line.
    pub(crate) fn answers(&mut self, id: u32, callback: Callback) -> Outcome<Vec<(String, i32)>> {
        let start = format!("{id}: {} ", callback.name());
        self.trace.wait_for(&format!("{start}ends"))?;
        let lines = self.trace.lines().iter().filter_map(|line| line.strip_prefix(&start));
        let answers = lines.filter_map(|line| line.rsplit_once(' '));
        Ok(answers.filter_map(|(function, answer)| Some((function.to_owned(), answer.parse().ok()?))).collect())
    }

    /// Unloads the driver, and checks that nothing of it is left and that the library did not miss a device.
    pub(crate) fn unload(&mut self) -> Outcome {
        if let Err(errno) = modules::remove("attacks") {
            return fail(format!("`attacks` cannot be unloaded: {errno}; {}", self.trace.told()));
        }
        match self.trace.count("never released") {
            0 => Ok(()),
            _ => fail(format!("a device is left: {}", self.trace.told())),
        }
    }
}

/// Returns the render node of a platform device.
pub(crate) fn render_node(device: u32) -> Option<PathBuf> {
    node(&format!("lifecycle.{device}"), "renderD")
}

/// Binds a device to the driver; `Test::new` does so for both devices.
pub(crate) fn bind(device: u32) -> Answer {
    sys::write(&format!("{DRIVER}/bind"), &format!("lifecycle.{device}"))
}

/// Unbinds a device from the driver.
pub(crate) fn unbind(device: u32) -> Answer {
    sys::write(&format!("{DRIVER}/unbind"), &format!("lifecycle.{device}"))
}

/// Returns the sysfs folder of QEMU's `edu`, if the machine has that device. It belongs to the driver once the driver
/// is loaded.
pub(crate) fn edu() -> Option<PathBuf> {
    Some(Path::new("/sys/bus/pci/devices").join(edu_address()?))
}

/// Finds the render node of a device by the device's folder.
pub(crate) fn render_node_in(folder: &Path) -> Option<PathBuf> {
    let listed = fs::read_dir(folder.join("drm")).ok()?.flatten();
    let node = listed.map(|entry| entry.file_name()).find(|name| name.to_string_lossy().starts_with("renderD"))?;
    Some(Path::new("/dev/dri").join(node))
}

/// An open file of the driver.
#[derive(Debug)]
pub(crate) struct Client(pub(crate) DrmFile);

impl Client {
    /// Opens a node.
    pub(crate) fn open(node: &Path) -> Outcome<Self> {
        match DrmFile::open(node) {
            Ok(file) => Ok(Self(file)),
            Err(errno) => fail(format!("`{}` cannot be opened: {errno}", node.display())),
        }
    }

    /// Performs an attack.
    pub(crate) fn run(&self, what: What, handle: u32, value: u64) -> Answer<Attack> {
        self.0.ioctl(&RUN, Attack { what: what as u32, handle, value })
    }

    /// Performs an attack while the device is plugged.
    pub(crate) fn plugged(&self, what: What, handle: u32, value: u64) -> Answer<Attack> {
        self.0.ioctl(&PLUGGED, Attack { what: what as u32, handle, value })
    }

    /// Makes the next call of a callback of this device an attack.
    pub(crate) fn trap(&self, callback: Callback) -> Answer {
        self.0.ioctl(&TRAP, Attack { what: callback as u32, handle: 0, value: 0 }).map(drop)
    }

    /// Performs an attack when the next file of this device is closed, whether the device is plugged then or not.
    pub(crate) fn at_close(&self, what: What, value: u64) -> Answer {
        self.run(What::AtClose, what as u32, value).map(drop)
    }

    /// Creates an object and returns its handle.
    pub(crate) fn make(&self, bytes: usize) -> Answer<u32> {
        Ok(self.run(What::Make, 0, bytes as u64)?.handle)
    }

    /// Maps an object, shared, to read and write. (`MODE_MAP_DUMB` refuses a render client.)
    pub(crate) fn map(&self, handle: u32, len: usize) -> Answer<Mapping> {
        Mapping::shared(&self.0, self.run(What::Offset, handle, 0)?.value, len)
    }
}
