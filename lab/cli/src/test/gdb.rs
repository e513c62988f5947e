// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Debugs the example `counter` with this machine's gdb, as docs/how-to/debug-with-gdb.md does: `gdb::NAME`.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use drydock_base::error::{Context as _, Result};
use drydock_base::process::{die_with_us, wait_within};
use drydock_machine::scenario::Content;

use super::suite::{Case, Context, Filter, Need, Progress, Suite, Verdict};

/// gdb on a guest's kernel.
pub(super) struct Gdb;

const NAME: &str = "gdb";

/// The driver that is debugged.
const DRIVER: &str = "counter";

/// The client in the guest. Its exit code must reach us.
const CLIENT: &str = "counter_client; exit 7";

/// The beginning of the line that starts gdb, in the lab's message.
const LINE: &str = "gdb -x ";

/// The seconds that gdb may take: it waits for a guest.
const LIMIT: &str = "1200";

/// The time for the guest to end after gdb.
const END_LIMIT: Duration = Duration::from_secs(300);

/// A case: gdb's commands, and the parts of its output in their order.
struct Session {
    name: &'static str,
    commands: &'static [&'static str],
    says: &'static [&'static str],
}

const SESSIONS: &[Session] = &[
    Session {
        name: "ioctl_has_a_backtrace_to_the_system_call",
        commands: &["break counter::Counter::next", "continue", "backtrace", "print *next", "delete", "continue"],
        says: &[
            "The guest is stopped.",
            "counter::Counter::next (count=0x",
            "examples/1-counter/counter.rs:",
            "#0  counter::Counter::next (",
            " drm::ioctl::call<counter::Counter, counter::Next,",
            "/drm/ioctl.rs:",
            "in drm_ioctl_kernel ()",
            "in drm_ioctl ()",
            "in __x64_sys_ioctl ()",
            "in entry_SYSCALL_64_after_hwframe ()",
            "counter::Next {value: ",
        ],
    },
    Session {
        name: "probe_is_stopped_before_the_client_starts",
        commands: &["break counter.rs:45", "continue", "backtrace"],
        says: &["counter::{impl#0}::probe (", "in platform_probe ()", "in really_probe ()", "in ksys_write ()"],
    },
];

fn case_name(name: &str) -> String {
    format!("{NAME}::{name}")
}

impl Suite for Gdb {
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
        Ok(SESSIONS.iter().map(|session| case_name(session.name)).collect())
    }

    fn run(&self, context: &Context<'_>, tell: &mut dyn FnMut(Case)) -> Result<()> {
        let wanted: Vec<_> = SESSIONS.iter().filter(|one| context.filter.selects(&case_name(one.name))).collect();
        let mut progress = Progress::begin(context, "gdb on a guest's kernel", wanted.len(), tell);
        for session in &wanted {
            let verdict = match crate::run::gdb::is_here(NAME) {
                true => context.in_time(|| debug(session))?,
                false => {
                    Verdict::Skipped { why: "this machine has no `gdb`; Debian's package `gdb` has it".to_owned() }
                }
            };
            progress.tell(case_name(session.name), verdict);
        }
        progress.done();
        Ok(())
    }
}

/// Runs the client in a guest that waits for gdb, and gdb with the commands.
fn debug(session: &Session) -> Result<Verdict> {
    let mut lab = start_lab()?;
    let mut messages = BufReader::new(lab.stderr.take().expect("stderr is piped"));
    let Some(script) = wait_for_script(&mut messages)? else {
        return Ok(failed("the lab ended before it waited for gdb", ""));
    };
    let said = gdb(&script, session.commands)?;
    // gdb has let the guest run, unless it could not connect. Then the lab would wait for ever.
    if wait_within(&mut lab, END_LIMIT).context("failed to wait for the lab")?.is_none() {
        lab.kill().context("failed to end the lab")?;
    }
    let mut rest = String::new();
    messages.read_to_string(&mut rest).context("failed to read the lab's messages")?;
    let output = lab.wait_with_output().context("failed to wait for the lab")?;
    let client = String::from_utf8_lossy(&output.stdout);
    Ok(match first_missing(&said, session.says) {
        Some(part) => failed(&format!("gdb does not say `{part}`"), &said),
        None if output.status.code() != Some(7) => failed(&format!("the exit code is lost: {}", output.status), &rest),
        None if client != "the ioctl returns 1\nanother client gets 2\n" => failed("the client says", &client),
        None => Verdict::Passed,
    })
}

fn start_lab() -> Result<Child> {
    let mut command = Command::new("/proc/self/exe");
    command.args(["run", DRIVER, "--gdb", "--", "sh", "-c", CLIENT]).current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    die_with_us(&mut command).spawn().context("failed to start the lab again")
}

/// Reads the lab's messages until it waits, and returns the path of gdb's script.
fn wait_for_script(messages: &mut impl BufRead) -> Result<Option<String>> {
    for line in messages.lines() {
        let line = line.context("failed to read the lab's messages")?;
        if let Some((_, script)) = line.split_once(LINE) {
            return Ok(Some(script.trim().to_owned()));
        }
    }
    Ok(None)
}

/// Returns what gdb says. At its end gdb lets the guest run. `timeout` ends it if the guest never gets to a breakpoint.
fn gdb(script: &str, commands: &[&str]) -> Result<String> {
    let mut gdb = Command::new("timeout");
    gdb.args([LIMIT, "gdb", "-nx", "-batch", "-x", script]);
    gdb.args(commands.iter().flat_map(|command| ["-ex", command])).stdin(Stdio::null());
    let output = die_with_us(&mut gdb).output().context("failed to run `gdb`")?;
    Ok([output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat())
}

/// Returns the first of `parts` that `said` does not have behind those before it.
fn first_missing<'p>(said: &str, parts: &[&'p str]) -> Option<&'p str> {
    let mut rest = said;
    parts.iter().copied().find(|part| match rest.split_once(*part) {
        Some((_, after)) => {
            rest = after;
            false
        }
        None => true,
    })
}

fn failed(why: &str, said: &str) -> Verdict {
    Verdict::Failed { why: why.to_owned(), details: said.lines().map(str::to_owned).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_found_in_their_order() {
        assert_eq!(first_missing("a b c", &["a", "c"]), None);
        assert_eq!(first_missing("a b c", &["c", "a"]), Some("a"));
    }

    #[test]
    fn each_command_stands_in_the_documentation() {
        let page = include_str!("../../../../docs/how-to/debug-with-gdb.md");
        for command in SESSIONS.iter().flat_map(|session| session.commands) {
            assert!(page.contains(&format!("(gdb) {command}\n")), "{command}");
        }
    }
}
