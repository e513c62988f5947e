// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Loads a module with its dependencies, and unloads it.
//!
//! Source: finit_module(2), delete_module(2), modules.dep(5).

use std::collections::{HashMap, HashSet};
use std::ffi::{CStr, CString};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::io::Errno;

use sys::Answer;

/// `MODULE_INIT_COMPRESSED_FILE`: the kernel unpacks the file itself.
const COMPRESSED: libc::c_int = 4;

/// Module files in the order in which they must be loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Modules {
    folder: PathBuf,
    files: Vec<PathBuf>,
}

impl Modules {
    /// Takes the files of a list, relative to `folder`, dependencies first.
    pub(crate) fn listed(folder: &Path, list: &[String]) -> Self {
        Self { folder: folder.to_owned(), files: list.iter().map(|file| folder.join(file)).collect() }
    }

    /// Finds everything that `module` needs according to the folder's own list, and puts `module` last.
    ///
    /// The list is depmod's (`modules.dep`, of files) or the lab's (`dependencies`, of names of flat `NAME.ko` files).
    pub(crate) fn from_dependencies(folder: &Path, module: &str) -> std::io::Result<Self> {
        let list = ["modules.dep", "dependencies"].map(|name| folder.join(name));
        let found = list.iter().find(|list| list.is_file()).unwrap_or(&list[0]);
        let text = std::fs::read_to_string(found)
            .map_err(|error| std::io::Error::other(format!("`{}`: {error}", found.display())))?;
        let files = order(&text, module);
        let missing = || format!("`{}` does not list module `{module}`", found.display());
        let files = files.ok_or_else(|| std::io::Error::other(missing()))?;
        Ok(Self { folder: folder.to_owned(), files: files.iter().map(|file| folder.join(file)).collect() })
    }

    /// Returns the files for another module of the same folder.
    pub(crate) fn of(&self, module: &str) -> std::io::Result<Self> {
        Self::from_dependencies(&self.folder, module)
    }

    /// Loads all files whose modules are not loaded yet.
    pub(crate) fn load(&self) -> Answer {
        self.files.iter().filter(|file| !is_loaded(file)).try_for_each(|file| insert(file, c""))
    }

    /// Loads all files whose modules are not loaded yet, the last one with parameters.
    pub(crate) fn load_with(&self, parameters: &CStr) -> Answer {
        let (last, needed) = self.files.split_last().ok_or(Errno::NOENT)?;
        needed.iter().filter(|file| !is_loaded(file)).try_for_each(|file| insert(file, c""))?;
        insert(last, parameters)
    }

    /// Loads the last file alone, even if its module is loaded.
    pub(crate) fn load_last(&self) -> Answer {
        self.files.last().map_or(Err(Errno::NOENT), |file| insert(file, c""))
    }

    /// Returns the names of the modules, the last loaded first.
    pub(crate) fn names(&self) -> Vec<String> {
        self.files.iter().rev().map(|file| module_name(&file.to_string_lossy())).collect()
    }
}

/// Whether the kernel has the module. To read a large file only to get `EEXIST` would take long.
fn is_loaded(file: &Path) -> bool {
    let name = module_name(&file.to_string_lossy());
    Path::new("/sys/module").join(name).join("initstate").exists()
}

/// finit_module(2)
fn insert(file: &Path, parameters: &CStr) -> Answer {
    let fd = sys::open(file, OFlags::RDONLY)?;
    let plain = file.extension().is_some_and(|end| end == "ko");
    let flags = if plain { 0 } else { COMPRESSED };
    rustix::system::finit_module(&fd, parameters, flags)
}

/// Calls delete_module(2) without waiting for users to finish.
pub(crate) fn remove(module: &str) -> Answer {
    let name = CString::new(module).expect("a module's name has no zero byte");
    rustix::system::delete_module(&name, OFlags::NONBLOCK.bits() as libc::c_int)
}

/// Returns the files to load for `module`, in order, from a list of `FILE: FILE…` or `NAME: NAME…`.
fn order(list: &str, module: &str) -> Option<Vec<String>> {
    let rows = list.lines().filter_map(|line| line.split_once(':'));
    let needs: HashMap<String, (&str, &str)> = rows.map(|(file, needs)| (module_name(file), (file, needs))).collect();
    let (mut begun, mut files) = (HashSet::new(), Vec::new());
    visit(module, &needs, &mut begun, &mut files)?;
    Some(files)
}

/// Lists each module once, after its dependencies. In a cycle one module comes too early, and the kernel refuses it.
fn visit(
    module: &str,
    needs: &HashMap<String, (&str, &str)>,
    begun: &mut HashSet<String>,
    files: &mut Vec<String>,
) -> Option<()> {
    if !begun.insert(module.to_owned()) {
        return Some(());
    }
    let (file, list) = needs.get(module)?;
    for need in list.split_whitespace() {
        visit(&module_name(need), needs, begun, files)?;
    }
    files.push(if file.contains('.') { (*file).to_owned() } else { format!("{file}.ko") });
    Some(())
}

/// Returns the kernel's name for the module in a file.
fn module_name(file: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.split('.').next().unwrap_or(name).replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEP: &str = "\
kernel/drm/drm.ko.xz:
kernel/drm/drm_shmem_helper.ko.xz: kernel/drm/drm_kms_helper.ko.xz kernel/drm/drm.ko.xz
kernel/drm/drm_kms_helper.ko.xz: kernel/drm/drm.ko.xz
extra/vgem-rust.ko: kernel/drm/drm_shmem_helper.ko.xz kernel/drm/drm.ko.xz
";

    #[test]
    fn what_is_needed_comes_first() {
        let files = order(DEP, "drm_shmem_helper").unwrap();
        assert_eq!(
            files,
            ["kernel/drm/drm.ko.xz", "kernel/drm/drm_kms_helper.ko.xz", "kernel/drm/drm_shmem_helper.ko.xz"]
        );
    }

    #[test]
    fn dashes_in_a_file_are_underscores_in_the_name() {
        assert_eq!(order(DEP, "vgem_rust").unwrap().last().unwrap(), "extra/vgem-rust.ko");
    }

    #[test]
    fn the_list_of_the_lab_names_flat_files() {
        let list = "drm:\ndrm_kms_helper: drm\nshmem: drm_kms_helper\nvgem: shmem drm\n";
        let files = order(list, "vgem").unwrap();
        assert_eq!(files, ["drm.ko", "drm_kms_helper.ko", "shmem.ko", "vgem.ko"]);
    }

    #[test]
    fn a_module_that_is_not_listed_is_not_found() {
        assert_eq!(order(DEP, "nova"), None);
    }

    #[test]
    fn a_circle_ends() {
        assert_eq!(order("a: b\nb: c\nc: a\n", "a").unwrap(), ["c.ko", "b.ko", "a.ko"]);
    }

    #[test]
    fn names_come_in_the_order_of_unloading() {
        let list = ["drm.ko.xz".to_owned(), "vgem-rust.ko".to_owned()];
        assert_eq!(Modules::listed(Path::new("/m"), &list).names(), ["vgem_rust", "drm"]);
    }
}
