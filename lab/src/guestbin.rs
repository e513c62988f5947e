// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Builds the workspace's programs that run in the guest: static, with the root's compiler, so that the host's C library does
//! not matter. The host's cargo only fetches what `Cargo.lock` names.

use std::path::PathBuf;
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
    cargo.args(["fetch", "--locked", "--target", TARGET]).current_dir(&toolchain.repo);
    process::run(&mut cargo, &step).context("failed to fetch the crates of the guest programs")?;
    step.done();
    Ok(())
}

/// Builds the workspace members `packages` and gives the path of each one's program, which has its package's name.
pub fn build(toolchain: &Toolchain, packages: &[&str], events: &Events) -> Result<Vec<PathBuf>> {
    build_in("guest-programs", toolchain, packages, &[], events)
}

/// The same for one with `features`, in a directory of its own: what others are built of would be built again with them.
pub fn build_with(toolchain: &Toolchain, package: &str, features: &[&str], events: &Events) -> Result<PathBuf> {
    let built = build_in(&format!("guest-{package}"), toolchain, &[package], features, events)?;
    Ok(built.into_iter().next().expect("one package is one program"))
}

fn build_in(
    directory: &str,
    toolchain: &Toolchain,
    packages: &[&str],
    features: &[&str],
    events: &Events,
) -> Result<Vec<PathBuf>> {
    let target = toolchain.work().join(directory);
    std::fs::create_dir_all(&target).with_context(|| format!("failed to create `{}`", target.display()))?;
    let _lock = Lock::of_directory(&target, events)?;
    fetch(toolchain, events)?;
    let step = events.step(format!("building {}", packages.join(", ")));
    let binds = Binds::none().read(cargo_home()?, "/cargo-home").write(&target, "/target");
    let mut cargo = toolchain.command("cargo", &binds);
    cargo.args(["build", "--offline", "--locked", "--release", "--manifest-path", "/src/Cargo.toml"]);
    // With a target of their own, the flags are for the programs only: a procedural macro cannot be linked statically.
    cargo.args(["--target", TARGET]);
    cargo.args(packages.iter().flat_map(|package| ["--package", package]));
    cargo.args(features.iter().flat_map(|feature| ["--features", feature]));
    cargo.env("CARGO_HOME", "/cargo-home").env("CARGO_TARGET_DIR", "/target");
    cargo.env("RUSTFLAGS", "-Ctarget-feature=+crt-static");
    // The root has no `cc`: that name is made by a package script, and none is run there.
    cargo.env("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER", "gcc");
    process::run(&mut cargo, &step).map_err(|error| match error.kind() {
        Kind::Interrupted => error,
        _ => Error::new(Kind::Build, "the guest programs do not build").details(error.detail_lines()),
    })?;
    step.done();
    Ok(packages.iter().map(|package| target.join(TARGET).join("release").join(package)).collect())
}

/// What the guest runs.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Where the host's cargo keeps what it fetched.
pub fn cargo_home() -> Result<PathBuf> {
    let named = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let usual = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    named.or_else(usual).ok_or_else(|| Error::new(Kind::Host, "neither `CARGO_HOME` nor `HOME` is set"))
}
