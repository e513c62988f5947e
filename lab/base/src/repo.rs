// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Finds the checkout that the lab works on: the one it was built from, unless the current directory is in another.

use std::path::{Path, PathBuf};

use crate::error::{Context, Error, Kind, Result};

/// A file that identifies the root of a checkout of this project.
const MARK: &str = "lab/cli/src/main.rs";

/// Returns the root of the checkout.
pub fn root() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("DRYDOCK_REPO") {
        return Ok(PathBuf::from(named));
    }
    let here = std::env::current_dir().ok();
    let found = here.as_deref().and_then(|dir| dir.ancestors().find(|dir| dir.join(MARK).is_file()));
    let built_from = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).filter(|dir| dir.join(MARK).is_file());
    found.or(built_from).map(Path::to_owned).ok_or_else(|| {
        Error::new(Kind::Usage, "no checkout of drydock is here").hint("run `./drydock` from the directory you cloned")
    })
}

/// Returns the paths of all Rust files in a folder of the repository, relative to its root and sorted, and their texts.
pub fn rust_files(repo: &Path, folder: &str) -> Result<Vec<(String, String)>> {
    files(repo, folder, &[".rs"])
}

/// Returns the paths of all files in a folder of the repository whose names end in one of `ends`, relative to its root and
/// sorted, and their texts.
pub fn files(repo: &Path, folder: &str, ends: &[&str]) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    let mut todo = vec![repo.join(folder)];
    while let Some(directory) = todo.pop() {
        let entries = std::fs::read_dir(&directory);
        for entry in entries.with_context(|| format!("failed to list `{}`", directory.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                todo.push(path);
            } else if ends.iter().any(|end| path.to_string_lossy().ends_with(end)) {
                let text = std::fs::read_to_string(&path);
                let text = text.with_context(|| format!("failed to read `{}`", path.display()))?;
                let inside = path.strip_prefix(repo).expect("it was found there");
                found.push((inside.display().to_string(), text));
            }
        }
    }
    found.sort();
    Ok(found)
}
