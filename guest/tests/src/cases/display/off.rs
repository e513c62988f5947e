// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The end of a display whose hooks are counted: each that was switched on is switched off, whatever is under way, and also
//! when memory is missing (K20, K21).
//!
//! Source: `kernel/drm/kms/off.rs`; `drm_atomic_helper_disable_all` in drm_atomic_helper.c (Linux 7.3).

use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::Errno;
use uapi::mode::*;
use uapi::{CLOEXEC, DISPLAY_TEST_COUNTS, DISPLAY_TEST_FIRST_KEY, DISPLAY_TEST_HOLD, DISPLAY_TEST_TICK, DisplayTest};

use super::{Lit, NAME, bus};
use crate::cases::fence::waiting::until_asleep;
use crate::cases::sync;
use crate::cases::vkms::fence::Pending;
use crate::harness::check::{Outcome, fail, name};
use crate::harness::failnth::{Fault, MEMORY};
use crate::harness::modules;
use crate::subjects::display::request::{Place, Request};
use crate::subjects::display::{Display, Frame};
use crate::subjects::guest::Guest;
use crate::subjects::lifecycle::Test;
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "display":
    k3_key_of_an_earlier_device_is_refused, k20_unbind_in_the_middle_of_a_preparation,
    k20_unbind_while_a_flip_waits_for_a_fence, k20_unload_with_a_closed_framebuffer_shown, k20_unbind_under_a_lessee,
    k21_each_failure_at_unbind_is_made_up_for within 120, k21_displays_go_off_without_memory within 120,
    k21_displays_go_off_without_memory_under_a_client within 120,
}

/// The function that switches everything off by a commit.
const BY_COMMIT: &str = "drm_atomic_helper_disable_all";

/// The message of the layer before it switches off without a commit.
const WITHOUT: &str = "no memory to switch the displays off";

impl<'a> Lit<'a> {
    /// Checks that the device, which was unbound, was switched off as often as it was switched on, that nothing is prepared
    /// and that the planes went off by their hooks. Then closes the device and removes the driver at once.
    fn went_off(mut self, planes: u32) -> Outcome<Test<'a>> {
        let wanted = format!("planes off {planes} times, 0 prepared");
        self.test.trace.in_order(&["enabled 1 times, disabled 1 times", &wanted])?;
        self.removed()
    }

    /// Shows a cursor, too.
    fn with_cursor(self) -> Outcome<Self> {
        let output = self.display.output();
        let plane = output.cursor.as_ref().expect("the display has a cursor plane");
        let cursor = self.display.frame_of((64, 64), ARGB8888)?;
        self.commit(&Request::new().show(plane, output, cursor.fb, Place::at((10, 10), (64, 64))))?;
        self.finish()?;
        Ok(self)
    }
}

/// A key names an object of one device. A device with the same memory is another one.
fn k3_key_of_an_earlier_device_is_refused(guest: &Guest) -> Outcome {
    let mut lit = Lit::new(guest)?;
    lit.call(DISPLAY_TEST_FIRST_KEY, 0)?;
    for _ in 0..5 {
        let Lit { test, display, .. } = lit;
        works!(bus("unbind"));
        drop(display);
        works!(bus("bind"));
        lit = Lit::bound(test)?;
        let call = DisplayTest { what: DISPLAY_TEST_FIRST_KEY, ..Default::default() };
        refuses!(lit.display.file.ioctl(&uapi::DISPLAY_TEST, call), INVAL);
    }
    lit.end()
}

/// The unbind waits for the locks of a commit whose framebuffer is being prepared. The commit is then carried out, and its
/// event comes.
fn k20_unbind_in_the_middle_of_a_preparation(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let next = lit.coloured(0x0012_3456)?;
    lit.call(DISPLAY_TEST_HOLD, 1)?;
    std::thread::scope(|scope| -> Outcome {
        let committed = scope.spawn(|| lit.display.flip(lit.display.output(), next.fb, 9));
        while lit.call(DISPLAY_TEST_COUNTS, 0)?.held == 0 {
            std::thread::yield_now();
        }
        let (sender, receiver) = std::sync::mpsc::channel();
        let unbound = scope.spawn(move || {
            sender.send(rustix::thread::gettid()).expect("the receiver outlives the thread");
            bus("unbind")
        });
        until_asleep(receiver.recv().expect("the thread sends before it unbinds"))?;
        same!(lit.call(DISPLAY_TEST_HOLD, 0)?.disabled, 0);
        works!(committed.join().expect("no panic"));
        works!(unbound.join().expect("no panic"));
        Ok(())
    })?;
    same!(lit.display.flipped()?.user_data, 9);
    lit.went_off(1)?.unload()
}

/// A commit that waits for a fence, which comes too late or never, is carried out: its event comes and its own fence is
/// signalled.
fn k20_unbind_while_a_flip_waits_for_a_fence(guest: &Guest) -> Outcome {
    for comes in [true, false] {
        let lit = Lit::new(guest)?;
        let pending = Pending::new(guest)?;
        let output = lit.display.output();
        let flip = Request::new().set(&output.primary, "FB_ID", lit.coloured(7)?.fb.into());
        let flip = flip.in_fence(&output.primary, &pending.file).out_fence(output);
        let fences = works!(lit.display.commit_with_fences(&flip, ATOMIC_NONBLOCK | PAGE_FLIP_EVENT, 7));
        works!(bus("unbind"));
        holds!(!pending.is_signalled()?, "the unbind returns before the fence is signalled");
        same!(lit.display.flipped()?.user_data, 7);
        same!(works!(sync::status_of(&fences[0])), 1);
        if comes {
            pending.signal(0)?;
        }
        drop(fences);
        lit.went_off(1)?.unload()?;
    }
    Ok(())
}

/// The module goes at once while it shows a framebuffer that no file has.
fn k20_unload_with_a_closed_framebuffer_shown(guest: &Guest) -> Outcome {
    let mut lit = Lit::new(guest)?;
    let Frame { fb, handle, .. } = lit.frame;
    works!(lit.display.file.close_fb(fb));
    works!(lit.display.file.destroy_dumb(handle));
    drop(lit.display);
    works!(modules::remove(NAME));
    lit.test.trace.in_order(&["enabled 1 times, disabled 1 times", "planes off 1 times, 0 prepared"])?;
    same!(lit.test.trace.count("never released"), 0);
    lit.test.unload()
}

/// A lessee has a flip under way, for which no vblank comes.
fn k20_unbind_under_a_lessee(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let output = lit.display.output();
    let planes = output.planes().map(|plane| plane.id);
    let objects: Vec<u32> = [output.crtc.id, output.connector.id].into_iter().chain(planes).collect();
    let (_, lessee) = works!(lit.display.file.create_lease(&objects, CLOEXEC));
    let lessee = Display::adopt(lessee)?;
    let frame = lessee.frame(output.size())?;
    works!(lessee.flip(lessee.output(), frame.fb, 3));
    works!(bus("unbind"));
    same!(lessee.flipped()?.user_data, 3);
    refuses!(lessee.flip(lessee.output(), frame.fb, 4), NODEV);
    drop(lessee);
    lit.went_off(1)?.unload()
}

/// Unbinds a display that shows two planes and has a flip under way, with faults. Returns how many calls failed, and
/// whether the display went off without a commit.
fn unbound(test: Test<'_>, arm: impl FnOnce() -> Outcome<Vec<Fault>>) -> Outcome<(Test<'_>, u32, bool)> {
    let mut lit = Lit::loaded(test)?.with_cursor()?;
    works!(lit.display.flip(lit.display.output(), lit.frame.fb, 1));
    lit.test.trace.clear();
    let faults = arm()?;
    works!(bus("unbind"));
    let mut hits = 0;
    for fault in &faults {
        hits += fault.count()?.hits;
    }
    drop(faults);
    same!(lit.display.flipped()?.user_data, 1);
    let without = lit.test.trace.count(WITHOUT);
    holds!(without <= 1, "it went off once");
    Ok((lit.went_off(2)?, hits, without == 1))
}

/// Each allocation of the commit that switches off fails once. The next attempt does it.
fn k21_each_failure_at_unbind_is_made_up_for(guest: &Guest) -> Outcome {
    let _ = modules::remove(NAME);
    let mut test = Test::new(guest)?;
    let mut total = 0;
    for call in MEMORY {
        for nth in 1.. {
            let (next, hits, without) = unbound(test, || Ok(vec![Fault::nth(*call, nth, BY_COMMIT)?]))?;
            test = next;
            holds!(!without, "call {nth} of `{}`: one failure does not matter", call.function);
            if hits == 0 {
                break;
            }
            total += hits;
        }
    }
    holds!(total > 5, "{total} calls could fail");
    test.unload()
}

/// From some allocation on there is no memory for a commit that switches off. The display goes off without: hooks are
/// called, framebuffers and the device are released, and the module can be unloaded at once.
fn k21_displays_go_off_without_memory(guest: &Guest) -> Outcome {
    let _ = modules::remove(NAME);
    let test = Test::new(guest)?;
    let all = || MEMORY.iter().map(|call| Fault::onwards(*call, 1, BY_COMMIT)).collect();
    let (mut test, _, without) = unbound(test, all)?;
    holds!(without, "there was no memory at all");
    let mut total = 0;
    for call in MEMORY {
        for nth in 1.. {
            let (next, hits, without) = unbound(test, || Ok(vec![Fault::onwards(*call, nth, BY_COMMIT)?]))?;
            test = next;
            if hits == 0 {
                break;
            }
            total += u32::from(without);
        }
    }
    holds!(total > 5, "it went off without a commit {total} times");
    test.unload()
}

/// Switches the display on and off again and again, until the device is gone.
fn toggle(lit: &Lit<'_>, begun: &AtomicBool) -> Outcome {
    let requests = [Request::new().off(lit.display.output()), lit.display.lit(lit.display.output(), &lit.frame)?];
    for turn in 0.. {
        let flags = ATOMIC_ALLOW_MODESET | ATOMIC_NONBLOCK | PAGE_FLIP_EVENT;
        match lit.display.commit(&requests[turn % 2], flags, 1) {
            Ok(()) => {}
            // What is off already sends no event, and is refused one.
            Err(Errno::BUSY | Errno::INVAL) => continue,
            Err(Errno::NODEV) => return Ok(()),
            Err(errno) => return fail(format!("a mode set at the unbind fails with {}", name(errno))),
        }
        while !lit.display.has_event()? {
            let tick = DisplayTest { what: DISPLAY_TEST_TICK, ..Default::default() };
            if lit.display.file.ioctl(&uapi::DISPLAY_TEST, tick) == Err(Errno::NODEV) {
                return Ok(());
            }
            std::thread::yield_now();
        }
        lit.display.flipped()?;
        begun.store(turn > 3, Ordering::Relaxed);
    }
    Ok(())
}

/// A client sets modes between the attempts to switch off, for none of which there is memory.
fn k21_displays_go_off_without_memory_under_a_client(guest: &Guest) -> Outcome {
    let _ = modules::remove(NAME);
    let mut test = Test::new(guest)?;
    for _ in 0..5 {
        let mut lit = Lit::loaded(test)?;
        lit.test.trace.clear();
        let faults = MEMORY.iter().map(|call| Fault::onwards(*call, 1, BY_COMMIT)).collect::<Outcome<Vec<_>>>()?;
        let begun = AtomicBool::new(false);
        std::thread::scope(|scope| -> Outcome {
            let client = scope.spawn(|| toggle(&lit, &begun));
            while !begun.load(Ordering::Relaxed) && !client.is_finished() {
                std::thread::yield_now();
            }
            works!(bus("unbind"));
            client.join().expect("the client does not panic")
        })?;
        drop(faults);
        same!(lit.test.trace.count(WITHOUT), 1);
        balanced(&mut lit)?;
        test = lit.removed()?;
    }
    test.unload()
}

/// Checks that the display was switched off as often as on, and that nothing is prepared.
fn balanced(lit: &mut Lit<'_>) -> Outcome {
    same!(lit.test.trace.count(", 0 prepared"), 1);
    let told = lit.test.trace.lines().iter().find_map(|line| line.strip_prefix("enabled ")).map(str::to_owned);
    let numbers = |told: String| -> Option<(u32, u32)> {
        let (on, off) = told.strip_suffix(" times")?.split_once(" times, disabled ")?;
        Some((on.parse().ok()?, off.parse().ok()?))
    };
    match told.and_then(numbers) {
        Some((on, off)) => {
            holds!(on > 1 && on == off, "it was switched on {on} times and off {off} times");
            Ok(())
        }
        None => fail(format!("the driver says nothing: {}", lit.test.trace.told())),
    }
}
