// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The examples as `drydock new --from` copies them: `examples::WORD` is a copy under another name, built, booted and
//! checked. The suite `drivers` checks the examples themselves.
//!
//! The copies are made beside copies of `kernel/` and `crates/`, so that the checkout stays as it is.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use drydock_base::cache;
use drydock_base::error::{Context as _, Result};
use drydock_machine::scenario::{Boot, Content, Stage};
use drydock_toolchain::drivers::{Example, examples};

use crate::drivers::Checked;
use crate::new;

use super::drivers::{check_all, devices};
use super::suite::{Case, Context, Need, Suite, Verdict};

/// The copies of the examples.
pub(super) struct Ladder;

const NAME: &str = "examples";

impl Suite for Ladder {
    fn name(&self) -> &'static str {
        NAME
    }

    fn need(&self) -> Need {
        Need::Toolchain
    }

    fn names(&self, repo: &Path) -> Result<BTreeSet<String>> {
        Ok(examples(repo).iter().map(case_name).collect())
    }

    fn run(&self, context: &Context<'_>, tell: &mut dyn FnMut(Case)) -> Result<()> {
        let mut examples = examples(context.repo);
        examples.retain(|example| context.filter.selects(&case_name(example)));
        if examples.is_empty() {
            return Ok(());
        }
        let step = context.events.step("copies of the examples");
        let repo = with_copies(context, &examples)?;
        let content = examples.iter().map(|example| Content::of_driver(&repo, &copy_of(example)));
        let content = content.collect::<Result<Vec<_>>>()?.into_iter().fold(Content::library(), Content::and);
        let toolchain = context.toolchain();
        let stage = Stage::build(toolchain.clone(), &repo.join("kernel"), &content, context.events)?;
        let copies = examples.iter().map(|example| Ok((Checked::read(&repo, &copy_of(example))?, copy_of(example))));
        let copies = copies.collect::<Result<Vec<_>>>()?;
        let machine = Boot { devices: devices(&repo, &copies), ..Boot::default() };
        let mut tell = |copy: &str, verdict: Verdict| {
            let example = examples.iter().find(|example| copy_of(example) == copy);
            tell(Case { name: case_name(example.expect("it is a copy of one")), verdict });
        };
        check_all(&stage, &machine, copies, context.events, &mut tell)?;
        step.done_with(format!("{} examples", examples.len()));
        Ok(())
    }
}

fn case_name(example: &Example) -> String {
    format!("{NAME}::{}", example.word())
}

/// Returns the name of the copied driver.
fn copy_of(example: &Example) -> String {
    format!("my_{}", example.word().replace('-', "_"))
}

/// Makes a directory with what a driver is built from and the copies of `examples`. Returns its path.
fn with_copies(context: &Context<'_>, examples: &[Example]) -> Result<PathBuf> {
    let target = context.toolchain().work().join(NAME);
    for directory in ["kernel", "crates"] {
        cache::remove_tree(&target.join(directory))?;
        copy(&context.repo.join(directory), &target.join(directory))?;
    }
    for example in examples {
        new::write(&target, &copy_of(example), example)?;
    }
    Ok(target)
}

/// Copies a directory tree with the times of its files, so that only changed files are compiled again.
fn copy(from: &Path, to: &Path) -> Result<()> {
    cache::make_dir(to)?;
    let entries = fs::read_dir(from).with_context(|| format!("failed to list `{}`", from.display()))?;
    for entry in entries {
        let from = entry.with_context(|| format!("failed to list `{}`", from.display()))?.path();
        let to = to.join(from.file_name().expect("an entry has a name"));
        if from.is_dir() {
            copy(&from, &to)?;
        } else {
            copy_file(&from, &to).with_context(|| format!("failed to copy `{}`", from.display()))?;
        }
    }
    Ok(())
}

fn copy_file(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::copy(from, to)?;
    let time = fs::metadata(from)?.modified()?;
    fs::File::options().write(true).open(to)?.set_modified(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_keeps_the_times_of_its_files() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        cache::write_atomically(&from.path().join("a/b.rs"), "text").unwrap();
        let long_ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
        fs::File::options().write(true).open(from.path().join("a/b.rs")).unwrap().set_modified(long_ago).unwrap();
        copy(from.path(), to.path()).unwrap();
        let copied = to.path().join("a/b.rs");
        assert_eq!(fs::read_to_string(&copied).unwrap(), "text");
        assert_eq!(fs::metadata(&copied).unwrap().modified().unwrap(), long_ago);
    }
}
