// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Clients work while parent, child and function are unbound, removed and bound, in either order and both at once (L6,
//! L7).
//!
//! Source: `drm_dev_unplug` in `drivers/gpu/drm/drm_drv.c`, `drivers/base/bus.c` for the errors of `bind` and `unbind`
//! (Linux 7.3).

use std::path::PathBuf;

use fastrand::Rng;
use rustix::io::Errno;
use uapi::PAGE;

use crate::cases::Worker;
use crate::cases::race::client::Mood;
use crate::cases::race::crowd::{Crowd, announce, wanted};
use crate::cases::race::linger;
use crate::cases::race::load::{Load, churn, hold, strict, tolerated, under};
use crate::harness::check::{Outcome, fail};
use crate::harness::modules;
use crate::subjects::device::DrmFile;
use crate::subjects::guest::Guest;
use crate::subjects::nova::{CORE, DRM, Gpu, NovaFile, unload};
use crate::subjects::pci::rescan;
use crate::{same, works};

use super::life::client;

crate::cases::cases! {
    "nova_race" for Nova:
    many_clients within 60, parent_under_load within 180, child_under_load within 180, child_first_under_load within 180,
    either_order_under_load within 180, both_at_once_under_load within 180, removed_under_load within 180,
    unloaded_under_load within 180,
}

/// The parts that run in processes of their own.
pub(crate) const WORKERS: &[Worker] = &[
    ("nova_strict", strict::<Nova>),
    ("nova_churn", churn::<Nova>),
    ("nova_hold", hold::<Nova>),
    ("nova_toggle", toggle),
];

struct Nova;

impl Load for Nova {
    type File = NovaFile;

    fn node() -> Option<PathBuf> {
        Gpu::find()?.child()?.node("card")
    }

    fn file(file: DrmFile) -> NovaFile {
        NovaFile(file)
    }

    /// Makes a random sequence of calls: queries, creates, checks and closes.
    fn round(file: &NovaFile, random: &mut Rng, mood: Mood) -> Outcome<bool> {
        let pages = random.u64(1..100);
        if mood.allows("GETPARAM", file.vram())? == Some(0) {
            return fail("VRAM has no size");
        }
        let Some(handle) = mood.allows("GEM_CREATE", file.create(pages * PAGE as u64))? else {
            return Ok(false);
        };
        match mood.allows("GEM_INFO", file.size(handle))? {
            Some(size) => same!(size, pages * PAGE as u64),
            None => return Ok(false),
        }
        if random.bool() {
            return Ok(mood.allows("GEM_CLOSE", file.0.gem_close(handle))?.is_some());
        }
        Ok(true)
    }

    fn is_whole(guest: &Guest) -> Outcome {
        let gpu = Gpu::ready(guest)?;
        client(&gpu)?;
        works!(unload());
        gpu.load(guest)?;
        client(&gpu).map(drop)
    }
}

/// Worker: unbinds and binds the auxiliary device, whatever other processes do.
fn toggle(_guest: &Guest) -> Outcome {
    announce();
    while works!(wanted()) {
        let Some(child) = Gpu::find().and_then(|gpu| gpu.child()) else {
            std::thread::yield_now();
            continue;
        };
        for (what, answer) in [("unbind", child.unbind()), ("bind", child.bind())] {
            tolerated(what, answer)?;
        }
    }
    Ok(())
}

/// Keeps clients at work during each round, which gets the function.
fn under_load(guest: &Guest, parts: &[&str], rounds: u32, mut round: impl FnMut(&Gpu, &mut Rng) -> Outcome) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    under::<Nova>(guest, parts, rounds, |random| round(&gpu, random))
}

const CLIENTS: &[&str] = &["nova_churn", "nova_hold"];

/// Many clients work without an unbind, and no call fails.
fn many_clients(guest: &Guest) -> Outcome {
    Gpu::ready(guest)?;
    Crowd::start(guest, "nova_strict", 4)?.finish(guest.seed)?;
    same!(crate::subjects::driver::module_users(DRM)?, Some(0));
    Ok(())
}

/// The parent is unbound under load, and its child with it.
fn parent_under_load(guest: &Guest) -> Outcome {
    under_load(guest, CLIENTS, 30, |gpu, random| {
        works!(gpu.unbind());
        linger(random);
        works!(gpu.bind());
        Ok(())
    })
}

/// The child is unbound under load, and the parent stays bound.
fn child_under_load(guest: &Guest) -> Outcome {
    under_load(guest, CLIENTS, 40, |gpu, random| {
        let child = gpu.child().expect("the parent stays");
        works!(child.unbind());
        linger(random);
        works!(child.bind());
        Ok(())
    })
}

/// The child is unbound under load, then the parent.
fn child_first_under_load(guest: &Guest) -> Outcome {
    under_load(guest, CLIENTS, 30, |gpu, random| {
        works!(gpu.child().expect("the parent is bound").unbind());
        linger(random);
        works!(gpu.unbind());
        linger(random);
        works!(gpu.bind());
        Ok(())
    })
}

/// Child or parent is unbound under load, in random order; the child may be bound again in between.
fn either_order_under_load(guest: &Guest) -> Outcome {
    under_load(guest, CLIENTS, 40, |gpu, random| {
        let child = gpu.child().expect("the parent is bound");
        if random.bool() {
            works!(child.unbind());
            linger(random);
        }
        if random.bool() {
            // The child is bound already if it was not unbound above.
            tolerated("bind", child.bind())?;
        }
        works!(gpu.unbind());
        linger(random);
        works!(gpu.bind());
        Ok(())
    })
}

/// Two processes toggle the child while this one toggles the parent.
fn both_at_once_under_load(guest: &Guest) -> Outcome {
    under_load(guest, &["nova_churn", "nova_hold", "nova_toggle"], 30, |gpu, random| {
        works!(gpu.unbind());
        linger(random);
        works!(gpu.bind());
        Ok(())
    })
}

/// The function is removed under load and found again.
fn removed_under_load(guest: &Guest) -> Outcome {
    under_load(guest, &["nova_churn", "nova_hold", "nova_toggle"], 12, |gpu, random| {
        works!(gpu.remove());
        linger(random);
        rescan()
    })
}

/// The modules are unloaded under load once they have no users, and loaded again.
fn unloaded_under_load(guest: &Guest) -> Outcome {
    let load = |gpu: &Gpu| gpu.load(guest);
    under_load(guest, CLIENTS, 40, |gpu, random| {
        for module in if random.bool() { [DRM, CORE] } else { [CORE, DRM] } {
            match modules::remove(module) {
                Ok(()) => {}
                Err(errno) => same!(errno, Errno::AGAIN),
            }
        }
        linger(random);
        load(gpu)
    })
}
