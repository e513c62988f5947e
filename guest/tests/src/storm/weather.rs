// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Disrupts the device while processes use it, one disruption after the other. For some of the time memory is short as
//! well.
//!
//! Source: `drivers/base/bus.c` for the errors of `bind` and `unbind`, delete_module(2) (Linux 7.3).

use std::time::{Duration, Instant};

use fastrand::Rng;
use rustix::io::Errno;

use crate::harness::check::{Outcome, fail, name};
use crate::harness::modules;
use crate::works;

use super::Plan;
use super::board::{Board, Order};
use super::device::{Device, Happening};
use super::figures::Happened;
use super::memory::Memory;
use super::processes::{self, Processes};
use super::watch::Doing;

/// How long modules may be held after every process has closed everything: longer than the lifetime of an unsignalled
/// vgem fence.
const HELD: Duration = Duration::from_secs(20);

/// The state of the disruptions.
pub(super) struct Weather<'s> {
    pub(super) device: Device<'s>,
    pub(super) random: Rng,
    pub(super) board: &'s Board,
    pub(super) memory: &'s Memory,
    pub(super) processes: Processes<'s>,
    pub(super) count: usize,
    pub(super) doing: &'s Doing,
    pub(super) patience: u32,
    /// The end of the current shortage of memory, if there is one.
    pub(super) short_until: Option<Instant>,
    pub(super) happened: Happened,
}

/// Gives the processes a random time to do something. It sets a pace and waits for nothing.
fn pause(random: &mut Rng, most: u64) {
    std::thread::sleep(Duration::from_millis(random.u64(..=most)));
}

impl Weather<'_> {
    /// Disrupts the device until the time is over, or on a slow machine until everything has happened, or until it was
    /// unplugged often enough. Reports progress
    /// now and then.
    pub(super) fn blow(&mut self, plan: &Plan) -> Outcome {
        let (begun, mut told) = (Instant::now(), 0);
        let most = plan.time * self.patience;
        let goes_on = |happened: &Happened| match plan.unplugs {
            Some(unplugs) => happened.unplugs < unplugs,
            None => begun.elapsed() < plan.time || happened.lacks().is_some() && begun.elapsed() < most,
        };
        while goes_on(&self.happened) {
            self.doing.set("pausing");
            pause(&mut self.random, 60);
            self.happen()?;
            self.relieve(Instant::now());
            self.happened.killed_for_memory += self.processes.look()?;
            let seconds = begun.elapsed().as_secs();
            if seconds > told {
                told = seconds;
                (plan.tell)(&self.so_far(seconds));
            }
        }
        self.doing.set("ending the processes");
        self.end_shortage();
        self.processes.finish()?;
        self.doing.set("looking at the device afterwards");
        self.afterwards()
    }

    fn so_far(&self, seconds: u64) -> String {
        let Happened { unplugs, reloads, faults, .. } = self.happened;
        let calls = self.board.calls();
        format!("at {seconds} s: {calls} calls, {unplugs} unplugs, {reloads} reloads, {faults} faults")
    }

    fn happen(&mut self) -> Outcome {
        let happenings = self.device.happenings();
        let chosen = super::weighted(&mut self.random, happenings.iter().map(|(_, weight)| *weight));
        let (happening, _) = happenings[chosen];
        self.doing.set(format!("{happening:?}"));
        match happening {
            Happening::Unbind => self.change(Self::unbind),
            Happening::UnbindChild => self.change(Self::unbind_child),
            Happening::Remove => self.change(Self::remove),
            Happening::Reload => self.change(Self::reload),
            Happening::Fault => self.change(Self::fault),
            Happening::Shortage => self.shortage(),
            Happening::Kill => self.kill(),
        }
    }

    /// Runs an action during which the device may be removed.
    fn change(&mut self, part: impl FnOnce(&mut Self) -> Outcome) -> Outcome {
        self.board.turn();
        let outcome = part(self);
        self.board.turn();
        outcome
    }

    fn unbind(&mut self) -> Outcome {
        works!(self.device.unbind()?);
        self.happened.unplugs += 1;
        pause(&mut self.random, 10);
        works!(self.device.bind()?);
        self.happened.rebinds += 1;
        Ok(())
    }

    fn unbind_child(&mut self) -> Outcome {
        let random = &mut self.random;
        self.device.toggle_child(|| pause(random, 10))?;
        self.happened.unplugs += 1;
        self.happened.rebinds += 1;
        Ok(())
    }

    fn remove(&mut self) -> Outcome {
        let random = &mut self.random;
        self.device.toggle_function(|| pause(random, 10))?;
        self.happened.unplugs += 1;
        self.happened.removals += 1;
        self.happened.rebinds += 1;
        self.must_be_bound("after its function was removed and found again")
    }

    fn must_be_bound(&self, when: &str) -> Outcome {
        match self.device.is_bound()? {
            true => Ok(()),
            false => fail(format!("the driver does not have its device {when}")),
        }
    }

    /// Unloads the modules, which succeeds if they have no users. A module that stays is held by a leaked reference.
    fn reload(&mut self) -> Outcome {
        // With next to no memory, a process would not get far enough to leave.
        self.end_shortage();
        self.processes.send_away()?;
        let since = Instant::now();
        loop {
            match self.device.unload() {
                Ok(()) => break,
                Err(Errno::AGAIN | Errno::BUSY) if since.elapsed() < HELD * self.patience => {
                    self.device.end_exported_console()?;
                    // Nothing reports when a module's last user is gone.
                    std::thread::sleep(Duration::from_millis(2));
                }
                Err(errno) => {
                    let (users, held) = (self.device.users()?, processes::holders());
                    let errno = name(errno);
                    return fail(format!(
                        "everything is closed, and the modules cannot be unloaded ({errno}):{users}{held}"
                    ));
                }
            }
        }
        self.device.load()?;
        self.board.give(Order::Storm);
        self.happened.reloads += 1;
        self.must_be_bound("after its module was loaded again")
    }

    /// Plans a fault with clients at work, and sometimes probes the faulty GPU. At the end everything is repaired.
    fn fault(&mut self) -> Outcome {
        let faults = self.device.faults();
        let fault = faults[self.random.usize(..faults.len())];
        let fault = fault.replace('N', &self.random.u32(..400).to_string());
        self.doing.set(format!("the GPU's fault {fault}"));
        self.device.fault(&fault)?;
        pause(&mut self.random, 100);
        if self.random.bool() {
            self.meet()?;
        }
        pause(&mut self.random, 30);
        self.doing.set(format!("the end of the GPU's fault {fault}"));
        self.device.repair()?;
        works!(self.device.bind()?);
        self.happened.faults += 1;
        self.happened.unplugs += 1;
        self.happened.rebinds += 1;
        Ok(())
    }

    /// Probes a GPU that has a fault.
    fn meet(&mut self) -> Outcome {
        works!(self.device.unbind()?);
        self.happened.unplugs += 1;
        match self.device.bind()? {
            Ok(()) => self.happened.rebinds += 1,
            Err(Errno::NODEV | Errno::IO | Errno::TIMEDOUT | Errno::NOMEM | Errno::INVAL | Errno::OPNOTSUPP) => {
                self.happened.failed_probes += 1;
            }
            Err(errno) => return fail(format!("a probe that meets a fault answers {}", name(errno))),
        }
        Ok(())
    }

    /// Makes memory short from now on for a while, whatever else happens.
    fn shortage(&mut self) -> Outcome {
        self.memory.begin(self.board, self.random.u64(..2 << 20));
        self.short_until = Some(Instant::now() + Duration::from_millis(self.random.u64(..=1500)));
        self.happened.shortages += 1;
        Ok(())
    }

    fn relieve(&mut self, now: Instant) {
        if self.short_until.is_some_and(|until| until <= now) {
            self.end_shortage();
        }
    }

    fn end_shortage(&mut self) {
        if self.short_until.take().is_some() {
            self.memory.end(self.board);
        }
    }

    fn kill(&mut self) -> Outcome {
        let chosen = self.random.usize(..self.count);
        self.processes.kill(chosen)?;
        self.happened.killed += 1;
        Ok(())
    }

    /// Checks, after all processes have exited, that the device works, nothing holds a module, and everything can be
    /// unloaded and loaded.
    fn afterwards(&mut self) -> Outcome {
        self.device.ready()?;
        let driver = self.device.0.driver.module();
        let since = Instant::now();
        while let Err(errno) = modules::remove(driver) {
            if errno != Errno::AGAIN || since.elapsed() > HELD * self.patience {
                let (users, held) = (self.device.users()?, processes::holders());
                return fail(format!("`{driver}` cannot be unloaded afterwards ({}):{users}{held}", name(errno)));
            }
            self.device.end_exported_console()?;
            std::thread::sleep(Duration::from_millis(2));
        }
        self.device.load()?;
        self.device.ready()
    }
}
