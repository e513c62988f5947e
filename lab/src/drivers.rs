// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The drivers of the checkout, and what their directories may have besides the driver's sources:
//!
//! - `check.sh`: a script for the guest's shell. It runs after the driver is loaded and exits with an error if a check
//!   fails.
//! - `client/main.rs`: a program that uses the driver, `NAME_client` in the guest.
//! - `devices`: the devices of the guest that the driver needs, each as the value of one `-device` option of QEMU.
//!
//! A driver's directory is `kernel/drivers/NAME`, or `kernel/examples/NUMBER-WORD` with the file `NAME.rs`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cache::CacheLayout;
use crate::error::{Context, Error, Kind, Result};
use crate::scenario::{LIMIT, Scene, with_hardware};
use crate::vm::error::Error as VmError;
use crate::vm::guest::Output;
use crate::vm::incident;
use crate::vm::kmod::Stock;
use crate::{kernels, metadata, near};

/// The directory of drivers, in the checkout.
pub(crate) const DIRECTORY: &str = "kernel/drivers";
/// The directory of examples to learn from, in the checkout.
pub(crate) const EXAMPLES: &str = "kernel/examples";
/// The file name of a driver's own check, in the driver's directory.
pub(crate) const SCRIPT: &str = "check.sh";
/// The root of a driver's own client, in the driver's directory.
pub(crate) const CLIENT: &str = "client/main.rs";
/// The file name of the list of devices that a driver needs, in the driver's directory.
pub(crate) const DEVICES: &str = "devices";

/// A driver to learn from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Example {
    /// The name of its directory: `3-interrupt`.
    pub(crate) directory: String,
    /// The name of its module, and of its only source file.
    pub(crate) module: String,
}

impl Example {
    /// Returns the path of its directory.
    pub(crate) fn path(&self, repo: &Path) -> PathBuf {
        repo.join(EXAMPLES).join(&self.directory)
    }

    /// Returns the name of its directory without the number.
    pub(crate) fn word(&self) -> &str {
        self.directory.split_once('-').map_or(&self.directory, |(_, word)| word)
    }
}

/// Returns the examples, in the order of their numbers.
pub(crate) fn examples(repo: &Path) -> Vec<Example> {
    let example = |directory: String| {
        let files = entries(&repo.join(EXAMPLES).join(&directory));
        let module = files.iter().find_map(|file| file.strip_suffix(".rs"))?.to_owned();
        Some(Example { directory, module })
    };
    entries(&repo.join(EXAMPLES)).into_iter().filter_map(example).collect()
}

/// Returns the directory of the driver `name`, if it exists.
pub(crate) fn directory(repo: &Path, name: &str) -> Option<PathBuf> {
    let name = name.replace('-', "_");
    let example = || examples(repo).into_iter().find(|example| example.module == name);
    let own = repo.join(DIRECTORY).join(&name);
    if own.is_dir() { Some(own) } else { example().map(|example| example.path(repo)) }
}

/// Returns the devices that the driver `name` needs in a guest, each as the value of one `-device` option of QEMU.
pub(crate) fn devices(repo: &Path, name: &str) -> Vec<String> {
    let path = directory(repo, name).map(|directory| directory.join(DEVICES));
    let text = path.and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

/// Returns the names of the files and directories in `directory`, sorted.
fn entries(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// A driver that has a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checked {
    /// The name of the driver.
    pub(crate) name: String,
    script: String,
}

impl Checked {
    /// Reads the driver `name` of the checkout `repo` and its current check.
    pub(crate) fn read(repo: &Path, name: &str) -> Result<Self> {
        let directory = directory(repo, name).unwrap_or_else(|| repo.join(DIRECTORY).join(name));
        let path = directory.join(SCRIPT);
        let script = fs::read_to_string(&path).with_context(|| format!("failed to read `{}`", path.display()))?;
        Ok(Self { name: name.to_owned(), script })
    }

    /// Loads the driver's module, runs its check and unloads all modules it brought in. An error ends the boot.
    pub(crate) fn check(&self, scene: &mut Scene<'_>, module: &str) -> Result<Output, VmError> {
        let from = scene.guest().settle_log()?;
        scene.insmod(module)?;
        let output = scene.guest().run(&["sh", "-c", &self.script], LIMIT)?;
        scene.leave()?;
        scene.guest().settle_log()?;
        match incident::find(&scene.guest().console().lines_from(from)).first() {
            // The verdict on the boot reports the relevant lines.
            Some(found) => Err(VmError::Unexpected { program: "the kernel's log".into(), said: found.title.clone() }),
            None => Ok(output),
        }
    }
}

/// The file that lists the modules to build.
pub(crate) const KBUILD: &str = "kernel/Kbuild";
/// The library that all drivers use. It is a module but no driver.
pub(crate) const LIBRARY: &str = "drm_rust";

/// Returns the modules that `kbuild` builds, in its order: `obj-m := a.o b.o` and `$(eval $(call driver,NAME,…))`.
pub(crate) fn modules(kbuild: &str) -> Vec<String> {
    let of_line = |line: &str| -> Vec<String> {
        if let Some(rest) = line.strip_prefix("$(eval $(call driver,") {
            return rest.split(',').next().map(str::to_owned).into_iter().collect();
        }
        let Some(rest) = line.strip_prefix("obj-m") else { return Vec::new() };
        let objects = rest.trim_start_matches([' ', '+', ':', '=']).split_whitespace();
        objects
            .filter_map(|object| object.strip_suffix(".o"))
            .filter(|name| !name.contains('$'))
            .map(str::to_owned)
            .collect()
    };
    kbuild.lines().flat_map(of_line).collect()
}

/// Returns the names by which `drydock run` knows the checkout's drivers.
pub(crate) fn names(repo: &Path) -> Result<Vec<String>> {
    let path = repo.join(KBUILD);
    let kbuild = fs::read_to_string(&path).with_context(|| format!("failed to read `{}`", path.display()))?;
    let modules = modules(&kbuild).into_iter().filter(|name| name != LIBRARY);
    let mut names: Vec<_> = modules.map(|name| name.strip_suffix("_rust").unwrap_or(&name).to_owned()).collect();
    names.extend(with_hardware().map(str::to_owned));
    names.sort();
    names.dedup();
    Ok(names)
}

/// Refuses an unknown driver before anything is prepared for it. `c-NAME` is one of the kernel's own modules, which can
/// only be checked once the kernel is prepared.
pub(crate) fn check(repo: &Path, driver: &str, kernel: Option<&str>) -> Result<()> {
    let mut known = names(repo)?;
    let folded = driver.replace('-', "_");
    if known.iter().any(|name| *name == folded || format!("{name}_rust") == folded) {
        return Ok(());
    }
    if let Some(stock) = driver.strip_prefix("c-") {
        let kernel = kernel.filter(|name| *name != kernels::STOCK);
        let prepared = metadata::prepared(&CacheLayout::of_user()?, kernel)?;
        let modules = prepared.and_then(|kernel| Stock::index(&kernel.modules_dir).ok());
        if modules.is_none_or(|modules| modules.has(&stock.replace('-', "_"))) {
            return Ok(());
        }
    }
    known.push("c-vgem".into());
    let error = Error::new(Kind::Usage, format!("driver `{driver}` not found (known drivers: {})", known.join(", ")));
    Err(match near::question(driver, known.iter().map(String::as_str)) {
        Some(question) => error.hint(question),
        None => error,
    })
}

/// Returns the names of all drivers that have a check, sorted.
pub(crate) fn checked(repo: &Path) -> Vec<String> {
    let examples = examples(repo).into_iter().map(|example| example.module);
    let mut names: Vec<_> = entries(&repo.join(DIRECTORY)).into_iter().chain(examples).collect();
    names.retain(|name| directory(repo, name).is_some_and(|directory| directory.join(SCRIPT).is_file()));
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kbuild_says_which_modules_there_are() {
        let kbuild = "obj-m := drm_rust.o\ndefine driver\nobj-m += $(1).o\nendef\n\
                      $(eval $(call driver,vgem_rust,drivers/vgem/vgem,x))\nobj-m += a.o b.o\n";
        assert_eq!(modules(kbuild), ["drm_rust", "vgem_rust", "a", "b"]);
    }

    #[test]
    fn unknown_driver_is_refused_with_what_was_meant() {
        let repo = crate::repo::root().unwrap();
        for driver in ["vgem", "vgem_rust", "vgem-rust", "nova", "tyr", "faux", "counter"] {
            check(&repo, driver, None).unwrap();
        }
        let error = check(&repo, "vgen", None).unwrap_err();
        assert_eq!((error.kind(), error.hint_text()), (Kind::Usage, Some("did you mean `vgem` or `c-vgem`?")));
        assert!(error.to_string().starts_with("driver `vgen` not found (known drivers: "), "{error}");
        assert!(check(&repo, "drm_rust", None).is_err());
    }

    #[test]
    fn a_driver_is_checked_if_it_has_a_script() {
        let repo = tempfile::tempdir().unwrap();
        for file in ["b/check.sh", "b/b.rs", "a/check.sh", "none/none.rs"] {
            let path = repo.path().join(DIRECTORY).join(file);
            crate::cache::write_atomically(&path, "true\n").unwrap();
        }
        assert_eq!(checked(repo.path()), ["a", "b"]);
        assert_eq!(Checked::read(repo.path(), "a").unwrap().script, "true\n");
        assert!(Checked::read(repo.path(), "none").is_err());
        assert!(checked(Path::new("/nowhere")).is_empty());
    }

    #[test]
    fn an_example_is_named_after_its_source_and_its_directory_after_what_it_shows() {
        let repo = tempfile::tempdir().unwrap();
        let files = ["2-two-words/b.rs", "2-two-words/check.sh", "2-two-words/client/main.rs", "1-one/a.rs"];
        for file in files {
            crate::cache::write_atomically(&repo.path().join(EXAMPLES).join(file), "").unwrap();
        }
        let text = "# a comment\nedu\n\nedu,dma_mask=1\n";
        crate::cache::write_atomically(&repo.path().join(EXAMPLES).join("1-one/devices"), text).unwrap();
        let found = examples(repo.path());
        let names: Vec<_> = found.iter().map(|found| (found.module.as_str(), found.word())).collect();
        assert_eq!(names, [("a", "one"), ("b", "two-words")]);
        assert_eq!(checked(repo.path()), ["b"]);
        assert_eq!(devices(repo.path(), "a"), ["edu", "edu,dma_mask=1"]);
        assert!(devices(repo.path(), "b").is_empty() && devices(repo.path(), "c").is_empty());
    }

    #[test]
    fn every_example_is_a_whole_driver() {
        let repo = crate::repo::root().unwrap();
        let kbuild = fs::read_to_string(repo.join(KBUILD)).unwrap();
        let found = examples(&repo);
        for Example { directory, module } in &found {
            let line = format!("$(eval $(call driver,{module},examples/{directory}/{module}))");
            assert!(kbuild.lines().any(|found| found == line), "{KBUILD} lacks `{line}`");
            let own = repo.join(EXAMPLES).join(directory);
            for file in [SCRIPT, CLIENT] {
                assert!(own.join(file).is_file(), "{directory} lacks `{file}`");
            }
            let lines = fs::read_to_string(own.join(format!("{module}.rs"))).unwrap().lines().count();
            assert!(lines <= 200, "{directory} has {lines} lines");
        }
        assert_eq!(found.len(), 5);
    }
}
