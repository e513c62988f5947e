// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Where the checkout is that the lab works for: the one it was built from, unless we stand in another.

use std::path::{Path, PathBuf};

use crate::error::{Error, Kind, Result};

/// The file that only a checkout of this project has at its root.
const MARK: &str = "lab/src/main.rs";

/// The root of the checkout.
pub fn root() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("DRYDOCK_REPO") {
        return Ok(PathBuf::from(named));
    }
    let here = std::env::current_dir().ok();
    let found = here.as_deref().and_then(|dir| dir.ancestors().find(|dir| dir.join(MARK).is_file()));
    let built_from = Path::new(env!("CARGO_MANIFEST_DIR")).parent().filter(|dir| dir.join(MARK).is_file());
    found.or(built_from).map(Path::to_owned).ok_or_else(|| {
        Error::new(Kind::Usage, "no checkout of drydock is here").hint("run `./drydock` from the directory you cloned")
    })
}
