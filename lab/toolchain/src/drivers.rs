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

/// The directory of drivers, in the checkout.
pub const DIRECTORY: &str = "kernel/drivers";
/// The directory of examples to learn from, in the checkout.
pub const EXAMPLES: &str = "kernel/examples";
/// The file name of a driver's own check, in the driver's directory.
pub const SCRIPT: &str = "check.sh";
/// The root of a driver's own client, in the driver's directory.
pub const CLIENT: &str = "client/main.rs";
/// The file name of the list of devices that a driver needs, in the driver's directory.
pub const DEVICES: &str = "devices";

/// A driver to learn from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Example {
    /// The name of its directory: `3-interrupt`.
    pub directory: String,
    /// The name of its module, and of its only source file.
    pub module: String,
}

impl Example {
    /// Returns the path of its directory.
    pub fn path(&self, repo: &Path) -> PathBuf {
        repo.join(EXAMPLES).join(&self.directory)
    }

    /// Returns the name of its directory without the number.
    pub fn word(&self) -> &str {
        self.directory.split_once('-').map_or(&self.directory, |(_, word)| word)
    }
}

/// Returns the examples, in the order of their numbers.
pub fn examples(repo: &Path) -> Vec<Example> {
    let example = |directory: String| {
        let files = entries(&repo.join(EXAMPLES).join(&directory));
        let module = files.iter().find_map(|file| file.strip_suffix(".rs"))?.to_owned();
        Some(Example { directory, module })
    };
    entries(&repo.join(EXAMPLES)).into_iter().filter_map(example).collect()
}

/// Returns the directory of the driver `name`, if it exists.
pub fn directory(repo: &Path, name: &str) -> Option<PathBuf> {
    let name = name.replace('-', "_");
    let example = || examples(repo).into_iter().find(|example| example.module == name);
    let own = repo.join(DIRECTORY).join(&name);
    if own.is_dir() { Some(own) } else { example().map(|example| example.path(repo)) }
}

/// Returns the devices that the driver `name` needs in a guest, each as the value of one `-device` option of QEMU.
pub fn devices(repo: &Path, name: &str) -> Vec<String> {
    let path = directory(repo, name).map(|directory| directory.join(DEVICES));
    let text = path.and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

/// Returns whether the driver `name` sets modes: whether a source file in its directory uses the layer for that. Returns nothing about
/// a driver without a directory.
pub fn sets_modes(repo: &Path, name: &str) -> Option<bool> {
    let directory = directory(repo, name)?;
    let mut sources = entries(&directory).into_iter().filter(|file| file.ends_with(".rs"));
    Some(sources.any(|file| fs::read_to_string(directory.join(file)).is_ok_and(|text| text.contains("kms::"))))
}

/// Returns the names of the files and directories in `directory`, sorted.
fn entries(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// Returns the names of all drivers that have a check, sorted.
pub fn checked(repo: &Path) -> Vec<String> {
    let examples = examples(repo).into_iter().map(|example| example.module);
    let mut names: Vec<_> = entries(&repo.join(DIRECTORY)).into_iter().chain(examples).collect();
    names.retain(|name| directory(repo, name).is_some_and(|directory| directory.join(SCRIPT).is_file()));
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use drydock_base::{cache, repo};

    use super::*;
    use crate::kbuild::KBUILD;

    #[test]
    fn an_example_is_named_after_its_source_and_its_directory_after_what_it_shows() {
        let repo = tempfile::tempdir().unwrap();
        let files = ["2-two-words/b.rs", "2-two-words/check.sh", "2-two-words/client/main.rs", "1-one/a.rs"];
        for file in files {
            cache::write_atomically(&repo.path().join(EXAMPLES).join(file), "").unwrap();
        }
        let text = "# a comment\nedu\n\nedu,dma_mask=1\n";
        cache::write_atomically(&repo.path().join(EXAMPLES).join("1-one/devices"), text).unwrap();
        let found = examples(repo.path());
        let names: Vec<_> = found.iter().map(|found| (found.module.as_str(), found.word())).collect();
        assert_eq!(names, [("a", "one"), ("b", "two-words")]);
        assert_eq!(checked(repo.path()), ["b"]);
        assert_eq!(devices(repo.path(), "a"), ["edu", "edu,dma_mask=1"]);
        assert!(devices(repo.path(), "b").is_empty() && devices(repo.path(), "c").is_empty());
    }

    #[test]
    fn a_driver_sets_modes_if_a_source_of_it_does() {
        let repo = tempfile::tempdir().unwrap();
        for (file, text) in [("a/a.rs", "use drm::{kms::Setup, x};"), ("b/b.rs", "no kms"), ("b/kms.md", "kms::")] {
            cache::write_atomically(&repo.path().join(DIRECTORY).join(file), text).unwrap();
        }
        let of = |name| sets_modes(repo.path(), name);
        assert_eq!([of("a"), of("b"), of("c-vgem")], [Some(true), Some(false), None]);
    }

    #[test]
    fn every_example_is_a_whole_driver() {
        let repo = repo::root().unwrap();
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
