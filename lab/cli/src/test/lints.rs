// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Formatting and lints: rustfmt and clippy for the workspace and for kernel code. They come from the toolchain root,
//! so that every machine reports the same.
//!
//! Source: Documentation/rust/general-information.rst (`CLIPPY=1`).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use drydock_base::error::{Context as _, Kind, Result};
use drydock_base::process;
use drydock_toolchain::root::{self, Binds};
use drydock_toolchain::{guestbin, modules};

use super::suite::{Case, Context, Need, Suite, Verdict};

/// The four checks.
pub(super) struct Lints;

pub(super) const NAME: &str = "lints";

/// A check: its name, and a command that fails if it finds something.
type Check = (&'static str, fn(&Context<'_>) -> Result<Command>);

const CHECKS: &[Check] = &[
    ("lints::rustfmt", rustfmt_workspace),
    ("lints::rustfmt-kernel", rustfmt_kernel),
    ("lints::clippy-kernel", clippy_kernel),
    ("lints::clippy", clippy_workspace),
];

impl Suite for Lints {
    fn name(&self) -> &'static str {
        NAME
    }

    fn need(&self) -> Need {
        Need::Toolchain
    }

    /// `drydock lint` runs it.
    fn is_extra(&self) -> bool {
        true
    }

    fn names(&self, _repo: &Path) -> Result<BTreeSet<String>> {
        Ok(CHECKS.iter().map(|(name, _)| (*name).to_owned()).collect())
    }

    fn run(&self, context: &Context<'_>, tell: &mut dyn FnMut(Case)) -> Result<()> {
        for (name, command) in CHECKS.iter().filter(|(name, _)| context.filter.selects(name)) {
            let mut command = command(context)?;
            let step = context.events.step((*name).to_owned());
            let mut said = Vec::new();
            let ended = process::watch(&mut command, &step, |line| {
                said.push(line.to_owned());
                true
            });
            let verdict = match ended {
                Err(error) if error.kind() == Kind::Interrupted => return Err(error),
                Err(error) => {
                    let details = said.into_iter().chain(error.all_details().into_iter().map(str::to_owned));
                    Verdict::Failed { why: error.to_string(), details: shorten(details.collect()) }
                }
                Ok(_) => Verdict::Passed,
            };
            step.done_with(if verdict == Verdict::Passed { "clean" } else { "not clean" });
            tell(Case { name: (*name).to_owned(), verdict });
        }
        Ok(())
    }
}

/// Shortens a formatter's diff, which may be long. Its beginning shows where to look.
fn shorten(mut lines: Vec<String>) -> Vec<String> {
    const MOST: usize = 200;
    let more = lines.len().saturating_sub(MOST);
    lines.truncate(MOST);
    if more > 0 {
        lines.push(format!("… and {more} more lines"));
    }
    lines
}

fn rustfmt_workspace(context: &Context<'_>) -> Result<Command> {
    let mut cargo = context.toolchain().command("cargo", &Binds::none());
    cargo.args(["fmt", "--manifest-path", "/src/Cargo.toml", "--all", "--check"]);
    cargo.env("CARGO_HOME", format!("{}/cargo", root::PRIVATE_TMP));
    Ok(cargo)
}

/// Checks the roots, which lead to the other files. Generated code is included as text, not as a module.
fn rustfmt_kernel(context: &Context<'_>) -> Result<Command> {
    let repo = context.repo;
    let files = rust_files(&repo.join("kernel"))?;
    let inside = files.iter().filter_map(|file| file.strip_prefix(repo).ok()).map(|file| Path::new("/src").join(file));
    let mut rustfmt = context.toolchain().command("rustfmt", &Binds::none());
    rustfmt.arg("--check").args(inside);
    Ok(rustfmt)
}

fn clippy_workspace(context: &Context<'_>) -> Result<Command> {
    let toolchain = context.toolchain();
    guestbin::fetch(toolchain, context.events)?;
    let target = directory(toolchain.work().join("clippy"))?;
    let mut cargo = guestbin::cargo(toolchain, &target)?;
    cargo.args([
        "check",
        "--offline",
        "--locked",
        "--workspace",
        "--all-targets",
        "--manifest-path",
        "/src/Cargo.toml",
    ]);
    // `cargo clippy` sets these too, but it would run the clippy in `CARGO_HOME/bin`, which is the host's.
    cargo.env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver").env("CLIPPY_ARGS", "-Dwarnings__CLIPPY_HACKERY__");
    Ok(cargo)
}

/// Runs clippy in the kernel's way, in place of rustc. Warnings are errors, so an existing object is clean, and only
/// changed sources are checked.
fn clippy_kernel(context: &Context<'_>) -> Result<Command> {
    let toolchain = context.toolchain();
    let out = directory(toolchain.work().join("clippy-kernel"))?;
    modules::leave_kernel_alone(&out)?;
    let binds = modules::sources(&toolchain.repo.join("kernel")).write(out, "/out");
    let mut make = toolchain.command("make", &binds);
    make.arg(format!("-j{}", modules::jobs())).args(&toolchain.kernel.make_variables);
    make.args(["CLIPPY=1", "KRUSTFLAGS=-Dwarnings", "-C", "/kernel/tree", "M=/kernel-src", "MO=/out", "modules"]);
    Ok(make)
}

fn directory(path: PathBuf) -> Result<PathBuf> {
    std::fs::create_dir_all(&path).with_context(|| format!("failed to create `{}`", path.display()))?;
    Ok(path)
}

fn rust_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut todo = vec![directory.to_owned()];
    while let Some(directory) = todo.pop() {
        let entries = std::fs::read_dir(&directory);
        for entry in entries.with_context(|| format!("failed to list `{}`", directory.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                todo.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
