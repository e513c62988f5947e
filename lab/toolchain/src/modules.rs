// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Builds kernel modules against the prepared kernel. The sources are read-only; the results go to the cache.
//!
//! Source: Documentation/kbuild/modules.rst (`M=`, `MO=`); `modules.order` in Documentation/kbuild/kbuild.rst.

mod warnings;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::kmod::Stock;
use crate::root::Binds;
use crate::setup::Toolchain;
use crate::source_drivers::SourceDriver;
use drydock_base::cache::Lock;
use drydock_base::error::{Context, Error, Kind, Result};
use drydock_base::events::Events;
use drydock_base::process;
use warnings::Warnings;

/// The result of a build.
#[derive(Clone, Debug)]
pub struct BuiltModules {
    /// The output directory, which mirrors the source directory.
    pub dir: PathBuf,
    /// The modules, sorted by path.
    pub modules: Vec<PathBuf>,
}

/// Builds the modules of `source`, a directory with a `Kbuild` file, or only those named in `only`. A second run that
/// builds the same waits.
pub fn build(
    toolchain: &Toolchain,
    source: &Path,
    only: Option<&BTreeSet<String>>,
    events: &Events,
) -> Result<BuiltModules> {
    let names = only.map(|only| only.iter().map(String::as_str).collect::<Vec<_>>().join(" "));
    let variables: Vec<_> = names.map(|names| format!("DRYDOCK_ONLY={names}")).into_iter().collect();
    let built = build_with(toolchain, source, "the modules", &variables, events)?;
    refuse_names_of_stock(&built.modules, toolchain)?;
    Ok(built)
}

/// Builds the module of a driver from the kernel's source, unless the kernel has it: the debug kernels do.
pub fn build_of_source(toolchain: &Toolchain, driver: &SourceDriver, events: &Events) -> Result<Option<PathBuf>> {
    if Stock::index(&toolchain.kernel.modules_dir)?.has(driver.module) {
        return Ok(None);
    }
    let source = toolchain.kernel.tree.join(driver.folder);
    let built = build_with(toolchain, &source, &driver.name(), &[format!("{}=m", driver.option)], events)?;
    Ok(Some(built.dir.join(driver.module).with_extension("ko")))
}

/// Builds the modules of `source`, which messages call `what`, with further variables for `make`.
fn build_with(
    toolchain: &Toolchain,
    source: &Path,
    what: &str,
    variables: &[String],
    events: &Events,
) -> Result<BuiltModules> {
    let name = drydock_base::cache::hash([source.to_string_lossy()]);
    let dir = toolchain.work().join("modules").join(&toolchain.kernel.release).join(&name[..12]);
    std::fs::create_dir_all(&dir).with_context(|| format!("failed to create `{}`", dir.display()))?;
    let _lock = Lock::of_directory(&dir, events)?;
    let out = dir.join("out");
    std::fs::create_dir_all(&out).with_context(|| format!("failed to create `{}`", out.display()))?;
    let step = events.step(format!("building {what}"));
    // The path inside the root is the same on every host, so that messages and debug information are too.
    let binds = sources(source).write(&out, OUT);
    // Both streams share a pipe, so that each line can be attributed to an object's compiler.
    let mut make = toolchain.command("sh", &binds);
    make.args(["-c", "exec make \"$@\" 2>&1", "make"]);
    make.arg(format!("-j{}", jobs())).args(&toolchain.kernel.make_variables).args([
        "-C",
        "/kernel/tree",
        "M=/kernel-src",
        "MO=/out",
        "modules",
    ]);
    make.args(variables);
    // Do this first: a build that failed or was killed has compiled some of the objects and recorded the dependency
    // too.
    leave_kernel_alone(&out)?;
    let mut said = Vec::new();
    let made = process::watch(&mut make, &step, |line| {
        said.push(line.to_owned());
        false
    });
    // Also after a failed build: the objects it has compiled will not be compiled again.
    let warnings = Warnings::update(&out, &said)?;
    made.map_err(|error| readable(error, source))?;
    let modules = find_modules(&out)?;
    step.done_with(format!("{} modules", modules.len()));
    warnings.texts().into_iter().for_each(|text| events.note(text.replace(SOURCE, &source.display().to_string())));
    Ok(BuiltModules { dir: out, modules })
}

/// Returns how many compilers `make` runs at a time.
pub fn jobs() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// Refuses a module of ours with the name of one of the kernel's: it would replace the kernel's for every module that
/// needs it.
fn refuse_names_of_stock(modules: &[PathBuf], toolchain: &Toolchain) -> Result<()> {
    let stock = Stock::index(&toolchain.kernel.modules_dir)?;
    let names = modules.iter().filter_map(|path| path.file_stem()).map(|name| name.to_string_lossy().replace('-', "_"));
    match names.into_iter().find(|name| stock.has(name)) {
        None => Ok(()),
        Some(name) => Err(Error::new(Kind::Build, format!("the kernel has a module `{name}` of its own"))
            .hint("give yours another name in `kernel/Kbuild`")),
    }
}

/// Returns the modules' sources as Kbuild finds them inside the root: `source`, and the crates beside it.
pub fn sources(source: &Path) -> Binds {
    let binds = Binds::none().read(source, SOURCE);
    let crates = source.with_file_name("crates");
    if crates.is_dir() { binds.read(crates, CRATES) } else { binds }
}

const SOURCE: &str = "/kernel-src";
/// The path `../crates` of [`SOURCE`].
const CRATES: &str = "/crates";
const OUT: &str = "/out";

fn readable(error: Error, source: &Path) -> Error {
    let kind = if error.kind() == Kind::Interrupted { Kind::Interrupted } else { Kind::Build };
    let host = source.display().to_string();
    let lines: Vec<_> = error.detail_lines().iter().map(|line| line.replace(SOURCE, &host)).collect();
    Error::new(kind, format!("the modules in `{host}` do not build")).details(lines)
}

/// Returns the modules that Kbuild reports as built. The directory may also contain modules whose source no longer
/// exists.
fn find_modules(dir: &Path) -> Result<Vec<PathBuf>> {
    let order = dir.join("modules.order");
    let text = std::fs::read_to_string(&order).with_context(|| format!("failed to read `{}`", order.display()))?;
    let mut found: Vec<_> = text.lines().map(|line| dir.join(line).with_extension("ko")).collect();
    found.sort();
    Ok(found)
}

/// The files that `warn_on!` includes. They are the kernel's, but Kbuild's rule for such files would make them again in
/// the next build.
const MADE_BY_KERNEL: &str = "/kernel/tree/rust/kernel/generated_";

/// Removes those files from the dependencies that Kbuild recorded for each object in `dir`: the kernel's tree is
/// read-only to us.
pub fn leave_kernel_alone(dir: &Path) -> Result<()> {
    for entry in std::fs::read_dir(dir).with_context(|| format!("failed to read `{}`", dir.display()))?.flatten() {
        let path = entry.path();
        if path.is_dir() {
            leave_kernel_alone(&path)?;
        } else if path.extension().is_some_and(|extension| extension == "cmd") {
            let text =
                std::fs::read_to_string(&path).with_context(|| format!("failed to read `{}`", path.display()))?;
            let kept: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with(MADE_BY_KERNEL)).collect();
            if kept.len() < text.lines().count() {
                drydock_base::cache::write_atomically(&path, kept.join("\n") + "\n")?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_does_not_depend_on_what_the_kernel_has_made() {
        let dir = tempfile::tempdir().unwrap();
        let command = dir.path().join("drivers/.vgem.o.cmd");
        let noted =
            "deps := \\\n  /kernel/tree/rust/kernel/generated_arch_warn_asm.rs \\\n  /kernel-src/vgem.rs \\\n\nrest\n";
        drydock_base::cache::write_atomically(&command, noted).unwrap();
        leave_kernel_alone(dir.path()).unwrap();
        let left = std::fs::read_to_string(&command).unwrap();
        assert_eq!(left, "deps := \\\n  /kernel-src/vgem.rs \\\n\nrest\n");
    }

    #[test]
    fn what_an_earlier_build_left_is_no_module() {
        let dir = tempfile::tempdir().unwrap();
        for (file, text) in [("modules.order", "drm_rust.o\nsub/a.o\n"), ("drm_rust.ko", ""), ("removed.ko", "")] {
            drydock_base::cache::write_atomically(&dir.path().join(file), text).unwrap();
        }
        let expected = [dir.path().join("drm_rust.ko"), dir.path().join("sub/a.ko")];
        assert_eq!(find_modules(dir.path()).unwrap(), expected);
    }
}
