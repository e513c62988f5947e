// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The doctor's checks: each examines one thing and reports its state.
//!
//! Source: proc(5), kvm's device node, the packages that `drydock` and `apt.rs` rely on.

use std::fs::OpenOptions;
use std::path::Path;
use std::process::Command;

use super::{Item, State};
use drydock_base::cache::{CacheLayout, room};
use drydock_base::{error, process};
use drydock_toolchain::{apt, kernels, metadata, root};

/// The least memory in kB: a guest has 1 GiB, and the compiler of the kernel's crates needs about as much.
const MEMORY_KB: u64 = 3_000_000;

/// Returns all items, in the order in which they are needed.
pub(super) fn all(cache: &CacheLayout) -> Vec<Item> {
    let mut items = vec![architecture(), cargo(), linker()];
    items.extend(tools());
    items.extend([keys(), mirror(), namespaces(), memory(), room(cache), toolchain(cache), kernel(cache), kvm()]);
    items
}

fn architecture() -> Item {
    match std::env::consts::ARCH {
        "x86_64" => Item::ok("processor", "x86_64"),
        other => Item::new("processor", State::Missing, other, "the stock kernels and tools are those of x86_64"),
    }
}

fn cargo() -> Item {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    match process::output(Command::new(cargo).arg("--version")) {
        Ok(version) => Item::ok("cargo", version.trim().trim_start_matches("cargo ")),
        Err(error) => Item::new("cargo", State::Missing, error.chain(), "run `./drydock`, which says how to get it"),
    }
}

fn linker() -> Item {
    match process::output(Command::new("cc").arg("--version")) {
        Ok(version) => Item::ok("C linker", version.lines().next().unwrap_or_default()),
        Err(error) => Item::new("C linker", State::Missing, error.chain(), "as root: apt-get install gcc libc6-dev"),
    }
}

/// Checks the host's tools for making the root. All are essential on Debian.
fn tools() -> Vec<Item> {
    let tool = |name: &'static str, package: &str| match process::output(Command::new(name).arg("--version")) {
        Ok(version) => Item::ok(name, version.lines().next().unwrap_or_default().trim_end_matches('.')),
        Err(error) => {
            Item::new(name, State::Missing, error.chain(), format!("as root: install the package `{package}`"))
        }
    };
    vec![tool("apt-get", "apt"), tool("dpkg-deb", "dpkg"), tool("tar", "tar")]
}

fn of_result(name: &'static str, result: error::Result<String>) -> Item {
    match result {
        Ok(found) => Item::ok(name, found),
        Err(error) => {
            let advice = error.hint_text().unwrap_or("see the message").to_owned();
            Item::new(name, State::Missing, error.chain(), advice)
        }
    }
}

fn keys() -> Item {
    of_result("Debian's keys", apt::keyring().map(|path| path.display().to_string()))
}

fn mirror() -> Item {
    of_result("mirror", apt::mirror())
}

fn namespaces() -> Item {
    let kind = if rustix::process::geteuid().is_root() { "as root" } else { "as an ordinary user" };
    of_result("namespaces", root::check_namespaces().map(|()| kind.to_owned()))
}

fn memory() -> Item {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    match available_memory(&text) {
        Some(kb) if kb < MEMORY_KB => Item::new(
            "memory",
            State::Missing,
            format!("{} MB available", kb / 1000),
            format!("close other programs: {} MB are needed", MEMORY_KB / 1000),
        ),
        Some(kb) => Item::ok("memory", format!("{} MB available", kb / 1000)),
        None => Item::ok("memory", "unknown"),
    }
}

fn available_memory(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

fn room(cache: &CacheLayout) -> Item {
    let name = "cache";
    let place = cache.base().display();
    let there = cache.base().ancestors().find(|dir| dir.is_dir()).unwrap_or(Path::new("/"));
    let free = room::Room::at(there).map_or("unknown".to_owned(), |free| room::size(free.bytes));
    if rustix::fs::access(there, rustix::fs::Access::WRITE_OK).is_err() {
        let found = format!("`{place}` cannot be written");
        return Item::new(name, State::Missing, found, "set `XDG_CACHE_HOME` to another directory");
    }
    match room::ensure(cache.base(), &room::WHOLE) {
        Err(error) if !root::is_made(cache) => {
            Item::new(name, State::Missing, error.to_string(), error.hint_text().unwrap_or_default())
        }
        _ => Item::ok(name, format!("{place}, {free} free")),
    }
}

fn toolchain(cache: &CacheLayout) -> Item {
    let (name, advice) = ("toolchain root", "run `drydock setup`, or any command that needs it");
    match root::is_made(cache) {
        true => Item::ok(name, cache.root().display().to_string()),
        false if cache.root().exists() => {
            Item::new(name, State::WillBeMade, "made by another version of drydock", advice)
        }
        false => Item::new(name, State::WillBeMade, "not there yet", advice),
    }
}

fn kernel(cache: &CacheLayout) -> Item {
    let name = "stock kernel";
    let Ok(Some(kernel)) = metadata::prepared(cache, None) else {
        let known: Vec<_> = kernels::SUPPORTED
            .iter()
            .map(|series| format!("{} of {} ({})", series.name, series.suite, series.known))
            .collect();
        return Item::new(name, State::WillBeMade, "none prepared yet", format!("supported: {}", known.join("; ")));
    };
    let symbols = metadata::facts(cache, &kernel.release).map_or(0, |facts| facts.symbols);
    let symbols = metadata::thousands(symbols);
    Item::ok(name, format!("{}, {symbols} of {symbols} Rust symbols are the same", kernel.release))
}

fn kvm() -> Item {
    let device = "/dev/kvm";
    let advice = "guests run under TCG, a few seconds slower";
    match OpenOptions::new().read(true).write(true).open(device) {
        Ok(_) => Item::ok("KVM", "can be opened; used if a guest boots with it"),
        Err(error) => Item::new("KVM", State::Optional, format!("`{device}`: {error}"), advice),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_what_is_available() {
        assert_eq!(available_memory("MemTotal: 9 kB\nMemAvailable:   24612345 kB\n"), Some(24_612_345));
        assert_eq!(available_memory("MemTotal: 9 kB\n"), None);
    }

    #[test]
    fn an_empty_cache_is_to_be_made_and_no_illness() {
        let dir = tempfile::tempdir().unwrap();
        let cache = CacheLayout::at(dir.path().join("none"));
        assert_eq!(toolchain(&cache).state, State::WillBeMade);
        assert_eq!(kernel(&cache).state, State::WillBeMade);
    }
}
