// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `drydock clean`: removes everything that the lab has made outside the checkout.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use drydock_base::cache::{self, CacheLayout, Lock};
use drydock_base::error::{Context, Result};
use drydock_base::events::Events;
use drydock_base::{exit, repo};

/// Remove everything that other commands have made outside this directory
///
/// Without an option, removes what was built from this checkout: modules, guest programs, images. The next command
/// builds them again in seconds. With `--all`, also removes the toolchain root and the kernels, which must then be
/// downloaded again.
#[derive(Debug, Args)]
pub struct Options {
    /// Remove the whole cache: toolchain root, kernels, downloads
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Serialize)]
struct Cleaned {
    removed: Vec<PathBuf>,
    bytes: u64,
}

/// Runs `drydock clean`.
pub fn main(options: Options, events: &Events) -> Result<u8> {
    let cache = CacheLayout::of_user()?;
    let _lock = Lock::exclusive(&cache, events)?;
    let step = events.step("removing");
    let mut cleaned = Cleaned { removed: Vec::new(), bytes: 0 };
    for path in doomed(&cache, &options)?.into_iter().filter(|path| path.exists()) {
        step.line(path.display().to_string());
        cleaned.bytes += size(&path);
        remove(&path)?;
        cleaned.removed.push(path);
    }
    step.done();
    events.result(&cleaned, |cleaned| match cleaned.removed.len() {
        0 => "nothing to remove".to_owned(),
        _ => format!("removed {:.1} MB from `{}`", cleaned.bytes as f64 / 1e6, cache.base().display()),
    });
    Ok(exit::OK)
}

/// Returns the paths to remove. The lock stays because another run may be waiting for it, and the lab because it is
/// running.
fn doomed(cache: &CacheLayout, options: &Options) -> Result<Vec<PathBuf>> {
    if !options.all {
        return Ok(vec![cache.work(&repo::root()?)]);
    }
    let Ok(entries) = std::fs::read_dir(cache.base()) else { return Ok(Vec::new()) };
    let names = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let stays = |path: &PathBuf| path.file_name().is_some_and(|name| name == "lock" || name == "target");
    Ok(names.filter(|path| !stays(path)).collect())
}

fn remove(path: &Path) -> Result<()> {
    match path.is_dir() {
        true => cache::remove_tree(path),
        false => std::fs::remove_file(path).with_context(|| format!("failed to remove `{}`", path.display())),
    }
}

/// Returns the total size in bytes of all files below `path`. Skips what it cannot read.
fn size(path: &Path) -> u64 {
    let Ok(metadata) = path.symlink_metadata() else { return 0 };
    if !metadata.is_dir() {
        return metadata.len();
    }
    let entries = std::fs::read_dir(path).into_iter().flatten().filter_map(Result::ok);
    entries.map(|entry| size(&entry.path())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_keeps_the_lock_and_the_lab() {
        let dir = tempfile::tempdir().unwrap();
        let cache = CacheLayout::at(dir.path().to_owned());
        for name in ["lock", "kernel", "root/bin/sh", "target/lab/drydock"] {
            cache::write_atomically(&dir.path().join(name), "x").unwrap();
        }
        let mut found = doomed(&cache, &Options { all: true }).unwrap();
        found.sort();
        assert_eq!(found, [dir.path().join("kernel"), dir.path().join("root")]);
        assert_eq!(found.iter().map(|path| size(path)).sum::<u64>(), 2);
    }

    #[test]
    fn an_absent_cache_is_clean() {
        let cache = CacheLayout::at("/nowhere/drydock".into());
        assert!(doomed(&cache, &Options { all: true }).unwrap().is_empty());
    }
}
