// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Builds kernel modules against the prepared kernel, sources read-only, results in the cache.
//!
//! Source: Documentation/kbuild/modules.rst (`M=`, `MO=`).

use std::path::{Path, PathBuf};

use crate::cache::Lock;
use crate::error::{Context, Error, Kind, Result};
use crate::events::Events;
use crate::root::Binds;
use crate::setup::Toolchain;
use crate::{metadata, process};

/// Modules that were built.
#[derive(Clone, Debug)]
pub struct BuiltModules {
    /// The directory that mirrors the sources', with the results.
    pub dir: PathBuf,
    /// The modules, sorted by path.
    pub modules: Vec<PathBuf>,
}

/// Builds the modules of `source`, a directory with a `Kbuild` file. Another run that builds the same waits.
pub fn build(toolchain: &Toolchain, source: &Path, events: &Events) -> Result<BuiltModules> {
    let name = crate::cache::hash([source.to_string_lossy()]);
    let dir = toolchain.work().join("modules").join(&toolchain.kernel.release).join(&name[..12]);
    std::fs::create_dir_all(&dir).with_context(|| format!("failed to create `{}`", dir.display()))?;
    let _lock = Lock::of_directory(&dir, events)?;
    let out = dir.join("out");
    std::fs::create_dir_all(&out).with_context(|| format!("failed to create `{}`", out.display()))?;
    let step = events.step("building the modules");
    // The path inside stays the same whatever the host calls it, so that messages and debug information do too.
    let binds = sources(source).write(&out, OUT);
    let mut make = toolchain.command("make", &binds);
    let jobs = std::thread::available_parallelism().map_or(2, usize::from);
    make.arg(format!("-j{jobs}")).args(metadata::make_variables(&toolchain.kernel.release)).args([
        "-C",
        "/kernel/tree",
        "M=/kernel-src",
        "MO=/out",
        "modules",
    ]);
    process::run(&mut make, &step).map_err(|error| readable(error, source))?;
    let modules = find_modules(&out)?;
    step.done_with(format!("{} modules", modules.len()));
    Ok(BuiltModules { dir: out, modules })
}

/// The modules' sources as Kbuild finds them inside the root: `source`, and the crates that lie beside it.
pub fn sources(source: &Path) -> Binds {
    let binds = Binds::none().read(source, SOURCE);
    let crates = source.with_file_name("crates");
    if crates.is_dir() { binds.read(crates, CRATES) } else { binds }
}

const SOURCE: &str = "/kernel-src";
/// `../crates` of [`SOURCE`].
const CRATES: &str = "/crates";
const OUT: &str = "/out";

fn readable(error: Error, source: &Path) -> Error {
    let kind = if error.kind() == Kind::Interrupted { Kind::Interrupted } else { Kind::Build };
    let host = source.display().to_string();
    let lines: Vec<_> = error.detail_lines().iter().map(|line| line.replace(SOURCE, &host)).collect();
    Error::new(kind, format!("the modules in `{host}` do not build")).details(lines)
}

fn find_modules(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(dir) = todo.pop() {
        for entry in std::fs::read_dir(&dir).with_context(|| format!("failed to read `{}`", dir.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                todo.push(path);
            } else if path.extension().is_some_and(|extension| extension == "ko") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
