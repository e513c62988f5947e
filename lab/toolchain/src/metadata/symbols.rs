// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Proves that the metadata matches the running kernel: our objects must define every Rust symbol that the kernel
//! exports.
//!
//! A Rust symbol's mangled name contains a hash of its crate and, through generic arguments, of the types in it. A
//! module that was compiled against other metadata imports other names, or no names at all, and must not be loaded.
//!
//! Source: the v0 mangling (RFC 2603); Documentation/kbuild/modules.rst, "Symbols and Module.symvers".

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use object::{Object, ObjectSymbol};

use drydock_base::error::{Context, Error, Kind, Result};
use drydock_base::events::Events;

/// The crates whose symbols the kernel exports, as objects in `rust/`.
const CRATES: [&str; 4] = ["core", "bindings", "uapi", "kernel"];

/// The number of missing symbols that an error lists.
const LISTED: usize = 10;

/// Checks the kernel in `dir` and returns the number of its Rust symbols.
pub fn check(dir: &Path, events: &Events) -> Result<usize> {
    let step = events.step("comparing Rust symbols with the stock kernel's");
    let path = dir.join("Module.symvers");
    let text = fs::read_to_string(&path).with_context(|| format!("failed to read `{}`", path.display()))?;
    let exported = exported(&text);
    let mut ours = BTreeSet::new();
    for name in CRATES {
        let path = dir.join("tree/rust").join(name).with_extension("o");
        let bytes = fs::read(&path).with_context(|| format!("failed to read `{}`", path.display()))?;
        ours.extend(defined(&bytes).with_context(|| format!("failed to read `{}`", path.display()))?);
    }
    let count = compare(&exported, &ours)?;
    step.done_with(format!("{} of {} are the same", thousands(count), thousands(exported.len())));
    Ok(count)
}

/// Returns the Rust symbols that the kernel's image exports: `CRC NAME MODULE TYPE [NAMESPACE]`.
pub fn exported(symvers: &str) -> BTreeSet<String> {
    let rows = symvers.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let rust = rows.filter(|row| row.len() >= 3 && row[1].starts_with("_R") && row[2] == "vmlinux");
    rust.map(|row| row[1].to_owned()).collect()
}

/// Returns the Rust symbols that an object file defines.
pub fn defined(bytes: &[u8]) -> Result<BTreeSet<String>, object::Error> {
    let file = object::File::parse(bytes)?;
    let symbols =
        file.symbols().filter(|symbol| symbol.is_definition() || symbol.is_global() && !symbol.is_undefined());
    Ok(symbols
        .filter_map(|symbol| symbol.name().ok())
        .filter(|name| name.starts_with("_R"))
        .map(str::to_owned)
        .collect())
}

/// Returns the number of symbols, if none is missing.
fn compare(exported: &BTreeSet<String>, ours: &BTreeSet<String>) -> Result<usize> {
    if exported.is_empty() {
        return Err(Error::new(Kind::Machinery, "the stock kernel exports no Rust symbol")
            .hint("it was built without `CONFIG_RUST`; choose another with `--kernel`"));
    }
    let missing: Vec<_> = exported.difference(ours).collect();
    if missing.is_empty() {
        return Ok(exported.len());
    }
    let message = format!(
        "{} of {} Rust symbols of the stock kernel are not in our metadata",
        thousands(missing.len()),
        thousands(exported.len())
    );
    Err(Error::new(Kind::Machinery, message)
        .details(missing.into_iter().take(LISTED))
        .hint("modules built here would not fit this kernel: its compiler is not the one in the toolchain root"))
}

/// Formats a number with a comma between its thousands.
pub fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYMVERS: &str = "0x00000000\t_RNvA\tvmlinux\tEXPORT_SYMBOL_GPL\t\n\
                           0x00000000\t_RNvB\tvmlinux\tEXPORT_SYMBOL_GPL\t\n\
                           0x00000000\t_RNvC\tdrivers/x/y\tEXPORT_SYMBOL_GPL\t\n\
                           0x00000000\tkfree\tvmlinux\tEXPORT_SYMBOL\t\n";

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn only_rust_symbols_of_the_image_count() {
        assert_eq!(exported(SYMVERS), set(&["_RNvA", "_RNvB"]));
    }

    #[test]
    fn more_than_exported_is_fine() {
        assert_eq!(compare(&exported(SYMVERS), &set(&["_RNvA", "_RNvB", "_RNvZ"])).unwrap(), 2);
    }

    #[test]
    fn a_missing_symbol_stops_and_is_named() {
        let error = compare(&exported(SYMVERS), &set(&["_RNvA"])).unwrap_err();
        assert_eq!(error.to_string(), "1 of 2 Rust symbols of the stock kernel are not in our metadata");
        assert_eq!(error.detail_lines(), ["_RNvB"]);
    }

    #[test]
    fn a_kernel_without_rust_is_not_proven_by_emptiness() {
        assert!(compare(&BTreeSet::new(), &BTreeSet::new()).is_err());
    }

    #[test]
    fn symbols_of_a_real_object_are_found() {
        // Our own test program is an object file with Rust symbols, whatever their mangling.
        let bytes = fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(defined(&bytes).is_ok());
    }

    #[test]
    fn numbers_have_commas() {
        assert_eq!([0, 999, 2502, 1_234_567].map(thousands), ["0", "999", "2,502", "1,234,567"]);
    }
}
