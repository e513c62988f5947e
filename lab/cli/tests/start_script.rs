// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Runs the start script in various checkouts and environments, with a stub of cargo that only records how it was
//! called.
#![expect(clippy::unwrap_used, reason = "helpers of tests, outside of the tests' functions")]

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// Records its arguments and environment. "Builds" a lab that prints what it got, once no file makes it slow.
const CARGO: &str = r#"#!/bin/sh
[ "$1" = --version ] && { echo "cargo ${STUB_VERSION:-1.90.0} (stub)"; exit; }
{ pwd; printf '%s\n' "$@"; env; cat "$CARGO_HOME/config.toml" 2>/dev/null; } >>"$STUB_NOTES"
while [ "$1" != --target-dir ]; do shift; done
mkdir -p "$2/debug"
while [ -e "$STUB_NOTES.slow" ]; do sleep 0.1; done
printf '#!/bin/sh\necho "lab of $DRYDOCK_REPO: $*"\necho "TMPDIR=${TMPDIR-unset}"\n' >"$2/debug/drydock.new"
chmod +x "$2/debug/drydock.new"
mv -f "$2/debug/drydock.new" "$2/debug/drydock"
"#;

/// A simulated machine: a checkout, a home, a cache and a search path with the stub in front.
struct Machine {
    dir: tempfile::TempDir,
    checkout: PathBuf,
}

impl Machine {
    fn new() -> Self {
        Self::with_checkout("checkout")
    }

    fn with_checkout(name: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let machine = Self { checkout: dir.path().join(name), dir };
        machine.make_checkout(&machine.checkout);
        for directory in ["home", "cache", "bin"] {
            fs::create_dir_all(machine.path(directory)).unwrap();
        }
        executable(&machine.path("bin/cargo"), CARGO);
        // Existing directories skip the check for room, except in the test of that check.
        fs::create_dir_all(machine.path("cache/drydock/root")).unwrap();
        machine
    }

    fn make_checkout(&self, at: &Path) {
        for package in ["lab/cli", "models", "crates/x", "guest/agent", "guest/uapi"] {
            fs::create_dir_all(at.join(package)).unwrap();
            let name = package.replace('/', "-");
            fs::write(at.join(package).join("Cargo.toml"), format!("[package]\nname = \"{name}\"\n")).unwrap();
        }
        fs::write(at.join("Cargo.toml"), "").unwrap();
        fs::write(at.join("Cargo.lock"), "").unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().join("drydock");
        fs::copy(script, at.join("drydock")).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Returns the command `program` with an environment of only a search path, a home, a cache, and the stub's record.
    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        let path = format!("{}:/usr/bin:/bin", self.path("bin").display());
        command.env_clear().env("PATH", path).env("HOME", self.path("home")).stdin(Stdio::null());
        command.env("XDG_CACHE_HOME", self.path("cache")).env("STUB_NOTES", self.path("notes"));
        command.current_dir(self.dir.path());
        command
    }

    fn script(&self) -> Command {
        self.command(self.checkout.join("drydock"))
    }

    fn notes(&self) -> String {
        fs::read_to_string(self.path("notes")).unwrap_or_default()
    }
}

fn executable(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Returns the first line that a running script prints, as soon as it prints it.
fn first_line(script: &mut Child) -> String {
    let mut line = String::new();
    BufReader::with_capacity(1, script.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
    line
}

/// Asserts that the lab of `checkout` ran with the argument `doctor`.
fn ran(output: &Output, checkout: &Path) {
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let expected = format!("lab of {}: doctor\n", checkout.display());
    assert!(output.status.success() && out.starts_with(&expected), "{}\n{out}\n{}", output.status, said(output));
}

/// Asserts that the script refused with its own exit code, printed all of `words` in its message, and did not let cargo
/// build.
fn refused(machine: &Machine, output: &Output, words: &[&str]) {
    let said = said(output);
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(said.starts_with("drydock: "), "{said}");
    words.iter().for_each(|word| assert!(said.contains(word), "no `{word}` in: {said}"));
    assert_eq!(machine.notes(), "");
}

#[test]
fn script_works_through_any_link_and_from_any_directory() {
    let machine = Machine::with_checkout("a 'b\" $c\nd");
    let checkout = &machine.checkout;
    ran(&machine.script().arg("doctor").output().unwrap(), checkout);
    ran(&machine.command("./drydock").arg("doctor").current_dir(checkout).output().unwrap(), checkout);
    ran(&machine.command("sh").args(["drydock", "doctor"]).current_dir(checkout).output().unwrap(), checkout);
    let deep = machine.path("x/y");
    fs::create_dir_all(&deep).unwrap();
    symlink(Path::new("../..").join(checkout.file_name().unwrap()).join("drydock"), deep.join("first")).unwrap();
    symlink("y/first", machine.path("x/drydock")).unwrap();
    symlink(machine.path("x/drydock"), machine.path("bin/drydock")).unwrap();
    ran(&machine.command("x/drydock").arg("doctor").output().unwrap(), checkout);
    let by_search = "drydock doctor";
    ran(&machine.command("sh").args(["-c", by_search]).current_dir("/").output().unwrap(), checkout);
}

#[test]
fn cdpath_and_a_missing_search_path_do_no_harm() {
    let machine = Machine::new();
    let mut command = machine.command("./checkout/drydock");
    ran(&command.arg("doctor").env("CDPATH", "/usr:/tmp").output().unwrap(), &machine.checkout);
    // The script finds the stub where cargo is installed for a user.
    fs::create_dir_all(machine.path("home/.cargo/bin")).unwrap();
    fs::copy(machine.path("bin/cargo"), machine.path("home/.cargo/bin/cargo")).unwrap();
    ran(&machine.script().arg("doctor").env_remove("PATH").output().unwrap(), &machine.checkout);
}

#[test]
fn home_is_not_needed_when_the_cache_is_named() {
    let machine = Machine::new();
    for home in [None, Some(""), Some("relative"), Some("/nonexistent")] {
        let mut command = machine.script();
        match home {
            Some(home) => command.env("HOME", home),
            None => command.env_remove("HOME"),
        };
        // The home in the password file is not for this test to write to.
        let output = command.arg("doctor").env("CARGO_HOME", machine.path("home/.cargo")).output().unwrap();
        ran(&output, &machine.checkout);
        assert_eq!(said(&output), "", "{home:?}");
    }
    assert!(!Path::new("/nonexistent").exists() && !machine.path("relative").exists());
}

#[test]
fn no_place_for_the_cache_is_said_and_changes_nothing() {
    for (home, word) in
        [(None, "`HOME` is not set"), (Some("relative"), "`relative`"), (Some("/nonexistent"), "`/nonexistent`")]
    {
        let machine = Machine::new();
        let mut command = machine.script();
        match home {
            Some(home) => command.env("HOME", home),
            None => command.env_remove("HOME"),
        };
        let output = command.env("XDG_CACHE_HOME", "").output().unwrap();
        refused(&machine, &output, &[word, "set `XDG_CACHE_HOME`"]);
    }
}

#[test]
fn relative_cache_is_ignored_aloud() {
    let machine = Machine::new();
    fs::create_dir_all(machine.path("home/.cache/drydock/root")).unwrap();
    let output = machine.script().arg("doctor").env("XDG_CACHE_HOME", "cache").output().unwrap();
    ran(&output, &machine.checkout);
    assert!(said(&output).contains("`XDG_CACHE_HOME` is ignored") && said(&output).contains("`cache`"));
    assert!(machine.path("home/.cache/drydock/target").is_dir());
}

#[test]
fn cache_that_cannot_be_made_is_named_with_the_reason() {
    let machine = Machine::new();
    fs::write(machine.path("file"), "").unwrap();
    let output = machine.script().env("XDG_CACHE_HOME", machine.path("file")).output().unwrap();
    refused(&machine, &output, &["the cache cannot be written at `", "file/drydock`", "Not a directory"]);
}

#[test]
fn too_little_room_is_said_before_anything_is_built() {
    let machine = Machine::new();
    // Making a small file system needs privileges, so a stub of `df` takes its place.
    fs::remove_dir(machine.path("cache/drydock/root")).unwrap();
    executable(&machine.path("bin/df"), "#!/bin/sh\necho Avail Inodes IFree\necho 146484 1000 900\n");
    let output = machine.script().output().unwrap();
    refused(&machine, &output, &["6 GB are needed, 149 MB are free at `", "cache/drydock`", "`XDG_CACHE_HOME`"]);
    executable(&machine.path("bin/df"), "#!/bin/sh\necho Avail Inodes IFree\necho 99999999 1000 900\n");
    let output = machine.script().output().unwrap();
    refused(&machine, &output, &["room for 150000 files is needed, `", "` has room for 900"]);
    // btrfs has no fixed number of files.
    executable(&machine.path("bin/df"), "#!/bin/sh\necho Avail Inodes IFree\necho 99999999 0 -\n");
    ran(&machine.script().arg("doctor").output().unwrap(), &machine.checkout);
}

#[test]
fn useless_tmpdir_is_ignored_aloud() {
    let machine = Machine::new();
    let output = machine.script().arg("doctor").env("TMPDIR", "/nonexistent").output().unwrap();
    ran(&output, &machine.checkout);
    assert!(said(&output).contains("`TMPDIR` is ignored") && said(&output).contains("`/nonexistent`"));
    assert!(String::from_utf8_lossy(&output.stdout).contains("TMPDIR=unset"));
    let long = machine.path(&"t".repeat(120));
    fs::create_dir(&long).unwrap();
    let output = machine.script().arg("doctor").env("TMPDIR", &long).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains(&format!("TMPDIR={}", long.display())));
}

#[test]
fn settings_of_cargo_and_rustc_in_the_environment_stay_outside() {
    let machine = Machine::new();
    let outside = [
        "CARGO_BUILD_TARGET",
        "CARGO_TARGET_DIR",
        "CARGO_BUILD_TARGET_DIR",
        "CARGO_INCREMENTAL",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_PROFILE_DEV_OPT_LEVEL",
        "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER",
        "CARGO_UNSTABLE_BUILD_STD",
        "RUSTFLAGS",
        "RUSTDOCFLAGS",
        "RUSTC",
        "RUSTC_WRAPPER",
        "RUSTC_BOOTSTRAP",
        "RUST_TEST_NOCAPTURE",
        "MAKEFLAGS",
        "INSTA_FORCE_PASS",
        "CLIPPY_ARGS",
    ];
    let inside =
        ["CARGO_HTTP_PROXY", "CARGO_NET_OFFLINE", "CARGO_REGISTRIES_X_INDEX", "RUSTUP_TOOLCHAIN", "https_proxy"];
    let mut command = machine.script();
    for name in outside.iter().chain(&inside) {
        command.env(name, "of-the-user");
    }
    ran(&command.arg("doctor").output().unwrap(), &machine.checkout);
    let notes = machine.notes();
    let has = |name: &str| notes.lines().any(|line| line == format!("{name}=of-the-user"));
    outside.iter().for_each(|name| assert!(!has(name), "{name} reaches cargo"));
    inside.iter().for_each(|name| assert!(has(name), "{name} does not reach cargo"));
    assert!(notes.starts_with("/\n"), "cargo looks for settings in and above the directory it runs in: {notes}");
}

#[test]
fn of_a_configuration_of_cargo_only_the_network_counts() {
    let machine = Machine::new();
    let config = machine.path("home/.cargo/config.toml");
    fs::create_dir_all(config.parent().unwrap()).unwrap();
    fs::write(
        &config,
        "build.target = \"x\"\n[source.crates-io]\nreplace-with = \"mirror\"\n[build]\nrustc-wrapper = \"y\"\n\
         rustflags = [\n  \"-Cz\",\n]\n[profile.dev]\nopt-level = 3\n[http]\nproxy = \"p\"\n",
    )
    .unwrap();
    ran(&machine.script().arg("doctor").output().unwrap(), &machine.checkout);
    let notes = machine.notes();
    let expected = "[source.crates-io]\nreplace-with = \"mirror\"\n[http]\nproxy = \"p\"\n";
    assert!(notes.ends_with(expected), "{notes}");
    // Fetched crates are shared with the user's own cargo, and so are its locks.
    let ours = machine.path("cache/drydock/cargo-linked");
    for name in ["registry", ".package-cache"] {
        assert_eq!(fs::read_link(ours.join(name)).unwrap(), machine.path("home/.cargo").join(name));
    }
    // A configuration that contains no more than that is used as it is.
    fs::write(&config, format!("# mine\n\n{expected}")).unwrap();
    fs::write(machine.checkout.join("Cargo.lock"), "").unwrap();
    ran(&machine.script().arg("doctor").output().unwrap(), &machine.checkout);
    let home = format!("CARGO_HOME={}", machine.path("home/.cargo").display());
    assert!(machine.notes().lines().any(|line| line == home));
}

#[test]
fn cargo_that_fails_speaks_for_itself_and_nothing_is_installed() {
    let machine = Machine::new();
    executable(&machine.path("bin/cargo"), "#!/bin/sh\necho 'rustup: no default toolchain' >&2\nexit 1\n");
    executable(&machine.path("bin/apt-get"), "#!/bin/sh\necho \"apt-get $*\" >>\"$STUB_NOTES\"\n");
    let output = machine.script().env("CARGO_HOME", machine.path("home/.cargo")).output().unwrap();
    assert!(!machine.notes().contains("apt-get"), "{}", machine.notes());
    // A working cargo of the system's would do as well.
    if !Path::new("/usr/bin/cargo").exists() {
        refused(&machine, &output, &["bin/cargo` does not work: rustup: no default toolchain"]);
    }
}

#[test]
fn old_cargo_is_named_with_its_version() {
    let machine = Machine::new();
    executable(&machine.path("bin/id"), "#!/bin/sh\necho 1000\n");
    let output =
        machine.script().env("STUB_VERSION", "1.63.0").env("CARGO_HOME", machine.path("none")).output().unwrap();
    if !Path::new("/usr/bin/cargo").exists() {
        refused(&machine, &output, &["no cargo of version 1.85 or later", "is of version 1.63"]);
    }
}

#[test]
fn each_checkout_runs_its_own_lab() {
    let machine = Machine::new();
    let other = machine.path("other");
    machine.make_checkout(&other);
    ran(&machine.script().arg("doctor").output().unwrap(), &machine.checkout);
    ran(&machine.command(other.join("drydock")).arg("doctor").output().unwrap(), &other);
    let labs: Vec<_> = fs::read_dir(machine.path("cache/drydock/target/checkouts")).unwrap().collect();
    assert_eq!(labs.len(), 2);
}

/// Cargo takes crates whose sources are older than their last build for fresh, from whichever checkout they were built.
#[test]
fn crates_of_another_checkout_are_not_used() {
    let machine = Machine::new();
    let other = machine.path("other");
    machine.make_checkout(&other);
    let built = machine.path("cache/drydock/target/lab/debug/.fingerprint");
    let crates = ["lab-cli-0", "crates-x-1", "guest-agent-2", "models-3", "serde-4"].map(|name| built.join(name));
    ran(&machine.script().arg("doctor").output().unwrap(), &machine.checkout);
    let left = || crates.iter().map(|made| made.exists()).collect::<Vec<_>>();
    crates.iter().for_each(|made| fs::create_dir_all(made).unwrap());
    fs::write(machine.checkout.join("Cargo.lock"), "").unwrap();
    ran(&machine.script().arg("doctor").output().unwrap(), &machine.checkout);
    assert_eq!(left(), [true; 5]);
    ran(&machine.command(other.join("drydock")).arg("doctor").output().unwrap(), &other);
    assert_eq!(left(), [false, false, false, false, true]);
}

#[test]
fn lab_that_is_up_to_date_runs_without_cargo() {
    let machine = Machine::new();
    let run = || machine.script().arg("doctor").output().unwrap();
    let builds = || machine.notes().lines().filter(|line| *line == "build").count();
    ran(&run(), &machine.checkout);
    ran(&run(), &machine.checkout);
    assert_eq!(builds(), 1);
    for changed in ["lab/cli/new.rs", "guest/uapi/Cargo.toml"] {
        let before = builds();
        fs::write(machine.checkout.join(changed), "").unwrap();
        ran(&run(), &machine.checkout);
        ran(&run(), &machine.checkout);
        assert_eq!(builds(), before + 1, "{changed}");
    }
    // A file that is gone.
    fs::rename(machine.checkout.join("lab/cli/new.rs"), machine.path("old.rs")).unwrap();
    ran(&run(), &machine.checkout);
    assert_eq!(builds(), 4);
}

#[test]
fn lab_that_did_not_build_is_not_up_to_date() {
    let machine = Machine::new();
    ran(&machine.script().arg("doctor").output().unwrap(), &machine.checkout);
    executable(&machine.path("bin/cargo"), &CARGO.replace("while [ -e", "exit 101\nwhile [ -e"));
    fs::write(machine.checkout.join("Cargo.lock"), "").unwrap();
    for _ in 0..2 {
        let output = machine.script().arg("doctor").output().unwrap();
        assert_eq!(output.status.code(), Some(69));
    }
}

#[test]
fn waiting_for_another_checkout_is_said_with_who_holds_it() {
    let machine = Machine::new();
    let other = machine.path("other");
    machine.make_checkout(&other);
    fs::write(machine.path("notes.slow"), "").unwrap();
    let mut first = machine.script().arg("doctor").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // The holder writes its name once it has the lock.
    let lock = machine.path("cache/drydock/target/lab.lock");
    while !fs::read_to_string(&lock).is_ok_and(|text| text.ends_with('\n')) {
        assert!(first.try_wait().unwrap().is_none(), "it ended without a lock");
        std::thread::yield_now();
    }
    let mut second = machine.command(other.join("drydock"));
    let mut second = second.arg("doctor").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let expected = format!(
        "drydock: waiting for another build of the lab: process {}, `drydock doctor` of {}\n",
        first.id(),
        machine.checkout.display()
    );
    assert_eq!(first_line(&mut second), expected);
    fs::remove_file(machine.path("notes.slow")).unwrap();
    ran(&second.wait_with_output().unwrap(), &other);
    assert!(first.wait().unwrap().success());
}

#[test]
fn waiting_for_cargos_own_lock_is_said_with_who_holds_it() {
    let machine = Machine::new();
    ran(&machine.script().arg("doctor").output().unwrap(), &machine.checkout);
    let lock = machine.path("cache/drydock/target/lab/debug/.cargo-lock");
    fs::write(&lock, "").unwrap();
    let mut holder = Command::new("flock");
    holder.arg(&lock).args(["sh", "-c", "echo held; read line"]);
    let mut holder = holder.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    holder.stdout.as_mut().unwrap().read_exact(&mut [0; 5]).unwrap();
    fs::write(machine.path("notes.slow"), "").unwrap();
    fs::write(machine.checkout.join("Cargo.lock"), "").unwrap();
    let mut script = machine.script();
    let mut script = script.arg("doctor").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let said = first_line(&mut script);
    fs::remove_file(machine.path("notes.slow")).unwrap();
    drop(holder.stdin.take());
    holder.wait().unwrap();
    ran(&script.wait_with_output().unwrap(), &machine.checkout);
    assert!(said.contains(&format!("cargo waits for the lock on `{}`, held by process", lock.display())), "{said}");
    assert!(said.contains("flock"), "{said}");
}
