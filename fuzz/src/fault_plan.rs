// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A fault plan: the only TOML that the lab reads. A valid plan is then played.

use drydock_models::Gpu;
use drydock_models::fault::Plan;

use crate::Target;
use crate::device::{Machine, Step};

pub(crate) const TARGET: Target =
    Target { name: "fault-plan", run, show: |bytes| String::from_utf8_lossy(bytes).into_owned() };

fn run(bytes: &[u8]) {
    // The lab reads a file as text, and refuses one that is not.
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    play(text, Machine::mali);
    play(text, Machine::nova);
}

fn play<G: Gpu>(text: &str, machine: impl FnOnce(Plan<G::Fault>) -> Machine<G>) {
    let Ok(plan) = Plan::parse::<G>(text) else { return };
    let mut machine = machine(plan);
    for step in [Step::Wait, Step::read(0, 0, 4), Step::Sleep(2_000), Step::read(0, 0xa00, 4), Step::Reset, Step::Wait]
    {
        machine.take(&step);
    }
    machine.end();
}
