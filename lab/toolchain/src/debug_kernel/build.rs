// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Unpacks, configures and builds the debug kernel, and keeps what booting and building modules need.
//!
//! Source: Documentation/kbuild/kconfig.rst (`allnoconfig`, `KCONFIG_ALLCONFIG`), Documentation/kbuild/kbuild.rst.

use std::fs;
use std::path::{Path, PathBuf};

use crate::apt::Apt;
use crate::metadata::unpack_source;
use crate::root::{self, Binds, unpack_with};
use drydock_base::cache::{self, CacheLayout};
use drydock_base::error::{Context, Error, Kind, Result};
use drydock_base::events::{Events, Step, Unit};
use drydock_base::process;

use super::{KCONFIG, KCONFIG_FILE, Place, STAMP};

/// Code that the configuration cannot reach, which is left out of the source besides what the stock kernel's tree
/// leaves out. Headers and Kconfig files stay.
const LEFT_OUT: &[&str] = &[
    "drivers/gpu/drm/amd/*.[ch]",
    "drivers/infiniband/*.c",
    "drivers/media/*.c",
    "drivers/net/ethernet/*.c",
    "drivers/net/wireless/*.c",
    "drivers/scsi/*.c",
    "drivers/staging/*.c",
    "sound/*.c",
    "Documentation/*.rst",
    "Documentation/*.yaml",
    "Documentation/*.txt",
    "Documentation/*.svg",
    "arch/[!x]*.[cSh]",
    "arch/[!x]*.dts*",
    "tools/testing",
    "tools/perf",
];

/// The approximate number of objects to build. Progress ends near its end.
const OBJECTS: u64 = 1_900;

/// Makes `building/tree` from the source package.
pub(super) fn unpack(cache: &CacheLayout, apt: &Apt, place: &Place, package: &str, events: &Events) -> Result<()> {
    super::remove_old(place)?;
    let packages = [package.to_owned()];
    let archives = apt.archives_of(&packages).map_err(|error| {
        Error::new(Kind::Machinery, "the mirror no longer has the source of the prepared kernel")
            .caused_by(error)
            .hint("`drydock setup --update` prepares the mirror's kernel")
    })?;
    let step = events.step("downloading the kernel's source");
    let total = archives.iter().map(|archive| archive.size).sum();
    apt.download_only(&packages, total, &step)?;
    step.done_with(format!("{} MB", total / 1_000_000));
    cache::make_dir(&place.building.join("tree"))?;
    let [archive] = archives.as_slice() else {
        return Err(Error::new(Kind::Machinery, format!("`{package}` does not have exactly one archive")));
    };
    let source = ["--strip-components=3", "--wildcards", "./usr/src/linux-source-*.tar.xz"].map(str::to_owned);
    unpack_with(&apt.archives().join(&archive.file), &place.building, source)?;
    apt.forget(&archives);
    unpack_source(&cache.root(), &place.building, LEFT_OUT, &[], events)?;
    cache::write_atomically(&place.building.join(STAMP), &place.inputs)
}

/// Configures and builds. Reuses what an interrupted attempt has built.
pub(super) fn make(cache: &CacheLayout, place: &Place, events: &Events) -> Result<()> {
    let build = Build { root: cache.root(), place };
    build.configure(events)?;
    build.compile(events)?;
    let step = events.step("keeping the files for booting and building modules");
    build.collect()?;
    cache::remove_tree(&place.dir)?;
    let renamed = fs::rename(&place.building, &place.dir);
    renamed.with_context(|| format!("failed to rename `{}`", place.building.display()))?;
    step.done();
    Ok(())
}

struct Build<'b> {
    root: PathBuf,
    place: &'b Place,
}

impl Build<'_> {
    fn tree(&self) -> PathBuf {
        self.place.building.join("tree")
    }

    fn make(&self) -> std::process::Command {
        // Builds of modules later see the tree as `/kernel`, so it is built there: its files contain each other's
        // paths.
        let mut make = root::command(&self.root, "make", &Binds::none().write(&self.place.building, "/kernel"));
        make.args(["-C", "/kernel/tree"]).args(self.place.variant.make_variables());
        make
    }

    fn configure(&self, events: &Events) -> Result<()> {
        let step = events.step("configuring the debug kernel");
        let read =
            |path: PathBuf| fs::read_to_string(&path).with_context(|| format!("failed to read `{}`", path.display()));
        let kconfig = read(self.tree().join("Kconfig"))? + KCONFIG;
        write_if_new(&self.tree().join(KCONFIG_FILE), &kconfig)?;
        let configuration = self.place.variant.configuration();
        write_if_new(&self.place.building.join("config"), &configuration)?;
        let mut make = self.make();
        make.args(["KCONFIG_ALLCONFIG=/kernel/config", "allnoconfig"]);
        process::run(&mut make, &step).context("failed to configure the debug kernel")?;
        let got = read(self.tree().join(".config"))?;
        let lost = lost(&configuration, &got);
        if !lost.is_empty() {
            let message = "Kconfig does not give the debug kernel all of its options";
            return Err(Error::new(Kind::Machinery, message).details(lost));
        }
        step.done();
        Ok(())
    }

    fn compile(&self, events: &Events) -> Result<()> {
        let step = events.step("building the debug kernel (once; about a quarter of an hour on two processors)");
        let mut done = count_objects(&self.tree());
        step.progress(done.min(OBJECTS), OBJECTS, Unit::Items);
        let jobs = std::thread::available_parallelism().map_or(2, usize::from);
        let mut make = self.make();
        make.args([&format!("-j{jobs}"), "bzImage", "modules"]);
        process::watch(&mut make, &step, |line| tells_progress(line, &mut done, &step))
            .context("failed to build the debug kernel")?;
        step.done();
        Ok(())
    }

    /// Collects the image, the modules as a distribution's package has them, and a tree without files that were only
    /// linked.
    fn collect(&self) -> Result<()> {
        let (building, tree) = (&self.place.building, self.tree());
        fs::copy(tree.join("arch/x86/boot/bzImage"), building.join("vmlinuz")).context("the kernel has no image")?;
        let order = fs::read_to_string(tree.join("modules.order")).context("the kernel has no modules")?;
        for module in order.lines().map(|line| Path::new(line).with_extension("ko")) {
            let to = building.join("modules/kernel").join(&module);
            cache::make_dir(to.parent().expect("it is in a directory"))?;
            fs::copy(tree.join(&module), &to).with_context(|| format!("no module `{}`", module.display()))?;
        }
        remove_objects(&tree)
    }
}

/// Writes a file unless it has the same content: `make` would rebuild everything that depends on it.
fn write_if_new(path: &Path, text: &str) -> Result<()> {
    match fs::read_to_string(path) {
        Ok(found) if found == text => Ok(()),
        _ => cache::write_atomically(path, text),
    }
}

/// Counts and shows Kbuild's lines about files that it makes. They explain nothing once the build has failed.
fn tells_progress(line: &str, done: &mut u64, step: &Step) -> bool {
    if line.starts_with("  ") && line.ends_with(".o") {
        *done += 1;
        step.progress((*done).min(OBJECTS), OBJECTS, Unit::Items);
    }
    false
}

/// Removes the objects of the kernel. Building modules needs programs, headers and metadata, but neither their objects
/// nor the kernel's. The linked kernel stays: it boots, and has the debug information for names and lines.
fn remove_objects(directory: &Path) -> Result<()> {
    visit_objects(directory, &mut |path| Ok(fs::remove_file(path)?))
}

fn count_objects(directory: &Path) -> u64 {
    let mut count = 0;
    // Files that cannot be read are not counted. Only the progress depends on this.
    let _ = visit_objects(directory, &mut |_| {
        count += 1;
        Ok(())
    });
    count
}

/// Calls `f` for each object file and archive below `directory` that is part of the kernel itself.
fn visit_objects(directory: &Path, f: &mut dyn FnMut(&Path) -> Result<()>) -> Result<()> {
    const OF_TOOLS: [&str; 2] = ["scripts", "tools"];
    for entry in fs::read_dir(directory).with_context(|| format!("failed to list `{}`", directory.display()))? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        if entry.file_type()?.is_dir() {
            if !OF_TOOLS.iter().any(|tools| name == *tools) {
                visit_objects(&path, f)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "o" || extension == "a") {
            f(&path)?;
        }
    }
    Ok(())
}

/// Returns the lines of a configuration that set an option.
pub(super) fn options(configuration: &str) -> impl Iterator<Item = &str> {
    configuration.lines().filter(|line| line.starts_with("CONFIG_") || line.ends_with(" is not set"))
}

/// Returns the option that a line sets.
pub(super) fn name_of(option: &str) -> &str {
    let name = option.trim_start_matches("# ");
    name.split(['=', ' ']).next().unwrap_or(name)
}

/// Returns the wanted options that came out differently. An option that Kconfig does not list is off.
fn lost<'c>(wanted: &'c str, got: &str) -> Vec<&'c str> {
    let found: std::collections::BTreeSet<_> = options(got).collect();
    let listed: std::collections::BTreeSet<_> = options(got).map(name_of).collect();
    let is_off = |line: &str| line.starts_with("# ") && !listed.contains(name_of(line));
    options(wanted).filter(|line| !found.contains(line) && !is_off(line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_that_kconfig_drops_is_noticed() {
        let wanted = "# a comment\nCONFIG_KASAN=y\n# CONFIG_A is not set\n# CONFIG_B is not set\nCONFIG_C=20\n";
        assert_eq!(lost(wanted, "CONFIG_KASAN=y\nCONFIG_A=y\nCONFIG_C=20\n"), ["# CONFIG_A is not set"]);
        assert_eq!(lost(wanted, "# CONFIG_KASAN is not set\nCONFIG_C=2\n"), ["CONFIG_KASAN=y", "CONFIG_C=20"]);
    }

    #[test]
    fn the_tools_keep_their_objects() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["mm/slub.o", "mm/built-in.a", "mm/slub.c", "tools/objtool/check.o", "scripts/module-common.o"] {
            cache::write_atomically(&dir.path().join(file), "").unwrap();
        }
        assert_eq!(count_objects(dir.path()), 2);
        remove_objects(dir.path()).unwrap();
        assert_eq!(count_objects(dir.path()), 0);
        assert!(dir.path().join("mm/slub.c").exists() && dir.path().join("tools/objtool/check.o").exists());
    }
}
