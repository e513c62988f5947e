// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The firmware that a driver loads: the published file, out of Debian's package, or one of our own making in the same
//! format where that cannot be had. Neither is ever in the checkout.
//!
//! Source: Documentation/driver-api/firmware/fw_search_path.rst for where the kernel looks for it.

mod package;

use std::convert::Infallible;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::cache::{CacheLayout, Lock, write_atomically};
use crate::error::{Context, Error, Kind, Result};
use crate::events::Events;

use package::Package;

/// A firmware that a driver asks the kernel for.
#[derive(Debug)]
pub(crate) struct Firmware {
    /// Where the kernel looks for it, below `/lib/firmware`.
    pub(crate) name: &'static str,
    /// What publishes it.
    package: Package,
    /// Says why bytes are no such firmware.
    check: fn(&[u8]) -> Result<(), String>,
    /// Makes one that hardware could not run and a model can play.
    build: fn() -> Vec<u8>,
}

/// That of a Mali-G610's microcontroller.
pub(crate) const MALI_CSF: Firmware = Firmware {
    name: "arm/mali/arch10.8/mali_csffw.bin",
    package: Package { name: "firmware-misc-nonfree", component: "non-free-firmware" },
    check: |file| csf_fw::Firmware::parse(file).map(drop).map_err(|error| error.to_string()),
    // The firmware's side of the shared section is the model's to write, as it is the microcontroller's.
    build: || csf_fw::builder::sample(&[]),
};

/// Which file to take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The published one.
    Real,
    /// One that is built here.
    Built,
    /// One that the user names.
    File(PathBuf),
}

impl FromStr for Choice {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "real" => Self::Real,
            "built" => Self::Built,
            path => Self::File(path.into()),
        })
    }
}

/// A firmware's file on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Supply {
    /// Where the kernel looks for it, below `/lib/firmware`.
    pub(crate) name: &'static str,
    /// Where it lies here.
    pub(crate) path: PathBuf,
    /// What it is, in a few words.
    pub(crate) origin: String,
}

/// The file of `firmware` that is chosen; without a choice the published one or, with a warning, a built one.
pub(crate) fn obtain(firmware: &Firmware, choice: Option<&Choice>, events: &Events) -> Result<Supply> {
    let cache = CacheLayout::of_user()?;
    match choice {
        Some(Choice::File(path)) => given(firmware, path),
        Some(Choice::Built) => built(firmware, &cache, events),
        Some(Choice::Real) => published(firmware, &cache, events),
        None => published(firmware, &cache, events).or_else(|error| match error.kind() {
            Kind::Interrupted => Err(error),
            _ => {
                events.warn(format!(
                    "the published firmware cannot be had, so one that is built here stands in: {}",
                    error.chain()
                ));
                built(firmware, &cache, events)
            }
        }),
    }
}

fn given(firmware: &Firmware, path: &Path) -> Result<Supply> {
    let what = || format!("cannot read the firmware `{}`", path.display());
    File::open(path).map_err(|error| Error::new(Kind::Usage, what()).caused_by(error))?;
    let path = fs::canonicalize(path).with_context(what)?;
    let origin = format!("given: {}", path.display());
    Ok(Supply { name: firmware.name, path, origin })
}

fn published(firmware: &Firmware, cache: &CacheLayout, events: &Events) -> Result<Supply> {
    let (_shared, _lock, directory) = enter(cache, "real", events)?;
    let path = directory.join(firmware.name);
    let package = &firmware.package;
    let version = match package.fetched(&path) {
        Some(version) => version,
        None => package.fetch(&cache.firmware().join("apt"), firmware, &path, events).map_err(|error| {
            let message = format!("cannot fetch `{}` of the package `{}`", firmware.name, package.name);
            let hint = format!(
                "it is in Debian's component `{}`; without it: `--firmware built`, or `--firmware PATH` of a file of yours",
                package.component
            );
            Error::new(error.kind(), message).caused_by(error).hint(hint)
        })?,
    };
    Ok(Supply { name: firmware.name, path, origin: format!("of {} {version}", package.name) })
}

fn built(firmware: &Firmware, cache: &CacheLayout, events: &Events) -> Result<Supply> {
    let (_shared, _lock, directory) = enter(cache, "built", events)?;
    let (path, bytes) = (directory.join(firmware.name), (firmware.build)());
    if fs::read(&path).ok().as_ref() != Some(&bytes) {
        write_atomically(&path, bytes)?;
    }
    Ok(Supply { name: firmware.name, path, origin: "built here: the format is real, the contents are ours".into() })
}

/// The cache's directory of that name: nobody removes the cache, or makes the same, while the locks live.
fn enter(cache: &CacheLayout, name: &str, events: &Events) -> Result<(Lock, Lock, PathBuf)> {
    let shared = Lock::shared(cache, events)?;
    let lock = Lock::of_directory(&cache.firmware(), events)?;
    Ok((shared, lock, cache.firmware().join(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_or_a_path_says_which() {
        let parse = |text: &str| text.parse::<Choice>().unwrap();
        assert_eq!((parse("real"), parse("built")), (Choice::Real, Choice::Built));
        assert_eq!(parse("./real"), Choice::File("./real".into()));
    }

    #[test]
    fn what_is_built_is_what_is_wanted() {
        (MALI_CSF.check)(&(MALI_CSF.build)()).unwrap();
        assert!((MALI_CSF.check)(&[0x5a; 64]).unwrap_err().contains("0x5a5a5a5a"));
    }

    #[test]
    fn a_built_one_lies_under_its_name_and_is_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let cache = CacheLayout::at(dir.path().to_owned());
        let supply = built(&MALI_CSF, &cache, &Events::silent()).unwrap();
        assert!(supply.path.ends_with("firmware/built/arm/mali/arch10.8/mali_csffw.bin"));
        let made = fs::metadata(&supply.path).unwrap().modified().unwrap();
        assert_eq!(built(&MALI_CSF, &cache, &Events::silent()).unwrap(), supply);
        assert_eq!(fs::metadata(&supply.path).unwrap().modified().unwrap(), made);
    }

    #[test]
    fn a_file_that_is_not_there_is_the_users_mistake() {
        let error = given(&MALI_CSF, Path::new("/nowhere/fw.bin")).unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (Kind::Usage, "cannot read the firmware `/nowhere/fw.bin`")
        );
    }
}
