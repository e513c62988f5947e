// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Builds the compositor on Smithay, which runs in a root of Debian's packages.
//!
//! Smithay has many dependencies and links C libraries, so the compositor is a workspace of its own that only its tests build. The
//! libraries are added to the toolchain root (docs/decisions/0008-additions-to-the-root.md).

use std::path::{Path, PathBuf};

use crate::client_root;
use crate::guestbin;
use crate::root;
use crate::setup::Toolchain;
use drydock_base::cache::{self, Lock};
use drydock_base::error::{Error, Kind, Result};
use drydock_base::events::Events;
use drydock_base::process;
use drydock_base::repo;

/// The name of the package and its program.
pub const NAME: &str = "drydock-compositor";

/// Its workspace in the checkout.
const DIRECTORY: &str = "guest/compositor";

/// The libraries that it links. Its root gets them with Weston.
const LIBRARIES: root::Addition =
    root::Addition { name: "compositor", packages: &["libpixman-1-dev", "libxkbcommon-dev"] };

/// Builds the compositor if it has changed, and returns the path of its program.
pub fn build(toolchain: &Toolchain, events: &Events) -> Result<PathBuf> {
    let target = toolchain.work().join("compositor");
    // This also creates the directory.
    let _lock = Lock::of_directory(&target, events)?;
    let (stamp, program) = (target.join("stamp"), target.join("debug").join(NAME));
    let inputs = inputs(toolchain)?;
    if cache::is_stamped(&stamp, &inputs) && program.is_file() {
        return Ok(program);
    }
    client_root::add_to_toolchain(toolchain, &LIBRARIES, events)?;
    guestbin::fetch_for(&toolchain.repo.join(DIRECTORY).join("Cargo.toml"), events)?;
    let step = events.step(format!("building {NAME}"));
    let mut cargo = guestbin::cargo(toolchain, &target)?;
    cargo
        .args(["build", "--offline", "--locked", "--manifest-path"])
        .arg(Path::new("/src").join(DIRECTORY).join("Cargo.toml"));
    process::run(&mut cargo, &step).map_err(|error| match error.kind() {
        Kind::Interrupted => error,
        _ => Error::new(Kind::Build, "the compositor does not build").details(error.detail_lines()),
    })?;
    step.done();
    cache::write_atomically(&stamp, inputs)?;
    Ok(program)
}

/// Returns everything that it is made from.
fn inputs(toolchain: &Toolchain) -> Result<String> {
    let files = repo::files(&toolchain.repo, DIRECTORY, &[".rs", "Cargo.toml", "Cargo.lock"])?;
    let texts = files.into_iter().flat_map(|(path, text)| [path, text]);
    Ok(cache::hash([root::identity(&toolchain.cache)].into_iter().chain(texts)))
}
