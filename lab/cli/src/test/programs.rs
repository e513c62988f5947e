// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Runs programs of the host on a driver, by `drydock run` as a user calls it: `programs::NAME`.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use drydock_base::error::{Context as _, Kind, Result};
use drydock_machine::scenario::Content;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;

use super::suite::{Case, Context, Filter, Need, Progress, Suite, Verdict};

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
    ("cargo_runs_a_crates_tests_in_the_guest", tests_of_a_crate),
    ("second_program_runs_in_the_same_guest", second_program),
    ("writes_to_a_full_directory_are_reported", full_directory),
    ("first_signal_goes_to_the_program", first_signal),
    ("program_on_a_terminal_has_a_terminal_of_its_size", on_a_terminal),
    ("session_of_the_documentation_passes", session_that_passes),
    ("failed_command_of_a_session_gives_1_and_the_later_ones_run", session_that_fails),
    ("process_left_by_a_command_goes_on_in_its_session", session_with_a_daemon),
    ("end_of_the_guest_leaves_the_later_commands_not_run", session_that_ends_the_guest),
    ("results_of_one_program_hold_its_verdict", results_of_one_program),
    ("page_of_results_has_the_picture_of_the_screen", page_with_a_picture),
    ("events_tell_boot_command_and_verdict_in_their_order", events_in_order),
];

/// The reason for a case of [`LONG`] that is skipped.
const LEFT_OUT: &str = "a long case, left out of a short run";

/// Cases that run only with `--all`, or if they are named. Each of them boots a machine.
const LONG: &[&str] = &[
    "writes_do_not_reach_the_host",
    "environment_and_user_are_those_asked_for",
    "directory_is_mounted_in_the_guests_own_root",
    "cargo_runs_a_crates_tests_in_the_guest",
    "failed_command_of_a_session_gives_1_and_the_later_ones_run",
    "end_of_the_guest_leaves_the_later_commands_not_run",
    "process_left_by_a_command_goes_on_in_its_session",
    "results_of_one_program_hold_its_verdict",
    "page_of_results_has_the_picture_of_the_screen",
    "writes_to_a_full_directory_are_reported",
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
        let mut progress = Progress::begin(context, "programs of this machine", wanted.len(), tell);
        for (name, judge) in &wanted {
            let directory = context.toolchain().work().join("programs").join(name);
            drydock_base::cache::remove_tree(&directory)?;
            drydock_base::cache::make_dir(&directory)?;
            let is_short = !context.all && context.filter.within(NAME).is_empty();
            let verdict = match is_short && LONG.contains(name) {
                true => Verdict::Skipped { why: LEFT_OUT.to_owned() },
                false => context.in_time(|| judge(&directory).map(Into::into))?,
            };
            progress.tell(case_name(name), verdict);
        }
        progress.done();
        Ok(())
    }
}

/// Runs `drydock run vgem` with these words in `directory`.
pub(super) fn run(directory: &Path, words: &[&str]) -> Result<Output> {
    drydock(directory, &[&["run", DRIVER], words].concat())
}

/// Runs `drydock` with these words in `directory`.
pub(super) fn drydock(directory: &Path, words: &[&str]) -> Result<Output> {
    command(directory, words).output().context("failed to start the lab again")
}

/// Returns the command `drydock` with these words in `directory`, without input.
fn command(directory: &Path, words: &[&str]) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.args(words).current_dir(directory).stdin(Stdio::null());
    drydock_base::process::die_with_us(&mut command);
    command
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

/// Runs `cargo test` for a crate whose test needs the device, with the lab as the runner of its test programs.
fn tests_of_a_crate(directory: &Path) -> Result<Result<(), String>> {
    let test = "#[test]\nfn opens_the_device() {\n    std::fs::File::open(\"/dev/dri/renderD128\").unwrap();\n}\n";
    fs::create_dir_all(directory.join("src"))?;
    fs::write(directory.join("Cargo.toml"), "[package]\nname = \"client\"\nedition = \"2021\"\n\n[workspace]\n")?;
    fs::write(directory.join("src/lib.rs"), test)?;
    let us = fs::read_link("/proc/self/exe")?;
    let mut cargo = Command::new("cargo");
    // A runner that is given as one text cannot have a space in its path.
    let runner = format!("target.'cfg(all())'.runner = ['{}', 'run', '{DRIVER}', '--']", us.display());
    cargo.args(["test", "--offline", "--lib", "--config", &runner]).current_dir(directory).stdin(Stdio::null());
    drydock_base::process::die_with_us(&mut cargo);
    let output = cargo.output().context("failed to start `cargo test`")?;
    let out = String::from_utf8_lossy(&output.stdout);
    let passed = output.status.success() && out.contains("test opens_the_device ... ok");
    Ok(if passed { Ok(()) } else { Err(format!("{}, stdout {out:?}", output.status)) })
}

/// Runs a session in `directory`, with all results in files there.
fn session(directory: &Path, text: &str) -> Result<Output> {
    fs::write(directory.join("session.toml"), text)?;
    drydock(directory, &["run", "--session", "session.toml", "--junit", "junit.xml", "--ktap", "results.ktap"])
}

/// Returns the results in KTAP, without the lines that explain them.
fn ktap(directory: &Path) -> String {
    let text = fs::read_to_string(directory.join("results.ktap")).unwrap_or_default();
    text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n")
}

/// Checks the results in KTAP, and that the JUnit file has a part.
fn check_results(directory: &Path, expected: &str, part: &str) -> Result<(), String> {
    let junit = fs::read_to_string(directory.join("junit.xml")).unwrap_or_default();
    match ktap(directory) {
        found if found != expected => Err(format!("KTAP is {found:?}")),
        _ if !junit.contains(part) => Err(format!("JUnit lacks `{part}`: {junit:?}")),
        _ => Ok(()),
    }
}

fn session_that_passes(directory: &Path) -> Result<Result<(), String>> {
    let output = session(directory, include_str!("../../../../docs/how-to/ci/session.toml"))?;
    let copied = fs::read_to_string(directory.join("gpus.txt")).unwrap_or_default();
    let ended = if output.status.success() { Ok(()) } else { check(&output, 0, "") };
    let got = if copied.contains("renderD128") { Ok(()) } else { Err(format!("`gpus.txt` has {copied:?}")) };
    let results = "KTAP version 1\n1..3\nok 1 vgem::render_node_is_listed\n\
                   ok 2 vgem::render_node_can_be_opened\nok 3 vgem::driver_has_one_card";
    Ok(ended.and(got).and(check_results(directory, results, "tests=\"3\" skipped=\"0\" errors=\"0\" failures=\"0\"")))
}

fn session_that_fails(directory: &Path) -> Result<Result<(), String>> {
    let text = "driver = 'vgem'\n\
                [[command]]\nname = 'fails'\nrun = 'echo one; exit 3'\n\
                [[command]]\nname = 'sleeps'\nargv = ['sleep', '1000']\nlimit = 1\n\
                [[command]]\nname = 'input_is_empty'\nrun = 'cat; echo three; exit 77'\nexit-code = [0, 77]\n";
    let output = session(directory, text)?;
    let results = "KTAP version 1\n1..3\nnot ok 1 vgem::fails\nnot ok 2 vgem::sleeps\nok 3 vgem::input_is_empty";
    let failure = "<failure message=\"ended with exit code 3, expected exit code 0\"/>";
    Ok(check(&output, 1, "one\nthree\n").and(check_results(directory, results, failure)))
}

/// Leaves a process that holds the output of its command, and one that holds none.
fn session_with_a_daemon(directory: &Path) -> Result<Result<(), String>> {
    let text = "driver = 'vgem'\n\
                [[command]]\nname = 'leaves'\nrun = 'sleep 100001 >/dev/null 2>&1 & sleep 100002 & echo left'\n\
                [[command]]\nname = 'finds'\nrun = 'ps | grep -c \"[s]leep 10000\"'\n";
    let output = session(directory, text)?;
    let results = "KTAP version 1\n1..2\nok 1 vgem::leaves\nok 2 vgem::finds";
    Ok(check(&output, 0, "left\n2\n").and(check_results(directory, results, "failures=\"0\"")))
}

fn session_that_ends_the_guest(directory: &Path) -> Result<Result<(), String>> {
    let text = "driver = 'vgem'\n\
                [[command]]\nname = 'crashes'\nrun = 'echo c >/proc/sysrq-trigger'\n\
                [[command]]\nname = 'later'\nrun = 'echo late'\n";
    let output = session(directory, text)?;
    let results = "KTAP version 1\n1..2\nnot ok 1 vgem::crashes\n\
                   ok 2 vgem::later # SKIP not run: the run ended in `crashes`";
    Ok(check(&output, 70, "").and(check_results(directory, results, "Kernel panic")))
}

fn results_of_one_program(directory: &Path) -> Result<Result<(), String>> {
    let output =
        run(directory, &["--junit", "junit.xml", "--ktap", "results.ktap", "--", "sh", "-c", "echo a; exit 3"])?;
    let results = "KTAP version 1\n1..1\nnot ok 1 vgem::sh -c 'echo a; exit 3'";
    Ok(check(&output, 3, "a\n").and(check_results(directory, results, "<system-out>a\n</system-out>")))
}

/// Takes the picture of a screen that QEMU shows, too.
fn page_with_a_picture(directory: &Path) -> Result<Result<(), String>> {
    let words = ["--device", "bochs", "--screenshot", "screen.png", "--html", "page.html"];
    let client = ["--", "sh", "-c", "echo hello >/dev/tty1; echo a"];
    let output = run(directory, &[&words[..], &client].concat())?;
    let png = fs::read(directory.join("screen.png")).unwrap_or_default();
    let page = fs::read_to_string(directory.join("page.html")).unwrap_or_default();
    let missing = ["<span class=\"state passed\">passed</span>", "<pre>a\n</pre>", &STANDARD.encode(&png)]
        .into_iter()
        .position(|part| !page.contains(part));
    let shown = match missing {
        _ if png.is_empty() => Err("there is no picture".to_owned()),
        Some(part) => Err(format!("the page of {} bytes lacks part {part}", page.len())),
        None => Ok(()),
    };
    Ok(check(&output, 0, "a\n").and(shown))
}

fn events_in_order(directory: &Path) -> Result<Result<(), String>> {
    let output = drydock(directory, &["--json", "run", DRIVER, "--", "sh", "-c", "exit 3"])?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let events = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let about = |event: &Value| match event["event"].as_str()? {
        "booted" => Some("booted".to_owned()),
        "command-started" => Some(format!("{} starts", event["command"].as_str()?)),
        "command-ended" => Some(format!("ended with {}", event["exit_code"])),
        "verdict" => Some(format!("{}: {}", event["verdict"].as_str()?, event["why"].as_str()?)),
        _ => None,
    };
    let told: Vec<String> = events.filter_map(|event| about(&event)).collect();
    let expected =
        ["booted", "sh -c 'exit 3' starts", "ended with 3", "failed: ended with exit code 3, expected exit code 0"];
    Ok(check(&output, 3, "").and(if told == expected { Ok(()) } else { Err(format!("the events are {told:?}")) }))
}

/// Runs a program beside one that waits for the end of its input, and lets a third be killed by that one's end.
fn second_program(directory: &Path) -> Result<Result<(), String>> {
    let script = "touch /tmp/mark; echo ready; cat; echo over";
    let mut first = command(directory, &["run", DRIVER, "--", "sh", "-c", script]);
    first.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut run = first.spawn().context("failed to start the lab again")?;
    let (input, out) = (run.stdin.take(), run.stdout.take().expect("it is piped"));
    let mut out = BufReader::new(out);
    let mut line = String::new();
    out.read_line(&mut line)?;
    let pid = run.id().to_string();
    let beside = drydock(directory, &["attach", &pid, "--", "sh", "-c", "ls /tmp/mark; echo err >&2; exit 7"])?;
    let missing = drydock(directory, &["attach", &pid, "--", "no-such-program"])?;
    let mut last = command(directory, &["attach", &pid, "--", "sh", "-c", "echo here; sleep 100000"]);
    let mut last =
        last.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().context("failed to start the lab again")?;
    BufReader::new(last.stdout.take().expect("it is piped")).read_line(&mut line)?;
    drop(input);
    let (last, ended) = (last.wait()?, run.wait()?);
    out.read_to_string(&mut line)?;
    let interrupted = i32::from(drydock_base::exit::INTERRUPTED);
    Ok(check(&beside, 7, "/tmp/mark\n").and(check(&missing, 1, "")).and(
        match (line.as_str(), ended.code(), last.code()) {
            ("ready\nhere\nover\n", Some(0), Some(code)) if code == interrupted => Ok(()),
            _ => Err(format!("the outputs are {line:?}; the run: {ended}; the program beside it: {last}")),
        },
    ))
}

/// Writes more to a directory than its file system has room for. The guest's kernel caches writes, so `dd` sees no error.
fn full_directory(directory: &Path) -> Result<Result<(), String>> {
    let script = "mount -t tmpfs -o size=100k tmpfs . && cd \"$PWD\" && exec \"$0\" \"$@\"";
    let us = fs::read_link("/proc/self/exe")?;
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]).arg(us);
    command.args(["run", DRIVER, "--root", "host", "--write", ".", "--"]);
    command.args(["dd", "if=/dev/zero", "of=file", "bs=1k", "count=300"]).current_dir(directory).stdin(Stdio::null());
    drydock_base::process::die_with_us(&mut command);
    let output = command.output().context("failed to start `unshare`")?;
    let is_said = String::from_utf8_lossy(&output.stderr).contains("No space left on device");
    Ok(check(&output, i32::from(drydock_base::exit::code(Kind::Host)), "").and(match is_said {
        true => Ok(()),
        false => Err("stderr does not say that the device is full".to_owned()),
    }))
}

/// Ends a program that handles SIGTERM, by a signal to the lab.
fn first_signal(directory: &Path) -> Result<Result<(), String>> {
    let script = "trap 'echo caught; exit 9' TERM; echo ready; while :; do sleep 1; done";
    let mut run = command(directory, &["run", DRIVER, "--", "sh", "-c", script]);
    // As on a terminal, the whole group gets the signal.
    let mut run = run
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .context("failed to start the lab again")?;
    let mut out = BufReader::new(run.stdout.take().expect("it is piped"));
    let mut said = String::new();
    out.read_line(&mut said)?;
    kill_process_group(Pid::from_child(&run), Signal::TERM).context("failed to send a signal")?;
    out.read_to_string(&mut said)?;
    let ended = run.wait()?;
    Ok(match (said.as_str(), ended.code()) {
        ("ready\ncaught\n", Some(9)) => Ok(()),
        _ => Err(format!("{ended}, stdout {said:?}")),
    })
}

/// Lets util-linux's `script` give the lab a terminal.
fn on_a_terminal(directory: &Path) -> Result<Result<(), String>> {
    let us = fs::read_link("/proc/self/exe")?;
    let us = shlex::try_quote(us.to_str().unwrap_or_default()).context("the lab's path has a NUL")?.into_owned();
    let client = "sh -c 'tty; stty size; read line; echo \"got $line\"; exit 5'";
    let line = format!("stty rows 30 cols 100; exec {us} run {DRIVER} -- {client}");
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &line, "/dev/null"]).current_dir(directory);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    drydock_base::process::die_with_us(&mut command);
    let mut script = command.spawn().context("failed to start `script`")?;
    let mut input = script.stdin.take().expect("it is piped");
    input.write_all(b"typed\n")?;
    let mut said = String::new();
    script.stdout.take().expect("it is piped").read_to_string(&mut said)?;
    drop(input);
    let ended = script.wait()?;
    let parts = ["/dev/hvc0", "30 100", "got typed"];
    Ok(match parts.iter().find(|part| !said.contains(**part)) {
        None if ended.code() == Some(5) => Ok(()),
        None => Err(format!("{ended}")),
        Some(part) => Err(format!("`{part}` is missing; the last line is {:?}", said.trim_end().lines().last())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_cases_exist() {
        assert!(LONG.iter().all(|long| CASES.iter().any(|(name, _)| name == long)));
    }
}
