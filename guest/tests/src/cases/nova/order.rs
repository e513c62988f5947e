// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Every order of unbinding, unloading, removing and closing, with each step's answer and what the client sees after
//! it.
//!
//! A small model predicts the state, which the test compares with the machine after each step. Source:
//! delete_module(2), `unbind_store` in `drivers/base/bus.c` (Linux 7.3).

use rustix::io::Errno;
use sys::Answer;

use crate::harness::check::{Outcome, Stop, fail};
use crate::harness::modules;
use crate::same;
use crate::subjects::driver::module_users;
use crate::subjects::guest::Guest;
use crate::subjects::nova::{CORE, Child, DRM, Gpu, NovaFile, unload};

use super::life::{client, is_dead};

crate::cases::cases! {
    "nova_order" for Nova:
    unbinding_unloading_and_closing within 300, removing_unloading_and_closing within 300,
}

/// A step of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    UnbindParent,
    UnbindChild,
    Remove,
    UnloadParent,
    UnloadChild,
    Close,
}

/// The predicted state, as far as the steps can change it.
#[derive(Clone, Copy, Debug)]
struct State {
    function: bool,
    parent_loaded: bool,
    child_loaded: bool,
    parent_bound: bool,
    child_bound: bool,
    open: bool,
}

impl State {
    /// Returns the step's predicted answer and the state after it.
    fn after(mut self, step: Step) -> (Answer, Self) {
        let refused = match step {
            Step::UnbindParent => self.refused(self.parent_loaded, self.parent_bound),
            Step::UnbindChild => self.refused(self.child_loaded, self.child_bound),
            Step::Remove => (!self.function).then_some(Errno::NOENT),
            // Data that the child's driver borrows may point into the parent's module.
            Step::UnloadParent => self.child_loaded.then_some(Errno::AGAIN),
            Step::UnloadChild => self.open.then_some(Errno::AGAIN),
            Step::Close => None,
        };
        if let Some(errno) = refused {
            return (Err(errno), self);
        }
        match step {
            Step::UnbindParent => self.parent_bound = false,
            Step::UnbindChild => self.child_bound = false,
            Step::Remove => (self.function, self.parent_bound) = (false, false),
            Step::UnloadParent => (self.parent_loaded, self.parent_bound) = (false, false),
            Step::UnloadChild => (self.child_loaded, self.child_bound) = (false, false),
            Step::Close => self.open = false,
        }
        // No child outlives its parent's binding.
        self.child_bound &= self.parent_bound;
        (Ok(()), self)
    }

    /// Without a driver there is no file to write to. A driver refuses a device that it is not bound to.
    fn refused(self, loaded: bool, bound: bool) -> Option<Errno> {
        match (loaded, bound) {
            (false, _) => Some(Errno::NOENT),
            (true, false) => Some(Errno::NODEV),
            (true, true) => None,
        }
    }
}

/// The device on which the steps are taken.
struct Machine {
    gpu: Gpu,
    child: Child,
    file: Option<NovaFile>,
}

impl Machine {
    fn new(guest: &Guest) -> Outcome<Self> {
        let gpu = Gpu::ready(guest)?;
        let child = gpu.child().expect("it is bound");
        let file = Some(client(&gpu)?);
        Ok(Self { gpu, child, file })
    }

    fn take(&mut self, step: Step) -> Answer {
        match step {
            Step::UnbindParent => self.gpu.unbind(),
            Step::UnbindChild => self.child.unbind(),
            Step::Remove => self.gpu.remove(),
            Step::UnloadParent => modules::remove(CORE),
            Step::UnloadChild => modules::remove(DRM),
            Step::Close => {
                self.file = None;
                Ok(())
            }
        }
    }

    /// Checks that everything visible is as predicted.
    fn agrees(&self, state: State) -> Outcome {
        let seen = [
            self.gpu.path("").exists(),
            module_users(CORE)?.is_some(),
            module_users(DRM)?.is_some(),
            self.gpu.path("driver").exists(),
            self.child.path("").exists(),
            self.child.path("driver").exists(),
        ];
        let State { function, parent_loaded, child_loaded, parent_bound, child_bound, .. } = state;
        // The auxiliary device exists exactly as long as its parent is bound.
        same!(seen, [function, parent_loaded, child_loaded, parent_bound, parent_bound, child_bound]);
        match &self.file {
            Some(file) if child_bound => crate::works!(file.vram()),
            Some(file) => return is_dead(file),
            None => return Ok(()),
        };
        Ok(())
    }
}

/// Takes the steps in one order and compares after each.
fn in_order(guest: &Guest, steps: &[Step]) -> Outcome {
    let mut machine = Machine::new(guest)?;
    let mut state = State {
        function: true,
        parent_loaded: true,
        child_loaded: true,
        parent_bound: true,
        child_bound: true,
        open: true,
    };
    machine.agrees(state)?;
    for &step in steps {
        let (wanted, after) = state.after(step);
        let got = machine.take(step);
        if got != wanted {
            return fail(format!("{step:?} answers {got:?} instead of {wanted:?}"));
        }
        state = after;
        machine.agrees(state)?;
    }
    drop(machine);
    match unload() {
        Ok(()) => Ok(()),
        Err(errno) => fail(format!("the modules cannot be unloaded at the end: {errno}")),
    }
}

/// Runs all orders of the steps, each from a fresh start. A failure reports its order.
fn in_every_order(guest: &Guest, steps: &mut [Step]) -> Outcome {
    permute(steps, 0, &mut |order| match in_order(guest, order) {
        Err(Stop::Fail(why)) => fail(format!("{order:?}: {why}")),
        other => other,
    })
}

/// Calls `each` with every order of what follows the first `fixed` items.
fn permute<T: Copy>(items: &mut [T], fixed: usize, each: &mut impl FnMut(&[T]) -> Outcome) -> Outcome {
    if fixed == items.len() {
        return each(items);
    }
    for next in fixed..items.len() {
        items.swap(fixed, next);
        permute(items, fixed + 1, each)?;
        items.swap(fixed, next);
    }
    Ok(())
}

/// All 120 orders of unbinding, unloading and closing behave as predicted.
fn unbinding_unloading_and_closing(guest: &Guest) -> Outcome {
    let mut steps = [Step::UnbindParent, Step::UnbindChild, Step::UnloadParent, Step::UnloadChild, Step::Close];
    in_every_order(guest, &mut steps)
}

/// All 120 orders of removing, unloading and closing behave as predicted.
fn removing_unloading_and_closing(guest: &Guest) -> Outcome {
    let mut steps = [Step::Remove, Step::UnbindChild, Step::UnloadParent, Step::UnloadChild, Step::Close];
    in_every_order(guest, &mut steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: State = State {
        function: true,
        parent_loaded: true,
        child_loaded: true,
        parent_bound: true,
        child_bound: true,
        open: true,
    };

    #[test]
    fn every_order_comes_once() {
        let mut orders = std::collections::BTreeSet::new();
        let mut each = |order: &[u8]| {
            orders.insert(order.to_vec());
            Ok(())
        };
        permute(&mut [1, 2, 3, 4], 0, &mut each).unwrap();
        assert_eq!(orders.len(), 24);
    }

    #[test]
    fn a_child_goes_with_its_parent() {
        let (answer, after) = BOUND.after(Step::UnbindParent);
        assert_eq!((answer, after.child_bound, after.child_loaded), (Ok(()), false, true));
        assert_eq!(after.after(Step::UnbindChild).0, Err(Errno::NODEV));
    }

    #[test]
    fn a_file_holds_the_childs_module_and_that_holds_the_parents() {
        assert_eq!(BOUND.after(Step::UnloadChild).0, Err(Errno::AGAIN));
        assert_eq!(BOUND.after(Step::UnloadParent).0, Err(Errno::AGAIN));
        let closed = BOUND.after(Step::Close).1;
        assert_eq!(closed.after(Step::UnloadParent).0, Err(Errno::AGAIN));
        assert_eq!(closed.after(Step::UnloadChild).1.after(Step::UnloadParent).0, Ok(()));
    }
}
