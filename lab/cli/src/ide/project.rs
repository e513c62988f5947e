// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The content of `rust-project.json`.
//!
//! Source: rust-analyzer's manual, "Non-Cargo Based Projects"; rust/Makefile for the crates' dependencies.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// Paths as the editor sees them.
pub(super) struct Places {
    /// The standard library's sources.
    pub(super) sysroot: PathBuf,
    /// The prepared kernel tree.
    pub(super) tree: PathBuf,
    /// `kernel/` of the checkout.
    pub(super) kernel: PathBuf,
    /// The directory of the build results.
    pub(super) out: PathBuf,
}

#[derive(Debug, Serialize)]
pub(super) struct Project {
    sysroot_src: PathBuf,
    pub(super) crates: Vec<Crate>,
}

#[derive(Debug, Serialize)]
pub(super) struct Crate {
    display_name: String,
    root_module: PathBuf,
    edition: &'static str,
    deps: Vec<Dependency>,
    cfg: Vec<String>,
    env: BTreeMap<&'static str, PathBuf>,
    is_workspace_member: bool,
    is_proc_macro: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    proc_macro_dylib_path: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Dependency {
    #[serde(rename = "crate")]
    index: usize,
    name: String,
}

/// The kernel's crates, each after its dependencies: name, root module, dependencies.
const KERNEL_CRATES: &[(&str, &str, &[&str])] = &[
    ("pin_init_internal", "rust/pin-init/internal/src/lib.rs", &[]),
    ("macros", "rust/macros/lib.rs", &[]),
    ("zerocopy_derive", "rust/zerocopy-derive/lib.rs", &[]),
    ("build_error", "rust/build_error.rs", &[]),
    ("ffi", "rust/ffi.rs", &[]),
    ("zerocopy", "rust/zerocopy/src/lib.rs", &["zerocopy_derive"]),
    ("pin_init", "rust/pin-init/src/lib.rs", &["pin_init_internal", "macros"]),
    ("bindings", "rust/bindings/lib.rs", &["ffi", "pin_init", "zerocopy"]),
    ("uapi", "rust/uapi/lib.rs", &["ffi", "pin_init", "zerocopy"]),
    (
        "kernel",
        "rust/kernel/lib.rs",
        &["macros", "build_error", "pin_init", "ffi", "bindings", "uapi", "zerocopy", "zerocopy_derive"],
    ),
];

/// The crates that are loaded into the compiler.
const PROC_MACROS: [&str; 3] = ["pin_init_internal", "macros", "zerocopy_derive"];

/// The crates that every module may use.
const PRELUDE: &[&str] = &["kernel", "pin_init", "ffi", "zerocopy", "zerocopy_derive"];

impl Project {
    /// Describes the kernel's crates, `drm` and the drivers that `kbuild` names.
    pub(super) fn new(places: &Places, configuration: &str, kbuild: &str) -> Self {
        let mut project = Self { sysroot_src: places.sysroot.clone(), crates: Vec::new() };
        let cfg = options(configuration);
        for (name, root, uses) in KERNEL_CRATES {
            let mut next = project.add(name, places.tree.join(root), uses, &cfg, &places.tree);
            if PROC_MACROS.contains(name) {
                next.is_proc_macro = true;
                next.proc_macro_dylib_path = Some(places.tree.join(format!("rust/lib{name}.so")));
            }
            project.crates.push(next);
        }
        let mut cfg = cfg;
        cfg.push("MODULE".to_owned());
        let mut drm = project.add("drm", places.kernel.join("drm/drm.rs"), PRELUDE, &cfg, &places.tree);
        drm.is_workspace_member = true;
        drm.env.insert("DRM_BINDINGS", places.out.join("drm/bindings_generated.rs"));
        project.crates.push(drm);
        let drivers = drivers(kbuild);
        let mut crates: Vec<_> = drivers.iter().flat_map(|driver| &driver.crates).collect();
        crates.sort_unstable();
        crates.dedup();
        for name in crates {
            let root = places.kernel.with_file_name("crates").join(name).join("src/lib.rs");
            let mut shared = project.add(&name.replace('-', "_"), root, &[], &[], &places.tree);
            shared.edition = "2024";
            shared.is_workspace_member = true;
            project.crates.push(shared);
        }
        for Driver { name, root, crates } in drivers {
            let crates: Vec<_> = crates.iter().map(|name| name.replace('-', "_")).collect();
            let uses: Vec<_> =
                PRELUDE.iter().copied().chain(["drm"]).chain(crates.iter().map(String::as_str)).collect();
            let root = places.kernel.join(root).with_extension("rs");
            let mut driver = project.add(&name, root, &uses, &cfg, &places.tree);
            driver.is_workspace_member = true;
            driver.env.insert("DRIVER_UAPI", generated_uapi(places, &driver.root_module));
            project.crates.push(driver);
        }
        project
    }

    fn add(&self, name: &str, root_module: PathBuf, uses: &[&str], cfg: &[String], tree: &Path) -> Crate {
        let dependency = |name: &&str| {
            let index = self.crates.iter().position(|known| known.display_name == *name);
            index.map(|index| Dependency { index, name: (*name).to_owned() })
        };
        Crate {
            display_name: name.to_owned(),
            root_module,
            edition: "2021",
            deps: uses.iter().filter_map(dependency).collect(),
            cfg: cfg.to_vec(),
            env: BTreeMap::from([("OBJTREE", tree.to_owned())]),
            is_workspace_member: false,
            is_proc_macro: false,
            proc_macro_dylib_path: None,
        }
    }
}

/// Returns the path of a driver's generated uapi: Kbuild writes it beside the crate root, in the output directory.
fn generated_uapi(places: &Places, root_module: &Path) -> PathBuf {
    let inside = root_module.strip_prefix(&places.kernel).unwrap_or(root_module);
    places.out.join(inside).with_file_name("uapi_generated.rs")
}

/// Returns the kernel's configuration as arguments for rustc: `--cfg=CONFIG_X` and `--cfg=CONFIG_X="y"`.
fn options(configuration: &str) -> Vec<String> {
    configuration.lines().filter_map(|line| line.strip_prefix("--cfg=")).map(str::to_owned).collect()
}

/// A driver in Kbuild.
#[derive(Debug, PartialEq, Eq)]
struct Driver {
    /// The module's name.
    name: String,
    /// The crate root, without its extension.
    root: String,
    /// The crates that it uses.
    crates: Vec<String>,
}

/// Returns the drivers that `kbuild` names.
fn drivers(kbuild: &str) -> Vec<Driver> {
    let calls = kbuild.lines().filter_map(|line| line.strip_prefix("$(eval $(call driver,"));
    let named = calls.filter_map(|call| {
        let mut words = call.trim_end().trim_end_matches(')').split(',');
        let (name, root) = (words.next()?.to_owned(), words.next()?.to_owned());
        let crates = words.nth(1).unwrap_or_default().split_whitespace().map(str::to_owned).collect();
        Some(Driver { name, root, crates })
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KBUILD: &str = "$(eval $(call driver,counter,drivers/counter/counter))\n\
                          $(eval $(call driver,vgem_rust,drivers/vgem/vgem,drivers/vgem/uapi.h))\n\
                          $(eval $(call driver,nova_core,drivers/nova/core/nova_core,,nova-regs))\n";

    fn project() -> Project {
        let place = |name: &str| PathBuf::from("/").join(name);
        let places = Places { sysroot: place("lib"), tree: place("tree"), kernel: place("kernel"), out: place("out") };
        Project::new(&places, "--cfg=CONFIG_DRM\n--cfg=CONFIG_DRM=\"m\"\n", KBUILD)
    }

    #[test]
    fn drivers_are_found_with_and_without_a_uapi() {
        let driver = |name: &str, root: &str, crates: &[&str]| Driver {
            name: name.into(),
            root: root.into(),
            crates: crates.iter().map(|&name| name.to_owned()).collect(),
        };
        let expected = [
            driver("counter", "drivers/counter/counter", &[]),
            driver("vgem_rust", "drivers/vgem/vgem", &[]),
            driver("nova_core", "drivers/nova/core/nova_core", &["nova-regs"]),
        ];
        assert_eq!(drivers(KBUILD), expected);
    }

    #[test]
    fn a_driver_knows_the_crates_that_it_uses() {
        let project = project();
        let names = |each: &Crate| each.deps.iter().map(|used| used.name.clone()).collect::<Vec<_>>();
        let users: Vec<_> =
            project.crates.iter().filter(|each| names(each).contains(&"nova_regs".to_owned())).collect();
        assert_eq!(users.iter().map(|each| &each.display_name).collect::<Vec<_>>(), ["nova_core"]);
        let shared = project.crates.iter().find(|each| each.display_name == "nova_regs").unwrap();
        assert_eq!(shared.root_module, Path::new("/crates/nova-regs/src/lib.rs"));
    }

    #[test]
    fn each_crate_follows_what_it_uses() {
        for (index, each) in project().crates.iter().enumerate() {
            assert!(each.deps.iter().all(|dependency| dependency.index < index), "{}", each.display_name);
        }
    }

    #[test]
    fn every_name_in_the_table_is_a_crate() {
        let names: Vec<_> = KERNEL_CRATES.iter().map(|(name, ..)| *name).collect();
        let used = KERNEL_CRATES.iter().flat_map(|(.., uses)| *uses).chain(PRELUDE);
        assert!(used.into_iter().all(|name| names.contains(name)));
    }

    #[test]
    fn a_driver_in_json() {
        let project = project();
        insta::assert_json_snapshot!(project.crates.iter().find(|each| each.display_name == "vgem_rust").unwrap());
    }
}
