// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Prepares a stock kernel: its image and modules, and a source tree with the metadata of the kernel's crates.
//!
//! Debian's header packages carry no Rust metadata. The lab rebuilds it from the source and configuration of the kernel
//! that will run, with the compiler that built it. `symbols.rs` then proves that the result names the symbols that the
//! running kernel exports. Source: Documentation/rust/quick-start.rst, Documentation/kbuild/modules.rst.

pub mod symbols;
mod tree;

pub use symbols::thousands;
pub use tree::unpack as unpack_source;

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::apt::{Apt, Archive};
use crate::kernels::{self, Choice, Flavour, Kernel, LISTS, Release};
use crate::root::{self, unpack_with};
use drydock_base::cache::{self, CacheLayout, PartialDir};
use drydock_base::error::{Error, Kind, Result};
use drydock_base::events::Events;

/// A version of the recipe. Change it whenever the recipe changes.
const RECIPE: &str = "3";
const STAMP: &str = ".drydock";
const FACTS: &str = "facts.json";

/// Facts about a prepared kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The number of Rust symbols that the stock kernel exports. Our metadata names all of them.
    pub symbols: usize,
    /// The version of the packages.
    pub version: String,
}

/// Returns the facts about a prepared kernel.
pub fn facts(cache: &CacheLayout, release: &str) -> Option<Facts> {
    serde_json::from_slice(&fs::read(cache.kernel(release).join(FACTS)).ok()?).ok()
}

/// Returns the variables for every `make` in the tree of the stock kernel `release`.
pub fn make_variables(release: &str) -> Vec<String> {
    // The source's own version is `7.3.4`. The rest of the release distinguishes Debian's build.
    let local = release.find(|c: char| !c.is_ascii_digit() && c != '.').map_or("", |at| &release[at..]);
    let series = Release::parse(release).series();
    let cc = kernels::SUPPORTED.iter().find(|known| known.name == series).map_or("gcc", |known| known.cc);
    let host = cc.rsplit_once("gnu-").map_or(cc, |(_, plain)| plain);
    vec![
        format!("CC={cc}"),
        format!("HOSTCC={host}"),
        format!("LOCALVERSION={local}"),
        "RUST_LIB_SRC=/usr/lib/rustlib/src/rust/library".to_owned(),
    ]
}

/// Returns a hash of everything a prepared kernel depends on.
fn inputs(cache: &CacheLayout, release: &str) -> String {
    cache::hash([RECIPE.to_owned(), root::identity(cache), make_variables(release).concat()])
}

fn is_prepared(cache: &CacheLayout, release: &str) -> bool {
    cache::is_stamped(&cache.kernel(release).join(STAMP), &inputs(cache, release))
}

fn kernel(cache: &CacheLayout, release: &str) -> Kernel {
    let dir = cache.kernel(release);
    Kernel {
        flavour: Flavour::Stock,
        release: release.to_owned(),
        tree: dir.join("tree"),
        vmlinuz: dir.join("vmlinuz"),
        modules_dir: dir.join("modules"),
        make_variables: make_variables(release),
    }
}

/// Returns the prepared kernel that matches `wanted` (a release or a series), or the one in use.
pub fn prepared(cache: &CacheLayout, wanted: Option<&str>) -> Result<Option<Kernel>> {
    let name = match wanted {
        Some(name) => newest_prepared(cache, name),
        None => fs::read_to_string(cache.current_kernel()).ok().map(|text| text.trim().to_owned()),
    };
    Ok(name.filter(|release| is_prepared(cache, release)).map(|release| kernel(cache, &release)))
}

fn newest_prepared(cache: &CacheLayout, name: &str) -> Option<String> {
    let entries = fs::read_dir(cache.kernels()).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let releases = entries.map(|entry| Release::parse(&entry)).filter(|r| r.name == name || r.series() == name);
    releases.filter(|release| is_prepared(cache, &release.name)).max().map(|release| release.name)
}

/// Chooses a kernel of the mirror and prepares it if necessary. If `wanted` is `None`, it becomes the kernel in use.
pub fn ensure(cache: &CacheLayout, apt: &Apt, wanted: Option<&str>, events: &Events) -> Result<Kernel> {
    let offered = kernels::releases(&apt.names("linux-headers-")?);
    let choice = kernels::choose(&offered, wanted)?;
    if let Some(newer) = &choice.newer {
        let known = kernels::SUPPORTED.iter().map(|series| series.name).collect::<Vec<_>>().join(", ");
        events.warn(format!(
            "the mirror has kernel {newer}, whose series is untested (supported: {known}); using {}",
            choice.release.name
        ));
    }
    if !is_prepared(cache, &choice.release.name) {
        prepare(cache, apt, &choice, events)?;
    }
    if wanted.is_none() || !cache.current_kernel().exists() {
        cache::write_atomically(&cache.current_kernel(), &choice.release.name)?;
    }
    Ok(kernel(cache, &choice.release.name))
}

fn prepare(cache: &CacheLayout, apt: &Apt, choice: &Choice, events: &Events) -> Result<()> {
    let release = &choice.release.name;
    let packages = Packages::of(apt, choice)?;
    let archives = packages.download(apt, release, events)?;
    let partial = PartialDir::begin(&cache.kernel(release))?;
    packages.unpack(&archives, &apt.archives(), release, partial.path(), events)?;
    tree::make(&cache.root(), release, partial.path(), events)?;
    packages.unpack_lists(&archives, &apt.archives(), release, &partial.path().join("tree"))?;
    let symbols = symbols::check(partial.path(), events)?;
    let facts = Facts { symbols, version: packages.version };
    let facts = serde_json::to_vec_pretty(&facts).expect("facts have string keys");
    cache::write_atomically(&partial.path().join(FACTS), facts)?;
    cache::write_atomically(&partial.path().join(STAMP), inputs(cache, release))?;
    partial.complete()?;
    apt.forget(&archives);
    Ok(())
}

/// The packages of one kernel, all of one version.
struct Packages {
    names: Vec<String>,
    version: String,
}

impl Packages {
    fn of(apt: &Apt, choice: &Choice) -> Result<Self> {
        let release = &choice.release.name;
        let headers = format!("linux-headers-{release}");
        let version = apt.candidate(&headers)?;
        let names = [
            headers,
            format!("linux-base-{release}"),
            format!("linux-binary-{release}"),
            format!("linux-modules-{release}"),
            format!("linux-source-{}", choice.series.name),
        ];
        let names = names.into_iter().map(|name| format!("{name}={version}")).collect();
        Ok(Self { names, version })
    }

    fn download(&self, apt: &Apt, release: &str, events: &Events) -> Result<Vec<Archive>> {
        let archives = apt.archives_of(&self.names).map_err(|error| {
            Error::new(Kind::Machinery, format!("the mirror does not have all packages of kernel {release}"))
                .caused_by(error)
                .hint("the mirror may be in the middle of an update; try again in an hour, or set `DRYDOCK_MIRROR` to another mirror")
        })?;
        let total = archives.iter().map(|archive| archive.size).sum();
        let step = events.step(format!("downloading kernel {release}"));
        apt.download_only(&self.names, total, &step)?;
        step.done_with(format!("{} MB", total / 1_000_000));
        Ok(archives)
    }

    /// Extracts the needed parts from the packages: image, modules, configuration, symbols, source.
    fn unpack(&self, archives: &[Archive], from: &Path, release: &str, into: &Path, events: &Events) -> Result<()> {
        let step = events.step(format!("unpacking kernel {release}"));
        let path = |prefix: &str| archive_of(archives, from, prefix);
        let dirs = |depth: usize| format!("--strip-components={depth}");
        let headers = path("linux-headers-")?;
        let member = |name: &str| format!("./usr/src/linux-headers-{release}/{name}");
        unpack_with(&headers, into, [dirs(4), member(".config"), member("Module.symvers")])?;
        let image = format!("./usr/lib/modules/{release}/vmlinuz");
        unpack_with(&path("linux-binary-")?, into, [dirs(5), image])?;
        let modules = into.join("modules");
        cache::make_dir(&modules)?;
        unpack_with(&path("linux-modules-")?, &modules, [dirs(5), format!("./usr/lib/modules/{release}")])?;
        unpack_with(
            &path("linux-source-")?,
            into,
            [dirs(3), "--wildcards".to_owned(), "./usr/src/linux-source-*.tar.xz".to_owned()],
        )?;
        step.done();
        Ok(())
    }

    /// Extracts the lists of the kernel's build into its source tree, where a build here has them.
    fn unpack_lists(&self, archives: &[Archive], from: &Path, release: &str, tree: &Path) -> Result<()> {
        let members = LISTS.map(|list| format!("./usr/lib/modules/{release}/{list}"));
        let strip = ["--strip-components=5".to_owned()];
        unpack_with(&archive_of(archives, from, "linux-base-")?, tree, strip.into_iter().chain(members))
    }
}

/// Returns the file of the archive whose name starts with `prefix`.
fn archive_of(archives: &[Archive], from: &Path, prefix: &str) -> Result<PathBuf> {
    let found = archives.iter().find(|archive| archive.file.starts_with(prefix));
    found
        .map(|archive| from.join(&archive.file))
        .ok_or_else(|| Error::new(Kind::Machinery, format!("apt did not fetch `{prefix}…`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_tells_the_variables() {
        let variables = make_variables("7.3.4+deb13-amd64");
        assert_eq!(variables[..3], ["CC=x86_64-linux-gnu-gcc-14", "HOSTCC=gcc-14", "LOCALVERSION=+deb13-amd64"]);
    }

    #[test]
    fn a_kernel_made_with_another_root_is_not_prepared() {
        let dir = tempfile::tempdir().unwrap();
        let cache = CacheLayout::at(dir.path().to_owned());
        let release = "7.3.4+deb13-amd64";
        cache::write_atomically(&cache.kernel(release).join(STAMP), inputs(&cache, release)).unwrap();
        cache::write_atomically(&cache.current_kernel(), release).unwrap();
        assert_eq!(prepared(&cache, None).unwrap().unwrap().release, release);
        assert_eq!(prepared(&cache, Some("7.3")).unwrap().unwrap().release, release);
        assert!(prepared(&cache, Some("7.4")).unwrap().is_none());
        cache::write_atomically(&cache.root().join(".drydock-packages"), "rustc_1.86").unwrap();
        assert!(prepared(&cache, None).unwrap().is_none());
    }
}
