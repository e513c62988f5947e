// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Makes one erofs image of an unpacked root. Equal trees give equal images.
//!
//! Source: mkfs.erofs(1), Documentation/filesystems/erofs.rst.

use std::path::Path;

use super::kept::IMAGE;
use crate::root::{self, Binds};
use crate::setup::Toolchain;
use drydock_base::cache::room;
use drydock_base::error::{Context, Result};
use drydock_base::events::Events;
use drydock_base::process;

/// The time of all files in an image, in seconds since 1970. As many tools take zero for "unknown", it is one.
pub(super) const TIME: u64 = 1;

/// Packs `tree` in the directory `dir` into an image beside it.
pub(super) fn make(toolchain: &Toolchain, dir: &Path, events: &Events) -> Result<()> {
    let step = events.step("packing the guest's root");
    let binds = Binds::none().read(dir.join("tree"), "/tree").write(dir, "/image");
    let mut mkfs = root::command(&toolchain.root, "mkfs.erofs", &binds);
    // A fixed identity and time, and no attributes of the host's file system, make equal images from equal trees.
    mkfs.args(["-zlz4", "-C65536", "--all-root", "-x-1", "-U00000000-0000-0000-0000-000000000000"]);
    mkfs.arg(format!("-T{TIME}")).arg(format!("/image/{IMAGE}")).arg("/tree");
    process::run(&mut mkfs, &step).context("failed to make the image of the guest's root")?;
    let path = dir.join(IMAGE);
    let made = std::fs::metadata(&path).with_context(|| format!("failed to read `{}`", path.display()))?;
    step.done_with(room::size(made.len()));
    Ok(())
}
