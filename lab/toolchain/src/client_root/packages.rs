// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The packages of a root for the guest: the base set, the user's choice, and the drivers that libraries load.
//!
//! Source: Debian Policy, section 5.6.1 for the names of packages.

use std::collections::BTreeSet;

use crate::apt::Archive;
use crate::root::LEFT_OUT;
use drydock_base::cache;
use drydock_base::error::{Error, Kind, Result};
use drydock_base::near;

/// The packages of every root for the guest: a shell, device nodes, modules, a font, and the tools of libdrm. Mesa is not
/// among them. It makes an image almost four times as large, and comes with the first package that uses it.
const BASE: &[&str] = &[
    // The base system.
    "base-files",
    "base-passwd",
    "bash",
    "coreutils",
    "dash",
    "debianutils",
    "diffutils",
    "findutils",
    "grep",
    "gzip",
    "hostname",
    "less",
    "libc-bin",
    "libpam-modules",
    "libpam-runtime",
    "mawk",
    "mount",
    "ncurses-base",
    "ncurses-bin",
    "procps",
    "sed",
    "tar",
    "util-linux",
    // Modules and device nodes.
    "kmod",
    "udev",
    // Fonts.
    "fontconfig",
    "fonts-dejavu-core",
    // Clients of DRM.
    "drm-info",
    "libdrm-tests",
];

/// Libraries that load their drivers at run time, each with the package that has them. Debian only recommends those
/// packages, and the lab installs no recommended ones.
const COMPANIONS: &[(&str, &str)] = &[("libgbm1", "libgl1-mesa-dri"), ("libvulkan1", "mesa-vulkan-drivers")];

/// Returns a hash of everything that an image depends on besides its packages.
pub(super) fn recipe() -> String {
    let companions = COMPANIONS.iter().flat_map(|(library, drivers)| [library, drivers]);
    cache::hash([super::RECIPE].iter().chain(BASE).chain(companions).chain(LEFT_OUT))
}

/// Returns the packages with drivers for libraries among `archives`, as far as they are not among them too.
pub(super) fn companions(archives: &[Archive]) -> Vec<String> {
    let has = |package: &str| archives.iter().any(|archive| archive.file.split('_').next() == Some(package));
    let needed = COMPANIONS.iter().filter(|(library, drivers)| has(library) && !has(drivers));
    needed.map(|(_, drivers)| (*drivers).to_owned()).collect()
}

/// The packages that a user chose, besides the base set.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Set(BTreeSet<String>);

impl Set {
    /// Returns the set of `packages`. Fails if one cannot be the name of a package.
    pub(super) fn of(packages: &[String]) -> Result<Self> {
        packages.iter().try_for_each(|name| check_name(name))?;
        Ok(Self(packages.iter().filter(|name| !BASE.contains(&name.as_str())).cloned().collect()))
    }

    /// Returns a name for the set, which changes with the recipe.
    pub(super) fn key(&self) -> String {
        cache::hash([recipe()].iter().chain(&self.0))[..16].to_owned()
    }

    /// Returns the names of the base set and of this one.
    pub(super) fn with_base(&self) -> Vec<String> {
        BASE.iter().map(|name| (*name).to_owned()).chain(self.0.iter().cloned()).collect()
    }

    /// Fails if `known`, one name per line, lacks a package of the set.
    pub(super) fn check_known(&self, known: &str) -> Result<()> {
        let known: BTreeSet<_> = known.lines().collect();
        let unknown: Vec<_> = self.0.iter().filter(|name| !known.contains(name.as_str())).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = unknown.iter().map(|name| format!("`{name}`")).collect();
        let error = Error::new(Kind::Usage, format!("the mirror has no package {}", names.join(" or ")));
        let question = |name: &str| near::question(name, known.iter().copied());
        let questions: Vec<_> = unknown.iter().filter_map(|name| Some((name, question(name)?))).collect();
        Err(match questions.as_slice() {
            [] => error.hint("`apt-cache search WORD` finds packages on a Debian machine"),
            [(_, question)] if unknown.len() == 1 => error.hint(question.as_str()),
            several => {
                let lines: Vec<_> = several.iter().map(|(name, question)| format!("`{name}`: {question}")).collect();
                error.hint(lines.join("\n"))
            }
        })
    }

    /// Explains that apt cannot choose packages for this set.
    pub(super) fn conflict(&self, error: Error) -> Error {
        let names: Vec<_> = self.0.iter().map(|name| format!("`{name}`")).collect();
        let explanation = explanation(&error);
        match error.kind() {
            Kind::Interrupted => error,
            kind if names.is_empty() => {
                Error::new(kind, "apt cannot install the guest's base packages").caused_by(error)
            }
            _ => {
                let refused = Error::new(Kind::Usage, format!("apt cannot install {} in one root", names.join(", ")));
                if explanation.is_empty() { refused.caused_by(error) } else { refused.details(explanation) }
            }
        }
    }
}

/// Returns the lines of a failed apt that name the packages in conflict.
fn explanation(error: &Error) -> Vec<String> {
    let details = error.all_details();
    let after = details.iter().skip_while(|line| !line.contains("unmet dependencies")).skip(1);
    after.filter(|line| line.starts_with(' ')).map(|line| line.trim().to_owned()).collect()
}

/// Refuses a name that no package can have. apt would take some of them for options, versions, patterns or removals.
fn check_name(name: &str) -> Result<()> {
    let is_alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let rest_is_valid = name.chars().all(|c| is_alphanumeric(c) || "+-.".contains(c));
    if name.len() >= 2 && name.starts_with(is_alphanumeric) && rest_is_valid {
        return Ok(());
    }
    let shown = name.escape_debug();
    Err(Error::new(Kind::Usage, format!("`{shown}` is not the name of a package"))
        .hint("a name has small letters, digits and `+`, `-` or `.`, and begins with a letter or a digit"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> Result<Set> {
        Set::of(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    fn archives(names: &[&str]) -> Vec<Archive> {
        names.iter().map(|name| Archive { file: format!("{name}_1%3a2.0-1_amd64.deb"), size: 1 }).collect()
    }

    #[test]
    fn name_that_is_no_package_name_is_refused() {
        for name in ["g++", "libc6", "python3.13", "0ad", "weston"] {
            check_name(name).unwrap();
        }
        let strange = [
            "", "a", "-oDir=/x", "--help", "+x", "We", "a/trixie", "a=1", "a*", "a:i386", "a b", "../a", "a\n", "ä1",
            "^a",
        ];
        for name in strange {
            let error = set(&["weston", name]).unwrap_err();
            assert_eq!(error.kind(), Kind::Usage, "{name}");
            assert!(!error.to_string().contains('\n'), "{error}");
        }
    }

    #[test]
    fn order_and_repetition_of_names_give_the_same_set() {
        let key = |names: &[&str]| set(names).unwrap().key();
        assert_eq!(key(&["weston", "gdb"]), key(&["gdb", "weston", "gdb", "bash"]));
        assert_ne!(key(&["weston"]), key(&["gdb"]));
        assert_ne!(key(&["weston"]), key(&[]));
    }

    #[test]
    fn unknown_package_is_named_with_near_ones() {
        let known = "weston\nwestmere\nkmscube\nzsh\n";
        set(&["weston"]).unwrap().check_known(known).unwrap();
        let error = set(&["westn"]).unwrap().check_known(known).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Usage, "the mirror has no package `westn`"));
        assert!(error.hint_text().unwrap().starts_with("did you mean `weston`"), "{:?}", error.hint_text());
        let error = set(&["kmscub", "qqqqqq", "weston"]).unwrap().check_known(known).unwrap_err();
        assert_eq!(error.to_string(), "the mirror has no package `kmscub` or `qqqqqq`");
        assert_eq!(error.hint_text(), Some("`kmscub`: did you mean `kmscube`?"));
    }

    #[test]
    fn library_that_loads_drivers_brings_them() {
        assert_eq!(companions(&archives(&["libgbm1", "libvulkan1-x"])), ["libgl1-mesa-dri"]);
        assert_eq!(companions(&archives(&["libgbm1", "libgl1-mesa-dri", "libvulkan1"])), ["mesa-vulkan-drivers"]);
        assert!(companions(&archives(&["bash"])).is_empty());
    }

    #[test]
    fn conflict_of_chosen_packages_is_a_usage_error() {
        let error = || Error::new(Kind::Machinery, "`apt-get` ended with exit code 100");
        assert_eq!(set(&["a1", "b1"]).unwrap().conflict(error()).kind(), Kind::Usage);
        assert_eq!(set(&[]).unwrap().conflict(error()).kind(), Kind::Machinery);
        let lines =
            ["Reading package lists...", "The following packages have unmet dependencies:", " a1 : Conflicts: b1"];
        let explained = set(&["a1", "b1"]).unwrap().conflict(error().details(lines).details(["E: Unable to correct"]));
        assert_eq!(explained.all_details(), ["a1 : Conflicts: b1"]);
        let interrupted = Error::new(Kind::Interrupted, "interrupted");
        assert_eq!(set(&["a1"]).unwrap().conflict(interrupted).kind(), Kind::Interrupted);
    }
}
