// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Tests that the cases of `kernel/must-not-compile` do not compile, and their twins do. `drydock test compile-fail --bless`
//! accepts the compiler's current messages and writes the page generated from them.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::compile_fail::case::{self, Case, Side};
use crate::compile_fail::compiler::{Compiled, Compiler, Depth};
use crate::compile_fail::page;
use drydock_base::error::{Context as _, Result};
use drydock_base::events::{Step, Unit};

use super::suite::{Case as Told, Context, Need, Suite, Verdict};

/// The cases of `kernel/must-not-compile`.
pub(super) struct CompileFail;

/// The number of compilers that run at the same time.
const JOBS: usize = 2;

impl Suite for CompileFail {
    fn name(&self) -> &'static str {
        "compile-fail"
    }

    fn need(&self) -> Need {
        Need::Modules
    }

    fn names(&self, repo: &Path) -> Result<BTreeSet<String>> {
        Ok(case::all(repo)?.iter().map(case_name).collect())
    }

    fn run(&self, context: &Context<'_>, tell: &mut dyn FnMut(Told)) -> Result<()> {
        let repo = context.repo;
        let mut cases = case::all(repo)?;
        cases.retain(|case| context.filter.selects(&case_name(case)));
        if cases.is_empty() {
            return Ok(());
        }
        let compiler = Compiler::prepare(context.toolchain(), context.modules(), &cases)?;
        let step = context.events.step("compiling the cases that must fail, and their twins");
        for (case, verdict) in cases.iter().zip(judge_all(&compiler, &cases, context.bless, &step)?) {
            tell(Told { name: case_name(case), verdict });
        }
        step.done_with(format!("{} cases, each twice", cases.len()));
        if context.bless {
            page::write(repo)?;
        }
        Ok(())
    }
}

fn case_name(case: &Case) -> String {
    format!("compile-fail::{}", case.name)
}

/// Judges the cases, several at a time, and returns the verdicts in the order of the cases.
fn judge_all(compiler: &Compiler<'_>, cases: &[Case], bless: bool, step: &Step) -> Result<Vec<Verdict>> {
    let next = AtomicUsize::new(0);
    let verdicts = Mutex::new(vec![None; cases.len()]);
    let work = || -> Result<()> {
        while let Some((index, case)) =
            Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|n| Some((n, cases.get(n)?)))
        {
            let verdict = judge(compiler, case, bless)?;
            let mut verdicts = verdicts.lock().expect("no panic under this lock");
            verdicts[index] = Some(verdict);
            let done = verdicts.iter().flatten().count();
            step.progress(done as u64, cases.len() as u64, Unit::Items);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..JOBS).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("a worker does not panic"))
    })?;
    let verdicts = verdicts.into_inner().expect("no panic under this lock");
    Ok(verdicts.into_iter().map(|verdict| verdict.expect("every case was judged")).collect())
}

/// Judges a case: the mistake must fail with the stored message, and the twin must get at least as far.
fn judge(compiler: &Compiler<'_>, case: &Case, bless: bool) -> Result<Verdict> {
    let (message, depth) = match compiler.compile(case, Side::Wrong, Depth::Check)? {
        Compiled::No(message) => (message, Depth::Check),
        Compiled::Yes => match compiler.compile(case, Side::Wrong, Depth::Build)? {
            Compiled::No(message) => (message, Depth::Build),
            Compiled::Yes => return Ok(failed("it compiles", [""; 0])),
        },
    };
    if let Compiled::No(message) = compiler.compile(case, Side::Right, depth)? {
        return Ok(failed("its twin does not compile", message.lines()));
    }
    let kept = case.kept_message();
    if bless {
        std::fs::write(&case.message_path, &message)
            .with_context(|| format!("failed to write `{}`", case.message_path.display()))?;
    } else if kept.as_deref() != Some(&message) {
        let hint = "if the new message is as good, run `./drydock test compile-fail --bless`";
        let kept = kept.unwrap_or_default();
        return Ok(failed("the compiler's message has changed", difference(&kept, &message).chain([hint.to_owned()])));
    }
    Ok(Verdict::Passed)
}

fn failed(why: &str, details: impl IntoIterator<Item = impl Into<String>>) -> Verdict {
    Verdict::Failed { why: why.to_owned(), details: details.into_iter().map(Into::into).collect() }
}

/// Returns the lines that are only in the stored message, then those only in the new one.
fn difference(kept: &str, new: &str) -> impl Iterator<Item = String> {
    let only = |mark: &str, of: &str, not_in: &str| {
        let other: Vec<_> = not_in.lines().collect();
        of.lines().filter(|line| !other.contains(line)).map(|line| format!("{mark} {line}")).collect::<Vec<_>>()
    };
    only("-", kept, new).into_iter().chain(only("+", new, kept))
}
