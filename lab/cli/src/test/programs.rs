// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Runs programs of the host on a driver, by `drydock run` as a user calls it: `programs::NAME`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use drydock_base::error::{Context as _, Result};
use drydock_machine::scenario::Content;

use super::suite::{Case, Context, Filter, Need, Suite, Verdict};
use super::{NO_TIME, TO_BEGIN};

/// Programs of the host in a guest.
pub(super) struct Programs;

const NAME: &str = "programs";

/// The driver of all cases, also of those of packages.
pub(super) const DRIVER: &str = "vgem";

/// A case: its name, and what it runs in a directory of its own.
type Judge = fn(&Path) -> Result<Result<(), String>>;

const CASES: &[(&str, Judge)] = &[
    ("program_in_the_path_is_found", in_the_path),
    ("program_starts_in_the_current_directory_and_keeps_its_exit_code", in_the_directory),
    ("writes_do_not_reach_the_host", lost_writes),
    ("writable_directory_keeps_what_is_written", kept_writes),
    ("files_are_copied_back_after_a_failure", copied_back),
    ("environment_and_user_are_those_asked_for", environment_and_user),
    ("directory_is_mounted_in_the_guests_own_root", mounted_in_the_guest),
];

fn case_name(name: &str) -> String {
    format!("{NAME}::{name}")
}

impl Suite for Programs {
    fn name(&self) -> &'static str {
        NAME
    }

    fn need(&self) -> Need {
        Need::Guest
    }

    fn tests_the_kernel(&self) -> bool {
        false
    }

    fn content(&self, repo: &Path, _filter: &Filter) -> Result<Content> {
        Content::of_driver(repo, DRIVER)
    }

    fn names(&self, _repo: &Path) -> Result<BTreeSet<String>> {
        Ok(CASES.iter().map(|(name, _)| case_name(name)).collect())
    }

    fn run(&self, context: &Context<'_>, tell: &mut dyn FnMut(Case)) -> Result<()> {
        let wanted: Vec<_> = CASES.iter().filter(|(name, _)| context.filter.selects(&case_name(name))).collect();
        let step = context.events.step("programs of this machine");
        for (name, judge) in &wanted {
            let directory = context.toolchain().work().join("programs").join(name);
            drydock_base::cache::remove_tree(&directory)?;
            drydock_base::cache::make_dir(&directory)?;
            let verdict = match context.deadline.is_nearer_than(TO_BEGIN) {
                true => Verdict::Skipped { why: NO_TIME.to_owned() },
                false => match judge(&directory)? {
                    Ok(()) => Verdict::Passed,
                    Err(why) => Verdict::Failed { why, details: Vec::new() },
                },
            };
            tell(Case { name: case_name(name), verdict });
        }
        step.done_with(format!("{} cases", wanted.len()));
        Ok(())
    }
}

/// Runs `drydock run vgem` with these words in `directory`.
pub(super) fn run(directory: &Path, words: &[&str]) -> Result<Output> {
    let mut command = Command::new("/proc/self/exe");
    command.args(["run", DRIVER]).args(words).current_dir(directory).stdin(Stdio::null());
    drydock_base::process::die_with_us(&mut command);
    command.output().context("failed to start the lab again")
}

/// Checks the exit code, and that stdout is `expected`.
pub(super) fn check(output: &Output, code: i32, expected: &str) -> Result<(), String> {
    let out = String::from_utf8_lossy(&output.stdout);
    if output.status.code() == Some(code) && out == expected {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    Err(format!("{}, stdout {out:?}, the last line of stderr `{last}`", output.status))
}

fn in_the_path(directory: &Path) -> Result<Result<(), String>> {
    let here = Command::new("dpkg").arg("--version").output().context("failed to run `dpkg --version` here")?;
    let there = run(directory, &["--", "dpkg", "--version"])?;
    Ok(check(&there, 0, &String::from_utf8_lossy(&here.stdout)))
}

fn in_the_directory(directory: &Path) -> Result<Result<(), String>> {
    let directory = directory.join("with a space");
    drydock_base::cache::make_dir(&directory)?;
    let script = "pwd; ls /dev/dri; printf '%s|' \"$@\"; exit 7";
    let output = run(&directory, &["--root", "host", "--", "sh", "-c", script, "sh", "a b", "$HOME", ""])?;
    let expected = format!("{}\nby-path\ncard0\nrenderD128\na b|$HOME||", directory.display());
    Ok(check(&output, 7, &expected).or_else(|why| {
        // Whether udev's links are there does not matter.
        check(&output, 7, &expected.replace("by-path\n", "")).map_err(|_| why)
    }))
}

fn lost_writes(directory: &Path) -> Result<Result<(), String>> {
    fs::write(directory.join("there"), "old")?;
    let output = run(directory, &["--root", "host", "--", "sh", "-c", "echo new >there; echo x >new; cat there new"])?;
    let now = fs::read_to_string(directory.join("there"))?;
    let reached = now != "old" || directory.join("new").exists();
    Ok(check(&output, 0, "new\nx\n").and(if reached { Err("a write reached the host".to_owned()) } else { Ok(()) }))
}

fn kept_writes(directory: &Path) -> Result<Result<(), String>> {
    let script = "mkdir d && echo kept >d/new && cat d/new; touch ../beside";
    let output = run(directory, &["--root", "host", "--write", ".", "--", "sh", "-c", script])?;
    let kept = fs::read_to_string(directory.join("d/new")).unwrap_or_default();
    let beside = directory.with_file_name("beside").exists();
    Ok(check(&output, 0, "kept\n").and(match (kept.as_str(), beside) {
        ("kept\n", false) => Ok(()),
        (_, true) => Err("a write beside the directory reached the host".to_owned()),
        (kept, false) => Err(format!("the file has {kept:?}")),
    }))
}

fn copied_back(directory: &Path) -> Result<Result<(), String>> {
    let script = "mkdir -p /tmp/out/in && echo a >/tmp/out/in/file && echo b >/etc/one; exit 3";
    let words = ["--get", "/tmp/out:copy", "--get", "/etc/one", "--", "/bin/sh", "-c", script];
    let output = run(directory, &words)?;
    let read = |path: &str| fs::read_to_string(directory.join(path)).unwrap_or_default();
    let (file, one) = (read("copy/in/file"), read("one"));
    let copied =
        if (file.as_str(), one.as_str()) == ("a\n", "b\n") { Ok(()) } else { Err(format!("{file:?}, {one:?}")) };
    Ok(check(&output, 3, "").and(copied))
}

/// Runs where every user may be: the ordinary user cannot enter root's home.
fn environment_and_user(_: &Path) -> Result<Result<(), String>> {
    let script =
        "echo $A; id -u; echo $HOME; : <>/dev/dri/renderD128 && touch $XDG_RUNTIME_DIR/x && ls $XDG_RUNTIME_DIR";
    let output = run(Path::new("/"), &["--root", "host", "--user", "--env", "A=b c", "--", "sh", "-c", script])?;
    Ok(check(&output, 0, "b c\n1000\n/home/user\nx\n"))
}

fn mounted_in_the_guest(directory: &Path) -> Result<Result<(), String>> {
    fs::write(directory.join("file"), "of the host\n")?;
    let output = run(directory, &["--with", ".:/data", "--", "sh", "-c", "cat /data/file; touch /data/x || exit 5"])?;
    Ok(check(&output, 5, "of the host\n"))
}
