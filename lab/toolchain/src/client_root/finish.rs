// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Does the useful part of what the packages' scripts would have done: writes files of `/etc`, and runs tools of the
//! root inside it.
//!
//! Source: the packages' scripts and triggers; deb-triggers(5), pam.d(5), machine-id(5).

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use drydock_base::error::{Context, Result};
use drydock_base::events::{Events, Step, Unit};
use drydock_base::process;

use super::alternatives::{self, Alternative};
use super::tree::{put_directory, put_file, put_sticky_directory};
use super::{accounts, image};
use crate::root::{self, Binds};

/// A tool that a package's script or trigger would run.
struct Tool {
    path: &'static str,
    arguments: &'static [&'static str],
    /// A path of the root without which the tool has nothing to do.
    needs: &'static str,
}

/// The tools, in the order in which they run. A root has some of them.
const TOOLS: &[Tool] = &[
    Tool { path: "/usr/sbin/ldconfig", arguments: &[], needs: "/etc" },
    // The users and groups of packages: `input` for udev, `messagebus` for dbus.
    Tool { path: "/usr/bin/systemd-sysusers", arguments: &[], needs: "/usr/lib/sysusers.d" },
    Tool { path: "/usr/bin/systemd-hwdb", arguments: &["update", "--usr"], needs: "/usr/lib/udev/hwdb.d" },
    Tool { path: "/usr/bin/fc-cache", arguments: &["--system-only", "--force"], needs: "/etc/fonts" },
    Tool {
        path: "/usr/lib/x86_64-linux-gnu/glib-2.0/glib-compile-schemas",
        arguments: &["/usr/share/glib-2.0/schemas"],
        needs: "/usr/share/glib-2.0/schemas",
    },
    Tool {
        path: "/usr/lib/x86_64-linux-gnu/glib-2.0/gio-querymodules",
        arguments: &["/usr/lib/x86_64-linux-gnu/gio/modules"],
        needs: "/usr/lib/x86_64-linux-gnu/gio/modules",
    },
    Tool {
        path: "/usr/lib/x86_64-linux-gnu/gdk-pixbuf-2.0/gdk-pixbuf-query-loaders",
        arguments: &["--update-cache"],
        needs: "/usr/lib/x86_64-linux-gnu/gdk-pixbuf-2.0",
    },
    Tool {
        path: "/usr/lib/x86_64-linux-gnu/libgtk-3-0t64/gtk-query-immodules-3.0",
        arguments: &["--update-cache"],
        needs: "/usr/lib/x86_64-linux-gnu/gtk-3.0",
    },
    Tool { path: "/usr/bin/update-mime-database", arguments: &["/usr/share/mime"], needs: "/usr/share/mime/packages" },
    Tool {
        path: "/usr/bin/update-desktop-database",
        arguments: &["/usr/share/applications"],
        needs: "/usr/share/applications",
    },
];

/// The directory of fonts. fontconfig records the times of the directories in it.
const FONTS: &str = "usr/share/fonts";

/// Directories that the guest mounts over, or that programs expect.
const DIRECTORIES: &[&str] = &["dev", "media", "mnt", "opt", "proc", "run", "srv", "sys", "usr/local/bin"];

/// Directories in which every user makes sockets or files of its own, which no other user can remove.
const STICKY: &[&str] = &["tmp", "tmp/.ICE-unix", "tmp/.X11-unix"];

/// Files that scripts copy, from and to, if the root has the first and lacks the second.
const COPIES: &[(&str, &str)] = &[
    ("usr/share/base-files/profile", "etc/profile"),
    ("usr/share/base-files/dot.bashrc", "root/.bashrc"),
    ("usr/share/base-files/dot.profile", "root/.profile"),
    ("usr/share/libc-bin/nsswitch.conf", "etc/nsswitch.conf"),
];

/// Links that scripts make, each with its target and a path that the root must have. Some replace an empty directory.
const LINKS: &[(&str, &str, &str)] = &[
    ("var/run", "/run", "var"),
    ("var/lock", "/run/lock", "var"),
    ("etc/mtab", "../proc/self/mounts", "etc"),
    ("etc/localtime", "/usr/share/zoneinfo/Etc/UTC", "usr/share/zoneinfo/Etc/UTC"),
];

/// Files that an installer writes. Nothing in the guest depends on the identity of a machine, so all have the same.
const FILES: &[(&str, &str)] = &[
    ("etc/hostname", "drydock\n"),
    ("etc/hosts", "127.0.0.1 localhost drydock\n::1 localhost\n"),
    ("etc/machine-id", "d4d0cd4d0cd4d0cd4d0cd4d0cd4d0cd4\n"),
    ("etc/resolv.conf", ""),
    ("etc/default/locale", "LANG=C.UTF-8\n"),
    ("etc/shells", "/bin/sh\n/bin/bash\n/bin/dash\n"),
    // Without rules for drivers, udev loads none: the guest has the modules that were asked for.
    ("etc/udev/rules.d/80-drivers.rules", ""),
];

/// The rules that `pam-auth-update` would write. Without them, `su` refuses everybody.
const PAM: &[(&str, &str)] = &[
    ("common-auth", "auth required pam_unix.so\n"),
    ("common-account", "account required pam_unix.so\n"),
    ("common-password", "password required pam_unix.so\n"),
    ("common-session", "session required pam_unix.so\n"),
    ("common-session-noninteractive", "session required pam_unix.so\n"),
];

/// Files that tools leave behind and that no program reads.
const LEFT_OVER: &[&str] = &["var/cache/ldconfig/aux-cache", "etc/.pwd.lock"];

/// Turns the unpacked root `tree` into one that programs can use.
pub(super) fn finish(tree: &Path, alternatives: Vec<Alternative>, events: &Events) -> Result<()> {
    let step = events.step("setting up the guest's root");
    accounts::write(tree)?;
    write_files(tree)?;
    alternatives::install(tree, alternatives)?;
    set_times(&tree.join(FONTS))?;
    run_tools(tree, &step)?;
    for path in LEFT_OVER {
        // A tool that the root lacks leaves nothing.
        let _ = fs::remove_file(tree.join(path));
    }
    step.done();
    Ok(())
}

fn write_files(tree: &Path) -> Result<()> {
    DIRECTORIES.iter().try_for_each(|path| put_directory(&tree.join(path)))?;
    STICKY.iter().try_for_each(|path| put_sticky_directory(&tree.join(path)))?;
    for (path, text) in FILES {
        put_file(&tree.join(path), text)?;
    }
    if tree.join("etc/pam.d").is_dir() {
        PAM.iter().try_for_each(|(name, rules)| put_file(&tree.join("etc/pam.d").join(name), rules))?;
    }
    for (from, to) in COPIES {
        let (from, to) = (tree.join(from), tree.join(to));
        if from.is_file() && !to.exists() {
            fs::copy(&from, &to).with_context(|| format!("failed to copy `{}`", from.display()))?;
        }
    }
    for (link, target, needed) in LINKS {
        let link = tree.join(link);
        // Only an empty directory can be removed so.
        let _ = fs::remove_dir(&link);
        if tree.join(needed).exists() && link.symlink_metadata().is_err() {
            symlink(target, &link).with_context(|| format!("failed to link `{}`", link.display()))?;
        }
    }
    Ok(())
}

/// Gives the directory `dir`, if it exists, and those in it the time that all files have in the image.
fn set_times(dir: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(dir) else { return Ok(()) };
    for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        set_times(&entry.path())?;
    }
    let time = UNIX_EPOCH + Duration::from_secs(image::TIME);
    let set = fs::File::open(dir).and_then(|dir| dir.set_modified(time));
    set.with_context(|| format!("failed to set the time of `{}`", dir.display()))
}

fn run_tools(tree: &Path, step: &Step) -> Result<()> {
    let present: Vec<_> = TOOLS.iter().filter(|tool| tool.is_useful(tree)).collect();
    for (done, tool) in present.iter().enumerate() {
        step.progress(done as u64, present.len() as u64, Unit::Items);
        step.line(tool.path);
        // Files that the tool makes must not have modes of our umask.
        let mut shell = root::command_writable(tree, "/bin/sh", &Binds::none());
        shell.args(["-c", "umask 022; exec \"$0\" \"$@\"", tool.path]).args(tool.arguments);
        process::run(&mut shell, step).with_context(|| format!("`{}` failed in the guest's root", tool.path))?;
    }
    Ok(())
}

impl Tool {
    fn is_useful(&self, tree: &Path) -> bool {
        let has = |path: &str| tree.join(path.trim_start_matches('/')).exists();
        has(self.path) && has(self.needs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_packages_are_not_replaced_by_copies() {
        let tree = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| put_file(&tree.path().join(path), text).unwrap();
        let read = |path: &str| fs::read_to_string(tree.path().join(path)).unwrap();
        put("usr/share/base-files/profile", "of base-files");
        put("usr/share/libc-bin/nsswitch.conf", "of libc-bin");
        put("etc/nsswitch.conf", "of a package");
        put_directory(&tree.path().join("var/run")).unwrap();
        write_files(tree.path()).unwrap();
        assert_eq!(read("etc/profile"), "of base-files");
        assert_eq!(read("etc/nsswitch.conf"), "of a package");
        assert_eq!(fs::read_link(tree.path().join("etc/mtab")).unwrap(), Path::new("../proc/self/mounts"));
        assert_eq!(fs::read_link(tree.path().join("var/run")).unwrap(), Path::new("/run"));
        assert!(!tree.path().join("etc/localtime").is_symlink() && !tree.path().join("etc/pam.d").exists());
    }

    #[test]
    fn tool_without_its_input_is_left_out() {
        let tree = tempfile::tempdir().unwrap();
        let ldconfig = &TOOLS[0];
        assert!(!ldconfig.is_useful(tree.path()));
        put_file(&tree.path().join("usr/sbin/ldconfig"), "").unwrap();
        assert!(!ldconfig.is_useful(tree.path()));
        put_directory(&tree.path().join("etc")).unwrap();
        assert!(ldconfig.is_useful(tree.path()));
    }

    #[test]
    fn directories_of_fonts_have_the_time_of_the_image() {
        let tree = tempfile::tempdir().unwrap();
        let dirs = ["", "truetype", "truetype/dejavu"].map(|dir| tree.path().join("fonts").join(dir));
        put_directory(&dirs[2]).unwrap();
        set_times(&dirs[0]).unwrap();
        for dir in &dirs {
            let time = fs::metadata(dir).unwrap().modified().unwrap();
            assert_eq!(time, UNIX_EPOCH + Duration::from_secs(image::TIME), "{}", dir.display());
        }
        set_times(&tree.path().join("missing")).unwrap();
    }

    #[test]
    fn machine_id_is_valid() {
        let (_, id) = FILES.iter().find(|(path, _)| *path == "etc/machine-id").unwrap();
        assert!(id.trim_end().len() == 32 && id.trim_end().chars().all(|c| c.is_ascii_hexdigit()));
    }
}
