// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Measures a cost as the median over many batches of calls.
//!
//! Timer ticks make single batches more expensive, but do not affect the median.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::{self, File};
use std::io::{Error, Result};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

/// A result.
#[derive(Serialize)]
struct Line<'a> {
    row: &'a str,
    driver: &'a str,
    /// Instructions per operation.
    instructions: f64,
}

/// Prints a result.
pub(crate) fn report(row: &str, driver: &str, instructions: f64) -> Result<()> {
    let line = Line { row, driver, instructions };
    println!("{}", serde_json::to_string(&line).map_err(Error::other)?);
    Ok(())
}

/// Returns the guest's clock: with `-icount shift=0`, it advances by one per instruction.
#[inline]
fn now() -> i64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// The number of repetitions of an operation.
#[derive(Clone, Copy)]
pub(crate) struct Repeat {
    batches: usize,
    calls: usize,
}

impl Repeat {
    /// For operations of about a thousand instructions.
    pub(crate) const LIGHT: Self = Self { batches: 200, calls: 200 };
    /// For operations of tens of thousands of instructions.
    pub(crate) const HEAVY: Self = Self { batches: 100, calls: 20 };
}

/// Returns the median cost of `operation`, in instructions.
pub(crate) fn median(repeat: Repeat, mut operation: impl FnMut() -> Result<()>) -> Result<f64> {
    for _ in 0..repeat.calls {
        operation()?;
    }
    median_of(repeat.batches, || {
        let start = now();
        for _ in 0..repeat.calls {
            operation()?;
        }
        Ok((now() - start) as f64 / repeat.calls as f64)
    })
}

/// Returns the median of the results of `sample`.
fn median_of(count: usize, mut sample: impl FnMut() -> Result<f64>) -> Result<f64> {
    let mut samples = (0..count).map(|_| sample()).collect::<Result<Vec<_>>>()?;
    samples.sort_by(f64::total_cmp);
    Ok(samples[samples.len() / 2])
}

/// Returns the instructions that this thread has executed, also in the kernel, but not those during its sleep. The
/// query itself costs some.
fn executed() -> i64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// Returns the costs of two operations, of which the second undoes the first. Both start work on another processor,
/// such as a GPU, and wait for it. The costs are the lower quartiles of many calls. The sleep until the work is done
/// does not count, but the number of polls depends on the other processor's speed.
pub(crate) fn quartiles_of_both(
    mut first: impl FnMut() -> Result<()>,
    mut second: impl FnMut() -> Result<()>,
) -> Result<(f64, f64)> {
    const ROUNDS: usize = 200;
    let mut all = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        let start = executed();
        first()?;
        let middle = executed();
        second()?;
        let end = executed();
        let costs = [middle - start, end - middle, executed() - end];
        all.iter_mut().zip(costs).for_each(|(all, cost)| all.push(cost));
    }
    let [first, second, asking] = all.map(|mut all: Vec<i64>| {
        all.sort_unstable();
        all[all.len() / 4] as f64
    });
    Ok((first - asking, second - asking))
}

/// The number of calls of an operation that sleeps.
const ROUNDS: usize = 100;

/// Returns the median of numbers, of which there is at least one.
fn middle(mut all: Vec<i64>) -> f64 {
    all.sort_unstable();
    all[all.len() / 2] as f64
}

/// Returns the cost of one call. Its sleep does not count.
fn awake_once(operation: &mut impl FnMut() -> Result<()>) -> Result<i64> {
    let start = executed();
    operation()?;
    let end = executed();
    let asking = executed() - end;
    Ok(end - start - asking)
}

/// Returns the median cost of `operation`, which may sleep: sleep does not count. `settle` does not count either.
pub(crate) fn awake(mut operation: impl FnMut() -> Result<()>, mut settle: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut calls = Vec::new();
    for _ in 0..ROUNDS {
        calls.push(awake_once(&mut operation)?);
        settle()?;
    }
    Ok(middle(calls))
}

/// The cost of an operation of which a part is done by workers of the kernel.
pub(crate) struct Cost {
    /// Instructions of the calling thread.
    pub(crate) call: f64,
    /// The instructions of the call and of the workers.
    pub(crate) all: f64,
}

/// Like [`awake`], and counts the kernel's workers too. `settle` returns when they are done.
pub(crate) fn awake_with_workers(
    mut operation: impl FnMut() -> Result<()>,
    mut settle: impl FnMut() -> Result<()>,
) -> Result<Cost> {
    let mut workers = Workers::default();
    let (mut calls, mut all) = (Vec::new(), Vec::new());
    workers.executed()?;
    for _ in 0..ROUNDS {
        let call = awake_once(&mut operation)?;
        settle()?;
        calls.push(call);
        all.push(call + workers.executed()?);
    }
    Ok(Cost { call: middle(calls), all: middle(all) })
}

/// An event that an interrupt brings once a frame, as [`interruption`] measures it.
pub(crate) trait Event {
    /// Returns at the beginning of a frame.
    fn begin(&self) -> Result<()>;
    /// Asks for the event at the end of the frame.
    fn arm(&self) -> Result<()>;
    /// Returns whether it has come.
    fn is_there(&self) -> Result<bool>;
    /// Waits for it and reads it.
    fn take(&self) -> Result<()>;
}

/// Returns the median cost of the interrupt that brings an event, from where it interrupts a program to where the
/// program goes on.
pub(crate) fn interruption(event: &impl Event) -> Result<f64> {
    const SAMPLES: usize = 40;
    /// Nothing happens in the first part of a frame, so the program need not look.
    const SLEEP: Duration = Duration::from_millis(15);
    /// The longest time of looking, in instructions: more than a frame.
    const LIMIT: i64 = 20_000_000;
    let quiet = quiet();
    let mut costs = Vec::new();
    for _ in 0..2 * SAMPLES {
        event.begin()?;
        event.arm()?;
        std::thread::sleep(SLEEP);
        let start = now();
        let mut last = start;
        while last - start < LIMIT {
            let next = now();
            let pause = next - last;
            last = next;
            if pause > 2 * quiet {
                // Other interrupts, such as the scheduler's, are pauses too.
                if event.is_there()? {
                    costs.push(pause - quiet);
                    break;
                }
                last = now();
            }
        }
        event.take()?;
    }
    // An event is missed if it came while the program asked whether it is there.
    match costs.len() {
        SAMPLES.. => Ok(middle(costs)),
        seen => Err(Error::other(format!("saw only {seen} of {} interrupts", 2 * SAMPLES))),
    }
}

/// Returns the median time between two looks at the clock.
fn quiet() -> i64 {
    let mut pauses = [0; 1000];
    pauses.iter_mut().for_each(|pause| {
        let start = now();
        *pause = now() - start;
    });
    pauses.sort_unstable();
    pauses[pauses.len() / 2]
}

/// The threads of the kernel that do queued work, and the instructions that each had executed.
///
/// Source: Documentation/scheduler/sched-stats.rst, "/proc/<pid>/schedstat".
#[derive(Default)]
struct Workers {
    /// For each process, whether it is a worker.
    known: BTreeMap<u32, bool>,
    executed: BTreeMap<u32, i64>,
}

impl Workers {
    /// Returns the instructions since the last call.
    fn executed(&mut self) -> Result<i64> {
        let mut total = 0;
        for entry in fs::read_dir("/proc")? {
            let Ok(process) = entry?.file_name().to_string_lossy().parse::<u32>() else { continue };
            // A process that ends meanwhile has no files any more.
            let is_worker = |process: &u32| {
                fs::read_to_string(format!("/proc/{process}/comm")).is_ok_and(|name| name.starts_with("kworker/"))
            };
            if !*self.known.entry(process).or_insert_with_key(is_worker) {
                continue;
            }
            let Ok(text) = fs::read_to_string(format!("/proc/{process}/schedstat")) else { continue };
            let executed = text.split(' ').next().and_then(|number| number.parse().ok());
            let executed: i64 = executed.ok_or_else(|| Error::other(format!("`{text}` has no number")))?;
            total += executed - self.executed.insert(process, executed).unwrap_or_default();
        }
        Ok(total)
    }
}

/// Returns the median cost of one step of `operation`, which makes `steps` of them. `prepare` does not count.
pub(crate) fn median_prepared<T>(
    steps: usize,
    mut prepare: impl FnMut() -> Result<T>,
    mut operation: impl FnMut(&mut T),
) -> Result<f64> {
    median_of(50, || {
        let mut prepared = prepare()?;
        let start = now();
        operation(&mut prepared);
        Ok((now() - start) as f64 / steps as f64)
    })
}

/// Loads a module and reports the cost from the call to the return. Its node exists then, since the driver probes
/// inside.
pub(crate) fn load(path: &Path) -> Result<()> {
    let file = File::open(path)?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let parameters = CString::default();

    let start = now();
    // SAFETY: finit_module(2) with an open file and a C string.
    let result = unsafe { libc::syscall(libc::SYS_finit_module, file.as_raw_fd(), parameters.as_ptr(), 0) };
    let cost = now() - start;

    if result == -1 {
        return Err(Error::last_os_error());
    }
    report("load the module", &name, cost as f64)
}
