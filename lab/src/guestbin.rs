// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Builds the workspace's programs that run in the guest: static, with the root's compiler, so that the host's C library does
//! not matter. The host's cargo only fetches what `Cargo.lock` names.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cache::Lock;
use crate::error::{Context, Error, Kind, Result};
use crate::events::Events;
use crate::process;
use crate::root::Binds;
use crate::setup::Toolchain;

/// Fetches the crates that `Cargo.lock` names, with the host's cargo; quick when they are there.
pub fn fetch(toolchain: &Toolchain, events: &Events) -> Result<()> {
    let step = events.step("fetching crates");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Of what other systems need, some is large.
    cargo.args(["fetch", "--locked", "--target", TARGET, "--manifest-path"]).arg(toolchain.repo.join("Cargo.toml"));
    // It reads settings in and above the directory it runs in.
    cargo.current_dir("/");
    process::run(&mut cargo, &step).context("failed to fetch the crates of the guest programs")?;
    step.done();
    Ok(())
}

/// Builds the workspace member `package` and gives the path of its program, which has its name.
pub fn build(toolchain: &Toolchain, package: &str, events: &Events) -> Result<PathBuf> {
    build_in("guest-programs", toolchain, package, &[], events)
}

/// The same with `features`, in a directory of its own: the program without them stays.
pub fn build_with(toolchain: &Toolchain, package: &str, features: &[&str], events: &Events) -> Result<PathBuf> {
    build_in(&format!("guest-{package}"), toolchain, package, features, events)
}

fn build_in(
    directory: &str,
    toolchain: &Toolchain,
    package: &str,
    features: &[&str],
    events: &Events,
) -> Result<PathBuf> {
    let target = toolchain.work().join(directory);
    std::fs::create_dir_all(&target).with_context(|| format!("failed to create `{}`", target.display()))?;
    let _lock = Lock::of_directory(&target, events)?;
    fetch(toolchain, events)?;
    let step = events.step(format!("building {package}"));
    let mut cargo = cargo(toolchain, &target)?;
    cargo.args(["build", "--offline", "--locked", "--release", "--manifest-path", "/src/Cargo.toml"]);
    // With a target of their own, the flags are for the programs only: a procedural macro cannot be linked statically.
    cargo.args(["--target", TARGET]);
    cargo.args(["--package", package]);
    cargo.args(features.iter().flat_map(|feature| ["--features", feature]));
    cargo.env("RUSTFLAGS", "-Ctarget-feature=+crt-static");
    process::run(&mut cargo, &step).map_err(|error| match error.kind() {
        Kind::Interrupted => error,
        _ => Error::new(Kind::Build, "the guest programs do not build").details(error.detail_lines()),
    })?;
    step.done();
    Ok(target.join(TARGET).join("release").join(package))
}

/// What the guest runs.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// A cargo inside the root that builds in `target` what the host's cargo has fetched. Of the host's settings it sees the file
/// in cargo's home, in which the start script leaves nothing but where crates come from.
pub fn cargo(toolchain: &Toolchain, target: &Path) -> Result<Command> {
    let home = cargo_home()?;
    let mut binds = Binds::none().write(target, "/target");
    for name in ["registry", "git"] {
        // The link that the start script may have made leads nowhere inside.
        if let Ok(fetched) = home.join(name).canonicalize() {
            binds = binds.read(fetched, format!("/cargo-home/{name}"));
        }
    }
    let settings = ["config", "config.toml"].into_iter().find(|name| home.join(name).is_file());
    if settings.is_some() {
        binds = binds.read(&home, "/cargo-settings");
    }
    let mut cargo = toolchain.command("cargo", &binds);
    cargo.args(settings.iter().flat_map(|name| ["--config".to_owned(), format!("/cargo-settings/{name}")]));
    cargo.env("CARGO_HOME", "/cargo-home").env("CARGO_TARGET_DIR", "/target");
    // The root has no `cc`: that name is made by a package script, and none is run there.
    cargo.env("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER", "gcc");
    Ok(cargo)
}

/// Where the host's cargo keeps what it fetched.
fn cargo_home() -> Result<PathBuf> {
    let named = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let usual = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    named.or_else(usual).ok_or_else(|| Error::new(Kind::Host, "neither `CARGO_HOME` nor `HOME` is set"))
}
