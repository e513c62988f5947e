// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Displays with more outputs than the usual one, and a second device beside the first.
//!
//! Source: Documentation/gpu/vkms.rst for the tree in configfs; our driver takes module parameters.

use std::ffi::CStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::harness::check::{Outcome, fail, skip};
use crate::harness::modules;
use crate::subjects::device::DrmFile;
use crate::subjects::driver::Driver;
use crate::subjects::guest::Guest;
use crate::works;

use super::{Card, NAME};

/// Where configfs is mounted.
const CONFIGFS: &str = "/sys/kernel/config";

/// The name of the devices that are made here.
const MADE: &str = "drydock";

/// Devices that a case has made. They go when this value is dropped, for which their files must be closed.
#[derive(Debug)]
pub(crate) enum Setup {
    /// A device that was described in configfs, beside the first one.
    Described { folder: PathBuf, card: Card },
    /// The driver, loaded with other parameters.
    Reloaded { driver: Driver },
}

impl Setup {
    /// Makes a device with this many outputs. The first device may be gone meanwhile.
    pub(crate) fn outputs(guest: &Guest, count: u32) -> Outcome<(Self, Card)> {
        if guest.driver == Driver::CVkms {
            let setup = Self::described(guest, count)?;
            let Self::Described { card, .. } = &setup else { return fail("the device was not described") };
            let card = card.clone();
            return Ok((setup, card));
        }
        let parameters = std::ffi::CString::new(format!("outputs={count}")).expect("a number has no zero byte");
        let (setup, card) = Self::with(guest, &parameters)?;
        match works!(works!(DrmFile::open(&card.primary)).resource_counts()).count_crtcs {
            made if made == count => Ok((setup, card)),
            made => skip(format!("the driver made {made} outputs instead of {count}")),
        }
    }

    /// Loads the driver again with other parameters. Returns its first device.
    pub(crate) fn with(guest: &Guest, parameters: &CStr) -> Outcome<(Self, Card)> {
        unload(guest.driver)?;
        let setup = Self::Reloaded { driver: guest.driver };
        // A parameter that a module does not have is ignored.
        works!(guest.modules()?.load_with(parameters));
        let card = Card::first(guest)?;
        Ok((setup, card))
    }

    /// Makes a second device beside the first.
    pub(crate) fn second(guest: &Guest) -> Outcome<(Self, [Card; 2])> {
        let first = Card::first(guest)?;
        if guest.driver == Driver::CVkms {
            let setup = Self::described(guest, 1)?;
            let Self::Described { card, .. } = &setup else { return fail("the device was not described") };
            let cards = [first, card.clone()];
            return Ok((setup, cards));
        }
        let (setup, _) = Self::with(guest, c"devices=2")?;
        match <[Card; 2]>::try_from(Card::all(guest.driver)) {
            Ok(cards) => Ok((setup, cards)),
            Err(cards) if cards.len() == 1 => skip("the driver has one device"),
            Err(cards) => fail(format!("expected two devices, got {}", cards.len())),
        }
    }

    /// Describes a device in configfs and enables it.
    fn described(guest: &Guest, outputs: u32) -> Outcome<Self> {
        Card::first(guest)?;
        if !Path::new(CONFIGFS).join(NAME).is_dir() {
            let flags = rustix::mount::MountFlags::empty();
            fs::create_dir_all(CONFIGFS)?;
            works!(rustix::mount::mount("configfs", CONFIGFS, "configfs", flags, None));
        }
        let folder = Path::new(CONFIGFS).join(NAME).join(MADE);
        clear(&folder);
        fs::create_dir(&folder)?;
        for number in 0..outputs {
            let of = |kind: &str| folder.join(kind).join(number.to_string());
            let [crtc, encoder, connector] = ["crtcs", "encoders", "connectors"].map(of);
            [&crtc, &encoder, &connector].iter().try_for_each(fs::create_dir)?;
            symlink(&crtc, encoder.join("possible_crtcs/it"))?;
            symlink(&encoder, connector.join("possible_encoders/it"))?;
            for (name, kind) in [("primary", 1), ("cursor", 2)] {
                let plane = folder.join("planes").join(format!("{name}{number}"));
                fs::create_dir(&plane)?;
                fs::write(plane.join("type"), kind.to_string())?;
                symlink(&crtc, plane.join("possible_crtcs/it"))?;
            }
        }
        fs::write(folder.join("enabled"), "1")?;
        let is_made = |card: &Card| card.parent.file_name().is_some_and(|name| name == MADE);
        match Card::all(guest.driver).into_iter().find(is_made) {
            Some(card) => Ok(Self::Described { folder, card }),
            None => fail("the device that was described has no node"),
        }
    }
}

impl Drop for Setup {
    fn drop(&mut self) {
        match self {
            Self::Described { folder, .. } => {
                clear(folder);
                // A mount keeps the module of configfs. A mount that is in use stays.
                let _ = rustix::mount::unmount(CONFIGFS, rustix::mount::UnmountFlags::empty());
            }
            // The next case that opens the device loads the driver again, without parameters. An error shows there.
            Self::Reloaded { driver } => drop(modules::remove(driver.module())),
        }
    }
}

/// Unloads a driver whose devices no process uses.
fn unload(driver: Driver) -> Outcome {
    match modules::remove(driver.module()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => fail(format!("`{}` cannot be unloaded: {errno}", driver.module())),
    }
}

/// Removes a device from configfs, with what it consists of: links first, then folders from the inside. What is not there
/// cannot be removed, which is no error.
fn clear(folder: &Path) {
    let _ = fs::write(folder.join("enabled"), "0");
    for part in ["planes", "connectors", "encoders", "crtcs"] {
        for each in fs::read_dir(folder.join(part)).into_iter().flatten().flatten() {
            for link in ["possible_crtcs/it", "possible_encoders/it"] {
                let _ = fs::remove_file(each.path().join(link));
            }
            let _ = fs::remove_dir(each.path());
        }
    }
    let _ = fs::remove_dir(folder);
}
