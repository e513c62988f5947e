// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A driver's own check, and which drivers a command line may name.

use std::fs;
use std::path::Path;

use drydock_base::cache::CacheLayout;
use drydock_base::error::{Context, Error, Kind, Result};
use drydock_base::near;
use drydock_machine::error::Error as VmError;
use drydock_machine::guest::{Guest, Output};
use drydock_machine::incident;
use drydock_machine::scenario::{LIMIT, Scene, with_hardware};
use drydock_toolchain::drivers::SCRIPT;
pub(crate) use drydock_toolchain::drivers::{DIRECTORY, checked, devices, directory, sets_modes};
use drydock_toolchain::kbuild::{KBUILD, LIBRARY, modules};
use drydock_toolchain::kmod::Stock;
use drydock_toolchain::source_drivers::{SOURCE_DRIVERS, SourceDriver};
use drydock_toolchain::{kernels, metadata};

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
        no_report(scene.guest(), from)?;
        Ok(output)
    }
}

/// Fails if the kernel has reported something since the line `from` of its log. The verdict on the boot then shows the report.
pub(crate) fn no_report(guest: &Guest, from: usize) -> Result<(), VmError> {
    guest.settle_log()?;
    match incident::find(&guest.console().lines_from(from)).first() {
        Some(found) => Err(VmError::Unexpected { program: "the kernel's log".into(), said: found.title.clone() }),
        None => Ok(()),
    }
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
    let is_ours = known.iter().any(|name| *name == folded || format!("{name}_rust") == folded);
    if is_ours || SourceDriver::named(driver).is_some() {
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
    known.extend(kernels_own());
    let error = Error::new(Kind::Usage, format!("driver `{driver}` not found (known drivers: {})", known.join(", ")));
    Err(match near::question(driver, known.iter().map(String::as_str)) {
        Some(question) => error.hint(question),
        None => error,
    })
}

/// Returns the names of the kernel's own drivers that every guest can have.
fn kernels_own() -> impl Iterator<Item = String> {
    ["c-vgem".to_owned()].into_iter().chain(SOURCE_DRIVERS.iter().map(SourceDriver::name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_driver_is_refused_with_what_was_meant() {
        let repo = drydock_base::repo::root().unwrap();
        for driver in ["vgem", "vgem_rust", "vgem-rust", "nova", "tyr", "faux", "counter", "c-vkms"] {
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
            drydock_base::cache::write_atomically(&path, "true\n").unwrap();
        }
        assert_eq!(checked(repo.path()), ["a", "b"]);
        assert_eq!(Checked::read(repo.path(), "a").unwrap().script, "true\n");
        assert!(Checked::read(repo.path(), "none").is_err());
        assert!(checked(Path::new("/nowhere")).is_empty());
    }
}
