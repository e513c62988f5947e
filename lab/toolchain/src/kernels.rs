// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The stock kernels that Drydock supports, and the choice among a mirror's kernels.
//!
//! Source: Debian's package names (`linux-headers-RELEASE-amd64` and its like) and the metapackage
//! `linux-headers-amd64`.

use std::cmp::Ordering;
use std::path::PathBuf;

use drydock_base::error::{Error, Kind, Result};

/// A series of kernels that is known to work.
#[derive(Debug)]
pub struct Series {
    /// `MAJOR.MINOR`.
    pub name: &'static str,
    /// The suite that has its packages.
    pub suite: &'static str,
    /// The compiler it is built with, as a command in the root.
    pub cc: &'static str,
    /// Known facts about it, for `drydock doctor`.
    pub known: &'static str,
}

/// The command-line name of the stock kernel in use.
pub const STOCK: &str = "stock";

/// The supported series, oldest first.
pub const SUPPORTED: &[Series] = &[Series {
    name: "7.3",
    suite: "trixie-backports",
    cc: "x86_64-linux-gnu-gcc-14",
    known: "7.3.4: all 2,502 Rust symbols match, modules load",
}];

/// The origin of a kernel's build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// The distribution's build.
    Stock,
    /// Our build, with checkers for memory, locks and references (`debug_kernel.rs`).
    Debug,
}

impl Flavour {
    /// Returns the factor by which operations may take longer than on the stock kernel.
    pub fn patience(self) -> u32 {
        match self {
            Self::Stock => 1,
            Self::Debug => 8,
        }
    }
}

/// Lists of a kernel's build in its source tree, which `depmod` reads: the parts that are no modules, and the order of the
/// modules.
pub(crate) const LISTS: [&str; 3] = ["modules.builtin", "modules.builtin.modinfo", "modules.order"];

/// A prepared kernel.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// The origin of its build.
    pub flavour: Flavour,
    /// The output of `uname -r`, without the flavour: `7.3.4+deb13-amd64`.
    pub release: String,
    /// The source tree with the kernel crates' metadata, on the host; `/kernel/tree` inside the root.
    pub tree: PathBuf,
    /// The kernel's image, on the host; `/kernel/vmlinuz` inside the root.
    pub vmlinuz: PathBuf,
    /// The stock modules (`kernel/…/*.ko.xz`), on the host; `/kernel/modules` inside the root.
    pub modules_dir: PathBuf,
    /// The variables for every `make` in its tree.
    pub make_variables: Vec<String>,
}

/// A kernel's release, ordered by its numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Numbers and words: `7.3.4+deb13-amd64` is split at its punctuation.
    parts: Vec<Part>,
    /// The whole release.
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Word(String),
    Number(u64),
}

impl Release {
    /// Parses a release.
    pub fn parse(name: &str) -> Self {
        let parts = name.split(['.', '+', '-', '~']).flat_map(split_digits).collect();
        Self { parts, name: name.to_owned() }
    }

    /// `MAJOR.MINOR`.
    pub fn series(&self) -> String {
        let end = self.name.match_indices('.').nth(1).map_or(self.name.len(), |(at, _)| at);
        let series = &self.name[..end];
        series.split(['+', '-', '~']).next().unwrap_or(series).to_owned()
    }

    fn supported(&self) -> Option<&'static Series> {
        let name = self.series();
        SUPPORTED.iter().find(|series| series.name == name)
    }
}

impl PartialOrd for Release {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Release {
    fn cmp(&self, other: &Self) -> Ordering {
        self.parts.cmp(&other.parts).then_with(|| self.name.cmp(&other.name))
    }
}

/// `deb13` is a word and a number, so that `deb9` sorts before it.
fn split_digits(word: &str) -> Vec<Part> {
    let border = word.find(|c: char| c.is_ascii_digit()).unwrap_or(word.len());
    let (letters, digits) = word.split_at(border);
    let mut parts = Vec::new();
    if !letters.is_empty() {
        parts.push(Part::Word(letters.to_owned()));
    }
    match digits.parse() {
        Ok(number) => parts.push(Part::Number(number)),
        Err(_) if digits.is_empty() => {}
        Err(_) => parts.push(Part::Word(digits.to_owned())),
    }
    parts
}

/// The kernel to use, and what should be reported about the choice.
#[derive(Debug)]
pub struct Choice {
    /// The chosen release.
    pub release: Release,
    /// Its row in the table.
    pub series: &'static Series,
    /// A newer series that the mirror has and that is untested.
    pub newer: Option<String>,
}

/// Chooses the newest supported release, or the newest one that matches `wanted` (a release or a series).
pub fn choose(offered: &[Release], wanted: Option<&str>) -> Result<Choice> {
    let fits = |release: &&Release| wanted.is_none_or(|name| release.name == name || release.series() == name);
    let supported = offered.iter().filter(|release| release.supported().is_some());
    let Some(release) = supported.filter(fits).max() else {
        return Err(nothing(offered, wanted));
    };
    let newest = offered.iter().max().filter(|newest| newest.series() != release.series() && *newest > release);
    let series = release.supported().expect("only supported releases were considered");
    Ok(Choice { release: release.clone(), series, newer: newest.map(|newest| newest.name.clone()) })
}

/// Refuses a name that no kernel can have, before the mirror is contacted. Debug kernels have names of their own.
pub fn check_name(name: &str, debug: &[&str]) -> Result<()> {
    let series = || SUPPORTED.iter().map(|series| series.name);
    if name == STOCK || debug.contains(&name) || Release::parse(name).supported().is_some() {
        return Ok(());
    }
    let words = [STOCK].into_iter().chain(debug.iter().copied());
    let known: Vec<_> = words.map(|word| format!("`{word}`")).collect();
    let series: Vec<_> = series().collect();
    Err(Error::new(Kind::Usage, format!("there is no kernel `{name}`")).hint(format!(
        "{}, or a release of the series {}",
        known.join(", "),
        series.join(", ")
    )))
}

fn nothing(offered: &[Release], wanted: Option<&str>) -> Error {
    let known: Vec<_> = SUPPORTED.iter().map(|series| series.name).collect();
    let names: Vec<_> = offered.iter().map(|release| release.name.as_str()).collect();
    let offer = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let (kind, message) = match wanted {
        Some(name) => (Kind::Usage, format!("kernel `{name}` is not supported, or the mirror does not have it")),
        None => (Kind::Host, "the mirror has no kernel of a supported series".to_owned()),
    };
    Error::new(kind, message).hint(format!("supported: {}; the mirror has: {offer}", known.join(", ")))
}

/// Returns the releases among the names of `linux-headers-…-amd64` packages.
pub fn releases(packages: &str) -> Vec<Release> {
    let mut found: Vec<_> = packages.lines().filter_map(release_of).collect();
    found.sort();
    found
}

/// Returns the release of a package of the plain flavour. `cloud` and `rt` kernels have other configurations.
fn release_of(package: &str) -> Option<Release> {
    let release = package.trim().strip_prefix("linux-headers-")?;
    let numbers = release.strip_suffix("-amd64")?;
    let starts = numbers.starts_with(|c: char| c.is_ascii_digit());
    (starts && !numbers.contains('-')).then(|| Release::parse(release))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(names: &[&str]) -> Vec<Release> {
        names.iter().map(|name| Release::parse(name)).collect()
    }

    #[test]
    fn releases_are_ordered_by_their_numbers() {
        let mut found = offer(&["7.3.10+deb13-amd64", "7.3.4+deb13-amd64", "6.12.48+deb13-amd64", "7.3.4+deb9-amd64"]);
        found.sort();
        let names: Vec<_> = found.iter().map(|release| release.name.as_str()).collect();
        assert_eq!(names, ["6.12.48+deb13-amd64", "7.3.4+deb9-amd64", "7.3.4+deb13-amd64", "7.3.10+deb13-amd64"]);
    }

    #[test]
    fn the_series_is_two_numbers() {
        assert_eq!(Release::parse("7.3.4+deb13-amd64").series(), "7.3");
        assert_eq!(Release::parse("7.3+deb13-amd64").series(), "7.3");
    }

    #[test]
    fn only_the_plain_flavour_counts() {
        let listed = "linux-headers-7.3.4+deb13-amd64\nlinux-headers-7.3.4+deb13-cloud-amd64\n\
                      linux-headers-7.3.4+deb13-rt-amd64\nlinux-headers-amd64\nlinux-headers-7.3.4+deb13-common\n";
        assert_eq!(releases(listed), offer(&["7.3.4+deb13-amd64"]));
    }

    #[test]
    fn the_newest_supported_one_is_used() {
        let offered = offer(&["6.12.48+deb13-amd64", "7.3.4+deb13-amd64", "7.3.10+deb13-amd64"]);
        let choice = choose(&offered, None).unwrap();
        assert_eq!(choice.release.name, "7.3.10+deb13-amd64");
        assert_eq!(choice.newer, None);
    }

    #[test]
    fn a_newer_series_is_mentioned_and_not_used() {
        let choice = choose(&offer(&["7.3.4+deb13-amd64", "7.4.1+deb13-amd64"]), None).unwrap();
        assert_eq!(choice.release.name, "7.3.4+deb13-amd64");
        assert_eq!(choice.newer.as_deref(), Some("7.4.1+deb13-amd64"));
    }

    #[test]
    fn a_name_chooses_a_series_or_a_release() {
        let offered = offer(&["7.3.4+deb13-amd64", "7.3.10+deb13-amd64"]);
        assert_eq!(choose(&offered, Some("7.3")).unwrap().release.name, "7.3.10+deb13-amd64");
        assert_eq!(choose(&offered, Some("7.3.4+deb13-amd64")).unwrap().release.name, "7.3.4+deb13-amd64");
    }

    #[test]
    fn name_of_no_kernel_is_refused_with_those_that_are() {
        for name in ["stock", "debug", "7.3", "7.3.4+deb13-amd64", "7.3.99"] {
            check_name(name, &["debug"]).unwrap();
        }
        for name in ["", "debgu", "9.9", "7", "7.30", "stock,debug"] {
            let error = check_name(name, &["debug"]).unwrap_err();
            assert_eq!(error.kind(), Kind::Usage, "{name}");
            assert_eq!(error.hint_text(), Some("`stock`, `debug`, or a release of the series 7.3"));
        }
    }

    #[test]
    fn an_unknown_name_lists_those_that_are_known() {
        let error = choose(&offer(&["7.3.4+deb13-amd64"]), Some("9.9")).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        insta::assert_snapshot!(error.hint_text().unwrap(), @"supported: 7.3; the mirror has: 7.3.4+deb13-amd64");
    }
}
