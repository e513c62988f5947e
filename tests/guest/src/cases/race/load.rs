// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Clients of a GPU at work while it comes and goes: what is the same whichever driver it has.
//!
//! Source: `drm_dev_unplug` in `drivers/gpu/drm/drm_drv.c`, `drivers/base/bus.c` for the errors of `bind` and `unbind`
//! (Linux 7.3).

use std::collections::VecDeque;
use std::path::PathBuf;

use fastrand::Rng;
use rustix::io::Errno;

use crate::check::{Outcome, fail, name};
use crate::device::DrmFile;
use crate::guest::Guest;
use crate::sys::Answer;
use crate::{holds, works};

use super::client::Mood;
use super::crowd::{Crowd, announce, wanted};
use super::linger;

/// Files that a worker keeps beyond the end of their device.
const KEPT: usize = 3;

/// What is different from driver to driver.
pub(crate) trait Load {
    /// An open file.
    type File;

    /// The node that clients open, if there is one at this moment.
    fn node() -> Option<PathBuf>;

    /// A file as the driver's clients have it.
    fn file(file: DrmFile) -> Self::File;

    /// A round of what clients do; `false` when the device went away meanwhile.
    fn round(file: &Self::File, random: &mut Rng, mood: Mood) -> Outcome<bool>;

    /// The device is as it was, and goes completely.
    fn is_whole(guest: &Guest) -> Outcome;
}

/// A file of the device, if it is there at this moment.
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

/// Worker: nothing may fail.
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

/// Worker: takes the device as it comes, a few rounds at a time.
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

/// Worker: goes on until the device is gone, and keeps the last few files beyond that.
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

/// Gives each file that can be opened to `work`, until the case has enough.
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

/// Somebody else was first, or has taken device or driver away, or the device is not ready to be probed.
pub(crate) fn tolerated(what: &str, answer: Answer) -> Outcome {
    match answer {
        Ok(()) | Err(Errno::NODEV | Errno::BUSY | Errno::NOENT | Errno::AGAIN) => Ok(()),
        Err(errno) => fail(format!("{what}: {}", name(errno))),
    }
}

/// Two workers of each of `parts` during `rounds`; afterwards everything is as before.
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
