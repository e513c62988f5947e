// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The parts of the checkout that a guest contains, so that nothing else is built for it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use drydock_base::error::{Context, Result};
use drydock_base::events::Events;
use drydock_toolchain::drivers;
use drydock_toolchain::guestbin;
use drydock_toolchain::kbuild::{KBUILD, LIBRARY, modules};
use drydock_toolchain::setup::Toolchain;
use drydock_toolchain::source_drivers::SourceDriver;

use super::hardware;
use crate::image;

/// A workspace member that runs in the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Program {
    /// Its directory in the checkout.
    pub directory: &'static str,
    /// The name of its package and its file.
    pub name: &'static str,
}

impl Program {
    /// The first process of every guest.
    pub(super) const AGENT: Program = Program { directory: "guest/agent", name: "drydock-agent" };
    /// The tests that run in the guest.
    pub const TESTS: Program = Program { directory: "guest/tests", name: "drydock-guest-tests" };
    /// The client on the crate `drm`.
    pub const CLIENT: Program = Program { directory: "guest/client", name: "drydock-client" };
    /// The guest's side of the benchmark.
    pub const BENCH: Program = Program { directory: "guest/bench", name: "drydock-bench" };
    /// The program that executes sequences of calls. Its variant that searches for new ones is built only for `drydock
    /// fuzz`.
    pub const FUZZ: Program = Program { directory: "guest/random", name: "drydock-random" };
    /// The program that takes a picture of the screens.
    pub const SCREEN: Program = Program { directory: "guest/screen", name: "drydock-screen" };
    /// All programs that a person may want in a guest.
    const ALL: [Program; 5] = [Self::TESTS, Self::CLIENT, Self::BENCH, Self::FUZZ, Self::SCREEN];

    /// Returns whether the checkout has it.
    pub fn exists(self, repo: &Path) -> bool {
        repo.join(self.directory).join("Cargo.toml").is_file()
    }
}

/// The parts of the checkout in a guest, besides the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The modules, with the library; `None` means all of them.
    pub modules: Option<BTreeSet<String>>,
    /// The programs.
    pub programs: BTreeSet<Program>,
    /// The drivers' own clients: the programs' names, and their `main.rs`.
    pub clients: BTreeMap<String, PathBuf>,
    /// Modules of the kernel's own that nothing of ours needs.
    pub stock_modules: BTreeSet<&'static str>,
    /// Drivers of the kernel's source that the kernel may lack.
    pub source_drivers: BTreeSet<&'static SourceDriver>,
    /// The files of modules that were built elsewhere.
    pub module_files: Vec<PathBuf>,
}

impl Content {
    /// Returns the library alone.
    pub fn library() -> Self {
        let modules = Some(BTreeSet::from([LIBRARY.to_owned()]));
        Self {
            modules,
            programs: BTreeSet::new(),
            clients: BTreeMap::new(),
            stock_modules: BTreeSet::new(),
            source_drivers: BTreeSet::new(),
            module_files: Vec::new(),
        }
    }

    /// Returns all modules and no program.
    pub fn all_modules() -> Self {
        Self { modules: None, ..Self::library() }
    }

    /// Returns the modules of `driver`, and its own client. One of the kernel's own drivers has none here, unless it is built from
    /// the kernel's source.
    pub fn of_driver(repo: &Path, driver: &str) -> Result<Self> {
        let path = repo.join(KBUILD);
        let kbuild = fs::read_to_string(&path).with_context(|| format!("failed to read `{}`", path.display()))?;
        let known = modules(&kbuild);
        let own = own_modules(driver, |name| known.iter().any(|module| module == name));
        let mut content = Self::library();
        content.modules.get_or_insert_default().extend(own.unwrap_or_default());
        content.source_drivers.extend(SourceDriver::named(driver));
        let client = drivers::directory(repo, driver).map(|directory| directory.join(drivers::CLIENT));
        if let Some(client) = client.filter(|client| client.is_file()) {
            content.clients.insert(format!("{}_client", driver.replace('-', "_")), client);
        }
        Ok(content)
    }

    /// Adds a program.
    pub fn with(mut self, program: Program) -> Self {
        self.programs.insert(program);
        self
    }

    /// Adds modules of the kernel's own.
    pub fn with_stock(mut self, modules: &[&'static str]) -> Self {
        self.stock_modules.extend(modules);
        self
    }

    /// Adds modules that were built elsewhere. One replaces the kernel's own module of the same name.
    pub fn with_module_files(mut self, files: impl IntoIterator<Item = PathBuf>) -> Self {
        self.module_files.extend(files);
        self
    }

    /// Adds what the words of a command line name. The tests and the fuzzer may load any module.
    pub fn for_words(self, words: &[String]) -> Self {
        let named = |program: &Program| words.iter().any(|word| word.contains(program.name));
        let content = Program::ALL.into_iter().filter(named).fold(self, Self::with);
        let any = [Program::TESTS, Program::FUZZ].iter().any(|program| content.programs.contains(program));
        if any { content.and(Self::all_modules()) } else { content }
    }

    /// Returns the names of all programs in the guest, without their directory.
    pub fn program_names(&self) -> impl Iterator<Item = &str> {
        let own = self.programs.iter().map(|program| program.name).chain(self.clients.keys().map(String::as_str));
        own.chain(image::program_names().map(|name| -> &str { name }))
    }

    /// Returns the union of both.
    pub fn and(self, other: Self) -> Self {
        let modules = match (self.modules, other.modules) {
            (Some(one), Some(two)) => Some(&one | &two),
            _ => None,
        };
        let clients = self.clients.into_iter().chain(other.clients).collect();
        let stock_modules = &self.stock_modules | &other.stock_modules;
        let source_drivers = &self.source_drivers | &other.source_drivers;
        let module_files = self.module_files.into_iter().chain(other.module_files).collect();
        let programs = &self.programs | &other.programs;
        Self { modules, programs, clients, stock_modules, source_drivers, module_files }
    }
}

/// Builds the agent and the programs of `content`, as far as the checkout has them, and returns their paths in the
/// guest.
///
/// Each is built by itself: cargo builds shared dependencies with the features of everything that is built together, so
/// another selection would rebuild them.
pub(super) fn build(toolchain: &Toolchain, content: &Content, events: &Events) -> Result<Vec<(String, PathBuf)>> {
    let there = content.programs.iter().filter(|program| program.exists(&toolchain.repo));
    let mut built = vec![("/init".to_owned(), guestbin::build(toolchain, Program::AGENT.name, events)?)];
    for program in there {
        built.push((format!("/usr/bin/{}", program.name), guestbin::build(toolchain, program.name, events)?));
    }
    for (name, source) in &content.clients {
        built.push((format!("/usr/bin/{name}"), guestbin::build_client(toolchain, source, name, events)?));
    }
    Ok(built)
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
        let content = Content::of_driver(&drydock_base::repo::root().unwrap(), driver).unwrap();
        content.modules.unwrap().into_iter().collect()
    }

    #[test]
    fn a_driver_needs_its_modules_and_the_library() {
        assert_eq!(modules_of("vgem"), ["drm_rust", "vgem_rust"]);
        assert_eq!(modules_of("nova"), ["drm_rust", "nova_core", "nova_drm"]);
        assert_eq!(modules_of("lifecycle-kms"), ["drm_rust", "lifecycle_kms"]);
        assert_eq!(modules_of("c-vgem"), ["drm_rust"]);
        assert_eq!(modules_of("c-vkms"), ["drm_rust"]);
    }

    #[test]
    fn a_driver_brings_its_own_client() {
        let clients = |driver| Content::of_driver(&drydock_base::repo::root().unwrap(), driver).unwrap().clients;
        assert_eq!(clients("counter").into_keys().collect::<Vec<_>>(), ["counter_client"]);
        // `client.rs` of vgem is a part of the driver.
        assert!(clients("vgem").is_empty() && clients("c-vgem").is_empty());
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
    fn every_program_is_where_its_entry_says() {
        let repo = drydock_base::repo::root().unwrap();
        for program in Program::ALL.into_iter().chain([Program::AGENT]) {
            assert!(program.exists(&repo), "{}", program.directory);
        }
    }

    #[test]
    fn what_either_has_is_there() {
        let both = Content::library().with(Program::BENCH).and(Content::all_modules().with(Program::CLIENT));
        assert_eq!((both.modules, both.programs.len()), (None, 2));
    }
}
