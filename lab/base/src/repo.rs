// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Finds the checkout that the lab works on: the one it was built from, unless the current directory is in another.

use std::path::{Path, PathBuf};

use crate::error::{Error, Kind, Result};

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
