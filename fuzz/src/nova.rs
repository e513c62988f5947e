// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The model of an NVIDIA GPU.

use drydock_models::fault::Plan;
use nova_regs::regs;

use crate::Target;
use crate::bytes::Bytes;
use crate::device::{Machine, Step};

/// The most steps on one device.
const MOST: usize = 256;

pub(crate) const TARGET: Target =
    Target { name: "nova", run, show: |bytes| steps(bytes).iter().map(|step| format!("{step:?}\n")).collect() };

fn steps(bytes: &[u8]) -> Vec<Step> {
    let places: Vec<usize> = regs::ALL.iter().map(|(offset, _)| *offset).collect();
    Bytes::new(bytes).all(MOST, |bytes| Step::from(bytes, &places))
}

fn run(bytes: &[u8]) {
    let mut machine = Machine::nova(Plan::default());
    steps(bytes).iter().for_each(|step| machine.take(step));
    machine.end();
}
