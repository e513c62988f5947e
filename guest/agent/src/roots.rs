// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Roots for clients, and directories of the host.
//!
//! Source: Documentation/filesystems/overlayfs.rst, Documentation/filesystems/9p.rst; `erofs` for the images.

use std::{
    ffi::CString,
    fs, io,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    sync::Mutex,
};

use drydock_agent::protocol::{CLIENT_ROOT, Failure, Reply, Source};
use rustix::fs::syncfs;
use rustix::mount::{MountFlags, mount, mount_bind_recursive};

use crate::{enter::USER, files::failure, modules};

/// The directory for the parts of the client's root.
const PARTS: &str = "/run/drydock-root";

/// The writable shares: their paths, and each one's open directory. The kernel reports an error of writing to a file
/// that was opened before it (syncfs(2)).
static WRITABLE: Mutex<Vec<(String, fs::File)>> = Mutex::new(Vec::new());

/// Directories of the guest that are the same in a client's root.
const SHARED: [&str; 4] = ["/dev", "/proc", "/sys", "/run"];

/// The directories for sockets of root and of the ordinary user (`XDG_RUNTIME_DIR`).
const RUNTIME: [(u32, &str); 2] = [(0, "/run/user/0"), (USER, "/run/user/1000")];

/// The ordinary user's directory.
const HOME: &str = "/home/user";

fn runtime(user: u32, directory: &str) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700))?;
    chown(directory, Some(user), Some(user))
}

/// Makes the root for clients.
pub(crate) fn make(lower: &Source) -> Result<Reply, Failure> {
    let part = |name: &str| Path::new(PARTS).join(name);
    let (below, upper, work) = (part("lower"), part("upper"), part("work"));
    for directory in [&below, &upper, &work, &PathBuf::from(CLIENT_ROOT)] {
        fs::create_dir_all(directory).map_err(|error| failure("create", &directory.display().to_string(), &error))?;
    }
    match lower {
        // The host's files hardly change while a client runs, so the guest may keep what it has read.
        Source::Share(tag) => mount_share(tag, &below, MountFlags::RDONLY, "cache=loose")?,
        Source::Disk(serial) => mount_disk(serial, &below)?,
    }
    for (user, directory) in RUNTIME {
        runtime(user, directory).map_err(|error| failure("create", directory, &error))?;
    }
    fs::create_dir_all("/run/lock").map_err(|error| failure("create", "/run/lock", &error))?;
    load("overlay")?;
    let options = format!("lowerdir={},upperdir={},workdir={}", below.display(), upper.display(), work.display());
    attach("overlay", "overlay", Path::new(CLIENT_ROOT), MountFlags::empty(), &options)?;
    for directory in SHARED {
        let at = inside(directory);
        fs::create_dir_all(&at)
            .and_then(|()| Ok(mount_bind_recursive(directory, &at)?))
            .map_err(|error| failure("mount", &at.display().to_string(), &error))?;
    }
    // An image's files all belong to root.
    let home = inside(HOME);
    if matches!(lower, Source::Disk(_)) && home.is_dir() {
        chown(&home, Some(USER), Some(USER)).map_err(|error| failure("give away", HOME, &error))?;
    }
    Ok(Reply::Done)
}

/// Mounts a share at a path of the guest.
pub(crate) fn share(tag: &str, at: &str, writable: bool) -> Result<Reply, Failure> {
    fs::create_dir_all(at).map_err(|error| failure("create", at, &error))?;
    let flags = if writable { MountFlags::empty() } else { MountFlags::RDONLY };
    // The host changes such files while a client runs. Only this cache allows shared mappings as well.
    mount_share(tag, Path::new(at), flags, "cache=mmap")?;
    if writable {
        let opened = fs::File::open(at).map_err(|error| failure("open", at, &error))?;
        WRITABLE.lock().expect("no holder of the lock panics").push((at.to_owned(), opened));
    }
    Ok(Reply::Done)
}

/// Writes what the kernel still caches of the writable shares. The cache accepts more than the host has room for.
pub(crate) fn sync() -> Result<Reply, Failure> {
    for (at, directory) in WRITABLE.lock().expect("no holder of the lock panics").iter() {
        let at = at.strip_prefix(CLIENT_ROOT).unwrap_or(at);
        syncfs(directory).map_err(|error| failure("write everything to", at, &error.into()))?;
    }
    Ok(Reply::Done)
}

fn inside(path: &str) -> PathBuf {
    Path::new(CLIENT_ROOT).join(path.trim_start_matches('/'))
}

fn mount_share(tag: &str, at: &Path, flags: MountFlags, cache: &str) -> Result<(), Failure> {
    load("9pnet_virtio")?;
    load("9p")?;
    attach(tag, "9p", at, flags, &format!("trans=virtio,version=9p2000.L,msize=512000,{cache}"))
}

fn mount_disk(serial: &str, at: &Path) -> Result<(), Failure> {
    load("virtio_blk")?;
    load("erofs")?;
    let disk = disk(serial).map_err(|error| failure("find disk", serial, &error))?;
    attach(&disk, "erofs", at, MountFlags::RDONLY, "")
}

/// Returns the device node of the disk with this serial number.
fn disk(serial: &str) -> io::Result<String> {
    for entry in fs::read_dir("/sys/block")? {
        let path = entry?.path();
        let found = fs::read_to_string(path.join("serial"));
        if let (Ok(found), Some(name)) = (found, path.file_name()) {
            if found.trim_end() == serial {
                return Ok(format!("/dev/{}", name.to_string_lossy()));
            }
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

fn attach(what: &str, kind: &str, at: &Path, flags: MountFlags, options: &str) -> Result<(), Failure> {
    let options = CString::new(options).map_err(|error| failure("mount", what, &error.into()))?;
    mount(what, at, kind, flags, options.as_c_str())
        .map_err(|error| failure(&format!("mount {kind} on `{}`:", at.display()), what, &error.into()))
}

/// Loads a module of the kernel's own unless it is loaded.
fn load(module: &str) -> Result<(), Failure> {
    match modules::load(module, "") {
        Err(failure) if failure.errno == rustix::io::Errno::EXIST.raw_os_error() => Ok(()),
        other => other.map(drop),
    }
}
