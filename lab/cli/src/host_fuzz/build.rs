// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Builds the targets with the root's compilers: our code is instrumented, and libFuzzer comes from the crate
//! `libfuzzer-sys`.

use std::path::{Path, PathBuf};

use drydock_base::cache::Lock;
use drydock_base::error::{Context, Error, Kind, Result};
use drydock_base::events::Events;
use drydock_base::process;
use drydock_toolchain::guestbin;
use drydock_toolchain::setup::Toolchain;

/// The name of the program's package and file.
const NAME: &str = "drydock-host-fuzz";
const TARGET: &str = "x86_64-unknown-linux-gnu";
const PROFILE: &str = "fuzz";

/// The flags that cargo-fuzz gives to rustc without a sanitizer: counters for each edge, and calls at each comparison,
/// so that the fuzzer sees the compared values. The stable compiler has all of them.
const INSTRUMENTED: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                            -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
                            -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares";

/// Returns the path of the built program in `target`, on the host or inside the root.
pub(super) fn program(target: &Path) -> PathBuf {
    target.join(TARGET).join(PROFILE).join(NAME)
}

/// Builds the program in `target`, a directory of the host.
pub(super) fn build(toolchain: &Toolchain, target: &Path, events: &Events) -> Result<()> {
    std::fs::create_dir_all(target).with_context(|| format!("failed to create `{}`", target.display()))?;
    let _lock = Lock::of_directory(target, events)?;
    guestbin::fetch(toolchain, events)?;
    let step = events.step("building the fuzz targets (some minutes the first time)");
    let mut cargo = guestbin::cargo(toolchain, target)?;
    cargo.args(["build", "--offline", "--locked", "--profile", PROFILE, "--manifest-path", "/src/Cargo.toml"]);
    // An explicit target applies the flags to the program only, and not to build scripts.
    cargo.args(["--target", TARGET, "--package", NAME, "--features", "libfuzzer", "--bin", NAME]);
    cargo.env("RUSTFLAGS", INSTRUMENTED);
    process::run(&mut cargo, &step).map_err(|error| match error.kind() {
        Kind::Interrupted => error,
        _ => Error::new(Kind::Build, "the fuzz targets do not build").details(error.detail_lines()),
    })?;
    step.done();
    Ok(())
}
