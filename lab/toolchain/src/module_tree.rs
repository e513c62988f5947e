// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The directory `/lib/modules/RELEASE` of a client's root, with the indexes by which `modprobe` and libkmod find
//! modules.
//!
//! The cache keeps the indexes, which `depmod` makes in some seconds. It keeps no module: the guest has the kernel's own from
//! the kernel's directory, and ours from its image. So an edit of a driver needs new indexes only if the driver's
//! dependencies or aliases change.
//!
//! ```text
//! module-trees/lock           held by the run that makes a tree
//! module-trees/TREE/          `modules.dep.bin` and others, with two empty directories to mount at:
//! module-trees/TREE/kernel/       the kernel's own modules
//! module-trees/TREE/updates/      the guest's uncompressed ones, ours among them
//! ```
//!
//! Source: depmod(8), depmod.d(5), modules.dep(5).

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::kernels::LISTS;
use crate::kmod;
use crate::root::Binds;
use crate::setup::Toolchain;
use drydock_base::cache::{self, Lock, PartialDir};
use drydock_base::error::{Context, Result};
use drydock_base::events::Events;
use drydock_base::process;

/// A version of the recipe. Change it whenever the same modules give other indexes.
const RECIPE: &str = "1";

/// The directories in a tree.
pub const KERNEL: &str = "kernel";
/// The directory of modules that take precedence over the kernel's own.
pub const UPDATES: &str = "updates";

/// The entries of a module's `.modinfo` on which the indexes depend.
const INDEXED: [&str; 4] = ["alias", "depends", "softdep", "weakdep"];

/// The parts of a `/lib/modules/RELEASE`.
#[derive(Clone, Debug)]
pub struct ModuleTree {
    /// The kernel's release.
    pub release: String,
    /// The directory of the indexes.
    pub indexes: PathBuf,
    /// The directory of the kernel's own modules.
    pub kernel: PathBuf,
}

/// Returns the tree of the toolchain's kernel and our modules (names and files). Makes its indexes if they are missing.
pub fn ensure(toolchain: &Toolchain, ours: &BTreeMap<String, PathBuf>, events: &Events) -> Result<ModuleTree> {
    let trees = toolchain.cache.module_trees();
    let indexes = trees.join(&key(toolchain, ours)?[..16]);
    if !indexes.is_dir() {
        let _lock = Lock::of_directory(&trees, events)?;
        // Another run may have made it while we waited.
        if !indexes.is_dir() {
            make(toolchain, ours, &indexes, events)?;
        }
    }
    let kernel = &toolchain.kernel;
    Ok(ModuleTree { release: kernel.release.clone(), indexes, kernel: kernel.modules_dir.join(KERNEL) })
}

/// Returns a hash of everything the indexes depend on.
fn key(toolchain: &Toolchain, ours: &BTreeMap<String, PathBuf>) -> Result<String> {
    let kernel = &toolchain.kernel;
    let mut parts = vec![RECIPE.to_owned(), kernel.release.clone()];
    for list in LISTS {
        // The debug kernel keeps its name when its configuration changes. Its lists change with its modules.
        parts.push(fs::read_to_string(kernel.tree.join(list)).unwrap_or_default());
    }
    for (name, path) in ours {
        let bytes = fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        parts.push(name.clone());
        for key in INDEXED {
            let values = kmod::modinfo(&bytes, key);
            parts.extend(values.with_context(|| format!("`{}` is not a readable ELF file", path.display()))?);
        }
    }
    Ok(cache::hash(parts))
}

fn make(toolchain: &Toolchain, ours: &BTreeMap<String, PathBuf>, place: &Path, events: &Events) -> Result<()> {
    let step = events.step("indexing the kernel's modules");
    let partial = PartialDir::begin(place)?;
    let kernel = &toolchain.kernel;
    let (stock, updates) = (partial.path().join(KERNEL), partial.path().join(UPDATES));
    for list in LISTS {
        copy(&kernel.tree.join(list), &partial.path().join(list))?;
    }
    // The kernel's directory inside the toolchain root.
    symlink(Path::new("/kernel/modules").join(KERNEL), &stock).context("failed to link the kernel's modules")?;
    cache::make_dir(&updates)?;
    for (name, path) in ours {
        copy(path, &updates.join(name).with_extension("ko"))?;
    }
    let binds = Binds::none().write(partial.path(), format!("/module-tree/lib/modules/{}", kernel.release));
    let mut depmod = toolchain.command("depmod", &binds);
    process::run(depmod.args(["-b", "/module-tree", &kernel.release]), &step).context("failed to index the modules")?;
    // Only the names were needed.
    fs::remove_file(&stock).context("failed to remove a link")?;
    cache::remove_tree(&updates)?;
    [&stock, &updates].into_iter().try_for_each(|dir| cache::make_dir(dir))?;
    partial.complete()?;
    step.done();
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map(drop).with_context(|| format!("failed to copy `{}`", from.display()))
}
