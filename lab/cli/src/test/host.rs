// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The tests that run on the host: `cargo test` of the whole workspace.
//!
//! Source: the output of libtest, `test NAME ... ok|FAILED|ignored`. Its machine-readable output is not stable.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::process::Command;

use drydock_base::error::{Error, Kind, Result};
use drydock_base::process;

use super::names;
use super::suite::{Case, Context, Need, Suite, Verdict};

/// The workspace's own tests.
pub(super) struct Host;

/// The suite's name.
pub(super) const NAME: &str = "host";

impl Suite for Host {
    fn name(&self) -> &'static str {
        NAME
    }

    fn need(&self) -> Need {
        Need::Checkout
    }

    fn names(&self, repo: &Path) -> Result<BTreeSet<String>> {
        names::of_host(repo)
    }

    fn run(&self, context: &Context<'_>, tell: &mut dyn FnMut(Case)) -> Result<()> {
        let step = context.events.step("cargo test");
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
        // Both streams share a pipe, so that each line can be attributed to a program's tests.
        let mut command = Command::new("sh");
        let test = "exec \"$0\" test --workspace --no-fail-fast --color never --manifest-path \"$1\" 2>&1";
        command.args(["-c", test, &cargo]).arg(context.repo.join("Cargo.toml"));
        // Cargo reads settings in and above its working directory.
        command.current_dir("/");
        let mut lines = Vec::new();
        let ended = process::watch(&mut command, &step, |line| {
            step.line(line);
            lines.push(line.to_owned());
            true
        });
        let cases = parse(&lines);
        if cases.is_empty() {
            let why = "the workspace's tests do not build";
            return Err(Error::new(Kind::Build, why).details(lines.into_iter().rev().take(40).rev()));
        }
        let failed = cases.iter().any(|case| matches!(case.verdict, Verdict::Failed { .. }));
        step.done_with(format!("{} cases", cases.len()));
        cases.into_iter().for_each(tell);
        match ended {
            // The failed case was already reported.
            Err(error) if !failed || error.kind() == Kind::Interrupted => Err(error),
            _ => Ok(()),
        }
    }
}

/// Parses the cases in the output of `cargo test`.
fn parse(lines: &[String]) -> Vec<Case> {
    let mut program = String::new();
    let mut cases = Vec::new();
    let mut said: HashMap<String, Vec<String>> = HashMap::new();
    let mut speaker = None;
    for line in lines {
        if let Some(name) = program_of(line) {
            program = name;
            speaker = None;
        } else if let Some(case) = case_of(line) {
            let name = format!("host::{program}::{}", case.0);
            cases.push(Case { name, verdict: case.1 });
        } else if let Some(name) = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----")) {
            speaker = Some(format!("host::{program}::{name}"));
        } else if line == "failures:" || line.starts_with("test result:") {
            speaker = None;
        } else if let Some(speaker) = &speaker {
            said.entry(speaker.clone()).or_default().push(line.clone());
        }
    }
    for case in &mut cases {
        if let (Verdict::Failed { why, details }, Some(lines)) = (&mut case.verdict, said.remove(&case.name)) {
            *why = telling(&lines);
            *details = lines;
        }
    }
    cases
}

/// Parses `Running unittests src/main.rs (target/debug/deps/NAME-HASH)` or `Doc-tests NAME`.
fn program_of(line: &str) -> Option<String> {
    let line = line.trim_start();
    if let Some(name) = line.strip_prefix("Doc-tests ") {
        return Some(format!("{name}::doc"));
    }
    let path = line.strip_prefix("Running ")?.rsplit_once('(')?.1.trim_end_matches(')');
    let file = path.rsplit('/').next()?;
    Some(file.rsplit_once('-').map_or(file, |(name, _)| name).to_owned())
}

fn case_of(line: &str) -> Option<(&str, Verdict)> {
    let (name, ending) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    let verdict = match ending.split([',', ' ']).next()? {
        "ok" => Verdict::Passed,
        "FAILED" => Verdict::Failed { why: "it failed".into(), details: Vec::new() },
        "ignored" => {
            let why = ending.split_once(", ").map_or("marked `#[ignore]`", |(_, why)| why);
            Verdict::Skipped { why: why.to_owned() }
        }
        _ => return None,
    };
    Some((name.split(" - should panic").next().unwrap_or(name), verdict))
}

/// Returns the line that says what went wrong: the one after the panic's location.
fn telling(lines: &[String]) -> String {
    let at = lines.iter().position(|line| line.contains("panicked at"));
    let line = at.and_then(|at| lines.get(at + 1)).or_else(|| lines.first());
    line.map_or("it failed".to_owned(), |line| line.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn cases_bear_the_name_of_their_program() {
        let cases = parse(&lines(
            "     Running unittests src/main.rs (target/debug/deps/drydock-0123abcd)\n\
             running 2 tests\n\
             test vm::archive::tests::equal ... ok\n\
             test slow ... ignored, needs a guest\n\
             \u{20}  Doc-tests drydock_agent\n\
             test lab/agent/src/lib.rs - (line 3) ... ok\n",
        ));
        assert_eq!(cases[0].name, "host::drydock::vm::archive::tests::equal");
        assert_eq!(cases[1].verdict, Verdict::Skipped { why: "needs a guest".into() });
        assert_eq!(cases[2].name, "host::drydock_agent::doc::lab/agent/src/lib.rs - (line 3)");
    }

    #[test]
    fn a_failure_says_why() {
        let cases = parse(&lines(
            "     Running unittests src/lib.rs (target/debug/deps/x-0)\n\
             test a ... FAILED\n\
             failures:\n\
             ---- a stdout ----\n\
             thread 'a' panicked at src/lib.rs:3:5:\n\
             assertion failed: 1 == 2\n\
             failures:\n    a\n\
             test result: FAILED. 0 passed; 1 failed\n",
        ));
        let Verdict::Failed { why, details } = &cases[0].verdict else { panic!("{:?}", cases[0]) };
        assert_eq!(why, "assertion failed: 1 == 2");
        assert_eq!(details.len(), 2);
    }
}
