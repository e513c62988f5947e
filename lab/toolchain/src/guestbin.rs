// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Builds the programs for the guest: static, with the root's compiler, so that they do not depend on the host's C
//! library. The host's cargo only fetches the crates in `Cargo.lock`. The drivers' own clients need neither.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::root::{self, Binds};
use crate::setup::Toolchain;
use drydock_base::cache::{self, Lock};
use drydock_base::error::{Context, Error, Kind, Result};
use drydock_base::events::Events;
use drydock_base::process;
use drydock_base::repo::{self, rust_files};

/// Fetches the crates in `Cargo.lock` with the host's cargo. Quick if they are already there.
pub fn fetch(toolchain: &Toolchain, events: &Events) -> Result<()> {
    fetch_for(&toolchain.repo.join("Cargo.toml"), events)
}

/// Fetches the crates of the workspace that has this manifest.
pub(crate) fn fetch_for(manifest: &Path, events: &Events) -> Result<()> {
    let step = events.step("fetching crates");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Crates that only other systems need can be large.
    cargo.args(["fetch", "--locked", "--target", TARGET, "--manifest-path"]).arg(manifest);
    // cargo reads settings in and above its working directory.
    cargo.current_dir("/");
    process::run(&mut cargo, &step).context("failed to fetch the crates of the guest programs")?;
    step.done();
    Ok(())
}

/// Builds the workspace member `package` and returns the path of its program, which has the same name.
pub fn build(toolchain: &Toolchain, package: &str, events: &Events) -> Result<PathBuf> {
    build_in("guest-programs", toolchain, package, &[], events)
}

/// Builds `package` with `features`, in a directory of its own, so that the program without them stays.
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
    // This also creates the directory.
    let _lock = Lock::of_directory(&target, events)?;
    let inputs = inputs_of_program(toolchain, features)?;
    let (own, shared) = (Kept(target.join("kept")), Kept(toolchain.cache.programs().join(directory)));
    let lock_shared = || Lock::of_directory(&toolchain.cache.programs(), events);
    if own.has(package, &inputs) {
        return Ok(own.program(package));
    }
    let lock = lock_shared()?;
    if shared.has(package, &inputs) {
        own.put(package, &inputs, &shared.program(package))?;
        return Ok(own.program(package));
    }
    drop(lock);
    let built = compile(toolchain, &target, package, features, events)?;
    own.put(package, &inputs, &built)?;
    let _lock = lock_shared()?;
    shared.put(package, &inputs, &built)?;
    Ok(own.program(package))
}

/// A directory of finished programs, each with a stamp of what it was made from. The one in the cache has the last that any
/// checkout has built, so that a fresh clone compiles only what differs.
struct Kept(PathBuf);

impl Kept {
    fn program(&self, package: &str) -> PathBuf {
        self.0.join(package)
    }

    fn stamp(&self, package: &str) -> PathBuf {
        self.0.join(format!("{package}.stamp"))
    }

    fn has(&self, package: &str, inputs: &str) -> bool {
        cache::is_stamped(&self.stamp(package), inputs) && self.program(package).is_file()
    }

    fn put(&self, package: &str, inputs: &str, from: &Path) -> Result<()> {
        let (program, partial) = (self.program(package), self.0.join(format!("{package}.partial")));
        // An interruption leaves a program without a stamp, not one with the stamp of another.
        cache::write_atomically(&self.stamp(package), "")?;
        let copied = fs::copy(from, &partial).and_then(|_| fs::rename(&partial, &program));
        copied.with_context(|| format!("failed to copy `{}` to `{}`", from.display(), program.display()))?;
        cache::write_atomically(&self.stamp(package), inputs)
    }
}

/// Returns everything that a program with these features may be made from. A change to one program's files counts for all of
/// them: cargo knows better which to compile.
fn inputs_of_program(toolchain: &Toolchain, features: &[&str]) -> Result<String> {
    let mut texts = vec![TARGET.to_owned(), FLAGS.to_owned(), features.join(","), root::identity(&toolchain.cache)];
    for name in ["Cargo.toml", "Cargo.lock"] {
        let path = toolchain.repo.join(name);
        texts.push(fs::read_to_string(&path).with_context(|| format!("failed to read `{}`", path.display()))?);
    }
    for folder in ["guest", "crates"] {
        let files = repo::files(&toolchain.repo, folder, &[".rs", "Cargo.toml"])?;
        texts.extend(files.into_iter().flat_map(|(path, text)| [path, text]));
    }
    Ok(cache::hash(texts))
}

/// Compiles `package` into `target`, a build directory of cargo's, and returns the path of the program.
fn compile(toolchain: &Toolchain, target: &Path, package: &str, features: &[&str], events: &Events) -> Result<PathBuf> {
    fetch(toolchain, events)?;
    let step = events.step(format!("building {package}"));
    let mut cargo = cargo(toolchain, target)?;
    cargo.args(["build", "--offline", "--locked", "--release", "--manifest-path", "/src/Cargo.toml"]);
    // An explicit target applies the flags to the programs only: a procedural macro cannot be linked statically.
    cargo.args(["--target", TARGET]);
    cargo.args(["--package", package]);
    cargo.args(features.iter().flat_map(|feature| ["--features", feature]));
    cargo.env("RUSTFLAGS", FLAGS);
    process::run(&mut cargo, &step).map_err(|error| match error.kind() {
        Kind::Interrupted => error,
        _ => Error::new(Kind::Build, "the guest programs do not build").details(error.detail_lines()),
    })?;
    step.done();
    Ok(target.join(TARGET).join("release").join(package))
}

/// The sources of the libraries for the drivers' own clients, in the checkout.
const LIBRARIES: [&str; 2] = ["guest/uapi/src", "guest/calls/src"];

/// Compiles these libraries and a client. The arguments are the client's name and its directory as messages show it.
const COMPILE: &str = "
    name=$1
    set -- --remap-path-prefix=/client=\"$2\" --remap-path-prefix=/src/guest=guest
    set -- \"$@\" --edition=2024 -Copt-level=1 -Cstrip=symbols -Clinker=gcc -Ctarget-feature=+crt-static
    set -- \"$@\" -L/target
    rustc \"$@\" --crate-name=uapi --crate-type=rlib -o /target/libuapi.rlib /src/guest/uapi/src/lib.rs 2>&1
    rustc \"$@\" --crate-name=calls --crate-type=rlib --extern=uapi -o /target/libcalls.rlib /src/guest/calls/src/lib.rs 2>&1
    rustc \"$@\" --crate-name=\"$name\" --extern=calls -o \"/target/$name\" /client/main.rs 2>&1
";

/// Builds the client `name` of a driver from `source`, its `main.rs`, and returns the path of the program. It is compiled
/// by rustc alone, so a new driver needs no manifest for it.
pub fn build_client(toolchain: &Toolchain, source: &Path, name: &str, events: &Events) -> Result<PathBuf> {
    let target = toolchain.work().join("clients").join(name);
    cache::make_dir(&target)?;
    let _lock = Lock::of_directory(&target, events)?;
    let (directory, program) = (source.parent().unwrap_or(source), target.join(name));
    let (stamp, inputs) = (target.join("stamp"), inputs_of_client(toolchain, directory)?);
    if cache::is_stamped(&stamp, &inputs) && program.is_file() {
        return Ok(program);
    }
    let step = events.step(format!("building {name}"));
    let binds = Binds::none().read(directory, "/client").write(&target, "/target");
    let mut shell = toolchain.command("sh", &binds);
    // The path in a compiler's message or in a panic leads from the checkout to the file.
    shell.args(["-ec", COMPILE, "sh", name]).arg(directory.strip_prefix(&toolchain.repo).unwrap_or(directory));
    let warnings = process::watch(&mut shell, &step, |_| false);
    let warnings = warnings.map_err(|error| match error.kind() {
        Kind::Interrupted => error,
        _ => Error::new(Kind::Build, format!("`{}` does not compile", source.display())).details(error.detail_lines()),
    })?;
    step.done();
    // Warnings are shown each time, because the program is compiled each time.
    match warnings.as_slice() {
        [] => cache::write_atomically(&stamp, inputs)?,
        lines => events.note(lines.join("\n")),
    }
    Ok(program)
}

/// Returns everything that a client is made from.
fn inputs_of_client(toolchain: &Toolchain, directory: &Path) -> Result<String> {
    let mut files = rust_files(directory, "")?;
    for library in LIBRARIES {
        files.extend(rust_files(&toolchain.repo, library)?);
    }
    let texts = files.into_iter().flat_map(|(path, text)| [path, text]);
    Ok(cache::hash([COMPILE.to_owned(), root::identity(&toolchain.cache)].into_iter().chain(texts)))
}

/// The compiler's flags for the programs that cargo builds.
const FLAGS: &str = "-Ctarget-feature=+crt-static";

/// The guest's target.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Returns a cargo inside the root that builds into `target` from the crates that the host's cargo has fetched. Of the
/// host's settings it sees the file in cargo's home, in which the start script keeps only the sources of crates.
pub fn cargo(toolchain: &Toolchain, target: &Path) -> Result<Command> {
    let home = cargo_home()?;
    let mut binds = Binds::none().write(target, "/target");
    for name in ["registry", "git"] {
        // The link that the start script may have made does not resolve inside the root.
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
    // The root has no `cc`: a package script makes that name, and no scripts run there.
    cargo.env("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER", "gcc");
    Ok(cargo)
}

/// Returns the directory in which the host's cargo keeps fetched crates.
fn cargo_home() -> Result<PathBuf> {
    let named = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let usual = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    named.or_else(usual).ok_or_else(|| Error::new(Kind::Host, "neither `CARGO_HOME` nor `HOME` is set"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_program_is_used_for_the_inputs_it_was_made_from() {
        let dir = tempfile::tempdir().unwrap();
        let (built, kept) = (dir.path().join("built"), Kept(dir.path().join("kept")));
        assert!(!kept.has("agent", "a"));
        for inputs in ["a", "b"] {
            fs::write(&built, inputs).unwrap();
            kept.put("agent", inputs, &built).unwrap();
            assert!(kept.has("agent", inputs) && !kept.has("client", inputs));
            assert_eq!(fs::read_to_string(kept.program("agent")).unwrap(), inputs);
        }
        assert!(!kept.has("agent", "a"));
        kept.put("agent", "c", &dir.path().join("nothing")).unwrap_err();
        assert!(!kept.has("agent", "b") && !kept.has("agent", "c"));
    }
}
