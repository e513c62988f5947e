// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Names that a driver cannot have, and why: they belong to Rust, Kbuild, the example, this project or the kernel.
//!
//! Source: the Rust Reference, "Keywords" and "Preludes"; rust/kernel/prelude.rs; Documentation/kbuild/makefiles.rst.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use proc_macro2::{TokenStream, TokenTree};

use super::names::Name;
use crate::drivers;
use drydock_base::error::{Context, Error, Kind, Result};
use drydock_toolchain::kbuild;
use drydock_toolchain::kmod::Stock;

/// Keywords in any edition, and reserved words.
const KEYWORDS: &str = "abstract as async await become box break const continue crate do dyn else enum extern false final fn \
                        for gen if impl in let loop macro macro_rules match mod move mut override priv pub raw ref return \
                        safe self static struct super trait true try type typeof union unsafe unsized use virtual where \
                        while yield";

/// Crates that a driver sees, and crates that those see.
const CRATES: &str = "alloc bindings build_error compiler_builtins core drm ffi helpers kernel macros pin_init \
                      pin_init_internal proc_macro proc_macro2 quote std syn test uapi zerocopy zerocopy_derive";

/// Types, traits and variants that are in scope without being named, by the language's prelude or the kernel's. The
/// template and macros rely on them.
const PRELUDE: &str = "ARef AsMut AsRef AsyncFn AsyncFnMut AsyncFnOnce Box CStr Clone Copy Debug Default \
                       DoubleEndedIterator Drop Eq Err Error ExactSizeIterator Extend Fn FnMut FnOnce From FromIterator \
                       Future Hash InPlaceInit InPlaceModule Init Into IntoFuture IntoIterator Iterator KBox KVBox KVVec \
                       KVec Module None Ok Opaque Option Ord PartialEq PartialOrd Pin PinInit Result Self Send Sized Some \
                       String Sync ThisModule ToOwned ToString TryFrom TryInto Unpin VBox VVec Vec Zeroable";

/// Names for which `NAME-y` or a similar variable has another meaning in Kbuild.
const KBUILD: &str = "always asflags ccflags clean cppflags dtb extra header hostprogs ldflags lib libs obj rustflags subdir \
                      subdir_asflags subdir_ccflags subdir_rustflags targets userprogs";

/// Names that are taken by the kernel's image on every machine of ours: built-in modules, and devices and drivers on
/// the platform bus. No file of the kernel's packages lists them.
const BUILT_IN: &str = include_str!("built-in.txt");

/// Sources of taken names besides the fixed words.
pub(super) struct Taken<'t> {
    pub(super) repo: &'t Path,
    /// The driver that is copied: its name and its text.
    pub(super) template: (&'t Name, &'t str),
    /// The modules of the kernel in use, if there is one.
    pub(super) stock: Option<&'t Stock>,
    /// The names of the suites of `drydock test`.
    pub(super) suites: &'t [&'t str],
}

impl Taken<'_> {
    /// Refuses a name that is taken.
    pub(super) fn refuse(&self, name: &Name) -> Result<()> {
        let Some(why) = self.why(name)? else { return Ok(()) };
        Err(Error::new(Kind::Usage, format!("a driver cannot be called `{}`: {why}", name.module))
            .hint("nothing was written: choose another name"))
    }

    fn why(&self, name: &Name) -> Result<Option<String>> {
        let (module, camel) = (name.module.as_str(), name.camel.as_str());
        let has = |words: &str, word: &str| words.split_whitespace().any(|found| found == word);
        if has(KEYWORDS, module) {
            return Ok(Some("it is a Rust keyword".into()));
        }
        if has(CRATES, module) || self.crates()?.contains(module) {
            return Ok(Some(format!("there is a crate `{module}`")));
        }
        if has(PRELUDE, camel) {
            return Ok(Some(format!("its type would be `{camel}`, a name that is already in scope everywhere")));
        }
        if let Some(used) = [camel, &module.to_uppercase()].into_iter().find(|word| self.template_uses(word)) {
            return Ok(Some(format!("the example already uses `{used}`")));
        }
        if has(KBUILD, module) {
            return Ok(Some("it has a special meaning in Kbuild".into()));
        }
        if module.starts_with("c_") {
            return Ok(Some("`drydock run c-NAME` means the kernel's own driver".into()));
        }
        if self.suites.iter().any(|suite| suite.replace('-', "_") == module) {
            return Ok(Some("`drydock test` has a suite of that name".into()));
        }
        if let Some(ours) = self.ours(module)? {
            return Ok(Some(ours));
        }
        if self.stock.is_some_and(|stock| stock.has(module)) {
            return Ok(Some("the kernel has a module of that name".into()));
        }
        if BUILT_IN.lines().any(|line| line == module) {
            return Ok(Some("the kernel's image has a driver or a device of that name".into()));
        }
        Ok(None)
    }

    /// Returns whether the template's code defines or uses an item of this name. The template's own name does not
    /// count.
    fn template_uses(&self, word: &str) -> bool {
        let (name, text) = self.template;
        let tokens = TokenStream::from_str(text).unwrap_or_default();
        !name.spellings().iter().any(|own| own == word) && identifiers(tokens).contains(word)
    }

    /// Returns the crates of the checkout.
    fn crates(&self) -> Result<BTreeSet<String>> {
        Ok(entries(&self.repo.join("crates"))?.into_iter().map(|name| name.replace('-', "_")).collect())
    }

    /// Returns the driver, test module or directory of ours that has this name.
    fn ours(&self, module: &str) -> Result<Option<String>> {
        let path = self.repo.join(kbuild::KBUILD);
        let kbuild = fs::read_to_string(&path).with_context(|| format!("failed to read `{}`", path.display()))?;
        let is_there = self.repo.join(drivers::DIRECTORY).join(module).exists()
            || drivers::names(self.repo)?.iter().any(|name| name == module);
        if is_there {
            return Ok(Some(format!("driver `{module}` already exists")));
        }
        let built = kbuild::modules(&kbuild);
        // `drydock run x` prefers `x_rust` to `x`.
        let taken = built.iter().find(|name| [module, &format!("{module}_rust")].contains(&name.as_str()));
        Ok(taken.map(|name| format!("`{}` builds a module `{name}`", kbuild::KBUILD)))
    }
}

fn entries(directory: &Path) -> Result<Vec<String>> {
    let found = fs::read_dir(directory).with_context(|| format!("failed to list `{}`", directory.display()))?;
    Ok(found.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
}

fn identifiers(tokens: TokenStream) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for token in tokens {
        match token {
            TokenTree::Ident(name) => drop(found.insert(name.to_string())),
            TokenTree::Group(group) => found.extend(identifiers(group.stream())),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(name: &str, stock: Option<&Stock>) -> Option<String> {
        let repo = drydock_base::repo::root().unwrap();
        let template = fs::read_to_string(repo.join("kernel/examples/1-counter/counter.rs")).unwrap();
        let counter = Name::parse("counter").unwrap();
        let taken = Taken { repo: &repo, template: (&counter, &template), stock, suites: &["host", "compile-fail"] };
        taken.why(&Name::parse(name).unwrap()).unwrap()
    }

    #[test]
    fn names_that_mean_something_else_are_refused_with_the_reason() {
        let stock = Stock::of(&["drm_shmem_helper", "snd_hda_intel"]);
        let cases = [
            ("self", "a Rust keyword"),
            ("gen", "a Rust keyword"),
            ("core", "a crate `core`"),
            ("std", "a crate `std`"),
            ("kernel", "a crate `kernel`"),
            ("drm", "a crate `drm`"),
            ("mali-mmu", "a crate `mali_mmu`"),
            ("option", "its type would be `Option`"),
            ("ok", "its type would be `Ok`"),
            ("next", "the example already uses `Next`"),
            ("data", "the example already uses `Data`"),
            ("counter", "driver `counter` already exists"),
            ("nova", "driver `nova` already exists"),
            ("vgem", "driver `vgem` already exists"),
            ("vgem-rust", "builds a module `vgem_rust`"),
            ("drm_rust", "builds a module `drm_rust`"),
            ("oops", "driver `oops` already exists"),
            ("lifecycle-devices", "already exists"),
            ("obj", "a special meaning in Kbuild"),
            ("c-vgem", "the kernel's own driver"),
            ("host", "a suite of that name"),
            ("compile_fail", "a suite of that name"),
            ("drm_shmem_helper", "a module of that name"),
            ("drm-shmem-helper", "a module of that name"),
            ("snd-hda-intel", "a module of that name"),
            ("i8042", "the kernel's image has"),
        ];
        for (name, expected) in cases {
            let why = why(name, Some(&stock)).unwrap_or_else(|| panic!("`{name}` is accepted"));
            assert!(why.contains(expected), "{name}: {why}");
        }
    }

    #[test]
    fn other_names_are_free() {
        let stock = Stock::of(&["drm_shmem_helper"]);
        for name in ["my-gpu", "gpu2", "panthor2", "next_gpu", "drm_next", "x"] {
            assert_eq!(why(name, Some(&stock)), None, "{name}");
        }
    }
}
