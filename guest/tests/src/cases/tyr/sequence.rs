// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Thousands of random sequences of VM_BIND, at once and by the queue: the GPU must see what the reference predicts.
//!
//! A sequence that fails is shortened and reported with its seed, which `--seed` makes the first of the case. Source:
//! none; `crate::subjects::tyr::sequence` makes them, `crate::subjects::tyr::reference` judges.

use fastrand::Rng;
use uapi::PAGE;

use crate::harness::check::{Outcome, Stop, fail};
use crate::subjects::guest::Guest;
use crate::subjects::tyr::reference::{Change, Reference, word};
use crate::subjects::tyr::sequence::{BLOCK, Choices, Step, Window, shorten};
use crate::subjects::tyr::view::Vm;
use crate::subjects::tyr::{Gpu, Op, TyrFile, signal};
use crate::works;

use super::queue::ended;

crate::cases::cases! {
    "tyr_sequence" for Tyr:
    sync_binds within 300, mostly_async_binds within 300, with_blocks within 300,
    objects_exclusive_to_the_vm within 120, addresses_around_zero_and_512_gib within 120,
}

const P: u64 = PAGE as u64;

/// The objects of a case: their handles and numbers of pages.
struct Objects {
    handles: Vec<u32>,
    pages: Vec<u64>,
}

impl Objects {
    /// Creates objects whose pages are numbered like the reference's, for a VM if one is given.
    fn new(file: &TyrFile, pages: &[u64], vm: u32) -> Outcome<Self> {
        let mut handles = Vec::new();
        for (bo, pages) in pages.iter().enumerate() {
            let handle = works!(file.bo_of(pages * P, 0, vm));
            let mapping = works!(file.bo_map(handle, *pages as usize * PAGE));
            (0..*pages).for_each(|page| mapping.write(page as usize * PAGE, word(bo, page)));
            handles.push(handle);
        }
        Ok(Self { handles, pages: pages.to_vec() })
    }

    fn op(&self, change: &Change) -> Op {
        match *change {
            Change::Map { bo, first, at, pages, flags } => {
                Op::map(self.handles[bo], first * P, at * P, pages * P).with(flags)
            }
            Change::Sparse { at, pages, flags } => Op::sparse(at * P, pages * P).with(flags),
            Change::Unmap { at, pages } => Op::unmap(at * P, pages * P),
            // This is the page behind the object's last.
            Change::Wrong { bo, at } => Op::map(self.handles[bo], self.pages[bo] * P, at * P, P),
        }
    }
}

/// The VM in which a sequence runs.
struct Place<'p> {
    vm: &'p Vm<'p>,
    objects: &'p Objects,
    window: Window,
    out: u32,
}

impl Place<'_> {
    /// Makes one step with the driver and with the reference, and checks that both answer alike.
    fn step(&self, step: &Step, reference: &mut Reference) -> Outcome {
        let mut ops: Vec<Op> = step.changes.iter().map(|change| self.objects.op(change)).collect();
        let (answer, wanted) = if step.queued {
            if let Some(last) = ops.last_mut() {
                last.syncs.push(signal(self.out));
            }
            let wanted = reference.apply_all(&step.changes);
            let answer = self.vm.bind_async(&ops);
            if answer.is_ok() {
                works!(ended(self.vm.file, self.out));
            }
            (answer, wanted)
        } else {
            let done = reference.apply(&step.changes);
            let (answer, count) = self.vm.file.bind_counted(self.vm.id, 0, &ops);
            if count as usize != done {
                return fail(format!("{count} operations are counted, not {done}, and the answer is {answer:?}"));
            }
            (answer, done == ops.len())
        };
        match (answer, wanted) {
            (Ok(()), true) | (Err(rustix::io::Errno::INVAL), false) => Ok(()),
            (answer, true) => fail(format!("the answer is {answer:?}, but it was not executed")),
            (answer, false) => fail(format!("the answer is {answer:?}, but it was not refused")),
        }
    }

    /// Runs a sequence from an empty VM on. The GPU's view is checked when a step says so, or after each step.
    fn carry_out(&self, steps: &[Step], always: bool) -> Outcome {
        let Window { at, pages } = self.window;
        let mut reference = Reference::default();
        for (number, step) in steps.iter().enumerate() {
            let told = |why: String| fail(format!("step {number}, {step:?}: {why}"));
            match self.step(step, &mut reference) {
                Err(Stop::Fail(why)) => return told(why),
                other => other?,
            }
            if step.look || always {
                if let Some(why) = reference.differs(&self.vm.runs(at * P, pages * P)?, at, pages) {
                    return told(why);
                }
            }
        }
        Ok(())
    }
}

/// The plan of a case: the number and kind of sequences.
struct Plan<'p> {
    sequences: u64,
    pages: &'p [u64],
    window: Window,
    queued: u32,
    looks: u32,
    of_the_vm: bool,
}

/// Runs the sequences, each in a VM of its own unless the objects belong to a VM.
fn run(guest: &Guest, plan: &Plan<'_>) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let file = gpu.open()?;
    let shared = Objects::new(&file, if plan.of_the_vm { &[] } else { plan.pages }, 0)?;
    let out = works!(file.0.syncobj_create(0));
    let choices = Choices { bos: plan.pages, window: plan.window, queued: plan.queued, looks: plan.looks };
    let in_a_vm = |steps: &[Step], always: bool| {
        let vm = Vm::new(&gpu, &file)?;
        let own = Objects::new(&file, if plan.of_the_vm { plan.pages } else { &[] }, vm.id)?;
        let objects = if plan.of_the_vm { &own } else { &shared };
        let place = Place { vm: &vm, objects, window: plan.window, out };
        let outcome = place.carry_out(steps, always);
        works!(file.vm_destroy(vm.id));
        for handle in own.handles {
            works!(file.0.gem_close(handle));
        }
        vm.forget()?;
        outcome
    };
    // A kernel that spends more time on checks gets fewer sequences: its purpose is to check what a sequence does, not
    // to find another one.
    for number in 0..plan.sequences.div_ceil(guest.patience.into()) {
        let seed = guest.seed.wrapping_add(number);
        let steps = choices.sequence(&mut Rng::with_seed(seed));
        if let Err(Stop::Fail(why)) = in_a_vm(&steps, false) {
            return told(seed, &steps, &why, |steps| in_a_vm(steps, true));
        }
    }
    Ok(())
}

/// Reports a failure with the shortest sequence, and with the seed that makes it the first sequence.
fn told(seed: u64, steps: &[Step], why: &str, again: impl Fn(&[Step]) -> Outcome) -> Outcome {
    let fails = |steps: &[Step]| match again(steps) {
        Err(Stop::Fail(why)) => Some(why),
        _ => None,
    };
    if fails(steps).is_none() {
        return fail(format!("seed {seed}, and not again: {why}"));
    }
    let short = shorten(steps.to_vec(), |steps| fails(steps).is_some());
    let short_why = fails(&short).unwrap_or_else(|| "it does not fail again".to_owned());
    let changes: Vec<_> = short.iter().map(|step| (step.queued, &step.changes)).collect();
    fail(format!("seed {seed}: {why}; shortest: {changes:?}: {short_why}"))
}

/// Numbers of pages of the objects: one, some, and more than a block.
const SIZES: &[u64] = &[1, 16, 100, 700];
/// Pages around the border of a block and of a gigabyte's table.
const WINDOW: Window = Window { at: (1 << 18) - 700, pages: 1400 };

fn sync_binds(guest: &Guest) -> Outcome {
    run(guest, &Plan { sequences: 1500, pages: SIZES, window: WINDOW, queued: 0, looks: 3, of_the_vm: false })
}

/// Six of eight steps go through the queue and two do not. None overtakes another: each step ends before the next
/// begins.
fn mostly_async_binds(guest: &Guest) -> Outcome {
    run(guest, &Plan { sequences: 1500, pages: SIZES, window: WINDOW, queued: 6, looks: 3, of_the_vm: false })
}

/// The objects' memory is in pieces of 2 MiB.
fn with_blocks(guest: &Guest) -> Outcome {
    let window = Window { at: (1 << 18) - 2 * BLOCK, pages: 5 * BLOCK };
    run(guest, &Plan { sequences: 600, pages: &[40, BLOCK, 3 * BLOCK], window, queued: 3, looks: 3, of_the_vm: false })
}

/// The objects belong to the VM and share its lock.
fn objects_exclusive_to_the_vm(guest: &Guest) -> Outcome {
    run(guest, &Plan { sequences: 300, pages: SIZES, window: WINDOW, queued: 4, looks: 3, of_the_vm: true })
}

/// The pages are around 512 GiB, and from address zero on.
fn addresses_around_zero_and_512_gib(guest: &Guest) -> Outcome {
    for at in [(1 << 27) - 700, 0] {
        let window = Window { at, pages: 1400 };
        run(guest, &Plan { sequences: 150, pages: SIZES, window, queued: 4, looks: 3, of_the_vm: false })?;
    }
    Ok(())
}
