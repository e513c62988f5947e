// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The content of the guest's file system, in two archives: a base that changes with the toolchain root and is cached,
//! and a part that changes with every edit and is made each time.
//!
//! The kernel unpacks them in turn. Neither is compressed: the guest reads them from memory, and unpacking costs more
//! there than copying. Source: Documentation/driver-api/early-userspace/buffer-format.rst.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use drydock_agent::protocol::{MODULE_DEPENDENCIES, MODULE_DIR};

use super::archive::Archive;
use super::libraries::{closure, inside};
use drydock_base::error::{Context, Error, Kind, Result};
use drydock_toolchain::firmware::Supply;
use drydock_toolchain::kmod::{Module, Stock, dependency_list};
use drydock_toolchain::root;
use drydock_toolchain::setup::Toolchain;

/// The version of the base. Raise it when [`base`] makes a different archive from the same root.
const BASE_VERSION: u32 = 3;

/// Programs from the toolchain root in the guest. `sh` and similar ones come from busybox.
const PROGRAMS: &[&str] = &["/usr/bin/drmdevice", "/usr/bin/lsgpu"];

/// Stock modules that are in the guest even if no module of ours needs them.
pub(crate) const STOCK_MODULES: &[&str] = &["vgem", "drm_shmem_helper", "gpu_sched", "drm_gpuvm", "drm_exec"];

/// The directory in which the kernel looks for firmware, with links resolved.
const FIRMWARE_DIR: &str = "/usr/lib/firmware";

/// Debian's links of top-level directories.
const LINKS: &[(&str, &str)] =
    &[("/bin", "usr/bin"), ("/sbin", "usr/sbin"), ("/lib", "usr/lib"), ("/lib64", "usr/lib64")];

/// Names by which busybox can be called: those that a person types when debugging a driver. Busybox's own list is
/// longer.
const APPLETS: &[&str] = &[
    "awk", "basename", "cat", "chmod", "clear", "cmp", "cp", "cut", "date", "dd", "df", "dirname", "dmesg", "du",
    "echo", "env", "false", "find", "free", "grep", "head", "hexdump", "id", "insmod", "kill", "killall", "less", "ln",
    "ls", "lsmod", "mkdir", "mknod", "mount", "mv", "nproc", "od", "pidof", "poweroff", "ps", "pwd", "readlink",
    "reset", "rm", "rmdir", "rmmod", "sed", "seq", "setsid", "sh", "sleep", "sort", "stat", "stty", "su", "sync",
    "sysctl", "tail", "tee", "test", "time", "timeout", "top", "touch", "tr", "true", "umount", "uname", "uniq",
    "uptime", "vi", "watch", "wc", "which", "xargs", "yes",
];

/// Returns the names of the programs in every guest.
pub(crate) fn program_names() -> impl Iterator<Item = &'static str> {
    let from_root = PROGRAMS.iter().map(|path| path.rsplit_once('/').map_or(*path, |(_, name)| name));
    from_root.chain(APPLETS.iter().copied()).chain(["busybox"])
}

/// The parts of an initial file system, in the order the kernel unpacks them, and their modules.
pub struct Image {
    /// The cached archive.
    pub base: Vec<u8>,
    /// The archive made for this image.
    pub fresh: Vec<u8>,
    /// The names and files of our modules.
    pub ours: BTreeMap<String, PathBuf>,
    /// The names of all modules in the guest.
    pub modules: BTreeSet<String>,
}

impl Image {
    /// Makes the image with `modules` (files), further modules of the kernel's own by name, and `programs` (name in the guest
    /// and file).
    pub fn make(
        toolchain: &Toolchain,
        modules: &[PathBuf],
        stock_modules: &BTreeSet<&str>,
        programs: &[(String, PathBuf)],
    ) -> Result<Self> {
        let base = base(toolchain)?;
        let mut ours = BTreeMap::new();
        let mut all = BTreeMap::new();
        for path in modules {
            let module = Module::read(path)?;
            if let Some(other) = ours.insert(module.name.clone(), path.clone()) {
                return Err(two_of_a_name(&module.name, &other, path));
            }
            all.insert(module.name.clone(), module);
        }
        let stock = Stock::index(&toolchain.kernel.modules_dir)?;
        let wanted: Vec<&str> = STOCK_MODULES.iter().chain(stock_modules).copied().collect();
        stock.complete(&mut all, &wanted)?;
        let fresh = fresh(&all, programs)?;
        Ok(Self { base, fresh, ours, modules: all.into_keys().collect() })
    }

    /// Returns the size of both parts in bytes.
    pub fn size(&self) -> usize {
        self.base.len() + self.fresh.len()
    }
}

fn two_of_a_name(name: &str, one: &Path, other: &Path) -> Error {
    let message = format!("two modules are called `{name}`: `{}` and `{}`", one.display(), other.display());
    Error::new(Kind::Usage, message).hint("a kernel loads only one module of a name: rename yours and build it again")
}

/// Returns the cached archive. Makes it first if it is missing for this version.
fn base(toolchain: &Toolchain) -> Result<Vec<u8>> {
    let stamp = format!("{BASE_VERSION} {} {}", toolchain.kernel.release, root::identity(&toolchain.cache));
    let cache = toolchain.cache.base().join("image");
    let (path, stamp_path) = (cache.join("base.cpio"), cache.join("base.stamp"));
    if fs::read_to_string(&stamp_path).is_ok_and(|found| found == stamp) {
        return fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()));
    }
    let bytes = make_base(&toolchain.root)?;
    fs::create_dir_all(&cache).with_context(|| format!("cannot create `{}`", cache.display()))?;
    // The old stamp is removed first and the new one is written last, so that an interrupted run starts again. The
    // unfinished file has a name of its own, because another run may be making the same archive.
    let partial = cache.join(format!("base.cpio.partial-{}", std::process::id()));
    drop(fs::remove_file(&stamp_path));
    fs::write(&partial, &bytes).with_context(|| format!("cannot write `{}`", partial.display()))?;
    fs::rename(&partial, &path).with_context(|| format!("cannot rename `{}`", partial.display()))?;
    fs::write(&stamp_path, stamp).with_context(|| format!("cannot write `{}`", stamp_path.display()))?;
    Ok(bytes)
}

fn make_base(root: &Path) -> Result<Vec<u8>> {
    let mut archive = Archive::new(Vec::new());
    let context = |result: std::io::Result<()>| result.context("cannot archive `base.cpio`");
    for (path, target) in LINKS {
        context(archive.link(path, target))?;
    }
    for directory in ["/proc", "/sys", "/tmp", "/run", "/root", "/etc", "/usr/sbin", MODULE_DIR] {
        context(archive.directory(directory))?;
    }
    context(archive.character_device("/dev/console", 5, 1))?;
    context(archive.file(
        "/etc/passwd",
        0o644,
        b"root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/home/user:/bin/sh\n",
    ))?;
    context(archive.file("/etc/group", 0o644, b"root:x:0:\nvideo:x:44:user\nrender:x:105:user\nuser:x:1000:\n"))?;
    let mut files = BTreeSet::from(["/usr/bin/busybox".to_owned()]);
    for program in PROGRAMS {
        files.insert((*program).to_owned());
        files.extend(closure(root, program)?);
    }
    for path in files {
        let host = inside(root, &path);
        let bytes = fs::read(&host).with_context(|| format!("cannot read `{}`", host.display()))?;
        context(archive.file(&merged(&path), 0o755, &bytes))?;
    }
    for applet in APPLETS {
        context(archive.link(&format!("/usr/bin/{applet}"), "busybox"))?;
    }
    archive.finish().context("cannot archive `base.cpio`")
}

fn fresh(modules: &BTreeMap<String, Module>, programs: &[(String, PathBuf)]) -> Result<Vec<u8>> {
    let mut archive = Archive::new(Vec::new());
    let context = |result: std::io::Result<()>| result.context("cannot archive `fresh.cpio`");
    for module in modules.values() {
        context(archive.file(&format!("{MODULE_DIR}/{}.ko", module.name), 0o644, &module.bytes))?;
    }
    context(archive.file(MODULE_DEPENDENCIES, 0o644, dependency_list(modules.values()).as_bytes()))?;
    for (name, path) in programs {
        let bytes = fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        context(archive.file(name, 0o755, &bytes))?;
    }
    archive.finish().context("cannot archive `fresh.cpio`")
}

/// Makes an additional archive for one boot: the firmware that a driver loads.
pub fn firmware(supply: &Supply) -> Result<Vec<u8>> {
    let bytes = fs::read(&supply.path).with_context(|| format!("cannot read `{}`", supply.path.display()))?;
    let mut archive = Archive::new(Vec::new());
    let put = archive.file(&format!("{FIRMWARE_DIR}/{}", supply.name), 0o644, &bytes);
    put.and_then(|()| archive.finish()).with_context(|| format!("cannot archive `{}`", supply.path.display()))
}

/// Makes an additional archive for one boot: programs, by their name in the guest.
pub fn programs(programs: &[(String, PathBuf)]) -> Result<Vec<u8>> {
    let mut archive = Archive::new(Vec::new());
    for (name, path) in programs {
        let bytes = fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        archive.file(name, 0o755, &bytes).with_context(|| format!("cannot archive `{}`", path.display()))?;
    }
    archive.finish().context("cannot archive `programs.cpio`")
}

/// Resolves a path on a merged-/usr system: a directory cannot be made in place of a link.
fn merged(path: &str) -> String {
    let is_link = LINKS.iter().any(|(link, _)| path.strip_prefix(link).is_some_and(|rest| rest.starts_with('/')));
    if is_link { format!("/usr{path}") } else { path.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_behind_directory_links_are_put_where_they_lie() {
        assert_eq!(merged("/lib64/ld-linux-x86-64.so.2"), "/usr/lib64/ld-linux-x86-64.so.2");
        assert_eq!(merged("/usr/bin/lsgpu"), "/usr/bin/lsgpu");
        assert_eq!(merged("/library/x"), "/library/x");
    }

    #[test]
    fn firmware_lies_where_the_kernel_looks() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "bytes of it").unwrap();
        let supply = Supply { name: "arm/fw.bin", path: file.path().to_owned(), origin: String::new(), checked: true };
        let text = String::from_utf8_lossy(&firmware(&supply).unwrap()).into_owned();
        assert!(text.contains("usr/lib/firmware/arm/fw.bin") && text.contains("bytes of it"));
        assert_eq!(merged("/lib/firmware"), FIRMWARE_DIR);
    }

    #[test]
    fn the_fresh_archive_says_who_needs_whom() {
        let module = Module { name: "vgem_rust".into(), bytes: vec![1; 8], depends: vec!["drm_rust".into()] };
        let bytes = fresh(&BTreeMap::from([("vgem_rust".into(), module)]), &[]).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.contains("modules/vgem_rust.ko") && text.contains("vgem_rust: drm_rust\n"));
    }
}
