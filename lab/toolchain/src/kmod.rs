// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Kernel modules as files: where the stock ones are, their dependencies, and the order in which they load.
//!
//! A module lists the modules whose symbols it uses in its `.modinfo` section (`depends=a,b`), written when it was
//! linked. Nothing else is needed to load modules in order, so `depmod` is not run.
//!
//! Source: scripts/mod/modpost.c (`add_depends`), Documentation/kbuild/modules.rst.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use lzma_rust2::XzReader;
use object::{Object, ObjectSection};

use drydock_base::error::{Context, Error, Kind, Result};

/// The largest accepted module, unpacked. No real module is larger.
const LARGEST: u64 = 128 << 20;

/// A module's bytes, ready to load, and the modules it needs.
#[derive(Clone, Debug)]
pub struct Module {
    /// The kernel's name for it (with underscores).
    pub name: String,
    /// The file's contents, decompressed.
    pub bytes: Vec<u8>,
    /// The names of the modules whose symbols it uses.
    pub depends: Vec<String>,
}

impl Module {
    /// Reads a `.ko` or `.ko.xz`.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let bytes = if path.extension().is_some_and(|extension| extension == "xz") {
            decompress(&bytes).with_context(|| format!("cannot decompress `{}`", path.display()))?
        } else {
            bytes
        };
        let depends = depends(&bytes).with_context(|| format!("`{}` is not a readable ELF file", path.display()))?;
        Ok(Self { name: name_of(path), bytes, depends })
    }
}

/// The stock modules of one kernel, by name.
pub struct Stock(HashMap<String, PathBuf>);

impl Stock {
    /// Lists the modules in `DIRECTORY/kernel`.
    pub fn index(directory: &Path) -> Result<Self> {
        let mut found = HashMap::new();
        let mut todo = vec![directory.join("kernel")];
        while let Some(directory) = todo.pop() {
            for entry in fs::read_dir(&directory).with_context(|| format!("cannot list `{}`", directory.display()))? {
                let entry = entry.with_context(|| format!("cannot list `{}`", directory.display()))?;
                let path = entry.path();
                if entry.file_type().with_context(|| format!("cannot examine `{}`", path.display()))?.is_dir() {
                    todo.push(path);
                } else if is_module(&path) {
                    found.insert(name_of(&path), path);
                }
            }
        }
        Ok(Self(found))
    }

    /// Returns an index with these names but without files, for tests.
    pub fn of(names: &[&str]) -> Self {
        Self(names.iter().map(|&name| (name.to_owned(), PathBuf::new())).collect())
    }

    /// Returns whether there is a module of this name.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Returns the files of all modules, by name.
    pub fn files(self) -> HashMap<String, PathBuf> {
        self.0
    }

    /// Reads one module.
    pub fn read(&self, name: &str) -> Result<Module> {
        Module::read(self.0.get(name).ok_or_else(|| missing(name, "the benchmark"))?)
    }

    /// Adds to `modules` all stock modules that they and `wanted` need.
    pub fn complete(&self, modules: &mut BTreeMap<String, Module>, wanted: &[&str]) -> Result<()> {
        let mut todo: Vec<(String, String)> = wanted.iter().map(|name| ("the image".into(), (*name).into())).collect();
        for module in modules.values() {
            todo.extend(module.depends.iter().map(|need| (module.name.clone(), need.clone())));
        }
        while let Some((by, name)) = todo.pop() {
            if modules.contains_key(&name) {
                continue;
            }
            let path = self.0.get(&name).ok_or_else(|| missing(&name, &by))?;
            let module = Module::read(path)?;
            todo.extend(module.depends.iter().map(|need| (name.clone(), need.clone())));
            modules.insert(name, module);
        }
        Ok(())
    }
}

fn missing(name: &str, by: &str) -> Error {
    Error::new(
        Kind::Machinery,
        format!("kernel module `{name}`, needed by `{by}`, is neither built nor in the stock kernel"),
    )
}

/// Returns the list that the agent loads modules by: one line `NAME: DEPENDENCY…` per module.
pub fn dependency_list<'m>(modules: impl Iterator<Item = &'m Module>) -> String {
    modules.map(|module| format!("{}: {}\n", module.name, module.depends.join(" "))).collect()
}

/// Returns the modules named in the `depends=` entry of `.modinfo`.
pub fn depends(bytes: &[u8]) -> Result<Vec<String>, object::Error> {
    Ok(modinfo(bytes, "depends")?
        .into_iter()
        .flat_map(|value| value.split(',').map(normal).collect::<Vec<_>>())
        .filter(|name| !name.is_empty())
        .collect())
}

/// Returns all values of one key of a module's `.modinfo`, for example `vermagic`.
pub fn modinfo(bytes: &[u8], key: &str) -> Result<Vec<String>, object::Error> {
    let file = object::File::parse(bytes)?;
    let Some(section) = file.section_by_name(".modinfo") else { return Ok(Vec::new()) };
    let entries = section.data()?;
    Ok(entries
        .split(|&byte| byte == 0)
        .filter_map(|entry| std::str::from_utf8(entry).ok()?.split_once('='))
        .filter(|(found, _)| *found == key)
        .map(|(_, value)| value.to_owned())
        .collect())
}

/// Unpacks a module that is compressed with xz. Refuses one that is larger than any module.
pub fn decompress(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    XzReader::new(bytes, false).take(LARGEST + 1).read_to_end(&mut out)?;
    match out.len() as u64 {
        ..=LARGEST => Ok(out),
        _ => Err(std::io::Error::other("it is larger than any module")),
    }
}

fn is_module(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".ko") || name.ends_with(".ko.xz")
}

fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    normal(name.split(".ko").next().unwrap_or(&name))
}

fn normal(name: &str) -> String {
    name.replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(name: &str, depends: &[&str]) -> Module {
        Module { name: name.into(), bytes: Vec::new(), depends: depends.iter().map(|&d| d.into()).collect() }
    }

    #[test]
    fn names_lose_their_suffix_and_their_dashes() {
        assert_eq!(name_of(Path::new("/x/gpu-sched.ko.xz")), "gpu_sched");
        assert_eq!(name_of(Path::new("vgem_rust.ko")), "vgem_rust");
    }

    #[test]
    fn the_list_names_each_module_with_what_it_needs() {
        let modules = [module("drm", &[]), module("vgem_rust", &["drm_rust", "drm"])];
        assert_eq!(dependency_list(modules.iter()), "drm: \nvgem_rust: drm_rust drm\n");
    }

    #[test]
    fn a_module_that_is_nowhere_is_named_with_the_one_that_needs_it() {
        let mut modules = BTreeMap::from([("a".to_owned(), module("a", &["b"]))]);
        let error = Stock(HashMap::new()).complete(&mut modules, &[]).unwrap_err();
        assert_eq!(error.to_string(), "kernel module `b`, needed by `a`, is neither built nor in the stock kernel");
    }
}
