// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `drydock new`: makes a new driver as a renamed copy of `kernel/drivers/counter` and its check.
//!
//! Every build compiles the template, so it cannot become outdated. The new driver is built, booted and tested at once.

mod names;
mod taken;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use crate::drivers::{self, Checked};
use crate::test;
use drydock_base::cache::CacheLayout;
use drydock_base::error::{Context, Error, Kind, Result};
use drydock_base::events::Events;
use drydock_base::{cache, exit, repo};
use drydock_machine::scenario::{Boot, Content, Plan, Stage};
use drydock_toolchain::kbuild::KBUILD;
use drydock_toolchain::kmod::Stock;
use drydock_toolchain::{metadata, setup};
use names::Name;
use taken::Taken;

/// Start a driver of your own from a template that builds, loads and passes a test
///
/// Writes `kernel/drivers/NAME/`, adds it to `kernel/Kbuild`, builds it, boots a guest, loads the driver and runs its
/// check.
#[derive(Debug, Args)]
pub struct Options {
    /// Name of the driver: lower-case letters, digits and `_`, as in `my_gpu`
    name: String,
    /// Only write the files
    #[arg(long)]
    no_check: bool,
}

const TEMPLATE: &str = "kernel/drivers/counter/counter.rs";
const CHECK: &str = "kernel/drivers/counter/check.sh";

#[derive(Debug, Serialize)]
struct Made {
    files: Vec<PathBuf>,
    checked: bool,
}

/// Runs `drydock new`.
pub fn main(options: Options, events: &Events) -> Result<u8> {
    let repo = repo::root()?;
    let name = Name::parse(&options.name)?;
    refuse_taken(&repo, &name, None)?;
    // The kernel's own names are known only once it is prepared, which the check needs anyway.
    let kernel = match options.no_check {
        true => metadata::prepared(&CacheLayout::of_user()?, None)?,
        false => Some(setup::ensure(events)?.kernel),
    };
    match kernel {
        Some(kernel) => {
            let stock = Stock::index(&kernel.modules_dir)?;
            refuse_taken(&repo, &name, Some(&stock))?;
        }
        None => events.warn(format!(
            "no kernel is prepared yet, so a clash with a module `{}` of its own cannot be ruled out",
            name.module
        )),
    }
    let files = write(&repo, &name)?;
    events.note(format!("wrote {}", files[0].display()));
    if !options.no_check {
        check(&repo, &name, events)?;
    }
    let made = Made { files, checked: !options.no_check };
    events.result(&made, |_| next(&name));
    Ok(exit::OK)
}

fn next(name: &Name) -> String {
    let name = &name.module;
    format!(
        "edit kernel/drivers/{name}/{name}.rs, and check in {name}/check.sh what it must do; then run:\n    \
         ./drydock test {name}\n    ./drydock run {name} -- drmdevice"
    )
}

/// Refuses a name that is taken. The kernel's own names count if they are known.
fn refuse_taken(repo: &Path, name: &Name, stock: Option<&Stock>) -> Result<()> {
    let path = repo.join(TEMPLATE);
    let template = fs::read_to_string(&path).with_context(|| format!("failed to read `{}`", path.display()))?;
    Taken { repo, template: &template, stock, suites: &test::suite_names() }.refuse(name)
}

/// Writes the driver's files and its line in Kbuild. Writes nothing if one of them cannot be written.
fn write(repo: &Path, name: &Name) -> Result<Vec<PathBuf>> {
    let read = |path: &Path| fs::read_to_string(path).with_context(|| format!("failed to read `{}`", path.display()));
    let dir = repo.join(drivers::DIRECTORY).join(&name.module);
    let kbuild = repo.join(KBUILD);
    let (template, script) = (read(&repo.join(TEMPLATE))?, read(&repo.join(CHECK))?);
    let lines = read(&kbuild)?;
    if dir.exists() || lines.contains(&format!("driver,{},", name.module)) {
        return Err(Error::new(Kind::Usage, format!("driver `{}` already exists", name.module)));
    }
    let lines = names::with_driver(&lines, &name.module).ok_or_else(|| {
        Error::new(Kind::Machinery, format!("`{KBUILD}` has no driver line to insert the new one after"))
    })?;
    let files = [(format!("{}.rs", name.module), template), (drivers::SCRIPT.into(), script)];
    let mut written = Vec::new();
    for (file, text) in files {
        cache::write_atomically(&dir.join(&file), name.rename(&text))?;
        written.push(dir.join(file));
    }
    cache::write_atomically(&kbuild, lines)?;
    written.push(kbuild);
    Ok(written)
}

/// Builds and boots the driver, loads it and runs its check.
fn check(repo: &Path, name: &Name, events: &Events) -> Result<()> {
    let driver = Checked::read(repo, &name.module)?;
    let plan = Plan { kernel: None, content: Content::of_driver(repo, &name.module)? };
    let stage = Stage::prepare(&plan, events)?;
    let (output, _) = stage.play(&Boot::default(), events, |scene| driver.check(scene, &name.module))?;
    let said = || output.out.lines().chain(output.err.lines());
    match output.status.shell_code() {
        0 => {
            said().for_each(|line| events.note(line));
            Ok(())
        }
        _ => Err(Error::new(Kind::Check, format!("the check of driver `{}` failed", name.module)).details(said())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_is_two_files_and_a_line() {
        let repo = repo::root().unwrap();
        let dir = tempfile::tempdir().unwrap();
        for file in [TEMPLATE, CHECK, KBUILD] {
            cache::write_atomically(&dir.path().join(file), fs::read(repo.join(file)).unwrap()).unwrap();
        }
        let name = Name::parse("my_gpu").unwrap();
        let files = write(dir.path(), &name).unwrap();
        let driver = fs::read_to_string(&files[0]).unwrap();
        assert!(driver.contains("struct MyGpu;") && driver.contains("c\"my_gpu\""), "{driver}");
        assert!(!driver.to_lowercase().contains("counter"), "{driver}");
        let kbuild = fs::read_to_string(dir.path().join(KBUILD)).unwrap();
        assert!(kbuild.contains("$(eval $(call driver,my_gpu,drivers/my_gpu/my_gpu))\n"));
        assert_eq!(write(dir.path(), &name).unwrap_err().to_string(), "driver `my_gpu` already exists");
    }
}
