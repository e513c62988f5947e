// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `drydock ide`: writes a `rust-project.json` with which rust-analyzer understands the code that is loaded into a
//! kernel.
//!
//! Source: rust-analyzer's manual, "Non-Cargo Based Projects"; scripts/generate_rust_analyzer.py names the kernel's
//! crates.

mod project;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use drydock_base::error::{Context, Error, Kind, Result};
use drydock_base::events::Events;
use drydock_base::{cache, exit};
use drydock_toolchain::modules;
use drydock_toolchain::setup::{self, Toolchain};
use project::{Places, Project};

/// Write `rust-project.json`, with which rust-analyzer understands the modules too
///
/// Writes `rust-project.json` into the checkout. It describes the kernel's crates, `drm` and every driver, with the
/// sources and the configuration of the prepared kernel. Cargo describes the workspace's own crates, so add both to
/// your editor's settings: `rust-analyzer.linkedProjects` = ["Cargo.toml", "rust-project.json"].
#[derive(Debug, Args)]
pub struct Options {}

const FILE: &str = "rust-project.json";

#[derive(Debug, Serialize)]
struct Written {
    file: PathBuf,
    crates: usize,
}

/// Runs `drydock ide`.
pub fn main(_options: Options, events: &Events) -> Result<u8> {
    let toolchain = setup::ensure(events)?;
    let built = modules::build(&toolchain, &toolchain.repo.join("kernel"), None, events)?;
    let project = describe(&toolchain, &built.dir)?;
    let file = toolchain.repo.join(FILE);
    let text = serde_json::to_vec_pretty(&project).expect("a project has string keys");
    cache::write_atomically(&file, text)?;
    let written = Written { file, crates: project.crates.len() };
    events.result(&written, |written| {
        format!(
            "wrote {} ({} crates)\nin your editor's settings: \"rust-analyzer.linkedProjects\": [\"Cargo.toml\", \"{FILE}\"]",
            written.file.display(),
            written.crates
        )
    });
    Ok(exit::OK)
}

fn describe(toolchain: &Toolchain, out: &Path) -> Result<Project> {
    let tree = &toolchain.kernel.tree;
    let read = |path: &Path| fs::read_to_string(path).with_context(|| format!("failed to read `{}`", path.display()));
    let places = Places {
        sysroot: library(&toolchain.root)?,
        tree: tree.clone(),
        kernel: toolchain.repo.join("kernel"),
        out: out.to_owned(),
    };
    let configuration = read(&tree.join("include/generated/rustc_cfg"))?;
    Ok(Project::new(&places, &configuration, &read(&places.kernel.join("Kbuild"))?))
}

/// Returns the standard library's sources in the root. The link to them is absolute, so it must not be followed from
/// outside.
fn library(root: &Path) -> Result<PathBuf> {
    let entries = fs::read_dir(root.join("usr/src")).context("failed to read the toolchain root's sources")?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path().join("library")));
    let found = paths.filter(|path| path.join("core/src/lib.rs").is_file()).max();
    found.ok_or_else(|| Error::new(Kind::Machinery, "the toolchain root has no sources of the standard library"))
}
