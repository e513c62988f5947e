// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The debug kernels: the stock kernel's own source, built here with what watches memory, locks and references. There are two,
//! since what watches for data races excludes what watches accesses to memory.
//!
//! One takes about a quarter of an hour on two processors, so it is done once, and an interrupted build goes on where it was:
//! it happens in a directory `RELEASE.building`, which gets its name when it is complete. Modules are built against it as
//! against the stock kernel, and its crates' metadata needs no proof, since kernel and metadata come out of the same build.
//!
//! Source: Documentation/dev-tools/ (kasan.rst, kcsan.rst, kmemleak.rst, ubsan.rst, kcov.rst), Documentation/kbuild/llvm.rst.

mod build;

use std::fs;
use std::path::PathBuf;

use crate::apt::Apt;
use crate::cache::{self, CacheLayout, Lock};
use crate::error::{Context, Error, Kind, Result};
use crate::events::Events;
use crate::kernels::{self, Flavour, Kernel};
use crate::metadata;
use crate::root;

/// What the one that watches accesses to memory is called on the command line: the debug kernel, if nothing else is said.
pub const NAME: &str = "debug";

/// A debug kernel, by what distinguishes it from the others.
#[derive(Debug, PartialEq, Eq)]
pub struct Variant {
    /// What it is called on the command line.
    name: &'static str,
    /// What stands in its release in place of the distribution's part.
    local: &'static str,
    /// The options that it has besides those of all.
    own: &'static str,
}

const VARIANTS: &[Variant] = &[
    Variant { name: NAME, local: "-drydock-debug", own: include_str!("debug_kernel/debug.config") },
    Variant { name: "kcsan", local: "-drydock-kcsan", own: include_str!("debug_kernel/kcsan.config") },
];

/// Changes when the way of building one does.
const RECIPE: &str = "1";
/// The options that all are built with.
const SHARED: &str = include_str!("debug_kernel/shared.config");
/// An option of ours, appended to the kernel's own.
const KCONFIG: &str = include_str!("debug_kernel/debug.kconfig");
/// The file in the tree that the kernel's options and ours stand in.
const KCONFIG_FILE: &str = "Kconfig.drydock";
/// Says what the directory was, or is being, made of.
const STAMP: &str = ".drydock";

/// Compilers that Kconfig demands of a kernel with Rust and KASAN, besides what the root has.
const LLVM: root::Addition = root::Addition { name: "llvm", packages: &["clang-19", "lld-19", "llvm-19"] };

/// Refuses a word that names no kernel, ours or a distribution's.
pub fn check_name(name: &str) -> Result<()> {
    let ours: Vec<_> = VARIANTS.iter().map(|variant| variant.name).collect();
    kernels::check_name(name, &ours)
}

/// The debug kernel that is called `name` on the command line.
pub fn named(name: &str) -> Option<&'static Variant> {
    VARIANTS.iter().find(|variant| variant.name == name)
}

/// The debug kernel whose release this is.
pub fn of_release(release: &str) -> Option<&'static Variant> {
    VARIANTS.iter().find(|variant| release.ends_with(variant.local))
}

impl Variant {
    /// Its release, for the stock kernel `stock`.
    fn release_for(&self, stock: &str) -> String {
        format!("{}{}", numbers(stock), self.local)
    }

    /// The options that it is built with.
    fn configuration(&self) -> String {
        [SHARED, self.own].concat()
    }

    /// Whether it has an option as it stands in a configuration, such as `CONFIG_KCOV=y`.
    pub fn has(&self, option: &str) -> bool {
        build::options(&self.configuration()).any(|line| line == option)
    }

    /// The variables of every `make` in its tree.
    pub fn make_variables(&self) -> Vec<String> {
        let variables = ["LLVM=-19", "RUST_LIB_SRC=/usr/lib/rustlib/src/rust/library"];
        let local = [format!("LOCALVERSION={}", self.local), format!("KBUILD_KCONFIG={KCONFIG_FILE}")];
        variables.map(str::to_owned).into_iter().chain(local).collect()
    }
}

/// `7.3.4` of `7.3.4+deb13-amd64`.
fn numbers(release: &str) -> &str {
    let end = release.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(release.len());
    &release[..end]
}

/// A debug kernel that is there, or is to be made.
struct Place {
    variant: &'static Variant,
    release: String,
    /// Where it lies when it is complete.
    dir: PathBuf,
    /// Where it is built.
    building: PathBuf,
    /// What it is a function of.
    inputs: String,
}

impl Place {
    fn of(cache: &CacheLayout, variant: &'static Variant, stock: &Kernel) -> Result<Self> {
        let version = source_version(cache, stock)?;
        let release = variant.release_for(&stock.release);
        let dir = cache.kernel(&release);
        let building = cache.kernel(&format!("{release}.building"));
        let own = [RECIPE, &variant.configuration(), KCONFIG, &version].map(str::to_owned);
        let inputs = cache::hash(own.into_iter().chain([root::identity(cache), variant.make_variables().concat()]));
        Ok(Self { variant, release, dir, building, inputs })
    }

    fn is_complete(&self) -> bool {
        cache::is_stamped(&self.dir.join(STAMP), &self.inputs)
    }

    /// Whether it is neither built nor begun, for which the source is unpacked.
    fn lacks_source(&self) -> bool {
        !self.is_complete() && !cache::is_stamped(&self.building.join(STAMP), &self.inputs)
    }

    fn kernel(&self) -> Kernel {
        Kernel {
            flavour: Flavour::Debug,
            release: self.release.clone(),
            tree: self.dir.join("tree"),
            vmlinuz: self.dir.join("vmlinuz"),
            modules_dir: self.dir.join("modules"),
        }
    }
}

/// The version of the source package that the stock kernel was built from.
fn source_version(cache: &CacheLayout, stock: &Kernel) -> Result<String> {
    let facts = metadata::facts(cache, &stock.release);
    facts.map(|facts| facts.version).ok_or_else(|| {
        Error::new(Kind::Machinery, format!("nothing is known about the kernel {}", stock.release))
            .hint("`drydock setup --update` prepares it again")
    })
}

/// The debug kernel `variant` of `stock`, if it is there, and so is what modules for it are built with.
pub fn prepared(cache: &CacheLayout, variant: &'static Variant, stock: &Kernel) -> Result<Option<Kernel>> {
    let place = Place::of(cache, variant, stock)?;
    Ok((root::has_addition(cache, &LLVM) && place.is_complete()).then(|| place.kernel()))
}

/// Whether [`fetch`] has something to do before [`build`] can go on.
pub fn needs_fetch(cache: &CacheLayout, variant: &'static Variant, stock: &Kernel) -> Result<bool> {
    Ok(!root::has_addition(cache, &LLVM) || Place::of(cache, variant, stock)?.lacks_source())
}

/// Does what needs the mirror: adds LLVM to the root and unpacks the source. The caller holds the cache exclusively.
pub fn fetch(cache: &CacheLayout, apt: &Apt, variant: &'static Variant, stock: &Kernel, events: &Events) -> Result<()> {
    root::add(cache, apt, &LLVM, events)?;
    let place = Place::of(cache, variant, stock)?;
    if !place.lacks_source() {
        return Ok(());
    }
    let package = format!("linux-source-{}={}", series(&stock.release), source_version(cache, stock)?);
    build::unpack(cache, apt, &place, &package, events)
}

fn series(release: &str) -> String {
    crate::kernels::Release::parse(release).series()
}

/// Builds it, or goes on with that. Another run that wants the same waits.
pub fn build(cache: &CacheLayout, variant: &'static Variant, stock: &Kernel, events: &Events) -> Result<Kernel> {
    let place = Place::of(cache, variant, stock)?;
    let _lock = Lock::of_directory(&place.building, events)?;
    // Whoever held the lock may have completed it.
    if !place.is_complete() {
        build::make(cache, &place, events)?;
    }
    Ok(place.kernel())
}

/// Removes what an older version of the lab has left half-built or built, since it is large.
fn remove_old(place: &Place) -> Result<()> {
    for dir in [&place.building, &place.dir].into_iter().filter(|dir| dir.exists()) {
        // The lock stays where it is: somebody may wait for it.
        let entries = fs::read_dir(dir).with_context(|| format!("failed to list `{}`", dir.display()))?;
        for entry in entries.flatten().filter(|entry| entry.file_name() != "lock") {
            match entry.path().is_dir() {
                true => cache::remove_tree(&entry.path())?,
                false => fs::remove_file(entry.path())
                    .with_context(|| format!("failed to remove `{}`", entry.path().display()))?,
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_release_is_the_stock_one_with_another_end() {
        assert_eq!(named("debug").unwrap().release_for("7.3.4+deb13-amd64"), "7.3.4-drydock-debug");
        assert_eq!(of_release("7.3.4-drydock-kcsan"), named("kcsan"));
        assert_eq!(of_release("7.3.4+deb13-amd64"), None);
    }

    #[test]
    fn the_variables_say_how_it_is_named() {
        assert!(VARIANTS[0].make_variables().contains(&"LOCALVERSION=-drydock-debug".to_owned()));
    }

    #[test]
    fn only_the_one_that_watches_memory_tells_what_a_call_reaches() {
        let has = |name| ["CONFIG_KASAN=y", "CONFIG_KCOV=y"].map(|option| named(name).unwrap().has(option));
        assert_eq!((has("debug"), has("kcsan")), ([true, true], [false, false]));
        assert!(named("kcsan").unwrap().has("CONFIG_KCSAN=y"));
    }

    #[test]
    fn each_option_is_named_once() {
        let all = [SHARED].into_iter().chain(VARIANTS.iter().map(|variant| variant.own)).collect::<String>();
        let mut names: Vec<_> = build::options(&all).map(build::name_of).collect();
        assert!(names.len() > 80);
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
