// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The debug kernels: the stock kernel's own source, built with checkers for memory, locks and references. There are
//! two, because the checker for data races excludes the one for memory accesses.
//!
//! A build takes about a quarter of an hour on two processors. It is done once, and an interrupted build resumes: it
//! happens in a directory `RELEASE.building`, which is renamed when it is complete. Modules are built against it as
//! against the stock kernel. Its crates' metadata needs no proof, since kernel and metadata come from the same build.
//!
//! Source: Documentation/dev-tools/ (kasan.rst, kcsan.rst, kmemleak.rst, ubsan.rst, kcov.rst),
//! Documentation/kbuild/llvm.rst.

mod build;

use std::fs;
use std::path::PathBuf;

use crate::apt::Apt;
use crate::kernels::{self, Flavour, Kernel};
use crate::{metadata, root};
use drydock_base::cache::{self, CacheLayout, Lock};
use drydock_base::error::{Context, Error, Kind, Result};
use drydock_base::events::Events;

/// The command-line name of the debug kernel that checks memory accesses. It is the default debug kernel.
pub const NAME: &str = "debug";

/// A debug kernel, described by its differences from the others.
#[derive(Debug, PartialEq, Eq)]
pub struct Variant {
    /// Its name on the command line.
    name: &'static str,
    /// The suffix of its release, in place of the distribution's.
    local: &'static str,
    /// The options that only this kernel has.
    own: &'static str,
}

const VARIANTS: &[Variant] = &[
    Variant { name: NAME, local: "-drydock-debug", own: include_str!("debug_kernel/debug.config") },
    Variant { name: "kcsan", local: "-drydock-kcsan", own: include_str!("debug_kernel/kcsan.config") },
];

/// A version of the build recipe. Change it whenever the recipe changes.
const RECIPE: &str = "1";
/// The options of all debug kernels.
const SHARED: &str = include_str!("debug_kernel/shared.config");
/// Our own option, appended to the kernel's.
const KCONFIG: &str = include_str!("debug_kernel/debug.kconfig");
/// The file in the tree that contains the kernel's options and ours.
const KCONFIG_FILE: &str = "Kconfig.drydock";
/// The file that records the inputs of a complete or partial build.
const STAMP: &str = ".drydock";

/// Compilers that Kconfig requires for a kernel with Rust and KASAN, besides those in the root.
const LLVM: root::Addition = root::Addition { name: "llvm", packages: &["clang-19", "lld-19", "llvm-19"] };

/// Fails if `name` can be neither one of our kernels nor a distribution's.
pub fn check_name(name: &str) -> Result<()> {
    let ours: Vec<_> = VARIANTS.iter().map(|variant| variant.name).collect();
    kernels::check_name(name, &ours)
}

/// Returns the debug kernel whose command-line name is `name`.
pub fn named(name: &str) -> Option<&'static Variant> {
    VARIANTS.iter().find(|variant| variant.name == name)
}

/// Returns the debug kernel that has this release.
pub fn of_release(release: &str) -> Option<&'static Variant> {
    VARIANTS.iter().find(|variant| release.ends_with(variant.local))
}

impl Variant {
    /// Returns its release, for the stock kernel `stock`.
    fn release_for(&self, stock: &str) -> String {
        format!("{}{}", numbers(stock), self.local)
    }

    /// Returns the options that it is built with.
    fn configuration(&self) -> String {
        [SHARED, self.own].concat()
    }

    /// Returns whether it has an option, as a configuration writes it: for example `CONFIG_KCOV=y`.
    pub fn has(&self, option: &str) -> bool {
        build::options(&self.configuration()).any(|line| line == option)
    }

    /// Returns the variables for every `make` in its tree.
    pub fn make_variables(&self) -> Vec<String> {
        let variables = ["LLVM=-19", "RUST_LIB_SRC=/usr/lib/rustlib/src/rust/library"];
        let local = [format!("LOCALVERSION={}", self.local), format!("KBUILD_KCONFIG={KCONFIG_FILE}")];
        variables.map(str::to_owned).into_iter().chain(local).collect()
    }
}

/// Returns `7.3.4` for `7.3.4+deb13-amd64`.
fn numbers(release: &str) -> &str {
    let end = release.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(release.len());
    &release[..end]
}

/// The paths and inputs of a debug kernel, built or not.
struct Place {
    variant: &'static Variant,
    release: String,
    /// The directory of the complete kernel.
    dir: PathBuf,
    /// The directory in which it is built.
    building: PathBuf,
    /// A hash of everything the result depends on.
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

    /// Returns whether it is neither built nor begun, so its source must be unpacked.
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
            make_variables: self.variant.make_variables(),
        }
    }
}

/// Returns the version of the source package that the stock kernel was built from.
fn source_version(cache: &CacheLayout, stock: &Kernel) -> Result<String> {
    let facts = metadata::facts(cache, &stock.release);
    facts.map(|facts| facts.version).ok_or_else(|| {
        Error::new(Kind::Machinery, format!("no facts are recorded about kernel {}", stock.release))
            .hint("`drydock setup --update` prepares it again")
    })
}

/// Returns the debug kernel `variant` of `stock`, if it and the tools that build modules for it are there.
pub fn prepared(cache: &CacheLayout, variant: &'static Variant, stock: &Kernel) -> Result<Option<Kernel>> {
    let place = Place::of(cache, variant, stock)?;
    Ok((root::has_addition(cache, &LLVM) && place.is_complete()).then(|| place.kernel()))
}

/// Returns whether [`fetch`] must run before [`build`] can continue.
pub fn needs_fetch(cache: &CacheLayout, variant: &'static Variant, stock: &Kernel) -> Result<bool> {
    Ok(!root::has_addition(cache, &LLVM) || Place::of(cache, variant, stock)?.lacks_source())
}

/// Does the steps that need the mirror: adds LLVM to the root and unpacks the source. The caller holds the cache's lock
/// exclusively.
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

/// Builds the kernel or resumes its build. A second run that wants the same kernel waits.
pub fn build(cache: &CacheLayout, variant: &'static Variant, stock: &Kernel, events: &Events) -> Result<Kernel> {
    let place = Place::of(cache, variant, stock)?;
    let _lock = Lock::of_directory(&place.building, events)?;
    // The previous holder of the lock may have completed it.
    if !place.is_complete() {
        build::make(cache, &place, events)?;
    }
    Ok(place.kernel())
}

/// Removes debug kernels of older versions of the lab, complete or not, since they are large.
fn remove_old(place: &Place) -> Result<()> {
    for dir in [&place.building, &place.dir].into_iter().filter(|dir| dir.exists()) {
        // The lock stays where it is: another run may be waiting for it.
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
