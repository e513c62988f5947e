// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The guest's root file system: Debian packages in one read-only image, made once per set of packages.
//!
//! The packages are unpacked like the toolchain root's, without running their scripts. The useful effects of the scripts
//! are made by `accounts.rs`, `alternatives.rs` and `finish.rs`. The image is an erofs file system in which all files
//! belong to root. So `/home/user` belongs to root too: the guest gives it to its user, in memory.
//!
//! ```text
//! client-roots/lock              held by the run that makes an image
//! client-roots/sets/SET          the name of the image that has a set of packages
//! client-roots/IMAGE/            one image: `root.erofs`, and `packages` with the versions in it
//! ```

mod accounts;
mod alternatives;
mod finish;
mod image;
mod kept;
mod packages;
mod tree;

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::apt::{Apt, Archive};
use crate::root;
use crate::setup::Toolchain;
use alternatives::Alternative;
use drydock_base::cache::room::{self, Room};
use drydock_base::cache::{self, CacheLayout, Lock, PartialDir};
use drydock_base::error::Result;
use drydock_base::events::Events;
use kept::Kept;
use packages::Set;

/// A version of the recipe. Change it whenever the same packages give another image.
const RECIPE: &str = "2";

/// Returns an image of a root file system with the base packages, `packages` and all their dependencies. Makes it if it
/// is missing, which needs the mirror. A set of packages that has an image needs neither network nor time.
///
/// # Errors
/// A name that no package has, and packages that apt cannot install together, are errors of kind
/// [`Usage`](drydock_base::error::Kind::Usage). They are refused before a package is downloaded. Any other error is one of
/// the mirror, of this machine, or of a tool.
pub fn ensure(toolchain: &Toolchain, packages: &[String], events: &Events) -> Result<PathBuf> {
    let (set, kept) = (Set::of(packages)?, Kept::new(&toolchain.cache));
    if let Some(image) = kept.find(&set) {
        return Ok(image);
    }
    make_missing(toolchain, &set, &kept, events).map_err(|error| room::explain(error, toolchain.cache.base()))
}

/// Makes the next [`ensure`] of each set ask the mirror for newer packages. An image whose packages are the newest is
/// used again.
///
/// # Errors
/// Fails if a file of the cache cannot be removed.
pub fn ask_mirror_again(cache: &CacheLayout, events: &Events) -> Result<()> {
    let kept = Kept::new(cache);
    let _lock = Lock::of_directory(kept.dir(), events)?;
    kept.forget_sets()
}

/// Adds packages to the toolchain root, for a program that runs in an image. The cache's lock is shared meanwhile: an addition replaces no
/// file that another run may use.
pub(crate) fn add_to_toolchain(toolchain: &Toolchain, addition: &root::Addition, events: &Events) -> Result<()> {
    // Only one run at a time uses apt.
    let _lock = Lock::of_directory(Kept::new(&toolchain.cache).dir(), events)?;
    if root::has_addition(&toolchain.cache, addition) {
        return Ok(());
    }
    root::add(&toolchain.cache, &Apt::updated(&toolchain.cache, events)?, addition, events)
}

/// Makes the image of `set`.
fn make_missing(toolchain: &Toolchain, set: &Set, kept: &Kept, events: &Events) -> Result<PathBuf> {
    let _lock = Lock::of_directory(kept.dir(), events)?;
    // Another run may have made it while we waited.
    if let Some(image) = kept.find(set) {
        return Ok(image);
    }
    let apt = Apt::updated(&toolchain.cache, events)?;
    set.check_known(&apt.names("")?)?;
    let chosen = Chosen::by_apt(set, &apt, events)?;
    let name = chosen.image_name();
    if !kept.has(&name) {
        make(toolchain, &apt, &chosen, &kept.place(&name), events)?;
    }
    kept.remember(set, &name)
}

/// The packages of an image, as apt chose them.
struct Chosen {
    /// The packages that apt is asked for.
    packages: Vec<String>,
    /// The archives of these packages and their dependencies.
    archives: Vec<Archive>,
}

impl Chosen {
    fn by_apt(set: &Set, apt: &Apt, events: &Events) -> Result<Self> {
        let step = events.step("choosing the guest's packages");
        let ask = |packages: &[String]| {
            let names: Vec<_> = packages.iter().map(String::as_str).collect();
            apt.closure_of_choice(&names, &step).map_err(|error| set.conflict(error))
        };
        let mut packages = set.with_base();
        let mut archives = ask(&packages)?;
        let companions = packages::companions(&archives);
        if !companions.is_empty() {
            packages.extend(companions);
            archives = ask(&packages)?;
        }
        step.done_with(format!("{} packages", archives.len()));
        Ok(Self { packages, archives })
    }

    /// Returns a name for the image's exact content.
    fn image_name(&self) -> String {
        cache::hash([packages::recipe(), root::names(&self.archives)])[..16].to_owned()
    }

    /// Returns the space for the downloads, the unpacked files and the image. Packages hold about a quarter of the bytes
    /// of their files.
    fn room(&self) -> Room {
        let bytes: u64 = self.archives.iter().map(|archive| archive.size).sum();
        Room { bytes: bytes * 7, files: Some(self.archives.len() as u64 * 100) }
    }
}

/// Makes the directory `place` of an image. Downloads stay until it is complete, so that a later run continues.
fn make(toolchain: &Toolchain, apt: &Apt, chosen: &Chosen, place: &Path, events: &Events) -> Result<()> {
    room::ensure(toolchain.cache.base(), &chosen.room())?;
    let names: Vec<_> = chosen.packages.iter().map(String::as_str).collect();
    root::download(apt, &names, &chosen.archives, events.step("downloading the guest's packages"))?;
    let partial = PartialDir::begin(place)?;
    let tree = partial.path().join("tree");
    cache::make_dir(&tree)?;
    let scripts = partial.path().join("scripts");
    let alternatives = unpack(apt, &chosen.archives, &tree, &scripts, events)?;
    finish::finish(&tree, alternatives, events)?;
    image::make(toolchain, partial.path(), events)?;
    [&tree, &scripts].into_iter().try_for_each(|dir| cache::remove_tree(dir))?;
    kept::complete(partial, &root::names(&chosen.archives))?;
    apt.forget(&chosen.archives);
    Ok(())
}

/// Unpacks the archives into `tree` and their scripts into `scripts`. Returns the alternatives that the scripts install.
fn unpack(apt: &Apt, archives: &[Archive], tree: &Path, scripts: &Path, events: &Events) -> Result<Vec<Alternative>> {
    let found = Mutex::new(Vec::new());
    root::unpack(archives, &apt.archives(), tree, events.step("unpacking the guest's packages"), |archive, tree| {
        // Modes must not depend on our umask, and owners not on who we are.
        let modes = ["--preserve-permissions", "--no-same-owner"].map(str::to_owned);
        root::unpack_with(archive, tree, root::exclusions().chain(modes))?;
        let new = alternatives::of_archive(archive, scripts)?;
        found.lock().expect("no panic under this lock").extend(new);
        Ok(())
    })?;
    Ok(found.into_inner().expect("no panic under this lock"))
}
