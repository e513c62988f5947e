// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Adds files and directories to an unpacked root. Their modes do not depend on the umask of whoever makes the root.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use drydock_base::cache;
use drydock_base::error::{Context, Result};

/// Writes a file that everyone may read, and makes its directory.
pub(super) fn put_file(path: &Path, text: impl AsRef<[u8]>) -> Result<()> {
    path.parent().map_or(Ok(()), put_directory)?;
    cache::write_atomically(path, text)?;
    set_mode(path, 0o644)
}

/// Makes a directory and its parents, which everyone may list. Leaves those that exist as they are.
pub(super) fn put_directory(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    path.parent().map_or(Ok(()), put_directory)?;
    fs::create_dir(path).with_context(|| format!("failed to create `{}`", path.display()))?;
    set_mode(path, 0o755)
}

/// Makes a directory in which everyone may make files, and remove only their own.
pub(super) fn put_sticky_directory(path: &Path) -> Result<()> {
    put_directory(path)?;
    set_mode(path, 0o1777)
}

fn set_mode(path: &Path, mode: u32) -> Result<()> {
    let set = fs::set_permissions(path, Permissions::from_mode(mode));
    set.with_context(|| format!("failed to set the mode of `{}`", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn new_files_are_readable_and_old_directories_keep_their_mode() {
        let tree = tempfile::tempdir().unwrap();
        let (old, file) = (tree.path().join("old"), tree.path().join("old/new/file"));
        fs::create_dir(&old).unwrap();
        set_mode(&old, 0o700).unwrap();
        put_file(&file, "text").unwrap();
        assert_eq!((mode(&old), mode(&old.join("new")), mode(&file)), (0o700, 0o755, 0o644));
    }
}
