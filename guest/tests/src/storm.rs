// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A storm: processes make random calls, right and wrong ones, on everything that a device's nodes lead to.
//!
//! Meanwhile the device is unbound, unloaded and bound again, its GPU fails, memory is short, and processes are
//! interrupted and killed.
//!
//! ```text
//! table, place → which calls there are, and their arguments        client, calls, display → one process
//! window       → where the kernel may write                       processes     → all processes
//! board        → state that all processes share                   weather, device, memory → disruptions
//! watch        → finds processes that hang, and where             figures       → the storm in numbers
//! ```
//!
//! A storm passes when nothing hangs, no call has an impossible answer, and the device and its modules are afterwards
//! as before. Whoever started the storm checks the reports of the kernel and of the emulated GPU.
//!
//! Source: `Documentation/gpu/drm-uapi.rst`, "Device Hot-Unplug" (Linux 7.3).

mod board;
mod calls;
mod client;
mod device;
mod display;
mod figures;
mod memory;
mod place;
mod processes;
mod table;
mod watch;
mod weather;
mod window;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fastrand::Rng;
use sys::Disposition;

use crate::harness::check::{Outcome, fail};
use crate::subjects::driver::Driver;
use crate::subjects::guest::Guest;
use crate::works;

use board::Board;
use device::Device;
use figures::{Figures, Happened};
use memory::Memory;
use processes::Processes;
use watch::{Doing, Watch};
use weather::Weather;

/// The prefix of a storm process's name for `--worker`.
pub(crate) const PROCESS: &str = "storm:";
/// The largest number of processes.
pub(crate) const MOST: usize = board::PROCESSES;

/// The parameters of a storm.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// The time that the storm takes, unless it ends after a number of unplugs.
    pub(crate) time: Duration,
    /// The number of unplugs after which the storm ends, however long they take.
    pub(crate) unplugs: Option<u64>,
    pub(crate) processes: usize,
    /// Called with progress lines.
    pub(crate) tell: fn(&str),
    /// Called when a process hangs, which cannot be waited for.
    pub(crate) hangs: fn(&str) -> !,
}

/// Runs a storm on the guest's driver.
pub(crate) fn run(guest: &Guest, plan: &Plan) -> Outcome<Figures> {
    let device = Device(guest);
    if device.happenings().is_empty() {
        return fail(format!("no disruptions are known for the device of driver `{}`", guest.driver.name()));
    }
    device.alone()?;
    device.forget_parameters()?;
    device.ready()?;
    // Signals are ignored until a process is ready for them.
    works!(sys::dispose(libc::SIGUSR1, Disposition::Ignored));
    let (board, file) = works!(Board::new());
    let (memory, doing) = (Memory::prepare()?, Doing::new());
    let rows = table::rows(guest.driver);
    let over = AtomicBool::new(false);
    let watch = Watch {
        board: &board,
        rows: &rows,
        doing: &doing,
        processes: plan.processes,
        patience: guest.patience,
        over: &over,
    };
    (plan.tell)(&format!("memory is made short by {}", memory.name()));
    std::thread::scope(|scope| {
        let watching = scope.spawn(|| {
            if let Err(why) = watch.run(guest.seed) {
                (plan.hangs)(&why);
            }
        });
        let whose = (guest.driver, guest.seed);
        let outcome = Processes::start(whose, (&board, file), &memory, plan.processes).and_then(|processes| {
            let mut weather = Weather {
                device,
                random: Rng::with_seed(guest.seed),
                board: &board,
                memory: &memory,
                processes,
                count: plan.processes,
                doing: &doing,
                patience: guest.patience,
                short_until: None,
                happened: Happened::default(),
            };
            weather.blow(plan)?;
            let failed_allocations = memory.injects().then(|| board.failed());
            let figures = Figures::read(&board, &rows, Happened { failed_allocations, ..weather.happened });
            match figures.opened() {
                0 => fail("no process has opened the device"),
                _ => Ok(figures),
            }
        });
        over.store(true, Ordering::SeqCst);
        watching.join().expect("the watch does not panic");
        outcome
    })
    .and_then(|figures| device.forget_parameters().map(|()| figures))
}

/// Chooses an index at random by the weights.
fn weighted(random: &mut Rng, weights: impl Iterator<Item = u32> + Clone) -> usize {
    let mut left = random.u32(..weights.clone().sum::<u32>());
    for (at, weight) in weights.enumerate() {
        match left.checked_sub(weight) {
            Some(rest) => left = rest,
            None => return at,
        }
    }
    unreachable!("the number is less than the sum")
}

/// Runs process `number` of a storm on the driver.
pub(crate) fn process(driver: Driver, number: usize, processes: usize, seed: u64) -> Outcome {
    client::main(driver, number, processes, seed)
}
