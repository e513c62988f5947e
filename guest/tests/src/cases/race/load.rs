// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Clients of a GPU at work while it is unbound and bound: the parts that are the same for all drivers.
//!
//! Source: `drm_dev_unplug` in `drivers/gpu/drm/drm_drv.c`, `drivers/base/bus.c` for the errors of `bind` and `unbind`
//! (Linux 7.3).

use std::collections::VecDeque;
use std::path::PathBuf;

use fastrand::Rng;
use rustix::io::Errno;
use sys::Answer;

use crate::harness::check::{Outcome, fail, name};
use crate::subjects::device::DrmFile;
use crate::subjects::guest::Guest;
use crate::{holds, works};

use super::client::Mood;
use super::crowd::{Crowd, announce, wanted};
use super::linger;

/// Files that a worker keeps beyond the end of their device.
const KEPT: usize = 3;

/// The parts that differ from driver to driver.
pub(crate) trait Load {
    /// An open file.
    type File;

    /// Returns the node that clients open, if it exists at this moment.
    fn node() -> Option<PathBuf>;

    /// Wraps a file in the driver's own type.
    fn file(file: DrmFile) -> Self::File;

    /// Runs a round of a client's calls. Returns `false` if the device was unplugged meanwhile.
    fn round(file: &Self::File, random: &mut Rng, mood: Mood) -> Outcome<bool>;

    /// Checks that the device works as before, and that it can be removed completely.
    fn is_whole(guest: &Guest) -> Outcome;
}

/// Opens the device, if it exists at this moment.
pub(crate) fn open_if_there<L: Load>() -> Outcome<Option<L::File>> {
    let Some(node) = L::node() else {
        return Ok(None);
    };
    match DrmFile::open(node) {
        Ok(file) => Ok(Some(L::file(file))),
        Err(Errno::NOENT | Errno::NODEV | Errno::NXIO) => Ok(None),
        Err(errno) => fail(format!("open: {}", name(errno))),
    }
}

/// Worker: accepts no failure.
pub(crate) fn strict<L: Load>(guest: &Guest) -> Outcome {
    let mut random = Rng::with_seed(guest.seed);
    announce();
    for _ in 0..20 {
        let Some(file) = open_if_there::<L>()? else {
            return fail("the device is gone");
        };
        for _ in 0..10 {
            holds!(L::round(&file, &mut random, Mood::Stays)?, "the device stays");
        }
    }
    Ok(())
}

/// Worker: uses each device that it can open, a few rounds at a time.
pub(crate) fn churn<L: Load>(guest: &Guest) -> Outcome {
    let mut random = Rng::with_seed(guest.seed);
    while_wanted::<L>(|file| {
        for _ in 0..random.u32(1..10) {
            if !L::round(&file, &mut random, Mood::Unplugged)? {
                break;
            }
        }
        Ok(())
    })
}

/// Worker: continues until the device is gone, and keeps the last few files beyond that.
pub(crate) fn hold<L: Load>(guest: &Guest) -> Outcome {
    let mut random = Rng::with_seed(guest.seed);
    let mut kept = VecDeque::new();
    while_wanted::<L>(|file| {
        while works!(wanted()) && L::round(&file, &mut random, Mood::Unplugged)? {}
        kept.push_back(file);
        if kept.len() > KEPT {
            kept.pop_front();
        }
        Ok(())
    })
}

/// Gives each file that can be opened to `work`, until the case ends the worker.
pub(crate) fn while_wanted<L: Load>(mut work: impl FnMut(L::File) -> Outcome) -> Outcome {
    announce();
    while works!(wanted()) {
        match open_if_there::<L>()? {
            Some(file) => work(file)?,
            None => std::thread::yield_now(),
        }
    }
    Ok(())
}

/// Accepts the errors of a race: another process was first, the device or driver is gone, or the device is not ready to
/// be probed.
pub(crate) fn tolerated(what: &str, answer: Answer) -> Outcome {
    match answer {
        Ok(()) | Err(Errno::NODEV | Errno::BUSY | Errno::NOENT | Errno::AGAIN) => Ok(()),
        Err(errno) => fail(format!("{what}: {}", name(errno))),
    }
}

/// Runs two workers of each of `parts` during `rounds`, and checks that everything is as before afterwards.
pub(crate) fn under<L: Load>(
    guest: &Guest,
    parts: &[&str],
    rounds: u32,
    mut round: impl FnMut(&mut Rng) -> Outcome,
) -> Outcome {
    let mut random = Rng::with_seed(guest.seed);
    let mut crowds = Vec::new();
    for part in parts {
        crowds.push(Crowd::start(guest, part, 2)?);
    }
    'rounds: for _ in 0..rounds {
        linger(&mut random);
        round(&mut random)?;
        for crowd in &mut crowds {
            if !crowd.all_live()? {
                break 'rounds;
            }
        }
    }
    crowds.into_iter().try_for_each(|crowd| crowd.finish(guest.seed))?;
    L::is_whole(guest)
}
