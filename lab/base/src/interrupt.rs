// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Handles Ctrl-C, SIGTERM and SIGHUP: runs the registered actions, newest first, and exits.
//!
//! Child processes need no action: the kernel kills them with us (`process.rs`). Register an action for anything that
//! outlives a process: a half-made directory, a terminal in raw mode.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::events::Events;
use crate::exit;

type Action = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Registry {
    next: u64,
    actions: BTreeMap<u64, Action>,
}

static REGISTRY: Mutex<Registry> = Mutex::new(Registry { next: 0, actions: BTreeMap::new() });
static HAPPENED: AtomicBool = AtomicBool::new(false);

/// An action that runs if the program is interrupted while this value lives.
#[derive(Debug)]
#[must_use = "the action is forgotten when this is dropped"]
pub struct OnInterrupt(u64);

/// Registers `action` to run if the user interrupts the program.
pub fn on_interrupt(action: impl FnOnce() + Send + 'static) -> OnInterrupt {
    let mut registry = REGISTRY.lock().expect("no action runs under this lock");
    registry.next += 1;
    let key = registry.next;
    registry.actions.insert(key, Box::new(action));
    OnInterrupt(key)
}

impl Drop for OnInterrupt {
    fn drop(&mut self) {
        REGISTRY.lock().expect("no action runs under this lock").actions.remove(&self.0);
    }
}

/// A receiver of the next signal.
type Receiver = Box<dyn FnOnce(i32) + Send>;

static RECEIVER: Mutex<Option<Receiver>> = Mutex::new(None);

/// The next signal goes to a receiver while this value lives.
#[must_use = "the receiver is forgotten when this is dropped"]
pub struct Diverted(());

/// Gives the next signal to `receiver` instead of ending the program. A second one ends it.
pub fn divert(receiver: impl FnOnce(i32) + Send + 'static) -> Diverted {
    *RECEIVER.lock().expect("no receiver runs under this lock") = Some(Box::new(receiver));
    Diverted(())
}

impl Drop for Diverted {
    fn drop(&mut self) {
        *RECEIVER.lock().expect("no receiver runs under this lock") = None;
    }
}

fn receiver() -> Option<Receiver> {
    RECEIVER.lock().expect("no receiver runs under this lock").take()
}

/// Returns whether an interrupt is being handled. Errors that arrive now are its consequences and need no report.
pub fn happened() -> bool {
    HAPPENED.load(Ordering::SeqCst)
}

/// Interrupts the program, as Ctrl-C does.
pub fn raise() {
    drop(receiver());
    // The signal is valid, and we handle it.
    let _ = signal_hook::low_level::raise(SIGTERM);
}

/// Waits for the signal thread to exit the program. The main thread calls this when its work failed because of an
/// interrupt.
pub fn wait_for_the_end() -> ! {
    loop {
        std::thread::park();
    }
}

/// Starts the thread that waits for signals. An interrupt first calls `end_children`, then runs the actions.
pub fn install(events: &Events, end_children: fn()) {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).expect("these signals can be caught");
    let events = events.clone();
    std::thread::spawn(move || {
        let mut signals = signals.forever();
        while let Some(signal) = signals.next() {
            if let Some(receiver) = receiver() {
                receiver(signal);
                continue;
            }
            HAPPENED.store(true, Ordering::SeqCst);
            std::thread::spawn(move || finish(&events, end_children));
            // A second signal means that the user does not want to wait. The next run removes incomplete results.
            signals.next();
            std::process::exit(exit::INTERRUPTED.into());
        }
    });
}

fn finish(events: &Events, end_children: fn()) -> ! {
    end_children();
    if !REGISTRY.lock().expect("no action runs under this lock").actions.is_empty() {
        events.note("interrupted: cleaning up (press again to exit at once)");
    }
    while let Some(action) = newest() {
        action();
    }
    events.note("interrupted");
    let terminal = console::Term::stderr();
    if terminal.is_term() {
        // The bars hide the cursor. Show it again for the next user of the terminal.
        let _ = terminal.show_cursor();
    }
    std::process::exit(exit::INTERRUPTED.into())
}

fn newest() -> Option<Action> {
    let mut registry = REGISTRY.lock().expect("no action runs under this lock");
    Some(registry.actions.pop_last()?.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receiver_gets_one_signal_unless_it_was_dropped() {
        let diverted = divert(|signal| assert_eq!(signal, SIGTERM));
        receiver().unwrap()(SIGTERM);
        assert!(receiver().is_none());
        drop(diverted);
        drop(divert(|_| panic!("must not run")));
        assert!(receiver().is_none());
    }

    #[test]
    fn a_dropped_registration_is_forgotten() {
        let guard = on_interrupt(|| panic!("must not run"));
        let key = guard.0;
        drop(guard);
        assert!(!REGISTRY.lock().unwrap().actions.contains_key(&key));
    }
}
