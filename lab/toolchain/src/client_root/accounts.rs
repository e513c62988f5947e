// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The users and groups of a root for the guest: those of Debian's base-passwd, and one ordinary user.
//!
//! The names and numbers are those of the guest's small image (`lab/machine/src/image.rs`). Source: passwd(5), group(5),
//! the package base-passwd, which has the files that `update-passwd` starts from.

use std::fs;
use std::path::Path;

use super::tree::{put_directory, put_file};
use drydock_base::error::{Context, Result};

/// The directory with the accounts of every Debian system.
const MASTER: &str = "usr/share/base-passwd";

/// The ordinary user, who may use GPUs. As for Debian's other accounts, no password fits, and none is looked up in
/// `/etc/shadow`.
const USER: &str = "user:*:1000:1000:user:/home/user:/bin/bash\n";
/// The groups that Debian has no fixed number for.
const GROUPS: &str = "render:*:105:user\nuser:*:1000:\n";

/// Writes the accounts of the unpacked root `tree`, and makes the user's home.
pub(super) fn write(tree: &Path) -> Result<()> {
    let master = |name: &str| {
        let path = tree.join(MASTER).join(name);
        fs::read_to_string(&path).with_context(|| format!("failed to read `{}`", path.display()))
    };
    put_file(&tree.join("etc/passwd"), master("passwd.master")? + USER)?;
    put_file(&tree.join("etc/group"), groups(&master("group.master")?))?;
    put_directory(&tree.join("home/user"))
}

/// Returns the groups in `master` and ours. The user is a member of `video`.
fn groups(master: &str) -> String {
    let with_user = |line: &str| match line.split(':').next() {
        Some("video") => format!("{line}user\n"),
        _ => format!("{line}\n"),
    };
    master.lines().map(with_user).chain([GROUPS.to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_is_in_the_groups_of_gpus() {
        let found = groups("root:*:0:\nvideo:*:44:\nvideos:*:45:\n");
        assert_eq!(found, "root:*:0:\nvideo:*:44:user\nvideos:*:45:\nrender:*:105:user\nuser:*:1000:\n");
    }

    #[test]
    fn accounts_of_debian_stay() {
        let tree = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| put_file(&tree.path().join(MASTER).join(name), text).unwrap();
        put("passwd.master", "root:*:0:0:root:/root:/bin/bash\n");
        put("group.master", "root:*:0:\n");
        write(tree.path()).unwrap();
        let passwd = fs::read_to_string(tree.path().join("etc/passwd")).unwrap();
        assert_eq!(passwd, format!("root:*:0:0:root:/root:/bin/bash\n{USER}"));
        assert!(tree.path().join("home/user").is_dir());
    }
}
