// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The firmware that a driver loads: the published file from Debian's package, or a file of our own in the same format
//! if the package is not available. Neither is ever in the checkout.
//!
//! Source: Documentation/driver-api/firmware/fw_search_path.rst for where the kernel looks for it.

mod package;

use std::fs;
use std::path::{Path, PathBuf};

use drydock_base::cache::{CacheLayout, Lock, write_atomically};
use drydock_base::error::{Context, Error, Kind, Result};
use drydock_base::events::Events;

use package::Package;

/// A firmware that a driver requests from the kernel.
#[derive(Debug)]
pub struct Firmware {
    /// The path below `/lib/firmware` at which the kernel looks for it.
    pub name: &'static str,
    /// The package that publishes it.
    package: Package,
    /// Explains why bytes are not this firmware.
    check: fn(&[u8]) -> Result<(), String>,
    /// Builds a file that hardware could not run but a model can play.
    build: fn() -> Vec<u8>,
}

/// The largest accepted file in bytes. No firmware is as large, and it must fit in a guest.
const LARGEST: u64 = 64_000_000;

/// The firmware of a Mali-G610's microcontroller.
pub const MALI_CSF: Firmware = Firmware {
    name: "arm/mali/arch10.8/mali_csffw.bin",
    package: Package { name: "firmware-misc-nonfree", component: "non-free-firmware" },
    check: |file| csf_fw::Firmware::parse(file).map(drop).map_err(|error| error.to_string()),
    // The model writes the firmware's side of the shared section, as the microcontroller would.
    build: || csf_fw::builder::sample(&[]),
};

/// The firmware file to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The published file.
    Real,
    /// A file built here.
    Built,
    /// A file that the user names.
    File(PathBuf),
    /// A file that the user names, whatever it contains.
    Unchecked(PathBuf),
}

impl Choice {
    /// Parses the value of `--firmware`. Refuses a file that is no firmware before anything else happens.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "real" => Ok(Self::Real),
            "built" => Ok(Self::Built),
            path => {
                let checked = given(&MALI_CSF, Path::new(path));
                let hint = |error: &Error| error.hint_text().map(|hint| format!(" ({hint})")).unwrap_or_default();
                checked.map_err(|error| format!("{error}{}", hint(&error)))?;
                Ok(Self::File(path.into()))
            }
        }
    }
}

/// A firmware's file on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Supply {
    /// The path below `/lib/firmware` at which the kernel looks for it.
    pub name: &'static str,
    /// The path on this machine.
    pub path: PathBuf,
    /// Its origin, in a few words.
    pub origin: String,
    /// Whether it is a valid firmware of this kind, so that the model can compare it with what the driver loads.
    pub checked: bool,
}

/// Returns the chosen file of `firmware`. Without a choice, returns the published file or, with a warning, a built one.
pub fn obtain(firmware: &Firmware, choice: Option<&Choice>, events: &Events) -> Result<Supply> {
    let cache = CacheLayout::of_user()?;
    match choice {
        Some(Choice::File(path)) => given(firmware, path),
        Some(Choice::Unchecked(path)) => unchecked(firmware, path),
        Some(Choice::Built) => built(firmware, &cache, events),
        Some(Choice::Real) => published(firmware, &cache, events),
        None => published(firmware, &cache, events).or_else(|error| match error.kind() {
            Kind::Interrupted => Err(error),
            _ => {
                events.warn(format!(
                    "using firmware built here, because the published file is not available: {}",
                    error.chain()
                ));
                built(firmware, &cache, events)
            }
        }),
    }
}

/// Returns a user's file that is passed to the driver unchanged, broken or not.
fn unchecked(firmware: &Firmware, path: &Path) -> Result<Supply> {
    read(firmware, path)?;
    let what = || format!("cannot find the firmware `{}`", path.display());
    let path = fs::canonicalize(path).with_context(what)?;
    let origin = format!("given, unchecked: {}", path.display());
    Ok(Supply { name: firmware.name, path, origin, checked: false })
}

/// Returns a user's file after checking that it is a firmware of this kind.
fn given(firmware: &Firmware, path: &Path) -> Result<Supply> {
    let bytes = read(firmware, path)?;
    (firmware.check)(&bytes).map_err(|why| {
        let message = format!("`{}` is not a firmware like `{}`: {why}", path.display(), firmware.name);
        Error::new(Kind::Usage, message).hint("to load it anyway: `drydock run DRIVER --firmware-unchecked FILE`")
    })?;
    let supply = unchecked(firmware, path)?;
    let origin = format!("given: {}", supply.path.display());
    Ok(Supply { origin, checked: true, ..supply })
}

/// Reads a user's file. Only a regular file is accepted: reading anything else might block or never end.
fn read(firmware: &Firmware, path: &Path) -> Result<Vec<u8>> {
    let refused = |why: &str| Error::new(Kind::Usage, format!("cannot use `{}` as firmware: {why}", path.display()));
    let metadata = fs::metadata(path).map_err(|error| refused(&error.to_string()))?;
    match metadata.len() {
        _ if metadata.is_dir() => Err(refused("it is a directory").hint(format!(
            "name the file itself: `{}`",
            path.join(Path::new(firmware.name).file_name().unwrap_or_default()).display()
        ))),
        _ if !metadata.is_file() => Err(refused("it is not a regular file")),
        LARGEST.. => Err(refused(&format!("it is larger than {} MB", LARGEST / 1_000_000))),
        _ => fs::read(path).map_err(|error| refused(&error.to_string())),
    }
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
                "it is in Debian's component `{}`; without it, use `--firmware built` or `--firmware PATH`",
                package.component
            );
            Error::new(error.kind(), message).caused_by(error).hint(hint)
        })?,
    };
    Ok(Supply { name: firmware.name, path, origin: format!("of {} {version}", package.name), checked: true })
}

fn built(firmware: &Firmware, cache: &CacheLayout, events: &Events) -> Result<Supply> {
    let (_shared, _lock, directory) = enter(cache, "built", events)?;
    let (path, bytes) = (directory.join(firmware.name), (firmware.build)());
    if fs::read(&path).ok().as_ref() != Some(&bytes) {
        write_atomically(&path, bytes)?;
    }
    let origin = "built here: the format is real, the contents are ours".into();
    Ok(Supply { name: firmware.name, path, origin, checked: true })
}

/// Opens the cache's directory `name`. While the locks live, nobody can remove the cache or fill the same directory.
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
        assert_eq!((Choice::parse("real"), Choice::parse("built")), (Ok(Choice::Real), Ok(Choice::Built)));
        let refused = Choice::parse("./real").unwrap_err();
        assert!(refused.starts_with("cannot use `./real` as firmware: No such file"), "{refused}");
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
    fn file_that_is_no_firmware_is_refused_with_the_reason() {
        let dir = tempfile::tempdir().unwrap();
        let whole = (MALI_CSF.build)();
        let file = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            fs::write(&path, bytes).unwrap();
            path
        };
        let (empty, text) = (file("empty", b""), file("text", b"root:x:0:0:root:/root:/bin/sh\n"));
        let cut = file("cut", &whole[..whole.len() / 2]);
        let missing = dir.path().join("missing");
        for path in [&empty, &text, &cut, &missing, dir.path(), Path::new("/dev/zero")] {
            let error = given(&MALI_CSF, path).unwrap_err();
            assert_eq!(error.kind(), Kind::Usage);
            assert!(error.to_string().contains(&format!("`{}`", path.display())), "{error}");
        }
        for path in [&empty, &text, &cut] {
            assert!(given(&MALI_CSF, path).unwrap_err().hint_text().unwrap().contains("--firmware-unchecked"));
            let supply = unchecked(&MALI_CSF, path).unwrap();
            assert_eq!((supply.checked, fs::canonicalize(path).unwrap()), (false, supply.path));
        }
        assert_eq!(unchecked(&MALI_CSF, dir.path()).unwrap_err().kind(), Kind::Usage);
        assert!(given(&MALI_CSF, &file("whole", &whole)).unwrap().checked);
    }
}
