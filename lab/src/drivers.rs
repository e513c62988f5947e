// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The drivers of the checkout, and the check that one may carry: `kernel/drivers/NAME/check.sh`, a script for the guest's
//! shell that runs after the driver was loaded and ends with an error if something is not as it should be.

use std::fs;
use std::path::Path;

use crate::error::{Context, Result};
use crate::scenario::{LIMIT, Scene};
use crate::vm::error::Error as VmError;
use crate::vm::guest::Output;
use crate::vm::incident;

/// Where drivers are, in the checkout.
pub(crate) const DIRECTORY: &str = "kernel/drivers";
/// A driver's own check, in its directory.
pub(crate) const SCRIPT: &str = "check.sh";

/// A driver that has a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checked {
    /// The name of its directory.
    pub(crate) name: String,
    script: String,
}

impl Checked {
    /// The driver `name` of the checkout `repo`, with its check as it is now.
    pub(crate) fn read(repo: &Path, name: &str) -> Result<Self> {
        let path = repo.join(DIRECTORY).join(name).join(SCRIPT);
        let script = fs::read_to_string(&path).with_context(|| format!("failed to read `{}`", path.display()))?;
        Ok(Self { name: name.to_owned(), script })
    }

    /// Loads the driver's module, runs its check and unloads all that came in. An error is what ends the boot.
    pub(crate) fn check(&self, scene: &mut Scene<'_>, module: &str) -> Result<Output, VmError> {
        let from = scene.guest().settle_log()?;
        scene.insmod(module)?;
        let output = scene.guest().run(&["sh", "-c", &self.script], LIMIT)?;
        scene.leave()?;
        scene.guest().settle_log()?;
        match incident::find(&scene.guest().console().lines_from(from)).first() {
            // The judge of the boot says it in the lines that matter.
            Some(found) => Err(VmError::Unexpected { program: "the kernel's log".into(), said: found.title.clone() }),
            None => Ok(output),
        }
    }
}

/// The names of all drivers that have a check, sorted.
pub(crate) fn checked(repo: &Path) -> Vec<String> {
    let entries = fs::read_dir(repo.join(DIRECTORY)).into_iter().flatten().flatten();
    let with_check = entries.filter(|entry| entry.path().join(SCRIPT).is_file());
    let mut names: Vec<_> = with_check.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
