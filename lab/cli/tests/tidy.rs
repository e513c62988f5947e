// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! House rules as tests, for what the compiler does not check and a reviewer should not have to.
//!
//! The rules are those of docs/architecture.md. The lab's own tests check that every `unsafe` has its comment (`drydock
//! audit`). Whether the comment answers the callee's requirements is for reviewers.

#[path = "tidy/circles.rs"]
mod circles;
#[path = "tidy/pages.rs"]
mod pages;

use std::fs;
use std::path::{Path, PathBuf};

/// Directories that contain generated files, or nothing of ours.
const SKIPPED: &[&str] = &[".git", "target"];

fn repo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the lab is in the checkout").to_owned()
}

/// Returns all files below `directory` whose names end in one of `ends`, with their text, by path from the checkout's
/// root.
fn files(directory: &str, ends: &[&str]) -> Vec<(String, String)> {
    let repo = repo();
    let mut found = Vec::new();
    let mut todo = vec![repo.join(directory)];
    while let Some(directory) = todo.pop() {
        for entry in fs::read_dir(&directory).expect("the checkout can be read") {
            let path = entry.expect("the checkout can be read").path();
            let name = path.file_name().expect("an entry has a name").to_string_lossy().into_owned();
            if path.is_dir() && !path.is_symlink() {
                if !SKIPPED.contains(&name.as_str()) {
                    todo.push(path);
                }
            } else if ends.iter().any(|end| name.ends_with(end)) {
                let Ok(text) = fs::read_to_string(&path) else { continue };
                found.push((path.strip_prefix(&repo).expect("it was found there").display().to_string(), text));
            }
        }
    }
    assert!(!found.is_empty(), "no file in `{directory}` ends in one of {ends:?}");
    found.sort();
    found
}

/// Returns the sources of the drivers and the examples.
fn drivers() -> Vec<(String, String)> {
    ["kernel/drivers", "kernel/examples"].iter().flat_map(|directory| files(directory, &[".rs"])).collect()
}

/// Returns the lines of a file that are code, with their numbers.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, line.split("//").next().unwrap_or_default()))
}

/// Returns whether `line` contains `word`, and not only as part of a longer word.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

fn none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn drivers_have_no_unsafe_and_forbid_it() {
    let mut complaints = Vec::new();
    for (path, text) in drivers() {
        let stem = Path::new(&path).file_stem().unwrap().to_owned();
        // An example's directory has a name of its own, and each client is a program by itself.
        let is_root = Path::new(&path).parent().and_then(Path::file_name) == Some(&stem)
            || path.starts_with("kernel/examples/")
            || path.ends_with("/client/main.rs");
        if is_root && !text.contains("#![forbid(unsafe_code)]") {
            complaints.push(format!("{path}: a driver begins with `#![forbid(unsafe_code)]`"));
        }
        let unsafe_lines = code(&text).filter(|(_, line)| has_word(line, "unsafe"));
        complaints.extend(unsafe_lines.map(|(number, _)| format!("{path}:{number}: `unsafe` in a driver")));
    }
    none(complaints);
}

/// Parts of the kernel crate that a driver must not use though they are safe to call, and why. `kernel/drm` cannot
/// forbid them by a type; docs/reference/holes.md explains that under "What we trust".
const NOT_FOR_DRIVERS: &[(&str, &str)] = &[
    ("workqueue", "work of a system's queue may run when the module is gone: use `Device::queue_work`"),
    ("devres", "what another device keeps may be dropped when the module is gone"),
    ("Devres", "what another device keeps may be dropped when the module is gone"),
    ("auxiliary::Registration", "forgotten, the child outlives its parent: use `Probe::add_auxiliary`"),
    ("faux::Registration", "forgotten, the device outlives the module: use `module_faux_driver!`"),
    ("driver::Registration", "forgotten, the driver outlives the module: use the macros of `drm`"),
    ("miscdevice", "forgotten, a registration outlives the module"),
    ("debugfs", "forgotten, a file outlives the module"),
    ("configfs", "forgotten, a subsystem outlives the module"),
    ("hrtimer", "forgotten, a handle lets the timer outlive the module"),
    ("kernel::fs", "a process that exits has no table of files any more when its files are closed"),
    (
        "alloc_irq_vectors",
        "a second allocation frees the first one's vectors under their handlers: use `Probe::irq_vectors`",
    ),
    ("extern crate", "under another name, a crate can put unsafe code into what a derive makes"),
    ("zerocopy(crate", "another crate can put unsafe code into what the derive makes"),
];

#[test]
fn drivers_leave_nothing_behind_by_way_of_the_kernel_crate() {
    let mut complaints = Vec::new();
    for (path, text) in drivers() {
        for (number, line) in code(&text) {
            let found = NOT_FOR_DRIVERS.iter().filter(|(word, _)| has_word(line, word));
            complaints.extend(found.map(|(word, why)| format!("{path}:{number}: `{word}`: {why}")));
        }
    }
    none(complaints);
}

#[test]
fn a_device_is_allocated_in_one_place() {
    let places: Vec<_> = files("kernel", &[".rs", ".c", ".h"])
        .into_iter()
        .filter(|(path, _)| !path.starts_with(ABOUT_A_MISTAKE))
        .flat_map(|(path, text)| {
            let calls = code(&text).filter(|(_, line)| has_word(line, "__drm_dev_alloc")).count();
            vec![path; calls]
        })
        .collect();
    // One allocation in C's size, from one type (L2), and the deliberate mistake that the debug kernel must report.
    assert_eq!(places, ["kernel/drm/device/unregistered.rs", "kernel/tests/oops/oops.rs"]);
}

/// The crates of the lab below its command line, each with all crates of this checkout that it may depend on.
const LAYERS_OF_THE_LAB: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("toolchain", &["csf-fw", "drydock-base"]),
    ("machine", &["drydock-agent", "drydock-base", "drydock-models", "drydock-toolchain", "drydock-uapi"]),
];

/// The folders of the guest's tests, from the lowest to the highest, each with those above it.
const ABOVE_IN_GUEST_TESTS: &[(&str, &[&str])] = &[
    ("harness", &["subjects", "sweeps", "storm", "cases", "runner", "args"]),
    ("subjects", &["sweeps", "storm", "cases", "runner", "args"]),
    ("sweeps", &["storm", "cases", "runner", "args"]),
    ("storm", &["sweeps", "cases", "runner", "args"]),
    ("cases", &["runner", "args"]),
];

/// The only file of a driver that another one includes: vgem's fences, which vkms offers too (decision 0021).
const SHARED: &str = "#[path = \"../vgem/client.rs\"]";

#[test]
fn imports_point_one_way() {
    let mut complaints = Vec::new();
    for (path, text) in files("kernel/drm", &[".rs"]) {
        let names_drivers = |line: &str| line.contains("drivers::") || line.contains("drivers/gpu/drm/drydock");
        let lines = code(&text).filter(|(_, line)| names_drivers(line));
        complaints.extend(lines.map(|(number, _)| format!("{path}:{number}: the library knows no driver")));
    }
    for (path, text) in drivers() {
        let reaches_out = |line: &str| line.contains("#[path") || (line.contains("include!(") && line.contains("../"));
        let lines = code(&text).filter(|(_, line)| reaches_out(line) && line.trim() != SHARED);
        complaints
            .extend(lines.map(|(number, _)| format!("{path}:{number}: a driver is built from its own directory")));
    }
    for (path, text) in files(".", &["Cargo.toml"]) {
        let paths = || text.lines().filter_map(|line| line.split_once("path = \"")?.1.split('"').next());
        // A client of an example lies beside it, but is a program.
        if paths().any(|to| to.contains("kernel/") && !to.ends_with("/client/main.rs")) {
            complaints.push(format!("{path}: what runs on the host does not depend on what is loaded into a kernel"));
        }
        if path.starts_with("guest/") && paths().any(|to| to.contains("/lab") || to.contains("/models")) {
            complaints.push(format!("{path}: what runs in the guest does not depend on what runs on the host"));
        }
        if path == "guest/uapi/Cargo.toml" && text.contains("dependencies]") {
            complaints.push(format!("{path}: the lab is built with it, so it depends on nothing"));
        }
    }
    for (folder, above) in ABOVE_IN_GUEST_TESTS {
        for (path, text) in files(&format!("guest/tests/src/{folder}"), &[".rs"]) {
            let upwards = |line: &str| above.iter().any(|above| line.contains(&format!("crate::{above}::")));
            let lines = code(&text).filter(|(_, line)| upwards(line));
            complaints.extend(lines.map(|(number, _)| format!("{path}:{number}: imports a folder above `{folder}`")));
        }
    }
    for (layer, below) in LAYERS_OF_THE_LAB {
        let path = format!("lab/{layer}/Cargo.toml");
        let manifest = fs::read_to_string(repo().join(&path)).expect("the crate has a manifest");
        let dependencies = manifest.lines().filter_map(|line| line.split_once(" = {"));
        let upwards = dependencies.filter(|(name, rest)| rest.contains("path = ") && !below.contains(name));
        complaints.extend(upwards.map(|(name, _)| format!("{path}: `{name}` is not below `lab/{layer}`")));
        if manifest.contains("clap") {
            complaints.push(format!("{path}: only `lab/cli` knows what a command line looks like"));
        }
    }
    none(complaints);
}

#[test]
fn no_module_is_called_mod() {
    let sources = files(".", &[".rs"]);
    let wrong = sources.iter().filter(|(path, _)| path.ends_with("/mod.rs"));
    none(wrong.map(|(path, _)| format!("{path}: name it after what it is, beside its directory")).collect());
}

#[test]
fn every_source_file_begins_with_its_licence() {
    let licence = "SPDX-License-Identifier: GPL-2.0-only OR MIT";
    let sources = files(".", &[".rs", ".c", ".h", ".toml", "Kbuild"]);
    let without = sources.iter().filter(|(_, text)| !text.lines().take(2).any(|line| line.contains(licence)));
    none(without.map(|(path, _)| format!("{path}: the first line is `{licence}`")).collect());
}

#[test]
fn nothing_names_the_machine_it_was_written_on() {
    // The names of a checkout and of home directories on our machines. No path of the lab itself begins so.
    let homes = ["work/main", "root/", "home/"].map(|home| format!("/{home}"));
    let sources = files(".", &[".rs", ".c", ".h", ".toml", ".md", ".sh", ".stderr", "Kbuild", "drydock"]);
    let mut complaints = Vec::new();
    for (path, text) in &sources {
        // The guest's ordinary user has a home directory there too.
        let named = |line: &str| homes.iter().any(|home| line.replace("/home/user", "").contains(home.as_str()));
        let lines = text.lines().enumerate().filter(|(_, line)| named(line));
        complaints.extend(lines.map(|(index, _)| format!("{path}:{}: a path of one machine", index + 1)));
    }
    none(complaints);
}

#[test]
fn mutants_are_of_functions_that_there_are() {
    let read = |path: String| fs::read_to_string(repo().join(path)).unwrap_or_default();
    let list = read("kernel/mutants/list".to_owned());
    let mut complaints = Vec::new();
    for line in list.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let fields: Vec<_> = line.split(" | ").collect();
        let [name, file, function, _, _] = fields[..] else {
            complaints.push(format!("kernel/mutants/list: `{line}` has five fields"));
            continue;
        };
        let function = function.split('#').next().unwrap_or_default();
        let text = read(format!("kernel/drm/{file}"));
        if !["(", "<"].iter().any(|after| text.contains(&format!("fn {function}{after}"))) {
            complaints.push(format!("kernel/mutants/list: `{name}`: kernel/drm/{file} has no function `{function}`"));
        }
    }
    none(complaints);
}

/// Words that open a doc comment without naming its subject. As in the kernel's own Rust documentation, the first word is a verb
/// or belongs to the item's name.
const HEADLESS: &[&str] = &["What", "Who", "Whoever", "Those", "Which", "It", "None", "That", "As above"];

/// Cases begin with the mistake and its reason, which is a sentence about the mistake.
const ABOUT_A_MISTAKE: &str = "kernel/must-not-compile/";

#[test]
fn doc_comments_name_their_subject() {
    let mut complaints = Vec::new();
    for (path, text) in files("", &[".rs"]) {
        let (mut before, mut in_code) = (None, false);
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            let words = ["///", "//!"].into_iter().find_map(|marker| line.strip_prefix(marker)).map(str::trim);
            in_code = words.is_some_and(|words| in_code != words.starts_with("```"));
            let begins = before.is_none_or(str::is_empty) && !in_code && !path.starts_with(ABOUT_A_MISTAKE);
            if let Some(words) = words.filter(|_| begins) {
                let headless = HEADLESS.iter().find(|word| words.starts_with(**word) && has_word(words, word));
                complaints.extend(headless.map(|word| {
                    format!("{path}:{}: a paragraph of a doc comment names its subject, not `{word}`", index + 1)
                }));
            }
            before = words;
        }
    }
    none(complaints);
}
