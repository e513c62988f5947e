// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The parts of the checkout that a guest contains, so that nothing else is built for it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::drivers::{KBUILD, LIBRARY, modules};
use crate::error::{Context, Result};

use super::hardware;

/// A workspace member that runs in the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Program {
    /// Its directory in the checkout.
    pub(crate) directory: &'static str,
    /// The name of its package and its file.
    pub(crate) name: &'static str,
}

impl Program {
    /// The first process of every guest.
    pub(super) const AGENT: Program = Program { directory: "guest/agent", name: "drydock-agent" };
    /// The tests that run in the guest.
    pub(crate) const TESTS: Program = Program { directory: "guest/tests", name: "drydock-guest-tests" };
    /// The client on the crate `drm`.
    pub(crate) const CLIENT: Program = Program { directory: "guest/client", name: "drydock-client" };
    /// The guest's side of the benchmark.
    pub(crate) const BENCH: Program = Program { directory: "guest/bench", name: "drydock-bench" };
    /// The program that executes sequences of calls. Its variant that searches for new ones is built only for `drydock
    /// fuzz`.
    pub(crate) const FUZZ: Program = Program { directory: "guest/random", name: "drydock-random" };
    /// All programs that a person may want in a guest.
    const ALL: [Program; 4] = [Self::TESTS, Self::CLIENT, Self::BENCH, Self::FUZZ];

    /// Returns whether it is a member of the checkout's workspace.
    pub(crate) fn exists(self, repo: &Path) -> bool {
        let quoted = format!("\"{}\"", self.directory);
        fs::read_to_string(repo.join("Cargo.toml")).is_ok_and(|manifest| manifest.contains(&quoted))
    }
}

/// The parts of the checkout in a guest, besides the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    /// The modules, with the library; `None` means all of them.
    pub(crate) modules: Option<BTreeSet<String>>,
    /// The programs.
    pub(crate) programs: BTreeSet<Program>,
}

impl Content {
    /// Returns the library alone.
    pub(crate) fn library() -> Self {
        Self { modules: Some(BTreeSet::from([LIBRARY.to_owned()])), programs: BTreeSet::new() }
    }

    /// Returns all modules and no program.
    pub(crate) fn all_modules() -> Self {
        Self { modules: None, programs: BTreeSet::new() }
    }

    /// Returns the modules of `driver`. One of the kernel's own drivers has none here.
    pub(crate) fn of_driver(repo: &Path, driver: &str) -> Result<Self> {
        let path = repo.join(KBUILD);
        let kbuild = fs::read_to_string(&path).with_context(|| format!("failed to read `{}`", path.display()))?;
        let known = modules(&kbuild);
        let own = own_modules(driver, |name| known.iter().any(|module| module == name));
        let mut content = Self::library();
        content.modules.get_or_insert_default().extend(own.unwrap_or_default());
        Ok(content)
    }

    /// Adds a program.
    pub(crate) fn with(mut self, program: Program) -> Self {
        self.programs.insert(program);
        self
    }

    /// Adds what the words of a command line name. The tests and the fuzzer may load any module.
    pub(crate) fn for_words(self, words: &[String]) -> Self {
        let named = |program: &Program| words.iter().any(|word| word.contains(program.name));
        let content = Program::ALL.into_iter().filter(named).fold(self, Self::with);
        let any = [Program::TESTS, Program::FUZZ].iter().any(|program| content.programs.contains(program));
        if any { content.and(Self::all_modules()) } else { content }
    }

    /// Returns the union of both.
    pub(crate) fn and(self, other: Self) -> Self {
        let modules = match (self.modules, other.modules) {
            (Some(one), Some(two)) => Some(&one | &two),
            _ => None,
        };
        Self { modules, programs: &self.programs | &other.programs }
    }
}

/// Returns our modules of `driver`, in loading order: those in the table of `hardware.rs`, or the one called
/// `DRIVER_rust` or `DRIVER`.
pub(super) fn own_modules(driver: &str, is_there: impl Fn(&str) -> bool) -> Option<Vec<String>> {
    if let Some(modules) = hardware::modules_of(driver).filter(|modules| modules.iter().all(|name| is_there(name))) {
        return Some(modules.iter().map(|&name| name.to_owned()).collect());
    }
    let name = driver.replace('-', "_");
    [format!("{name}_rust"), name].into_iter().find(|name| is_there(name)).map(|name| vec![name])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modules_of(driver: &str) -> Vec<String> {
        let content = Content::of_driver(&crate::repo::root().unwrap(), driver).unwrap();
        content.modules.unwrap().into_iter().collect()
    }

    #[test]
    fn a_driver_needs_its_modules_and_the_library() {
        assert_eq!(modules_of("vgem"), ["drm_rust", "vgem_rust"]);
        assert_eq!(modules_of("nova"), ["drm_rust", "nova_core", "nova_drm"]);
        assert_eq!(modules_of("lifecycle-kms"), ["drm_rust", "lifecycle_kms"]);
        assert_eq!(modules_of("c-vgem"), ["drm_rust"]);
    }

    #[test]
    fn a_program_is_there_if_a_word_names_it() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let content = Content::library().for_words(&words("sh -c drydock-client;true"));
        assert_eq!(content, Content::library().with(Program::CLIENT));
        assert!(Content::library().for_words(&words("drmdevice")).programs.is_empty());
        let tests = Content::library().for_words(&words("drydock-guest-tests --driver vgem"));
        assert_eq!(tests, Content::all_modules().with(Program::TESTS));
    }

    #[test]
    fn what_either_has_is_there() {
        let both = Content::library().with(Program::BENCH).and(Content::all_modules().with(Program::CLIENT));
        assert_eq!((both.modules, both.programs.len()), (None, 2));
    }
}
