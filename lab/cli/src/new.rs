// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `drydock new`: makes a new driver as a renamed copy of an example in `kernel/examples`.
//!
//! The suites `drivers` and `examples` build and check the examples and their copies, so they cannot become outdated. The
//! new driver is built, booted and tested at once.

mod names;
mod taken;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use crate::drivers::Checked;
use drydock_base::cache::CacheLayout;
use drydock_base::error::{Context, Error, Kind, Result};
use drydock_base::events::Events;
use drydock_base::{cache, exit, near, repo};
use drydock_machine::scenario::{Boot, Content, Plan, Stage};
use drydock_toolchain::drivers::{self, Example};
use drydock_toolchain::kbuild::KBUILD;
use drydock_toolchain::kmod::Stock;
use drydock_toolchain::{metadata, setup};
use names::Name;
use taken::Taken;

/// The end of its help. A test compares it with `kernel/examples`.
const LADDER: &str = "\
Examples, from the first to learn from to the last:\n\
\x20   1-counter        an ioctl, and data that lives while the device is registered\n\
\x20   2-buffers        buffers that a client creates, maps and shares\n\
\x20   3-interrupt      a PCI device with registers and an interrupt\n\
\x20   4-fence          work in the background, and a fence that tells when it is done\n\
\x20   5-address-space  an address space of a GPU, and buffers mapped in it\n\
\n\
drydock new my_gpu --from interrupt";

/// Start a driver of your own from an example that builds, loads and passes a test
///
/// Copies an example of `kernel/examples` to `kernel/drivers/NAME/` with its names changed, adds it to `kernel/Kbuild`,
/// builds it, boots a guest, loads the driver and runs its check.
#[derive(Debug, Args)]
#[command(after_help = LADDER)]
pub struct Options {
    /// Name of the driver: lower-case letters, digits and `_`, as in `my_gpu`
    name: String,
    /// The example to copy: `3-interrupt`, or only `interrupt`
    #[arg(long, value_name = "EXAMPLE", default_value = FIRST)]
    from: String,
    /// Only write the files; build and check nothing
    #[arg(long)]
    no_check: bool,
}

/// The example that is copied if none is named.
const FIRST: &str = "1-counter";

#[derive(Debug, Serialize)]
struct Made {
    files: Vec<PathBuf>,
    checked: bool,
}

/// Runs `drydock new`. The name must be none of `suites`, the suites of tests.
pub fn main(options: Options, suites: &[&str], events: &Events) -> Result<u8> {
    let repo = repo::root()?;
    let name = Name::parse(&options.name)?;
    let example = named(&repo, &options.from)?;
    refuse_taken(&repo, &name, &example, suites, None)?;
    // The kernel's own names are known only once it is prepared, which the check needs anyway.
    let kernel = match options.no_check {
        true => metadata::prepared(&CacheLayout::of_user()?, None)?,
        false => Some(setup::ensure(events)?.kernel),
    };
    match kernel {
        Some(kernel) => {
            let stock = Stock::index(&kernel.modules_dir)?;
            refuse_taken(&repo, &name, &example, suites, Some(&stock))?;
        }
        None => events.warn(format!(
            "no kernel is prepared yet, so a clash with a module `{}` of its own cannot be ruled out",
            name.module
        )),
    }
    let files = write(&repo, &options.name, &example)?;
    events.note(format!("wrote {}", repo.join(drivers::DIRECTORY).join(&name.module).display()));
    if !options.no_check {
        check(&repo, &name, events)?;
    }
    let made = Made { files, checked: !options.no_check };
    events.result(&made, |_| next(&name));
    Ok(exit::OK)
}

/// Returns the example called `text`: by its directory, with or without the number, or by its module.
fn named(repo: &Path, text: &str) -> Result<Example> {
    let examples = drivers::examples(repo);
    let is_it = |example: &&Example| {
        let folded = text.replace('_', "-");
        [example.directory.as_str(), example.word(), &example.module.replace('_', "-")].contains(&folded.as_str())
    };
    if let Some(example) = examples.iter().find(is_it) {
        return Ok(example.clone());
    }
    let known: Vec<_> = examples.iter().map(|example| example.directory.as_str()).collect();
    let error = Error::new(Kind::Usage, format!("example `{text}` not found (known examples: {})", known.join(", ")));
    Err(match near::question(text, known) {
        Some(question) => error.hint(question),
        None => error,
    })
}

fn next(name: &Name) -> String {
    let name = &name.module;
    format!(
        "edit kernel/drivers/{name}/{name}.rs, and check in {name}/check.sh what it must do; then run:\n    \
         ./drydock test {name}\n    ./drydock run {name} -- {name}_client"
    )
}

/// Refuses a name that is taken. The kernel's own names count if they are known.
fn refuse_taken(repo: &Path, name: &Name, example: &Example, suites: &[&str], stock: Option<&Stock>) -> Result<()> {
    let template = read(&example.path(repo).join(format!("{}.rs", example.module)))?;
    let own = Name::parse(&example.module)?;
    Taken { repo, template: (&own, &template), stock, suites }.refuse(name)
}

/// Writes the files of a driver `name` and its line in Kbuild. Writes nothing if one of them cannot be written.
pub(crate) fn write(repo: &Path, name: &str, example: &Example) -> Result<Vec<PathBuf>> {
    let (name, own) = (Name::parse(name)?, Name::parse(&example.module)?);
    let dir = repo.join(drivers::DIRECTORY).join(&name.module);
    let kbuild = repo.join(KBUILD);
    let lines = read(&kbuild)?;
    if dir.exists() || lines.contains(&format!("driver,{},", name.module)) {
        return Err(Error::new(Kind::Usage, format!("driver `{}` already exists", name.module)));
    }
    let lines = names::with_driver(&lines, &name.module).ok_or_else(|| {
        Error::new(Kind::Machinery, format!("`{KBUILD}` has no driver line to insert the new one after"))
    })?;
    let copied = files(&example.path(repo), Path::new(""))?.into_iter().map(|file| {
        let text = read(&example.path(repo).join(&file))?;
        Ok((dir.join(own.rename(&name, &file.to_string_lossy())), own.rename(&name, &text)))
    });
    let mut copied = copied.collect::<Result<Vec<_>>>()?;
    copied.push((kbuild, lines));
    for (path, text) in &copied {
        cache::write_atomically(path, text)?;
    }
    Ok(copied.into_iter().map(|(path, _)| path).collect())
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("failed to read `{}`", path.display()))
}

/// Returns the files below `inside`, a path in `directory`, sorted.
fn files(directory: &Path, inside: &Path) -> Result<Vec<PathBuf>> {
    let path = directory.join(inside);
    let entries = fs::read_dir(&path).with_context(|| format!("failed to list `{}`", path.display()))?;
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("failed to list `{}`", path.display()))?;
        let inside = inside.join(entry.file_name());
        match entry.path().is_dir() {
            true => found.extend(files(directory, &inside)?),
            false => found.push(inside),
        }
    }
    found.sort();
    Ok(found)
}

/// Builds and boots the driver, loads it and runs its check.
fn check(repo: &Path, name: &Name, events: &Events) -> Result<()> {
    let driver = Checked::read(repo, &name.module)?;
    let plan = Plan { kernel: None, content: Content::of_driver(repo, &name.module)? };
    let stage = Stage::prepare(&plan, events)?;
    let boot = Boot { devices: drivers::devices(repo, &name.module), ..Boot::default() };
    let (output, _) = stage.play(&boot, events, |scene| driver.check(scene, &name.module))?;
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
    fn a_copy_has_all_files_of_its_example_and_none_of_its_names() {
        let repo = repo::root().unwrap();
        for example in drivers::examples(&repo) {
            let dir = tempfile::tempdir().unwrap();
            for file in files(&example.path(&repo), Path::new("")).unwrap() {
                let text = fs::read(example.path(&repo).join(&file)).unwrap();
                cache::write_atomically(&example.path(dir.path()).join(&file), text).unwrap();
            }
            cache::write_atomically(&dir.path().join(KBUILD), fs::read(repo.join(KBUILD)).unwrap()).unwrap();
            let written = write(dir.path(), "my-gpu", &example).unwrap();
            let (kbuild, copied) = written.split_last().unwrap();
            for path in copied {
                let text = fs::read_to_string(path).unwrap();
                assert!(!text.to_lowercase().contains(&example.module), "{}: {text}", path.display());
            }
            let own = dir.path().join(drivers::DIRECTORY).join("my_gpu");
            let driver = fs::read_to_string(own.join("my_gpu.rs")).unwrap();
            assert!(driver.contains("struct MyGpu;") && driver.contains("c\"my_gpu\""), "{driver}");
            assert!(own.join("client/main.rs").is_file() && own.join("check.sh").is_file());
            assert_eq!(drivers::devices(dir.path(), "my_gpu"), drivers::devices(&repo, &example.module));
            let line = "$(eval $(call driver,my_gpu,drivers/my_gpu/my_gpu))\n";
            assert!(fs::read_to_string(kbuild).unwrap().contains(line));
            let again = write(dir.path(), "my_gpu", &example).unwrap_err();
            assert_eq!(again.to_string(), "driver `my_gpu` already exists");
        }
    }

    #[test]
    fn an_example_is_found_by_its_directory_its_word_and_its_module() {
        let repo = repo::root().unwrap();
        for text in ["5-address-space", "address-space", "address_space", "atlas"] {
            assert_eq!(named(&repo, text).unwrap().module, "atlas");
        }
        assert_eq!(named(&repo, FIRST).unwrap().module, "counter");
        let error = named(&repo, "interupt").unwrap_err();
        assert!(error.to_string().ends_with("1-counter, 2-buffers, 3-interrupt, 4-fence, 5-address-space)"), "{error}");
        assert_eq!((error.kind(), error.hint_text()), (Kind::Usage, Some("did you mean `3-interrupt`?")));
    }

    #[test]
    fn the_help_lists_the_examples() {
        let listed =
            LADDER.lines().filter(|line| line.starts_with("    ")).filter_map(|line| line.split_whitespace().next());
        let there = drivers::examples(&repo::root().unwrap());
        assert!(listed.eq(there.iter().map(|example| example.directory.as_str())), "{LADDER}");
    }
}
