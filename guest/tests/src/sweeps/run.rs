// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Runs tables of operations, with a failure in each place.
//!
//! Source: none.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::RawFd;
use std::path::Path;

use rustix::io::Errno;
use sys::Answer;
use sys::klog::KernelLog;

use super::operation::{Client, Operation};
use crate::harness::check::{Outcome, Stop, fail, name};
use crate::harness::inject::{Failures, Injector, Source};
use crate::harness::slabs::finds_leaks;
use crate::harness::slabs::{self, Slabs};
use crate::subjects::guest::Guest;
use crate::sweeps::calls::some;
use crate::{holds, same};

/// The largest number of failures in an operation: one makes 2 MiB of single pages.
const MOST: u32 = 800;
/// The number of a source's failures in each round in which objects are counted. Of further ones each round takes a
/// sample; all have failed once before that.
const ALL: u32 = 32;
/// How often a table runs before objects are counted, and how often again if there are more objects then.
const ROUNDS: u64 = 3;
const MOST_ROUNDS: u64 = 12;

/// The counts of a sweep.
#[derive(Debug, Default)]
struct Figures {
    failures: u32,
    /// The number of failures that an operation absorbed.
    stood: u32,
}

/// Runs a table until it is known whether it leaks. `open` returns a fresh file; `settled` checks that everything is
/// freed after the last file; `reload` unloads the module and brings the device back.
///
/// The module stays loaded while objects are counted: the kernel keeps the addresses of unloaded modules for a while,
/// in objects of its own.
pub(crate) fn sweep<F: Client>(
    guest: &Guest,
    table: &[Operation<F>],
    open: impl Fn() -> Outcome<F>,
    settled: impl Fn() -> Outcome,
    reload: impl Fn() -> Outcome,
) -> Outcome {
    let injector = Injector::prepare(guest.modules()?)?;
    let mut sweep = Sweep { injector: &injector, log: KernelLog::from_now(), figures: Figures::default() };
    let mut places = sweep.reached(table, &open)?;
    let mut round = || {
        sweep.figures = Figures::default();
        for (operation, places) in table.iter().zip(&mut places) {
            sweep.operation(operation, places, &open)?;
        }
        settled()
    };
    round()?;
    if !finds_leaks() {
        nothing_grows(round)?;
    }
    reload()?;
    let Figures { failures, stood } = sweep.figures;
    holds!(failures > 0, "something fails");
    let (area, operations) = (guest.case, table.len());
    eprintln!("{area}: {operations} operations, {failures} failures, {stood} of which they stood");
    Ok(())
}

/// Checks that no slab cache grows in every round: a change that others cause passes, but a leak adds up.
fn nothing_grows(mut round: impl FnMut() -> Outcome) -> Outcome {
    let slabs = Slabs::new()?;
    let first = slabs.in_use()?;
    let mut grown = slabs::Counts::new();
    for rounds in 1..=MOST_ROUNDS {
        round()?;
        if rounds >= ROUNDS {
            grown = slabs::grown(&first, &slabs.in_use()?);
            grown.retain(|_, growth| *growth >= rounds);
            if grown.is_empty() {
                return Ok(());
            }
        }
    }
    fail(format!("{MOST_ROUNDS} rounds leave these objects: {grown:?}"))
}

/// The number of possible failures of a source in an operation, once that is known.
#[derive(Clone, Copy)]
struct Places {
    source: Source,
    count: Option<u32>,
}

/// A sweep in progress.
struct Sweep<'i> {
    injector: &'i Injector,
    log: KernelLog,
    figures: Figures,
}

impl Sweep<'_> {
    /// Returns what each operation reaches, by running it once.
    fn reached<F: Client>(&self, table: &[Operation<F>], open: &impl Fn() -> Outcome<F>) -> Outcome<Vec<Vec<Places>>> {
        let mut counters = BTreeMap::new();
        for within in table.iter().map(|operation| operation.within) {
            if !counters.contains_key(within) {
                counters.insert(within, self.injector.count(within)?);
            }
        }
        let of_one = |operation: &Operation<F>| {
            let file = open()?;
            let mut reached = Vec::new();
            let once = operation.step(&file, &mut |run| {
                reached = counters[operation.within].reached(|| succeeds(run()))?;
                Ok(Some(true))
            });
            once.map_err(|why| place(format!("`{}`", operation.name), why))?;
            holds!(!reached.is_empty(), "`{}` reaches a source of failures", operation.name);
            Ok(reached.into_iter().map(|source| Places { source, count: None }).collect())
        };
        table.iter().map(of_one).collect()
    }

    /// Makes each failure of each source that an operation reaches.
    fn operation<F: Client>(
        &mut self,
        operation: &Operation<F>,
        places: &mut [Places],
        open: &impl Fn() -> Outcome<F>,
    ) -> Outcome {
        let mut file = Some(open()?);
        for places in places {
            let swept = self.source(operation, *places, &mut file, open);
            let (count, stood) = swept.map_err(|why| place(format!("`{}`", operation.name), why))?;
            let first = places.count.replace(count).is_none();
            let (name, allowed) = (places.source.name(), allowed(operation, places.source));
            if first && (1..u32::MAX).contains(&allowed) && stood == 0 {
                return fail(format!("`{}` absorbs no failure of `{name}`, but its row says so", operation.name));
            }
        }
        Ok(())
    }

    /// Makes each failure of a source until there are no more; if their number is known, these failures. Returns how
    /// many there were, and how many of them the operation absorbed.
    fn source<F: Client>(
        &mut self,
        operation: &Operation<F>,
        Places { source, count }: Places,
        slot: &mut Option<F>,
        open: &impl Fn() -> Outcome<F>,
    ) -> Outcome<(u32, u32)> {
        // This makes everything that exists once per file.
        slot.as_ref().expect("a file is open").state()?;
        let before = slot.as_ref().expect("a file is open").state()?;
        let failures = self.injector.failures(source, operation.within)?;
        let mut stood = 0;
        for nth in places(count) {
            let at = |why: Stop| place(format!("call {nth} of `{}`", source.name()), why);
            let descriptors = descriptors()?;
            let file = slot.as_ref().expect("a file is open");
            let failed = self.step(operation, (source, &failures, nth), &mut stood, file).map_err(at)?;
            if source.loses_answers() {
                // The numbers of the objects that were made are unknown, so the file is closed with them.
                *slot = None;
                close_others(&descriptors)?;
                *slot = Some(open()?);
            }
            let state = slot.as_ref().expect("a file is open").state().map_err(at)?;
            holds!(state == before, "call {nth} of `{}`: the file has {before}, and not {state}", source.name());
            if let Some(report) = self.log.report() {
                return fail(format!("call {nth} of `{}`: kernel log: {report}", source.name()));
            }
            if !failed && count.is_none() {
                return Ok((nth - 1, stood));
            }
        }
        match count {
            Some(count) => Ok((count, stood)),
            None => fail(format!("`{}` has more than 800 possible failures", source.name())),
        }
    }

    /// Runs the operation with one failure. Returns whether a call failed.
    fn step<F: Client>(
        &mut self,
        operation: &Operation<F>,
        (source, failures, nth): (Source, &Failures<'_>, u32),
        stood: &mut u32,
        file: &F,
    ) -> Outcome<bool> {
        let mut failed = false;
        let figures = &mut self.figures;
        operation.step(file, &mut |run| {
            failures.arm(nth)?;
            let answer = run();
            failed = failures.disarm()?;
            figures.failures += u32::from(failed);
            if failed && answer.is_ok() {
                *stood += 1;
                figures.stood += 1;
            }
            judge(operation, source, failed, answer, *stood)?;
            Ok((!source.loses_answers()).then_some(answer.is_ok()))
        })?;
        Ok(failed)
    }
}

/// Returns which calls of a source fail in turn.
fn places(count: Option<u32>) -> Vec<u32> {
    match count {
        None => (1..=MOST).collect(),
        Some(last) => some(ALL, last),
    }
}

/// Checks that the answer is success.
fn succeeds(answer: Answer) -> Outcome {
    match answer {
        Ok(()) => Ok(()),
        Err(errno) => fail(format!("{} without a failure", name(errno))),
    }
}

/// Checks that the answer fits. `stood` is the number of the source's failures that the operation absorbed so far.
fn judge<F>(operation: &Operation<F>, source: Source, failed: bool, answer: Answer, stood: u32) -> Outcome {
    let wanted = if source.is_copy() { &[Errno::FAULT] } else { operation.wants };
    match (failed, answer) {
        (false, answer) => succeeds(answer),
        (true, Ok(())) if stood <= allowed(operation, source) => Ok(()),
        (true, Ok(())) => fail("the failure is swallowed"),
        (true, Err(errno)) if wanted.contains(&errno) => Ok(()),
        (true, Err(errno)) => fail(format!("answered by {}", name(errno))),
    }
}

/// Returns how many failures of a source an operation may absorb.
fn allowed<F>(operation: &Operation<F>, source: Source) -> u32 {
    let named = || operation.stands.iter().filter(|(function, _)| *function == source.name());
    match source {
        // The checkers of a debug kernel (DMA-API's, object debugging's) allocate objects of their own and tolerate
        // failures. Only the stock kernel shows which failures are swallowed, function by function.
        Source::Slab => u32::MAX,
        source if source.is_pages() => u32::MAX,
        _ => named().map(|(_, calls)| calls).sum(),
    }
}

/// Puts the place before the text of a failure.
fn place(at: String, why: Stop) -> Stop {
    match why {
        Stop::Fail(why) => Stop::Fail(format!("{at}: {why}")),
        Stop::Skip(why) => Stop::Skip(why),
    }
}

/// Returns the numbers of all descriptors that the process has open.
fn descriptors() -> Outcome<BTreeSet<RawFd>> {
    let path = Path::new("/proc/self/fd");
    let listed: Vec<_> = std::fs::read_dir(path)?.flatten().map(|entry| entry.file_name()).collect();
    // The listed folder itself was one of them.
    let open = listed.into_iter().filter(|number| path.join(number).is_symlink());
    Ok(open.filter_map(|number| number.to_string_lossy().parse().ok()).collect())
}

/// Closes descriptors that the kernel has installed without returning them.
fn close_others(known: &BTreeSet<RawFd>) -> Outcome {
    for number in descriptors()?.difference(known) {
        // SAFETY: everything that the program itself has opened since then is closed.
        drop(unsafe { sys::adopt(*number) });
    }
    Ok(())
}

/// Checks that the module has no unexpected users.
pub(crate) fn unused(module: &str) -> Outcome {
    same!(crate::subjects::driver::module_users(module)?, Some(0));
    Ok(())
}
