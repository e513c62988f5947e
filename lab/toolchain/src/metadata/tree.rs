// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Unpacks and prepares a kernel's source tree, with the metadata of its crates.
//!
//! Building modules never reads most of the source, so it is not unpacked. `symbols.rs` and the comparison of the
//! configuration here would detect a missing part. Source: Documentation/kbuild/modules.rst (`modules_prepare`),
//! rust/Makefile.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::root::{self, Binds};
use crate::source_drivers::SOURCE_DRIVERS;
use drydock_base::error::{Context, Error, Kind, Result};
use drydock_base::events::Events;
use drydock_base::{cache, process};

/// Parts of the source that are not unpacked: code of subsystems (their headers and Kconfig files are needed), other
/// architectures' code, documentation, tests. This reduces 1.9 GB to 0.7 GB.
const LEFT_OUT: &[&str] = &[
    "drivers/*.c",
    "drivers/*.S",
    "drivers/gpu/drm/amd/*.h",
    "fs/*.c",
    "net/*.c",
    "sound/*.c",
    "Documentation/*.rst",
    "Documentation/*.yaml",
    "Documentation/*.txt",
    "Documentation/*.svg",
    "arch/[!x]*.[cSh]",
    "arch/[!x]*.dts*",
    "tools/testing",
    "tools/perf",
    "tools/power",
    "tools/verification",
    "tools/bpf/bpftool/Documentation",
    "samples/*.c",
];

/// Options that depend on the build's environment and not on the configuration: which OpenSSL signs modules.
const MAY_DIFFER: &[&str] = &["MODULE_SIG_KEY_TYPE_MLDSA_", "OPENSSL_SUPPORTS_"];

/// Makes `tree` in the kernel's directory `dir`, from the source archive, configuration and symbols in it.
pub fn make(root: &Path, release: &str, dir: &Path, events: &Events) -> Result<()> {
    let tree = dir.join("tree");
    cache::make_dir(&tree)?;
    let kept: Vec<_> = SOURCE_DRIVERS.iter().map(|driver| driver.folder).collect();
    unpack(root, dir, LEFT_OUT, &kept, events)?;
    fs::copy(dir.join(".config"), tree.join(".config")).context("failed to copy the kernel's configuration")?;
    let step = events.step("making the metadata of the kernel's crates");
    for targets in [&["olddefconfig"][..], &["prepare", "modules_prepare"]] {
        let mut make = root::command(root, "make", &Binds::none().write(dir, "/kernel"));
        let jobs = std::thread::available_parallelism().map_or(2, usize::from) + 1;
        make.args(["-C", "/kernel/tree", &format!("-j{jobs}")]).args(super::make_variables(release)).args(targets);
        process::run(&mut make, &step).context("failed to prepare the kernel's source")?;
        compare_configuration(&dir.join(".config"), &tree.join(".config"))?;
    }
    // This must be last: `make` would consider an older file out of date.
    fs::copy(dir.join("Module.symvers"), tree.join("Module.symvers")).context("failed to copy the kernel's symbols")?;
    fs::rename(dir.join(".config"), dir.join("config")).context("failed to keep the kernel's configuration")?;
    step.done();
    Ok(())
}

/// Unpacks the source archive in `dir` to `dir/tree` with the root's tools (the host may lack xz), and removes it. The folders
/// `kept` are unpacked whole.
pub fn unpack(root: &Path, dir: &Path, left_out: &[&str], kept: &[&str], events: &Events) -> Result<()> {
    let step = events.step("unpacking the kernel's source");
    let entries = fs::read_dir(dir).with_context(|| format!("failed to list `{}`", dir.display()))?;
    let entries = entries.filter_map(Result::ok);
    let is_source = |path: &std::path::PathBuf| path.extension().is_some_and(|extension| extension == "xz");
    let archive = entries
        .map(|entry| entry.path())
        .find(is_source)
        .ok_or_else(|| Error::new(Kind::Machinery, "the kernel's source package has unexpected content"))?;
    let name = archive.file_name().and_then(|name| name.to_str()).expect("the name came from a package's member");
    // Use the exact name and no wildcard, which would also match inside the tree: `tools/objtool/arch` is needed.
    let top = name.trim_end_matches(".tar.xz");
    let excluded = left_out.iter().map(|pattern| format!("--exclude={top}/{pattern}")).collect();
    // tar cannot make an exception from what it leaves out, so a second one unpacks the exceptions.
    let members: Vec<_> = kept.iter().map(|folder| format!("{top}/{folder}")).collect();
    for chosen in [excluded, members].iter().filter(|chosen: &&Vec<_>| !chosen.is_empty()) {
        let mut tar = root::command(root, "tar", &Binds::none().write(dir, "/kernel"));
        tar.args(["--extract", "--use-compress-program=xz -T0", "--no-same-owner", "--strip-components=1"]);
        tar.args(["--directory=/kernel/tree", "--anchored", &format!("--file=/kernel/{name}")]).args(chosen);
        process::run(&mut tar, &step).context("failed to unpack the kernel's source")?;
    }
    fs::remove_file(&archive).with_context(|| format!("failed to remove `{}`", archive.display()))?;
    step.done();
    Ok(())
}

/// Compares the configurations. If a tool is missing, Kconfig silently drops options, which changes layouts, so none
/// may differ.
fn compare_configuration(stock: &Path, ours: &Path) -> Result<()> {
    let read = |path: &Path| fs::read_to_string(path).with_context(|| format!("failed to read `{}`", path.display()));
    let differences = differences(&read(stock)?, &read(ours)?);
    if differences.is_empty() {
        return Ok(());
    }
    Err(Error::new(Kind::Machinery, "the kernel's configuration cannot be reproduced").details(differences))
}

/// Returns the options that differ, as `NAME: stock, ours`.
fn differences(stock: &str, ours: &str) -> Vec<String> {
    let (stock, ours) = (options(stock), options(ours));
    let relevant = |line: &&&str| !MAY_DIFFER.iter().any(|name| line.contains(name));
    let lost = stock.difference(&ours).filter(relevant).map(|line| format!("only stock: {line}"));
    let gained = ours.difference(&stock).filter(relevant).map(|line| format!("only ours: {line}"));
    lost.chain(gained).collect()
}

fn options(config: &str) -> BTreeSet<&str> {
    config.lines().filter(|line| line.starts_with("CONFIG_") || line.ends_with(" is not set")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_option_is_noticed() {
        let found = differences("CONFIG_A=y\nCONFIG_DEBUG_INFO_BTF=y\n", "# comment\nCONFIG_A=y\n");
        assert_eq!(found, ["only stock: CONFIG_DEBUG_INFO_BTF=y"]);
    }

    #[test]
    fn signing_follows_the_local_openssl() {
        assert!(
            differences("# CONFIG_MODULE_SIG_KEY_TYPE_MLDSA_44 is not set\nCONFIG_OPENSSL_SUPPORTS_ML_DSA=y\n", "")
                .is_empty()
        );
    }
}
