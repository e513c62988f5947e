// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Commits in which hooks fail, by a driver whose hooks fail on request, and in which allocations fail (K9, K10, K12).
//!
//! Source: `kernel/tests/display/display_test_drm.h`; `atomic_remove_fb` in drm_framebuffer.c (Linux 7.3).

use rustix::io::Errno;
use uapi::mode::*;
use uapi::{DISPLAY_TEST_COUNTS, DISPLAY_TEST_FAIL_CRTC, DISPLAY_TEST_FAIL_PLANE, DISPLAY_TEST_FAIL_PREPARE};

use super::Lit;
use crate::harness::check::Outcome;
use crate::harness::failnth::REALLOC;
use crate::subjects::display::request::Request;
use crate::subjects::guest::Guest;
use crate::sweeps::calls::{IOCTL, Within, sweep};
use crate::{holds, same, works};

crate::cases::cases! {
    "display":
    k9_deadlock_that_a_hook_reports_fails_with_einval, k10_hooks_cannot_keep_a_framebuffer,
    k10_what_else_a_commit_changes_is_checked, k12_each_failure_in_a_flip_is_undone within 60,
}

const HOOKS: [u32; 3] = [DISPLAY_TEST_FAIL_PLANE, DISPLAY_TEST_FAIL_CRTC, DISPLAY_TEST_FAIL_PREPARE];

impl Lit<'_> {
    /// Flips to a framebuffer and back, and checks that one framebuffer is prepared.
    fn flips(&self, other: u32) -> Outcome {
        for fb in [other, self.frame.fb] {
            let flip = Request::new().set(&self.display.output().primary, "FB_ID", fb.into());
            self.commit(&flip)?;
            self.finish()?;
            self.settled()?;
        }
        Ok(())
    }

    /// Waits until the last commit has dropped what it replaced. C cleans up after it has sent the event.
    fn settled(&self) -> Outcome {
        while self.call(DISPLAY_TEST_COUNTS, 0)?.alive > 1 {
            std::thread::yield_now();
        }
        same!(self.call(DISPLAY_TEST_COUNTS, 0)?.alive, 1);
        Ok(())
    }
}

/// A hook cannot take locks, so it has no deadlock to report. C would drop its locks and try again, for ever.
fn k9_deadlock_that_a_hook_reports_fails_with_einval(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let other = lit.coloured(3)?;
    let flip = Request::new().set(&lit.display.output().primary, "FB_ID", other.fb.into());
    for hook in HOOKS {
        for (errno, wanted) in [(Errno::DEADLK, Errno::INVAL), (Errno::IO, Errno::IO), (Errno::NOMEM, Errno::NOMEM)] {
            lit.call(hook, errno.raw_os_error().unsigned_abs())?;
            same!(lit.display.commit(&flip, ATOMIC_NONBLOCK | PAGE_FLIP_EVENT, 1), Err(wanted));
            holds!(!lit.display.has_event()?, "a commit that fails sends no event");
            same!(lit.display.shown(&lit.display.output().primary)?, lit.frame.fb);
            lit.flips(other.fb)?;
        }
    }
    lit.end()
}

/// When a framebuffer is removed, C takes it from its plane, and warns about errors that it does not expect. A hook is not
/// asked.
fn k10_hooks_cannot_keep_a_framebuffer(guest: &Guest) -> Outcome {
    for hook in HOOKS {
        for errno in [Errno::NOSPC, Errno::INVAL, Errno::DEADLK, Errno::NODEV] {
            let lit = Lit::new(guest)?;
            lit.call(hook, errno.raw_os_error().unsigned_abs())?;
            works!(lit.ticking(|| lit.display.file.remove_fb(lit.frame.fb)));
            same!(lit.display.shown(&lit.display.output().primary)?, 0);
            let counts = lit.call(DISPLAY_TEST_COUNTS, 0)?;
            same!((counts.planes_off, counts.alive), (1, 0));
            lit.call(hook, 0)?;
            lit.removed()?.unload()?;
        }
    }
    Ok(())
}

/// A driver is not asked about a plane that is taken away, but about the mode that the same commit sets.
fn k10_what_else_a_commit_changes_is_checked(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    lit.show_cursor()?;
    let output = lit.display.output();
    let cursor = output.cursor.as_ref().expect("the display has a cursor plane");
    let hide = Request::new().hide(cursor);
    let mut mode = output.mode();
    mode.clock += 1;
    let mode = lit.display.mode_blob(&mode)?;
    lit.call(DISPLAY_TEST_FAIL_CRTC, Errno::NOSPC.raw_os_error().unsigned_abs())?;
    let other_mode = Request::new().set(&output.crtc, "MODE_ID", mode.into()).and(Request::new().hide(cursor));
    same!(lit.display.commit(&other_mode, ATOMIC_ALLOW_MODESET, 0), Err(Errno::NOSPC));
    lit.call(DISPLAY_TEST_FAIL_CRTC, Errno::NOSPC.raw_os_error().unsigned_abs())?;
    lit.commit(&hide)?;
    lit.finish()?;
    lit.call(DISPLAY_TEST_FAIL_CRTC, 0)?;
    lit.end()
}

/// A flip maps its framebuffer and keeps the mapping. After each failure nothing more is prepared than what is shown, and
/// the next flip works.
fn k12_each_failure_in_a_flip_is_undone(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let other = lit.coloured(3)?;
    let flip = Request::new().set(&lit.display.output().primary, "FB_ID", other.fb.into());
    let within = Within { stands: &[(REALLOC, 0)], ..IOCTL };
    sweep(
        &[],
        &within,
        || lit.display.commit(&flip, ATOMIC_NONBLOCK | PAGE_FLIP_EVENT, 1),
        |answer| {
            if answer.is_ok() {
                lit.finish()?;
            }
            holds!(!lit.display.has_event()?, "no further event comes");
            lit.settled()?;
            lit.flips(other.fb)
        },
    )?;
    lit.end()
}
